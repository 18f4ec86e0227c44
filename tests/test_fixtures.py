"""The fixtures that carry the suite do what their names say."""

import os

import dask
import dask.array as da
import pytest


def test_no_compute_refuses_and_ends(no_compute):
    x = da.ones(4)
    with no_compute, pytest.raises(Exception, match="expected a lazy operation"):
        x.compute()
    with no_compute():
        assert (x + 1).shape == (4,)
    assert x.sum().compute() == 4


def test_scheduler_is_the_one_named(scheduler):
    pid = dask.delayed(os.getpid, pure=False)().compute()
    assert (pid != os.getpid()) == (scheduler == "distributed")


def test_stack_and_chunks_fit(stack, chunks):
    assert da.from_array(stack, chunks=(*chunks, 12, 10)).chunks[:2] == chunks

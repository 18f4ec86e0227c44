"""Damaged frames: NaN in per-position results, left out of reductions, zero in frames; never quietly zero."""

import dask.array as da
import numpy as np
import pytest

from lazy4d.lazy import Frames
from lazy4d.lazy.run import compute
from tests.lazy import kernels_for_tests as k
from tests.lazy.sources import arithmetic

DAMAGED = (0, 7, 23)


@pytest.fixture(params=[(2, 4), (1, 1), (6, 3)])
def blocks(request):
    return request.param


def bad():
    return np.isin(np.arange(24).reshape(6, 4), DAMAGED)


def test_nan_marks_per_position_results(blocks):
    source = arithmetic((6, 4), incomplete="nan", damaged=DAMAGED)
    frames = Frames.from_source(source, chunks=blocks)
    totals = frames.map_frames(k.total, shape=(), dtype="u8").emit()
    assert totals.dtype == np.float64
    mean = frames.reduce_frames(k.mean_pattern((6, 5)))
    got, pattern, data, valid, again = compute(
        totals.data, mean, frames.data, frames.valid, totals.valid, progress=False
    )
    truth = source.dense()
    np.testing.assert_array_equal(np.isnan(got), bad())
    np.testing.assert_array_equal(got[~bad()], truth.sum((2, 3))[~bad()])
    np.testing.assert_allclose(pattern, truth[~bad()].mean(axis=0))
    np.testing.assert_array_equal(data, truth)
    assert data.dtype == np.uint16
    np.testing.assert_array_equal(valid, ~bad())
    np.testing.assert_array_equal(again, ~bad())


def test_zero_keeps_zeros_and_still_tells(blocks):
    source = arithmetic((6, 4), incomplete="zero", damaged=DAMAGED)
    frames = Frames.from_source(source, chunks=blocks)
    totals = frames.map_frames(k.total, shape=(), dtype="u8").emit()
    mean = frames.reduce_frames(k.mean_pattern((6, 5)))
    got, pattern, valid = compute(totals.data, mean, frames.valid, progress=False)
    assert got.dtype == np.uint64
    np.testing.assert_array_equal(got, source.dense().sum((2, 3)))
    np.testing.assert_allclose(pattern, source.dense().mean(axis=(0, 1)))
    np.testing.assert_array_equal(valid, ~bad())


def test_a_stage_does_not_turn_missing_frames_into_values(blocks):
    frames = Frames.from_source(arithmetic((6, 4), incomplete="nan", damaged=DAMAGED), chunks=blocks)
    shifted = frames.map_frames(k.subtract, 5.0, shape=(6, 5), dtype="f8")
    (data,) = compute(shifted.data, progress=False)
    assert (data[bad()] == 0).all()


def test_results_of_marked_results_leave_them_out(blocks):
    frames = Frames.from_source(arithmetic((6, 4), incomplete="nan", damaged=DAMAGED), chunks=blocks)
    totals = frames.map_frames(k.total, shape=(), dtype="u8").emit()
    mean = totals.reduce_frames(k.mean_pattern(()))
    (got,) = compute(mean, progress=False)
    truth = arithmetic((6, 4)).dense().sum((2, 3))
    np.testing.assert_allclose(got, truth[~bad()].mean())


def test_neighbours_see_nan(blocks):
    source = arithmetic((6, 4), incomplete="nan", damaged=DAMAGED)
    frames = Frames.from_source(source, chunks=blocks)
    (got,) = compute(frames.overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8").data, progress=False)
    padded = np.pad(bad(), 1, mode="edge")
    touched = np.array([[padded[y : y + 3, x : x + 3].any() for x in range(4)] for y in range(6)])
    np.testing.assert_array_equal(np.isnan(got).all(axis=(2, 3)), touched)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_array_with_and_without_validity_are_two_sources(order):
    truth = np.arange(24 * 6.0).reshape(6, 4, 2, 3)
    array = da.from_array(truth, chunks=(2, 4, 2, 3))
    valid = da.from_array(~bad(), chunks=(2, 4))
    both = [Frames.from_array(array, 2), Frames.from_array(array, 2, valid=valid, incomplete="nan")]
    both += [one.inav((slice(1, 6), slice(None))).rechunk(2) for one in both]
    sums = [one.reduce_frames(k.mean_pattern((2, 3))) for one in both]
    picked = [sums[i] for i in order] + [sums[i + 2] for i in order]
    got = compute(*picked, progress=False)
    rows = truth[1:].reshape(-1, 2, 3)
    expected = [truth.mean((0, 1)), truth[~bad()].mean(0), rows.mean(0), rows[~bad()[1:].ravel()].mean(0)]
    for value, at in zip(got, [*order, *(i + 2 for i in order)], strict=True):
        np.testing.assert_allclose(value, expected[at])


def test_neighbours_of_arrays_see_nan_too():
    truth = np.arange(24 * 6).reshape(6, 4, 2, 3)
    frames = Frames.from_array(truth, 2, valid=da.from_array(~bad(), chunks=-1), incomplete="nan")
    result = frames.overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8")
    (got,) = compute(result.data, progress=False)
    assert np.isnan(got[1, 1]).all()
    assert not np.isnan(got[3, 1]).any()

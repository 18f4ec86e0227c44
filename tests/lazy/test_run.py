import os
import pickle
import signal
import threading
import time

import dask
import dask.array as da
import numpy as np
import pytest
from dask.highlevelgraph import HighLevelGraph

from lazy4d.lazy import Frames, PerPosition, SharedLazy
from lazy4d.lazy.explain import explain
from lazy4d.lazy.fuse import fuse_walks, walks_of
from lazy4d.lazy.options import options, set_options
from lazy4d.lazy.run import compute, persist
from lazy4d.lazy.stage import Kernel
from tests.lazy import kernels_for_tests as k
from tests.lazy.sources import arithmetic, reads


def results(frames):
    """Four results of one source, one of them behind arithmetic."""
    totals = frames.map_frames(k.total, shape=(), dtype="u8").emit()
    corner = frames.map_frames(k.first_pixel, shape=(), dtype="u2").emit()
    mean = frames.reduce_frames(k.mean_pattern((6, 5)))
    return totals.data, corner.data, mean, (corner.data / totals.data).max()


def truths(truth):
    totals, corner = truth.sum(axis=(2, 3)), truth[:, :, 0, 0]
    return totals, corner, truth.mean(axis=(0, 1)), (corner / totals).max()


def test_many_results_read_each_frame_once():
    source = arithmetic((6, 4))
    reads.clear()
    got = compute(*results(Frames.from_source(source, chunks=(2, 4))), progress=False)
    assert sorted(reads) == list(range(24))
    for a, b in zip(got, truths(source.dense()), strict=True):
        np.testing.assert_allclose(a, b)


def test_common_stages_run_once():
    frames = Frames.from_source(arithmetic((6, 4))).map_frames(k.count_calls, shape=(6, 5), dtype="u2")
    k.calls = 0
    compute(
        frames.map_frames(k.total, shape=(), dtype="u8").data, frames.reduce_frames(k.mean_pattern((6, 5))),
        progress=False,
    )  # fmt: skip
    assert k.calls == 24


def test_a_result_that_needs_another_takes_a_second_pass_and_no_more():
    source = arithmetic((6, 4))
    frames = Frames.from_source(source)
    truth = source.dense()
    mean = frames.reduce_frames(k.mean_pattern((6, 5)))
    totals = frames.map_frames(k.total, shape=(), dtype="u8").emit()
    rest = frames.map_frames(k.subtract, SharedLazy(mean), shape=(6, 5), dtype="f8")
    scaled = rest.map_frames(k.multiply, PerPosition(totals.data), shape=(6, 5), dtype="f8")
    reads.clear()
    got = compute(scaled.map_frames(k.total, shape=(), dtype="f8").data, totals.data, mean, progress=False)
    assert len(reads) == 48
    np.testing.assert_allclose(got[0], (truth - truth.mean((0, 1))).sum((2, 3)) * truth.sum((2, 3)), atol=1e-6)


def test_same_results_for_any_blocks_and_scheduler(scheduler, chunks):
    source = arithmetic((4, 5))
    for got, expected in zip(
        compute(*results(Frames.from_source(source, chunks=chunks)), progress=False),
        truths(source.dense()),
        strict=True,
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_plain_dask_computes_the_same(chunks):
    source = arithmetic((4, 5))
    for got, expected in zip(
        dask.compute(*results(Frames.from_source(source, chunks=chunks))), truths(source.dense()), strict=True
    ):
        np.testing.assert_allclose(got, expected)


def test_persisted_results_are_not_computed_again(scheduler):
    frames = Frames.from_source(arithmetic((6, 4)))
    kept = persist(*results(frames), progress=False)
    reads.clear()
    for got, expected in zip(dask.compute(*kept), truths(arithmetic((6, 4)).dense()), strict=True):
        np.testing.assert_allclose(got, expected)
    assert reads == []


def test_the_result_is_ours():
    truth = np.arange(24).reshape(2, 3, 4)
    (got,) = compute(Frames.from_array(truth, 1, chunks=-1).data, progress=False)
    got[...] = 0
    assert truth.max() == 23


def test_big_endian_arrays_come_out_native():
    truth = np.arange(24, dtype=">u2").reshape(2, 3, 4)
    frames = Frames.from_array(da.from_array(truth, chunks=(1, 3, 4)), 1)
    got, totals = compute(frames.data, frames.map_frames(k.total, shape=(), dtype="u8").data, progress=False)
    assert got.dtype == np.dtype("uint16")
    assert got.dtype.isnative
    np.testing.assert_array_equal(totals, truth.sum(axis=(1, 2)))


def test_fused_graph_has_one_walk_a_source():
    frames = Frames.from_source(arithmetic((6, 4)))
    other = Frames.from_source(arithmetic((6, 4), token="other"))
    graph = HighLevelGraph.merge(*(r.dask for f in (frames, other) for r in results(f)))
    assert len(walks_of(graph)) == 6
    assert len(walks_of(fuse_walks(graph))) == 2


def test_graphs_are_small_and_hold_no_pixels():
    frames = Frames.from_source(arithmetic((64, 4)), chunks=(1, 4))
    graph = HighLevelGraph.merge(*(r.dask for r in results(frames)))
    assert len(pickle.dumps(graph)) < 60_000


def test_kernels_travel_by_name():
    assert b"kernels_for_tests" in pickle.dumps(Kernel(k.total))
    assert pickle.loads(pickle.dumps(Kernel(k.total))).function is k.total


def test_names_are_the_same_in_every_session():
    def build():
        return [r.name for r in results(Frames.from_source(arithmetic()))]

    assert build() == build()


def test_an_error_names_the_block():
    frames = Frames.from_source(arithmetic((6, 4)), chunks=(3, 4))
    with pytest.raises(ArithmeticError, match="this kernel always fails") as caught:
        compute(frames.map_frames(k.broken, shape=(), dtype="f8").data, progress=False)
    assert any("block of positions [" in note for note in caught.value.__notes__)


def test_progress_reaches_the_total(scheduler):
    frames = Frames.from_source(arithmetic((6, 4)), chunks=(1, 4))
    seen = []
    compute(*results(frames), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (24 * 60, 24 * 60)
    assert len(seen) == 6
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_progress_is_an_option_for_a_while():
    seen = []
    before = options()
    with set_options(progress=lambda *state: seen.append(state)):
        compute(*results(Frames.from_source(arithmetic())))
    assert seen
    assert options() is before


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"speed": 1}, TypeError, "unknown option 'speed': expected one of"),
        ({"io": "fast"}, ValueError, "expected 'mmap' or 'read'"),
        ({"block_bytes": 0}, ValueError, "positive number of bytes"),
        ({"progress": "yes"}, TypeError, "expected True, False or a callable"),
    ],
)
def test_bad_options(changes, error, message):
    with pytest.raises(error, match=message):
        set_options(**changes)


def test_interrupt_stops_at_the_next_tile_and_leaves_nothing_running():
    frames = Frames.from_array(np.zeros((400, 512, 1024), "u2"), 1, chunks=100)  # tiles of one frame
    pending = frames.map_frames(k.slow, shape=(), dtype="u8").data
    k.calls = 0

    def interrupt_once_it_runs():
        while not k.calls:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_once_it_runs, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        compute(pending, progress=False)
    at_return = k.calls
    assert 0 < at_return < 400
    time.sleep(0.1)
    assert k.calls == at_return


def test_explanation_before_and_after():
    frames = Frames.from_source(arithmetic((6, 4)), chunks=(3, 4))
    report = explain(results(frames)[:3], ("totals", "corner", "mean"))
    assert len(report.passes) == 1
    assert report.nbytes == 24 * 60
    assert report.passes[0].blocks == 2
    assert "decode → total" in str(report)
    assert "gives totals, corner, mean" in str(report)
    assert "measured" not in str(report)
    got = report.compute(progress=False)
    np.testing.assert_array_equal(got[0], arithmetic((6, 4)).dense().sum((2, 3)))
    assert "measured" in str(report)
    assert report.seconds > 0
    assert report.memory > 0


def test_a_filter_across_the_scan_is_a_pass_of_its_own():
    frames = Frames.from_source(arithmetic((6, 4)))
    around = frames.overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8")
    told = explain([around.map_frames(k.total, shape=(), dtype="f8").data])
    first, second = told.passes
    assert "mean_of_neighbours (of neighbours)" in str(told)
    assert first.nbytes >= 24 * 60
    assert "total" in second.kernels[0]
    reads.clear()
    compute(around.data, progress=False)
    assert len(reads) * 60 == first.nbytes

"""Live detectors without a display: rough at once, exact at rest, latest wins, nothing raised."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Frames
from lazy4d.plot.detectors import controller as module
from lazy4d.plot.detectors import exact_pass
from lazy4d.plot.detectors.controller import DetectorController, RegionController
from lazy4d.plot.detectors.partial import PartialImage, RecentResults
from lazy4d.plot.detectors.portions import Pace, block_boxes, line_boxes, spread, stored_blocks
from lazy4d.plot.detectors.session import LiveSession
from lazy4d.plot.thread_pool import ThreadPool
from lazy4d.plot.worker import Worker
from lazy4d.roi import PaintedROI, SpanROI
from lazy4d.signals.overview import OverviewPass, overview_of

SHAPE = (12, 10, 16, 14)


@pytest.fixture(autouse=True)
def _quiet():
    with l4.set_options(progress=False):
        yield


@pytest.fixture
def pixels():
    return np.random.default_rng(8).poisson(3.0, SHAPE).astype("uint16")


@pytest.fixture
def s(pixels):
    return l4.Diffraction2D(Frames.from_array(pixels, 2, chunks=((5, 5, 2), (10,))), title="scan")


@pytest.fixture
def large(monkeypatch):
    """As if every scan were too large to be read for each motion."""
    monkeypatch.setattr(module, "AT_ONCE_BYTES", 0)


@pytest.mark.parametrize("is_missing", [False, True])
def test_means_of_frames_that_no_kernel_takes(pixels, large, is_missing):
    frames = pixels.astype("float16")
    valid = np.ones(SHAPE[:2], bool)
    valid[3, 3] = not is_missing
    signal = l4.Diffraction2D(frames, valid=valid)
    region = RegionController(signal, {"region": l4.CircleROI(3, 3, 2)}, delay=0)
    assert region.wait(60)
    mask = l4.CircleROI(3, 3, 2).mask(signal.axes_manager.navigation_axes) & valid
    np.testing.assert_allclose(region.measured("region").values, frames[mask].astype(float).mean(0))
    assert not region.patterns["region"].lazy
    region.close()


class Hand:
    """Background work done by hand, a step at a time, by a clock that is set."""

    def __init__(self):
        self.now = 0.0
        self.pool = ThreadPool(threads=False, clock=lambda: self.now)
        self.worker = Worker(pool=self.pool)

    def steps(self, most=10**6):
        """Do at most so many steps of what may run now; how many were done."""
        return next((k for k in range(most) if not self.pool.run_next()), most)


@pytest.fixture
def hand():
    made = Hand()
    yield made
    made.worker.cancel()
    made.now = 1e9
    made.steps()  # so that closing has nothing to wait for
    made.worker.close()


def looked(signal):
    """The overview of a signal after a pass."""
    overview = overview_of(signal)
    for _ in OverviewPass(signal, overview).steps():
        pass
    return overview


# -- exact results ---------------------------------------------------------------------------------------------------

DETECTORS = {
    "disk": l4.CircleROI(7, 8, 3),
    "ring": l4.CircleROI(7, 8, 7, r_inner=4),
    "box": l4.RectangleROI(0, 0, 5, 16),
    "painted": PaintedROI([(3, 2, 9), (4, 2, 9)]),
}


@pytest.mark.parametrize("kind", ["uint8", "float32", "float16"])
def test_images_are_those_of_get_virtual_image(pixels, kind, large):
    s = l4.Diffraction2D((pixels % 7).astype(kind))
    view = DetectorController(s, {name: roi.copy() for name, roi in DETECTORS.items()}, delay=0)
    assert view.wait(60)
    for name, image in view.images.items():
        expected = s.get_virtual_image(DETECTORS[name]).as_numpy()
        assert not image.lazy
        assert image.data.dtype == expected.dtype
        np.testing.assert_array_equal(image.data, expected)
        np.testing.assert_array_equal(view.measured(name).values, expected)
        assert view.measured(name).final
        assert image.title == name
    view.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.inav[2:9, 1:].isig[2:12, 1:13],
        lambda s: s.rebin(scale=(2, 2, 1, 1)),
        lambda s: s.center_direct_beam(method="center_of_mass"),
        lambda s: s.center_direct_beam(position=s.get_direct_beam_position(method="center_of_mass").get_linear_plane()),
        lambda s: s.inav[3],
        lambda s: s.compute(),
    ],
    ids=["cut", "rebin", "centred", "plane", "line", "memory"],
)
def test_images_of_derived_signals(s, change, large):
    changed = change(s)
    roi = l4.CircleROI(5, 5, 3)
    view = DetectorController(changed, {"a": roi}, delay=0)
    assert view.wait(60)
    np.testing.assert_array_equal(view.measured("a").values, changed.get_virtual_image(roi).as_numpy())
    view.close()


def test_damaged_frames_are_nan(pixels, large):
    valid = np.ones(SHAPE[:2], bool)
    valid[3, 4] = valid[7, :5] = False
    s = l4.Diffraction2D(pixels, valid=valid)
    view = DetectorController(s, {"a": l4.CircleROI(7, 8, 3)}, delay=0)
    grains = RegionController(s, {"a": l4.RectangleROI(2, 2, 7, 9)}, delay=0)
    assert view.wait(60)
    assert grains.wait(60)
    np.testing.assert_array_equal(np.isnan(view.measured("a").values), ~valid)
    expected = pixels[2:9, 2:7][valid[2:9, 2:7]].mean(axis=0)
    np.testing.assert_allclose(grains.measured("a").values, expected, rtol=1e-12)
    np.testing.assert_array_equal(grains.patterns["a"].data, s.get_region_mean(l4.RectangleROI(2, 2, 7, 9)).as_numpy())
    view.close()
    grains.close()


def test_several_detectors_share_one_reading(s, large, monkeypatch):
    boxes = []
    original = exact_pass.Peek.__call__
    monkeypatch.setattr(exact_pass.Peek, "__call__", lambda self, box: boxes.append(box) or original(self, box))
    view = DetectorController(s, {name: roi.copy() for name, roi in DETECTORS.items()}, delay=0)
    assert view.wait(60)
    seen = np.zeros(SHAPE[:2], int)
    for box in boxes:
        seen[box] += 1
    assert (seen == 1).all()
    view.close()


def test_an_image_that_is_known_is_not_lazy_and_others_are(s, hand, large):
    view = DetectorController(s, {"a": l4.CircleROI(7, 8, 3)}, worker=hand.worker)
    assert view.images["a"].lazy
    hand.now = 1
    hand.steps()
    view.updates()
    assert not view.images["a"].lazy
    assert view.images["a"].history[-1].op == "get_virtual_image"
    view.close()


# -- motions ---------------------------------------------------------------------------------------------------------


def test_a_motion_is_answered_from_the_small_copy_and_then_exactly(s, hand, large):
    roi = l4.CircleROI(7, 8, 3)
    view = DetectorController(s, {"a": roi}, overview=looked(s), worker=hand.worker)
    hand.now = 1
    hand.steps()
    assert view.updates()[-1].final
    seen = []
    roi.observe(seen.append, "changed")
    roi.r = 5
    assert len(seen) == 1
    hand.steps()
    (rough,) = view.updates()
    assert not rough.final
    assert rough.rough == 1
    np.testing.assert_allclose(rough.values, s.get_virtual_image(roi).as_numpy())  # pixels are the bins of small frames
    assert view.busy
    hand.now = 1.1
    assert hand.steps() == 0  # the mouse may move on
    hand.now = 1 + module.REST
    hand.steps()
    (exact,) = view.updates()
    assert exact.final
    np.testing.assert_array_equal(exact.values, s.get_virtual_image(roi).as_numpy())
    assert not view.busy
    view.close()


def test_without_a_small_copy_the_picture_sharpens_as_a_whole(s, hand, large):
    view = DetectorController(s, {"a": l4.CircleROI(7, 8, 3)}, worker=hand.worker)
    hand.steps()
    assert view.updates() == []
    assert view.measured("a") is None
    hand.now = 1
    hand.steps(3)
    (part,) = view.updates()
    assert 0 < part.exact < 1
    assert np.isfinite(part.values).all()
    view.close()


def test_the_next_motion_cancels_and_what_is_known_stays(s, hand, large, monkeypatch):
    a, b = l4.CircleROI(7, 8, 3), l4.CircleROI(7, 8, 5)
    view = DetectorController(s, {"a": a, "b": b}, worker=hand.worker)
    hand.now = 1
    found = {}
    while "b" not in found and hand.steps(1):
        found = {one.name: one.exact for one in view.updates()}
    known = found["b"]
    assert 0 < known < 1
    a.cx = 6
    assert hand.steps() > 0
    assert not view.updates()
    boxes = []
    original = exact_pass.Peek.__call__
    monkeypatch.setattr(
        exact_pass.Peek,
        "__call__",
        lambda self, box: boxes.append((len(self._readers[0][0]), box)) or original(self, box),
    )
    hand.now = 2
    hand.steps()
    assert {one.name: one.exact for one in view.updates()} == {"a": 1.0, "b": 1.0}
    both = sum(np.ones(SHAPE[:2])[box].sum() for count, box in boxes if count == 2)
    assert both == pytest.approx((1 - known) * 120)  # what was known of b was not read for it again
    view.close()


def test_going_back_is_instant(s, hand, large):
    roi = l4.CircleROI(7, 8, 3)
    view = DetectorController(s, {"a": roi}, worker=hand.worker)
    hand.now = 1
    hand.steps()
    first = view.updates()[-1].values
    roi.r = 5
    hand.now = 2
    hand.steps()
    view.updates()
    roi.r = 3
    assert hand.steps() > 0
    (back,) = view.updates()
    assert back.final
    np.testing.assert_array_equal(back.values, first)
    assert not view.busy
    view.close()


def test_what_nobody_wants_any_more_is_not_computed(s, hand, large):
    roi = l4.CircleROI(7, 8, 3)
    view = DetectorController(s, {"a": roi}, worker=hand.worker)
    hand.now = 1
    hand.steps()
    roi.r = 5
    hand.now = 2
    while not any(0 < one.exact < 1 for one in view.updates()):
        assert hand.steps(1)
    other = roi.copy()
    roi.r = 3  # known already
    hand.steps()
    assert view._recent.get(view._key(other)).share < 1
    assert not view.busy
    view.close()


def test_fast_motions_never_starve_the_picture(s, hand, large):
    """A job at work takes the latest state when it is done; it is not replaced by every motion."""
    roi = l4.CircleROI(7, 8, 3)
    view = DetectorController(s, {"a": roi}, overview=looked(s), worker=hand.worker)
    shown = 0
    for k in range(20):
        roi.cx = k % 12
        hand.steps(1)
        shown += bool(view.updates())
    assert shown >= 8
    hand.steps()
    latest = view.updates() or [view.measured("a")]
    assert latest[-1].state == view._key(roi)
    view.close()


def test_a_result_that_was_dropped_with_its_job_is_told_again(s, hand, large):
    a, b = l4.CircleROI(7, 8, 3), l4.CircleROI(7, 8, 5)
    view = DetectorController(s, {"a": a, "b": b}, worker=hand.worker)
    hand.now = 1
    hand.steps()
    a.cx = 6  # before anybody has taken the exact results
    hand.steps()
    found = {one.name: one for one in view.updates()}
    assert found["b"].final
    view.close()


def test_refreshing_does_not_undo_what_is_exact(s, hand, large):
    view = DetectorController(s, {"a": l4.CircleROI(7, 8, 3)}, overview=looked(s), worker=hand.worker)
    hand.steps()
    rough = view.updates()
    hand.now = 1
    hand.steps()
    assert view.updates()[-1].final
    assert view._is_old(rough[0], None)
    view.refresh()
    assert hand.steps() == 0
    view.close()


def test_a_region_without_pixels_is_told_not_raised(s, hand, large):
    roi = l4.CircleROI(7, 8, 3)
    view = DetectorController(s, {"a": roi}, worker=hand.worker)
    hand.now = 1
    hand.steps()
    before = view.updates()[-1].values
    roi.cx = 900
    hand.now = 2
    hand.steps()
    (told,) = view.updates()
    assert "at least one pixel" in told.problem
    np.testing.assert_array_equal(told.values, before)
    roi.cx = 7
    hand.steps()
    assert view.updates()[-1].final
    view.close()


def test_an_error_in_the_background_is_told_not_raised(s, hand, large, monkeypatch):
    view = DetectorController(s, {"a": l4.CircleROI(7, 8, 3)}, worker=hand.worker)

    def gone(self, box):
        raise OSError("the disk is gone")

    monkeypatch.setattr(exact_pass.Peek, "__call__", gone)
    hand.now = 1
    hand.steps()
    (told,) = view.updates()
    assert "the disk is gone" in told.problem
    assert told.final
    view.close()


def test_a_new_calibration_is_followed(s, hand, large):
    roi = l4.CircleROI(7.0, 8.0, 3.0)
    view = DetectorController(s, {"a": roi}, worker=hand.worker)
    hand.now = 1
    hand.steps()
    view.updates()
    s.axes_manager["kx"].scale = s.axes_manager["ky"].scale = 0.5
    roi.update(cx=3.0, cy=4.0)
    hand.now = 2
    hand.steps()
    (found,) = view.updates()
    np.testing.assert_array_equal(found.values, s.get_virtual_image(roi).as_numpy())
    view.close()
    assert not s.axes_manager["kx"].scale == 1


def test_detectors_come_and_go(s, hand):
    a, b = l4.CircleROI(7, 8, 3), l4.CircleROI(7, 8, 5)
    view = DetectorController(s, {"a": a}, worker=hand.worker)
    view.add("b", b)
    hand.steps()
    assert {one.name for one in view.updates()} == {"a", "b"}
    view.remove("a")
    assert list(view.images) == ["b"]
    a.r = 4
    b.r = 4
    hand.steps()
    assert {one.name for one in view.updates()} == {"b"}
    view.close()
    hand.steps()
    b.r = 3
    assert hand.steps() == 0
    view.close()


def test_the_kept_results_are_bounded(s, hand, large):
    roi = l4.CircleROI(7, 8, 1)
    view = DetectorController(s, {"a": roi}, worker=hand.worker, cache_bytes=4000)
    for k in range(1, 7):
        roi.r = k
        hand.now += 1
        hand.steps()
    assert 0 < view._recent.nbytes <= 4000
    view.close()


# -- regions of the scan ---------------------------------------------------------------------------------------------


def test_a_region_follows_roughly_and_then_exactly(s, pixels, hand, large):
    roi = l4.RectangleROI(1, 1, 5, 6)
    view = RegionController(s, {"a": roi}, overview=looked(s), worker=hand.worker)
    roi.right = 8
    hand.steps()
    (rough,) = view.updates()
    assert not rough.final
    np.testing.assert_allclose(rough.values, pixels[1:6, 1:8].mean(axis=(0, 1)))
    hand.now = 1
    hand.steps()
    (exact,) = view.updates()
    np.testing.assert_array_equal(exact.values, s.get_region_mean(roi).as_numpy())
    assert exact.final
    assert not view.patterns["a"].lazy
    view.close()


def test_small_regions_are_exact_at_once(s, hand):
    roi = l4.CircleROI(4, 4, 2)
    view = RegionController(s, {"a": roi}, worker=hand.worker)
    hand.steps()
    assert view.updates()[-1].final
    view.close()


def test_every_region_of_a_job_is_told(s, hand, large):
    rois = {"a": l4.CircleROI(4, 4, 2), "b": l4.RectangleROI(1, 1, 9, 9)}
    view = RegionController(s, rois, worker=hand.worker)
    hand.now = 1
    hand.steps()
    assert {one.name: one.final for one in view.updates()} == {"a": True, "b": True}
    view.close()


def test_a_line_scan(pixels, hand, large):
    s = l4.Diffraction2D(pixels[0])
    detectors = DetectorController(s, {"a": l4.CircleROI(7, 8, 3)}, worker=hand.worker)
    hand.now = 1
    hand.steps()
    assert detectors.updates()[-1].values.shape == (10,)
    detectors.close()
    regions = RegionController(s, {"a": SpanROI(2, 6)}, delay=0)
    assert regions.wait(60)
    np.testing.assert_array_equal(regions.measured("a").values, pixels[0, 2:6].mean(axis=0))
    regions.close()


def test_large_integers_do_not_overflow(hand):
    pixels = np.full((3, 3, 2, 2), 2**62, np.int64)
    view = RegionController(l4.Diffraction2D(pixels), {"a": l4.RectangleROI(0, 0, 3, 3)}, worker=hand.worker)
    hand.steps()
    assert (view.updates()[-1].values == 2.0**62).all()
    view.close()


# -- together --------------------------------------------------------------------------------------------------------


def test_a_session_looks_at_the_scan_and_tells(s, pixels, large):
    told = []
    session = LiveSession(s, {"a": l4.CircleROI(7, 8, 3)}, {"g": l4.RectangleROI(1, 1, 5, 6)}, delay=0)
    session.notify = lambda: told.append(1)
    assert session.wait(60)
    assert session.share == 1
    np.testing.assert_allclose(session.pattern, pixels.mean(axis=(0, 1)))
    np.testing.assert_array_equal(session.navigator, pixels.sum(axis=(2, 3)))
    assert told
    session.updates()
    session.position = (3, 4)
    assert [one.what for one in session.updates()] == ["position"]
    assert s.axes_manager.indices == (3, 4)
    session.close()
    session.close()
    assert session.closed


def test_waiting_gives_up_in_time(s, large):
    session = LiveSession(s, {"a": l4.CircleROI(7, 8, 3)}, {}, delay=1000.0)
    assert not session.wait(0.01)
    session.close()


# -- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 5), (9,), (2, 3, 4), (1, 1), (3, 100)])
@pytest.mark.parametrize("spread_out", [True, False])
@pytest.mark.parametrize("frame_bytes", [2**10, 2**19])
def test_portions_cover_the_scan_once(shape, spread_out, frame_bytes):
    known = np.zeros(shape, bool)
    known.reshape(-1)[1::7] = True
    seen = np.zeros(shape, int)
    for box in line_boxes(known, Pace(frame_bytes), spread_out):
        seen[box] += 1
    assert seen.max() == 1
    assert seen[~known].all()
    assert sorted(spread(23)) == list(range(23))


def test_sources_in_blocks_are_read_by_blocks(s, pixels):
    import dask.array as da

    assert stored_blocks(s.frames) is None
    chunked = l4.Diffraction2D(da.from_array(pixels, chunks=(4, 5, 16, 14)))
    blocks = stored_blocks(chunked.frames)
    assert blocks == ((4, 4, 4), (5, 5))
    seen = np.zeros(SHAPE[:2], int)
    for box in block_boxes(blocks, spread_out=True):
        seen[box] += 1
    assert (seen == 1).all()


def test_a_partial_image_shows_the_best_it_has():
    image = PartialImage.empty((4, 3), np.dtype("u4"))
    assert np.isnan(image.shown()).all()
    rough = np.arange(12.0).reshape(4, 3)
    assert image.shown(rough) is rough
    image.put((slice(0, 1), slice(0, 3)), np.full((1, 3), 50, "u4"))
    np.testing.assert_array_equal(image.shown(rough), [[50] * 3, [3, 4, 5], [6, 7, 8], [9, 10, 11]])
    assert (image.shown() == 50).all()  # what is not known is as those around it
    image.put((slice(0, 1), slice(0, 3)), np.full((1, 3), 50, "u4"))  # by another thread, again
    assert image.share == 0.25
    image.put((slice(1, 4), slice(0, 3)), np.full((3, 3), 7, "u4"))
    assert image.complete
    assert image.shown().dtype == np.float64


def test_the_latest_result_is_always_kept():
    recent = RecentResults(1)
    recent["a"] = PartialImage.empty((4, 3), np.dtype("u4"))
    recent["b"] = PartialImage.empty((4, 3), np.dtype("u4"))
    assert recent.get("a") is None
    assert recent.get("b") is not None


@pytest.mark.slow
def test_controllers_do_not_import_matplotlib():
    modules = ["controller", "session", "editing", "dragging", "combine"]
    code = "".join(f"import lazy4d.plot.detectors.{name}\n" for name in modules)
    code += "import sys; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"

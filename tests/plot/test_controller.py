"""A viewer's controller: the frame shown is that of the position, whatever happens in between."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Frames, peek_shared
from lazy4d.plot.controller import ViewController
from lazy4d.plot.frame_requests import AS_RECORDED, COMPUTING, DAMAGED
from lazy4d.plot.navigators import KnownNavigator, LazyNavigator, navigators_of
from lazy4d.plot.overview_navigators import INHERITED
from lazy4d.plot.thread_pool import ThreadPool
from lazy4d.plot.updates import FrameUpdate
from lazy4d.plot.worker import Cancelled, Worker
from tests.lazy import sources
from tests.lazy.sources import arithmetic

LONG = 60


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A viewer whose background work is done when the test says so."""

    def __init__(self, signal: Any, navigator: Any = None, **settings: Any) -> None:
        self.clock = Clock()
        self.pool = ThreadPool(threads=False, clock=self.clock)
        self.worker = Worker(pool=self.pool)
        self.view = ViewController(signal, navigator, self.worker, clock=self.clock, **settings)

    def work(self) -> None:
        while self.pool.run_next():
            pass

    def shown(self) -> list[tuple[Any, ...]]:
        return [(u.what, u.position) for u in self.view.updates() if u.what != "navigator"]

    def frame(self) -> Any:
        (found,) = [u for u in self.view.updates() if u.what == "frame"]
        return found


@pytest.fixture
def desks() -> Iterator[Any]:
    made: list[Desk] = []

    def make(*args: Any, **settings: Any) -> Desk:
        made.append(Desk(*args, **settings))
        return made[-1]

    yield make
    for desk in made:
        desk.view.close()
        desk.work()
        desk.worker.close()


def scan(shape: tuple[int, ...] = (6, 4), **settings: Any) -> Any:
    """A scan that counts what is read of it."""
    source = arithmetic(shape, **settings) if shape else arithmetic((1,)).drop_axes((0,))
    return l4.Diffraction2D(Frames.from_source(source))


def test_the_first_frame_is_shown_without_being_asked_for(desks: Any) -> None:
    s = scan()
    s.axes_manager.indices = (2, 1)
    desk = desks(s)
    assert desk.view.position == (2, 1)
    assert desk.view.updates() == []
    desk.work()
    frame = desk.frame()
    np.testing.assert_array_equal(frame.data, arithmetic((6, 4)).dense()[1, 2])
    assert (frame.position, frame.final, frame.valid, frame.message, frame.error) == ((2, 1), True, True, "", None)
    assert not frame.data.flags.writeable
    assert desk.view.updates() == []


def test_position_and_axes_follow_each_other(desks: Any) -> None:
    s = scan()
    desk = desks(s)
    desk.work()
    desk.view.updates()
    s.axes_manager["x"].index = 3
    assert desk.view.position == (3, 0)
    assert desk.shown() == [("position", (3, 0))]
    desk.work()
    assert desk.shown() == [("frame", (3, 0))]
    desk.view.position = (1, 5)
    assert s.axes_manager.indices == (1, 5)
    desk.view.move(-4, 1)  # as far as the scan reaches
    assert s.axes_manager.indices == (0, 5)
    desk.view.move(2)
    assert desk.view.position == (2, 5)
    desk.work()
    assert desk.shown() == [("position", (2, 5)), ("frame", (2, 5))]
    with pytest.raises(ValueError, match="at most 2 steps, one for each navigation axis"):
        desk.view.move(1, 1, 1)
    with pytest.raises(ValueError, match="expected an index from 0 to 3"):
        desk.view.position = (4, 0)


def test_frames_of_places_that_were_left_are_not_read(desks: Any) -> None:
    desk = desks(scan())
    desk.work()
    sources.reads.clear()
    for x in (1, 2, 3):
        desk.view.position = (x, 0)
    desk.pool.run_next()
    assert sources.reads == [3]
    assert desk.shown() == [("position", (3, 0)), ("frame", (3, 0))]


def test_a_frame_that_comes_too_late_is_not_shown(desks: Any) -> None:
    desk = desks(scan(), passing=None)
    read = desk.view._frames.reader.read

    def slow(position: tuple[int, ...]) -> Any:
        frame = read(position)
        if position == (1, 0):
            desk.view.position = (2, 0)
        return frame

    desk.view._frames.reader.read = slow
    desk.view.position = (1, 0)
    desk.pool.run_next()
    assert desk.shown() == [("position", (2, 0))]
    desk.work()
    assert desk.shown() == [("frame", (2, 0))]


def test_frames_that_are_passed_are_shown_where_nothing_else_is(desks: Any) -> None:
    """While the position moves on faster than frames are read, some of those passed are seen."""
    desk = desks(scan((1, 4)), passing=0.1)
    read = desk.view._frames.reader.read

    def slow(position: tuple[int, ...]) -> Any:
        desk.clock.now += 0.06
        if position[0] < 3:
            desk.view.position = (position[0] + 1, 0)
        return read(position)

    desk.view._frames.reader.read = slow
    seen = []
    while desk.pool.run_next():
        seen += [(u.position, u.final) for u in desk.view.updates() if u.what == "frame"]
    assert seen == [((1, 0), False), ((3, 0), True)]


def test_frames_that_are_passed_are_shown_in_order(desks: Any) -> None:
    desk = desks(scan(), passing=0.1)
    arrive, frame = desk.view._frames._deliver, FrameUpdate((1, 0), np.zeros((6, 5)))
    desk.view.position, desk.view.position = (1, 0), (2, 0)  # the second and third request
    desk.view.updates()
    desk.clock.now = 0.2
    arrive(2, frame)
    assert [u.final for u in desk.view.updates()] == [False]
    desk.clock.now = 0.4
    arrive(1, frame)  # read for longer; going back would confuse
    assert desk.view.updates() == []
    desk.work()
    assert desk.frame().position == (2, 0)


def test_a_frame_that_is_kept_is_shown_at_once(desks: Any) -> None:
    desk = desks(scan())
    desk.work()
    desk.view.position = (2, 2)
    desk.work()
    desk.view.updates()
    sources.reads.clear()
    desk.view.position = (0, 0)
    assert desk.shown() == [("position", (0, 0)), ("frame", (0, 0))]
    desk.view.position = (1, 1)
    desk.view.position = (2, 2)  # the frame of (1, 1) is not wanted any more
    assert desk.shown() == [("position", (2, 2)), ("frame", (2, 2))]
    desk.work()
    assert 5 not in sources.reads
    desk.view.updates()
    sources.reads.clear()
    desk.view.refresh()
    desk.work()
    assert desk.shown() == [("frame", (2, 2))]
    assert sources.reads[0] == 10


def test_frames_in_the_direction_of_travel_are_fetched_ahead(desks: Any) -> None:
    desk = desks(scan((6, 12)))
    desk.work()
    desk.view.move(1)
    desk.work()
    desk.view.updates()
    sources.reads.clear()
    for x in (2, 3, 4, 5):
        desk.view.move(1)
        assert desk.shown() == [("position", (x, 0)), ("frame", (x, 0))]  # without waiting
    desk.work()
    assert sorted(set(sources.reads))[:4] == [6, 7, 8, 9]


def test_the_cache_is_bounded(desks: Any) -> None:
    desk = desks(scan(), cache_bytes=200)  # three frames of 60 bytes
    for _ in range(3):
        desk.view.move(1, 1)
        desk.work()
        assert desk.view._frames.cache.nbytes <= 180
    desk = desks(scan(), cache_bytes=0)
    desk.view.move(1)
    desk.work()
    assert desk.frame().position == (1, 0)


def test_a_frame_that_cannot_be_read_is_told(desks: Any) -> None:
    s = scan()
    desk = desks(s)
    desk.work()
    read = desk.view._frames.reader.read

    def broken(position: tuple[int, ...]) -> Any:
        if position == (1, 0):
            raise OSError("the disk is gone")
        return read(position)

    desk.view._frames.reader.read = broken
    desk.view.move(1)
    desk.work()
    frame = desk.frame()
    assert (frame.data, frame.valid, frame.final, frame.message) == (None, False, True, "the disk is gone")
    assert isinstance(frame.error, OSError)
    desk.view.move(1)
    desk.work()
    assert desk.frame().message == ""


def test_damaged_frames_are_told(desks: Any) -> None:
    desk = desks(scan(damaged=(1,), incomplete="nan"))
    desk.work()
    assert desk.frame().valid
    desk.view.move(1)
    desk.work()
    frame = desk.frame()
    assert (frame.valid, frame.message, frame.error) == (False, DAMAGED, None)
    assert not frame.data.any()


def test_the_frame_as_recorded_stands_in_while_something_is_computed(desks: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(peek_shared, "CHEAP_BYTES", 0)
    peek_shared._kept.clear()
    s = scan()
    less = s - s.mean()
    desk = desks(less)
    desk.pool.run_next()
    first = desk.frame()
    assert (first.final, first.message) == (False, AS_RECORDED)
    dense = arithmetic((6, 4)).dense()
    np.testing.assert_array_equal(first.data, dense[0, 0])
    desk.view.move(1)
    desk.work()
    frame = desk.frame()
    assert (frame.final, frame.message, frame.position) == (True, "", (1, 0))
    np.testing.assert_allclose(frame.data, dense[0, 1] - dense.mean(axis=(0, 1)))
    peek_shared._kept.clear()
    cut = desks((s - s.mean()).isig[:3])  # of another shape than what is recorded
    cut.pool.run_next()
    told = cut.frame()
    assert (told.data, told.message, told.final, told.valid) == (None, COMPUTING, False, True)


def test_a_first_frame_that_takes_long_is_shown_as_recorded(desks: Any) -> None:
    s = scan() * 2
    desk = desks(s)
    read = desk.view._frames.reader.read

    def slow(position: tuple[int, ...]) -> Any:
        desk.clock.now += 0.2
        desk.pool.run_next()  # another thread
        return read(position)

    desk.view._frames.reader.read = slow
    assert desk.pool.run_next()
    (found,) = desk.view.updates()
    dense = arithmetic((6, 4)).dense()
    np.testing.assert_array_equal(found.data, 2 * dense[0, 0])
    assert desk.view._frames._delivered == 1
    other = desks(s)
    other.clock.now += 0.2
    seen = []
    other.view._frames.reader.read = lambda position: (
        other.pool.run_next(),
        seen.extend(other.view.updates()),
        read(position),
    )[2]
    other.work()
    assert [(u.final, u.message) for u in seen] == [(False, AS_RECORDED)]
    np.testing.assert_array_equal(seen[0].data, dense[0, 0])
    assert other.frame().final


def test_what_cannot_be_computed_is_tried_once(desks: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(peek_shared, "CHEAP_BYTES", 0)
    peek_shared._kept.clear()
    s = scan()
    desk = desks(s - s.mean())
    tried = []

    def broken(check: Any) -> None:
        tried.append(1)
        raise OSError("the disk is gone")

    desk.view._frames.reader.prepare = broken
    desk.work()
    assert desk.frame().message == "the disk is gone"
    desk.view.move(1)
    desk.work()
    assert desk.frame().message == "the disk is gone"
    assert len(tried) == 1
    desk.view.refresh()
    desk.work()
    assert len(tried) == 2


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (2, 2, 3, 4)])
def test_any_number_of_navigation_axes(desks: Any, shape: tuple[int, ...]) -> None:
    image = np.arange(np.prod(shape)).reshape(shape)
    desk = desks(scan(shape), image if shape else None)
    desk.work()
    dense = scan(shape).data.compute()
    np.testing.assert_array_equal(desk.frame().data, dense[(0,) * len(shape)])
    view = desk.view
    assert [axis.size for axis in view.navigator_axes] == list(shape[::-1][:2])
    assert [axis.size for axis in view.slider_axes] == list(shape[::-1][2:])
    if not shape:
        assert view.navigator_image is None
        view.move()
        return
    assert view.navigator_image.shape == shape[-2:]
    view.position = tuple(n - 1 for n in shape[::-1])
    desk.work()
    np.testing.assert_array_equal(view.navigator_image, image[(-1,) * len(shape[:-2])])
    told = [u for u in view.updates() if u.what == "navigator"]
    assert len(told) == (len(shape) > 2)  # a slider was moved, so that it is another image
    for update in told:
        np.testing.assert_array_equal(update.image, image[(-1,) * len(shape[:-2])])


def test_a_lazy_sum_is_computed_in_the_background(desks: Any) -> None:
    desk = desks(scan().sum())
    desk.work()
    np.testing.assert_array_equal(desk.frame().data, arithmetic((6, 4)).dense().sum(axis=(0, 1)))


def test_frames_of_one_and_of_no_axis(desks: Any) -> None:
    for data, s in ((np.arange(24.0).reshape(2, 3, 4), l4.Signal1D), (np.arange(6.0).reshape(2, 3), l4.VirtualImage)):
        desk = desks(s(data))
        desk.view.position = (2, 1)
        desk.work()
        np.testing.assert_array_equal(desk.frame().data, data[1, 2])


def test_a_transposed_signal_whose_frames_are_cut(desks: Any) -> None:
    s = l4.Diffraction2D(Frames.from_source(arithmetic((6, 4)), chunks=2)).T
    desk = desks(s, "auto")
    desk.view.position = (1, 2)
    desk.work()
    updates = {update.what: update for update in desk.view.updates()}
    np.testing.assert_array_equal(updates["frame"].data, arithmetic((6, 4)).dense()[:, :, 2, 1])
    np.testing.assert_array_equal(updates["navigator"].image, arithmetic((6, 4)).dense().sum(axis=(0, 1)))


# ---- navigators


def test_navigators_by_name(desks: Any) -> None:
    s = scan()
    lazy = s.map(np.sum, output_dtype="int64", output_signal_shape=())
    assert lazy.lazy
    desk = desks(s, {"ones": np.ones((6, 4)), "sum": lazy, "complex": np.full((6, 4), 3 + 4j)})
    desk.work()
    (first,) = [u for u in desk.view.updates() if u.what == "navigator"]
    assert (first.name, first.share, first.final) == ("ones", 1.0, True)
    assert list(desk.view.navigators) == ["ones", "sum", "complex"]
    desk.view.choose("sum")
    (begun,) = desk.view.updates()
    assert (begun.name, begun.image, begun.share, begun.final) == ("sum", None, 0.0, False)
    assert desk.view.busy
    desk.work()
    (done,) = desk.view.updates()
    assert (done.share, done.final) == (1.0, True)
    np.testing.assert_array_equal(done.image, arithmetic((6, 4)).dense().sum(axis=(2, 3)))
    desk.view.choose("complex")
    assert desk.view.navigator_name == "complex"
    assert (desk.view.navigator_image == 5).all()
    with pytest.raises(ValueError, match=r"one of the navigators \['ones', 'sum', 'complex'\], found 'none'"):
        desk.view.choose("none")


class RowByRow:
    """A navigator of which each step knows one row more."""

    message, follows_frames = "", False

    def __init__(self, rows: int = 8) -> None:
        self.rows, self.version = rows, 0

    @property
    def share(self) -> float:
        return self.version / self.rows

    @property
    def complete(self) -> bool:
        return self.version == self.rows

    def image(self) -> Any:
        return np.full((6, 4), self.version) if self.version else None

    def steps(self, check: Any) -> Iterator[None]:
        while not self.complete:
            self.version += 1
            yield


def test_a_navigator_sharpens(desks: Any) -> None:
    desk = desks(scan(), np.ones((6, 4)))
    desk.view._refining.navigators = {"rows": RowByRow()}
    desk.view.choose("rows")
    told = []
    while desk.pool.run_next():
        desk.clock.now += 1
        told += [u for u in desk.view.updates() if u.what == "navigator"]
    assert [u.share for u in told[:9]] == [k / 8 for k in range(9)]
    assert [u.final for u in told[:8]] == [False] * 8
    assert (told[-1].share, told[-1].final) == (1.0, True)
    assert [u.image is None for u in told] == [True, *[False] * (len(told) - 1)]


def test_pictures_of_a_navigator_are_made_now_and_then(desks: Any) -> None:
    """However fast the work goes, making and drawing pictures takes a small part of the time."""
    desk = desks(scan(), np.ones((6, 4)))
    desk.view._refining.navigators = {"rows": RowByRow(1000)}
    desk.view.choose("rows")
    pictures = 0
    while desk.pool.run_next():
        desk.clock.now += 0.001
        pictures += sum(u.what == "navigator" for u in desk.view.updates())
    assert 10 <= pictures <= 15


def test_a_navigator_that_is_left_is_not_worked_on(desks: Any) -> None:
    desk = desks(scan(), np.ones((6, 4)))
    desk.view._refining.navigators = {"rows": RowByRow(), "ones": KnownNavigator(np.ones((6, 4)))}
    desk.view.choose("rows")
    for _ in range(4):
        desk.pool.run_next()
    desk.view.choose("ones")
    desk.work()
    (last,) = [u for u in desk.view.updates() if u.what == "navigator"]
    assert last.name == "ones"
    assert 0 < desk.view.navigators["rows"].share < 1
    desk.view.choose("rows")  # goes on from there
    desk.work()
    assert desk.view.navigators["rows"].complete


def test_a_navigator_that_others_complete_is_waited_for(desks: Any) -> None:
    class Elsewhere(RowByRow):
        def steps(self, check: Any) -> Iterator[None]:
            return iter(())

    desk = desks(scan(), np.ones((6, 4)))
    rows = Elsewhere()
    desk.view._refining.navigators = {"rows": rows}
    desk.view.choose("rows")
    for version in range(1, 9):
        desk.work()
        assert desk.view.busy
        rows.version = version
        desk.clock.now += 0.25
    desk.work()
    assert [(u.share, u.final) for u in desk.view.updates() if u.what == "navigator"] == [(1.0, True)]
    assert not desk.view.busy
    rows.version = 3
    desk.view.choose("rows")  # nobody goes on with it
    for _ in range(100):
        desk.clock.now += 0.25
        desk.work()
    assert [(u.share, u.final) for u in desk.view.updates() if u.what == "navigator"] == [(3 / 8, True)]


def test_the_overview_of_the_scan_is_the_navigator(desks: Any) -> None:
    s = scan((8, 6))
    desk = desks(s, "auto")
    assert desk.view.navigator_name == "sum"
    desk.work()
    desk.clock.now += 1
    desk.work()
    (last,) = [u for u in desk.view.updates() if u.what == "navigator"]
    assert (last.final, last.share) == (True, 1.0)
    np.testing.assert_array_equal(last.image, arithmetic((8, 6)).dense().sum(axis=(2, 3)))
    sources.reads.clear()
    again = desks(s, "auto")  # known by now
    again.work()
    assert sources.reads == [0]


def test_other_images_come_from_the_same_pass(desks: Any) -> None:
    """The dark field is what lies outside the beam of the mean pattern, hot pixels or not."""
    beam = np.zeros((16, 16))
    beam[6:10, 6:10] = 100
    pixels = np.tile(beam, (4, 5, 1, 1)).astype("u2")
    pixels[..., 0, 0] = 60000  # a hot pixel
    pixels[1, 2, 12:, 12:] = 30
    pixels[3, 3, 6:10, 6:10] = 90
    desk = desks(l4.Diffraction2D(pixels), "auto")
    names = ["sum", "dark field", "bright field", "largest pixel", "spread"]
    assert list(desk.view.navigators) == names
    desk.work()
    images = {}
    for name in names[1:]:
        desk.view.updates()
        desk.view.choose(name)
        (update,) = desk.view.updates()
        assert (update.name, update.final, update.share) == (name, True, 1.0)
        images[name] = update.image
    assert np.unravel_index(images["dark field"].argmax(), (4, 5)) == (1, 2)
    assert np.unravel_index(images["bright field"].argmin(), (4, 5)) == (3, 3)
    assert (images["largest pixel"] == 60000).all()
    np.testing.assert_allclose(images["spread"], pixels.std(axis=(2, 3)))


def test_other_images_need_a_pass_where_only_the_sum_is_known(desks: Any) -> None:
    s = scan((8, 6))
    desk = desks(s, "auto")
    desk.work()
    cut = desks(s.isig[1:], "auto")
    assert cut.view.navigators["sum"].complete  # that of the scan it was cut from
    cut.view.choose("spread")
    assert cut.view.updates()[-1].image is None
    cut.work()
    told = cut.view.updates()[-1]
    assert (told.final, told.share) == (True, 1.0)
    np.testing.assert_allclose(told.image, arithmetic((8, 6)).dense()[..., 1:].std(axis=(2, 3)))


def test_two_viewers_share_the_work_on_an_overview(desks: Any) -> None:
    s = scan((8, 6))
    one, two = desks(s, "auto"), desks(s, "auto")
    more = True
    while more:
        more = one.pool.run_next() | two.pool.run_next()
        for desk in (one, two):
            desk.clock.now += 0.05
    for desk in (one, two):
        desk.clock.now += 1
        desk.work()
        (last,) = [u for u in desk.view.updates() if u.what == "navigator"]
        assert (last.final, last.share) == (True, 1.0)


def test_a_navigator_that_fails_is_told(desks: Any) -> None:
    class Broken(KnownNavigator):
        complete, share = False, 0.25

        def steps(self, check: Any) -> Iterator[None]:
            yield
            raise OSError("no more")

    desk = desks(scan(), np.ones((6, 4)))
    desk.view._refining.navigators = {"navigator": Broken(np.ones((6, 4)))}
    desk.view.choose("navigator")
    desk.work()
    (told,) = [u for u in desk.view.updates() if u.what == "navigator"]
    assert (told.message, told.final, told.share) == ("no more", True, 0.25)
    assert isinstance(told.error, OSError)


def test_a_picture_that_cannot_be_made_is_told(desks: Any) -> None:
    class Large(KnownNavigator):
        def image(self) -> Any:
            raise MemoryError("no room for it")

    desk = desks(scan(), np.ones((6, 4)))
    desk.view.updates()
    desk.view._refining.navigators = {"navigator": Large(np.ones((6, 4)))}
    desk.view.choose("navigator")
    (told,) = [u for u in desk.view.updates() if u.what == "navigator"]
    assert (told.message, told.final, told.image) == ("no room for it", True, None)
    assert isinstance(told.error, MemoryError)


def test_data_changed_in_place_are_shown_after_a_refresh(desks: Any) -> None:
    s = l4.Diffraction2D(np.ones((6, 4, 8, 8), "u2"))
    desk = desks(s, "auto")
    for value in (1, 3):
        s.data[...] = value
        desk.view.refresh()
        desk.work()
        desk.clock.now += 1
        desk.work()
        (told,) = [u for u in desk.view.updates() if u.what == "navigator"]
        assert told.final
        assert (told.image == 64 * value).all()


def test_a_frame_that_was_being_read_is_not_kept_after_a_refresh(desks: Any, monkeypatch: Any) -> None:
    desk = desks(scan())
    reader = desk.view._frames.reader
    read, refreshed = reader.read, []

    def slow(position: Any) -> Any:
        frame = read(position)
        if not refreshed:
            refreshed.append(position)
            desk.view.refresh()
        return frame

    monkeypatch.setattr(reader, "read", slow)
    desk.pool.run_next()
    assert refreshed == [(0, 0)]
    assert (0, 0) not in desk.view._frames.cache
    desk.work()
    assert desk.frame().final


def test_shared_values_of_a_navigator_end_with_the_viewer(desks: Any, monkeypatch: Any) -> None:
    """A pass that first computes a plane over the scan asks now and then whether anybody waits for it."""
    asked: list[Any] = []
    monkeypatch.setattr("lazy4d.signals.overview.summary.BoxWalker.prepare", lambda self, check: asked.append(check))
    desk = desks(scan(), "auto")
    desk.work()
    assert asked
    assert asked[0] is not None
    desk.view.close()
    with pytest.raises(Cancelled, match="not wanted"):
        asked[0]()


def test_an_inherited_navigator_says_so(desks: Any) -> None:
    s = l4.Diffraction2D(np.ones((6, 4, 8, 8), "u2"))
    s.get_total_intensity().compute(progress=False)
    desk = desks(s.isig[:3], "auto")
    (told,) = [u for u in desk.view.updates() if u.what == "navigator"]
    assert (told.share, told.message) == (1.0, INHERITED)


def test_what_may_be_a_navigator() -> None:
    s = scan()
    image = s.get_virtual_image(l4.CircleROI(2, 3, 2))
    assert isinstance(navigators_of(s, image)["virtual image"], LazyNavigator)
    assert isinstance(navigators_of(s, image.compute())["virtual image"], KnownNavigator)
    as_frame = navigators_of(s, l4.Signal2D(np.ones((6, 4))))["navigator"]
    assert as_frame.image().shape == (6, 4)
    assert navigators_of(s, None) == {}
    assert navigators_of(scan(()), "auto") == {}
    with pytest.raises(
        ValueError, match=r"an image over a scan of shape \(6, 4\) \(numpy order\) as the navigator 'a'"
    ):
        navigators_of(s, {"a": s})
    with pytest.raises(ValueError, match=r"expected an array of the shape \(6, 4\) of the scan"):
        navigators_of(s, np.ones((4, 6)))
    with pytest.raises(ValueError, match="expected 'auto', a signal, an array"):
        navigators_of(s, "sum")
    with pytest.raises(TypeError, match=r"give its \.compute\(\)"):
        navigators_of(s, image.data)


# ---- threads, closing


def test_with_threads() -> None:
    heard = threading.Event()
    with ViewController(scan((8, 6)), notify=heard.set) as view:
        assert view.wait(LONG)
        assert heard.is_set()
        kinds = {update.what: update for update in view.updates()}
        assert kinds["frame"].final
        assert kinds["navigator"].final
        assert not view.busy
        view.position = (5, 7)
        assert view.wait(LONG, navigator=False)
        assert [u.position for u in view.updates() if u.what == "frame"] == [(5, 7)]


def test_closing_frees_everything(desks: Any) -> None:
    s = scan()
    view = ViewController(s)
    worker, seen = view.worker, [weakref.ref(view), weakref.ref(view._frames.reader), weakref.ref(view._frames.cache)]
    view.wait(LONG)
    view.close()
    view.close()
    assert view.closed
    assert worker.closed
    assert view.updates() == []
    s.axes_manager.indices = (1, 1)
    assert view.updates() == []
    del view
    gc.collect()
    assert [ref() for ref in seen] == [None] * 3
    shared = desks(s)
    shared.view.close()
    assert not shared.worker.closed  # it is not the controller's own
    assert not shared.worker.busy


def test_a_viewer_that_is_forgotten_is_freed() -> None:
    s = scan()
    view = ViewController(s, None)
    view.wait(LONG)
    view.worker.wait(LONG)
    seen = weakref.ref(view)
    del view
    gc.collect()
    assert seen() is None
    s.axes_manager.indices = (1, 1)


@pytest.mark.parametrize("seed", range(15))
def test_never_a_stale_frame_and_always_the_last_position(desks: Any, seed: int) -> None:
    """Moves, steps of background work and looks in any order, on a source that is slow now and then."""
    rng = random.Random(seed)
    dense = arithmetic((6, 4)).dense()
    desk = desks(scan(), passing=None if seed % 2 else 0.1, cache_bytes=rng.choice([0, 200, 10**6]))
    view, read = desk.view, desk.view._frames.reader.read
    shown: list[Any] = []

    def go() -> None:
        view.position = (rng.randrange(4), rng.randrange(6))

    def slow(position: tuple[int, ...]) -> Any:
        for _ in range(rng.choice([0, 0, 1, 2])):  # the position moves on while the frame is read
            desk.clock.now += rng.choice([0.01, 0.2])
            if not view.closed:
                go()
        return read(position)

    view._frames.reader.read = slow

    def look() -> None:
        for update in view.updates():
            if update.what == "position":
                assert update.position == view.position
            if update.what == "frame":
                np.testing.assert_array_equal(update.data, dense[update.position[::-1]])  # labelled as what it is
                if update.final:
                    assert update.position == view.position
                else:
                    assert seed % 2 == 0
                shown.append(update)

    for _ in range(120):
        rng.choice([go, lambda: view.move(rng.choice([-1, 1])), desk.pool.run_next, desk.pool.run_next, look])()
        desk.clock.now += rng.choice([0.0, 0.05])
    view._frames.reader.read = read
    view.refresh()
    desk.work()
    look()
    assert shown[-1].position == view.position == view.signal.axes_manager.indices
    assert shown[-1].final
    assert not view.busy


@pytest.mark.parametrize("seed", range(3))
def test_moves_and_closings_with_threads(seed: int) -> None:
    rng = random.Random(seed)
    dense = arithmetic((6, 4)).dense()
    s = scan()
    for _ in range(3):
        with ViewController(s, rng.choice([None, np.ones((6, 4))])) as view:
            for _ in range(rng.randrange(60)):
                s.axes_manager.indices = (rng.randrange(4), rng.randrange(6))
                for update in view.updates() if rng.random() < 0.3 else ():
                    if update.what == "frame":
                        np.testing.assert_array_equal(update.data, dense[update.position[::-1]])
            if rng.random() < 0.5:
                continue  # closed in the midst of it
            view.updates()
            view.refresh()
            assert view.wait(LONG)
            frames = [u for u in view.updates() if u.what == "frame"]
            assert frames[-1].position == s.axes_manager.indices
            np.testing.assert_array_equal(frames[-1].data, dense[s.axes_manager.indices[::-1]])


# ---- without matplotlib


def test_workers_and_controllers_import_no_matplotlib() -> None:
    plot = Path(l4.__file__).parent / "plot"
    named = {p for p in plot.rglob("*controller*.py")} | {
        plot / f"{name}.py" for name in ("worker", "thread_pool", "frame_cache", "frame_reader", "navigators")
    }
    modules = [".".join(("lazy4d", *p.relative_to(plot.parent).with_suffix("").parts)) for p in sorted(named)]
    code = "; ".join(f"import {name}" for name in modules) + "; import sys; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

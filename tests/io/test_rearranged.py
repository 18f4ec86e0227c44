"""Any source at other positions: what every `FrameSource` promises, and the runs that it is read in."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazy4d.data import simulated_scan
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.rearranged import Rearrangeable, RearrangedFrames, folded, label_of, run_starts
from lazy4d.lazy import Frames
from tests.lazy.sources import arithmetic


@pytest.fixture
def scan():
    return simulated_scan((4, 5), (8, 6), dose=200)


def test_frames_selections_and_windows(scan, read_all) -> None:
    flat = scan.as_array().reshape(20, 8, 6)
    source = RearrangedFrames(scan, NavigationMap.raster((3, 4), first=2, flyback=1, serpentine=True))
    expected = np.stack([flat[2:6], flat[7:11][::-1], flat[12:16]])
    for tile in (1, 3, 5, 12):
        np.testing.assert_array_equal(read_all(source, tile=tile), expected)
    assert source.incomplete == "raise"
    part = source.select((slice(2, -1, -2), slice(1, 4, 1)))
    np.testing.assert_array_equal(read_all(part), expected[::-2, 1:])
    row = source.select((slice(1, 2, 1), slice(0, 4, 1))).drop_axes((0,))
    np.testing.assert_array_equal(read_all(row), expected[1])
    mask = np.random.default_rng(0).random((3, 4)) < 0.5
    np.testing.assert_array_equal(read_all(source.select((mask,))), expected[mask])
    block = source.open((slice(0, 2), slice(1, 3)))
    out = np.zeros((4, 8, 6), scan.dtype)
    block.read(1, 4, out[1:], (slice(2, 5), slice(0, 6)))
    block.close()
    np.testing.assert_array_equal(out[1:, 2:5], expected[:2, 1:3].reshape(4, 8, 6)[1:, 2:5])


def test_blanks_and_damage(read_all) -> None:
    inner = arithmetic((4, 5), incomplete="nan", damaged=(7, 12))
    source = RearrangedFrames(inner, NavigationMap.raster((5, 5), first=-2), "zero")
    out, valid = read_all(source, with_valid=True)
    expected = np.zeros((25, 6, 5), "u2")
    expected[2:22] = inner.dense().reshape(20, 6, 5)
    np.testing.assert_array_equal(out.reshape(25, 6, 5), expected)
    assert np.flatnonzero(~valid.reshape(-1)).tolist() == [0, 1, 9, 14, 22, 23, 24]
    assert source.incomplete == "zero"
    assert RearrangedFrames(arithmetic((4, 5)), NavigationMap.raster((5, 5))).incomplete == "nan"
    nothing = RearrangedFrames(inner, NavigationMap.raster((1, 3), first=-50))
    out, valid = read_all(nothing, with_valid=True)
    assert not valid.any()
    assert not out.any()


def test_they_travel_and_have_their_own_tokens(scan, read_all) -> None:
    plain = RearrangedFrames(scan, NavigationMap.raster((20,)))
    turned = RearrangedFrames(scan, NavigationMap.raster((4, 5), serpentine=True))
    assert len({scan.token, plain.token, turned.token, turned.select((slice(0, 2, 1), slice(0, 5, 1))).token}) == 4
    there = pickle.loads(pickle.dumps(turned))
    assert there.token == turned.token
    np.testing.assert_array_equal(read_all(there), read_all(turned))
    assert isinstance(turned, Rearrangeable)
    assert not isinstance(scan, Rearrangeable)
    assert "RearrangedFrames (4, 5)|(8, 6)" in repr(turned)


def test_turning_back_is_no_nesting(scan, read_all) -> None:
    turned = folded(scan)
    assert isinstance(turned, RearrangedFrames)
    back = turned.rearranged(NavigationMap.raster((4, 5)))
    assert back.source is scan
    np.testing.assert_array_equal(read_all(back), scan.as_array())
    with pytest.raises(ValueError, match="a serpentine scan has lines that are run through in turn"):
        folded(simulated_scan((4,), (8, 8)))


def test_a_single_frame(read_all) -> None:
    single = simulated_scan((3,), (8, 8)).select((slice(1, 2, 1),)).drop_axes((0,))
    source = RearrangedFrames(single, NavigationMap.raster((1, 1)))
    np.testing.assert_array_equal(read_all(source)[0, 0], single.as_array())


def test_as_a_stream(scan, scheduler) -> None:
    frames = Frames.from_source(folded(scan), chunks=(1, 2))
    expected = scan.as_array().copy()
    expected[1::2] = expected[1::2, ::-1]
    np.testing.assert_array_equal(frames.data.compute(), expected)


@given(st.lists(st.integers(-1, 6), min_size=1, max_size=30))
def test_runs_are_steps_of_one_or_blanks(values) -> None:
    index = np.array(values, np.int64)
    starts = run_starts(index).tolist()
    for a, b in zip(starts, [*starts[1:], len(values)], strict=True):
        steps = set(np.diff(index[a:b]).tolist())
        assert (index[a:b] == -1).all() or (len(steps) <= 1 and steps <= {1, -1} and (index[a:b] >= 0).all())
    assert starts == sorted(set(starts))


def test_labels() -> None:
    assert label_of(object()) == "the signal"

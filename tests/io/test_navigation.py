from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazy4d.io.navigation import NavigationMap, PackedMask


def whole(navigation: NavigationMap) -> np.ndarray:
    numbers = navigation.numbers([slice(0, n) for n in navigation.nav_shape])
    return numbers.reshape(navigation.nav_shape)


def table(shape: tuple[int, ...], first: int, flyback: int) -> np.ndarray:
    """The numbers spelled out: lines of columns + flyback, the last ones cut."""
    line = shape[-1] + flyback
    numbers = first + np.arange(int(np.prod(shape[:-1], dtype=int)) * line)
    return numbers.reshape(*shape[:-1], line)[..., : shape[-1]]


shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


@st.composite
def selections(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[slice, ...]:
    items = []
    for n in shape:
        start, stop = draw(st.integers(-n, n - 1)), draw(st.integers(-n, n))
        step = draw(st.sampled_from([1, 2, 3, -1, -2]))
        items.append(slice(*slice(start, stop, step).indices(n)))
    return tuple(items)


def as_numpy(item: slice) -> slice:
    """A normalised slice in numpy's own terms: -1 as stop of a negative step means "to the beginning"."""
    return slice(item.start, None if item.step < 0 and item.stop < 0 else item.stop, item.step)


@given(shapes, st.integers(-3, 5), st.integers(0, 2), st.data())
def test_selections_are_numpy_indexing_of_the_numbers(shape, first, flyback, data) -> None:
    navigation, expected = NavigationMap.raster(shape, first=first, flyback=flyback), table(shape, first, flyback)
    for _ in range(data.draw(st.integers(0, 3))):
        items = data.draw(selections(navigation.nav_shape))
        chosen = expected[tuple(as_numpy(i) for i in items)]
        if 0 in chosen.shape:
            break
        navigation, expected = navigation.select(items), chosen
    assert np.array_equal(whole(navigation), expected)


@given(shapes, st.data())
def test_masks_choose_in_scan_order_and_compose(shape, data) -> None:
    navigation, expected = NavigationMap.raster(shape, first=2, flyback=1), table(shape, 2, 1)
    for _ in range(data.draw(st.integers(1, 3))):
        bits = data.draw(
            st.lists(st.booleans(), min_size=expected.size, max_size=expected.size).filter(any), label="mask"
        )
        mask = np.array(bits).reshape(expected.shape)
        navigation, expected = navigation.select((mask,)), expected[mask]
        items = data.draw(selections(expected.shape))
        chosen = expected[tuple(as_numpy(i) for i in items)]
        if chosen.size:
            navigation, expected = navigation.select(items), chosen
    assert np.array_equal(whole(navigation), expected)
    for start in range(len(expected)):
        assert navigation.numbers((slice(start, start + 2),)).tolist() == expected[start : start + 2].tolist()


def test_slices_with_none_are_filled_in() -> None:
    navigation = NavigationMap.raster((3, 4))
    chosen = navigation.select((slice(None, None, -1), slice(3, None, -2)))
    assert whole(chosen).tolist() == [[11, 9], [7, 5], [3, 1]]


def test_dropping_axes_keeps_the_numbers() -> None:
    navigation = NavigationMap.raster((3, 4), first=5).select((slice(1, 2, 1), slice(0, 4, 1)))
    assert whole(navigation.drop_axes((0,))).tolist() == [9, 10, 11, 12]
    point = navigation.drop_axes((0,)).select((slice(2, 3, 1),)).drop_axes((-1,))
    assert point.nav_shape == ()
    assert point.numbers(()).tolist() == [11]
    assert navigation.drop_axes(()) is navigation


def test_dropping_the_axis_of_a_mask_keeps_its_one_position() -> None:
    mask = np.zeros((3, 4), bool)
    mask[2, 1] = True
    assert NavigationMap.raster((3, 4)).select((mask,)).drop_axes((0,)).numbers(()).tolist() == [9]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ((slice(0, 1, 1),), "one slice for each of the 2 navigation axes, found 1"),
        ((np.ones((2, 2), bool),), r"must have the navigation shape \(3, 4\), found \(2, 2\)"),
        ((np.ones(3, bool), slice(0, 4, 1)), "must be the only item"),
        ((slice(0, 9, 1), slice(0, 4, 1)), "leaves an axis of length 3"),
    ],
)
def test_selections_that_do_not_fit_are_refused(items, message) -> None:
    with pytest.raises(ValueError, match=message):
        NavigationMap.raster((3, 4)).select(items)


def test_only_axes_of_length_one_can_be_dropped() -> None:
    with pytest.raises(ValueError, match=r"only navigation axes of length 1 .* axis 1 of navigation shape \(3, 4\)"):
        NavigationMap.raster((3, 4)).drop_axes((1,))


def test_a_large_mask_is_found_by_its_counts() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random(100_003) < 0.3
    packed = PackedMask.from_bool(mask)
    expected = np.flatnonzero(mask)
    assert packed.count == expected.size
    for start, stop in ((0, 5), (29_000, 29_999), (expected.size - 1, expected.size), (7, 7)):
        assert np.array_equal(packed.positions(start, stop), expected[start:stop])


def test_maps_travel_small_and_keep_their_identity() -> None:
    scan = NavigationMap.raster((4096, 3000))
    mask = np.zeros((4096, 3000), bool)
    mask[1000:2000, 500:1500] = True
    chosen = scan.select((mask,))
    there = pickle.loads(pickle.dumps(chosen))
    assert len(pickle.dumps(chosen)) < 100_000
    assert there.identity == chosen.identity
    assert chosen.identity != scan.identity
    assert (
        there.numbers((slice(5, 8),)).tolist() == chosen.numbers((slice(5, 8),)).tolist() == [3000505, 3000506, 3000507]
    )


def test_steps_beyond_every_axis_take_the_first_entry() -> None:
    scan = NavigationMap.raster((3, 5)).select([slice(0, 3, 10**30), slice(2, 5, 1)])
    assert scan.numbers((slice(0, 1), slice(0, 3))).tolist() == [2, 3, 4]


def serpentine_table(shape: tuple[int, ...], first: int, flyback: int) -> np.ndarray:
    """The numbers of every second line spelled out backwards."""
    numbers = table(shape, first, flyback).copy()
    for line in np.ndindex(*shape[:-1]):
        if line[-1] % 2:
            numbers[line] = numbers[line][::-1]
    return numbers


grids = st.lists(st.integers(1, 5), min_size=2, max_size=3).map(tuple)


@given(grids, st.integers(-3, 5), st.integers(0, 2), st.data())
def test_serpentine_selections_are_numpy_indexing_of_the_numbers(shape, first, flyback, data) -> None:
    navigation = NavigationMap.raster(shape, first=first, flyback=flyback, serpentine=True)
    expected = serpentine_table(shape, first, flyback)
    for _ in range(data.draw(st.integers(0, 3))):
        items = data.draw(selections(navigation.nav_shape))
        chosen = expected[tuple(as_numpy(i) for i in items)]
        if 0 in chosen.shape:
            break
        navigation, expected = navigation.select(items), chosen
        ones = [axis for axis, n in enumerate(expected.shape) if n == 1]
        if ones and data.draw(st.booleans()):
            axis = data.draw(st.sampled_from(ones))
            navigation, expected = navigation.drop_axes((axis,)), expected.squeeze(axis)
    assert np.array_equal(whole(navigation), expected)
    assert navigation.bounds == (expected.min(), expected.max())
    assert np.array_equal(whole(pickle.loads(pickle.dumps(navigation))), expected)
    assert navigation.step != 0
    if navigation.ascending:
        assert (np.diff(expected.reshape(-1)) > 0).all()
    if expected.ndim:
        start = data.draw(st.integers(0, len(expected) - 1))
        box = (slice(start, start + 2), *(slice(0, n) for n in expected.shape[1:]))
        assert navigation.numbers(box).tolist() == expected[start : start + 2].reshape(-1).tolist()


@given(grids, st.data())
def test_masks_of_serpentine_scans(shape, data) -> None:
    navigation = NavigationMap.raster(shape, first=2, flyback=1, serpentine=True)
    expected = serpentine_table(shape, 2, 1)
    for _ in range(data.draw(st.integers(1, 2))):
        bits = data.draw(st.lists(st.booleans(), min_size=expected.size, max_size=expected.size).filter(any))
        mask = np.array(bits).reshape(expected.shape)
        navigation, expected = navigation.select((mask,)), expected[mask]
        items = data.draw(selections(expected.shape))
        if expected[tuple(as_numpy(i) for i in items)].size:
            navigation, expected = navigation.select(items), expected[tuple(as_numpy(i) for i in items)]
    assert np.array_equal(whole(navigation), expected)


def test_a_serpentine_scan_of_many_frames_a_point_turns_its_points() -> None:
    navigation = NavigationMap.raster((2, 3, 2), serpentine=True, line_axes=(0, 1))
    assert whole(navigation).tolist() == [[[0, 1], [2, 3], [4, 5]], [[10, 11], [8, 9], [6, 7]]]


def test_what_cannot_turn() -> None:
    with pytest.raises(ValueError, match=r"expected a whole scan of at least two axes, found navigation shape \(4,\)"):
        NavigationMap.raster((4,), serpentine=True)
    with pytest.raises(ValueError, match="expected a whole scan"):
        NavigationMap.raster((4, 2), serpentine=True).serpentine()


def test_maps_tell_whether_positions_were_selected() -> None:
    navigation = NavigationMap.raster((3, 4))
    assert not navigation.selected
    assert not navigation.select((slice(0, 3, 1), slice(0, 4, 1))).selected
    assert navigation.select((slice(0, 3, 1), slice(1, 4, 1))).selected
    assert navigation.select((np.ones((3, 4), bool),)).selected
    assert navigation.select((slice(0, 3, 1), slice(1, 2, 1))).drop_axes((1,)).selected


@pytest.mark.parametrize(
    ("items", "expected"),
    [((slice(0, 3, 1), slice(0, 4, 2)), True), ((slice(2, -1, -1), slice(0, 4, 1)), False),
     ((slice(0, 3, 1), slice(3, -1, -1)), False)],
)  # fmt: skip
def test_ascending(items, expected) -> None:
    navigation = NavigationMap.raster((3, 4), flyback=2)
    assert navigation.ascending
    assert navigation.select(items).ascending is expected
    assert not NavigationMap.raster((3, 4), serpentine=True).ascending


def test_identities_tell_serpentine_from_plain_scans() -> None:
    plain, turned = NavigationMap.raster((3, 4)), NavigationMap.raster((3, 4), serpentine=True)
    assert plain.identity != turned.identity
    assert turned.identity == NavigationMap.raster((3, 4), serpentine=True).identity

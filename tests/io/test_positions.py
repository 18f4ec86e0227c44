from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable


def numbers(scan) -> np.ndarray:
    return scan.numbers(tuple(slice(0, n) for n in scan.nav_shape)).reshape(scan.nav_shape)


@given(st.data())
def test_a_table_of_a_raster_selects_as_its_arithmetic_does(data) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    raster = NavigationMap.raster(shape, first=data.draw(st.integers(-1, 9)))
    table = PositionTable(numbers(raster))
    assert table.bounds == raster.bounds
    for _ in range(2):
        items = []
        for length in table.nav_shape:
            part = data.draw(st.slices(length))
            items.append(slice(*part.indices(length)))
        raster, table = raster.select(items), table.select(items)
        np.testing.assert_array_equal(numbers(table), numbers(raster))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=table.table.size, max_size=table.table.size)), bool)
    mask = mask.reshape(table.nav_shape)
    np.testing.assert_array_equal(numbers(table.select([mask])), numbers(raster.select([mask])))


def test_tables_travel_small_and_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    scattered = np.full((300, 400), -1)
    scattered.ravel()[rng.choice(120_000, 1000, replace=False)] = np.arange(1000)
    table = PositionTable(scattered)
    there = pickle.loads(pickle.dumps(table))
    np.testing.assert_array_equal(there.table, scattered)
    assert there.identity == table.identity
    assert there.identity != table.select([slice(0, 299), slice(0, 400)]).identity
    assert len(pickle.dumps(table)) < 20_000
    wide = PositionTable(np.array([-1, 2**31 - 1, 2**40]))
    assert wide.table.dtype == np.int64
    assert pickle.loads(pickle.dumps(wide)).table.tolist() == [-1, 2**31 - 1, 2**40]


def test_the_table_cannot_be_changed_from_outside() -> None:
    given = np.arange(4, dtype=np.int32)
    table = PositionTable(given)
    given[0] = 99
    assert table.table.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        table.table[0] = 1


def test_the_commoner_direction_is_that_of_runs() -> None:
    assert PositionTable(np.array([[0, 1, 2], [5, 4, 3]])).step == 1
    assert PositionTable(np.arange(5)[::-1]).step == -1


def test_wrong_selections_are_refused() -> None:
    table = PositionTable(np.arange(6).reshape(2, 3))
    with pytest.raises(ValueError, match="expected one slice for each of the 2 navigation axes, found 1"):
        table.select([slice(0, 1)])
    with pytest.raises(ValueError, match=r"must have the navigation shape \(2, 3\), found \(3, 2\)"):
        table.select([np.ones((3, 2), bool)])
    with pytest.raises(ValueError, match="leaves an axis of length 3"):
        table.select([slice(0, 2, 1), slice(0, 4, 1)])
    with pytest.raises(ValueError, match="only navigation axes of length 1"):
        table.drop_axes((0,))

"""`RaggedFrames` against lists of arrays, the obvious way to keep some entries a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazy4d.ragged import RaggedFrames

lists = st.lists(st.lists(st.integers(-9, 9), max_size=4), max_size=6)


def ragged_of(rows: list[list[int]]) -> RaggedFrames:
    flat = np.array([value for row in rows for value in row], np.int16)
    return RaggedFrames.from_counts([len(row) for row in rows], {"a": flat, "b": flat * 0.5})


def rows_of(ragged: RaggedFrames, name: str = "a") -> list[list[Any]]:
    return [ragged.frame(k)[name].tolist() for k in range(ragged.n_frames)]


@given(lists)
def test_it_holds_what_lists_hold(rows: list[list[int]]) -> None:
    ragged = ragged_of(rows)
    assert rows_of(ragged) == rows
    assert ragged.counts.tolist() == [len(row) for row in rows]
    assert ragged.frame_numbers().tolist() == [k for k, row in enumerate(rows) for _ in row]
    assert rows_of(ragged, "b") == [[value * 0.5 for value in row] for row in rows]
    assert ragged.dtypes == {"a": np.dtype("int16"), "b": np.dtype("float64")}


@given(lists, st.data())
def test_frames_are_taken_as_from_a_list(rows: list[list[int]], data: Any) -> None:
    ragged = ragged_of(rows)
    start, stop = (data.draw(st.one_of(st.none(), st.integers(-7, 7))) for _ in range(2))
    step = data.draw(st.sampled_from([None, 1, 2, -1, -2]))
    assert rows_of(ragged.take(slice(start, stop, step))) == rows[start:stop:step]
    numbers = data.draw(st.lists(st.integers(0, max(len(rows) - 1, 0)), max_size=5)) if rows else []
    assert rows_of(ragged.take(numbers)) == [rows[k] for k in numbers]
    chosen = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    assert rows_of(ragged.take(np.array(chosen, bool))) == [row for row, keep in zip(rows, chosen, strict=True) if keep]


@given(lists, lists)
def test_frames_are_joined_and_entries_left_out(rows: list[list[int]], more: list[list[int]]) -> None:
    joined = RaggedFrames.concatenate([ragged_of(rows), ragged_of(more)])
    assert rows_of(joined) == rows + more
    positive = joined.where(joined["a"] > 0)
    assert rows_of(positive) == [[value for value in row if value > 0] for row in rows + more]


def test_frames_of_arrays_name_their_columns() -> None:
    ragged = RaggedFrames.from_frames([[[1, 2, 3]], np.empty((0, 3)), [[4, 5, 6], [7, 8, 9]]])
    assert ragged.names == ("ky", "kx", "intensity")
    assert ragged["intensity"].tolist() == [3, 6, 9]
    assert RaggedFrames.from_frames([]).n_frames == 0
    assert RaggedFrames.from_frames([[], []]).names == ("ky", "kx")


@pytest.mark.parametrize("offsets", [[], [1, 2], [0, 3, 2], [[0, 1]]])
def test_offsets_are_checked(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="expected offsets as a line"):
        RaggedFrames(np.array(offsets, np.int64), {"a": np.zeros(2)})


def test_columns_are_checked() -> None:
    with pytest.raises(ValueError, match="expected columns of 2 entries"):
        RaggedFrames(np.array([0, 2]), {"a": np.zeros(3)})
    with pytest.raises(ValueError, match="at least one column"):
        RaggedFrames(np.array([0, 0]), {})
    with pytest.raises(TypeError, match="column 'a' as a line of real numbers"):
        RaggedFrames(np.array([0, 1]), {"a": np.array(["one"])})
    with pytest.raises(KeyError, match="there are a, b"):
        ragged_of([[1]])["c"]
    with pytest.raises(IndexError, match="frame 1 of 1 frames"):
        ragged_of([[1]]).frame(1)
    with pytest.raises(IndexError, match="of 1 frames"):
        ragged_of([[1]]).take([0, 5])
    with pytest.raises(ValueError, match="a bool for each of 1 frames"):
        ragged_of([[1]]).take(np.ones(2, bool))
    with pytest.raises(ValueError, match="a mark for each of 1 entries"):
        ragged_of([[1]]).where(np.ones(2, bool))
    with pytest.raises(ValueError, match="parts of the same columns"):
        RaggedFrames.concatenate([ragged_of([[1]]), ragged_of([[1]]).only(["a"])])
    with pytest.raises(ValueError, match="give a name for each column"):
        RaggedFrames.from_frames([np.zeros((1, 4))])
    with pytest.raises(ValueError, match="all of as many columns"):
        RaggedFrames.from_frames([np.zeros((1, 2)), np.zeros((1, 3))])


def test_columns_are_native_and_contiguous() -> None:
    ragged = RaggedFrames.from_counts([2], {"a": np.arange(4, dtype=">f4")[::2]})
    assert ragged["a"].dtype == np.dtype("f4")
    assert ragged["a"].dtype.isnative
    assert ragged["a"].flags.c_contiguous


def test_fractions_and_masks_of_other_lengths_are_refused() -> None:
    ragged = ragged_of([[1, 2], [3], []])
    for wrong in (lambda: RaggedFrames.from_counts([1.7], {"a": [1]}), lambda: ragged.take([0.5])):
        with pytest.raises(TypeError, match="as whole numbers, found"):
            wrong()
    for size in (2, 4):
        with pytest.raises(ValueError, match="a bool for each of 3 frames"):
            ragged.take(np.ones(size, bool))
    assert rows_of(ragged.take([1.0, 0.0])) == [[3], [1, 2]]

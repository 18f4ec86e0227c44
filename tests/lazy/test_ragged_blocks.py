"""Ragged endings of a walk, and what is done to the blocks they give, against plain loops over frames."""

from __future__ import annotations

import pickle
from typing import Any

import dask.array as da
import numpy as np
import pytest

from conftest import FRAME_SHAPE, NAV_CHUNKS, NAV_SHAPE
from lazy4d.lazy import Frames, PerPosition, SharedLazy
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.lazy.run import compute
from lazy4d.ragged import RaggedFrames

COLUMNS = {"ky": "float64", "kx": "float64", "value": "float32"}
SCAN = np.random.default_rng(3).integers(0, 100, (*NAV_SHAPE, *FRAME_SHAPE)).astype("uint16")
LEVEL = np.random.default_rng(4).integers(80, 105, NAV_SHAPE).astype("float64")


def above(frames: Any, level: Any, out: Any, count: Any) -> None:
    """The brightest first, then by place."""
    for i, frame in enumerate(frames):
        bound = level[i] if np.ndim(level) else level
        places = np.argwhere(frame > bound)
        values = frame[tuple(places.T)]
        order = np.argsort(-values.astype(int), kind="stable")[: out.shape[1]]
        count[i] = len(places)
        out[i, : len(order), :2], out[i, : len(order), 2] = places[order], values[order]


def expected(level: Any, scan: Any = SCAN) -> list[np.ndarray]:
    found = []
    for frame, bound in zip(
        scan.reshape(-1, *scan.shape[-2:]), np.broadcast_to(level, scan.shape[:-2]).flat, strict=True
    ):
        places = np.argwhere(frame > bound)
        values = frame[tuple(places.T)].astype(int)
        found.append(np.column_stack([places, values])[np.argsort(-values, kind="stable")])
    return found


def rows_of(ragged: RaggedFrames) -> list[np.ndarray]:
    return [np.column_stack([*ragged.frame(k).values()]) for k in range(ragged.n_frames)]


def assert_same(ragged: RaggedFrames, rows: list[np.ndarray]) -> None:
    assert ragged.n_frames == len(rows)
    for mine, theirs in zip(rows_of(ragged), rows, strict=True):
        np.testing.assert_array_equal(mine, theirs.reshape(-1, 3))


def frames_in(chunks: str) -> Frames:
    whole = tuple((n,) for n in FRAME_SHAPE)
    return Frames.from_array(da.from_array(SCAN, chunks=(*NAV_CHUNKS[chunks], *whole)), 2)


def found_in(chunks: str, level: Any = 90.0, **options: Any) -> RaggedBlocks:
    return frames_in(chunks).ragged_frames(above, level, columns=COLUMNS, **{"capacity": 120, **options})


@pytest.mark.parametrize("chunks", NAV_CHUNKS)
def test_entries_are_those_of_a_loop_for_any_blocks(chunks: str) -> None:
    found = found_in(chunks)
    assert found.nav_shape == NAV_SHAPE
    result = found.compute()
    assert_same(result, expected(90))
    assert {name: dtype.name for name, dtype in result.dtypes.items()} == COLUMNS


@pytest.mark.parametrize("chunks", NAV_CHUNKS)
def test_parameters_may_differ_from_position_to_position(chunks: str) -> None:
    found = found_in(chunks, PerPosition(da.from_array(LEVEL, chunks=(2, 2))))
    assert_same(found.compute(), expected(LEVEL))


def test_any_scheduler_gives_the_same(scheduler: str) -> None:
    found = found_in("ragged both", SharedLazy(da.from_array(np.array(90.0))))
    assert_same(found.map(twice_value).compute(), [np.column_stack([r[:, :2], 2 * r[:, 2]]) for r in expected(90)])


def test_building_computes_nothing(no_compute: Any) -> None:
    with no_compute():
        found = found_in("rows").map(twice_value)
        found.per_position(number, shape=(), dtype="int64")
        found.total(histogram, 3, shape=(3,), dtype="int64")
        found.inav((slice(None), 2)).inav((slice(1, 3),))
        found.inav(LEVEL > 90)


@pytest.mark.parametrize("nav_shape", [(), (20,), (2, 2, 5)])
def test_any_number_of_navigation_axes(nav_shape: tuple[int, ...]) -> None:
    scan = SCAN.reshape(-1, *FRAME_SHAPE)[: int(np.prod(nav_shape))].reshape(*nav_shape, *FRAME_SHAPE)
    found = Frames.from_array(scan, len(nav_shape)).ragged_frames(above, 90.0, capacity=120, columns=COLUMNS)
    assert_same(found.compute(), expected(90, scan))
    count = found.per_position(number, shape=(), dtype="int64").compute()
    np.testing.assert_array_equal(count, np.array([len(r) for r in expected(90, scan)]).reshape(nav_shape))
    assert found.total(histogram, 4, shape=(4,), dtype="int64").compute().sum() == count.sum()


def test_one_walk_gives_entries_and_everything_else() -> None:
    reads: list[int] = []

    def counted(block: Any) -> Any:
        reads.append(len(block))
        return block

    whole = tuple((n,) for n in FRAME_SHAPE)
    array = da.from_array(SCAN, chunks=((2, 2), (5,), *whole)).map_blocks(counted, meta=np.empty((0,) * 4, "uint16"))
    frames = Frames.from_array(array, 2)
    found = frames.ragged_frames(above, 90.0, capacity=120, columns=COLUMNS)
    blocks, numbers, pixels = compute(
        found.blocks, found.per_position(number, shape=(), dtype="int64"), frames.data.sum(), progress=False
    )
    assert len(reads) == 2
    assert_same(found.assemble(blocks), expected(90))
    assert pixels == SCAN.sum()
    assert numbers.sum() == found.assemble(blocks).total


def test_a_frame_with_too_many_entries_is_named_or_cut() -> None:
    counts = np.array([len(rows) for rows in expected(90)]).reshape(NAV_SHAPE)
    fullest = np.unravel_index(counts.argmax(), NAV_SHAPE)
    place = rf"above found {counts.max()} entries in the frame at position \({fullest[0]}, {fullest[1]}\)"
    with pytest.raises(ValueError, match=place):
        found_in("one block", capacity=5).compute()
    cut = found_in("ragged both", capacity=5, overflow="strongest").compute()
    assert_same(cut, [rows[:5] for rows in expected(90)])


def test_frames_that_are_missing_have_no_entries() -> None:
    valid = da.from_array(LEVEL > 85, chunks=(2, 5))
    array = da.from_array(SCAN, chunks=(2, 5, *FRAME_SHAPE))
    frames = Frames.from_array(array, 2, valid=valid, incomplete="nan")
    found = frames.ragged_frames(above, 0.0, capacity=3, columns=COLUMNS, overflow="strongest").compute()
    np.testing.assert_array_equal(found.counts.reshape(NAV_SHAPE) > 0, LEVEL > 85)


def test_a_large_capacity_is_filled_a_few_frames_at_a_time() -> None:
    level = PerPosition(da.from_array(LEVEL))
    found = found_in("one block", level, capacity=40_000)  # 1 MB a frame, so that several batches make a tile
    assert_same(found.compute(), expected(LEVEL))


SELECTIONS: list[tuple[Any, ...]] = [
    (slice(None), slice(None)),
    (slice(1, 3), slice(None, None, 2)),
    (slice(None, None, -1), slice(3, 0, -2)),
    (2, slice(None)),
    (slice(None), -1),
    (1, 3),
]


@pytest.mark.parametrize("chunks", NAV_CHUNKS)
@pytest.mark.parametrize("items", SELECTIONS, ids=str)
def test_positions_are_selected_as_from_an_array(chunks: str, items: tuple[Any, ...]) -> None:
    picked = found_in(chunks).inav(items)
    numbers = np.arange(20).reshape(NAV_SHAPE)[items]
    assert picked.nav_shape == np.shape(numbers)
    rows = expected(90)
    assert_same(picked.compute(), [rows[k] for k in np.ravel(numbers)])


@pytest.mark.parametrize("chunks", NAV_CHUNKS)
def test_a_mask_selects_in_scan_order(chunks: str) -> None:
    rows = [r for r, keep in zip(expected(90), (LEVEL > 95).flat, strict=True) if keep]
    picked = found_in(chunks).inav(LEVEL > 95)
    assert picked.nav_shape == (len(rows),)
    assert_same(picked.compute(), rows)


def test_selections_that_leave_nothing_or_do_not_fit_are_refused() -> None:
    found = found_in("rows")
    with pytest.raises(ValueError, match="leaves no position"):
        found.inav((slice(0, 0),))
    with pytest.raises(ValueError, match="selects no position"):
        found.inav(np.zeros(NAV_SHAPE, bool))
    with pytest.raises(ValueError, match="expected bool of shape"):
        found.inav(np.ones((2, 2), bool))


@pytest.mark.parametrize("chunks", [*NAV_CHUNKS.values(), "auto"], ids=str)
def test_entries_in_memory_are_cut_into_blocks_and_back(chunks: Any) -> None:
    whole = found_in("one block").compute()
    blocks = RaggedBlocks.from_ragged(whole, NAV_SHAPE, chunks)
    assert_same(blocks.compute(), expected(90))
    doubled = blocks.map(with_level, PerPosition(LEVEL), dtypes={**whole.dtypes, "level": "float64"}).compute()
    np.testing.assert_array_equal(doubled["level"], np.repeat(LEVEL.reshape(-1), whole.counts))


def test_a_graph_with_entries_travels() -> None:
    found = found_in("ragged both").map(twice_value)
    assert_same(pickle.loads(pickle.dumps(found)).compute(), rows_of(found.compute()))


def test_functions_that_break_their_promise_are_named() -> None:
    found = found_in("rows")
    with pytest.raises(ValueError, match="expected first_frames to give 5 frames"):
        found.map(first_frames).compute()
    with pytest.raises(ValueError, match="expected number to give an array"):
        found.per_position(number, shape=(2,), dtype="int64").compute()
    with pytest.raises(ValueError, match="expected histogram to give an array"):
        found.total(histogram, 3, shape=(4,), dtype="int64").compute()
    with pytest.raises(TypeError, match="wrap it in PerPosition"):
        found.map(with_level, da.from_array(LEVEL))
    with pytest.raises(ValueError, match="per-position parameter of navigation shape"):
        found.map(with_level, PerPosition(LEVEL[:2]))


def test_room_and_what_to_do_without_it_are_checked() -> None:
    with pytest.raises(ValueError, match="overflow='raise' or 'strongest'"):
        found_in("rows", overflow="drop")
    with pytest.raises(ValueError, match="room for at least one entry"):
        found_in("rows", capacity=0)


def twice_value(ragged: RaggedFrames) -> RaggedFrames:
    return ragged.with_columns(value=2 * ragged["value"])


def with_level(ragged: RaggedFrames, level: Any) -> RaggedFrames:
    return ragged.with_columns(level=np.repeat(level, ragged.counts))


def number(ragged: RaggedFrames) -> Any:
    return ragged.counts


def histogram(ragged: RaggedFrames, bins: int) -> Any:
    return np.histogram(ragged["ky"], bins, (0, 12))[0]


def first_frames(ragged: RaggedFrames) -> RaggedFrames:
    return ragged.take(slice(0, 1))


def test_validity_in_other_blocks_marks_the_same_frames() -> None:
    valid = np.ones(NAV_SHAPE, bool)
    valid[1, 2] = valid[3, 4] = False
    for chunks in NAV_CHUNKS.values():
        array = da.from_array(SCAN, chunks=(*chunks, *((n,) for n in FRAME_SHAPE)))
        for source in (array, SCAN):
            frames = Frames.from_array(source, 2, valid=da.from_array(valid), incomplete="nan")
            totals = frames.map_frames(total_of, shape=(), dtype="f8").emit()
            np.testing.assert_array_equal(np.isnan(totals.data.compute()), ~valid)
    with pytest.raises(ValueError, match="expected validity of the navigation shape"):
        Frames.from_array(SCAN, 2, valid=da.ones((2, 2), dtype=bool))


def total_of(frames: Any, out: Any) -> None:
    out[...] = frames.sum(axis=(1, 2))

"""Which vectors a shape holds, found in cells or one by one, and what they add up to; against plain Python."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.kernels import vector_cells, vector_density, vector_marks, vector_shape
from lazy4d.kernels.vector_shape import CIRCLE, ELLIPSE, GRID, POLYGON, RECTANGLE
from tests.kernels.test_kernels import interpreted

SHAPE = (7, 10)
SQUARE = np.array([[2.0, 1, 2, 5], [2, 1, 6, 1], [6, 1, 6, 5], [2, 5, 6, 5]]).reshape(-1)
STAR = [(5, 0), (7, 6), (1, 2), (9, 2), (3, 6)]


def edges(vertices: list[tuple[float, float]]) -> np.ndarray:
    lines = [sorted(pair, key=lambda p: p[1]) for pair in zip(vertices, vertices[1:] + vertices[:1], strict=True)]
    return np.array([[*a, *b] for a, b in lines], float).reshape(-1)


def numbers(*values: float) -> np.ndarray:
    return np.array([*values, *[0.0] * (8 - len(values))])


RING = np.hypot(*(np.indices(SHAPE) - 4)) < 3
REGIONS = {
    "circle": (CIRCLE, numbers(4.3, 3, 2.2, 0, 1, 1)),
    "ring": (CIRCLE, numbers(4, 3, 3, 1.5, 1, -1.5)),
    "ellipse": (ELLIPSE, numbers(4, 3, 4, 1.5, np.cos(0.3), np.sin(0.3), 1, 1.25)),
    "rectangle": (RECTANGLE, numbers(1.5, 6, 2, 4, 1, 1)),
    "backwards": (RECTANGLE, numbers(1.5, 6, 2, 4, 0, 0)),
    "square": (POLYGON, SQUARE),
    "star": (POLYGON, edges(STAR)),
    "pixels": (GRID, numbers()),
    "whole": (CIRCLE, numbers(4, 3, 400, 0, 1, 1)),
    "none": (CIRCLE, numbers(-40, 3, 4, 0, 1, 1)),
}


def holds(name: str, y: float, x: float) -> bool:
    """The definitions, one by one; slow."""
    kind, p = REGIONS[name]
    if not (abs(y) < 1e9 and abs(x) < 1e9):
        return False
    if kind == CIRCLE:
        square = ((x - p[0]) * p[4]) ** 2 + ((y - p[1]) * p[5]) ** 2
        return p[3] ** 2 <= square < p[2] ** 2
    if kind == ELLIPSE:
        u, v = (x - p[0]) * p[6], (y - p[1]) * p[7]
        return ((u * p[4] + v * p[5]) / p[2]) ** 2 + ((v * p[4] - u * p[5]) / p[3]) ** 2 < 1
    if kind == RECTANGLE and p[4]:
        return p[0] <= x < p[1] and p[2] <= y < p[3]
    if kind == RECTANGLE:
        return p[0] < x <= p[1] and p[2] < y <= p[3]
    if name == "square":
        return 2 <= x < 6 and 1 <= y < 5
    if name == "star":  # the sum of turns about the point counts how often the outline goes around it
        turns = np.diff(np.unwrap(np.arctan2(*(np.array([*STAR, STAR[0]], float) - (x, y)).T[::-1])))
        return round(abs(turns.sum()) / (2 * np.pi)) % 2 == 1
    row, column = np.floor([y + 0.5, x + 0.5])
    return 0 <= row < SHAPE[0] and 0 <= column < SHAPE[1] and bool(RING[int(row), int(column)])


def points(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places on and beside the frame, some on rims of the shapes (halves of pixels), some nowhere."""
    rng = np.random.default_rng(seed)
    places = np.concatenate(
        [
            rng.uniform(-1, 10, (count, 2)),
            rng.integers(-3, 22, (count, 2)) / 2,
            [[np.nan, 1], [1, np.nan], [np.inf, 2], [-1e300, 3], [3, 1e19], [np.nan, np.nan]],
        ]
    )
    rng.shuffle(places)
    return np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])


def unpacked(bits: np.ndarray, count: int) -> np.ndarray:
    return np.unpackbits(bits.astype("<u8").view(np.uint8), bitorder="little")[:count].astype(bool)


def words(count: int) -> np.ndarray:
    return np.full(-(-count // 64), 12345, np.uint64)


def indexed(ky: np.ndarray, kx: np.ndarray, name: str, size: int) -> np.ndarray:
    """Which points lie inside, by cells; found twice, from none and from all."""
    rows, columns = (-(-n // size) + 2 for n in SHAPE)
    starts, order = np.empty(rows * columns + 2, np.int64), np.empty(ky.size, np.int32)
    vector_cells.sort_into_cells(ky, kx, size, rows, columns, starts, order)
    assert sorted(order) == list(range(ky.size))
    cells, region = np.empty((rows, columns), np.uint8), (*REGIONS[name], RING.astype(np.uint8))
    vector_cells.classify_cells(*region, size, cells)
    found = []
    for most in (False, True):
        bits = words(ky.size)
        vector_marks.mark_cells(ky, kx, order, starts, cells.reshape(-1), *region, most, bits)
        found.append(unpacked(bits, ky.size))
    np.testing.assert_array_equal(*found)
    reached = np.empty(2, np.int64)
    vector_marks.count_reached(starts, cells.reshape(-1), reached)
    number = np.diff(starts)[:-1]
    np.testing.assert_array_equal(reached, [number[cells.reshape(-1) == k].sum() for k in (1, 2)])
    return found[0]


@pytest.mark.parametrize("name", REGIONS)
@np.errstate(all="ignore")
def test_points_belong_by_the_definition_of_the_shape(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ky, kx = points(1, 90)
    if name == "star":  # turns are not defined on an edge
        ky, kx = ky + 0.01, kx + 0.003
    expected = np.array([holds(name, y, x) for y, x in zip(ky, kx, strict=True)])
    assert expected.any() == (name != "none")
    for compiled in (True, False):
        kernel = vector_marks.mark_all if compiled else interpreted(vector_marks.mark_all, monkeypatch)
        bits = words(ky.size)
        kernel(ky, kx, *REGIONS[name], RING.astype(np.uint8), bits)
        np.testing.assert_array_equal(unpacked(bits, ky.size), expected)


@pytest.mark.parametrize("name", REGIONS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 60), size=st.sampled_from([1, 2, 4]))
def test_cells_find_what_looking_at_every_point_finds(name: str, seed: int, count: int, size: int) -> None:
    ky, kx = points(seed, count)
    bits = words(ky.size)
    vector_marks.mark_all(ky, kx, *REGIONS[name], RING.astype(np.uint8), bits)
    np.testing.assert_array_equal(indexed(ky, kx, name, size), unpacked(bits, ky.size))


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("size", [1, 2])
def test_cells_within_a_shape_need_no_look(name: str, size: int) -> None:
    """A cell is taken whole, or left out, only where all of it is; and cells away from the rim are."""
    rows, columns = (-(-n // size) + 2 for n in SHAPE)
    classes = np.empty((rows, columns), np.uint8)
    vector_cells.classify_cells(*REGIONS[name], RING.astype(np.uint8), size, classes)
    for r, c in np.ndindex(rows - 2, columns - 2):
        y, x = np.meshgrid(*(np.linspace(k * size - 0.5 + 1e-9, (k + 1) * size - 0.5 - 1e-9, 9) for k in (r, c)))
        inside = [holds(name, *place) for place in zip(y.ravel(), x.ravel(), strict=True)]
        found = classes[r + 1, c + 1]
        assert found == 2 or all(inside) == any(inside) == (found == 1)
    if name in ("pixels", "whole", "none"):
        assert (classes[1:-1, 1:-1] < 2).all() or size == 2
    assert (classes[1:-1, 1:-1] < 2).mean() > 0.3 or size == 2


@np.errstate(all="ignore")
def test_sorting_keeps_the_order_within_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    ky, kx = points(2, 40)
    found = []
    for compiled in (True, False):
        kernel = vector_cells.sort_into_cells if compiled else interpreted(vector_cells.sort_into_cells, monkeypatch)
        starts, order = np.empty(9 * 12 + 2, np.int64), np.empty(ky.size, np.int32)
        kernel(ky, kx, 1, 9, 12, starts, order)
        found.append((starts, order))
        for first, last in pairwise(starts):
            assert (np.diff(order[first:last]) > 0).all()
        nowhere = np.flatnonzero(np.isnan(ky) | np.isnan(kx))
        np.testing.assert_array_equal(order[starts[-2] :], nowhere)
    for fast, plain in zip(*found, strict=True):
        np.testing.assert_array_equal(fast, plain)


@np.errstate(all="ignore")
def test_an_interpreted_search_by_cells_marks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ky, kx = points(3, 60)
    compiled = {name: indexed(ky, kx, name, 1) for name in REGIONS}
    interpreted(vector_cells.classify_cells, monkeypatch)
    interpreted(vector_marks.mark_cells, monkeypatch)
    for name, expected in compiled.items():
        np.testing.assert_array_equal(indexed(ky, kx, name, 1), expected, err_msg=name)


OFFSETS = np.array([0, 0, 3, 70, 70, 200, 201, 330, 330])


@pytest.mark.parametrize("dtype", ["f8", "f4", "u1"])
def test_sums_run_in_the_order_of_the_vectors(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    total = int(OFFSETS[-1])
    marked = rng.random(total) < 0.6
    bits = np.packbits(marked, bitorder="little")
    bits = np.concatenate([bits, np.full(-bits.size % 8, 255, np.uint8)]).view("<u8").astype(np.uint64)
    values = (rng.normal(size=total) * 10).astype(dtype)
    ky, kx = rng.uniform(-0.5, 6.49, (2, total))
    weights = rng.normal(size=(7, 7))
    count, plain, weighted, alone = ([0] * 8, [0.0] * 8, [0.0] * 8, [0.0] * 8)
    for i in range(8):
        for k in range(OFFSETS[i], OFFSETS[i + 1]):
            if marked[k]:
                weight = weights[round(ky[k]), round(kx[k])]
                count[i] += 1
                plain[i] += float(values[k])
                weighted[i] += weight * float(values[k])
                alone[i] += weight
    for compiled in (True, False):
        marks: Any = vector_marks
        if not compiled:
            interpreted(vector_marks.sum_marked, monkeypatch)
        counts, sums = np.full(8, 99), np.full(8, 99.0)
        with np.errstate(over="ignore"):
            marks.count_marked(OFFSETS, bits, counts)
            np.testing.assert_array_equal(counts, count)
            marks.sum_marked(OFFSETS, bits, values, sums)
            np.testing.assert_array_equal(sums, plain)
            marks.sum_weighted(OFFSETS, bits, values, ky, kx, weights, sums)
            np.testing.assert_array_equal(sums, weighted)
            marks.sum_weighted(OFFSETS, bits, np.empty(0, dtype), ky, kx, weights, sums)
            np.testing.assert_array_equal(sums, alone)


def slow_density(
    ky: np.ndarray, kx: np.ndarray, values: np.ndarray, upsample: int, start: np.ndarray, bilinear: bool
) -> np.ndarray:
    """Every vector met with every pixel of the grid."""
    rows, columns = SHAPE[0] * upsample, SHAPE[1] * upsample
    y = start[0] + (np.arange(rows) + 0.5) / upsample
    x = start[1] + (np.arange(columns) + 0.5) / upsample
    dy, dx = (ky[:, None] - y) * upsample, (kx[:, None] - x) * upsample
    if bilinear:
        parts = np.clip(1 - np.abs(dy), 0, None)[:, :, None] * np.clip(1 - np.abs(dx), 0, None)[:, None, :]
    else:
        parts = ((dy >= -0.5) & (dy < 0.5))[:, :, None] & ((dx >= -0.5) & (dx < 0.5))[:, None, :]
    use = np.isfinite(ky) & np.isfinite(kx) & np.isfinite(values)
    return np.einsum("k,kyx->yx", values[use], parts[use])


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("upsample", [1, 3])
@np.errstate(all="ignore")
def test_density_is_that_of_every_vector_on_every_pixel(
    method: str, upsample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ky, kx = points(5, 40)
    ky, kx = ky + 1e-3, kx + 1e-3  # off the ends of finer pixels, which have no exact place
    values = np.random.default_rng(6).uniform(1, 2, ky.size)
    values[7] = np.nan
    offsets, start = np.array([0, 10, 10, ky.size]), np.array([-0.5, -0.75])
    moves = np.array([[0.25, -0.5], [9, 9], [-1.0, 0.125]])
    by_frame = np.repeat(moves, np.diff(offsets), axis=0)
    kernel = getattr(vector_density, f"add_{method}")
    for each in (kernel, kernel.py_func):
        still, moved, counted = (np.zeros((SHAPE[0] * upsample, SHAPE[1] * upsample)) for _ in range(3))
        each(offsets, ky, kx, values, np.empty((0, 2)), upsample, start, still)
        each(offsets, ky, kx, values, moves, upsample, start, moved)
        each(offsets, ky, kx, np.empty(0), np.empty((0, 2)), upsample, start, counted)
        others = {"upsample": upsample, "start": start, "bilinear": method == "bilinear"}
        np.testing.assert_allclose(still, slow_density(ky, kx, values, **others), atol=1e-12)
        np.testing.assert_allclose(
            moved, slow_density(ky + by_frame[:, 0], kx + by_frame[:, 1], values, **others), atol=1e-12
        )
        np.testing.assert_allclose(counted, slow_density(ky, kx, np.ones(ky.size), **others), atol=1e-12)


def test_shapes_are_those_of_single_points(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = REGIONS["ring"][1]
    for inside in (vector_shape.in_simple, vector_shape.in_simple.py_func):
        assert inside(CIRCLE, *ring, 3.0, 6.0)
        assert not inside(CIRCLE, *ring, 3.0, 7.0)
        assert inside(CIRCLE, *ring, 3.0, 5.5)  # the inner rim belongs
        assert not inside(CIRCLE, *ring, np.nan, 6.0)
    for inside in (vector_shape.in_polygon, vector_shape.in_polygon.py_func):
        assert inside(SQUARE, 1.0, 2.0)
        assert not inside(SQUARE, 1.0, 6.0)
    grid = np.eye(2, dtype=np.uint8)
    for inside in (vector_shape.in_grid, vector_shape.in_grid.py_func):
        assert inside(grid, 0.5, 0.5)
        assert not inside(grid, 1.5, 1.5)
        assert not inside(grid, np.nan, 0.0)

"""Polar bins over a frame: which share of a pixel goes where, and what is made of the pixels in a bin."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazy4d.kernels import azimuthal, azimuthal_moving, azimuthal_operator, polar_overlap, polar_place
from lazy4d.kernels.azimuthal_operator import PolarGrid, build_operator, integrate, integrate_moving, operator_of
from tests.kernels.test_kernels import KINDS, interpreted

KY, KX = 7, 9
TURN = 2 * math.pi
STATISTICS = range(5)
ROUND, SKEW, MIRROR = (1.0, 0.0, 0.0, 1.0), (1.0, 0.1, -0.05, 1.2), (-1.3, 0.0, 0.0, 1.0)
FULL, FAN, WRAP, WIDE = (-math.pi, TURN / 7, 7), (0.3, 0.5, 3), (2.9, 0.4, 2), (-3.0, 5.0, 1)
MASK = np.arange(KY * KX).reshape(KY, KX) % 5 > 0

Array = NDArray[np.float64]


def grid(
    splitting: str | None = "bilinear", center: Any = (3.3, 4.1), matrix: Any = ROUND, rings: Any = (0.0, 0.7, 6),
    sectors: Any = FULL, mask: Any = None,
) -> PolarGrid:  # fmt: skip
    found = PolarGrid((KY, KX), center, matrix, rings, sectors, splitting)
    return found if mask is None else found.masked(mask)


def dense(polar: PolarGrid) -> Array:
    """The operator as a matrix [bins, pixels]."""
    starts, pixels, weights = build_operator(polar)
    matrix = np.zeros((polar.n_bins, KY * KX))
    for b in range(polar.n_bins):
        row = slice(starts[b], starts[b + 1])
        assert len(set(pixels[row])) == len(pixels[row]), "a pixel comes once in a bin"
        assert np.all(np.diff(pixels[row]) > 0)
        matrix[b, pixels[row]] = weights[row]
    return matrix


def polar_offsets(polar: PolarGrid, parts: int = 1) -> tuple[Array, Array]:
    """Radius and azimuth of `parts`² points spread over each pixel, [pixels, points]."""
    inner = (np.arange(parts) + 0.5) / parts - 0.5
    y, x = np.indices((KY, KX)).reshape(2, -1, 1, 1) - np.reshape(polar.center, (2, 1, 1, 1))
    offsets = np.stack(np.broadcast_arrays(y + inner[:, None], x + inner))
    v, h = np.tensordot(np.reshape(polar.matrix, (2, 2)), offsets, 1).reshape(2, KY * KX, -1)
    return np.hypot(v, h), np.arctan2(v, h)


def sampled(polar: PolarGrid, parts: int) -> Array:
    """Slow reference of areas: which bins hold how many of the points spread over each pixel."""
    r, angle = polar_offsets(polar, parts)
    ring = np.floor((r - polar.rings[0]) / polar.rings[1]).astype(int)
    sector = np.floor(((angle - polar.sectors[0]) % TURN) / polar.sectors[1]).astype(int)
    ok = (ring >= 0) & (ring < polar.rings[2]) & (sector < polar.sectors[2])
    matrix = np.zeros((polar.n_bins, KY * KX))
    np.add.at(matrix, ((ring * polar.sectors[2] + sector)[ok], np.nonzero(ok)[0]), 1 / parts**2)
    return matrix


def spread(place: float, wide: float, number: int, around: bool) -> Array:
    """Slow reference along one axis: what each bin has of a box about a place, all counted in bins."""
    if not around and not 0 <= place < number:
        return np.zeros(number)
    low, high = place - wide / 2, place + wide / 2
    if around and wide > number - 1:
        return np.full(number, 1 / number)
    if not around:
        low, high = max(low, 0), min(high, number)
    edges = np.arange(-number, 2 * number + 1)
    overlap = np.maximum(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0) / (high - low)
    return np.asarray(overlap.reshape(3, number).sum(axis=0))


def splat(polar: PolarGrid) -> Array:
    """Slow reference of bilinear shares."""
    matrix = np.zeros((polar.rings[2], polar.sectors[2], KY * KX))
    around = polar.sectors[1] * polar.sectors[2] > TURN - 1e-9
    pixel = math.sqrt(abs(np.linalg.det(np.reshape(polar.matrix, (2, 2)))))
    for p, (r, angle) in enumerate(zip(*polar_offsets(polar), strict=True)):
        diagonal = abs(math.cos(angle[0])) + abs(math.sin(angle[0]))
        place = (r[0] - polar.rings[0]) / polar.rings[1]
        wide = 1 + max(pixel / polar.rings[1] - 1, 0) * diagonal
        rings = spread(place, wide, polar.rings[2], False)
        wide = 1 + max(pixel / max(r[0] * polar.sectors[1], 1e-99) - 1, 0) * diagonal
        if r[0] <= pixel * diagonal / 2 or wide * polar.sectors[1] >= TURN:  # at every azimuth alike
            sectors = np.full(polar.sectors[2], polar.sectors[1] / TURN)
        else:
            place = ((angle[0] - polar.sectors[0]) % TURN) / polar.sectors[1]
            sectors = spread(place, wide, polar.sectors[2], around)
        matrix[:, :, p] = np.outer(rings, sectors)
    return matrix.reshape(polar.n_bins, KY * KX)


def frames_of(kind: str, dtype: str) -> NDArray[Any]:
    rng = np.random.default_rng(7)
    n = {"one frame": 1, "no frames": 0}.get(kind, 6)
    if kind in ("empty", "saturated"):
        top = np.iinfo(dtype).max if dtype[0] == "u" else 2.0**100
        return np.full((n, KY, KX), top if kind == "saturated" else 0, dtype)
    return rng.poisson(5.0, (n, KY, KX)).astype(dtype)


def twin(frames: NDArray[Any], matrix: Array, statistic: int, skip_nan: bool) -> Array:
    """Slow reference of all statistics, from the dense operator."""
    out = np.empty((len(frames), len(matrix)))
    for i, pixels in enumerate(frames.reshape(len(frames), KY * KX).astype(float)):
        for b, row in enumerate(matrix):
            used = row > 0
            used &= ~np.isnan(pixels) if skip_nan else True
            w, values = row[used], pixels[used]
            if statistic == azimuthal.SUM:
                out[i, b] = (w * values).sum()
                continue
            if w.size == 0:
                out[i, b] = np.nan
                continue
            mean = np.average(values, weights=w)
            spread, free = (w * (values - mean) ** 2).sum(), w.sum() - (w**2).sum() / w.sum()
            error = math.sqrt(spread * (w**2).sum() / free) / w.sum() if w.size > 1 else np.nan
            poisson = np.sqrt((w**2 * values).sum()) / w.sum()
            out[i, b] = [0, mean, spread / w.sum(), error, poisson][statistic]
    return out


CASES = {
    "profile": grid(sectors=(-math.pi, TURN, 1)),
    "polar": grid(),
    "nearest": grid(None, rings=(0.5, 1.1, 3)),
    "masked": grid("exact", mask=MASK),
    "moved": grid(center=(-2.2, 11.0), sectors=FAN),
}


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4"])
@pytest.mark.parametrize("name", CASES)
def test_statistics_compiled_and_interpreted_equal_their_twin(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    polar, operator, matrix = CASES[name], build_operator(CASES[name]), dense(CASES[name])

    def check(kernel: Any) -> None:
        for kind in KINDS:
            frames = frames_of(kind, dtype)
            for statistic in STATISTICS:
                out = np.full((len(frames), polar.n_bins), 99.0)
                assert kernel(frames, *operator, statistic, False, out) is None
                size = float(frames.max(initial=0)) ** (2 if statistic == azimuthal.VARIANCE else 1)
                expected = twin(frames, matrix, statistic, False)
                np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-12 * size, err_msg=f"{kind} {statistic}")

    check(azimuthal.azimuthal_bins)
    if name in ("polar", "nearest"):
        check(interpreted(azimuthal.azimuthal_bins, monkeypatch))


@pytest.mark.parametrize("name", CASES)
def test_pixels_of_nan_show_in_their_bins_or_are_left_out(name: str) -> None:
    polar, matrix = CASES[name], dense(CASES[name])
    frames = frames_of("random", "f4")
    frames[1, 3, 4] = frames[2, :4] = frames[3] = np.nan
    for statistic in STATISTICS:
        for skip in (False, True):
            out = np.empty((len(frames), polar.n_bins))
            integrate(frames, polar, statistic, skip, out)
            np.testing.assert_allclose(out, twin(frames, matrix, statistic, skip), rtol=1e-9, atol=1e-12)
    integrate(frames, polar, azimuthal.SUM, False, out)
    np.testing.assert_array_equal(np.isnan(out[1]), matrix[:, 3 * KX + 4] > 0)


@pytest.mark.parametrize("splitting", ["bilinear", None])
@pytest.mark.parametrize("sectors", [(-math.pi, TURN, 1), FULL, FAN, WRAP, WIDE])
@pytest.mark.parametrize("center", [(3.3, 4.1), (3.0, 4.0), (-2.2, 11.0)])
def test_moving_centres_that_stand_still_give_the_same(splitting: Any, sectors: Any, center: Any) -> None:
    polar = grid(splitting, center, SKEW, (0.0, 0.7, 6), sectors, MASK)
    frames = frames_of("random", "f4")
    frames[1, 3, 3] = np.nan
    shape = (len(frames), 6, sectors[2])
    centers = np.tile(center, (len(frames), 1))
    for statistic in STATISTICS:
        for skip in (False, True):
            still, moving = np.empty(shape), np.empty(shape)
            integrate(frames, polar, statistic, skip, still)
            integrate_moving(frames, centers, polar, statistic, skip, moving)
            np.testing.assert_allclose(moving, still, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4"])
def test_moving_centres_interpreted_and_on_every_kind(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, *arrays = grid(sectors=FAN).arrays

    def run(kernel: Any, kind: str, statistic: int) -> Array:
        frames = frames_of(kind, dtype)
        centers = np.random.default_rng(3).uniform(1, 6, (len(frames), 2))
        centers[1:2] = np.nan
        out = np.empty((len(frames), 18))
        kernel(frames, centers, *arrays, np.empty(0, np.uint8), True, statistic, False, out)
        assert np.isnan(out[1:2]).all()
        return out

    cases = [(kind, statistic) for kind in KINDS for statistic in (azimuthal.SUM, azimuthal.STANDARD_ERROR)]
    compiled = [run(azimuthal_moving.moving_bins, *case) for case in cases]
    plain = interpreted(azimuthal_moving.moving_bins, monkeypatch)
    for case, found in zip(cases, compiled, strict=True):
        size = float(frames_of(case[0], dtype).max(initial=1))
        np.testing.assert_allclose(run(plain, *case), found, rtol=1e-9, atol=1e-9 * size, err_msg=str(case))


@pytest.mark.parametrize("moving", [False, True])
def test_a_frame_alone_gives_the_same_bits_as_in_a_tile(moving: bool) -> None:
    polar, frames = grid(), np.random.default_rng(0).normal(size=(7, KY, KX)).astype("f4")
    centers = np.random.default_rng(1).uniform(2, 6, (7, 2))

    def run(some: slice) -> Array:
        out = np.empty((len(frames[some]), 6, 7))
        if moving:
            integrate_moving(frames[some], centers[some], polar, azimuthal.MEAN, False, out)
        else:
            integrate(frames[some], polar, azimuthal.MEAN, False, out)
        return out

    together = run(slice(None))
    for i in range(7):
        np.testing.assert_array_equal(run(slice(i, i + 1))[0], together[i])


@pytest.mark.parametrize("sectors", [(-math.pi, TURN, 1), FULL, (0.0, TURN / 2, 2), FAN, WRAP, WIDE])
@pytest.mark.parametrize("matrix", [ROUND, SKEW, MIRROR])
def test_exact_shares_are_areas(matrix: Any, sectors: Any) -> None:
    for center, rings in [((3.3, 4.1), (0.0, 0.7, 6)), ((3.0, 4.0), (0.4, 0.3, 9)), ((2.5, 3.5), (1.0, 2.5, 2))]:
        polar = grid("exact", center, matrix, rings, sectors)
        exact, points = dense(polar), sampled(polar, 64)
        # A line through 64 rows of points cuts off up to half a point in each: 1/128 at worst, and that is rare.
        assert np.abs(exact - points).max() < 1 / 64
        assert np.sqrt(np.mean((exact - points) ** 2)) < 5e-4
        inside = polar_offsets(polar, 64)[0].max(axis=1) < rings[0] + rings[1] * rings[2] - 0.05
        if rings[0] == 0 and sectors[1] * sectors[2] > TURN - 1e-9:
            np.testing.assert_allclose(exact.sum(axis=0)[inside], 1, rtol=1e-11)


def test_exact_shares_of_a_ring_add_up_to_its_area() -> None:
    matrix = dense(grid("exact", (3.3, 4.1), rings=(0.5, 0.3, 8), sectors=(-math.pi, TURN / 5, 5)))
    edges = 0.5 + 0.3 * np.arange(9)
    np.testing.assert_allclose(matrix.sum(axis=1).reshape(8, 5).T, np.tile(np.diff(edges**2) * math.pi / 5, (5, 1)))


@pytest.mark.parametrize("sectors", [(-math.pi, TURN, 1), FULL, FAN, WRAP, WIDE])
@pytest.mark.parametrize("matrix", [ROUND, SKEW, MIRROR])
def test_bilinear_shares_are_boxes(matrix: Any, sectors: Any) -> None:
    for center, rings in [((3.3, 4.1), (0.0, 0.7, 6)), ((3.0, 4.0), (1.3, 1.2, 3)), ((-0.6, 3.2), (1.3, 0.2, 9))]:
        polar = grid("bilinear", center, matrix, rings, sectors, None)
        np.testing.assert_allclose(dense(polar), splat(polar), rtol=1e-11, atol=1e-11)


def test_bins_wider_than_a_pixel_share_with_weights_of_one_minus_d_and_d() -> None:
    matrix = dense(grid("bilinear", (0.0, 0.0), rings=(0.0, 2.0, 8), sectors=(-math.pi, TURN, 1)))
    for x in range(1, KX):
        place = x / 2 - 0.5
        lower, share = math.floor(place), place - math.floor(place)
        assert matrix[lower, x] == pytest.approx(1 - share)
        assert matrix[lower + 1, x] == pytest.approx(share)
    assert matrix[0, 0] == 1


def test_the_pixel_under_the_beam_lies_at_every_azimuth() -> None:
    wide = (0.0, 1.0, 6)
    np.testing.assert_allclose(dense(grid("bilinear", (3.0, 4.0), ROUND, wide))[:7, 3 * KX + 4], 1 / 7)
    part = grid("bilinear", (3.0, 4.0), ROUND, wide, FAN)
    np.testing.assert_allclose(dense(part)[:3, 3 * KX + 4], 0.5 / TURN)


@pytest.mark.parametrize("center", [(16.0, 16.0), (16.0, 15.5), (15.5, 15.5), (15.9, 16.3)])
@pytest.mark.parametrize(("n_rings", "n_sectors"), [(15, 360), (64, 360), (32, 720), (15, 4)])
def test_bilinear_shares_leave_no_holes(center: Any, n_rings: int, n_sectors: int) -> None:
    """However small the bins, there is a pixel at every azimuth, but at the very beam and at the end of the range."""
    far = 14.9
    polar = PolarGrid((32, 32), center, ROUND, (0.0, far / n_rings, n_rings), (0.0, TURN / n_sectors, n_sectors))
    empty = np.diff(build_operator(polar).starts).reshape(n_rings, n_sectors) == 0
    r = (np.arange(n_rings) + 0.5) * far / n_rings
    assert not empty[(r > 0.75) & (r < far - 0.5)].any()


@pytest.mark.parametrize("sectors", [(-math.pi, TURN, 1), FULL])
def test_without_splitting_it_is_a_bincount(sectors: Any) -> None:
    polar = grid(None, (3.31, 4.17), rings=(0.9, 0.8, 3), sectors=sectors)
    r, angle = (values[:, 0] for values in polar_offsets(polar))
    ring, sector = np.floor((r - 0.9) / 0.8), np.floor((angle + math.pi) / sectors[1])
    use = (ring >= 0) & (ring < 3)
    frame = np.random.default_rng(0).integers(0, 60000, KY * KX).astype("u2")
    index = (ring * sectors[2] + sector)[use].astype(int)
    expected = np.bincount(index, weights=frame[use], minlength=polar.n_bins)
    out = np.empty((1, 3, sectors[2]))
    integrate(frame.reshape(1, KY, KX), polar, azimuthal.SUM, False, out)
    np.testing.assert_array_equal(out.ravel(), expected)


def test_azimuths_are_those_of_arctan2() -> None:
    rng = np.random.default_rng(0)
    points = [*rng.normal(size=(500, 2)), *(rng.normal(size=(100, 2)) * [1, 1e-9])]
    points += [(y, x) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)]
    for y, x in points:
        found = polar_place.azimuth_of(float(y), float(x))
        assert abs(math.remainder(found - math.atan2(y, x), TURN)) < 2e-15, (y, x)
    assert polar_place.azimuth_of(0.0, 0.0) == 0


@pytest.mark.parametrize("splitting", ["bilinear", "exact", None])
def test_shares_interpreted_equal_compiled(splitting: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for sectors in (FAN, (-math.pi, TURN, 1)):
        polar = grid(splitting, (3.0, 4.0), SKEW, sectors=sectors, mask=MASK)
        compiled = build_operator(polar)
        with monkeypatch.context() as patch:
            for module in (polar_place, polar_overlap, azimuthal_operator):
                for name, value in list(vars(module).items()):
                    if hasattr(value, "py_func"):
                        patch.setattr(module, name, value.py_func)
            plain = build_operator(polar)
        np.testing.assert_array_equal(compiled.starts, plain.starts)
        np.testing.assert_array_equal(compiled.pixels, plain.pixels)
        np.testing.assert_allclose(compiled.weights, plain.weights, rtol=1e-9, atol=1e-14)


def test_operators_are_kept_and_only_their_grid_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again = grid(mask=MASK), grid(mask=MASK)
    assert first == again
    assert operator_of(first) is operator_of(again)
    assert operator_of(pickle.loads(pickle.dumps(first))) is operator_of(first)
    assert len(pickle.dumps(first)) < 600
    monkeypatch.setattr(azimuthal_operator, "KEPT_BYTES", 1)
    operator_of(grid(rings=(0.0, 0.9, 5)))
    assert len(azimuthal_operator._kept) == 1


def test_mean_over_azimuth_is_a_nanmean() -> None:
    frames = np.random.default_rng(0).normal(size=(3, 4, 6))
    frames[0, 1, :3] = frames[1, 2] = np.nan
    expected = np.array(
        [[row[~np.isnan(row)].mean() if not np.isnan(row).all() else np.nan for row in f] for f in frames]
    )
    for kernel in (azimuthal.mean_over_azimuth, azimuthal.mean_over_azimuth.py_func):
        out = np.empty((3, 4))
        kernel(frames, out)
        np.testing.assert_allclose(out, expected, rtol=1e-13)

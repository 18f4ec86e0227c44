"""Shifted frames against scipy, numpy and mathematics: exact copies, interpolation, phase ramps, edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import interpolate, ndimage

from lazy4d.kernels import shift
from lazy4d.kernels.shift import covered, shift_bilinear, shift_cubic, shift_integer
from lazy4d.kernels.shift_fourier import shift_fourier

DTYPES = ("u1", "u2", "u4", "u8", "i1", "i4", "f4", "f8", "?", "c8")
REAL = ("u1", "u2", "u4", "f4", "?")
KINDS = {
    "integer": shift_integer,
    "bilinear": shift_bilinear,
    "cubic": shift_cubic,
    "fourier": shift_fourier,
}
distances = st.one_of(
    st.integers(-12, 12).map(float),
    st.floats(-12, 12),
    st.sampled_from([0.0, -0.5, 0.5, 1e-18, -1e-18, 1e300, -1e300, 9.0, -9.0]),
)


def random_frames(dtype: str, n: int = 3, shape: tuple[int, int] = (7, 9)) -> NDArray[Any]:
    return np.random.default_rng(n).poisson(60.0, (n, *shape)).astype(dtype)


def shifted(kind: str, frames: NDArray[Any], shifts: Any, fill: float = 0.0, dtype: Any = None) -> NDArray[Any]:
    if dtype is None:
        dtype = frames.dtype if kind == "integer" else np.result_type(frames.dtype, np.float32)
    out = np.full(frames.shape, 99).astype(dtype)
    KINDS[kind](frames, np.asarray(shifts, float), fill, out)
    return out


def rolled(frame: NDArray[Any], dy: int, dx: int, fill: Any) -> NDArray[Any]:
    """The slow, obvious way: np.roll, and the fill value where something came round."""
    out = np.roll(frame, (dy, dx), (0, 1))
    rows, columns = np.arange(frame.shape[0])[:, None] - dy, np.arange(frame.shape[1]) - dx
    out[(rows < 0) | (rows >= frame.shape[0]) | (columns < 0) | (columns >= frame.shape[1])] = fill
    return out


def catmull_rom(frame: NDArray[Any], dy: float, dx: float) -> NDArray[Any]:
    """Hermite cubics with central differences as slopes, by scipy, along rows and then along columns."""
    values = np.asarray(frame, float)
    for axis, distance in ((0, dy), (1, dx)):
        size = values.shape[axis]
        places = np.clip(np.arange(size) - distance, 0, size - 1)
        values = interpolate.CubicHermiteSpline(np.arange(size), values, np.gradient(values, axis=axis), axis=axis)(
            places
        )
    return values


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    moves=st.lists(st.tuples(st.integers(-9, 9), st.integers(-11, 11)), min_size=3, max_size=3),
)
def test_whole_shifts_are_np_roll_with_fill(dtype: str, moves: list[tuple[int, int]]) -> None:
    frames = random_frames(dtype)
    expected = np.stack([rolled(f, dy, dx, 1) for f, (dy, dx) in zip(frames, moves, strict=True)])
    got = shifted("integer", frames, moves, fill=1)
    assert got.dtype == frames.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("kind", ["bilinear", "cubic"])
def test_interpolation_by_a_whole_number_of_pixels_gives_the_pixels(kind: str, dtype: str) -> None:
    frames, moves = random_frames(dtype), [(0, 0), (-3, 2), (2, -40)]
    got = shifted(kind, frames, moves, fill=-1)
    expected = [rolled(f.astype(got.dtype), dy, dx, -1) for f, (dy, dx) in zip(frames, moves, strict=True)]
    np.testing.assert_array_equal(got, expected)


def inner(frame: NDArray[Any], move: Any, kind: str) -> tuple[slice, slice]:
    (y0, y1), (x0, x1) = covered(move, frame.shape, kind)[0].tolist()
    return slice(y0, y1), slice(x0, x1)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["bilinear", "cubic"]),
    dtype=st.sampled_from(REAL),
    moves=st.lists(st.tuples(distances, distances), min_size=3, max_size=3),
)
def test_interpolation_is_that_of_scipy(kind: str, dtype: str, moves: list[tuple[float, float]]) -> None:
    frames = random_frames(dtype)
    got = shifted(kind, frames, moves, fill=-1)
    for frame, move, result in zip(frames, np.clip(moves, -50, 50), got, strict=True):
        if kind == "bilinear":
            expected = ndimage.shift(frame.astype("f8"), move, order=1, mode="nearest")
        else:
            expected = catmull_rom(frame, *move)
        window = inner(frame, move, kind)
        np.testing.assert_allclose(result[window], expected[window], rtol=3e-6, atol=1e-4)
        result[window] = -1
        assert (result == -1).all()


@pytest.mark.parametrize("move", [(0.5, 0.25), (-3.0, 2.5), (1.75, -4.0), (30.0, 0.5), (-0.5, -8.0)])
def test_bilinear_is_filled_where_scipy_is(move: tuple[float, float]) -> None:
    frame = random_frames("u4", 1)
    expected = ndimage.shift(frame[0].astype("f8"), move, order=1, mode="constant", cval=np.nan)
    np.testing.assert_allclose(shifted("bilinear", frame, move, fill=np.nan)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["bilinear", "cubic"])
def test_compiled_is_the_python_function(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, moves = random_frames("u2"), [(0.3, -1.7), (2.0, 0.25), (np.nan, 0)]
    compiled = shifted(kind, frames, moves, fill=np.nan)
    for name in ("_blend_two", "_blend_four"):
        monkeypatch.setattr(shift, name, getattr(shift, name).py_func)
    np.testing.assert_allclose(shifted(kind, frames, moves, fill=np.nan), compiled, rtol=1e-6)


def blobs(shape: tuple[int, int], centres: NDArray[Any], sigma: float) -> NDArray[Any]:
    y, x = np.indices(shape)
    return np.stack([np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 2 / sigma**2) for cy, cx in centres]).astype("f4")


@settings(max_examples=20, deadline=None)
@given(moves=st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=2))
@pytest.mark.parametrize("shape", [(32, 40), (33, 41)])
def test_fourier_is_exact_for_band_limited_frames(shape: tuple[int, int], moves: list[tuple[float, float]]) -> None:
    # a Gaussian of sigma 2 has fallen to 1e-9 at the Nyquist frequency and to 1e-9 at the edge
    centre = np.array([[16.0, 20.0]] * 2)
    got = shifted("fourier", blobs(shape, centre, 2.0), moves)
    expected = blobs(shape, centre + moves, 2.0)
    for k, move in enumerate(moves):
        (y0, y1), (x0, x1) = covered(move, shape, "fourier")[0]
        np.testing.assert_allclose(got[k, y0:y1, x0:x1], expected[k, y0:y1, x0:x1], atol=1e-5)
    back = shifted("fourier", got, -np.array(moves))
    np.testing.assert_allclose(back, blobs(shape, centre, 2.0), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 12), (9, 11), (8, 1), (1, 6)])
def test_fourier_is_the_plain_sum_over_frequencies(shape: tuple[int, int]) -> None:
    frame, move = np.random.default_rng(3).random(shape), np.array([0.3, -1.6])

    def matrix(size: int, distance: float) -> NDArray[Any]:
        place = np.arange(size)
        waves = [
            np.cos(2 * np.pi * m * (place[:, None] - distance - place) / size) for m in range(1, (size - 1) // 2 + 1)
        ]
        total = 1 + 2 * np.sum(waves, axis=0)
        if size % 2 == 0 and size > 1:  # the Nyquist frequency: its sine cannot be seen, its cosine can
            total = total + np.cos(np.pi * distance) * np.cos(np.pi * (place[:, None] - place))
        return np.broadcast_to(total / size, (size, size))

    expected = matrix(shape[0], move[0]) @ frame @ matrix(shape[1], move[1]).T
    for dtype, tolerance in (("f8", 1e-12), ("f4", 2e-6)):
        got = shifted("fourier", frame[None].astype(dtype), move, fill=np.nan)[0]
        inside = np.isfinite(got)
        (y0, y1), (x0, x1) = covered(move, shape, "fourier")[0]
        assert inside.sum() == (y1 - y0) * (x1 - x0)
        np.testing.assert_allclose(got[inside], expected[inside], atol=tolerance)


def test_fourier_by_whole_pixels_is_a_copy() -> None:
    frames, moves = random_frames("u2", shape=(16, 15)), [(3, -2), (0, 0), (-20, 1)]
    expected = shifted("integer", frames, moves, fill=5)
    np.testing.assert_allclose(shifted("fourier", frames, moves, fill=5), expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["bilinear", "cubic", "fourier"])
def test_the_sum_is_conserved_away_from_edges(kind: str) -> None:
    frames = np.zeros((5, 40, 44), "u2")
    frames[:, 10:30, 10:32] = np.random.default_rng(0).poisson(30, (5, 20, 22))
    if kind == "fourier":  # else what rings into the strips that are filled is lost
        frames = 1000 * blobs((40, 44), np.full((5, 2), 20.0), 1.5)
    moves = np.random.default_rng(1).uniform(-6, 6, (5, 2))
    got = shifted(kind, frames, moves)
    np.testing.assert_allclose(got.sum((1, 2), dtype=float), frames.sum((1, 2), dtype=float), rtol=2e-6)


def test_the_beam_moves_where_it_should() -> None:
    frame = blobs((32, 40), np.array([[14.0, 17.0]]), 1.5)
    for kind in ("bilinear", "cubic", "fourier"):
        moved = shifted(kind, frame, [2.25, -3.5])[0].astype(float)
        y, x = ndimage.center_of_mass(moved)
        np.testing.assert_allclose((y, x), (16.25, 13.5), atol=1e-3, err_msg=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_without_a_known_shift(kind: str) -> None:
    frames = random_frames("f4", 4)
    got = shifted(kind, frames, [(np.nan, 0), (0, np.inf), (1, 1), (0, np.nan)], fill=7.0)
    assert np.isnan(got[[0, 1, 3]]).all()
    assert (got[2, 0] == 7).all()
    assert np.isfinite(got[2]).all()


def test_integers_without_a_known_shift_are_the_fill_value() -> None:
    got = shifted("integer", random_frames("u2", 2), [(np.nan, 0), (0, 0)], fill=3)
    assert (got[0] == 3).all()
    np.testing.assert_array_equal(got[1], random_frames("u2", 2)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_one_shift_for_all_and_no_frames(kind: str) -> None:
    frames = random_frames("f4")
    np.testing.assert_array_equal(
        shifted(kind, frames, (1.5, -2.5)), shifted(kind, frames, np.tile([1.5, -2.5], (3, 1)))
    )
    assert shifted(kind, frames[:0], np.empty((0, 2))).shape == (0, 7, 9)


def test_nan_pixels_stay_local() -> None:
    frames = random_frames("f4", 1, (11, 12))
    frames[0, 5, 6] = np.nan
    for kind, whole, between in (("bilinear", 1, 4), ("cubic", 1, 16)):
        assert np.isnan(shifted(kind, frames, (2, -1))).sum() == whole
        assert np.isnan(shifted(kind, frames, (0.5, 0.5))).sum() == between
    frames[0, 5, 6] = np.inf
    assert np.isinf(shifted("cubic", frames, (1, 1))).sum() == 1


@given(move=st.tuples(distances, distances), kind=st.sampled_from(list(KINDS)))
@settings(max_examples=60, deadline=None)
def test_covered_is_what_is_not_filled(move: tuple[float, float], kind: str) -> None:
    frames = np.ones((1, 8, 9), "f4")
    got = shifted(kind, frames, move, fill=np.nan)[0]
    (y0, y1), (x0, x1) = covered(move, (8, 9), kind)[0]
    expected = np.zeros((8, 9), bool)
    expected[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(np.isfinite(got), expected)


def test_halves_of_a_pixel_are_rounded_up() -> None:
    line = np.arange(1, 6, dtype="u1")[None, None]
    assert shifted("integer", line, (0, 0.5))[0, 0].tolist() == [0, 1, 2, 3, 4]
    assert shifted("integer", line, (0, -0.5))[0, 0].tolist() == [1, 2, 3, 4, 5]
    assert shifted("integer", line, (0, -1.5))[0, 0].tolist() == [2, 3, 4, 5, 0]


def test_saturated_and_wide_integers_keep_their_counts() -> None:
    frames = np.full((1, 6, 7), np.iinfo("u4").max, "u4")
    for kind in ("bilinear", "cubic"):
        got = shifted(kind, frames, (0.25, 0.5), fill=np.nan)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got[np.isfinite(got)], float(np.iinfo("u4").max), rtol=1e-15)

"""Resampling through an affine map, compiled and interpreted, against scipy and against a slow twin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lazy4d.kernels import affine
from lazy4d.kernels.affine import AffineMap, resample

KY, KX = 9, 11
DTYPES = ("u1", "u2", "u4", "f4", "f8", "i2")


def a_map(interpolation: str, angle: float = 23.0, factor: float = 1.0, shape: tuple[int, int] = (KY, KX)) -> AffineMap:
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    matrix = np.array([[c, 1.1 * s], [-0.9 * s, c]])
    offset = np.array([4.3, 5.2]) - matrix @ (4, 5)
    return AffineMap(shape, tuple(matrix.ravel().tolist()), tuple(offset.tolist()), interpolation, factor)


def keys(x: float) -> float:
    """The cubic of R. Keys with a = -1/2, as the paper has it."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def twin(frames: NDArray[Any], places: AffineMap, fill: float) -> NDArray[np.float64]:
    """Pixel by pixel, by the definition: every pixel whose weight is not 0 has to be inside."""
    reach = {"nearest": 0, "bilinear": 1, "cubic": 2}[places.interpolation]
    weight = keys if reach == 2 else lambda d: max(0.0, 1 - abs(d))
    out = np.full(frames.shape, fill, np.float64)
    matrix, (rows, columns) = np.reshape(places.matrix, (2, 2)), places.shape
    for y in range(rows):
        for x in range(columns):
            v, u = matrix @ (y, x) + places.offset
            v, u = (round(p) if abs(p - round(p)) < 1e-9 else p for p in (v, u))
            if reach == 0:
                taps = {(math.floor(v + 0.5), math.floor(u + 0.5)): 1.0}
            else:
                near = [range(math.floor(p) - reach, math.floor(p) + reach + 2) for p in (v, u)]
                taps = {(j, i): weight(v - j) * weight(u - i) for j in near[0] for i in near[1]}
            taps = {at: w for at, w in taps.items() if abs(w) > 1e-15}
            if all(0 <= j < rows and 0 <= i < columns for j, i in taps):
                out[:, y, x] = places.factor * sum(w * frames[:, j, i].astype(float) for (j, i), w in taps.items())
    return out


def frames_of(dtype: str, kind: str = "random") -> NDArray[Any]:
    values = np.random.default_rng(3).poisson(20.0, (3, KY, KX)).astype(dtype)
    if kind == "saturated" and np.dtype(dtype).kind != "f":
        values[:] = np.iinfo(dtype).max
    return values * (kind != "empty") if kind != "no frames" else values[:0]


@pytest.mark.parametrize("kind", ["random", "saturated", "empty", "no frames"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", affine.INTERPOLATIONS)
def test_is_its_definition(interpolation: str, dtype: str, kind: str) -> None:
    frames, places = frames_of(dtype, kind), a_map(interpolation)
    result = np.dtype(dtype) if interpolation == "nearest" else np.result_type(dtype, np.float32)
    out = np.full(frames.shape, 77, result)
    resample(frames, places, result.type(3), out)
    scale = max(float(np.abs(frames.astype(float)).max(initial=0)), 1)
    np.testing.assert_allclose(out, twin(frames, places, 3.0), atol=(2e-6 if result == np.float32 else 1e-14) * scale)


@pytest.mark.parametrize("name", ["_gather_linear", "_gather_cubic"])
def test_interpreted_is_compiled(name: str) -> None:
    frames, places = frames_of("u2"), a_map("bilinear" if name == "_gather_linear" else "cubic", factor=1.5)
    outs = np.empty((2, *frames.shape))
    function = getattr(affine, name)
    for run, out in zip((function, function.py_func), outs, strict=True):
        run(frames.reshape(3, -1), *affine.plan(places, "d"), np.float64("nan"), out)
    np.testing.assert_allclose(outs[0], outs[1], rtol=1e-13)
    assert np.isnan(outs[0]).any()


@pytest.mark.parametrize(
    ("interpolation", "order", "mode"), [("nearest", 0, "grid-constant"), ("bilinear", 1, "constant")]
)
@settings(max_examples=15, deadline=None)
@given(
    angle=st.floats(-200, 200),
    stretch=st.floats(0.6, 1.7),
    shear=st.floats(-0.5, 0.5),
    center=st.tuples(st.floats(-3, 12), st.floats(-3, 14)),
)
def test_agrees_with_scipy(
    interpolation: str, order: int, mode: str, angle: Any, stretch: Any, shear: Any, center: Any
) -> None:
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    matrix = np.array([[c, s], [-s, c]]) @ np.array([[stretch, shear], [0, 1 / stretch]])
    offset = np.array(center) - matrix @ center + (0.1234567, -0.0712345)
    places = AffineMap((KY, KX), tuple(matrix.ravel().tolist()), tuple(offset.tolist()), interpolation)
    margin = np.stack(affine.source_places(places))  # scipy and we may differ where rounding decides
    edge = margin if order else margin + 0.5
    sizes = np.array([KY, KX])[:, None, None] - (1 if order else 0)
    unsure = ((np.abs(edge) < 1e-7) | (np.abs(edge - sizes) < 1e-7)).any(axis=0)
    if order == 0:
        unsure |= (np.abs(edge - np.rint(edge)) < 1e-7).any(axis=0)
    frames = frames_of("f8")[:1]
    out = np.empty_like(frames)
    resample(frames, places, np.float64(-1), out)
    expected = ndimage.affine_transform(frames[0], matrix, offset, order=order, mode=mode, cval=-1.0)
    np.testing.assert_allclose(out[0][~unsure], expected[~unsure], atol=1e-11)


def test_cubic_reproduces_parabolas() -> None:
    y, x = np.mgrid[:12, :14].astype(float)
    places = a_map("cubic", angle=10.0, shape=(12, 14))
    v, u = affine.source_places(places)
    out = np.empty((1, 12, 14))
    resample((2 + y - 3 * x + x * y + 0.5 * x * x - y * y)[None], places, np.float64("nan"), out)
    inside = np.isfinite(out[0])
    assert inside.sum() > 60
    np.testing.assert_allclose(out[0][inside], (2 + v - 3 * u + u * v + 0.5 * u * u - v * v)[inside], atol=1e-11)


@pytest.mark.parametrize("interpolation", affine.INTERPOLATIONS)
def test_nan_beside_a_whole_place_does_not_spoil_it(interpolation: str) -> None:
    frames = frames_of("f4")
    frames[:, ::2] = np.nan
    out = np.empty_like(frames)
    turned = AffineMap((KY, KX), (1.0, 1e-17, -1e-17, 1.0), (0.0, 1.0), interpolation)
    resample(frames, turned, np.float32(0), out)
    np.testing.assert_array_equal(out[:, :, :-1], frames[:, :, 1:])
    assert (out[:, :, -1] == 0).all()


def test_nearest_takes_any_dtype() -> None:
    for dtype in ("?", "f2", "c16", "i8"):
        frames = np.random.default_rng(0).integers(0, 2, (2, KY, KX)).astype(dtype)
        out = np.empty_like(frames)
        resample(
            frames,
            AffineMap((KY, KX), (-1.0, 0.0, 0.0, -1.0), (KY - 1.0, KX - 1.0), "nearest"),
            frames.dtype.type(0),
            out,
        )
        np.testing.assert_array_equal(out, frames[:, ::-1, ::-1])


def test_a_frame_of_one_row() -> None:
    out = np.empty((1, 1, 4))
    for interpolation in ("bilinear", "cubic"):
        resample(
            np.arange(4.0).reshape(1, 1, 4),
            AffineMap((1, 4), (1.0, 0.0, 0.0, 1.0), (0.0, 0.5), interpolation),
            np.nan,
            out,
        )
        assert out[0, 0, 1] == pytest.approx(1.5)
        assert np.isnan(out[0, 0, 3])

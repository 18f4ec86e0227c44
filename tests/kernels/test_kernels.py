"""Every kernel, compiled and interpreted, against its numpy twin, on every dtype and on frames of every kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazy4d.kernels import accumulate, elementwise, histogram, moments, patterns, rebin, repair, virtual_image
from tests import reference

KY, KX = 7, 9
DTYPES = ("u1", "u2", "u4", "f4", "i2", "f8")
FEW = DTYPES[:4]
SLOW = {"center_of_mass", "moments_pattern", "second_moments", "weighted_sums"}  # a second or two to compile
KINDS = ("random", "saturated", "empty", "one frame", "no frames")
WINDOW = np.array([1, 6, 2, 9])
WHOLE = np.array([0, KY, 0, KX])
NO_MASK = np.empty((0, 0), np.uint8)
MASK = (np.arange(KY * KX).reshape(KY, KX) % 3 > 0).astype(np.uint8)
WEIGHTS = np.random.default_rng(1).normal(size=(5, KY, KX))
SPANS = np.array([[-3, 2], [4, 5], [9, 30], [30, 30], [60, 70]])

Fill = Callable[[NDArray[Any]], tuple[NDArray[Any], ...]]


@dataclass(frozen=True)
class Case:
    """A kernel, its parameters, and what it is to fill, made from the frames."""

    kernel: Any
    params: tuple[Any, ...]
    outs: Fill
    rtol: float = 1e-12
    atol: float = 0.0

    @property
    def twin(self) -> Callable[..., None]:
        return getattr(reference, self.kernel.__name__)


def filled(*shape: int, dtype: Any = None) -> Fill:
    """One array [n, *shape] of garbage, exact by default: a kernel fills all of it."""
    return lambda frames: (np.full((len(frames), *shape), 99, dtype or accumulate.sum_dtype(frames.dtype)),)


def zeros(*shape: int, dtype: Any = None) -> Fill:
    """One state array that starts from zero."""
    return lambda frames: (np.zeros(shape, dtype or accumulate.sum_dtype(frames.dtype)),)


def lowest(frames: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    value = -np.inf if frames.dtype.kind == "f" else np.iinfo(frames.dtype).min
    return (np.full((KY, KX), value, frames.dtype),)


def highest(frames: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    value = np.inf if frames.dtype.kind == "f" else np.iinfo(frames.dtype).max
    return (np.full((KY, KX), value, frames.dtype),)


def welford(frames: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return np.zeros(1, np.int64), np.zeros((KY, KX)), np.zeros((KY, KX))


def repaired(frames: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return (np.full(frames.shape, 99, frames.dtype),)


BAD = np.array([[0, 0], [3, 4], [6, 8]])
STARTS = np.array([0, 3, 7, 8])
NEIGHBOURS = np.array([[0, 1], [1, 0], [1, 1], [2, 4], [4, 4], [3, 3], [3, 5], [5, 7]])
DARK = np.linspace(-1, 3, KY * KX, dtype=np.float32).reshape(KY, KX)
GAIN = np.linspace(0.5, 2, KY * KX, dtype=np.float32).reshape(KY, KX)


def like_frames(*shape: int) -> Fill:
    return lambda frames: (np.empty((len(frames), *shape), frames.dtype),)


CASES = {
    "total_intensity": Case(virtual_image.total_intensity, (), filled()),
    "sum_spans": Case(virtual_image.sum_spans, (SPANS,), filled()),
    "sum_spans nothing": Case(virtual_image.sum_spans, (SPANS[:0],), filled()),
    "weighted_sum": Case(virtual_image.weighted_sum, (WEIGHTS[0],), filled(dtype=float), rtol=1e-11),
    "weighted_sum f4": Case(virtual_image.weighted_sum, (WEIGHTS[0].astype("f4"),), filled(dtype=float), rtol=1e-11),
    "weighted_sums": Case(virtual_image.weighted_sums, (WEIGHTS.reshape(5, -1),), filled(5, dtype=float), rtol=1e-10),
    "center_of_mass": Case(moments.center_of_mass, (WHOLE, NO_MASK, -np.inf, 0.0), filled(3, dtype=float)),
    "center_of_mass window": Case(moments.center_of_mass, (WINDOW, NO_MASK, -np.inf, 0.0), filled(3, dtype=float)),
    "center_of_mass mask": Case(moments.center_of_mass, (WINDOW, MASK, -np.inf, 0.0), filled(3, dtype=float)),
    "center_of_mass threshold": Case(moments.center_of_mass, (WHOLE, NO_MASK, 2.5, 0.0), filled(3, dtype=float)),
    "center_of_mass mask and threshold": Case(moments.center_of_mass, (WINDOW, MASK, 1.5, 0.0), filled(3, dtype=float)),
    "center_of_mass background": Case(moments.center_of_mass, (WHOLE, NO_MASK, -np.inf, 0.5), filled(3, dtype=float)),
    "center_of_mass all": Case(moments.center_of_mass, (WINDOW, MASK, 1.0, 0.75), filled(3, dtype=float)),
    "second_moments": Case(
        moments.second_moments, (WHOLE, NO_MASK, -np.inf, 0.0), filled(3, dtype=float), rtol=1e-9, atol=1e-11
    ),
    "second_moments all": Case(
        moments.second_moments, (WINDOW, MASK, 1.0, 0.75), filled(3, dtype=float), rtol=1e-9, atol=1e-11
    ),
    "second_moments threshold": Case(
        moments.second_moments, (WINDOW, NO_MASK, 1.0, 0.0), filled(3, dtype=float), rtol=1e-9, atol=1e-11
    ),
    "sum_pattern": Case(patterns.sum_pattern, (), zeros(KY, KX)),
    "max_pattern": Case(patterns.max_pattern, (), lowest),
    "min_pattern": Case(patterns.min_pattern, (), highest),
    "moments_pattern": Case(patterns.moments_pattern, (), welford, rtol=1e-11, atol=1e-9),
    "rebin_sum 2 x 3": Case(rebin.rebin_sum, (2, 3), filled(3, 3)),
    "rebin_sum 3 x 2": Case(rebin.rebin_sum, (3, 2), filled(2, 4)),
    "rebin_sum 1 x 4": Case(rebin.rebin_sum, (1, 4), filled(7, 2)),
    "rebin_sum 7 x 1": Case(rebin.rebin_sum, (7, 1), filled(1, 9)),
    "histogram": Case(histogram.histogram, (-2.0, 5.0), zeros(9, dtype=np.int64)),
    "histogram wide": Case(histogram.histogram, (-1e7, 5e9), zeros(7, dtype=np.int64)),
    "apply_dark_and_gain": Case(repair.apply_dark_and_gain, (DARK, GAIN), filled(KY, KX, dtype=np.float32), rtol=2e-7),
    "replace_by_neighbours mean": Case(
        repair.replace_by_neighbours, (BAD, STARTS, NEIGHBOURS, False, True), repaired, rtol=2e-7
    ),
    "replace_by_neighbours median": Case(
        repair.replace_by_neighbours, (BAD, STARTS, NEIGHBOURS, True, False), filled(KY, KX, dtype=float)
    ),
    "replace_by_neighbours nothing": Case(
        repair.replace_by_neighbours, (BAD[:0], STARTS[:1], NEIGHBOURS[:0], False, False), repaired
    ),
    "crop": Case(elementwise.crop, (1, 6, 2, 2, 9, 3), like_frames(3, 3)),
    "crop backwards": Case(elementwise.crop, (6, -1, -3, 8, 1, -2), like_frames(3, 4)),
}

REDUCTIONS = {patterns.__name__, histogram.__name__}
SLOW_TO_COMPILE = {name for name, case in CASES.items() if case.kernel.__name__ in SLOW}


def make_frames(kind: str, dtype: str) -> NDArray[Any]:
    """Frames [n, 7, 9]; signed and floating ones hold negative pixels too."""
    rng = np.random.default_rng(7)
    n = {"one frame": 1, "no frames": 0}.get(kind, 15)
    if kind == "empty":
        return np.zeros((n, KY, KX), dtype)
    if kind == "saturated":
        top = np.iinfo(dtype).max if dtype[0] in "ui" else 2.0**100
        return np.full((n, KY, KX), top, dtype)
    values = rng.poisson(3.0, (n, KY, KX)).astype(float)
    if dtype[0] in "if":
        values -= 1
    if dtype[0] == "f":
        values += rng.normal(0, 0.1, values.shape)
    return values.astype(dtype)


def interpreted(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The kernel as plain Python, together with the functions of its module that it calls."""
    module = sys.modules[kernel.__module__]
    for name, value in list(vars(module).items()):
        if hasattr(value, "py_func"):
            monkeypatch.setattr(module, name, value.py_func)
    return getattr(kernel, "py_func", kernel)


def check(case: Case, kernel: Callable[..., None], kind: str, dtype: str) -> None:
    """Compare one kernel with its twin on one kind of frames."""
    frames = make_frames(kind, dtype)
    before = frames.copy()
    expected, found = case.outs(frames), case.outs(frames)
    case.twin(frames, *case.params, *expected)
    assert kernel(frames, *case.params, *found) is None
    for result, right in zip(found, expected, strict=True):
        if right.dtype.kind == "f":
            scale = max(1.0, float(np.nanmax(np.abs(right), initial=0)))
            np.testing.assert_allclose(result, right, rtol=case.rtol, atol=case.atol * scale, err_msg=kind)
        else:
            np.testing.assert_array_equal(result, right, err_msg=kind)
    np.testing.assert_array_equal(frames, before)


@pytest.mark.parametrize(("name", "dtype"), [(n, t) for n in CASES for t in (FEW if n in SLOW_TO_COMPILE else DTYPES)])
def test_compiled_and_interpreted_kernels_equal_their_twin(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    for kind in KINDS:
        check(case, case.kernel, kind, dtype)
    plain = interpreted(case.kernel, monkeypatch)
    for kind in KINDS:
        check(case, plain, kind, dtype)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.kernel.__module__ not in REDUCTIONS])
def test_a_frame_alone_gives_the_same_bits_as_in_a_tile(name: str) -> None:
    """Results must not depend on how a scan is cut into blocks and tiles."""
    case = CASES[name]
    frames = make_frames("random", "f4")
    together = case.outs(frames)
    case.kernel(frames, *case.params, *together)
    for i in range(len(frames)):
        alone = case.outs(frames[i : i + 1])
        case.kernel(frames[i : i + 1], *case.params, *alone)
        np.testing.assert_array_equal(alone[0][0], together[0][i])


def test_every_kernel_has_a_case_and_a_twin() -> None:
    kernels = {
        name
        for module in (virtual_image, moments, rebin, histogram)
        for name, value in vars(module).items()
        if hasattr(value, "py_func") and not name.startswith("_")
    } | {name for name, value in vars(patterns).items() if hasattr(value, "py_func") and not name.startswith("_")}
    assert kernels <= {case.kernel.__name__ for case in CASES.values()} | {"jit", "jit_fast"}

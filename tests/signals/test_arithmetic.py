"""Operators and ufuncs against numpy: values, dtypes, broadcasting over navigation and signal axes separately."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from tests.signals.conftest import make_scan

BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.gt,
    operator.le,
    operator.eq,
    operator.ne,
    np.maximum,
    np.hypot,
]


@pytest.fixture(autouse=True)
def _quiet_numpy() -> Any:
    with np.errstate(all="ignore"):
        yield


def frame_of(pixels: Any) -> Any:
    return np.arange(120, dtype="float32").reshape(12, 10)


@pytest.mark.parametrize("function", BINARY)
@pytest.mark.parametrize("other", [2, 2.5, np.uint16(3), np.float32(0.5)], ids=repr)
def test_scalars_on_either_side(function: Any, other: Any, pixels: Any, no_compute: Any) -> None:
    scan = make_scan(pixels, 1)
    with no_compute:
        right, left = function(scan, other), function(other, scan)
    for result, expected in ((right, function(pixels, other)), (left, function(other, pixels))):
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result.as_numpy(), expected)


@pytest.mark.parametrize("function", [operator.sub, operator.truediv, operator.gt])
def test_operands_of_every_shape(function: Any, pixels: Any, no_compute: Any) -> None:
    scan = make_scan(pixels, ((1, 3), (2, 2, 1)))
    mean, total = scan.mean(), scan.sum(["kx", "ky"])
    frame = frame_of(pixels)
    np_mean = mean.as_numpy()
    np_total = pixels.sum((2, 3), dtype=total.dtype)[..., None, None]
    cases: list[tuple[Any, Any]] = [
        (mean, np_mean),
        (mean.compute(), np_mean),
        (total, np_total),
        (total.compute(), np_total),
        (scan, pixels),
        (scan.compute(), pixels),
        (frame, frame),
        (frame[:1], frame[:1]),
        (frame[0], frame[0]),
        (pixels[::-1], pixels[::-1]),
        (scan.mean().data, np_mean),
        (scan.data, pixels),
        (np.float32(2)[...], np.float32(2)),
    ]
    for operand, expected in cases:
        with no_compute:
            results = function(scan, operand), function(operand, scan)
        for result, wanted in zip(results, (function(pixels, expected), function(expected, pixels)), strict=True):
            assert isinstance(result, l4.Diffraction2D)
            assert result.dtype == wanted.dtype
            np.testing.assert_allclose(result.as_numpy(), wanted, rtol=1e-12)
            assert result.axes_manager.equals(scan.axes_manager)


def test_navigation_times_signal_is_an_outer_product(scan: Any, pixels: Any) -> None:
    outer = scan.sum(["kx", "ky"]) * scan.sum()
    assert outer.shape == scan.shape
    np.testing.assert_allclose(
        outer.as_numpy(), pixels.sum((2, 3), dtype=float)[..., None, None] * pixels.sum((0, 1), dtype=float)
    )
    assert outer.axes_manager.equals(scan.axes_manager)


def test_functions_of_one_operand(scan: Any, pixels: Any) -> None:
    for function in (np.sqrt, np.abs, np.isfinite, operator.neg, operator.abs, np.square):
        result, expected = function(scan), function(pixels)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result.as_numpy(), expected)


def test_functions_of_two_outputs(scan: Any, pixels: Any) -> None:
    for result, expected in zip(divmod(scan, 3), np.divmod(pixels, 3), strict=True):
        np.testing.assert_array_equal(result.as_numpy(), expected)
        assert result.dtype == expected.dtype


def test_in_place_operators_rebind(scan: Any, pixels: Any) -> None:
    name = scan
    name += 1
    assert name is not scan
    np.testing.assert_array_equal(name.as_numpy(), pixels + 1)
    np.testing.assert_array_equal(scan.as_numpy(), pixels)


def test_dtype_and_casting_options(scan: Any, pixels: Any) -> None:
    result = np.add(scan, 1, dtype="float64")
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result.as_numpy(), np.add(pixels, 1, dtype="float64"))


def test_arithmetic_of_maps(scan: Any, pixels: Any) -> None:
    total = scan.get_total_intensity()
    result = (total - total.mean()) / total.std()
    expected = pixels.sum((2, 3), dtype=float)
    np.testing.assert_allclose(result.as_numpy(), (expected - expected.mean()) / expected.std(), rtol=1e-9)
    assert type(result) is l4.VirtualImage


def test_comparison_gives_a_mask_that_selects(scan: Any, pixels: Any) -> None:
    total = pixels.sum((2, 3))
    mask = scan.get_total_intensity() > float(np.median(total))
    assert mask.dtype == bool
    with pytest.raises(TypeError, match=r"compute it first, s\.inav\[mask\.compute\(\)\]"):
        scan.inav[mask]
    picked = scan.inav[mask.compute()]
    np.testing.assert_array_equal(picked.as_numpy(), pixels[total > np.median(total)])


def test_chains_of_stages_are_one_walk(scan: Any, pixels: Any) -> None:
    result = (scan.astype("float32") - 1) * 2
    assert len(result.frames.stages) == 3
    np.testing.assert_array_equal(result.as_numpy(), (pixels.astype("float32") - 1) * 2)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda s: s + s.inav[:2], ValueError, r"the navigation shapes \(4, 5\) and \(4, 2\) .* do not broadcast"),
        (lambda s: s + s.isig[:3], ValueError, "the signal shapes"),
        (lambda s: s + np.ones(7), ValueError, r"an array of shape \(7,\) does not broadcast"),
        (lambda s: s + np.ones((4, 5)), ValueError, "wrap it: lazy4d.VirtualImage"),
        (lambda s: s + "a", TypeError, "expected a number, an array or a signal"),
        (lambda s: s.astype("uint8") + 300, OverflowError, "300 does not fit uint8"),
        (lambda s: s @ s, TypeError, "matmul does not work on signals"),
        (lambda s: np.add.reduce(s), TypeError, r"add\.reduce does not work on signals, .* take s\.sum\(\)"),
        (lambda s: np.add(s, 1, out=s), TypeError, "takes no out=, found tuple: a signal is a value"),
        (lambda s: np.add(s, 1, where=np.ones(10, bool)), TypeError, "takes no where=, found ndarray"),
    ],
)
def test_errors_come_while_building(simple: Any, function: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        function(simple)


SCALAR = st.one_of(st.integers(-100, 100), st.floats(-10, 10), st.sampled_from([np.int8(-3), np.float32(1.5)]))


@settings(max_examples=25, deadline=None)
@given(
    dtype=st.sampled_from(["u1", "i2", "u4", "f4", "f8", "?"]),
    ufunc=st.sampled_from([np.add, np.multiply, np.maximum, np.true_divide, np.less, np.power]),
    other=SCALAR,
    nav=st.integers(0, 2),
)
def test_dtypes_are_numpys(dtype: str, ufunc: Any, other: Any, nav: int) -> None:
    values = (np.arange(24) % 5).astype(dtype).reshape([(6, 4), (2, 3, 4), (2, 1, 3, 4)][nav])
    with np.errstate(all="ignore"):
        try:
            expected = ufunc(values, other)
        except (OverflowError, TypeError) as error:
            with pytest.raises(type(error), match=r"fit|dtype|types"):
                ufunc(make_scan(values), other)
            return
        except ValueError:  # integers to negative powers: numpy knows only when it sees the values
            return
    result = ufunc(make_scan(values), other)
    assert result.dtype == expected.dtype
    with l4.set_options(progress=False):
        np.testing.assert_array_equal(result.as_numpy(), expected)

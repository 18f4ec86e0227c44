"""numpy functions that are no ufuncs, on signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lazy4d as l4


@pytest.mark.parametrize(
    ("function", "args"),
    [(np.clip, (1, 3)), (np.round, ()), (np.around, (1,)), (np.nan_to_num, ()), (np.real, ()), (np.angle, ())],
)
def test_one_value_at_a_time_stays_lazy(function: Any, args: Any, scan: Any, pixels: Any, no_compute: Any) -> None:
    with no_compute:
        result = function(scan, *args)
        row = function(scan.isig[2], *args)
    assert type(result) is type(scan)
    assert result.lazy
    assert result.axes_manager.equals(scan.axes_manager)
    expected = function(pixels, *args)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result.as_numpy(), expected)
    np.testing.assert_array_equal(row.as_numpy(), expected[..., 2])
    assert result.history[-1].op == function.__name__


def test_complex_parts(simple: Any) -> None:
    turned = simple * np.exp(0.5j)
    assert np.imag(turned).dtype == np.float64
    np.testing.assert_allclose(np.angle(turned + 1j).as_numpy(), np.angle(turned.as_numpy() + 1j))


@pytest.mark.parametrize("function", [np.sum, np.mean, np.max, np.amin, np.std])
def test_reductions_say_which_method_is_meant(function: Any, simple: Any) -> None:
    with pytest.raises(TypeError, match=r"could mean positions or pixels: take s\.(sum|mean|max|min|std)\(\) over"):
        function(simple)


def test_everything_else_works_on_signals_in_memory(simple: Any) -> None:
    known = simple.compute()
    assert np.median(known) == np.median(known.data)
    np.testing.assert_array_equal(np.stack([known, known])[1], known.data)
    assert np.shape(simple) == simple.shape


@pytest.mark.parametrize("function", [np.median, np.argmax, np.nansum, np.cumsum])
def test_nothing_is_read_whole_without_being_told(function: Any, simple: Any, no_compute: Any) -> None:
    with no_compute, pytest.raises(TypeError, match="would read all of the lazy"):
        function(simple)
    with no_compute, pytest.raises(TypeError, match="would read all of the lazy"):
        np.concatenate([simple, simple])


def test_limits_are_those_of_a_frame(simple: Any) -> None:
    limits = np.arange(10.0) / 3
    np.testing.assert_array_equal(np.clip(simple, 0, limits).as_numpy(), np.clip(simple.as_numpy(), 0, limits))
    with pytest.raises(ValueError, match=r"broadcast to a frame of shape \(12, 10\).*found shape \(4, 5, 1, 1\)"):
        np.clip(simple, 0, np.ones((4, 5, 1, 1)))
    with pytest.raises(ValueError, match=r"found shape \(20, 1, 1\)"):
        np.clip(simple, 0, np.ones((20, 1, 1)))


def test_a_signal_is_a_value(simple: Any) -> None:
    with pytest.raises(TypeError, match="takes no out="):
        np.clip(simple, 1, 2, out=np.empty(simple.shape))
    assert np.clip(l4.VirtualImage(np.arange(6.0)), 1, 2).as_numpy().tolist() == [1, 1, 2, 2, 2, 2]

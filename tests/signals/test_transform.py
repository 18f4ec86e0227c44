"""Transposing, rebinning, converting, rechunking, stacking against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.lazy import Frames
from tests.signals.conftest import make_scan


def numpy_rebin(pixels: Any, factors: tuple[int, ...]) -> Any:
    """Sums of groups in numpy order, remainders left out."""
    trimmed = pixels[tuple(slice(0, n // f * f) for n, f in zip(pixels.shape, factors, strict=True))]
    for axis, f in enumerate(factors):
        trimmed = np.add.reduceat(trimmed, np.arange(0, trimmed.shape[axis], f), axis=axis)
    return trimmed


def test_transposes(simple: Any) -> None:
    pixels = simple.as_numpy()
    np.testing.assert_array_equal(simple.T.as_numpy(), pixels.transpose(2, 3, 0, 1))
    np.testing.assert_array_equal(simple.T.T.as_numpy(), pixels)
    assert simple.T.T.axes_manager.equals(simple.axes_manager)
    assert [a.name for a in simple.T.axes_manager] == ["kx", "ky", "x", "y"]
    one = simple.transpose(signal_axes=["x"])
    assert (one.nav_shape, one.frame_shape, type(one)) == ((4, 12, 10), (5,), l4.Signal1D)
    np.testing.assert_array_equal(one.as_numpy(), pixels.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(simple.transpose(signal_axes=["ky", "kx"]).as_numpy(), pixels.swapaxes(2, 3))
    assert simple.transpose(navigation_axes=1).nav_shape == (4,)
    assert simple.transpose(signal_axes=0).nav_shape == (4, 5, 12, 10)
    assert simple.transpose(navigation_axes=["kx", 0], signal_axes=["ky", "y"]).nav_shape == (5, 10)


@pytest.mark.parametrize(
    "options", [{"signal_axes": ["x", "x"]}, {"signal_axes": ["x"], "navigation_axes": ["y"]}, {"signal_axes": 7}]
)
def test_transposes_that_cannot_be(simple: Any, options: Any) -> None:
    with pytest.raises(ValueError, match=r"expected each of the axes|signal axes asked for"):
        simple.transpose(**options)


@settings(max_examples=20, deadline=None)
@given(
    factors=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(1, 5)),
    dtype=st.sampled_from(["u1", "u2", "i4", "f4", "?"]),
    ragged=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:rebin leaves out")
def test_rebin_sums(factors: tuple[int, ...], dtype: str, ragged: bool) -> None:
    pixels = np.random.default_rng(0).poisson(2.0, (4, 5, 6, 5)).astype(dtype)
    scan = make_scan(pixels, ((1, 3), (2, 2, 1)) if ragged else "auto")
    fy, fx, fky, fkx = factors
    result = scan.rebin(scale=(fx, fy, fkx, fky))
    expected = numpy_rebin(pixels.astype("i8" if dtype != "f4" else "f4"), factors)
    with l4.set_options(progress=False):
        np.testing.assert_allclose(result.as_numpy(), expected, rtol=1e-6)
    assert result.dtype == {"u": np.uint64, "f": np.float32}.get(pixels.dtype.kind, np.int64)
    for name, n, f in zip(("y", "x", "ky", "kx"), pixels.shape, factors, strict=True):
        old, new = scan.axes_manager[name].axis, result.axes_manager[name].axis
        np.testing.assert_allclose(new, old[: n // f * f].reshape(-1, f).mean(axis=1))


def test_rebin_by_shape_dtype_and_warning(simple: Any) -> None:
    pixels = simple.as_numpy()
    same = simple.rebin(new_shape=(5, 2, 5, 3), dtype="uint16")
    np.testing.assert_array_equal(same.as_numpy(), numpy_rebin(pixels, (2, 1, 4, 2)))
    assert same.dtype == np.uint16
    with pytest.warns(l4.Lazy4DWarning, match="leaves out the last 1 of x, the last 2 of ky"):
        simple.rebin(scale=(2, 1, 1, 5))


def test_rebin_of_lines_and_maps() -> None:
    values = np.arange(24.0).reshape(4, 6)
    np.testing.assert_allclose(l4.VirtualImage(values).rebin(scale=(3, 2)).as_numpy(), numpy_rebin(values, (2, 3)))
    np.testing.assert_allclose(l4.Signal1D(values).rebin(scale=(2, 3)).as_numpy(), numpy_rebin(values, (2, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either scale or new_shape"),
        ({"scale": (2, 2)}, "one entry for each axis"),
        ({"scale": 2}, "one entry for each axis"),
        ({"scale": (1, 1, float("inf"), 1)}, "axis 'kx' of size 10"),
        ({"scale": (1, 1, 1.5, 1)}, "whole factor such as 2"),
        ({"new_shape": (5, 4, 10, 5)}, "new_shape entry 5"),
        ({"scale": (9, 1, 1, 1)}, "axis 'x' of size 5"),
        ({"scale": (0, 1, 1, 1)}, "axis 'x' of size 5"),
    ],
)
def test_rebins_that_cannot_be(simple: Any, options: Any, message: str) -> None:
    if options.get("new_shape"):
        message = "axis 'ky' of size 12"
    with pytest.raises(ValueError, match=message):
        simple.rebin(**options)


def test_rebin_by_no_number(simple: Any) -> None:
    with pytest.raises(TypeError, match="expected a number for axis 'x', found 'two'"):
        simple.rebin(scale=("two", 1, 1, 1))


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32", "bool", "complex64"])
def test_astype(scan: Any, pixels: Any, dtype: str) -> None:
    result = scan.astype(dtype)
    assert result.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(result.as_numpy(), pixels.astype(dtype))


def test_astype_of_no_number(simple: Any) -> None:
    with pytest.raises(ValueError, match="a signal holds numbers"):
        simple.astype("U5")


def test_rechunk(simple: Any) -> None:
    assert simple.rechunk((2, -1)).data.chunks[:2] == ((2, 2), (5,))
    cut = simple.rechunk(sig_chunks=4)
    assert cut.data.chunks[2:] == ((4, 4, 4), (4, 4, 2))
    assert cut.rechunk(2).data.chunks == ((2, 2), (5,), (12,), (10,))
    np.testing.assert_array_equal(cut.rechunk().as_numpy(), simple.as_numpy())


def test_operations_on_cut_frames(simple: Any) -> None:
    pixels = simple.as_numpy()
    cut = simple.rechunk(sig_chunks=4)
    np.testing.assert_array_equal((cut + 1).as_numpy(), pixels + 1)
    np.testing.assert_array_equal((cut - cut.max()).as_numpy(), pixels - pixels.max((0, 1)))
    np.testing.assert_array_equal(cut.T.as_numpy(), pixels.transpose(2, 3, 0, 1))
    np.testing.assert_array_equal(l4.stack([cut, cut]).as_numpy(), np.stack([pixels] * 2))


def test_stack_keeps_what_each_file_said(simple: Any) -> None:
    other = simple + 1
    other.metadata.General.title = "second"
    other.original_metadata.set_item("Header.gain", 3)
    both = l4.stack([simple, other])
    assert both.title == "scan"
    assert both.original_metadata.get_item("stack_elements.element1.Header.gain") == 3
    assert both.axes_manager[2].name == "stack_element"
    assert both.history[-1].parents == (other.history.id,)


def test_stack_of_maps_and_patterns(simple: Any) -> None:
    image, pattern = simple.get_total_intensity(), simple.sum()
    assert l4.stack([image] * 3).shape == (3, 4, 5)
    assert l4.stack([pattern] * 2, new_axis_name="tilt").axes_manager.navigation_axes[0].name == "tilt"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: l4.stack([]), "at least one signal"),
        (lambda s: l4.stack([s, s.inav[1:]]), "expected signals of one shape"),
        (lambda s: l4.stack([s, s.isig[1:]], axis="x"), "of one shape but for 'x'"),
    ],
)
def test_stacks_that_cannot_be(simple: Any, make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(simple)


def test_stack_takes_signals(simple: Any) -> None:
    assert l4.stack(simple).axes_manager.navigation_shape == (5, 4, 1)
    with pytest.raises(TypeError, match="stack joins signals, found Diffraction2D, ndarray"):
        l4.stack([simple, np.ones((4, 5, 12, 10))])


def test_frames_of_three_axes() -> None:
    values = np.random.default_rng(0).integers(0, 9, (3, 4, 5, 6)).astype("uint8")
    signal = l4.BaseSignal(Frames.from_array(values, 1))
    assert signal.frame_shape == (4, 5, 6)
    np.testing.assert_array_equal(signal.rebin(scale=(3, 3, 5, 2)).as_numpy(), numpy_rebin(values, (3, 2, 5, 3)))
    np.testing.assert_array_equal(signal.sum().as_numpy(), values.sum(0))
    np.testing.assert_array_equal(signal.max(["kx"]).as_numpy(), values.max(3))
    np.testing.assert_array_equal(signal.isig[::2, 1].as_numpy(), values[:, :, 1, ::2])


def test_joined_positions_keep_their_places(simple: Any) -> None:
    masks = [np.arange(20).reshape(4, 5) % 3 == k for k in (0, 1)]
    parts = [simple.inav[mask] for mask in masks]
    joined = l4.stack(parts, axis="position").axes_manager["position"]
    for k, place in enumerate(joined.coordinates):
        both = [part.axes_manager["position"].coordinates[k].values for part in parts]
        np.testing.assert_array_equal(place.values, np.concatenate(both))
    assert joined.size == 14
    blank = l4.stack([parts[0].T.T, l4.Diffraction2D(parts[0].data)], axis=0)
    assert blank.axes_manager[0].coordinates == ()

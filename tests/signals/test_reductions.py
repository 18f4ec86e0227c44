"""Reductions over any axes against numpy, exactly where integers allow."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Frames
from tests.signals.conftest import make_scan

NAMES = ("sum", "mean", "max", "min", "std", "var")
# x-first numbers of (x, y, kx, ky) as numpy's axes of (y, x, ky, kx)
NUMPY = {0: 1, 1: 0, 2: 3, 3: 2}
SUBSETS = [c for n in (1, 2, 3, 4) for c in combinations(range(4), n)]


def numpy_says(name: str, pixels: Any, axes: tuple[int, ...]) -> Any:
    if name in ("max", "min"):
        return getattr(pixels, name)(axis=axes)
    if name == "sum":
        kind = {"u": "uint64", "i": "int64", "b": "int64", "f": "float64"}[pixels.dtype.kind]
        return pixels.sum(axis=axes, dtype=kind)
    return getattr(pixels, name)(axis=axes, dtype="float64")


@pytest.mark.parametrize("axes", SUBSETS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_all_axes_against_numpy(name: str, axes: tuple[int, ...], no_compute: Any) -> None:
    pixels = np.random.default_rng(0).poisson(3.0, (3, 4, 6, 5)).astype("uint16")
    scan = make_scan(pixels, ((2, 1), (4,)))
    with no_compute:
        result = getattr(scan, name)(axes)
    expected = numpy_says(name, pixels, tuple(NUMPY[a] for a in axes))
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result.as_numpy(), expected, rtol=1e-12)
    kept = [axis.name for k, axis in enumerate(scan.axes_manager) if k not in axes]
    assert [axis.name for axis in result.axes_manager] == kept
    for axis in result.axes_manager:
        assert axis.equals(scan.axes_manager[axis.name])
    by_name = getattr(scan, name)([scan.axes_manager[a].name for a in axes])
    np.testing.assert_array_equal(by_name.as_numpy(), result.as_numpy())


@pytest.mark.parametrize("name", NAMES)
def test_default_axes_and_dtypes(name: str, scan: Any, pixels: Any) -> None:
    result = getattr(scan, name)()
    expected = numpy_says(name, pixels, (0, 1))
    assert result.dtype == expected.dtype
    assert type(result) is l4.Diffraction2D
    np.testing.assert_allclose(result.as_numpy(), expected, rtol=1e-9)
    again = getattr(result, name)()
    np.testing.assert_allclose(again.as_numpy(), numpy_says(name, expected, (0, 1)), rtol=1e-9)
    assert again.shape == ()


@pytest.mark.parametrize("dtype", ["bool", "int8", "int16", "int64", "uint64", "float16", "float64", "complex64"])
@pytest.mark.parametrize("name", NAMES)
def test_unusual_dtypes(name: str, dtype: str) -> None:
    pixels = (np.random.default_rng(0).poisson(1.0, (3, 4, 6, 5)) - (dtype != "uint64")).astype(dtype)
    scan = make_scan(pixels)
    wide = pixels.astype(np.float64) if pixels.dtype.kind != "c" else pixels.astype(complex)
    for axes, numbers in ((None, (0, 1)), (["kx", "ky"], (2, 3)), (["x", "kx"], (1, 3))):
        got = getattr(scan, name)(axes)
        np.testing.assert_allclose(got.as_numpy(), getattr(wide, name)(axis=numbers), rtol=1e-6, atol=1e-12)
        assert got.dtype == got.compute().data.dtype


def test_big_sums_are_exact() -> None:
    pixels = np.full((40, 4, 4), 2**32 - 1, "uint32")
    np.testing.assert_array_equal(make_scan(pixels).sum().as_numpy(), np.full((4, 4), 40 * (2**32 - 1), "uint64"))


def test_nan_stays_in_extremes() -> None:
    pixels = np.ones((3, 4, 4))
    pixels[1, 2, 3] = np.nan
    for name in ("max", "min"):
        assert np.isnan(getattr(make_scan(pixels), name)().as_numpy()[2, 3])


@pytest.mark.parametrize("kind", [l4.VirtualImage, l4.Signal1D, l4.BaseSignal])
def test_other_kinds_of_signals(kind: Any) -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 6))
    signal = kind(values)
    np.testing.assert_allclose(signal.sum().as_numpy(), values.sum((0, 1, 2) if kind is not l4.Signal1D else (0, 1)))
    np.testing.assert_allclose(signal.std(0).as_numpy(), values.std(1 if kind is l4.Signal1D else 2))


def test_split_frames_are_reduced_all_the_same(pixels: Any) -> None:
    moved = l4.Diffraction2D(Frames.from_array(pixels, 2, chunks=1)).T
    np.testing.assert_allclose(moved.sum().as_numpy(), pixels.sum((2, 3), dtype=float))
    np.testing.assert_allclose(moved.max(["x", "y"]).as_numpy(), pixels.max((0, 1)))


def test_no_such_axis(simple: Any) -> None:
    with pytest.raises(ValueError, match="found 'q'"):
        simple.sum("q")
    with pytest.raises(ValueError, match="found 4"):
        simple.sum(4)


def test_histogram_is_numpys(scan: Any, pixels: Any, no_compute: Any) -> None:
    with no_compute:
        histogram = scan.get_histogram(bins=7, range=(0.5, 6))
    np.testing.assert_array_equal(histogram.as_numpy(), np.histogram(pixels, 7, (0.5, 6))[0])
    axis = histogram.axes_manager["value"]
    edges = np.histogram_bin_edges(pixels, 7, (0.5, 6))
    np.testing.assert_allclose(axis.axis, (edges[1:] + edges[:-1]) / 2)


def test_histogram_of_8_bits_needs_no_range() -> None:
    values = np.arange(256, dtype="uint8").reshape(4, 8, 8)
    np.testing.assert_array_equal((make_scan(values)).get_histogram().as_numpy(), np.ones(256))


def test_histogram_of_memory_finds_its_range() -> None:
    image = l4.VirtualImage(np.array([[0.0, 1.0], [2.0, 4.0]]))
    np.testing.assert_array_equal(image.get_histogram(bins=4).as_numpy(), [1, 1, 1, 1])
    assert l4.VirtualImage(np.ones((2, 2))).get_histogram(bins=3).as_numpy().sum() == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: (s * 1.0).get_histogram(), "give range="),
        (lambda s: s.get_histogram(bins=0, range=(0, 1)), "expected at least one bin"),
        (lambda s: s.get_histogram(range=(1, 1)), "finite low < high"),
        (lambda s: (s * 1j).get_histogram(), "needs real numbers"),
    ],
)
def test_histograms_that_cannot_be(simple: Any, make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(simple)


def test_summary_is_printed(capsys: Any) -> None:
    pixels = np.random.default_rng(0).poisson(20, (3, 4, 6, 5)).astype("uint16")
    make_scan(pixels).print_summary_statistics(formatter="%.6f")
    lines = dict(line.split(":\t") for line in capsys.readouterr().out.splitlines()[2:])
    assert float(lines["mean"]) == pytest.approx(pixels.mean(), abs=1e-6)
    assert float(lines["std"]) == pytest.approx(pixels.std(), abs=1e-6)
    for name, part in (("min", 0), ("Q1", 0.25), ("median", 0.5), ("Q3", 0.75), ("max", 1)):
        assert float(lines[name]) == pytest.approx(np.quantile(pixels, part)), name


def test_summary_of_floats_is_close() -> None:
    from lazy4d.signals.statistics import summary

    values = np.random.default_rng(0).normal(size=(5, 4, 30, 30))
    found = summary(l4.Diffraction2D(values))
    assert found["median"] == pytest.approx(np.median(values), abs=1e-3)
    assert found["Q1"] == pytest.approx(np.quantile(values, 0.25), abs=1e-3)
    assert np.isnan(summary(l4.VirtualImage(np.full((2, 2), np.nan)))["mean"])


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (5, 6), (7,)])
def test_summary_leaves_nan_out(shape: tuple[int, ...]) -> None:
    from lazy4d.signals.statistics import summary

    values = np.random.default_rng(2).normal(5, 2, shape)
    values.reshape(-1)[::3] = np.nan
    signal = {4: l4.Diffraction2D, 2: l4.VirtualImage, 1: l4.Signal1D}[len(shape)](values)
    found = summary(signal)
    expected = np.nanmean(values), np.nanstd(values), np.nanmin(values), np.nanmax(values)
    np.testing.assert_allclose([found[n] for n in ("mean", "std", "min", "max")], expected, rtol=1e-12)


def test_summary_of_complex_numbers() -> None:
    with pytest.raises(ValueError, match="a summary needs real numbers"):
        l4.Signal2D(np.ones((3, 3), "c8")).print_summary_statistics()


@pytest.mark.parametrize("axis", [1.5, True, ["kx", 2.0]])
def test_axes_that_are_no_axes(simple: Any, axis: Any) -> None:
    with pytest.raises(ValueError, match="expected one axis, found"):
        simple.sum(axis)


@pytest.mark.parametrize("axis", [None, ["kx", "ky"], "x", ["y", "kx"]])
def test_spread_of_complex_numbers_in_double_precision(axis: Any) -> None:
    rng = np.random.default_rng(3)
    values = (1000 + rng.normal(size=(3, 4, 5, 6)) + 1j * rng.normal(size=(3, 4, 5, 6))).astype("c8")
    where = {"x": (1,), "None": (0, 1)}.get(str(axis), (2, 3) if axis == ["kx", "ky"] else (0, 3))
    expected = values.astype("c16").std(where)
    np.testing.assert_allclose(l4.Diffraction2D(values).std(axis).as_numpy(), expected, rtol=1e-10)


def test_a_line_of_missing_frames_has_no_sum_and_no_extreme():
    data = np.ones((3, 4, 5, 6), "u2")
    valid = np.ones((3, 4), bool)
    valid[:, 1] = False
    signal = l4.Diffraction2D(data, valid=da.from_array(valid, chunks=-1))
    for name, expected in (("sum", 3.0), ("max", 1.0), ("min", 1.0)):
        got = getattr(signal, name)("y").compute().data
        assert np.isnan(got[1]).all(), name
        assert (got[[0, 2, 3]] == expected).all(), name

"""`shift_diffraction`, its coverage and its common window, against numpy and scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

import lazy4d as l4
from lazy4d.lazy import PerPosition, SharedLazy
from lazy4d.signals.shifting import per_position_shift
from tests.signals.conftest import make_scan
from tests.signals.descan_source import descan_scan

KINDS = ("integer", "bilinear", "cubic", "fourier")


def random_shifts(nav_shape: tuple[int, ...] = (4, 5)) -> NDArray[Any]:
    return np.random.default_rng(7).uniform(-4, 4, (*nav_shape, 2))


def test_one_shift_for_all(scan: l4.Diffraction2D, pixels: NDArray[Any]) -> None:
    moved = scan.shift_diffraction(2, -3, interpolation="integer", fill=1)
    expected = np.ones_like(pixels)
    expected[..., :-3, 2:] = pixels[..., 3:, :-2]
    assert moved.dtype == pixels.dtype
    np.testing.assert_array_equal(moved.as_numpy(), expected)


def test_lengths_in_pixels_and_in_units(simple: l4.Diffraction2D) -> None:
    for kx, ky in ((2, 1), (2 * 3.5, 2.5), ("7 1/Å", "25 1/nm")):
        moved = simple.shift_diffraction(kx, ky, interpolation="integer")
        assert moved.as_numpy()[0, 0, 1, 2] == simple.as_numpy()[0, 0, 0, 0], (kx, ky)


def test_axes_class_metadata_and_history_stay(simple: l4.Diffraction2D) -> None:
    moved = simple.shift_diffraction(0.5)
    assert type(moved) is type(simple)
    assert moved.axes_manager.equals(simple.axes_manager)
    assert moved.title == "scan"
    entry = moved.history[-1]
    assert (entry.op, entry.params["shift_x"], entry.params["interpolation"]) == ("shift_diffraction", 0.5, "bilinear")
    assert len(moved.history) == len(simple.history) + 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_give_shifts_is_the_same(kind: str, simple: l4.Diffraction2D) -> None:
    shifts = random_shifts()
    as_signal = l4.Signal1D(shifts)
    results = l4.compute(
        simple.shift_diffraction(shifts=shifts, interpolation=kind),
        simple.shift_diffraction(shifts=as_signal, interpolation=kind),
        simple.shift_diffraction(shifts=l4.Signal1D(as_signal.frames.data), interpolation=kind),
        simple.shift_diffraction(shifts=as_signal.frames.rechunk(1).data, interpolation=kind),
        simple.rechunk(-1).shift_diffraction(shifts=shifts, interpolation=kind),
    )
    for result in results[1:]:
        np.testing.assert_array_equal(result.data, results[0].data)
    assert results[0].dtype == (np.uint16 if kind == "integer" else np.float32)


def test_bilinear_per_position_is_scipy(simple: l4.Diffraction2D) -> None:
    shifts, pixels = random_shifts(), simple.as_numpy()
    moved = simple.shift_diffraction(shifts=shifts, fill=np.nan).as_numpy()
    for where in np.ndindex(4, 5):
        expected = ndimage.shift(pixels[where].astype(float), shifts[where], order=1, cval=np.nan)
        np.testing.assert_allclose(moved[where], expected, rtol=1e-5, atol=1e-5)


def test_positions_that_are_cut_out_keep_their_shift(simple: l4.Diffraction2D) -> None:
    moved = simple.shift_diffraction(shifts=random_shifts())
    np.testing.assert_array_equal(moved.inav[1:4, 2].as_numpy(), moved.as_numpy()[2, 1:4])
    chosen = np.random.default_rng(0).random((4, 5)) > 0.5
    np.testing.assert_array_equal(moved.inav[chosen].as_numpy(), moved.as_numpy()[chosen])


def test_there_and_back(simple: l4.Diffraction2D) -> None:
    whole = np.round(random_shifts())
    back = simple.shift_diffraction(shifts=whole, interpolation="integer").shift_diffraction(
        shifts=-whole, interpolation="integer"
    )
    np.testing.assert_array_equal(back.as_numpy()[..., 4:-4, 4:-4], simple.as_numpy()[..., 4:-4, 4:-4])


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "float16", "float32", "bool", "complex64"])
def test_dtypes(dtype: str) -> None:
    pixels = np.random.default_rng(0).poisson(2, (2, 6, 7)).astype(dtype)
    scan = l4.Diffraction2D(pixels)
    whole = scan.shift_diffraction(1, interpolation="integer")
    assert whole.dtype == pixels.dtype
    np.testing.assert_array_equal(whole.as_numpy()[..., 1:], pixels[..., :-1])
    if dtype == "complex64":
        with pytest.raises(ValueError, match=r"take abs\(s\) of complex data"):
            scan.shift_diffraction(0.5)
    else:
        between = scan.shift_diffraction(0.5)
        assert between.dtype == np.result_type(dtype, np.float32)
        mean = (pixels[..., 1:].astype(float) + pixels[..., :-1]) / 2
        np.testing.assert_allclose(between.as_numpy()[..., 1:], mean, rtol=1e-6)


def test_unknown_shifts() -> None:
    scan, shifts = make_scan(np.ones((3, 6, 5), "u2")), np.array([[0, 0], [np.nan, 0], [1, 1]])
    np.testing.assert_array_equal(
        np.isnan(scan.shift_diffraction(shifts=shifts).as_numpy()).all((1, 2)), [False, True, False]
    )
    whole = scan.shift_diffraction(shifts=shifts, interpolation="integer", fill=9).as_numpy()
    np.testing.assert_array_equal((whole == 9).all((1, 2)), [False, True, False])


def counted(shifts: NDArray[Any], kind: str, shape: tuple[int, int]) -> NDArray[Any]:
    """How many frames of ones are not NaN once they are shifted: the slow way."""
    ones = l4.Diffraction2D(np.ones((*shifts.shape[:-1], *shape), "f4"))
    moved = ones.shift_diffraction(shifts=shifts, interpolation=kind, fill=np.nan)
    return np.isfinite(moved.as_numpy()).sum(axis=tuple(range(shifts.ndim - 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_coverage_counts_what_is_not_filled(kind: str) -> None:
    scan, shifts = make_scan(np.ones((4, 5, 12, 10), "u2"), ((1, 3), (2, 2, 1))), random_shifts()
    shifts[0, 0] = np.nan
    shifts[1, 1] = 50
    coverage = scan.get_shift_coverage(shifts=shifts, interpolation=kind)
    assert (type(coverage), coverage.dtype, coverage.title) == (l4.Signal2D, np.int64, "coverage of scan shifted")
    np.testing.assert_array_equal(coverage.as_numpy(), counted(shifts, kind, (12, 10)))
    assert [axis.units for axis in coverage.axes_manager] == ["1/Å", "1/Å"]


def test_the_same_on_every_scheduler(scheduler: str) -> None:
    scan, plain = (make_scan(np.ones((4, 5, 12, 10), "u2"), chunks) for chunks in (((1, 3), (2, 2, 1)), -1))
    shifts = l4.Signal1D(random_shifts())
    for name in ("shift_diffraction", "get_shift_coverage", "get_shift_window"):
        got, expected = (getattr(s, name)(shifts=shifts, interpolation="cubic").as_numpy() for s in (scan, plain))
        np.testing.assert_array_equal(got, expected, err_msg=f"{name} on {scheduler}")


@settings(max_examples=20, deadline=None)
@given(
    moves=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=4), kind=st.sampled_from(KINDS)
)
def test_window_is_what_all_frames_have(moves: list[tuple[float, float]], kind: str) -> None:
    shifts = np.array(moves)
    scan = l4.Diffraction2D(np.ones((len(shifts), 12, 10), "u1"))
    with l4.set_options(progress=False):
        window, coverage = l4.compute(
            scan.get_shift_window(shifts=shifts, interpolation=kind),
            scan.get_shift_coverage(shifts=shifts, interpolation=kind),
        )
    everywhere = coverage.data == len(shifts)
    x0, x1, y0, y1 = window.data
    expected = np.zeros((12, 10), bool)
    expected[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(everywhere, expected)


def test_the_window_cuts_what_was_filled(simple: l4.Diffraction2D) -> None:
    shifts = l4.Signal1D(random_shifts())
    x0, x1, y0, y1 = simple.get_shift_window(shifts=shifts).as_numpy()
    moved = simple.shift_diffraction(shifts=shifts, fill=np.nan).isig[x0:x1, y0:y1]
    assert np.isfinite(moved.as_numpy()).all()
    assert simple.get_shift_window(20).as_numpy().tolist() == [0, 0, 0, 0]
    assert simple.get_shift_window(1, interpolation="integer").as_numpy().tolist() == [1, 10, 0, 12]
    unknown = np.full((4, 5, 2), np.nan)
    assert simple.get_shift_window(shifts=unknown).as_numpy().tolist() == [0, 0, 0, 0]


def test_a_sum_of_shifted_frames_is_made_a_mean() -> None:
    even = l4.Diffraction2D(np.full((4, 5, 12, 10), 7, "u2"))
    total, coverage = l4.compute(
        even.shift_diffraction(shifts=random_shifts(), interpolation="integer").sum(),
        even.get_shift_coverage(shifts=random_shifts(), interpolation="integer"),
    )
    seen = coverage.data > 0
    np.testing.assert_array_equal(total.data[seen] / coverage.data[seen], 7)


@pytest.mark.parametrize(("incomplete", "present"), [("nan", 28), ("zero", 30)])
def test_missing_frames_cover_nothing_unless_they_are_zeros(incomplete: str, present: int) -> None:
    scan = descan_scan(chunks=2, incomplete=incomplete, damaged=(3, 8))
    for shifts in (np.zeros((6, 5, 2)), np.zeros(2), None):
        assert scan.get_shift_coverage(shifts=shifts).as_numpy()[5, 5] == present


def test_one_lazy_shift_for_all(simple: l4.Diffraction2D, no_compute: Any) -> None:
    with no_compute:
        shift = simple.get_direct_beam_position().shifts.mean()
        moved = simple.shift_diffraction(shifts=shift)
        coverage = simple.get_shift_coverage(shifts=shift)
    known = shift.as_numpy()
    np.testing.assert_array_equal(moved.as_numpy(), simple.shift_diffraction(shifts=known).as_numpy())
    np.testing.assert_array_equal(coverage.as_numpy(), simple.get_shift_coverage(shifts=known).as_numpy())


def test_parameters_of_kernels(simple: l4.Diffraction2D) -> None:
    assert isinstance(per_position_shift(simple, random_shifts()), PerPosition)
    assert isinstance(per_position_shift(simple, l4.Signal1D(np.zeros(2))), SharedLazy)
    assert per_position_shift(simple, np.array([1, 2])).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.shift_diffraction(interpolation="nearest"), "expected one of 'integer', 'bilinear'"),
        (lambda s: s.shift_diffraction(shifts=np.zeros((5, 4, 2))), r"of shape \(4, 5, 2\).* found shape \(5, 4, 2\)"),
        (lambda s: s.shift_diffraction(shifts=l4.Signal1D(np.zeros((5, 4, 2)))), "found <Signal1D"),
        (lambda s: s.shift_diffraction(shifts=l4.VirtualImage(np.zeros((4, 5)))), "found <VirtualImage"),
        (lambda s: s.shift_diffraction(shifts=np.zeros(2, "c8")), "real numbers, found dtype complex64"),
        (lambda s: s.shift_diffraction(1, shifts=np.zeros(2)), "either shift_x and shift_y or shifts"),
        (lambda s: s.shift_diffraction(np.inf), "a finite value"),
        (lambda s: s.shift_diffraction(1, interpolation="integer", fill=np.nan), "fill=nan is no value of uint16"),
        (lambda s: s.shift_diffraction(1, interpolation="integer", fill=-1), "fill=-1 is no value of uint16"),
        (lambda s: s.shift_diffraction(1, fill=1j), "fill=1j is complex"),
        (lambda s: s.shift_diffraction(1, fill="edge"), "fill as one number"),
        (lambda s: s.get_shift_coverage(interpolation="spline"), "expected one of"),
        (lambda s: s.get_shift_window(shifts=np.zeros(3)), r"found shape \(3,\)"),
    ],
)
def test_errors_say_what_was_expected(call: Any, message: str, simple: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match=message):
        call(simple)

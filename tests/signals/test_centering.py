"""`center_direct_beam`: where the beam ends up, what the axes say, and what each way of giving its place does."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.lazy import Frames, SharedLazy
from lazy4d.signals.beam import position as positions
from lazy4d.signals.beam.finder import Finder
from tests.signals.conftest import make_scan
from tests.signals.descan_source import THRESHOLD, descan_scan, factor_of, pattern

DESCAN = (5.0, 7.0)
METHOD = {"method": "center_of_mass", "half_width": 12, "threshold": 3}


@pytest.fixture(scope="module")
def noisy() -> tuple[NDArray[Any], NDArray[Any]]:
    """Frames (4, 5 | 40, 48) of a disk that travels, with dose enough for a sharp centre; and where it is."""
    scan = simulated_scan((4, 5), (40, 48), kind="disk", disk_radius=5.0, descan=DESCAN, dose=2e5)
    return scan.as_array(), scan.truth["beam_position"]


def middle_of(scan: l4.BaseSignal) -> NDArray[Any]:
    return scan.get_direct_beam_position("center_of_mass", threshold=3).as_numpy() - (20, 24)


@pytest.mark.parametrize("kind", ["integer", "bilinear", "cubic", "fourier"])
def test_the_beam_lands_on_the_middle_pixel(kind: str, noisy: Any) -> None:
    scan = make_scan(noisy[0], ((1, 3), (2, 2, 1)))
    found = scan.get_direct_beam_position(**METHOD)
    ways = [
        scan.center_direct_beam(**METHOD, interpolation=kind),
        scan.center_direct_beam(position=found, interpolation=kind),
        scan.center_direct_beam(position=found.compute(), interpolation=kind),
        scan.center_direct_beam(position=found.as_numpy(), interpolation=kind),
        scan.center_direct_beam(shifts=found.shifts, interpolation=kind),
    ]
    assert {way.dtype for way in ways} == {np.dtype("u2" if kind == "integer" else "f4")}
    first, *others = l4.compute(*ways)
    for other in others:
        np.testing.assert_array_equal(other.data, first.data)
    off = middle_of(first)
    assert np.abs(off).max() <= (0.51 if kind == "integer" else 0.05)
    true = l4.compute(scan.center_direct_beam(position=noisy[1], interpolation=kind))[0]
    assert np.abs(middle_of(true)).max() < (0.55 if kind == "integer" else 0.06)


def test_whole_pixels_change_no_count(noisy: Any) -> None:
    scan = make_scan(noisy[0])
    centred = scan.center_direct_beam(position=noisy[1]).as_numpy()
    for where in np.ndindex(4, 5):
        dy, dx = np.floor(np.array([20, 24]) - noisy[1][where] + 0.5).astype(int)
        rolled = np.roll(noisy[0][where], (dy, dx), (0, 1))
        np.testing.assert_array_equal(centred[where][8:-8, 8:-8], rolled[8:-8, 8:-8])


def test_axes_are_zero_on_the_middle_pixel(simple: l4.Diffraction2D) -> None:
    simple.axes_manager["kx"].scale = 0.1
    before = simple.axes_manager.copy()
    centred = simple.center_direct_beam("center_of_mass")
    y, x = centred.frame_axes
    assert (y.axis[6], x.axis[5]) == (0.0, 0.0)
    assert (y.scale, x.scale, x.units, x.name) == (2.5, 0.1, "1/Å", "kx")
    for mine, other in zip(centred.nav_axes, simple.nav_axes, strict=True):
        assert mine.equals(other)
    assert simple.axes_manager.equals(before)
    assert centred.shape == simple.shape


def test_history_says_how(simple: l4.Diffraction2D) -> None:
    entry = simple.center_direct_beam("center_of_mass", threshold=2, fill=1).history[-1]
    assert entry.op == "center_direct_beam"
    assert entry.params["method"] == "center_of_mass"
    assert (entry.params["threshold"], entry.params["fill"], entry.params["interpolation"]) == (2, 1, "integer")
    assert "position" not in entry.params
    found = simple.get_direct_beam_position()
    by_position = simple.center_direct_beam(position=found).history[-1]
    assert by_position.parents == (found.history.id,)


def test_one_place_for_all(noisy: Any) -> None:
    scan = make_scan(noisy[0])
    mean = scan.get_direct_beam_position(**METHOD).mean()
    place = mean.as_numpy()
    assert place.shape == (2,)
    expected = scan.shift_diffraction(shifts=(20, 24) - place).as_numpy()
    for position in (mean, place):
        centred = scan.center_direct_beam(position=position, interpolation="bilinear")
        np.testing.assert_allclose(centred.as_numpy(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("nav_shape", [(), (3,), (2, 3, 2)])
def test_any_navigation(nav_shape: tuple[int, ...]) -> None:
    scan = descan_scan(nav_shape)
    centred = scan.center_direct_beam("center_of_mass", threshold=THRESHOLD).as_numpy()
    factors = factor_of(np.arange(np.prod(nav_shape, dtype=int)).reshape(nav_shape))
    expected = pattern((24, 30), 0) * factors[..., None, None]
    np.testing.assert_array_equal(centred[..., 6:-6, 6:-6], expected[..., 6:-6, 6:-6])


def test_frames_without_a_beam() -> None:
    pixels = np.ones((3, 9, 9), "u2")
    pixels[1] = 0
    scan = make_scan(pixels)
    assert np.isnan(scan.center_direct_beam("center_of_mass", interpolation="bilinear").as_numpy()[1]).all()
    whole = scan.center_direct_beam("center_of_mass", fill=7).as_numpy()
    assert (whole[1] == 7).all()
    assert (whole[0] == 1).all()


def test_edges_are_filled(noisy: Any) -> None:
    scan = make_scan(noisy[0])
    filled = scan.center_direct_beam(position=noisy[1], interpolation="cubic", fill=np.nan)
    coverage = scan.get_shift_coverage(shifts=(20, 24) - noisy[1], interpolation="cubic")
    filled, coverage = l4.compute(filled, coverage)
    np.testing.assert_array_equal(np.isfinite(filled.data).sum((0, 1)), coverage.data)
    assert 0 < coverage.data.min() < coverage.data.max() == 20


def test_the_whole_frame_moves_though_a_window_is_searched(noisy: Any) -> None:
    marked = noisy[0].copy()
    marked[..., 1, 2] = 5000  # outside of the window: is not found, but moves
    centred = make_scan(marked).center_direct_beam("center_of_mass", half_width=12, threshold=3)
    plain = make_scan(noisy[0]).center_direct_beam("center_of_mass", half_width=12, threshold=3)
    centred, plain = l4.compute(centred, plain)
    differs = np.argwhere(centred.data != plain.data)
    assert 10 <= len(differs) <= 20
    assert (centred.data[tuple(differs.T)] == 5000).all()


def found_by_template(frames: Any, template: Any, out: Any) -> None:
    """Fill (y, x, score): the brightest pixel of each frame weighted by the template."""
    weighted = frames * template
    flat = weighted.reshape(len(frames), -1).argmax(axis=1)
    out[:, 0], out[:, 1] = np.unravel_index(flat, frames.shape[1:])
    out[:, 2] = 1


def test_a_finder_may_need_something_still_to_be_computed(
    noisy: Any, monkeypatch: pytest.MonkeyPatch, scheduler: str, no_compute: Any
) -> None:
    def finder(signal: Any) -> Finder:
        return Finder(found_by_template, (SharedLazy(signal.mean().data),), None, {})

    monkeypatch.setitem(positions.FINDERS, "template", finder)
    scan = make_scan(noisy[0], ((1, 3), (2, 2, 1)))
    centred = scan.center_direct_beam("template")
    if scheduler == "threads":
        with no_compute:
            scan.center_direct_beam("template")
    out = np.empty((20, 3))
    found_by_template(noisy[0].reshape(20, 40, 48), noisy[0].mean((0, 1)), out)
    expected = scan.center_direct_beam(position=out[:, :2].reshape(4, 5, 2))
    np.testing.assert_array_equal(centred.as_numpy(), expected.as_numpy())


def options_of(method: str) -> dict[str, Any]:
    needs_radius = method in {"blur", "cross_correlate", "phase_correlate"}
    return {"half_width": 14, **({"radius": 5} if needs_radius else {})}


@pytest.mark.parametrize("method", list(positions.FINDERS))
def test_every_method_centres(method: str, noisy: Any) -> None:
    scan = make_scan(noisy[0], 2)
    centred = scan.center_direct_beam(method, interpolation="bilinear", **options_of(method))
    stage = centred.frames.stages[-1]
    assert pickle.loads(pickle.dumps(stage.kernel)).function is stage.kernel.function
    found = scan.get_direct_beam_position(method, **options_of(method))
    centred, by_position = l4.compute(centred, scan.center_direct_beam(position=found, interpolation="bilinear"))
    np.testing.assert_array_equal(centred.data, by_position.data)


def names_of_work() -> list[str]:
    """What dask calls the centred frames of one scan, by each method."""
    scan = l4.Diffraction2D(Frames.from_source(simulated_scan((4, 5), (40, 48), kind="disk"), chunks=2))
    built = [scan.center_direct_beam(method, **options_of(method)) for method in sorted(positions.FINDERS)]
    built.append(scan.center_direct_beam(position=np.array([3, 4.5]), interpolation="fourier"))
    return [one.data.name for one in built]


@pytest.mark.slow
def test_the_same_work_has_the_same_name_in_every_process(distributed_client: Any) -> None:
    names = names_of_work()
    assert len(set(names)) == len(names)
    assert names_of_work() == names
    assert distributed_client.submit(names_of_work, pure=False).result() == names


def found_by_brightest(frames: Any, out: Any) -> None:
    """Fill (y, x, score) with the first brightest pixel; refuses what compiled kernels do not take."""
    assert frames.dtype.char not in "?e"
    flat = frames.reshape(len(frames), -1).argmax(axis=1)
    out[:, 0], out[:, 1] = np.unravel_index(flat, frames.shape[1:])
    out[:, 2] = 1


@pytest.mark.parametrize("dtype", ["bool", "float16"])
def test_finders_get_dtypes_that_compiled_kernels_take(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(positions.FINDERS, "brightest", lambda signal: Finder(found_by_brightest, (), None, {}))
    pixels = np.zeros((3, 16, 16), dtype)
    pixels[[0, 1, 2], [6, 9, 12], [9, 3, 8]] = 1
    for kind in ("integer", "bilinear"):
        centred = l4.Diffraction2D(pixels).center_direct_beam("brightest", interpolation=kind)
        assert np.argwhere(centred.as_numpy()).tolist() == [[0, 8, 8], [1, 8, 8], [2, 8, 8]]
        assert centred.dtype == (dtype if kind == "integer" else np.float32)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "expected one of method .* found none of them"),
        ({"method": "center_of_mass", "position": (1, 2)}, ValueError, "found method and position"),
        ({"method": "middle"}, ValueError, "method='middle' is not known"),
        ({"position": (1, 2), "half_width": 3}, TypeError, "half_width would be for a method"),
        ({"position": np.zeros((5, 4, 2))}, ValueError, r"expected positions \(y, x\) as a signal"),
        ({"position": np.zeros(2), "interpolation": "nearest"}, ValueError, "interpolation='nearest' is not known"),
        ({"position": np.zeros(2), "fill": np.nan}, ValueError, "fill=nan is no value of uint16"),
        ({"method": "center_of_mass", "radius": 3}, TypeError, "radius"),
    ],
)
def test_errors(options: Any, error: Any, message: str, simple: l4.Diffraction2D) -> None:
    with pytest.raises(error, match=message):
        simple.center_direct_beam(**options)


def test_positions_of_other_frames_are_refused(simple: l4.Diffraction2D) -> None:
    position = simple.isig[2:, :].get_direct_beam_position()
    with pytest.raises(ValueError, match=r"middle at pixel \(6.0, 4.0\).* at \(6.0, 5.0\)"):
        simple.center_direct_beam(position=position)

"""What one does with displacements of the beam: units, fields, rotation, colours, phase; against analytic fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.kernels.gradient_integration import integrate_gradient
from lazy4d.lazy import Frames

Floats = NDArray[np.float64]


def displaced(
    values: Any,
    scale: Any = (1.0, 1.0),
    units: str = "px",
    scan: tuple[float, float] = (1.0, 1.0),
    scan_units: str = "px",
    beam_energy: str | None = None,
    chunks: Any = "auto",
) -> l4.BeamPosition:
    """A BeamPosition of displacements (y, x) in pixels around (16, 24) of calibrated frames; all tuples (y, x)."""
    array = np.asarray(values, np.float64) + np.array([16, 24])
    result = l4.BeamPosition(Frames.from_array(array, array.ndim - 1, chunks=chunks), title="beam")
    result.metadata.set_item("BeamPosition.center", [16, 24])
    result.set_calibration(
        scale[::-1], units, (24, 16), scan[::-1] if array.ndim == 3 else scan[0], scan_units, beam_energy
    )
    return result


def random_phase(shape: tuple[int, int], limit: float, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """A periodic phase of frequencies up to `limit` cycles a pixel, and its exact derivatives a pixel."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None]
    inside = (np.hypot(fy, fx) <= limit) & (np.hypot(fy, fx) > 0)
    spectrum = np.fft.fft2(rng.normal(size=shape)) * inside
    spectrum[np.abs(fy[:, 0]) == 0.5] = 0
    spectrum[:, np.abs(fx[0]) == 0.5] = 0
    phase, dy, dx = (np.fft.ifft2(spectrum * f).real for f in (1, 2j * np.pi * fy, 2j * np.pi * fx))
    size = phase.std()
    return phase / size, dy / size, dx / size


def bumps(shape: tuple[int, int], seed: int, steps: tuple[float, float] = (1.0, 1.0)) -> tuple[Floats, Floats]:
    """A potential of round hills, and its gradient (y, x) in the units of the steps."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape) * np.array(steps)[:, None, None]
    size = min(shape) * min(steps)
    potential, gradient = np.zeros(shape), np.zeros((*shape, 2))
    for _ in range(12):
        cy, cx = rng.uniform(0, 1, 2) * shape * np.array(steps)
        width, height = rng.uniform(0.06, 0.15) * size, rng.uniform(0.3, 1)
        hill = height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
        potential += hill
        gradient += hill[..., None] * np.stack([cy - y, cx - x], -1) / width**2
    return potential, gradient


# -- units and fields --------------------------------------------------------------------------------------------------


def test_units_count_from_the_zero_of_the_axes() -> None:
    com = displaced([[[1.0, 2.0], [np.nan, 0.0]]], (0.2, 0.1), "1/nm", beam_energy="200 kV")
    np.testing.assert_allclose(com.to_units("px").as_numpy()[0, 0], [1, 2])
    np.testing.assert_allclose(com.to_units("1/Å").as_numpy()[0, 0], [0.02, 0.02])
    np.testing.assert_allclose(com.to_units("mrad").as_numpy()[0, 0], [0.5015868, 0.5015868], rtol=1e-6)
    assert np.isnan(com.to_units("1/Å").as_numpy()[0, 1, 0])
    result = com.to_units("1/Å")
    assert type(result) is l4.Signal1D
    assert result.metadata.Signal.quantity == "position (1/Å)"
    com.set_calibration(center=(25, 16))
    np.testing.assert_allclose(com.to_units("px").as_numpy()[0, 0], [1, 1])


def test_the_calibration_of_the_scan_comes_along(d: l4.Diffraction2D) -> None:
    plain = d.get_direct_beam_position().to_units("px").as_numpy()
    d.set_calibration(scale=0.5, units="mrad", center=(7, 8))
    com = d.get_direct_beam_position()
    np.testing.assert_allclose(com.to_units("mrad").as_numpy(), 0.5 * (plain + np.array([0, 1])))
    np.testing.assert_allclose(
        com.get_magnitude("mrad").as_numpy(), 0.5 * np.hypot(*np.moveaxis(plain + np.array([0, 1]), -1, 0))
    )
    cropped = d.isig[3:, 2:].get_direct_beam_position()
    np.testing.assert_allclose(cropped.to_units("mrad").as_numpy(), com.to_units("mrad").as_numpy(), atol=0.05)


def test_fields_at_200_kV_by_hand() -> None:
    """p v / e = 200 (200 + 2 · 510.99895) / (200 + 510.99895) kV; p / e = h / (λ e) with λ = 2.507934 pm."""
    com = displaced([[[0.0, 1.0], [1.0, 0.0]]], (1.0, 1.0), "mrad", beam_energy="200 kV")
    electric = com.get_electric_field()
    np.testing.assert_allclose(electric.as_numpy(), [[[0, -343.743], [-343.743, 0]]], rtol=1e-5)
    magnetic = com.get_magnetic_induction()
    per_mrad = 6.62607015e-34 / (1.602176634e-19 * 2.507934e-12) * 1e9 * 1e-3  # T nm
    np.testing.assert_allclose(magnetic.as_numpy(), [[[per_mrad, 0], [0, -per_mrad]]], rtol=1e-6)
    assert per_mrad == pytest.approx(1649.03, abs=0.01)
    assert (electric.metadata.Signal.quantity, magnetic.metadata.Signal.quantity) == (
        "projected electric field (V)", "projected magnetic induction (T nm)",
    )  # fmt: skip


def test_signs_follow_from_the_force_on_an_electron() -> None:
    """F = -e (E + v × B) with v along +z, in axes x, y, z: the deflection of each field gives the field back."""
    electric, magnetic, speed = np.array([0.3, -0.2, 0.0]), np.array([0.5, 0.7, 0.0]), np.array([0.0, 0.0, 1.0])
    for field, force, method in (
        (electric, -electric, "get_electric_field"),
        (magnetic, -np.cross(speed, magnetic), "get_magnetic_induction"),
    ):
        com = displaced(force[[1, 0]][None, None], (1.0, 1.0), "mrad", beam_energy="80 kV")
        found = getattr(com, method)().as_numpy()[0, 0]
        np.testing.assert_allclose(found / np.linalg.norm(found), field[[1, 0]] / np.linalg.norm(field), atol=1e-12)


def test_thickness_as_number_text_and_map() -> None:
    com = displaced([[[0.0, 1.0], [1.0, 0.0]]], (1.0, 1.0), "mrad", beam_energy="200 kV")
    whole = com.get_electric_field().as_numpy()
    for thickness in (20, "20 nm", "0.02 µm", l4.VirtualImage(np.full((1, 2), 20.0)), np.full((1, 2), 20)):
        mean = com.get_electric_field(thickness)
        np.testing.assert_allclose(mean.as_numpy(), whole / 20, rtol=1e-12)
        assert mean.metadata.Signal.quantity == "electric field (V/nm)"
    holes = com.get_magnetic_induction(l4.VirtualImage(np.array([[20.0, 0.0]])))
    assert np.isnan(holes.as_numpy()).tolist() == [[[False, False], [True, True]]]


def test_deflection_needs_what_it_needs() -> None:
    values = np.zeros((3, 3, 2))
    with pytest.raises(ValueError, match=r"never calibrated.*set_calibration"):
        displaced(values).get_deflection(beam_energy="200 kV")
    inverse = displaced(values, (0.1, 0.1), "1/Å")
    with pytest.raises(ValueError, match=r"needs the beam energy"):
        inverse.get_deflection()
    for method in ("get_electric_field", "get_magnetic_induction"):
        with pytest.raises(ValueError, match=r"needs the beam energy.*beam_energy='200 kV'"):
            getattr(inverse, method)()
        assert getattr(inverse, method)(beam_energy=200).lazy
    with pytest.raises(ValueError, match="units of an angle"):
        inverse.get_deflection("1/Å")
    for thickness in (0.0, "-2 nm", float("nan")):
        with pytest.raises(ValueError, match="positive thickness"):
            inverse.get_electric_field(thickness, beam_energy=200)
    with pytest.raises(ValueError, match=r"thickness map of the navigation shape \(3, 3\)"):
        inverse.get_electric_field(l4.VirtualImage(np.ones((2, 3))), beam_energy=200)
    assert inverse.get_deflection(beam_energy="200 kV").lazy


# -- vectors -----------------------------------------------------------------------------------------------------------


def test_directions_run_from_x_towards_y() -> None:
    com = displaced([[[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0], [np.nan, 0.0]]])
    np.testing.assert_allclose(com.get_phase().as_numpy()[0, :4], [0, np.pi / 2, np.pi, -np.pi / 2])
    assert np.isnan(com.get_phase().as_numpy()[0, 4])
    np.testing.assert_allclose(com.get_phase(rotation=90).as_numpy()[0, 0], np.pi / 2)
    np.testing.assert_array_equal(com.get_magnitude().as_numpy()[0, :4], 1)


def test_rotations_turn_x_towards_y() -> None:
    com = displaced([[[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]]])
    np.testing.assert_allclose(com.rotate(90).as_numpy()[0], [[1, 0], [0, -1], [3, -2]], atol=1e-12)
    np.testing.assert_allclose(com.rotate(0, transpose=True).as_numpy()[0], [[1, 0], [0, 1], [3, 2]])
    np.testing.assert_allclose(com.rotate(30).rotate(-30).as_numpy()[0], [[0, 1], [1, 0], [2, 3]], atol=1e-12)
    assert com.rotate(10).center == (0.0, 0.0)
    assert isinstance(com.rotate(10), l4.BeamPosition)
    oblong = displaced([[[0.0, 1.0]]], (0.4, 0.1), "1/Å")
    turned = oblong.rotate(90)
    np.testing.assert_allclose(turned.to_units("1/Å").as_numpy()[0, 0], [0.1, 0], atol=1e-12)
    np.testing.assert_allclose(turned.as_numpy()[0, 0], [0.5, 0], atol=1e-12)
    with pytest.raises(ValueError, match="in degrees"):
        com.rotate(float("nan"))


# -- rotation ----------------------------------------------------------------------------------------------------------


def test_sign_of_the_angle_on_an_analytic_field() -> None:
    """Displacements point to the middle, but the camera is turned by -30°: +30° brings them back."""
    y, x = np.indices((21, 25)) - np.array([10, 12])[:, None, None]
    hill = np.exp(-(y**2 + x**2) / 40)
    measured = displaced(np.stack([-y * hill, -x * hill], -1)).rotate(-30)
    rotation = measured.calibrate_rotation(smoothing=0)
    assert rotation.angle == pytest.approx(30, abs=1e-6)
    assert not rotation.transpose
    assert rotation.curl_after < 1e-3
    assert rotation.curl_before == pytest.approx(0.5, abs=0.01)  # sin 30°
    np.testing.assert_allclose(
        measured.apply_rotation(rotation).as_numpy(), np.stack([-y * hill, -x * hill], -1), atol=1e-6
    )


@pytest.mark.parametrize("steps", [(1.0, 1.0), (0.5, 2.0), (-1.0, 1.0)], ids=str)
def test_angle_and_transposition_at_ten_percent_noise(steps: tuple[float, float]) -> None:
    worst, sizes = 0.0, np.abs(steps)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        shape = (96, 48) if steps[0] == 0.5 else (56, 72)
        potential, gradient = bumps(shape, seed, (float(sizes[0]), float(sizes[1])))
        gradient *= np.sign(steps)
        angle, transpose = float(rng.uniform(-89, 89)), bool(rng.integers(2))
        camera = displaced(gradient).rotate(-angle)
        camera = camera.rotate(0, transpose) if transpose else camera
        values = camera.as_numpy()
        values += 0.1 * gradient.std() * rng.normal(size=values.shape)
        values[rng.random(shape) < 0.02] = np.nan
        rotation = displaced(values, scan=steps, scan_units="nm", chunks=11).calibrate_rotation(potential)
        assert rotation.transpose == transpose, seed
        assert rotation.margin > 2
        assert rotation.resolved
        assert rotation.ambiguity.startswith("none")
        assert rotation.curl_after < 0.3
        worst = max(worst, abs((rotation.angle - angle + 180) % 360 - 180))
    assert worst < 0.5


def test_half_a_turn_is_open_unless_a_reference_decides() -> None:
    potential, gradient = bumps((40, 40), 3)
    turned = displaced(gradient).rotate(-120)
    open_ = turned.calibrate_rotation()
    assert open_.angle == pytest.approx(-60, abs=0.2)
    assert f"{open_.angle:.2f}° (or {open_.angle + 180:.2f}°)" in repr(open_)
    assert "reference=" in open_.ambiguity
    assert open_.opposite().angle == pytest.approx(120, abs=0.2)
    for reference in (potential, l4.VirtualImage(potential)):
        known = turned.calibrate_rotation(reference)
        assert known.resolved
        assert known.angle == pytest.approx(120, abs=0.2)
        assert " or " not in repr(known)
    assert turned.calibrate_rotation(-potential).angle == pytest.approx(-60, abs=0.2)


def test_smoothing_changes_no_angle_and_a_mask_leaves_out() -> None:
    _, gradient = bumps((50, 60), 1)
    turned = displaced(gradient).rotate(-20)
    for smoothing in (0.0, 1.0, 2.5):
        assert turned.calibrate_rotation(smoothing=smoothing).angle == pytest.approx(20, abs=0.2)
    wrong = turned.as_numpy()
    wrong[:, 30:] = np.random.default_rng(0).normal(0, 5, (50, 30, 2))
    inside = np.zeros((50, 60), bool)
    inside[:, :30] = True
    for mask in (inside, l4.RectangleROI(0, 0, 30, 50), l4.VirtualImage(inside)):
        assert displaced(wrong).calibrate_rotation(mask=mask).angle == pytest.approx(20, abs=0.5)


def test_rotation_of_frames_with_oblong_pixels() -> None:
    """The same field on a camera whose pixels are worth twice as much along y."""
    _, gradient = bumps((40, 50), 2)
    turned = displaced(gradient, (1.0, 1.0), "mrad").rotate(-25).as_numpy()
    oblong = displaced(turned / [2.0, 1.0], (2.0, 1.0), "mrad")
    rotation = oblong.calibrate_rotation()
    assert rotation.angle == pytest.approx(25, abs=0.2)
    np.testing.assert_allclose(oblong.rotate(25).to_units("mrad").as_numpy(), gradient, atol=1e-9)


def test_a_field_that_says_nothing() -> None:
    rotation = displaced(np.zeros((5, 5, 2))).calibrate_rotation()
    assert rotation.margin == 1.0
    with pytest.raises(ValueError, match="at least 5 positions each"):
        displaced(np.zeros((4, 5, 2))).calibrate_rotation()
    with pytest.raises(ValueError, match="last two axes are y and x"):
        displaced(np.zeros((5, 2))).calibrate_rotation()
    with pytest.raises(ValueError, match="finite neighbours"):
        displaced(np.full((5, 5, 2), np.nan)).calibrate_rotation()
    with pytest.raises(ValueError, match="reference image"):
        displaced(np.ones((5, 5, 2))).calibrate_rotation(np.ones((4, 5)))
    with pytest.raises(ValueError, match="smoothing in scan steps"):
        displaced(np.ones((5, 5, 2))).calibrate_rotation(smoothing=-1)


# -- phase -------------------------------------------------------------------------------------------------------------


def as_positions(dy: Floats, dx: Floats, steps: tuple[float, float], scale: float = 0.02, **options: Any) -> Any:
    """The displacements in frames of `scale` 1/Å that belong to derivatives a scan pixel, scan steps in nm."""
    per_length = np.stack([dy / steps[0], dx / steps[1]], -1)  # rad / nm
    cycles = per_length / (2 * np.pi) / 10  # 1/Å
    return displaced(cycles / scale, (scale, scale), "1/Å", steps, "nm", **options)


@pytest.mark.parametrize("shape", [(32, 48), (31, 45), (64, 64)], ids=str)
@pytest.mark.parametrize("steps", [(1.0, 1.0), (0.3, 1.7), (-0.3, 1.7)], ids=str)
def test_spectral_gradients_come_back_exactly(shape: tuple[int, int], steps: tuple[float, float]) -> None:
    phase, dy, dx = random_phase(shape, 0.4)
    found = as_positions(dy, dx, steps, chunks=7).phase_retrieval("icom").as_numpy()
    assert np.linalg.norm(found - phase) < 1e-10 * np.linalg.norm(phase)


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 20), st.integers(4, 20), st.floats(0.01, 100), st.floats(0.01, 100), st.integers(0, 1000))
def test_scale_for_any_steps(rows: int, columns: int, sy: float, sx: float, seed: int) -> None:
    phase, dy, dx = random_phase((rows, columns), 0.45, seed)
    found = integrate_gradient(dy / sy, dx / sx, (sy, sx))
    np.testing.assert_allclose(found, phase, atol=1e-9)


def test_patterns_of_a_phase_object_give_its_phase_seen_by_the_probe() -> None:
    """Fourier transforms of probe times exp(i φ): their centre of mass integrates to φ, averaged over the probe."""
    n, step, pixel = 40, 2, 0.25  # pixels of the wave, 0.25 Å each; every second is a scan position
    frequency = np.fft.fftfreq(n, pixel)
    squared = frequency[:, None] ** 2 + frequency[None] ** 2
    probe = np.fft.ifft2(np.exp(-squared / 0.15**2))
    phase = 0.8 * random_phase((n, n), 0.1, 4)[0]
    beams = [np.roll(probe, (y, x), (0, 1)) for y in range(0, n, step) for x in range(0, n, step)]
    waves = np.fft.fftshift(np.fft.fft2(np.array(beams) * np.exp(1j * phase)), axes=(1, 2))
    s = l4.Diffraction2D((np.abs(waves) ** 2).reshape(n // step, n // step, n, n))
    s.set_calibration(1 / (n * pixel), "1/Å", None, step * pixel / 10, "nm", "300 kV")
    found = s.get_direct_beam_position().phase_retrieval("icom").as_numpy()
    weight = np.abs(probe) ** 2 / (np.abs(probe) ** 2).sum()
    seen = np.fft.ifft2(np.fft.fft2(phase) * np.conj(np.fft.fft2(weight))).real[::step, ::step]
    seen -= seen.mean()
    assert np.linalg.norm(found - seen) < 1e-6 * np.linalg.norm(seen)
    assert np.corrcoef(found.ravel(), phase[::step, ::step].ravel())[0, 1] > 0.7


def test_angles_and_units_of_any_kind_give_the_same_phase() -> None:
    _, dy, dx = random_phase((20, 24), 0.3)
    com = as_positions(dy, dx, (0.5, 0.8))
    expected = com.phase_retrieval("icom").as_numpy()
    values = com.to_units("mrad", beam_energy="300 kV").as_numpy()
    other = displaced(values / 0.4, (0.4, 0.4), "mrad", (5.0, 8.0), "Å")
    for energy, options in (("300 kV", {"beam_energy": "300 kV"}), (None, {})):
        if energy is None:
            other.set_calibration(beam_energy="300 kV")
        np.testing.assert_allclose(other.phase_retrieval("icom", **options).as_numpy(), expected, rtol=1e-9, atol=1e-12)


def test_finite_differences_are_good_to_a_percent() -> None:
    """Gradients as measured by neighbouring positions (4th order) of a phase below 0.1 cycles a pixel."""
    for seed in range(3):
        phase, _, _ = random_phase((96, 96), 0.1, seed)
        slopes = [
            (8 * (np.roll(phase, -1, k) - np.roll(phase, 1, k)) - np.roll(phase, -2, k) + np.roll(phase, 2, k)) / 12
            for k in range(2)
        ]
        found = integrate_gradient(*slopes, (1.0, 1.0))
        assert np.linalg.norm(found - phase) < 0.01 * np.linalg.norm(phase)


def ramp_and_bump(shape: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    """A phase that does not repeat itself, less its mean, and its derivatives."""
    y, x = np.indices(shape, float)
    hill = 5 * np.exp(-((y - 20) ** 2 + (x - 40) ** 2) / 60)
    phase = 0.05 * y - 0.08 * x + hill
    return phase - phase.mean(), 0.05 - hill * (y - 20) / 30, -0.08 - hill * (x - 40) / 30


def test_mirrors_keep_a_ramp() -> None:
    phase, dy, dx = ramp_and_bump((48, 64))
    com = as_positions(dy, dx, (0.7, 0.4))
    error = {
        name: np.sqrt(np.mean((com.phase_retrieval(name).as_numpy() - phase) ** 2)) / phase.std()
        for name in ("dpc", "icom")
    }
    assert error["dpc"] < 1e-4
    assert error["icom"] > 0.5
    ramp = as_positions(np.full((5, 7), 0.3), np.full((5, 7), -0.2), (0.7, 0.4)).phase_retrieval().as_numpy()
    np.testing.assert_allclose(np.diff(ramp, axis=0), 0.3, rtol=1e-12)
    np.testing.assert_allclose(np.diff(ramp, axis=1), -0.2, rtol=1e-12)
    filtered = as_positions(dy, dx, (0.7, 0.4)).phase_retrieval(high_pass="8 nm").as_numpy()
    assert abs(filtered.mean()) < 1e-12
    assert filtered.std() < 0.5 * phase.std()
    same = com.phase_retrieval("icom", padding="mirror").as_numpy()
    np.testing.assert_array_equal(same, com.phase_retrieval("dpc").as_numpy())


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.1, 10), st.floats(-10, -0.1), st.sampled_from([0.0, 0.3]))
def test_mirroring_is_padding_by_mirror_images(rows: int, columns: int, sy: float, sx: float, floor: float) -> None:
    gradient = np.random.default_rng(rows).normal(size=(2, rows, columns))
    gradient -= gradient.mean(axis=(1, 2), keepdims=True)  # a mean is integrated by itself
    for axis in range(2):
        back = np.flip(gradient, axis + 1).copy()
        back[axis] *= -1
        gradient = np.concatenate([gradient, back], axis + 1)
    padded = integrate_gradient(*gradient, (sy, sx), "none", floor)[:rows, :columns]
    found = integrate_gradient(*gradient[:, :rows, :columns], (sy, sx), "mirror", floor)
    np.testing.assert_allclose(found, padded, atol=1e-9)


def test_high_pass_halves_its_own_period() -> None:
    y = np.arange(64) / 64
    found = {}
    for waves in (1, 4, 16):
        slope = np.cos(2 * np.pi * waves * y)[:, None] * np.ones(32) * 2 * np.pi * waves / 64
        com = as_positions(slope, np.zeros((64, 32)), (0.5, 0.5))
        phases = [com.phase_retrieval("icom", high_pass=length).as_numpy().std() for length in (16, 8.0, "80 Å")]
        assert phases[0] == pytest.approx(phases[1]) == pytest.approx(phases[2])
        found[waves] = phases[0] * np.sqrt(2)
    assert found[4] == pytest.approx(0.5)
    assert found[1] == pytest.approx(1 / 17)
    assert found[16] == pytest.approx(16 / 17)


def test_missing_positions_are_bridged_and_stay_missing() -> None:
    phase, dy, dx = ramp_and_bump((48, 64))
    missing = np.random.default_rng(0).random(phase.shape) < 0.03
    missing[30:33, 5:9] = True
    dy, dx = np.where(missing, np.nan, dy), np.where(missing, np.nan, dx)
    found = as_positions(dy, dx, (1.0, 1.0)).phase_retrieval().as_numpy()
    np.testing.assert_array_equal(np.isnan(found), missing)
    assert np.sqrt(np.nanmean((found - phase) ** 2)) < 0.02 * phase.std()
    empty = as_positions(dy * np.nan, dx, (1.0, 1.0)).phase_retrieval().as_numpy()
    assert np.isnan(empty).all()


def test_a_series_of_scans_is_a_series_of_phases() -> None:
    phases = [random_phase((12, 16), 0.3, seed) for seed in range(3)]
    values = np.stack([np.stack([dy, dx], -1) for _, dy, dx in phases]) / (2 * np.pi)
    series = l4.BeamPosition(Frames.from_array(values, 3, chunks=(2, 5, 7)))
    series.metadata.set_item("BeamPosition.center", [0, 0])
    found = series.phase_retrieval("icom", calibrated=False)
    np.testing.assert_allclose(found.as_numpy(), [p for p, _, _ in phases], atol=1e-10)
    assert found.metadata.Signal.quantity.startswith("phase (2π px")
    assert series.get_color_image().shape == (3, 12, 16, 3)
    assert -90 <= series.calibrate_rotation().angle <= 90


def test_phase_needs_a_calibration() -> None:
    values = np.zeros((4, 5, 2))
    with pytest.raises(ValueError, match=r"scan calibrated in a length.*scan_scale"):
        displaced(values, (0.1, 0.1), "1/Å").phase_retrieval()
    with pytest.raises(ValueError, match=r"never calibrated.*set_calibration"):
        displaced(values, scan_units="nm").phase_retrieval()
    with pytest.raises(ValueError, match="beam energy, which is not set"):
        displaced(values, (0.1, 0.1), "mrad", scan_units="nm").phase_retrieval()
    good = displaced(values, (0.1, 0.1), "1/Å", scan_units="nm")
    with pytest.raises(ValueError, match="'dpc', 'icom'"):
        good.phase_retrieval("kottler")
    with pytest.raises(ValueError, match="'mirror' or 'none'"):
        good.phase_retrieval(padding="zero")
    with pytest.raises(ValueError, match="positive length"):
        good.phase_retrieval(high_pass=0)
    with pytest.raises(ValueError, match="last two axes are y and x"):
        good.inav[0].phase_retrieval()


# -- colours -----------------------------------------------------------------------------------------------------------


def test_colours_say_direction_and_length() -> None:
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    values = np.stack([np.sin(angles), np.cos(angles)], -1)[None] * np.array([0.0, 0.5, 1.0, 2.0])[:, None, None]
    values[0, 5] = np.nan
    image = displaced(values).get_color_image(longest=1.0)
    assert isinstance(image, l4.signals.ColorImage)
    colors = image.as_numpy().astype(int)
    assert colors.shape == (4, 16, 3)
    assert (colors[0, 0] == 0).all()
    assert colors[0, 5].tolist() == [0x7F, 0xA8, 0xA3]
    np.testing.assert_array_equal(colors[2], colors[3])
    assert (colors[1].sum(-1) < colors[2].sum(-1)).all()
    assert len(np.unique(colors[2], axis=0)) == 16
    turned = displaced(values).get_color_image(longest=1.0, rotation=90).as_numpy()
    np.testing.assert_allclose(turned[2], np.roll(colors[2], -4, axis=0), atol=1)
    by_share = displaced(values).get_color_image(percentile=60).as_numpy()
    np.testing.assert_array_equal(by_share[2:], colors[2:])
    with pytest.raises(ValueError, match="percentile in"):
        displaced(values).get_color_image(percentile=0)
    with pytest.raises(ValueError, match="two axes"):
        displaced(values[0]).get_color_image()


# -- what all of them keep ---------------------------------------------------------------------------------------------

OPERATIONS: dict[str, Any] = {
    "to_units": lambda c: c.to_units("mrad"),
    "get_deflection": lambda c: c.get_deflection("µrad"),
    "get_electric_field": lambda c: c.get_electric_field("20 nm"),
    "get_magnetic_induction": lambda c: c.get_magnetic_induction(),
    "get_magnitude": lambda c: c.get_magnitude("1/nm"),
    "get_phase": lambda c: c.get_phase(),
    "rotate": lambda c: c.rotate(33, transpose=True),
    "get_linear_plane": lambda c: c.get_linear_plane("constant"),
}
MAPS: dict[str, Any] = {
    "phase_retrieval": lambda c: c.phase_retrieval(high_pass="3 nm"),
    "get_color_image": lambda c: c.get_color_image(),
}


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("name", [*OPERATIONS, *MAPS])
def test_every_operation_is_lazy_and_says_so(name: str, shape: tuple[int, ...], no_compute: Any) -> None:
    if name in MAPS and len(shape) < 2:
        return
    pixels = np.random.default_rng(0).poisson(5, (*shape, 8, 10)).astype("uint16")
    s = l4.Diffraction2D(pixels, title="scan")
    s.set_calibration(0.02, "1/Å", None, 1.5 if shape else None, "nm" if shape else None, "200 kV")
    s.metadata.set_item("Sample.name", "gold")
    com = s.get_direct_beam_position()
    with no_compute:
        result = (OPERATIONS | MAPS)[name](com)
        text = repr(result)
    assert result.lazy
    assert "lazy" in text
    assert result.history[-1].op == name
    assert len(result.history) == len(com.history) + 1
    assert result.metadata.get_item("Sample.name") == "gold"
    assert [axis.equals(other) for axis, other in zip(result.nav_axes, com.nav_axes, strict=True)] == [True] * len(
        shape
    )
    computed = result.compute()
    assert computed.data.dtype == result.dtype
    assert computed.data.shape == result.shape == tuple(result.data.shape)
    assert type(computed) is type(result)
    assert np.isfinite(computed.data).all()


@pytest.mark.parametrize("name", [*OPERATIONS, *MAPS])
def test_blocks_and_missing_frames(name: str) -> None:
    values = np.random.default_rng(1).normal(0, 1, (9, 11, 2))
    calibrated = {"scale": (0.02, 0.02), "units": "1/Å", "scan": (2.0, 3.0), "scan_units": "nm"}
    whole, cut = (
        (OPERATIONS | MAPS)[name](displaced(values, beam_energy="200 kV", chunks=chunks, **calibrated)).as_numpy()
        for chunks in ("auto", ((4, 3, 2), (5, 6)))
    )
    if name == "get_linear_plane":
        np.testing.assert_allclose(cut, whole, rtol=1e-12)
    else:
        np.testing.assert_array_equal(cut, whole)
    valid = np.ones((9, 11), bool)
    valid[3, 4] = False
    marked = l4.BeamPosition(displaced(values, beam_energy="200 kV", **calibrated).compute(), valid=valid)
    result = (OPERATIONS | MAPS)[name](marked).as_numpy()
    if name == "get_color_image":
        assert result[3, 4].tolist() == [0x7F, 0xA8, 0xA3]
    else:
        missing = np.isnan(result) if result.ndim == 2 else np.isnan(result).all(-1)
        np.testing.assert_array_equal(missing, ~valid)


def test_everything_on_every_scheduler(scheduler: str) -> None:
    phase, dy, dx = random_phase((24, 20), 0.3)
    com = as_positions(dy, dx, (1.0, 1.0), chunks=5, beam_energy="200 kV")
    results = l4.compute(*(make(com) for make in (OPERATIONS | MAPS).values()), com.phase_retrieval("icom"))
    np.testing.assert_allclose(results[-1].data, phase, atol=1e-10)
    for name, result in zip(OPERATIONS | MAPS, results, strict=False):
        np.testing.assert_allclose(result.data, (OPERATIONS | MAPS)[name](com.compute()).as_numpy(), err_msg=name)


def test_difference_of_positions_counts_from_zero(d: l4.Diffraction2D) -> None:
    com = d.get_direct_beam_position()
    moved = com - com.get_linear_plane("constant")
    assert moved.center == (0.0, 0.0)
    assert np.abs(moved.get_magnitude().as_numpy()).max() < 3
    assert (com - 8.0).center == (0.0, 0.0)
    assert (com + 1.0).center == com.center
    same = com
    same -= com.get_linear_plane("constant")
    assert same.center == np.subtract(com, com).center == (0.0, 0.0)


@pytest.mark.parametrize("suffix", ["zarr", "hspy"])
def test_saved_displacements_keep_what_a_pixel_is_worth(suffix: str, tmp_path: Any) -> None:
    _, dy, dx = random_phase((8, 9), 0.3)
    beam = as_positions(dy, dx, (0.5, 0.8), beam_energy="200 kV").rotate(20)
    beam.save(tmp_path / f"beam.{suffix}")
    again = l4.load(tmp_path / f"beam.{suffix}")
    assert isinstance(again, l4.BeamPosition)
    np.testing.assert_allclose(again.get_deflection().as_numpy(), beam.get_deflection().as_numpy())
    np.testing.assert_allclose(again.phase_retrieval().as_numpy(), beam.phase_retrieval().as_numpy())

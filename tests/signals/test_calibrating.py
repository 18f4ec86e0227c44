"""Scales from rings, lattices and the convergence of the beam, and the disk of the direct beam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.signals.calibrating.lattice_fit import autocorrelation
from lazy4d.signals.ellipse import Ellipse
from tests.signals.ring_patterns import disk_pattern, ring_pattern


@pytest.fixture(scope="module")
def ring() -> np.ndarray:
    return ring_pattern((128, 136), (63.4, 68.7), 42.465, 2.0, Ellipse(1.02, 50), height=400)


def test_scale_from_a_ring(ring: np.ndarray) -> None:
    s = l4.Diffraction2D(np.random.default_rng(0).poisson(ring / 10, (2, 3, *ring.shape)).astype("uint16"))
    found = s.calibrate_from_ring("2.355 Å", (34, 51))
    assert found.scale == pytest.approx((0.01, 0.01), rel=5e-4)
    assert found.known == pytest.approx(1 / 2.355)
    assert abs(found.pixels - 42.463) < 5 * found.pixels_error
    assert found.relative_error < 5e-4
    assert [axis.units for axis in s.frame_axes] == ["1/Å", "1/Å"]
    assert s.axes_manager["kx"].scale == found.scale[0]
    assert s.axes_manager["kx"].to_pixels(0.0) == pytest.approx(68.7, abs=0.05)
    assert s.axes_manager["ky"].to_pixels(0.0) == pytest.approx(63.4, abs=0.05)
    assert s.history[-1].op == "calibrate_from_ring"
    assert len(s.history) == len(l4.Diffraction2D(ring).history) + 1
    assert "from a ring of 42.4" in repr(found)


def test_ways_to_say_how_large_a_ring_is(ring: np.ndarray) -> None:
    s = l4.Diffraction2D(ring)
    s.set_calibration(scale=2.0, units="1/nm", beam_energy="200 kV")
    before = (s.axes_manager.copy(), s.history)
    options: dict[str, Any] = {"radial_range": (68.0, 102.0), "apply": False}
    scale = s.calibrate_from_ring(2.355, **options).scale[0]
    assert scale == pytest.approx(0.01, rel=5e-4)
    assert s.calibrate_from_ring("0.2355 nm", **options).scale[0] == pytest.approx(scale, rel=1e-9)
    assert s.calibrate_from_ring(2.355, units="1/nm", **options).scale[0] == pytest.approx(10 * scale, rel=1e-9)
    angle = s.calibrate_from_ring(radius="10.65 mrad", **options)
    assert angle.units == "mrad"
    assert angle.scale[0] == pytest.approx(10.65 / 42.465, rel=5e-4)
    assert s.calibrate_from_ring(2.355, units="mrad", **options).known == pytest.approx(10.649, abs=1e-3)
    assert s.axes_manager.equals(before[0])
    assert s.history is before[1]
    with pytest.raises(ValueError, match="either d_spacing"):
        s.calibrate_from_ring(2.355, radius="10 mrad", **options)
    with pytest.raises(ValueError, match="either d_spacing"):
        s.calibrate_from_ring(**options)
    with pytest.raises(ValueError, match="text with its unit"):
        s.calibrate_from_ring(radius=0.4, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same kind"):
        s.calibrate_from_ring(radius="3 nm", **options)
    with pytest.raises(ValueError, match="radial_range"):
        s.calibrate_from_ring(2.355)
    with pytest.raises(ValueError, match="above 0"):
        s.calibrate_from_ring(-2.0, **options)


def test_the_zero_may_stay(ring: np.ndarray) -> None:
    s = l4.Diffraction2D(ring)
    s.calibrate_from_ring(2.355, (34, 51), set_center=False)
    assert s.axes_manager["kx"].to_pixels(0.0) == 68
    s.set_ellipse((1.02, 50))
    assert s.calibrate_from_ring(2.355, (34, 51), elliptic=False, apply=False).fit.ratio == pytest.approx(1.02)


@pytest.mark.parametrize(
    ("radius", "blur", "structured"),
    [(9.0, 0.0, False), (9.3, 1.2, False), (25.6, 0.5, False), (9.0, 0.0, True), (25.6, 0.5, True)],
)
def test_the_radius_of_a_disk(radius: float, blur: float, structured: bool) -> None:
    size = int(2 * radius) + 36
    misses = []
    for seed, (y, x) in enumerate([(0.0, 0.0), (0.5, 0.25), (0.3, -0.4)]):
        center = (size // 2 + y, size // 2 + 3 + x)
        image = disk_pattern(
            (size, size + 10), center, radius, height=200, blur=blur, structured=structured, background=0.02, seed=seed
        )
        disk = l4.Diffraction2D(image).fit_direct_beam_disk()
        assert disk.converged
        assert abs(disk.radius - radius) < 0.05
        np.testing.assert_allclose(disk.center_pixels, center[::-1], atol=0.06)
        assert disk.edge_width == pytest.approx(math.hypot(blur, 0.29), abs=0.12)
        misses.append((disk.radius - radius) / disk.radius_error_pixels)
    assert structured or np.abs(misses).max() < 5


def test_the_disk_of_a_scan() -> None:
    scan = simulated_scan((4, 5), (64, 72), kind="disk", disk_radius=7.4, dose=20_000, background=0.2)
    s = l4.Diffraction2D(scan.as_array())
    s.set_calibration(scale=0.5, units="mrad")
    disk = s.fit_direct_beam_disk()
    assert disk.radius == pytest.approx(3.7, abs=0.01)
    assert disk.radius_pixels == pytest.approx(7.4, abs=0.02)
    assert disk.units == "mrad"
    assert disk.center == pytest.approx((0, 0), abs=0.01)
    near = s.fit_direct_beam_disk(center=(35, 33), radius="3.4 mrad", pattern=s.inav[0, 0])
    assert near.radius_pixels == pytest.approx(7.4, abs=0.05)
    assert f"radius {near.radius:.5g} ± " in repr(near)
    assert not any(entry.op.startswith("fit") for entry in s.history)


def test_scale_from_the_convergence() -> None:
    scan = simulated_scan((3, 3), (64, 64), kind="disk", disk_radius=10.0, dose=50_000)
    s = l4.Diffraction2D(scan.as_array())
    s.set_calibration(beam_energy="200 kV")
    found = s.calibrate_from_convergence("20 mrad")
    assert found.scale == pytest.approx((2.0, 2.0), rel=2e-3)
    assert s.axes_manager["kx"].units == "mrad"
    assert s.axes_manager["ky"].to_pixels(0.0) == pytest.approx(32, abs=0.02)
    other = s.calibrate_from_convergence("20 mrad", units="1/Å", apply=False)
    assert other.scale[0] == pytest.approx(found.scale[0] * 1e-3 / 0.0250793, rel=1e-4)
    with pytest.raises(ValueError, match="text with its unit"):
        s.calibrate_from_convergence(20.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same kind"):
        s.calibrate_from_convergence("20 nm")


def test_scale_from_a_lattice() -> None:
    scan = simulated_scan((2, 3), (128, 128), kind="crystal", disk_radius=3.0, spacing=17.3, dose=200_000)
    s = l4.Diffraction2D(scan.as_array())
    found = s.calibrate_from_lattice("2.0 Å", (12, 20))
    assert found.pixels == pytest.approx(17.3, abs=0.05)
    assert abs(found.pixels - 17.3) < 6 * found.pixels_error
    assert found.scale[0] == pytest.approx(0.5 / 17.3, rel=3e-3)
    assert math.hypot(*found.fit) == pytest.approx(17.3, abs=0.05)
    assert s.axes_manager["kx"].to_pixels(0.0) == 64
    given = l4.Diffraction2D(np.ones((8, 16, 16), "uint16"))
    assert given.calibrate_from_lattice("2.0 Å", distance=50, order=2).scale[0] == pytest.approx(0.02)
    assert given.calibrate_from_lattice(radius="0.5 1/Å", distance="1 1/Å").scale[0] == pytest.approx(0.01)
    assert given.calibrate_from_lattice(2.0, distance="100 px").scale[0] == pytest.approx(0.005)
    assert "± 0%" in repr(given.calibrate_from_lattice(2.0, distance="100 px"))
    with pytest.raises(ValueError, match="either distance"):
        given.calibrate_from_lattice(2.0)
    with pytest.raises(ValueError, match="maximum of the autocorrelation"):
        given.calibrate_from_lattice(2.0, (3, 6))
    with pytest.raises(ValueError, match="order"):
        given.calibrate_from_lattice(2.0, distance=4, order=0)


def test_a_lattice_seen_through_an_ellipse() -> None:
    truth = Ellipse(1.06, 30)
    y, x = np.indices((140, 140)) - 70
    image = np.full((140, 140), 2.0)
    for h in range(-4, 5):
        for k in range(-4, 5):
            at = np.linalg.inv(truth.matrix()) @ (np.array([[0.9, 0.2], [-0.2, 0.9]]) * 16 @ (h, k))
            image += 300 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 5)
    s = l4.Diffraction2D(np.random.default_rng(0).poisson(image).astype(float))
    s.set_ellipse(truth)
    length = 16 * math.hypot(0.9, 0.2)
    assert s.calibrate_from_lattice(2.0, (12, 20), apply=False).pixels == pytest.approx(length, abs=0.03)


def test_the_autocorrelation_against_its_definition() -> None:
    rng = np.random.default_rng(0)
    image, counted = rng.normal(5, 1, (5, 6)), rng.random((5, 6)) > 0.2
    found = autocorrelation(image, counted)
    for dy, dx in ((0, 0), (1, -2), (-2, 1), (0, 3), (2, 2)):
        a, b = [], []
        for y in range(5):
            for x in range(6):
                v, u = y - dy, x - dx
                if 0 <= v < 5 and 0 <= u < 6 and counted[y, x] and counted[v, u]:
                    a.append(image[y, x])
                    b.append(image[v, u])
        expected = np.corrcoef(a, b)[0, 1] if len(a) > 0.1 * counted.sum() else 0.0
        assert found[4 + dy, 5 + dx] == pytest.approx(expected, abs=1e-9)


def test_patterns_without_a_disk() -> None:
    with pytest.raises(ValueError, match="disk of a direct beam"):
        l4.Diffraction2D(np.ones((20, 20), "uint16")).fit_direct_beam_disk()
    with pytest.raises(ValueError, match="radius above 0"):
        l4.Diffraction2D(np.ones((20, 20), "uint16")).fit_direct_beam_disk(radius=0)

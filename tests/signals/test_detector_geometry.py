"""Camera length, pixel size and beam energy against the scale of the axes, both ways."""

from __future__ import annotations

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.units import wavelength


@pytest.fixture
def s() -> l4.Diffraction2D:
    return l4.Diffraction2D(np.ones((3, 4, 32, 48), "uint16"))


def test_the_scale_follows_from_the_detector(s: l4.Diffraction2D) -> None:
    s.set_detector_geometry(camera_length="150 mm", pixel_size="55 um", beam_energy="200 kV")
    expected = 55e-6 / (0.150 * wavelength(200))
    for axis in s.frame_axes:
        assert axis.units == "1/Å"
        assert axis.scale == pytest.approx(expected, rel=1e-12)
        assert axis.to_pixels(0.0) == axis.size // 2
    geometry = s.detector_geometry
    assert geometry.camera_length == pytest.approx(150)
    assert geometry.pixel_size == pytest.approx((55, 55))
    assert geometry.beam_energy == 200
    assert geometry.wavelength == wavelength(200)
    assert geometry.scale == pytest.approx((expected, expected))
    assert geometry.angular_scale == pytest.approx((55 / 150, 55 / 150))
    assert s.metadata.Acquisition_instrument.TEM.camera_length == 150
    assert s.metadata.Acquisition_instrument.TEM.Detector.pixel_size == 55
    assert s.metadata.Acquisition_instrument.TEM.beam_energy == 200
    assert s.history[-1].op == "set_detector_geometry"
    assert s.history[-1].params == {"camera_length": "150 mm", "pixel_size": "55 um", "beam_energy": "200 kV"}


def test_binning_and_cropping_keep_it(s: l4.Diffraction2D) -> None:
    s.set_detector_geometry(150, 55, 200)
    binned = s.rebin(scale=(1, 1, 4, 2)).detector_geometry
    assert binned.pixel_size == pytest.approx((220, 110))
    assert binned.camera_length == 150
    cropped = s.isig[8:20, 4:30].detector_geometry
    assert cropped.pixel_size == pytest.approx((55, 55))
    turned = s.isig[::-1].detector_geometry
    assert turned.pixel_size == pytest.approx((55, 55))
    other = s.rebin(scale=(1, 1, 2, 2))
    other.set_detector_geometry(camera_length=300)
    assert other.axes_manager["kx"].scale == pytest.approx(s.axes_manager["kx"].scale)
    assert other.detector_geometry.pixel_size == pytest.approx((110, 110))


def test_the_camera_length_follows_from_the_scale(s: l4.Diffraction2D) -> None:
    s.set_calibration(scale=0.01, units="1/Å", beam_energy="300 kV", center=(20.5, 10.0))
    s.set_detector_geometry(pixel_size="55 um")
    assert s.detector_geometry.camera_length == pytest.approx(55e-3 / (0.01 * wavelength(300)))
    assert s.axes_manager["kx"].scale == 0.01
    assert s.axes_manager["kx"].to_pixels(0.0) == 20.5


def test_the_pixel_size_follows_from_the_scale(s: l4.Diffraction2D) -> None:
    s.set_calibration(scale=0.5, units="mrad")
    s.set_detector_geometry(camera_length="20 cm")
    assert s.detector_geometry.pixel_size == pytest.approx((100, 100))
    assert s.axes_manager["ky"].scale == 0.5
    assert s.detector_geometry.scale is None
    assert s.detector_geometry.beam_energy is None


def test_a_later_calibration_changes_the_camera_length(s: l4.Diffraction2D) -> None:
    s.set_detector_geometry(150, 55, 200)
    scale = s.axes_manager["kx"].scale
    s.set_calibration(scale=scale * 1.02)
    assert s.detector_geometry.camera_length == pytest.approx(150 / 1.02)
    assert s.detector_geometry.pixel_size == pytest.approx((55, 55))
    s.calibrate_from_lattice(radius="1 1/Å", distance=50)
    assert s.detector_geometry.camera_length == pytest.approx(55e-3 / (0.02 * wavelength(200)))
    s.set_calibration(scale=0.4, units="mrad")
    assert s.detector_geometry.camera_length == pytest.approx(55 / 0.4)
    s.set_detector_geometry(camera_length=275)
    assert s.axes_manager["kx"].scale == pytest.approx(0.2)
    assert s.axes_manager["kx"].units == "mrad"


def test_another_beam_energy_changes_lengths_and_no_angles(s: l4.Diffraction2D) -> None:
    angles = s.deepcopy()
    s.set_detector_geometry(150, 55, 200)
    s.set_detector_geometry(beam_energy=80)
    assert s.axes_manager["kx"].scale == pytest.approx(55e-6 / (0.150 * wavelength(80)))
    assert s.detector_geometry.camera_length == pytest.approx(150)
    angles.set_detector_geometry(150, 55)
    assert angles.axes_manager["kx"].units == "mrad"
    angles.set_detector_geometry(beam_energy=80)
    assert angles.axes_manager["kx"].scale == pytest.approx(55 / 150)
    assert angles.axes_manager.beam_energy == 80


def test_pixels_that_are_not_square(s: l4.Diffraction2D) -> None:
    s.set_detector_geometry(150, ("55 um", 110), 200)
    assert s.axes_manager["ky"].scale == pytest.approx(2 * s.axes_manager["kx"].scale)
    assert s.detector_geometry.pixel_size == pytest.approx((55, 110))
    assert "(55, 110) µm" in repr(s.detector_geometry)
    scale = [axis.scale for axis in s.frame_axes]
    with pytest.raises(ValueError, match="in the proportion of the scales"):
        s.set_detector_geometry(pixel_size=55)
    assert [axis.scale for axis in s.frame_axes] == scale
    s.set_detector_geometry(pixel_size=(110, 220))
    assert s.detector_geometry.camera_length == pytest.approx(300)


def test_what_is_not_known_is_said(s: l4.Diffraction2D) -> None:
    assert repr(s.detector_geometry).count("unknown") == 5
    before = (s.axes_manager.copy(), s.history)
    with pytest.raises(ValueError, match="found none of them"):
        s.set_detector_geometry()
    with pytest.raises(ValueError, match="expected camera_length and pixel_size"):
        s.set_detector_geometry(camera_length=150, beam_energy=200)
    with pytest.raises(ValueError, match="camera_length as a length above 0"):
        s.set_detector_geometry(camera_length=-1, pixel_size=55)
    with pytest.raises(ValueError, match="same kind"):
        s.set_detector_geometry(camera_length="3 mrad", pixel_size=55)
    with pytest.raises(ValueError, match="one length or as"):
        s.set_detector_geometry(camera_length=150, pixel_size=(1, 2, 3))
    assert s.axes_manager.equals(before[0])
    assert s.axes_manager.beam_energy is None
    assert s.history is before[1]

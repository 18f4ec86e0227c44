"""Positions of the beam are pixels of certain frames: what must not be mixed is refused, what is lost is told."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import beam_frames


@pytest.fixture
def scan() -> l4.Diffraction2D:
    return l4.Diffraction2D(beam_frames((4, 5), (24, 34), dose=100, disk_radius=4, descan=2.0).frames, title="scan")


USES = {
    "center_direct_beam": lambda s, p: s.center_direct_beam(position=p),
    "azimuthal": lambda s, p: s.get_azimuthal_integral1d(5, center=p),
    "background": lambda s, p: s.subtract_diffraction_background("radial median", center=p),
}


@pytest.mark.parametrize("use", USES)
def test_positions_of_other_frames_are_refused(use: str, scan: Any) -> None:
    position = scan.center_of_mass()
    same_middle = scan.isig[:30].center_of_mass(), scan.isig[4:]
    for wrong, signal in ((position, scan.isig[4:, 2:]), same_middle, (position, scan.rebin(scale=(1, 1, 2, 2)))):
        with pytest.raises(ValueError, match="belong to other frames"):
            USES[use](signal, wrong)
    with pytest.raises(ValueError, match="found displacements"):
        USES[use](scan, position - position.get_linear_plane())
    own = scan.isig[4:, 2:]
    for right, signal in (
        (position, scan),
        (position.get_linear_plane().compute(), scan),
        (own.center_of_mass(), own),
        (position.inav[1:3], scan.inav[1:3]),
        ((scan * 2.0).center_of_mass(), scan),
        (position, scan.rebin(scale=(1, 1, 1, 1))),
    ):
        assert USES[use](signal, right).lazy
    calibrated = scan.copy()
    calibrated.set_calibration(scale=0.1, units="1/Å", center=(17, 13))
    assert USES[use](calibrated, position).lazy, "calibrating moves no pixel"


def test_two_typed_numbers_do_not_say_which_is_x(scan: Any) -> None:
    with pytest.raises(TypeError, match=r"numpy\.array\(\[y, x\]\), rows first"):
        scan.center_direct_beam(position=(10, 12))
    with pytest.raises(TypeError, match="expected shifts as an array"):
        scan.shift_diffraction(shifts=[1, 2])


def test_what_are_no_positions_any_more(scan: Any) -> None:
    position = scan.center_of_mass()
    for changed in (position.isig[::-1], position.rebin(scale=(5, 1, 1)), position.std(), position.sum()):
        assert type(changed) is l4.Signal1D
    for kept in (position.inav[1], position.mean(), position + 1.0, position.rechunk()):
        assert type(kept) is l4.BeamPosition
    assert (position - np.array(position.center)).center == (0.0, 0.0)


def test_the_middle_stays_the_middle_when_frames_are_reversed(scan: Any) -> None:
    for changed in (scan.isig[::-1, ::-1], scan.isig[3:, 2:].isig[::-1, ::-1].isig[2:-1, 1:-1]):
        y, x = (n // 2 for n in changed.frame_shape)
        expected = changed.get_radial_profile(6, center=(x, y)).as_numpy()
        np.testing.assert_array_equal(changed.get_radial_profile(6).as_numpy(), expected)
        position = changed.center_of_mass()
        away = np.hypot(*np.moveaxis(position.as_numpy() - [y, x], -1, 0))
        np.testing.assert_allclose(position.get_magnitude().as_numpy(), away, atol=1e-9)


def test_a_scan_step_reaches_the_score(scan: Any) -> None:
    position = scan.center_of_mass()
    position.set_calibration(scan_scale=3.0, scan_units="nm")
    assert position.score.axes_manager.equals(position.axes_manager.navigation_only())


def test_blocks_of_one_frame(scan: Any) -> None:
    frames = scan.as_numpy()
    many = l4.Diffraction2D(da.from_array(frames, chunks=(1, 1, -1, -1)))
    expected = scan.center_of_mass().get_linear_plane().as_numpy()
    np.testing.assert_allclose(many.center_of_mass().get_linear_plane().as_numpy(), expected, atol=1e-12)


def test_negative_pixels_do_not_throw_the_centre_out_of_the_window(scan: Any) -> None:
    assert np.isnan(scan.center_of_mass(background=7.0).as_numpy()).any()
    inside = scan.center_of_mass(background=7.0, threshold=0).as_numpy()
    assert (abs(inside - [12, 17]) < 3).all()


def test_mirrored_frames_have_a_mirrored_ellipse(scan: Any) -> None:
    scan.set_ellipse((1.2, 30.0))
    swapped = scan.transpose(signal_axes=("ky", "kx"))
    assert swapped.metadata.get_item("Calibration.ellipse")["angle"] == pytest.approx(60.0)
    assert scan.metadata.get_item("Calibration.ellipse")["angle"] == 30.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"reference": np.zeros((24, 34))}, ValueError, "a reference that shows the beam"),
        ({"reference": "median"}, ValueError, "'gradient', 'mean', or a 2-D array"),
        ({"reference": np.eye(24, 34), "center": (500, 3)}, ValueError, "center inside frames of shape"),
        ({"radius": 4, "threshold": np.nan}, ValueError, "threshold=nan"),
        ({"radius": 13}, ValueError, "a disk larger than the frames"),
    ],
)
def test_mistakes_are_told_while_building(scan: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        scan.get_direct_beam_position("phase_correlate", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gaussian", "sigma": 1000}, "sigma=1000 reaches .* positions along 'y', which has 4"),
        ({"method": "median", "size": 100001}, "size=100001 reaches .* positions along"),
    ],
)
def test_filters_do_not_reach_beyond_the_scan(scan: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scan.filter_navigation(**options)
    with pytest.raises(ValueError, match="more than frames of shape"):
        scan.subtract_diffraction_background("top hat", radius=10**7)


def test_solid_angles_need_one_centre(scan: Any) -> None:
    scan.set_calibration(scale=5.0, units="mrad")
    with pytest.raises(ValueError, match="correct_solid_angle=False with one centre a position"):
        scan.get_azimuthal_integral1d(5, center=scan.center_of_mass(), correct_solid_angle=True)

"""`get_direct_beam_position("friedel")`: options, units, windows, masks, blocks, damage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import beam_frames
from lazy4d.lazy import Frames
from tests.signals.conftest import make_scan


@pytest.fixture(scope="module")
def stopped() -> Any:
    """Frames with a beam behind a bar, Friedel pairs around it."""
    return beam_frames((4, 5), (60, 66), stop="bar", spots=0.6, spacing=19.0, dose=200, disk_radius=5.0)


def rms(found: Any, truth: Any) -> float:
    return float(np.sqrt(np.mean((found - truth) ** 2)))


def test_a_beam_behind_a_stop(stopped: Any, no_compute: Any) -> None:
    s = l4.Diffraction2D(Frames.from_array(stopped.frames, 2, chunks=1), title="scan")
    with no_compute:
        found = s.get_direct_beam_position("friedel", mask=stopped.mask)
        score = found.score
    assert found.lazy
    assert type(score) is l4.VirtualImage
    found, score = l4.compute(found, score)
    assert found.dtype == np.float64
    assert rms(found.data, stopped.beam_position) < 0.03
    assert score.data.min() > 0.9
    assert score.data.max() <= 1
    params = found.history[-1].params
    assert (params["method"], params["min_overlap"], params["subpixel"]) == ("friedel", 0.3, "parabola")
    unmasked = s.get_direct_beam_position("friedel").as_numpy()
    assert rms(unmasked, stopped.beam_position) > 1  # the shadow of the stop counts as part of the pattern


def test_lengths_are_pixels_axis_units_or_text(stopped: Any) -> None:
    s = l4.Diffraction2D(stopped.frames)
    s.set_calibration(scale=0.05, units="1/Å", beam_energy="200 kV")
    mask = {"mask": stopped.mask}
    plain = s.get_direct_beam_position("friedel", search_radius=6, center=(33, 30), **mask).as_numpy()
    for radius, center in ((0.3, (0.0, 0.0)), ("3 1/nm", ("0 1/Å", 0.0))):
        again = s.get_direct_beam_position("friedel", search_radius=radius, center=center, **mask).as_numpy()
        np.testing.assert_array_equal(again, plain)
    assert rms(plain, stopped.beam_position) < 0.03


def test_windows_decode_less_and_give_pixels_of_the_whole_frame() -> None:
    made = beam_frames((3, 4), (64, 80), center=(20, 50), dose=100)
    s = l4.Diffraction2D(made.frames)
    found = s.get_direct_beam_position("friedel", signal_slice=(slice(30, 70), slice(3, 37)))
    assert rms(found.as_numpy(), made.beam_position) < 0.05
    roi = s.get_direct_beam_position("friedel", signal_slice=l4.RectangleROI(30, 3, 70, 37))
    np.testing.assert_array_equal(roi.as_numpy(), found.as_numpy())
    middle = beam_frames((3, 4), (64, 80), dose=100)
    found = l4.Diffraction2D(middle.frames).get_direct_beam_position("friedel", half_width=14)
    assert rms(found.as_numpy(), middle.beam_position) < 0.05


def test_a_mask_is_a_roi_or_an_array() -> None:
    made = beam_frames((2, 3), (64, 64), dose=100)
    roi = l4.CircleROI(32, 32, 25)
    s = l4.Diffraction2D(made.frames)
    found = s.get_direct_beam_position("friedel", mask=roi).as_numpy()
    axes = (s.frame_axes[1], s.frame_axes[0])
    np.testing.assert_array_equal(s.get_direct_beam_position("friedel", mask=roi.mask(axes)).as_numpy(), found)
    assert rms(found, made.beam_position) < 0.05


def test_pairs_of_unequal_brightness() -> None:
    """Each spot tries to pair with the beam; within less than half their distance the beam is still the best centre."""
    made = beam_frames((4, 5), (64, 64), spots=0.5, asymmetry=0.5, spacing=18.0, dose=100, disk_radius=5.0)
    s = l4.Diffraction2D(made.frames)
    near = s.get_direct_beam_position("friedel", search_radius=5).compute()
    assert rms(near.data, made.beam_position) < 0.03
    assert np.median(near.score.data) < 0.97  # and the score tells so
    equal = beam_frames((4, 5), (64, 64), spots=0.5, spacing=18.0, dose=100, disk_radius=5.0)
    assert l4.Diffraction2D(equal.frames).get_direct_beam_position("friedel").score.as_numpy().min() > 0.99


def test_counts_are_compared_by_their_square_roots() -> None:
    made = beam_frames((6, 8), spots=0.3, dose=10, disk_radius=6)
    counts, numbers = l4.Diffraction2D(made.frames), l4.Diffraction2D(made.frames.astype("f4"))
    by_default = counts.get_direct_beam_position("friedel").compute()
    root, plain = (numbers.get_direct_beam_position("friedel", square_root=chosen).compute() for chosen in (True, None))
    np.testing.assert_allclose(by_default.data, root.data, atol=1e-6)
    assert (by_default.history[-1].params["square_root"], plain.history[-1].params["square_root"]) == (True, False)
    assert rms(root.data, made.beam_position) < 0.8 * rms(plain.data, made.beam_position) < 0.1


def test_the_same_for_every_cut_into_blocks(chunks: Any) -> None:
    made = beam_frames((4, 5), (32, 30), disk_radius=4, dose=20)
    whole = l4.Diffraction2D(made.frames).get_direct_beam_position("friedel").as_numpy()
    cut = l4.Diffraction2D(Frames.from_array(made.frames, 2, chunks=chunks)).get_direct_beam_position("friedel")
    np.testing.assert_array_equal(cut.as_numpy(), whole)


def test_every_scheduler(scheduler: str) -> None:
    made = beam_frames((4, 3), (32, 30), disk_radius=4, dose=20)
    s = l4.Diffraction2D(Frames.from_array(made.frames, 2, chunks=1))
    found, score = l4.compute(*(lambda p: (p, p.score))(s.get_direct_beam_position("friedel", mask=made.mask)))
    assert rms(found.data, made.beam_position) < 0.15
    assert np.isfinite(score.data).all()


def test_damaged_frames_are_nan() -> None:
    made = beam_frames((4, 3), (32, 30), disk_radius=4, dose=20)
    valid = np.ones((4, 3), bool)
    valid[1, 2] = False
    found = l4.Diffraction2D(made.frames, valid=valid).get_direct_beam_position("friedel").compute()
    assert np.isnan(found.data[1, 2]).all()
    assert np.isnan(found.score.data[1, 2])
    assert np.isfinite(found.data[valid]).all()


def test_choices_that_cannot_be() -> None:
    s = make_scan(np.ones((2, 2, 12, 10), "u2"))
    with pytest.raises(ValueError, match="subpixel='spline' is not known"):
        s.get_direct_beam_position("friedel", subpixel="spline")
    with pytest.raises(ValueError, match=r"expected min_overlap as a share in \(0, 1\], found 2"):
        s.get_direct_beam_position("friedel", min_overlap=2)
    with pytest.raises(ValueError, match="expected a search_radius above 0"):
        s.get_direct_beam_position("friedel", search_radius=0)
    with pytest.raises(ValueError, match=r"expected center as \(x, y\)"):
        s.get_direct_beam_position("friedel", center=3)
    with pytest.raises(ValueError, match=r"no centre within 1 px of \(y, x\) = \(50, 50\)"):
        s.get_direct_beam_position("friedel", center=(50, 50), search_radius=1)
    mask = np.zeros((12, 10), bool)
    mask[0, 0] = True
    with pytest.raises(ValueError, match="False everywhere in the window"):
        s.get_direct_beam_position("friedel", mask=mask, half_width=1.0)

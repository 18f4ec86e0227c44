"""Correlation images and probe templates as methods: units, masks, damage, vacuum, and what a user may get wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.kernels.template_match import match_plan, template_correlation
from lazy4d.kernels.templates import disk, picture_template, pixel_disk_template, ring_template
from lazy4d.lazy import Frames
from tests.signals.conftest import make_scan


def disks(places: Any, radius: float = 4.0, shape: tuple[int, int] = (40, 48)) -> NDArray[np.float64]:
    """A frame of disks of height 1 at places (y, x)."""
    frame = np.zeros(shape)
    half = max(shape)
    for y, x in places:
        row, column = round(y), round(x)
        whole = disk(radius, half, (y - row, x - column))
        frame += whole[half - row : half - row + shape[0], half - column : half - column + shape[1]]
    return frame


def direct(frames: NDArray[Any], *args: Any, **options: Any) -> NDArray[np.float32]:
    out = np.empty(frames.shape, np.float32)
    flat = frames.reshape(-1, *frames.shape[-2:])
    template_correlation(flat, match_plan(args[0], flat.shape[1:], **options), out.reshape(flat.shape))
    return out


@pytest.fixture
def spots() -> l4.Diffraction2D:
    """Disks of radius 4 on a background, Poisson noise, six positions."""
    rng = np.random.default_rng(8)
    means = 5 + 90 * disks([(12, 14), (12, 34), (29, 20), (29, 40)])
    return make_scan(rng.poisson(means, (2, 3, *means.shape)).astype("uint16"), ((1, 1), (2, 1)))


def test_the_kernel_gets_what_the_user_says(spots: l4.Diffraction2D) -> None:
    values = spots.as_numpy()
    picture = np.pad(np.ones((5, 6)), 4)
    cases = {
        "disk": (spots.template_match_disk(4), direct(values, pixel_disk_template(4), normalize=True)),
        "filter": (spots.template_match_disk(4, normalize=False), direct(values, pixel_disk_template(4))),
        "hybrid": (spots.template_match_disk(4, power=0.5), direct(values, pixel_disk_template(4), power=0.5)),
        "ring": (spots.template_match_ring(2, "5 px"), direct(values, ring_template(2, 5), normalize=True)),
        "picture": (spots.template_match(picture), direct(values, picture_template(picture), normalize=True)),
    }
    for name, (result, expected) in cases.items():
        assert result.dtype == np.float32
        assert isinstance(result, l4.Diffraction2D)
        np.testing.assert_array_equal(result.as_numpy(), expected, err_msg=name)
        assert result.axes_manager.equals(spots.axes_manager)
        quantity = {"filter": None, "hybrid": "correlation"}.get(name, "correlation coefficient")
        assert result.metadata.get_item("Signal.quantity", None) == quantity


def test_maxima_lie_on_disks(spots: l4.Diffraction2D) -> None:
    for options in ({}, {"normalize": False}, {"power": 0.7}):
        image = spots.template_match_disk(4, **options).as_numpy()[1, 1]
        for y, x in [(12, 14), (12, 34), (29, 20), (29, 40)]:
            near = image[y - 5 : y + 6, x - 5 : x + 6]
            assert np.unravel_index(near.argmax(), near.shape) == (5, 5), options
    coefficient = spots.template_match_disk(4).as_numpy()
    assert 0.9 < coefficient.max() <= 1
    height = spots.template_match_disk(4, normalize=False).as_numpy()[..., 12, 14]
    assert 90 < height.mean() < 1.2 * 90  # the template's rim is softer, the best fit is higher


def test_hollow_disks_look_more_like_rings() -> None:
    frame = disks([(18, 22)], 6.0) - disks([(18, 22)], 4.0)
    s = l4.Diffraction2D(frame[None])
    ring = s.template_match_ring(4, 6).as_numpy()[0]
    assert np.unravel_index(ring.argmax(), ring.shape) == (18, 22)
    assert ring.max() > 0.95 > 0.7 > s.template_match_disk(6).as_numpy()[0, 18, 22]


def test_radii_in_units(spots: l4.Diffraction2D) -> None:
    same: Any = spots.copy()
    for axis in same.frame_axes:
        axis.scale, axis.units = 0.25, "1/Å"
    expected = spots.template_match_disk(4).as_numpy()
    np.testing.assert_array_equal(same.template_match_disk(1.0).as_numpy(), expected)
    np.testing.assert_array_equal(same.template_match_disk("10 1/nm").as_numpy(), expected)
    assert same.template_match_disk(1.0).history[-1].params["disk_r"] == 1.0


def test_masks_and_regions(spots: l4.Diffraction2D) -> None:
    counts = np.ones(spots.frame_shape, bool)
    counts[8:16, 10:18] = False
    found = spots.template_match_disk(4, mask=counts).as_numpy()
    expected = direct(spots.as_numpy(), pixel_disk_template(4), mask=counts.view(np.uint8), normalize=True)
    np.testing.assert_array_equal(found, expected)
    spoiled = spots.as_numpy()
    spoiled[..., ~counts] = 65535
    np.testing.assert_allclose(make_scan(spoiled).template_match_disk(4, mask=counts).as_numpy(), found, atol=1e-6)
    plain = l4.Diffraction2D(spots.as_numpy())
    region = l4.CircleROI(20, 29, 12)
    by_region = plain.template_match_disk(4, mask=region).as_numpy()
    y, x = np.indices(spots.frame_shape)
    inside = np.hypot(y - 29, x - 20) < 12
    np.testing.assert_array_equal(by_region, plain.template_match_disk(4, mask=inside).as_numpy())


def test_a_beam_stop_hides_a_disk_but_makes_none() -> None:
    """Half a disk beside the stop is still found where it is; the stop's own edge is not."""
    frame = 50 + 400 * disks([(20, 24)], 6.0)
    stop = np.zeros(frame.shape, bool)
    stop[:20, 21:28] = True
    frame[stop] = 0
    s = l4.Diffraction2D(np.random.default_rng(0).poisson(frame)[None].astype("uint16"))
    found = s.template_match_disk(6, mask=~stop).as_numpy()[0]
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert np.hypot(y - 20, x - 24) < 1.5
    assert s.template_match_disk(6).as_numpy()[0, 20, 24] < found[20, 24]


def test_images_of_every_scheduler(spots: l4.Diffraction2D, scheduler: str) -> None:
    expected = direct(spots.as_numpy(), pixel_disk_template(4), normalize=True)
    np.testing.assert_array_equal(spots.template_match_disk(4).as_numpy(), expected, err_msg=scheduler)


def test_damaged_frames_stay_marked(spots: l4.Diffraction2D) -> None:
    values = spots.as_numpy()
    valid = np.ones((2, 3), bool)
    valid[1, 0] = False
    lazy_valid = Frames.from_array(valid, 2).data
    s = l4.Diffraction2D(Frames.from_array(values, 2, chunks=((2,), (3,)), valid=lazy_valid, incomplete="nan"))
    images = s.template_match_disk(4)
    np.testing.assert_array_equal(images.valid.as_numpy(), valid)
    assert not images.as_numpy()[1, 0].any()
    best = images.max(["kx", "ky"]).as_numpy()
    assert np.isnan(best[1, 0])
    assert np.isfinite(best[valid]).all()
    np.testing.assert_allclose(images.mean().as_numpy(), images.as_numpy()[valid].mean(axis=0), atol=1e-6)


def test_what_a_user_may_get_wrong(spots: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match="expected disk_r above 0, found 0"):
        spots.template_match_disk(0)
    with pytest.raises(ValueError, match=r"disk_r=400 is 400 pixels, more than frames of shape \(40, 48\)"):
        spots.template_match_disk(400)
    with pytest.raises(ValueError, match=r"expected r_inner < r_outer, found 5 and '3 px'"):
        spots.template_match_ring(5, "3 px")
    with pytest.raises(ValueError, match=r"expected power in \[0, 1\]"):
        spots.template_match_disk(4, power=2)
    with pytest.raises(ValueError, match="leave normalize out"):
        spots.template_match_disk(4, power=0.5, normalize=True)
    with pytest.raises(ValueError, match="expected a mask that is a ROI or a bool array"):
        spots.template_match_disk(4, mask=np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="not all equal"):
        spots.template_match(np.ones((5, 5)))
    with pytest.raises(TypeError, match="one computed frame"):
        spots.template_match(spots.mean())
    with pytest.raises(ValueError, match="expected the same, since circles are looked for"):
        spots.template_match_disk(9.0)  # the axes of this scan have different scales
    with pytest.raises(ValueError, match="template matching needs frames of real numbers with two signal axes"):
        (spots + 1j).template_match_disk(2)


# ---- the probe


@pytest.fixture
def vacuum() -> tuple[l4.Diffraction2D, NDArray[np.float64]]:
    """Left half of the scan in vacuum, with a beam that travels; the rest is crystal. And where the beam is."""
    rng = np.random.default_rng(2)
    y, x = np.indices((4, 6))
    beam = np.stack([20.3 + 0.8 * y, 23.0 + 0.5 * x], axis=-1)
    means = np.array([[500 * disks([beam[j, i]], 5.0) for i in range(6)] for j in range(4)])
    means[:, 3:] += 400 * disks([(8, 8), (30, 40)], 5.0)
    s = make_scan(rng.poisson(means).astype("uint16"), ((2, 2), (6,)))
    for axis in s.nav_axes:
        axis.scale, axis.offset, axis.units = 1.0, 0.0, "nm"
    return s, beam


def middle(image: NDArray[Any]) -> tuple[float, float]:
    weight = np.where(image > image.max() / 2, image, 0)
    y, x = np.indices(image.shape)
    return float((weight * y).sum() / weight.sum()), float((weight * x).sum() / weight.sum())


@pytest.mark.parametrize("interpolation", ["cubic", "integer"])
def test_a_probe_is_the_mean_of_centred_beams(vacuum: Any, interpolation: str, no_compute: Any) -> None:
    s, _ = vacuum
    with no_compute:
        probe = s.get_probe_template(l4.RectangleROI(0, 0, 3, 4), interpolation=interpolation)
    assert probe.lazy
    assert probe.nav_shape == ()
    computed = probe.compute()
    assert computed.data.shape == s.frame_shape
    error = np.subtract(middle(computed.data), (20, 24))
    assert np.abs(error).max() < (0.1 if interpolation != "integer" else 0.6)
    assert [axis.to_pixels(0.0) for axis in computed.frame_axes] == [20, 24]
    assert computed.metadata.get_item("Sample.name") == "gold"
    assert computed.history[-1].op == "get_probe_template"
    picture = 500 * disks([(20, 24)], 5.0)
    assert np.corrcoef(picture.ravel(), computed.data.ravel())[0, 1] > (0.98 if interpolation != "integer" else 0.95)


def test_a_probe_is_sharper_where_frames_are_aligned(vacuum: Any) -> None:
    s, _ = vacuum
    inside = np.zeros((4, 6), bool)
    inside[:, :3] = True
    aligned = s.get_probe_template(inside).as_numpy()
    smeared = s.get_probe_template(inside, align=None).as_numpy()
    edge = np.abs(np.diff(aligned, axis=0)).max() / np.abs(np.diff(smeared, axis=0)).max()
    assert edge > 1.3
    np.testing.assert_allclose(middle(smeared), (20, 24), atol=0.1)
    by_roi = s.get_probe_template(l4.RectangleROI(0, 0, 3, 4)).as_numpy()
    np.testing.assert_allclose(aligned, by_roi, atol=1e-4)


def test_a_probe_finds_the_disks_of_other_frames(vacuum: Any) -> None:
    s, beam = vacuum
    probe = s.get_probe_template(l4.RectangleROI(0, 0, 3, 4)).compute()
    images = s.template_match(probe)
    assert images.history[-1].parents == (probe.history.id,)
    found = images.as_numpy()
    for j, i in [(0, 0), (3, 2), (2, 5)]:
        y, x = np.unravel_index(found[j, i, 15:26, 18:31].argmax(), (11, 13))
        assert np.abs(np.subtract((y + 15, x + 18), beam[j, i])).max() <= 0.8
    assert found[2, 4, 8, 8] > 0.9


def test_a_probe_with_options_of_the_method(vacuum: Any) -> None:
    s, _ = vacuum
    inside = l4.RectangleROI(0, 0, 3, 4)
    bright = s + np.uint16(50)
    probe = bright.get_probe_template(inside, align="center_of_mass", threshold=200).as_numpy()
    np.testing.assert_allclose(middle(probe - 50), (20, 24), atol=0.1)


def test_empty_and_missing_pixels_do_not_enter_a_probe(vacuum: Any) -> None:
    """On a background, nothing dark comes in from outside; frames without a beam, or with NaN, do no harm."""
    values = vacuum[0].as_numpy()[:, :3].astype("f4") + 50
    values[0, 0] = 0
    values[1, 1, 30:33, 5] = np.nan
    probe = l4.Diffraction2D(values).get_probe_template(threshold=200).as_numpy()
    assert np.isfinite(probe).all()
    np.testing.assert_allclose(middle(probe - 50), (20, 24), atol=0.1)
    y, x = np.indices(probe.shape)
    np.testing.assert_allclose(probe[np.hypot(y - 20, x - 24) > 9], 50, atol=0.5)


def test_a_probe_of_a_line_of_positions(vacuum: Any) -> None:
    line = vacuum[0].inav[0]
    np.testing.assert_allclose(middle(line.get_probe_template().as_numpy()), (20, 24), atol=0.1)
    with pytest.raises(ValueError, match="positions of a scan with two axes, found 1"):
        line.get_probe_template(l4.RectangleROI(0, 0, 1, 1))


def test_what_a_user_may_get_wrong_about_a_probe(vacuum: Any) -> None:
    s, _ = vacuum
    with pytest.raises(ValueError, match="it is a template as it is"):
        s.mean().get_probe_template()
    with pytest.raises(ValueError, match=r"bool array of the scan's shape \(4, 6\)"):
        s.get_probe_template(np.zeros((4, 6), bool))
    with pytest.raises(ValueError, match=r"bool array of the scan's shape \(4, 6\)"):
        s.get_probe_template(np.ones((6, 4), bool))
    with pytest.raises(TypeError, match="found align=None"):
        s.get_probe_template(align=None, threshold=3)
    with pytest.raises(ValueError, match="method='middle' is not known"):
        s.get_probe_template(align="middle")

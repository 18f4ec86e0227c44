"""Named regions: kept in metadata, saved, carried along by operations; and the mean pattern of a region."""

from __future__ import annotations

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Frames
from lazy4d.roi import LineROI, PaintedROI, SpanROI
from tests.signals.conftest import make_scan


def shown(regions):
    return {name: repr(roi) for name, roi in regions.items()}


# -- the mapping -----------------------------------------------------------------------------------------------------


def test_regions_are_a_mapping_of_both_planes(simple):
    grain, disk = l4.RectangleROI(0, 0, 3, 2), l4.CircleROI(5, 6, 3)
    simple.regions["grain"] = grain
    simple.regions.signal["disk"] = disk
    assert list(simple.regions) == ["grain", "disk"]
    assert len(simple.regions) == 2
    assert "disk" in simple.regions
    assert "disk" not in simple.regions.navigation
    assert simple.regions["disk"] is disk
    assert dict(simple.regions.navigation) == {"grain": grain}
    assert simple.regions.get("nothing") is None
    assert simple.regions.get("grain") is grain
    simple.regions["disk"] = l4.CircleROI(5, 6, 2)  # known as a region of the frames
    assert simple.regions.signal["disk"].r == 2
    simple.regions.navigation["disk"] = l4.CircleROI(2, 2, 2)  # a name stands for one region
    assert "disk" not in simple.regions.signal
    del simple.regions["disk"]
    assert list(simple.regions) == ["grain"]
    assert simple.regions.pop("disk", None) is None
    assert "grain" in repr(simple.regions)
    assert "name one with" in repr(make_scan(np.zeros((2, 2, 4, 4), "u1")).regions)


def test_without_a_scan_regions_are_of_the_frame(simple):
    pattern = simple.inav[0, 0]
    pattern.regions["spot"] = l4.CircleROI(5, 6, 2)
    assert list(pattern.regions.signal) == ["spot"]


def test_what_cannot_be_a_region_is_refused(simple):
    with pytest.raises(TypeError, match="expected a region such as CircleROI for 'a', found 3"):
        simple.regions["a"] = 3
    with pytest.raises(TypeError, match="expected a name of at least one letter"):
        simple.regions[""] = l4.CircleROI(2, 2, 1)
    with pytest.raises(ValueError, match="at least one pixel"):
        simple.regions["a"] = l4.CircleROI(200, 2, 1)
    with pytest.raises(ValueError, match="expected the name of a region, found 'b': there are"):
        simple.regions["b"]
    with pytest.raises(ValueError, match="expected the name of a signal region, found 'b'"):
        del simple.regions.signal["b"]
    with pytest.raises(ValueError, match="expected the name of a region, found 'b'"):
        del simple.regions["b"]
    assert not simple.metadata.has_item("Regions")


def test_a_region_changed_in_place_is_kept_so(simple):
    grain = l4.RectangleROI(0, 0, 3, 2)
    seen = []
    simple.regions.observe(seen.append)
    simple.regions["grain"] = grain
    grain.update(left=1, right=4)
    assert simple.copy().regions["grain"].right == 4
    simple.regions["grain"].bottom = 3
    assert simple.copy().regions["grain"].bottom == 3
    assert seen == ["grain"] * 3
    simple.regions.observe(seen.append, remove=True)
    simple.regions["grain"] = l4.RectangleROI(0, 0, 1, 1)
    grain.right = 5  # replaced: nobody listens any more
    assert simple.regions["grain"].right == 1
    assert len(seen) == 3


def test_copies_are_independent(simple):
    simple.regions["grain"] = l4.RectangleROI(0, 0, 3, 2)
    twin = simple.deepcopy()
    twin.regions["grain"].right = 4
    twin.regions["other"] = l4.CircleROI(2, 2, 1)
    assert simple.regions["grain"].right == 3
    assert list(simple.regions) == ["grain"]


def test_metadata_edited_elsewhere_is_read_again(simple):
    other = simple.copy()
    other.regions["grain"] = l4.RectangleROI(0, 0, 3, 2)
    assert list(simple.regions) == []
    simple.metadata.add_dictionary(other.metadata)
    assert shown(simple.regions) == shown(other.regions)
    simple.metadata.set_item(("Regions", "navigation"), "no json at all")
    assert list(simple.regions) == []
    simple.metadata.set_item(("Regions", "navigation"), '{"a": {"roi": "Star"}, "b": {"roi": "SpanROI", "left": 0}}')
    assert list(simple.regions) == []


# -- saved with the data ---------------------------------------------------------------------------------------------

EVERY_SHAPE = {
    "a circle": l4.CircleROI(2, 2.5, "2 nm", r_inner="0.5 nm"),
    "rect/angle": l4.RectangleROI(0, 0, 3, 2),
    "ellipse.": l4.EllipseROI(2, 2, 2, 1, 30.0),
    "polygon": l4.PolygonROI([(0, 0), (4.0, 0), (0, "5 nm")]),
    "Linie ß": LineROI(0, 0, 4, 3, 1),
    "painted": PaintedROI([(0, 1, 4), (2, 0, 3)]),
}


@pytest.mark.parametrize("suffix", [".zarr", ".hspy", ".zspy"])
def test_regions_are_saved_with_the_data(simple, tmp_path, suffix):
    for name, roi in EVERY_SHAPE.items():
        simple.regions[name] = roi.copy()
    simple.regions.signal["disk"] = l4.CircleROI(5, 6, 3)
    simple.save(tmp_path / f"scan{suffix}")
    again = l4.load(tmp_path / f"scan{suffix}")
    assert shown(again.regions) == shown(simple.regions)
    assert shown(again.regions.signal) == {"disk": "CircleROI(cx=5, cy=6, r=3, r_inner=0)"}


# -- carried along by operations -------------------------------------------------------------------------------------


@pytest.fixture
def named():
    signal = make_scan(np.random.default_rng(4).poisson(3.0, (8, 10, 12, 16)).astype("uint16"))
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.offset = 0.5, 0.0
    for axis in signal.axes_manager.navigation_axes:
        axis.scale, axis.offset = 1.0, 0.0
    signal.regions["grain"] = l4.RectangleROI(2, 2, 8, 6)
    signal.regions["in nm"] = l4.CircleROI(5.0, 4.0, "2.5 nm")
    signal.regions.signal["disk"] = l4.CircleROI(8, 6, 3)
    return signal


def masks(signal, plane):
    axes = signal.axes_manager.navigation_axes if plane == "navigation" else signal.axes_manager.signal_axes
    return {name: roi.mask(axes) for name, roi in getattr(signal.regions, plane).items()}


def test_cuts_move_regions(named, no_compute):
    before = masks(named, "navigation")
    with no_compute:
        cut = named.inav[1:9, 2:].isig[4:, 2:11]
    assert masks(cut, "navigation").keys() == before.keys()
    for name, mask in masks(cut, "navigation").items():
        np.testing.assert_array_equal(mask, before[name][2:, 1:9])
    np.testing.assert_array_equal(masks(cut, "signal")["disk"], masks(named, "signal")["disk"][2:11, 4:])
    assert repr(cut.regions["disk"]) == "CircleROI(cx=4, cy=4, r=3, r_inner=0)"


def test_rebinning_moves_regions(named):
    half = named.rebin(scale=(2, 2, 2, 2))
    assert repr(half.regions["grain"]) == "RectangleROI(left=1, top=1, right=4, bottom=3)"
    centre = half.axes_manager["kx"].to_pixels(half.regions["disk"].cx)
    assert centre == pytest.approx((8 - 0.5) / 2)


def test_calibrating_keeps_pixels(named):
    named.set_calibration(scale=0.02, units="1/nm")
    assert repr(named.regions["disk"]) == "CircleROI(cx=8, cy=6, r=3, r_inner=0)"
    assert named.isig[2:].regions["disk"].cx == 6


def test_results_have_the_regions_of_the_axes_that_are_left(named):
    image = named.get_virtual_image(named.regions["disk"])
    assert list(image.regions) == ["grain", "in nm"]
    assert list(named.sum().regions) == ["disk"]
    assert list(named.inav[3, 4].regions) == ["disk"]
    assert list(named.inav[:, 4].regions) == ["disk"]
    assert list(named.inav[0:2, 0:2].regions) == ["disk"]  # nothing of the others is left
    assert not named.sum().sum().metadata.has_item("Regions")
    assert list(named.astype("float32").regions) == ["grain", "in nm", "disk"]


def test_a_transpose_exchanges_the_planes(named):
    turned = named.T
    assert list(turned.regions.signal) == ["grain", "in nm"]
    assert list(turned.regions.navigation) == ["disk"]


def test_axes_in_another_order_take_their_regions_along(named):
    before = masks(named, "navigation")
    named.regions["line"] = LineROI(1, 2, 7, 3, 2)
    turned = named.transpose(signal_axes=("kx", "ky"), navigation_axes=("y", "x"))
    after = masks(turned, "navigation")
    for name, mask in before.items():
        np.testing.assert_array_equal(after[name], mask.T)
    assert repr(turned.regions["grain"]) == "RectangleROI(left=2, top=2, right=6, bottom=8)"


def test_centring_leaves_detectors_where_they_are(named):
    named.regions.signal["in units"] = l4.CircleROI(4.0, 3.0, 1.5)
    before = masks(named, "signal")
    centred = named.center_direct_beam(method="center_of_mass")
    for name, mask in masks(centred, "signal").items():
        np.testing.assert_array_equal(mask, before[name])


# -- the mean of a region --------------------------------------------------------------------------------------------

REGIONS = [
    l4.RectangleROI(1, 0, 4, 3),
    l4.CircleROI(2, 2, 2),
    l4.EllipseROI(2, 2, 2, 1, 30),
    l4.PolygonROI([(0, 0), (4, 0), (0, 3)]),
    LineROI(0, 0, 4, 3, 1),
    PaintedROI([(0, 1, 4), (2, 0, 3)]),
]


@pytest.mark.parametrize("roi", REGIONS, ids=lambda roi: type(roi).__name__)
def test_the_mean_of_a_region_is_that_of_its_frames(simple, roi, no_compute):
    scan, pixels = simple, simple.as_numpy()
    with no_compute:
        mean = scan.get_region_mean(roi)
    inside = roi.mask(scan.axes_manager.navigation_axes)
    expected = pixels[inside].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(mean.as_numpy(), expected, rtol=1e-12)
    assert mean.lazy
    assert mean.data.dtype == np.float64
    assert mean.title == "region of scan"
    assert mean.axes_manager["kx"].equals(scan.axes_manager["kx"])


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "float32"])
def test_means_of_every_dtype(simple, dtype):
    scan = simple.astype(dtype)
    mean = scan.get_region_mean(l4.RectangleROI(1, 1, 4, 4)).as_numpy()
    expected = simple.as_numpy()[1:4, 1:4].astype(np.float64).mean(axis=(0, 1))
    np.testing.assert_allclose(mean, expected, rtol=1e-12)


def test_regions_by_name_mask_list_and_dict(simple):
    simple.regions["grain"] = l4.RectangleROI(1, 0, 4, 3)
    mask = simple.regions["grain"].mask(simple.axes_manager.navigation_axes)
    by_name = simple.get_region_mean("grain")
    assert by_name.title == "grain of scan"
    both = simple.get_region_mean({"a": "grain", "b": l4.CircleROI(1, 1, 1)})
    one, two = simple.get_region_mean([mask, "grain"])
    image = l4.VirtualImage(mask)
    for result in (both["a"], one, two, simple.get_region_mean(image)):
        np.testing.assert_array_equal(result.as_numpy(), by_name.as_numpy())
    assert both["b"].title == "b of scan"


def test_means_of_sums_are_exact(simple):
    roi = l4.RectangleROI(1, 0, 4, 3)
    total = simple.inav[1:4, 0:3].sum().as_numpy()
    np.testing.assert_array_equal(simple.get_region_mean(roi).as_numpy(), total / 9)


def test_missing_frames_are_left_out():
    pixels = np.arange(3 * 4 * 2 * 2, dtype="u2").reshape(3, 4, 2, 2)
    valid = np.ones((3, 4), bool)
    valid[0, 1] = False
    s = l4.Diffraction2D(pixels, valid=valid)
    mean = s.get_region_mean(l4.RectangleROI(0, 0, 3, 1)).as_numpy()
    np.testing.assert_array_equal(mean, pixels[0, [0, 2]].mean(axis=0))
    assert np.isnan(s.get_region_mean(l4.RectangleROI(1, 0, 2, 1)).as_numpy()).all()


def test_a_line_scan_takes_spans():
    pixels = np.random.default_rng(1).poisson(4.0, (9, 5, 6)).astype("u2")
    s = l4.Diffraction2D(pixels)
    np.testing.assert_array_equal(s.get_region_mean(SpanROI(2, 6)).as_numpy(), pixels[2:6].mean(axis=0))
    s.regions["left"] = SpanROI(0, 3)
    assert repr(s.inav[1:].regions["left"]) == "SpanROI(left=0, right=2)" or s.inav[1:].regions["left"].right == 2


def test_what_is_no_region_is_refused(simple):
    with pytest.raises(ValueError, match="expected the name of a navigation region, found 'x'"):
        simple.get_region_mean("x")
    with pytest.raises(ValueError, match=r"a mask of bool of the scan's shape .4, 5., found shape .2, 2."):
        simple.get_region_mean(np.ones((2, 2), bool))
    with pytest.raises(TypeError, match="expected a region that is known, found the lazy"):
        simple.get_region_mean(simple.get_total_intensity() > 5)
    with pytest.raises(ValueError, match="expected a region of at least one position"):
        simple.get_region_mean(np.zeros((4, 5), bool))
    with pytest.raises(ValueError, match="at least one pixel"):
        simple.get_region_mean(l4.CircleROI(90, 0, 2))
    with pytest.raises(ValueError, match="without navigation axes: it is one frame already"):
        simple.inav[0, 0].get_region_mean(l4.CircleROI(1, 0, 2))
    volume = l4.Diffraction2D(Frames.from_array(np.zeros((2, 3, 4, 5, 6), "u1"), 3))
    with pytest.raises(ValueError, match=r"expected a scan of one or two axes for CircleROI.*found 3"):
        volume.get_region_mean(l4.CircleROI(1, 0, 2))


def test_a_detector_by_its_name(simple):
    simple.regions.signal["bright field"] = l4.CircleROI(4, 4, 3)
    named = simple.get_virtual_image("bright field")
    assert named.title == "bright field"
    np.testing.assert_array_equal(named.as_numpy(), simple.get_virtual_image(l4.CircleROI(4, 4, 3)).as_numpy())
    with pytest.raises(ValueError, match="dark field"):
        simple.get_virtual_image("dark field")


@pytest.mark.parametrize("centred", [False, True])
def test_a_mirrored_signal_has_its_regions_on_the_same_pixels(centred):
    signal = make_scan(np.random.default_rng(5).integers(0, 9, (5, 6, 8, 9)).astype("u2"))
    signal.set_calibration(scale=0.1, units="1/Å", center=(4, 4) if centred else None, scan_scale=2.0, scan_units="nm")
    grain, spot = l4.RectangleROI(0, 1, 2, 4), l4.CircleROI(0.1, 0.3, "0.25 1/Å")
    signal.regions.navigation["grain"], signal.regions.signal["spot"] = grain, spot
    mean, image = signal.get_region_mean("grain").as_numpy(), signal.get_virtual_image("spot").as_numpy()
    for turned in (signal.flip(("x", "y")), signal.flip("x").flip("y"), signal.flip("x"), signal.flip("y")):
        np.testing.assert_allclose(turned.get_region_mean("grain").as_numpy(), mean)
    for turned in (signal.flip_diffraction_x(), signal.flip_diffraction_y(), signal.flip()):
        np.testing.assert_array_equal(turned.get_virtual_image("spot").as_numpy(), image)
        np.testing.assert_allclose(
            turned.regions.navigation["grain"].mask(turned.nav_axes[::-1]), grain.mask(signal.nav_axes[::-1])
        )

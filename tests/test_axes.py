"""Axes: selections in pixels and units against numpy, calibration that follows the data, observed positions."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traits.api import TraitError

from lazy4d.axes import AxesManager, Axis, Coordinate
from lazy4d.units import wavelength

bounds = st.none() | st.integers(-12, 12)
steps = st.none() | st.integers(-4, 4).filter(bool)
scales = st.sampled_from([1.0, 0.5, -0.25, 0.02, -3.0])


def make(size=8, scale=0.5, offset=0.0, units="1/Å", **more):
    return Axis(name="kx", size=size, scale=scale, offset=offset, units=units, **more)


@settings(deadline=None)
@given(st.integers(1, 9), scales, st.floats(-5, 5), bounds, bounds, steps)
def test_integer_slices_select_as_numpy_does(size, scale, offset, start, stop, step):
    axis, item = make(size, scale, offset), slice(start, stop, step)
    expected = axis.axis[item]
    if expected.size == 0:
        with pytest.raises(ValueError, match=r"selects none: axis 'kx' has pixels 0 to"):
            axis.slice_to_pixels(item)
        return
    pixels = axis.slice_to_pixels(item)
    np.testing.assert_array_equal(axis.axis[pixels], expected)
    assert 0 <= pixels.start < size
    sliced = axis.sliced(item)
    assert (sliced.size, sliced.index) == (expected.size, 0)
    np.testing.assert_allclose(sliced.axis, expected, atol=1e-12)


@settings(deadline=None)
@given(st.integers(2, 9), scales, st.floats(-5, 5), st.data())
def test_values_go_to_the_nearest_pixel_and_the_stop_is_excluded(size, scale, offset, data):
    axis = make(size, scale, offset)
    nudge = data.draw(st.floats(-0.49, 0.49)) * scale
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first + 1, size))
    at = [float(axis.index2value(i)) + nudge for i in (first, last)]
    assert axis.slice_to_pixels(slice(*at)) == slice(first, last, 1)
    assert axis.slice_to_pixels(slice(at[0], last)) == slice(first, last, 1)
    assert axis.slice_to_pixels(slice(first, f"{at[1]!r} 1/Å")) == slice(first, last, 1)
    assert axis.slice_to_pixels(at[0]) == first
    assert axis.value2index(at[0]) == first
    assert axis.slice_to_pixels(slice(at[1] - scale, at[0] - scale, -1)).start == last - 1


def test_text_carries_its_unit():
    axis = make(64, 0.1, -3.2, beam_energy="200 kV")
    assert axis.slice_to_pixels("3 1/nm") == 35
    assert axis.slice_to_pixels(slice("-5 1/nm", "5 nm^-1")) == slice(27, 37, 1)
    theta = 0.5 * wavelength(200) * 1e3
    assert axis.slice_to_pixels(slice(f"{-theta!r} mrad", f"{theta!r} mrad")) == slice(27, 37, 1)


def test_steps_in_pixels_and_units():
    axis = make(64, 0.1)
    assert axis.slice_to_pixels(slice(None, None, 0.2)) == slice(0, 64, 2)
    assert axis.slice_to_pixels(slice(None, None, "2 1/nm")) == slice(0, 64, 2)
    assert axis.slice_to_pixels(slice(None, None, -2)) == slice(63, None, -2)
    assert make(64, -0.1).slice_to_pixels(slice(None, None, 0.2)) == slice(63, None, -2)
    with pytest.raises(ValueError, match=r"a step of at least one pixel \(0.1 1/Å\)"):
        axis.slice_to_pixels(slice(None, None, 0.04))
    with pytest.raises(ValueError, match=r"a step of at least one pixel"):
        axis.slice_to_pixels(slice(None, None, 0))


def test_a_value_just_past_either_end_can_be_the_stop():
    axis = make(8, 1.0)
    assert axis.slice_to_pixels(slice(2.0, 8.0)) == slice(2, 8, 1)
    assert axis.slice_to_pixels(slice(3.0, -1.0, -1)) == slice(3, None, -1)
    with pytest.raises(ValueError, match=r"9.0 lies outside the axis: axis 'kx' has pixels 0 to 7 and values 0 to 7"):
        axis.slice_to_pixels(slice(2.0, 9.0))
    with pytest.raises(ValueError, match=r"-1.0 lies outside"):
        axis.slice_to_pixels(slice(-1.0, 3.0))


@pytest.mark.parametrize("number", [np.int64(3), np.uint8(3), np.array(3)])
def test_numpy_integers_are_pixels(number):
    assert make().slice_to_pixels(number) == 3
    assert make().slice_to_pixels(slice(number, None)) == slice(3, 8, 1)
    assert make().slice_to_pixels(slice(None, -np.int64(3))) == slice(0, 5, 1)


@pytest.mark.parametrize("number", [np.float64(1.5), np.float32(1.5), 1.5, "1.5 1/Å"])
def test_numpy_floats_are_values(number):
    assert make().slice_to_pixels(number) == 3


def test_negative_pixels_count_from_the_end():
    assert make().slice_to_pixels(-1) == 7
    with pytest.raises(ValueError, match=r"expected a pixel from -8 to 7, found -9"):
        make().slice_to_pixels(-9)
    with pytest.raises(ValueError, match=r"expected a pixel from -8 to 7, found 8"):
        make().slice_to_pixels(8)


@pytest.mark.parametrize("wrong", [True, np.False_, None, [1, 2], slice(True, None), slice(None, None, False)])
def test_anything_else_is_refused(wrong):
    with pytest.raises(TypeError, match=r"expected an int \(pixel\), a float \(axis units\) or a string"):
        make().slice_to_pixels(wrong)


def test_values_and_indices():
    axis = make(8, -0.5, 1.0)
    np.testing.assert_array_equal(axis.axis, 1.0 - 0.5 * np.arange(8))
    assert (axis.low_value, axis.high_value) == (-2.5, 1.0)
    assert axis.value2index(0) == 2  # an int is a value here
    np.testing.assert_array_equal(axis.value2index([1.0, -2.5]), [0, 7])
    np.testing.assert_array_equal(axis.index2value(np.array([0, 7])), [1.0, -2.5])
    assert axis.index2value(0.5) == 0.75
    for outside in (1.3, np.array([0.0, 9.0]), [math.nan]):
        with pytest.raises(ValueError, match="lies outside the axis: axis 'kx' has pixels 0 to 7"):
            axis.value2index(outside)


def test_halfway_goes_to_the_later_pixel():
    assert [make(8, 1.0).value2index(value) for value in (0.5, 1.5, 2.5)] == [1, 2, 3]


@settings(deadline=None)
@given(st.integers(1, 12), scales, st.floats(-5, 5), st.integers(1, 12))
def test_rebinned_pixels_sit_in_the_middle_of_their_group(size, scale, offset, factor):
    axis = make(size, scale, offset)
    if factor > size:
        with pytest.raises(ValueError, match=f"expected a whole factor from 1 to {size}"):
            axis.rebinned(factor)
        return
    expected = axis.axis[: size // factor * factor].reshape(-1, factor).mean(axis=1)
    np.testing.assert_allclose(axis.rebinned(factor).axis, expected, atol=1e-12)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "2"])
def test_rebinning_takes_whole_factors(wrong):
    with pytest.raises(ValueError, match="expected a whole factor from 1 to 8"):
        make().rebinned(wrong)


def test_attributes_are_checked_when_set():
    axis = make()
    for name, value, kind, message in [
        ("scale", 0, ValueError, "finite and non-zero scale of axis 'kx', found 0"),
        ("scale", math.nan, ValueError, "finite and non-zero scale"),
        ("offset", math.inf, ValueError, "finite offset"),
        ("offset", "3", TypeError, "a number for offset"),
        ("scale", True, TypeError, "a number for scale"),
        ("index", 8, ValueError, "an index from 0 to 7 on axis 'kx', found 8"),
        ("index", -1, ValueError, "an index from 0 to 7"),
        ("index", 1.0, TypeError, "use value2index"),
        ("size", 9, ValueError, r"follows its data \(8 pixels\)"),
        ("beam_energy", -1, ValueError, "positive beam energy"),
    ]:
        before = axis.as_dictionary()
        with pytest.raises(kind, match=message):
            setattr(axis, name, value)
        assert axis.as_dictionary() == before
    with pytest.raises(ValueError, match="whole number of pixels from 1"):
        Axis(size=0)


def test_units_are_kept_in_their_canonical_spelling():
    axis = make(units="A^-1")
    assert axis.units == "1/Å"
    axis.units = "[n_m^-1]"
    assert axis.units == "1/nm"
    axis.units = None
    assert axis.units == "px"


def test_traits_can_be_observed():
    axis, seen = make(), []
    axis.observe(lambda event: seen.append((event.name, event.old, event.new)), "scale")
    axis.observe(lambda event: seen.append(event.name), "value")
    axis.scale = 2
    axis.index = 3
    assert ("scale", 0.5, 2.0) in seen
    assert seen.count("value") == 2
    assert axis.value == 6
    axis.value = "8 1/Å"
    assert axis.index == 4


def test_converting_units_keeps_every_pixel_in_place():
    axis = make(8, 0.1, -0.4, beam_energy=200)
    before = axis.axis
    axis.convert_units("mrad")
    np.testing.assert_allclose(axis.axis, before * wavelength(200) * 1e3, rtol=1e-12)
    axis.convert_units("1/nm")
    np.testing.assert_allclose(axis.axis, before * 10, rtol=1e-12)
    with pytest.raises(ValueError, match=r"set_calibration\(scale="):
        make(units="px").convert_units("nm")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a)), Axis.copy])
def test_copies_are_equal_and_independent(duplicate):
    seen = []
    axis = make(index=3, beam_energy=80, coordinates=(Coordinate("x", "nm", np.arange(8.0)),))
    axis.observe(seen.append, "scale")
    twin = duplicate(axis)
    assert axis.equals(twin)
    assert (twin.index, twin.beam_energy) == (3, 80)
    twin.scale = 9
    assert not axis.equals(twin)
    assert not seen


def test_coordinates_follow_slices_and_bins():
    axis = Axis(name="position", size=4, navigate=True, coordinates=(Coordinate("x", "nm", np.array([0.0, 1, 4, 9])),))
    np.testing.assert_array_equal(axis.sliced(slice(None, None, -2)).coordinates[0].values, [9, 1])
    np.testing.assert_array_equal(axis.rebinned(2).coordinates[0].values, [0.5, 6.5])
    with pytest.raises(ValueError, match=r"expected 3 values of 'x'"):
        Axis(name="position", size=3, coordinates=axis.coordinates)


# -- the manager ---------------------------------------------------------------------------------------------------


@pytest.fixture
def axes():
    return AxesManager.from_shapes((3, 4), (16, 8))


def test_shapes_and_numbers(axes):
    assert (axes.navigation_shape, axes.signal_shape) == ((4, 3), (8, 16))
    assert (axes.nav_shape, axes.frame_shape) == ((3, 4), (16, 8))
    assert [axis.name for axis in axes] == ["x", "y", "kx", "ky"]
    assert [axis.name for axis in axes.as_numpy_order()] == ["y", "x", "ky", "kx"]
    assert [axes[i].name for i in (0, 1, 2, 3, -1)] == ["x", "y", "kx", "ky", "ky"]
    assert axes["ky"].size == 16
    assert axes[axes["ky"]] is axes["ky"]
    assert len(axes) == 4


@pytest.mark.parametrize("key", [4, -5, "kz", None, True, 1.0, "", Axis(size=4)])
def test_an_axis_that_is_not_there(axes, key):
    with pytest.raises(ValueError, match=r"an axis number from 0 to 3|expected one axis|one of these axes"):
        axes[key]


def test_a_name_that_is_given_twice_is_not_guessed(axes):
    axes["ky"].name = "kx"
    with pytest.raises(ValueError, match=r"found 'kx', which 2 axes have: the axes are 0 = 'x', .* 3 = 'kx'"):
        axes["kx"]


def test_default_names_never_run_out():
    many = AxesManager.from_shapes((1,) * 6, (1,) * 5)
    assert [axis.name for axis in many.navigation_axes] == ["x", "y", "z", "t", "axis4", "axis5"]
    assert [axis.name for axis in many.signal_axes] == ["kx", "ky", "kz", "k3", "k4"]
    assert [axis.name for axis in AxesManager.from_shapes((), (2, 3), signal_names=("x", "y"))] == ["x", "y"]
    with pytest.raises(ValueError, match="expected 2 signal_names"):
        AxesManager.from_shapes((), (2, 3), signal_names=("x",))


def test_navigation_comes_first():
    with pytest.raises(ValueError, match="navigation axes before signal axes"):
        AxesManager([Axis(size=2), Axis(size=2, navigate=True)])
    with pytest.raises(TypeError, match="expected Axis objects, found 3"):
        AxesManager([3])


def test_a_move_fires_once_in_each_form(axes):
    seen = []
    for name in ("indices", "index", "coordinates"):
        axes.observe(lambda event: seen.append((event.name, event.old, event.new)), name)
    axes["x"].scale = 0.5
    axes.indices = (3, 2)
    assert seen == [("indices", (0, 0), (3, 2)), ("index", 0, 11), ("coordinates", (0.0, 0.0), (1.5, 2.0))]
    seen.clear()
    axes.indices = (3, 2)
    assert not seen
    axes["y"].index = 1
    assert seen[0] == ("indices", (3, 2), (3, 1))
    axes.index = 2
    assert axes.indices == (2, 0)
    axes.coordinates = ("0.4 px", 1.0)
    assert axes.indices == (1, 1)


def test_a_move_out_of_the_scan_changes_nothing(axes):
    axes.indices = (1, 1)
    seen = []
    axes["x"].observe(seen.append, "index")
    for name, wrong, message in [
        ("indices", (2, 3), "an index from 0 to 2 on axis 'y', found 3"),
        ("indices", (2,), r"expected 2 indices, one for each of \['x', 'y'\]"),
        ("indices", "ab", "expected 2 indices"),
        ("index", 12, "expected a scan position from 0 to 11, found 12"),
        ("index", -1, "a scan position from 0 to 11"),
        ("coordinates", (0.0,), "expected 2 values"),
        ("coordinates", (0.0, 7.0), "7.0 lies outside the axis"),
    ]:
        with pytest.raises(ValueError, match=message):
            setattr(axes, name, wrong)
    assert axes.indices == (1, 1)
    assert not seen


def test_index_is_the_scan_order():
    axes = AxesManager.from_shapes((2, 3, 4), (5,))
    for number, position in enumerate(np.ndindex(2, 3, 4)):
        axes.indices = position[::-1]
        assert axes.index == number
    assert AxesManager.from_shapes((), (5,)).index == 0
    assert len(list(axes.iterate_positions())) == 24


def test_calibration_changes_are_announced(axes):
    seen = []
    axes.observe(lambda event: seen.append(event.new.name), "calibration_changed")
    axes["kx"].scale = 2
    axes["y"].units = "nm"
    axes["x"].index = 1
    assert seen == ["kx", "y"]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_manager_copies_are_independent_and_alive(axes, duplicate):
    axes.indices = (2, 1)
    twin, seen = duplicate(axes), []
    assert twin.equals(axes)
    assert twin.indices == (2, 1)
    twin.observe(seen.append, "indices")
    twin["x"].index = 0
    assert len(seen) == 1
    assert axes.indices == (2, 1)


def test_selecting_positions(axes):
    axes["x"].scale = 0.5
    pixels, left = axes.select_navigation((1.0, slice(1, None)))
    assert pixels == (slice(1, 3, 1), 2)
    assert [axis.name for axis in left] == ["y", "kx", "ky"]
    assert left["y"].offset == 1
    assert axes.select_navigation(2)[0] == (slice(0, 3, 1), 2)
    assert axes.select_navigation((..., 0))[0] == (0, slice(0, 4, 1))
    assert axes.select_navigation(())[0] == (slice(0, 3, 1), slice(0, 4, 1))
    for wrong in ((0, 0, 0), (..., ...)):
        with pytest.raises(ValueError, match=r"at most 2 items between the brackets of inav, x first"):
            axes.select_navigation(wrong)


@settings(deadline=None)
@given(st.data())
def test_selecting_is_what_numpy_does(data):
    axes, array = AxesManager.from_shapes((3, 4), (5, 6)), np.arange(3 * 4 * 5 * 6).reshape(3, 4, 5, 6)
    item = st.integers(0, 2) | st.tuples(st.integers(0, 1), st.integers(2, 3)).map(lambda ends: slice(*ends))
    nav, sig = data.draw(st.tuples(item, item)), data.draw(st.tuples(item, item))
    nav_pixels, left = axes.select_navigation(nav)
    sig_pixels, left = left.select_signal(sig)
    expected = array[nav[1], nav[0], sig[1], sig[0]]
    np.testing.assert_array_equal(array[nav_pixels + sig_pixels], expected)
    assert left.nav_shape + left.frame_shape == expected.shape


def test_a_mask_leaves_positions_with_their_coordinates(axes):
    axes.set_calibration(scan_scale=(0.5, 2.0), scan_units="nm")
    mask = np.zeros((3, 4), bool)
    mask[0, 3] = mask[2, 1] = True
    found, left = axes.select_navigation(mask)
    assert found is mask
    position = left["position"]
    assert left.nav_shape == (2,)
    assert [(c.name, c.units, c.values.tolist()) for c in position.coordinates] == [
        ("x", "nm", [1.5, 0.5]),
        ("y", "nm", [0.0, 4.0]),
    ]
    again = left.select_navigation(np.array([False, True]))[1]["position"]
    assert [c.values.tolist() for c in again.coordinates] == [[0.5], [4.0]]
    for wrong, kind, message in [
        (np.zeros((3, 4), bool), ValueError, "at least one True"),
        (np.ones((4, 3), bool), ValueError, r"shape \(3, 4\) \(rows, columns\) to pick scan positions, found \(4, 3\)"),
        (np.ones((3, 4)), TypeError, "found dtype float64: compare it"),
    ]:
        with pytest.raises(kind, match=message):
            axes.select_navigation(wrong)


def test_rebinning_is_x_first(axes):
    assert axes.rebinned((2, 1, 4, 8)).nav_shape == (3, 2)
    assert axes.rebinned((2, 1, 4, 8)).frame_shape == (2, 2)
    with pytest.raises(ValueError, match=r"expected 4 factors, .* found \(2, 2\): the axes are 0 = 'x'"):
        axes.rebinned((2, 2))


def test_parts_and_transpose(axes):
    assert axes.navigation_only().nav_shape == (3, 4)
    assert axes.signal_only().nav_shape == ()
    turned = axes.transposed()
    assert (turned.nav_shape, turned.frame_shape) == ((16, 8), (3, 4))
    assert turned.transposed().equals(axes)


# -- calibration ---------------------------------------------------------------------------------------------------


def test_uncalibrated_axes_are_zero_in_the_middle(axes):
    axes.set_calibration(scale=0.02, units="A^-1")
    assert [(axis.scale, axis.units) for axis in axes.signal_axes] == [(0.02, "1/Å")] * 2
    assert axes["kx"].value2index(0.0) == 4
    assert axes["ky"].value2index(0.0) == 8
    assert axes["x"].units == "px"


def test_a_crop_before_calibration_does_not_move_the_middle_away(axes):
    cropped = axes.select_signal((slice(4, 8), slice(4, 12)))[1]
    cropped.set_calibration(scale=0.1, units="1/Å")
    assert cropped["kx"].value2index(0.0) == 2
    binned = axes.rebinned((1, 1, 2, 2))
    binned.set_calibration(scale=0.1, units="1/Å")
    assert binned["ky"].value2index(0.0) == 4


def test_a_zero_that_is_known_stays(axes):
    axes.set_calibration(scale=0.02, units="1/Å", center=(3.5, 7))
    assert axes["kx"].axis[3] == pytest.approx(-0.01)
    assert axes["ky"].axis[7] == pytest.approx(0, abs=1e-15)
    axes.set_calibration(scale="0.3 1/nm")
    assert axes["kx"].units == "1/nm"
    assert axes["kx"].axis[3] == pytest.approx(-0.15)
    axes.set_calibration(scale="0.3 1/nm", units="1/Å")
    assert axes["kx"].scale == pytest.approx(0.03)
    centred = AxesManager.from_shapes((), (16, 8))
    centred.set_calibration(center=(3, 9))
    assert (centred["kx"].offset, centred["ky"].offset, centred["kx"].units) == (-3, -9, "px")
    centred.set_calibration(scale=0.5, units="mrad")
    assert centred["ky"].value2index(0.0) == 9


def test_scan_axes_keep_their_origin(axes):
    axes.set_calibration(scan_scale=1.2, scan_units="nm")
    assert axes["x"].axis.tolist() == pytest.approx([0, 1.2, 2.4, 3.6])
    assert math.copysign(1, axes["x"].offset) == 1
    cropped = AxesManager.from_shapes((3, 4), (2,)).select_navigation(slice(2, None))[1]
    cropped.set_calibration(scan_scale="1.2 nm")
    assert cropped["x"].axis.tolist() == pytest.approx([2.4, 3.6])


def test_one_scale_for_each_axis_is_x_first(axes):
    axes.set_calibration(scale=(0.1, 0.2), units="mrad", beam_energy="200 kV")
    assert (axes["kx"].scale, axes["ky"].scale) == (0.1, 0.2)
    assert {axis.beam_energy for axis in axes} == {200.0}
    assert axes.copy().beam_energy == 200
    axes.set_calibration(units="1/nm")  # a label only
    assert (axes["kx"].scale, axes["kx"].units, axes.beam_energy) == (0.1, "1/nm", 200)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"scale": (1, 2, 3)}, ValueError, "expected one scale or 2"),
        ({"scale": 0}, ValueError, "finite and non-zero scale"),
        ({"scale": "1 nm", "units": "mrad"}, ValueError, "same kind"),
        ({"center": 3}, TypeError, "expected the centre as pixels"),
        ({"center": "middle"}, TypeError, "expected the centre as pixels"),
        ({"center": (1, 2, 3)}, ValueError, "expected one centre or 2"),
        ({"scale": 2.0, "scan_scale": (1, 2, 3)}, ValueError, "expected one scale or 2"),
        ({"scale": 2.0, "beam_energy": "5 nm"}, ValueError, "same kind"),
    ],
)
def test_a_wrong_calibration_changes_nothing(axes, arguments, kind, message):
    before = axes.copy()
    with pytest.raises(kind, match=message):
        axes.set_calibration(**arguments)
    assert axes.equals(before)
    assert axes.beam_energy is None


def test_calibrating_what_is_not_there(axes):
    with pytest.raises(ValueError, match=r"there is no axis to calibrate with scale 0\.1.*scan_scale and scan_units"):
        axes.navigation_only().set_calibration(scale=0.1)


def test_text_and_html(axes):
    axes["kx"].name = "<b>"
    assert "kx" not in repr(axes)
    assert repr(axes).startswith("<AxesManager (4, 3|8, 16)>\nname | size | index")
    html = axes._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html.replace("<b>Axes</b>", "")
    assert html.count("<tr>") == 5


def test_a_misspelt_name_is_refused() -> None:
    axis = Axis(name="kx", size=4)
    with pytest.raises(TraitError, match="undefined 'scales' attribute"):
        axis.scales = 0.1
    with pytest.raises(TraitError, match="undefined 'Index' attribute"):
        AxesManager([axis]).Index = 3

"""Controls and parameters: what can be tuned, in which range, and the call that comes of it."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot.tuning.control import KINDS, UNSET, Control
from lazy4d.plot.tuning.image_controls import RING
from lazy4d.plot.tuning.lengths import Terms, nice_step, terms_of
from lazy4d.plot.tuning.measures import Measures, disk_radius, measures_of
from lazy4d.plot.tuning.methods import METHODS, Method, method_of
from lazy4d.plot.tuning.parameters import Parameters, code_of
from lazy4d.signals.beam.position import FINDERS

MEASURES = Measures((64, 48), 4.2, 100.0)


@pytest.fixture(scope="module")
def s() -> l4.Diffraction2D:
    """Calibrated frames that are not square."""
    found = l4.Diffraction2D(np.ones((3, 4, 64, 48), "uint16"))
    found.set_calibration(scale=0.05, units="1/Å", center=(24, 32), beam_energy="200 kV")
    return found


@pytest.fixture(scope="module")
def polar(s: l4.Diffraction2D) -> Any:
    return s.get_azimuthal_integral2d(npt=20, npt_azim=24, mean=True)


def subject(method: Method, s: Any, polar: Any) -> Any:
    return polar if method.kind is l4.PolarDiffraction2D else s


def parameters(s: Any, name: str, **initial: Any) -> Parameters:
    return Parameters(METHODS[name], s, MEASURES, **initial)


def given(method: Method) -> dict[str, Any]:
    """Parameters that have no control but are needed."""
    return {name: np.pad(np.ones((5, 5)), 3) for name in method.needs}


def choices_of(method: Method) -> list[dict[str, Any]]:
    """Every value of `method=`, as parameters."""
    found = next((one.choices for one in method.controls if one.name == "method"), ())
    return [{"method": one} for one in found] or [{}]


def own_parameters(function: Any) -> set[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in list(inspect.signature(function).parameters.values())[1:] if p.kind in kinds}


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_of_a_method_has_a_control_or_a_reason(name: str) -> None:
    method = METHODS[name]
    covered = {one.name for one in method.controls} | set(method.left_out)
    missing = own_parameters(getattr(method.kind, name)) - covered
    assert not missing, f"{name}: give {missing} a control, or say in left_out why they have none"


@pytest.mark.parametrize("name", METHODS)
def test_every_control_is_a_parameter_of_the_method(name: str) -> None:
    method = METHODS[name]
    options: set[str] = set()
    for choice in choices_of(method):
        function = method.options(choice) if method.options else None
        options |= own_parameters(function) if function else set()
    allowed = own_parameters(getattr(method.kind, name)) | options | {"by"}
    with_table_defaults = {one.name for one in method.controls if one.default is not UNSET}
    wrong = {one.name for one in method.controls} - allowed - with_table_defaults
    assert not wrong, f"{name} has no parameters {wrong}"


@pytest.mark.parametrize("finder", FINDERS)
def test_every_option_of_a_finder_has_a_control_or_a_reason(finder: str) -> None:
    for name in ("get_direct_beam_position", "center_direct_beam"):
        method = METHODS[name]
        covered = {one.name for one in method.controls} | set(method.left_out)
        assert not own_parameters(FINDERS[finder]) - covered


def test_options_of_backgrounds_are_those_in_the_table(s: l4.Diffraction2D) -> None:
    method = METHODS["subtract_diffraction_background"]
    for background in (one["method"] for one in choices_of(method)):
        with pytest.raises(TypeError, match="has no option 'nonsense'") as caught:
            s.subtract_diffraction_background(background, nonsense=1)
        known = set(re.search(r"expected (.*)", str(caught.value)).group(1).split(", "))  # type: ignore[union-attr]
        controls = {one.name for one in method.controls if background in one.when.get("method", ())}
        assert controls == known, background


def test_defaults_in_the_table_are_those_of_the_background(s: l4.Diffraction2D) -> None:
    method = METHODS["subtract_diffraction_background"]
    needed = {"difference of gaussians": {"max_sigma": 9}, "top hat": {"radius": 9}, "median kernel": {"size": 9}}
    for background in (one["method"] for one in choices_of(method)):
        result = s.subtract_diffraction_background(background, **needed.get(background, {}))
        real = dict(result.history[-1].params)
        for one in method.controls:
            if background in one.when.get("method", ()) and not one.needed:
                assert real[one.name] == one.default, (background, one.name)


@pytest.mark.parametrize("name", METHODS)
def test_controls_are_well_formed(name: str, s: Any, polar: Any) -> None:
    method = METHODS[name]
    for one in method.controls:
        assert one.kind in KINDS
        assert one.about, f"{name}.{one.name} does not say what it does"
        assert one.kind != "choice" or len(one.choices) > 1
    for choice in choices_of(method):
        found = Parameters(method, subject(method, s, polar), MEASURES, **given(method), **choice)
        for one in found.controls():
            for part in range(len(one.parts)) if one.slides else ():
                reach, number = found.range(one, part), found.numbers(one)[part]
                assert reach.step > 0
                assert not reach.log or reach.low > 0
                assert reach.low <= number <= reach.high, f"{one.name} begins where its slider cannot stand"


@pytest.mark.parametrize("name", METHODS)
def test_defaults_are_not_in_the_call_and_the_method_takes_it(name: str, s: Any, polar: Any) -> None:
    method = METHODS[name]
    signal = subject(method, s, polar)
    for choice in choices_of(method):
        initial = {**given(method), **choice}
        found = Parameters(method, signal, MEASURES, **initial)
        getattr(signal, name)(**found.call)
        needed = {one.name for one in found.controls() if found.default(one) is UNSET or one.needed}
        assert set(found.call) <= needed | set(initial)


@pytest.mark.parametrize("name", METHODS)
def test_every_control_at_its_start_is_a_call_that_works(name: str, s: Any, polar: Any) -> None:
    method = METHODS[name]
    signal = subject(method, s, polar)
    for choice in choices_of(method):
        found = Parameters(method, signal, MEASURES, **given(method), **choice)
        for one in filter(found.optional, found.controls()):
            found.switch(one, True)
            assert one.name in found.call
            getattr(signal, name)(**found.call)
            found.switch(one, False)
            assert one.name not in found.call


# -- values ------------------------------------------------------------------------------------------------------------


def control(found: Parameters, name: str) -> Control:
    return next(one for one in found.controls() if one.name == name)


@pytest.mark.parametrize(
    ("value", "number", "slid", "units"),
    [(9, 7.5, "7.5 px", "px"), (9, 7.0, 7, "px"), (0.45, 0.4, 0.4, "1/Å"), ("11 mrad", 10.0, "10 mrad", "mrad")],
)
def test_lengths_stay_in_the_terms_they_were_given_in(s: Any, value: Any, number: float, slid: Any, units: str) -> None:
    found = parameters(s, "get_diffraction_vectors", disk_r=value)
    one = control(found, "disk_r")
    assert found.range(one).units == units
    assert found.call["disk_r"] == value
    found.slide(one, number)
    assert found.call["disk_r"] == slid
    assert type(found.call["disk_r"]) is type(slid)


def test_ranges_are_the_same_pixels_in_any_terms(s: Any) -> None:
    found = parameters(s, "get_diffraction_vectors", disk_r=9)
    in_pixels = found.range(control(found, "disk_r"))
    found.set(disk_r=0.45)
    in_units = found.range(control(found, "disk_r"))
    assert in_pixels.high == 12  # the diameter of a disk is at most half the shorter side
    assert in_units.high == pytest.approx(12 * 0.05)
    assert in_units.step <= in_pixels.step * 0.05


def test_a_length_in_axis_units_that_are_pixels_of_a_binned_frame(s: Any) -> None:
    binned = l4.Diffraction2D(np.ones((2, 2, 32, 32), "uint16")).rebin(scale=(1, 1, 2, 2))
    found = parameters(binned, "template_match_disk", disk_r=4)
    one = control(found, "disk_r")
    found.slide(one, 5.4)
    assert found.call["disk_r"] == 5  # "5.5 px" would be 2.75 of the larger pixels
    found.set(disk_r=8.0)
    assert found.range(one).high == 24  # 12 pixels, of 2 each


def test_slid_numbers_have_no_stray_digits(s: Any) -> None:
    found = parameters(s, "get_diffraction_vectors", disk_r="11 mrad", threshold_abs=0.5)
    found.slide(control(found, "disk_r"), 9.7000000001)
    found.slide(control(found, "threshold_abs"), 0.30000000000000004)
    assert found.code() == 's.get_diffraction_vectors(disk_r="9.8 mrad", threshold_abs=0.3)'


def test_none_is_automatic_and_switched_on_it_starts_in_range(s: Any) -> None:
    found = parameters(s, "get_diffraction_vectors", disk_r=9)
    one = control(found, "min_distance")
    assert found.optional(one)
    assert found.value(one) is None
    found.switch(one, True)
    assert found.call["min_distance"] == 6.5 or found.call["min_distance"] == "6.5 px"
    found.switch(one, False)
    assert "min_distance" not in found.call


def test_parameters_that_do_not_count_are_left_out_and_come_back(s: Any) -> None:
    found = parameters(s, "get_diffraction_vectors", disk_r=9, threshold_abs=0.4)
    found.set(method="local_max")
    assert found.call == {"method": "local_max"}
    found.set(threshold_abs=30.0)  # counts, not a score
    assert found.call == {"method": "local_max", "threshold_abs": 30.0}
    found.set(method="template")
    assert found.call == {"disk_r": 9, "threshold_abs": 0.4}


def test_a_parameter_that_another_one_opens(s: Any) -> None:
    found = parameters(s, "get_direct_beam_position", method="cross_correlate")
    assert "upsample" not in [one.name for one in found.controls()]
    found.set(subpixel="dft")
    found.slide(control(found, "upsample"), 32)
    assert found.call["upsample"] == 32
    found.set(subpixel=None)
    assert "upsample" not in found.call
    assert found.call["subpixel"] is None  # the default is "parabola"


def test_defaults_follow_the_method(s: Any) -> None:
    found = parameters(s, "get_direct_beam_position", method="phase_correlate")
    assert found.value(control(found, "subpixel")) == "dft"
    found.set(method="friedel")
    assert found.value(control(found, "subpixel")) == "parabola"
    assert found.call == {"method": "friedel"}


def test_pairs_and_places(s: Any) -> None:
    found = parameters(s, "get_azimuthal_integral1d", radial_range=(2, 20))
    found.slide(control(found, "radial_range"), 5.0, 0)
    found.switch(control(found, "azimuth_range"), True)
    found.slide(control(found, "azimuth_range"), 30.0, 1)
    found.switch(control(found, "center"), True)
    assert found.call["radial_range"] == (5, 20)
    assert found.call["azimuth_range"] == ("-90 deg", "30 deg")
    assert found.call["center"] == (0.0, 0.0)  # in units, where the axes are 0
    found.slide(control(found, "center"), 0.1, 0)
    assert found.call["center"] == pytest.approx((0.1, 0.0))
    reach = [found.range(control(found, "center"), part) for part in (0, 1)]
    assert (reach[0].low, reach[1].low) == pytest.approx((-24 * 0.05, -32 * 0.05))  # x first


def test_floats_of_a_range_are_in_the_units_asked_for(s: Any) -> None:
    found = parameters(s, "get_azimuthal_integral1d", units="mrad", radial_range=(2.0, 20.0))
    assert found.range(control(found, "radial_range")).units == "mrad"
    assert found.call == {"radial_range": (2.0, 20.0), "units": "mrad"}


def test_one_pixel_is_not_one_unit(s: Any) -> None:
    found = parameters(s, "subtract_diffraction_background", width=1.0)
    assert found.call == {"width": 1.0}  # 1/Å, and the default is 1 pixel
    found.set(width=1)
    assert found.call == {}


def test_an_odd_size_stays_odd(s: Any) -> None:
    found = parameters(s, "subtract_diffraction_background", method="median kernel")
    one = control(found, "size")
    assert found.value(one) % 2 == 1
    found.slide(one, 12.2)
    assert found.value(one) % 2 == 1


def test_what_no_list_holds_can_be_given(s: Any) -> None:
    def halve(frames: Any, out: Any) -> None:
        out[:] = frames / 2

    found = parameters(s, "get_diffraction_vectors", disk_r=9, filter=halve)
    assert found.choices(control(found, "filter")) == (None, "square_root", halve)
    assert found.code() == "s.get_diffraction_vectors(disk_r=9, filter=filter)"


@pytest.mark.parametrize(
    ("name", "initial", "error", "message"),
    [
        ("get_diffraction_vectors", {"disk_q": 1}, TypeError, "no parameter 'disk_q' to tune: expected one of method"),
        ("get_diffraction_vectors", {"disk_r": "9 apples"}, ValueError, "apples"),
        ("get_diffraction_vectors", {"power": "much"}, TypeError, "expected power as a number, found 'much'"),
        ("get_azimuthal_integral1d", {"radial_range": (1, 2, 3)}, ValueError, "radial_range as 2 numbers"),
        ("template_match", {}, TypeError, "needs template=, a picture of the beam"),
    ],
)
def test_what_cannot_be_is_refused(s: Any, name: str, initial: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        parameters(s, name, **initial)


def test_an_unknown_method_is_answered_with_those_there_are(s: Any, polar: Any) -> None:
    with pytest.raises(ValueError, match=r"one of 'get_diffraction_vectors', 'find_peaks', .*'correct_ellipse'"):
        method_of(s, "audit")
    with pytest.raises(ValueError, match="plot_virtual_image"):
        method_of(s, "get_virtual_image")
    with pytest.raises(ValueError, match="for a PolarDiffraction2D one of 'find_peaks'"):
        method_of(polar, "get_diffraction_vectors")
    assert method_of(polar, "get_angular_power").look == "image"


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("radius", "dose"), [(5.0, 2e5), (9.0, 2e5), (9.0, 1000.0), (14.0, 2e4)])
def test_the_radius_of_the_disk_is_roughly_known(radius: float, dose: float) -> None:
    scan = simulated_scan((1, 1), (128, 128), kind="crystal", disk_radius=radius, dose=dose, background=0.2, descan=3.0)
    frame = l4.Diffraction2D(scan.as_array()).inav[0, 0].compute()
    assert measures_of(frame).disk == pytest.approx(radius, rel=0.2)


@pytest.mark.parametrize("pixels", [np.zeros((16, 16)), np.full((16, 16), 7.0), np.full((16, 16), np.nan), np.eye(16)])
def test_frames_without_a_disk_have_measures_too(pixels: Any) -> None:
    found = measures_of(l4.Signal2D(pixels))
    assert found.high > 0
    assert 1 <= found.disk <= 4
    assert disk_radius(np.nan_to_num(pixels)) == found.disk


@pytest.mark.parametrize("step", [0.5, 0.0123, 7.0, 1.0, 0.2])
def test_steps_are_round_and_not_larger(step: float) -> None:
    found = nice_step(step)
    assert 0.4 * step <= found <= step
    assert f"{found:e}"[0] in "125"


def test_terms_say_what_one_is_worth() -> None:
    axis = l4.Axis(name="kx", size=64, scale=0.05, units="1/Å", beam_energy="200 kV")
    assert terms_of("2 px", "1/Å") == Terms("text", "px")
    assert terms_of("2 1/nm", "1/Å").pixels_each(axis) == pytest.approx(2.0)
    assert terms_of(np.float32(0.5), "1/Å").pixels_each(axis) == pytest.approx(20)


def test_code_says_rois_and_leaves_arrays_to_their_names() -> None:
    call = {"mask": l4.CircleROI(3, 4.5, "2 mrad"), "template": np.ones((3, 3)), "filter": 'a "b"', "n": np.int64(3)}
    text = code_of("s", "m", call)
    assert text == 's.m(mask=l4.CircleROI(cx=3, cy=4.5, r="2 mrad"), template=template, filter="a \\"b\\"", n=3)' or (
        "l4.CircleROI(" in text and "template=template" in text
    )
    roi = eval(text.split("mask=")[1].split(", template")[0], {"l4": l4})  # as a user would
    assert repr(roi) == repr(call["mask"])


@pytest.mark.slow
def test_the_controller_needs_no_matplotlib() -> None:
    code = "import sys, lazy4d.plot.tuning.controller, lazy4d.signals.preview; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("disk", [1.0, 1.5, 2.0, 2.2, 3.0, 5.6])
def test_a_ring_starts_with_its_inner_radius_below_the_outer(disk: float) -> None:
    inner, outer = (control.start(Measures((64, 48), disk, 100.0)) for control in RING)
    assert inner + 0.5 <= outer

"""Units: spellings of many sources, numbers that carry one, and conversions checked against physics."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traits.api import Undefined

from lazy4d.axes import Axis
from lazy4d.units import (
    as_item,
    axis_value,
    beam_energy_keV,
    canonical,
    convert,
    difference,
    length_to_pixels,
    parse,
    to_pixels,
    wavelength,
)


@pytest.mark.parametrize(
    ("spellings", "unit"),
    [
        (
            ["A^-1", "1/A", "Å^-1", "1/Å", "1 / Å", "Å⁻¹", "A**-1", "$A^{-1}$", "$\\AA^{-1}$", "Å-1", "/Å", "A^{-1}"],
            "1/Å",
        ),
        (["1/\N{ANGSTROM SIGN}", "\\mathrm{\\AA}^{-1}", "1/angstrom", "angstrom^-1", "Angstroms^-1", "[A^-1]"], "1/Å"),
        (["nm^-1", "1/nm", "[n_m^-1]", "nm-1", "nm⁻¹", "$nm^{-1}$", "1/(nm)", "(nm)^-1"], "1/nm"),
        (["nm", "[n_m]", "nanometers", "Nanometer"], "nm"),
        (["A", "Å", "A\N{COMBINING RING ABOVE}", "[A]", "Angstrom", "angstrom"], "Å"),
        (["\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "um", "u", "[u_m]", "$\\mu m$", "micron"], "µm"),
        (["mrad", "mRad", "milliradian", "mrads", " mrad "], "mrad"),
        (["px", "pixel", "pixels", "Pixels", "", " ", "None", "_None_", "<undefined>", "[]", None, Undefined], "px"),
        (["deg", "°", "degrees"], "deg"),
        (["nm^2", "nm²"], "nm^2"),
        (["A^-2", "1/Å^2", "Å⁻²"], "1/Å^2"),
        (["kV"], "kV"),
        (["counts"], "counts"),
        (["arb. units "], "arb. units"),
        (["e^-"], "e^-"),
    ],
)
def test_every_spelling_has_one_canonical_form(spellings, unit):
    assert {canonical(spelling) for spelling in spellings} == {unit}
    assert canonical(unit) == unit


@settings(deadline=None)
@given(st.text(max_size=12))
def test_canonical_never_fails_and_settles(text):
    once = canonical(text)
    assert canonical(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 mrad", (5.0, "mrad")),
        ("-5mrad", (-5.0, "mrad")),
        ("−5 mrad", (-5.0, "mrad")),
        (" 1e-3 A^-1 ", (1e-3, "1/Å")),
        (".5 1/nm", (0.5, "1/nm")),
        ("5eV", (5.0, "eV")),
        ("+2. px", (2.0, "px")),
    ],
)
def test_parse_reads_numbers_with_units(text, expected):
    assert parse(text) == expected


def test_parse_errors_say_what_to_write():
    with pytest.raises(ValueError, match=r"number with its unit, such as '5 mrad', found 'mrad'"):
        parse("mrad")
    with pytest.raises(ValueError, match=r"found '5' without a unit: add the unit"):
        parse("5")


def test_items_are_plain_and_finite():
    assert type(as_item(np.uint8(3))) is int
    assert type(as_item(np.float32(0.5))) is float
    assert type(as_item(np.array(3))) is int
    for wrong in (True, np.True_, None, [1], 1j):
        with pytest.raises(TypeError, match=r"an int \(pixel\), a float"):
            as_item(wrong)
    for infinite in (math.nan, math.inf, -np.float32(np.inf)):
        with pytest.raises(ValueError, match="expected a finite value"):
            as_item(infinite)


@pytest.mark.parametrize(
    ("energy", "expected"),
    # E. J. Kirkland, Advanced Computing in Electron Microscopy, table of electron wavelengths
    [(100, 0.03701), (200, 0.02508), (300, 0.01969), (80, 0.04176), (1000, 0.00872)],
)
def test_wavelength_agrees_with_the_literature(energy, expected):
    assert wavelength(energy) == pytest.approx(expected, abs=6e-6)


def test_wavelength_needs_a_positive_energy():
    for wrong in (0, -80, math.nan, math.inf):
        with pytest.raises(ValueError, match="positive beam energy in keV"):
            wavelength(wrong)


@pytest.mark.parametrize("energy", ["200 kV", "200keV", 200, 200.0, "0.2 MV", "200000 V", "2e5 eV", np.int64(200)])
def test_beam_energy_is_taken_in_many_forms(energy):
    assert beam_energy_keV(energy) == 200


def test_beam_energy_errors():
    with pytest.raises(ValueError, match="positive beam energy"):
        beam_energy_keV("-200 kV")
    with pytest.raises(ValueError, match="same kind, found 'nm' and 'keV'"):
        beam_energy_keV("200 nm")
    with pytest.raises(TypeError, match="found None"):
        beam_energy_keV(None)


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (3.0, "1/nm", "1/Å", 0.3),
        (0.3, "A^-1", "nm^-1", 3.0),
        (1.5, "um", "nm", 1500.0),
        (12.0, "A", "nm", 1.2),
        (1.0, "deg", "mrad", 1000 * math.pi / 180),
        (5.0, "rad", "mrad", 5000.0),
        (2.0, "s", "ms", 2000.0),
        (7.0, "furlong", "furlong", 7.0),
    ],
)
def test_conversions_give_clean_numbers(value, unit, to, expected):
    assert convert(value, unit, to) == pytest.approx(expected, rel=1e-15)


@settings(deadline=None)
@given(
    st.floats(-200, 200), st.sampled_from(["mrad", "rad", "deg"]), st.sampled_from(["1/Å", "1/nm"]), st.floats(20, 1000)
)
def test_angles_and_frequencies_convert_there_and_back(value, angle, inverse, energy):
    theta = value * {"mrad": 1e-3, "rad": 1.0, "deg": math.pi / 180}[angle]
    k = theta / wavelength(energy) * {"1/Å": 1.0, "1/nm": 10.0}[inverse]
    assert convert(value, angle, inverse, energy) == pytest.approx(k, rel=1e-13)
    assert convert(k, inverse, angle, energy) == pytest.approx(value, rel=1e-13)


def test_arrays_convert():
    np.testing.assert_allclose(convert(np.array([1.0, 2.0]), "1/Å", "1/nm"), [10.0, 20.0], rtol=1e-15)


@pytest.mark.parametrize(
    ("unit", "to", "message"),
    [
        ("mrad", "1/Å", r"needs the beam energy, which is not set: call set_calibration\(beam_energy="),
        ("1/nm", "mrad", r"call set_calibration\(beam_energy="),
        ("mrad", "nm", "same kind, found 'nm' and '1/Å'"),
        ("px", "nm", r"a pixel has no size before set_calibration\(scale="),
        ("1/Å", "px", "give an int for pixels"),
        ("counts", "mrad", "same kind"),
        ("nm", "s", "same kind, found 'nm' and 's'"),
        ("blorb", "nm", "units that can be converted, found 'blorb'"),
        ("a b?", "nm", "units"),
        ("degC", "kelvin", "common zero"),
    ],
)
def test_conversions_that_cannot_be_say_why(unit, to, message):
    with pytest.raises(ValueError, match=message):
        convert(1.0, unit, to)


@pytest.fixture
def k():
    return Axis(name="kx", size=64, scale=0.1, offset=-3.2, units="1/Å", beam_energy=200)


def test_places_int_is_pixel_float_is_value_text_has_a_unit(k):
    assert to_pixels(5, k) == 5
    assert to_pixels(-5, k) == -5
    assert to_pixels(0.0, k) == 32
    assert to_pixels(0.3, k) == 35  # and not 34.99999999999999
    assert to_pixels("3 1/nm", k) == 35
    theta = 0.3 * wavelength(200) * 1e3
    assert to_pixels(f"{theta!r} mrad", k) == 35


def test_lengths_ignore_offset_and_direction(k):
    backwards = k.copy(scale=-0.1)
    for axis in (k, backwards):
        assert length_to_pixels(7, axis) == 7
        assert length_to_pixels(0.3, axis) == 3
        assert length_to_pixels("3 1/nm", axis) == 3
        assert length_to_pixels("7 px", axis) == 7
    binned = Axis(name="kx", size=8, scale=2.0)
    assert length_to_pixels("8 px", binned) == 4
    assert length_to_pixels(8, binned) == 8


def test_places_that_do_not_fit_name_the_axis(k):
    with pytest.raises(ValueError, match=r"cannot place '3 nm' on axis 'kx' in '1/Å'"):
        to_pixels("3 nm", k)
    with pytest.raises(ValueError, match=r"cannot place '3 px' on axis 'kx'.*give an int for pixels"):
        axis_value("3 px", k)
    with pytest.raises(ValueError, match=r"set_calibration\(beam_energy="):
        length_to_pixels("3 mrad", k.copy(beam_energy=None))


def test_difference_compares_only_like_with_like():
    assert difference(0.5, 0.2) == 0.3
    assert difference("5 1/nm", "3 nm^-1") == 2
    assert difference("5 mrad", "3 rad") is None
    assert difference(5, "3 px") is None


def test_importing_needs_no_pint():
    code = (
        "import sys, lazy4d.roi, lazy4d.metadata; from lazy4d.axes import Axis; "
        "a = Axis(name='kx', size=8, scale=0.1, units='A^-1'); a.slice_to_pixels(slice('0.1 1/Å', 0.5)); "
        "print(*({'pint', 'matplotlib', 'dask', 'numba', 'scipy'} & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert found.strip() == ""

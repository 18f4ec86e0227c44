from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lazy4d import Axis
from lazy4d.plot.scale_bars import length_text, nice_length, scale_bar, unit_text


def image_axes(shape: tuple[int, int] = (40, 100)) -> Axes:
    ax = Figure().add_subplot()
    ax.imshow(np.zeros(shape))
    return ax


@given(st.floats(1e-12, 1e12))
def test_a_nice_length_is_1_2_or_5_and_fills_at_least_four_tenths(longest: float) -> None:
    length = nice_length(longest)
    assert f"{length:.6e}"[0] in "125"
    assert 0.4 * longest < length <= longest * (1 + 1e-6)


@pytest.mark.parametrize("longest", [0.0, -1.0, np.nan, np.inf])
def test_no_nice_length_without_a_positive_number(longest: float) -> None:
    with pytest.raises(ValueError, match="positive number"):
        nice_length(longest)


@pytest.mark.parametrize(
    ("length", "units", "text"),
    [
        (0.5, "1/Å", "0.5 Å⁻¹"),
        (5.0, "1/nm", "5 nm⁻¹"),
        (20.0, "mrad", "20 mrad"),
        (2000.0, "nm", "2 µm"),
        (0.05, "nm", "50 pm"),
        (2e6, "nm", "2 mm"),
        (50.0, "px", "50 px"),
        (0.02, "Å", "0.02 Å"),
    ],
)
def test_lengths_are_written_as_in_papers(length: float, units: str, text: str) -> None:
    assert length_text(length, units) == text


def test_units_that_are_not_understood_stay() -> None:
    assert unit_text("furlongs per fortnight") == "furlongs per fortnight"


@pytest.mark.parametrize(("scale", "units"), [(1.2, "nm"), (-0.02, "1/Å"), (1.0, "px"), (3.7, "mrad")])
def test_the_bar_is_as_long_as_its_label_says(scale: float, units: str) -> None:
    bar, label = scale_bar(image_axes(), Axis(name="x", size=100, scale=scale, units=units))
    number = float(label.get_text().split()[0])
    assert bar.get_width() * abs(scale) == pytest.approx(number)
    assert 10 < bar.get_width() <= 36
    assert label.get_text().split()[1] == unit_text(units)


def test_a_tiny_image_in_pixels_has_a_bar_of_one_pixel() -> None:
    bar, label = scale_bar(image_axes((2, 2)), Axis(name="x", size=2))
    assert (bar.get_width(), label.get_text()) == (1.0, "1 px")

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.backend_bases import MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure

from lazy4d import Axis
from lazy4d.plot.colors import MISSING, color_map, direction_colors, direction_wheel, robust_limits
from lazy4d.plot.image import Image, draw
from lazy4d.plot.outline import mask_outline

AXES = (Axis(name="y", size=4), Axis(name="x", size=5))


def drawn(image: Image) -> tuple[Figure, object]:
    figure = Figure()
    FigureCanvasAgg(figure)
    shown = draw(figure.add_subplot(), image)
    figure.canvas.draw()
    return figure, shown


def winding(mask: np.ndarray) -> np.ndarray:
    """Pixels inside an outline, by counting the upright lines to the left of each."""
    inside = np.zeros(mask.shape, bool)
    lines = mask_outline(mask)
    upright = lines[lines[:, 0, 0] == lines[:, 1, 0]]
    for y, x in np.ndindex(mask.shape):
        crossed = (upright[:, 0, 0] < x) & (upright[:, :, 1].min(1) < y) & (upright[:, :, 1].max(1) > y)
        inside[y, x] = crossed.sum() % 2
    return inside


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_an_outline_encloses_the_pixels_of_its_mask(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(winding(mask), mask)
    lengths = np.abs(np.diff(mask_outline(mask), axis=1)).sum()
    padded = np.pad(mask, 1)
    assert lengths == (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()


def test_nan_is_in_no_color_map() -> None:
    missing = np.array(to_rgb(MISSING))
    for name in ("gray", "inferno", "RdBu_r"):
        colors = color_map(name)(np.linspace(0, 1, 256))[:, :3]
        assert np.abs(colors - missing).max(1).min() > 0.06, name
    np.testing.assert_allclose(direction_colors(np.nan, 1.0, 1.0), missing)


def test_directions_differ_in_hue_and_not_in_lightness() -> None:
    angle = np.linspace(-np.pi, np.pi, 24, endpoint=False)
    colors = direction_colors(np.sin(angle), np.cos(angle), 1.0)
    luminance = colors**2.2 @ [0.2126, 0.7152, 0.0722]
    assert luminance.max() / luminance.min() < 1.35
    assert np.abs(np.diff(colors, axis=0)).max(1).min() > 0.02
    np.testing.assert_allclose(direction_colors(5.0, 0.0, 1.0), direction_colors(1.0, 0.0, 1.0))


def test_the_wheel_shows_directions_as_the_map_does() -> None:
    wheel = direction_wheel(101)
    np.testing.assert_allclose(wheel[95, 50, :3], direction_colors(0.9, 0.0, 1.0))  # down
    np.testing.assert_allclose(wheel[50, 5, :3], direction_colors(0.0, -0.9, 1.0))  # left


def test_limits_ignore_nan_and_rare_outliers() -> None:
    values = np.linspace(0, 1, 10_000)
    values[:3] = 1e9, np.nan, -1e9
    low, high = robust_limits(values)
    assert 0 <= low < 0.01
    assert 0.99 < high <= 1
    assert robust_limits(np.full(3, np.nan)) == (0.0, 1.0)
    assert robust_limits(np.full(3, -7.0)) == (-7.0, 0.0)


def test_a_pattern_is_logarithmic_and_zeros_are_dark_but_nan_is_not() -> None:
    values = np.array([[0.0, 1.0, 10.0], [100.0, np.nan, 0.0]])
    _, shown = drawn(Image("pattern", values, AXES, "counts", "pattern"))
    assert isinstance(shown.norm, LogNorm)
    data = np.ma.asarray(shown.get_array())
    np.testing.assert_array_equal(np.isnan(np.ma.filled(data.astype(float), np.nan)), np.isnan(values))
    assert data[0, 0] == shown.norm.vmin == 1.0


@pytest.mark.parametrize("values", [np.zeros((4, 5)), np.full((4, 5), np.nan), np.full((4, 5), 3.0)])
@pytest.mark.parametrize("kind", ["map", "pattern", "signed", "direction"])
def test_flat_and_empty_pictures_are_drawn_without_a_warning(kind: str, values: np.ndarray) -> None:
    drawn(Image("flat", np.stack([values, values], -1) if kind == "direction" else values, AXES, "px", kind))


def test_signed_pictures_are_white_at_zero() -> None:
    _, shown = drawn(Image("y", np.array([[-1.0, 3.0], [0.0, 0.5]]), AXES, "px", "signed"))
    assert (shown.norm.vmin, shown.norm.vmax) == (-3.0, 3.0)
    assert min(shown.to_rgba(0.0)[:3]) > 0.9


def test_pixels_have_the_shape_that_the_axes_give_them() -> None:
    tall = (Axis(name="y", size=4, scale=-2.0, units="nm"), Axis(name="x", size=5, scale=0.5, units="nm"))
    figure, _ = drawn(Image("tall", np.zeros((4, 5)), tall))
    assert figure.axes[0].get_aspect() == 4.0
    mixed = (Axis(name="t", size=4, units="s"), Axis(name="x", size=5, scale=0.5, units="nm"))
    figure, _ = drawn(Image("mixed", np.zeros((4, 5)), mixed))
    assert figure.axes[0].get_aspect() * figure.axes[0].get_data_ratio() == pytest.approx(4 / 5)


@pytest.mark.parametrize(("corner", "color"), [(0.0, "white"), (1.0, "black")])
def test_the_scale_bar_stands_out_from_what_lies_below_it(corner: float, color: str) -> None:
    values = np.full((40, 50), 1 - corner)
    values[30:, :30] = corner
    figure, _ = drawn(Image("map", values, AXES))
    assert figure.axes[0].texts[-1].get_color() == color


def test_axes_of_different_units_have_ticks_and_no_scale_bar() -> None:
    k = Axis(name="k", size=4, scale=0.1, offset=0.05, units="1/Å")
    azimuth = Axis(name="azimuth", size=8, scale=np.pi / 4, offset=np.pi / 8 - np.pi, units="rad")
    ax = Figure().add_subplot()
    values = np.arange(32.0).reshape(4, 8)
    shown = draw(ax, Image("polar", values, (k, azimuth)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("azimuth (rad)", "k (1/Å)")
    np.testing.assert_allclose(ax.get_xlim(), (-np.pi, np.pi))
    np.testing.assert_allclose(ax.get_ylim(), (0.0, 0.4), atol=1e-12)  # upwards
    ax.get_figure().canvas.draw()
    x, y = ax.transData.transform((np.pi / 8 - np.pi, 0.05))
    event = MouseEvent("motion_notify_event", ax.get_figure().canvas, x, y)
    assert shown.get_cursor_data(event) == 0.0, "the first row is at the smallest radius"
    assert not [text for text in ax.texts if "rad" in text.get_text()]

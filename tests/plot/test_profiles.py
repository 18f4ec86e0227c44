from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.testing.compare import compare_images

import lazy4d as l4
from lazy4d.plot.curves import LINES
from lazy4d.plot.profiles import plot_profiles
from lazy4d.plot.rings import hkl_text
from lazy4d.plot.saving import save_figure
from lazy4d.signals.orientation import CrystalPhase

BASELINE = Path(__file__).parent / "baseline"
K = l4.Axis(name="k", size=50, scale=0.02, units="1/Å")
GOLD = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")


def profile(values: Any = None, title: str = "gold") -> l4.Diffraction1D:
    x = K.axis
    y = 100 * np.exp(-x / 0.3) + 20 * np.exp(-(((x - 0.42) / 0.03) ** 2)) if values is None else values
    return l4.Diffraction1D(y, [K.copy()], title=title)


def of_scan(count: int) -> l4.Diffraction1D:
    axes = [l4.Axis(name="x", size=count, scale=0.5, units="nm", navigate=True), K.copy()]
    values = np.arange(count)[:, None] + np.arange(50.0)
    return l4.Diffraction1D(values, axes, title="scan")


def lines(ax: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {one.get_label(): one.get_data() for one in ax.lines if not one.get_label().startswith("_")}


def band(ax: Any, number: int = 0) -> np.ndarray:
    return np.asarray(ax.collections[number].get_paths()[0].vertices)


def test_a_curve_stands_on_its_axis_with_units() -> None:
    figure = plot_profiles(profile())
    (ax,) = figure.axes
    np.testing.assert_array_equal(lines(ax)["gold"], [K.axis, profile().data])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("k (Å⁻¹)", "counts")
    assert ax.get_xlim() == (0, pytest.approx(0.98))
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(120)


def test_few_positions_are_curves_and_many_their_mean_and_spread() -> None:
    few = plot_profiles(of_scan(3))
    assert list(lines(few.axes[0])) == ["scan, x 0 nm", "scan, x 0.5 nm", "scan, x 1 nm"]
    assert [line.get_color() for line in few.axes[0].lines] == list(LINES[:3])
    many = plot_profiles(of_scan(13)).axes[0]
    mean, std = 6 + np.arange(50.0), np.std(np.arange(13))
    np.testing.assert_allclose(lines(many)["scan, mean of 13 ± std"][1], mean)
    values = band(many)
    assert {round(float(y - (6 + x / 0.02)), 6) for x, y in values} == {round(std, 6), round(-std, 6)}


def test_arrays_pairs_and_a_list_of_signals() -> None:
    x, y = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 7.0])
    figure = plot_profiles({"pair": (x, y), "array": y, "list": [1, 2]})
    found = lines(figure.axes[0])
    np.testing.assert_array_equal(found["pair"], [x, y])
    np.testing.assert_array_equal(found["array"], [[0, 1, 2], y])
    np.testing.assert_array_equal(plot_profiles((x, y)).axes[0].lines[0].get_data(), [x, y])
    assert list(lines(plot_profiles([profile(), profile()]).axes[0])) == ["gold", "gold (2)"]
    line = l4.VirtualImage(np.arange(3.0), [l4.Axis(name="x", size=3, units="nm", navigate=True)], title="line")
    assert plot_profiles(line).axes[0].get_xlabel() == "x (nm)"


def test_models_have_a_panel_of_residuals_below() -> None:
    def model(k: Any) -> Any:
        return 100 * np.exp(-k / 0.3)

    figure = plot_profiles(profile(), models=model, std=np.full(50, 2.0))
    upper, lower = figure.axes
    assert list(lines(upper)) == ["gold", "model"]
    np.testing.assert_allclose(lower.lines[-1].get_ydata(), profile().data - model(K.axis))
    assert lower.get_xlabel() == "k (Å⁻¹)"
    assert upper.get_xlabel() == ""
    assert upper.get_position().y0 > lower.get_position().y1
    assert set(band(lower)[:, 1].round(9)) == {-2.0, 2.0}
    assert len(plot_profiles(profile(), models=model, residuals=False).axes) == 1


def test_models_on_other_places_are_interpolated() -> None:
    straight = (np.array([0.0, 0.5]), np.array([0.0, 1.0]))
    figure = plot_profiles(profile(2 * K.axis), models=straight)
    left = figure.axes[1].lines[-1].get_ydata()
    np.testing.assert_allclose(left[:26], 0, atol=1e-12)
    assert np.isnan(left[26:]).all()  # beyond the model there is nothing to compare with


def test_offsets_separate_curves_and_names_stand_at_their_ends() -> None:
    figure = plot_profiles(of_scan(3), offset=100.0)
    (ax,) = figure.axes
    np.testing.assert_allclose([line.get_ydata()[0] for line in ax.lines], [0, 101, 202])
    assert [text.get_text() for text in ax.texts] == ["scan, x 0 nm", "scan, x 0.5 nm", "scan, x 1 nm"]
    assert ax.get_ylabel() == "counts (+ 100 each)"
    assert ax.get_legend() is None
    decades = plot_profiles(of_scan(3), offset="auto", log=True).axes[0]
    assert [line.get_ydata()[10] for line in decades.lines] == [10, 110, 1200]
    assert decades.get_ylabel() == "counts (× 10 each)"


def test_logarithmic_curves_leave_out_what_is_not_above_zero() -> None:
    (ax,) = plot_profiles({"x": np.array([-1.0, 0.0, 1.0, 10.0])}, log=True).axes
    assert ax.get_yscale() == "log"
    assert np.isnan(ax.lines[0].get_ydata()).tolist() == [True, True, False, False]
    assert 0 < ax.get_ylim()[0] < 1 < 10 < ax.get_ylim()[1]


def test_curves_over_their_maximum() -> None:
    (ax,) = plot_profiles({"a": np.array([1.0, 4.0]), "b": np.array([2.0, 1.0])}, normalize=True).axes
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.25, 1.0], [1.0, 0.5]]
    assert ax.get_ylabel() == "share of the maximum"


def test_limits_are_those_of_what_is_seen() -> None:
    (ax,) = plot_profiles(profile(), x_range=(0.6, None)).axes
    assert ax.get_xlim() == (0.6, pytest.approx(0.98))
    assert ax.get_ylim()[1] < 20  # the direct beam, 100, is not in sight


def test_rings_are_marked_by_their_indices() -> None:
    (ax,) = plot_profiles(profile(), rings={(1, 1, 1): 0.4246, (1, -1, 0): "5 1/nm", "far": 7.0}).axes
    marks = {text.get_text(): text.xy[0] for text in ax.texts}
    assert marks == {"111": pytest.approx(0.4246), r"$1\bar{1}0$": pytest.approx(0.5)}
    (ax,) = plot_profiles(profile(), rings=GOLD).axes
    expected = {hkl: np.linalg.norm(hkl) / 4.0782 for hkl in ((1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, 1), (2, 2, 2))}
    marks = {text.get_text(): text.xy[0] for text in ax.texts}
    assert marks == {hkl_text(hkl): pytest.approx(k, abs=1e-4) for hkl, k in expected.items()}


def test_a_crystal_marks_rings_on_an_axis_of_angles() -> None:
    axis = l4.Axis(name="k", size=50, scale=0.5, units="mrad", beam_energy="200 kV")
    (ax,) = plot_profiles(l4.Diffraction1D(np.ones(50), [axis]), rings=GOLD).axes
    assert {t.get_text(): t.xy[0] for t in ax.texts}["111"] == pytest.approx(0.4247 * 25.08, rel=2e-3)


EXTREME = {
    "all NaN": np.full(9, np.nan), "one": np.ones(1), "constant": np.ones(9), "bool": np.arange(9) % 2 == 0,
    "wide": 10.0 ** np.linspace(-300, 300, 9), "integers": 2**62 + np.arange(9), "negative": -np.arange(9),
    "infinite": np.array([1, np.inf, -np.inf, np.nan]), "a name that is too long for the legend of any figure": [1, 2],
}  # fmt: skip


@pytest.mark.parametrize("log", [False, True])
def test_extreme_data_are_drawn(log: bool) -> None:
    figure = plot_profiles(EXTREME, log=log, dpi=40)
    figure.canvas.draw()
    assert len(figure.axes[0].lines) == len(EXTREME)
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names[-1].endswith("…")
    assert figure.axes[0].get_position().width > 0.3  # names leave room for the curves


@pytest.mark.parametrize("log", [False, True])
def test_that_there_are_no_values_is_said(log: bool) -> None:
    figure = plot_profiles({"nothing": np.full(5, np.nan)}, log=log)
    figure.canvas.draw()
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["no values"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_profiles([]), "expected at least one"),
        (lambda: plot_profiles({"a": np.ones((2, 3))}), r"'a': expected a signal, real numbers .* shape \(2, 3\)"),
        (lambda: plot_profiles({"a": np.ones(2) * 1j}), "'a': expected a signal, real numbers"),
        (lambda: plot_profiles(l4.Signal2D(np.ones((2, 3)))), "one signal axis, or a line of a scan, found <Signal2D"),
        (lambda: plot_profiles(profile(np.ones(50) * 1j)), "expected real numbers, found <Diffraction1D"),
        (lambda: plot_profiles({"a": profile()}, models={"b": np.ones(50)}), "models: expected names of curves .'a'."),
        (lambda: plot_profiles([profile(), profile()], std=np.ones(50)), "std: expected a dict by name"),
        (lambda: plot_profiles(of_scan(3), models=np.ones(50)), "expected one curve with std or models, found 3"),
        (lambda: plot_profiles(profile(), models=np.ones(7)), "expected 50 values for it, found 7"),
        (lambda: plot_profiles(profile(), offset="wide"), "offset='wide': expected a number or 'auto'"),
        (lambda: plot_profiles(profile(), x_range=(1, 0)), "low below high"),
        (lambda: plot_profiles({"a": np.ones(3)}, rings={"r": "1 nm"}), "as the axis has no units"),
        (lambda: plot_profiles({"a": np.ones(3)}, rings=GOLD), "rings of a crystal need an axis with units"),
        (lambda: plot_profiles(profile(), rings=[3.0]), r"pairs \(name, place\), found 3.0"),
        (
            lambda: plot_profiles([profile(), l4.Signal1D(np.ones(3), [l4.Axis(name="E", size=3, units="nm")])]),
            "axes of one unit, found 1/Å, nm",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_the_figure_looks_as_it_did(tmp_path: Path) -> None:
    noisy = profile(profile().data + np.sin(np.arange(50) * 2.4))
    figure = plot_profiles(
        {"measured": noisy}, models=lambda k: profile().data, std=np.full(50, 1.5), rings=GOLD, x_range=(0.2, 0.9),
        title="A profile", width="single",
    )  # fmt: skip
    save_figure(figure, tmp_path / "profiles.png", dpi=90)
    assert compare_images(str(BASELINE / "profiles.png"), str(tmp_path / "profiles.png"), tol=4) is None

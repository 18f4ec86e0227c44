from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from matplotlib.colors import LogNorm, Normalize, PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot.images import plot_images
from lazy4d.plot.picture import Look, pictures_of
from lazy4d.plot.saving import save_figure
from lazy4d.signals import OrientationMap, StrainMaps
from lazy4d.signals.orientation import CrystalPhase

BASELINE = Path(__file__).parent / "baseline"
BRIGHT, DARK = l4.CircleROI(16, 16, 4), l4.CircleROI(16, 16, 14, r_inner=5)


@pytest.fixture(scope="module")
def scan() -> l4.Diffraction2D:
    """A scan of 6 x 8 positions whose beam travels by 3 pixels down, calibrated."""
    simulated = simulated_scan((6, 8), (32, 32), descan=(3.0, 0.0), dose=2000)
    s = l4.Diffraction2D(simulated.as_array(), title="scan")
    s.set_calibration(**simulated.signal_parameters)
    return s


def titles(figure: Figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


def picture(figure: Figure, title: str) -> Any:
    return next(ax for ax in figure.axes if ax.get_title(loc="left") == title)


def shown(figure: Figure, title: str) -> Any:
    return picture(figure, title).images[0]


def boxes(figure: Figure) -> tuple[dict[str, Any], Any]:
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    return {ax.get_title(loc="left"): ax.get_tightbbox(renderer) for ax in figure.axes}, figure.bbox


def test_signals_and_arrays_are_shown_with_their_own_pixels(scan: l4.Diffraction2D) -> None:
    array = np.arange(12.0).reshape(3, 4)
    figure = plot_images({"map": scan.get_virtual_image(BRIGHT), "mean": scan.mean(), "array": array})
    yy, xx = np.indices((32, 32)) - 16
    expected = scan.as_numpy()[..., np.hypot(yy, xx) < 4].sum(-1)
    np.testing.assert_array_equal(shown(figure, "map").get_array(), expected)
    np.testing.assert_allclose(shown(figure, "mean").get_array(), scan.as_numpy().mean((0, 1)))
    np.testing.assert_array_equal(shown(figure, "array").get_array(), array)
    assert isinstance(shown(figure, "mean").norm, LogNorm)
    assert picture(figure, "map").texts[-1].get_text().endswith("nm")
    assert picture(figure, "mean").texts[-1].get_text().endswith("Å⁻¹")
    assert not picture(figure, "array").texts  # nobody says what its pixels are worth


def test_everything_lazy_is_computed_in_one_pass(scan: l4.Diffraction2D, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    from lazy4d.lazy import run

    compute = run.compute
    monkeypatch.setattr(run, "compute", lambda *a, **k: calls.append(len(a)) or compute(*a, **k))
    array = da.from_array(np.ones((3, 4)), chunks=2)
    figure = plot_images([scan.mean(), scan.get_virtual_image(BRIGHT), scan.get_direct_beam_position(), array])
    assert len(figure.axes) == 4
    assert [count for count in calls if count] == [4 + 1]  # the score of the beam stands beside its position


def test_titles_come_from_signals_and_are_told_apart(scan: l4.Diffraction2D) -> None:
    image = l4.VirtualImage(np.ones((2, 3)), title="BF")
    assert titles(plot_images([image, image, np.ones((2, 2))], letters=True)) == ["a) BF", "b) BF (2)", "c)"]
    assert titles(plot_images(image, letters=["i."])) == ["i. BF"]
    frames = plot_images(scan.inav[2:4, 1])
    assert titles(frames) == ["scan, x 2 nm", "scan, x 3 nm"]
    np.testing.assert_array_equal(shown(frames, "scan, x 3 nm").get_array(), scan.as_numpy()[1, 3])


def test_contrast_is_that_of_each_picture() -> None:
    values = np.arange(1.0, 101).reshape(10, 10)
    pictures = {"a": values, "b": values, "c": values, "d": values}
    figure = plot_images(
        pictures,
        norm={"a": "log"},
        power={"b": 0.5},
        percentile={"c": (10, 90)},
        limits={"d": (0, 50)},
        cmap={"d": "magma"},
    )
    assert isinstance(shown(figure, "a").norm, LogNorm)
    assert isinstance(shown(figure, "b").norm, PowerNorm)
    assert shown(figure, "c").get_clim() == pytest.approx((10.9, 90.1))
    assert shown(figure, "d").get_clim() == (0, 50)
    assert [shown(figure, name).get_cmap().name for name in "acd"] == ["gray", "gray", "magma"]
    assert shown(figure, "d").colorbar.extend == "max"  # values lie beyond
    assert shown(figure, "a").colorbar.extend == "neither"


def test_one_colour_scale_for_all_or_for_each_row() -> None:
    pictures = {"a": np.array([[0.0, 1.0]]), "b": np.array([[5.0, 9.0]]), "c": np.array([[-4.0, 2.0]])}
    figure = plot_images(pictures, share=True)
    assert {shown(figure, name).get_clim() for name in "abc"} == {(-4.0, 9.0)}
    assert len(figure.axes) == 4  # one colour bar
    rows = plot_images(pictures, share="row", columns=2)
    assert [shown(rows, name).get_clim() for name in "abc"] == [(0, 9), (0, 9), (-4, 2)]
    assert len(rows.axes) == 5
    with pytest.raises(ValueError, match="one quantity for one colour scale, found 'm', 's'"):
        plot_images(pictures, share=True, label={"a": "m", "b": "s"})


def test_the_width_is_that_of_the_journal_and_text_stays_legible() -> None:
    pictures = {f"picture {k}": np.ones((20, 30)) for k in range(4)}
    figure = plot_images(pictures, width="single", columns=4)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(85)
    assert plot_images(np.ones((2, 3)), width="double").get_size_inches()[0] * 25.4 == pytest.approx(170)
    assert plot_images(np.ones((2, 3)), width=60).get_size_inches()[0] * 25.4 == pytest.approx(60)
    texts: list[Any] = [t for ax in figure.axes for t in ax.findobj(Text) if t.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 4.5  # tick labels between decades are the smallest
    assert min(ax.title.get_fontsize() for ax in figure.axes) >= 6


def test_nothing_overlaps_or_is_cut_off(scan: l4.Diffraction2D) -> None:
    results = {
        "mean pattern": scan.mean(),
        "map": scan.get_virtual_image(BRIGHT),
        "beam": scan.get_direct_beam_position(),
    }
    figure = plot_images(
        {**results, "long": np.ones((9, 9))}, columns=2, title="a figure", letters=True, width="single"
    )
    found, page = boxes(figure)
    kept = list(found.values())
    for k, one in enumerate(kept):
        assert one.x0 >= -1
        assert one.y0 >= -1
        assert one.x1 <= page.x1 + 1
        assert one.y1 <= page.y1 + 1
        assert not any(one.overlaps(other) for other in kept[k + 1 :])


def test_rows_leave_no_white_between_them() -> None:
    figure = plot_images({str(k): np.ones((10, 30)) for k in range(4)}, columns=2, color_bar=False)
    found, page = boxes(figure)
    used = sum(box.height for name, box in found.items() if name in "02")
    assert used / page.height > 0.85


@pytest.mark.parametrize("share", [False, True, "row"])
def test_pictures_are_as_wide_as_their_columns(share: Any) -> None:
    """Also beside a colour bar of several, which matplotlib would push them towards."""
    figure = plot_images(
        {str(k): np.eye(9)[:5] for k in range(4)}, columns=2, share=share, letters=True, width="single"
    )
    figure.draw_without_rendering()
    for name in ("a) 0", "b) 1", "c) 2", "d) 3"):
        ax = picture(figure, name)
        whole, used = ax.get_position(original=True), ax.get_position()
        assert used.width == pytest.approx(whole.width, rel=0.02)
        assert (used.x0, used.y1) == pytest.approx((whole.x0, whole.y1), abs=0.005)


def test_a_long_title_is_wrapped_and_cut() -> None:
    figure = plot_images({"a title that nobody would want to read in a small picture, as it is long": np.ones((9, 9))})
    (title,) = titles(figure)
    assert title.count("\n") == 1
    assert title.endswith("…")


def test_overlays_are_where_they_belong(scan: l4.Diffraction2D) -> None:
    v = l4.DiffractionVectors([[[16.0, 12.0, 5.0], [20.0, 16.0, 1.0]]], frame_shape=(32, 32)).inav[0]
    figure = plot_images(
        {"mean": scan.mean(), "bright": scan.get_virtual_image(BRIGHT)},
        vectors={"mean": v}, rois={"mean": {"bright": BRIGHT, "dark": DARK}},
    )  # fmt: skip
    outlines = [one for one in picture(figure, "mean").collections if hasattr(one, "get_segments")]
    places = np.concatenate(
        [np.asarray(one.get_offsets()) for one in picture(figure, "mean").collections if one not in outlines]
    )
    np.testing.assert_array_equal(places, [[12, 16], [16, 20]])  # x, y
    assert len(outlines) == 2
    frame = picture(figure, "bright").spines["left"].get_edgecolor()
    assert to_rgb(frame) == tuple(outlines[0].get_colors()[0][:3])
    everywhere = plot_images([scan.mean(), scan.get_virtual_image(BRIGHT)], vectors=v)
    assert [len(ax.collections) for ax in everywhere.axes[:2]] == [1, 0]
    mask = np.zeros((6, 8), bool)
    mask[2:4, 1:3] = True
    marked = plot_images(scan.get_virtual_image(BRIGHT), rois=mask)
    assert len(marked.axes[0].collections[0].get_segments()) == 4


def test_results_have_pictures_of_their_own(scan: l4.Diffraction2D) -> None:
    strain = StrainMaps(np.full((3, 4, 12), 0.01), title="s")
    rows = np.tile([1.0, 0, 0, 0, 1, 0], (3, 4, 1, 1))
    gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    turned = OrientationMap(rows, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    v = l4.DiffractionVectors([[[3, 4]], [[3, 5], [6, 1]]], frame_shape=(8, 8), nav_shape=(1, 2))
    colors = scan.get_direct_beam_position().get_color_image()
    figure = plot_images({"strain": strain, "crystal": turned, "vectors": v, "colours": colors})
    assert titles(figure)[:4] == ["strain, ε$_{xx}$", "strain, ε$_{yy}$", "strain, ε$_{xy}$", "strain, rotation"]
    np.testing.assert_allclose(shown(figure, "strain, ε$_{xx}$").get_array(), 1.0)  # per cent
    assert np.asarray(shown(figure, "crystal").get_array())[0, 0].tolist() == [255, 0, 0]
    assert np.asarray(shown(figure, "vectors").get_array()).tolist() == [[1, 2]]
    np.testing.assert_array_equal(shown(figure, "colours").get_array(), colors.as_numpy())


def test_colours_and_complex_numbers() -> None:
    rgb = np.zeros((2, 3, 3), "uint8")
    rgb[0, 0] = (255, 10, 0)
    numbers = np.array([[1.0, 1j], [0.0, -1.0]])
    figure = plot_images({"rgb": rgb, "share": np.full((2, 2, 3), 0.5), "complex": numbers})
    np.testing.assert_array_equal(shown(figure, "rgb").get_array(), rgb)
    drawn = np.asarray(shown(figure, "complex").get_array())
    np.testing.assert_allclose(drawn[1, 0], 0, atol=1e-12)  # nothing is black
    assert not np.allclose(drawn[0, 0], drawn[1, 1])  # phases differ in hue
    with pytest.raises(
        ValueError, match=r"'x': expected colours as uint8, or as floats from 0 to 1, found float64 .* to 2"
    ):
        plot_images({"x": np.full((2, 2, 3), 2.0)})


EXTREME = {
    "all NaN": np.full((3, 4), np.nan), "constant": np.full((3, 4), 7.0), "one pixel": np.ones((1, 1)),
    "one row": np.arange(40.0)[None], "one column": np.arange(40.0)[:, None], "bool": np.eye(5, dtype=bool),
    "wide": 10.0 ** np.linspace(-300, 300, 12).reshape(3, 4), "largest": np.array([[-1.7e308, 1.7e308]]),
    "infinite": np.array([[np.inf, 1.0, -np.inf]]), "integers": 2**62 + np.arange(12).reshape(3, 4),
    "half": np.float16([[1, 2], [3, np.nan]]), "negative": -np.arange(12.0).reshape(3, 4), "zero": np.zeros((2, 2)),
}  # fmt: skip


def test_extreme_data_are_drawn() -> None:
    figure = plot_images(EXTREME, columns=5, dpi=40)
    assert len(titles(figure)) == len(EXTREME)
    for ax in figure.axes:
        height, width = ax.get_window_extent().height, ax.get_window_extent().width
        assert 0.1 < height / width < 9


@pytest.mark.parametrize("norm", ["log", "power", "symlog"])
def test_extreme_data_have_colours_on_every_scale(norm: str) -> None:
    for name, values in EXTREME.items():
        (image,) = pictures_of(name, values, Look(norm=norm))
        assert image.norm is not None
        shares = np.ma.filled(image.norm(np.ma.masked_invalid(image.values)), 0.5)
        assert np.isfinite(shares).all(), name
        assert image.norm.clip is (type(image.norm) is not Normalize)  # so that what is not above 0 is dark


def test_whole_numbers_beyond_float64_can_be_told_apart() -> None:
    figure = plot_images({"n": 2**62 + np.arange(6).reshape(2, 3)})
    assert np.asarray(shown(figure, "n").get_array()).ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert shown(figure, "n").colorbar.ax.get_ylabel() == f"value \N{MINUS SIGN} {2**62}"


def test_a_line_of_the_scan_is_a_strip_and_profiles_along_it_an_image(scan: l4.Diffraction2D) -> None:
    line = scan.inav[:, 2]
    figure = plot_images({"strip": line.get_virtual_image(BRIGHT), "profiles": line.get_azimuthal_integral1d(10)})
    assert shown(figure, "strip").get_array().shape == (1, 8)
    assert shown(figure, "profiles").get_array().shape == (8, 10)
    assert picture(figure, "profiles").get_xlabel() == "k (1/Å)"
    figure.draw_without_rendering()
    height, width = (
        picture(figure, "strip").get_window_extent().height,
        picture(figure, "strip").get_window_extent().width,
    )
    assert height / width == pytest.approx(0.15, abs=0.02)  # it would be 0.125


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: plot_images([]), "expected at least one signal or array"),
        (lambda s: plot_images({}), "expected at least one signal or array"),
        (lambda s: plot_images({"s": s}), "'s': expected a map .* found <Diffraction2D"),
        (lambda s: plot_images({"x": np.ones(3)}), r"'x': expected a signal, or an array .* shape \(3,\)"),
        (lambda s: plot_images({"x": np.ones((0, 3))}), r"'x': .*shape \(0, 3\)"),
        (lambda s: plot_images({"x": "text"}), "'x': expected a signal"),
        (lambda s: plot_images(s.mean(), norm="lin"), "norm='lin'"),
        (
            lambda s: plot_images({"m": s.mean()}, norm={"n": "log"}),
            "norm: expected titles of pictures .'m'., found 'n'",
        ),
        (lambda s: plot_images(s.mean(), share="column"), "share='column'"),
        (lambda s: plot_images(s.mean(), width=3), "width=3: expected"),
        (lambda s: plot_images(s.mean(), width="triple"), "width='triple'"),
        (lambda s: plot_images(s.mean(), columns=0), "columns=0"),
        (lambda s: plot_images(s.mean(), letters=["a", "b"]), "expected 1, one for each picture, found 2"),
        (lambda s: plot_images(s.mean(), rois=np.ones((3, 3))), r"expected a mask of \(32, 32\) pixels"),
        (lambda s: plot_images({"m": s.mean()}, vectors={"x": None}), "vectors: expected titles"),
        (
            lambda s: plot_images({"m": s.mean()}, vectors=l4.DiffractionVectors([[[1, 1]]], frame_shape=(4, 4))),
            r"expected a pattern of \(4, 4\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(scan: l4.Diffraction2D, call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(scan)


def test_the_figure_looks_as_it_did(tmp_path: Path) -> None:
    """A small figure of every element: titles, bars, wheel, outlines, marks; compared with one that was looked at."""
    y, x = np.indices((12, 16))
    axes = [
        l4.Axis(name="y", size=12, scale=2.0, units="nm", navigate=True),
        l4.Axis(name="x", size=16, scale=2.0, units="nm", navigate=True),
    ]
    hill = l4.VirtualImage(np.exp(-((y - 6) ** 2 + (x - 8) ** 2) / 18.0), axes, title="hill")
    mask = np.hypot(y - 6, x - 8) < 4
    figure = plot_images(
        {"hill": hill, "signed": hill - 0.5, "complex": np.exp(1j * x / 3) * y}, norm={"signed": "symmetric"},
        rois={"hill": mask}, letters=True, width="double", title="Three pictures",
    )  # fmt: skip
    save_figure(figure, tmp_path / "images.png", dpi=80)
    assert compare_images(str(BASELINE / "images.png"), str(tmp_path / "images.png"), tol=4) is None

"""Figures of diffraction vectors, and vectors and positions on the pictures of other signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LogNorm, PowerNorm, to_rgba
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.plot import panel, plot_vectors
from lazy4d.plot.colors import MISSING
from lazy4d.plot.marks import CLASSES, UNCLASSED, scale_colors, scale_of
from lazy4d.plot.vector_marks import MOST_POINTS, Coloring, marks_of
from lazy4d.ragged import RaggedFrames

NAV, FRAME = (3, 4), (20, 24)


@pytest.fixture
def v() -> l4.DiffractionVectors:
    """Vectors 0, 1, 2 … a position, to the right of each other; labels -1, 0, 1 …; calibrated."""
    counts = np.arange(12)
    ky = np.concatenate([np.full(n, 5.25) for n in counts])
    kx = np.concatenate([2.0 * np.arange(n) + 0.5 for n in counts])
    label = np.concatenate([np.arange(n) % 4 - 1 for n in counts])
    columns = {"ky": ky, "kx": kx, "intensity": 10.0 + kx, "label": label, "h": label, "k": -2 * label}
    found = l4.DiffractionVectors(RaggedFrames.from_counts(counts, columns), nav_shape=NAV, frame_shape=FRAME)
    found.set_calibration(scale=0.5, units="1/Å", center=(12, 10), scan_scale=2.0, scan_units="nm")
    return found


@pytest.fixture
def s(v: l4.DiffractionVectors) -> l4.Diffraction2D:
    values = np.random.default_rng(0).poisson(3, (*NAV, *FRAME)).astype("u2")
    return l4.Diffraction2D(values, v.axes_manager.copy(), title="scan")


def pictures(figure: Figure) -> dict[str, Any]:
    return {ax.get_title(loc="left"): ax for ax in figure.axes}


def marks(ax: Any) -> list[EllipseCollection]:
    return [one for one in ax.collections if isinstance(one, EllipseCollection)]


def places(collection: EllipseCollection) -> np.ndarray:
    return np.asarray(collection.get_offsets())


def bar_label(ax: Any) -> str:
    return str(ax.child_axes[0].get_ylabel())


def test_without_a_position_the_scan_and_the_bragg_vector_map(v: l4.DiffractionVectors) -> None:
    shown = pictures(v.plot(title="disks", upsample=2))
    assert list(shown) == ["number of vectors", "Bragg vector map"]
    np.testing.assert_array_equal(shown["number of vectors"].images[0].get_array(), np.arange(12).reshape(NAV))
    assert shown["number of vectors"].texts[-1].get_text().endswith("nm")
    picture = shown["Bragg vector map"]
    assert picture.images[0].get_array().shape == (40, 48)
    assert isinstance(picture.images[0].norm, LogNorm)
    assert picture.texts[-1].get_text().endswith("Å⁻¹")
    assert bar_label(picture) == "summed intensity"
    counted = pictures(v.plot(weights=None, power=0.5))["Bragg vector map"]
    assert bar_label(counted) == "vectors"
    assert isinstance(counted.images[0].norm, PowerNorm)


def test_at_a_position_the_vectors_lie_on_its_pattern(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    for position in (("4 nm", 2.0), (-2, 1)):
        shown = pictures(v.plot(position, s))
        assert list(shown) == ["number of vectors", "x 2, y 1"]
        np.testing.assert_array_equal(shown["x 2, y 1"].images[0].get_array(), np.maximum(s.data[1, 2], 1))
        (drawn,) = marks(shown["x 2, y 1"])
        np.testing.assert_array_equal(places(drawn), [[2 * k + 0.5, 5.25] for k in range(6)])
        (marked,) = marks(shown["number of vectors"])
        np.testing.assert_array_equal(places(marked), [[2, 1]])


def test_circles_have_the_radius_of_disks(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    for radius in (3, "1.5 1/Å"):
        (drawn,) = marks(pictures(v.plot((2, 1), s, radius=radius))["x 2, y 1"])
        assert drawn.get_widths()[0] == pytest.approx(6.0)  # pixels of the frame


def test_several_positions_are_numbered_and_framed(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    figure = v.plot([(0, 0), (3, 2)], s)
    shown = pictures(figure)
    assert list(shown) == ["number of vectors", "1: x 0, y 0", "2: x 3, y 2"]
    assert [text.get_text() for text in shown["number of vectors"].texts[:2]] == ["1", "2"]
    for k, (name, marked) in enumerate(zip(list(shown)[1:], marks(shown["number of vectors"]), strict=True)):
        assert to_rgba(shown[name].spines["left"].get_edgecolor()) == to_rgba(CLASSES[k])
        np.testing.assert_allclose(marked.get_edgecolor()[0], to_rgba(CLASSES[k]))


def test_without_patterns_disks_on_black_say_their_intensity(v: l4.DiffractionVectors) -> None:
    picture = pictures(v.plot((3, 2)))["x 3, y 2"]
    assert not np.asarray(picture.images[0].get_array()).any()
    assert bar_label(picture) == "intensity"
    (drawn,) = marks(picture)
    assert len(np.unique(drawn.get_facecolor(), axis=0)) == 11


def test_labels_become_classes_of_one_colour_everywhere(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    figure = v.plot([(1, 0), (3, 2)], s, color="label")
    for name, labels in (("1: x 1, y 0", [-1]), ("2: x 3, y 2", [-1, 0, 1, 2] * 2 + [-1, 0, 1])):
        picture = pictures(figure)[name]
        expected = [to_rgba(UNCLASSED if label < 0 else CLASSES[label]) for label in labels]
        np.testing.assert_allclose(marks(picture)[0].get_edgecolor(), expected)
        assert picture.images[0].get_cmap().name == "gray"
        assert [text.get_text() for text in picture.get_legend().get_texts()] == ["none", "0", "1", "2"]
        assert picture.get_legend().get_title().get_text() == "label"
    whole = pictures(v.plot(color="label"))["Bragg vector map"]
    assert places(marks(whole)[0]).shape == (66, 2)


def test_indices_are_written_as_crystallographers_do(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    figure = v.plot((3, 0), s, text=("h", "k"), color="red")
    picture = pictures(figure)["x 3, y 0"]
    assert [text.get_text() for text in picture.texts[:3]] == ["$\\bar{1}\\,2$", "$0\\,0$", "$1\\,\\bar{2}$"]
    np.testing.assert_allclose(marks(picture)[0].get_edgecolor(), [to_rgba("red")])
    figure.canvas.draw()


def test_lazy_vectors_compute_only_what_is_shown(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    lazy = l4.DiffractionVectors(RaggedBlocks.from_ragged(v.ragged, NAV, (1, 4)), v.axes_manager.copy())
    assert list(pictures(lazy.plot((2, 1), s, image=s.get_total_intensity()))) == [
        "total intensity of scan", "x 2, y 1",
    ]  # fmt: skip
    assert list(pictures(lazy.plot((2, 1)))) == ["x 2, y 1"]
    assert list(pictures(lazy.plot())) == ["number of vectors", "Bragg vector map"]


def test_any_navigation_up_to_two_axes(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    assert list(pictures(v.inav[:, 1].plot([0, 2], s.inav[:, 1]))) == ["1: x 0", "2: x 2"]
    assert list(pictures(v.inav[2, 1].plot(signal=s.inav[2, 1]))) == ["vectors"]
    assert list(pictures(v.inav[:, 1].plot(signal=s.mean()))) == [s.mean().title]
    deep = l4.DiffractionVectors(v.ragged, nav_shape=(1, 3, 4), frame_shape=FRAME)
    with pytest.raises(ValueError, match="at most two axes"):
        deep.plot()


def test_wrong_requests_say_what_is_possible(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match=r"expected a position as \(x, y\)"):
        v.plot(3, s)
    with pytest.raises(ValueError, match=r"expected a column \(ky, .*\) or a colour"):
        v.plot((1, 1), s, color="height")
    with pytest.raises(ValueError, match="expected columns out of ky, kx"):
        v.plot((1, 1), s, text=("l",))
    with pytest.raises(ValueError, match="expected the frames that the vectors came from"):
        v.plot((1, 1), s.isig[:8, :8])
    with pytest.raises(ValueError, match="expected a position, whose pattern"):
        v.plot(signal=s)
    with pytest.raises(ValueError, match="expected an image of the scan"):
        v.plot((1, 1), s, image=s.inav[:2].get_total_intensity())


def test_scales_are_logarithmic_where_sizes_differ() -> None:
    assert not isinstance(scale_of(np.array([1.0, 20.0])), LogNorm)
    assert isinstance(scale_of(np.array([1.0, 200.0])), LogNorm)
    assert not isinstance(scale_of(np.array([-1.0, 200.0])), LogNorm)
    colors = scale_colors(np.array([1.0, np.nan, 200.0]), scale_of(np.array([1.0, 200.0])))
    assert np.isfinite(colors).all()
    np.testing.assert_allclose(colors[1], to_rgba(MISSING))


def test_of_very_many_vectors_some_are_drawn() -> None:
    many = l4.DiffractionVectors(
        RaggedFrames.from_counts([50_000], {"ky": np.arange(50_000.0), "kx": np.zeros(50_000)}),
        nav_shape=(), frame_shape=(50_000, 1),
    )  # fmt: skip
    drawn = marks_of(many, Coloring(None, [many]))
    assert drawn.y.size == MOST_POINTS
    assert (drawn.y[0], drawn.y[-1]) == (0, 49_999)


# -- on the pictures of a panel ----------------------------------------------------------------------------------------


def test_a_panel_shows_vectors_on_patterns_and_positions_in_maps(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    shown = pictures(
        panel(
            {"sum": s.get_total_intensity(), "edge": s.inav[2, 1], "mean": s.mean()},
            vectors={"edge": v.inav[2, 1]},
            positions={"edge": (2, 1), "other": (0.0, "4 nm")},
            power=0.5,
        )
    )
    np.testing.assert_array_equal(places(marks(shown["edge"])[0]), [[2 * k + 0.5, 5.25] for k in range(6)])
    assert not marks(shown["mean"])
    np.testing.assert_array_equal(np.concatenate([places(one) for one in marks(shown["sum"])]), [[2, 1], [0, 2]])
    assert [text.get_text() for text in shown["sum"].texts[:2]] == ["edge", "other"]
    assert to_rgba(shown["edge"].spines["left"].get_edgecolor()) == to_rgba(CLASSES[0])
    assert isinstance(shown["mean"].images[0].norm, PowerNorm)


def test_colour_bars_say_what_a_signal_counts(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    images = {"seen": v.get_virtual_image(l4.CircleROI(12, 5, 30), weights=None), "map": v.to_bragg_vector_map()}
    s.metadata.set_item("Signal.quantity", "Counts")
    shown = pictures(panel({**images, "mean": s.mean()}, label="electrons"))
    assert [bar_label(ax) for ax in shown.values()] == ["vectors", "summed intensity", "electrons"]


def test_a_panel_refuses_what_it_cannot_place(v: l4.DiffractionVectors, s: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match="expected the title of a pattern"):
        panel({"mean": s.mean()}, vectors={"edge": v})
    with pytest.raises(ValueError, match="expected the title of a pattern of"):
        panel({"mean": s.mean().isig[:8]}, vectors={"mean": v})
    with pytest.raises(ValueError, match="at least one map"):
        panel({"mean": s.mean()}, positions={"edge": (0, 0)})


def test_a_figure_of_vectors_is_a_function_too(v: l4.DiffractionVectors) -> None:
    assert isinstance(plot_vectors(v), Figure)

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot import panel


@pytest.fixture(scope="module")
def scan() -> l4.Diffraction2D:
    """A scan of 6 x 8 positions whose beam travels by 3 pixels down, calibrated."""
    simulated = simulated_scan((6, 8), (32, 32), descan=(3.0, 0.0), dose=2000)
    s = l4.Diffraction2D(simulated.as_array(), title="scan")
    s.set_calibration(**simulated.signal_parameters)
    return s


@pytest.fixture(scope="module")
def detectors() -> dict[str, l4.CircleROI]:
    return {"bright field": l4.CircleROI(16, 16, 4), "dark field": l4.CircleROI(16, 16, 14, r_inner=5)}


@pytest.fixture(scope="module")
def figure(scan: l4.Diffraction2D, detectors: dict[str, l4.CircleROI]) -> Figure:
    results = {
        "mean pattern": scan.mean(),
        **scan.get_virtual_image(detectors),
        "beam": scan.get_direct_beam_position(),
    }
    return panel(results, detectors=detectors, title="a scan")


def pictures(figure: Figure) -> dict[str, object]:
    return {ax.get_title(loc="left"): ax for ax in figure.axes}


def test_every_result_has_a_titled_picture_with_a_scale_bar(figure: Figure) -> None:
    assert list(pictures(figure)) == [
        "mean pattern", "bright field", "dark field", "beam, y", "beam, x", "beam, direction",
    ]  # fmt: skip
    labels = {title: ax.texts[-1].get_text() for title, ax in pictures(figure).items()}
    assert labels["mean pattern"].endswith("Å⁻¹")
    assert all(text.endswith("nm") for title, text in labels.items() if title != "mean pattern")


def test_the_pixels_are_those_of_the_signals(figure: Figure, scan: l4.Diffraction2D) -> None:
    expected = scan.as_numpy()[..., 12:21, 12:21]
    shown = np.asarray(pictures(figure)["bright field"].images[0].get_array())
    yy, xx = np.indices((32, 32)) - 16
    np.testing.assert_array_equal(shown, scan.as_numpy()[..., np.hypot(yy, xx) < 4].sum(-1))
    assert expected.sum() > shown.sum()


def test_displacements_down_are_positive_and_share_a_scale(figure: Figure) -> None:
    y, x = (pictures(figure)[f"beam, {one}"].images[0] for one in "yx")
    rows = np.asarray(y.get_array()).mean(axis=1)
    assert rows[0] < -1 < 1 < rows[-1]
    assert y.norm.vmax == x.norm.vmax == -y.norm.vmin


def test_detectors_are_outlined_in_the_colour_of_their_image(figure: Figure) -> None:
    ax = pictures(figure)["mean pattern"]
    colors = [tuple(lines.get_colors()[0][:3]) for lines in ax.collections]
    assert len(set(colors)) == 2
    for title, color in zip(("bright field", "dark field"), colors, strict=True):
        assert to_rgb(pictures(figure)[title].spines["left"].get_edgecolor()) == pytest.approx(color)


def test_nothing_overlaps(figure: Figure) -> None:
    """Boxes of all pictures with their titles, colour bars and labels, in pixels of the figure."""
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    boxes = [ax.get_tightbbox(renderer) for ax in figure.axes]
    for k, one in enumerate(boxes):
        assert figure.bbox.x0 - 1 <= one.x0
        assert one.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= one.y0
        for other in boxes[k + 1 :]:
            assert not one.shrunk(0.99, 0.99).overlaps(other)


def test_the_figure_is_written_as_a_file(figure: Figure, tmp_path: Path) -> None:
    for name in ("panel.png", "panel.pdf", "panel.svg"):
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000


def test_missing_positions_are_drawn() -> None:
    values = np.arange(12.0).reshape(3, 4)
    values[1, 1] = np.nan
    figure = panel({"thickness": l4.VirtualImage(values)}, label="nm")
    shown = figure.axes[0].images[0]
    assert np.isnan(np.ma.filled(shown.get_array(), np.nan)[1, 1])


def test_masks_of_positions_and_masks_as_detectors(scan: l4.Diffraction2D) -> None:
    mask = np.zeros((32, 32), bool)
    mask[10:20, 8:30] = True
    figure = panel({"sum": scan.sum(), "bright": scan.get_virtual_image(mask) > 500}, detectors={"window": mask})
    assert len(figure.axes[0].collections[0].get_segments()) == 4


def test_columns_and_size_follow_each_other(scan: l4.Diffraction2D) -> None:
    one = panel({"a": scan.mean()}, columns=1)
    four = panel({name: scan.mean() for name in "abcd"}, columns=2)
    assert four.get_figwidth() == 2 * one.get_figwidth()
    assert four.get_figheight() == 2 * one.get_figheight()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: panel({}), "at least one signal"),
        (lambda s: panel({"scan": s}), "expected a map .* found <Diffraction2D"),
        (lambda s: panel({"row": s.inav[:, 0].get_virtual_image(l4.CircleROI(16, 16, 3))}), "expected a map"),
        (lambda s: panel({"beam": s.get_direct_beam_position()}, beam=("z",)), "found 'z'"),
        (lambda s: panel({"complex": s.mean() * 1j}), "real numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(scan: l4.Diffraction2D, make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(scan)


@pytest.mark.slow
def test_pyplot_and_displays_are_left_alone() -> None:
    code = "import lazy4d.plot, sys; print('matplotlib.pyplot' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "False"

"""Pictures of orientation maps: what is drawn, and the key of the colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.plot.orientation import ipf_key, orientation_maps
from lazy4d.signals.orientation import CrystalPhase, OrientationMap
from lazy4d.signals.orientation.quaternions import random_orientations
from lazy4d.signals.orientation.symmetry import LAUE_GROUPS


@pytest.fixture
def found() -> OrientationMap:
    rows = np.ones((4, 6, 2, 6))
    rows[..., :4] = random_orientations(48, 1).reshape(4, 6, 2, 4)
    rows[..., 4], rows[..., 5] = [0.9, 0.8], 0
    gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    axes = [
        l4.Axis(name="y", size=4, scale=2.0, units="nm"), l4.Axis(name="x", size=6, scale=2.0, units="nm"),
        l4.Axis(name="answer", size=2, navigate=False), l4.Axis(name="column", size=6, navigate=False),
    ]  # fmt: skip
    return OrientationMap(rows, axes, {"OrientationMap": {"phases": [gold.as_dict()]}})


def titles(figure: Figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


def test_a_map_alone_and_beside_the_truth(found: OrientationMap, tmp_path: Any) -> None:
    figure = orientation_maps(found)
    assert titles(figure) == ["found, crystal direction along z", "score", "reliability", "m-3m"]
    beside = orientation_maps(
        found, truth=found.data[..., 1, :4], direction=(1, 1, 0), limit=2.0, title="grains", dpi=50
    )
    expected = ["found, crystal direction along (1 1 0)", "truth", "misorientation"]
    expected += ["misorientation, nearest of 2 answers", "reliability", "m-3m"]
    assert titles(beside) == expected
    shown = beside.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, found.get_ipf_color_image((1, 1, 0)).compute().data)
    nearest = next(ax for ax in beside.axes if "nearest" in ax.get_title(loc="left"))
    assert nearest.images[0].get_array().max() < 1e-4
    beside.savefig(tmp_path / "maps.png")
    with pytest.raises(ValueError, match="over two axes"):
        orientation_maps(found.inav[0])
    with pytest.raises(ValueError, match="expected truth of the shape"):
        orientation_maps(found, truth=np.ones((4, 6, 3)))


def test_what_is_beyond_the_scale_is_told(found: OrientationMap) -> None:
    """An arrow on the colour bar, and a box behind a scale bar that lies on black and white."""
    found.data[..., 1, 4] = 0.1  # reliabilities far above the end of the scale
    found.data[3, 0, 1, 4] = 0.9
    figure = orientation_maps(found)
    picture = next(ax for ax in figure.axes if ax.get_title(loc="left") == "reliability")
    assert [len(p.get_path().vertices) for p in picture.images[0].colorbar.ax.patches] == [4]
    assert len(picture.patches) == 2
    score = next(ax for ax in figure.axes if ax.get_title(loc="left") == "score")
    assert not score.images[0].colorbar.ax.patches
    assert len(score.patches) == 1


@pytest.mark.parametrize("laue", LAUE_GROUPS)
def test_keys_show_each_direction_once(laue: str) -> None:
    ax = Figure().add_subplot()
    ipf_key(ax, laue, pixels=60)
    colors = ax.images[0].get_array()
    share = (colors[..., 3] > 0).mean() if colors.shape[-1] == 4 else 1.0
    assert 0.15 < share <= 1
    assert len(ax.texts) >= 3

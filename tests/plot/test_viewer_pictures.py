"""How viewers look, compared with pictures that were looked at; text may be rendered a little differently."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import style
from matplotlib.testing import set_font_settings_for_testing
from matplotlib.testing.compare import compare_images

import lazy4d as l4

BASELINE = Path(__file__).parent / "baseline"
TOLERANCE = 8.0
"""Root mean square of the difference, of 255; another position or contrast gives 15 and more, see below."""

PATIENCE = 60


def axes(*named: tuple[str, int, float, float, str], navigate: int) -> list[l4.Axis]:
    return [
        l4.Axis(name=name, size=size, scale=scale, offset=offset, units=units, navigate=k < navigate)
        for k, (name, size, scale, offset, units) in enumerate(named)
    ]


def spots(travel: float) -> np.ndarray:
    """A disk and six others around it, moved to the right; what numpy does to random numbers plays no part."""
    y, x = np.mgrid[-32:32, -32:32].astype(float)
    x = x - travel
    frame = 900.0 * (np.hypot(y, x) < 5)
    for k in range(6):
        angle = np.pi * k / 3
        frame += 40.0 * (1 + k) * (np.hypot(y - 18 * np.sin(angle), x - 18 * np.cos(angle)) < 3)
    return np.rint(frame + 3 * np.exp(-np.hypot(y, x) / 12))


def patterns() -> l4.Diffraction2D:
    frames = np.stack([spots(t) for t in np.linspace(-6, 6, 6)])
    weights = 1 + np.arange(4) / 4
    values = np.rint(weights[:, None, None, None] * frames).astype("uint16")
    return l4.Diffraction2D(
        values,
        axes(
            ("y", 4, 2.5, 0, "nm"), ("x", 6, 2.5, 0, "nm"), ("ky", 64, 0.02, -0.64, "1/Å"),
            ("kx", 64, 0.02, -0.64, "1/Å"), navigate=2,
        ),
        title="patterns",
    )  # fmt: skip


def scan() -> Any:
    signal = patterns()
    places = [[[32.0, 32.0 + t]] for _ in range(4) for t in np.linspace(-6, 6, 6)]
    vectors = l4.DiffractionVectors(places, nav_shape=(4, 6), frame_shape=(64, 64))
    viewer = signal.plot(
        signal.data.sum((-1, -2)), vectors=vectors, rois=[l4.CircleROI(0.0, 0.0, 0.5, 0.25)], size=(7.5, 3.6)
    )
    viewer.position = (4, 1)
    return viewer


def moved() -> Any:
    viewer = scan()
    viewer.position = (1, 2)
    return viewer


def line() -> Any:
    k = np.linspace(0, 1.2, 60)
    values = np.stack(
        [(100 + n % 4) * np.exp(-5 * k) + (20 + n) * np.exp(-(((k - 0.3 - 0.02 * n) / 0.03) ** 2)) for n in range(12)]
    )
    signal = l4.Signal1D(values, axes(("x", 12, 0.5, 0, "µm"), ("k", 60, 0.02, 0.01, "1/Å"), navigate=1), title="line")
    viewer = signal.plot(values.sum(1), size=(7, 3.2))
    viewer.position = (7,)
    return viewer


def displacements() -> Any:
    y, x = np.mgrid[-10:10, -15:15].astype(float)
    beam = l4.BeamPosition(
        np.stack([32 + y / 5, 32 + x / 5], -1),
        axes(("y", 20, 1.5, 0, "nm"), ("x", 30, 1.5, 0, "nm"), ("column", 2, 1, 0, ""), navigate=2),
        title="beam",
    )
    beam.metadata.set_item("BeamPosition.center", [32, 32])
    return beam.plot(size=(4.6, 3.2))


def polar() -> Any:
    k, azimuth = np.arange(20)[:, None], np.arange(36)
    values = 1 + 500 * np.exp(-(((k - 8) / 1.5) ** 2)) * (1.1 + np.cos(4 * np.pi * azimuth / 36))
    signal = l4.PolarDiffraction2D(
        values,
        axes(("k", 20, 0.05, 0.025, "1/Å"), ("azimuth", 36, np.pi / 18, np.pi / 36 - np.pi, "rad"), navigate=0),
        title="polar",
    )
    return signal.plot(size=(4.6, 3.6))


def stack() -> Any:
    t, z, y, x = np.ogrid[:3, :4, :12, :16]
    values = np.sin(x / 3 + t) + np.cos(y / 2 + z) + 0.1 * t
    image = l4.VirtualImage(
        values,
        axes(("t", 3, 10, 0, "s"), ("z", 4, 1, 0, "nm"), ("y", 12, 1, 0, "nm"), ("x", 16, 1, 0, "nm"), navigate=4),
        title="stack",
    )
    viewer = image.plot(cmap="viridis", size=(4.6, 4.2))
    viewer.position = (11, 5, 2, 1)
    return viewer


def damaged() -> Any:
    signal = patterns()
    valid = np.ones((4, 6), bool)
    valid[1, 4] = False
    viewer = l4.Diffraction2D(signal, valid=valid).plot(signal.data.sum((-1, -2)), size=(7.5, 3.6))
    viewer.wait(PATIENCE)
    viewer.position = (4, 1)
    return viewer


PICTURES: dict[str, Callable[[], Any]] = {
    "scan": scan, "line": line, "displacements": displacements, "polar": polar, "stack": stack, "damaged": damaged,
}  # fmt: skip


def drawn(make: Callable[[], Any], path: Path) -> Path:
    with style.context("default"):
        set_font_settings_for_testing()
        viewer = make()
        assert viewer.wait(PATIENCE)
        viewer.save(path, dpi=60)
        viewer.close()
    return path


@pytest.mark.parametrize("name", PICTURES)
def test_a_viewer_looks_as_it_did(name: str, tmp_path: Path) -> None:
    made, known = drawn(PICTURES[name], tmp_path / f"{name}.png"), BASELINE / f"viewer-{name}.png"
    if os.environ.get("LAZY4D_NEW_BASELINE"):  # then look at it
        known.write_bytes(made.read_bytes())
    difference = compare_images(str(known), str(made), TOLERANCE, in_decorator=True)
    assert difference is None, difference


def test_the_comparison_sees_another_position(tmp_path: Path) -> None:
    made = drawn(moved, tmp_path / "moved.png")
    difference = compare_images(str(BASELINE / "viewer-scan.png"), str(made), TOLERANCE, in_decorator=True)
    assert difference is not None
    assert difference["rms"] > 1.8 * TOLERANCE

"""Several signals side by side in one figure, labelled and calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lazy4d.plot.colors import DETECTORS, robust_limits
from lazy4d.plot.image import Image, draw, pixel_aspect
from lazy4d.plot.marks import CLASSES, Marks
from lazy4d.plot.vector_marks import Coloring, marks_of
from lazy4d.signals import BaseSignal, BeamPosition, ColorImage, DiffractionVectors
from lazy4d.signals.computing import compute_together
from lazy4d.signals.dpc.color_image import LONGEST
from lazy4d.signals.dpc.vectors import QUANTITY

_WIDTH, _HEIGHT, _TITLE = 3.35, 2.85, 0.3  # inches
_SQUARE = 2.4  # of the height, what a picture as wide as tall takes

_VECTORS = "#ffffff"
"""Circles around vectors: the colour that detectors get last."""

BEAM_PICTURES = ("y", "x", "direction")


def panel(
    signals: Mapping[str, BaseSignal],
    *,
    detectors: Mapping[str, Any] | None = None,
    beam: Sequence[str] = BEAM_PICTURES,
    label: str = "counts",
    vectors: Mapping[str, DiffractionVectors] | None = None,
    positions: Mapping[str, Sequence[Any]] | None = None,
    power: float | None = None,
    columns: int | None = None,
    title: str = "",
    dpi: float = 150,
) -> Figure:
    """A figure of maps, diffraction patterns and beam positions, each with title, scale bar and colour bar.

    Parameters
    ----------
    signals : dict of BaseSignal
        What to show, by its title: virtual images and other maps of a scan (two navigation axes); diffraction patterns
        (two signal axes, no navigation), on a logarithmic scale; `BeamPosition`, as displacements from the centre; and
        `ColorImage`, with the wheel of its colours.
        Those still lazy are computed, all that come from one file in one pass.
    detectors : dict of ROI or bool ndarray [ky, kx], optional
        Outlined in the patterns. Where a key is also the title of a map, the map gets a frame of the outline's colour.
    beam : sequence of {"y", "x", "direction"}
        Pictures of a beam position: displacement down, displacement to the right, and both as colours.
    label : str
        What maps and patterns count, for their colour bars, unless they say so in ``metadata.Signal.quantity``, such as
        ``"phase (rad)"``.
    vectors : dict of DiffractionVectors, optional
        Circles on patterns, by their titles: on the pattern of a position the vectors of that one, ``v.inav[x, y]``.
    positions : dict of (x, y), optional
        Positions to mark in all maps, with their names, x-first: int = pixel, float = axis units, text with a unit.
        Where a name is also the title of a pattern, the pattern gets a frame of the mark's colour.
    power : float, optional
        Exponent of the colour scale of patterns, such as 0.5; by default logarithmic.
    columns : int, optional
        Pictures in a row; by default at most 3.
    title : str
        Above all pictures.
    dpi : float
        Dots an inch of the figure when it is saved; a picture is about 3.3 inches wide.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot, so nothing has to be closed; ``figure.savefig("panel.png")`` writes it.

    Raises
    ------
    ValueError
        Nothing to show, a signal that is none of the above, an unknown entry of `beam`, vectors on no pattern, or
        positions where there is no map.

    Examples
    --------
    >>> bright = l4.CircleROI(8, 8, 3)
    >>> figure = panel({"BF": d.get_virtual_image(bright), "mean": d.mean()}, detectors={"BF": bright})
    >>> len(figure.axes)
    2
    """
    unknown = [name for name in beam if name not in BEAM_PICTURES]
    if unknown:
        raise ValueError(f"beam={tuple(beam)!r}: expected a selection of {BEAM_PICTURES}, found {unknown[0]!r}")
    known, over = compute_together(dict(signals), dict(vectors or {}))
    outlined = dict(detectors or {})
    color_of = {name: DETECTORS[k % len(DETECTORS)] for k, name in enumerate(outlined)}
    images = [
        image
        for name, signal in known.items()
        for image in _images(name, signal, outlined, color_of, tuple(beam), label)
    ]
    if not images:
        raise ValueError(f"expected at least one signal to show, found {dict(signals)!r} with beam={tuple(beam)!r}")
    images = _with_positions(_with_vectors(images, over), positions or {})
    if power is not None:
        images = [replace(image, power=power) if image.kind == "pattern" else image for image in images]
    return figure_of(images, columns=columns, title=title, dpi=dpi)


def figure_of(images: Sequence[Image], *, columns: int | None, title: str, dpi: float) -> Figure:
    """A figure of pictures in rows, at most 3 in each unless `columns` says so; see `panel`."""
    columns = max(1, min(3, len(images)) if columns is None else columns)
    in_rows = [images[k : k + columns] for k in range(0, len(images), columns)]
    heights = [_HEIGHT - _SQUARE * (1 - min(1.0, max(_tallness(image) for image in row))) for row in in_rows]
    size = (_WIDTH * min(columns, len(images)), sum(heights) + (_TITLE if title else 0.0))
    figure = Figure(figsize=size, dpi=dpi, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06, wspace=0.02, hspace=0.03)  # type: ignore[union-attr, call-arg]
    grid = figure.add_gridspec(len(in_rows), columns, height_ratios=heights)
    for number, image in enumerate(images):
        draw(figure.add_subplot(grid[divmod(number, columns)]), image)
    if title:
        figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    return figure


def quantity_of(signal: BaseSignal, label: str = "counts") -> str:
    """What a signal counts, for its colour bar: as its metadata say, or `label` where they say nothing but "Counts".

    Examples
    --------
    >>> quantity_of(d), quantity_of(d.template_match_disk(disk_r=3))
    ('counts', 'correlation coefficient')
    """
    quantity = str(signal.metadata.get_item(QUANTITY, ""))
    return label if quantity.lower() in ("", "counts") else quantity


def _with_vectors(images: list[Image], vectors: Mapping[str, DiffractionVectors]) -> list[Image]:
    """Patterns with vectors on them."""
    patterns = {image.title: image.values.shape for image in images if image.kind == "pattern"}
    for name, one in vectors.items():
        if patterns.get(name) != one.frame_shape:
            raise ValueError(
                f"vectors[{name!r}]: expected the title of a pattern of {one.frame_shape} pixels, as the frames of "
                f"{one!r}; found patterns {patterns}"
            )
    marks = {name: marks_of(one, Coloring(_VECTORS, [])) for name, one in vectors.items()}
    return [replace(image, marks=(marks[image.title],)) if image.title in marks else image for image in images]


def _with_positions(images: list[Image], positions: Mapping[str, Sequence[Any]]) -> list[Image]:
    """Maps with positions marked, and patterns in frames of their colours."""
    if not positions:
        return images
    color_of = {name: CLASSES[k % len(CLASSES)] for k, name in enumerate(positions)}
    if not any(image.axes[0].navigate for image in images):
        raise ValueError(f"positions={dict(positions)!r}: expected at least one map of the scan to mark them in")
    marked = []
    for image in images:
        if image.axes[0].navigate:
            y, x = image.axes
            marks = [
                Marks(
                    np.array([float(y.to_pixels(py))]), np.array([float(x.to_pixels(px))]), color_of[name], texts=[name]
                )
                for name, (px, py) in positions.items()
            ]
            marked.append(replace(image, marks=(*image.marks, *marks)))
        else:
            marked.append(replace(image, frame=color_of.get(image.title, image.frame)))
    return marked


def _tallness(image: Image) -> float:
    """Height over width of a picture, never so flat that its colour bar could not be read."""
    aspect = pixel_aspect(*image.axes)
    return max(0.4, image.values.shape[0] * aspect / image.values.shape[1])


def _images(
    name: str,
    signal: BaseSignal,
    detectors: Mapping[str, Any],
    color_of: Mapping[str, str],
    beam: tuple[str, ...],
    label: str,
) -> Iterator[Image]:
    """The pictures of one signal."""
    if isinstance(signal, BeamPosition) and len(signal.nav_shape) == 2:
        yield from _beam(name, signal, beam)
        return
    if isinstance(signal, ColorImage) and len(signal.nav_shape) == 2:
        full = str(signal.metadata.get_item(LONGEST, ""))
        yield Image(name, signal.as_numpy(), (signal.nav_axes[0], signal.nav_axes[1]), full, "colors")
        return
    axes: Any = tuple(signal.nav_axes + signal.frame_axes)
    if len(signal.shape) != 2 or len(signal.nav_shape) == 1:
        raise ValueError(
            f"{name!r}: expected a map (two navigation axes), a pattern (two signal axes, no navigation) or the beam "
            f"positions of a scan of two axes, found {signal!r}: select with inav or reduce it first, such as .mean()"
        )
    if signal.dtype.kind == "c":
        raise ValueError(f"{name!r}: expected real numbers, found {signal!r}: take abs(signal) first")
    values = signal.as_numpy().astype(np.float64)
    label = quantity_of(signal, label)
    if signal.nav_shape:
        yield Image(name, values, axes, label, frame=color_of.get(name))
        return
    x_first = (axes[1], axes[0])
    masks = [
        (one.mask(x_first) if hasattr(one, "mask") else np.asarray(one, bool), color_of[key])
        for key, one in detectors.items()
    ]
    yield Image(name, values, axes, label, "pattern", outlines=masks)


def _beam(name: str, signal: BeamPosition, beam: tuple[str, ...]) -> Iterator[Image]:
    """Displacements from the centre; both components on the same scale, so that they can be compared."""
    moved = signal.as_numpy() - np.asarray(signal.center)
    axes: Any = tuple(signal.nav_axes)
    reach = robust_limits(np.abs(moved))[1]
    arrows = {"y": "down", "x": "right"}
    for one in beam:
        if one == "direction":
            yield Image(f"{name}, direction", moved, axes, "px", "direction")
        else:
            component = moved[..., "yx".index(one)]
            yield Image(f"{name}, {one}", component, axes, f"px (positive: {arrows[one]})", "signed", (-reach, reach))

"""Pictures of diffraction vectors: where in the scan and on the detector they are, and on the patterns themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lazy4d.plot.image import Image
from lazy4d.plot.marks import CLASSES, Marks
from lazy4d.plot.panels import figure_of, quantity_of
from lazy4d.plot.vector_marks import Coloring, marks_of
from lazy4d.signals import BaseSignal, DiffractionVectors
from lazy4d.signals.computing import compute_together

Place = tuple[int, ...]


def plot_vectors(
    vectors: DiffractionVectors,
    position: Any = None,
    signal: BaseSignal | None = None,
    *,
    image: BaseSignal | None = None,
    color: str | None = None,
    text: Sequence[str] = (),
    radius: Any = None,
    weights: str | None = "intensity",
    upsample: int = 1,
    power: float | None = None,
    columns: int | None = None,
    title: str = "",
    dpi: float = 150,
) -> Figure:
    """A figure of vectors: a map of the scan beside the Bragg vector map, or beside the patterns of some positions.

    Parameters
    ----------
    vectors : DiffractionVectors
        Of a scan of two axes; with `position` also of one axis or none, and then without a map. Lazy ones are
        computed: all without a `position`, with it only what is shown.
    position : (x, y), or list of these, optional
        Positions to show, x-first as ``inav`` takes them: int = pixel, float = axis units, text with a unit. They are
        marked in the map. Without it, all vectors make the Bragg vector map.
    signal : BaseSignal, optional
        The patterns below the vectors: those of the scan, or a single one (a mean). Without it vectors are drawn as
        disks on black, coloured by their intensity.
    image : VirtualImage, optional
        The map of the scan; by default the number of vectors of each position, where they are computed.
    color : str, optional
        A column that colours the vectors: of a few whole numbers (labels of clusters) as classes with a legend,
        negative ones grey; else on a scale. Or a colour of matplotlib, for all.
    text : sequence of str
        Columns to write beside each vector, such as ``("h", "k")``.
    radius : int, float or str, optional
        Of the circle around each vector: pixels, axis units, text with a unit; by default of one size in print.
    weights : str, optional
        What the Bragg vector map adds up; None, or a column there is not, counts vectors.
    upsample : int
        Pixels of the Bragg vector map along a pixel of the frame.
    power : float, optional
        Exponent of the colour scale of patterns, such as 0.5; by default logarithmic.
    columns : int, optional
        Pictures in a row; by default at most 3.
    title : str
        Above all pictures.
    dpi : float
        Dots an inch of the figure when it is saved.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot; ``figure.savefig("vectors.png")`` writes it.

    Raises
    ------
    ValueError
        A position, column or colour there is not; a signal of another scan or frame; or a scan of three axes or more.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10]], [[3, 5, 11], [6, 1, 2]]], frame_shape=(8, 8), nav_shape=(1, 2))
    >>> [ax.get_title(loc="left") for ax in plot_vectors(v).axes[:2]]
    ['number of vectors', 'Bragg vector map']
    >>> [ax.get_title(loc="left") for ax in plot_vectors(v, (1, 0), d.mean().isig[:8, :8]).axes[:2]]
    ['number of vectors', 'x 1, y 0']
    """
    if len(vectors.nav_shape) > 2:
        raise ValueError(f"expected a scan of at most two axes, found {vectors!r}: select with inav first")
    if signal is not None:
        _check_signal(signal, vectors)
    options: dict[str, Any] = {"text": tuple(text), "radius": _pixels(radius, vectors)}
    if position is None and vectors.nav_shape:
        if signal is not None and signal.nav_shape:
            raise ValueError("expected a position, whose pattern is to be shown: plot(position=(x, y), signal=...)")
        images = _whole(vectors, signal, image, color, options, weights, upsample, power)
    else:
        places = _places(position, vectors)
        images = _some(vectors, places, signal, image, color, options, power)
    return figure_of(images, columns=columns, title=title, dpi=dpi)


def _whole(
    vectors: DiffractionVectors,
    signal: BaseSignal | None,
    image: BaseSignal | None,
    color: str | None,
    options: dict[str, Any],
    weights: str | None,
    upsample: int,
    power: float | None,
) -> list[Image]:
    """The map of the scan, and all vectors on the Bragg vector map or on one pattern."""
    column = weights if weights in vectors.columns else None
    vectors, image, signal = compute_together(vectors, image, signal)
    below = vectors.to_bragg_vector_map(1 if color else upsample, column) if signal is None else signal
    label = quantity_of(below)
    name = "Bragg vector map" if signal is None else signal.title or "pattern"
    marks: tuple[Marks, ...] = ()
    if color or signal is not None or options["text"]:
        small = options["radius"] is None and not options["text"]
        marks = (marks_of(vectors, Coloring(color, [vectors]), **options, filled=small, size=1.8 if small else 7.0),)
    pattern = Image(
        name, below.as_numpy().astype(float), _pair(below.frame_axes), label, "pattern",
        power=power, marks=marks,
    )  # fmt: skip
    return [*_map(vectors, image, ()), pattern]


def _some(
    vectors: DiffractionVectors,
    places: list[Place],
    signal: BaseSignal | None,
    image: BaseSignal | None,
    color: str | None,
    options: dict[str, Any],
    power: float | None,
) -> list[Image]:
    """The map of the scan with positions marked, and the vectors of each on its pattern, or on black."""
    found = [_at(vectors, place) for place in places]
    patterns = [None if signal is None else _at(signal, place) if signal.nav_shape else signal for place in places]
    found, patterns, image = compute_together(found, patterns, image)
    if signal is None and color is None and "intensity" in vectors.columns:
        color = "intensity"
    coloring = Coloring(color, found)
    images = []
    outlined = places if len(places) > 1 else []
    for k, (place, own, pattern) in enumerate(zip(places, found, patterns, strict=True)):
        marks = (marks_of(own, coloring, **options, filled=signal is None),)
        frame = CLASSES[k % len(CLASSES)] if outlined else None
        name = _name(place, vectors, k if outlined else None)
        axes = _pair(vectors.frame_axes)
        if pattern is None:
            images.append(Image(name, np.zeros(vectors.frame_shape), axes, "", "empty", frame=frame, marks=marks))
        else:
            values = pattern.as_numpy().astype(float)
            label = quantity_of(pattern)
            images.append(Image(name, values, axes, label, "pattern", frame=frame, marks=marks, power=power))
    return [*_map(vectors, image, places), *images]


def _map(vectors: DiffractionVectors, image: BaseSignal | None, places: Sequence[Place]) -> list[Image]:
    """The scan, with positions marked; nothing where there is none of two axes."""
    if len(vectors.nav_shape) != 2 or (vectors.lazy and image is None):
        return []
    limits = None
    if image is None:
        values, name, label = vectors.ragged.counts.reshape(vectors.nav_shape), "number of vectors", "vectors"
        limits = (0.0, float(values.max()) or 1.0) if np.ptp(values) == 0 else None
    else:
        if image.shape != vectors.nav_shape:
            raise ValueError(f"expected an image of the scan {vectors.nav_shape} of the vectors, found {image!r}")
        values, name, label = image.as_numpy(), image.title or "image", quantity_of(image)
    marks = [
        Marks(
            np.array([float(y)]), np.array([float(x)]), CLASSES[k % len(CLASSES)], size=8.0,
            texts=[str(k + 1)] if len(places) > 1 else (),
        )
        for k, (x, y) in enumerate(places)
    ]  # fmt: skip
    return [Image(name, values.astype(float), _pair(vectors.nav_axes), label, limits=limits, marks=marks)]


def _at(data: Any, place: Place) -> Any:
    return data.inav[place] if place else data


def _places(position: Any, vectors: DiffractionVectors) -> list[Place]:
    """Positions as pixels, x-first."""
    axes = vectors.nav_axes[::-1]
    if not axes:
        return [()]
    several = isinstance(position, list) or (isinstance(position, np.ndarray) and position.ndim == 2)
    found = []
    for one in position if several else [position]:
        items = tuple(one) if isinstance(one, tuple | list | np.ndarray) else (one,)
        if len(items) != len(axes):
            names = ", ".join(axis.name for axis in axes)
            raise ValueError(f"expected a position as ({names}), or a list of these, found {one!r}")
        pixels = [int(axis.slice_to_pixels(_plain(item))) for axis, item in zip(axes, items, strict=True)]
        found.append(tuple(p % axis.size for p, axis in zip(pixels, axes, strict=True)))
    return found


def _plain(item: Any) -> Any:
    return item.item() if isinstance(item, np.generic) else item


def _name(place: Place, vectors: DiffractionVectors, number: int | None) -> str:
    axes = vectors.nav_axes[::-1]
    text = ", ".join(f"{axis.name} {pixel}" for axis, pixel in zip(axes, place, strict=True))
    if not place:
        return vectors.title or "vectors"
    return text if number is None else f"{number + 1}: {text}"


def _check_signal(signal: BaseSignal, vectors: DiffractionVectors) -> None:
    if signal.frame_shape != vectors.frame_shape or signal.nav_shape not in ((), vectors.nav_shape):
        raise ValueError(
            f"expected the frames that the vectors came from, {vectors.nav_shape} positions of {vectors.frame_shape} "
            f"pixels (numpy order), or one such frame; found {signal!r}"
        )


def _pixels(radius: Any, vectors: DiffractionVectors) -> float | None:
    return None if radius is None else float(vectors.frame_axes[1].length_to_pixels(radius))


def _pair(axes: Sequence[Any]) -> tuple[Any, Any]:
    return axes[0], axes[1]

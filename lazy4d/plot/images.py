"""A grid of maps, patterns and colour pictures in one figure, of a width that journals ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lazy4d.plot.colors import DETECTORS
from lazy4d.plot.contrast import color_scale
from lazy4d.plot.image import Image
from lazy4d.plot.page import WIDTHS, font_for, page, width_in_mm
from lazy4d.plot.picture import NUMERIC, Look, drawable, pictures_of, shown_numbers
from lazy4d.plot.vector_marks import Coloring, marks_of
from lazy4d.signals import BaseSignal, DiffractionVectors
from lazy4d.signals.computing import compute_together

_VECTORS = "#ffffff"
_LOOKS = tuple(one.name for one in fields(Look))


def plot_images(
    images: Any,
    *,
    norm: Any = None,
    power: Any = None,
    percentile: Any = None,
    limits: Any = None,
    cmap: Any = None,
    label: Any = None,
    share: bool | str = False,
    color_bar: bool = True,
    scale_bar: bool = True,
    vectors: DiffractionVectors | Mapping[str, DiffractionVectors] | None = None,
    color: str | None = None,
    rois: Any = None,
    columns: int | None = None,
    width: float | str | None = None,
    font_size: float | None = None,
    letters: bool | Sequence[str] = False,
    title: str = "",
    dpi: float = 150,
) -> Figure:
    """A figure of maps, patterns and colour pictures side by side, each with title, scale bar and colour bar.

    Parameters
    ----------
    images : dict, list, signal or array
        What to show, by its title (of signals in a list, their own). Signals: maps of a scan (virtual images, beam
        positions, strain, orientations, vectors as their number), single patterns, or a few frames ``s.inav[:3, 0]``.
        Arrays: numbers [rows, columns], or colours [rows, columns, 3 or 4]. Complex numbers are shown as hue (phase)
        and lightness. What is lazy is computed, all that comes from one file in one pass.
    norm : str or dict of str, optional
        How colours are spaced: "linear", "log", "power", "symmetric" (about 0), "symlog", "auto". A dict gives it by
        title, as it does for the five options below.
    power : float or dict, optional
        Exponent of a "power" scale; asks for one, where there is no `norm`.
    percentile : (low, high) or dict, optional
        Per cent of the values where the scale begins and ends.
    limits : (low, high) or dict, optional
        The ends themselves; None leaves one of them to the values.
    cmap : str or dict, optional
        Colour map of matplotlib; by default grey for maps, "inferno" for patterns, red and blue for what is signed.
    label : str or dict, optional
        Of the colour bar; by default what ``metadata.Signal.quantity`` says.
    share : bool or "row"
        One colour scale and one colour bar for all pictures, or for each row.
    color_bar, scale_bar : bool
        Whether there are any; arrays have no scale bar, as nobody says what a pixel is worth.
    vectors : DiffractionVectors or dict of them, optional
        Circles on patterns: on all, or by title.
    color : str, optional
        Of vectors: a column or a colour, as for `plot_vectors`.
    rois : ROI, bool ndarray, list or dict of them, optional
        Outlined in all pictures or, as a dict whose keys are titles, in those. Of a dict of regions, a picture whose
        title is the name of one has a frame of its colour.
    columns : int, optional
        Pictures in a row; by default at most 3 (4 if there are more than 9).
    width : float or {"single", "double"}, optional
        Of the figure in mm: 85 for one column of a journal, 170 for two. By default 85 a picture.
    font_size : float, optional
        Points; by default 8, and less in small pictures, but never below 6.
    letters : bool or sequence of str
        a), b), c) … before the titles.
    title : str
        Above all pictures.
    dpi : float
        Dots an inch on the screen.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot, so nothing has to be closed; `save_figure` writes it.

    Raises
    ------
    ValueError
        Nothing to show, something that is no picture, options for titles that there are not, or one colour scale for
        different quantities.

    Examples
    --------
    >>> bright = l4.CircleROI(8, 8, 3)
    >>> figure = plot_images({"BF": d.get_virtual_image(bright), "mean": d.mean()}, rois={"mean": bright})
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['BF', 'mean']
    """
    named = titled(images)
    looks = dict(zip(_LOOKS, (norm, power, percentile, limits, cmap, label), strict=True))
    chosen = {name: Look(**{key: _own(key, given, name, named) for key, given in looks.items()}) for name in named}
    if share not in (True, False, "row"):
        raise ValueError(f"share={share!r}: expected True, False or 'row'")
    wanted = {name: drawable(name, value) for name, value in named.items()}
    overlay = {name: vectors for name in named} if isinstance(vectors, DiffractionVectors) else dict(vectors or {})
    _check_titles("vectors", overlay, named)
    known, over = compute_together(wanted, overlay)
    drawn = {name: pictures_of(name, value, chosen[name]) for name, value in known.items()}
    drawn = _with_vectors(drawn, over, color, everywhere=isinstance(vectors, DiffractionVectors))
    drawn = _with_regions(drawn, rois)
    shown = [replace(one, title=_shown_title(one.title)) for group in drawn.values() for one in group]
    columns = _columns(columns, len(shown))
    groups = _groups(len(shown), columns, share) if share else []
    shown = _with_shared_scales(shown, groups, [chosen[name] for name, group in drawn.items() for _ in group])
    wide = width_in_mm(width, WIDTHS["single"] * columns)
    font = font_for(wide / columns) if font_size is None else float(font_size)
    shown = [replace(one, font=font, color_bar=one.color_bar and color_bar, bar=one.bar and scale_bar) for one in shown]
    return page(
        shown, columns=columns, width=wide, title=title, dpi=dpi, letters=letters, shared=groups if color_bar else []
    )


def titled(images: Any) -> dict[str, Any]:
    """What to show by its title, whatever way it was given; titles that are the same get numbers.

    Raises
    ------
    ValueError
        There is nothing.

    Examples
    --------
    >>> list(titled([d.mean(), np.ones((2, 3))]))
    ['', ' ']
    """
    if isinstance(images, Mapping):
        found = {str(name): value for name, value in images.items()}
    else:
        several = isinstance(images, list | tuple) and not (images and np.isscalar(_first(images)))
        found = {}
        for one in images if several else [images]:
            name = str(getattr(one, "title", "") or "")
            while name in found:
                name = f"{name} " if not name.strip() else _next(name)
            found[name] = one
    if not found:
        raise ValueError(f"expected at least one signal or array to show, found {images!r}")
    return found


def _first(value: Any) -> Any:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return value


def _next(name: str) -> str:
    before, _, number = name.rpartition(" (")
    return f"{before} ({int(number[:-1]) + 1})" if number[:-1].isdigit() and before else f"{name} (2)"


def _shown_title(name: str) -> str:
    return name.strip()


def _own(option: str, given: Any, name: str, named: Mapping[str, Any]) -> Any:
    """An option of one picture."""
    if not isinstance(given, Mapping):
        return given
    _check_titles(option, given, named)
    return given.get(name)


def _check_titles(option: str, given: Mapping[str, Any], named: Mapping[str, Any]) -> None:
    unknown = [key for key in given if key not in named]
    if unknown:
        raise ValueError(f"{option}: expected titles of pictures ({', '.join(map(repr, named))}), found {unknown[0]!r}")


def _columns(columns: int | None, count: int) -> int:
    if columns is None:
        return min(count, 3 if count <= 9 else 4)
    if columns < 1:
        raise ValueError(f"columns={columns!r}: expected at least 1")
    return min(int(columns), count)


def _groups(count: int, columns: int, share: bool | str) -> list[list[int]]:
    """Numbers of the pictures that have one colour scale."""
    everything = list(range(count))
    return [everything] if share is True else [everything[k : k + columns] for k in range(0, count, columns)]


def _with_shared_scales(shown: list[Image], groups: list[list[int]], looks: list[Look]) -> list[Image]:
    shown = list(shown)
    for group in groups:
        members = [k for k in group if shown[k].kind in NUMERIC and shown[k].norm is not None]
        if not members:
            continue
        labels = sorted({shown[k].label for k in members} - {""})
        if len(labels) > 1:
            raise ValueError(f"expected one quantity for one colour scale, found {', '.join(map(repr, labels))}")
        look, kind = looks[members[0]], shown[members[0]].kind
        numbers = np.concatenate([shown_numbers(shown[k]).astype(np.float64) for k in members])
        name = look.norm or ("power" if look.power is not None else "auto")
        scale = color_scale(
            numbers, name, kind=kind, power=look.power or 0.5, percentile=look.percentile, limits=look.limits
        )
        for k in members:
            shown[k] = replace(
                shown[k], norm=scale, kind=kind, label=labels[0] if labels else "", color_bar=False,
                cmap=look.cmap,
            )  # fmt: skip
    return shown


def _with_vectors(
    drawn: dict[str, list[Image]], vectors: Mapping[str, DiffractionVectors], color: str | None, everywhere: bool
) -> dict[str, list[Image]]:
    """Patterns with vectors on them."""
    if not vectors:
        return drawn
    coloring = Coloring(color or _VECTORS, list(vectors.values())[:1] if everywhere else list(vectors.values()))
    made, placed = dict(drawn), 0
    for name, one in vectors.items():
        fits = [image.values.shape[:2] == one.frame_shape and not image.axes[0].navigate for image in drawn[name]]
        if not any(fits) and not everywhere:
            shapes = [image.values.shape for image in drawn[name]]
            raise ValueError(f"vectors[{name!r}]: expected a pattern of {one.frame_shape} pixels, found {shapes}")
        marks = marks_of(one, coloring) if any(fits) else None
        made[name] = [
            replace(image, marks=(*image.marks, marks)) if good and marks is not None else image
            for image, good in zip(drawn[name], fits, strict=True)
        ]
        placed += sum(fits)
    if not placed:
        raise ValueError(
            f"vectors: expected a pattern of {next(iter(vectors.values())).frame_shape} pixels, found none"
        )
    return made


def _with_regions(drawn: dict[str, list[Image]], rois: Any) -> dict[str, list[Image]]:
    """Pictures with regions outlined."""
    if rois is None:
        return drawn
    by_title = isinstance(rois, Mapping) and all(key in drawn for key in rois)
    if isinstance(rois, Mapping) and not by_title and any(key in drawn for key in rois):
        _check_titles("rois", rois, drawn)
    frames: dict[str, str] = {}
    for one in rois.values() if by_title else [rois]:
        if isinstance(one, Mapping):
            frames |= {key: DETECTORS[number % len(DETECTORS)] for number, key in enumerate(one)}
    return {
        name: [
            replace(
                one, outlines=_outlines(name, one, rois.get(name, ()) if by_title else rois), frame=frames.get(name)
            )
            for one in group
        ]
        for name, group in drawn.items()
    }


def _outlines(name: str, image: Image, rois: Any) -> list[tuple[Any, str]]:
    """Regions as masks, and their colours."""
    found = []
    for number, roi in enumerate(_each(rois)):
        mask = roi.mask(image.axes[::-1]) if hasattr(roi, "mask") else np.asarray(roi, bool)
        if mask.shape != image.values.shape[:2]:
            raise ValueError(
                f"rois: expected a mask of {image.values.shape[:2]} pixels on {name!r}, found {mask.shape}"
            )
        found.append((mask, DETECTORS[number % len(DETECTORS)]))
    return found


def _each(rois: Any) -> Iterator[Any]:
    if isinstance(rois, Mapping):
        yield from rois.values()
    elif isinstance(rois, list | tuple):
        yield from rois
    elif isinstance(rois, BaseSignal):
        yield rois.as_numpy()
    else:
        yield rois

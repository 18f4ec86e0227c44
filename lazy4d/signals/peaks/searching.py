"""From what a user types to a `Search`: lengths in pixels, templates by name, thresholds checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.kernels.peak_choice import Rules
from lazy4d.kernels.peak_filters import (
    blurred,
    blurred_template,
    difference_template,
    laplacian_template,
    point_template,
    smooth_template,
    square_root,
)
from lazy4d.kernels.peak_vectors import SUBPIXEL, Search
from lazy4d.kernels.templates import Template, edge_template, gradient_template, picture_template, pixel_disk_template
from lazy4d.signals.beam.correlation import radius_in_pixels
from lazy4d.signals.beam.window import mask_of
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

METHODS = ("template", "difference_of_gaussian", "laplacian_of_gaussian", "local_max")
PICTURES: dict[str, Callable[[float], Template]] = {
    "disk": pixel_disk_template,
    "edge": edge_template,
    "smooth": smooth_template,
    "gradient": gradient_template,
}
"""Pictures of a disk that a radius is enough for."""
FILTERS = {"square_root": square_root}
SIGNIFICANCE = 5.0
"""Standard errors: white noise reaches it somewhere in one of 20 to 100 frames of 256 × 256 pixels."""
LIKENESS = 0.5
"""Share of the score that noise would leave a perfect disk; what is less resembles something else as much."""
APART = 1.5
"""Radii between disks: what is nearer is one disk that is larger than thought, more often than two."""


def make_search(
    signal: BaseSignal,
    method: str,
    *,
    disk_r: Any = None,
    template: Any = None,
    threshold_abs: float | None = None,
    threshold_rel: float | None = None,
    relative_to: str | int = "strongest",
    significance: float | None = None,
    min_distance: Any = None,
    edge: Any = None,
    max_peaks: int | None = None,
    prominence: float | None = None,
    subpixel: str | None = "parabola",
    upsample: int = 16,
    mask: Any = None,
    filter: Any = None,
    sigma: Any = None,
    power: float = 1.0,
) -> tuple[Search, int, dict[str, Any]]:
    """What is looked for in the frames of a signal, how many vectors a frame has room for, and the options in pixels.

    Parameters are those of `get_diffraction_vectors`.

    Examples
    --------
    >>> search, room, options = make_search(d, "template", disk_r=3)
    >>> search.window, room, options["min_distance"]
    ((2, 14, 2, 14), 22, 4.5)
    """
    image_frames(signal, "finding peaks")
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, METHODS))}")
    matched = method != "local_max"
    picture, options = _picture(signal, method, disk_r, template)
    radius = picture.radius if matched else 1.0
    apart = APART * radius if matched else 1.0
    if min_distance is not None:
        apart = length_in_pixels(signal, min_distance, "min_distance")
    rows, columns = _margins(signal, math.floor(radius / 2 + 0.5) if matched else 0, edge)
    height, width = signal.frame_shape
    window = (rows, height - rows, columns, width - columns)
    if window[0] >= window[1] or window[2] >= window[3]:
        raise ValueError(f"edge={edge!r} leaves nothing of frames of shape {signal.frame_shape}")
    blur = 0.0 if sigma is None else length_in_pixels(signal, sigma, "sigma")
    y, x = signal.frame_axes
    inside = mask_of(mask, (x, y))
    options.update(
        threshold_abs=threshold_abs, threshold_rel=threshold_rel, relative_to=relative_to, min_distance=apart,
        edge=[columns, rows], max_peaks=max_peaks, prominence=prominence, subpixel=subpixel, mask=mask, filter=filter,
        sigma=blur or None,
    )  # fmt: skip
    if matched and blur:
        picture = blurred_template(picture, blur)
    if matched:
        significance = SIGNIFICANCE if significance is None else significance
        options.update(significance=significance, power=power)
    if subpixel == "dft":
        options["upsample"] = upsample
    most = _count(max_peaks, "max_peaks")
    search = Search(
        picture,
        (int(height), int(width)),
        inside,
        _rules(matched, threshold_abs, threshold_rel, relative_to, significance, float(apart), prominence, most),
        window,
        matched,
        float(power),
        _subpixel(subpixel, matched),
        _upsample(upsample),
        _prepare(filter, 0.0 if matched else blur),
        smooth_template(radius) if subpixel == "dft" and picture.pixels is not None else None,
    )
    if matched:
        search.plan  # noqa: B018 -- refuses a power that is none
    return search, most or room_for(signal.frame_shape, apart), options


def room_for(frame_shape: tuple[int, ...], apart: float) -> int:
    """How many maxima that are at least so far apart a frame can have.

    Those of a frame are never neighbours; and no arrangement is denser than that of a honeycomb.

    Examples
    --------
    >>> room_for((256, 256), 13.5), room_for((4, 6), 1.0)
    (457, 6)
    """
    height, width = frame_shape
    most = ((height + 1) // 2) * ((width + 1) // 2)
    if apart <= 1:
        return most
    return min(most, math.ceil(2 / math.sqrt(3) * (height - 1 + apart) * (width - 1 + apart) / apart**2))


def _rules(
    matched: bool,
    threshold_abs: float | None,
    threshold_rel: float | None,
    relative_to: str | int,
    significance: float | None,
    apart: float,
    prominence: float | None,
    most: int | None,
) -> Rules:
    """The thresholds, checked."""
    given = {
        "threshold_abs": threshold_abs, "threshold_rel": threshold_rel, "significance": significance,
        "prominence": prominence,
    }  # fmt: skip
    for name, value in given.items():
        real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if value is not None and not (real and math.isfinite(value)):
            raise ValueError(f"expected a finite number as {name}, found {value!r}")
    if threshold_abs is not None and matched and not -1 <= threshold_abs <= 1:
        raise ValueError(
            f"expected threshold_abs as a score in [-1, 1], the correlation coefficient of template and pixels, found "
            f"{threshold_abs!r}: select by brightness with threshold_rel, or from the vectors by their intensity"
        )
    if threshold_rel is not None and not 0 <= threshold_rel <= 1:
        raise ValueError(f"expected threshold_rel as a share in [0, 1], found {threshold_rel!r}")
    if significance is not None and not matched:
        raise ValueError(f"significance={significance!r} is that of a template, which 'local_max' does not look for")
    if significance is not None and not 0 <= significance < 100:
        raise ValueError(f"expected significance as a number of standard errors, such as 5, found {significance!r}")
    if prominence is not None and not prominence >= 0:
        raise ValueError(f"expected a prominence of at least 0, found {prominence!r}")
    reference = 1 if relative_to == "strongest" else _count(relative_to, "relative_to")
    low = -math.inf if threshold_abs is None else float(threshold_abs)
    return Rules(
        score=low if matched else -math.inf,
        likeness=LIKENESS if matched and threshold_abs is None else 0.0,
        significance=float(significance or 0.0),
        floor=0.0 if matched else low,
        relative=float(threshold_rel or 0.0),
        reference=reference or 1,
        distance=apart,
        prominence=float(prominence or 0.0),
        most=most or 2**31,
        scored=matched,
    )


def _picture(signal: BaseSignal, method: str, disk_r: Any, template: Any) -> tuple[Template, dict[str, Any]]:
    """The template of a method, and what the history says of it."""
    options: dict[str, Any] = {"method": method}
    if method == "local_max":
        if disk_r is not None or template is not None:
            raise ValueError("'local_max' looks for no picture: leave disk_r and template out, or use 'template'")
        return point_template(), options
    if template is not None and method != "template":
        raise ValueError(f"template={template!r} is for method='template', found method={method!r}")
    if template is not None and not isinstance(template, str):
        if disk_r is not None:
            raise ValueError(f"disk_r={disk_r!r} is for a template by name: an array says itself how large it is")
        picture = picture_template(known_array(template, "a template"))
        return picture, {**options, "template": template, "disk_r": picture.radius}
    if disk_r is None:
        raise ValueError(
            f"method {method!r} needs disk_r=, the radius of the disks: an int in pixels, a float in axis units or "
            'text as "8 mrad"; or, for "template", a picture of the probe as template='
        )
    radius = radius_in_pixels(signal, disk_r, method)
    options["disk_r"] = radius
    if method == "laplacian_of_gaussian":
        return laplacian_template(radius), options
    if method == "difference_of_gaussian":
        return difference_template(radius), options
    name = template or "disk"
    if name not in PICTURES:
        raise ValueError(
            f"template {name!r} is not known: expected one of {', '.join(map(repr, PICTURES))}, or a 2-D array"
        )
    return PICTURES[name](radius), {**options, "template": name}


def length_in_pixels(signal: BaseSignal, length: Any, name: str) -> float:
    """A length in pixels, at least 0 and the same along both signal axes.

    Examples
    --------
    >>> length_in_pixels(d, "2.5 px", "min_distance")
    2.5
    """
    y, x = (float(axis.length_to_pixels(length)) for axis in signal.frame_axes)
    if not (math.isfinite(y) and min(y, x) >= 0):
        raise ValueError(f"expected {name} as a length of at least 0, found {length!r}")
    if max(y, x) > 1.02 * min(y, x):
        raise ValueError(
            f"{name}={length!r} is {x:g} pixels along {signal.frame_axes[1].name!r} and {y:g} along "
            f"{signal.frame_axes[0].name!r}: give it in pixels, as an int"
        )
    return (y + x) / 2


def _margins(signal: BaseSignal, usual: int, edge: Any) -> tuple[int, int]:
    """Rows and columns along the frame's edge in which no middle of a disk may be."""
    if edge is None:
        return usual, usual
    y, x = (axis.length_to_pixels(edge) for axis in signal.frame_axes)
    if not (min(y, x) >= 0 and math.isfinite(y) and math.isfinite(x)):
        raise ValueError(f"expected edge as a length of at least 0, found {edge!r}")
    return math.ceil(y - 1e-6), math.ceil(x - 1e-6)


def _count(number: Any, name: str) -> int | None:
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise ValueError(f"expected {name} as a whole number from 1, found {number!r}")
    return int(number)


def _subpixel(name: str | None, matched: bool) -> int:
    known = SUBPIXEL if matched else {key: value for key, value in SUBPIXEL.items() if key in (None, "parabola")}
    if name not in known:
        hint = "" if matched else " for maxima of the frames themselves"
        raise ValueError(f"subpixel={name!r} is not known{hint}: expected one of {', '.join(map(repr, known))}")
    return known[name]


def _upsample(upsample: Any) -> int:
    if isinstance(upsample, bool) or not isinstance(upsample, int | np.integer) or not 2 <= upsample <= 1000:
        raise ValueError(f"expected upsample as a whole number of points a pixel from 2 to 1000, found {upsample!r}")
    return int(upsample)


def _prepare(chosen: Any, blur: float) -> Callable[..., None] | None:
    """What is done to frames first."""
    if not (chosen is None or callable(chosen) or chosen in FILTERS):
        raise ValueError(
            f"filter={chosen!r} is not known: expected one of {', '.join(map(repr, FILTERS))}, or a function "
            "f(frames[n, ky, kx], out) that fills out"
        )
    step = FILTERS[chosen] if isinstance(chosen, str) else chosen
    if not (math.isfinite(blur) and blur >= 0):
        raise ValueError(f"expected sigma of at least 0 pixels, found {blur!r}")
    return step if blur == 0 else partial(_blur, step, blur)


def _blur(before: Any, sigma: float, frames: Any, out: Any) -> None:
    blurred(frames, before, sigma, out)

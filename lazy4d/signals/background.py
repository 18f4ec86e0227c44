"""`subtract_diffraction_background`: what is smooth in a pattern taken off, disks kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import background_blur, background_median, background_opening, background_radial
from lazy4d.signals.beam.window import mask_of
from lazy4d.signals.construction import image_frames
from lazy4d.signals.frame_center import pixel_steps
from lazy4d.signals.method_options import method_options
from lazy4d.signals.neighbours import gaussian_taps
from lazy4d.signals.ring_geometry import ring_centers, undistorting_matrix

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


@dataclass(frozen=True, eq=False)
class Background:
    """How one method takes the background off: a kernel ``kernel(frames, *params, out)``, and its options in full."""

    kernel: Callable[..., None]
    params: tuple[Any, ...]
    options: dict[str, Any]


def subtract_diffraction_background(
    signal: BaseSignal, method: str = "radial median", *, mask: Any = None, clip: bool = False, **options: Any
) -> Any:
    """The patterns less their background, pattern by pattern, in float32; lazily.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    method : {"radial median", "radial mean", "difference of gaussians", "top hat", "median kernel"}
        See the notes.
    mask : ROI or bool array (ky, kx), optional
        True for the pixels that the background is taken from; all by default. NaN pixels never count.
    clip : bool, optional
        Negative results become 0. Without it noise stays around 0, so that sums over the background are 0.
    **options
        - ``"radial median"``, ``"radial mean"``: ``center=None`` (where the axes are 0; ``(x, y)``; or a BeamPosition,
          one centre a position), ``width=1`` of a ring, ``ellipse=None`` (that of the calibration, an `Ellipse`, or
          ``(ratio, angle)``), ``divide=False`` (divide by the background instead).
        - ``"difference of gaussians"``: ``min_sigma=1``, ``max_sigma``, ``truncate=4.0``.
        - ``"top hat"``: ``radius`` of the footprint, ``footprint="disk"`` or ``"square"``.
        - ``"median kernel"``: ``size``, the side of the square, an odd number of pixels.

        In lengths an int is pixels, a float axis units, and text carries its unit. Those without a default have to be
        larger than the disks.

    Returns
    -------
    BaseSignal
        float32, same class and axes.

    Raises
    ------
    ValueError
        An unknown method, or an option that makes no sense.
    TypeError
        An option that the method does not have, or one that it needs and was not given.

    Notes
    -----
    Radial median: the median of the pixels of each ring about the centre, between rings by linear interpolation. It
    follows any background that depends on the radius alone, steep ones too, and leaves disks whole as long as they
    cover less than half of each ring: the direct beam does not, so it goes with the background; a `mask` without it
    keeps it, on the background of the rings around it. The median of counts is a whole number, off their mean by up to
    half a count: where that matters, take ``"radial mean"`` with a mask without disks.

    Difference of Gaussians: the pattern blurred by `min_sigma` less that blurred by `max_sigma`, beyond the edge
    mirrored. Brings out spots of sizes in between; their intensity is not kept.

    Top hat: the pattern less its opening, the highest of the least values of all footprints that a pixel lies in. Keeps
    what is narrower than the footprint. The least values of noisy patterns are low: what is left of the background
    is not 0 but some standard deviations of it.

    Median kernel: the pattern less the median of the square around each pixel.

    Examples
    --------
    >>> d.subtract_diffraction_background("radial median", center=(8, 8)).data.dtype
    dtype('float32')
    >>> d.subtract_diffraction_background("top hat", radius=4, clip=True).inav[0, 0].data.shape
    (16, 16)

    Patterns of equal intensity need no method: divide by a map.

    >>> (d / d.get_total_intensity()).sum(["kx", "ky"]).compute().data[0].round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, METHODS))}")
    frames = image_frames(signal, "a background subtraction")
    y, x = signal.frame_axes
    counts = mask_of(mask, (x, y))
    made = METHODS[method](signal, method, counts, bool(clip), dict(options))
    result = frames.map_frames(made.kernel, *made.params, shape=frames.frame_shape, dtype=np.float32)
    params = {"method": method, "mask": mask, "clip": bool(clip), **made.options}
    parents = [value for value in options.values() if hasattr(value, "nav_shape")]
    axes = [*signal.nav_axes, *signal.frame_axes]
    return signal._derive(result, axes, "subtract_diffraction_background", params, parents=parents)


def _rings(signal: BaseSignal, method: str, mask: Any, clip: bool, options: dict[str, Any]) -> Background:
    given = method_options(options, method, center=None, width=1, ellipse=None, divide=False)
    width = max(_pixels(signal, "width", given["width"]))
    if not width > 0:
        raise ValueError(f"expected rings of a width above 0, found width={given['width']!r}")
    chosen = (mask, method == "radial mean", bool(given["divide"]), clip)
    middle, centers = ring_centers(signal, given["center"])
    matrix = undistorting_matrix(signal, given["ellipse"]) @ np.diag(pixel_steps(signal))
    params = (np.array([middle]) if centers is None else centers, matrix, float(width), *chosen)
    return Background(background_radial.subtract_rings, params, {**given, "ellipse": _plain(given["ellipse"])})


def _gaussians(signal: BaseSignal, method: str, mask: Any, clip: bool, options: dict[str, Any]) -> Background:
    given = method_options(options, method, ("max_sigma",), min_sigma=1, truncate=4.0)
    narrow, wide = (_pixels(signal, name, given[name]) for name in ("min_sigma", "max_sigma"))
    if not (0 <= min(narrow) and max(narrow) < min(wide)):
        raise ValueError(
            f"expected 0 <= min_sigma < max_sigma, found min_sigma={given['min_sigma']!r}, "
            f"max_sigma={given['max_sigma']!r}"
        )
    if not float(given["truncate"]) > 0:
        raise ValueError(f"expected truncate above 0, found {given['truncate']!r}")
    taps = [
        gaussian_taps(sigma, int(float(given["truncate"]) * sigma + 0.5)).astype(np.float32)
        for sigma in (*narrow, *wide)
    ]
    return Background(background_blur.gaussian_difference, (*taps, mask, clip), given)


def _top_hat(signal: BaseSignal, method: str, mask: Any, clip: bool, options: dict[str, Any]) -> Background:
    given = method_options(options, method, ("radius",), footprint="disk")
    rows, columns = (math.floor(r + 1e-6) for r in _pixels(signal, "radius", given["radius"]))
    if min(rows, columns) < 1:
        raise ValueError(f"expected a radius of at least a pixel, found radius={given['radius']!r}")
    if max(rows, columns) > max(signal.frame_shape):
        raise ValueError(
            f"radius={given['radius']!r} is {max(rows, columns)} pixels, more than frames of shape "
            f"{signal.frame_shape} have: an int is pixels, a float axis units, text carries its unit"
        )
    if given["footprint"] not in ("disk", "square"):
        raise ValueError(f"footprint={given['footprint']!r} is not known: expected one of 'disk', 'square'")
    half_widths = footprint_rows(rows, columns, given["footprint"])
    return Background(background_opening.top_hat, (half_widths, mask, clip), given)


def footprint_rows(rows: int, columns: int, footprint: str) -> NDArray[np.int64]:
    """Half widths of the rows of a footprint that reaches `rows` up and down and `columns` to the sides.

    Examples
    --------
    >>> footprint_rows(2, 2, "disk").tolist()
    [0, 1, 2, 1, 0]
    """
    reach = max(rows, columns)
    offset = np.abs(np.arange(-reach, reach + 1))
    inside = offset <= rows
    if footprint == "disk":
        half = np.floor(columns * np.sqrt(np.maximum(1 - (offset / rows) ** 2, 0)) + 1e-9)
    else:
        half = np.full(len(offset), float(columns))
    return np.where(inside, half, -1).astype(np.int64)


def _median(signal: BaseSignal, method: str, mask: Any, clip: bool, options: dict[str, Any]) -> Background:
    given = method_options(options, method, ("size",))
    size = given["size"]
    if isinstance(size, int | np.integer) and not isinstance(size, bool):
        if size < 1 or size % 2 == 0:
            raise ValueError(f"expected size as an odd number of pixels, found {size}")
    else:
        size = 2 * round((max(_pixels(signal, "size", size)) - 1) / 2) + 1
        if size < 1:
            raise ValueError(f"expected a size of at least a pixel, found size={given['size']!r}")
    return Background(background_median.subtract_median, (int(size), mask, clip), given)


METHODS: dict[str, Callable[..., Background]] = {
    "radial median": _rings,
    "radial mean": _rings,
    "difference of gaussians": _gaussians,
    "top hat": _top_hat,
    "median kernel": _median,
}


def _pixels(signal: BaseSignal, name: str, length: Any) -> tuple[float, float]:
    """A length in pixels along ky and kx."""
    y, x = signal.frame_axes
    found = (y.length_to_pixels(length), x.length_to_pixels(length))
    if not all(map(math.isfinite, found)):
        raise ValueError(f"expected a finite length, found {name}={length!r}")
    return found


def _plain(ellipse: Any) -> Any:
    """An ellipse as the history keeps it."""
    return [ellipse.ratio, ellipse.angle] if hasattr(ellipse, "ratio") else ellipse

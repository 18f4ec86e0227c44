"""The direct beam measured in a few frames, and a smooth surface through these for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels.scatter import scatter_rows
from lazy4d.lazy import Frames, SharedLazy
from lazy4d.lazy.chunks import normalize_chunks
from lazy4d.lazy.numbering import position_numbers
from lazy4d.signals.beam.position import get_direct_beam_position
from lazy4d.signals.beam_fit import MODEL
from lazy4d.signals.beam_fit.counting import navigation_mask
from lazy4d.signals.beam_position import BeamPosition
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

CORNER = 16
"""A sampled corner is this part of the side of a scan."""


def interpolate(
    signal: BaseSignal,
    *,
    sample: Any = 8,
    method: str = "cross_correlate",
    model: str = "plane",
    **options: Any,
) -> BeamPosition:
    """The position of the direct beam at all positions of the scan from a sample of them: a `BeamPosition` [..., 2].

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns, over one navigation axis or more.
    sample : int, tuple of int, "corners", ROI or bool ndarray [nav...], optional
        Where to measure: that many positions spread evenly along each axis, from the first to the last (a tuple,
        x-first, says it for each); squares in the corners, of 1/16 of the side but at least 2 × 2; or the positions
        inside a ROI, or where an array is True. Only their frames are read.
    method : str, optional
        How the beam is found there; see `get_direct_beam_position`. The default needs `radius` among the options.
    model : {"plane", "parabola", "constant"}, optional
        The surface, in the coordinates of the scan; see `BeamPosition.get_linear_plane`.
    **options
        Of the method.

    Returns
    -------
    BeamPosition
        Lazy, finite everywhere, also where a frame is missing. Its `measured` are the sampled positions, NaN elsewhere,
        and its `residual` what the surface leaves of these.

    Raises
    ------
    ValueError
        No navigation axis, a sample that selects nothing or does not fit the scan, no such method or model. When
        computed: positions too few, or so arranged, that they do not determine the surface.

    Notes
    -----
    The fit is robust: positions far off the surface, up to nearly half of those sampled, do not count. It follows what
    the scan system does to the beam (descan) and none of what the sample does.

    Examples
    --------
    >>> found = interpolate(d, sample=3, method="center_of_mass")
    >>> found.data.shape, int(np.isfinite(found.measured.as_numpy()).all(axis=-1).sum())
    ((4, 4, 2), 9)
    """
    image_frames(signal, "the position of a beam")
    if not signal.nav_shape:
        raise ValueError(
            f"{signal!r} is a single frame, with no positions to interpolate between: use get_direct_beam_position"
        )
    if method == "interpolate":
        raise ValueError("expected a method that looks at frames, such as by='cross_correlate', found 'interpolate'")
    chosen = sampled_positions(signal, sample)
    found = get_direct_beam_position(signal.inav[chosen], method, **options)
    frames = _scattered(found.frames, np.flatnonzero(chosen), signal.nav_shape)
    params = {"method": "interpolate", "sample": sample, "by": method, "model": model, **options}
    measured = _positions(signal, frames, params)
    fit = measured.get_linear_plane(model)
    result = _positions(signal, fit.frames, params)
    result.metadata.set_item(MODEL, model)
    result._beside["measured"] = measured
    return result


def sampled_positions(signal: BaseSignal, sample: Any) -> NDArray[np.bool_]:
    """Which positions a sample selects: a bool array of the navigation shape.

    Raises
    ------
    ValueError
        None, or the sample does not fit the scan.

    Examples
    --------
    >>> sampled_positions(d, (2, 3)).sum(axis=0)
    array([3, 0, 0, 3])
    """
    shape = signal.nav_shape
    if isinstance(sample, str):
        if sample != "corners":
            raise ValueError(f"sample={sample!r} is not known: expected 'corners', numbers, a ROI or a bool array")
        lines = []
        for size in shape:
            side, at = max(min(2, size), size // CORNER), np.arange(size)
            lines.append((at < side) | (at >= size - side))
    elif isinstance(sample, int | np.integer | tuple | list):
        given = list(sample)[::-1] if isinstance(sample, tuple | list) else [sample] * len(shape)
        if not all(isinstance(n, int | np.integer) for n in given):
            raise TypeError(f"expected whole numbers of positions in sample, found {sample!r}")
        counts = [int(n) for n in given]
        if len(counts) != len(shape) or min(counts) < 1:
            raise ValueError(
                f"expected sample as a number of positions, at least 1, for each of {len(shape)} navigation axes "
                f"(x first), found {sample!r}"
            )
        lines = [_spread(size, count) for size, count in zip(shape, counts, strict=True)]
    elif isinstance(sample, float):
        raise TypeError(f"expected sample as a whole number of positions, found {sample!r}")
    else:
        inside = navigation_mask(signal, sample)
        chosen = np.asarray(known_mask(inside))
        if chosen.shape != shape:
            raise ValueError(
                f"expected sample as a bool array of the navigation shape {shape} (numpy order), found shape "
                f"{chosen.shape}"
            )
        if not chosen.any():
            raise ValueError(f"the sample of shape {shape} is False everywhere: no frame would be measured")
        return np.ascontiguousarray(chosen)
    chosen = np.ones(shape, bool)
    for line, axis in zip(lines, range(len(shape)), strict=True):
        chosen &= line.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return chosen


def known_mask(inside: Any) -> NDArray[np.bool_]:
    """The values of a mask of positions that is an array or a computed signal."""
    if hasattr(inside, "nav_shape"):
        if inside.lazy:
            raise TypeError(f"a sample has to be known before anything is measured, found {inside!r}: compute it first")
        return np.asarray(inside.data)
    return np.asarray(known_array(inside, "a sample"))


def _spread(size: int, count: int) -> NDArray[np.bool_]:
    """`count` of `size` positions, evenly from the first to the last; a single one in the middle."""
    line = np.zeros(size, bool)
    places = np.linspace(0, size - 1, min(count, size)) if count > 1 else np.array([(size - 1) / 2])
    line[np.rint(places).astype(int)] = True
    return line


def _scattered(found: Frames, numbers: NDArray[np.int64], nav_shape: tuple[int, ...]) -> Frames:
    """A stream of positions [nav..., 2] with those that were found where they belong, NaN elsewhere."""
    chunks = normalize_chunks("auto", nav_shape, 16)
    everywhere = Frames.from_array(position_numbers(chunks).array, len(nav_shape))
    return everywhere.map_frames(scatter_rows, SharedLazy(found.data), numbers, shape=(2,), dtype=np.float64).emit()


def _positions(signal: BaseSignal, frames: Frames, params: dict[str, Any]) -> BeamPosition:
    title = f"beam position of {signal.title}" if signal.title else "beam position"
    result: Any = signal._derive(
        frames,
        [*signal.nav_axes, Axis(name="column", size=2, navigate=False)],
        "get_direct_beam_position",
        params,
        kind=BeamPosition,
        title=title,
    )
    result._belongs_to(signal.frame_axes)
    return result

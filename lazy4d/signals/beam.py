"""Where the direct beam is and how wide: moments of each frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels import moments
from lazy4d.signals.beam_position import CENTER, BeamPosition
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def get_direct_beam_position(signal: BaseSignal, method: str = "center_of_mass", **options: Any) -> BeamPosition:
    """The position of the direct beam in each frame, as a `BeamPosition` [..., 2] = (y, x) in pixels, float64.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    method : {"center_of_mass"}
        How the beam is found; `options` are those of the method of the same name.

    Raises
    ------
    ValueError
        No such method.

    Examples
    --------
    >>> d.get_direct_beam_position(half_width=6).data.shape
    (4, 4, 2)
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, METHODS))}")
    return METHODS[method](signal, **options)


def center_of_mass(
    signal: BaseSignal,
    *,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
) -> BeamPosition:
    """The centre of mass of each frame, as a `BeamPosition` [..., 2] = (y, x) in pixels, float64.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    half_width : int, float or str, optional
        Only the square of pixels at most this far from pixel ``N // 2`` counts: pixels, axis units or ``"2 mrad"``.
    signal_slice : ROI or tuple of slices, optional
        Only this window counts, x-first as for ``isig``; positions are still pixels of the whole frame.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count.
    threshold : float, optional
        Only pixels above this intensity (after subtraction of the background) count.
    background : float, optional
        Subtracted from every pixel that counts.

    Returns
    -------
    BeamPosition
        Lazy; NaN where nothing counts.

    Raises
    ------
    ValueError
        Windows or masks that do not fit the frames, or more than one window.

    Notes
    -----
    ``y = Σ y I / Σ I``, x alike, over the pixels that count; sums of integers are exact. An even background pulls the
    result towards the centre of the window: subtract it, set a threshold or narrow the window.

    Examples
    --------
    >>> com = d.center_of_mass(threshold=1)
    >>> com
    <BeamPosition, title: beam position, dimensions: (4, 4|2), float64, lazy 256 B, 1 block>
    """
    window, params, options = _selection(signal, half_width, signal_slice, mask, threshold, background)
    frames = image_frames(signal, "a centre of mass").map_frames(
        moments.center_of_mass, *params, shape=(2,), dtype=np.float64, window=window
    )
    result = signal._derive(
        frames.emit(),
        [*signal.nav_axes, Axis(name="column", size=2, navigate=False)],
        "get_direct_beam_position",
        {"method": "center_of_mass", **options},
        kind=BeamPosition,
        title=f"beam position of {signal.title}" if signal.title else "beam position",
    )
    result.metadata.set_item(CENTER, [n // 2 for n in signal.frame_shape])
    return result  # type: ignore[return-value]


def get_second_moments(
    signal: BaseSignal,
    *,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
) -> BaseSignal:
    """The second moments of each frame about its centre of mass: a Signal1D [..., 3] of (yy, xx, yx) in pixels².

    Parameters are those of `center_of_mass`.

    Returns
    -------
    Signal1D
        Float64, lazy: variances along y and x, and the covariance; NaN where nothing counts.

    Notes
    -----
    ``yy = Σ (y - ȳ)² I / Σ I``, ``yx = Σ (y - ȳ)(x - x̄) I / Σ I``. A uniform disk of radius r has yy = xx = r²/4.

    Examples
    --------
    >>> d.get_second_moments().data.shape
    (4, 4, 3)
    """
    window, params, options = _selection(signal, half_width, signal_slice, mask, threshold, background)
    frames = image_frames(signal, "second moments").map_frames(
        moments.second_moments, *params, shape=(3,), dtype=np.float64, window=window
    )
    return signal._derive(
        frames.emit(),
        [*signal.nav_axes, Axis(name="moment (yy, xx, yx)", size=3, navigate=False)],
        "get_second_moments",
        options,
        kind=signal._class_of[1],
        title=f"second moments of {signal.title}" if signal.title else "second moments",
    )


def _selection(
    signal: BaseSignal, half_width: Any, signal_slice: Any, mask: Any, threshold: Any, background: Any
) -> tuple[tuple[slice, slice], tuple[Any, ...], dict[str, Any]]:
    """The window in numpy order, the kernels' parameters, and what the history says of them."""
    image_frames(signal, "the position of a beam")
    if half_width is not None and signal_slice is not None:
        raise ValueError(f"give half_width={half_width!r} or signal_slice={signal_slice!r}, not both: each is a window")
    y, x = signal.frame_axes
    if half_width is not None:
        rows, columns = _around_center(y, half_width), _around_center(x, half_width)
    elif hasattr(signal_slice, "window"):
        rows, columns = signal_slice.window((x, y))
    elif signal_slice is not None:
        rows, columns = _plain_slices(signal, signal_slice)
    else:
        rows, columns = slice(0, y.size), slice(0, x.size)
    inside = _mask(mask, (x, y))
    edges = np.array([rows.start, rows.stop, columns.start, columns.stop], np.int64)
    low = -np.inf if threshold is None else float(threshold)
    options = {
        "window": [int(edge) for edge in edges],
        "mask": mask,
        "threshold": threshold,
        "background": background,
    }
    return (rows, columns), (edges, inside, low, float(background)), options


def _plain_slices(signal: BaseSignal, items: Any) -> tuple[slice, slice]:
    """Rows and columns of a window given x-first as for ``isig``."""
    rows, columns = signal.axes_manager.select_signal(items)[0]
    if not (isinstance(rows, slice) and isinstance(columns, slice) and rows.step == columns.step == 1):
        raise ValueError(f"expected signal_slice as two slices without steps, (kx, ky), found {items!r}")
    return rows, columns


def _around_center(axis: Axis, half_width: Any) -> slice:
    """Pixels at most `half_width` from the axis' middle pixel."""
    reach = math.floor(axis.length_to_pixels(half_width) + 1e-6)
    if reach < 0:
        raise ValueError(f"expected half_width of at least 0, found {half_width!r}")
    middle = axis.size // 2
    return slice(max(0, middle - reach), min(axis.size, middle + reach + 1))


def _mask(mask: Any, axes: tuple[Axis, Axis]) -> NDArray[np.uint8]:
    """Pixels that count as uint8 [ky, kx], size 0 where all do."""
    if mask is None:
        return np.empty((0, 0), np.uint8)
    inside = mask.mask(axes) if hasattr(mask, "spans") else known_array(mask, "a mask")
    shape = (axes[1].size, axes[0].size)
    if inside.shape != shape or inside.dtype != np.bool_:
        raise ValueError(
            f"expected a mask that is a ROI or a bool array of the frame's shape {shape} (numpy order), found shape "
            f"{inside.shape} and dtype {inside.dtype}"
        )
    if not inside.any():
        raise ValueError(f"the mask of shape {shape} is False everywhere: no pixel would count")
    return np.ascontiguousarray(inside).view(np.uint8)


METHODS: dict[str, Callable[..., BeamPosition]] = {"center_of_mass": center_of_mass}
"""Ways to find the direct beam, by the name that `get_direct_beam_position` takes."""

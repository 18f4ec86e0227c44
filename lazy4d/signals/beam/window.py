"""Which pixels count when the direct beam is looked for: a window, a mask, a threshold, a background."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def selection(
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
    inside = mask_of(mask, (x, y))
    edges = np.array([rows.start, rows.stop, columns.start, columns.stop], np.int64)
    low = -np.inf if threshold is None else float(threshold)
    if math.isnan(low) or not math.isfinite(background):
        raise ValueError(f"expected numbers, found threshold={threshold!r} and background={background!r}")
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


def mask_of(mask: Any, axes: tuple[Axis, Axis]) -> NDArray[np.uint8]:
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

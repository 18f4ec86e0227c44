"""Selecting: `inav`, `isig`, crop, split, squeeze. Selections are x-first; ints are pixels, floats axis units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import AxesManager, Axis
from lazy4d.lazy import Frames
from lazy4d.roi import RectangleROI
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.construction import axis_of

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.described import Described


class Slicer:
    """What ``s.inav`` and ``s.isig`` are: index them x-first to select a part of the signal.

    Parameters
    ----------
    signal : BaseSignal
        The signal to select from.
    navigation : bool
        Whether navigation or signal axes are selected.

    Examples
    --------
    >>> d.inav[1, 0:3].axes_manager.navigation_shape, d.isig[4:12, ::2].axes_manager.signal_shape
    ((3,), (8, 8))
    """

    def __init__(self, signal: BaseSignal, navigation: bool) -> None:
        self._signal, self._navigation = signal, navigation

    def __getitem__(self, items: Any) -> BaseSignal:
        """Give the selected part, lazily."""
        select = select_navigation if self._navigation else select_signal
        return select(self._signal, items)

    def __repr__(self) -> str:
        """Say how to use it."""
        name, axes = ("inav", self._signal.nav_axes) if self._navigation else ("isig", self._signal.frame_axes)
        return f"<{name}: index me x-first, [{', '.join(axis.name for axis in reversed(axes))}]>"


@property  # type: ignore[misc]
def inav(signal: BaseSignal) -> Slicer:
    """Select scan positions: ``s.inav[x, y]`` x-first, with ints, floats, ``"5 nm"``, slices, a ROI or a boolean mask.

    An int or a single value drops its axis. A boolean mask (numpy order, of the scan's shape) gives one navigation
    axis in scan order, which keeps where the positions were (``axes_manager["position"].coordinates``); so does a
    ROI that is no rectangle. Only the bytes needed are read.

    Examples
    --------
    >>> d.inav[::-1, 1].data.shape
    (4, 16, 16)
    """
    return Slicer(signal, navigation=True)


@property  # type: ignore[misc]
def isig(signal: BaseSignal) -> Slicer:
    """Select pixels of every frame: ``s.isig[kx, ky]`` x-first, with ints, floats, ``"5 mrad"``, slices or a ROI.

    A ROI gives the window around it. Signals of fewer than two signal axes result where ints drop some.

    Examples
    --------
    >>> d.isig[4, 2:6].data.shape
    (4, 4, 4)
    """
    return Slicer(signal, navigation=False)


def select_navigation(signal: BaseSignal, items: Any) -> BaseSignal:
    """The positions that `items` select: x-first as between the brackets of ``inav``, a ROI or a boolean mask."""
    pixels, manager = navigation_pixels(signal, items)
    return _selected(signal, signal.frames.inav(pixels), manager, "inav", pixels)


def navigation_pixels(signal: Described, items: Any) -> tuple[Any, AxesManager]:
    """What `items` select of a scan, in pixels and numpy order, and the axes of what it selects."""
    if hasattr(items, "window"):
        items = _inside(items, signal.nav_axes, "inav")
    elif is_signal(items):
        items = _known(items)
    elif isinstance(items, list):
        items = np.asarray(items)
    return signal.axes_manager.select_navigation(items)


def select_signal(signal: BaseSignal, items: Any) -> BaseSignal:
    """The pixels of each frame that `items` select: x-first as in ``isig``, or the window of a ROI."""
    if hasattr(items, "window"):
        items = _around(items, signal.frame_axes, "isig")
    pixels, manager = signal.axes_manager.select_signal(items)
    frames = signal.frames.isig(pixels)
    if len(frames.frame_shape) < 2:
        frames = frames.emit()
    return _selected(signal, frames, manager, "isig", pixels)


def _selected(signal: BaseSignal, frames: Frames, manager: AxesManager, op: str, pixels: Any) -> BaseSignal:
    params = selection_params(pixels)
    result = signal._derive(frames, manager.as_numpy_order(), op, params)
    if op == "inav":
        result._overview = signal._overview.selected(result, pixels)
        result._beside = {name: beside for name, beside in signal._beside.items() if not beside.nav_shape}
        for name, beside in signal._beside.items():
            if name in result._beside:
                continue
            cut = AxesManager([*result.nav_axes, *beside.frame_axes])
            result._beside[name] = _selected(beside, beside.frames.inav(pixels), cut, op, pixels)
    return result


def selection_params(pixels: Any) -> dict[str, Any]:
    """What the history keeps of a selection in pixels."""
    if isinstance(pixels, np.ndarray):
        return {"mask": pixels}
    return {"items": [item if isinstance(item, int) else _slice_text(item) for item in reversed(pixels)]}


def _slice_text(item: slice) -> str:
    ends = (
        "".join("" if v is None else str(v) for v in (item.start,))
        + ":"
        + ("" if item.stop is None else str(item.stop))
    )
    return ends if item.step in (None, 1) else f"{ends}:{item.step}"


def _known(mask: Any) -> NDArray[Any]:
    """The values of a signal used as a mask."""
    if mask.lazy:
        raise TypeError(
            f"a mask has to be known to select by it, found the lazy {mask!r}: compute it first, s.inav[mask.compute()]"
        )
    return mask.data


def _roi_axes(roi: Any, axes: list[Axis], name: str) -> tuple[Axis, Axis]:
    if len(axes) != 2:
        raise ValueError(f"{roi!r} selects from two axes, found {len(axes)} for {name}: give one item for each axis")
    return axes[1], axes[0]


def _around(roi: Any, axes: list[Axis], name: str) -> tuple[slice, slice]:
    """The window of a ROI, x-first."""
    y, x = roi.window(_roi_axes(roi, axes, name))
    return x, y


def _inside(roi: Any, axes: list[Axis], name: str) -> Any:
    """The window of a rectangle, x-first; the mask of any other ROI."""
    if isinstance(roi, RectangleROI):
        return _around(roi, axes, name)
    return roi.mask(_roi_axes(roi, axes, name))


def crop(signal: BaseSignal, axis: Any, start: Any = None, end: Any = None) -> BaseSignal:
    """The signal between `start` and `end` of one axis, as `inav` and `isig` select it.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    axis : str, int or Axis
        Name, or x-first number (navigation axes first).
    start, end : int, float or str, optional
        Pixels, axis units or text with units; `end` is left out of the result.

    Returns
    -------
    BaseSignal
        A new signal; the axis has its offset moved.

    Examples
    --------
    >>> d.crop("kx", 2, 10).axes_manager["kx"].offset
    2.0
    """
    chosen = axis_of(signal.axes_manager, axis)
    rows = signal.nav_axes if chosen.navigate else signal.frame_axes
    items = tuple(slice(start, end) if row is chosen else slice(None) for row in reversed(rows))
    return select_navigation(signal, items) if chosen.navigate else select_signal(signal, items)


def split(
    signal: BaseSignal,
    axis: Any = None,
    number_of_parts: int | None = None,
    step_sizes: int | Sequence[int] | None = None,
) -> list[BaseSignal]:
    """The signal in parts along one axis.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    axis : str, int or Axis, optional
        The axis; the slowest navigation axis by default (the one `stack` adds).
    number_of_parts : int, optional
        Equal parts; a remainder is left out. By default one part for each position, without the axis.
    step_sizes : int or sequence of int, optional
        Size of each part; one number repeats.

    Returns
    -------
    list of BaseSignal
        The parts, lazy.

    Raises
    ------
    ValueError
        The parts do not fit the axis, or both ways to cut are given.

    Examples
    --------
    >>> [part.data.shape[1] for part in d.split("x", step_sizes=[1, 3])]
    [1, 3]
    """
    if axis is None:
        axis = (signal.nav_axes or signal.frame_axes)[0].name
    chosen = axis_of(signal.axes_manager, axis)
    select = signal.inav if chosen.navigate else signal.isig
    rows = list(reversed(signal.nav_axes if chosen.navigate else signal.frame_axes))
    if number_of_parts is not None and step_sizes is not None:
        raise ValueError(f"give number_of_parts={number_of_parts} or step_sizes={step_sizes}, not both")
    whole = number_of_parts is None and step_sizes is None
    sizes = _part_sizes(chosen.size, number_of_parts, step_sizes)
    if not sizes or min(sizes) < 1 or sum(sizes) > chosen.size:
        raise ValueError(
            f"parts of sizes {sizes} do not fit axis {chosen.name!r} of size {chosen.size}: expected positive sizes "
            "that add up to at most that"
        )
    parts, start = [], 0
    for size in sizes:
        item = start if whole else slice(start, start + size)
        parts.append(select[tuple(item if row is chosen else slice(None) for row in rows)])
        start += size
    return parts


def _part_sizes(size: int, parts: int | None, steps: int | Sequence[int] | None) -> list[int]:
    if steps is None:
        count = size if parts is None else int(parts)
        return [size // count] * count if count > 0 else []
    if isinstance(steps, int):
        return [steps] * (size // steps) if steps > 0 else []
    return [int(step) for step in steps]


def squeeze(signal: BaseSignal) -> BaseSignal:
    """The signal without its axes of length 1.

    Examples
    --------
    >>> d.inav[1:2].squeeze().data.shape
    (4, 16, 16)
    """
    result = signal
    for axes, select in ((signal.nav_axes, select_navigation), (signal.frame_axes, select_signal)):
        items = tuple(0 if axis.size == 1 else slice(None) for axis in reversed(axes))
        if 0 in items:
            result = select(result, items)
    return result

"""Several signals as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.construction import axis_of, is_split, joint_frames, lazy_array, may_be_damaged

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def stack(signals: Sequence[BaseSignal], axis: Any = None, new_axis_name: str = "stack_element") -> BaseSignal:
    """The signals as one: along a new, slowest navigation axis, or one after the other along an axis they have.

    Parameters
    ----------
    signals : sequence of BaseSignal
        Signals of one class and, but for `axis`, of one shape.
    axis : str, int or Axis, optional
        The axis to join along; a new one by default.
    new_axis_name : str, optional
        Name of the new axis.

    Returns
    -------
    BaseSignal
        Lazy, with axes and metadata of the first signal, and the original metadata of each under
        ``original_metadata.stack_elements``.

    Raises
    ------
    ValueError
        No signals, or shapes that differ.

    Examples
    --------
    >>> stack([d, d]).axes_manager.navigation_shape
    (4, 4, 2)
    """
    items: list[Any] = [signals] if is_signal(signals) else list(signals)
    if not items:
        raise ValueError("stack needs at least one signal, found none")
    if not all(is_signal(item) for item in items):
        kinds = ", ".join(type(item).__name__ for item in items)
        raise TypeError(f"stack joins signals, found {kinds}: make signals of arrays first, Signal2D(array)")
    first = items[0]
    rows = [*first.nav_axes, *first.frame_axes]
    number = None
    if axis is not None:
        chosen = axis_of(first.axes_manager, axis)
        number = next(k for k, row in enumerate(rows) if row is chosen)
    shapes = [(s.nav_shape, s.frame_shape, tuple(n for k, n in enumerate(s.shape) if k != number)) for s in items]
    alike = {(len(nav), len(frame), rest) for nav, frame, rest in shapes}
    if len(alike) > 1:
        listed = ", ".join(f"{nav}|{frame}" for nav, frame, _ in shapes)
        raise ValueError(
            f"expected signals of one shape{'' if number is None else f' but for {rows[number].name!r}'}, found "
            f"{listed} (navigation|signal, numpy order): crop or rebin them first"
        )
    array: Any
    arrays = [lazy_array(s) for s in items]
    nav_ndim = len(first.nav_shape)
    valid = [s.frames.valid for s in items] if any(may_be_damaged(s) for s in items) else None
    if number is None:
        array = np.stack(arrays)
        axes = [Axis(name=new_axis_name, size=len(items), navigate=True), *rows]
        joint = None if valid is None else np.stack(valid)
        nav_ndim += 1
    else:
        array = np.concatenate(arrays, axis=number)
        joined = rows[number].copy(size=array.shape[number], coordinates=_coordinates(items, number))
        axes = [joined if k == number else row for k, row in enumerate(rows)]
        joint = None
        if valid is not None:
            joint = np.concatenate(valid, axis=number) if number < nav_ndim else np.logical_and.reduce(valid)
        if number >= nav_ndim and not any(is_split(s) for s in items):  # one frame of parts from several blocks
            array = array.rechunk(dict.fromkeys(range(nav_ndim, array.ndim), -1))
    result = first._derive(
        joint_frames(array, nav_ndim, items, joint),
        axes,
        "stack",
        {"axis": None if number is None else rows[number].name, "signals": len(items)},
        kind=None if number is None else type(first),
        parents=items[1:],
    )
    for k, item in enumerate(items):
        result.original_metadata.set_item(
            f"stack_elements.element{k}", {"title": item.title, **item.original_metadata.as_dictionary()}
        )
    return result


def _coordinates(items: Sequence[Any], number: int) -> tuple[Any, ...]:
    """Where the positions lie on the former axes, if all signals say it of the same axes."""
    found = [[*s.nav_axes, *s.frame_axes][number].coordinates for s in items]
    if len({tuple((one.name, one.units) for one in each) for each in found}) > 1:
        return ()
    return tuple(
        one._replace(values=np.concatenate([each[k].values for each in found])) for k, one in enumerate(found[0])
    )

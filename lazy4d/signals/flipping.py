"""Mirror images: pixels or positions in reverse order, on axes along which their values change sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.signals.construction import axis_of
from lazy4d.signals.ellipse import ellipse_of, transformed, write_ellipse
from lazy4d.signals.frame_center import frame_axes_of, has_zero
from lazy4d.signals.regions import mirror

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def flip(signal: BaseSignal, axes: str | int | Axis | Sequence[str | int | Axis] | None = None) -> BaseSignal:
    """The signal mirrored along some of its axes, lazily and without loss.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    axes : str, int, Axis or sequence of them, optional
        Which ones, by name or x-first number; by default the signal axes, or all where there are none.

    Returns
    -------
    BaseSignal
        Same dtype and shape, pixels in reverse order. Along signal axes the pattern is mirrored at the zero of the
        axis: what was measured at k stands at -k, so the offset changes with the order (with even sizes, a beam on
        pixel ``N // 2`` goes to ``N // 2 - 1``, and the zero with it). Axes that have no zero yet stay as they are,
        and so do navigation axes: the scan is mirrored in its middle. A calibrated ellipse is mirrored too.

    Raises
    ------
    ValueError
        There is no such axis.

    Notes
    -----
    ``s.isig[::-1]`` also reverses the pixels, but on an axis that counts down: there each pixel keeps its value and
    nothing is mirrored.

    Examples
    --------
    >>> flipped = d.flip("kx")
    >>> np.array_equal(flipped.as_numpy(), d.as_numpy()[..., ::-1]), flipped.data.dtype
    (True, dtype('uint16'))
    """
    rows = [*signal.nav_axes, *signal.frame_axes]
    if axes is None:
        chosen = signal.frame_axes or signal.nav_axes
    else:
        given = [axes] if isinstance(axes, str | int | np.integer | Axis) else list(axes)
        chosen = [axis_of(signal.axes_manager, one) for one in given]
    names = [axis.name for axis in rows if any(axis is one for one in chosen)]
    return _flipped(signal, [any(row is one for one in chosen) for row in rows], "flip", {"axes": names[::-1]})


def flip_diffraction_x(signal: BaseSignal) -> BaseSignal:
    """The signal with every frame mirrored along x: columns in reverse order, kx becomes -kx; see `flip`.

    Examples
    --------
    >>> np.array_equal(d.flip_diffraction_x().as_numpy(), d.as_numpy()[..., ::-1])
    True
    """
    frame_axes_of(signal, "flip_diffraction_x")
    return _flipped(signal, [*(False for _ in signal.nav_axes), False, True], "flip_diffraction_x", {})


def flip_diffraction_y(signal: BaseSignal) -> BaseSignal:
    """The signal with every frame mirrored along y: rows in reverse order, ky becomes -ky; see `flip`.

    Examples
    --------
    >>> np.array_equal(d.flip_diffraction_y().as_numpy(), d.as_numpy()[..., ::-1, :])
    True
    """
    frame_axes_of(signal, "flip_diffraction_y")
    return _flipped(signal, [*(False for _ in signal.nav_axes), True, False], "flip_diffraction_y", {})


def _flipped(signal: BaseSignal, reverse: list[bool], op: str, params: dict[str, Any]) -> BaseSignal:
    """The signal with axes, in numpy order, reversed."""
    items = [slice(None, None, -1) if one else slice(None) for one in reverse]
    nav = len(signal.nav_axes)
    frames = signal.frames
    if any(reverse[:nav]):
        frames = frames.inav(items[:nav])
    if any(reverse[nav:]):
        frames = frames.isig(items[nav:])
        if len(frames.frame_shape) < 2:
            frames = frames.emit()
    rows = [
        _mirrored(axis) if turned and not axis.navigate and has_zero(axis) else axis
        for axis, turned in zip([*signal.nav_axes, *signal.frame_axes], reverse, strict=True)
    ]
    result = signal._derive(frames, rows, op, params)
    mirror(result, signal, reverse)
    known = ellipse_of(signal)
    if known is not None and reverse[nav:].count(True) == 1:
        write_ellipse(result, transformed(known, np.diag([1.0, -1.0])))
    return result


def _mirrored(axis: Axis) -> Axis:
    """The axis on which each value stands at the pixel where its negative stood, counted from the other end."""
    result = axis.copy()
    result.offset = -(axis.offset + axis.scale * (axis.size - 1))
    return result

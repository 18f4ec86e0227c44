"""`center_direct_beam`: frames moved so that the direct beam lies on the middle pixel of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels.shift_center import center_at, center_found
from lazy4d.lazy.stage import Kernel
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.beam.belonging import check_belongs
from lazy4d.signals.beam.position import FINDERS, get_direct_beam_position
from lazy4d.signals.shifting import per_position_shift, prepared

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def center_direct_beam(
    signal: BaseSignal,
    method: str | None = None,
    *,
    position: Any = None,
    shifts: Any = None,
    interpolation: str = "integer",
    fill: float = 0,
    **options: Any,
) -> BaseSignal:
    """The signal with every frame moved so that its direct beam lies on pixel ``N // 2``, where the axes become 0.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    method : str, optional
        Find the beam in each frame, by a method of `get_direct_beam_position`, and move the frame at once: finding and
        moving are one step of one walk over the file.
    position : BeamPosition or ndarray, optional
        Instead: where the beam is, such as ``com.get_linear_plane()``: a signal or array [nav..., 2] of (y, x) in
        pixels of the frames, or an array (2,) for all.
    shifts : BaseSignal or ndarray, optional
        Or how far the frames are to be moved, ``center - position``, in the same forms.
    interpolation : {"integer", "bilinear", "cubic", "fourier"}, optional
        By default frames move by whole pixels, nearest to where they should be, and no count is changed. The others
        move by fractions and give floats; see `shift_diffraction`.
    fill : float, optional
        For pixels that the frame did not see; may be NaN where the result is float.
    **options
        Of the method: `half_width`, `mask`, `threshold` and more.

    Returns
    -------
    BaseSignal
        Lazy, of the same shape: the axes have ``offset = -scale * (N // 2)``. The dtype is kept by "integer"; otherwise
        it is float32, or float64 where float32 is too narrow. Frames in which there is no beam (a position of NaN) are
        NaN; where the result is of integers they are `fill`.

    Raises
    ------
    ValueError
        Not exactly one of method, position and shifts; positions of another shape or found in frames of another size.
    TypeError
        Options that the method does not have.

    Notes
    -----
    With `method` a result needs one pass over the file. With a `position` that is still lazy it needs two, one to find
    the beam and fit; what else is asked of the frames is computed along the way. Frames are moved tile by tile: centred
    ones exist only as far as they are asked for themselves. ``get_shift_coverage(shifts=position.shifts,
    interpolation=...)`` tells how many of them show data at each pixel.

    Examples
    --------
    >>> centred = d.center_direct_beam("center_of_mass", threshold=5)
    >>> centred.data.dtype, [axis.offset for axis in centred.frame_axes]
    (dtype('uint16'), [-8.0, -8.0])
    """
    given = [name for name, v in (("method", method), ("position", position), ("shifts", shifts)) if v is not None]
    if len(given) != 1:
        raise ValueError(
            "expected one of method (such as 'center_of_mass'), position (where the beam is) and shifts, found "
            f"{' and '.join(given) or 'none of them'}"
        )
    if method is None and options:
        raise TypeError(f"{', '.join(options)} would be for a method that finds the beam, found {given[0]} instead")
    frames, move, value = prepared(signal, interpolation, fill)
    y, x = signal.frame_axes
    center = np.array([y.size // 2, x.size // 2], np.float64)
    record: dict[str, Any] = {"method": method, "position": position, "shifts": shifts}
    parents = [one for one in (position, shifts) if is_signal(one)]
    if method is not None and method not in FINDERS:  # one that does not look at each frame by itself
        position = get_direct_beam_position(signal, method, **options)
        record = {"method": method, **options}
    if method in FINDERS:
        finder = FINDERS[method](signal, **options)
        record.update(finder.options)
        kernel: Any = center_found
        params: tuple[Any, ...] = (Kernel(finder.kernel), move, center, value, *finder.params)
    elif position is not None:
        check_belongs(position, signal)
        kernel, params = center_at, (per_position_shift(signal, position, "positions"), move, center, value)
    else:
        kernel, params = move, (per_position_shift(signal, shifts), value)
    centred = frames.map_frames(kernel, *params, shape=frames.frame_shape, dtype=value.dtype)
    record = {name: v for name, v in record.items() if v is not None or name not in ("method", "position", "shifts")}
    return signal._derive(
        centred,
        [*signal.nav_axes, _centred(y), _centred(x)],
        "center_direct_beam",
        {**record, "interpolation": interpolation, "fill": fill},
        parents=parents,
    )


def _centred(axis: Axis) -> Axis:
    """The axis with its 0 exactly on its middle pixel."""
    result = axis.copy()
    result.offset = -axis.scale * (axis.size // 2)
    return result

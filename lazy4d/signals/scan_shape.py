"""`with_scan_shape`: the frames of a loaded signal in another scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from warnings import warn

from lazy4d.axes import Axis
from lazy4d.errors import Lazy4DWarning
from lazy4d.lazy import damage

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

_NAMES = ("x", "y", "z", "t")


def with_scan_shape(
    signal: BaseSignal,
    scan_shape: Sequence[int] | int | str,
    sync_offset: int = 0,
    flyback: int = 0,
    serpentine: bool = False,
    incomplete: str | None = None,
) -> BaseSignal:
    """The same frames in a scan of another shape, lazily: corrects what was loaded without reading or loading again.

    Of a signal straight from a file, all frames of the file count, also those that its present shape leaves out; the
    arguments mean what they mean in `load`. Where positions have been selected, or the signal was made of others by
    arithmetic, binning or computing, the frames that it holds count, in the order of its positions. What was done to
    each frame (``isig``, ``map``, ``rebin`` of frames …) stays done.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    scan_shape : (rows, columns)
        Shape of the scan, numpy order; ``(n,)`` for a line, one entry may be -1, ``(-1,)`` for all frames in a row.
    sync_offset : int, optional
        Frames to skip at the start, or, negative, blank frames to insert there.
    flyback : int, optional
        Frames to leave out at the end of each scan row.
    serpentine : bool, optional
        Every second row, the second one first, was scanned backwards.
    incomplete : {"raise", "nan", "zero", "crop"}, optional
        What to do with missing frames; as the signal was loaded by default.

    Returns
    -------
    BaseSignal
        Signal axes and, of the scan, axes of the same name keep their calibration; new ones are in pixels.

    Raises
    ------
    ScanShapeError
        The frames do not fill the scan: says how many there are and which shapes fit.
    ValueError
        An argument makes no sense, or positions were selected in another order than that of recording.

    Warns
    -----
    Lazy4DWarning
        Frames are missing, or left over, and `incomplete` or `sync_offset` allow it.

    Examples
    --------
    >>> d.with_scan_shape((2, 7), flyback=1).data.shape
    (2, 7, 16, 16)
    >>> d.with_scan_shape((4, 4), serpentine=True).inav[0, 1].data.shape
    (16, 16)
    """
    from lazy4d.io.arrangement import arrange

    frames, plan = arrange(
        signal.frames,
        scan_shape=scan_shape,
        sync_offset=sync_offset,
        flyback=flyback,
        serpentine=serpentine,
        incomplete=incomplete,
    )
    for message in plan.warnings:
        warn(message, Lazy4DWarning, stacklevel=2)
    if plan.warnings and not frames.is_array:
        damage.loaded(frames.source.source, told=True)
    if len(frames.frame_shape) < 2:
        frames = frames.emit()
    params = {
        "scan_shape": list(frames.nav_shape),
        "sync_offset": int(sync_offset),
        "flyback": int(flyback),
        "serpentine": bool(serpentine),
        "incomplete": incomplete,
    }
    axes = [*_scan_axes(signal, frames.nav_shape), *signal.frame_axes]
    return signal._derive(frames, axes, "with_scan_shape", params)


def _scan_axes(signal: BaseSignal, shape: tuple[int, ...]) -> list[Axis]:
    """Navigation axes of `shape`: as many as before are those before, others keep what an axis of their name had."""
    old = signal.nav_axes
    if len(old) == len(shape) and not any(axis.coordinates for axis in old):
        named = {place: axis for place, axis in enumerate(old)}
    else:
        names = [_NAMES[k] if k < len(_NAMES) else f"n{k}" for k in reversed(range(len(shape)))]
        known = {axis.name: axis for axis in old if not axis.coordinates}
        named = {place: known.get(name, Axis(name=name, size=1)) for place, name in enumerate(names)}
    return [
        Axis(name=axis.name, units=axis.units, scale=axis.scale, offset=axis.offset, size=size, navigate=True,
             beam_energy=axis.beam_energy)
        for size, axis in zip(shape, named.values(), strict=True)
    ]  # fmt: skip

"""Virtual detectors: one number for each position from the pixels a detector covers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import virtual_image as kernels
from lazy4d.lazy import Frames
from lazy4d.lazy.frames import sum_dtype
from lazy4d.roi import mask_spans, mask_window
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def get_virtual_image(signal: BaseSignal, roi: Any) -> Any:
    """The intensity that a detector over the frames collects at each position: a `VirtualImage`, or several.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    roi : ROI, ndarray, BaseSignal, str, or list or dict of these
        The detector. A ROI covers the pixels whose centre it holds; a bool array [ky, kx] the pixels that are True; an
        array of numbers [ky, kx] weights the pixels, and [m, ky, kx] is a stack of m such detectors. A text is the name
        of a detector kept in `regions`.

    Returns
    -------
    VirtualImage, or list or dict of VirtualImage
        Lazy, with the navigation axes: one for one detector, a list for a list or a stack, a dict for a dict (its keys
        are the titles). Binary detectors on integers give exact (u)int64 sums, weights and float data float64.

    Raises
    ------
    ValueError
        The detector covers no pixel, or an array has another shape than the frames.

    Notes
    -----
    Virtual images over one file that are computed together (`lazy4d.compute`) read it once.

    Examples
    --------
    >>> bf, df = d.get_virtual_image([l4.CircleROI(8, 8, 3), l4.CircleROI(8, 8, 8, r_inner=5)])
    >>> bf
    <VirtualImage, title: virtual image, dimensions: (4, 4|), uint64, lazy 128 B, 1 block>
    """
    if isinstance(roi, Mapping):
        return {key: _virtual_image(signal, one, str(key)) for key, one in roi.items()}
    if isinstance(roi, list | tuple):
        return [_virtual_image(signal, one, None) for one in roi]
    if isinstance(roi, np.ndarray) and roi.ndim == 3:
        return _stack_of_weights(signal, roi)
    return _virtual_image(signal, roi, None)


def get_total_intensity(signal: BaseSignal) -> BaseSignal:
    """The sum of all pixels at each position: a `VirtualImage`, (u)int64 for integers and float64 for floats.

    Examples
    --------
    >>> d.get_total_intensity().data.shape
    (4, 4)
    """
    frames = image_frames(signal, "the total intensity")
    result = frames.map_frames(kernels.total_intensity, shape=(), dtype=sum_dtype(frames.dtype))
    return _image(signal, result, "get_total_intensity", {}, _title(signal, "total intensity"))


def _virtual_image(signal: BaseSignal, roi: Any, title: str | None) -> BaseSignal:
    frames = image_frames(signal, "a virtual image")
    spans = None
    if isinstance(roi, str):
        title, roi = title or roi, signal.regions.signal[roi]
    if hasattr(roi, "spans"):
        axes = (signal.frame_axes[1], signal.frame_axes[0])
        spans, window = roi.spans(axes), tuple(roi.window(axes))
    else:
        roi = checked_detector(known_array(roi, "a detector"), signal.frame_shape)
        if roi.dtype == np.bool_:
            spans, window = mask_spans(roi), mask_window(roi)
    if spans is not None:
        result = frames.map_frames(kernels.sum_spans, spans, shape=(), dtype=sum_dtype(frames.dtype), window=window)
    else:
        result = frames.map_frames(kernels.weighted_sum, _weights(roi), shape=(), dtype=np.float64)
    return _image(signal, result, "get_virtual_image", {"roi": roi}, title or _title(signal, "virtual image"))


def _stack_of_weights(signal: BaseSignal, stack: NDArray[Any]) -> list[BaseSignal]:
    """One image for each of a stack of weights, all by one matrix product a tile."""
    if stack.dtype == np.bool_ or len(stack) < 8:
        return [_virtual_image(signal, one, None) for one in stack]
    frames = image_frames(signal, "a virtual image")
    for one in stack:
        checked_detector(one, signal.frame_shape)
    weights = _weights(stack).reshape(len(stack), -1)
    sums = frames.map_frames(kernels.weighted_sums, weights, shape=(len(stack),), dtype=np.float64).emit()
    return [
        _image(signal, sums.isig((k,)), "get_virtual_image", {"roi": one}, _title(signal, "virtual image"))
        for k, one in enumerate(stack)
    ]


def _image(signal: BaseSignal, frames: Frames, op: str, params: dict[str, Any], title: str) -> BaseSignal:
    return signal._derive(frames.emit(), signal.nav_axes, op, params, kind=signal._class_of[0], title=title)


def _title(signal: BaseSignal, what: str) -> str:
    return f"{what} of {signal.title}" if signal.title else what


def checked_detector(detector: NDArray[Any], frame_shape: tuple[int, ...]) -> NDArray[Any]:
    """A detector that is an array, of the frame's shape and covering something.

    Raises
    ------
    ValueError
        It is not.
    """
    if detector.shape != frame_shape or detector.dtype.kind not in "biuf":
        raise ValueError(
            f"expected a detector that is a ROI, or an array of the frame's shape {frame_shape} (numpy order) of bool, "
            f"integers or floats, found shape {detector.shape} and dtype {detector.dtype}"
        )
    if not detector.any():
        raise ValueError(f"the detector of shape {detector.shape} covers no pixel: every weight is 0")
    return detector


def _weights(detector: NDArray[Any]) -> NDArray[Any]:
    dtype = np.float32 if detector.dtype == np.float32 else np.float64
    return np.ascontiguousarray(detector, dtype)

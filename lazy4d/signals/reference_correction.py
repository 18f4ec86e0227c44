"""Dark and gain references of a camera, applied to raw counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import repair
from lazy4d.signals.bad_pixels import bad_pixel_mask, repaired
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

REFERENCE = "Acquisition_instrument.TEM.Detector.Reference"
"""Where readers put references into the metadata: dark, gain, bad_pixels, counter_pixels, applied.

Dark and gain are arrays, or for large ones a dict with path, offset, shape and dtype of the pixels in a file.
"""


def apply_reference_correction(signal: BaseSignal, dark: Any = True, gain: Any = True, bad_pixels: Any = True) -> Any:
    """The signal corrected for dark counts and gain, ``(raw - dark) * gain`` in float32, bad pixels replaced; lazily.

    References come from the metadata, where the reader of the file puts them
    (``Acquisition_instrument.TEM.Detector.Reference``), or are given. Bad pixels, and those in which the camera writes
    frame numbers, are replaced by the mean of their good neighbours after the correction; see `correct_bad_pixels`.

    Parameters
    ----------
    signal : BaseSignal
        Raw counts.
    dark, gain : bool or array (ky, kx), optional
        True: the reference in the metadata, where there is one; False: none; an array or a computed signal: this one.
    bad_pixels : bool, mask (ky, kx) or sequence of (y, x), optional
        True: those in the metadata, where there are any; False: none; or these.

    Returns
    -------
    BaseSignal
        float32, same axes; ``Reference.applied`` in its metadata says so.

    Raises
    ------
    ValueError
        There is no reference at all, the metadata say that they were applied, or a reference has another shape than a
        frame: correct a signal before its frames are cropped or binned.
    FileNotFoundError, ValueError
        A large reference, of which the metadata hold the path only, is no longer where it was, or was cut short.

    Examples
    --------
    >>> d.apply_reference_correction(dark=np.ones((16, 16)), gain=False).data.dtype
    dtype('float32')
    """
    frames = image_frames(signal, "a reference correction")
    known = signal.metadata.get_item(REFERENCE, None)
    tree: dict[str, Any] = {} if known is None else known.as_dictionary()
    if tree.get("applied"):
        raise ValueError(
            f"the references were applied to this signal already (metadata.{REFERENCE}.applied): correct raw counts "
            "once only, or set that entry to False"
        )
    shape = frames.frame_shape
    dark_frame = _reference("dark", dark, tree.get("dark"), shape)
    gain_frame = _reference("gain", gain, tree.get("gain"), shape)
    mask = _bad(bad_pixels, tree, shape)
    if dark_frame is None and gain_frame is None and not mask.any():
        raise ValueError(
            f"there is nothing to correct with: no reference in metadata.{REFERENCE}, and none given; give dark=, "
            "gain= or bad_pixels= as arrays of the frame shape"
        )
    both = (
        np.zeros(shape, np.float32) if dark_frame is None else dark_frame,
        np.ones(shape, np.float32) if gain_frame is None else gain_frame,
    )
    corrected = frames.map_frames(repair.apply_dark_and_gain, *both, shape=shape, dtype=np.float32)
    params = {"dark": dark_frame, "gain": gain_frame, "bad_pixels": mask if mask.any() else None}
    axes = [*signal.nav_axes, *signal.frame_axes]
    result = signal._derive(repaired(corrected, mask), axes, "apply_reference_correction", params)
    result.metadata.set_item(f"{REFERENCE}.applied", True)
    return result


def _reference(name: str, given: Any, known: Any, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    if given is None or given is False or (given is True and known is None):
        return None
    if given is True and isinstance(known, dict):
        array = _stored(name, known)
    else:
        array = np.asarray(known) if given is True else known_array(given, f"the {name} reference")
    if array.shape != shape or array.dtype.kind not in "biuf":
        raise ValueError(
            f"expected a {name} reference of the frame shape {shape} (numpy order), found {array.shape} of dtype "
            f"{array.dtype}: correct a signal before its frames are cropped or binned, or give the part that fits"
        )
    return np.ascontiguousarray(array, np.float32)


def _stored(name: str, place: dict[str, Any]) -> NDArray[Any]:
    """The pixels of a reference that was too large to be read with the scan."""
    path = str(place.get("path", ""))
    try:
        shape = tuple(int(size) for size in place["shape"])
        return np.array(np.memmap(path, np.dtype(str(place["dtype"])), "r", int(place["offset"]), shape))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: the {name} reference is no longer there; copy it back, or give {name}= as an array"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: the {name} reference cannot be read where the metadata say it stands ({error}); give {name}= as "
            "an array"
        ) from None


def _bad(given: Any, tree: dict[str, Any], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if given is None or given is False:
        return np.zeros(shape, bool)
    if given is not True:
        return bad_pixel_mask(given, shape)
    mask = np.zeros(shape, bool)
    if tree.get("bad_pixels") is not None:
        mask |= bad_pixel_mask(np.asarray(tree["bad_pixels"], bool), shape)
    if tree.get("counter_pixels"):
        mask |= bad_pixel_mask([tuple(map(int, place)) for place in tree["counter_pixels"]], shape)
    return mask

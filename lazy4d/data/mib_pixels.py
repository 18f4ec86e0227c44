"""The pixels of Merlin frames as bytes: big-endian integers, or RAW words of 64 bits as they leave the chips."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.mib_header import MODES, MibHeader

Bytes = NDArray[np.uint8]


def encode_pixels(frames: NDArray[Any], header: MibHeader) -> Bytes:
    """Bytes [n, payload] of frames [n, rows, columns] in the mode and layout of a file.

    Parameters
    ----------
    frames : array (n, rows, columns)
        Non-negative integers (or whole floats or booleans) below ``2**depth``.
    header : MibHeader
        Mode, chips and counter depth.

    Returns
    -------
    uint8 array (n, payload_bytes)
        What follows each header.

    Raises
    ------
    ValueError
        Another frame shape, or a value that the counter cannot hold.

    Examples
    --------
    >>> encode_pixels(np.array([[[1, 258]]]), MibHeader((1, 2), "U16")).tolist()
    [[0, 1, 1, 2]]
    """
    if frames.shape[1:] != header.frame_shape:
        raise ValueError(
            f"expected frames of shape {header.frame_shape}, got {frames.shape[1:]}; all frames of a file are alike"
        )
    # U16 files of other sources than one 12-bit counter exist; RAW words have no room beyond the counter.
    bits = header.counter_depth if header.mode.startswith("R") else MODES[header.mode][2]
    if frames.size and not (frames.min() >= 0 and frames.max() < 2**bits):
        raise ValueError(f"expected values in [0, {2**bits}) for {header.mode}, got {frames.min()} to {frames.max()}")
    if header.mode.startswith("U"):
        return _as_bytes(frames, f">u{MODES[header.mode][2] // 8}")
    return _raw(_chips_side_by_side(frames) if header.chips == "2x2" else frames, header.mode)


def _chips_side_by_side(frames: NDArray[Any]) -> NDArray[Any]:
    """Take the frames [n, 2h, 2w] of a quad apart into its readout [n, h, 4w]: lower chips upside down, first."""
    h, w = frames.shape[1] // 2, frames.shape[2] // 2
    upper_left, upper_right = frames[:, :h, :w], frames[:, :h, w:]
    lower_left, lower_right = frames[:, h:, :w], frames[:, h:, w:]
    return np.concatenate([lower_right[:, ::-1, ::-1], lower_left[:, ::-1, ::-1], upper_right, upper_left], axis=2)


def _raw(frames: NDArray[Any], mode: str) -> Bytes:
    """Pack pixels into 64-bit words, pixel k of a word at its k-th lowest bits, words big-endian."""
    if mode == "R1":
        little = np.packbits(frames.astype(bool).reshape(len(frames), -1), axis=1, bitorder="little")
    elif mode == "R6":
        little = _as_bytes(frames, "u1")
    elif mode == "R12":
        little = _as_bytes(frames, "<u2")
    else:  # R24: an image of the upper 12 bits, then one of the lower
        counts = frames.astype(np.uint32)
        little = np.concatenate([_as_bytes(counts >> 12, "<u2"), _as_bytes(counts & 0xFFF, "<u2")], axis=1)
    return np.ascontiguousarray(little.reshape(len(frames), -1, 8)[:, :, ::-1]).reshape(len(frames), -1)


def _as_bytes(frames: NDArray[Any], dtype: str) -> Bytes:
    return np.ascontiguousarray(frames.astype(dtype)).reshape(len(frames), -1).view(np.uint8)

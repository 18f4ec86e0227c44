"""What the pixels of an MRC file are: dtype and decoder for each mode, or why it cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import UnsupportedVariantError
from lazy4d.io.mrc.header import MrcHeader
from lazy4d.io.rawframes import Decoder, PlainDecoder

MODE0 = ("auto", "uint8", "int8")
"""What the bytes of mode 0 may be said to be."""

_PLAIN = {1: "i2", 2: "f4", 4: "c8", 6: "u2"}
# Modes that exist but are not read: what they are, columns of a stored row per pixel, dtype for a raw reader.
_REFUSED = {
    3: ("complex numbers of two int16", 2, "i2"),
    7: ("int32, which the specification does not have", 1, "i4"),
    16: ("RGB colours of three bytes", 3, "u1"),
}


@dataclass(frozen=True)
class NibbleDecoder:
    """Rows of 4-bit pixels (mode 101) to frames of uint8.

    Parameters
    ----------
    frame_shape : tuple of int
        Shape of the decoded frame, ``(ky, kx)``.

    Examples
    --------
    >>> NibbleDecoder((4, 5)).stored_shape
    (4, 3)
    """

    frame_shape: tuple[int, ...]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Rows, and bytes of a row: two pixels a byte, rounded up."""
        return (self.frame_shape[0], (self.frame_shape[1] + 1) // 2)

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Stored rows are plain bytes."""
        return np.dtype(np.uint8)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of the decoded frame."""
        return np.dtype(np.uint8)

    def __call__(self, stored: NDArray[Any], out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Unpack whole frames; `window` is left aside."""
        from lazy4d.kernels.narrow import unpack_4bit  # numba, which loading a file does not need

        unpack_4bit(stored, out)


@dataclass(frozen=True)
class HalfDecoder(PlainDecoder):
    """Pixels of float16 (mode 12) as float32, exactly: compiled kernels know no float16.

    Parameters
    ----------
    stored_dtype : numpy.dtype
        float16 in the byte order of the file.
    frame_shape : tuple of int
        Shape of a frame, ``(ky, kx)``.

    Examples
    --------
    >>> HalfDecoder(np.dtype(">f2"), (4, 4)).dtype
    dtype('float32')
    """

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of the decoded frame."""
        return np.dtype(np.float32)

    def __call__(self, stored: NDArray[Any], out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Widen whole frames; `window` is left aside."""
        from lazy4d.kernels.narrow import widen_float16

        widen_float16(stored, out)


def decoder_for(header: MrcHeader, path: str, mode0: str = "auto", *, electron_camera: bool = False) -> Decoder:
    """The decoder for the frames of a file.

    Parameters
    ----------
    header : MrcHeader
        Its header.
    path : str
        Named in messages.
    mode0 : {"auto", "uint8", "int8"}
        What bytes are. By default uint8 for files of Direct Electron, else what IMOD's flags or the minimum and maximum
        in the header say, else int8, as the specification has it.
    electron_camera : bool
        The file is of a Direct Electron server, which counts in unsigned bytes.

    Raises
    ------
    UnsupportedVariantError
        A mode that is not read: names it and a way around.
    """
    shape = (header.ny, header.nx)
    if header.mode == 0:
        signed = header.signed_bytes
        if mode0 == "auto":
            mode0 = "uint8" if electron_camera or signed is False else "int8"
        return PlainDecoder(np.dtype(mode0), shape)
    if header.mode in _PLAIN:
        return PlainDecoder(np.dtype(header.order + _PLAIN[header.mode]), shape)
    if header.mode == 12:
        return HalfDecoder(np.dtype(header.order + "f2"), shape)
    if header.mode == 101:
        return NibbleDecoder(shape)
    what, columns, code = _REFUSED.get(header.mode, ("no mode that is known", 1, ""))
    around = (
        f"The numbers as stored are read by reader='raw', frame_shape=({header.ny}, {columns * header.nx}), "
        f"dtype={header.order + code!r}, header={header.data_start}"
        if code
        else "The header may be damaged; plain frames are read by reader='raw' with frame_shape, dtype and header"
    )
    raise UnsupportedVariantError(
        f"{path}: MRC mode {header.mode} at byte 12 cannot be read ({what}): expected 0, 1, 2, 4, 6, 12 or "
        f"101. {around}"
    )


def byte_note(header: MrcHeader, mode0: str, *, electron_camera: bool) -> str:
    """What a user should be told of the sign of bytes; empty when the file settles it or the caller did.

    Examples
    --------
    >>> from lazy4d.io.mrc.header import parse_header
    >>> header = parse_header(bytes([4, 0, 0, 0] * 3).ljust(1024, bytes(1)), "a.mrc", 1088)
    >>> byte_note(header, "auto", electron_camera=False)[:53]
    'bytes (mode 0) were taken for int8, as in MRC2014, an'
    """
    if header.mode != 0 or mode0 != "auto" or electron_camera or header.signed_bytes is not None:
        return ""
    low, high = header.statistics[:2]
    if 0 <= low <= high and high > 0:  # all pixels below 128: both readings agree
        return ""
    return (
        "bytes (mode 0) were taken for int8, as in MRC2014, and the file does not say; many cameras write uint8: if "
        "values above 127 came out negative, load with mode0='uint8'"
    )

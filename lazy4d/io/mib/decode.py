"""What the pixels of a MIB file are: shape, type and decoder for each variant, or why it cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import UnsupportedVariantError
from lazy4d.io.mib.header import MibHeader
from lazy4d.io.rawframes import Decoder, PlainDecoder

RAW_DEPTHS = (1, 6, 12, 24)
"""Counter depths in bits."""

_PROCESSED: dict[str, np.dtype[Any]] = {"U08": np.dtype("u1"), "U16": np.dtype(">u2"), "U32": np.dtype(">u4")}
_STORED_BITS = {1: 1, 6: 8, 12: 16, 24: 32}
_NATIVE: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 6: np.dtype("u1"), 12: np.dtype("u2"), 24: np.dtype("u4")}
_CHIP = 256


@dataclass(frozen=True)
class RawR64Decoder:
    """Packed 64-bit words of RAW files to native frames.

    Parameters
    ----------
    depth : int
        Counter depth in bits: 1, 6, 12 or 24.
    frame_shape : tuple of int
        Shape of the decoded frame, ``(ky, kx)``.
    quad : bool
        Four chips in a square, stored side by side, to be put in their places.

    Examples
    --------
    >>> RawR64Decoder(1, (256, 256), quad=False).stored_shape
    (8192,)
    """

    depth: int
    frame_shape: tuple[int, ...]
    quad: bool

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Bytes of a stored frame."""
        return (self.frame_shape[0] * self.frame_shape[1] * _STORED_BITS[self.depth] // 8,)

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Stored frames are plain bytes."""
        return np.dtype(np.uint8)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of the decoded frame: uint8, uint16 or uint32."""
        return _NATIVE[self.depth]

    def __call__(self, stored: NDArray[Any], out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Unpack whole frames; `window` is left aside, a word holds many pixels."""
        from lazy4d.kernels import decode  # numba, which loading a file does not need

        kernels: dict[tuple[int, bool], Any] = {
            (1, False): decode.unpack_r64_1bit,
            (6, False): decode.unpack_r64_6bit,
            (12, False): decode.unpack_r64_12bit,
            (24, False): decode.unpack_r64_24bit,
            (1, True): decode.unpack_r64_quad_1bit,
            (6, True): decode.unpack_r64_quad_6bit,
            (12, True): decode.unpack_r64_quad_12bit,
        }
        kernels[self.depth, self.quad](stored, out)


def decoder_for(header: MibHeader, depth: int | None, path: str) -> Decoder:
    """The decoder for frames with this header.

    Parameters
    ----------
    header : MibHeader
        Header of the first frame.
    depth : int or None
        Counter depth in bits, needed for RAW files only.
    path : str
        Named in messages.

    Raises
    ------
    UnsupportedVariantError
        A variant that is not known well enough to be read correctly: names it and a way around.
    """
    _refuse_incomplete_chips(header, path)
    if header.raw:
        return _raw_decoder(header, depth, path)
    stored = _PROCESSED.get(header.pixel_code)
    if stored is None:
        raise UnsupportedVariantError(
            f"{path}: MIB pixel code {header.pixel_code!r} cannot be read: expected U08, U16, U32 or R64. "
            "Save the data again from the Merlin software with a counter depth of 1, 6, 12 or 24 bits"
        )
    return PlainDecoder(stored, (header.height, header.width))


def _raw_decoder(header: MibHeader, depth: int | None, path: str) -> RawR64Decoder:
    if header.pixel_code != "R64":
        raise UnsupportedVariantError(
            f"{path}: MIB RAW pixel code {header.pixel_code!r} cannot be read: expected R64. {_SAVE_PROCESSED}"
        )
    if depth not in RAW_DEPTHS:
        raise UnsupportedVariantError(
            f"{path}: RAW MIB with a counter depth of {depth} bits: expected one of {RAW_DEPTHS}. {_SAVE_PROCESSED}"
        )
    width, height = header.width, header.height
    if header.layout == "1x1":
        # The two 12-bit images of a 24-bit frame count as columns in the header.
        columns = width // 2 if depth == 24 else width
        shape, quad = (height, columns), False
    elif header.layout in ("2x2", "2x2G"):
        if depth == 24:
            raise UnsupportedVariantError(
                f"{path}: RAW MIB of a quad detector with 24 bits cannot be read: its order is not known. "
                f"{_SAVE_PROCESSED}"
            )
        if width % 4 or width < 4:
            raise UnsupportedVariantError(
                f"{path}: RAW MIB of a quad detector states {width} columns, expected four chips side by side. "
                f"{_SAVE_PROCESSED}"
            )
        shape, quad = (2 * height, width // 2), True
    else:
        raise UnsupportedVariantError(
            f"{path}: RAW MIB with chip layout {header.layout!r} cannot be read: the order of its chips is not "
            f"known. {_SAVE_PROCESSED}"
        )
    per_word = 64 // _STORED_BITS[depth] if depth != 24 else 4
    line = shape[1] // 2 if quad else shape[0] * shape[1]
    if line % per_word:
        raise UnsupportedVariantError(
            f"{path}: RAW MIB with {depth} bits and {width} x {height} pixels does not fill whole 64-bit words. "
            f"{_SAVE_PROCESSED}"
        )
    return RawR64Decoder(depth, shape, quad)


_SAVE_PROCESSED = "Save the data again without the RAW option of the Merlin software"


def _refuse_incomplete_chips(header: MibHeader, path: str) -> None:
    needed = {"1x1": 1, "2x2": 4, "2x2G": 4}.get(header.layout, header.chips)
    enabled = header.chip_mask.bit_count()
    if header.chips == needed == enabled:
        return
    around = _SAVE_PROCESSED
    stored = _PROCESSED.get(header.pixel_code)
    if stored is not None:
        around = (
            f"The pixels as stored are read by load(..., reader='raw', frame_shape=({header.height}, {header.width}), "
            f"dtype={stored.str!r}, header={header.start}, gap={header.start})"
        )
    raise UnsupportedVariantError(
        f"{path}: MIB with an incomplete chip mask: layout {header.layout} needs {needed} chips, the header states "
        f"{header.chips} and "
        f"enables {enabled} (mask {header.chip_mask:X}); where their pixels belong is not known. {around}"
    )


def candidate_depths(header: MibHeader, sidecar_depth: int | None) -> list[int | None]:
    """Counter depths to try, the stated one first; the place of the second header proves which is right.

    Examples
    --------
    >>> from lazy4d.io.mib.header import parse_header
    >>> head = parse_header(b"MQ1,000001,00384,01,0256,0256,R64,   1x1,01,2021,0.001", "scan.mib")
    >>> candidate_depths(head, 6)
    [6, 1, 12, 24]
    """
    if not header.raw:
        return [header.counter_depth or sidecar_depth]
    stated = [depth for depth in (header.counter_depth, sidecar_depth) if depth is not None]
    if header.layout == "1x1" and header.width > _CHIP:
        stated.append(24)  # one chip has 256 columns: twice that are the two halves of 24 bits
    return list(dict.fromkeys([*stated, *RAW_DEPTHS]))

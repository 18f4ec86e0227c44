"""The 1024 bytes that every MRC file starts with, in either byte order, told apart by what makes sense."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from lazy4d.errors import FormatError, TruncatedFileError, UnsupportedVariantError

HEADER_BYTES = 1024
STAMP = b"MAP "
MODES = (0, 1, 2, 3, 4, 6, 7, 12, 16, 101)
"""Pixel modes that programs write."""

_STAMP_AT, _MACHINE_AT, _LABELS_AT, _LABEL_BYTES, _LABELS = 208, 212, 224, 80, 10
_LARGEST_SIDE = 1 << 20
_MOST_UNSTAMPED = 1 << 17
_IMOD_STAMP = 1146047817
_SIGNED_FLAG = 1
_TEXT = frozenset(range(32, 127)) | {0, 9, 10, 13}


@dataclass(frozen=True)
class MrcHeader:
    """What the first 1024 bytes say; names follow the specification of 2014.

    Parameters
    ----------
    order : {"<", ">"}
        Byte order of the file.
    stamped : bool
        ``MAP `` stands at byte 208.
    nx, ny, nz : int
        Columns, rows and sections.
    mode : int
        Pixel mode.
    start, sampling : tuple of int
        NXSTART, NYSTART, NZSTART and MX, MY, MZ.
    cell, angles : tuple of float
        CELLA in Å and CELLB in degrees, x-first.
    axes : tuple of int
        MAPC, MAPR, MAPS.
    statistics : tuple of float
        DMIN, DMAX, DMEAN, RMS.
    space_group : int
        ISPG: 0 images, 1 a volume, 401 and more a stack of volumes.
    extended_bytes : int
        NSYMBT, bytes between this header and the pixels.
    extended_type : str
        EXTTYP, ``""`` where there is none.
    version : int
        NVERSION.
    imod_flags : int or None
        Flags of IMOD; None without its stamp.
    origin : tuple of float
        ORIGIN, x-first.
    machine : bytes
        Machine stamp.
    labels : tuple of str
        Text labels that are not empty.

    Examples
    --------
    >>> head = struct.pack("<10i", 8, 4, 32, 6, 0, 0, 0, 8, 4, 32).ljust(208, bytes(1)) + STAMP
    >>> header = parse_header(head.ljust(1024, bytes(1)), "movie.mrc", 3072)
    >>> header.nx, header.ny, header.nz, header.mode, header.data_start
    (8, 4, 32, 6, 1024)
    """

    order: str
    stamped: bool
    nx: int
    ny: int
    nz: int
    mode: int
    start: tuple[int, ...]
    sampling: tuple[int, ...]
    cell: tuple[float, ...]
    angles: tuple[float, ...]
    axes: tuple[int, ...]
    statistics: tuple[float, ...]
    space_group: int
    extended_bytes: int
    extended_type: str
    version: int
    imod_flags: int | None
    origin: tuple[float, ...]
    machine: bytes
    labels: tuple[str, ...]

    @property
    def data_start(self) -> int:
        """Byte of the first pixel."""
        return HEADER_BYTES + self.extended_bytes

    @property
    def pixel_size(self) -> tuple[float | None, ...]:
        """CELLA / M in Å, x-first; None where the file does not know: 0 or negative."""
        pairs = zip(self.cell, self.sampling, strict=True)
        return tuple(a / m if m > 0 and 0 < a < float("inf") else None for a, m in pairs)

    @property
    def signed_bytes(self) -> bool | None:
        """What the file itself says of bytes (mode 0): signed, unsigned, or None when it leaves it open."""
        if self.imod_flags is not None:
            return bool(self.imod_flags & _SIGNED_FLAG)
        low, high = self.statistics[:2]
        if not low <= high:  # not computed, or not a number
            return None
        return False if high > 127 else True if low < 0 else None

    def as_dictionary(self) -> dict[str, Any]:
        """The fields by the names of the specification, in their order."""
        triples = {
            "NSTART": self.start, "M": self.sampling, "CELLA": self.cell, "CELLB": self.angles, "MAP axes": self.axes,
            "ORIGIN": self.origin,
        }  # fmt: skip
        low, high, mean, rms = self.statistics
        return {
            "NX": self.nx, "NY": self.ny, "NZ": self.nz, "MODE": self.mode,
            **{name: list(values) for name, values in triples.items()},
            "DMIN": low, "DMAX": high, "DMEAN": mean, "RMS": rms,
            "ISPG": self.space_group, "NSYMBT": self.extended_bytes, "EXTTYP": self.extended_type,
            "NVERSION": self.version, "IMOD flags": self.imod_flags,
            "MAP": self.stamped, "MACHST": self.machine.hex(" "), "LABELS": list(self.labels),
            "byte order": "little" if self.order == "<" else "big",
        }  # fmt: skip


def looks_like_mrc(head: bytes) -> bool:
    """True when the first bytes of a file can be an MRC header.

    With the stamp ``MAP `` at byte 208 that is enough; old files lack it, then every field must make sense.

    Parameters
    ----------
    head : bytes
        First bytes of a file.

    Examples
    --------
    >>> looks_like_mrc(bytes(1024)), looks_like_mrc(bytes(208) + b"MAP ")
    (False, True)
    """
    if head[_STAMP_AT:_MACHINE_AT] == STAMP:
        return True
    if len(head) < HEADER_BYTES or not _TEXT.issuperset(head[_LABELS_AT:HEADER_BYTES]):
        return False
    return any(_makes_sense(_fields(head, order)) for order in "<>")


def parse_header(head: bytes, path: str, size: int) -> MrcHeader:
    """The header of a file of `size` bytes, checked.

    The byte order is the one in which sizes, mode, axes, extended header and length of the file make more sense; the
    machine stamp only decides between equals, as many programs write it wrong.

    Parameters
    ----------
    head : bytes
        Its first bytes, 1024 or more.
    path : str
        Named in messages.
    size : int
        Bytes of the file.

    Raises
    ------
    TruncatedFileError
        The file ends inside the header or the extended header.
    FormatError
        A field makes no sense: names it, its byte and what was found.
    UnsupportedVariantError
        Columns, rows and sections are not x, y and z.
    """
    if len(head) < HEADER_BYTES:
        raise TruncatedFileError(
            f"{path}: the file ends inside the MRC header: {HEADER_BYTES} bytes needed, {len(head)} found; "
            "copy it again"
        )
    order = max("<>", key=lambda o: _score(head, o, size))
    header = _build(head, order)
    for name, value, at in (("NX", header.nx, 0), ("NY", header.ny, 4)):
        if not 1 <= value <= _LARGEST_SIDE:
            raise FormatError(
                f"{path}: expected {name}, the number of {'columns' if at == 0 else 'rows'}, between 1 and "
                f"{_LARGEST_SIDE} at byte {at} of the MRC header, found {value}: the header is damaged, or this is no "
                "MRC file"
            )
    if header.extended_bytes < 0:
        raise FormatError(
            f"{path}: expected NSYMBT, the bytes of the extended header, at byte 92 of the MRC header, found "
            f"{header.extended_bytes}: the header is damaged; plain frames are read by reader='raw' with header=bytes"
        )
    if header.data_start > size:
        raise TruncatedFileError(
            f"{path}: the file ends inside its extended header: NSYMBT at byte 92 promises pixels from byte "
            f"{header.data_start} on, the file has {size} bytes; copy it again"
        )
    _check_axes(header, path)
    return header


def _check_axes(header: MrcHeader, path: str) -> None:
    if header.axes in ((1, 2, 3), (0, 0, 0)):
        return
    if sorted(header.axes) != [1, 2, 3]:
        raise FormatError(
            f"{path}: expected MAPC, MAPR, MAPS to be 1, 2, 3 in some order at byte 64 of the MRC header, found "
            f"{', '.join(map(str, header.axes))}: the header is damaged"
        )
    names = ", ".join("xyz"[axis - 1] for axis in header.axes)
    raise UnsupportedVariantError(
        f"{path}: columns, rows and sections are the axes {names} (MAPC, MAPR, MAPS = {header.axes}), expected x, y, "
        "z: its sections are no frames as they were recorded. Write the file again in the order x, y, z, or read the "
        f"sections as they are stored with reader='raw', frame_shape=({header.ny}, {header.nx}), dtype=..., "
        f"header={header.data_start}"
    )


def _fields(head: bytes, order: str) -> tuple[Any, ...]:
    """The first 24 words: NX … ISPG, NSYMBT."""
    return struct.unpack_from(f"{order}10i6f3i3f2i", head)


def _makes_sense(words: tuple[Any, ...]) -> bool:
    """True when nothing in the header speaks against MRC: asked of files without a stamp."""
    axes, angles = words[16:19], words[13:16]
    sides = all(1 <= n <= _MOST_UNSTAMPED for n in words[:2])
    return (
        sides
        and words[3] in MODES
        and words[2] >= -1
        and (axes == (0, 0, 0) or sorted(axes) == [1, 2, 3])
        and all(0 <= angle <= 180 for angle in angles)
        and 0 <= words[22] <= 1000
        and 0 <= words[23] <= 1 << 30
    )


def _score(head: bytes, order: str, size: int) -> int:
    """How much speaks for a byte order."""
    words = _fields(head, order)
    nx, ny, nz, mode = words[:4]
    axes, extended = words[16:19], words[23]
    score = 2 * sum(1 <= n <= _MOST_UNSTAMPED for n in (nx, ny)) + 2 * (mode in MODES)
    score += 2 if sorted(axes) == [1, 2, 3] else int(axes == (0, 0, 0))
    score += 0 <= extended <= size - HEADER_BYTES
    score += 20000 <= struct.unpack_from(f"{order}i", head, 108)[0] < 21000
    score += 0 < nz * ny * nx <= 2 * size if nz > 0 else 0
    machine = head[_MACHINE_AT : _MACHINE_AT + 1]
    return 2 * score + (machine == (b"\x44" if order == "<" else b"\x11"))


def _build(head: bytes, order: str) -> MrcHeader:
    words = _fields(head, order)
    (version,) = struct.unpack_from(f"{order}i", head, 108)
    imod, flags = struct.unpack_from(f"{order}2i", head, 152)
    rms, count = struct.unpack_from(f"{order}fi", head, 216)
    # Some programs leave the number of labels at 0 and write them all the same.
    places = range(_LABELS_AT, HEADER_BYTES, _LABEL_BYTES)[: count if 0 < count <= _LABELS else None]
    labels = [head[at : at + _LABEL_BYTES].split(b"\0")[0].decode("latin-1").strip() for at in places]
    return MrcHeader(
        order=order,
        stamped=head[_STAMP_AT:_MACHINE_AT] == STAMP,
        nx=words[0], ny=words[1], nz=words[2], mode=words[3],
        start=words[4:7], sampling=words[7:10], cell=words[10:13], angles=words[13:16], axes=words[16:19],
        statistics=(*words[19:22], rms),
        space_group=words[22],
        extended_bytes=words[23],
        extended_type=head[104:108].split(b"\0")[0].decode("latin-1").strip() if head[104:108].isalnum() else "",
        version=version,
        imod_flags=flags if imod == _IMOD_STAMP else None,
        origin=struct.unpack_from(f"{order}3f", head, 196),
        machine=head[_MACHINE_AT : _MACHINE_AT + 4],
        labels=tuple(label for label in labels if label),
    )  # fmt: skip

"""Extended headers of MRC files: what microscopes wrote between the header and the pixels."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np

from lazy4d.io.mrc.header import MrcHeader

MOST_SECTIONS = 1024
"""Sections whose records are kept; what belongs to a frame of a scan hardly differs from the next."""

READ_BYTES = 1 << 20
"""Bytes of an extended header that are looked at."""

# Thermo Fisher's records (FEI1, FEI2), packed without gaps. One bit of the bitmask before them tells whether a field
# is filled, in order from the lowest: `name:code`, and `-:code` for fields kept for later use.
_FEI = """
Bitmask:I Timestamp:d Microscope:16s D-number:16s Application:16s Application version:16s HT:d Dose:d Alpha tilt:d
Beta tilt:d Stage X:d Stage Y:d Stage Z:d Tilt axis angle:d Dual axis rotation:d Pixel size X:d Pixel size Y:d -:d -:d
-:d -:d -:d -:d Defocus:d STEM defocus:d Applied defocus:d Instrument mode:i Projection mode:i Objective lens mode:16s
High magnification mode:16s Probe mode:i EFTEM on:? Magnification:d
Bitmask:I Camera length:d Spot index:i Illuminated area:d Intensity:d Convergence angle:d Illumination mode:16s
Wide convergence angle range:? Slit inserted:? Slit width:d Acceleration voltage offset:d Drift tube voltage:d
Energy shift:d Shift offset X:d Shift offset Y:d Shift X:d Shift Y:d Integration time:d Binning width:i Binning height:i
Camera name:16s Readout area left:i Readout area top:i Readout area right:i Readout area bottom:i
Ceta noise reduction:? Ceta frames summed:i Electron counting:? Align frames:? -:i -:i -:i -:i
Bitmask:I -:i -:i -:i -:i -:i -:i Phase plate:? STEM detector:16s Gain:d Offset:d -:i -:i -:i -:i -:i Dwell time:d
Frame time:d Scan left:i Scan top:i Scan right:i Scan bottom:i Full scan field of view X:d Full scan field of view Y:d
Element:16s Energy interval lower:d Energy interval higher:d Method:i Is dose fraction:? Fraction number:i
Start frame:i End frame:i Input stack:80s
Bitmask:I Alpha tilt minimum:d Alpha tilt maximum:d Scan rotation:d Diffraction pattern rotation:d Image rotation:d
Scan mode:i Acquisition time stamp:q Detector:16s Start tilt angle:d End tilt angle:d Tilt per image:d Tilt speed:d
Beam centre X:i Beam centre Y:i Gun flash time stamp:q Phase plate position:i Objective aperture:16s
"""
_FEI_FIELDS = [match.groups() for match in re.finditer(r"(\S[^:\n]*):(\w+|\?)", _FEI)]

# Records of 32 floats a section, 1024 of them, as FEI's older programs and UCSF's wrote.
_AGARD = (
    "Alpha tilt", "Beta tilt", "Stage X", "Stage Y", "Stage Z", "Shift X", "Shift Y", "Defocus", "Exposure time",
    "Mean intensity", "Tilt axis angle", "Pixel size", "Magnification", "HT", "Binning", "Applied defocus",
)  # fmt: skip
_AGARD_BYTES, _AGARD_SECTIONS = 128, 1024

# SerialEM: bits of the flags at byte 130, the int16 values that each adds to a section, and what divides them.
_SERIAL = (
    (1, ("Tilt angle",), 100.0),
    (2, ("Piece X", "Piece Y", "Piece Z"), 1.0),
    (4, ("Stage X", "Stage Y"), 25.0),
    (8, ("Magnification",), 0.01),
    (16, ("Intensity",), 25000.0),
)
_SERIAL_AT = 128


def parse_extended(block: bytes, head: bytes, header: MrcHeader, sections: int) -> dict[str, Any]:
    """What the extended header says, by the names and in the units of the program that wrote it; empty when unknown.

    Parameters
    ----------
    block : bytes
        The bytes behind the first 1024, up to `READ_BYTES`.
    head : bytes
        The first 1024 bytes.
    header : MrcHeader
        The header.
    sections : int
        Frames of the file; an extended header often has room for more.

    Returns
    -------
    dict
        FEI1 and FEI2: the fields of the first section. SerialEM and the older FEI and UCSF records: one array a field.
        Damaged records are left out: they carry no pixels, and nothing depends on them.
    """
    if header.extended_bytes <= 0 or not block:
        return {}
    kind = header.extended_type
    if kind in ("FEI1", "FEI2"):
        return _fei(block, header.order, kind)
    per_section, flags = struct.unpack_from(f"{header.order}2h", head, _SERIAL_AT)
    if kind == "SERI" or (not kind and 0 < per_section and 0 < flags < 64 and _serial_bytes(flags) == per_section):
        return _serial(block, header, per_section, flags, sections)
    if kind == "AGAR" or (not kind and header.extended_bytes == _AGARD_BYTES * _AGARD_SECTIONS):
        return _agard(block, header, sections)
    return {}


def _fei(block: bytes, order: str, kind: str) -> dict[str, Any]:
    orders = (order, "<", ">")
    sizes = [struct.unpack_from(f"{o}2i", block) if len(block) >= 8 else (0, 0) for o in orders]
    found = next(((o, s) for o, s in zip(orders, sizes, strict=True) if 172 <= s[0] <= 65536), None)
    if found is None:
        return {}
    order, (size, version) = found
    record = block[:size]
    result: dict[str, Any] = {"Type": kind, "Metadata size": size, "Metadata version": version}
    at, mask, bit = 8, 0, 0
    for name, code in _FEI_FIELDS:
        nbytes = struct.calcsize(f"<{code}")
        if at + nbytes > len(record):
            break
        (value,) = struct.unpack_from(order + code, record, at)
        at += nbytes
        if name == "Bitmask":
            # The bitmasks are little-endian whatever the rest is.
            mask, bit = struct.unpack_from("<I", record, at - nbytes)[0], 0
            continue
        if mask >> bit & 1 and name != "-":
            result[name] = value.split(b"\0")[0].decode("latin-1").strip() if isinstance(value, bytes) else value
        bit += 1
    return result


def _serial_bytes(flags: int) -> int:
    """Bytes of a section's record with these flags; bit 5 adds two values of exposure dose."""
    return sum(2 * len(names) for bit, names, _ in _SERIAL if flags & bit) + (4 if flags & 32 else 0)


def _serial(block: bytes, header: MrcHeader, per_section: int, flags: int, sections: int) -> dict[str, Any]:
    if per_section <= 0 or _serial_bytes(flags) > per_section:
        return {}
    count = min(sections, MOST_SECTIONS, len(block) // per_section)
    rows = np.frombuffer(block, np.uint8, count * per_section).reshape(count, per_section)
    result: dict[str, Any] = {"Type": "SERI"}
    at = 0
    for bit, names, divisor in _SERIAL:
        if flags & bit:
            for name in names:
                values = np.ascontiguousarray(rows[:, at : at + 2]).view(f"{header.order}i2")[:, 0]
                result[name] = values / divisor if divisor != 1 else values.astype(np.int64)
                at += 2
    return result


def _agard(block: bytes, header: MrcHeader, sections: int) -> dict[str, Any]:
    count = min(sections, MOST_SECTIONS, len(block) // _AGARD_BYTES)
    rows = np.frombuffer(block, f"{header.order}f4", count * 32).reshape(count, 32).astype(np.float64)
    if not rows.any():
        return {}
    return {"Type": header.extended_type or "FEI", **{name: rows[:, k].copy() for k, name in enumerate(_AGARD)}}

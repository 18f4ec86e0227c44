"""Files several times as large as a process may be, sparse where the format allows, with known frames in them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.blo import blo_header
from lazy4d.data.empad import empad_xml
from lazy4d.data.mib_header import MibHeader
from lazy4d.data.mrc import write_mrc
from lazy4d.data.seq import seq_header
from lazy4d.data.tvips import tvips_header

NAV = (64, 64)
SIDE = 256
COUNT = NAV[0] * NAV[1]
MARKED = (0, COUNT // 2 + 5, COUNT - 1)
"""Frames that are not zero."""


@dataclass(frozen=True)
class Large:
    """What to load; every frame is zero but those at `MARKED`, which hold `marked_frame`."""

    path: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    reader: str | None = None


def marked_frame(k: int, side: int = SIDE) -> NDArray[np.uint16]:
    return np.random.default_rng(k).integers(0, 200, (side, side), np.uint16)


def _sparse(
    path: Path,
    start: bytes,
    dtype: str,
    *,
    head: Callable[[int], bytes] | None = None,
    behind: int = 0,
    side: int = SIDE,
) -> Path:
    """A file header, `COUNT` records of a head, pixels and bytes behind; only heads and marked frames are written."""
    pixels = side * side * np.dtype(dtype).itemsize
    before = len(head(0)) if head else 0
    stride = before + pixels + behind
    with open(path, "wb") as file:
        file.write(start)
        for k in range(COUNT) if head else MARKED:
            file.seek(len(start) + k * stride)
            if head:
                file.write(head(k))
            if k in MARKED:
                file.write(marked_frame(k, side).astype(dtype).tobytes())
        file.truncate(len(start) + COUNT * stride)
    return path


def mib(folder: Path) -> Large:
    header = MibHeader((SIDE, SIDE))
    return Large(_sparse(folder / "a.mib", b"", ">u2", head=lambda k: header.encode(k + 1, k)), {"scan_shape": NAV})


def mrc(folder: Path) -> Large:
    path = write_mrc(folder / "a.mrc", marked_frame(0)[None], nz=COUNT)
    return Large(_sparse(path, path.read_bytes()[:1024], "<u2"), {"scan_shape": NAV})


def npy(folder: Path) -> Large:
    path = folder / "a.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"shape": (*NAV, SIDE, SIDE), "fortran_order": False, "descr": ">u2"}
        )
    return Large(_sparse(path, path.read_bytes(), ">u2"))


def raw(folder: Path) -> Large:
    return Large(
        _sparse(folder / "a.raw", bytes(64), "<u2"),
        {"scan_shape": NAV, "frame_shape": (SIDE, SIDE), "dtype": "<u2", "header": 64},
        reader="raw",
    )


def seq(folder: Path) -> Large:
    stride = SIDE * SIDE * 2 + 8192
    start = seq_header((SIDE, SIDE), 16, COUNT, stride).ljust(8192, b"\0")
    return Large(_sparse(folder / "a.seq", start, "<u2", behind=8192), {"scan_shape": NAV})


def blo(folder: Path) -> Large:
    start = blo_header(NAV, SIDE, 4096 + COUNT) + bytes(COUNT)
    return Large(_sparse(folder / "a.blo", start, "u1", head=lambda k: struct.pack("<HI", 0x55AA, k)))


def empad(folder: Path) -> Large:
    path = _sparse(folder / "scan_x64_y64.raw", b"", "<f4", behind=2 * 128 * 4, side=128)
    (folder / "scan.xml").write_text(empad_xml(path.name, NAV))
    return Large(path)


def tvips(folder: Path) -> Large:
    start = tvips_header((SIDE, SIDE), 16, version=1)
    path = _sparse(folder / "a.tvips", start, "<u2", head=lambda k: struct.pack("<3I", k, 1660245227 + k, 0))
    return Large(path, {"scan_shape": NAV})


def store(folder: Path, suffix: str) -> Large:
    """What lazy4d writes, from a lazy array that is never whole in memory."""
    import dask.array as da

    import lazy4d as l4

    def block(block_id: tuple[int, ...]) -> NDArray[np.uint16]:
        out = np.zeros((1, NAV[1], SIDE, SIDE), np.uint16)
        for k in MARKED:
            if k // NAV[1] == block_id[0]:
                out[0, k % NAV[1]] = marked_frame(k)
        return out

    chunks = ((1,) * NAV[0], (NAV[1],), (SIDE,), (SIDE,))
    array = da.map_blocks(block, chunks=chunks, dtype="uint16", meta=np.empty((0,) * 4, "uint16"))
    path = folder / f"a{suffix}"
    with l4.set_options(progress=False):
        l4.Diffraction2D(array).save(path)
    return Large(path)


def zarr(folder: Path) -> Large:
    return store(folder, ".zarr")


def zarr_chunks(folder: Path) -> Large:
    """Chunks of several rows and columns of the scan, as other programs write them; most are never written."""
    import zarr as zarr_python

    array = zarr_python.create_array(folder / "b.zarr", shape=(*NAV, SIDE, SIDE), chunks=(4, 4, SIDE, SIDE), dtype="u2")
    for k in MARKED:
        array[k // NAV[1], k % NAV[1]] = marked_frame(k)
    return Large(folder / "b.zarr")


def hdf5(folder: Path) -> Large:
    """Packed chunks of a frame each."""
    import h5py

    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("frames", (*NAV, SIDE, SIDE), "<u2", chunks=(1, 1, SIDE, SIDE), compression="gzip")
        blank = np.zeros((SIDE, SIDE), "<u2")
        for k in range(COUNT):
            if k in MARKED:
                stored[k // NAV[1], k % NAV[1]] = marked_frame(k)
            elif k == 1:
                stored[0, 1] = blank
                _, packed = stored.id.read_direct_chunk((0, 1, 0, 0))
            else:
                stored.id.write_direct_chunk((k // NAV[1], k % NAV[1], 0, 0), packed)
    return Large(path)


def rosettasciio(folder: Path) -> Large:
    text = {
        "width": SIDE, "height": SIDE, "depth": COUNT, "offset": 0, "data-length": 2, "data-type": "unsigned",
        "byte-order": "little-endian", "record-by": "image",
    }  # fmt: skip
    path = folder / "a.rpl"
    path.write_text("key\tvalue\n" + "".join(f"{key}\t{value}\n" for key, value in text.items()))
    _sparse(folder / "a.raw", b"", "<u2")
    return Large(path, {"scan_shape": NAV}, reader="rosettasciio")


LARGE: dict[str, Callable[[Path], Large]] = {
    "blo": blo,
    "empad": empad,
    "hdf5": hdf5,
    "mib": mib,
    "mrc": mrc,
    "npy": npy,
    "raw": raw,
    "rosettasciio": rosettasciio,
    "seq": seq,
    "tvips": tvips,
    "zarr": zarr,
    "zarr in chunks of 4 x 4": zarr_chunks,
}
"""A file at least for each reader."""

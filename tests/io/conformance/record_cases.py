"""Cases of formats that store frames as plain records: Merlin, StreamPix, MRC, NumPy and plain binary files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.blo import write_blo
from lazy4d.data.empad import write_empad
from lazy4d.data.mib import write_mib, write_mib_series
from lazy4d.data.mrc import fei_header, write_direct_electron, write_mrc
from lazy4d.data.raw import write_raw
from lazy4d.data.seq import write_celeritas, write_seq
from lazy4d.data.seq_sidecars import write_config, write_missing_frames, write_records
from lazy4d.data.tvips import write_tvips
from tests.io.conformance.model import NAV, Case, Encoder, Region, Written, records, whole

SHAPED = {"scan_shape": NAV}
COUNT = NAV[0] * NAV[1]
SERVER_AXES = {"x": ("nm", 0.5, 0.0), "y": ("nm", 0.25, 0.0), "kx": ("1/nm", 0.1, 0.0), "ky": ("1/nm", 0.1, 0.0)}


def mib(bits: int, header: int = 384, **settings: Any) -> Encoder:
    """One Merlin file with its ``.hdr``; pixels take `bits`."""

    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        path = write_mib(folder / f"{stem}.mib", frames, **settings)
        hdr = path.with_suffix(".hdr")
        pixels = frames[0, 0].size * bits // 8
        parts = records(path, count=COUNT, before=header, pixels=pixels)
        return Written(path, frames, (path,), (*parts, whole(hdr)), (hdr,))

    return write


def mib_series(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    paths = write_mib_series(folder, frames, stem=stem, frames_per_file=5)
    pixels = frames[0, 0].nbytes
    parts = [
        part
        for path, count in zip(paths, (5, 5, 2), strict=True)
        for part in records(path, count=count, before=384, pixels=pixels)
    ]
    hdr = folder / f"{stem}.hdr"
    return Written([str(path) for path in paths], frames, tuple(paths), (*parts, whole(hdr)), (hdr,))


def mrc(**settings: Any) -> Encoder:
    """One MRC file, header and extended header apart."""

    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        path = write_mrc(folder / f"{stem}.mrc", frames, **settings)
        start = 1024 + len(settings.get("extended", b""))
        pixels = (path.stat().st_size - start) // COUNT
        cell, size = settings.get("cell"), frames.shape[-1]
        axes = {"kx": ("Å", cell[0] / size, 0.0), "ky": ("Å", cell[1] / frames.shape[-2], 0.0)} if cell else {}
        extended = [Region(path, "extended header", 1024, start, True)] if start > 1024 else []
        return Written(
            path, frames.astype("f4") if settings.get("mode") == 12 else frames, (path,),
            (*records(path, count=COUNT, pixels=pixels, start=start), *extended), (), axes,
        )  # fmt: skip

    return write


def movie(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    path = write_direct_electron(folder, frames, prefix=stem)
    info = folder / f"{stem}_info.txt"
    images = [p for p in folder.iterdir() if p.name.startswith(stem) and p not in (path, info)]
    parts = records(path, count=COUNT, pixels=frames[0, 0].nbytes, start=1024)
    images_parts = [Region(image, f"header of {image.name}", 0, 1024, True) for image in images]
    return Written(path, frames, (path,), (*parts, whole(info), *images_parts), (info, *images), SERVER_AXES)


def random_scan(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """Frames in the order of a table of coordinates."""
    order = np.random.default_rng(3).permutation(COUNT)
    flat = np.empty((COUNT, *frames.shape[-2:]), frames.dtype)
    flat[:] = frames.reshape(COUNT, *frames.shape[-2:])[order]
    xy = [(int(k) % NAV[1], int(k) // NAV[1]) for k in order]
    path = write_direct_electron(
        folder, flat.reshape(frames.shape), prefix=stem, info={"Scan - Type": "Random"}, coordinates=xy, images=False
    )
    table, info = folder / f"{stem}_scan_coordinates.csv", folder / f"{stem}_info.txt"
    parts = records(path, count=COUNT, pixels=frames[0, 0].nbytes, start=1024)
    return Written(path, frames, (path,), (*parts, whole(table), whole(info)), (table, info), SERVER_AXES)


def npy(stored: str, version: tuple[int, int] = (1, 0)) -> Encoder:
    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        path = folder / f"{stem}.npy"
        with open(path, "wb") as file:
            np.lib.format.write_array(file, frames.astype(stored), version)
        start = path.stat().st_size - frames.nbytes
        return Written(path, frames, (path,), records(path, count=COUNT, pixels=frames[0, 0].nbytes, start=start))

    return write


def raw(header: int = 0, gap: int = 0) -> Encoder:
    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        path = write_raw(folder / f"{stem}.raw", frames, byteorder=">", header_bytes=header, gap_after=gap)
        return Written(
            path, frames, (path,), records(path, count=COUNT, pixels=frames[0, 0].nbytes, behind=gap, start=header)
        )

    return write


def seq(version: int = 5, *, close: bool = False) -> Encoder:
    """One StreamPix file, its images `close` behind each other or at multiples of 8192 bytes."""

    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        pixels, start = frames[0, 0].nbytes, 8192 if version >= 5 else 1024
        step = pixels + 8 if close else -(-(pixels + 8) // 8192) * 8192
        path = write_seq(folder / f"{stem}.seq", frames, version=version, stride=step)
        parts = records(path, count=COUNT, pixels=pixels, behind=step - pixels, start=start)
        return Written(path, frames, (path,), parts)

    return write


def seq_companions(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """A file with everything that a Direct Electron camera writes beside it."""
    written = seq()(folder, stem, frames)
    base = written.path
    info = {"ImageSizeX": frames.shape[-1], "ImageSizeY": frames.shape[-2], "HT": 200, "FrameRate": 500.0}
    beside = (
        write_config(base, info, defects=[{"Row": 3}, {"Column": 5, "Rows": "0-7"}]),
        write_missing_frames(base),
        write_records(base, COUNT, first_image=None, frame_rate=500.0, camera_length=0.2),
    )
    return Written(base, frames, (base,), (*written.regions, *map(whole, beside)), beside)


def halves(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """Counters overwrite two pixels of each frame: made part of `frames`, so that exact pixels can be asked."""
    flat, rows = frames.reshape(-1, *frames.shape[-2:]), frames.shape[-2] // 2
    flat[:, rows - 1, 0] = flat[:, rows, 0] = np.arange(len(flat))
    top, bottom = write_celeritas(folder, frames, stem=stem, pre_buffer=4, padding=False)
    config = write_config(folder / f"{stem}.seq", {"SegmentPreBuffer": 4, "ImageSizeX": frames.shape[-1]})
    parts = [
        part
        for path in (top, bottom)
        for part in records(path, count=3, pixels=frames[0, 0].nbytes * 2, behind=8, start=8192, named="image")
    ]
    return Written(top, frames, (top, bottom), (*parts, whole(config)), (config,))


def blo(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    path = write_blo(folder / f"{stem}.blo", frames)
    start = 4096 + COUNT + 10
    parts = records(path, count=COUNT, before=6, pixels=frames[0, 0].nbytes, start=start)
    axes = {"x": ("nm", 12.8, 0.0), "y": ("nm", 6.4, 0.0)}
    axes |= {name: ("cm", 1 / 62.26, 0.0) for name in ("kx", "ky")}
    return Written(path, frames, (path,), parts, (), axes)


def empad(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """The XML alone tells the scan."""
    path = write_empad(folder, frames, name=f"{stem}.raw", xml=f"{stem}.xml")
    xml = path.with_suffix(".xml")
    parts = records(path, count=COUNT, pixels=128 * 128 * 4, behind=2 * 128 * 4)
    step = 1272 / 0.72 / max(NAV)
    axes = {"x": ("nm", step, 0.0), "y": ("nm", step, 0.0)}
    return Written(path, frames, (path,), (*parts, whole(xml)), (xml,), axes)


def tvips(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """One stream with scan positions in its frame headers."""
    [path] = write_tvips(folder / f"{stem}.tvips", frames, scan=NAV)
    parts = records(path, count=COUNT, before=108, pixels=frames[0, 0].nbytes, start=256)
    return Written(path, frames, (path,), parts)


def tvips_parts(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    paths = write_tvips(folder / f"{stem}_000.tvips", frames, version=1, frames_per_file=5)
    parts = [
        part
        for k, path in enumerate(paths)
        for part in records(
            path, count=(5, 5, 2)[k], before=12, pixels=frames[0, 0].nbytes, start=0 if k else 256
        )
    ]
    return Written(paths[0], frames, tuple(paths), tuple(parts))


def with_info(info: Mapping[str, Any]) -> dict[str, Any]:
    return {**SHAPED, **info}


CASES = {
    "blo": Case("blo", blo, frame_shape=(16, 16), dtype="u1", below=256, magic=6, big=(256, 256)),
    "blo 16 bit": Case("blo", blo, frame_shape=(16, 16), magic=6, big=(256, 256)),
    "empad": Case("empad", empad, frame_shape=(128, 128), dtype="f4", headerless=True, magic=0, big=(128, 128)),
    "mib": Case("mib", mib(16)),
    "mib one byte": Case("mib", mib(8, mode="U08"), dtype="u1", below=64),
    "mib four bytes": Case("mib", mib(32, mode="U32"), dtype="u4", below=1 << 24),
    "mib quad": Case("mib", mib(16, 768, chips="2x2")),
    "mib raw 1 bit": Case("mib", mib(1, mode="R1"), dtype="u1", below=2),
    "mib raw 6 bit": Case("mib", mib(8, mode="R6"), dtype="u1", below=64),
    "mib raw 12 bit": Case("mib", mib(16, mode="R12")),
    "mib raw 24 bit": Case("mib", mib(32, mode="R24"), dtype="u4", below=1 << 24),
    "mib raw quad": Case("mib", mib(16, 768, mode="R12", chips="2x2"), frame_shape=(16, 128)),
    "mib stream": Case("mib", mib(16, 399, tcp_prefix=True), magic=0),
    "mib old": Case("mib", mib(16, 384, mq1a=False)),
    "mib series": Case("mib", mib_series),
    "mrc": Case("mrc", mrc(cell=(6.4, 3.2, 0.0)), SHAPED, magic=0),
    "mrc big-endian": Case("mrc", mrc(byteorder=">"), SHAPED, magic=0),
    "mrc bytes": Case("mrc", mrc(mode=0, imod_flags=0), SHAPED, dtype="u1", below=256, magic=0),
    "mrc int16": Case("mrc", mrc(), SHAPED, dtype="i2", magic=0),
    "mrc float32": Case("mrc", mrc(extended=fei_header(ht=300e3), exttyp=b"FEI1"), SHAPED, dtype="f4", magic=0),
    "mrc float16": Case("mrc", mrc(mode=12), SHAPED, dtype="f2", below=512, magic=0),
    "mrc complex64": Case("mrc", mrc(), SHAPED, dtype="c8", magic=0),
    "mrc 4 bit": Case("mrc", mrc(mode=101), SHAPED, frame_shape=(16, 63), dtype="u1", below=16, magic=0),
    "mrc movie": Case("mrc", movie, magic=0),
    "mrc random scan": Case("mrc", random_scan, magic=0, rearranged=False),
    "npy": Case("npy", npy(">u2")),
    "npy version 3": Case("npy", npy("<f4", (3, 0)), dtype="f4"),
    "raw": Case("raw", raw(), with_info({"frame_shape": (16, 64), "dtype": ">u2"}), headerless=True, magic=0),
    "raw gaps": Case(
        "raw",
        raw(100, 28),
        with_info({"frame_shape": (16, 64), "dtype": ">u2", "header": 100, "gap": 28}),
        headerless=True,
        magic=0,
    ),
    "seq": Case("seq", seq(), SHAPED),
    "seq close": Case("seq", seq(close=True), SHAPED),
    "seq version 3": Case("seq", seq(version=3), SHAPED, dtype="u1", below=256),
    "seq companions": Case("seq", seq_companions, SHAPED),
    "seq halves": Case("seq", halves, SHAPED),
    "tvips": Case("tvips", tvips, magic=8, counted=False),
    "tvips parts": Case("tvips", tvips_parts, SHAPED, dtype="u1", below=256, magic=8),
}

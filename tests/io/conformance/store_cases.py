"""Cases of formats that store frames in chunks of their own: Zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lazy4d as l4
from tests.io.conformance.model import Case, Region, Written, files_in, whole

CALIBRATION = {"x": ("nm", 0.5, 1.0), "y": ("nm", 0.25, 0.0), "kx": ("1/nm", 0.1, -3.2), "ky": ("1/nm", 0.1, -0.8)}


def document(path: Path) -> bool:
    """Whether a file of a store says how to read others."""
    return path.name in ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


def store_regions(folder: Path) -> tuple[Region, ...]:
    """Every file of a store, first and last chunk of many."""
    files = sorted(files_in(folder))
    documents = [f for f in files if document(f)]
    chunks = [f for f in files if not document(f)]
    return (*map(whole, documents), *(whole(f, fuzzed=False) for f in chunks[:1] + chunks[-1:]))


def own_store(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    signal = l4.Diffraction2D(np.array(frames))
    for name, (units, scale, offset) in CALIBRATION.items():
        axis = signal.axes_manager[name]
        axis.units, axis.scale, axis.offset = units, scale, offset
    path = folder / f"{stem}.zarr"
    signal.save(path)
    return Written(path, frames, (path,), store_regions(path), (), CALIBRATION)


CASES = {
    "zarr": Case("zarr", own_store, magic=0, understood_once=True),
}

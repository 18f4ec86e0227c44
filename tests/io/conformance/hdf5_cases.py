"""Cases of HDF5: the dialects of programs, contiguous and chunked, plain and packed; written by h5py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.io.conformance.model import NAV, Case, Encoder, Region, Written

COUNT = NAV[0] * NAV[1]
AXES = {"y": ("nm", 0.25, 0.0), "x": ("nm", 0.5, 1.0), "ky": ("1/nm", 0.1, -0.8), "kx": ("1/nm", 0.2, -6.4)}
Fill = Callable[[Any, NDArray[Any]], str]


def h5(fill: Fill, suffix: str = ".h5", axes: Mapping[str, tuple[str, float, float]] | None = None) -> Encoder:
    """A file that `fill` writes; it returns the path of the data set inside."""

    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        import h5py

        path = folder / f"{stem}{suffix}"
        with h5py.File(path, "w") as file:
            dataset = fill(file, frames)
        return Written(path, frames, (path,), h5_regions(path, dataset), (), axes or {})

    return write


def structure(path: Path, start: int, stop: int) -> list[Region]:
    """Bytes that say how to read the others."""
    return [Region(path, f"structure at {start}", start, stop, fuzzed=True)]


def h5_regions(path: Path, dataset: str) -> tuple[Region, ...]:
    """Pixels by the places that HDF5 itself tells; everything else says how to read them."""
    import h5py

    with h5py.File(path) as file:
        stored = file[dataset]
        if stored.chunks is None:
            spans = [(stored.id.get_offset(), stored.nbytes)]
        else:
            chunks = [stored.id.get_chunk_info(k) for k in range(stored.id.get_num_chunks())]
            spans = sorted((chunk.byte_offset, chunk.size) for chunk in chunks)
    size, at = path.stat().st_size, 0
    found = []
    for offset, nbytes in spans:
        if offset > at:
            found += structure(path, at, offset)
        found.append(Region(path, f"stored at {offset}", offset, offset + nbytes))
        at = offset + nbytes
    if size > at:
        found += structure(path, at, size)
    return tuple(found[:3] + found[-3:]) if len(found) > 6 else tuple(found)


def plain(stored: str = "u2", **settings: Any) -> Fill:
    """One data set that no dialect knows."""

    def fill(file: Any, frames: NDArray[Any]) -> str:
        file.create_dataset("some/frames", data=frames.astype(stored), **settings)
        return "some/frames"

    return fill


def bitshuffled(file: Any, frames: NDArray[Any]) -> str:
    import hdf5plugin

    file.create_dataset("some/frames", data=frames, chunks=(1, 2, *frames.shape[2:]), **hdf5plugin.Bitshuffle())
    return "some/frames"


def py4dstem(file: Any, frames: NDArray[Any]) -> str:
    file.attrs.update(
        {"emd_group_type": "file", "version_major": 1, "version_minor": 0, "authoring_program": "somebody"}
    )
    root = file.create_group("datacube_root")
    root.attrs.update({"emd_group_type": "root", "python_class": "Root"})
    cube = root.create_group("datacube")
    cube.attrs.update({"emd_group_type": "array", "python_class": "DataCube"})
    cube.create_dataset("data", data=frames).attrs["units"] = "pixel intensity"
    names = {"y": "Rx", "x": "Ry", "ky": "Qx", "kx": "Qy"}
    for k, (name, (units, scale, offset)) in enumerate(AXES.items()):
        vector = cube.create_dataset(f"dim{k}", data=np.array([offset, offset + scale]))
        vector.attrs.update({"name": names[name], "units": units.replace("1/nm", "nm^-1")})
    return "datacube_root/datacube/data"


def emd0(file: Any, frames: NDArray[Any]) -> str:
    file.attrs.update({"version_major": 0, "version_minor": 2})
    group = file.create_group("data/scan")
    group.attrs["emd_group_type"] = 1
    group.create_dataset("data", data=frames)
    for k, (name, (units, scale, offset)) in enumerate(AXES.items()):
        vector = group.create_dataset(f"dim{k + 1}", data=offset + scale * np.arange(frames.shape[k]))
        vector.attrs.update({"name": name, "units": {"nm": "[n_m]", "1/nm": "[n_m^-1]"}[units]})
    return "data/scan/data"


def hspy(chunks: tuple[int, ...] | None) -> Fill:
    def fill(file: Any, frames: NDArray[Any]) -> str:
        file.attrs.update({"file_format": "HyperSpy", "file_format_version": "3.3"})
        experiment = file.create_group("Experiments/scan")
        packing = {"compression": "gzip"} if chunks else {}
        experiment.create_dataset("data", data=frames, chunks=chunks, **packing)
        for k, (name, (units, scale, offset)) in enumerate(AXES.items()):
            experiment.create_group(f"axis-{k}").attrs.update(
                {
                    "_type": "UniformDataAxis", "name": name, "units": units, "scale": scale, "offset": offset,
                    "size": frames.shape[k], "navigate": k < 2, "is_binned": False,
                }
            )  # fmt: skip
        experiment.create_group("metadata/General").attrs["title"] = "scan"
        experiment.create_group("metadata/Signal").attrs["signal_type"] = "electron_diffraction"
        experiment.create_group("original_metadata")
        return "Experiments/scan/data"

    return fill


def nexus(file: Any, frames: NDArray[Any]) -> str:
    file.attrs["default"] = "entry"
    entry = file.create_group("entry")
    entry.attrs.update({"NX_class": "NXentry", "default": "data"})
    data = entry.create_group("data")
    data.attrs.update({"NX_class": "NXdata", "signal": "frames", "axes": list(AXES)})
    data.create_dataset("frames", data=frames, chunks=(1, 4, *frames.shape[2:]), compression="lzf")
    for k, (name, (units, scale, offset)) in enumerate(AXES.items()):
        data.create_dataset(name, data=offset + scale * np.arange(frames.shape[k])).attrs["units"] = units
    return "entry/data/frames"


def arina(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """A master, two files of frames that it links to, and the file of the microscope with the shape of the scan."""
    import h5py
    import hdf5plugin

    flat = frames.reshape(COUNT, *frames.shape[2:])
    parts = []
    for k, part in enumerate((flat[:7], flat[7:]), 1):
        parts.append(folder / f"{stem}_data_{k:06d}.h5")
        with h5py.File(parts[-1], "w") as file:
            settings = {"chunks": (1, *part.shape[1:]), **hdf5plugin.Bitshuffle()}
            stored = file.create_dataset("entry/data/data", data=part, **settings)
            stored.attrs.update({"image_nr_low": 1 if k == 1 else 8, "image_nr_high": 7 if k == 1 else 12})
    path, beside = folder / f"{stem}_master.h5", folder / f"{stem}.h5"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXmx"
        for k, part in enumerate(parts, 1):
            entry[f"data/data_{k:06d}"] = h5py.ExternalLink(part.name, "/entry/data/data")
        detector = entry.create_group("instrument/detector")
        detector["detectorSpecific/ntrigger"], detector["detectorSpecific/nimages"] = COUNT, 1
        detector["description"] = "Dectris ARINA Si"
    with h5py.File(beside, "w") as file:
        file.create_group("STEM Metadata").attrs.update({"NumPixelsX": NAV[1], "NumPixelsY": NAV[0]})
    regions = [region for part in parts for region in h5_regions(part, "entry/data/data")]
    return Written(path, frames, (path, *parts), (*structure(path, 0, path.stat().st_size), *regions), (beside,))


NEEDS = ("h5py",)
PACKED = ("h5py", "hdf5plugin")
GZIP = {"chunks": (2, 3, 16, 64), "compression": "gzip", "shuffle": True, "fletcher32": True}
CASES = {
    "hdf5": Case("hdf5", h5(plain()), magic=8, needs=NEEDS),
    "hdf5 big-endian": Case("hdf5", h5(plain(">u2")), magic=8, needs=NEEDS),
    "hdf5 chunked": Case("hdf5", h5(plain(chunks=(1, 4, 16, 64))), magic=8, needs=NEEDS),
    "hdf5 gzip": Case("hdf5", h5(plain("f4", **GZIP)), dtype="f4", magic=8, needs=NEEDS),
    "hdf5 cut frames": Case("hdf5", h5(plain(chunks=(2, 2, 5, 33), compression="lzf")), magic=8, needs=NEEDS),
    "hdf5 bitshuffle": Case("hdf5", h5(bitshuffled), magic=8, needs=PACKED),
    "hdf5 py4DSTEM": Case("hdf5", h5(py4dstem, axes=AXES), magic=8, needs=NEEDS),
    "hdf5 EMD 0": Case("hdf5", h5(emd0, ".emd", AXES), magic=8, needs=NEEDS),
    "hdf5 hspy": Case("hdf5", h5(hspy((1, 2, 16, 64)), ".hspy", AXES), magic=8, needs=NEEDS),
    "hdf5 hspy contiguous": Case("hdf5", h5(hspy(None), ".hspy", AXES), magic=8, needs=NEEDS),
    "hdf5 NeXus": Case("hdf5", h5(nexus, ".nxs", AXES), magic=8, needs=NEEDS),
    "hdf5 Arina": Case("hdf5", arina, dtype="u4", below=1 << 20, magic=8, understood_once=True, needs=PACKED),
}

"""Cases of Zarr that other programs write: versions 2 and 3, shards, ZIP files, OME-Zarr and HyperSpy's trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.io.conformance.model import Case, Encoder, Written, whole
from tests.io.conformance.store_cases import store_regions

AXES = {"y": ("nm", 0.25, 0.0), "x": ("nm", 0.5, 1.0), "ky": ("1/nm", 0.1, -0.8), "kx": ("1/nm", 0.2, -6.4)}
NAMES = ("y", "x", "ky", "kx")
NEEDS = ("zarr",)


def array(stored: str = "u2", **settings: Any) -> Encoder:
    """One array at the root of a store."""

    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        import zarr

        path = folder / f"{stem}.zarr"
        asked = settings.get("chunks", (1, 2, 256, 256))
        given = {**settings, "chunks": tuple(min(c, n) for c, n in zip(asked, frames.shape, strict=True))}
        made = zarr.create_array(str(path), shape=frames.shape, dtype=np.dtype(stored), **given)
        made[...] = frames
        return Written(path, frames, (path,), store_regions(path))

    return write


def zipped(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """A store in a ZIP file."""
    import zarr

    path = folder / f"{stem}.zarr.zip"
    with zarr.storage.ZipStore(path, mode="w") as store:
        made = zarr.create_array(store, shape=frames.shape, dtype=frames.dtype, chunks=(1, 4, *frames.shape[2:]))
        made[...] = frames
    return Written(path, frames, (path,), (whole(path),))


def group(fill: Callable[[Any, NDArray[Any]], None], suffix: str, version: int) -> Encoder:
    """A group that `fill` fills."""

    def write(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
        import zarr

        path = folder / f"{stem}{suffix}"
        fill(zarr.create_group(str(path), zarr_format=version), frames)
        return Written(path, frames, (path,), store_regions(path), (), AXES)

    return write


def _put(parent: Any, name: str, frames: NDArray[Any], **settings: Any) -> Any:
    chunks = (1, 4, *frames.shape[2:])
    made = parent.create_array(name, shape=frames.shape, dtype=frames.dtype, chunks=chunks, **settings)
    made[...] = frames
    return made


def ome(root: Any, frames: NDArray[Any]) -> None:
    units = {"nm": "nanometer", "1/nm": "1/nm"}
    scales, offsets = [scale for _, scale, _ in AXES.values()], [offset for *_, offset in AXES.values()]
    root.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": name, "type": "space", "unit": units[AXES[name][0]]} for name in NAMES],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": scales},
                            {"type": "translation", "translation": offsets},
                        ],
                    }
                ],
            }
        ],
    }
    _put(root, "0", frames, dimension_names=NAMES)


def zspy(root: Any, frames: NDArray[Any]) -> None:
    root.attrs.update({"file_format": "ZSpy", "file_format_version": "3.3"})
    experiment = root.create_group("Experiments").create_group("scan")
    _put(experiment, "data", frames)
    for k, (name, (units, scale, offset)) in enumerate(AXES.items()):
        experiment.create_group(f"axis-{k}").attrs.update(
            {
                "_type": "UniformDataAxis", "name": name, "units": units, "scale": scale, "offset": offset,
                "size": frames.shape[k], "navigate": k < 2, "is_binned": False,
            }
        )  # fmt: skip
    metadata = experiment.create_group("metadata")
    metadata.create_group("General").attrs["title"] = "scan"
    metadata.create_group("Signal").attrs["signal_type"] = "electron_diffraction"
    experiment.create_group("original_metadata")


SHARDS = {"chunks": (1, 2, 256, 256), "shards": (3, 4, 256, 256)}


def case(write: Encoder, **more: Any) -> Case:
    """A store whose documents are read once, and of which absent chunks are blank."""
    return Case("zarr", write, magic=0, understood_once=True, sparse=True, needs=NEEDS, **more)


CASES = {
    "zarr 3": case(array(dimension_names=NAMES)),
    "zarr 3 big-endian": case(array(">u2", compressors=None)),
    "zarr 3 shards": case(array(**SHARDS)),
    "zarr 3 cut frames": case(array(chunks=(2, 3, 5, 33))),
    "zarr 2": case(array("f4", zarr_format=2), dtype="f4"),
    "zarr 2 Fortran": case(array(zarr_format=2, order="F")),
    "zarr zip": Case("zarr", zipped, magic=0, needs=NEEDS),
    "zarr OME": case(group(ome, ".zarr", 3)),
    "zarr zspy": case(group(zspy, ".zspy", 2)),
}

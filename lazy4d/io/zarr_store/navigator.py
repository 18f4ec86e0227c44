"""The sum of each frame, stored beside the data: an image of the scan that shows a store at once when it is opened."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.navigation import NavigationMap
from lazy4d.io.zarr_store.array_document import NAVIGATOR
from lazy4d.io.zarr_store.codec import checksum
from lazy4d.io.zarr_store.layout import ShardLayout
from lazy4d.io.zarr_store.shards import write_whole
from lazy4d.io.zarr_store.validity import validity_path
from lazy4d.kernels.virtual_image import total_intensity

MOST_SHARDS = 4096
"""Files that are read for the image of a scan when it is opened; without it, it is made from the frames."""


def has_navigator(layout: ShardLayout) -> bool:
    """Whether a store of this layout gets an image of its scan: frames of real numbers at several positions."""
    return layout.nav_ndim > 0 and math.prod(layout.frame_shape) > 1 and layout.dtype.kind in "biuf"


def frame_sums(frames: NDArray[Any]) -> NDArray[np.float64]:
    """The sum of each of some frames ``[n, ...]``, exact for integers below 2**53.

    NaN counts as 0, a dead pixel hides no frame, but for frames that hold nothing else.

    Examples
    --------
    >>> frame_sums(np.full((2, 3, 4), 65535, "u2"))
    array([786420., 786420.])
    """
    flat = frames.reshape(len(frames), 1, -1)
    if frames.dtype.kind in "iu" and frames.dtype.isnative:
        out = np.empty(len(flat), np.int64 if frames.dtype.kind == "i" else np.uint64)
        total_intensity(np.ascontiguousarray(flat), out)
        return out.astype(np.float64)
    with np.errstate(all="ignore"):
        sums: NDArray[np.float64] = flat.sum(axis=(1, 2), dtype=np.float64)
        for i in np.flatnonzero(np.isnan(sums)):
            numbers = flat[i][~np.isnan(flat[i])]
            sums[i] = numbers.sum(dtype=np.float64) if numbers.size else np.nan
    return sums


def write_navigator(folder: str, layout: ShardLayout, shard: int, values: NDArray[np.float64]) -> None:
    """Store the sums of the frames of a shard, in the shape of its positions; padding is NaN."""
    whole = np.full(layout.nav_shard, np.nan, "<f8")
    whole[tuple(slice(0, n) for n in values.shape)] = values
    content = whole.tobytes()
    write_whole(validity_path(folder, layout, shard), content + checksum(content).to_bytes(4, "little"))


def stored_navigator(source: Any) -> NDArray[np.float64] | None:
    """The sums of all frames of a source, float64 [nav...], where it is a store that holds them.

    None where it is none, where its frames were arranged anew, or where a part is missing or damaged.
    """
    layout, folder = getattr(source, "layout", None), getattr(source, "folder", None)
    if not isinstance(layout, ShardLayout) or folder is None or layout.n_shards > MOST_SHARDS:
        return None
    if source.navigation.identity != NavigationMap.raster(layout.nav_shape).identity or not has_navigator(layout):
        return None
    image = np.full(layout.nav_shape, np.nan)
    for shard in range(layout.n_shards):
        part = _read(os.path.join(folder, NAVIGATOR), layout, shard)
        if part is None:
            return None
        box = layout.shard_box(shard)
        image[box] = part[tuple(slice(0, s.stop - s.start) for s in box)]
    return image


def _read(folder: str, layout: ShardLayout, shard: int) -> NDArray[np.float64] | None:
    try:
        with open(validity_path(folder, layout, shard), "rb") as file:
            content = file.read()
    except OSError:
        return None
    right = len(content) == 8 * math.prod(layout.nav_shard) + 4
    if not right or checksum(content[:-4]) != int.from_bytes(content[-4:], "little"):
        return None
    return np.frombuffer(content[:-4], "<f8").reshape(layout.nav_shard)

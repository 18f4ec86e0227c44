"""The ``zarr.json`` of the arrays in a store: shape, shards and codecs."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.zarr_store.codec import COMPRESSORS, SHUFFLES, Codec
from lazy4d.io.zarr_store.document import NAME, Fields, StoreContent, read_document, write_document
from lazy4d.io.zarr_store.layout import ShardLayout, stored_frame_shape

DATA, VALID, NAVIGATOR = "data", "valid", "navigator"
MOST_SHARDS = 2**24

_NAMES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = {name: np.dtype(name) for name in (*_NAMES, "float16", "float32", "float64", "complex64", "complex128")}
"""Pixels that can be stored, as Zarr and numpy both call them."""


def write_array(folder: str, layout: ShardLayout, codec: Codec, names: list[str]) -> None:
    """Write ``zarr.json`` of the data array."""
    checked = [_bytes_codec(2), {"name": "crc32c"}]
    sharding = {
        "chunk_shape": list(layout.inner),
        "codecs": [_bytes_codec(layout.dtype.itemsize), *codec.document()],
        "index_codecs": checked,
        "index_location": "end",
    }
    codecs = [{"name": "sharding_indexed", "configuration": sharding}]
    write_document(folder, _array(layout.shape, layout.dtype, layout.shard, codecs, names))


def write_validity_array(folder: str, layout: ShardLayout, names: list[str]) -> None:
    """Write ``zarr.json`` of the array that says which frames are valid."""
    codecs = [_bytes_codec(1), {"name": "crc32c"}]
    write_document(folder, _array(layout.nav_shape, np.dtype(bool), layout.nav_shard, codecs, names))


def write_navigator_array(folder: str, layout: ShardLayout, names: list[str]) -> None:
    """Write ``zarr.json`` of the array that holds the sum of each frame."""
    codecs = [_bytes_codec(8), {"name": "crc32c"}]
    write_document(folder, _array(layout.nav_shape, np.dtype(np.float64), layout.nav_shard, codecs, names))


def _bytes_codec(itemsize: int) -> dict[str, Any]:
    return {"name": "bytes"} if itemsize == 1 else {"name": "bytes", "configuration": {"endian": "little"}}


def _array(
    shape: tuple[int, ...], dtype: np.dtype[Any], chunk: tuple[int, ...], codecs: list[dict[str, Any]], names: list[str]
) -> dict[str, Any]:
    # Where the dtype has an "undefined", programs that know nothing of this page see it in place of missing chunks.
    fill: Any = {"b": False, "f": "NaN", "c": ["NaN", "NaN"]}.get(dtype.kind, 0)
    unique = [name if name and names.count(name) == 1 else None for name in names]
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": fill,
        "codecs": codecs,
        "attributes": {},
        "dimension_names": [*unique, *(None for _ in shape[len(unique) :])][: len(shape)],
    }


def read_array(folder: str, content: StoreContent) -> tuple[ShardLayout, Codec]:
    """Layout and codec of the data array, checked against the axes.

    Raises
    ------
    FormatError, UnsupportedVariantError
        The document is damaged, or in a form that lazy4d does not write.
    """
    path = os.path.join(folder, DATA, NAME)
    array = Fields(path, "the array", read_document(path))
    shape = array.shape("shape")
    dtype = DTYPES.get(array.take("data_type", str))
    if dtype is None:
        raise UnsupportedVariantError(
            f"{path}: pixels of type {array.content['data_type']!r}, expected one of {', '.join(DTYPES)}; open the "
            "array with zarr and convert it"
        )
    grid = _configuration(path, array.content.get("chunk_grid"), "regular")
    codecs = array.take("codecs", list)
    sharding = _configuration(path, codecs[0] if len(codecs) == 1 else codecs, "sharding_indexed")
    encoding = _configuration(path, array.content.get("chunk_key_encoding"), "default")
    expected = [_bytes_codec(2), {"name": "crc32c"}]
    if (
        encoding.content.get("separator") != "."
        or sharding.content.get("index_location", "end") != "end"
        or sharding.content.get("index_codecs") != expected
    ):
        raise _rewritten(path)
    nav_shape = tuple(axis["size"] for axis in content.axes if axis["navigate"])
    frame_shape = tuple(axis["size"] for axis in content.axes if not axis["navigate"])
    layout = ShardLayout(
        nav_shape,
        stored_frame_shape(nav_shape, frame_shape),
        dtype.newbyteorder("<"),
        grid.shape("chunk_shape", len(shape)),
        sharding.shape("chunk_shape", len(shape)),
    )
    if [a["navigate"] for a in content.axes] != sorted((a["navigate"] for a in content.axes), reverse=True):
        raise FormatError(f"{folder}: expected navigation axes before signal axes, found {content.axes}")
    if layout.shape != shape:
        raise FormatError(f"{path}: expected the shape of the axes, {layout.shape}, found {shape}")
    _check_layout(path, layout)
    return layout, _read_codec(path, sharding.take("codecs", list), dtype)


def _check_layout(path: str, layout: ShardLayout) -> None:
    nav = layout.nav_ndim
    if math.prod(layout.shape) * layout.dtype.itemsize >= 2**62 or layout.n_shards > MOST_SHARDS:
        raise FormatError(f"{path}: shape {layout.shape} in shards of {layout.shard} is beyond what can be stored")
    # A chunk is a run of pixels in C order: ones, one axis of any length, then whole axes; no frame is in two shards.
    inner, shape = layout.inner, layout.shape
    cut = max((axis for axis, n in enumerate(inner) if n != layout.shard[axis]), default=-1)
    run = all(n == 1 for n in inner[: max(cut, 0)])
    whole = all(inner[axis] == shape[axis] for axis in range(max(cut + 1, nav), len(shape)))
    covered = all(-(-shape[k] // inner[k]) * inner[k] == layout.shard[k] for k in range(nav, len(shape)))
    divides = all(s % i == 0 for s, i in zip(layout.shard, inner, strict=True))
    if not (run and whole and covered and divides) or layout.chunk_nbytes >= 2**31 or layout.chunks_per_shard > 2**24:
        raise UnsupportedVariantError(
            f"{path}: inner chunks of {layout.inner} in shards of {layout.shard} for frames of {layout.frame_shape}, "
            "expected chunks that are runs of whole frames, or of whole rows of one frame, in shards of whole frames; "
            "open the array with zarr and save it with lazy4d"
        )


def _read_codec(path: str, found: list[Any], dtype: np.dtype[Any]) -> Codec:
    typesize = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    if found == [_bytes_codec(dtype.itemsize), {"name": "crc32c"}]:
        return Codec("", 0, "noshuffle", typesize)
    if len(found) == 3 and found[0] == _bytes_codec(dtype.itemsize) and found[2] == {"name": "crc32c"}:
        blosc = _configuration(path, found[1], "blosc")
        cname, clevel, shuffle = blosc.take("cname", str), blosc.take("clevel", int), blosc.take("shuffle", str)
        if cname in COMPRESSORS and shuffle in SHUFFLES and 0 <= clevel <= 9:
            return Codec(cname, clevel, shuffle, typesize)
    raise _rewritten(path)


def _configuration(path: str, found: Any, name: str) -> Fields:
    if not isinstance(found, dict) or found.get("name") != name:
        raise UnsupportedVariantError(
            f"{path}: expected {name!r}, found {str(found)[:80]}; lazy4d reads the stores it writes, open others with "
            "zarr and pass the array to lazy4d.Diffraction2D"
        )
    return Fields(path, name, found.get("configuration"))


def _rewritten(path: str) -> UnsupportedVariantError:
    return UnsupportedVariantError(
        f"{path}: the array is encoded otherwise than lazy4d does it (bytes, Blosc, crc32c in shards with the index at "
        "their end); open it with zarr and pass the array to lazy4d.Diffraction2D"
    )

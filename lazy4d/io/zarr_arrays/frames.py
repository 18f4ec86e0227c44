"""Frames of a Zarr array as a source that tasks read by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazy4d.errors import Lazy4DError
from lazy4d.io.chunked.codec import ChunkCodec, codec_from_zarr2, codec_from_zarr3, zarr3_dtype
from lazy4d.io.chunked.frames import ChunkedFrames
from lazy4d.io.chunked.grid import ChunkGrid
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.zarr_arrays.node import ArrayNode
from lazy4d.io.zarr_arrays.place import Place
from lazy4d.io.zarr_arrays.stores import ChunkKeys, ShardedChunks, Sharding, sharding_of


def array_frames(
    place: Place,
    node: ArrayNode,
    *,
    nav_axes: tuple[int, ...],
    signal_axes: tuple[int, ...],
    navigation: NavigationMap | None = None,
    incomplete: str = "raise",
    tolerant: bool = False,
) -> ChunkedFrames:
    """The frames of an array, in any order of its axes.

    Parameters
    ----------
    place : Place
        The store.
    node : ArrayNode
        The array.
    nav_axes, signal_axes : tuple of int
        Which of its axes are navigation and which are those of a frame.
    navigation : NavigationMap, optional
        Scan position to frame number; by default as stored.
    incomplete, tolerant
        See `ChunkedFrames`.

    Raises
    ------
    FormatError, UnsupportedVariantError, MissingCodecError
        The array cannot be unpacked: names what it needs.
    """
    where = f"{place.label}/{node.path}".rstrip("/")
    sharding = sharding_of(node, where)
    try:
        dtype, codec = _codec(node, sharding)
    except Lazy4DError as error:
        raise type(error)(f"{where}: {error}") from error
    store: ChunkKeys | ShardedChunks
    store = ChunkKeys(place, node) if sharding is None else ShardedChunks(place, node, sharding)
    grid = ChunkGrid(node.shape, node.chunk if sharding is None else sharding.inner, nav_axes, signal_axes)
    return ChunkedFrames(grid, dtype, store, codec, node.fill_value, navigation, incomplete, tolerant)


def _codec(node: ArrayNode, sharding: Sharding | None) -> tuple[np.dtype[Any], ChunkCodec]:
    """The dtype as stored, in its byte order, and how a chunk is unpacked."""
    if node.zarr_format == 2:
        return node.dtype, codec_from_zarr2(node.compressor, node.filters, node.dtype, node.order)
    codecs = list(node.codecs if sharding is None else sharding.codecs)
    dtype = zarr3_dtype(codecs, node.dtype)
    return dtype, codec_from_zarr3(codecs, dtype)

"""Packed bytes of a chunk to pixels: what containers call their compressors, checksums and filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.chunked.store import Packed


class ChunkCodec(Protocol):
    """How chunks of an array are unpacked: small, immutable, picklable, with a `repr` that tells it from others."""

    def decode(self, packed: Packed, out: NDArray[Any]) -> None:
        """Fill a C-contiguous array of the stored dtype with a whole chunk; other threads may run meanwhile.

        Raises
        ------
        ValueError
            The bytes are not those of such a chunk: says what is wrong.
        MissingCodecError
            A package is needed that is not installed.
        """
        ...


def codec_from_hdf5(
    filters: Sequence[tuple[int, int, tuple[int, ...]]], dtype: np.dtype[Any], chunk: Sequence[int]
) -> ChunkCodec:
    """The codec of a chunked HDF5 dataset.

    Parameters
    ----------
    filters : sequence of (id, flags, values)
        The filter pipeline in the order of writing, as the dataset's creation properties list it.
    dtype : numpy.dtype
        Of the stored pixels.
    chunk : sequence of int
        Shape of a chunk.

    Raises
    ------
    MissingCodecError
        A filter that is not known: gives its number, its name, and what to install or do.

    Examples
    --------
    >>> import zlib
    >>> codec = codec_from_hdf5([(1, 0, (6,))], np.dtype("<u2"), (1, 2, 2))
    >>> out = np.empty((1, 2, 2), "<u2")
    >>> codec.decode(Packed(zlib.compress(bytes([1, 0, 2, 0, 3, 0, 4, 0]))), out)
    >>> out.tolist()
    [[[1, 2], [3, 4]]]
    """
    from lazy4d.io.chunked.hdf5_filters import hdf5_pipeline

    return hdf5_pipeline(filters, np.dtype(dtype))


def codec_from_zarr2(
    compressor: dict[str, Any] | None,
    filters: Sequence[dict[str, Any]] | None,
    dtype: np.dtype[Any],
    order: str = "C",
) -> ChunkCodec:
    """The codec of a Zarr v2 array.

    Parameters
    ----------
    compressor, filters : dict, sequence of dict, or None
        As ``.zarray`` has them.
    dtype : numpy.dtype
        Of the stored pixels.
    order : {"C", "F"}
        Order of the pixels in a chunk.

    Raises
    ------
    MissingCodecError
        A compressor that is not known.
    UnsupportedVariantError
        A filter that changes the values, or a compressor in the place of a filter.
    FormatError
        The documents make no sense.

    Examples
    --------
    >>> codec_from_zarr2({"id": "zlib", "level": 1}, None, np.dtype("<u2"))
    Pipeline(steps=(Inflate(wrapper=15),), order=())
    """
    from lazy4d.io.chunked.zarr_codecs import zarr2_pipeline

    return zarr2_pipeline(compressor, filters, np.dtype(dtype), order)


def codec_from_zarr3(codecs: Sequence[dict[str, Any]], dtype: np.dtype[Any]) -> ChunkCodec:
    """The codec of a Zarr v3 array, or of the inner chunks of its shards.

    Parameters
    ----------
    codecs : sequence of dict
        As ``zarr.json`` lists them.
    dtype : numpy.dtype
        Of the stored pixels, in the byte order that the codec ``bytes`` gives; see `zarr3_dtype`.

    Raises
    ------
    MissingCodecError, UnsupportedVariantError, FormatError
        As `codec_from_zarr2`.

    Examples
    --------
    >>> codec_from_zarr3([{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "crc32c"}], np.dtype(">u2"))
    Pipeline(steps=(Crc32c(),), order=())
    """
    from lazy4d.io.chunked.zarr_codecs import zarr3_pipeline

    return zarr3_pipeline(codecs, np.dtype(dtype))


def zarr3_dtype(codecs: Sequence[dict[str, Any]], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of stored pixels, in the byte order that the codec ``bytes`` of a Zarr v3 array gives.

    Examples
    --------
    >>> zarr3_dtype([{"name": "bytes", "configuration": {"endian": "big"}}], np.dtype("u2"))
    dtype('>u2')
    """
    from lazy4d.io.chunked.zarr_codecs import stored_order

    return stored_order(codecs, np.dtype(dtype))

"""A scan written to Zarr by zarr-python, and what reading it must give."""

from __future__ import annotations

import zipfile

import numcodecs
import numpy as np
import zarr
from zarr import codecs as v3

import lazy4d as l4

SCAN = np.random.default_rng(0).poisson(2, (6, 8, 16, 20)).astype("u2")
CHUNKS = [(2, 3, 16, 20), (1, 1, 16, 20), (6, 8, 4, 5), (2, 8, 7, 20), (1, 4, 16, 9)]
COMPRESSORS = {
    "none": None,
    "blosc": numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE),
    "zstd": numcodecs.Zstd(1),
    "lz4": numcodecs.LZ4(),
    "zlib": numcodecs.Zlib(1),
    "gzip": numcodecs.GZip(1),
    "bz2": numcodecs.BZ2(1),
}
CODECS = {
    "none": None,
    "blosc": v3.BloscCodec(cname="lz4", shuffle="shuffle"),
    "zstd": v3.ZstdCodec(level=1),
    "gzip": v3.GzipCodec(level=1),
    "checked": [v3.ZstdCodec(level=1), v3.Crc32cCodec()],
}


def write(path, pixels=SCAN, **given):
    given = {"chunks": (2, 3, *pixels.shape[2:]), **given}
    array = zarr.create_array(path, shape=pixels.shape, dtype=pixels.dtype, **given)
    array[...] = pixels
    return array


def assert_holds(path, pixels=SCAN, **options):
    signal = l4.load(path, **options)
    found = signal.compute().data
    assert found.dtype == pixels.dtype.newbyteorder("=")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, pixels)
    return signal


def zipped(path, method=zipfile.ZIP_STORED, **given):
    store = zarr.storage.ZipStore(path, mode="w", compression=method)
    write(store, **given)
    store.close()

"""Codecs of HDF5 and Zarr documents against the libraries that write them."""

from __future__ import annotations

import pickle

import h5py
import hdf5plugin
import numcodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.errors import FormatError, Lazy4DError, MissingCodecError, UnsupportedVariantError
from lazy4d.io.chunked.codec import codec_from_hdf5, codec_from_zarr2, codec_from_zarr3, zarr3_dtype
from lazy4d.io.chunked.store import Packed

CHUNK = (3, 17, 22)


def pixels(dtype: str) -> np.ndarray:
    return np.random.default_rng(0).poisson(3, CHUNK).astype(dtype)


HDF5_FILTERS = {
    "gzip": {"compression": "gzip"},
    "gzip, shuffle, checksum": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "checksum": {"fletcher32": True},
    "lzf": {"compression": "lzf"},
    "lzf, shuffle": {"compression": "lzf", "shuffle": True},
    "blosc": dict(hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.BITSHUFFLE)),
    "blosc lz4": dict(hdf5plugin.Blosc(cname="lz4")),
    "lz4": dict(hdf5plugin.LZ4()),
    "lz4 in blocks": dict(hdf5plugin.LZ4(nbytes=512)),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle lz4 in blocks": dict(hdf5plugin.Bitshuffle(nelems=64, cname="lz4")),
    "bitshuffle zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "zstd": dict(hdf5plugin.Zstd()),
}


def hdf5_chunk(filters, array):
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("a", data=array, chunks=array.shape, **filters)
        settings = stored.id.get_create_plist()
        pipeline = [settings.get_filter(k)[:3] for k in range(settings.get_nfilters())]
        mask, packed = stored.id.read_direct_chunk((0,) * array.ndim)
    return pipeline, Packed(np.frombuffer(packed, "u1"), mask)


@pytest.mark.parametrize("dtype", ["u1", ">u2", "<u4", "f8"])
@pytest.mark.parametrize("name", HDF5_FILTERS)
def test_hdf5(name, dtype) -> None:
    array = pixels(dtype)
    pipeline, packed = hdf5_chunk(HDF5_FILTERS[name], array)
    codec = pickle.loads(pickle.dumps(codec_from_hdf5(pipeline, array.dtype, CHUNK)))
    out = np.empty(CHUNK, dtype)
    codec.decode(packed, out)
    np.testing.assert_array_equal(out, array)
    with pytest.raises(ValueError, match=r"expected|damaged|checksum|Deflate|Zstandard|Blosc"):
        codec.decode(Packed(packed.array[: packed.array.size // 2], packed.skipped), out)
    with pytest.raises(ValueError, match=r"expected|damaged|checksum|Deflate|Zstandard|Blosc"):
        codec.decode(Packed(packed.array[:3], packed.skipped), out)


def test_left_out_filters() -> None:
    array = np.random.default_rng(0).integers(0, 256, (40, 40)).astype("u1")
    pipeline, packed = hdf5_chunk({"compression": "lzf", "shuffle": True}, array)
    out = np.empty_like(array)
    codec = codec_from_hdf5(pipeline, array.dtype, array.shape)
    codec.decode(packed, out)
    np.testing.assert_array_equal(out, array)
    codec.decode(Packed(array.tobytes(), skipped=0b11), out)
    np.testing.assert_array_equal(out, array)


def test_checksum_is_verified() -> None:
    pipeline, packed = hdf5_chunk({"fletcher32": True}, pixels("u2"))
    wrong = packed.array.copy()
    wrong[100] ^= 4
    with pytest.raises(ValueError, match=r"checksum Fletcher-32 does not fit: stored 0x"):
        codec_from_hdf5(pipeline, np.dtype("u2"), CHUNK).decode(Packed(wrong), np.empty(CHUNK, "u2"))


@pytest.mark.parametrize(("number", "name"), [(32026, "blosc2"), (32013, "zfp"), (40123, "unknown name")])
def test_hdf5_filter_that_is_not_known(number, name) -> None:
    with pytest.raises(MissingCodecError, match=rf"{number} \(.*{name}\).*pip install hdf5plugin"):
        codec_from_hdf5([(number, 0, ())], np.dtype("u2"), CHUNK)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(HDF5_FILTERS)), st.integers(0, 10**6), st.integers(1, 255))
def test_damage_never_crashes(name, place, flip) -> None:
    pipeline, packed = hdf5_chunk(HDF5_FILTERS[name], pixels("u2"))
    wrong = packed.array.copy()
    wrong[place % wrong.size] ^= flip
    try:
        codec_from_hdf5(pipeline, np.dtype("u2"), CHUNK).decode(Packed(wrong, packed.skipped), np.empty(CHUNK, "u2"))
    except (ValueError, Lazy4DError):
        pass


def test_no_more_memory_than_the_chunk_needs() -> None:
    import zlib

    bomb = zlib.compress(bytes(10**7))
    with pytest.raises(ValueError, match="expected 2244 bytes, found more"):
        codec_from_hdf5([(1, 0, (6,))], np.dtype("u2"), CHUNK).decode(Packed(bomb), np.empty(CHUNK, "u2"))


ZARR2 = {
    "blosc": (numcodecs.Blosc("zstd", 1, 2), []),
    "zstd": (numcodecs.Zstd(1), []),
    "lz4": (numcodecs.LZ4(), []),
    "zlib": (numcodecs.Zlib(1), []),
    "gzip": (numcodecs.GZip(1), []),
    "bz2": (numcodecs.BZ2(1), []),
    "lzma": (numcodecs.LZMA(preset=1), []),
    "shuffle": (numcodecs.Zlib(1), [numcodecs.Shuffle(2)]),
    "delta": (numcodecs.Zstd(1), [numcodecs.Delta("<i2", "<i2")]),
    "crc32": (numcodecs.Zstd(1), [numcodecs.CRC32()]),
    "none": (None, []),
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ZARR2)
def test_zarr2(name, order) -> None:
    compressor, filters = ZARR2[name]
    array = pixels("<i2")
    packed = np.frombuffer(array.tobytes(order=order), "<i2")
    for step in filters:
        packed = step.encode(packed)
    packed = compressor.encode(packed) if compressor else packed.tobytes()
    config = compressor.get_config() if compressor else None
    codec = codec_from_zarr2(config, [step.get_config() for step in filters] or None, array.dtype, order)
    out = np.empty(CHUNK, array.dtype)
    codec.decode(Packed(bytes(packed)), out)
    np.testing.assert_array_equal(out, array)


def test_zarr2_that_cannot_be_read() -> None:
    dtype = np.dtype("u2")
    with pytest.raises(UnsupportedVariantError, match="fixedscaleoffset changes the values"):
        codec_from_zarr2(None, [numcodecs.FixedScaleOffset(0, 10, "f8").get_config()], dtype)
    with pytest.raises(UnsupportedVariantError, match="packs objects"):
        codec_from_zarr2(None, [{"id": "vlen-utf8"}], dtype)
    with pytest.raises(MissingCodecError, match=r"'jpeg2k' is not known: expected one of .*zstd"):
        codec_from_zarr2({"id": "jpeg2k"}, None, dtype)
    with pytest.raises(UnsupportedVariantError, match="one compression over another"):
        codec_from_zarr2({"id": "zlib"}, [{"id": "bz2"}], dtype)
    with pytest.raises(FormatError, match="expected a codec"):
        codec_from_zarr2({"level": 1}, None, dtype)
    with pytest.raises(FormatError, match="order 'K'"):
        codec_from_zarr2(None, None, dtype, "K")


@pytest.mark.parametrize("order", [None, [2, 0, 1], [2, 1, 0]])
def test_zarr3(order) -> None:
    import zarr
    from zarr.codecs import BytesCodec, Crc32cCodec, ZstdCodec
    from zarr.codecs.transpose import TransposeCodec
    from zarr.storage import MemoryStore

    store, array = MemoryStore(), pixels(">u2")
    written = zarr.create_array(
        store, shape=CHUNK, dtype="u2", chunks=CHUNK,
        serializer=BytesCodec(endian="big"), compressors=[ZstdCodec(), Crc32cCodec()],
        filters=[TransposeCodec(order=order)] if order else None,
    )  # fmt: skip
    written[...] = array
    codecs = written.metadata.to_dict()["codecs"]
    packed = next(v for k, v in store._store_dict.items() if k.startswith("c/")).to_bytes()
    dtype = zarr3_dtype(codecs, np.dtype("u2"))
    assert dtype == np.dtype(">u2")
    out = np.empty(CHUNK, dtype)
    codec_from_zarr3(codecs, dtype).decode(Packed(packed), out)
    np.testing.assert_array_equal(out, array)
    wrong = bytearray(packed)
    wrong[10] ^= 1
    with pytest.raises(ValueError, match="checksum CRC-32C does not fit"):
        codec_from_zarr3(codecs, dtype).decode(Packed(bytes(wrong)), out)


def test_zarr3_that_cannot_be_read() -> None:
    dtype = np.dtype("u2")
    with pytest.raises(MissingCodecError, match="'zfpy' is not known"):
        codec_from_zarr3([{"name": "bytes"}, {"name": "zfpy", "configuration": {}}], dtype)
    with pytest.raises(FormatError, match="each axis once"):
        codec_from_zarr3([{"name": "transpose", "configuration": {"order": [0, 0]}}], dtype)
    with pytest.raises(UnsupportedVariantError, match="shards within shards"):
        codec_from_zarr3([{"name": "sharding_indexed", "configuration": {}}], dtype)

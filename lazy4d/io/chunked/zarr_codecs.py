"""The codecs of Zarr v2 and v3 documents as steps of unpacking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazy4d.errors import FormatError, MissingCodecError, UnsupportedVariantError
from lazy4d.io.chunked.pipeline import Pipeline, Step
from lazy4d.io.chunked.steps import (
    Blosc,
    Burrows,
    Compression,
    Crc32,
    Crc32c,
    Fletcher32,
    Inflate,
    Lz4Prefixed,
    Lzma,
    Undelta,
    Unshuffle,
    Zstd,
)

_CHANGE_VALUES = ("fixedscaleoffset", "quantize", "bitround", "astype", "packbits", "categorize", "scale_offset")
_OF_OBJECTS = ("vlen-utf8", "vlen-array", "vlen-bytes", "json2", "msgpack2", "pickle", "base64")


def _lzma(settings: dict[str, Any]) -> Step:
    filters = tuple(tuple(sorted(f.items())) for f in settings.get("filters") or ())
    return Lzma(_whole(settings.get("format", 1), "lzma"), filters)


def _delta(settings: dict[str, Any], dtype: np.dtype[Any]) -> Step:
    try:
        values = np.dtype(settings.get("dtype", dtype))
        stored = np.dtype(settings.get("astype") or values)
    except TypeError as error:
        raise FormatError(f"the filter delta has no readable dtype: {settings}") from error
    if values.itemsize != dtype.itemsize or values.kind not in "iuf" or stored.kind not in "iuf":
        raise FormatError(f"the filter delta is set to values of {values}, expected {dtype}")
    return Undelta(stored.str, values.str)


_STEPS: dict[str, Callable[[dict[str, Any], np.dtype[Any]], Step]] = {
    "blosc": lambda settings, dtype: Blosc(),
    "zstd": lambda settings, dtype: Zstd(),
    "lz4": lambda settings, dtype: Lz4Prefixed(),
    "zlib": lambda settings, dtype: Inflate(15),
    "gzip": lambda settings, dtype: Inflate(31),
    "bz2": lambda settings, dtype: Burrows(),
    "lzma": lambda settings, dtype: _lzma(settings),
    "shuffle": lambda settings, dtype: Unshuffle(_itemsize(settings, dtype)),
    "delta": _delta,
    "crc32": lambda settings, dtype: Crc32("crc32", settings.get("location") == "end"),
    "adler32": lambda settings, dtype: Crc32("adler32", settings.get("location") == "end"),
    "crc32c": lambda settings, dtype: Crc32c(),
    "fletcher32": lambda settings, dtype: Fletcher32(),
}


def _itemsize(settings: dict[str, Any], dtype: np.dtype[Any]) -> int:
    value = _whole(settings.get("elementsize", dtype.itemsize), "shuffle")
    if not 0 < value <= 4096:
        raise FormatError(f"the codec shuffle is set to elements of {value} bytes, expected 1 to 4096")
    return value


def _whole(value: Any, name: str) -> int:
    if type(value) is not int:
        raise FormatError(f"the codec {name} has a setting {value!r}, expected a whole number")
    return value


def _step(name: Any, settings: Any, dtype: np.dtype[Any]) -> Step:
    if not isinstance(name, str) or not isinstance(settings, dict):
        raise FormatError(f"expected a codec with a name and settings, found {name!r} with {settings!r}")
    plain = name.removeprefix("numcodecs.").removeprefix("imagecodecs_")
    if name.startswith("numcodecs.") or plain == name:
        if plain in _STEPS:
            return _STEPS[plain](settings, dtype)
        if plain in _CHANGE_VALUES:
            raise UnsupportedVariantError(
                f"the codec {name} changes the values of pixels and is not undone here: open the array with "
                "zarr-python and pass it on as a dask array, or save it again without that codec"
            )
        if plain in _OF_OBJECTS:
            raise UnsupportedVariantError(f"the codec {name} packs objects, not pixels: such an array is not read")
    raise MissingCodecError(
        f"the Zarr codec {name!r} is not known: expected one of {', '.join(sorted(_STEPS))}. Open the array with "
        "zarr-python and the package that brings this codec, and save it again with one of these"
    )


def zarr2_pipeline(
    compressor: dict[str, Any] | None, filters: Sequence[dict[str, Any]] | None, dtype: np.dtype[Any], order: str
) -> Pipeline:
    """The steps of unpacking a chunk; see `lazy4d.io.chunked.codec.codec_from_zarr2`."""
    if order not in ("C", "F"):
        raise FormatError(f"order {order!r} of the pixels in a chunk: expected 'C' or 'F'")
    written = [_of_version2(document, dtype) for document in (*(filters or ()), *((compressor,) if compressor else ()))]
    if any(isinstance(step, Compression) for step in written[:-1]):
        raise UnsupportedVariantError(
            f"the filters {list(filters or ())} compress before the compressor {compressor}: one compression over "
            "another is not read; save the array again with one"
        )
    return Pipeline(tuple(reversed(written)), ("F",) if order == "F" else ())


def _of_version2(document: Any, dtype: np.dtype[Any]) -> Step:
    if not isinstance(document, dict):
        raise FormatError(f"expected a codec as a dictionary with 'id', found {document!r}")
    return _step(document.get("id"), document, dtype)


def zarr3_pipeline(codecs: Sequence[dict[str, Any]], dtype: np.dtype[Any]) -> Pipeline:
    """The steps of unpacking a chunk; see `lazy4d.io.chunked.codec.codec_from_zarr3`."""
    order: tuple[int, ...] = ()
    written: list[Step] = []
    to_bytes = False
    for document in codecs:
        name, settings = _of_version3(document)
        if name == "bytes":
            to_bytes = True
        elif name == "transpose":
            if to_bytes:
                raise FormatError("the codec transpose comes after the codec bytes, expected it before")
            order = _turned(settings.get("order"), order)
        elif name == "sharding_indexed":
            raise UnsupportedVariantError("shards within shards, or behind other codecs, are not read")
        else:
            written.append(_step(name, settings, dtype))
    if any(isinstance(step, Compression) for step in written[:-1]) and sum(
        isinstance(step, Compression) for step in written
    ) > 1:  # fmt: skip
        raise UnsupportedVariantError(
            f"the codecs {[_of_version3(c)[0] for c in codecs]}: one compression over another is not read; save the "
            "array again with one"
        )
    return Pipeline(tuple(reversed(written)), order)


def _turned(order: Any, before: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(order, list | tuple) and sorted(o for o in order if type(o) is int) == list(range(len(order))):
        turned = tuple(order)
        return tuple(before[axis] for axis in turned) if len(before) == len(turned) else turned
    raise FormatError(f"the codec transpose has order {order!r}, expected each axis once")


def _of_version3(document: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(document, str):
        return document, {}
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise FormatError(f"expected a codec as a dictionary with 'name', found {document!r}")
    settings = document.get("configuration") or {}
    if not isinstance(settings, dict):
        raise FormatError(f"the codec {document['name']} has the configuration {settings!r}, expected a dictionary")
    return document["name"], settings


def stored_order(codecs: Sequence[dict[str, Any]], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in the byte order that the codec ``bytes`` gives; little-endian where it gives none."""
    for document in codecs:
        name, settings = _of_version3(document)
        if name == "bytes":
            endian = settings.get("endian", "little")
            if endian not in ("little", "big"):
                raise FormatError(f"the codec bytes has endian {endian!r}, expected 'little' or 'big'")
            return dtype.newbyteorder("<" if endian == "little" else ">")
    return dtype

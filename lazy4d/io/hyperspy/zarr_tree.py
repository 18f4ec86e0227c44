"""Groups of metadata in a Zarr store of version 2, read with limits and written as files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.hyperspy.nodes import Budget, Group, LeftOut
from lazy4d.io.zarr_store.shards import write_whole

if TYPE_CHECKING:
    from lazy4d.io.zarr_arrays.place import Place

_DEEPEST = 100
_MOST_CHUNKS = 4096


# ---- reading


def read_group(place: Place, path: str, skip: tuple[str, ...] = (), budget: Budget | None = None) -> Group:
    """A group of a store with all that is below, in memory.

    Parameters
    ----------
    place : Place
        The store.
    path : str
        Key of the group, without a slash at its ends.
    skip : tuple of str
        Children that are not looked at: the pixels.
    budget : Budget, optional
        How much may be read.

    Returns
    -------
    Group
        Arrays that cannot be read, or are too large, are `LeftOut`.
    """
    return _read(place, path.strip("/"), skip, budget or Budget(), 0)


def _read(place: Place, path: str, skip: tuple[str, ...], budget: Budget, depth: int) -> Group:
    result = Group(read_json(place, join(path, ".zattrs")))
    for name in children(place, path):
        if name in skip or not budget.node() or depth > _DEEPEST:
            continue
        key = join(path, name)
        if place.get(join(key, ".zgroup")) is not None:
            result.children[name] = _read(place, key, (), budget, depth + 1)
        else:
            document = read_json(place, join(key, ".zarray"))
            if document:
                result.children[name] = small_array(place, key, document, budget)
    return result


def join(*parts: str) -> str:
    """A key of several parts; empty ones are left out.

    Examples
    --------
    >>> join("", "Experiments", ".zattrs")
    'Experiments/.zattrs'
    """
    return "/".join(part for part in parts if part)


def children(place: Place, path: str) -> list[str]:
    """Names of what may be nodes directly below a group, sorted."""
    found = (str(name).strip("/").rpartition("/")[2] for name in place.list(path))
    return sorted({name for name in found if name and not name.startswith(".")})


def read_json(place: Place, key: str) -> dict[str, Any]:
    """A JSON object at a key; empty where there is none or it is damaged."""
    raw = place.get(key)
    if raw is None:
        return {}
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def small_array(place: Place, key: str, document: Mapping[str, Any], budget: Budget) -> NDArray[Any] | LeftOut:
    """An array of the metadata as a whole, `LeftOut` where it cannot be read."""
    left_out = LeftOut(key, (), "unreadable")
    try:
        shape = tuple(int(n) for n in document["shape"])
        chunk = tuple(int(n) for n in document["chunks"])
        text = document["dtype"] == "|O"
        dtype = np.dtype("u1") if text else np.dtype(document["dtype"])
        grid = tuple(-(-n // c) for n, c in zip(shape, chunk, strict=True))
        fits = min((*shape, 0)) >= 0 and math.prod(grid) <= _MOST_CHUNKS and not dtype.hasobject
        if not fits or not budget.take(shape, dtype) or not budget.take(chunk, dtype):
            return LeftOut(key, shape, str(document["dtype"]))
        out = np.full(shape, "" if text else _fill(document, dtype), object if text else dtype)
        separator = str(document.get("dimension_separator", "."))
        for place_in_grid in np.ndindex(*grid):
            name = separator.join(map(str, place_in_grid)) or "0"
            packed = place.get(join(key, name))
            if packed is None:
                continue
            values = _chunk(packed, document, dtype, chunk, text)
            box = tuple(
                slice(k * c, min((k + 1) * c, n)) for k, c, n in zip(place_in_grid, chunk, shape, strict=True)
            )
            out[box] = values[tuple(slice(0, b.stop - b.start) for b in box)]
        return out
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError, ImportError, MemoryError, SyntaxError):
        return left_out


def _fill(document: Mapping[str, Any], dtype: np.dtype[Any]) -> Any:
    fill = document.get("fill_value")
    return fill if isinstance(fill, int | float) or (isinstance(fill, str) and dtype.kind in "fSU") else 0


def _chunk(
    packed: bytes, document: Mapping[str, Any], dtype: np.dtype[Any], chunk: tuple[int, ...], text: bool
) -> NDArray[Any]:
    from numcodecs import get_codec

    data: Any = packed
    if document.get("compressor"):
        data = get_codec(dict(document["compressor"])).decode(data)
    filters = list(document.get("filters") or [])
    if text:
        kind = filters.pop()["id"]
        if kind != "vlen-utf8":
            raise ValueError(f"objects packed by {kind!r}")
        return np.array(_texts(bytes(data)), dtype=object).reshape(chunk)
    for config in reversed(filters):
        data = get_codec(dict(config)).decode(data)
    flat = np.frombuffer(data, dtype)
    return flat.reshape(chunk, order="F" if document.get("order") == "F" else "C")


def _texts(data: bytes) -> list[str]:
    """Text as "vlen-utf8" packs it: how many, then for each its bytes, counted.

    Examples
    --------
    >>> _texts(bytes([2, 0, 0, 0, 1, 0, 0, 0]) + b"a" + bytes([0, 0, 0, 0]))
    ['a', '']
    """
    count, at = int.from_bytes(data[:4], "little"), 4
    if count > len(data):
        raise ValueError(f"{count} texts in {len(data)} bytes")
    found = []
    for _ in range(count):
        size = int.from_bytes(data[at : at + 4], "little")
        found.append(data[at + 4 : at + 4 + size].decode("utf-8", "replace"))
        at += 4 + size
    return found


# ---- writing


def write_group(folder: str, content: Group) -> None:
    """Write a group with all that is below as folders and files."""
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, ".zgroup"), {"zarr_format": 2})
    if content.attributes:
        write_json(os.path.join(folder, ".zattrs"), content.attributes)
    for name, child in content.children.items():
        if isinstance(child, Group):
            write_group(os.path.join(folder, name), child)
        elif isinstance(child, np.ndarray):
            write_array(os.path.join(folder, name), child)


def write_array(folder: str, array: NDArray[Any]) -> None:
    """Write a small array as one chunk, not compressed."""
    stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    chunk = tuple(max(1, n) for n in array.shape)
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, ".zarray"), array_document(array.shape, chunk, stored.dtype, None))
    if stored.size:
        name = "/".join("0" for _ in array.shape) or "0"
        path = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_whole(path, stored.tobytes())


def array_document(
    shape: tuple[int, ...], chunk: tuple[int, ...], dtype: np.dtype[Any], compressor: dict[str, Any] | None
) -> dict[str, Any]:
    """The ``.zarray`` of an array whose chunks lie in nested folders, as HyperSpy writes them.

    Examples
    --------
    >>> array_document((4, 4), (2, 4), np.dtype("<u2"), None)["dimension_separator"]
    '/'
    """
    fill: Any = {"b": False, "f": 0.0, "c": [0.0, 0.0]}.get(dtype.kind, 0)
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": list(chunk),
        "dtype": dtype.str,
        "compressor": compressor,
        "fill_value": fill,
        "order": "C",
        "filters": None,
        "dimension_separator": "/",
    }


def write_json(path: str, document: Mapping[str, Any]) -> None:
    """Write a JSON file in one step; NaN and infinity as Zarr version 2 spells them."""
    write_whole(path, json.dumps(document, indent=4, ensure_ascii=True).encode())

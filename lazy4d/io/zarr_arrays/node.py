"""Groups and arrays of a Zarr store, as their documents of version 2 or 3 describe them."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.zarr_arrays.place import MOST_DOCUMENT, Place

_MOST_AXES = 32
_TYPES3 = re.compile(r"(bool|u?int(8|16|32|64)|float(16|32|64)|complex(64|128))")
_NOT_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class GroupNode:
    """A group: its attributes, and the names of what may be below it."""

    path: str
    attributes: dict[str, Any] = field(default_factory=dict)
    children: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArrayNode:
    """An array, as its documents describe it.

    Parameters
    ----------
    path : str
        Key in the store; empty for an array at its root.
    zarr_format : int
        2 or 3.
    shape, chunk : tuple of int
        Of the array and of its chunks; with shards, of the shards.
    dtype : numpy.dtype
        Of the pixels, in the byte order of version 2; native in version 3, where a codec tells the order.
    fill_value : scalar
        Pixels of chunks that were never written.
    compressor, filters, order
        Of version 2.
    codecs : tuple of dict
        Of version 3.
    separator : str
        Between the numbers of a chunk's key.
    prefix : str
        Before the numbers: ``"c"`` in version 3.
    names : tuple of str or None
        Names of the axes, as version 3 or xarray give them.
    attributes : dict
        As written.
    document : str
        Key of the document that describes the array.
    state : tuple of int, or None
        Size and time of modification of that document at load, where the store has them.
    digest : str
        Of what all documents of the array say.
    """

    path: str
    zarr_format: int
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype[Any]
    fill_value: Any
    compressor: dict[str, Any] | None = None
    filters: tuple[dict[str, Any], ...] = ()
    order: str = "C"
    codecs: tuple[Any, ...] = ()
    separator: str = "/"
    prefix: str = ""
    names: tuple[str | None, ...] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    document: str = ""
    state: tuple[int, int] | None = None
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.path or '/'!r} {self.shape} {self.dtype.name}"

    def key(self, index: tuple[int, ...]) -> str:
        """Key of the chunk, or shard, at a place of the grid.

        Examples
        --------
        >>> ArrayNode("a", 3, (4,), (2,), np.dtype("u2"), 0, prefix="c").key((1,))
        'a/c/1'
        """
        numbers = [str(k) for k in index]
        if self.prefix:
            name = self.separator.join([self.prefix, *numbers])
        else:
            name = self.separator.join(numbers) or "0"
        return f"{self.path}/{name}" if self.path else name


def read_node(place: Place, path: str = "") -> GroupNode | ArrayNode | None:
    """The group or array at a key of a store; None where there is none.

    Raises
    ------
    FormatError
        Its documents are damaged, or contradict themselves.
    UnsupportedVariantError
        A variant of Zarr, a dtype or a grid that is not read: names it.
    """
    path = path.strip("/")
    if ".." in path.split("/"):
        raise FormatError(f"{place.label}: the key {path!r} leads out of the store")
    for name, understand in (("zarr.json", _node3), (".zarray", _array2)):
        key = _join(path, name)
        document = read_document(place, key)
        if document is not None:
            node = understand(place, path, document)
            return _stamped(place, node, key, document) if isinstance(node, ArrayNode) else node
    document = read_document(place, _join(path, ".zgroup"))
    if document is None:
        return None
    return GroupNode(path, read_document(place, _join(path, ".zattrs")) or {}, _children(place, path))


def _stamped(place: Place, node: ArrayNode, key: str, document: dict[str, Any]) -> ArrayNode:
    """An array with what tells it from another one that takes its place."""
    state = place.state(key)
    said = repr((document, node.attributes, state)).encode("utf-8", "surrogateescape")
    return replace(node, document=key, state=state, digest=hashlib.blake2b(said, digest_size=12).hexdigest())


def arrays_below(place: Place, path: str = "", *, most: int = 64, depth: int = 6) -> list[ArrayNode]:
    """Arrays of a store at and below a key, those near the top first; damaged ones and odd ones are left out."""
    found: list[ArrayNode] = []
    level = [path.strip("/")]
    for _ in range(depth):
        below: list[str] = []
        for key in level:
            try:
                node = read_node(place, key)
            except (FormatError, UnsupportedVariantError):
                continue
            if isinstance(node, ArrayNode):
                found.append(node)
            elif node is not None:
                below += [_join(key, name) for name in node.children]
            if len(found) >= most:
                return found
        level = below[: 16 * most]
    return found


def read_document(place: Place, key: str) -> dict[str, Any] | None:
    """The JSON object at a key; None where there is none.

    Raises
    ------
    FormatError
        It is no JSON object.
    """
    size = place.size(key)
    if size is None:
        return None
    if size > MOST_DOCUMENT:
        raise FormatError(f"{place.label}/{key}: expected a document, found {size} bytes")
    data = place.get(key)
    if data is None:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{place.label}/{key}: expected JSON, found text that is cut short or damaged: {error}"
        ) from error
    if not isinstance(found, dict):
        raise FormatError(f"{place.label}/{key}: expected a JSON object, found {str(found)[:60]!r}")
    return found


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _children(place: Place, path: str) -> tuple[str, ...]:
    """Names below a group; where a server does not list them, those that a consolidated document tells."""
    names = {name for name in place.list(path) if not name.startswith(".") and name != "zarr.json"}
    if not names:
        document = read_document(place, ".zmetadata") or {}
        keys = document.get("metadata")
        start = f"{path}/" if path else ""
        for key in keys if isinstance(keys, dict) else ():
            name, _, rest = key.removeprefix(start).partition("/")
            if key.startswith(start) and rest:
                names.add(name)
    return tuple(sorted(names))


# ---- version 2


def _array2(place: Place, path: str, document: dict[str, Any]) -> ArrayNode:
    where = f"{place.label}/{_join(path, '.zarray')}"
    if document.get("zarr_format") != 2:
        raise FormatError(f"{where}: expected zarr_format 2, found {document.get('zarr_format')!r}")
    shape, chunk = _lengths(where, "shape", document), _lengths(where, "chunks", document, least=1)
    dtype = _dtype2(where, document.get("dtype"))
    _agree(where, shape, chunk)
    attributes = read_document(place, _join(path, ".zattrs")) or {}
    compressor, filters = document.get("compressor"), document.get("filters") or []
    if not (compressor is None or isinstance(compressor, dict)) or not isinstance(filters, list):
        raise FormatError(f"{where}: expected a compressor and a list of filters, found {compressor!r}, {filters!r}")
    separator = document.get("dimension_separator", ".")
    if separator not in (".", "/"):
        raise FormatError(f"{where}: expected dimension_separator '.' or '/', found {separator!r}")
    order = document.get("order", "C")
    if order not in ("C", "F"):
        raise FormatError(f"{where}: expected order 'C' or 'F', found {order!r}")
    return ArrayNode(
        path, 2, shape, chunk, dtype, _fill(where, document.get("fill_value"), dtype), compressor, tuple(filters),
        order=order, separator=separator, names=_names(attributes.get("_ARRAY_DIMENSIONS"), len(shape)),
        attributes=attributes,
    )  # fmt: skip


def _dtype2(where: str, text: Any) -> np.dtype[Any]:
    if isinstance(text, list):
        raise UnsupportedVariantError(f"{where}: structured pixels {str(text)[:80]} are not read, expected numbers")
    try:
        dtype = np.dtype(text) if isinstance(text, str) else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None:
        raise FormatError(f"{where}: expected a dtype such as '<u2', found {str(text)[:60]!r}")
    if dtype.kind not in "biufc":
        raise UnsupportedVariantError(f"{where}: pixels of dtype {text!r} are not read, expected numbers")
    return dtype


# ---- version 3


def _node3(place: Place, path: str, document: dict[str, Any]) -> GroupNode | ArrayNode:
    where = f"{place.label}/{_join(path, 'zarr.json')}"
    kind, attributes = document.get("node_type"), document.get("attributes") or {}
    if document.get("zarr_format") != 3 or kind not in ("array", "group") or not isinstance(attributes, dict):
        raise FormatError(
            f"{where}: expected zarr_format 3 and node_type 'array' or 'group', found "
            f"{document.get('zarr_format')!r} and {kind!r}"
        )
    if kind == "group":
        return GroupNode(path, attributes, _children3(place, path, document))
    for name, value in document.items():
        if isinstance(value, dict) and value.get("must_understand", name not in _FIELDS3) and name not in _FIELDS3:
            raise UnsupportedVariantError(f"{where}: the extension {name!r} of Zarr is not known")
    shape = _lengths(where, "shape", document)
    grid, encoding = _named(where, document, "chunk_grid"), _named(where, document, "chunk_key_encoding")
    if grid["name"] != "regular":
        raise UnsupportedVariantError(f"{where}: the chunk grid {grid['name']!r} is not read, expected 'regular'")
    chunk = _lengths(where, "chunk_shape", grid["configuration"], least=1)
    _agree(where, shape, chunk)
    text = document.get("data_type")
    if not isinstance(text, str) or not _TYPES3.fullmatch(text):
        raise UnsupportedVariantError(f"{where}: pixels of type {str(text)[:60]!r} are not read, expected numbers")
    if encoding["name"] not in ("default", "v2"):
        raise UnsupportedVariantError(f"{where}: the chunk key encoding {encoding['name']!r} is not known")
    default = encoding["name"] == "default"
    separator = encoding["configuration"].get("separator", "/" if default else ".")
    if separator not in (".", "/"):
        raise FormatError(f"{where}: expected separator '.' or '/', found {separator!r}")
    codecs = document.get("codecs")
    if not isinstance(codecs, list) or not codecs:
        raise FormatError(f"{where}: expected a list of codecs, found {str(codecs)[:60]!r}")
    if document.get("storage_transformers"):
        raise UnsupportedVariantError(f"{where}: storage transformers are not read")
    dtype = np.dtype(text)
    names = document.get("dimension_names") or attributes.get("_ARRAY_DIMENSIONS")
    return ArrayNode(
        path, 3, shape, chunk, dtype, _fill(where, document.get("fill_value"), dtype), codecs=tuple(codecs),
        separator=separator, prefix="c" if default else "", names=_names(names, len(shape)), attributes=attributes,
    )  # fmt: skip


_FIELDS3 = {
    "zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs",
    "attributes", "dimension_names", "storage_transformers", "consolidated_metadata",
}  # fmt: skip


def _children3(place: Place, path: str, document: dict[str, Any]) -> tuple[str, ...]:
    inline = document.get("consolidated_metadata")
    known = inline.get("metadata") if isinstance(inline, dict) else None
    names = {key.partition("/")[0] for key in known} if isinstance(known, dict) else set()
    return tuple(sorted(names | set(_children(place, path))))


def _named(where: str, document: dict[str, Any], key: str) -> dict[str, Any]:
    found = document.get(key)
    if isinstance(found, str):
        found = {"name": found}
    if not isinstance(found, dict) or not isinstance(found.get("configuration", {}), dict):
        raise FormatError(f"{where}: expected {key} with a name and a configuration, found {str(found)[:60]!r}")
    return {"name": found.get("name"), "configuration": found.get("configuration", {})}


# ---- both


def _lengths(where: str, key: str, document: dict[str, Any], least: int = 0) -> tuple[int, ...]:
    found = document.get(key)
    good = isinstance(found, list) and all(type(n) is int and least <= n < 2**48 for n in found)
    if not good or found is None or len(found) > _MOST_AXES:
        raise FormatError(f"{where}: expected {key!r} to be a list of whole numbers, found {str(found)[:80]}")
    return tuple(found)


def _agree(where: str, shape: tuple[int, ...], chunk: tuple[int, ...]) -> None:
    if len(shape) != len(chunk):
        raise FormatError(f"{where}: expected as many axes of a chunk as of the array {shape}, found {chunk}")
    if math.prod(shape) >= 2**62:
        raise FormatError(f"{where}: an array of shape {shape} is larger than any file; the document is damaged")


def _fill(where: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """The fill value as a number of the dtype; 0 where none is set."""
    try:
        if value is None or value == "":
            return dtype.type(0)
        if isinstance(value, str) and value in _NOT_NUMBERS:
            return dtype.type(_NOT_NUMBERS[value])
        if isinstance(value, str) and value.startswith("0x"):
            raw = int(value, 16).to_bytes(dtype.itemsize, "little")
            return np.frombuffer(raw, dtype.newbyteorder("<"))[0].astype(dtype)
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), dtype)[0]
        if isinstance(value, list) and len(value) == 2 and dtype.kind == "c":
            real, imaginary = (_NOT_NUMBERS.get(str(part), part) for part in value)
            return dtype.type(complex(float(real), float(imaginary)))  # type: ignore[arg-type]
        return dtype.type(value) if dtype.kind in "fcb" else np.array(value, dtype)[()]
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise FormatError(f"{where}: expected a fill value of dtype {dtype.name}, found {str(value)[:60]!r}") from error


def _names(found: Any, ndim: int) -> tuple[str | None, ...] | None:
    if isinstance(found, list) and len(found) == ndim and all(n is None or isinstance(n, str) for n in found):
        return tuple(found)
    return None

"""Metadata as JSON and back: whatever JSON has no word for is written as an object that says what it is."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

TAG = "__lazy4d__"
"""Key of the objects that stand for other types: array, complex, float (not finite), bytes, dict (with this key)."""

_DEEPEST = 200


def to_json(value: Any) -> Any:
    """A value of metadata in the types that JSON has.

    Dictionaries (their keys become text), lists, text, bool, int, float and None stay; tuples become lists and numpy
    numbers plain ones. Arrays, complex numbers, bytes and floats that are not finite come back exactly. Dates and
    paths become text.

    Parameters
    ----------
    value : object
        Value or nested dictionary.

    Returns
    -------
    object
        What `from_json` turns back.

    Examples
    --------
    >>> to_json({"a": (1, np.float32(0.5)), "b": 1j, "c": None})
    {'a': [1, 0.5], 'b': {'__lazy4d__': 'complex', 'value': [0.0, 1.0]}, 'c': None}
    >>> from_json(to_json({"edges": np.arange(3), "dose": float("inf")}))
    {'edges': array([0, 1, 2]), 'dose': inf}
    """
    return _to_json(value, 0)


def _to_json(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"metadata are nested deeper than {_DEEPEST} levels: does a dictionary hold itself?")
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        inner = {str(key): _to_json(item, depth + 1) for key, item in value.items()}
        return {TAG: "dict", "value": inner} if TAG in inner else inner
    if isinstance(value, list | tuple | set | frozenset):
        items = value if isinstance(value, list | tuple) else sorted(value, key=str)
        return [_to_json(item, depth + 1) for item in items]
    if isinstance(value, np.generic) and value.dtype.kind in "biufcUS" and value.dtype != np.longdouble:
        return _to_json(value.item(), depth)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {TAG: "float", "value": str(float(value))}
    if isinstance(value, complex):
        return {TAG: "complex", "value": [_to_json(value.real, depth), _to_json(value.imag, depth)]}
    if isinstance(value, bytes | bytearray):
        return {TAG: "bytes", "value": base64.b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, np.ndarray):
        return _array(value, depth)
    isoformat = getattr(value, "isoformat", None)  # dates and times
    return str(isoformat()) if callable(isoformat) else str(value)


def _array(array: np.ndarray, depth: int) -> Any:
    if array.dtype.kind not in "biufcUSmM" or array.dtype == np.longdouble:
        return _to_json(array.tolist(), depth)
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    packed = base64.b64encode(zlib.compress(ordered.tobytes())).decode("ascii")
    return {TAG: "array", "dtype": ordered.dtype.str, "shape": list(array.shape), "zlib": packed}


def from_json(value: Any) -> Any:
    r"""The value that `to_json` wrote.

    Raises
    ------
    ValueError
        An object claims to stand for a type but does not: says which.

    Examples
    --------
    >>> from_json({"__lazy4d__": "bytes", "value": "AAE="})
    b'\x00\x01'
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: from_json(item) for key, item in value.items()}
    try:
        return _tagged(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, SyntaxError, zlib.error) as error:
        raise ValueError(f"expected metadata of type {value[TAG]!r}, found {str(value)[:80]} ({error})") from error


def _tagged(value: dict[str, Any]) -> Any:
    kind = value[TAG]
    if kind == "dict":
        return {key: from_json(item) for key, item in value["value"].items()}
    if kind == "float":
        return float(value["value"])
    if kind == "complex":
        real, imag = (from_json(part) for part in value["value"])
        return complex(real, imag)
    if kind == "bytes":
        return base64.b64decode(value["value"], validate=True)
    if kind == "array":
        dtype = np.dtype(value["dtype"])
        if dtype.hasobject or dtype.names is not None:
            raise ValueError(f"an array of dtype {dtype}")
        flat = np.frombuffer(zlib.decompress(base64.b64decode(value["zlib"], validate=True)), dtype)
        return flat.reshape(value["shape"]).astype(dtype.newbyteorder("="))
    raise ValueError("the type is not known; it may have been written by a newer version")

"""Parameters of an operation as JSON: small values as they are, arrays and functions by name and fingerprint."""

import functools
import hashlib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DEEPEST = 12
_LONGEST = 300


def fingerprint(*parts: bytes) -> str:
    """Return 16 hexadecimal digits that stand for some bytes (the start of their SHA-256).

    Examples
    --------
    >>> fingerprint(b"lazy4d")
    '6ff1d7128aeab9aa'
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def describe(value: Any) -> Any:
    """Return what the history keeps of a parameter: only types that JSON has.

    Parameters
    ----------
    value
        Anything. Numbers, text, None, lists and dictionaries stay; infinite and undefined numbers become text.

    Returns
    -------
    Any
        - array: ``{"array": fingerprint of dtype, shape and values, "shape": ..., "dtype": ...}``
        - dask array: ``{"dask": its name, "shape": ..., "dtype": ...}``, without computing
        - function: ``{"function": "module.qualname", "source": fingerprint}`` and what its closure holds
        - signal: ``{"signal": class, "title": ..., "shape": ..., "dtype": ..., "history": id}``, without computing
        - slice: ``{"slice": [start, stop, step]}``
        - objects with ``as_dictionary`` (ROIs, axes, metadata): that dictionary
        - anything else: ``{"object": class, "repr": ...}``

    Examples
    --------
    >>> describe({"sigma": 2, "radius": np.float32(0.5), "window": slice(3), "where": ...})
    {'sigma': 2, 'radius': 0.5, 'window': {'slice': [None, 3, None]}, 'where': '...'}
    >>> describe(np.zeros((2, 3), np.uint8))
    {'array': '1f0c4020e15765c1', 'shape': [2, 3], 'dtype': 'uint8'}
    """
    return _describe(value, 0)


def _describe(value: Any, depth: int) -> Any:
    if value is None or (isinstance(value, (bool, int, str)) and not isinstance(value, Enum)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, np.ndarray) and value.ndim:
        return _describe_array(value)
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufcSU":
        return _describe(value.item(), depth)
    if isinstance(value, complex):
        return {"complex": [_describe(value.real, depth), _describe(value.imag, depth)]}
    if depth > _DEEPEST:
        return _describe_object(value)
    if isinstance(value, Mapping):
        return {str(key): _describe(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_describe(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return [_describe(item, depth + 1) for item in sorted(value, key=str)]
    if isinstance(value, slice):
        return {"slice": [_describe(part, depth + 1) for part in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return "..."
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (PurePath, np.dtype)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": fingerprint(bytes(value)), "size": len(value)}
    return _describe_rich(value, depth)


def _describe_rich(value: Any, depth: int) -> Any:
    """Describe objects known by what they have, so that this module needs no import of theirs."""
    if isinstance(value, type):
        return {"class": _qualified(value)}
    if hasattr(value, "axes_manager") and hasattr(value, "history"):
        return _describe_signal(value)
    if type(value).__module__.partition(".")[0] == "dask" and hasattr(value, "name") and hasattr(value, "dtype"):
        return {"dask": str(value.name), "shape": [_describe(n, depth) for n in value.shape], "dtype": str(value.dtype)}
    as_dictionary = getattr(value, "as_dictionary", None)
    if callable(as_dictionary):
        return _describe(as_dictionary(), depth + 1)
    if isinstance(value, functools.partial):
        inner = _describe(value.func, depth + 1)
        bound = {"args": _describe(value.args, depth + 1), "keywords": _describe(value.keywords, depth + 1)}
        return {"partial": inner, **bound}
    if isinstance(value, np.ufunc):
        return {"function": f"numpy.{value.__name__}"}
    if callable(value) and hasattr(value, "__qualname__"):
        return _describe_function(value, depth)
    return _describe_object(value)


def _describe_array(array: NDArray[Any]) -> dict[str, Any]:
    shape, dtype = list(array.shape), str(array.dtype)
    values = repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).tobytes()
    return {"array": fingerprint(f"{array.dtype.str}{shape}".encode(), values), "shape": shape, "dtype": dtype}


def _describe_signal(signal: Any) -> dict[str, Any]:
    axes = signal.axes_manager
    return {
        "signal": type(signal).__name__,
        "title": str(signal.metadata.get_item("General.title", "")),
        "shape": [*axes.nav_shape, *axes.frame_shape],
        "dtype": str(signal.data.dtype),
        "history": signal.history.id,
    }


def _describe_function(function: Callable[..., Any], depth: int) -> dict[str, Any]:
    inner = inspect.unwrap(getattr(function, "py_func", function))  # numba keeps the Python function there
    result: dict[str, Any] = {"function": _qualified(inner)}
    code = getattr(inner, "__code__", None)
    if code is None:  # compiled: its name and the versions say what it is
        return result
    try:
        result["source"] = fingerprint(inspect.getsource(inner).encode())
    except (OSError, TypeError, SyntaxError):  # typed at a prompt: the instructions stand for the source
        result["source"] = fingerprint(code.co_code, repr((code.co_names, code.co_consts)).encode())
    closure = getattr(inner, "__closure__", None)
    if closure:
        names = zip(code.co_freevars, closure, strict=True)
        result["closure"] = {name: _describe_cell(cell, inner, depth + 1) for name, cell in names}
    return result


def _describe_cell(cell: Any, owner: object, depth: int) -> Any:
    try:
        content = cell.cell_contents
    except ValueError:  # a name that is not assigned yet
        return None
    return "itself" if content is owner else _describe(content, depth)


def _describe_object(value: Any) -> dict[str, Any]:
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    return {"object": _qualified(type(value)), "repr": text[:_LONGEST]}


def _qualified(thing: Any) -> str:
    module = getattr(thing, "__module__", None)
    name = str(getattr(thing, "__qualname__", getattr(thing, "__name__", type(thing).__name__)))
    return name if module in (None, "builtins") else f"{module}.{name}"

"""Values of a metadata tree: made unchangeable on the way in, plain on the way out, compared with arrays inside."""

import copy
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np


def freeze(value: Any) -> Any:
    """Return a value as trees keep it: plain dictionaries with text keys, tuples, read-only arrays.

    Examples
    --------
    >>> freeze({1: [1, 2], "a": {"b": np.int64(3)}})
    {'1': (1, 2), 'a': {'b': np.int64(3)}}
    """
    if isinstance(value, Mapping):
        return {str(key): freeze(item) for key, item in value.items()}
    if hasattr(value, "as_dictionary") and hasattr(value, "has_item"):  # another tree
        return freeze(value.as_dictionary())
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return tuple(freeze(item) for item in sorted(value, key=str))
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return value[()]
        kept = np.array(value)
        kept.flags.writeable = False
        return kept
    return value


def given(value: Any) -> Any:
    """Return a kept value as it is handed out; dictionaries inside tuples are copied, as they could be edited.

    Examples
    --------
    >>> given((1, 2))
    (1, 2)
    """
    return copy.deepcopy(value) if isinstance(value, tuple) and _holds_dictionary(value) else value


def _holds_dictionary(value: tuple[Any, ...]) -> bool:
    return any(isinstance(item, dict) or (isinstance(item, tuple) and _holds_dictionary(item)) for item in value)


def plain(value: Any) -> Any:
    """Return a kept value as ordinary, independent dictionaries and lists.

    Examples
    --------
    >>> plain({"a": (1, 2)})
    {'a': [1, 2]}
    """
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def jsonable(value: Any) -> Any:
    """Return a value in the types that JSON has; infinite and undefined numbers become the text `"inf"`, `"nan"`.

    Examples
    --------
    >>> jsonable({"a": np.arange(3), "b": 1 + 2j, "c": float("nan"), "d": b"raw"})
    {'a': [0, 1, 2], 'b': [1.0, 2.0], 'c': 'nan', 'd': 'raw'}
    """
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [jsonable(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufcSU":
        return jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, complex):
        return [jsonable(value.real), jsonable(value.imag)]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", errors="backslashreplace")
    if isinstance(value, PurePath):
        return str(value)
    isoformat = getattr(value, "isoformat", None)  # dates and times
    return isoformat() if callable(isoformat) else str(value)


def same(a: Any, b: Any) -> bool:
    """Return whether two kept values are equal; NaN equals NaN, and arrays differ if their dtypes do.

    Examples
    --------
    >>> same({"a": np.arange(3)}, {"a": np.arange(3)}), same((1, float("nan")), (1, float("nan")))
    (True, True)
    """
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(item, b[key]) for key, item in a.items())
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.dtype != b.dtype:
            return False
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, (float, np.floating)) and isinstance(b, (float, np.floating)) and a != a and b != b:
        return True
    return bool(a == b)


def merged(base: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """Return two trees as one; values of `added` go first, nodes that both have are merged.

    Examples
    --------
    >>> merged({"a": {"b": 1}}, {"a": {"c": 2}})
    {'a': {'b': 1, 'c': 2}}
    """
    result = dict(base)
    for key, value in added.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result

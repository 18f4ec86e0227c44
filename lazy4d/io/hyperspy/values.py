"""Metadata as HyperSpy stores them and back: the name of an entry says of which type its value is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.hyperspy.names import quoted, unquoted
from lazy4d.io.hyperspy.nodes import Group, LeftOut
from lazy4d.io.zarr_store.attributes import TAG, from_json, to_json

NONE = "_None_"

_COUNTED = re.compile(r"_(list|tuple)_(\d+)_(.*)", re.DOTALL)
_DEEPEST = 200
_INT64 = range(-(2**63), 2**63)


# ---- reading


def decode(group: Group, depth: int = 0) -> dict[str, Any]:
    """The dictionary that a group of metadata stands for.

    Parameters
    ----------
    group : Group
        As a container gives it.

    Returns
    -------
    dict
        Nested; numbers are plain ones, lists and tuples what they were. Arrays that were left out are not in it.

    Examples
    --------
    >>> decode(Group({"units": "_None_", "_list_empty_marks": "_None_"}, {"_list_2_who": Group({"0": "a", "1": 2})}))
    {'units': None, 'marks': [], 'who': ['a', 2]}
    """
    result: dict[str, Any] = {}
    if depth > _DEEPEST:
        return result
    for name, value in group.attributes.items():
        _decode_attribute(result, name, value)
    for name, child in group.children.items():
        if isinstance(child, Group):
            counted = _COUNTED.fullmatch(name)
            if counted:
                result[unquoted(counted.group(3))] = _sequence(child, counted.group(1), depth + 1)
                continue
            for prefix in ("_sig_", "_hspy_AxesManager_"):
                name = name.removeprefix(prefix)
            result[unquoted(name)] = _tagged(decode(child, depth + 1))
        elif not isinstance(child, LeftOut):
            _decode_array(result, name, child)
    return result


def _decode_attribute(result: dict[str, Any], name: str, value: Any) -> None:
    if name.startswith("_list_empty_"):
        result[unquoted(name.removeprefix("_list_empty_"))] = []
    elif name.startswith("_tuple_empty_"):
        result[unquoted(name.removeprefix("_tuple_empty_"))] = ()
    elif name.startswith("_bs_"):
        result[unquoted(name.removeprefix("_bs_"))] = value.tobytes() if hasattr(value, "tobytes") else value
    elif name.startswith("_datetime_"):  # of HyperSpy before version 1: "datetime.date(2015, 3, 1)"
        result[name.removeprefix("_datetime_")] = _date(plain(value))
    else:
        result[unquoted(name)] = plain(value)


def _date(text: Any) -> Any:
    found = re.fullmatch(r"\s*datetime\.(date|time)\(([\d, ]+)\)\s*", str(text))
    if not found:
        return text
    numbers = [int(part) for part in found.group(2).split(",") if part.strip()]
    if found.group(1) == "date":
        return "-".join(f"{n:02d}" for n in numbers[:3])
    hours, minutes, seconds = (*numbers, 0, 0, 0)[:3]
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def plain(value: Any) -> Any:
    """A number, text or array as plain Python has it; ``"_None_"`` is None.

    Examples
    --------
    >>> plain(np.int16(4)), plain(b"nm"), plain("_None_"), plain(np.array([1.5]))
    (4, 'nm', None, array([1.5]))
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, np.void):
        return value.tobytes()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(value[()]) if value.ndim == 0 else _readable(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, str) and value == NONE else value


def _readable(array: NDArray[Any]) -> NDArray[Any]:
    """Text as numpy's own; byte strings are text that was written so."""
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind == "O":
        return np.array([str(plain(item)) for item in array.ravel().tolist()], dtype=str).reshape(array.shape)
    return array


def _decode_array(result: dict[str, Any], name: str, array: NDArray[Any]) -> None:
    if name.startswith("_list_"):
        result[unquoted(name.removeprefix("_list_"))] = _items(array)
    elif name.startswith("_tuple_"):
        result[unquoted(name.removeprefix("_tuple_"))] = tuple(_items(array))
    elif not name.startswith("_ragged_shapes_"):
        result[unquoted(name.removeprefix("_bs_"))] = plain(array)


def _items(array: NDArray[Any]) -> list[Any]:
    items: list[Any] = [] if array.ndim == 0 else _readable(array).tolist()
    return [None if isinstance(item, str) and item == NONE else item for item in items]


def _sequence(group: Group, kind: str, depth: int) -> list[Any] | tuple[Any, ...]:
    found = decode(group, depth)
    items = [found[key] for key in sorted(found, key=lambda key: (not key.isdecimal(), len(key), key))]
    return tuple(items) if kind == "tuple" else items


def _tagged(found: dict[str, Any]) -> Any:
    if TAG not in found:
        return found
    try:
        return from_json(_listed(found))
    except ValueError:
        return found


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


# ---- writing


def encode(content: Mapping[str, Any], json: bool = False) -> Group:
    """The group of metadata that stands for a dictionary.

    Parameters
    ----------
    content : dict
        Nested; keys become text.
    json : bool
        Attributes are kept as JSON, which has no word for bytes, complex numbers and arrays of text: these are written
        as the small dictionaries that `lazy4d` reads back.

    Raises
    ------
    ValueError
        The dictionary is nested deeper than 200 levels.

    Examples
    --------
    >>> tree = encode({"General": {"title": "scan", "author": None}, "who": ["a", 2]})
    >>> tree.group("General").attributes
    {'title': 'scan', 'author': '_None_'}
    >>> tree.group("_list_2_who").attributes
    {'0': 'a', '1': 2}
    """
    return _encode(content, json, 0)


def _encode(content: Mapping[str, Any], json: bool, depth: int) -> Group:
    if depth > _DEEPEST:
        raise ValueError(f"metadata are nested deeper than {_DEEPEST} levels: does a dictionary hold itself?")
    group = Group()
    for key, value in content.items():
        _put(group, quoted(str(key)), value, json, depth)
    return group


def _put(group: Group, name: str, value: Any, json: bool, depth: int) -> None:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.generic) and value.dtype.kind in "biufcUS":
        value = value.item()
    if value is None:
        group.attributes[name] = NONE
    elif isinstance(value, str):
        group.attributes[name] = value.replace("\0", "␀").encode("utf-8", "replace").decode("utf-8")
    elif isinstance(value, bool | float) or (isinstance(value, int) and value in _INT64):
        group.attributes[name] = value
    elif isinstance(value, Mapping):
        group.children[name] = _encode(value, json, depth + 1)
    elif isinstance(value, np.ndarray) and _storable(value):
        group.children[name] = np.ascontiguousarray(value)
    elif isinstance(value, list | tuple | set | frozenset):
        items = value if isinstance(value, list | tuple) else sorted(value, key=str)
        _put_sequence(group, name, "tuple" if isinstance(value, tuple) else "list", items, json, depth)
    elif isinstance(value, complex) and not json:
        group.attributes[name] = value
    elif isinstance(value, bytes | bytearray) and value and not json:
        group.attributes[f"_bs_{name}"] = np.void(bytes(value))
    elif isinstance(value, bytes | bytearray | complex | np.ndarray):
        tagged = to_json(value)
        _put(group, name, tagged, json, depth + 1)
    else:  # dates, paths and whole numbers too large for any container
        isoformat = getattr(value, "isoformat", None)
        group.attributes[name] = str(isoformat() if callable(isoformat) else value)


def _put_sequence(group: Group, name: str, kind: str, items: Sequence[Any], json: bool, depth: int) -> None:
    if not items:
        group.attributes[f"_{kind}_empty_{name}"] = NONE
        return
    array = _numbers(items)
    if array is None and not json and all(isinstance(item, str) and "\0" not in item for item in items):
        array = np.array([item.encode("utf-8", "replace").decode("utf-8") for item in items], dtype=object)
    if array is not None:
        group.children[f"_{kind}_{name}"] = array
        return
    group.children[f"_{kind}_{len(items)}_{name}"] = _encode(
        {str(k): item for k, item in enumerate(items)}, json, depth + 1
    )


def _numbers(items: Sequence[Any]) -> NDArray[Any] | None:
    """A list of numbers of one type as an array; None for any other list."""
    plain_items = [item.item() if isinstance(item, np.generic) else item for item in items]
    kinds = {type(item) for item in plain_items}
    if kinds == {int} and all(item in _INT64 for item in plain_items):
        return np.array(plain_items, np.int64)
    if kinds == {float}:
        return np.array(plain_items, np.float64)
    return np.array(plain_items, bool) if kinds == {bool} else None


def _storable(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "biufc" and array.dtype.itemsize <= 16 and array.dtype != np.longdouble

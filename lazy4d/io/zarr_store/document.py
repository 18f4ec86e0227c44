"""The ``zarr.json`` of a store's root: everything but the pixels, written in one step and read with checks."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import Any

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.zarr_store.attributes import from_json, to_json
from lazy4d.io.zarr_store.shards import write_whole

NAME = "zarr.json"
KEY = "lazy4d"
"""Attribute of the root group that holds everything but the pixels."""

VERSION = 1
INCOMPLETE = ("raise", "nan", "zero")


@dataclass(frozen=True)
class StoreContent:
    """Everything a store says of its signal, beside the pixels.

    Parameters
    ----------
    axes : list of dict
        ``name, units, scale, offset, size, navigate`` and what else an axis has, numpy order.
    metadata, original_metadata : dict
        As the signal has them.
    history : str
        JSON text.
    signal_class : str
        Name of the class of the signal.
    stream : str
        Identity of the pixels that were saved, by which an interrupted save is taken up.
    incomplete : str
        What becomes of frames recorded as invalid; ``"raise"`` where none can be.
    complete : bool
        Whether the save has come to its end.
    invalid_frames : int
        Frames recorded as invalid, once complete.
    """

    axes: list[dict[str, Any]]
    metadata: dict[str, Any]
    original_metadata: dict[str, Any]
    history: str
    signal_class: str
    stream: str
    incomplete: str
    complete: bool = False
    invalid_frames: int = 0


def root_document(content: StoreContent) -> dict[str, Any]:
    """What ``zarr.json`` of the root group says.

    Raises
    ------
    ValueError
        The metadata hold themselves, or the history is no JSON.
    """
    own = {
        "format_version": VERSION,
        "complete": content.complete,
        "signal_class": content.signal_class,
        "axes": to_json(content.axes),
        "metadata": to_json(content.metadata),
        "original_metadata": to_json(content.original_metadata),
        "history": json.loads(content.history),
        "stream": content.stream,
        "incomplete": content.incomplete,
        "invalid_frames": content.invalid_frames,
    }
    return {"zarr_format": 3, "node_type": "group", "attributes": {KEY: own}}


def write_root(folder: str, content: StoreContent) -> None:
    """Write ``zarr.json`` of the root group, in one step."""
    write_document(folder, root_document(content))


def write_document(folder: str, document: dict[str, Any]) -> None:
    """Write ``zarr.json`` of a node, in one step."""
    write_whole(os.path.join(folder, NAME), json.dumps(document, indent=1, allow_nan=False).encode(), durable=True)


# ---- reading


def read_document(path: str) -> dict[str, Any]:
    """A JSON object from a file.

    Raises
    ------
    FormatError
        The file is absent, no JSON, or no object.
    """
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read())
    except FileNotFoundError as error:
        raise FormatError(
            f"{path}: expected this file of a Zarr store, it is not there; was the copy or the save interrupted?"
        ) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: expected JSON, found text that is cut short or damaged: {error}") from error
    if not isinstance(document, dict):
        raise FormatError(f"{path}: expected a JSON object, found {str(document)[:60]!r}")
    return document


def is_store(folder: str) -> bool:
    """Whether a folder is a store of lazy4d, whatever its state.

    Examples
    --------
    >>> is_store("/no/such/folder")
    False
    """
    try:
        attributes = read_document(os.path.join(folder, NAME)).get("attributes")
    except (FormatError, OSError):
        return False
    return isinstance(attributes, dict) and KEY in attributes


def read_root(folder: str) -> StoreContent:
    """What the root group says, checked.

    Raises
    ------
    FormatError
        Something is missing, of a wrong type, or contradicts itself.
    UnsupportedVariantError
        The store is of a newer version.
    """
    path = os.path.join(folder, NAME)
    document = read_document(path)
    attributes = document.get("attributes")
    if not isinstance(attributes, dict) or KEY not in attributes:
        raise FormatError(f"{path}: expected a store that lazy4d wrote, found no attribute {KEY!r}")
    return parse_content(path, attributes[KEY])


def parse_content(path: str, content: Any) -> StoreContent:
    """What the object under `KEY` of a root document says, checked.

    Raises
    ------
    FormatError
        Something is missing, of a wrong type, or contradicts itself.
    UnsupportedVariantError
        It is of a newer version.
    """
    own = Fields(path, KEY, content)
    version = own.take("format_version", int)
    if version != VERSION:
        raise UnsupportedVariantError(
            f"{path}: a store of format version {version}, this lazy4d reads version {VERSION}: update lazy4d"
        )
    history = own.take("history", list)
    keys = {"op", "params", "versions", "source", "parents"}
    if not all(isinstance(entry, dict) and set(entry) == keys for entry in history):
        raise FormatError(f"{path}: expected a history of objects with {sorted(keys)}, found {str(history)[:80]!r}")
    incomplete = own.take("incomplete", str)
    if incomplete not in INCOMPLETE:
        raise FormatError(f"{path}: expected incomplete to be one of {INCOMPLETE}, found {incomplete!r}")
    return StoreContent(
        axes=[_axis(path, axis) for axis in own.value("axes", list)],
        metadata=own.value("metadata", dict),
        original_metadata=own.value("original_metadata", dict),
        history=json.dumps(history),
        signal_class=own.take("signal_class", str),
        stream=own.take("stream", str),
        incomplete=incomplete,
        complete=own.take("complete", bool),
        invalid_frames=own.take("invalid_frames", int),
    )


class Fields:
    """The entries of a JSON object, taken out by name and type; whatever does not fit is a `FormatError`."""

    def __init__(self, path: str, what: str, content: Any) -> None:
        self.path, self.what = path, what
        if not isinstance(content, dict):
            raise FormatError(f"{path}: expected {what} to be a JSON object, found {str(content)[:60]!r}")
        self.content = content

    def take(self, key: str, kind: type) -> Any:
        """The entry, exactly of a type."""
        found = self.content.get(key)
        if type(found) is not kind:
            raise FormatError(
                f"{self.path}: expected {key!r} of {self.what} to be of type {kind.__name__}, found "
                f"{str(found)[:60]!r}; the file was changed or damaged"
            )
        return found

    def value(self, key: str, kind: type) -> Any:
        """The entry as `to_json` was given it."""
        try:
            found = from_json(self.take(key, kind))
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{self.path}: {key!r} of {self.what} cannot be read: {error}") from error
        if not isinstance(found, kind):
            raise FormatError(f"{self.path}: expected {key!r} to hold a {kind.__name__}, found {str(found)[:60]!r}")
        return found

    def shape(self, key: str, ndim: int | None = None) -> tuple[int, ...]:
        """The entry as a tuple of positive numbers."""
        found = self.take(key, list)
        if not all(type(n) is int and 0 < n < 2**62 for n in found) or (ndim is not None and len(found) != ndim):
            raise FormatError(
                f"{self.path}: expected {key!r} of {self.what} to be {ndim or 'some'} positive numbers, found {found}"
            )
        return tuple(found)


def _axis(path: str, content: Any) -> dict[str, Any]:
    axis = Fields(path, "an axis", content)
    for key, kind in (("name", str), ("units", str), ("size", int), ("navigate", bool)):
        axis.take(key, kind)
    for key in ("scale", "offset"):
        number: Any = axis.content.get(key)
        if type(number) not in (int, float) or not math.isfinite(number) or (key == "scale" and number == 0):
            raise FormatError(f"{path}: expected a finite {key} of axis {content['name']!r}, found {number!r}")
    return dict(content)

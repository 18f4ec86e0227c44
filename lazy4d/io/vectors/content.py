"""What a file of vectors says of them, beside their numbers: the same JSON document in every format."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazy4d.errors import FormatError
from lazy4d.io.zarr_store.codec import checksum
from lazy4d.io.zarr_store.document import KEY, Fields, StoreContent, parse_content, root_document

KIND = "vectors"
"""What the document calls its kind."""

DTYPES = {
    name: np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
        "float64",
    )
}  # fmt: skip
"""Columns that can be stored, by the name that Zarr, Arrow and numpy share."""

PLACE = ("ky", "kx")
"""Columns that count pixels of the frame, and are calibrated by its axes."""

SEAL = "crc32c"
"""Entry of the document with its own checksum."""

MOST_ENTRIES = 2**48


@dataclass(frozen=True)
class VectorContent:
    """Everything a file says of its vectors, beside their numbers.

    Parameters
    ----------
    signal : StoreContent
        Axes (navigation, then those of the frames), metadata, history, class, identity and what is said of damage.
    dtypes : mapping of str to dtype
        The columns, in their order.
    units : mapping of str to str
        Units of columns, where they have some.
    total : int
        Entries of all frames.
    """

    signal: StoreContent
    dtypes: Mapping[str, np.dtype[Any]]
    units: Mapping[str, str]
    total: int

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Positions along each navigation axis, numpy order."""
        return tuple(axis["size"] for axis in self.signal.axes if axis["navigate"])

    @property
    def n_frames(self) -> int:
        """Positions of the scan."""
        return math.prod(self.nav_shape)

    @property
    def entry_nbytes(self) -> int:
        """Bytes of one entry in all columns."""
        return sum(dtype.itemsize for dtype in self.dtypes.values())

    def attributes(self, name: str) -> dict[str, Any]:
        """What is said of one column beside its numbers: units, and for ky and kx how to calibrate them.

        ``calibrated = offset + scale * column``, in ``calibrated_units``.
        """
        found: dict[str, Any] = {"units": self.units[name]} if self.units.get(name) else {}
        for column, axis in zip(PLACE, self.signal.axes[-2:], strict=False):
            if column == name:
                found |= {"scale": float(axis["scale"]), "offset": float(axis["offset"])}
                found |= {"calibrated_units": str(axis["units"])}
        return found

    @property
    def title(self) -> str:
        """The title in the metadata, may be empty."""
        general = self.signal.metadata.get("General")
        title = general.get("title") if isinstance(general, Mapping) else None
        return title if isinstance(title, str) else ""

    def document(self) -> dict[str, Any]:
        """A JSON object that says all of this.

        Raises
        ------
        ValueError
            The metadata hold themselves, or the history is no JSON.
        """
        own: dict[str, Any] = root_document(self.signal)["attributes"][KEY]
        columns = [
            {"name": name, "dtype": dtype.name, "units": self.units.get(name, "")}
            for name, dtype in self.dtypes.items()
        ]
        return sealed({**own, "kind": KIND, "columns": columns, "total": int(self.total)})

    def text(self) -> str:
        """The document as JSON text."""
        return json.dumps(self.document(), allow_nan=False)


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the CRC-32C of what it says, however its text is laid out.

    Examples
    --------
    >>> sealed({"b": 1, "a": [0.1]}) == sealed(sealed({"a": [0.1], "b": 1}))
    True
    """
    said = {key: value for key, value in document.items() if key != SEAL}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return {**said, SEAL: checksum(text.encode("ascii"))}


def parse_text(path: str, text: Any) -> VectorContent:
    """What a document as JSON text says, checked.

    Raises
    ------
    FormatError, UnsupportedVariantError
        It is no JSON, or as `parse`.
    """
    try:
        document = json.loads(text)  # bytes are UTF-8
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: expected JSON that describes vectors, found {str(text)[:40]!r}: {error}") from error
    return parse(path, document)


def parse(path: str, document: Any) -> VectorContent:
    """What a document says, checked.

    Raises
    ------
    FormatError
        Something is missing, of a wrong type, or contradicts itself.
    UnsupportedVariantError
        It is of a newer version.
    """
    signal = parse_content(path, document)
    own = Fields(path, KEY, document)
    if sealed(document)[SEAL] != own.take(SEAL, int):
        raise FormatError(
            f"{path}: what describes the vectors has another checksum than it says ({own.content[SEAL]:#010x}): it was "
            "changed or damaged. Restore it from a copy; titles and calibrations are changed by loading and saving"
        )
    dtypes: dict[str, np.dtype[Any]] = {}
    units: dict[str, str] = {}
    for entry in own.take("columns", list):
        column = Fields(path, "a column", entry)
        name, dtype = column.take("name", str), column.take("dtype", str)
        if dtype not in DTYPES or name in dtypes:
            raise FormatError(f"{path}: expected columns of distinct names and dtypes of numbers, found {entry}")
        dtypes[name], units[name] = DTYPES[dtype], column.take("units", str)
    total = own.take("total", int)
    if not dtypes or not 0 <= total < MOST_ENTRIES:
        raise FormatError(f"{path}: expected columns and a number of entries, found {len(dtypes)} and {total}")
    navigate = [axis["navigate"] for axis in signal.axes]
    sizes = [axis["size"] for axis in signal.axes]
    if navigate != sorted(navigate, reverse=True) or min(sizes, default=1) < 1 or math.prod(sizes) >= 2**62:
        raise FormatError(f"{path}: expected navigation axes, then those of the frames, found {signal.axes}")
    return VectorContent(signal, dtypes, units, total)


def stored_dtypes(where: str, dtypes: Mapping[str, np.dtype[Any]]) -> dict[str, np.dtype[Any]]:
    """The columns as they will be stored, native.

    Raises
    ------
    TypeError
        A dtype that no format has.
    ValueError
        A column without a name.

    Examples
    --------
    >>> stored_dtypes("v.zarr", {"ky": np.dtype(">f8")})
    {'ky': dtype('float64')}
    """
    if "" in dtypes:
        raise ValueError(f"{where}: a column without a name cannot be stored: expected a name for each")
    wrong = {name: str(dtype) for name, dtype in dtypes.items() if dtype.name not in DTYPES}
    if wrong:
        raise TypeError(
            f"{where}: columns of dtype {wrong} cannot be stored, expected one of {', '.join(DTYPES)}: convert them "
            "first"
        )
    return {name: DTYPES[dtype.name] for name, dtype in dtypes.items()}

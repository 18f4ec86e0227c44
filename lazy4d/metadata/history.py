"""The history of a signal: what was done to which file, with which parameters and versions; it only grows."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any, overload

import numpy as np

from lazy4d.metadata.describe import describe, fingerprint

_KEYS = ("op", "params", "versions", "source", "parents")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One operation. What it holds is kept as JSON text, so that nothing can change it; make it with `of`.

    Parameters
    ----------
    text
        A JSON object with `op`, `params`, `versions`, `source` and `parents`.

    Examples
    --------
    >>> entry = HistoryEntry.of("rebin", {"scale": (1, 1, 2, 2)})
    >>> entry.op, entry.params
    ('rebin', {'scale': [1, 1, 2, 2]})
    """

    text: str

    @classmethod
    def of(
        cls,
        op: str,
        params: Mapping[str, Any] | None = None,
        source: Mapping[str, Any] | None = None,
        parents: Iterable["History | str"] = (),
    ) -> "HistoryEntry":
        """Return the entry of an operation of today, with the versions of the libraries in use.

        Parameters
        ----------
        op
            Name of the operation.
        params
            Its parameters, of any type; see `lazy4d.metadata.describe.describe` for what is kept of them.
        source
            Identity of the file read, such as path, size, mtime_ns and format.
        parents
            Histories (or their ids) of other signals that took part.

        Examples
        --------
        >>> HistoryEntry.of("load", source={"path": "scan.mib", "size": 1024}).source["size"]
        1024
        """
        content = {
            "op": str(op),
            "params": describe(dict(params or {})),
            "versions": versions(),
            "source": None if source is None else describe(dict(source)),
            "parents": [parent.id if isinstance(parent, History) else str(parent) for parent in parents],
        }
        return cls(json.dumps(content, ensure_ascii=False, allow_nan=False))

    @property
    def op(self) -> str:
        """Name of the operation."""
        return str(self.as_dictionary()["op"])

    @property
    def params(self) -> dict[str, Any]:
        """Parameters, in types that JSON has."""
        return dict(self.as_dictionary()["params"])

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the libraries that did it."""
        return dict(self.as_dictionary()["versions"])

    @property
    def source(self) -> dict[str, Any] | None:
        """Identity of the file that was read, None for an operation on data in hand."""
        source: dict[str, Any] | None = self.as_dictionary()["source"]
        return source

    @property
    def parents(self) -> tuple[str, ...]:
        """`History.id` of each other signal that took part."""
        return tuple(self.as_dictionary()["parents"])

    def as_dictionary(self) -> dict[str, Any]:
        """Return the entry as an independent dictionary.

        Examples
        --------
        >>> list(HistoryEntry.of("sum").as_dictionary())
        ['op', 'params', 'versions', 'source', 'parents']
        """
        content: dict[str, Any] = json.loads(self.text)
        return content

    def __str__(self) -> str:
        content = self.as_dictionary()
        values = content["params"] if content["source"] is None else {**content["source"], **content["params"]}
        text = ", ".join(f"{name}={_short(value)}" for name, value in values.items())
        others = f" with {', '.join(content['parents'])}" if content["parents"] else ""
        return f"{content['op']}({text}){others}"

    def __repr__(self) -> str:
        return f"<HistoryEntry {self}>"


class History:
    """How data were made: entries in the order of the operations. Adding to it gives another history.

    Parameters
    ----------
    entries
        `HistoryEntry` objects.

    Examples
    --------
    >>> history = History().append("load", source={"path": "scan.mib"}).append("rebin", {"scale": [1, 1, 2, 2]})
    >>> history
    <History, 2 entries>
    0 load(path='scan.mib')
    1 rebin(scale=[1, 1, 2, 2])
    >>> History.from_json(history.to_json()) == history
    True
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[HistoryEntry] = ()) -> None:
        self._entries = tuple(entries)
        for entry in self._entries:
            if not isinstance(entry, HistoryEntry):
                raise TypeError(f"expected HistoryEntry objects, found {entry!r}: use append(op, params)")

    def append(
        self,
        op: str,
        params: Mapping[str, Any] | None = None,
        source: Mapping[str, Any] | None = None,
        parents: Iterable["History | str"] = (),
    ) -> "History":
        """Return this history with one more operation; parameters as for `HistoryEntry.of`.

        Examples
        --------
        >>> len(History().append("sum", {"axis": None}))
        1
        """
        return History((*self._entries, HistoryEntry.of(op, params, source, parents)))

    @property
    def id(self) -> str:
        """16 hexadecimal digits that stand for all entries but their versions: the same work has the same id."""
        kept = [{key: value for key, value in e.as_dictionary().items() if key != "versions"} for e in self._entries]
        return fingerprint(json.dumps(kept, sort_keys=True).encode())

    @property
    def source(self) -> dict[str, Any] | None:
        """Identity of the first file read, None for data that come from no file."""
        return next((source for source in (entry.source for entry in self._entries) if source is not None), None)

    def as_list(self) -> list[dict[str, Any]]:
        """Return all entries as independent dictionaries.

        Examples
        --------
        >>> History().append("sum").as_list()[0]["op"]
        'sum'
        """
        return [entry.as_dictionary() for entry in self._entries]

    def to_json(self) -> str:
        """Return the history as JSON text: a list with one object for each entry.

        Examples
        --------
        >>> History().to_json()
        '[]'
        """
        return f"[{', '.join(entry.text for entry in self._entries)}]"

    @classmethod
    def from_json(cls, text: str) -> "History":
        """Return the history that `to_json` wrote.

        Raises
        ------
        ValueError
            The text is not JSON, or not that of a history.

        Examples
        --------
        >>> History.from_json("[]")
        <History, 0 entries>
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"expected the JSON text of a history, found {text[:60]!r}: {error}") from error
        if not isinstance(content, list):
            raise ValueError(f"expected a JSON list of history entries, found {text[:60]!r}: use History.to_json()")
        for number, entry in enumerate(content):
            if not isinstance(entry, dict) or set(entry) != set(_KEYS):
                raise ValueError(f"expected entry {number} of the history to have {list(_KEYS)}, found {entry!r}")
        return cls(
            HistoryEntry(json.dumps({key: entry[key] for key in _KEYS}, ensure_ascii=False)) for entry in content
        )

    @overload
    def __getitem__(self, key: int) -> HistoryEntry: ...

    @overload
    def __getitem__(self, key: slice) -> "History": ...

    def __getitem__(self, key: int | slice) -> "HistoryEntry | History":
        if isinstance(key, slice):
            return History(self._entries[key])
        if not -len(self) <= key < len(self):
            raise ValueError(f"expected an entry below {len(self)}, found {key}: the history is\n{self!r}")
        return self._entries[key]

    def __iter__(self) -> Iterator[HistoryEntry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return self._entries == other._entries if isinstance(other, History) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        count = f"<History, {len(self)} {'entry' if len(self) == 1 else 'entries'}>"
        return "\n".join([count, *(f"{number} {entry}" for number, entry in enumerate(self))])

    def _repr_html_(self) -> str:
        if not self._entries:
            return "<p><i>empty history</i></p>"
        return f"<ol start='0'>{''.join(f'<li><code>{escape(str(entry))}</code></li>' for entry in self)}</ol>"


def versions() -> dict[str, str]:
    """Return the versions of lazy4d and numpy, and of dask where it is in use.

    Examples
    --------
    >>> versions()["numpy"] == np.__version__
    True
    """
    found = {"lazy4d": _own_version(), "numpy": np.__version__}
    dask = sys.modules.get("dask")  # not imported for this: metadata come without dask
    return found if dask is None else {**found, "dask": str(getattr(dask, "__version__", "unknown"))}


@lru_cache(maxsize=1)
def _own_version() -> str:
    from importlib import metadata

    try:
        return metadata.version("lazy4d")
    except metadata.PackageNotFoundError:
        return "unknown"


def _short(value: Any) -> str:
    """Return a described parameter in a few characters."""
    if isinstance(value, dict):
        for kind in ("array", "dask"):
            if kind in value:
                return f"<{kind} {tuple(value['shape'])} {value['dtype']} {value[kind]}>"
        if "function" in value:
            return str(value["function"])
        if "slice" in value:
            parts = ["" if part is None else str(part) for part in value["slice"]]
            return ":".join(parts if parts[2] else parts[:2])
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"

"""Where a converted file comes from, as its history tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.metadata import History

CONVERT = "convert"
"""Operation under which the history keeps the identity of the file that was converted."""


def origin(history: History) -> str:
    """The files that data were converted from, the last one first; empty where they were not.

    Parameters
    ----------
    history : History
        Of the signal.

    Examples
    --------
    >>> from lazy4d.metadata import History
    >>> source = {"path": "/data/scan.mib", "format": "mib", "size": 1_048_576, "mtime_ns": 0}
    >>> origin(History().append("convert", {"bin": [1, 1, 2, 2]}, source=source))
    '/data/scan.mib (mib, 1.0 MB, of 1970-01-01 00:00:00 UTC), bin=[1, 1, 2, 2]'
    """
    found = [entry for entry in history if entry.op == CONVERT and entry.source]
    return "\n".join(_text(entry.source or {}, entry.params) for entry in reversed(found))


def _text(source: dict[str, Any], params: dict[str, Any]) -> str:
    from lazy4d.signals.display import human_bytes

    facts = [str(source.get("format", "unknown format"))]
    if isinstance(source.get("size"), int):
        facts.append(human_bytes(source["size"]))
    if isinstance(source.get("mtime_ns"), int):
        facts.append(f"of {datetime.fromtimestamp(source['mtime_ns'] // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC")
    steps = "".join(f", {name}={value}" for name, value in params.items() if name in ("crop", "bin", "dtype", "clip"))
    return f"{source.get('path', 'a file')} ({', '.join(facts)}){steps}"

"""What is in a Zarr store of another program."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def arrays_in(folder: str) -> list[str]:
    """Arrays of a store of either version, the first few, with shape and dtype where they can be told.

    Examples
    --------
    >>> arrays_in("/no/such/folder")
    []
    """
    found: list[str] = []
    for where, folders, files in os.walk(folder):
        name = next((n for n in ("zarr.json", ".zarray") if n in files), None)
        depth = len(Path(where).relative_to(folder).parts)
        if name:
            document = _document(os.path.join(where, name))
            if name == ".zarray" or document.get("node_type") == "array":
                kind = document.get("data_type", document.get("dtype"))
                found.append(f"{Path(where).relative_to(folder).as_posix()} {document.get('shape')} {kind}")
                folders.clear()
        if depth >= 5 or len(found) > 8:
            folders.clear()
        folders.sort()
    return found


def _document(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

"""Times and exposures in the headers of many MIB frames, read by stride."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lazy4d.io import mapping
from lazy4d.io.rawframes import RawFrames

MOST_FRAMES = 262_144
"""Headers looked at in a recording; each costs a page of the file."""

_AT_ONCE = 16_384
_MOST_BYTES = 8192
_UNITS = {b"ns": 1e-9, b"us": 1e-6, b"\xb5s": 1e-6, b"ms": 1e-3, b"s": 1.0}
_EXPOSURE = re.compile(rb"\s*([\d.]{1,18})\s*(ns|us|\xb5s|ms|s)?\s*")
_MAPPED = 4 << 20  # files of a series above this size are mapped, others opened and read

Report = Callable[[int], None]


def read_times(
    frames: RawFrames, numbers: NDArray[np.int64], report: Report
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Start in ns and exposure in s of some frames of a MIB recording; None where headers are of another kind.

    Parameters
    ----------
    frames : RawFrames
        The recording, one-dimensional.
    numbers : ndarray of int64
        Frames, ascending; none of them missing.
    report : callable
        Told of each frame looked at.

    Returns
    -------
    times : ndarray of int64, shape of `numbers`
        Empty where headers hold no readable time.
    exposures : ndarray of float64, shape of `numbers`
        Empty where headers hold no readable exposure.
    """
    if not numbers.size or frames.layout.frames != 1:
        return None
    fields = _fields(_heads(frames, numbers[:1], min(frames.layout.offset, _MOST_BYTES))[0].tobytes())
    if fields is None:
        return None
    (time_at, time_bytes), exposure_at, unit = fields
    times, exposures = [], []
    for start in range(0, numbers.size, _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        heads = _heads(frames, some, min(frames.layout.offset, max(time_at + time_bytes, exposure_at + 24)))
        times.append(_parse_times(heads[:, time_at : time_at + time_bytes]))
        exposures.append(_parse_exposures(heads[:, exposure_at : exposure_at + 24], unit))
        report(some.size)
    return (
        np.concatenate(times) if all(part.size for part in times) else np.zeros(0, np.int64),
        np.concatenate(exposures) if all(part.size for part in exposures) else np.zeros(0),
    )


def _fields(head: bytes) -> tuple[tuple[int, int], int, float] | None:
    """Where the time (byte and length) and the exposure stand in a header, and the unit of one without a unit."""
    start = 15 if head.startswith(b"MPX,") else 0
    items = head[start:].split(b"\0", 1)[0].split(b",")
    places = [start]
    for item in items:
        places.append(places[-1] + len(item) + 1)
    if b"MQ1A" in items and items.index(b"MQ1A") + 2 < len(items):
        k = items.index(b"MQ1A") + 1
        return (places[k], len(items[k].rstrip(b"Z "))), places[k + 1], 1.0
    return ((places[9], len(items[9])), places[10], 1.0) if len(items) > 10 else None


def _heads(frames: RawFrames, numbers: NDArray[np.int64], nbytes: int) -> NDArray[np.uint8]:
    """The first bytes of the records of some frames ``[n, nbytes]``, copied."""
    files, layout = frames.files, frames.layout
    owners, records = files.locate(numbers)
    found = np.zeros((numbers.size, nbytes), np.uint8)
    edges = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), numbers.size]
    for a, b in pairwise(edges):
        owner, low, high = int(owners[a]), int(records[a]), int(records[b - 1])
        path, size = files.path(owner), int(files.sizes[owner])
        mapping.check_unchanged(path, size, int(files.mtimes[owner]), may_grow=frames.io == "read")
        start = layout.start + low * layout.stride
        if size < _MAPPED or frames.io == "read":
            fd = mapping.open_read_only(path)
            try:
                for k in range(a, b):
                    mapping.read_into(fd, found[k], layout.start + int(records[k]) * layout.stride)
            finally:
                os.close(fd)
            continue
        held = mapping.mapped(path, size, int(files.mtimes[owner]))
        rows: NDArray[np.uint8] = np.ndarray((high - low + 1, nbytes), np.uint8, held, start, (layout.stride, 1))
        found[a:b] = rows[records[a:b] - low]
        if mapping.should_release(size):
            mapping.release_pages(held, start, start + (high - low + 1) * layout.stride)
    return found


def _texts(columns: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    plain = np.ascontiguousarray(columns)
    return plain.view(f"S{plain.shape[1]}")[:, 0]


def _parse_times(columns: NDArray[np.uint8]) -> NDArray[np.int64]:
    try:
        times = _texts(columns).astype("datetime64[ns]")
    except ValueError:
        return np.zeros(0, np.int64)
    return np.zeros(0, np.int64) if np.isnat(times).any() else times.astype(np.int64)


def _parse_exposures(columns: NDArray[np.uint8], unit: float) -> NDArray[np.float64]:
    texts, where = np.unique(_texts(columns), return_inverse=True)
    values = np.zeros(len(texts))
    for k, text in enumerate(texts.tolist()):
        match = _EXPOSURE.fullmatch(text.split(b",", 1)[0].split(b"\0", 1)[0])
        try:
            values[k] = float(match[1]) * (_UNITS[match[2]] if match[2] else unit) if match else np.nan
        except ValueError:
            values[k] = np.nan
    return np.zeros(0) if np.isnan(values).any() else values[where.reshape(-1)]

"""Frame numbers in a file probed in a few reads: where frames were dropped, and where headers are damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

Probe = Callable[[int], int | None]
"""Record index to how many frames were dropped before it; None where the header cannot be read."""

_NEAR = 8  # unreadable headers to step over when looking for a readable one
_MOST_BREAKS = 2000


@dataclass(frozen=True)
class Sequence:
    """What probing found.

    Parameters
    ----------
    breaks : tuple of (int, int)
        First record behind each gap and the frames dropped so far; begins with record 0.
    unreadable : int or None
        First record found whose header is damaged, None when all probed ones are whole.

    Examples
    --------
    >>> Sequence(((0, 0), (5, 2)), None).breaks[1]
    (5, 2)
    """

    breaks: tuple[tuple[int, int], ...]
    unreadable: int | None


def sample_records(count: int, samples: int = 16) -> list[int]:
    """First, last and `samples` more record indices spread evenly over `count`, ascending.

    Examples
    --------
    >>> sample_records(100, 2)
    [0, 33, 66, 99]
    """
    if count <= samples + 2:
        return list(range(count))
    return sorted({k * (count - 1) // (samples + 1) for k in range(samples + 2)})


def probe_sequence(probe: Probe, count: int, samples: int = 16) -> Sequence:
    """Gaps and damage among `count` records, from a sample and, between samples that disagree, by halving.

    Gaps between two sampled records that make up for each other go unnoticed here; reading verifies every header.

    Parameters
    ----------
    probe : callable
        Record index to frames dropped before it, None where unreadable.
    count : int
        Records; record 0 is readable and has 0 frames dropped before it.
    samples : int
        Records to look at beside the first and the last.

    Examples
    --------
    >>> probe_sequence(lambda record: 0 if record < 700 else 3, 1000).breaks
    ((0, 0), (700, 3))
    """
    known = {record: probe(record) for record in sample_records(count, samples)}
    _set_odd_ones_aside(probe, known)
    readable = [(record, shift) for record, shift in sorted(known.items()) if shift is not None]
    breaks = [(0, 0)]
    for (low, before), (high, after) in pairwise(readable):
        _split(probe, low, before, high, after, breaks)
    return Sequence(tuple(breaks), _first_unreadable(probe, known))


def _set_odd_ones_aside(probe: Probe, known: dict[int, int | None]) -> None:
    """Mark as unreadable a record whose number fits neither of its two neighbours, which fit each other."""
    for record in sorted(known)[1:-1]:
        if known[record] is not None:
            before, after = probe(record - 1), probe(record + 1)
            if before is not None and before == after != known[record]:
                known[record] = None


def _split(probe: Probe, low: int, before: int, high: int, after: int, breaks: list[tuple[int, int]]) -> None:
    """Append where the shift changes between two records; iterative, so that many gaps cannot exhaust the stack."""
    pending = [(low, before, high, after)]
    while pending and len(breaks) <= _MOST_BREAKS:
        low, before, high, after = pending.pop()
        if before == after:
            continue
        found = _near_middle(probe, low, high)
        if found is None:
            breaks.append((high, after))
            continue
        middle, shift = found
        pending.append((middle, shift, high, after))
        pending.append((low, before, middle, shift))


def _near_middle(probe: Probe, low: int, high: int) -> tuple[int, int] | None:
    middle = (low + high) // 2
    for distance in range(_NEAR):
        for record in dict.fromkeys((middle - distance, middle + distance)):
            if low < record < high:
                shift = probe(record)
                if shift is not None:
                    return record, shift
    return None


def _first_unreadable(probe: Probe, known: dict[int, int | None]) -> int | None:
    last_good = 0
    for record, shift in sorted(known.items()):
        if shift is not None:
            last_good = record
            continue
        low, high = last_good, record
        while high - low > 1:
            middle = (low + high) // 2
            if probe(middle) is None:
                high = middle
            else:
                low = middle
        return high
    return None

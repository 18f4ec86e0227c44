"""A scan that a recording may be, the evidence for it, and the report on all of them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

WEAK = 0.2
"""Candidates scored at or below this rest on arithmetic alone."""


@dataclass(frozen=True)
class ScanCandidate:
    """One arrangement of the frames of a recording, and what speaks for it.

    Parameters
    ----------
    shape : (rows, columns)
        Scan shape, numpy order.
    sync_offset : int
        Frames to skip at the start.
    flyback : int
        Frames to leave out at the end of each row.
    serpentine : bool
        Every second row was scanned backwards.
    score : float
        From 0 to 1: how much speaks for it; not a probability.
    evidence : tuple of str
        What speaks for it, a sentence each.
    unused : int
        Frames at the end that belong to no position.

    Examples
    --------
    >>> ScanCandidate((256, 256), flyback=1).options
    {'scan_shape': (256, 256), 'flyback': 1}
    """

    shape: tuple[int, int]
    sync_offset: int = 0
    flyback: int = 0
    serpentine: bool = False
    score: float = 0.0
    evidence: tuple[str, ...] = ()
    unused: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """Arguments with which `load` arranges the frames so: ``l4.load(path, **candidate.options)``."""
        found: dict[str, Any] = {"scan_shape": self.shape}
        if self.sync_offset:
            found["sync_offset"] = self.sync_offset
        if self.flyback:
            found["flyback"] = self.flyback
        if self.serpentine:
            found["serpentine"] = True
        if self.unused > self.flyback and not self.sync_offset:
            found["incomplete"] = "crop"
        return found

    @property
    def arrangement(self) -> tuple[Any, ...]:
        """What tells it from other candidates."""
        return self.shape, self.sync_offset, self.flyback, self.serpentine

    def __str__(self) -> str:
        """The arrangement in a few words."""
        more = [f"{name}={value}" for name, value in self.options.items() if name not in ("scan_shape", "incomplete")]
        return " ".join([f"{self.shape[0]} x {self.shape[1]}", *more])


@dataclass(frozen=True)
class ScanGuess:
    """What is known of the scan of a recording, the likeliest arrangement first.

    Parameters
    ----------
    path : str
        The recording.
    frames : int
        Frames in it.
    candidates : tuple of ScanCandidate
        The best first.
    notes : tuple of str
        What was looked at and told nothing.

    Examples
    --------
    >>> guess = ScanGuess("scan.mib", 12, (ScanCandidate((3, 4), score=0.9, evidence=("ScanX, ScanY of scan.hdr",)),))
    >>> print(guess)
    scan.mib: 12 frames
    score  scan shape             evidence
     0.90  3 x 4                  ScanX, ScanY of scan.hdr
    >>> guess.best.shape
    (3, 4)
    """

    path: str
    frames: int
    candidates: tuple[ScanCandidate, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def best(self) -> ScanCandidate | None:
        """The likeliest candidate; None where nothing but arithmetic speaks for any."""
        return next((one for one in self.candidates if one.score > WEAK), None)

    def __iter__(self) -> Iterator[ScanCandidate]:
        return iter(self.candidates)

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, index: int) -> ScanCandidate:
        return self.candidates[index]

    def __str__(self) -> str:
        """A table, a line for each piece of evidence."""
        lines = [f"{self.path}: {self.frames} frames"]
        if self.candidates:
            lines.append(f"score  {'scan shape':<22} evidence")
        for one in self.candidates:
            texts = one.evidence or ("",)
            lines.append(f"{one.score:5.2f}  {one!s:<22} {texts[0]}")
            lines += [f"{'':5}  {'':<22} {text}" for text in texts[1:]]
        if self.best is None:
            lines.append("nothing but arithmetic tells the shape of the scan" if self.candidates else "no candidate")
        return "\n".join([*lines, *(f"({note})" for note in self.notes)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        rows = "".join(
            f"<tr><td>{one.score:.2f}</td><td>{html.escape(str(one))}</td>"
            f"<td style='text-align:left'>{'<br>'.join(map(html.escape, one.evidence))}</td></tr>"
            for one in self.candidates
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return (
            f"<p>{html.escape(self.path)}: {self.frames} frames</p><table><tr><th>score</th><th>scan shape</th>"
            f"<th style='text-align:left'>evidence</th></tr>{rows}</table>{notes}"
        )


def merged(candidates: Iterable[ScanCandidate]) -> tuple[ScanCandidate, ...]:
    """Candidates of the same arrangement made one, evidence added up, the best first.

    Examples
    --------
    >>> twice = [ScanCandidate((2, 3), score=0.5, evidence=(text,)) for text in ("a", "b")]
    >>> merged(twice)[0].score, merged(twice)[0].evidence
    (0.75, ('a', 'b'))
    """
    found: dict[tuple[Any, ...], ScanCandidate] = {}
    for one in candidates:
        known = found.get(one.arrangement)
        if known is None:
            found[one.arrangement] = one
            continue
        score = round(1 - (1 - known.score) * (1 - one.score), 3)
        evidence = tuple(dict.fromkeys((*known.evidence, *one.evidence)))
        found[one.arrangement] = replace(known, score=score, evidence=evidence)
    return tuple(sorted(found.values(), key=lambda one: -one.score))

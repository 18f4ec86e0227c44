"""Which signal of a file with several is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazy4d.errors import FormatError

_LISTED = 12


@dataclass(frozen=True)
class Candidate:
    """A signal of a file: the name of its group, and shape and dtype of its array.

    Parameters
    ----------
    name : str
        Of the group below ``Experiments``.
    shape : tuple of int
        Of the stored array.
    dtype : str
        Of the stored array.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name!r} {self.shape} {self.dtype}"


def choose(path: str, found: Sequence[Candidate], dataset: str | None) -> tuple[Candidate, tuple[str, ...]]:
    """The signal that is meant, and what to tell about the others.

    Parameters
    ----------
    path : str
        The file, for messages.
    found : sequence of Candidate
        All signals of it.
    dataset : str or None
        Name of a signal, or the path of its group or array. None: the only one, or the only one with four dimensions.

    Returns
    -------
    candidate : Candidate
    warnings : tuple of str

    Raises
    ------
    FormatError
        There is none, or several are possible: lists them.

    Examples
    --------
    >>> scan, image = Candidate("scan", (4, 4, 8, 8), "uint16"), Candidate("haadf", (4, 4), "float32")
    >>> choose("a.hspy", [scan, image], None)[0].name
    'scan'
    >>> choose("a.hspy", [scan, image], "/Experiments/haadf/data")[0].name
    'haadf'
    """
    listed = ", ".join(map(str, found[:_LISTED]))
    if len(found) > _LISTED:
        listed += f" and {len(found) - _LISTED} more"
    if not found:
        raise FormatError(
            f"{path}: expected a signal below the group 'Experiments', found none; was the save interrupted?"
        )
    if dataset is not None:
        wanted = dataset.strip("/").removeprefix("Experiments/")
        for name in (wanted, wanted.removesuffix("/data")):
            for candidate in found:
                if candidate.name == name:
                    return candidate, ()
        raise FormatError(f"{path}: no signal {dataset!r} in this file, which has {listed}: give dataset='name'")
    if len(found) == 1:
        return found[0], ()
    scans = [candidate for candidate in found if len(candidate.shape) == 4]
    if len(scans) != 1:
        raise FormatError(f"{path}: {len(found)} signals in this file, say which with dataset='name': {listed}")
    return scans[0], (
        f"{path}: of {len(found)} signals in this file the one with four dimensions is loaded, {scans[0].name!r}; "
        f"another is chosen with dataset='name': {listed}",
    )

"""`RaggedFrames`: some entries for each of many frames, as flat columns and the places where each frame's begin.

One memory layout for vectors and for counted events, which every tool reads: numpy, a table, a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True, eq=False)
class RaggedFrames:
    """Entries of n frames; those of frame i are ``offsets[i]:offsets[i + 1]`` of every column.

    Parameters
    ----------
    offsets : ndarray of int64 [n + 1]
        Where each frame's entries begin: from 0, never decreasing, the last one the number of all entries.
    columns : mapping of str to ndarray [total]
        Numbers, each column of its own dtype; at least one column.

    Raises
    ------
    ValueError
        Offsets and columns do not fit each other.
    TypeError
        A column that holds no numbers.

    Examples
    --------
    >>> ragged = RaggedFrames(np.array([0, 2, 2, 3]), {"ky": np.array([1.0, 2, 3]), "kx": np.array([4.0, 5, 6])})
    >>> ragged
    <RaggedFrames: 3 frames, 3 entries of ky, kx>
    >>> ragged.counts, ragged.frame(2)["kx"]
    (array([2, 0, 1]), array([6.]))
    """

    offsets: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        """Check that offsets and columns fit."""
        offsets = np.ascontiguousarray(self.offsets, np.int64)
        if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
            raise ValueError(
                f"expected offsets as a line of numbers that begins with 0 and never decreases, one more than there "
                f"are frames; found shape {np.shape(self.offsets)}, {_few(np.ravel(self.offsets))}"
            )
        if not self.columns:
            raise ValueError("expected at least one column, found none")
        columns = {str(name): _column(name, values) for name, values in self.columns.items()}
        wrong = {name: values.size for name, values in columns.items() if values.size != offsets[-1]}
        if wrong:
            raise ValueError(f"expected columns of {offsets[-1]} entries, the last offset; found {wrong}")
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "columns", columns)

    # -- made from -----------------------------------------------------------------------------------------------------

    @classmethod
    def from_counts(cls, counts: Any, columns: Mapping[str, Any]) -> RaggedFrames:
        """Entries in the order of the frames, `counts` of them in each.

        Examples
        --------
        >>> RaggedFrames.from_counts([2, 0], {"ky": [1.0, 2.0]}).offsets
        array([0, 2, 2])
        """
        return cls(np.concatenate([[0], np.cumsum(_whole(counts, "counts"))]), columns)

    @classmethod
    def from_frames(cls, frames: Sequence[Any], names: Sequence[str] = ("ky", "kx", "intensity")) -> RaggedFrames:
        """One array [n_i, c] for each frame; the first c of `names` name its columns.

        Raises
        ------
        ValueError
            Arrays of differing numbers of columns, or more columns than names.

        Examples
        --------
        >>> RaggedFrames.from_frames([[[1, 2], [3, 4]], np.empty((0, 2))])["kx"]
        array([2., 4.])
        """
        arrays = [np.asarray(frame, np.float64) for frame in frames]
        widths = {array.shape[1] for array in arrays if array.ndim == 2 and array.size}
        if len(widths) > 1 or any(array.ndim != 2 and array.size for array in arrays):
            raise ValueError(
                f"expected an array [number, columns] for each frame, all of as many columns; found shapes "
                f"{sorted({array.shape for array in arrays})[:5]}"
            )
        width = next(iter(widths), min(2, len(names)))
        if width > len(names):
            raise ValueError(f"found {width} columns and the names {', '.join(names)}: give a name for each column")
        rows = np.concatenate([array.reshape(-1, width) for array in arrays] or [np.empty((0, width))])
        counts = [len(array) if array.size else 0 for array in arrays]
        return cls.from_counts(counts, {name: rows[:, k] for k, name in enumerate(names[:width])})

    @classmethod
    def empty(cls, n_frames: int, dtypes: Mapping[str, DTypeLike]) -> RaggedFrames:
        """Frames without entries.

        Examples
        --------
        >>> RaggedFrames.empty(3, {"ky": "f8"}).total
        0
        """
        return cls(np.zeros(n_frames + 1, np.int64), {name: np.empty(0, dtype) for name, dtype in dtypes.items()})

    @classmethod
    def concatenate(cls, parts: Sequence[RaggedFrames]) -> RaggedFrames:
        """The frames of all parts, one after the other.

        Raises
        ------
        ValueError
            No part, or parts of different columns.

        Examples
        --------
        >>> one = RaggedFrames.from_counts([1], {"ky": [1.0]})
        >>> RaggedFrames.concatenate([one, one]).offsets
        array([0, 1, 2])
        """
        if not parts or any(part.names != parts[0].names for part in parts):
            raise ValueError(f"expected parts of the same columns, found {[list(part.names) for part in parts][:5]}")
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(part.total for part in parts)])
        offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts[:-1], strict=True)]
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].names}
        return cls(np.concatenate([*offsets, starts[-1:]]), columns)

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.offsets.size - 1)

    @property
    def total(self) -> int:
        """Number of entries in all frames."""
        return int(self.offsets[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.columns)

    @property
    def dtypes(self) -> dict[str, np.dtype[Any]]:
        """Dtype of each column."""
        return {name: values.dtype for name, values in self.columns.items()}

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of entries in each frame."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        """Bytes of offsets and columns."""
        return int(self.offsets.nbytes + sum(values.nbytes for values in self.columns.values()))

    def frame_numbers(self) -> NDArray[np.int64]:
        """The frame of each entry: int64 [total].

        Examples
        --------
        >>> RaggedFrames.from_counts([2, 0, 1], {"ky": [1.0, 2, 3]}).frame_numbers()
        array([0, 0, 2])
        """
        return np.repeat(np.arange(self.n_frames), self.counts)

    def frame(self, number: int) -> dict[str, NDArray[Any]]:
        """The columns of one frame, as views.

        Raises
        ------
        IndexError
            There is no such frame.
        """
        if not -self.n_frames <= number < self.n_frames:
            raise IndexError(f"frame {number} of {self.n_frames} frames: expected 0 to {self.n_frames - 1}")
        start, stop = self.offsets[number % self.n_frames], self.offsets[number % self.n_frames + 1]
        return {name: values[start:stop] for name, values in self.columns.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Give one column."""
        if name not in self.columns:
            raise KeyError(f"no column {name!r}: there are {', '.join(self.names)}")
        return self.columns[name]

    def __len__(self) -> int:
        """Count the frames."""
        return self.n_frames

    def __repr__(self) -> str:
        """Say how many frames, how many entries and which columns."""
        return f"<RaggedFrames: {self.n_frames} frames, {self.total} entries of {', '.join(self.names)}>"

    def __sizeof__(self) -> int:
        """Count bytes, so that a scheduler knows what a block weighs."""
        return self.nbytes

    # -- others like it ------------------------------------------------------------------------------------------------

    def with_columns(self, /, **columns: Any) -> RaggedFrames:
        """The same entries with more columns, or others in their place.

        Examples
        --------
        >>> RaggedFrames.from_counts([2], {"ky": [1.0, 2]}).with_columns(label=np.array([3, 4])).names
        ('ky', 'label')
        """
        return RaggedFrames(self.offsets, {**self.columns, **columns})

    def only(self, names: Sequence[str]) -> RaggedFrames:
        """The same entries with some of the columns, in the order of `names`."""
        return RaggedFrames(self.offsets, {name: self[name] for name in names})

    def without(self, *names: str) -> RaggedFrames:
        """The same entries without some of the columns."""
        return self.only([name for name in self.names if name not in names])

    def where(self, keep: NDArray[np.bool_]) -> RaggedFrames:
        """The entries marked by `keep` [total]; every frame stays, if need be without entries.

        Examples
        --------
        >>> RaggedFrames.from_counts([2, 1], {"ky": [1.0, 2, 3]}).where(np.array([False, True, False])).counts
        array([1, 0])
        """
        marked = np.asarray(keep, bool)
        if marked.shape != (self.total,):
            raise ValueError(f"expected a mark for each of {self.total} entries, found shape {marked.shape}")
        before = np.concatenate([[0], np.cumsum(marked)])
        return RaggedFrames(before[self.offsets], {name: values[marked] for name, values in self.columns.items()})

    def take(self, frames: slice | Any) -> RaggedFrames:
        """Some frames: a slice, numbers in any order and number, or a bool for each frame.

        Examples
        --------
        >>> RaggedFrames.from_counts([2, 1], {"ky": [1.0, 2, 3]}).take([1, 0, 1])["ky"]
        array([3., 1., 2., 3.])
        """
        if isinstance(frames, slice):
            start, stop, step = frames.indices(self.n_frames)
            if step == 1:
                stop = max(start, stop)
                first, last = self.offsets[start], self.offsets[stop]
                columns = {name: values[first:last] for name, values in self.columns.items()}
                return RaggedFrames(self.offsets[start : stop + 1] - first, columns)
            frames = np.arange(self.n_frames)[frames]
        given = np.asarray(frames)
        if given.dtype == np.bool_ and given.size != self.n_frames:
            raise ValueError(f"expected a bool for each of {self.n_frames} frames, found shape {given.shape}")
        numbers = np.flatnonzero(given) if given.dtype == np.bool_ else _whole(given, "numbers of frames")
        if numbers.size and not (-self.n_frames <= numbers.min() and numbers.max() < self.n_frames):
            raise IndexError(f"frames {_few(numbers)} of {self.n_frames} frames: expected 0 to {self.n_frames - 1}")
        counts = self.counts[numbers]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][numbers] - offsets[:-1], counts)
        return RaggedFrames(offsets, {name: values[index] for name, values in self.columns.items()})


def _column(name: Any, values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim != 1:
        raise TypeError(
            f"expected column {name!r} as a line of real numbers, found dtype {array.dtype} and shape {array.shape}"
        )
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _whole(values: Any, what: str) -> NDArray[np.int64]:
    """Whole numbers as a line of int64."""
    array = np.asarray(values).reshape(-1)
    if array.dtype.kind not in "iub" and not (array.dtype.kind == "f" and (array == np.floor(array)).all()):
        raise TypeError(f"expected {what} as whole numbers, found {_few(array)}")
    return array.astype(np.int64)


def _few(values: NDArray[Any]) -> str:
    shown = ", ".join(str(value) for value in values[:6])
    return f"[{shown}, …]" if values.size > 6 else f"[{shown}]"

"""Frames of one recording in files whose records do not begin at the same byte: the first one has a header."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.navigation import NavigationMap
from lazy4d.io.positions import PositionTable
from lazy4d.io.rawblock import RawBlock
from lazy4d.io.rawframes import RawFrames


class JoinedFrames:
    """Frames of several parts that number them on, a source like any other: small, immutable, picklable.

    Parameters
    ----------
    *pieces : RawFrames
        The parts, with the same navigation, decoder and options; each holds other frame numbers, and to each those of
        the others are blanks.

    Attributes
    ----------
    nav_shape, frame_shape, dtype, token, incomplete, frame_nbytes, tolerant
        As `RawFrames` has them.
    """

    def __init__(self, *pieces: RawFrames) -> None:
        first = pieces[0]
        self.pieces = pieces
        self.nav_shape: tuple[int, ...] = first.nav_shape
        self.frame_shape: tuple[int, ...] = first.frame_shape
        self.dtype: np.dtype[Any] = first.dtype
        self.frame_nbytes: int = first.frame_nbytes
        self.tolerant: bool = first.tolerant
        lowest, highest = first.navigation.bounds
        blank = lowest < 0 or highest >= self.recorded
        self.incomplete: str = first.incomplete if first.tolerant else "nan" if blank else "raise"
        joined = "".join(piece.token for piece in pieces)
        self.token: str = hashlib.blake2b(joined.encode(), digest_size=16).hexdigest()

    @property
    def navigation(self) -> NavigationMap | PositionTable:
        """Scan position to frame number."""
        return self.pieces[0].navigation

    @property
    def recorded(self) -> int:
        """Frame numbers in use, whatever positions are shown."""
        return max(piece.files.total for piece in self.pieces)

    @property
    def label(self) -> str:
        """Where the frames come from, for reports."""
        return f"{self.pieces[0].files.path(0)} and {sum(len(p.files.names) for p in self.pieces) - 1} more"

    def __repr__(self) -> str:
        """Shape, dtype and files in one line."""
        return f"<JoinedFrames {self.nav_shape}|{self.frame_shape}, {self.dtype}, {self.label}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its parts."""
        return JoinedFrames, self.pieces

    def rearranged(self, navigation: NavigationMap | PositionTable, incomplete: str | None = None) -> JoinedFrames:
        """The same frames at other positions, and with another answer to damage where `incomplete` is given."""
        return JoinedFrames(*(piece.rearranged(navigation, incomplete) for piece in self.pieces))

    def select(self, items: Sequence[slice | NDArray[np.bool_]]) -> JoinedFrames:
        """The frames at a slice per navigation axis, or at one boolean array over all of them (then 1-D)."""
        return JoinedFrames(*(piece.select(items) for piece in self.pieces))

    def drop_axes(self, axes: Sequence[int]) -> JoinedFrames:
        """The frames without the given navigation axes of length 1."""
        return JoinedFrames(*(piece.drop_axes(axes) for piece in self.pieces))

    def open(self, box: Sequence[slice]) -> RawBlock | JoinedBlock:
        """The frames of a box of positions, to be called inside the task that uses them; see `RawFrames.open`."""
        numbers = self.navigation.numbers(box)
        used = [piece for piece in self.pieces if (piece.files.locate(numbers)[0] >= 0).any()] or [self.pieces[0]]
        blocks: list[RawBlock] = []
        try:
            for piece in used:
                blocks.append(piece.open(box))
        except BaseException:
            for block in blocks:
                block.close()
            raise
        return blocks[0] if len(blocks) == 1 else JoinedBlock(blocks)


class JoinedBlock:
    """Frames of one block that lie in several parts.

    Parameters
    ----------
    blocks : list of RawBlock
        The same positions of each part.

    Attributes
    ----------
    valid : ndarray of bool, shape (n,), or None
        True where a part has the frame undamaged; None when all are there.
    """

    def __init__(self, blocks: list[RawBlock]) -> None:
        self._blocks = blocks
        self._here = [block.valid for block in blocks if block.valid is not None]
        together = np.logical_or.reduce(self._here)
        self.valid: NDArray[np.bool_] | None = None if together.all() else together

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...] = ()) -> None:
        """Decode frames ``[start, stop)`` of the block; see `RawBlock.read`."""
        out = out[: stop - start]
        done = False
        for block, here in zip(self._blocks, self._here, strict=True):
            mine = here[start:stop]
            if mine.all():
                block.read(start, stop, out, window)
                return
            if mine.any() or not done:
                if not done:
                    block.read(start, stop, out, window)
                else:
                    part = np.empty_like(out)
                    block.read(start, stop, part, window)
                    out[mine] = part[mine]
                done = True

    def close(self) -> None:
        """Close every part."""
        for block in self._blocks:
            block.close()

"""What a container of chunks offers: packed bytes of a chunk, fetched inside a task."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Packed(NamedTuple):
    """The bytes of a chunk as they are stored.

    Parameters
    ----------
    data : ndarray of uint8, or a buffer
        Good until the next chunk is fetched.
    skipped : int
        Bit k is set where filter k (in the order of writing) was left out for this chunk.

    Examples
    --------
    >>> Packed(b"1234").skipped
    0
    """

    data: Any
    skipped: int = 0

    @property
    def array(self) -> NDArray[np.uint8]:
        """The bytes as a flat array."""
        if isinstance(self.data, np.ndarray) and self.data.dtype == np.uint8 and self.data.ndim == 1:
            return self.data
        return np.frombuffer(self.data, np.uint8)


class ChunkStore(Protocol):
    """Where chunks are: small, immutable, picklable; equal for equal content."""

    @property
    def token(self) -> str:
        """Identity of the content, made of path, size and time of modification."""
        ...

    @property
    def label(self) -> str:
        """Where the chunks come from, for reports."""
        ...

    def open(self) -> OpenChunks:
        """The chunks, to be fetched by one task.

        Raises
        ------
        FileNotFoundError, TruncatedFileError, FormatError
            The container changed since it was loaded.
        """
        ...


class Mapped(NamedTuple):
    """A chunk that is stored as it is, in a memory map.

    Parameters
    ----------
    memory : mmap.mmap
        The map of its file.
    start, nbytes : int
        Where it stands there.
    """

    memory: Any
    start: int
    nbytes: int


class Places(NamedTuple):
    """Packed chunks in a memory map.

    Parameters
    ----------
    memory : mmap.mmap
        The map of their file.
    starts, sizes : ndarray of int64, shape (n,)
        Where each stands there.
    """

    memory: Any
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]


class OpenChunks(Protocol):
    """An open container, used by one thread.

    It may have ``look(index) -> Mapped | None``, which is asked for chunks that are not packed, and ``places(numbers)
    -> Places | None``, which is asked for many small ones together, by their numbers in C order of the grid.
    """

    def fetch(self, index: tuple[int, ...]) -> Packed | None:
        """The packed chunk at a place of the grid; None where none was written, which means the fill value.

        Raises
        ------
        FormatError, TruncatedFileError
            The bytes are not there: names the file and the byte.
        """
        ...

    def close(self) -> None:
        """Close what was opened."""
        ...

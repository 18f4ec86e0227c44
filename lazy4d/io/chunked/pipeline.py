"""Steps of unpacking one after the other, with buffers that each thread uses again."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import UnsupportedVariantError
from lazy4d.io.chunked.store import Packed

Bytes = NDArray[np.uint8]

_KEPT_SCRATCH = 32 * 2**20  # larger buffers are not kept between chunks


class Step(Protocol):
    """One step of unpacking: small, immutable, picklable, with a `repr` that tells it from others."""

    def packed_size(self, size: int) -> int | None:
        """Bytes that `size` unpacked bytes come from; None where that differs from chunk to chunk."""
        ...

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out` from all of `packed`; ValueError where the bytes do not make up `out` exactly."""
        ...


class Check:
    """A step that only verifies: what it lets through is the bytes without the checksum."""

    nbytes = 4

    def packed_size(self, size: int) -> int | None:
        """With the checksum."""
        return size + self.nbytes

    def unpack(self, packed: Bytes, out: Bytes) -> None:
        """Fill `out` with the verified bytes."""
        copy_bytes(self.verified(packed), out)

    def verified(self, packed: Bytes) -> Bytes:
        """The bytes without the checksum, as a view; ValueError when it does not fit them."""
        raise ValueError(f"{type(self).__name__} verifies nothing")


@dataclass(frozen=True)
class Pipeline:
    """Steps in the order of unpacking, as a `ChunkCodec`.

    Parameters
    ----------
    steps : tuple of Step
        The first one takes the packed bytes.
    order : tuple of int, or ("F",)
        Axes of the chunk in the order in which its pixels are packed; empty: C order; ``("F",)``: reversed.
    numbers : tuple of int
        Place of each step in the order of writing, by which a chunk tells that it was left out; empty: never.

    Examples
    --------
    >>> out = np.empty(2, "<u2")
    >>> Pipeline(()).decode(Packed(bytes([1, 0, 2, 0])), out)
    >>> out.tolist()
    [1, 2]
    """

    steps: tuple[Step, ...]
    order: tuple[Any, ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether chunks are stored as they are."""
        return not self.steps and self.order in ((), tuple(range(len(self.order))))

    @property
    def unpack_many(self) -> Any:
        """What unpacks chunks that stand in one piece of memory in a single call; None where nothing does."""
        only = self.steps[0] if len(self.steps) == 1 and not self.order else None
        return only.unpack_many if getattr(only, "many", False) else None  # type: ignore[union-attr]

    def __repr__(self) -> str:
        """Steps and order: the places follow from the steps."""
        return f"Pipeline(steps={self.steps!r}, order={self.order!r})"

    def decode(self, packed: Packed, out: NDArray[Any]) -> None:
        """Fill a C-contiguous array of the stored dtype with a whole chunk.

        Raises
        ------
        ValueError
            The bytes are not those of such a chunk.
        """
        order = tuple(reversed(range(out.ndim))) if self.order == ("F",) else self.order
        if order and order != tuple(range(out.ndim)):
            if len(order) != out.ndim:
                raise ValueError(f"the pixels are packed in the order {order} of axes, found {out.ndim} axes")
            turned = np.empty(tuple(out.shape[axis] for axis in order), out.dtype)
            self._decode(packed, turned.reshape(-1).view(np.uint8))
            out[...] = turned.transpose([order.index(axis) for axis in range(out.ndim)])
            return
        self._decode(packed, out.reshape(-1).view(np.uint8))

    def _decode(self, packed: Packed, out: Bytes) -> None:
        steps = self.steps
        if packed.skipped and self.numbers:
            steps = tuple(s for s, k in zip(self.steps, self.numbers, strict=True) if not packed.skipped >> k & 1)
        data = _read_only(packed.array)
        if len(steps) == 1 and steps[0].packed_size(out.nbytes) is None:  # the usual case: one compression
            steps[0].unpack(data, out)
            return
        sizes: list[int | None] = [out.nbytes]
        for step in reversed(steps):
            sizes.append(None if sizes[-1] is None else step.packed_size(sizes[-1]))
        sizes.reverse()  # sizes[k]: bytes before step k
        if sizes[0] is not None and data.nbytes != sizes[0]:
            raise ValueError(f"expected {sizes[0]} packed bytes, found {data.nbytes}")
        for k, step in enumerate(steps):
            if isinstance(step, Check):
                data = step.verified(data)
                continue
            if k + 1 == len(steps):
                step.unpack(data, out)
                return
            size = sizes[k + 1]
            if size is None:
                raise UnsupportedVariantError(
                    f"{steps[k + 1]!r} was applied before {step!r}: one compression over another is not read; write "
                    "the array again with one"
                )
            unpacked = scratch(k & 1, size)
            step.unpack(data, unpacked)
            data = _read_only(unpacked)
        copy_bytes(data, out)


def _read_only(data: Bytes) -> Bytes:
    """The same bytes, contiguous: of one type, whatever they come from, so that kernels are compiled once."""
    view = data.view() if data.flags.c_contiguous else data.copy()
    view.flags.writeable = False
    return view


def copy_bytes(data: Bytes, out: Bytes) -> None:
    """Fill `out` with `data` of the same length; ValueError where the lengths differ.

    Examples
    --------
    >>> copy_bytes(np.zeros(3, "u1"), np.empty(4, "u1"))
    Traceback (most recent call last):
        ...
    ValueError: expected 4 bytes, found 3
    """
    if data.nbytes != out.nbytes:
        raise ValueError(f"expected {out.nbytes} bytes, found {data.nbytes}")
    np.copyto(out, data)


_own = threading.local()


def scratch(which: int, size: int) -> Bytes:
    """A buffer of this thread, one of several, good until the same one is asked for again.

    Examples
    --------
    >>> scratch(0, 100).size
    100
    """
    if size > _KEPT_SCRATCH:
        return np.empty(size, np.uint8)
    buffers: dict[int, Bytes] = _own.__dict__.setdefault("buffers", {})
    buffer = buffers.get(which)
    if buffer is None or buffer.size < size:
        buffer = buffers[which] = np.empty(max(size, 1), np.uint8)
    return buffer[:size]


def elements(size: int, itemsize: int) -> int:
    """Number of elements in `size` bytes; ValueError where they do not divide.

    Examples
    --------
    >>> elements(12, 4)
    3
    """
    count, left = divmod(size, itemsize)
    if left:
        raise ValueError(f"expected whole elements of {itemsize} bytes, found {math.floor(size)} bytes")
    return count

"""Where a frame stands in a sharded array: shard, inner chunk and place in it, by arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 2**20
"""Pixels of an inner chunk: a single frame costs the decoding of one, a stream one call each.

By ``python -m benchmarks storage`` (frames of 128 KiB at 10 electrons a pixel, GB a CPU second): 1 MiB streams at 1.8
and gives a frame in 2.5 ms; 128 KiB at 1.6 and 2.2 ms, and is 14 % larger for sparse counts; 4 MiB at 1.9 and 3.9 ms.
Squares of 4 x 4 frames, as others have them, stream at 1.1. One pixel of all frames costs the unpacking of everything,
whatever the shape.
"""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """Pixels ``[start, stop)`` of a flattened frame, and the box of the frame that they are."""

    start: int
    stop: int
    box: tuple[slice, ...]


@dataclass(frozen=True)
class ShardLayout:
    """Shards of whole frames, cut into inner chunks that are runs of frames, or for large frames runs of their rows.

    Shards and inner chunks form regular grids. Those at the far edges may extend beyond the array, as Zarr allows; what
    lies outside is padding.

    Parameters
    ----------
    nav_shape, frame_shape : tuple of int
        Navigation and frame shape, numpy order, as stored.
    dtype : numpy.dtype
        Dtype in the file, little-endian.
    shard, inner : tuple of int
        Shape of a shard and of an inner chunk, over navigation and frame axes; `inner` divides `shard`.

    Examples
    --------
    >>> layout = ShardLayout((4, 6), (8, 8), np.dtype("<u2"), (2, 6, 8, 8), (1, 3, 8, 8))
    >>> [row.tolist() for row in layout.locate(np.array([0, 5, 13]))]
    [[0, 0, 1], [0, 1, 0], [0, 2, 1]]
    >>> layout.grid, layout.chunks_per_shard, layout.frames_per_chunk
    ((2, 1), 4, 3)
    """

    nav_shape: Shape
    frame_shape: Shape
    dtype: np.dtype[Any]
    shard: Shape
    inner: Shape

    @property
    def shape(self) -> Shape:
        """Shape of the whole array."""
        return self.nav_shape + self.frame_shape

    @property
    def nav_ndim(self) -> int:
        """Number of navigation axes."""
        return len(self.nav_shape)

    @property
    def nav_shard(self) -> Shape:
        """Positions of a shard along each navigation axis."""
        return self.shard[: self.nav_ndim]

    @property
    def nav_inner(self) -> Shape:
        """Positions of an inner chunk along each navigation axis."""
        return self.inner[: self.nav_ndim]

    @cached_property
    def grid(self) -> Shape:
        """Shards along each navigation axis."""
        return tuple(-(-n // s) for n, s in zip(self.nav_shape, self.nav_shard, strict=True))

    @property
    def n_shards(self) -> int:
        """Shards in all."""
        return math.prod(self.grid)

    @property
    def frames(self) -> int:
        """Frames in all."""
        return math.prod(self.nav_shape)

    @cached_property
    def inner_grid(self) -> Shape:
        """Inner chunks along each axis of a shard."""
        return tuple(s // i for s, i in zip(self.shard, self.inner, strict=True))

    @cached_property
    def chunks_per_shard(self) -> int:
        """Entries in the index of a shard, padding included."""
        return math.prod(self.inner_grid)

    @cached_property
    def frames_per_chunk(self) -> int:
        """Frames of an inner chunk, padding included; 1 where frames are cut into parts."""
        return math.prod(self.nav_inner)

    @cached_property
    def chunk_pixels(self) -> int:
        """Pixels of an inner chunk, padding included."""
        return math.prod(self.inner)

    @cached_property
    def chunk_nbytes(self) -> int:
        """Bytes of an inner chunk before compression."""
        return self.chunk_pixels * self.dtype.itemsize

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The runs of pixels into which each frame is cut, in the order of their chunks; one where it is whole."""
        inner, grid = self.inner[self.nav_ndim :], self.inner_grid[self.nav_ndim :]
        found = []
        for place in np.ndindex(*grid):
            corner = [k * i for k, i in zip(place, inner, strict=True)]
            ends = [min(c + i, n) for c, i, n in zip(corner, inner, self.frame_shape, strict=True)]
            box = tuple(slice(c, e) for c, e in zip(corner, ends, strict=True))
            start = int(np.ravel_multi_index(tuple(corner), self.frame_shape)) if corner else 0
            found.append(Part(start, start + math.prod(s.stop - s.start for s in box), box))
        return tuple(found)

    def locate(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Where frames stand.

        Parameters
        ----------
        numbers : ndarray of int64, shape (n,)
            Positions in the flattened scan.

        Returns
        -------
        shard, chunk, slot : ndarray of int64, shape (n,)
            The flattened index of the shard in the grid, of the frame's first inner chunk in the shard, and of the
            frame in that chunk.
        """
        shard, chunk, slot = (np.zeros(numbers.shape, np.int64) for _ in range(3))
        rest = numbers
        steps = [1, 1, 1]
        for axis in reversed(range(self.nav_ndim)):
            rest, index = np.divmod(rest, self.nav_shape[axis])
            at, inside = np.divmod(index, self.nav_shard[axis])
            cell, place = np.divmod(inside, self.nav_inner[axis])
            for total, part, k in ((shard, at, 0), (chunk, cell, 1), (slot, place, 2)):
                total += part * steps[k]
            steps[0] *= self.grid[axis]
            steps[1] *= self.inner_grid[axis]
            steps[2] *= self.nav_inner[axis]
        return shard, chunk * len(self.parts), slot

    def place_in_shard(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flattened index of positions within their shard, int64[n]."""
        place, step, rest = np.zeros(numbers.shape, np.int64), 1, numbers
        for axis in reversed(range(self.nav_ndim)):
            rest, index = np.divmod(rest, self.nav_shape[axis])
            place += index % self.nav_shard[axis] * step
            step *= self.nav_shard[axis]
        return place

    def shard_box(self, shard: int) -> tuple[slice, ...]:
        """The positions of a shard, padding left out."""
        place = np.unravel_index(shard, self.grid) if self.grid else ()
        return tuple(
            slice(int(k) * s, min((int(k) + 1) * s, n))
            for k, s, n in zip(place, self.nav_shard, self.nav_shape, strict=True)
        )

    def shards_in(self, box: Sequence[slice]) -> NDArray[np.int64]:
        """Flattened indices of the shards that a box of positions touches."""
        spans = [np.arange(b.start // s, -(-b.stop // s)) for b, s in zip(box, self.nav_shard, strict=True)]
        total = np.zeros((), np.int64)
        for span, n in zip(spans, self.grid, strict=True):
            total = np.add.outer(total * n, span)
        return np.asarray(total, np.int64).reshape(-1)

    def is_aligned(self, box: Sequence[slice]) -> bool:
        """Whether a box of positions holds whole shards only."""
        return all(
            b.start % s == 0 and (b.stop % s == 0 or b.stop == n)
            for b, s, n in zip(box, self.nav_shard, self.nav_shape, strict=True)
        )

    def frames_in_chunk(self, shard: int, chunk: int) -> int:
        """Frames of an inner chunk that are not padding."""
        cells = self.inner_grid[: self.nav_ndim]
        place = np.unravel_index(chunk // len(self.parts), cells) if cells else ()
        count = 1
        for k, inner, box in zip(place, self.nav_inner, self.shard_box(shard), strict=True):
            count *= max(0, min(inner, box.stop - box.start - int(k) * inner))
        return count

    def chunks_in_shard(self, shard: int) -> int:
        """Inner chunks of a shard that hold frames, padding left out."""
        cells = (-(-(b.stop - b.start) // i) for b, i in zip(self.shard_box(shard), self.nav_inner, strict=True))
        return math.prod(cells) * len(self.parts)

    def shard_key(self, shard: int) -> str:
        """File name of a shard: ``c`` and its place in the grid, parted by dots, so that all lie in one folder."""
        place = np.unravel_index(shard, self.grid) if self.grid else ()
        return ".".join(["c", *(str(int(k)) for k in place), *("0" for _ in self.frame_shape)])


def stored_frame_shape(nav_shape: Shape, frame_shape: Shape) -> Shape:
    """The frame shape in the file: a single number is stored with one axis, since shards need one.

    Examples
    --------
    >>> stored_frame_shape((4, 6), ()), stored_frame_shape((), ())
    ((), (1,))
    """
    return frame_shape if nav_shape or frame_shape else (1,)


def choose_layout(
    nav_shape: Shape,
    frame_shape: Shape,
    dtype: np.dtype[Any],
    block: Shape,
    may_grow: Sequence[bool],
    chunk_bytes: int | None = None,
) -> ShardLayout:
    """Shards of about `block` positions, and inner chunks of about `chunk_bytes`.

    Parameters
    ----------
    nav_shape, frame_shape : tuple of int
        Navigation and frame shape.
    dtype : numpy.dtype
        Dtype of the frames.
    block : tuple of int
        Positions of a block along each navigation axis.
    may_grow : sequence of bool
        Per navigation axis, whether the shard may be made a little longer, so that inner chunks divide it.
    chunk_bytes : int, optional
        Most pixels of an inner chunk, `CHUNK_BYTES` by default; up to four times as many where a shard that may not
        grow has no better divisor.

    Examples
    --------
    >>> layout = choose_layout((64, 257), (256, 256), np.dtype("u2"), (2, 257), (True, True))
    >>> layout.shard, layout.inner
    ((2, 264, 256, 256), (1, 8, 256, 256))
    """
    frame = stored_frame_shape(nav_shape, frame_shape)
    shard, inner = [*block, *frame], [1] * (len(block) + len(frame))
    growing = [*may_grow, *(True for _ in frame)]
    budget = max(1, (chunk_bytes or CHUNK_BYTES) // dtype.itemsize)
    for axis in reversed(range(len(shard))):
        if shard[axis] <= budget:
            inner[axis] = shard[axis]
            budget //= shard[axis]
            continue
        if growing[axis]:
            pieces = -(-shard[axis] // budget)
            inner[axis] = -(-shard[axis] // pieces)
            shard[axis] = inner[axis] * -(-shard[axis] // inner[axis])
        else:
            inner[axis] = _divisor(shard[axis], budget)
        break
    return ShardLayout(nav_shape, frame, dtype.newbyteorder("<"), tuple(shard), tuple(inner))


def _divisor(size: int, wanted: int) -> int:
    """The divisor of `size` that is nearest to `wanted` in ratio, and at most four times it."""
    low = [d for d in range(1, math.isqrt(size) + 1) if size % d == 0]
    found = [d for d in (*low, *(size // d for d in low)) if d <= 4 * wanted]
    return min(found, key=lambda d: abs(math.log(d / wanted)))


def regular_chunks(size: int, step: int) -> Shape:
    """Blocks of `step` along an axis of `size`, the last one shorter: the grid of Zarr.

    Examples
    --------
    >>> regular_chunks(10, 4)
    (4, 4, 2)
    """
    whole, rest = divmod(size, step)
    return (step,) * whole + ((rest,) if rest else ())


def common_step(blocks: Sequence[int]) -> int:
    """The longest step of which all borders between `blocks` are multiples.

    Examples
    --------
    >>> common_step((4, 4, 2)), common_step((4, 3, 3)), common_step((6, 4, 3))
    (4, 1, 2)
    """
    if len(blocks) == 1:
        return blocks[0]
    return math.gcd(*blocks[:-1])

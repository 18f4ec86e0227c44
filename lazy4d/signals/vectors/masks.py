"""Disks about all vectors of each frame, as masks of pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.disk_masks import disk_masks
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.base import BaseSignal

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

BLOCK_BYTES = 2**26
"""Most bytes of masks that one block makes."""


def to_mask(vectors: DiffractionVectors, radius: Any, *, invert: bool = False) -> BaseSignal:
    """A mask for each frame, True within `radius` of a vector: bool frames, a `Diffraction2D`, lazy.

    Multiply frames by it (``s * v.to_mask(3)``), or, of vectors without navigation axes such as those of
    `get_unique_vectors`, give it to ``s.get_virtual_image`` as a detector: then the mask is one frame, a `Signal2D`,
    and computed where the vectors are.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors, lazy or computed.
    radius : int, float or str
        An int counts pixels, a float is in axis units (an ellipse of pixels where the axes differ), text carries its
        unit. A pixel belongs if its centre is nearer than that.
    invert : bool
        True away from the vectors instead.

    Raises
    ------
    ValueError
        The radius is not positive.

    Notes
    -----
    Masks are made a block of at most 64 MB at a time. Missing frames have no vectors.

    Examples
    --------
    >>> v = l4.DiffractionVectors(np.array([[8.0, 8.0]]), frame_shape=(16, 16))
    >>> mask = v.to_mask(3)
    >>> mask, int(mask.data.sum())
    (<Signal2D, title: mask of vectors, dimensions: (|16, 16), bool, 256 B>, 25)
    >>> d.get_virtual_image(mask).compute().data.shape
    (4, 4)
    """
    from lazy4d.signals.diffraction2d import Diffraction2D  # which itself makes vectors

    axes = vectors.frame_axes
    ry, rx = (axis.length_to_pixels(radius) for axis in axes)
    if not (ry > 0 and rx > 0):
        raise ValueError(f"expected a radius above 0, found {radius!r}")
    shape = (int(axes[0].size), int(axes[1].size))
    source = vectors
    if vectors.nav_shape:
        source = vectors.copy()
        source._content = small_blocks(vectors.blocks, math.prod(shape))
    result: BaseSignal = source._per_position(
        masks,
        ry,
        rx,
        bool(invert),
        shape,
        shape=shape,
        dtype=np.bool_,
        op="to_mask",
        options={"radius": radius, **({"invert": True} if invert else {})},
        axes=axes,
        kind=Diffraction2D if vectors.nav_shape else BaseSignal._class_of[2],
        title=f"mask of {vectors.title}" if vectors.title else "mask of vectors",
    )
    return result


def masks(ragged: RaggedFrames, ry: float, rx: float, invert: bool, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The masks of a block: bool [n, ky, kx]."""
    out = np.empty((ragged.n_frames, *shape), np.bool_)
    disk_masks(ragged.offsets, ragged["ky"], ragged["kx"], ry, rx, out.view(np.uint8))
    return ~out if invert else out


def small_blocks(blocks: RaggedBlocks, frame_nbytes: int, limit: int = BLOCK_BYTES) -> RaggedBlocks:
    """The same vectors in blocks whose frames, `frame_nbytes` each, stay below `limit` bytes, or hold one frame.

    Rows of a block are cut apart first, then, if one is too large, positions within it.

    Examples
    --------
    >>> ragged = RaggedFrames.from_counts(np.ones(8, int), {"ky": np.arange(8.0)})
    >>> small_blocks(RaggedBlocks.from_ragged(ragged, (4, 2), (4, 2)), 10, 40).chunks
    ((2, 2), (2,))
    """
    for axis in range(len(blocks.chunks)):
        row = math.prod(max(sizes) for sizes in blocks.chunks[axis + 1 :]) * frame_nbytes
        blocks = _cut(blocks, axis, max(1, limit // row))
        if row <= limit:
            break
    return blocks


def _cut(blocks: RaggedBlocks, axis: int, most: int) -> RaggedBlocks:
    """The same vectors in blocks of at most so many positions along an axis."""
    chunks = blocks.chunks
    if max(chunks[axis]) <= most:
        return blocks
    cuts, start = [], 0
    for size in chunks[axis]:
        cuts += [(begin, min(begin + most, start + size)) for begin in range(start, start + size, most)]
        start += size
    before, after = [slice(None)] * axis, [slice(None)] * (len(chunks) - axis - 1)
    parts: Any = [blocks.inav([*before, slice(begin, end), *after]).blocks for begin, end in cuts]
    sizes = tuple(end - begin for begin, end in cuts)
    joined: Any = np.concatenate(parts, axis=axis)  # of dask arrays: a dask array
    return RaggedBlocks(joined, (*chunks[:axis], sizes, *chunks[axis + 1 :]), blocks.dtypes)

"""Vectors of some scan positions, and which positions have a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import AxesManager
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.lazy.selection import select_array
from lazy4d.signals.base import BaseSignal
from lazy4d.signals.slicing import navigation_pixels, selection_params

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


class VectorSlicer:
    """What ``v.inav`` is: index it x-first to select vectors of some positions.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]], [[3, 5], [6, 1]]], frame_shape=(8, 8))
    >>> v.inav[::-1].ragged.counts
    array([2, 1])
    """

    def __init__(self, vectors: DiffractionVectors) -> None:
        self._vectors = vectors

    def __getitem__(self, items: Any) -> DiffractionVectors:
        """Give the vectors of the selected positions."""
        return select_positions(self._vectors, items)

    def __repr__(self) -> str:
        """Say how to use it."""
        names = ", ".join(axis.name for axis in reversed(self._vectors.nav_axes))
        return f"<inav: index me x-first, [{names}]>"


@property  # type: ignore[misc]
def inav(vectors: DiffractionVectors) -> VectorSlicer:
    """Select scan positions: ``v.inav[x, y]``, with the same items as ``s.inav`` of a signal.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]], [[3, 5], [6, 1]]], frame_shape=(8, 8))
    >>> v.inav[np.array([False, True])].ragged["ky"]
    array([3., 6.])
    """
    return VectorSlicer(vectors)


def select_positions(vectors: DiffractionVectors, items: Any) -> DiffractionVectors:
    """The vectors of the positions that `items` select, x-first, a ROI or a boolean mask."""
    pixels, manager = navigation_pixels(vectors, items)
    content: Any = vectors.data
    if isinstance(content, RaggedBlocks):
        content = content.inav(pixels)
    else:
        numbers = _selected(np.arange(content.n_frames).reshape(vectors.nav_shape), pixels)
        content = content.take(np.reshape(numbers, -1))
    valid = None if vectors._valid is None else _selected(vectors._valid, pixels)
    return vectors._derive(content, "inav", selection_params(pixels), axes=manager, valid=valid)


def _selected(array: Any, pixels: Any) -> Any:
    if isinstance(pixels, np.ndarray):
        return select_array(array, (pixels,), ())
    dropped = tuple(k for k, item in enumerate(pixels) if isinstance(item, int))
    items = tuple(item if isinstance(item, slice) else slice(item, item + 1, 1) for item in pixels)
    return select_array(array, items, dropped)


@property  # type: ignore[misc]
def valid(vectors: DiffractionVectors) -> BaseSignal:
    """Which positions have an undamaged frame: a bool signal that has the navigation axes only.

    Examples
    --------
    >>> bool(l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8)).valid.data.all())
    True
    """
    there = np.ones(vectors.nav_shape, bool) if vectors._valid is None else vectors._valid
    axes = AxesManager([axis.copy() for axis in vectors.nav_axes])
    kind = BaseSignal._class_of[0]
    return kind(there, axes, title=f"valid frames of {vectors.title}".rstrip())

"""The outline of a detector as it really is: the edges of the pixels that belong to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

Segments = NDArray[np.float64]


def mask_outline(mask: NDArray[Any]) -> Segments:
    """The edges between pixels that belong to a mask and pixels that do not, as straight lines.

    Parameters
    ----------
    mask : bool ndarray [ky, kx]
        Where the detector is.

    Returns
    -------
    ndarray of float64 [n, 2, 2]
        n lines, each from (x, y) to (x, y), in pixels; the centre of a pixel is at whole numbers. Edges in a row are
        joined to one line.

    Examples
    --------
    >>> mask_outline(np.array([[False, True, True]])).shape
    (4, 2, 2)
    """
    inside = np.pad(np.asarray(mask, bool), 1)
    upright = _edges(inside)
    level = _edges(inside.T)[:, :, ::-1]
    return np.concatenate([upright, level]) - 1.0


def _edges(inside: NDArray[np.bool_]) -> Segments:
    """Upright lines between neighbours of a row that differ, joined along columns."""
    differs = np.pad(inside[:, 1:] != inside[:, :-1], ((1, 1), (0, 0)))
    turns = np.diff(differs.astype(np.int8), axis=0).T  # [column, row]: 1 where a line begins, -1 where it ends
    column, begin = np.nonzero(turns == 1)
    end = np.nonzero(turns == -1)[1]
    x = column + 0.5
    return np.stack([np.stack([x, begin - 0.5], -1), np.stack([x, end - 0.5], -1)], 1)


def outline(mask: NDArray[Any], color: str) -> LineCollection:
    """Lines around the pixels of a mask, to be added to axes whose coordinates are pixels.

    Examples
    --------
    >>> len(outline(np.eye(2, dtype=bool), "white").get_segments())
    6
    """
    return LineCollection(list(mask_outline(mask)), colors=color, linewidths=1.1, capstyle="projecting", zorder=4)

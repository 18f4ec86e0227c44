"""Which pixels of a grid belong to a shape: numpy only, everything in pixels, pixel centres at whole coordinates."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def ellipse_mask(
    shape: tuple[int, int],
    center: tuple[float, float],
    radii: tuple[float, float],
    *,
    angle: float = 0.0,
    step: tuple[float, float] = (1.0, 1.0),
) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie within an ellipse, its rim left out.

    Parameters
    ----------
    shape
        (rows, columns) of the grid.
    center
        (x, y) in pixels.
    radii
        Semi-axes (along the turned x, along the turned y), in units of `step`.
    angle
        Turn in degrees, from x towards y.
    step
        Width and height of a pixel, signed; (1, 1) unless pixels are not square or an axis runs backwards.

    Returns
    -------
    ndarray of bool
        Shape `shape`.

    Notes
    -----
    ``(u/a)² + (v/b)² < 1``, computed as ``u² b² + v² a² < a² b²`` and for a circle as ``u² + v² < a²``, so that whole
    and half numbers give exact answers on the rim.

    Examples
    --------
    >>> ellipse_mask((3, 5), (2, 1), (2, 1)).astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]])
    """
    rows, columns = shape
    u = (np.arange(columns) - center[0])[None, :] * step[0]
    v = (np.arange(rows) - center[1])[:, None] * step[1]
    a, b = radii
    if a == b:
        return u * u + v * v < a * a
    cos, sin = _cos_sin(angle)
    along, across = u * cos + v * sin, v * cos - u * sin
    return along**2 * b**2 + across**2 * a**2 < a**2 * b**2


def line_mask(
    shape: tuple[int, int],
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
    *,
    step: tuple[float, float] = (1.0, 1.0),
) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie between two points and at most half a width from the line through them.

    Parameters
    ----------
    shape
        (rows, columns) of the grid.
    start, end
        (x, y) in pixels; both belong. Where they are one point, the line is taken to run along x.
    width
        Across the line, in units of `step`; on the side towards which x turns to y the limit does not belong.
    step
        Width and height of a pixel, signed.

    Returns
    -------
    ndarray of bool
        Shape `shape`.

    Examples
    --------
    >>> line_mask((3, 5), (1, 1), (3, 1), 1).astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]])
    """
    rows, columns = shape
    u = (np.arange(columns) - start[0])[None, :] * step[0]
    v = (np.arange(rows) - start[1])[:, None] * step[1]
    dx, dy = (end[0] - start[0]) * step[0], (end[1] - start[1]) * step[1]
    length = math.hypot(dx, dy)
    if length == 0:
        dx, dy, length = 1.0, 0.0, 1.0
        along = np.where(u == 0, 0.0, 2.0) + v * 0
    else:
        along = (u * dx + v * dy) / length**2
    across, tolerance = (v * dx - u * dy) / length, 1e-9
    inside: NDArray[np.bool_] = (along >= -tolerance) & (along <= 1 + tolerance)
    return inside & (across >= -width / 2 - tolerance) & (across < width / 2 - tolerance)


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Return cosine and sine, exact for quarter turns."""
    quarters, rest = divmod(degrees, 90)
    if rest == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def interval(first: float, last: float, size: int) -> slice:
    """Return the pixels from `first` (which belongs) to `last` (which does not), clipped to the grid.

    Parameters
    ----------
    first, last
        Pixel coordinates. Where `last` lies before `first`, the interval runs backwards, with the same ends belonging.
    size
        Pixels of the grid.

    Examples
    --------
    >>> interval(0.5, 3, 8), interval(3, 0, 8), interval(-4, 99, 8)
    (slice(1, 3, None), slice(1, 4, None), slice(0, 8, None))
    """
    if first <= last:
        start, stop = math.ceil(first), math.ceil(last)
    else:
        start, stop = math.floor(last) + 1, math.floor(first) + 1
    start = min(max(start, 0), size)
    return slice(start, min(max(stop, start), size))


def polygon_mask(shape: tuple[int, int], vertices: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie in a polygon, by the even-odd rule.

    Parameters
    ----------
    shape
        (rows, columns) of the grid.
    vertices
        (x, y) corners in pixels; the last is joined to the first. Where the outline crosses itself, regions that it
        winds around an even number of times are outside.

    Returns
    -------
    ndarray of bool
        Shape `shape`.

    Notes
    -----
    A row at y meets the edges with ``min(y1, y2) <= y < max(y1, y2)``; sorted crossings bound intervals that are
    closed on the left and open on the right. So centres on left and top edges belong, those on right and bottom edges
    do not, a polygon in the form of a rectangle equals that rectangle, and polygons that tile an area give each centre
    to exactly one of them.

    Examples
    --------
    >>> polygon_mask((3, 4), [(0, 0), (3, 0), (0, 3)]).astype(int)
    array([[1, 1, 1, 0],
           [1, 1, 0, 0],
           [1, 0, 0, 0]])
    """
    rows, columns = shape
    mask = np.zeros(shape, dtype=np.bool_)
    points = np.asarray(vertices, dtype=np.float64)
    ends = np.stack([points, np.roll(points, -1, axis=0)], axis=1)
    ends = ends[ends[:, 0, 1] != ends[:, 1, 1]]  # level edges meet no row
    swap = ends[:, 0, 1] > ends[:, 1, 1]  # from the upper end always, so that two polygons see one crossing alike
    ends[swap] = ends[swap][:, ::-1]
    (x1, y1), (x2, y2) = ends[:, 0].T, ends[:, 1].T
    for row in range(max(0, math.ceil(points[:, 1].min())), min(rows - 1, math.floor(points[:, 1].max())) + 1):
        met = (y1 <= row) & (row < y2)
        crossings = np.sort(x1[met] + (row - y1[met]) * ((x2[met] - x1[met]) / (y2[met] - y1[met])))
        bounds = np.clip(np.ceil(np.round(crossings, 9)), 0, columns).astype(np.int64)
        for start, stop in bounds.reshape(-1, 2):
            mask[row, start:stop] = True
    return mask


def mask_spans(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the runs of True in a mask, as half-open intervals of indices into the flattened mask.

    Parameters
    ----------
    mask
        bool of any shape, C order; rows that are True from end to end join into one run.

    Returns
    -------
    ndarray of int64
        Shape (k, 2): [start, stop) of each run, ascending, never touching.

    Examples
    --------
    >>> mask_spans(np.array([[False, True], [True, False], [False, True]]))
    array([[1, 3],
           [5, 6]])
    """
    flat = np.zeros(mask.size + 2, dtype=np.int8)
    flat[1:-1] = np.ravel(mask)
    changes = np.flatnonzero(np.diff(flat))
    return changes.reshape(-1, 2).astype(np.int64)


def mask_window(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the smallest window (rows, columns) around the True pixels of a mask; empty slices where there is none.

    Examples
    --------
    >>> mask_window(np.array([[False, False, False], [False, True, True]]))
    (slice(1, 2, None), slice(1, 3, None))
    """
    windows = []
    for axis in (1, 0):
        hits = np.flatnonzero(mask.any(axis=axis))
        windows.append(slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0))
    return windows[0], windows[1]

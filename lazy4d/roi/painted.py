"""A region painted by hand, kept as runs of pixels."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.roi.geometry import mask_spans
from lazy4d.roi.region import ROI, Place
from lazy4d.roi.shapes import _any

Run = tuple[int, int, int]
"""Row, first column, and the column after the last."""


class _Runs(Place):
    """Runs of pixels, as a tuple of triples in scan order that never touch."""

    def convert(self, name: str, value: object) -> tuple[Run, ...]:
        """Return the value in the form that is kept, or raise."""
        runs = np.asarray(value if not isinstance(value, Iterable) else list(value))
        if runs.size == 0:
            return ()
        fits = runs.ndim == 2 and runs.shape[1] == 3 and runs.dtype.kind in "iu"
        if not fits or runs[:, :2].min() < 0 or (runs[:, 2] <= runs[:, 1]).any():
            raise ValueError(
                f"expected {name} as whole numbers (row, start, stop) with 0 <= start < stop, found {value!r}: give "
                "pixels, or use PaintedROI.from_mask"
            )
        return _joined(runs.tolist())


def _joined(runs: list[list[int]]) -> tuple[Run, ...]:
    """Runs in order, with those that touch or overlap made one."""
    found: list[list[int]] = []
    for row, start, stop in sorted(runs):
        if found and found[-1][0] == row and start <= found[-1][2]:
            found[-1][2] = max(found[-1][2], stop)
        else:
            found.append([row, start, stop])
    return tuple((row, start, stop) for row, start, stop in found)


def _runs_of(mask: NDArray[np.bool_], first_row: int = 0) -> list[list[int]]:
    """The runs of True of each row of a mask."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 1), np.bool_)  # a gap after each row, so that none join
    padded[:, :-1] = mask
    spans = mask_spans(padded)
    rows, starts = np.divmod(spans[:, 0], padded.shape[1])
    runs: list[list[int]] = np.column_stack([rows + first_row, starts, starts + spans[:, 1] - spans[:, 0]]).tolist()
    return runs


class PaintedROI(ROI):
    """Any set of pixels, painted with a brush or taken from a mask, kept as runs along rows.

    Parameters
    ----------
    runs
        Triples (row, start, stop) of pixels; overlaps are joined. Without any the region is empty, to be painted.

    Raises
    ------
    ValueError
        Numbers that are no runs of pixels.

    Notes
    -----
    Unlike other shapes it knows pixels only, and has no size beyond them: what lies outside the axes is clipped.

    Examples
    --------
    >>> roi = PaintedROI([(0, 1, 4)])
    >>> roi.paint([(1, 1)], radius=1)
    >>> roi
    PaintedROI(runs=((0, 1, 4), (1, 0, 3), (2, 1, 2)))
    >>> roi.mask((Axis(name="x", size=5), Axis(name="y", size=3))).astype(int)
    array([[0, 1, 1, 1, 0],
           [1, 1, 1, 0, 0],
           [0, 1, 0, 0, 0]])
    """

    runs: tuple[Run, ...] = _any(_Runs())

    _fields = ("runs",)

    def __init__(self, runs: Sequence[Sequence[int]] = ()) -> None:
        super().__init__(runs=runs)

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_]) -> Self:
        """Return the region of the pixels where a mask [rows, columns] is True.

        Raises
        ------
        ValueError
            The mask has not two axes.

        Examples
        --------
        >>> PaintedROI.from_mask(np.array([[False, True, True], [True, False, False]]))
        PaintedROI(runs=((0, 1, 3), (1, 0, 1)))
        """
        pixels = np.asarray(mask, np.bool_)
        if pixels.ndim != 2:
            raise ValueError(f"expected a mask of two axes (rows, columns), found shape {pixels.shape}")
        return cls(_runs_of(pixels))

    @property
    def count(self) -> int:
        """Number of pixels painted, those outside the axes included."""
        return sum(stop - start for _, start, stop in self.runs)

    def paint(self, path: Sequence[tuple[float, float]], radius: float = 2.0, *, erase: bool = False) -> None:
        """Paint, or erase, what a round brush covers on its way; `changed` fires once, if anything did.

        Parameters
        ----------
        path
            Points (x, y) in pixels, joined by straight strokes; one point is a dot.
        radius
            Of the brush in pixels: centres at this distance belong. 0 is a line of single pixels.
        erase
            Take the pixels away instead.

        Raises
        ------
        ValueError
            A path without points, or a negative radius.

        Examples
        --------
        >>> roi = PaintedROI()
        >>> roi.paint([(0, 0), (6, 0)], radius=0)
        >>> roi.paint([(3, 0)], radius=1, erase=True)
        >>> roi
        PaintedROI(runs=((0, 0, 2), (0, 5, 7)))
        """
        points = np.asarray(path, np.float64).reshape(-1, 2)
        if not len(points) or radius < 0:
            raise ValueError(
                f"expected points (x, y) and a radius of 0 or more, found {len(points)} points and radius {radius!r}"
            )
        first = np.maximum(np.floor(points.min(axis=0) - radius), 0).astype(int)
        last = np.maximum(np.ceil(points.max(axis=0) + radius), -1).astype(int)
        if (last < first).any():
            return  # all of it before the first pixel
        rows = range(int(first[1]), int(last[1]) + 1)
        touched = [run for run in self.runs if run[0] in rows]
        width = max([int(last[0]) + 1, *(stop for _, _, stop in touched)])
        canvas = np.zeros((len(rows), width), np.bool_)
        for row, start, stop in touched:
            canvas[row - rows.start, start:stop] = True
        part = canvas[:, first[0] : last[0] + 1]
        part[_stroke(part.shape, points - first, radius)] = not erase
        kept = [list(run) for run in self.runs if run[0] not in rows]
        self.update(runs=kept + _runs_of(canvas, rows.start))

    def _mask(self, x: Axis, y: Axis) -> NDArray[np.bool_]:
        mask = np.zeros((y.size, x.size), np.bool_)
        for row, start, stop in self.runs:
            if row < y.size:
                mask[row, start:stop] = True
        return mask

    def as_dictionary(self) -> dict[str, Any]:
        """Return the shape and its runs, in types that JSON has; `roi_from_dictionary` reads it.

        Examples
        --------
        >>> PaintedROI([(0, 1, 4)]).as_dictionary()
        {'roi': 'PaintedROI', 'runs': [[0, 1, 4]]}
        """
        return {"roi": type(self).__name__, "runs": [list(run) for run in self.runs]}


def _stroke(shape: tuple[int, ...], points: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """The pixels within `radius` (half a pixel at least, so that a stroke has no gaps) of a path, on a grid."""
    reach = max(radius, 0.5) ** 2 * (1 + 1e-9)
    v, u = np.ogrid[: shape[0], : shape[1]]
    near = np.zeros(shape, np.bool_)
    for (x1, y1), (x2, y2) in zip(points, points[1:] if len(points) > 1 else points, strict=False):
        dx, dy = x2 - x1, y2 - y1
        length = dx * dx + dy * dy
        share = np.clip(((u - x1) * dx + (v - y1) * dy) / length, 0, 1) if length else 0.0
        near |= (u - x1 - share * dx) ** 2 + (v - y1 - share * dy) ** 2 <= reach
    return near

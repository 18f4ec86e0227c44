"""Which vectors a region holds: those that lie in its exact shape, as vectors are points between the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import describe_range
from lazy4d.kernels import vector_marks
from lazy4d.kernels.vector_shape import CIRCLE, ELLIPSE, GRID, POLYGON, RECTANGLE
from lazy4d.roi import CircleROI, EllipseROI, PolygonROI, RectangleROI
from lazy4d.roi.geometry import _cos_sin
from lazy4d.roi.shapes import _pixel_step
from lazy4d.signals.construction import known_array
from lazy4d.signals.virtual_imaging import checked_detector

if TYPE_CHECKING:
    from lazy4d.axes import Axis

Floats = NDArray[np.float64]


def _none() -> Any:
    return np.zeros((0, 0))


def _no_grid() -> Any:
    return np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class Region:
    """A shape in pixels of the frame, as `lazy4d.kernels.vector_shape` takes it.

    Parameters
    ----------
    kind : int
        Its code.
    numbers : float64 ndarray
        Its numbers, at least eight (zeros at the end).
    grid : uint8 ndarray [ky, kx]
        Marked pixels, for a region that is an array.
    weights : float64 ndarray [ky, kx]
        Weights of these pixels, for an array of numbers.
    """

    kind: int
    numbers: Floats
    grid: NDArray[np.uint8] = field(default_factory=_no_grid)
    weights: Floats = field(default_factory=_none)

    def parts(self) -> tuple[int, Floats, NDArray[np.uint8]]:
        """Kind, numbers and grid, as kernels take them."""
        return self.kind, self.numbers, self.grid

    def contains(self, ky: Floats, kx: Floats) -> NDArray[np.bool_]:
        """Which points lie inside: bool [n], for places float64 [n] in pixels.

        Examples
        --------
        >>> region = region_of(l4.CircleROI(4, 4, 2), l4.AxesManager.from_shapes((), (9, 9)).as_numpy_order())
        >>> region.contains(np.array([4.0, 4.0]), np.array([5.9, 6.1]))
        array([ True, False])
        """
        bits = np.empty(-(-ky.size // 64), np.uint64)
        vector_marks.mark_all(ky, kx, *self.parts(), bits)
        return np.unpackbits(bits.astype("<u8").view(np.uint8), bitorder="little")[: ky.size].astype(bool)


def region_of(roi: Any, frame_axes: Sequence[Axis]) -> Region:
    """The exact shape of a ROI, or the marked pixels of an array, on the axes (ky, kx) of frames.

    Parameters
    ----------
    roi : ROI, ndarray [ky, kx] or BaseSignal
        bool marks pixels, numbers weight them.
    frame_axes : sequence of Axis
        (ky, kx).

    Raises
    ------
    ValueError
        The region lies beside the frame, or an array has another shape than it or is 0 everywhere.
    TypeError
        A signal or dask array that is still to be computed.

    Notes
    -----
    A vector lies in a circle if ``r_inner <= d < r``, in a rectangle if ``left <= x < right`` and ``top <= y <
    bottom``, in an ellipse if ``(u/a)² + (v/b)² < 1``, in a polygon by the even-odd rule, its left and top edges
    belonging: the inequalities that `lazy4d.roi` uses for the centres of pixels, so that vectors on centres of pixels
    belong exactly where these do. An array holds the vectors whose nearest pixel is marked, halfway the later one; so
    does a ROI of any other kind.
    """
    y, x = frame_axes
    if isinstance(roi, CircleROI):
        radii = x.length_to_pixels(roi.r), x.length_to_pixels(roi.r_inner)
        step = _pixel_step(x, y, (roi.r, roi.r_inner), roi)
        center = x.to_pixels(roi.cx), y.to_pixels(roi.cy)
        found = Region(CIRCLE, _numbers(*center, *radii, *step))
        reach = [(c - radii[0] / abs(s), c + radii[0] / abs(s)) for c, s in zip(center, step, strict=True)]
    elif isinstance(roi, EllipseROI):
        found, reach = _ellipse(roi, x, y)
    elif isinstance(roi, RectangleROI):
        (left, right, low_x), (top, bottom, low_y) = (
            _ends(roi, x, roi.left, roi.right),
            _ends(roi, y, roi.top, roi.bottom),
        )
        found = Region(RECTANGLE, _numbers(left, right, top, bottom, low_x, low_y))
        reach = [(left, right), (top, bottom)]
    elif isinstance(roi, PolygonROI):
        found, reach = _polygon(roi, x, y)
    elif hasattr(roi, "mask"):
        return Region(GRID, _numbers(), np.ascontiguousarray(roi.mask((x, y)), np.uint8))
    else:
        return _pixels(known_array(roi, "a detector"), (y.size, x.size))
    if any(not (low < axis.size - 0.5 and high > -0.5) for (low, high), axis in zip(reach, (x, y), strict=True)):
        raise ValueError(
            f"expected a region on the frame, found {roi!r} beside it where {describe_range(x)}, {describe_range(y)}: "
            "move or enlarge it (int = pixel, float = axis units)"
        )
    return found


Reach = list[tuple[float, float]]


def _ellipse(roi: EllipseROI, x: Axis, y: Axis) -> tuple[Region, Reach]:
    center = x.to_pixels(roi.cx), y.to_pixels(roi.cy)
    a, b = x.length_to_pixels(roi.rx), x.length_to_pixels(roi.ry)
    step = _pixel_step(x, y, (roi.rx, roi.ry), roi)
    reach = [(c - max(a, b) / abs(s), c + max(a, b) / abs(s)) for c, s in zip(center, step, strict=True)]
    if a == b:
        return Region(CIRCLE, _numbers(*center, a, 0.0, *step)), reach
    return Region(ELLIPSE, _numbers(*center, a, b, *_cos_sin(roi.angle), *step)), reach


def _ends(roi: RectangleROI, axis: Axis, low: Any, high: Any) -> tuple[float, float, float]:
    """Ends in pixels, ascending, and 1 if the lower belongs; on an axis that runs backwards the upper one does."""
    first, last = axis.to_pixels(low), axis.to_pixels(high)
    if first <= last:
        return first, last, 1.0
    if axis.scale < 0 and not isinstance(low, int) and not isinstance(high, int):
        return last, first, 0.0
    raise ValueError(
        f"expected edges in order, found {low!r} at pixel {first:g} and {high!r} at pixel {last:g} where "
        f"{describe_range(axis)}: correct {roi!r}"
    )


def _polygon(roi: PolygonROI, x: Axis, y: Axis) -> tuple[Region, Reach]:
    points = np.array([(x.to_pixels(cx), y.to_pixels(cy)) for cx, cy in roi.vertices], np.float64)
    edges = np.stack([points, np.roll(points, -1, axis=0)], axis=1)
    upwards = edges[:, 0, 1] > edges[:, 1, 1]
    edges[upwards] = edges[upwards][:, ::-1]  # from the upper end always, so that two polygons see one crossing alike
    edges = edges[(edges[:, 0] != edges[:, 1]).any(axis=1)]
    reach = list(zip(points.min(axis=0).tolist(), points.max(axis=0).tolist(), strict=True))
    return Region(POLYGON, _numbers(*edges.reshape(-1).tolist())), reach


def _pixels(detector: NDArray[Any], frame_shape: tuple[int, int]) -> Region:
    checked_detector(detector, frame_shape)
    grid = np.ascontiguousarray(detector != 0, np.uint8)
    weights = _none() if detector.dtype == np.bool_ else np.ascontiguousarray(detector, np.float64)
    return Region(GRID, _numbers(), grid, weights)


def _numbers(*values: float) -> Floats:
    """Numbers of a shape, with zeros so that there are eight."""
    return np.array([*values, *[0.0] * (8 - len(values))], np.float64)

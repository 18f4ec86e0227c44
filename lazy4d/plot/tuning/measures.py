"""What a frame tells about sensible ranges: its size, its brightest pixel, and about how large the direct beam is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lazy4d.signals import BaseSignal


@dataclass(frozen=True)
class Measures:
    """Numbers from which sliders take their ranges, and values that a user has to give their starts.

    Parameters
    ----------
    shape : (int, int)
        Of a frame, numpy order.
    disk : float
        Radius in pixels of the disk at the brightest place, roughly.
    high : float
        The brightest pixel, above 0.
    """

    shape: tuple[int, int]
    disk: float
    high: float

    @property
    def half(self) -> float:
        """Half the shorter side of the frame, in pixels."""
        return min(self.shape) / 2

    @property
    def start_radius(self) -> float:
        """The radius of the disk in halves of pixels, rather too large."""
        return math.ceil(2 * self.disk) / 2


def measures_of(frame: BaseSignal) -> Measures:
    """The measures of a signal of one computed frame.

    Examples
    --------
    >>> measures = measures_of(d.inav[1, 2].compute())
    >>> measures.shape, measures.half, 2 < measures.disk < 4
    ((16, 16), 8.0, True)
    """
    pixels = np.nan_to_num(np.asarray(frame.data, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    height, width = pixels.shape
    high = float(pixels.max(initial=0.0))
    return Measures((height, width), disk_radius(pixels), high if high > 0 else 1.0)


def disk_radius(pixels: NDArray[Any]) -> float:
    """About the radius of the disk at the brightest place of a frame: of a circle as large as what is bright there.

    Examples
    --------
    >>> y, x = np.ogrid[:64, :64]
    >>> round(disk_radius(10.0 * (np.hypot(y - 30, x - 35) < 8)), 1)
    7.8
    """
    smooth = _boxed(pixels, max(1, min(pixels.shape) // 64))
    rows, columns = np.mgrid[: smooth.shape[0], : smooth.shape[1]]
    low = float(np.median(smooth))
    y, x = (float(one) for one in divmod(int(np.argmax(smooth)), smooth.shape[1]))
    for _ in range(3):  # from the brightest place to the middle of what is bright about it
        away = np.hypot(rows - y, columns - x)
        near = away <= max(4.0, min(smooth.shape) / 8)
        bright = near & (smooth - low > 0.5 * (float(smooth[near].max()) - low))
        if not bright.any():
            return 1.0
        y, x = float(rows[bright].mean()), float(columns[bright].mean())
    ring = np.rint(np.hypot(rows - y, columns - x)).astype(np.int64)
    profile = np.bincount(ring.ravel(), smooth.ravel()) / np.maximum(np.bincount(ring.ravel()), 1) - low
    if not (ring == 0).any():  # the middle lies between pixels
        profile[0] = profile[1]
    below = np.flatnonzero(profile < 0.5 * profile[: max(2, math.isqrt(int(bright.sum())) // 3)].mean())
    edge = int(below[0]) if below.size else 1
    inner = float(smooth[ring <= max(1, edge // 2)].mean()) - low
    area = np.count_nonzero((ring <= edge + 1) & (smooth - low > 0.5 * inner))
    return float(np.clip(math.sqrt(area / math.pi), 1.0, min(smooth.shape) / 4))


def _boxed(pixels: NDArray[Any], reach: int) -> NDArray[np.float64]:
    """The frame with every pixel averaged over the square that reaches so far, by sums along rows and columns."""
    side = 2 * reach + 1
    sums = np.pad(pixels, ((reach + 1, reach), (reach + 1, reach)), mode="edge").cumsum(0).cumsum(1)
    whole = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(whole / side**2)

"""How a scan is binned so that all of it fits into a bounded memory: pixels of the detector first, then positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUDGET = 64 * 2**20
"""Bytes of the binned scan at most."""

POSITION_BYTES = 24
"""What is kept of each position, and what a picture of all of them takes."""

SMALL = 32 * 2**20
"""Bytes within which bins are finer than they have to be: more would take longer to fill than what it adds."""

MOST_BINS = 64
FEWEST_BINS = 32
"""Bins along the longer side of the detector: as many as are small, before positions are binned too."""

LINE = 64
"""Bytes that a cache takes at once."""

EXACT_PICTURE = 2**20
"""Positions up to which pictures are in double precision: of more than a screen shows, half of the memory will do."""

MOST_PIXELS = 65536
"""Pixels of a bin whose sum is certain to fit into 32 bits."""


@dataclass(frozen=True)
class BinLayout:
    """The bins of a scan.

    Parameters
    ----------
    nav_shape : tuple of int
        Positions along each navigation axis.
    detector : (int, int)
        Pixels of the detector, rows and columns.
    bin_pixels : (int, int)
        Pixels of a bin of the detector; the last bins hold what is left.
    bin_positions : tuple of int
        Positions of a bin along each navigation axis; the last bins hold what is left.

    Examples
    --------
    >>> layout = BinLayout.fitting((512, 512), (256, 256), itemsize=2)
    >>> layout.bin_pixels, layout.bin_positions, layout.detector_bins, layout.scan_bins
    ((8, 8), (3, 3), (32, 32), (171, 171))
    """

    nav_shape: tuple[int, ...]
    detector: tuple[int, int]
    bin_pixels: tuple[int, int]
    bin_positions: tuple[int, ...]

    @classmethod
    def fitting(
        cls, nav_shape: Sequence[int], detector: tuple[int, int], itemsize: int, budget: int = BUDGET
    ) -> BinLayout:
        """The finest bins whose sums, of `itemsize` bytes each, take at most `budget` bytes."""
        longest, positions = max(detector), math.prod(nav_shape)
        finest, coarsest = -(-longest // MOST_BINS), max(1, longest // FEWEST_BINS)
        while finest < coarsest and _bins(detector, finest) * positions * itemsize > min(SMALL, budget):
            finest += 1
        size = min(finest, math.isqrt(MOST_PIXELS))
        while _bins(detector, size) * itemsize > budget:
            size *= 2
        factors = [1] * len(nav_shape)
        while _bins(detector, size) * _places(nav_shape, factors) * itemsize > budget:
            binned = [-(-n // f) for n, f in zip(nav_shape, factors, strict=True)]
            k = max(range(len(binned)), key=lambda axis: (axis >= len(binned) - 2 and binned[axis] > 1, binned[axis]))
            factors[k] += 1
        return cls(tuple(nav_shape), detector, (size, size), tuple(factors))

    @property
    def detector_bins(self) -> tuple[int, int]:
        """Bins along the rows and columns of the detector."""
        return tuple(-(-n // b) for n, b in zip(self.detector, self.bin_pixels, strict=True))  # type: ignore[return-value]

    @property
    def scan_bins(self) -> tuple[int, ...]:
        """Bins along each navigation axis."""
        return tuple(-(-n // f) for n, f in zip(self.nav_shape, self.bin_positions, strict=True))

    @property
    def shape(self) -> tuple[int, int]:
        """Planes, one a bin of the detector, and places in each, one a bin of the scan."""
        return math.prod(self.detector_bins), math.prod(self.scan_bins)

    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the detector at which bins begin, and, last, their number."""
        return tuple(  # type: ignore[return-value]
            np.append(np.arange(0, n, b), n).astype(np.int64)
            for n, b in zip(self.detector, self.bin_pixels, strict=True)
        )

    def places(self, box: Sequence[slice]) -> NDArray[np.int64]:
        """The place of each position of a box, flattened in C order."""
        found = np.zeros((1,) * len(box), np.int64)
        for k, (part, factor, count) in enumerate(zip(box, self.bin_positions, self.scan_bins, strict=True)):
            along = np.arange(part.start, part.stop, dtype=np.int64) // factor
            found = found * count + along.reshape((-1,) + (1,) * (len(box) - 1 - k))
        return np.ascontiguousarray(found.reshape(-1))

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of all places, flat, given to each of their positions: ``[nav...]``."""
        image = values.reshape(self.scan_bins)
        for axis, (factor, n) in enumerate(zip(self.bin_positions, self.nav_shape, strict=True)):
            if factor > 1:
                image = np.repeat(image, factor, axis)[(slice(None),) * axis + (slice(0, n),)]
        return np.ascontiguousarray(image)

    def gathered(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of all positions ``[nav...]`` summed by place, flat."""
        image = values
        for axis, factor in enumerate(self.bin_positions):
            if factor > 1:
                image = np.add.reduceat(image, np.arange(0, image.shape[axis], factor), axis)
        return np.ascontiguousarray(image, np.float64).reshape(-1)

    def coarser(self) -> BinLayout:
        """The same scan with bins of the detector twice as wide, or as high where there is one column."""
        y, x = self.bin_pixels
        wider = (y, 2 * x) if self.detector_bins[1] > 1 else (2 * y, x)
        return BinLayout(self.nav_shape, self.detector, wider, self.bin_positions)


def budget_for(positions: int) -> int:
    """Bytes that the binned scan may take beside what is kept of each position: less where these are millions.

    Examples
    --------
    >>> budget_for(512 * 512) // 2**20, budget_for(2048 * 3072) // 2**20
    (64, 16)
    """
    return max(BUDGET // 4, BUDGET - POSITION_BYTES * max(0, positions - 2**20))


def picture_dtype(size: int) -> Any:
    """In which precision a picture of so many positions is made."""
    return np.float64 if size <= EXACT_PICTURE else np.float32


def _bins(detector: tuple[int, int], size: int) -> int:
    return math.prod(-(-n // size) for n in detector)


def _places(nav_shape: Sequence[int], factors: Sequence[int]) -> int:
    return math.prod(-(-n // f) for n, f in zip(nav_shape, factors, strict=True))

"""Exact results in the background: portions of the scan of a few milliseconds, every detector in one reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy.peek import Peek, positions_of
from lazy4d.lazy.peek_walks import ended_walk
from lazy4d.plot.detectors.partial import PartialImage
from lazy4d.plot.detectors.portions import Box, Pace, block_boxes, line_boxes, spread, stored_blocks


def images_pass(
    signal: Any,
    lazy: Mapping[str, Any],
    partial: Mapping[str, PartialImage],
    check: Callable[[], None],
    *,
    spread_out: bool,
) -> Iterator[float]:
    """Compute virtual images exactly, portion by portion, all of them from one reading of the frames.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    lazy : dict of VirtualImage
        The images, lazy.
    partial : dict of PartialImage
        Under the same names; filled, and what is known in them is not computed again.
    check : callable
        Called between portions; an exception of it ends the pass.
    spread_out : bool
        Whether positions far from each other come first, for a picture that sharpens as a whole.

    Yields
    ------
    float
        The share of the scan that is known for all of them.

    Examples
    --------
    >>> bright = {"bright field": d.get_virtual_image(l4.CircleROI(8, 8, 3))}
    >>> found = {"bright field": PartialImage.empty((4, 4), np.dtype("uint64"))}
    >>> list(images_pass(d, bright, found, lambda: None, spread_out=False))[-1]
    1.0
    >>> bool((found["bright field"].values == bright["bright field"].as_numpy()).all())
    True
    """
    peeks: dict[tuple[str, ...], Peek] = {}
    known = np.logical_and.reduce([one.known for one in partial.values()])
    pace = Pace(int(signal.frames.source.frame_nbytes))
    blocks = stored_blocks(signal.frames)
    boxes = line_boxes(known, pace, spread_out) if blocks is None else block_boxes(blocks, spread_out)
    for box in boxes:
        check()
        missing = tuple(name for name, one in partial.items() if not one.known[box].all())
        if not missing:
            continue
        if missing not in peeks:
            peeks[missing] = Peek(*(lazy[name].data for name in missing), nav_ndim=len(signal.nav_shape))
            if peeks[missing].needs_whole_scan:
                peeks[missing].prepare(check)
        started = perf_counter()
        for name, values in zip(missing, peeks[missing](box), strict=True):
            partial[name].put(box, values)
        pace.took(positions_of(box), perf_counter() - started)
        yield min(one.share for one in partial.values())


class RegionSum:
    """The sum of the frames of a region, and how many they are, while it is computed.

    Parameters
    ----------
    signal : BaseSignal
        The scan.
    mask : bool ndarray [nav...]
        The region.

    Examples
    --------
    >>> mask = np.zeros((4, 4), bool)
    >>> mask[1, :3] = True
    >>> region = RegionSum(d, mask)
    >>> shares = list(region.steps(lambda: None))
    >>> bool(np.array_equal(region.mean(), d.get_region_mean(mask).as_numpy()))
    True
    """

    def __init__(self, signal: Any, mask: NDArray[np.bool_]) -> None:
        self._selected = signal.inav[mask]
        if self._selected.dtype.kind in "iu" and self._selected.dtype.itemsize == 8:
            self._selected = self._selected.astype(np.float64)  # sums of 64-bit integers could overflow
        self._frames = self._selected.frames
        total = self._selected.sum().data
        self._sums = ended_walk(total) is not None  # dask knows no sum of a part of what it sums
        self._peek = Peek(total, nav_ndim=1) if self._sums else Peek(self._frames)
        self.positions = int(np.count_nonzero(mask))
        self._seen = 0
        self._valid = 0
        self._boxes: list[Box] = []
        self._taken = 0
        self._total: NDArray[Any] | None = None
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of the sum."""
        return 0 if self._total is None else self._total.nbytes

    @property
    def share(self) -> float:
        """Share of the positions of the region that is in the sum, 0 to 1."""
        return self._seen / self.positions

    @property
    def complete(self) -> bool:
        """Whether all are."""
        return self._seen == self.positions

    def mean(self) -> NDArray[np.float64]:
        """The mean of the frames so far; NaN where there was no undamaged one."""
        if self._total is None:
            return np.full(self._selected.frame_shape, np.nan)
        with np.errstate(all="ignore"):
            return np.asarray(self._total / np.int64(self._valid), np.float64)

    def steps(self, check: Callable[[], None]) -> Iterator[float]:
        """Go on with the sum where it was left, positions far from each other first; yields the share that is in it.

        Parameters
        ----------
        check : callable
            Called between portions; an exception of it ends the pass.
        """
        if self._peek.needs_whole_scan:
            self._peek.prepare(check)
        while not self.complete:
            check()
            with self._lock:  # a cancelled job may still be at its last portion
                if not self.complete:
                    self._take_next()
            yield self.share

    def _take_next(self) -> None:
        if not self._boxes:
            self._boxes = self._portions()
        box = self._boxes[self._taken]
        (total,) = self._peek(box)
        valid = self._peek.valid(box)
        if not self._sums:
            total = (total if valid is None else total[valid]).sum(axis=0, dtype=np.float64)
        self._total = total if self._total is None else self._total + total
        self._valid += positions_of(box) if valid is None else int(np.count_nonzero(valid))
        self._seen += positions_of(box)
        self._taken += 1

    def _portions(self) -> list[Box]:
        blocks = stored_blocks(self._frames)
        if blocks is not None:
            return list(block_boxes(blocks, spread_out=True))
        size = Pace(int(self._frames.source.frame_nbytes)).positions
        starts = list(range(0, self.positions, size))
        return [(slice(starts[k], min(starts[k] + size, self.positions)),) for k in spread(len(starts))]

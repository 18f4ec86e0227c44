"""The scan in bins, by detector: what answers any virtual detector, and any region, in milliseconds."""

from __future__ import annotations

import contextlib
import math
import mmap
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import overview_planes as kernels
from lazy4d.signals.overview.filling import filled
from lazy4d.signals.overview.layout import LINE, BinLayout, budget_for, picture_dtype

LARGE_PAGE = 2 * 2**20
"""Bytes of the pages that systems give to large memories."""

_NARROW = {"b1": "u2", "u1": "u2", "u2": "u2", "u4": "u4", "u8": "u4", "i1": "i2", "i2": "i2", "i4": "i4", "i8": "i4"}
_WIDER = {"u2": "u4", "i2": "i4", "u4": "f4", "i4": "f4"}


class Proxy:
    """A scan in bins of the detector and, where it is large, of positions: a bounded memory whatever the file.

    It is filled as a pass goes on and answers for what is known so far. A detector reads only the planes of the bins
    that it covers, or, where it covers most, those that it does not.

    Parameters
    ----------
    layout : BinLayout
        The bins.
    dtype : dtype
        Of the frames.
    planes : ndarray, optional
        Sums already known ``[bins, places]``, possibly a read-only memory map, with `counts`.
    counts : ndarray of int32, optional
        Positions summed at each place.

    Attributes
    ----------
    layout : BinLayout
        The bins at present; coarser ones take their place when sums outgrow their dtype.
    exact : bool
        Whether the sums of the bins are exact, as those of integers are unless they reach 2³².

    Notes
    -----
    Where detectors have their edges within bins the image is an estimate: each such bin counts by the share of the mean
    pattern's intensity that the detector holds of it, so that the mean of the image over the scan is right. With 32
    bins a side its error (rms, of the mean) is 0.3 % for a detector within a bright-field disk that travels by a bin,
    1 % for one as large as the disk and 2 % for a ring that begins at its rim, where bins shared by area err by 7 %.
    Detectors made of whole bins, such as all those on small frames, give exact images.

    Examples
    --------
    >>> proxy = Proxy.empty((2, 3), (8, 8), np.uint16)
    >>> proxy.planes.shape, proxy.share
    ((64, 6), 0.0)
    """

    def __init__(
        self,
        layout: BinLayout,
        dtype: Any,
        planes: NDArray[Any] | None = None,
        counts: NDArray[np.int32] | None = None,
    ) -> None:
        native = np.dtype(dtype)
        self.layout = layout
        self.exact = native.kind != "f"
        if planes is None:
            planes = zeros(layout.shape, stored_dtype(native))
            counts = np.zeros(layout.shape[1], np.int32)
        self.planes = planes
        self.counts: NDArray[np.int32] = np.zeros(0, np.int32) if counts is None else counts
        self._lock = threading.RLock()
        self._pattern: NDArray[np.float32] = np.ones(layout.detector, np.float32)
        self._seen = int(self.counts.sum())
        self._all: tuple[int, NDArray[np.float64]] | None = None

    @classmethod
    def empty(
        cls, nav_shape: tuple[int, ...], detector: tuple[int, int], dtype: Any, budget: int | None = None
    ) -> Proxy:
        """A proxy of nothing yet, with the finest bins that `budget` bytes allow: 64 MiB, less for huge scans."""
        native = np.dtype(dtype)
        budget = budget_for(math.prod(nav_shape)) if budget is None else budget
        return cls(BinLayout.fitting(nav_shape, detector, stored_dtype(native).itemsize, budget), native)

    @property
    def nbytes(self) -> int:
        """Bytes of the sums."""
        return int(self.planes.nbytes)

    @property
    def share(self) -> float:
        """The share of the positions that is known."""
        total = int(np.prod(self.layout.nav_shape))
        return self._seen / total if total else 1.0

    # ---- filling

    def add(self, box: Sequence[slice], binned: NDArray[Any], used: NDArray[np.bool_], made_for: BinLayout) -> None:
        """Add the bins of the frames of a box.

        Parameters
        ----------
        box : sequence of slice
            The positions.
        binned : ndarray [n, bins]
            Sums of each frame of the box, flat.
        used : ndarray of bool [n]
            False for frames that do not count.
        made_for : BinLayout
            The bins of `binned`: those that the proxy had when their sums began.
        """
        chosen = np.flatnonzero(used)
        if not chosen.size:
            return
        with self._lock:
            while made_for.bin_pixels != self.layout.bin_pixels:
                binned, made_for = _pairs_summed(binned, made_for), made_for.coarser()
            while not self._fits(binned, chosen):
                before = self.layout
                self._widen()
                if self.layout is not before:
                    binned, made_for = _pairs_summed(binned, made_for), self.layout
            places = self.layout.places(box)
            if chosen.size < len(binned) or self._binned:
                places, groups, counts = np.unique(places[chosen], return_inverse=True, return_counts=True)
                summed = padded_rows(places.size, binned.shape[1], binned.dtype)
                kernels.gather_places(binned, chosen, groups.reshape(-1), summed)
                kernels.add_to_planes(summed, places, self.planes)
                self.counts[places] += counts.astype(np.int32)
            elif places[-1] - places[0] + 1 == places.size:
                kernels.put_into_planes(binned, int(places[0]), self.planes)
                self.counts[places] = 1
            else:
                kernels.add_to_planes(binned, places, self.planes)
                self.counts[places] = 1
            self._seen += chosen.size
            self._all = None

    def _fits(self, binned: NDArray[Any], chosen: NDArray[np.int64]) -> bool:
        """Whether sums over whole bins of the scan are certain to fit into the dtype of the planes."""
        if self.planes.dtype.kind == "f":
            return True
        rows = binned if chosen.size == len(binned) else binned[chosen]
        most = int(np.prod(self.layout.bin_positions))
        limits = np.iinfo(self.planes.dtype)
        fits = int(rows.max()) * most <= limits.max
        return fits and (rows.dtype.kind == "u" or int(rows.min()) * most >= limits.min)

    def _widen(self) -> None:
        """Sums of a wider dtype: in the same memory, for bins twice as wide; or, the last step, as floats."""
        wider = np.dtype(_WIDER[self.planes.dtype.str[1:]])
        if wider.itemsize == self.planes.dtype.itemsize:
            self.exact = False
            self.planes = self.planes.astype(wider)
            return
        coarser = self.layout.coarser()
        before = self.planes.reshape((*self.layout.detector_bins, -1))
        axis = 1 if coarser.detector_bins[0] == self.layout.detector_bins[0] else 0
        planes = zeros(coarser.shape, wider)
        target = planes.reshape((*coarser.detector_bins, -1))
        first, second = np.moveaxis(before, axis, 0), np.moveaxis(target, axis, 0)
        for k, one in enumerate(first):
            second[k // 2] += one
        self.planes, self.layout = planes, coarser

    def use_pattern(self, pattern: NDArray[np.float64]) -> None:
        """Take a mean pattern of the scan as what tells where in a bin its intensity is."""
        with self._lock:
            self._pattern = np.ascontiguousarray(pattern, np.float32).reshape(self.layout.detector)

    # ---- answering

    def cover(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """How much of each bin a detector covers, ``[y bins, x bins]``, 0 to 1 for a binary one."""
        binary = np.asarray(weights).dtype == np.bool_
        detector = np.ascontiguousarray(weights, np.bool_ if binary else np.float64).reshape(self.layout.detector)
        detector = detector.view(np.uint8) if binary else detector
        out = np.empty(self.layout.detector_bins)
        kernels.detector_cover(detector, self._pattern, *self.layout.edges(), out)
        return out

    def image(self, weights: NDArray[Any], fill: bool = False) -> NDArray[np.floating[Any]]:
        """Approximately the virtual image of a detector, of what is known so far.

        Parameters
        ----------
        weights : ndarray of bool or float [ky, kx]
            The detector: which pixels, or the weight of each.
        fill : bool, optional
            Whether what is not known takes the values around it, as a picture of a scan that is still being read does.

        Returns
        -------
        ndarray of floats [nav...]
            NaN where nothing is known. Where positions are binned each has the mean of its bin. In double precision
            but for millions of positions.

        Raises
        ------
        ValueError
            The detector is of another shape than the frames.
        """
        if np.size(weights) != int(np.prod(self.layout.detector)):
            raise ValueError(
                f"expected a detector of the frame's shape {self.layout.detector}, found shape {np.shape(weights)}"
            )
        with self._lock:
            cover = self.cover(weights).reshape(-1)
            values, common = np.unique(cover, return_counts=True)
            # What a detector leaves out is subtracted only from sums of integers: a hot pixel would drown the others.
            usual = float(values[common.argmax()]) if self.planes.dtype.kind != "f" else 0.0
            sums = np.zeros(self.layout.shape[1])
            differs = np.flatnonzero(cover != usual).astype(np.int64)
            self._weigh(differs, cover[differs] - usual, sums)
            if usual:
                sums += usual * self._totals()
            counts = self.counts
            with np.errstate(all="ignore"):
                sums = np.where(counts > 0, sums / counts, np.nan)
        if fill and not counts.all():
            shape = self.layout.scan_bins
            sums = filled(sums.reshape(shape), (counts > 0).reshape(shape))
        positions = math.prod(self.layout.nav_shape)
        return self.layout.spread(sums.astype(picture_dtype(positions), copy=False))

    def _weigh(self, chosen: NDArray[np.int64], weights: NDArray[np.float64], out: NDArray[np.float64]) -> None:
        places = self.layout.shape[1]
        for sign in (1.0, -1.0):
            whole = chosen[weights == sign]
            if whole.size and self.planes.dtype.kind != "f":
                part = np.zeros(places)
                kernels.add_planes(self.planes, whole, 0, places, part)
                out += sign * part
                chosen, weights = chosen[weights != sign], weights[weights != sign]
        if chosen.size:
            kernels.weigh_planes(self.planes, chosen, np.ascontiguousarray(weights), 0, places, out)

    def _totals(self) -> NDArray[np.float64]:
        """The sum of all planes, which a detector that covers most of them is told from."""
        if self._all is None or self._all[0] != self._seen:
            total = np.zeros(self.layout.shape[1])
            every = np.arange(self.layout.shape[0], dtype=np.int64)
            if self.planes.dtype.kind == "f":
                kernels.weigh_planes(self.planes, every, np.ones(every.size), 0, total.size, total)
            else:
                kernels.add_planes(self.planes, every, 0, total.size, total)
            self._all = (self._seen, total)
        return self._all[1]

    def pattern(self, region: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Approximately the mean pattern of the known positions of a region.

        Parameters
        ----------
        region : ndarray of bool [nav...]
            The positions.

        Returns
        -------
        ndarray of float64 [ky, kx]
            The mean of each bin, given to each of its pixels; NaN throughout where nothing of the region is known.

        Raises
        ------
        ValueError
            The region is of another shape than the scan.
        """
        if np.shape(region) != self.layout.nav_shape:
            raise ValueError(
                f"expected a region of the scan's shape {self.layout.nav_shape}, found shape {np.shape(region)}"
            )
        with self._lock:
            inside = self.layout.gathered(np.asarray(region, np.float64))
            everything = self.layout.gathered(np.ones(self.layout.nav_shape)) if self._binned else np.ones(inside.size)
            weights = inside / everything
            known = np.flatnonzero((weights > 0) & (self.counts > 0)).astype(np.int64)
            weight = float((weights[known] * self.counts[known]).sum())
            if not weight:
                return np.full(self.layout.detector, np.nan)
            if 4 * known.size > inside.size:  # then whole planes are read quicker than places picked
                known, chosen = np.arange(inside.size), np.where(self.counts > 0, weights, 0.0)
            else:
                chosen = weights[known]
            sums = np.empty(self.layout.shape[0])
            kernels.weigh_places(self.planes, known, np.ascontiguousarray(chosen), sums)
            return self._on_detector(sums / weight)

    @property
    def _binned(self) -> bool:
        return any(f > 1 for f in self.layout.bin_positions)

    def _on_detector(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of bins as the mean of their pixels, given to each pixel."""
        rows, columns = (np.diff(edges) for edges in self.layout.edges())
        means = sums.reshape(self.layout.detector_bins) / (rows[:, None] * columns[None, :])
        return np.repeat(np.repeat(means, rows, 0), columns, 1)


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """In which dtype sums of bins begin: 16 bits for narrow integers, float32 for floats."""
    return np.dtype(_NARROW.get(dtype.str[1:], "f4"))


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros whose memory is taken as it is written to, in large pages where the system has them.

    Planes are written a few places each at a time: with small pages each of those would wait for the system.

    Examples
    --------
    >>> zeros((2, 3), np.dtype("u2")).sum()
    np.uint64(0)
    """
    nbytes = math.prod(shape) * dtype.itemsize
    if not hasattr(mmap, "MADV_HUGEPAGE") or nbytes < LARGE_PAGE:
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, nbytes + LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # not shared with forks
    with contextlib.suppress(OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)


def padded_rows(n: int, bins: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros ``[n, bins]`` whose rows begin at odd multiples of what a cache takes at once.

    Else the entries of a column would all meet in the same place of the cache.

    Examples
    --------
    >>> padded_rows(2, 64, np.dtype("u4")).strides
    (320, 4)
    """
    lines = -(-bins * dtype.itemsize // LINE) | 1
    return np.zeros((n, lines * LINE // dtype.itemsize), dtype)[:, :bins]


def _pairs_summed(binned: NDArray[Any], layout: BinLayout) -> NDArray[Any]:
    """Bins of frames summed as `BinLayout.coarser` makes them."""
    axis = 2 if layout.detector_bins[1] > 1 else 1
    grid = binned.reshape((len(binned), *layout.detector_bins))
    return np.add.reduceat(grid, np.arange(0, grid.shape[axis], 2), axis).reshape(len(binned), -1)

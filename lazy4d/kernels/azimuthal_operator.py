"""The polar grid over a frame as a small value, and its sparse operator, built once a process when it is first needed.

Only the `PolarGrid` travels: it is a few hundred bytes (and a bit for each pixel where there is a mask), while the
operator has megabytes. Building it takes milliseconds, reading it from another process would take as long.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit
from lazy4d.kernels.azimuthal import azimuthal_bins
from lazy4d.kernels.azimuthal_moving import moving_bins
from lazy4d.kernels.polar_overlap import shares_by_area
from lazy4d.kernels.polar_place import shares_by_place

KEPT_BYTES = 2**28
"""Bytes of operators that a process keeps; the last one is always kept."""


@dataclass(frozen=True)
class PolarGrid:
    """Which pixels of a frame belong to which bins, and by what share.

    Parameters
    ----------
    frame_shape : (ky, kx)
        Of the frames.
    center : (y, x)
        Pixel of the beam; a fraction in general.
    matrix : tuple of float
        Four numbers [[yy, yx], [xy, xx]]: from offsets (y, x) in pixels to undistorted ones in radial units.
    rings : (start, width, number)
        Radial bins.
    sectors : (start, width, number)
        Azimuthal bins, rad, the start in [-π, π].
    splitting : {"bilinear", "exact", None}
        How pixels are shared between bins.
    mask : bytes
        Pixels that count, one bit each; empty where all do.

    Examples
    --------
    >>> grid = PolarGrid((5, 5), (2.0, 2.0), (1, 0, 0, 1), (0.0, 1.0, 3), (-np.pi, 2 * np.pi, 1), None)
    >>> operator_of(grid).starts
    array([ 0,  1,  9, 25])
    """

    frame_shape: tuple[int, int]
    center: tuple[float, float]
    matrix: tuple[float, float, float, float]
    rings: tuple[float, float, int]
    sectors: tuple[float, float, int]
    splitting: str | None = "bilinear"
    mask: bytes = b""

    def masked(self, inside: NDArray[Any]) -> PolarGrid:
        """The grid over those pixels of a mask [ky, kx] that are not 0; an empty mask keeps all."""
        return replace(self, mask=np.packbits(inside != 0).tobytes())

    @property
    def keep(self) -> NDArray[np.uint8]:
        """The mask as uint8 [ky * kx], empty where all pixels count."""
        size = math.prod(self.frame_shape) if self.mask else 0
        return np.unpackbits(np.frombuffer(self.mask, np.uint8), count=size)

    @property
    def arrays(self) -> tuple[NDArray[np.float64], ...]:
        """Centre, matrix, rings and sectors as compiled functions take them."""
        matrix = np.array(self.matrix, np.float64).reshape(2, 2)
        return np.array(self.center, np.float64), matrix, np.array(self.rings, float), np.array(self.sectors, float)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return self.rings[2] * self.sectors[2]


class Operator(NamedTuple):
    """A sparse matrix [bins, pixels] in rows."""

    starts: NDArray[np.int64]
    pixels: NDArray[np.int32]
    weights: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return self.starts.nbytes + self.pixels.nbytes + self.weights.nbytes


@jit
def _rows(bins, pixels, weights, n_bins):
    """The entries sorted by bin, those of one bin in the order they have."""
    starts = np.zeros(n_bins + 1, np.int64)
    for e in range(bins.size):
        starts[bins[e] + 1] += 1
    for b in range(n_bins):
        starts[b + 1] += starts[b]
    at = starts[:-1].copy()
    sorted_pixels, sorted_weights = np.empty(bins.size, np.int32), np.empty(bins.size)
    for e in range(bins.size):
        place = at[bins[e]]
        sorted_pixels[place], sorted_weights[place] = pixels[e], weights[e]
        at[bins[e]] = place + 1
    return starts, sorted_pixels, sorted_weights


def build_operator(grid: PolarGrid) -> Operator:
    """The operator of a grid, made anew."""
    shape = (int(grid.frame_shape[0]), int(grid.frame_shape[1]))
    if grid.splitting == "exact":
        shares = shares_by_area(shape, *grid.arrays, grid.keep)
    else:
        shares = shares_by_place(shape, *grid.arrays, grid.keep, grid.splitting == "bilinear")
    return Operator(*_rows(*shares, grid.n_bins))


_kept: OrderedDict[PolarGrid, Operator] = OrderedDict()
_lock = threading.Lock()


def operator_of(grid: PolarGrid) -> Operator:
    """The operator of a grid, built when it is first asked for and kept for the next block or call."""
    with _lock:
        operator = _kept.get(grid)
        if operator is None:
            operator = _kept[grid] = build_operator(grid)
            while len(_kept) > 1 and sum(one.nbytes for one in _kept.values()) > KEPT_BYTES:
                _kept.popitem(last=False)
        _kept.move_to_end(grid)
        return operator


def integrate(frames: NDArray[Any], grid: PolarGrid, statistic: int, skip_nan: bool, out: NDArray[np.float64]) -> None:
    """One number of each bin of each frame: `azimuthal.azimuthal_bins` with the operator of a grid.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    grid : PolarGrid
        The bins.
    statistic, skip_nan
        As in `azimuthal.azimuthal_bins`.
    out : ndarray of float64 [n, rings] or [n, rings, sectors]
        Filled.
    """
    operator = operator_of(grid)
    azimuthal_bins(_numbers(frames), *operator, statistic, skip_nan and frames.dtype.kind == "f", _flat(out))


def integrate_moving(
    frames: NDArray[Any],
    centers: NDArray[np.float64],
    grid: PolarGrid,
    statistic: int,
    skip_nan: bool,
    out: NDArray[np.float64],
) -> None:
    """One number of each bin of each frame about its own centre; see `azimuthal_moving.moving_bins`.

    Parameters are those of `integrate`, and the centres (y, x) of the frames, float64 [n, 2], that stand for that of
    the grid.
    """
    _, *arrays = grid.arrays
    bilinear, skip = grid.splitting == "bilinear", skip_nan and frames.dtype.kind == "f"
    moving_bins(_numbers(frames), centers, *arrays, grid.keep, bilinear, statistic, skip, _flat(out))


def _numbers(frames: NDArray[Any]) -> NDArray[Any]:
    return frames.view(np.uint8) if frames.dtype.kind == "b" else frames


def _flat(out: NDArray[Any]) -> NDArray[Any]:
    return out.reshape(len(out), math.prod(out.shape[1:]))

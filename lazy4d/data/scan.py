"""A simulated scan as a source of frames: each is drawn where and when it is read, the same however it is reached."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.detector import Detector
from lazy4d.data.specimens import Floats, Specimen
from lazy4d.data.spots import Spots, draw_electrons, expected_counts

Items = tuple[slice | NDArray[np.bool_], ...]


@dataclass(frozen=True, eq=False)
class SimulatedScan:
    """A scan whose frames are drawn inside the task that reads them; make one with `simulated_scan`.

    It is a source of frames like an opened file: small, immutable, picklable. Every scan position has random numbers of
    its own (Philox with the position as counter), so a frame is the same however the scan is cut into blocks.

    Parameters
    ----------
    scan_shape, frame_shape : tuple of int
        Whole scan in numpy order, frame (ky, kx).
    dtype : numpy.dtype
        Dtype of the frames.
    specimen : Specimen
        Where the beam is diffracted to.
    detector : Detector
        What the detector makes of it.
    disk_radius : float
        Radius of direct beam and Bragg disks, pixels.
    descan : tuple of float or float64 array (*scan_shape, 2)
        Travel (y, x) of the beam from the first to the last row and column, or its displacement everywhere; pixels.
    dose : float
        Mean electrons per frame.
    noise : bool
        Poisson noise; without it frames are expected counts.
    background, halo : float
        Shares of the dose spread evenly over the frame and in a Gaussian about the direct beam.
    halo_sigma : float
        Standard deviation of the halo, pixels.
    seed : int
        Everything random follows from it.
    scale, scan_scale : float
        Calibration: 1/Å per pixel of a frame, nm per scan step.
    beam_energy : str
        Acceleration voltage, for example "200 kV".
    """

    scan_shape: tuple[int, ...]
    frame_shape: tuple[int, int]
    dtype: np.dtype[Any]
    specimen: Specimen
    detector: Detector
    disk_radius: float
    descan: tuple[float, float] | Floats
    dose: float
    noise: bool
    background: float
    halo: float
    halo_sigma: float
    seed: int
    scale: float
    scan_scale: float
    beam_energy: str
    _axes: tuple[range, ...] = ()  # the selected indices along every axis of the scan
    _kept: tuple[int, ...] = ()  # axes that were not dropped
    _picks: NDArray[np.int64] | None = None  # scan positions, where a boolean mask was selected

    incomplete = "raise"

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Shape of the selected scan, numpy order."""
        return (len(self._picks),) if self._picks is not None else tuple(len(self._axes[a]) for a in self._kept)

    @property
    def frame_nbytes(self) -> int:
        """Bytes of one frame."""
        return math.prod(self.frame_shape) * self.dtype.itemsize

    @property
    def token(self) -> str:
        """Text that is equal for equal pixels."""
        parts = [repr(value) if not isinstance(value, np.ndarray) else _digest(value) for value in vars(self).values()]
        return "simulated-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    @property
    def signal_parameters(self) -> dict[str, Any]:
        """Calibration of the scan, as keyword arguments of ``set_calibration``.

        Examples
        --------
        >>> from lazy4d.data import simulated_scan
        >>> simulated_scan((4, 4), (256, 256)).signal_parameters["scale"]
        0.02
        """
        return {
            "scale": self.scale,
            "units": "1/Å",
            "scan_scale": self.scan_scale,
            "scan_units": "nm",
            "beam_energy": self.beam_energy,
        }

    def select(self, items: Items) -> SimulatedScan:
        """Return the part of the scan that slices (one per axis, numpy order) or one boolean mask select.

        Examples
        --------
        >>> from lazy4d.data import simulated_scan
        >>> scan = simulated_scan((4, 6), (16, 16))
        >>> scan.select((slice(0, 4, 2), slice(5, 2, -1))).nav_shape
        (2, 3)
        """
        if len(items) == 1 and isinstance(items[0], np.ndarray):
            if items[0].shape != self.nav_shape:
                raise ValueError(f"expected a mask of shape {self.nav_shape}, got {items[0].shape}")
            positions = self._positions(tuple(slice(0, n) for n in self.nav_shape), 0, math.prod(self.nav_shape))
            return replace(self, _picks=positions[items[0].ravel()])
        if len(items) != len(self.nav_shape):
            raise ValueError(f"expected one slice per axis of a scan of shape {self.nav_shape}, got {len(items)}")
        chosen = [_indices(item, n) for item, n in zip(items, self.nav_shape, strict=True)]
        if self._picks is not None:
            return replace(self, _picks=self._picks[np.asarray(chosen[0], np.int64)])
        axes = list(self._axes)
        for axis, inner in zip(self._kept, chosen, strict=True):
            start, step = axes[axis].start + axes[axis].step * inner.start, axes[axis].step * inner.step
            axes[axis] = range(start, start + step * len(inner), step)
        return replace(self, _axes=tuple(axes))

    def drop_axes(self, axes: tuple[int, ...]) -> SimulatedScan:
        """Return the same frames without navigation axes (numbers in numpy order) of length 1."""
        long = [a for a in axes if self.nav_shape[a] != 1]
        if long:
            raise ValueError(f"expected axes of length 1, got axes {long} of a scan of shape {self.nav_shape}")
        if self._picks is not None:
            whole = np.unravel_index(self._picks[0], self.scan_shape)
            return replace(self, _axes=tuple(range(int(i), int(i) + 1) for i in whole), _kept=(), _picks=None)
        return replace(self, _kept=tuple(axis for k, axis in enumerate(self._kept) if k not in axes))

    def open(self, box: tuple[slice, ...]) -> SimulatedBlock:
        """Return the frames of a box of positions, to be read inside a task."""
        return SimulatedBlock(self, box)

    def noise_free(self, dtype: str = "float32") -> SimulatedScan:
        """Return the scan of expected counts, by default as float32."""
        return replace(self, noise=False, dtype=np.dtype(dtype))

    def as_array(self) -> NDArray[Any]:
        """Draw every frame of the selected scan: an array [*nav_shape, ky, kx] of `dtype`.

        Examples
        --------
        >>> from lazy4d.data import simulated_scan
        >>> simulated_scan((2, 3), (16, 20)).as_array().shape
        (2, 3, 16, 20)
        """
        n = math.prod(self.nav_shape)
        out = np.empty((n, *self.frame_shape), self.dtype)
        self.open(tuple(slice(0, size) for size in self.nav_shape)).read(0, n, out, (slice(None), slice(None)))
        return out.reshape(self.nav_shape + self.frame_shape)

    @property
    def truth(self) -> dict[str, NDArray[Any]]:
        """What is known about the selected scan, in numpy order; positions and vectors are (y, x), pixels.

        Always: `beam_position` and `center_of_mass` (*nav_shape, 2), the latter of all expected electrons, those
        beside the frame and on bad pixels included; `disk_radius`; `detector_mask` (ky, kx), True where good;
        `dead_pixels` and `hot_pixels` (k, 2). The specimen adds its own.
        """
        nav, n = self.nav_shape, math.prod(self.nav_shape)
        positions = self._positions(tuple(slice(0, size) for size in nav), 0, n)
        where = self._where(positions)
        centers, electrons = self._disks(positions)
        middle = (np.asarray(self.frame_shape) - 1) / 2
        beam = centers[:, 0]
        rest = self.dose * self.halo * beam + self.dose * self.background * middle
        mass = (np.einsum("nm,nmc->nc", electrons, centers) + rest) / self.dose
        per_position = {"beam_position": beam, "center_of_mass": mass, **self.specimen.truth(where)}
        dead, hot = self.detector.bad_pixels
        return {
            **{name: values.reshape(nav + values.shape[1:]) for name, values in per_position.items()},
            **self.specimen.facts(),
            "disk_radius": np.asarray(self.disk_radius),
            "detector_mask": self.detector.good.copy(),
            "dead_pixels": dead,
            "hot_pixels": hot,
        }

    def _positions(self, box: tuple[slice, ...], start: int, stop: int) -> NDArray[np.int64]:
        """Numbers, in the whole scan, of the positions [start, stop) of a box."""
        shape = tuple(s.stop - s.start for s in box)
        inner = np.unravel_index(np.arange(start, stop), shape) if shape else ()
        if self._picks is not None:
            return self._picks[inner[0] + box[0].start]
        index = [np.full(stop - start, axis.start) for axis in self._axes]
        for axis, local, s in zip(self._kept, inner, box, strict=True):
            index[axis] = self._axes[axis].start + self._axes[axis].step * (local + s.start)
        return np.ravel_multi_index(index, self.scan_shape).astype(np.int64)

    def _where(self, positions: NDArray[np.int64]) -> Floats:
        """Positions (n, 2) in [0, 1] across the scan, (y, x); leading axes of a scan repeat the same specimen."""
        index = [np.zeros_like(positions), *np.unravel_index(positions, self.scan_shape)][-2:]
        sizes = (1, *self.scan_shape)[-2:]
        return np.stack([i / (n - 1) if n > 1 else np.full(len(i), 0.5) for i, n in zip(index, sizes, strict=True)], -1)

    def _disks(self, positions: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return centres (n, 1 + m, 2) and expected electrons (n, 1 + m) of the direct beam and its Bragg disks."""
        where = self._where(positions)
        if isinstance(self.descan, np.ndarray):
            moved = self.descan.reshape(-1, 2)[positions]
        else:
            moved = np.asarray(self.descan) * (where - 0.5)
        beam = np.asarray(self.frame_shape) // 2 + moved
        offsets, shares = self.specimen.disks(where)
        centers = np.concatenate([beam[:, None], beam[:, None] + offsets], axis=1)
        shares = np.concatenate([1 - shares.sum(1, keepdims=True), shares], axis=1)
        return centers, self.dose * (1 - self.background - self.halo) * shares

    def _spots(self, positions: NDArray[np.int64]) -> Iterator[Spots]:
        halo, background = self.dose * self.halo, self.dose * self.background
        for centers, electrons in zip(*self._disks(positions), strict=True):
            yield Spots(centers, electrons, self.disk_radius, halo, self.halo_sigma, background)


class SimulatedBlock:
    """The frames of a box of a simulated scan, flattened in C order.

    Parameters
    ----------
    scan : SimulatedScan
        The selected scan.
    box : tuple of slice
        One [start, stop) per navigation axis.
    """

    valid = None

    def __init__(self, scan: SimulatedScan, box: tuple[slice, ...]) -> None:
        self._scan, self._box = scan, box

    def read(self, start: int, stop: int, out: NDArray[Any], window: tuple[slice, ...]) -> None:
        """Fill ``out[: stop - start]`` with frames; whole ones, whatever the window."""
        scan = self._scan
        positions = scan._positions(self._box, start, stop)
        key = np.random.SeedSequence([scan.seed, 0]).generate_state(2, np.uint64)
        by_electron = scan.dose <= 1.5 * math.prod(scan.frame_shape)  # the cheaper of two exact ways
        for position, spots, frame in zip(positions.tolist(), scan._spots(positions), out, strict=False):
            counts: NDArray[Any]
            if not scan.noise:
                counts = expected_counts(spots, scan.frame_shape)
            else:
                rng = np.random.Generator(np.random.Philox(key=key, counter=[0, position, 0, 0]))
                if by_electron:
                    counts = draw_electrons(spots, scan.frame_shape, rng)
                else:
                    counts = rng.poisson(expected_counts(spots, scan.frame_shape))
            scan.detector.read(counts, frame)

    def close(self) -> None:
        """Nothing is held."""


def _indices(item: slice | NDArray[np.bool_], size: int) -> range:
    """Indices of a normalised slice; -1 as stop of a negative step means down to and including 0."""
    if not isinstance(item, slice):
        raise ValueError(f"expected slices or one boolean mask, got {type(item).__name__} among several selections")
    step = 1 if item.step is None else item.step
    start = (0 if step > 0 else size - 1) if item.start is None else item.start
    stop = (size if step > 0 else -1) if item.stop is None else item.stop
    return range(start, stop, step)


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()

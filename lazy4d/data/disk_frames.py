"""Frames with many disks whose places are known: random or on a lattice, dim, overlapping, cut off, on a background."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lazy4d.data.beam_truth import STOPS, _stop
from lazy4d.data.detector import Detector
from lazy4d.data.disk_places import Disks, lattice_disks, scattered_disks
from lazy4d.data.disk_structure import even_disk, lined_disk, rimmed_disk
from lazy4d.data.spots import Floats, disk_coverage

STRUCTURES = ("even", "soft", "rim", "lines")
SOFT = 0.5
"""Standard deviation of the radius where the edge of a disk is soft, pixels."""


@dataclass(frozen=True, eq=False)
class DiskFrames:
    """Frames and the truth about them; made by `disk_frames`.

    Parameters
    ----------
    frames : ndarray [*scan_shape, ky, kx]
        What the detector reads.
    offsets : int64 array [n + 1]
        The disks of frame i, counted through the scan in C order, are the entries ``offsets[i]:offsets[i + 1]``.
    columns : dict of arrays [total]
        `ky` and `kx`, centres in pixels; `dose`, mean electrons on a pixel inside; `visible`, the share of the disk's
        area that lies on pixels of `mask`; `h` and `k`, the indices on a lattice, 0 for scattered disks.
    lattice : float64 array [*scan_shape, 2, 2]
        Lattice vectors as rows (y, x), pixels, after the deformation; NaN for scattered disks.
    center : float64 array [*scan_shape, 2]
        The origin (y, x) of the lattice, where the direct beam is.
    expected : float64 array [*scan_shape, ky, kx]
        Electrons expected on each pixel before the detector and the beam stop.
    mask : bool array [ky, kx]
        Pixels that count electrons: not behind the stop, in a gap, dead or hot.
    disk_radius : float
        Radius of the disks, pixels.
    """

    frames: NDArray[Any]
    offsets: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    lattice: Floats
    center: Floats
    expected: Floats
    mask: NDArray[np.bool_]
    disk_radius: float

    def positions(self) -> list[Floats]:
        """The centres [m, 2] = (y, x) of the disks of each frame, in C order of the scan.

        Examples
        --------
        >>> [len(places) for places in disk_frames((2,), (64, 64), number=5, disk_radius=4).positions()]
        [5, 5]
        """
        both = np.stack([self.columns["ky"], self.columns["kx"]], axis=-1)
        return np.split(both, self.offsets[1:-1])

    def column(self, name: str) -> list[NDArray[Any]]:
        """One column [m] of the disks of each frame, in C order of the scan.

        Raises
        ------
        ValueError
            There is no such column.

        Examples
        --------
        >>> disk_frames((1,), (64, 64), number=3, disk_radius=4, dose=50).column("dose")
        [array([50., 50., 50.])]
        """
        if name not in self.columns:
            raise ValueError(f"expected one of the columns {sorted(self.columns)}, got {name!r}")
        return np.split(self.columns[name], self.offsets[1:-1])


def disk_frames(
    scan_shape: tuple[int, ...] = (12,),
    frame_shape: tuple[int, int] = (128, 128),
    *,
    number: int | None = 25,
    disk_radius: float = 5.0,
    dose: float = 10.0,
    faintest: float = 1.0,
    arrangement: str = "scattered",
    separation: float | None = None,
    margin: float | None = None,
    lattice: ArrayLike = ((3.0, 21.0), (20.0, -2.0)),
    deformation: ArrayLike | None = None,
    center: tuple[float, float] | None = None,
    jitter: float = 0.5,
    beam: float | None = None,
    structure: str = "even",
    background: float = 0.0,
    halo: float = 0.0,
    halo_width: float | None = None,
    stop: str | None = None,
    stop_size: float | None = None,
    dead_pixels: int = 0,
    hot_pixels: int = 0,
    gap: int = 0,
    saturation: int | None = None,
    noise: bool = True,
    seed: int = 0,
    dtype: Any = None,
) -> DiskFrames:
    """Frames [*scan_shape, ky, kx] with disks at places between the pixels, and where they truly are.

    Parameters
    ----------
    scan_shape, frame_shape : tuple of int
        Scan in numpy order, any number of axes; frame (ky, kx).
    number : int, optional
        Disks in each frame, the direct beam included; on a lattice the ones nearest to its origin, all by default.
    disk_radius : float
        Radius of the disks, pixels.
    dose : float
        Mean electrons on a pixel inside the brightest disk, but for the direct beam.
    faintest : float
        Dose of the faintest disk over that of the brightest, in (0, 1]; evenly spread logarithms in between.
    arrangement : {"scattered", "lattice"}
        Places at random in every frame, or points of `lattice` about `center`.
    separation : float, optional
        Smallest distance between two scattered disks, pixels; two more than their diameter by default. Below the
        diameter they overlap.
    margin : float, optional
        Smallest distance of a centre from the outermost pixels' outer edge, pixels; `disk_radius` by default, so that
        all disks are whole. Negative: centres beyond the frame.
    lattice : array [2, 2]
        Lattice vectors as rows (y, x), pixels.
    deformation : array [2, 2] or [*scan_shape, 2, 2], optional
        What deforms the crystal, as real space matrices F acting on (y, x) columns: vectors as rows become G F⁻¹.
    center : tuple of float, optional
        The origin (y, x) of the lattice, place of the direct beam; pixel N // 2 by default.
    jitter : float
        Half the range of a random displacement (y, x) of the origin at each position, pixels.
    beam : float, optional
        Dose of the direct beam over that of the brightest disk; none by default, and one disk like any other on a
        lattice.
    structure : {"even", "soft", "rim", "lines"}
        What is in the disks: the same everywhere, up to a sharp or a soft edge; bright at the rim; crossed by lines at
        a random place in each disk.
    background : float
        Electrons on every pixel.
    halo, halo_width : float
        Electrons on a pixel in the middle of a Gaussian halo about `center`, and its standard deviation, pixels (an
        eighth of the smaller frame side by default).
    stop, stop_size
        A beam stop, ``"bar"`` or ``"disk"``; see `beam_frames`.
    dead_pixels, hot_pixels, gap, saturation
        Of the detector; see `simulated_scan`.
    noise : bool
        Poisson noise; without it frames are expected counts.
    seed : int
        Everything random follows from it.
    dtype : dtype, optional
        Of the frames; uint16 with noise and float32 without.

    Returns
    -------
    DiskFrames
        Frames and truth.

    Raises
    ------
    ValueError
        An unknown name, a number out of its range, or more disks than fit.

    Notes
    -----
    Areas of disks and pixels in common are exact (`disk_coverage`), so expected counts of even, soft and rimmed disks
    are exact to rounding. Where disks overlap their electrons add: they do not interfere.

    Examples
    --------
    >>> made = disk_frames((3, 4), (64, 80), number=6, disk_radius=4, dose=20)
    >>> made.frames.shape, made.frames.dtype.name, made.offsets[-1]
    ((3, 4, 64, 80), 'uint16', np.int64(72))
    >>> made = disk_frames((2,), (96, 96), arrangement="lattice", number=9, deformation=[[1.01, 0], [0, 1]])
    >>> made.lattice[0].round(3)
    array([[ 2.97 , 21.   ],
           [19.802, -2.   ]])
    """
    _check(arrangement, structure, stop, dose, faintest, disk_radius, background, halo)
    rng = np.random.default_rng([seed, 5])
    scan, shape = tuple(int(n) for n in scan_shape), (int(frame_shape[0]), int(frame_shape[1]))
    n = math.prod(scan)
    middle = np.asarray([size // 2 for size in shape] if center is None else center, np.float64)
    origins = middle + rng.uniform(-jitter, jitter, (n, 2))
    edge = float(disk_radius) if margin is None else float(margin)
    vectors = np.full((n, 2, 2), np.nan)
    if arrangement == "lattice":
        vectors = np.broadcast_to(np.asarray(lattice, float) @ _inverse(deformation, scan), (n, 2, 2)).copy()
    places: list[Disks] = []
    for origin, pair in zip(origins, vectors, strict=True):
        if arrangement == "lattice":
            places.append(lattice_disks(origin, pair, shape, edge, number))
        else:
            apart = 2 * disk_radius + 2 if separation is None else float(separation)
            first = origin if beam is not None else None
            places.append(scattered_disks(shape, 25 if number is None else number, apart, edge, first, rng))
    doses = []
    for p in places:
        shares = rng.permutation(np.linspace(0, 1, len(p.centers)))
        brightness = dose * faintest**shares
        if beam is not None:
            brightness[~p.indices.any(axis=1) if arrangement == "lattice" else slice(0, 1)] = beam * dose
        doses.append(brightness)

    width = min(shape) / 8 if halo_width is None else float(halo_width)
    expected = np.full((n, *shape), float(background))
    for frame, p, d, origin in zip(expected, places, doses, origins, strict=True):
        for place, electrons in zip(p.centers, d, strict=True):
            frame += electrons * _profile(place, float(disk_radius), shape, structure, rng)
        if halo > 0:
            y, x = np.arange(shape[0])[:, None] - origin[0], np.arange(shape[1]) - origin[1]
            frame += halo * np.exp(-(y * y + x * x) / (2 * width * width))
    np.maximum(expected, 0, out=expected)  # a rim is a sum of rings whose rounding errors may be below 0

    detector = Detector(
        shape, dead_pixels, hot_pixels, 4095 if saturation is None else saturation, gap, saturation, int(seed)
    )
    open_pixels = ~_stop(stop, stop_size, disk_radius, shape)
    counts = np.where(open_pixels, expected, 0.0)
    drawn: NDArray[Any] = rng.poisson(counts) if noise else counts
    frames = np.empty(drawn.shape, dtype if dtype is not None else "uint16" if noise else "float32")
    for one, frame in zip(drawn, frames, strict=True):
        detector.read(one, frame)
    mask = open_pixels & detector.good
    centers = np.concatenate([p.centers for p in places]) if n else np.zeros((0, 2))
    indices = np.concatenate([p.indices for p in places]) if n else np.zeros((0, 2), np.int64)
    columns = {
        "ky": centers[:, 0].copy(),
        "kx": centers[:, 1].copy(),
        "dose": np.concatenate(doses) if n else np.zeros(0),
        "visible": np.array([_visible(place, float(disk_radius), mask) for place in centers]),
        "h": indices[:, 0].copy(),
        "k": indices[:, 1].copy(),
    }
    return DiskFrames(
        frames.reshape(scan + shape),
        np.concatenate([[0], np.cumsum([len(p.centers) for p in places])]).astype(np.int64),
        columns,
        vectors.reshape((*scan, 2, 2)),
        origins.reshape((*scan, 2)),
        expected.reshape(scan + shape),
        mask,
        float(disk_radius),
    )


def _check(
    arrangement: str,
    structure: str,
    stop: str | None,
    dose: float,
    faintest: float,
    radius: float,
    background: float,
    halo: float,
) -> None:
    if arrangement not in ("scattered", "lattice") or structure not in STRUCTURES or stop not in STOPS:
        raise ValueError(
            f"expected arrangement 'scattered' or 'lattice', structure in {STRUCTURES} and stop in {STOPS}, "
            f"got {arrangement!r}, {structure!r} and {stop!r}"
        )
    if not (0 < faintest <= 1 and dose >= 0 and radius > 0 and background >= 0 and halo >= 0):
        raise ValueError(
            f"expected faintest in (0, 1], a radius above 0 and doses of at least 0, got {faintest=}, "
            f"disk_radius={radius}, {dose=}, {background=}, {halo=}"
        )


def _inverse(deformation: ArrayLike | None, scan: tuple[int, ...]) -> Floats:
    """F⁻¹ of each position, [n, 2, 2] or [2, 2]."""
    if deformation is None:
        return np.eye(2)
    given = np.asarray(deformation, np.float64)
    if given.shape not in ((2, 2), (*scan, 2, 2)):
        raise ValueError(f"expected a deformation of shape (2, 2) or {(*scan, 2, 2)}, got {given.shape}")
    inverse: Floats = np.linalg.inv(given.reshape(-1, 2, 2)).astype(np.float64, copy=False)
    return inverse


def _profile(place: Floats, radius: float, shape: tuple[int, int], structure: str, rng: np.random.Generator) -> Floats:
    """Brightness of every pixel, 1 in the disk on average."""
    if structure == "rim":
        return rimmed_disk(place, radius, shape)
    if structure == "lines":
        return lined_disk(place, radius, shape, rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.3))
    if structure == "soft":
        # Gauss-Hermite points: an edge with the mean and variance of a Gaussian one, and exact areas.
        step = min(SOFT * math.sqrt(3.0), radius / 2)
        sizes, shares = (radius - step, radius, radius + step), (1 / 6, 2 / 3, 1 / 6)
        return sum((w * even_disk(place, r, shape) for r, w in zip(sizes, shares, strict=True)), np.zeros(shape))
    return even_disk(place, radius, shape)


def _visible(place: Floats, radius: float, mask: NDArray[np.bool_]) -> float:
    """The share of a disk's area that lies on the pixels of `mask`."""
    window, share = disk_coverage(place, radius, (mask.shape[0], mask.shape[1]))
    return float((share * mask[window]).sum())

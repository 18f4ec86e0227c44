"""Frames that are hard to find the direct beam in, with its true position: beam stops, structure, holes, saturation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.detector import Detector
from lazy4d.data.disk_structure import even_disk, fringed_pair, lined_disk, rimmed_disk
from lazy4d.data.spots import Floats

STRUCTURES = ("even", "rim", "lines", "interference")
STOPS = (None, "bar", "disk")


@dataclass(frozen=True, eq=False)
class BeamFrames:
    """Frames and the truth about them; made by `beam_frames`.

    Parameters
    ----------
    frames : ndarray [*scan_shape, ky, kx]
        What the detector reads.
    beam_position : float64 array [*scan_shape, 2]
        Centre (y, x) of the disk of the direct beam, pixels; NaN where there is no beam.
    present : bool array [*scan_shape]
        Whether the beam is there; a faint one is.
    expected : float64 array [*scan_shape, ky, kx]
        Electrons expected on each pixel before the detector and the beam stop.
    mask : bool array [ky, kx]
        Pixels that count electrons: not behind the stop, in a gap, dead or hot.
    disk_radius : float
        Radius of the disks, pixels.
    """

    frames: NDArray[Any]
    beam_position: Floats
    present: NDArray[np.bool_]
    expected: Floats
    mask: NDArray[np.bool_]
    disk_radius: float


def beam_frames(
    scan_shape: tuple[int, ...] = (5, 8),
    frame_shape: tuple[int, int] = (64, 64),
    *,
    dose: float = 10.0,
    disk_radius: float = 6.0,
    descan: float | tuple[float, float] = 3.0,
    jitter: float = 0.5,
    center: tuple[float, float] | None = None,
    structure: str = "even",
    spots: float = 0.0,
    spacing: float = 17.0,
    asymmetry: float = 0.0,
    background: float = 0.0,
    stop: str | None = None,
    stop_size: float | None = None,
    holes: float = 0.0,
    faint: float = 0.0,
    dead_pixels: int = 0,
    hot_pixels: int = 0,
    gap: int = 0,
    saturation: int | None = None,
    noise: bool = True,
    seed: int = 0,
    dtype: Any = None,
) -> BeamFrames:
    """Frames [*scan_shape, ky, kx] with a direct beam that travels across the scan, and where it truly is.

    Parameters
    ----------
    scan_shape, frame_shape : tuple of int
        Scan in numpy order, any number of axes; frame (ky, kx).
    dose : float
        Mean electrons on a pixel inside the disk of the direct beam.
    disk_radius : float
        Radius of the disks, pixels.
    descan : float or tuple of float
        Travel (y, x) of the beam from the first to the last row and column, pixels.
    jitter : float
        Half the range of a random displacement (y, x) at each position beside it, pixels.
    center : tuple of float, optional
        Where (y, x) the beam is in the middle of the scan; pixel N // 2 by default.
    structure : {"even", "rim", "lines", "interference"}
        What the disk of the direct beam looks like: even, bright at its rim, crossed by lines at a random place, or
        with fringes where Bragg disks overlap it (`spacing` below twice the radius).
    spots : float
        Brightness of the six Bragg disks around the beam over that of the beam.
    spacing : float
        Their distance from it, pixels.
    asymmetry : float
        Opposite disks are brighter and darker by this share, each by a random part of it; in [0, 1].
    background : float
        Electrons on every pixel.
    stop : {None, "bar", "disk"}
        A beam stop: a bar from the top edge past the middle of the frame, or a disk about it; nothing comes through.
    stop_size : float, optional
        Width of the bar or radius of the disk, pixels; 1.2 times the diameter, or the radius, of the beam by default.
    holes, faint : float
        Shares of positions where the beam is missing, background remaining, or has a fiftieth of its dose.
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
    BeamFrames
        Frames and truth.

    Raises
    ------
    ValueError
        Unknown structures or stops, or shares outside [0, 1].

    Notes
    -----
    Areas of disks and pixels in common are exact. `stop` and `center` do not depend on one another: the beam is behind
    the stop while it stays near the middle of the frame.

    Examples
    --------
    >>> made = beam_frames((3, 4), (48, 40), stop="bar", spots=0.5, spacing=12)
    >>> made.frames.shape, made.frames.dtype.name, bool(made.mask[10, 20]), bool(made.mask[40, 20])
    ((3, 4, 48, 40), 'uint16', False, True)
    """
    if structure not in STRUCTURES or stop not in STOPS:
        raise ValueError(f"expected structure in {STRUCTURES} and stop in {STOPS}, got {structure!r} and {stop!r}")
    if not (0 <= holes <= 1 and 0 <= faint <= 1 and 0 <= asymmetry <= 1 and dose >= 0 and background >= 0):
        raise ValueError(
            f"expected shares in [0, 1] and doses of at least 0, got {holes=}, {faint=}, {asymmetry=}, {dose=}, "
            f"{background=}"
        )
    rng = np.random.default_rng([seed, 4])
    n, shape = math.prod(scan_shape), (int(frame_shape[0]), int(frame_shape[1]))
    middle = np.asarray([size // 2 for size in shape] if center is None else center, np.float64)
    truth = middle + _travel(scan_shape, descan) + rng.uniform(-jitter, jitter, (n, 2))
    strength = np.full(n, float(dose))
    chance = rng.random(n)
    strength[chance < holes + faint] = dose / 50
    strength[chance < holes] = 0
    expected = np.full((n, *shape), float(background))
    for frame, place, brightness in zip(expected, truth, strength, strict=True):
        frame += brightness * _pattern(place, disk_radius, shape, structure, spots, spacing, asymmetry, rng)
    present = strength > 0
    truth[~present] = np.nan

    detector = Detector(
        shape, dead_pixels, hot_pixels, 4095 if saturation is None else saturation, gap, saturation, int(seed)
    )
    open_pixels = ~_stop(stop, stop_size, disk_radius, shape)
    counts = np.where(open_pixels, expected, 0.0)
    drawn: NDArray[Any] = rng.poisson(counts) if noise else counts
    frames = np.empty(drawn.shape, dtype if dtype is not None else "uint16" if noise else "float32")
    for number, frame in zip(drawn, frames, strict=True):
        detector.read(number, frame)
    scan = tuple(scan_shape)
    return BeamFrames(
        frames.reshape(scan + shape),
        truth.reshape((*scan, 2)),
        present.reshape(scan),
        expected.reshape(scan + shape),
        open_pixels & detector.good,
        float(disk_radius),
    )


def _travel(scan_shape: tuple[int, ...], descan: float | tuple[float, float]) -> Floats:
    """Displacements (n, 2) that follow the last two axes of the scan."""
    y, x = (descan, descan) if np.ndim(descan) == 0 else descan  # type: ignore[misc]
    place = [np.zeros(scan_shape), np.zeros(scan_shape), *np.indices(scan_shape)][-2:]
    sizes = (1, 1, *scan_shape)[-2:]
    steps = [t * (k / (n - 1) - 0.5) if n > 1 else k for t, k, n in zip((y, x), place, sizes, strict=True)]
    return np.stack(steps, axis=-1).reshape(-1, 2)


def _pattern(
    place: Floats,
    radius: float,
    shape: tuple[int, int],
    structure: str,
    spots: float,
    spacing: float,
    asymmetry: float,
    rng: np.random.Generator,
) -> Floats:
    """Brightness of every pixel, 1 in the disk of the direct beam on average."""
    angle, offset, phase = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.3), rng.uniform(0, 2 * np.pi)
    if structure == "rim":
        total = rimmed_disk(place, radius, shape)
    elif structure == "lines":
        total = lined_disk(place, radius, shape, angle, offset)
    else:
        total = even_disk(place, radius, shape)
    if spots == 0:
        return np.maximum(total, 0)  # a rim is a sum of rings whose rounding errors may be below 0
    turns = 0.3 + np.pi / 3 * np.arange(6)
    uneven = np.repeat(rng.uniform(-1, 1, 3)[None], 2, axis=0).ravel() * np.repeat([1, -1], 3)
    around = place + spacing * np.stack([np.sin(turns), np.cos(turns)], axis=-1)
    for center, brightness in zip(around, spots * (1 + asymmetry * uneven), strict=True):
        if structure == "interference":
            both = fringed_pair(np.stack([place, center]), radius, shape, np.array([1, np.sqrt(brightness)]), phase)
            total += both - even_disk(place, radius, shape)
        else:
            total += brightness * even_disk(center, radius, shape)
    return np.maximum(total, 0)


def _stop(stop: str | None, size: float | None, radius: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels (ky, kx) behind the beam stop."""
    y, x = np.arange(shape[0])[:, None] - shape[0] // 2, np.arange(shape[1]) - shape[1] // 2
    if stop == "bar":
        width = 2.4 * radius if size is None else size
        return (y <= width / 2) & (np.abs(x) <= width / 2)
    if stop == "disk":
        return y * y + x * x <= (1.2 * radius if size is None else size) ** 2
    return np.zeros(shape, bool)

"""Simulated 4D-STEM scans of any size with known truth: the choice of beam, specimen, dose and detector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.data.detector import Detector
from lazy4d.data.scan import SimulatedScan
from lazy4d.data.specimens import Crystal, Floats, Grains, Specimen, StrainedParticle, Vacuum


def simulated_scan(
    scan_shape: tuple[int, ...] = (64, 64),
    frame_shape: tuple[int, int] = (256, 256),
    *,
    kind: str = "grains",
    dose: float = 20_000.0,
    dose_per: str = "frame",
    noise: bool = True,
    seed: int = 0,
    descan: float | tuple[float, float] | NDArray[Any] = 0.0,
    disk_radius: float | None = None,
    spacing: float | None = None,
    grains: int = 6,
    strain: float = 0.02,
    background: float = 0.0,
    halo: float = 0.0,
    dead_pixels: int = 0,
    hot_pixels: int = 0,
    gap: int = 0,
    saturation: int | None = None,
    dtype: Any = None,
    scale: float | None = None,
    scan_scale: float = 1.0,
    beam_energy: str = "200 kV",
) -> SimulatedScan:
    """A scan of frames with a direct beam and Bragg disks, drawn lazily, with its truth.

    Parameters
    ----------
    scan_shape : tuple of int
        Scan in numpy order, any number of axes.
    frame_shape : tuple of int
        Frame (ky, kx), pixels.
    kind : {"grains", "crystal", "strain", "disk"}
        Overlapping grains, one crystal everywhere, a strained particle in vacuum, or the direct beam alone.
    dose : float
        Mean electrons, per frame or per pixel of a frame as `dose_per` says.
    dose_per : {"frame", "pixel"}
        What `dose` counts for.
    noise : bool
        Poisson noise. Without it frames hold expected counts.
    seed : int
        Everything random follows from it.
    descan : float, tuple of float or array (*scan_shape, 2)
        Travel of the beam from the first to the last row along ky and from the first to the last column along kx (one
        number for both, or (y, x)), centred on pixel N // 2; or the displacement (y, x) at every position. Pixels.
    disk_radius, spacing : float, optional
        Radius of the disks and length of the reciprocal lattice vectors, pixels; by default 9 and 26 for 256 pixels.
    grains : int
        Number of grains for kind "grains".
    strain : float
        Largest strain, and largest rotation in radians, for kind "strain".
    background, halo : float
        Shares of the dose spread evenly over the frame and in a Gaussian halo about the direct beam.
    dead_pixels, hot_pixels : int
        Pixels that always read 0, or always 4095 (or `saturation`).
    gap : int
        Width of the cross between four chips that reads 0, pixels.
    saturation : int, optional
        Largest reading, for example 4095 for a 12-bit counter.
    dtype : dtype, optional
        Dtype of the frames: uint16 with noise and float32 without.
    scale, scan_scale : float
        Calibration, 1/Å per pixel (by default 5.12 over the smaller frame side) and nm per scan step.
    beam_energy : str
        Acceleration voltage.

    Returns
    -------
    SimulatedScan
        A source of frames; `truth` holds what is known and `signal_parameters` the calibration.

    Raises
    ------
    ValueError
        Unknown `kind` or `dose_per`, shapes that are not positive, shares outside [0, 1], or a descan array of another
        shape.

    Notes
    -----
    Expected counts are exact areas of disk and pixel in common. Noise is exactly Poisson: drawn electron by electron at
    low dose, pixel by pixel at high dose.

    Examples
    --------
    >>> scan = simulated_scan((32, 48), kind="disk", descan=(4, 2), dose=1000)
    >>> scan.nav_shape, scan.dtype.name, scan.truth["beam_position"][-1, -1]
    ((32, 48), 'uint16', array([130., 129.]))
    """
    scan_shape, frame_shape = tuple(map(int, scan_shape)), (int(frame_shape[0]), int(frame_shape[1]))
    if not scan_shape or min(scan_shape + frame_shape) < 1:
        raise ValueError(f"expected scan and frame shapes of positive sizes, got {scan_shape} and {frame_shape}")
    if dose_per not in ("frame", "pixel"):
        raise ValueError(f"expected dose_per='frame' or 'pixel', got {dose_per!r}")
    if not (background >= 0 and halo >= 0 and background + halo <= 1 and dose > 0):
        raise ValueError(f"expected dose > 0 and shares in [0, 1], got {dose=}, {background=}, {halo=}")
    size = min(frame_shape)
    radius = size * 9 / 256 if disk_radius is None else float(disk_radius)
    moved: tuple[float, float] | Floats
    if np.ndim(descan) == 0:
        moved = (float(descan), float(descan))  # type: ignore[arg-type]
    elif np.shape(descan) == (2,):
        moved = (float(descan[0]), float(descan[1]))  # type: ignore[index]
    elif np.shape(descan) == (*scan_shape, 2):
        moved = np.array(descan, np.float64)
    else:
        raise ValueError(f"expected descan as a number, (y, x) or an array {(*scan_shape, 2)}, got {np.shape(descan)}")
    lattice_spacing = 26 / 256 * size if spacing is None else float(spacing)
    return SimulatedScan(
        scan_shape=scan_shape,
        frame_shape=frame_shape,
        dtype=np.dtype(dtype if dtype is not None else "uint16" if noise else "float32").newbyteorder("="),
        specimen=_specimen(kind, lattice_spacing, size, radius, grains, strain, seed),
        detector=Detector(
            frame_shape, dead_pixels, hot_pixels, 4095 if saturation is None else saturation, gap, saturation, seed
        ),
        disk_radius=radius,
        descan=moved,
        dose=float(dose) * (math.prod(frame_shape) if dose_per == "pixel" else 1),
        noise=noise,
        background=float(background),
        halo=float(halo),
        halo_sigma=size / 10,
        seed=int(seed),
        scale=5.12 / size if scale is None else float(scale),
        scan_scale=float(scan_scale),
        beam_energy=beam_energy,
        _axes=tuple(range(n) for n in scan_shape),
        _kept=tuple(range(len(scan_shape))),
    )


def _specimen(kind: str, spacing: float, size: int, radius: float, grains: int, strain: float, seed: int) -> Specimen:
    crystal = Crystal(spacing, reach=max(0.44 * size - radius, spacing))
    kinds: dict[str, Specimen] = {
        "disk": Vacuum(),
        "crystal": crystal,
        "grains": Grains(crystal, grains, seed),
        "strain": StrainedParticle(crystal, strain, strain),
    }
    if kind not in kinds:
        raise ValueError(f"expected kind to be one of {sorted(kinds)}, got {kind!r}")
    return kinds[kind]

"""Direct beam, centring and azimuthal integration: milliseconds a frame at three frame sizes, results checked first.

Every row is a whole line of a user's code on a file in the page cache, from frames to a computed result, on all cores.
Moved and polar frames end in a sum over the scan, because they are not kept; its cost stands in the first row. Where
all polar patterns are kept, 0.29 MB a frame, the speed is that of memory used for the first time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lazy4d as l4
from benchmarks.measure import Job, interleave, table
from lazy4d.data import simulated_scan

SIZES = {128: 4096, 256: 2048, 512: 512}
"""Frames of each size."""
DISTINCT = 64

TARGETS = {
    "beam: cross_correlate": 0.2,
    "centre: bilinear": 0.1,
    "centre: cubic": 0.2,
    "centre: fourier": 0.25,
    "azimuthal 1D, 100 bins": 0.05,
    "azimuthal 2D, 100 x 360": 0.15,
}
"""Milliseconds a frame of 256 x 256 on two cores."""
SET_UP = 0.3
"""Seconds to build the operator of a 2D integral."""


class Scan:
    """A file of repeated simulated frames with 20 pixels of descan, and where their beams are."""

    def __init__(self, folder: Path, size: int, count: int) -> None:
        self.path = folder / f"diffraction-{size}-{count}.npy"
        self.radius = f"{size * 9 / 256} px"
        simulated = simulated_scan((DISTINCT,), (size, size), kind="grains", dose=20 * size * size, descan=20.0)
        repeats = count // DISTINCT
        self.truth = np.tile(simulated.truth["beam_position"], (repeats, 1))
        if not self.path.exists():
            np.save(self.path, np.tile(np.asarray(simulated.as_array()), (repeats, 1, 1)))
        self.signal = l4.load(self.path)
        self.signal.set_calibration(scale=0.02 * 256 / size, units="1/Å", beam_energy="200 kV")
        self.position = self.signal.get_direct_beam_position("cross_correlate", radius=self.radius).compute()


def jobs(scan: Scan) -> dict[str, Job]:
    """The rows of the table for one size of frame."""
    s, r, position = scan.signal, scan.radius, scan.position
    middle = l4.CircleROI(s.frame_shape[1] // 2, s.frame_shape[0] // 2, s.frame_shape[0] // 14)

    def beam(method: str, **options: Any) -> Job:
        return lambda: s.get_direct_beam_position(method, **options).compute()

    def centre(kind: str) -> Job:
        return lambda: s.center_direct_beam(position=position, interpolation=kind).sum().compute()

    return {
        "sum pattern": lambda: s.sum().compute(),
        "beam: center_of_mass": beam("center_of_mass"),
        "beam: cross_correlate": beam("cross_correlate", radius=r),
        "beam: cross_correlate, dft": beam("cross_correlate", radius=r, subpixel="dft"),
        "beam: blur": beam("blur", radius=r),
        "beam: phase_correlate": beam("phase_correlate", radius=r),
        "beam: friedel": beam("friedel"),
        **{f"centre: {kind}": centre(kind) for kind in ("integer", "bilinear", "cubic", "fourier")},
        "find, centre, image": lambda: (
            s.center_direct_beam("cross_correlate", radius=r, interpolation="bilinear")
            .get_virtual_image(middle)
            .compute()
        ),
        "find, fit, centre, image": lambda: (
            s.center_direct_beam(
                position=s.get_direct_beam_position("cross_correlate", radius=r).get_linear_plane("parabola"),
                interpolation="bilinear",
            )
            .get_virtual_image(middle)
            .compute()
        ),
        "azimuthal 1D, 100 bins": lambda: s.get_azimuthal_integral1d(100, mean=True).compute(),
        "azimuthal 1D, own centres": lambda: s.get_azimuthal_integral1d(100, mean=True, center=position).compute(),
        "azimuthal 2D, 100 x 360": lambda: s.get_azimuthal_integral2d(100, 360, mean=True).sum().compute(),
        "... all kept in memory": lambda: s.get_azimuthal_integral2d(100, 360, mean=True).compute(),
        "background: radial median": lambda: s.subtract_diffraction_background("radial median").sum().compute(),
    }


def check(scan: Scan) -> float:
    """Root mean square error of the beam positions in pixels, after the other results were found right."""
    from scipy import ndimage

    s, frame = scan.signal, np.asarray(scan.signal.inav[3].as_numpy(), float)
    shift = scan.position.shifts.as_numpy()[3]
    moved = s.center_direct_beam(position=scan.position, interpolation="bilinear").inav[3].as_numpy()
    inside = np.s_[24:-24, 24:-24]
    np.testing.assert_allclose(moved[inside], ndimage.shift(frame, shift, order=1)[inside], rtol=1e-4, atol=1e-2)
    profile = s.get_azimuthal_integral1d(100).inav[3].as_numpy()
    full = s.get_azimuthal_integral2d(100, 360).inav[3].as_numpy()
    np.testing.assert_allclose(full.sum(-1), profile, rtol=1e-9, atol=1e-6)
    return float(np.sqrt(np.mean((scan.position.data - scan.truth) ** 2)))


def set_up(build: Callable[[], object]) -> float:
    """Seconds of a line on a single frame, for which all has to be set up."""
    start = time.perf_counter()
    build()
    return time.perf_counter() - start


def report(folder: Path, rounds: int, share: float = 1.0) -> str:
    """The table: rows of work, columns of frame sizes."""
    scans = {size: Scan(folder, size, max(DISTINCT, int(count * share))) for size, count in SIZES.items()}
    errors = {size: check(scan) for size, scan in scans.items()}
    columns: dict[int, dict[str, float]] = {}
    for size, scan in scans.items():
        timings = interleave(jobs(scan), rounds)
        columns[size] = {name: timings.median(name) * 1e3 / len(scan.truth) for name in jobs(scan)}
    rows = [
        [name, *(f"{columns[size][name]:.3f}" for size in SIZES), f"{TARGETS[name]:.2f}" if name in TARGETS else ""]
        for name in columns[256]
    ]
    building = []
    for number, (size, scan) in enumerate(scans.items()):
        # A number of bins that nothing else used, so that no operator stands ready.
        seconds = set_up(lambda s=scan.signal, n=99 - number: s.inav[0].get_azimuthal_integral2d(n, 360).compute())  # type: ignore[misc]
        building.append(f"{size}: {seconds:.2f} s")
    return "\n".join(
        [
            table(["ms a frame", *(f"{size} x {size}" for size in SIZES), "target (256)"], rows),
            f"set-up of azimuthal 2D, 100 x 360 (target {SET_UP} s at 256): {', '.join(building)}",
            "rms error of cross_correlate, pixels: " + ", ".join(f"{size}: {e:.3f}" for size, e in errors.items()),
        ]
    )

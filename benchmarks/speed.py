"""Virtual images, centre of mass and patterns of a Merlin file in the page cache, as shares of the speed of memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numba
import numpy as np

import lazy4d as l4
from benchmarks.dataset import DETECTORS, Dataset, packed_variants
from benchmarks.measure import Job, Timings, interleave, table
from benchmarks.peers import Peer
from lazy4d.cli.limit import MemoryLimit

CENTRE = 128

TARGETS = {
    "virtual image, annulus": 0.6,
    "centre of mass": 0.5,
    "sum pattern": 0.6,
    "4 images + COM + sum + max, one pass": 0.3,
}


def detector(name: str) -> l4.CircleROI:
    inner, outer = DETECTORS[name]
    return l4.CircleROI(CENTRE, CENTRE, outer, r_inner=inner)


@numba.njit(nogil=True, cache=True)
def user_kernel(frames, out):
    """What a user might write: the sum of squares of a frame."""
    n, height, width = frames.shape
    for i in range(n):
        total = 0.0
        for y in range(height):
            for x in range(width):
                total += float(frames[i, y, x]) ** 2
        out[i] = total


def jobs(signal: l4.Diffraction2D) -> dict[str, Job]:
    """The rows of the table; each builds its graph anew, as a user's line of code does."""
    images = [signal.get_virtual_image(detector(name)) for name in DETECTORS]

    def one_pass() -> tuple[l4.BaseSignal, ...]:
        com = signal.get_direct_beam_position(method="center_of_mass")
        return l4.compute(*images, com, signal.sum(), signal.max())

    return {
        "virtual image, annulus": lambda: signal.get_virtual_image(detector("annulus")).compute(),
        "virtual image, bright field": lambda: signal.get_virtual_image(detector("bright field")).compute(),
        "centre of mass": lambda: signal.get_direct_beam_position(method="center_of_mass").compute(),
        "sum pattern": lambda: signal.sum().compute(),
        "4 images + COM + sum + max, one pass": one_pass,
    }


def variants(signal: l4.Diffraction2D) -> dict[str, Job]:
    """The same work on signals that were modified lazily before."""
    mask = np.random.default_rng(0).random(signal.data.shape[:2]) < 0.5
    changed = {
        "cropped frames (isig 32:224)": signal.isig[32:224, 32:224],
        "every second position (inav ::2)": signal.inav[::2, :],
        "rebinned 2 x 2": signal.rebin(scale=(1, 1, 2, 2)),
        "after arithmetic (s * 2 - 1)": signal * 2 - 1,
        "half the positions (boolean mask)": signal.inav[mask],
    }
    rows: dict[str, Job] = {}
    for name, one in changed.items():
        ky, kx = one.data.shape[-2:]
        roi = l4.CircleROI(kx // 2, ky // 2, int(90 * ky / 256), r_inner=int(40 * ky / 256))
        rows[f"annulus, {name}"] = partial(lambda s, r: s.get_virtual_image(r).compute(), one, roi)
        rows[f"COM, {name}"] = partial(lambda s: s.get_direct_beam_position(method="center_of_mass").compute(), one)
    rows["own numba kernel"] = lambda: signal.map_frames(user_kernel, shape=(), dtype="float64").compute()
    weights = np.hypot(*(np.indices((256, 256)) - CENTRE)).astype("f4")
    rows["weighted image (float mask)"] = lambda: signal.get_virtual_image(weights).compute()
    stack = np.random.default_rng(1).random((16, 256, 256)).astype("f4")
    rows["16 weighted images (matrix product)"] = lambda: l4.compute(*signal.get_virtual_image(stack))
    rows["emit all frames of 8 rows (s.compute())"] = lambda: signal.inav[:, :8].compute()
    return rows


def check(signal: l4.Diffraction2D, data: Dataset) -> None:
    """Every fast result against numpy before any speed is reported."""
    truth = data.reference
    for name in DETECTORS:
        np.testing.assert_array_equal(signal.get_virtual_image(detector(name)).compute().data, truth[name])
    com = signal.get_direct_beam_position(method="center_of_mass").compute().data
    np.testing.assert_allclose(com, truth["com"], atol=1e-9)
    total, peak = l4.compute(signal.sum(), signal.max())
    np.testing.assert_array_equal(total.data, truth["sum"])
    np.testing.assert_array_equal(peak.data, truth["max"])
    cropped = signal.isig[32:224, 32:224].get_virtual_image(l4.CircleROI(96, 96, 90, r_inner=40)).compute().data
    np.testing.assert_array_equal(cropped, truth["annulus"])
    binned = signal.rebin(scale=(1, 1, 2, 2)).sum().compute().data
    np.testing.assert_array_equal(binned, truth["sum"].reshape(128, 2, 128, 2).sum(axis=(1, 3)))
    squares = signal.inav[:, :1].map_frames(user_kernel, shape=(), dtype="float64").compute().data
    np.testing.assert_allclose(squares, (data.frames[:1].astype(float) ** 2).sum(axis=(2, 3)))


def report(data: Dataset, rounds: int, peer: Peer | None) -> str:
    """The table of the main rows, with LiberTEM beside it where it is installed elsewhere."""
    signal = l4.load(data.path)
    check(signal, data)
    competitors: dict[str, Job] = {"limit": MemoryLimit(data.path), **jobs(signal)}
    if peer is not None:
        competitors |= {f"LiberTEM: {name}": partial(peer.run, name) for name in peer.jobs}
    timings = interleave(competitors, rounds)
    gb = data.nbytes / 1e9
    limit = gb / timings.median("limit")
    rows = [["limit", f"{limit:.1f}", "1.00", "", "", f"{timings.spread('limit'):.0%}"]]
    for name in jobs(signal):
        speed = gb / timings.median(name)
        peer_name = f"LiberTEM: {name}"
        ratio = f"{timings.median(peer_name) / timings.median(name):.1f}" if peer_name in timings.seconds else ""
        target = f"{TARGETS[name]:.1f}" if name in TARGETS else ""
        rows.append([name, f"{speed:.1f}", f"{speed / limit:.2f}", target, ratio, f"{timings.spread(name):.0%}"])
    once, com = timings.median("4 images + COM + sum + max, one pass"), timings.median("centre of mass")
    text = table(["work", "GB/s", "x limit", "target", "x LiberTEM", "spread"], rows)
    return (
        f"{text}\none pass for seven results takes {once / com:.2f} x the time of the centre of mass alone (target: 2)"
    )


def report_variants(data: Dataset, folder: Path, rounds: int) -> str:
    """Modified signals, packed formats and own kernels: GB/s of the bytes of the frames that are read."""
    signal = l4.load(data.path)
    work = variants(signal)
    limit = MemoryLimit(data.path)
    timings = interleave({"limit": limit, **work}, rounds)
    top = data.nbytes / 1e9 / timings.median("limit")
    rows = []
    for name in work:
        share = 0.5 if "position" in name else 8 / data.scan_shape[0] if "8 rows" in name else 1.0
        rows.append(_row(name, data.nbytes * share, timings, top))
    for label, path in packed_variants(folder).items():
        packed = l4.load(path)
        ky, kx = packed.data.shape[-2:]
        roi = l4.CircleROI(kx // 2, ky // 2, 90, r_inner=40)
        pair: dict[str, Job] = {
            f"{label}: annulus": partial(lambda s, r: s.get_virtual_image(r).compute(), packed, roi),
            f"{label}: COM": partial(lambda s: s.get_direct_beam_position(method="center_of_mass").compute(), packed),
        }
        native = float(packed.data.nbytes)
        timings = interleave(pair, rounds)
        rows += [_row(name, native, timings, top) for name in pair]
    return table(["work (GB/s of native pixels)", "GB/s", "x limit", "spread"], rows)


def _row(name: str, nbytes: float, timings: Timings, limit: float) -> list[str]:
    speed = nbytes / 1e9 / timings.median(name)
    return [name, f"{speed:.1f}", f"{speed / limit:.2f}", f"{timings.spread(name):.0%}"]

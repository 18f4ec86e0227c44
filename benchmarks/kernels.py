"""GB/s of every kernel on one core, on a tile that sits in cache, as the walk over a block hands it over.

    python benchmarks/kernels.py            # table of GB/s of native bytes per kernel and dtype
    python benchmarks/kernels.py --quick    # fewer repeats

Results are checked against the numpy twins in tests/reference.py before anything is timed. The best of many repeats is
reported: what else runs on the machine only ever makes a kernel slower. The last column of the first table is the time
of one call on a tile of one 1 x 1 frame: what it costs to get into the kernel.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from lazy4d.kernels import accumulate, decode, elementwise, histogram, moments, patterns, rebin, virtual_image
from tests import reference

DTYPES = ("uint8", "uint16", "uint32", "float32")
NO_MASK = np.empty((0, 0), np.uint8)


def best(function: Callable[..., Any], args: tuple[Any, ...], repeats: int) -> float:
    """Shortest time of a call in seconds."""
    function(*args)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - start)
    return min(times)


def annulus(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A detector of about a third of the frame: its mask, and its runs of pixels."""
    y, x = np.indices(shape)
    r = np.hypot(y - shape[0] // 2, x - shape[1] // 2) / min(shape)
    mask = (r >= 40 / 256) & (r < 90 / 256)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.ravel(), [0]]).astype(np.int8)))
    return mask, edges.reshape(-1, 2)


def cases(frames: np.ndarray) -> dict[str, tuple[Any, tuple[Any, ...], list[np.ndarray]]]:
    """Each kernel with its parameters and what it fills."""
    n, ky, kx = frames.shape
    exact = accumulate.sum_dtype(frames.dtype)
    mask, spans = annulus((ky, kx))
    window = np.array([0, ky, 0, kx])
    soft = np.random.default_rng(1).random((ky, kx))
    many = np.random.default_rng(2).random((16, ky * kx))
    threshold = float(frames.mean())
    lowest, highest = (-np.inf, np.inf) if frames.dtype.kind == "f" else (0, np.iinfo(frames.dtype).max)
    selected = mask.view(np.uint8)
    return {
        "total_intensity": (virtual_image.total_intensity, (), [np.zeros(n, exact)]),
        "sum_spans (annulus)": (virtual_image.sum_spans, (spans,), [np.zeros(n, exact)]),
        "weighted_sum f8": (virtual_image.weighted_sum, (soft,), [np.zeros(n)]),
        "weighted_sum f4": (virtual_image.weighted_sum, (soft.astype(np.float32),), [np.zeros(n)]),
        "weighted_sums x 16": (virtual_image.weighted_sums, (many,), [np.zeros((n, 16))]),
        "center_of_mass": (moments.center_of_mass, (window, NO_MASK, -np.inf, 0.0), [np.zeros((n, 3))]),
        "center_of_mass masked": (moments.center_of_mass, (window, selected, threshold, 0.0), [np.zeros((n, 3))]),
        "... less background": (moments.center_of_mass, (window, selected, threshold, 0.5), [np.zeros((n, 3))]),
        "second_moments": (moments.second_moments, (window, NO_MASK, -np.inf, 0.0), [np.zeros((n, 3))]),
        "sum_pattern": (patterns.sum_pattern, (), [np.zeros((ky, kx), exact)]),
        "max_pattern": (patterns.max_pattern, (), [np.full((ky, kx), lowest, frames.dtype)]),
        "min_pattern": (patterns.min_pattern, (), [np.full((ky, kx), highest, frames.dtype)]),
        "moments_pattern": (patterns.moments_pattern, (), [np.zeros(1, np.int64), *np.zeros((2, ky, kx))]),
        "rebin_sum 2 x 2": (rebin.rebin_sum, (2, 2), [np.zeros((n, ky // 2, kx // 2), exact)]),
        "rebin_sum 4 x 4": (rebin.rebin_sum, (4, 4), [np.zeros((n, ky // 4, kx // 4), exact)]),
        "rebin_sum 3 x 3": (rebin.rebin_sum, (3, 3), [np.zeros((n, ky // 3, kx // 3), exact)]),
        "histogram 256 bins": (histogram.histogram, (0.0, 256.0), [np.zeros(256, np.int64)]),
        "crop to a quarter": (
            elementwise.crop,
            (ky // 4, ky // 4 * 3, 1, kx // 4, kx // 4 * 3, 1),
            [np.zeros((n, ky // 2, kx // 2), frames.dtype)],
        ),
    }


def check(name: str, kernel: Any, frames: np.ndarray, params: tuple[Any, ...], outs: list[np.ndarray]) -> None:
    """Compare with the numpy twin, on two frames."""
    few = frames[:2]
    expected = [o[:2].copy() if len(o) == len(frames) else o.copy() for o in outs]
    found = [o.copy() for o in expected]
    kernel(few, *params, *found)
    getattr(reference, kernel.__name__)(few, *params, *expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6 if "f4" in name else 1e-9, atol=1e-9, err_msg=name)


def decoders(rng: np.random.Generator, side: int, n: int) -> dict[str, tuple[Any, np.ndarray, np.ndarray]]:
    """Each decoder with stored bytes, 768 bytes of header between the frames, and what it fills."""
    found = {}
    layouts = [("1bit", 1, np.uint8), ("6bit", 8, np.uint8), ("12bit", 16, np.uint16), ("24bit", 32, np.uint32)]
    for name, bits, dtype in layouts:
        nbytes = side * side * bits // 8
        raw = rng.integers(0, 256, (n, nbytes + 768), np.uint8)[:, 768:]
        out = np.zeros((n, side, side), dtype)
        found[f"r64 {name}"] = (getattr(decode, f"unpack_r64_{name}"), raw, out)
        if bits < 32:
            found[f"r64 quad {name}"] = (getattr(decode, f"unpack_r64_quad_{name}"), raw, out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--side", type=int, default=256, help="rows and columns of a frame")
    parser.add_argument("--tile", type=int, default=2**20, help="bytes of a tile")
    options = parser.parse_args()
    repeats = 20 if options.quick else 300
    rng = np.random.default_rng(0)

    table: dict[str, list[str]] = {}
    calls: dict[str, float] = {}
    for dtype in DTYPES:
        n = max(1, options.tile // (options.side**2 * np.dtype(dtype).itemsize))
        frames = rng.poisson(3, (n, options.side, options.side)).astype(dtype)
        for name, (kernel, params, outs) in cases(frames).items():
            check(name, kernel, frames, params, outs)
            seconds = best(kernel, (frames, *params, *outs), repeats)
            table.setdefault(name, []).append(f"{frames.nbytes / seconds / 1e9:8.1f}")
    for name, (kernel, params, outs) in cases(np.ones((1, 1, 1), np.uint16)).items():
        calls[name] = best(kernel, (np.ones((1, 1, 1), np.uint16), *params, *outs), 20 * repeats)
    print(
        f"GB/s of native bytes on one core, frames of {options.side} x {options.side}, tile of {options.tile >> 10} KiB"
    )
    print(f"{'':24s}" + "".join(f"{d:>8s}" for d in DTYPES) + "   us a call")
    for name, row in table.items():
        print(f"{name:24s}{''.join(row)}{calls[name] * 1e6:12.2f}")

    print(f"\n{'decoder':24s}{'out':>8s}{'stored':>8s}   GB/s")
    side = options.side // 128 * 128 or 128
    for name, (kernel, raw, out) in decoders(rng, side, max(1, options.tile // (side * side))).items():
        expected = np.zeros_like(out[:2])
        kernel(raw[:2], out[:2])
        getattr(reference, kernel.__name__)(raw[:2], expected)
        np.testing.assert_array_equal(out[:2], expected, err_msg=name)
        seconds = best(kernel, (raw, out), repeats)
        print(f"{name:24s}{out.nbytes / seconds / 1e9:8.1f}{raw.nbytes / seconds / 1e9:8.1f}")


if __name__ == "__main__":
    main()

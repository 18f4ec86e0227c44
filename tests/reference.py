"""Slow, obvious numpy twins of the kernels: same arguments, same results, written to be read and not to be fast.

Each function fills its last arguments in place, exactly as the kernel of the same name does. Integers are added as
Python integers or in 64 bits, floats in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# virtual_image


def _wide(frames: NDArray[Any]) -> NDArray[Any]:
    """Frames in the dtype of their sums."""
    return frames.astype({"b": np.uint64, "u": np.uint64, "i": np.int64, "f": np.float64}[frames.dtype.kind])


def total_intensity(frames: NDArray[Any], out: NDArray[Any]) -> None:
    out[...] = _wide(frames).sum(axis=(1, 2))


def sum_spans(frames: NDArray[Any], spans: NDArray[np.int64], out: NDArray[Any]) -> None:
    mask = np.zeros(frames[0].size if len(frames) else 0, bool)
    for start, stop in spans:
        mask[max(start, 0) : max(stop, 0)] = True
    for i, frame in enumerate(_wide(frames)):
        out[i] = frame.ravel()[mask].sum()


def weighted_sum(frames: NDArray[Any], weights: NDArray[Any], out: NDArray[np.float64]) -> None:
    out[...] = (frames.astype(float) * weights.astype(float)).sum(axis=(1, 2))


def weighted_sums(frames: NDArray[Any], weights: NDArray[Any], out: NDArray[np.float64]) -> None:
    for j, weight in enumerate(weights):
        weighted_sum(frames, weight.reshape(frames.shape[1:]), out[:, j])


# moments


def _weights(
    frame: NDArray[Any], window: NDArray[np.int64], mask: NDArray[Any], threshold: float, background: float
) -> NDArray[np.float64]:
    values = frame.astype(float) - background
    values[values <= threshold] = 0
    if mask.size:
        values[mask == 0] = 0
    y0, y1, x0, x1 = np.maximum(window, 0)
    inside = np.zeros(frame.shape, bool)
    inside[y0:y1, x0:x1] = True
    values[~inside] = 0
    return values


def center_of_mass(
    frames: NDArray[Any],
    window: NDArray[np.int64],
    mask: NDArray[Any],
    threshold: float,
    background: float,
    out: NDArray[np.float64],
) -> None:
    y, x = np.indices(frames.shape[1:])
    for i, frame in enumerate(frames):
        w = _weights(frame, window, mask, threshold, background)
        total = w.sum()
        where = (np.nan, np.nan) if total == 0 else ((y * w).sum() / total, (x * w).sum() / total)
        (y0, y1, x0, x1), (cy, cx) = window, where
        if not (max(y0, 0) - 0.5 <= cy <= min(y1, frames.shape[1]) - 0.5):
            where = (np.nan, np.nan)
        if not (max(x0, 0) - 0.5 <= cx <= min(x1, frames.shape[2]) - 0.5):
            where = (np.nan, np.nan)
        out[i] = (*where, total)


def second_moments(
    frames: NDArray[Any],
    window: NDArray[np.int64],
    mask: NDArray[Any],
    threshold: float,
    background: float,
    out: NDArray[np.float64],
) -> None:
    y, x = np.indices(frames.shape[1:])
    for i, frame in enumerate(frames):
        w = _weights(frame, window, mask, threshold, background)
        total = w.sum()
        if total == 0:
            out[i] = np.nan
            continue
        dy, dx = y - (y * w).sum() / total, x - (x * w).sum() / total
        out[i] = (dy * dy * w).sum() / total, (dx * dx * w).sum() / total, (dy * dx * w).sum() / total


# patterns


def sum_pattern(frames: NDArray[Any], total: NDArray[Any]) -> None:
    total += _wide(frames).sum(axis=0)


def sum_and_count(frames: NDArray[Any], total: NDArray[Any], count: NDArray[np.int64]) -> None:
    sum_pattern(frames, total)
    count += len(frames)


def max_pattern(frames: NDArray[Any], state: NDArray[Any]) -> None:
    state[...] = np.concatenate([state[None], frames]).max(axis=0)


def min_pattern(frames: NDArray[Any], state: NDArray[Any]) -> None:
    state[...] = np.concatenate([state[None], frames]).min(axis=0)


def moments_pattern(
    frames: NDArray[Any], count: NDArray[np.int64], mean: NDArray[np.float64], m2: NDArray[np.float64]
) -> None:
    """Welford's update, one frame after the other."""
    for frame in frames.astype(float):
        count += 1
        before = frame - mean
        mean += before / count
        m2 += before * (frame - mean)


# rebin, histogram, elementwise


def rebin_sum(frames: NDArray[Any], fy: int, fx: int, out: NDArray[Any]) -> None:
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            group = frames[:, y * fy : (y + 1) * fy, x * fx : (x + 1) * fx]
            out[:, y, x] = _wide(group).sum(axis=(1, 2))


def histogram(frames: NDArray[Any], low: float, high: float, counts: NDArray[np.int64]) -> None:
    counts += np.histogram(frames.astype(float), bins=counts.size, range=(low, high))[0]


def crop(frames: NDArray[Any], y0: int, y1: int, ystep: int, x0: int, x1: int, xstep: int, out: NDArray[Any]) -> None:
    for j, y in enumerate(range(y0, y1, ystep)):
        for k, x in enumerate(range(x0, x1, xstep)):
            out[:, j, k] = frames[:, y, x]


# repair


def apply_dark_and_gain(
    frames: NDArray[Any], dark: NDArray[np.float32], gain: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    out[...] = (frames.astype(np.float32) - dark) * gain


def replace_by_neighbours(
    frames: NDArray[Any],
    bad: NDArray[np.int64],
    starts: NDArray[np.int64],
    neighbours: NDArray[np.int64],
    median: bool,
    whole: bool,
    out: NDArray[Any],
) -> None:
    out[...] = frames
    for (y, x), first, last in zip(bad, starts[:-1], starts[1:], strict=True):
        for i, frame in enumerate(frames.astype(float)):
            around = [frame[ny, nx] for ny, nx in neighbours[first:last]]
            value = np.median(around) if median else sum(around) / len(around)
            out[i, y, x] = np.floor(value + 0.5) if whole else value


def python_map(frames: NDArray[Any], *params: Any, function: Callable[..., Any]) -> None:
    *args, out = params
    out[...] = [function(frame, *args) for frame in frames]


# decode


def swap_bytes(raw: NDArray[Any], out: NDArray[Any]) -> None:
    out[...] = raw.astype(out.dtype)


def r64_pixels(payload: bytes, bits: int) -> NDArray[np.uint16]:
    """Pixels of a RAW payload in stored order: pixel k of a big-endian 64-bit word sits at bits ``k * bits`` and up."""
    pixels = []
    for at in range(0, len(payload), 8):
        word = int.from_bytes(payload[at : at + 8], "big")
        pixels += [(word >> shift) & (2**bits - 1) for shift in range(0, 64, bits)]
    return np.array(pixels, np.uint16)


def _single(raw: NDArray[np.uint8], out: NDArray[Any], bits: int) -> None:
    for record, frame in zip(raw, out, strict=True):
        frame[...] = r64_pixels(record.tobytes(), bits).reshape(frame.shape)


def _quad(raw: NDArray[np.uint8], out: NDArray[Any], bits: int) -> None:
    for record, frame in zip(raw, out, strict=True):
        ky, kx = frame.shape
        b0, b1, b2, b3 = np.split(r64_pixels(record.tobytes(), bits).reshape(ky // 2, 2 * kx), 4, axis=1)
        frame[...] = np.block([[b3, b2], [np.rot90(b1, 2), np.rot90(b0, 2)]])


def unpack_r64_1bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    _single(raw, out, 1)


def unpack_r64_6bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    _single(raw, out, 8)


def unpack_r64_12bit(raw: NDArray[np.uint8], out: NDArray[np.uint16]) -> None:
    _single(raw, out, 16)


def unpack_r64_24bit(raw: NDArray[np.uint8], out: NDArray[np.uint32]) -> None:
    upper, lower = np.empty_like(out), np.empty_like(out)
    half = raw.shape[1] // 2
    _single(raw[:, :half], upper, 16)
    _single(raw[:, half:], lower, 16)
    out[...] = upper * 4096 + lower


def unpack_r64_quad_1bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    _quad(raw, out, 1)


def unpack_r64_quad_6bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    _quad(raw, out, 8)


def unpack_r64_quad_12bit(raw: NDArray[np.uint8], out: NDArray[np.uint16]) -> None:
    _quad(raw, out, 16)


def unpack_4bit(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    for record, frame in zip(raw, out, strict=True):
        for row, target in zip(record, frame, strict=True):
            pixels = [half for byte in row.tolist() for half in (byte % 16, byte // 16)]
            target[...] = pixels[: target.size]


def widen_float16(raw: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    out[...] = raw.astype(np.float32)

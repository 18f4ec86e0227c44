"""Plain numpy kernels, importable by workers; the lift must not care what a kernel is made of."""

import time

import numpy as np

from lazy4d.lazy import Reduction, StateArray

calls = 0


def total(frames, out):
    out[...] = frames.sum(axis=tuple(range(1, frames.ndim)))


def multiply(frames, factor, out):
    out[...] = frames * np.reshape(factor, (-1, *(1,) * (frames.ndim - 1)))


def subtract(frames, image, out):
    out[...] = frames - image


def first_pixel(frames, out):
    out[...] = frames[:, 0, 0]


def count_calls(frames, out):
    global calls
    calls += len(frames)
    out[...] = frames


def slow(frames, out):
    global calls
    for i in range(len(frames)):
        calls += 1
        time.sleep(0.02)
        out[i] = 1


def broken(frames, out):
    raise ArithmeticError("this kernel always fails")


def add(frames, total, count):
    total += frames.sum(axis=0, dtype=total.dtype)
    count += len(frames)


def merge(total, count, other, more):
    total += other
    count += more


def mean(total, count):
    return total / count


def weigh(frames, weights, total):
    total += np.tensordot(weights, frames, axes=(0, 0))


def merge_one(total, other):
    total += other


def same(total):
    return total


def mean_pattern(shape):
    state = (StateArray(shape, "float64"), StateArray((), "int64"))
    return Reduction(add, merge, mean, state, shape, np.dtype("float64"))


def weighted_pattern(shape):
    return Reduction(weigh, merge_one, same, (StateArray(shape, "float64"),), shape, np.dtype("float64"))


def mean_of_neighbours(block, out):
    ny, nx = out.shape[:2]
    shifted = [block[i : i + ny, j : j + nx].astype(float) for i in range(3) for j in range(3)]
    out[...] = sum(shifted) / 9


def mean_of_present_neighbours(block, missing, out):
    """Over 5 x 3 positions, fewer at the edge of the scan: `missing` says how many the halo lacks."""
    (top, _), (left, _) = missing
    for y, x in np.ndindex(out.shape[:2]):
        rows = slice(max(0, y - top), y - top + 5)
        columns = slice(max(0, x - left), x - left + 3)
        out[y, x] = block[rows, columns].mean(axis=(0, 1))

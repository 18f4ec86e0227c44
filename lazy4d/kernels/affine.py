"""Frames seen through an affine map, the same for all: ``out[y, x] = in[matrix @ (y, x) + offset]``.

Where each pixel of the result comes from is the same in every frame. It is found once for a map, as an index into the
flat frame and weights, kept in each process, and then only gathered, row by row of the result for all frames of a tile.
With ``u`` the place in the frame along one axis, ``whole = floor(u)`` and ``f = u - whole``, the weights are those of
`lazy4d.kernels.shift`, rows and columns apart::

    bilinear    (1 - f, f)                                            for pixels whole, whole + 1
    cubic       ½ (-f + 2f² - f³, 2 - 5f² + 3f³, f + 4f² - 3f³, f³ - f²)   for pixels whole - 1 … whole + 2

(R. Keys, doi 10.1109/TASSP.1981.1163711, with a = -½.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lazy4d.kernels._jit import jit_fast

INTERPOLATIONS = ("nearest", "bilinear", "cubic")
WHOLE = 1e-9
"""Places this close to a pixel, in pixels, are the pixel: rounding must not ask for a neighbour."""


@dataclass(frozen=True)
class AffineMap:
    """Where the pixels of resampled frames come from: ``place = matrix @ (y, x) + offset``.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a frame, before and after.
    matrix : tuple of float
        From a pixel (y, x) of the result to the frame, row by row: (yy, yx, xy, xx).
    offset : tuple of float
        The place (y, x) in the frame that pixel (0, 0) shows.
    interpolation : {"nearest", "bilinear", "cubic"}
        What a place between pixels is worth.
    factor : float
        What values are multiplied by.

    Examples
    --------
    >>> turned = AffineMap((3, 3), (0.0, 1.0, -1.0, 0.0), (0.0, 2.0), "nearest")
    >>> out = np.empty((1, 3, 3), np.uint8)
    >>> resample(np.arange(9, dtype=np.uint8).reshape(1, 3, 3), turned, np.uint8(0), out)
    >>> out[0].tolist()
    [[2, 5, 8], [1, 4, 7], [0, 3, 6]]
    """

    shape: tuple[int, int]
    matrix: tuple[float, float, float, float]
    offset: tuple[float, float]
    interpolation: str
    factor: float = 1.0


def resample(frames, places, fill, out):
    """Fill `out` with each frame seen through one linear map.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous; of real numbers unless the interpolation is "nearest".
    places : AffineMap
        Where pixels come from.
    fill : number
        Where the frame does not reach, or lacks a pixel that the interpolation needs; may be nan where `out` is float.
    out : ndarray [n, ky, kx]
        Of the dtype of the frames, or wider, for "nearest" with a factor of 1; of floats otherwise, and computed in
        this precision.

    Notes
    -----
    A place on a pixel is that pixel, whatever its neighbours are: nan beside it does not spoil it.

    Examples
    --------
    >>> half = AffineMap((1, 4), (1.0, 0.0, 0.0, 1.0), (0.0, 0.5), "bilinear")
    >>> out = np.empty((1, 1, 4), np.float32)
    >>> resample(np.array([[[0, 4, 8, 2]]], np.uint8), half, np.float32("nan"), out)
    >>> out[0, 0]
    array([ 2.,  6.,  5., nan], dtype=float32)
    """
    tiles = frames.view(np.uint8) if frames.dtype.char == "?" and places.interpolation != "nearest" else frames
    if places.interpolation == "nearest":
        _gather_nearest(tiles, nearest_plan(places), places.factor, fill, out)
        return
    start, step, weights = plan(places, out.dtype.char)
    gather = _gather_linear if places.interpolation == "bilinear" else _gather_cubic
    gather(tiles.reshape(len(tiles), tiles.shape[1] * tiles.shape[2]), start, step, weights, out.dtype.type(fill), out)


def source_places(places):
    """The place (y, x) in the frame that each pixel shows: two float64 [ky, kx]; nearly whole ones are made whole.

    Examples
    --------
    >>> source_places(AffineMap((1, 2), (1.0, 0.0, 0.0, 2.0), (0.0, -0.5), "cubic"))[1].tolist()
    [[-0.5, 1.5]]
    """
    rows, columns = np.arange(places.shape[0], dtype=np.float64)[:, None], np.arange(places.shape[1], dtype=np.float64)
    yy, yx, xy, xx = places.matrix
    found = []
    for place in (yy * rows + yx * columns + places.offset[0], xy * rows + xx * columns + places.offset[1]):
        near = np.rint(place)
        found.append(np.where(np.abs(place - near) < WHOLE, near, place))
    return found[0], found[1]


@lru_cache(maxsize=2)
def nearest_plan(places):
    """The flat index of the pixel that covers each place, halves going up, and -1 outside: int64 [ky, kx]."""
    found = [np.floor(place + 0.5).astype(np.int64) for place in source_places(places)]
    inside = np.ones(places.shape, bool)
    for index, size in zip(found, places.shape, strict=True):
        inside &= (index >= 0) & (index < size)
    return np.where(inside, found[0] * places.shape[1] + found[1], -1)


@lru_cache(maxsize=2)
def plan(places, precision):
    """What a gather needs for each pixel, in the float dtype of the result: start, step and weights.

    Returns
    -------
    start : ndarray of int32 [ky, kx]
        Flat index of the pixel at or before the place, -1 where the result is the fill value.
    step : ndarray of int32 [ky, kx, 2]
        From a pixel to the next one along y and x: 0 where the place is whole along this axis, so that all weights meet
        the same pixel.
    weights : ndarray [ky, kx, 2, 2] or [ky, kx, 2, 4]
        Along y and x; those along y carry the factor.
    """
    before, after = (0, 1) if places.interpolation == "bilinear" else (1, 2)
    start = np.zeros(places.shape, np.int64)
    step = np.empty((*places.shape, 2), np.int32)
    weights = np.empty((*places.shape, 2, before + after + 1), precision)
    inside = np.ones(places.shape, bool)
    for k, (place, size) in enumerate(zip(source_places(places), places.shape, strict=True)):
        place = np.clip(place, -4.0, size + 4.0)  # far outside is far outside: indices stay small
        whole = np.floor(place)
        f = place - whole
        between = f > 0
        inside &= (whole - before * between >= 0) & (whole + after * between <= size - 1)
        stride = places.shape[1] if k == 0 else 1
        start += whole.astype(np.int64) * stride
        step[..., k] = between * stride
        weights[..., k, :] = _weights(f, before + after + 1)
    weights[..., 0, :] *= places.factor
    return np.where(inside, start, -1).astype(np.int32), step, weights


def _weights(f, number):
    """Weights [..., number] of the pixels about a fraction f; equal shares of one pixel where it is 0."""
    if number == 2:
        found = np.stack([1 - f, f], axis=-1)
    else:
        squared, cubed = f * f, f * f * f
        found = 0.5 * np.stack(
            [2 * squared - f - cubed, 2 - 5 * squared + 3 * cubed, f + 4 * squared - 3 * cubed, cubed - squared],
            axis=-1,
        )
    found[f == 0] = 1.0 / number
    return found


def _gather_nearest(frames, index, factor, fill, out):
    """Copy pixels by their index, of any dtype."""
    outside = index < 0
    for frame, target in zip(frames, out, strict=True):
        taken = frame.take(index, mode="clip")
        if factor != 1.0:
            taken = taken * out.dtype.type(factor)
        taken = taken.astype(out.dtype, copy=False)
        taken[outside] = fill
        target[...] = taken


@jit_fast
def _gather_linear(frames, start, step, weights, fill, out):
    """Weigh the four pixels about each place."""
    real = out.dtype.type
    for y in range(out.shape[1]):
        for i in range(out.shape[0]):
            frame, target = frames[i], out[i, y]
            for x in range(target.size):
                a = start[y, x]
                if a < 0:
                    target[x] = fill
                    continue
                sy, sx, w = step[y, x, 0], step[y, x, 1], weights[y, x]
                upper = w[1, 0] * real(frame[a]) + w[1, 1] * real(frame[a + sx])
                lower = w[1, 0] * real(frame[a + sy]) + w[1, 1] * real(frame[a + sy + sx])
                target[x] = w[0, 0] * upper + w[0, 1] * lower


@jit_fast
def _gather_cubic(frames, start, step, weights, fill, out):
    """Weigh the sixteen pixels about each place."""
    real = out.dtype.type
    for y in range(out.shape[1]):
        for i in range(out.shape[0]):
            frame, target = frames[i], out[i, y]
            for x in range(target.size):
                a = start[y, x]
                if a < 0:
                    target[x] = fill
                    continue
                sy, sx, w = step[y, x, 0], step[y, x, 1], weights[y, x]
                total = real(0)
                for j in range(4):
                    b = a + (j - 1) * sy - sx
                    line = w[1, 0] * real(frame[b]) + w[1, 1] * real(frame[b + sx])
                    line += w[1, 2] * real(frame[b + 2 * sx]) + w[1, 3] * real(frame[b + 3 * sx])
                    total += w[0, j] * line
                target[x] = total

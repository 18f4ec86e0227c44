"""Frames moved by their own (dy, dx): ``out[y, x] = in[y - dy, x - dx]``, by whole pixels or between them.

Rows and columns are independent. With ``u = -dy``, ``whole = floor(u)`` and ``f = u - whole`` a row of the result is::

    bilinear    (1 - f) in[y + whole] + f in[y + whole + 1]
    cubic       Σ w_k in[y + whole + k],  k = -1 … 2, with the weights of Catmull and Rom:
                w = ½ (-f + 2f² - f³,  2 - 5f² + 3f³,  f + 4f² - 3f³,  -f² + f³)

The cubic is that of Keys (doi 10.1109/TASSP.1981.1163711) with a = -½: it passes through the pixels, reproduces
parabolas and needs 16 pixels, so that a dead or nan pixel spoils no more than these; cubic B-splines would need the
whole frame.
A pixel of the result that would need one from outside the frame is the fill value. By a whole number of pixels every
kind of interpolation gives the pixels themselves. `lazy4d.kernels.shift_fourier` moves frames by a phase ramp.
"""

from __future__ import annotations

import math

import numpy as np

from lazy4d.kernels._jit import jit_fast

REACH = {"integer": (0, 0), "bilinear": (0, 1), "cubic": (1, 2), "fourier": (0, 1)}
"""How many pixels before and after the place itself an interpolation needs; Fourier needs it to be within the frame."""


def whole_and_fraction(shifts):
    """Where the pixels of shifted frames come from: ``in[y + whole + fraction]``, whole float64, 0 <= fraction < 1.

    Parameters
    ----------
    shifts : ndarray of float64 [n, 2]
        (dy, dx) of each frame, finite.

    Returns
    -------
    tuple of ndarray of float64 [n, 2]
        The whole and the fraction.

    Examples
    --------
    >>> whole_and_fraction(np.array([[0.25, -3.5]]))
    (array([[-1.,  3.]]), array([[0.75, 0.5 ]]))
    """
    source = -np.asarray(shifts, np.float64)
    whole = np.floor(source)
    fraction = source - whole
    up = fraction == 1.0  # just below a whole number, the difference rounds to 1
    return whole + up, np.where(up, 0.0, fraction)


def covered(shifts, shape, interpolation):
    """The rows and columns of each shifted frame that hold data: int64 [n, 2, 2], ``[start, stop)`` of y, of x.

    Parameters
    ----------
    shifts : ndarray of float64 [n, 2] or [2]
        (dy, dx) of each frame; where one is not finite nothing is covered.
    shape : tuple of int
        Rows and columns of a frame.
    interpolation : {"integer", "bilinear", "cubic", "fourier"}
        How frames are shifted.

    Returns
    -------
    ndarray of int64 [n, 2, 2]
        With ``start == stop`` for both where nothing is left.

    Examples
    --------
    >>> covered(np.array([[1.5, -2.0], [np.nan, 0.0]]), (8, 8), "bilinear").tolist()
    [[[2, 8], [0, 6]], [[0, 0], [0, 0]]]
    """
    return _geometry(shifts, shape, interpolation)[0]


def _geometry(shifts, shape, interpolation):
    """`covered`, and the whole (int64) and fraction, [n, 2], by which frames are read; 0 where a shift is unknown."""
    moved = np.atleast_2d(np.asarray(shifts, np.float64))
    known = np.isfinite(moved).all(axis=1, keepdims=True)
    size = np.array(shape, np.int64)
    # far outside is far outside: numbers stay small enough for indices
    moved = np.clip(np.where(known, moved, 0.0), -size - 4, size + 4)
    if interpolation == "integer":
        whole, fraction = -np.floor(moved + 0.5), np.zeros_like(moved)
    else:
        whole, fraction = whole_and_fraction(moved)
    before, after = REACH[interpolation]
    between = fraction > 0
    at = whole.astype(np.int64)
    start = np.clip(before * between - at, 0, size)
    stop = np.clip(size - after * between - at, start, size)
    left = known & (stop > start).all(axis=1)[:, None]
    return np.stack([np.where(left, start, 0), np.where(left, stop, 0)], axis=-1), at, fraction


def shift_integer(frames, shifts, fill, out):
    """Copy each frame, moved by whole pixels; nothing is changed but the place.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Of any dtype.
    shifts : ndarray of float64 [n, 2] or [2]
        (dy, dx) of each frame, or of all; rounded to whole pixels, halves up.
    fill : number
        Where the frame does not reach.
    out : ndarray [n, ky, kx]
        Of the dtype of the frames. Frames whose shift is not finite are nan, and `fill` where the dtype has none.

    Examples
    --------
    >>> out = np.empty((1, 2, 3), np.uint8)
    >>> shift_integer(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8), np.array([0.0, 1.0]), 9, out)
    >>> out.tolist()
    [[[9, 1, 2], [9, 4, 5]]]
    """
    window, at, _ = _geometry(_rows(shifts, frames), frames.shape[1:], "integer")
    for k, ((y0, y1), (x0, x1)) in enumerate(window.tolist()):
        _fill_around(out[k], y0, y1, x0, x1, fill)
        y, x = at[k].tolist()
        out[k, y0:y1, x0:x1] = frames[k, y0 + y : y1 + y, x0 + x : x1 + x]
    mark_unknown(shifts, out)


def shift_bilinear(frames, shifts, fill, out):
    """Fill `out` with each frame moved, pixels interpolated linearly between their 4 neighbours.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous, of real numbers.
    shifts : ndarray of float64 [n, 2] or [2]
        (dy, dx) of each frame, or of all.
    fill : float
        Where pixels from outside the frame would be needed; may be nan.
    out : ndarray of float32 or float64 [n, ky, kx]
        Computed in this precision. Frames whose shift is not finite are nan.

    Notes
    -----
    Never below the lowest or above the highest pixel. Blurs, and so lowers the noise, most at half a pixel.

    Examples
    --------
    >>> out = np.empty((1, 1, 4), np.float32)
    >>> shift_bilinear(np.array([[[0, 4, 8, 2]]], np.uint8), np.array([[0.0, 0.25]]), np.nan, out)
    >>> out[0, 0]
    array([nan, 3. , 7. , 3.5], dtype=float32)
    """
    window, at, fraction = _geometry(_rows(shifts, frames), frames.shape[1:], "bilinear")
    weights = np.stack([1 - fraction, fraction], axis=-1)
    _interpolate(_blend_two, frames, window, at, fraction, weights, fill, out)
    mark_unknown(shifts, out)


def shift_cubic(frames, shifts, fill, out):
    """Fill `out` with each frame moved, pixels interpolated by cubics (Catmull and Rom) between 16 neighbours.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous, of real numbers.
    shifts : ndarray of float64 [n, 2] or [2]
        (dy, dx) of each frame, or of all.
    fill : float
        Where pixels from outside the frame would be needed; may be nan.
    out : ndarray of float32 or float64 [n, ky, kx]
        Computed in this precision. Frames whose shift is not finite are nan.

    Notes
    -----
    Keeps edges better than linear interpolation; beside steep ones it overshoots, by up to 2/27 of a step along each
    axis, so that counts can come out slightly negative.

    Examples
    --------
    >>> out = np.empty((1, 1, 6), np.float32)
    >>> shift_cubic(np.array([[[0, 1, 4, 9, 16, 25]]], np.uint8), np.array([[0.0, 0.5]]), 0.0, out)
    >>> out[0, 0]
    array([ 0.  ,  0.  ,  2.25,  6.25, 12.25,  0.  ], dtype=float32)
    """
    window, at, f = _geometry(_rows(shifts, frames), frames.shape[1:], "cubic")
    squared, cubed = f * f, f * f * f
    weights = 0.5 * np.stack(
        [
            2 * squared - f - cubed,
            2 - 5 * squared + 3 * cubed,
            f + 4 * squared - 3 * cubed,
            cubed - squared,
        ],
        axis=-1,
    )
    _interpolate(_blend_four, frames, window, at, f, weights, fill, out)
    mark_unknown(shifts, out)


def _interpolate(blend, frames, window, at, fraction, weights, fill, out):
    """Call a compiled blend with where each frame is read, with which weights and how far the pixels stand apart."""
    between = fraction > 0
    # A whole shift reads one pixel as often as there are weights, in equal shares: no other pixel, nan or not, counts.
    weights[~between] = 1.0 / weights.shape[-1]
    tiles = frames.view(np.uint8) if frames.dtype.char == "?" else frames
    blend(tiles, window, at, between.astype(np.int64), weights.astype(out.dtype), out.dtype.type(fill), out)


def _rows(shifts, frames):
    """One row a frame."""
    return np.broadcast_to(np.asarray(shifts, np.float64), (len(frames), 2))


def mark_unknown(shifts, out):
    """Make frames whose shift is not finite nan, where their dtype has nan."""
    if out.dtype.kind in "fc":
        unknown = ~np.isfinite(_rows(shifts, out)).all(axis=1)
        if unknown.any():
            out[unknown] = math.nan


def _fill_around(frame, y0, y1, x0, x1, fill):
    """Set the pixels of a frame outside of a window."""
    frame[:y0] = fill
    frame[y1:] = fill
    frame[y0:y1, :x0] = fill
    frame[y0:y1, x1:] = fill


@jit_fast
def _blend_two(frames, window, at, step, weights, fill, out):
    """Linear interpolation along rows and columns; `step` is 0 for an axis along which the shift is whole, else 1."""
    real = out.dtype.type
    line = np.empty(frames.shape[2], out.dtype)
    for i in range(frames.shape[0]):
        y0, y1, x0, x1 = window[i, 0, 0], window[i, 0, 1], window[i, 1, 0], window[i, 1, 1]
        wa, wb = weights[i, 0, 0], weights[i, 0, 1]
        va, vb = weights[i, 1, 0], weights[i, 1, 1]
        ny, nx, left = step[i, 0], step[i, 1], x0 + at[i, 1]
        width = x1 - x0
        read = width + nx if width > 0 else 0
        out[i, :y0] = fill
        out[i, y1:] = fill
        for y in range(y0, y1):
            row = y + at[i, 0]
            a, b = frames[i, row][left : left + read], frames[i, row + ny][left : left + read]
            for k in range(read):
                line[k] = wa * real(a[k]) + wb * real(b[k])
            target = out[i, y]
            target[:x0] = fill
            target[x1:] = fill
            middle, right = target[x0:x1], line[nx : nx + width]
            for k in range(width):
                middle[k] = va * line[k] + vb * right[k]


@jit_fast
def _blend_four(frames, window, at, step, weights, fill, out):
    """Cubic interpolation along rows and columns; `step` is 0 for an axis along which the shift is whole, else 1."""
    real = out.dtype.type
    line = np.empty(frames.shape[2], out.dtype)
    for i in range(frames.shape[0]):
        y0, y1, x0, x1 = window[i, 0, 0], window[i, 0, 1], window[i, 1, 0], window[i, 1, 1]
        wa, wb, wc, wd = weights[i, 0, 0], weights[i, 0, 1], weights[i, 0, 2], weights[i, 0, 3]
        va, vb, vc, vd = weights[i, 1, 0], weights[i, 1, 1], weights[i, 1, 2], weights[i, 1, 3]
        ny, nx = step[i, 0], step[i, 1]
        left = x0 + at[i, 1] - nx
        width = x1 - x0
        read = width + 3 * nx if width > 0 else 0
        out[i, :y0] = fill
        out[i, y1:] = fill
        for y in range(y0, y1):
            row = y + at[i, 0]
            a, b = frames[i, row - ny][left : left + read], frames[i, row][left : left + read]
            c, d = frames[i, row + ny][left : left + read], frames[i, row + 2 * ny][left : left + read]
            for k in range(read):
                line[k] = wa * real(a[k]) + wb * real(b[k]) + wc * real(c[k]) + wd * real(d[k])
            target = out[i, y]
            target[:x0] = fill
            target[x1:] = fill
            middle = target[x0:x1]
            p, q, r = line[nx : nx + width], line[2 * nx : 2 * nx + width], line[3 * nx : 3 * nx + width]
            for k in range(width):
                middle[k] = va * line[k] + vb * p[k] + vc * q[k] + vd * r[k]

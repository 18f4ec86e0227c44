"""Centre of mass and second moments of frames, in pixels of the whole frame.

For a frame I with weights w(y, x) = I - background where that exceeds the threshold and the mask is set, else 0::

    total = Σ w        y_c = Σ y w / total        x_c = Σ x w / total
    var_yy = Σ (y - y_c)² w / total    var_xx likewise    cov_yx = Σ (y - y_c)(x - x_c) w / total

Only the sums over rows and over columns are taken pixel by pixel. Without a background they are exact for integers; a
frame of total 0 has no centre and gives nan.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels._jit import jit, jit_fast
from lazy4d.kernels.accumulate import RUN, is_unsigned, partial_limit, plus, wide_zeros, widen


@jit_fast
def _plain_profiles(frame, y0, x0, rows, columns, partial):
    """Add up the window's pixels along x and along y; `partial` is room for the sums of columns."""
    h, w = rows.size, columns.size
    rows[:] = 0
    columns[:] = 0
    # One round for every detector there is; more only where 32 bits could overflow.
    for top in range(0, h, RUN):
        for left in range(0, w, RUN):
            bottom, width = min(top + RUN, h), min(RUN, w - left)
            x = x0 + left
            sums = partial[:width]
            sums[:] = 0
            zero = widen(frame.dtype.type(0))
            y = top
            while y + 4 <= bottom:  # four rows a time: the sums of columns are read and written once for them
                a, b = frame[y0 + y][x : x + width], frame[y0 + y + 1][x : x + width]
                c, d = frame[y0 + y + 2][x : x + width], frame[y0 + y + 3][x : x + width]
                sum_a, sum_b, sum_c, sum_d = zero, zero, zero, zero
                for k in range(width):
                    va, vb, vc, vd = widen(a[k]), widen(b[k]), widen(c[k]), widen(d[k])
                    sum_a = plus(sum_a, va)
                    sum_b = plus(sum_b, vb)
                    sum_c = plus(sum_c, vc)
                    sum_d = plus(sum_d, vd)
                    sums[k] = plus(sums[k], plus(plus(va, vb), plus(vc, vd)))
                rows[y] += sum_a
                rows[y + 1] += sum_b
                rows[y + 2] += sum_c
                rows[y + 3] += sum_d
                y += 4
            while y < bottom:
                a = frame[y0 + y][x : x + width]
                sum_a = zero
                for k in range(width):
                    sum_a = plus(sum_a, widen(a[k]))
                    sums[k] = plus(sums[k], widen(a[k]))
                rows[y] += sum_a
                y += 1
            for k in range(width):
                columns[left + k] += sums[k]


@jit
def _kept(pixel, mask, limit, zero):
    """`pixel` in the type of partial sums, `zero` where it does not count; nan counts, unless masked."""
    value = widen(pixel)
    return zero if (value <= limit) | (mask == 0) else value


@jit_fast
def _kept_profiles(frame, y0, x0, mask, limit, rows, columns, partial):
    """Add up the window's pixels above `limit` along x and along y; `partial` is room for the sums of columns."""
    h, w = rows.size, columns.size
    zero = widen(frame.dtype.type(0))
    rows[:] = 0
    columns[:] = 0
    for top in range(0, h, RUN):
        for left in range(0, w, RUN):
            bottom, width = min(top + RUN, h), min(RUN, w - left)
            x = x0 + left
            sums = partial[:width]
            sums[:] = 0
            for y in range(top, bottom):
                pixels, keep = frame[y0 + y][x : x + width], mask[y0 + y][x : x + width]
                total = zero
                for k in range(width):
                    value = _kept(pixels[k], keep[k], limit, zero)
                    total = plus(total, value)
                    sums[k] = plus(sums[k], value)
                rows[y] += total
            for k in range(width):
                columns[left + k] += sums[k]


@jit
def _weight(pixel, mask, threshold, background):
    """`pixel` above background, 0 where it does not count; nan counts, unless masked."""
    value = np.float64(pixel) - background
    return 0.0 if (value <= threshold) | (mask == 0) else value


@jit_fast
def _chosen_profiles(frame, y0, x0, mask, threshold, background, rows, columns, torques):
    """Add up the weights of the window's pixels along x and along y, and k·weight along x, k counted from `x0`."""
    h, w = rows.size, columns.size
    columns[:] = 0
    for y in range(h):
        pixels, keep = frame[y0 + y][x0 : x0 + w], mask[y0 + y][x0 : x0 + w]
        total, torque = 0.0, 0.0
        for k in range(w):
            value = _weight(pixels[k], keep[k], threshold, background)
            total += value
            torque += k * value
            columns[k] += value
        rows[y] = total
        torques[y] = torque


@jit_fast
def _plain_torques(frame, y0, x0, w, torques):
    """Add up k·pixel along each row of the window, k counted from `x0`."""
    for y in range(torques.size):
        pixels = frame[y0 + y][x0 : x0 + w]
        torque = 0.0
        for k in range(w):
            torque += k * np.float64(pixels[k])
        torques[y] = torque


@jit
def _centre(profile):
    """Sum of a profile, and its centre of mass counted from its first element (nan if the sum is 0)."""
    total, torque = 0.0, 0.0
    for k in range(profile.size):
        total += profile[k]
        torque += k * profile[k]
    if total == 0:
        return total, np.nan
    return total, torque / total


@jit
def _variance(profile, centre, total):
    """Mean of ``(k - centre)²`` weighted by a profile of sum `total`."""
    moment = 0.0
    for k in range(profile.size):
        moment += (k - centre) * (k - centre) * profile[k]
    return moment / total


@jit
def _keep(mask, ky, kx):
    """Give the mask, or one that keeps all; a copy, so that both are of one type."""
    keep = np.empty(ky * kx, np.uint8)
    given = mask.reshape(mask.size)
    if given.size > 0:
        for p in range(keep.size):
            keep[p] = given[p]
    else:
        keep[:] = 1
    return keep.reshape(ky, kx)


@jit
def _all_count(frames, mask, threshold, background):
    """Whether the weights are the pixels themselves."""
    if mask.size > 0 or background != 0:
        return False
    return threshold == -np.inf or (is_unsigned(frames) and threshold <= 0)


@jit
def center_of_mass(frames, window, mask, threshold, background, out):
    """Centre of mass (y, x) of each frame, in pixels counted from the frame's first.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    window : ndarray of int64 [4]
        ``(y0, y1, x0, x1)``: rows ``[y0, y1)`` and columns ``[x0, x1)`` count; clipped to the frame.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count, not even if they are nan; of size 0: no mask.
    threshold : float
        Pixels at or below it (after subtraction of the background) do not count; ``-inf``: all do.
    background : float
        Subtracted from every pixel.
    out : ndarray of float64 [n, 3]
        Filled with (y, x, total); y and x are nan where the total is 0, a pixel that counts is nan, or negative pixels
        throw the centre out of the window.

    Notes
    -----
    Without a background, pixels are added up in their own kind, so integers exactly; without mask and with a threshold
    of ``-inf`` (or at most 0 for unsigned integers) that is fastest. Negative pixels count as negative mass.

    Examples
    --------
    >>> frames = np.zeros((2, 5, 7), np.uint16)
    >>> frames[0, 1, 4] = frames[0, 2, 4] = 9
    >>> out = np.empty((2, 3))
    >>> center_of_mass(frames, np.array([0, 5, 0, 7]), np.empty((0, 0), np.uint8), -np.inf, 0.0, out)
    >>> out
    array([[ 1.5,  4. , 18. ],
           [ nan,  nan,  0. ]])
    """
    n, ky, kx = frames.shape
    y0, y1 = max(window[0], 0), min(window[1], ky)
    x0, x1 = max(window[2], 0), min(window[3], kx)
    rows, columns = np.zeros(max(y1 - y0, 0)), np.zeros(max(x1 - x0, 0))
    plain = _all_count(frames, mask, threshold, background)
    partial = wide_zeros(frames, min(columns.size, RUN))
    torques = np.empty(rows.size)
    keep = _keep(mask, 0 if plain else ky, kx)
    limit = partial_limit(frames, threshold)
    for i in range(n):
        if plain:
            _plain_profiles(frames[i], y0, x0, rows, columns, partial)
        elif background == 0:
            _kept_profiles(frames[i], y0, x0, keep, limit, rows, columns, partial)
        else:
            _chosen_profiles(frames[i], y0, x0, keep, threshold, background, rows, columns, torques)
        total, y = _centre(rows)
        y, x = y0 + y, x0 + _centre(columns)[1]
        inside = (y0 - 0.5 <= y) & (y <= y1 - 0.5) & (x0 - 0.5 <= x) & (x <= x1 - 0.5)
        out[i, 0] = y if inside else np.nan
        out[i, 1] = x if inside else np.nan
        out[i, 2] = total


@jit
def second_moments(frames, window, mask, threshold, background, out):
    """Variances and covariance (var_yy, var_xx, cov_yx) of each frame about its own centre of mass, in pixels².

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    window : ndarray of int64 [4]
        ``(y0, y1, x0, x1)``: rows ``[y0, y1)`` and columns ``[x0, x1)`` count; clipped to the frame.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count, not even if they are nan; of size 0: no mask.
    threshold : float
        Pixels at or below it (after subtraction of the background) do not count; ``-inf``: all do.
    background : float
        Subtracted from every pixel.
    out : ndarray of float64 [n, 3]
        Filled with (var_yy, var_xx, cov_yx); nan where the total is 0 or a pixel that counts is nan.

    Examples
    --------
    >>> frames = np.zeros((1, 5, 7), np.uint16)
    >>> frames[0, 1, 4] = frames[0, 3, 4] = 9
    >>> out = np.empty((1, 3))
    >>> second_moments(frames, np.array([0, 5, 0, 7]), np.empty((0, 0), np.uint8), -np.inf, 0.0, out)
    >>> out
    array([[1., 0., 0.]])
    """
    n, ky, kx = frames.shape
    y0, y1 = max(window[0], 0), min(window[1], ky)
    x0, x1 = max(window[2], 0), min(window[3], kx)
    rows, columns = np.zeros(max(y1 - y0, 0)), np.zeros(max(x1 - x0, 0))
    plain = _all_count(frames, mask, threshold, background)
    partial = wide_zeros(frames, min(columns.size, RUN))
    torques = np.empty(rows.size)
    keep = _keep(mask, 0 if plain else ky, kx)
    for i in range(n):
        if plain:
            _plain_profiles(frames[i], y0, x0, rows, columns, partial)
            _plain_torques(frames[i], y0, x0, columns.size, torques)
        else:
            _chosen_profiles(frames[i], y0, x0, keep, threshold, background, rows, columns, torques)
        total, y = _centre(rows)
        x = _centre(columns)[1]
        if np.isnan(x):
            out[i] = np.nan
            continue
        moment = 0.0
        for k in range(rows.size):
            moment += (k - y) * (torques[k] - x * rows[k])
        out[i, 0] = _variance(rows, y, total)
        out[i, 1] = _variance(columns, x, total)
        out[i, 2] = moment / total

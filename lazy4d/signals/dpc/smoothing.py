"""Maps with holes: filled from around, and smoothed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def filled(
    image: Floats, missing: NDArray[np.bool_], steps: tuple[float, float] = (1.0, 1.0), rings: int | None = None
) -> Floats:
    """An image whose missing pixels are the mean of their known neighbours, from the edges of a hole inwards.

    Of the eight neighbours, near ones count more: as one over the square of their distance.

    Parameters
    ----------
    image : float64 ndarray [y, x]
        The image; what it holds where pixels are missing is not used.
    missing : bool ndarray [y, x]
        Which pixels to fill.
    steps : (float, float), optional
        Distance of neighbours along y and x.
    rings : int, optional
        How far into a hole, in pixels; the rest becomes 0. By default all of it, unless nothing at all is known.

    Examples
    --------
    >>> filled(np.array([[2.0, np.nan, 4.0]]), np.array([[False, True, False]])).tolist()
    [[2.0, 3.0, 4.0]]
    """
    values, unknown = np.where(missing, 0.0, image), missing.copy()
    rows, columns = image.shape
    while unknown.any() and not unknown.all() and (rings is None or rings > 0):
        known, padded = np.pad(~unknown, 1).astype(np.float64), np.pad(values, 1)
        count, total = np.zeros(image.shape), np.zeros(image.shape)
        for y in range(3):
            for x in range(3):
                if (y, x) != (1, 1):
                    weight = 1.0 / math.hypot((y - 1) * steps[0], (x - 1) * steps[1]) ** 2
                    count += weight * known[y : y + rows, x : x + columns]
                    total += weight * padded[y : y + rows, x : x + columns]
        rim = unknown & (count > 0)
        values[rim] = total[rim] / count[rim]
        unknown &= ~rim
        rings = None if rings is None else rings - 1
    return values


def smoothed(image: Floats, sigma: float, steps: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """An image [..., y, x] convolved with a Gaussian of `sigma` pixels; what is not finite stays NaN.

    Missing pixels are filled from around before (see `filled`): left out of a mean, they would shift its centre.

    Examples
    --------
    >>> smoothed(np.array([[1.0, np.nan, 1.0]]), 1.0).tolist()
    [[1.0, nan, 1.0]]
    """
    if sigma == 0:
        return image
    reach = max(1, math.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    result = np.empty(image.shape)
    for index in np.ndindex(image.shape[:-2]):
        missing = ~np.isfinite(image[index])
        near = filled(image[index], missing, steps, reach)
        inside = np.ones(near.shape)
        for axis in range(2):
            near, inside = _convolved(near, kernel, axis), _convolved(inside, kernel, axis)
        result[index] = np.where(missing, np.nan, near / inside)
    return result


def _convolved(image: Floats, kernel: Floats, axis: int) -> Floats:
    """An image, 0 outside, convolved along an axis."""
    moved = np.moveaxis(image, axis, -1)
    size, reach = moved.shape[-1], len(kernel) // 2
    result = np.zeros_like(moved)
    for shift, weight in zip(range(-reach, reach + 1), kernel, strict=True):
        low, high = max(0, -shift), min(size, size - shift)
        if low < high:
            result[..., low:high] += weight * moved[..., low + shift : high + shift]
    return np.moveaxis(result, -1, axis)

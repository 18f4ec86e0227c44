"""A lattice vector from the autocorrelation of a pattern, which shows it wherever the beam is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.ellipse import ellipse_of
from lazy4d.signals.frame_center import pixel_steps

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

Floats = NDArray[np.float64]


def autocorrelation(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """The correlation coefficient of a pattern with itself moved, by the pixels that both have: [2 ky - 1, 2 kx - 1].

    The middle is no move. Moves that leave less than a tenth of the pixels in common are 0. Computed by Fourier
    transforms of masked images (D. Padfield, doi 10.1109/TIP.2011.2181402).

    Examples
    --------
    >>> stripes = np.tile([1.0, 0.0, 0.0, 0.0], (8, 4))
    >>> autocorrelation(stripes, np.ones((8, 16), bool))[7, [15, 19, 23]].round(9)
    array([1., 1., 1.])
    """
    from scipy import fft

    shape = tuple(2 * n - 1 for n in values.shape)
    fast = tuple(fft.next_fast_len(n, real=True) for n in shape)
    inside = counted.astype(np.float64)
    level = values[counted].mean() if counted.any() else 0.0
    image = np.where(counted, values - level, 0.0)

    one, power, area = (fft.rfft2(part, fast) for part in (image, image * image, inside))

    def against(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> Floats:
        full = fft.irfft2(a * b.conj(), fast)
        rolled = np.roll(full, tuple(n - 1 for n in values.shape), axis=(0, 1))
        return np.asarray(rolled[: shape[0], : shape[1]])

    number = np.maximum(np.rint(against(area, area)), 1.0)
    first, second = against(one, area), against(area, one)
    top = against(one, one) - first * second / number
    bottom = (against(power, area) - first**2 / number) * (against(area, power) - second**2 / number)
    common = (number > 0.1 * counted.sum()) & (bottom > 1e-12 * max(float(bottom.max()), 1e-300))
    return np.where(common, top / np.sqrt(np.where(common, bottom, 1.0)), 0.0)


def lattice_vector(
    signal: BaseSignal, values: Floats, counted: NDArray[np.bool_], lengths: tuple[float, float]
) -> tuple[tuple[float, float], float, float]:
    """The lattice vector (x, y) in pixels with a length in a range, its length in mean pixels, and the error of this.

    Parameters
    ----------
    signal : BaseSignal
        For its axes and its ellipse.
    values, counted : ndarray [ky, kx]
        The pattern, and its pixels that count.
    lengths : (low, high)
        Where to look, mean pixels.

    Raises
    ------
    ValueError
        There is no maximum in this range.
    """
    map_ = autocorrelation(values, counted)
    middle = np.array(values.shape) - 1
    known = ellipse_of(signal)
    matrix = np.diag(pixel_steps(signal)) if known is None else known.matrix() @ np.diag(pixel_steps(signal))
    moves = np.stack(np.meshgrid(*(np.arange(n) - m for n, m in zip(map_.shape, middle, strict=True)), indexing="ij"))
    length = np.hypot(*np.einsum("ij,jyx->iyx", matrix, moves.astype(np.float64)))
    inner = map_[1:-1, 1:-1]
    around = [map_[1 + dy : map_.shape[0] - 1 + dy, 1 + dx : map_.shape[1] - 1 + dx] for dy, dx in _NEIGHBOURS]
    peak = np.zeros(map_.shape, bool)
    peak[1:-1, 1:-1] = np.logical_and.reduce([inner >= other for other in around]) & (inner > 0)
    peak &= (length >= lengths[0]) & (length <= lengths[1])
    if not peak.any():
        raise ValueError(
            f"expected a maximum of the autocorrelation between {lengths[0]:g} and {lengths[1]:g} pixels, found none: "
            "check the range of lengths, and whether the pattern shows one lattice"
        )
    first = np.argwhere(peak)[int(np.argmax(map_[peak]))]
    found = [_refined(map_, first) - middle]
    least, reach = 0.3 * map_[tuple(first)], max(2, round(0.15 * float(length[tuple(first)])))
    while True:  # multiples of it, as far as they are there
        step = np.rint(_vector(found) * (len(found) + 1)).astype(int) + middle
        if np.any(step < reach + 2) or np.any(step >= np.array(map_.shape) - reach - 2):
            break
        window = map_[step[0] - reach : step[0] + reach + 1, step[1] - reach : step[1] + reach + 1]
        top = np.unravel_index(int(np.argmax(window)), window.shape)
        at = np.array(top) + step - reach
        if window[top] < least or max(abs(np.array(top) - reach)) == reach:
            break
        found.append(_refined(map_, at) - middle)
    vector = _vector(found)
    spread = np.array([np.hypot(*(matrix @ (one - vector * (k + 1)))) for k, one in enumerate(found)])
    orders = np.arange(1, len(found) + 1)
    each = float(np.sqrt((spread**2).sum() / max(2 * (len(found) - 1), 1))) if len(found) > 1 else 0.1
    error = max(each, 0.01) / float(np.sqrt((orders**2).sum()))
    return (float(vector[1]), float(vector[0])), float(np.hypot(*(matrix @ vector))), error


_NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def _vector(found: list[Floats]) -> Floats:
    """The vector whose multiples come closest to those found."""
    orders = np.arange(1, len(found) + 1, dtype=np.float64)
    return np.asarray(orders @ np.array(found) / (orders @ orders))


def _refined(image: Floats, at: NDArray[np.int64]) -> Floats:
    """The top of the parabola through the 3 × 3 pixels about a maximum, by least squares, (y, x)."""
    y, x = int(at[0]), int(at[1])
    if not (0 < y < image.shape[0] - 1 and 0 < x < image.shape[1] - 1):
        return at.astype(np.float64)
    dy, dx = (a.ravel() for a in np.mgrid[-1:2, -1:2].astype(np.float64))
    design = np.stack([np.ones(9), dy, dx, dy * dy, dy * dx, dx * dx], axis=1)
    _, b, c, d, e, f = np.linalg.lstsq(design, image[y - 1 : y + 2, x - 1 : x + 2].ravel(), rcond=None)[0]
    curved = np.array([[2 * d, e], [e, 2 * f]])
    if not np.linalg.det(curved) > 0:
        return at.astype(np.float64)
    return at + np.clip(-np.linalg.solve(curved, (b, c)), -1, 1)

"""Where a peak is between the pixels: parabola, centre of mass about the peak, upsampled Fourier transform.

Written for many peaks of many images: `parabola` and `center_of_mass_about` are called from other kernels for one peak
each, `parabolas` and `upsampled_peaks` take all peaks at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit


@jit
def vertex(low, middle, high):
    """Where the parabola through three neighbours has its top, in [-0.5, 0.5] counted from the middle one.

    0 where there is no top (the middle one is no maximum, a number is nan).

    Notes
    -----
    ``d = (high - low) / (4 middle - 2 low - 2 high)``; a maximum cannot lie farther than half a pixel.

    Examples
    --------
    >>> vertex(2.0, 4.0, 3.0)
    0.16666666666666666
    """
    bend = 4 * middle - 2 * low - 2 * high
    if not (bend > 0 and middle >= low and middle >= high):
        return 0.0
    return min(max((high - low) / bend, -0.5), 0.5)


@jit
def parabola(image, y, x):
    """Where the separable parabola about a maximum ``image[y, x]`` has its top: (dy, dx) from that pixel.

    Examples
    --------
    >>> parabola(np.array([[0.0, 1, 0], [2, 4, 3], [0, 2, 0]]), 1, 1)
    (0.1, 0.16666666666666666)
    """
    ky, kx = image.shape
    dy, dx = 0.0, 0.0
    if 0 < y < ky - 1:
        dy = vertex(image[y - 1, x], image[y, x], image[y + 1, x])
    if 0 < x < kx - 1:
        dx = vertex(image[y, x - 1], image[y, x], image[y, x + 1])
    return dy, dx


@jit
def center_of_mass_about(image, y, x, radius):
    """The centre of mass (dy, dx), from pixel (y, x), of what stands above the lowest pixel at most `radius` away.

    (0, 0) where all pixels are equal.

    Examples
    --------
    >>> center_of_mass_about(np.array([[1.0, 1, 1], [1, 5, 3], [1, 1, 1]]), 1, 1, 1.5)
    (0.0, 0.3333333333333333)
    """
    ky, kx = image.shape
    reach = int(radius)
    top, bottom = max(y - reach, 0), min(y + reach + 1, ky)
    left, right = max(x - reach, 0), min(x + reach + 1, kx)
    lowest = np.float64(image[y, x])
    for v in range(top, bottom):
        for u in range(left, right):
            if (v - y) ** 2 + (u - x) ** 2 <= radius * radius:
                lowest = min(lowest, np.float64(image[v, u]))
    total, torque_y, torque_x = 0.0, 0.0, 0.0
    for v in range(top, bottom):
        for u in range(left, right):
            if (v - y) ** 2 + (u - x) ** 2 <= radius * radius:
                value = image[v, u] - lowest
                total += value
                torque_y += (v - y) * value
                torque_x += (u - x) * value
    if total == 0:
        return 0.0, 0.0
    return torque_y / total, torque_x / total


def parabolas(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tops of separable parabolas through 3 × 3 neighbourhoods [..., 3, 3] of maxima: offsets [..., 2] and heights.

    Examples
    --------
    >>> parabolas(np.array([[0.0, 1, 0], [2, 4, 3], [0, 2, 0]]))
    (array([0.1       , 0.16666667]), np.float64(4.066666666666666))
    """
    middle = np.asarray(values, np.float64)[..., 1, 1]
    lows = np.stack([values[..., 0, 1], values[..., 1, 0]], axis=-1)
    highs = np.stack([values[..., 2, 1], values[..., 1, 2]], axis=-1)
    tops = middle[..., None]
    bend = 4 * tops - 2 * lows - 2 * highs
    good = (bend > 0) & (tops >= lows) & (tops >= highs)
    offset = np.where(good, np.clip((highs - lows) / np.where(good, bend, 1.0), -0.5, 0.5), 0.0)
    return offset, middle + ((highs - lows) * offset / 4).sum(axis=-1)


def upsampled_dft(
    spectra: NDArray[Any], width: int, places: NDArray[np.float64], upsample: int, reach: float = 0.75
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Images on a finer grid about some places, from their spectra.

    Parameters
    ----------
    spectra : ndarray of complex [height, width // 2 + 1] or [p, height, width // 2 + 1]
        ``rfft2`` of one real image with p peaks, or of one image for each of p peaks.
    width : int
        Columns of the image; the spectrum does not tell even from odd.
    places : ndarray of float64 [p, 2]
        (y, x) about which to evaluate, pixels.
    upsample : int
        Points a pixel.
    reach : float
        Pixels on each side.

    Returns
    -------
    fine : ndarray of float64 [p, k, k]
        The images at ``places + steps``, along y and x.
    steps : ndarray of float64 [k]
        Where the points are, from -reach to reach.

    Notes
    -----
    Two matrix products per peak instead of a large transform that is mostly zeros: Guizar-Sicairos, Thurman and Fienup,
    Optics Letters 33 (2008) 156, doi 10.1364/OL.33.000156.

    Examples
    --------
    >>> image = np.zeros((6, 8)); image[2, 3] = 1
    >>> fine, steps = upsampled_dft(np.fft.rfft2(image), 8, np.array([[2.0, 3.0]]), 2, 0.5)
    >>> steps, fine[0, 1].round(2)
    (array([-0.5,  0. ,  0.5]), array([0.63, 1.  , 0.63]))
    """
    height, half = spectra.shape[-2:]
    count = int(np.ceil(reach * upsample - 1e-9))
    steps = np.arange(-count, count + 1) / upsample
    fy, fx = np.fft.fftfreq(height), np.arange(half) / width
    # Both halves of the spectrum of a real image add the same, but for what is its own mirror image.
    weight = np.full(half, 2.0)
    weight[0] = 1.0
    if width % 2 == 0:
        weight[-1] = 1.0
    dtype = np.complex64 if spectra.dtype == np.complex64 else np.complex128
    y, x = places[:, 0, None] + steps, places[:, 1, None] + steps
    rows = _waves(y[:, :, None] * fy, height, axis=2).astype(dtype)
    columns = (_waves(fx[:, None] * x[:, None, :], width, axis=1) * weight[:, None]).astype(dtype)
    fine = (rows @ spectra @ columns).real / (height * width)
    return fine.astype(np.float64, copy=False), steps


def _waves(turns: NDArray[np.float64], size: int, axis: int) -> NDArray[np.complex128]:
    """Waves at all frequencies of an image of `size` pixels along an axis.

    The highest frequency of an even size is positive as much as negative: a cosine.
    """
    waves: NDArray[np.complex128] = np.exp(2j * np.pi * turns)
    if size % 2 == 0:
        highest: list[Any] = [slice(None)] * waves.ndim
        highest[axis] = size // 2
        waves[tuple(highest)] = waves[tuple(highest)].real
    return waves


def upsampled_peaks(fine: NDArray[np.float64], steps: NDArray[np.float64]) -> tuple[NDArray[np.float64], Any]:
    """The highest points of fine images [p, k, k], refined by a parabola: offsets (y, x) [p, 2] and heights [p].

    Examples
    --------
    >>> steps = np.arange(-4, 5) / 4
    >>> fine = -((steps[:, None] - 0.3) ** 2) - (steps + 0.1) ** 2
    >>> upsampled_peaks(fine[None], steps)[0].round(6)
    array([[ 0.3, -0.1]])
    """
    p, k = fine.shape[:2]
    highest = np.nan_to_num(fine, nan=-np.inf).reshape(p, -1).argmax(axis=1)
    at = np.stack([highest // k, highest % k], axis=-1)
    inner = np.clip(at, 1, k - 2)  # a parabola about the rim's neighbour has no top there and adds nothing
    near = np.arange(-1, 2)
    around = fine[np.arange(p)[:, None, None], inner[:, 0, None, None] + near[:, None], inner[:, 1, None, None] + near]
    offset, height = parabolas(around)
    on_rim = (inner != at).any(axis=1)
    offset = np.where(on_rim[:, None], 0.0, offset)
    height = np.where(on_rim, fine[np.arange(p), at[:, 0], at[:, 1]], height)
    return steps[at] + offset * (steps[1] - steps[0]), height

"""A map from its gradient, by Fourier integration: periodic, or continued by its mirror images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def integrate_gradient(
    along_y: Floats, along_x: Floats, steps: tuple[float, float], padding: str = "none", floor: float = 0.0
) -> Floats:
    """The map of mean 0 whose gradient comes nearest to a given one.

    Parameters
    ----------
    along_y, along_x : float64 ndarray [y, x]
        Derivatives.
    steps : (float, float)
        Distance of neighbours along y and x, with signs.
    padding : {"none", "mirror"}
        Whether the map repeats itself beyond its edges, or is continued by its mirror images.
    floor : float
        Added to the squared frequency, in cycles per length: a high pass.

    Returns
    -------
    float64 ndarray [y, x]

    Notes
    -----
    Least squares in Fourier space, ``F(φ) = [f_y F(∂_y φ) + f_x F(∂_x φ)] / (2π i (f² + floor))``; R. T. Frankot &
    R. Chellappa, IEEE Trans. Pattern Anal. Mach. Intell. 10, 439 (1988), doi 10.1109/34.3909.

    Examples
    --------
    >>> y = np.arange(32) / 32 * 2 * np.pi
    >>> wave = np.sin(y)[:, None] * np.ones(4)
    >>> slope = np.cos(y)[:, None] * np.ones(4) * 2 * np.pi / 32
    >>> np.allclose(integrate_gradient(slope, 0 * slope, (1.0, 1.0)), wave)
    True
    """
    if padding == "mirror":
        return _mirrored(along_y, along_x, steps, floor)
    fy, fx = np.fft.fftfreq(along_y.shape[0], steps[0])[:, None], np.fft.rfftfreq(along_y.shape[1], steps[1])[None]
    for f, size, axis in ((fy, along_y.shape[0], 0), (fx, along_y.shape[1], 1)):
        if size % 2 == 0:  # a wave of two pixels has no slope at their centres
            np.moveaxis(f, axis, 0)[size // 2] = 0.0
    total = (fy * np.fft.rfft2(along_y) + fx * np.fft.rfft2(along_x)) * (_inverse(fy**2 + fx**2, floor) / 1j)
    return np.fft.irfft2(total, s=along_y.shape)


def _mirrored(along_y: Floats, along_x: Floats, steps: tuple[float, float], floor: float) -> Floats:
    """The map as a sum of cosines, whose derivative is one of sines along its own axis: no padding is needed.

    Mirrored, a ramp has kinks, which a finite sum would round off: the mean gradient is integrated by itself.
    """
    from scipy import fft

    (rows, columns), (hy, hx) = along_y.shape, steps
    mean_y, mean_x = along_y.mean(), along_x.mean()
    fy = np.arange(rows)[:, None] / (2 * rows * hy)
    fx = np.arange(columns)[None] / (2 * columns * hx)
    by_y = fft.dct(fft.dst(along_y - mean_y, axis=0), axis=1)
    by_x = fft.dst(fft.dct(along_x - mean_x, axis=0), axis=1)
    # Sines begin at the first harmonic, cosines at the zeroth; the last sine is no derivative of a cosine.
    total = np.zeros(along_y.shape)
    total[1:] -= fy[1:] * by_y[:-1]
    total[:, 1:] -= fx[:, 1:] * by_x[:, :-1]
    square = fy**2 + fx**2
    total *= _inverse(square, 0.0)
    y, x = np.arange(rows)[:, None] - (rows - 1) / 2, np.arange(columns)[None] - (columns - 1) / 2
    ramp = mean_y * hy * y + mean_x * hx * x
    if floor:
        total += fft.dctn(ramp)
        np.divide(total * square, square + floor, out=total)
        return np.asarray(fft.idctn(total), np.float64)
    return np.asarray(fft.idctn(total) + ramp, np.float64)


def _inverse(square: Floats, floor: float) -> Floats:
    """``1 / (2π (f² + floor))``, and 0 for the mean."""
    result = np.zeros(square.shape)
    np.divide(1.0, 2 * np.pi * (square + floor), out=result, where=square > 0)
    return result

"""Correlation and power of rings: how a pattern in polar coordinates resembles itself turned by an angle.

Frames are ``[n, k, azimuth]``, azimuths periodic. With weights w (0 where a bin is masked or nan, else 1), the mean
m = Σ w I / Σ w of a ring and d = w (I - m), the angular correlation of a ring at a lag of Δ bins is::

    C(Δ) = Σ_φ d(φ) d(φ + Δ) / Σ_φ w(φ) w(φ + Δ) / m²  =  <I(φ) I(φ + Δ)>_φ / m² - 1

the second form without masked bins. All sums over φ are products of Fourier transforms. Independent counts of variance
g I add ``(<g I> / m²) (δ_Δ0 - 1 / N)`` to C, N the number of bins of the ring, which can be taken off exactly.
"""

from __future__ import annotations

import numpy as np


def weighted(frames, inside):
    """The bins in float64 with 0 where they do not count, and which count.

    Parameters
    ----------
    frames : ndarray [n, k, azimuth]
        Of real numbers.
    inside : ndarray of uint8 [k, azimuth], or of size 0
        0 where a bin does not count; all that are not nan do if the size is 0.

    Returns
    -------
    tuple of ndarray [n, k, azimuth]
        float64 and bool.

    Examples
    --------
    >>> weighted(np.array([[[1.0, np.nan, 3.0]]]), np.array([[1, 1, 0]], np.uint8))
    (array([[[1., 0., 0.]]]), array([[[ True, False, False]]]))
    """
    values = np.asarray(frames, np.float64)
    counted = np.isfinite(values) if frames.dtype.kind == "f" else np.ones(values.shape, bool)
    if inside.size:
        counted &= inside.astype(bool)
    return np.where(counted, values, 0.0), counted


def _correlate(values):
    """``Σ_φ v(φ) v(φ + Δ)`` along the last axis."""
    from scipy import fft

    spectra = fft.rfft(values, axis=-1, workers=1)
    return fft.irfft(spectra.real**2 + spectra.imag**2, n=values.shape[-1], axis=-1, workers=1)


def _pairs(counted):
    """How many pairs of bins stand at each lag, nan for none."""
    if counted.all():
        return float(counted.shape[-1])
    number = np.rint(_correlate(counted.astype(np.float64)))
    return np.where(number > 0, number, np.nan)


def angular_correlation(frames, inside, gain, normalize, out):
    """The angular correlation of each ring.

    Parameters
    ----------
    frames : ndarray [n, k, azimuth]
        Native, of real numbers.
    inside : ndarray of uint8 [k, azimuth], or of size 0
        0 where a bin does not count.
    gain : ndarray of float64 [k, azimuth], or of size 0
        Variance over mean of the noise of a bin, which is taken off; of size 0: nothing is.
    normalize : bool
        Give C as above, or else ``<I(φ) I(φ + Δ)>_φ`` itself.
    out : ndarray of float64 [n, k, azimuth]
        Filled; the last axis counts Δ in bins. nan where no pair of bins stands so far apart, and for rings of mean 0.

    Examples
    --------
    >>> out = np.empty((1, 1, 4))
    >>> none = np.empty((0, 0), np.uint8)
    >>> angular_correlation(np.array([[[1.0, 3.0, 1.0, 3.0]]]), none, none, True, out)
    >>> out[0, 0]
    array([ 0.25, -0.25,  0.25, -0.25])
    """
    values, counted = weighted(frames, inside)
    with np.errstate(all="ignore"):
        number = counted.sum(axis=-1, dtype=np.float64)
        mean = values.sum(axis=-1) / number
        deviation = np.where(counted, values - mean[..., None], 0.0) if normalize else values
        np.divide(_correlate(deviation), _pairs(counted), out=out)
        if gain.size:
            noise = (values * gain).sum(axis=-1) / number
            out[..., 0] -= noise
            if normalize:
                out += (noise / number)[..., None]
        if normalize:
            out /= (mean * mean)[..., None]
            out[~(mean != 0)] = np.nan


def angular_power(frames, inside, gain, out):
    """The power of each order of rotational symmetry of each ring.

    Parameters
    ----------
    frames, inside, gain
        As for `angular_correlation`.
    out : ndarray of float64 [n, k, azimuth // 2 + 1]
        Filled with the coefficients P of ``C(Δ) = Σ_n P_n cos(n Δ)``; nan for rings of which no pair of bins stands at
        some lag.

    Examples
    --------
    >>> azimuth = np.arange(12) * 2 * np.pi / 12
    >>> out = np.empty((1, 1, 7))
    >>> none = np.empty((0, 0), np.uint8)
    >>> angular_power((1 + 0.5 * np.cos(3 * azimuth))[None, None], none, none, out)
    >>> out[0, 0].round(6) + 0.0
    array([0.   , 0.   , 0.   , 0.125, 0.   , 0.   , 0.   ])
    """
    from scipy import fft

    correlation = np.empty(frames.shape, np.float64)
    angular_correlation(frames, inside, gain, True, correlation)
    size = frames.shape[-1]
    np.multiply(fft.rfft(correlation, axis=-1, workers=1).real, 2 / size, out=out)
    out[..., 0] /= 2
    if size % 2 == 0:
        out[..., -1] /= 2


def symmetry_coefficient(frames, inside, gain, order, out):
    """The power of one order of rotational symmetry of each frame, the mean over its rings.

    Parameters
    ----------
    frames, inside, gain
        As for `angular_correlation`.
    order : int
        From 1 to azimuth // 2.
    out : ndarray of float64 [n]
        Filled; rings of nan are left out, nan where all are.

    Examples
    --------
    >>> out = np.empty(1)
    >>> none = np.empty((0, 0), np.uint8)
    >>> symmetry_coefficient(np.array([[[1.0, 3.0, 1.0, 3.0], [2.0, 2.0, 2.0, 2.0]]]), none, none, 2, out)
    >>> out
    array([0.125])
    """
    correlation = np.empty(frames.shape, np.float64)
    angular_correlation(frames, inside, gain, True, correlation)
    size = frames.shape[-1]
    wave = np.cos(2 * np.pi * order * np.arange(size) / size) / size
    rings = (correlation * wave).sum(axis=-1)
    if 2 * order < size:
        rings *= 2
    mean_of_rings(rings, out)


def mean_of_rings(rings, out):
    """Fill `out` with the means of rows without their nan.

    Examples
    --------
    >>> out = np.empty(2)
    >>> mean_of_rings(np.array([[1.0, np.nan], [np.nan, np.nan]]), out)
    >>> out
    array([ 1., nan])
    """
    known = np.isfinite(rings)
    with np.errstate(all="ignore"):
        np.divide(np.where(known, rings, 0.0).sum(axis=-1), known.sum(axis=-1), out=out)


def pearson_correlation(frames, inside, out):
    """Pearson's correlation coefficient of each pattern and itself turned, over all bins that count in both.

    Parameters
    ----------
    frames, inside
        As for `angular_correlation`.
    out : ndarray of float64 [n, azimuth]
        Filled, in [-1, 1]; nan where no pair of bins stands at a lag, or all are equal.

    Notes
    -----
    With sums over all rings and azimuths at which both bins count, x the bin and y that at a lag of Δ::

        r(Δ) = (W Σxy - Σx Σy) / sqrt((W Σx² - (Σx)²) (W Σy² - (Σy)²)),  W = Σ w(φ) w(φ + Δ)

    Examples
    --------
    >>> out = np.empty((1, 4))
    >>> pearson_correlation(np.array([[[1.0, 3.0, 1.0, 3.0]]]), np.empty((0, 0), np.uint8), out)
    >>> out.round(9)
    array([[ 1., -1.,  1., -1.]])
    """
    from scipy import fft

    values, counted = weighted(frames, inside)
    weight = counted.astype(np.float64)
    size = frames.shape[-1]
    with np.errstate(all="ignore"):
        # about the mean of the pattern, so that no large numbers are subtracted
        middle = values.sum(axis=(1, 2), keepdims=True) / weight.sum(axis=(1, 2), keepdims=True)
        values = np.where(counted, values - middle, 0.0)
        x, w, xx = (fft.rfft(v, axis=-1, workers=1) for v in (values, weight, values * values))

        def summed(one, other):
            return fft.irfft((one.conj() * other).sum(axis=1), n=size, axis=-1, workers=1)

        pairs = np.rint(summed(w, w))
        here, there = summed(x, w), summed(w, x)
        spread = (pairs * summed(xx, w) - here * here) * (pairs * summed(w, xx) - there * there)
        scale = pairs * pairs * ((values * values).sum(axis=(1, 2)) / weight.sum(axis=(1, 2)))[:, None]
        known = (pairs > 0) & (spread > (1e-12 * scale) ** 2)
        ratio = (pairs * summed(x, x) - here * there) / np.sqrt(spread)
        out[...] = np.where(known, np.clip(ratio, -1.0, 1.0), np.nan)

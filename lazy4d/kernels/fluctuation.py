"""Variance of patterns in polar coordinates over azimuths and positions, added up in one pass.

Every estimator is a normalised variance, ``<I²> / <I>² - 1``; they differ in what is averaged first. All run on
count, mean and sum of squared deviations, in float64, merged by the formula of Chan, Golub and LeVeque (1983), so that
neither the order nor the size of blocks matters. Bins of nan, and masked ones, are left out.

Noise of variance g I in a bin of mean I (g = 1 for counted electrons) adds, to the variance over n samples about their
own mean, ``(1 - 1 / n) <g I>``: for Poisson noise that is exact, whatever the dose, given the sum of all samples.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels.angular import weighted


def moments_of(values, counted, axis):
    """Count, mean and sum of squared deviations of what counts along `axis`; mean 0 where nothing does.

    Parameters
    ----------
    values : ndarray of float64
        0 where nothing counts.
    counted : ndarray of bool
        Of the same shape.
    axis : int or tuple of int
        Over which to reduce.

    Examples
    --------
    >>> moments_of(np.array([[1.0, 3.0, 0.0]]), np.array([[True, True, False]]), 1)
    (array([2.]), array([2.]), array([2.]))
    """
    count = counted.sum(axis=axis, dtype=np.float64)
    mean = values.sum(axis=axis) / np.maximum(count, 1.0)
    deviation = np.where(counted, values - np.expand_dims(mean, axis), 0.0)
    return count, mean, (deviation * deviation).sum(axis=axis)


def merge_moments(count, mean, m2, other_count, other_mean, other_m2):
    """Merge count, mean and sum of squared deviations of other samples into the first three, element by element.

    Examples
    --------
    >>> a = np.array([2.0]), np.array([1.0]), np.array([2.0])  # of 0 and 2
    >>> merge_moments(*a, np.array([1.0]), np.array([4.0]), np.array([0.0]))  # and 4
    >>> a
    (array([3.]), array([2.]), array([8.]))
    """
    share = other_count / np.maximum(count + other_count, 1.0)
    difference = other_mean - mean
    mean += difference * share
    m2 += other_m2 + difference * difference * (count * share)
    count += other_count


def merge_with_noise(count, mean, m2, noise, other_count, other_mean, other_m2, other_noise):
    """`merge_moments`, and the sum of the noise."""
    merge_moments(count, mean, m2, other_count, other_mean, other_m2)
    noise += other_noise


def _noise(values, gain, count):
    """The mean of g I over azimuths, 0 without a gain."""
    if not gain.size:
        return np.zeros_like(count)
    return (values * gain).sum(axis=-1) / np.maximum(count, 1.0)


def ring_variance(frames, inside, gain, out):
    """The normalised variance of each ring of each frame over its azimuths.

    Parameters
    ----------
    frames : ndarray [n, k, azimuth]
        Native, of real numbers.
    inside : ndarray of uint8 [k, azimuth], or of size 0
        0 where a bin does not count.
    gain : ndarray of float64 [k, azimuth], or of size 0
        Variance over mean of the noise of a bin, taken off; of size 0: nothing is.
    out : ndarray of float64 [n, k]
        Filled; nan for rings without a bin, or of mean 0.

    Examples
    --------
    >>> out = np.empty((1, 1))
    >>> none = np.empty((0, 0), np.uint8)
    >>> ring_variance(np.array([[[1.0, 3.0, np.nan]]]), none, none, out)
    >>> out
    array([[0.25]])
    """
    values, counted = weighted(frames, inside)
    count, mean, m2 = moments_of(values, counted, -1)
    out[...] = normalised(count, mean, m2, _noise(values, gain, count))


def normalised(count, mean, m2, noise):
    """``(m2 / n - (1 - 1 / n) noise) / mean²``; nan where there are no samples or their mean is 0.

    Examples
    --------
    >>> normalised(np.array([2.0, 0.0]), np.array([2.0, 0.0]), np.array([2.0, 0.0]), np.array([1.0, 0.0]))
    array([0.125,   nan])
    """
    with np.errstate(all="ignore"):
        variance = m2 / count - (1 - 1 / count) * noise
        return np.where((count > 0) & (mean != 0), variance / (mean * mean), np.nan)


def add_annular_means(frames, inside, gain, count, mean, m2, noise):
    """Update count, mean and spread over positions of the mean of each ring, float64 [k]; `noise` adds <g I> / N.

    Parameters
    ----------
    frames, inside, gain
        As for `ring_variance`.
    count, mean, m2, noise : ndarray of float64 [k]
        State, from 0. Merge with `merge_with_noise`.

    Examples
    --------
    >>> state = [np.zeros(1) for _ in range(4)]
    >>> none = np.empty((0, 0), np.uint8)
    >>> add_annular_means(np.array([[[1.0, 1.0]], [[2.0, 4.0]]]), none, none, *state)
    >>> state[:3]
    [array([2.]), array([2.]), array([2.])]
    """
    values, counted = weighted(frames, inside)
    number = counted.sum(axis=-1, dtype=np.float64)
    means = values.sum(axis=-1) / np.maximum(number, 1.0)
    merge_moments(count, mean, m2, *moments_of(means, number > 0, 0))
    noise += (_noise(values, gain, number) / np.maximum(number, 1.0)).sum(axis=0)


def add_ring_ensembles(frames, inside, gain, count, mean, m2, noise):
    """Update count, mean and spread of all bins of a ring at all positions, float64 [k]; `noise` adds g I.

    Parameters
    ----------
    frames, inside, gain
        As for `ring_variance`.
    count, mean, m2, noise : ndarray of float64 [k]
        State, from 0. Merge with `merge_with_noise`.

    Examples
    --------
    >>> state = [np.zeros(1) for _ in range(4)]
    >>> none = np.empty((0, 0), np.uint8)
    >>> add_ring_ensembles(np.array([[[1.0, 1.0]], [[2.0, 4.0]]]), none, none, *state)
    >>> state[:3]
    [array([4.]), array([2.]), array([6.])]
    """
    values, counted = weighted(frames, inside)
    merge_moments(count, mean, m2, *moments_of(values, counted, (0, 2)))
    if gain.size:
        noise += (values * gain).sum(axis=(0, 2))


def variance_with_noise(count, mean, m2, noise):
    """The normalised variance without the noise, of the state of `add_annular_means` or `add_ring_ensembles`.

    Examples
    --------
    >>> variance_with_noise(np.array([4.0]), np.array([2.0]), np.array([6.0]), np.array([0.0]))
    array([0.375])
    """
    return normalised(count, mean, m2, noise / np.maximum(count, 1.0))


def add_ring_variances(frames, inside, gain, count, mean):
    """Update count and mean over positions of the normalised variance of each ring, float64 [k].

    Parameters
    ----------
    frames, inside, gain
        As for `ring_variance`.
    count, mean : ndarray of float64 [k]
        State, from 0. Merge with `merge_means`.

    Examples
    --------
    >>> state = [np.zeros(1) for _ in range(2)]
    >>> none = np.empty((0, 0), np.uint8)
    >>> add_ring_variances(np.array([[[1.0, 3.0]], [[2.0, 2.0]]]), none, none, *state)
    >>> state
    [array([2.]), array([0.125])]
    """
    variances = np.empty(frames.shape[:2], np.float64)
    ring_variance(frames, inside, gain, variances)
    known = np.isfinite(variances)
    more = known.sum(axis=0, dtype=np.float64)
    merge_means(count, mean, more, np.where(known, variances, 0.0).sum(axis=0) / np.maximum(more, 1.0))


def merge_means(count, mean, other_count, other_mean):
    """Merge count and mean of other samples into the first two."""
    count += other_count
    mean += (other_mean - mean) * (other_count / np.maximum(count, 1.0))


def known_means(count, mean):
    """The means, nan where there are no samples.

    Examples
    --------
    >>> known_means(np.array([2.0, 0.0]), np.array([0.5, 0.0]))
    array([0.5, nan])
    """
    return np.where(count > 0, mean, np.nan)


def add_pixels(frames, count, mean, m2):
    """Update count, mean and spread of every pixel over positions, float64 [y, x], without nan.

    Parameters
    ----------
    frames : ndarray [n, y, x]
        Native, of real numbers.
    count, mean, m2 : ndarray of float64 [y, x]
        State, from 0. Merge with `merge_moments`.

    Examples
    --------
    >>> state = [np.zeros((1, 2)) for _ in range(3)]
    >>> add_pixels(np.array([[[1.0, np.nan]], [[3.0, 4.0]]]), *state)
    >>> state[0], state[1]
    (array([[2., 1.]]), array([[2., 4.]]))
    """
    values, counted = weighted(frames, np.empty((0, 0), np.uint8))
    merge_moments(count, mean, m2, *moments_of(values, counted, 0))


def pixel_variance(count, mean, m2, *, gain, inside):
    """The normalised variance of every pixel, of the state of `add_pixels` or of `patterns.moments_pattern`.

    Parameters
    ----------
    count : ndarray of float64 [y, x] or int64 [1]
        Samples.
    mean, m2 : ndarray of float64 [y, x]
        Mean and sum of squared deviations.
    gain : ndarray of float64 [y, x], or of size 0
        Variance over mean of the noise.
    inside : ndarray of uint8 [y, x], or of size 0
        0 where the result is nan.

    Examples
    --------
    >>> none = np.empty((0, 0))
    >>> pixel_variance(np.array([2]), np.array([[2.0]]), np.array([[2.0]]), gain=none, inside=none)
    array([[0.25]])
    """
    samples = np.broadcast_to(np.asarray(count, np.float64), mean.shape)
    result = normalised(samples, mean, m2, gain * mean if gain.size else np.zeros_like(mean))
    return np.where(inside.astype(bool), result, np.nan) if inside.size else result


def pixel_variance_of_rings(count, mean, m2, *, gain, inside):
    """The mean over azimuths of `pixel_variance` of each ring; pixels of nan are left out.

    Examples
    --------
    >>> none = np.empty((0, 0))
    >>> state = np.array([2]), np.array([[2.0, 1.0]]), np.array([[2.0, 0.0]])
    >>> pixel_variance_of_rings(*state, gain=none, inside=none)
    array([0.125])
    """
    pixels = pixel_variance(count, mean, m2, gain=gain, inside=inside)
    known = np.isfinite(pixels)
    with np.errstate(all="ignore"):
        return np.where(known, pixels, 0.0).sum(axis=1) / known.sum(axis=1)

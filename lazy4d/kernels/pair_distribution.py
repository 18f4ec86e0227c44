"""From radial profiles to reduced intensities, and from these to pair distribution functions: both linear, but for N.

A profile is ``I = N (<f²> + <f>² (S - 1)) + background``. N and the background come from a least-squares fit of
``N <f²> + Σ c_j k^j``, in units of <f²>, so that the waves of S count alike at all k. The reduced intensity is
``φ = Q (I - N <f²> - background) / (N <f>²)`` with Q = 2π k, and its sine transform the reduced pair distribution
function ``G(r) = (2/π) ∫ φ(Q) sin(Q r) dQ``.
"""

from __future__ import annotations

import numpy as np


def reduced_intensity(profiles, design, fitted, weight, out):
    """The reduced intensity of each profile.

    Parameters
    ----------
    profiles : ndarray [n, k]
        Intensities; nan does not count.
    design : ndarray of float64 [k, m]
        What is fitted: <f²> first, then the shapes of the background.
    fitted : ndarray of bool [k]
        Where.
    weight : ndarray of float64 [k]
        Q / <f>².
    out : ndarray of float64 [n, k]
        Filled; nan where the profile is, and throughout where the fit finds no atoms (N of 0 or less) or has fewer
        points than shapes.

    Examples
    --------
    >>> k = np.arange(1.0, 6.0)
    >>> design = np.stack([1 / k**2, np.ones(5)], axis=1)
    >>> out = np.empty((1, 5))
    >>> reduced_intensity((3 / k**2 + 2)[None], design, np.ones(5, bool), k, out)
    >>> bool(abs(out).max() < 1e-12)
    True
    """
    values = np.asarray(profiles, np.float64)
    known = np.isfinite(values)
    shapes = design.shape[1]
    even = 1.0 / design[:, 0]
    numbers = np.full((len(values), shapes), np.nan)
    whole = known[:, fitted].all(axis=1)
    if whole.any() and fitted.sum() >= shapes:
        scaled = np.linalg.pinv(design[fitted] * even[fitted, None])
        numbers[whole] = (values[whole][:, fitted] * even[fitted]) @ scaled.T
    for i in np.flatnonzero(~whole):
        used = fitted & known[i]
        if used.sum() >= shapes:
            scaled, target = design[used] * even[used, None], values[i, used] * even[used]
            numbers[i] = np.linalg.lstsq(scaled, target, rcond=None)[0]
    with np.errstate(all="ignore"):
        atoms = np.where(numbers[:, :1] > 0, numbers[:, :1], np.nan)
        np.divide(weight * (values - numbers @ design.T), atoms, out=out)


def sine_transform(reduced, matrix, out):
    """``reduced @ matrix``, single nan bridged by straight lines.

    Parameters
    ----------
    reduced : ndarray [n, k]
        Reduced intensities. What is nan before the first or after the last known one counts as 0.
    matrix : ndarray of float64 [k, r]
        See `transform_matrix`.
    out : ndarray of float64 [n, r]
        Filled; nan where all is nan.

    Examples
    --------
    >>> out = np.empty((1, 2))
    >>> sine_transform(np.array([[1.0, np.nan, 3.0]]), np.ones((3, 2)), out)
    >>> out
    array([[6., 6.]])
    """
    values = np.array(reduced, np.float64)
    known = np.isfinite(values)
    index = np.arange(values.shape[1])
    for i in np.flatnonzero(~known.all(axis=1)):
        if known[i].any():
            values[i] = np.interp(index, index[known[i]], values[i, known[i]], left=0.0, right=0.0)
    np.matmul(values, matrix, out=out)


sine_transform.multiplies_matrices = True  # type: ignore[attr-defined]  # so that each product gets one thread
reduced_intensity.multiplies_matrices = True  # type: ignore[attr-defined]


def transform_matrix(q, r, damping, extend):
    """What a sine transform multiplies with: ``(2/π) ΔQ M(Q) sin(Q r)``, float64 [Q, r].

    Parameters
    ----------
    q : ndarray of float64 [k]
        Q at the middles of bins of equal width, 1/Å.
    r : ndarray of float64 [r]
        Distances, Å.
    damping : callable
        M(Q).
    extend : bool
        Take the function below the first bin for a straight line from 0 at Q = 0; otherwise it is 0 there.

    Examples
    --------
    >>> q, r = np.arange(0.05, 20, 0.1), np.array([1.0, 2.0])
    >>> g = (q * np.exp(-q * q / 4)) @ transform_matrix(q, r, np.ones_like, True)
    >>> bool(np.allclose(g, 4 / np.sqrt(np.pi) * r * np.exp(-r * r)))
    True
    """
    step = (q[-1] - q[0]) / (len(q) - 1)

    def rows(at):
        return (2 / np.pi) * step * damping(at)[:, None] * np.sin(at[:, None] * r)

    matrix = rows(q)
    below = q[0] - step * np.arange(1, int(np.ceil(q[0] / step - 1e-9)))
    if extend and len(below):
        matrix[0] += (below / q[0]) @ rows(below)
    return matrix

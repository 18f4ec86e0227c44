"""Where a centre of symmetry is looked for, what follows from the mask alone, and the correlations for all places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.friedel_symmetry import LEAST_SPREAD, smoothed
from lazy4d.kernels.subpixel import upsampled_dft, upsampled_peaks

COARSE = 24
"""Least size, in pixels, of frames that are binned to find the neighbourhood of the centre."""

UPSAMPLE = 16
"""Points a step of s, so half a pixel, at which `upsampled_peak` looks."""


@dataclass(frozen=True, eq=False)
class Search:
    """Where to look for a centre, and what of the correlation depends on the mask alone.

    Parameters
    ----------
    origin : tuple of int
        First row and column of the window that is looked at.
    weights : tuple of float32 ndarray
        Pixels that count, for the window and for each level of binning by 2: first 1 or 0, then sums.
    shares : float32 ndarray [h, w]
        What sums of 1 2 1 along y and x over pixels that count are multiplied with for a mean; 0 for masked pixels.
    first : tuple of int
        The smallest s, along y and x, that is looked at on the coarsest level.
    fft_shape : tuple of int
        Shape of the padded frames of the coarsest level.
    spectrum : complex ndarray
        Of the coarsest weights.
    pairs : float64 ndarray [sy, sx]
        Sum of the weights of all pairs for each s; 0 where s is not to be looked at.
    middle : tuple of float
        The s of the expected centre, in pixels of the window.
    reach : float
        How far from it s may be.
    """

    origin: tuple[int, int]
    weights: tuple[NDArray[np.float32], ...]
    shares: NDArray[np.float32]
    first: tuple[int, int]
    fft_shape: tuple[int, int]
    spectrum: NDArray[np.complex128]
    pairs: NDArray[np.float64]
    middle: tuple[float, float]
    reach: float

    @property
    def fine_shape(self) -> tuple[int, int]:
        """Shape of padded frames that are not binned: room for the same search, and one step around it."""
        from scipy.fft import next_fast_len

        bins = 2 ** (len(self.weights) - 1)
        rows, columns = (
            max(bins * (lo + n) + 2, 2 * size - bins * lo + 2)
            for lo, n, size in zip(self.first, self.pairs.shape, self.weights[0].shape, strict=True)
        )
        return next_fast_len(rows), next_fast_len(columns, real=True)

    @property
    def plain(self) -> bool:
        """Whether all pixels of the window count."""
        return bool(self.weights[0].all())


def make_search(
    inside: NDArray[np.uint8],
    origin: tuple[int, int],
    center: tuple[float, float],
    radius: float,
    min_overlap: float,
    levels: int | None = None,
) -> Search:
    """What `friedel` needs to know beside the frames.

    Parameters
    ----------
    inside : ndarray of uint8 [h, w]
        The window's pixels: 0 where they do not count.
    origin : tuple of int
        First row and column of the window within the frame.
    center : tuple of float
        Expected centre (y, x), pixels of the frame.
    radius : float
        How far from it the centre may be, pixels.
    min_overlap : float
        Share of the largest possible overlap that a centre needs, in (0, 1].
    levels : int, optional
        How many times frames are binned by 2 for the coarse search; by default until 24 to 48 pixels are left.

    Returns
    -------
    Search
        The tables.

    Raises
    ------
    ValueError
        No centre fulfils the conditions.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    weights = [(inside != 0).astype(np.float32)]
    if levels is None:
        levels = max(0, int(np.log2(max(min(inside.shape) / COARSE, 1))))
    for _ in range(levels):
        weights.append(_binned_weights(weights[-1]))
    bins = 2**levels
    shape = weights[-1].shape
    # A pixel p lies at (p - (bins - 1) / 2) / bins on the coarsest level, and so s at (s - (bins - 1)) / bins.
    middle = [(2 * (c - o) - (bins - 1)) / bins for c, o in zip(center, origin, strict=True)]
    reach = 2 * radius / bins
    size = [2 * n - 1 for n in shape]
    spectrum = rfft2(weights[-1].astype(np.float64), size)
    pairs = np.maximum(np.rint(irfft2(spectrum * spectrum, size)), 0)
    rows, columns = (np.arange(n) - m for n, m in zip(size, middle, strict=True))
    near = rows[:, None] ** 2 + columns**2 <= max(reach, 1.0) ** 2
    found = np.where(near & (pairs >= min_overlap * pairs.max()), pairs, 0)
    if not found.any():
        raise ValueError(
            f"no centre within {radius:g} px of (y, x) = ({center[0]:g}, {center[1]:g}) has at least {min_overlap:g} "
            "of the largest overlap between the pixels that count and their inversion: widen the mask or the search, "
            "or lower min_overlap"
        )
    lines = [np.flatnonzero(found.any(axis=1 - axis)) for axis in (0, 1)]
    first, last = [int(k[0]) for k in lines], [int(k[-1]) for k in lines]
    # Wrapped values of a shorter transform fall on other s than those looked at, if it has this many points.
    points = [max(hi + 1, n - lo) for lo, hi, n in zip(first, last, size, strict=True)]
    fast = (next_fast_len(points[0]), next_fast_len(points[1], real=True))
    return Search(
        origin,
        tuple(weights),
        _shares(weights[0]),
        (first[0], first[1]),
        fast,
        rfft2(weights[-1].astype(np.float64), fast),
        np.ascontiguousarray(found[first[0] : last[0] + 1, first[1] : last[1] + 1]),
        (2 * (center[0] - origin[0]), 2 * (center[1] - origin[1])),
        2 * radius,
    )


def _shares(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The factors that turn sums of 1 2 1 into means over the pixels that count; 0 for those that do not."""
    sums = np.empty_like(weights)
    smoothed(weights, np.ones_like(weights), sums)
    return np.divide(weights, sums, out=sums, where=sums > 0)


def _binned_weights(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of 2 × 2 pixels; a last odd row or column stands alone."""
    h, w = weights.shape
    even = np.zeros((h + h % 2, w + w % 2), np.float32)
    even[:h, :w] = weights
    return even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).sum(axis=(1, 3))


def tables(f: NDArray[np.float32], search: Search) -> NDArray[np.float64]:
    """C, A, Q and √(Σ f² f'²)² for every s that is looked at, of frames [m, h, w]: an array [m, 4, sy, sx]."""
    from scipy.fft import fft, ifft, irfft, rfft

    rows, columns = search.fft_shape
    weighted = np.empty((len(f), 2, *f.shape[1:]))
    np.multiply(f, search.weights[-1], out=weighted[:, 0])
    np.multiply(weighted[:, 0], f, out=weighted[:, 1])
    spectra = fft(rfft(weighted, columns, axis=-1, workers=1), rows, axis=-2, workers=1, overwrite_x=True)
    products = np.empty((len(f), 4, *spectra.shape[2:]), spectra.dtype)
    np.multiply(spectra[:, 0], spectra[:, 0], out=products[:, 0])
    np.multiply(spectra[:, 0], search.spectrum, out=products[:, 1])
    np.multiply(spectra[:, 1], search.spectrum, out=products[:, 2])
    np.multiply(spectra[:, 1], spectra[:, 1], out=products[:, 3])
    height, width = search.pairs.shape
    lines = ifft(products, axis=-2, workers=1, overwrite_x=True)[..., search.first[0] : search.first[0] + height, :]
    found: NDArray[np.float64] = irfft(lines, columns, axis=-1, workers=1)
    return found[..., search.first[1] : search.first[1] + width]


def upsampled_peak(
    f: NDArray[np.float32], mask_spectrum: NDArray[np.complex64], search: Search, s: NDArray[np.int64]
) -> tuple[float, float, float]:
    """The maximum of the score about `s`, on a grid of 1/16, refined by a parabola: (y, x) from `s`, and the score.

    All nan where the score is not defined everywhere about `s`, as at the rim of a small window.

    Parameters
    ----------
    f : ndarray of float32 [h, w]
        A prepared frame, 0 where pixels do not count.
    mask_spectrum : ndarray of complex64
        ``rfft2(search.weights[0], search.fine_shape)``.
    search : Search
        The tables.
    s : ndarray of int64 [2]
        Where the maximum is among whole numbers.
    """
    from scipy.fft import rfft2

    rows, columns = search.fine_shape
    one, two = rfft2(np.stack([f, f * f]), (rows, columns), workers=1)
    products = np.stack([one * one, one * mask_spectrum, two * mask_spectrum, mask_spectrum * mask_spectrum])
    fine, steps = upsampled_dft(products, columns, np.tile(s.astype(np.float64), (4, 1)), UPSAMPLE, 1.0)
    if not (fine[3] > 0.5).all():
        return np.nan, np.nan, np.nan
    level = fine[1] ** 2 / fine[3]
    own = fine[2] - level
    if not (own > LEAST_SPREAD * fine[2]).all():
        return np.nan, np.nan, np.nan
    offset, height = upsampled_peaks(((fine[0] - level) / own)[None], steps)
    return float(offset[0, 0]), float(offset[0, 1]), float(height[0])

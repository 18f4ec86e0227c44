"""The centre about which a frame looks the same when it is turned by 180°, also where pixels are missing.

A pattern with Friedel symmetry, I(c + q) = I(c - q), is its own image under the inversion p -> s - p with s = 2c. For
every s the pixels p for which p and its image s - p both count form the overlap O(s). It is symmetric itself, so that
one mean and one variance serve both sides of the normalised correlation of a frame with its own inversion::

    N = Σ_O 1      A = Σ_O I(p)      Q = Σ_O I(p)²      C = Σ_O I(p) I(s - p)
    score(s) = (C - A²/N) / (Q - A²/N)       in [-1, 1], 1 for perfect symmetry about s/2

With M = 1 where pixels count and 0 elsewhere all four are convolutions, ``N = M*M``, ``A = MI*M``, ``Q = MI²*M`` and
``C = MI*MI`` (the masked normalised correlation of Padfield, doi 10.1109/TIP.2011.2181402, for this case). Frames
are binned, convolved by real FFTs, and the best s is then followed through the finer levels up to the pixels themselves
with sums taken directly. Binned pixels weigh as much as the pixels in them that count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.friedel_search import Search, make_search, tables, upsampled_peak
from lazy4d.kernels.friedel_symmetry import PATCH, binned, climb, smoothed, standardised, strongest
from lazy4d.kernels.subpixel import parabolas

__all__ = ["Search", "friedel", "make_search"]

BATCH_BYTES = 2**20
"""Prepared frames that are convolved together: a few, so that they stay in cache."""


def friedel(
    frames: NDArray[Any],
    search: Search,
    threshold: float,
    background: float,
    root: bool,
    smooth: bool,
    refine: str,
    out: NDArray[np.float64],
) -> None:
    """Centre (y, x) of inversion of each frame, in pixels counted from the frame's first, and how symmetric it is.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    search : Search
        Window, mask and where to look; see `make_search`.
    threshold : float
        Pixels at or below it (after subtraction of the background) count as 0; ``-inf``: as they are.
    background : float
        Subtracted from every pixel; matters only with a threshold or the root.
    root : bool
        Whether square roots of the pixels are compared, of which the noise is the same everywhere.
    smooth : bool
        Whether each pixel is averaged with its neighbours first, weighted by 1 2 1 along y and x.
    refine : {"parabola", "dft", ""}
        How the maximum is placed between the steps of half a pixel: by a parabola through it and its neighbours,
        by an upsampled Fourier transform, or not at all.
    out : ndarray of float64 [n, 3]
        Filled with (y, x, score), the score in [-1, 1]; nan for frames that are empty or constant or hold a nan where
        pixels count, and for those that are symmetric nowhere.

    Examples
    --------
    >>> frames = np.zeros((2, 12, 14), np.uint16)
    >>> frames[0, 4:7, 8:10] = [[9, 5], [7, 7], [5, 9]]
    >>> search = make_search(np.ones((12, 14), np.uint8), (0, 0), (6, 7), 4, 0.3)
    >>> out = np.empty((2, 3))
    >>> friedel(frames, search, -np.inf, 0.0, False, True, "parabola", out)
    >>> out.round(2)
    array([[5. , 8.5, 1. ],
           [nan, nan, nan]])
    """
    from scipy.fft import rfft2

    if frames.dtype == np.bool_:  # kernels are compiled for numbers
        frames = frames.view(np.uint8)
    shape = search.weights[0].shape
    batch = max(1, min(len(frames), BATCH_BYTES // (4 * shape[0] * shape[1])))
    levels = [np.empty((batch, *w.shape), np.float32) for w in search.weights]
    turned = [np.empty(w.shape, np.float32) for w in search.weights]
    turned_weights = [np.ascontiguousarray(w[::-1, ::-1]) for w in search.weights]
    known, s = np.empty((2 * PATCH + 3, 2 * PATCH + 3)), np.empty(2, np.int64)
    mask_spectrum = rfft2(search.weights[0], search.fine_shape) if refine == "dft" else None
    chosen = (threshold, background, root, smooth)
    places, patches = np.zeros((len(frames), 2), np.int64), np.full((len(frames), 3, 3), -np.inf)
    finer = np.full((len(frames), 3), np.nan)
    for start in range(0, len(frames), batch):
        tile = frames[start : start + batch]
        good = [_prepared(frame, search, chosen, k, levels) for k, frame in enumerate(tile)]
        correlations = tables(levels[-1][: len(tile)], search)
        for k in range(len(tile)):
            row, column = strongest(*correlations[k], search.pairs) if good[k] else (-1, -1)
            if row < 0:
                continue
            s[:] = search.first[0] + row, search.first[1] + column
            for level in range(max(len(levels) - 2, 0), -1, -1):
                if len(levels) > 1:
                    s *= 2
                    s += 1
                frame, weights, bins = levels[level][k], search.weights[level], 2**level
                plain = level == 0 and search.plain
                middle = (np.array(search.middle) - (bins - 1)) / bins
                reach = search.reach / bins + 1  # what is next to the rim may still be above it
                row, column = climb(
                    frame, weights, turned_weights[level], plain, turned[level], middle, reach, s, known
                )
            places[start + k], patches[start + k] = s, known[row - 1 : row + 2, column - 1 : column + 2]
            if mask_spectrum is not None:
                finer[start + k] = upsampled_peak(levels[0][k], mask_spectrum, search, s)
    found = patches[:, 1, 1] > -np.inf
    steps, scores = _refined(patches, refine != "")
    by_transform = np.isfinite(finer[:, 2])
    steps[by_transform], scores[by_transform] = finer[by_transform, :2], finer[by_transform, 2]
    out[:, :2] = search.origin + (places + steps) / 2
    out[:, 2] = np.clip(scores, -1, 1)
    out[~found] = np.nan


def _refined(patches: NDArray[np.float64], refine: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maxima of scores [n, 3, 3] about the middle ones: steps (y, x) [n, 2] to them, and their heights [n]."""
    steps, scores = np.zeros((len(patches), 2)), patches[:, 1, 1].copy()
    whole = np.isfinite(patches).all(axis=(1, 2))
    if refine and whole.any():
        steps[whole], scores[whole] = parabolas(patches[whole])
    return steps, scores


def _prepared(
    frame: NDArray[Any],
    search: Search,
    chosen: tuple[float, float, bool, bool],
    k: int,
    levels: list[NDArray[np.float32]],
) -> bool:
    """Fill row `k` of each level with the frame, standardised and binned; False where there is nothing to see."""
    y0, x0 = search.origin
    threshold, background, root, smooth = chosen
    raw = np.empty_like(search.weights[0]) if smooth else levels[0][k]
    good = standardised(frame, y0, x0, search.weights[0], threshold, background, root, raw)
    if smooth:
        smoothed(raw, search.shares, levels[0][k])
    for fine in range(len(levels) - 1):
        binned(levels[fine][k], search.weights[fine], levels[fine + 1][k], search.weights[fine + 1])
    return bool(good)

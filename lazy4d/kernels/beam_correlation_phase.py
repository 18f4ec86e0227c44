"""How far each frame is displaced from a reference: cross-correlation of which the spectrum is flattened.

With the spectra F of the frame and R of the reference, padded so that nothing comes round from the opposite edge::

    G = F conj(R)        c = inverse transform of |G|^p exp(i arg G) L

p = 1 is cross-correlation, p = 0 phase correlation (every frequency counts the same), values between are hybrids. L is
a Gaussian that leaves out what is finer than pixels. The score is c at its highest over what it would be if all
frequencies agreed: in [0, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.subpixel import parabolas, upsampled_dft, upsampled_peaks

BLUR = 0.7
"""Standard deviation of L in the image, pixels: the peak of equal phases is then wider than a pixel."""
FLOOR = 1e-5
"""Share of the largest frequency below which others are rounding and count less."""
EDGE = 0.125
"""Share of the window over which a picture fades on each side, so that its edges are no feature."""


def phase_correlation(
    frames: NDArray[Any],
    window: NDArray[np.int64],
    mask: NDArray[np.uint8],
    low: float,
    background: float,
    picture: NDArray[Any],
    center: NDArray[np.float64],
    alone: bool,
    power: float,
    upsample: int,
    out: NDArray[np.float64],
) -> None:
    """The centre of the reference plus the displacement of each frame: (y, x, height of the peak).

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    window : ndarray of int64 [4]
        ``(y0, y1, x0, x1)``: only rows ``[y0, y1)`` and columns ``[x0, x1)`` count; the beam's pixel is among them.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 are replaced by the mean of the others; of size 0: all count.
    low : float
        Pixels at or below it (after subtraction of the background) are 0; ``-inf``: none.
    background : float
        Subtracted from every pixel of the frames.
    picture : ndarray [m, l] or [ky, kx]
        The reference.
    center : ndarray of float64 [2]
        Where the beam is in the reference, (y, x); nan: its centre of mass above half of its range in the window.
    alone : bool
        Whether the reference is a picture of the beam, of any shape. Else it is a whole pattern, cut by the window as
        the frames are; edges are faded out, and displacements of up to half of the window are looked for.
    power : float
        p in [0, 1].
    upsample : int
        0: whole pixels; 1: parabola; from 2: points a pixel of the upsampled transform, then a parabola.
    out : ndarray of float64 [n, 3]
        Filled; nan where the frame is empty, constant or not finite, or the reference is.

    Examples
    --------
    >>> frames = np.zeros((1, 24, 32)); frames[0, 7:12, 9:14] = 5
    >>> window, all_count, out = np.array([0, 24, 0, 32]), np.empty((0, 0), np.uint8), np.empty((1, 3))
    >>> reference, where = np.pad(np.ones((5, 5)), 2), np.array([4.0, 4.0])
    >>> phase_correlation(frames, window, all_count, -np.inf, 0.0, reference, where, True, 0.5, 1, out)
    >>> out.round(1)
    array([[ 9., 11.,  1.]])
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    y0, y1, x0, x1 = (int(edge) for edge in window)
    corner, shape = np.array([y0, x0]), (y1 - y0, x1 - x0)
    out[...] = np.nan
    counts = np.ones(shape, bool) if mask.size == 0 else mask[y0:y1, x0:x1] != 0
    some: Any = counts if mask.size else ...
    pattern: NDArray[Any] = np.asarray(picture, np.float64)
    middle = np.asarray(center, np.float64)
    known: NDArray[Any]
    fade: NDArray[Any]
    if alone:
        known, fade, margin = np.ones(pattern.shape, bool), np.ones(shape), pattern.shape
    else:
        pattern, middle, known = pattern[y0:y1, x0:x1], middle - corner, counts
        fade, margin = np.outer(_fading(shape[0]), _fading(shape[1])), (shape[0] // 2, shape[1] // 2)
    if not len(frames) or not np.isfinite(pattern[known]).all() or np.ptp(pattern[known]) == 0:
        return
    if np.isnan(middle).any():
        middle = _bright_middle(pattern, known)
    size = tuple(next_fast_len(n + m, real=True) for n, m in zip(shape, margin, strict=True))
    faded = pattern if alone else _even(pattern, known, fade)
    reference = (_low_pass(size) * rfft2(faded, size, workers=1).conj()).astype(np.complex64)
    moves = [_moves(n, float(c), bool(alone)) for n, c in zip(shape, middle, strict=True)]
    seen = np.ix_(*(move % n for move, n in zip(moves, size, strict=True)))
    for k in range(len(frames)):  # one at a time: larger batches leave the cache
        frame = frames[k, y0:y1, x0:x1].astype(np.float32)
        if background:
            frame -= np.float32(background)
        if low > -np.inf:
            frame[frame <= low] = 0
        if not _varies(frame[some]):
            continue
        spectrum = rfft2(_even(frame, counts, fade), size, workers=1)
        spectrum *= reference
        square = spectrum.real**2 + spectrum.imag**2
        top = square.max()
        if not top > 0:
            continue
        square += FLOOR**2 * top
        factor = _power(square, 0.5 * (power - 1))
        spectrum *= factor
        factor *= np.sqrt(square, out=square)
        full = _sum_of_spectrum(factor, size[1]) / (size[0] * size[1])
        place, height = _peak(irfft2(spectrum, size, workers=1), spectrum, moves, seen, upsample)
        if height > 0:
            out[k, :2] = corner + middle + place
            out[k, 2] = min(height / full, 1.0)


phase_correlation.multiplies_matrices = True  # type: ignore[attr-defined]  # so that each product gets one thread


def _peak(
    image: NDArray[Any], spectrum: NDArray[Any], moves: list[NDArray[np.int64]], seen: Any, upsample: int
) -> tuple[NDArray[np.float64], float]:
    """The displacement (y, x) of the highest correlation among those looked for, and the correlation there."""
    part = image[seen]
    index = np.unravel_index(int(part.argmax()), part.shape)
    place = np.array([move[k] for move, k in zip(moves, index, strict=True)], np.float64)
    if not upsample:
        return place, float(part[index])
    near = [int(p) + np.arange(-1, 2) for p in place]
    around = image[np.ix_(*(k % n for k, n in zip(near, image.shape, strict=True)))]
    offset, height = parabolas(around.astype(np.float64))
    if upsample > 1:
        fine, steps = upsampled_dft(spectrum, image.shape[1], (place + offset)[None], upsample)
        more, heights = upsampled_peaks(fine, steps)
        return place + offset + more[0], float(heights[0])
    return place + offset, float(height)


def _moves(length: int, middle: float, alone: bool) -> NDArray[np.int64]:
    """Displacements that leave the beam in a window of so many pixels, of a whole pattern at most half of it."""
    first, stop = int(np.ceil(-middle - 0.5)), int(np.ceil(length - middle - 0.5))
    if not alone:
        first, stop = max(first, -(length // 2)), min(stop, length // 2 + 1)
    return np.arange(first, stop)


def _fading(length: int) -> NDArray[np.float64]:
    """1 in the middle, falling to 0 at both ends as a cosine."""
    rim = (np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5) / max(EDGE * length, 1)
    result: NDArray[np.float64] = 0.5 - 0.5 * np.cos(np.pi * np.minimum(rim, 1.0))
    return result


def _even(frame: NDArray[Any], counts: NDArray[np.bool_], fade: NDArray[np.float64]) -> NDArray[np.float32]:
    """A frame minus its mean over pixels that count, 0 elsewhere, faded, of height 1."""
    weight = (fade * counts).astype(np.float32)
    if not counts.all():
        frame = np.where(counts, frame, np.float32(0))
    mean = np.float32((frame * weight).sum(dtype=np.float64) / weight.sum(dtype=np.float64))
    result: NDArray[np.float32] = ((frame - mean) * weight).astype(np.float32, copy=False)
    top = max(float(result.max()), -float(result.min()))  # spectra are squared: keep them in range
    return result / np.float32(top) if top > 0 else result


def _varies(pixels: NDArray[np.float32]) -> bool:
    """Whether pixels are finite, and not all equal."""
    low, high = float(pixels.min()), float(pixels.max())
    return bool(np.isfinite(low) and np.isfinite(high) and high > low)


def _power(square: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """``square ** exponent``; the usual ones by square roots, which are faster."""
    if exponent == 0:
        return np.ones_like(square)
    if exponent == -0.5:
        return np.reciprocal(np.sqrt(square))
    if exponent == -0.25:
        return np.reciprocal(np.sqrt(np.sqrt(square)))
    result: NDArray[np.float32] = square ** np.float32(exponent)
    return result


def _low_pass(size: tuple[int, ...]) -> NDArray[np.float32]:
    """The transform of a Gaussian of standard deviation `BLUR`, as for ``rfft2``."""
    fy, fx = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    return np.exp(-2 * (np.pi * BLUR) ** 2 * (fy**2 + fx**2)).astype(np.float32)


def _sum_of_spectrum(strength: NDArray[Any], width: int) -> float:
    """The sum over all frequencies of what ``rfft2`` gives for half of them."""
    inner = strength[:, 1:-1] if width % 2 == 0 else strength[:, 1:]
    return float(strength.sum(dtype=np.float64) + inner.sum(dtype=np.float64))


def _bright_middle(pattern: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The centre of mass (y, x) of what is above half of the range."""
    low, high = pattern[known].min(), pattern[known].max()
    bright = np.where(known & (pattern >= (low + high) / 2), pattern - low, 0.0)
    y, x = np.indices(pattern.shape)
    return np.array([(y * bright).sum(), (x * bright).sum()]) / bright.sum()

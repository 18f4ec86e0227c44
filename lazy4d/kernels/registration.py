"""Registration of maps of one area taken one after another: by which (y, x) each has to be moved onto the others.

A shift moves as everywhere, ``out[y, x] = in[y - dy, x - dx]``. A pair of maps is registered in two steps. The whole
pixels come from the highest normalised correlation coefficient of what both show, over all shifts (D. Padfield, doi
10.1109/TIP.2011.2181402), in which neither edges nor nan count; or from a phase correlation. Then one map is moved by
what is known, both are cut to what they share and windowed, and what is left is read off their correlation on a fine
grid (Guizar-Sicairos et al., doi 10.1364/OL.33.000156), until nothing is left: as the window stands still on both, it
pulls towards a rest of 0 only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.subpixel import upsampled_dft, upsampled_peaks

REFERENCES = ("first", "previous", "mean")
UPSAMPLE = 20
_ROUNDS = 5
_REST = 0.004  # pixels; less than any noise
_MEAN_ROUNDS = 3
_PHASE_BAND = 0.2  # cycles a pixel: above this a whitened spectrum is noise
_TAPER = 0.2  # of a side, at each edge
_LEAST_SHARE = 0.1  # of the map, that has to overlap

Floats = NDArray[np.float64]


def register(
    stacks: NDArray[Any], reference: str | int, phase: bool, max_shift: tuple[int, int], smoothing: float, out: Floats
) -> None:
    """The shifts that register the maps of stacks, and the correlation that is reached.

    Parameters
    ----------
    stacks : ndarray [n, t, y, x]
        Maps of one area at t times; nan where unknown.
    reference : {"first", "previous", "mean"} or int
        What each map is compared with: the first one (or that of a number), the one before it, or the mean of all
        others as they were registered so far.
    phase : bool
        By phase instead of cross-correlation.
    max_shift : tuple of int
        Largest shift (y, x) between two maps, pixels.
    smoothing : float
        See `smooth_path`; 0 for none.
    out : ndarray of float64 [n, t, 3]
        Filled with (dy, dx, score), the first (or numbered) map at (0, 0). The score is the correlation coefficient
        over the shared area. nan for maps that are nan, or of one value, throughout, and where no shift was found
        within `max_shift`; of these "first" and "previous" know nothing. All nan if a numbered map is one of them.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((24, 32))
    >>> image = image + np.roll(image, 1, 0) + np.roll(image, 1, 1) + np.roll(image, (1, 1), (0, 1))
    >>> out = np.empty((1, 2, 3))
    >>> register(np.stack([image, np.roll(image, (2, -3), (0, 1))])[None], "first", False, (6, 6), 0.0, out)
    >>> out[0, 1, :2].round(1) + 0.0
    array([-2.,  3.])
    """
    for stack, result in zip(np.asarray(stacks, np.float64), out, strict=True):
        result[...] = np.nan
        known = [t for t in range(len(stack)) if _shows_something(stack[t])]
        fixed = reference if isinstance(reference, int | np.integer) else known[0] if known else -1
        if fixed not in known:
            continue
        if reference == "previous":
            _to_previous(stack, known, phase, max_shift, result)
        else:
            _to_one(stack, known, int(fixed), phase, max_shift, result)
            if reference == "mean":
                for _ in range(_MEAN_ROUNDS):
                    _to_mean(stack, known, phase, result)
        if smoothing > 0:
            result[:, :2] = smooth_path(result[:, :2], np.clip(result[:, 2], 0.0, 1.0), smoothing)
        result[:, :2] -= result[fixed, :2].copy()


def _shows_something(image: Floats) -> bool:
    """Whether a map has values, and not one alone, as where the beam was off."""
    values = image[np.isfinite(image)]
    return values.size == 1 or bool(values.size and values.max() > values.min())


def _to_one(stack: Floats, known: list[int], fixed: int, phase: bool, most: tuple[int, int], result: Floats) -> None:
    for t in known:
        result[t] = register_pair(stack[fixed], stack[t], phase, most) if t != fixed else (0.0, 0.0, 1.0)


def _to_previous(stack: Floats, known: list[int], phase: bool, most: tuple[int, int], result: Floats) -> None:
    before = known[0]
    result[before] = (0.0, 0.0, 1.0)
    for t in known[1:]:
        result[t] = register_pair(stack[before], stack[t], phase, most)
        result[t, :2] += result[before, :2]
        if np.isfinite(result[t]).all():
            before = t


def _to_mean(stack: Floats, known: list[int], phase: bool, result: Floats) -> None:
    """Register each map anew to the mean of all others, which holds none of its own noise."""
    if len(known) < 3:
        return
    moved = {t: move(stack[t], result[t, :2]) for t in known}
    total = np.sum([np.nan_to_num(m) for m in moved.values()], axis=0)
    count = np.sum([np.isfinite(m) for m in moved.values()], axis=0)
    for t in known:
        own = np.isfinite(moved[t])
        number = count - own
        others = np.where(number > 0, (total - np.nan_to_num(moved[t])) / np.maximum(number, 1), np.nan)
        result[t] = refine(others, stack[t], result[t, :2].copy(), phase)


def register_pair(reference: Floats, image: Floats, phase: bool, max_shift: tuple[int, int]) -> Floats:
    """The shift that moves `image` onto `reference`, and the correlation reached: float64 (dy, dx, score).

    Examples
    --------
    >>> y, x = np.mgrid[:32, :32]
    >>> blob = lambda a, b: np.exp(-((y - a) ** 2 + (x - b) ** 2) / 18.0)
    >>> register_pair(blob(16, 16), blob(14.5, 17.25), False, (8, 8)).round(2)
    array([ 1.5 , -1.25,  1.  ])
    """
    coefficient = _phase_image(reference, image) if phase else masked_correlation(reference, image)
    height, width = coefficient.shape
    dy, dx = np.arange(height), np.arange(width)
    dy, dx = np.where(dy > height // 2, dy - height, dy), np.where(dx > width // 2, dx - width, dx)
    near = (np.abs(dy) <= max_shift[0])[:, None] & (np.abs(dx) <= max_shift[1])
    searched = np.where(near & np.isfinite(coefficient), coefficient, -np.inf)
    at = np.unravel_index(int(searched.argmax()), searched.shape)
    if not np.isfinite(searched[at]):
        return np.full(3, np.nan)
    found = refine(reference, image, np.array([dy[at[0]], dx[at[1]]], np.float64), phase)
    # A fraction more than asked for is the place between pixels; more is another place that looks alike.
    return found if (np.abs(found[:2]) <= np.asarray(max_shift) + 0.5).all() else np.full(3, np.nan)


def masked_correlation(reference: Floats, image: Floats) -> Floats:
    """Correlation coefficients of two maps over what they share, at all shifts; negative shifts count from the end.

    Parameters
    ----------
    reference, image : ndarray of float64 [y, x]
        nan does not count.

    Returns
    -------
    ndarray of float64
        At [dy, dx]: of ``reference[y, x]`` and ``image[y - dy, x - dx]``. nan where little is shared, or all is equal.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((8, 8))
    >>> float(masked_correlation(image, image)[0, 0].round(6))
    1.0
    """
    from scipy import fft

    shape = [fft.next_fast_len(2 * n, real=True) for n in reference.shape]

    def spectra(values: Floats) -> list[Any]:
        known = np.isfinite(values)
        centred = np.where(known, values - values[known].mean(), 0.0) if known.any() else np.zeros(values.shape)
        return [fft.rfft2(v, shape, workers=1) for v in (known.astype(np.float64), centred, centred * centred)]

    (w, a, aa), (v, b, bb) = spectra(reference), [s.conj() for s in spectra(image)]

    def summed(product: Any) -> Any:
        return fft.irfft2(product, shape, workers=1)

    pairs = np.rint(summed(w * v))
    sum_a, sum_b = summed(a * v), summed(w * b)
    spread_a = pairs * summed(aa * v) - sum_a * sum_a
    spread_b = pairs * summed(w * bb) - sum_b * sum_b
    enough = pairs >= max(4, _LEAST_SHARE * pairs.max())
    usable = enough & (spread_a > 1e-9 * spread_a.max()) & (spread_b > 1e-9 * spread_b.max())
    with np.errstate(all="ignore"):
        return np.where(usable, (pairs * summed(a * b) - sum_a * sum_b) / np.sqrt(spread_a * spread_b), np.nan)


def _window(shape: tuple[int, ...]) -> Floats:
    """0 at the edges and 1 in the middle (J. W. Tukey's, cosines over a fifth of a side)."""
    sides = []
    for n in shape:
        from_edge = np.minimum(np.arange(n) + 0.5, n - 0.5 - np.arange(n)) / n
        sides.append(np.sin(0.5 * np.pi * np.minimum(from_edge / _TAPER, 1.0)) ** 2)
    return sides[0][:, None] * sides[1]


def _weighted_spectrum(values: Floats, weight: Floats) -> Any:
    from scipy import fft

    known = np.where(weight > 0, values, 0.0)
    middle = (known * weight).sum() / weight.sum()
    return fft.rfft2((known - middle) * weight, workers=1)


def _whitened(spectrum: Any, shape: tuple[int, ...]) -> Any:
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    size = np.abs(spectrum)
    return spectrum / np.maximum(size, 1e-12 * size.max() + 1e-300) * np.exp(-((frequency / _PHASE_BAND) ** 2))


def _phase_image(reference: Floats, image: Floats) -> Floats:
    """The phase correlation of two maps, windowed."""
    from scipy import fft

    window = _window(reference.shape)
    one, other = (_weighted_spectrum(m, window * np.isfinite(m)) for m in (reference, image))
    result: Floats = fft.irfft2(_whitened(one * other.conj(), reference.shape), reference.shape, workers=1)
    return result


def move(image: Floats, shift: Floats) -> Floats:
    """A map moved by cubic splines, nan where it does not reach or would need a nan.

    Examples
    --------
    >>> move(np.array([[1.0, 2.0, 3.0]]), np.array([0.0, 1.0]))
    array([[nan,  1.,  2.]])
    """
    from scipy import ndimage

    known = np.isfinite(image)
    if not np.isfinite(shift).all() or not known.any():
        return np.full(image.shape, np.nan)
    filled = image if known.all() else np.where(known, image, image[known].mean())
    moved: Floats = ndimage.shift(filled, shift, order=3, mode="mirror")
    inside = ndimage.shift(known.astype(np.float64), shift, order=1, mode="constant", cval=0.0)
    return np.where(inside > 1 - 1e-6, moved, np.nan)


def refine(reference: Floats, image: Floats, shift: Floats, phase: bool) -> Floats:
    """The shift of `image` onto `reference` between the pixels, from one that is known to a pixel, with the score.

    Examples
    --------
    >>> y, x = np.mgrid[:32, :32]
    >>> blob = lambda a, b: np.exp(-((y - a) ** 2 + (x - b) ** 2) / 18.0)
    >>> refine(blob(16, 16), blob(16.3, 15.6), np.zeros(2), False)[:2].round(2)
    array([-0.3,  0.4])
    """
    found = shift.astype(np.float64)
    start = found.copy()
    for _ in range(_ROUNDS):
        shared = _shared(reference, move(image, found))
        if shared is None:
            return np.full(3, np.nan)
        one, other, weight = shared
        product = _without_noise(_weighted_spectrum(one, weight), _weighted_spectrum(other, weight), one.shape, phase)
        fine, steps = upsampled_dft(product, one.shape[1], np.zeros((1, 2)), UPSAMPLE, 1.0)
        rest = upsampled_peaks(fine, steps)[0][0]
        found = found + rest
        if np.abs(found - start).max() > 3:
            break  # it runs away from where the maps look alike
        if np.abs(rest).max() < _REST:
            break
    shared = _shared(reference, move(image, found))
    if shared is None or np.abs(found - start).max() > 3:
        return np.full(3, np.nan)
    return np.array([*found, _coefficient(*shared)])


def _without_noise(a: Any, b: Any, shape: tuple[int, ...], phase: bool) -> Any:
    """The cross spectrum of two maps, whitened or not, times how far they agree in each ring of frequencies.

    That is their Fourier ring correlation, squared, where it is beyond chance: what only one of the maps has is noise.
    """
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    ring = np.rint(frequency * min(shape)).astype(np.int64).ravel()
    cross = a * b.conj()
    together, power_a, power_b = (np.bincount(ring, v.ravel()) for v in (cross.real, np.abs(a) ** 2, np.abs(b) ** 2))
    number = np.bincount(ring)
    scale = np.sqrt(power_a * power_b)
    alike = np.where(scale > 0, together / np.where(scale > 0, scale, 1.0), 0.0)
    alike = np.where(alike > 2 / np.sqrt(2.0 * np.maximum(number, 1)), alike, 0.0)
    if not alike.any():
        alike[:] = 1.0
    share = (alike * alike)[ring].reshape(cross.shape)
    if not phase:
        return cross * share
    size = np.abs(cross)
    return cross / np.maximum(size, 1e-9 * size.max() + 1e-300) * share


def _shared(one: Floats, other: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Both maps cut to the box in which both are known, and a weight that is 0 at its edges and where one is nan."""
    known = np.isfinite(one) & np.isfinite(other)
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    if rows.size < 4 or columns.size < 4:
        return None
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    weight = _window(known[box].shape) * known[box]
    return one[box], other[box], weight


def _coefficient(one: Floats, other: Floats, weight: Floats) -> float:
    """The weighted correlation coefficient; 0 where a map is flat."""
    share = weight / weight.sum()
    a, b = (np.where(weight > 0, v, 0.0) for v in (one, other))
    a, b = a - (share * a).sum(), b - (share * b).sum()
    spread = (share * a * a).sum() * (share * b * b).sum()
    return float((share * a * b).sum() / np.sqrt(spread)) if spread > 0 else 0.0


def smooth_path(places: Floats, weights: Floats, strength: float) -> Floats:
    """A smooth path through places, robustly: float64 [t, d].

    Parameters
    ----------
    places : ndarray of float64 [t, d]
        nan is bridged.
    weights : ndarray of float64 [t]
        How much each counts; nan counts nothing.
    strength : float
        Penalty on the second differences.

    Notes
    -----
    The minimum of ``Σ w_t ρ_t |p_t - s_t|² + λ Σ |s_{t-1} - 2 s_t + s_{t+1}|²``, ρ Tukey's weights of the distances in
    units of 4.7 times their median absolute value (at least 0.02 pixels): places that jump away from the path do not
    pull it. Movement of a period of 2π λ^¼ steps is halved.

    Examples
    --------
    >>> places = np.arange(9.0)[:, None] * [[0.5, 1.0]]
    >>> places[4] = 30
    >>> smooth_path(places, np.ones(9), 1.0)[4].round(2)
    array([2., 4.])
    """
    t = len(places)
    known = np.isfinite(places).all(axis=1) & np.isfinite(weights) & (weights > 0)
    if known.sum() < 3:
        return places.copy()
    filled = np.where(known[:, None], places, 0.0)
    base = np.where(known, weights, 0.0)
    bend = np.diff(np.eye(t), n=2, axis=0)
    penalty = strength * (bend.T @ bend)
    # begun from medians of neighbours, so that a jump is seen as one from the start
    index = np.flatnonzero(known)
    middle = [np.median(places[index[max(0, k - 2) : k + 3]], axis=0) for k in range(index.size)]
    path = np.stack([np.interp(np.arange(t), index, np.array(middle)[:, d]) for d in range(places.shape[1])], axis=1)
    for _ in range(20):
        distance = np.hypot.reduce(filled - path, axis=1)
        scale = max(4.7 * 1.4826 * float(np.median(distance[known])), 0.02 * 4.7)
        robust = base * np.clip(1 - (distance / scale) ** 2, 0.0, None) ** 2
        new = np.linalg.solve(np.diag(robust) + penalty + 1e-9 * np.eye(t), robust[:, None] * filled)
        done = np.abs(new - path).max() < 1e-6
        path = new
        if done:
            break
    return path

"""Correlations of a series of frames with itself: at a distance, over line ends, and mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CLIP = 6.0  # standard deviations: a few odd frames must not decide


@dataclass(frozen=True, eq=False)
class Series:
    """What was seen of each frame, scaled to unit variance.

    Parameters
    ----------
    windows : list of ndarray, shape (frames, channels)
        Values, mean 0 and variance 1 in each channel, window after window.
    starts : list of int
        First frame of each window.
    weights : ndarray, shape (channels,)
        How much a channel tells, adding up to 1.
    """

    windows: list[Floats]
    starts: list[int]
    weights: Floats

    @property
    def longest(self) -> int:
        """Frames in the shortest window, which limits the distances that can be seen."""
        return min(len(window) for window in self.windows)


def standardised(features: list[NDArray[np.float32]], starts: list[int]) -> Series | None:
    """A series of features with mean 0 and variance 1; None where nothing varies.

    Parameters
    ----------
    features : list of ndarray, shape (frames, channels)
        One a window; NaN where a frame is invalid, which then counts as the mean.
    starts : list of int
        First frame of each window.
    """
    values = np.concatenate(features).astype(np.float64)
    known = ~np.isnan(values).any(axis=1)
    if known.sum() < 8:
        return None
    mean, spread = values[known].mean(axis=0), values[known].std(axis=0)
    varying = spread > 1e-9 * np.maximum(1.0, np.abs(mean))
    if not varying.any():
        return None
    scaled = np.clip((values[:, varying] - mean[varying]) / spread[varying], -_CLIP, _CLIP)
    scaled[~known] = 0
    edges = np.cumsum([len(part) for part in features])[:-1]
    windows = np.split(scaled, edges)
    neighbours = np.mean([np.mean(w[1:] * w[:-1], axis=0) for w in windows if len(w) > 1], axis=0)
    weights = np.maximum(neighbours, 0) + 0.02
    return Series(windows, starts, weights / weights.sum())


def autocorrelation(series: Series, most: int) -> tuple[Floats, Floats]:
    """Weighted mean over channels of the correlation at each distance, and the pairs of frames behind it.

    Parameters
    ----------
    series : Series
        What was seen.
    most : int
        Largest distance, below the length of each window.

    Returns
    -------
    correlation, pairs : ndarray of float64, shape (most + 1,)
    """
    total, pairs = np.zeros(most + 1), np.zeros(most + 1)
    for window in series.windows:
        n = len(window)
        size = 1 << (n + most).bit_length()
        for channel, weight in zip(window.T, series.weights, strict=True):
            power = np.abs(np.fft.rfft(channel - channel.mean(), size)) ** 2
            total += weight * np.fft.irfft(power, size)[: most + 1]
        pairs += n - np.arange(most + 1)
    return total / pairs, pairs


def noise_of(correlation: Floats, pairs: Floats, weights: Floats) -> Floats:
    """Standard deviation of each correlation if frames far apart had nothing in common (Bartlett's formula)."""
    limit = max(2, min(len(correlation) // 4, 200))
    near = correlation[1 : limit + 1]
    # Up to the first valley: beyond it frames resemble each other because lines do.
    valley = float(near.min())
    below = np.flatnonzero(near <= valley + 0.1 * max(float(near[0]) - valley, 0.0) + 0.02)
    near = near[: int(below[0])]
    stretch = 1 + 2 * float((near**2).sum())
    return np.sqrt(stretch * float((weights**2).sum()) / np.maximum(pairs, 1))


@dataclass(frozen=True)
class Peak:
    """A distance at which frames resemble each other more than at others.

    Parameters
    ----------
    lag : int
        The distance, frames.
    height : float
        Correlation there.
    prominence : float
        Height above the higher of the two valleys that part it from higher peaks.
    sigmas : float
        Prominence in standard deviations of noise.
    """

    lag: int
    height: float
    prominence: float
    sigmas: float


def find_peaks(correlation: Floats, noise: Floats, least: int, sigmas: float, most: int = 200) -> list[Peak]:
    """Peaks of a correlation at distances from `least` on, the highest first.

    Examples
    --------
    >>> wave = np.cos(np.arange(40) * np.pi / 5)
    >>> [peak.lag for peak in find_peaks(wave, np.full(40, 0.01), 2, 6.0)]
    [10, 20, 30]
    """
    inner = correlation[1:-1]
    at = np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:])) + 1
    at = at[(at >= least) & (correlation[at] > sigmas * noise[at])]
    at = at[np.argsort(-correlation[at], kind="stable")][:most]
    peaks = []
    for lag in at.tolist():
        height = float(correlation[lag])
        higher = np.flatnonzero(correlation[1:lag] > height)
        left = float(correlation[(int(higher[-1]) + 1 if higher.size else 1) : lag].min(initial=height))
        higher = np.flatnonzero(correlation[lag + 1 :] > height)
        right = float(correlation[lag + 1 : (lag + 1 + int(higher[0]) if higher.size else None)].min(initial=height))
        prominence = height - max(left, right)
        if prominence > sigmas * noise[lag]:
            peaks.append(Peak(lag, height, prominence, prominence / float(noise[lag])))
    return peaks


@dataclass(frozen=True, eq=False)
class Jumps:
    """How much each frame differs from the one before, for a look at where lines end.

    Parameters
    ----------
    values : ndarray of float64
        Weighted mean square difference, in units of the variance.
    numbers : ndarray of int64
        The later frame of each pair.
    """

    values: Floats
    numbers: NDArray[np.int64]

    def at(self, length: int) -> tuple[Floats, float]:
        """Mean jump into the frames of each phase of lines of `length`, and how much these differ as a rule.

        That is the standard error of a mean or, where a specimen makes it larger, the typical deviation from the
        median over the phases.
        """
        phases = self.numbers % length
        counts = np.maximum(np.bincount(phases, minlength=length), 1)
        means = np.bincount(phases, self.values, minlength=length) / counts
        spread = 1.4826 * float(np.median(np.abs(means - np.median(means))))
        return means, max(spread, float(self.values.std()) / float(np.sqrt(counts.min())))

    def excess(self, length: int) -> tuple[float, int]:
        """How far the largest mean jump stands out of the others, and its phase.

        By so many times of what is usual, less where few lines were seen, whose means are wild.
        """
        means, usual = self.at(length)
        phase = int(means.argmax())
        above = float(means[phase] - np.median(means))
        lines = max(1.0, self.numbers.size / length)
        return above / usual / (1 + 4 / lines) if usual > 0 else 0.0, phase


def jumps(series: Series) -> Jumps:
    """The differences between frames and the ones before."""
    values, numbers = [], []
    for window, start in zip(series.windows, series.starts, strict=True):
        values.append((np.diff(window, axis=0) ** 2) @ series.weights)
        numbers.append(np.arange(start + 1, start + len(window), dtype=np.int64))
    return Jumps(np.concatenate(values), np.concatenate(numbers))


def mirror(series: Series, period: int) -> tuple[float, int, float]:
    """How well runs of `period` frames resemble themselves backwards about the best frame.

    Returns
    -------
    contrast : float
        Correlation at the best mirror above the median of all mirrors.
    turn : int
        First frame of a line of ``period // 2`` frames, the lines mirrored at their ends.
    first : float
        Contrast of the mirror for lines of which the first begins at frame 0.
    """
    total, count = np.zeros(period), 0
    for window, start in zip(series.windows, series.starts, strict=True):
        first = -start % period
        runs = (len(window) - first) // period
        if runs < 1:
            continue
        rows = window[first : first + runs * period].reshape(runs, period, -1)
        spectrum = np.fft.rfft(rows, axis=1)
        total += np.fft.irfft((spectrum**2).sum(axis=0), period, axis=0) @ series.weights
        count += runs * period
    if not count:
        return 0.0, 0, 0.0
    best = int(total.argmax())
    contrast = (total - np.median(total)) / count
    return float(contrast[best]), (best + 1) // 2 % max(1, period // 2), float(contrast[-1])

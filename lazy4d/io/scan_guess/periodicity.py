"""Scan lines seen in the frames themselves: neighbouring rows look alike, and the beam jumps at the end of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.scan_guess.candidate import ScanCandidate
from lazy4d.io.scan_guess.correlation import (
    Jumps,
    Series,
    autocorrelation,
    find_peaks,
    jumps,
    mirror,
    noise_of,
    standardised,
)

LEAST_LINE = 4
"""Frames in the shortest line that is looked for."""

LEAST_LINES = 3
"""Lines that have to be seen."""

SIGMAS = 6.0
"""Standard deviations of noise by which a line length has to stand out."""

JUMP_SIGMAS = 5.0
"""Usual deviations by which the mean jump of a phase has to exceed the median one."""

_LONGEST_LINE = 1 << 15
_TRIED = 16  # peaks of the correlation that are looked at closely
_BETTER = 1.1  # times as much, by which mirrored lines convince where straight ones also fit
_MIRRORED = 0.65  # of the contrast of lines that run the same way, which lines that turn must reach
_AS_GOOD = 0.9  # of the best contrast: lines that fill the recording are then preferred
_AS_HIGH, _AS_FAR = 0.85, 0.8  # of correlation and jump of several lines, which a single one has to reach
_RAISED = 0.3  # of the largest jump: what belongs to the way back to the start of a line
_RAISED_SIGMAS = 2.5


@dataclass(frozen=True)
class _Length:
    """A line length, and what speaks for it."""

    length: int
    height: float
    sigmas: float
    jump_sigmas: float
    phase: int


def find_scans(features: list[NDArray[np.float32]], starts: list[int], total: int) -> list[ScanCandidate]:
    """Scans that the frames themselves show, the likeliest first; none where nothing recurs.

    Parameters
    ----------
    features : list of ndarray, shape (frames, channels)
        A few numbers for each frame, one array a window; NaN where a frame is invalid.
    starts : list of int
        First frame of each window.
    total : int
        Frames of the recording.

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(20), np.arange(15))
    >>> image = np.exp(-((x - 8) ** 2 + (y - 6) ** 2) / 30) + np.random.default_rng(0).normal(0, 0.05, x.shape)
    >>> find_scans([image.reshape(-1, 1).astype("f4")], [0], 300)[0].shape
    (15, 20)
    """
    series = standardised(features, starts)
    if series is None or series.longest < LEAST_LINES * LEAST_LINE:
        return []
    most = min(series.longest // 2, _LONGEST_LINE)
    correlation, pairs = autocorrelation(series, most)
    steps = jumps(series)
    noise = noise_of(correlation, pairs, series.weights)
    lengths = _lengths(correlation, noise, steps, total, series.longest)
    if not lengths:
        return []
    best = _fundamental(lengths, total)
    found = _raster(best, steps, correlation, total)
    straight = best.height - _beside(correlation, best.length)
    least = SIGMAS * float(noise[best.length])
    turned = [
        one
        for period in (best.length, 2 * best.length)
        if (one := _serpentine(series, best, period, straight, least, total)) is not None
    ]
    if not turned:
        return found
    # Where a scan is like its mirror image both are possible: scans are more often square than not.
    both = [*turned, *found]
    squarest = max(min(one.shape) / max(one.shape) for one in both)
    weighed = [_weighed(one, squarest, "rows that run both ways fit too: see the other candidates") for one in both]
    return sorted(weighed, key=lambda one: -one.score)


def _weighed(one: ScanCandidate, squarest: float, text: str) -> ScanCandidate:
    score = one.score * (0.7 + 0.3 * min(one.shape) / max(one.shape) / squarest)
    return replace(one, score=round(score, 3), evidence=(*one.evidence, text))


def _lengths(
    correlation: NDArray[np.float64], noise: NDArray[np.float64], steps: Jumps, total: int, longest: int
) -> list[_Length]:
    """Line lengths worth a close look: peaks of the correlation, their neighbours that fit the frames, and divisors."""
    found: dict[int, _Length] = {}
    peaks = find_peaks(correlation, noise, LEAST_LINE, SIGMAS)
    # The highest ones and, as all lines resemble each other where a specimen is the same all over, short ones.
    short = sorted((peak for peak in peaks if peak.height > 0.5 * peaks[0].height), key=lambda peak: peak.lag)
    for peak in dict.fromkeys((*peaks[:_TRIED], *short[:_TRIED])):
        reach = max(2, peak.lag // 50)
        near = [n for n in range(max(LEAST_LINE, peak.lag - reach), peak.lag + reach + 1) if total % n == 0]
        for length in {peak.lag, *near}:
            height = float(correlation[length]) if length < len(correlation) else 0.0
            if height < 0.8 * peak.height or length > longest // 2:
                continue
            jump_sigmas, phase = steps.excess(length)
            known = found.get(length)
            if known is None or known.sigmas < peak.sigmas:
                found[length] = _Length(length, height, peak.sigmas, jump_sigmas, phase)
    return list(found.values())


def _fundamental(lengths: list[_Length], total: int) -> _Length:
    """The length for which most speaks; of a length and its multiples, which look alike, the shortest."""
    highest = max(one.height for one in lengths)
    largest = max(one.jump_sigmas for one in lengths)

    def worth(one: _Length) -> float:
        jump = one.jump_sigmas / largest if one.jump_sigmas > JUMP_SIGMAS else 0.0
        return 0.5 * one.height / highest + 0.3 * jump + 0.2 * (total % one.length == 0)

    top = max(map(worth, lengths))
    best = min((one for one in lengths if worth(one) > top - 0.05), key=lambda one: one.length)
    # Several lines together also look like the next several: the single line resembles its neighbour as much or more,
    # and its jumps stand out as far, which those at a mere part of a line do not.
    single = [
        one
        for one in lengths
        if best.length % one.length == 0
        and one.height >= _AS_HIGH * best.height
        and (best.jump_sigmas <= JUMP_SIGMAS or one.jump_sigmas >= _AS_FAR * best.jump_sigmas)
    ]
    return min(single, key=lambda one: one.length, default=best)


def _score(sigmas: float, *, exact: bool, jump: bool) -> float:
    return round(0.35 + 0.25 * min(1.0, sigmas / 30) + 0.1 * exact + 0.1 * jump, 3)


def _told(length: int, correlation: NDArray[np.float64], sigmas: float) -> str:
    return (
        f"frames {length} apart look alike: correlation {correlation[length]:.2f}, "
        f"{_beside(correlation, length):.2f} at two and four thirds of that ({sigmas:.0f} standard deviations)"
    )


def _beside(correlation: NDArray[np.float64], length: int) -> float:
    """Correlation of frames that are not a line apart."""
    return float(np.mean([correlation[n] for n in (length * 2 // 3, length * 4 // 3) if n < len(correlation)]))


def _raster(best: _Length, steps: Jumps, correlation: NDArray[np.float64], total: int) -> list[ScanCandidate]:
    means, usual = steps.at(best.length)
    jump = best.jump_sigmas > JUMP_SIGMAS
    evidence = [_told(best.length, correlation, best.sigmas)]
    floor = float(np.median(means))
    raised = means > floor + max(_RAISED * float(means[best.phase] - floor), _RAISED_SIGMAS * usual)
    flyback, start = _way_back(raised, best.phase) if jump else (0, 0)
    if jump and raised[0] and not flyback:
        start = 0
    if jump:
        evidence.append(
            f"the beam jumps every {best.length} frames, into frame {start} of each: {means[best.phase]:.2g} against "
            f"{floor:.2g} elsewhere ({best.jump_sigmas:.0f} usual deviations)"
        )
    if flyback:
        evidence.append(f"{flyback + 1} frames in a row differ from their neighbours there: {flyback} of flyback")
    left = (total + flyback) % best.length
    left = max(0, left - flyback)
    found = []
    for offset in dict.fromkeys((start, 0) if jump else (0, left)):
        for back in dict.fromkeys((flyback, 0)):
            # A recording of whole lines and nothing else begins with one, whatever jumps within it.
            likely = back == flyback and (offset == (0 if jump and not left else start))
            sure = 1.0 if likely else 0.8 if back == flyback and offset in (start, left) else 0.6
            one = _candidate(best, total, offset, back, evidence, jump=jump, sure=sure)
            if one is not None:
                found.append(one)
    return sorted(found, key=lambda one: -one.score)


def _candidate(
    best: _Length, total: int, offset: int, flyback: int, evidence: list[str], *, jump: bool, sure: float
) -> ScanCandidate | None:
    rows = (total - offset + flyback) // best.length
    if rows < 2 or best.length - flyback < 2:
        return None
    unused = max(0, total - offset - rows * best.length)
    exact = not offset and not unused
    more = ["the frames fill it exactly"] if exact else []
    if unused or (offset and not jump):
        more = [f"{unused} frames are left over at the end"] if unused else []
        more += [f"if the first {offset} frames come before the scan"] if offset and not jump else []
    score = round(sure * _score(best.sigmas, exact=exact, jump=jump), 3)
    return ScanCandidate((rows, best.length - flyback), offset, flyback, False, score, (*evidence, *more), unused)


def _way_back(raised: NDArray[np.bool_], phase: int) -> tuple[int, int]:
    """Frames of flyback and the phase at which a line starts, from the phases of a line that are jumped into."""
    length = len(raised)
    before = after = 0
    while before < length // 4 and raised[(phase - before - 1) % length]:
        before += 1
    while after < length // 4 and raised[(phase + after + 1) % length]:
        after += 1
    if before + after > length // 4:
        return 0, phase
    return before + after, (phase + after) % length


def _serpentine(
    series: Series, best: _Length, period: int, straight: float, least: float, total: int
) -> ScanCandidate | None:
    """The scan with every second line backwards, where frames resemble each other about the ends of lines.

    `period` is two lines: the length found, whose lines would be half as long, or twice that. In the second case frames
    must resemble the ones mirrored about as much as the ones straight above, `straight`.
    """
    if period % 2 or not 2 * LEAST_LINE <= period <= series.longest // 2 or best.jump_sigmas > JUMP_SIGMAS:
        return None
    contrast, turn, first = mirror(series, period)
    if contrast < max(least, _MIRRORED * straight):
        return None
    length = period // 2
    whole = total % length == 0 and first > _AS_GOOD * contrast
    start = 0 if whole else turn % length
    rows = (total - start) // length
    if rows < 2:
        return None
    unused = total - start - rows * length
    evidence = (
        f"every second line of {length} frames is like its neighbours backwards (correlation {contrast:.2f}, "
        f"{straight:.2f} for frames {best.length} apart), and nothing jumps at the ends of lines: a serpentine scan",
    )
    exact = not start and not unused
    left = (f"{unused} frames are left over at the end",) if unused else ()
    more = ("the frames fill it exactly",) if exact else left
    score = _score(best.sigmas, exact=exact, jump=False)
    if length == best.length and contrast < _BETTER * straight:
        score = round(0.8 * score, 3)
    return ScanCandidate((rows, length), start, 0, True, score, (*evidence, *more), unused)

"""Navigators that come from the overview of a scan: sums of frames, and what else a pass over it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

DARK, BRIGHT = 0.05, 0.5
"""Shares of the brightest of the mean pattern: what is below the first is dark field, above the second bright field."""

HOT_PIXELS = 4
"""As many pixels may be brighter than the direct beam."""

INHERITED = "sum of the frames before they were processed"


class OverviewNavigator:
    """The sum of each frame, as the overview of a scan knows it.

    Parameters
    ----------
    signal : BaseSignal
        What the overview is of.
    overview : Overview
        What is known.
    """

    follows_frames = True

    def __init__(self, signal: Any, overview: Any) -> None:
        self._signal, self.overview = signal, overview

    @property
    def share(self) -> float:
        """The part of the positions that is known."""
        return float(self.overview.share)

    @property
    def complete(self) -> bool:
        """Whether all positions are known."""
        return bool(self.overview.complete or self.overview.share >= 1)

    @property
    def version(self) -> int:
        """Counts the changes."""
        return int(self.overview.version)

    @property
    def message(self) -> str:
        """What a pass over the scan found wrong."""
        if self.overview.inherited:
            return INHERITED
        problems = list(self.overview.problems)
        return "; ".join(str(one) for one in problems[:1]) + (f" and {len(problems) - 1} more" if problems[1:] else "")

    def image(self) -> NDArray[Any] | None:
        """The image as far as it is known."""
        return self.overview.image() if self.overview.share > 0 else None

    def steps(self, check: Callable[[], None]) -> Iterator[Any]:
        """A pass over the scan, to its end, since what it finds is kept then."""
        from lazy4d.signals.overview import OverviewPass

        for share in OverviewPass(self._signal, self.overview, check=check).steps():
            yield share
            if self.complete and self.overview.inherited:  # somebody else's pass came first
                return


class PassNavigator(OverviewNavigator):
    """Another image that a pass over the frames leaves; no other signal's overview gives it."""

    @property
    def share(self) -> float:
        """The part of the positions that is known."""
        overview = self.overview
        return 1.0 if overview.complete else 0.0 if overview.inherited else min(float(overview.share), 0.999)

    @property
    def complete(self) -> bool:
        """Whether a pass has seen all frames."""
        return bool(self.overview.complete)

    def image(self) -> NDArray[Any] | None:
        """The image as far as it is known."""
        return None


class MeasureNavigator(PassNavigator):
    """A number of each frame that the overview keeps.

    Parameters
    ----------
    signal : BaseSignal
        What the overview is of.
    overview : Overview
        What is known.
    name : {"largest", "spread"}
        Which one.
    """

    def __init__(self, signal: Any, overview: Any, name: str) -> None:
        super().__init__(signal, overview)
        self._name = name

    def image(self) -> NDArray[Any] | None:
        """The image as far as it is known."""
        from lazy4d.signals.overview.filling import fill

        values: NDArray[Any] = self.overview.measure(self._name)
        if not self.overview.complete:
            known = ~np.isnan(values)
            if not known.any():
                return None
            fill(values, known)
        return values


class FieldNavigator(PassNavigator):
    """The dark or the bright field, as the scan in bins gives it: of the pixels where the mean pattern is dim, or not.

    Parameters
    ----------
    signal : BaseSignal
        What the overview is of.
    overview : Overview
        What is known.
    dark : bool
        Which one.
    """

    def __init__(self, signal: Any, overview: Any, dark: bool) -> None:
        super().__init__(signal, overview)
        self._dark = dark

    def image(self) -> NDArray[Any] | None:
        """The image as far as it is known."""
        proxy, mean = self.overview.proxy, self.overview.mean_pattern
        if proxy is None or mean is None:
            return None
        detector = field_of(mean, self._dark)
        return proxy.image(detector, fill=not self.overview.complete) if detector.any() and proxy.share else None


def field_of(mean: NDArray[np.float64], dark: bool) -> NDArray[np.bool_]:
    """The pixels of the dark field, or of the bright field, by the mean of all patterns.

    Parameters
    ----------
    mean : float64 ndarray
        The mean pattern; a few hot pixels do no harm.
    dark : bool
        Which field.

    Examples
    --------
    >>> field_of(d.mean().as_numpy(), dark=False).sum() < field_of(d.mean().as_numpy(), dark=True).sum()
    np.True_
    """
    values = np.nan_to_num(mean)
    rank = max(values.size - 1 - HOT_PIXELS, 0)
    top = float(np.partition(values.reshape(-1), rank)[rank])
    return values < DARK * top if dark else values >= BRIGHT * top


def overview_navigators(signal: Any) -> dict[str, OverviewNavigator]:
    """The navigators that one pass over a signal's frames leaves, by name; the sum comes first.

    Examples
    --------
    >>> list(overview_navigators(d))
    ['sum', 'dark field', 'bright field', 'largest pixel', 'spread']
    """
    from lazy4d.signals.overview import overview_of

    overview = overview_of(signal)
    found: dict[str, OverviewNavigator] = {"sum": OverviewNavigator(signal, overview)}
    if len(signal.frame_shape) == 2:
        found["dark field"] = FieldNavigator(signal, overview, dark=True)
        found["bright field"] = FieldNavigator(signal, overview, dark=False)
    if signal.frame_shape:
        found["largest pixel"] = MeasureNavigator(signal, overview, "largest")
        found["spread"] = MeasureNavigator(signal, overview, "spread")
    return found

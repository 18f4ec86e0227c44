"""The contrast of a live picture: chosen once, changed by keys, and steady from frame to frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize

from lazy4d.plot.contrast import NORMS, color_scale

Limits = tuple[float | None, float | None]

_SPACINGS = ("linear", "log", "power")
_UPPER = (100.0, 99.99, 99.9, 99.5, 99.0, 98.0, 95.0, 90.0, 80.0, 65.0, 50.0)
_LOWER = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 35.0, 50.0)

_STEADY = 0.35
"""Parts of a linear scale, and tenfold steps of a logarithmic one, that a frame may leave free without a new scale."""

_BEYOND = 0.002
"""Share of the pixels that may lie beyond the scale more than beyond their own, without a new one."""


class ContrastChoice:
    """How values become colours, for one frame after the other.

    The scale belongs to the frame that is shown: percentiles of it, as `lazy4d.plot.contrast.color_scale` takes them.
    It stays what it was as long as the next frame fills most of it, so that neighbours can be compared and nothing
    flickers, and follows where a frame is brighter, or much darker; `hold` keeps it whatever comes.

    Parameters
    ----------
    norm : {"auto", "linear", "log", "power", "symmetric", "symlog"}
        How values between the limits are spaced; by default logarithmic for patterns.
    kind : {"map", "pattern", "signed"}
        What the values are.
    power : float
        Exponent of "power".
    percentile : (low, high), optional
        Per cent of the values at which the scale begins and ends.
    limits : (low, high), optional
        The ends themselves, the same for every frame; None leaves one to the values.

    Raises
    ------
    ValueError
        As `color_scale`.

    Examples
    --------
    >>> contrast = ContrastChoice("linear")
    >>> scale = contrast.scale(np.array([0.0, 100.0]))
    >>> contrast.scale(np.array([0.0, 80.0])) is scale, contrast.scale(np.array([0.0, 110.0])) is scale
    (True, False)
    """

    def __init__(
        self,
        norm: str = "auto",
        kind: str = "map",
        *,
        power: float = 0.5,
        percentile: tuple[float, float] | None = None,
        limits: Limits | None = None,
    ) -> None:
        if norm not in NORMS:
            raise ValueError(f"norm={norm!r}: expected one of {', '.join(NORMS)}")
        self.norm, self.kind, self.power, self.percentile, self.limits = norm, kind, power, percentile, limits
        self.is_held = False
        self.current: Normalize | None = None
        self.scale([0.0, 1.0])  # refuses what could not be drawn
        self.current = None

    def scale(self, values: Any) -> Normalize:
        """The scale for these values: the current one, the same object, where it still suits."""
        if self.is_held and self.current is not None:
            return self.current
        found = color_scale(
            values, self.norm, kind=self.kind, power=self.power, percentile=self.percentile, limits=self.limits
        )
        if self.current is None or not _is_alike(self.current, found) or _hides(self.current, found, values):
            self.current = found
        return self.current

    def forget(self) -> None:
        """Take the scale from the next values, whatever it was."""
        self.is_held = False
        self.current = None

    def hold(self) -> None:
        """Keep the present scale, or let go of it."""
        self.is_held = not self.is_held

    def next_spacing(self) -> str:
        """Change between linear, logarithmic and power; the name of the new one."""
        now = _name_of(self.current) if self.norm == "auto" else self.norm
        self.norm = _SPACINGS[(_SPACINGS.index(now) + 1) % len(_SPACINGS)] if now in _SPACINGS else _SPACINGS[0]
        self.forget()
        return self.norm

    def step_upper(self, steps: int) -> None:
        """Move the upper end down by steps of percentile, which makes the picture brighter; or up."""
        low, high = self.percentile or (0.0, 100.0)
        self._set(low, _moved(_UPPER, high, steps))

    def step_lower(self, steps: int) -> None:
        """Move the lower end up by steps of percentile, which makes the picture darker; or down."""
        low, high = self.percentile or (0.0, 100.0)
        self._set(_moved(_LOWER, low, steps), high)

    def _set(self, low: float, high: float) -> None:
        if low < high:
            self.percentile, self.limits = (low, high), None
            self.forget()


def _moved(steps: tuple[float, ...], value: float, by: int) -> float:
    at = min(range(len(steps)), key=lambda k: abs(steps[k] - value))
    return steps[min(max(at + by, 0), len(steps) - 1)]


def _name_of(norm: Normalize | None) -> str:
    return {"LogNorm": "log", "PowerNorm": "power", "SymLogNorm": "symlog"}.get(type(norm).__name__, "linear")


def _is_alike(one: Normalize, other: Normalize) -> bool:
    """Whether a scale can stand for another."""
    if type(one) is not type(other):
        return False
    ends: list[tuple[Any, Any]] = [(one.vmin, one.vmax), (other.vmin, other.vmax)]
    if isinstance(one, LogNorm):
        ends = [(math.log10(low), math.log10(high)) for low, high in ends]
        most = _STEADY
    else:
        most = _STEADY * abs(ends[1][1] - ends[1][0])
    return all(abs(a - b) <= most for a, b in zip(*ends, strict=True))


def _hides(one: Any, own: Any, values: Any) -> bool:
    """Whether differences between pixels are not seen in a scale that are in their own, as beyond its ends."""
    pixels = np.asarray(values)
    most = _BEYOND * pixels.size
    above = one.vmax < own.vmax and np.count_nonzero((pixels > one.vmax) & (pixels <= own.vmax)) > most
    if above or isinstance(one, LogNorm):  # what is weaker than that is noise
        return bool(above)
    return bool(one.vmin > own.vmin and np.count_nonzero((pixels < one.vmin) & (pixels >= own.vmin)) > most)

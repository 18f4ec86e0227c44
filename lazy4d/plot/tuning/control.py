"""`Control`: one parameter of a method that can be tuned, and the range of its slider on the frames at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lazy4d.axes import Axis
from lazy4d.plot.tuning.lengths import PIXELS, Terms, nice_step, number_of, terms_of, to_step
from lazy4d.plot.tuning.measures import Measures
from lazy4d.units import PIXEL

KINDS = ("number", "whole", "length", "place", "angle", "ellipse", "choice", "switch")

FromFrame = float | Callable[[Measures], float]


class _Unset:
    """Stands for a default that a parameter does not have."""

    def __repr__(self) -> str:
        return "no default"


UNSET = _Unset()


@dataclass(frozen=True)
class Range:
    """Of a slider: where it begins and ends, in which steps, and the units of its numbers."""

    low: float
    high: float
    step: float
    log: bool
    units: str

    def nearest(self, number: float) -> float:
        """A number inside, in whole steps of a linear slider and three digits of a logarithmic one."""
        inside = min(max(float(number), self.low), self.high)
        if self.log and self.step != 1:
            return float(f"{inside:.3g}")
        if self.step > 1:  # such as odd numbers only
            return float(self.low + to_step(inside - self.low, self.step))
        return to_step(inside, self.step)


@dataclass(frozen=True)
class Control:
    """One parameter of a method as something to slide, choose or tick.

    Parameters
    ----------
    name : str
        Of the parameter.
    kind : str
        One of `KINDS`. Lengths are pixels, axis units or text with a unit, as the user gave them; a place (x, y) is in
        axis units; an angle is text in degrees; an ellipse a ratio and a number of degrees.
    low, high : float, or function of `Measures`
        Range of the slider; of lengths and places in pixels.
    step : float
        Of the slider; of lengths in pixels.
    log : bool
        Whether the slider is logarithmic.
    choices : tuple
        Values of a choice.
    names : mapping
        What to show for some of the choices.
    start : Any, or function of `Measures`
        Value where the user has to give one, or where None (automatic) is switched off; of lengths in pixels.
    needed : bool
        Whether the method cannot do without, though its signature says None.
    when : mapping of str to tuple
        Values of other parameters with which this one counts; always by default.
    default : Any
        Where it cannot be read off a signature.
    parts : tuple of str
        Names of the numbers of a parameter that has two.
    units : str
        Of numbers that are no lengths.
    axis : int
        Of the frame, numpy order, along which lengths count.
    float_units : str, optional
        The parameter that says in which units floats are; those of the axis by default.
    about : str
        What it does, in a few words.

    Examples
    --------
    >>> Control("disk_r", "length", 1, lambda m: m.half, 0.5).range(d.frame_axes, Measures((16, 16), 3.0, 90.0))
    Range(low=1.0, high=8.0, step=0.5, log=False, units='px')
    """

    name: str
    kind: str
    low: FromFrame = 0.0
    high: FromFrame = 1.0
    step: float = 0.01
    log: bool = False
    choices: tuple[Any, ...] = ()
    names: Mapping[Any, str] = field(default_factory=dict)
    start: Any = None
    needed: bool = False
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    default: Any = UNSET
    parts: tuple[str, ...] = ("",)
    units: str = ""
    axis: int = 1
    float_units: str | None = None
    about: str = ""

    @property
    def slides(self) -> bool:
        """Whether it is a slider, or two."""
        return self.kind not in ("choice", "switch")

    def axis_of(self, axes: list[Axis], part: int = 0) -> Axis:
        """The axis along which a number counts: of places x comes first."""
        return axes[1 - part] if self.kind == "place" else axes[self.axis]

    def range(self, axes: list[Axis], measures: Measures, terms: Terms = PIXELS, part: int = 0) -> Range:
        """The range of its slider, or of one of two, in the terms in which a length is given."""
        low, high = (float(one(measures)) if callable(one) else float(one) for one in (self.low, self.high))
        axis = self.axis_of(axes, part)
        if self.kind == "place":
            first, last = sorted((axis.index2value(0.0), axis.index2value(axis.size - 1.0)))
            return Range(first, last, nice_step(abs(axis.scale) * self.step), False, axis.units)
        if self.kind == "length":
            each = terms.pixels_each(axis)
            fractions = terms.form != "pixels" or axis.units != PIXEL or abs(axis.scale) == 1
            step = self.step if fractions else max(1.0, self.step)  # of binned pixels "4.5 px" would be others
            nice = nice_step(step / each / (1.0 if terms.form == "pixels" else 2.0))
            first, last = math.ceil(low / each / nice - 1e-6) * nice, math.floor(high / each / nice + 1e-6) * nice
            return Range(float(f"{first:.10g}"), float(f"{last:.10g}"), nice, self.log, terms.units)
        if self.kind == "ellipse":
            return Range(0.0, 180.0, 1.0, False, "deg") if part else Range(1.0, 1.25, 0.002, False, "")
        units = "deg" if self.kind == "angle" else self.units
        return Range(low, high, 1.0 if self.kind == "whole" and self.step < 1 else self.step, self.log, units)

    def value(self, number: float, terms: Terms = PIXELS) -> Any:
        """A number of the slider as a method takes it."""
        if self.kind == "whole":
            return round(number)
        if self.kind == "length":
            return terms.value(number)
        if self.kind == "angle":
            return f"{number:.6g} deg"
        return float(number)

    def numbers(self, value: Any) -> tuple[float, ...]:
        """The number, or two, of the sliders for a value.

        Raises
        ------
        ValueError, TypeError
            The value is none that this parameter can have.
        """
        given = tuple(value) if len(self.parts) > 1 else (value,)
        if len(given) != len(self.parts):
            raise ValueError(f"expected {self.name} as {len(self.parts)} numbers, found {value!r}")
        if self.kind in ("length", "place", "angle"):
            return tuple(number_of(one) for one in given)
        if any(isinstance(one, bool | str) for one in given):
            raise TypeError(f"expected {self.name} as a number, found {value!r}")
        return tuple(float(one) for one in given)

    def terms(self, value: Any, axes: list[Axis], float_units: str | None = None) -> Terms:
        """In which terms a length was given."""
        if self.kind != "length" or value is None:
            return PIXELS
        first = next(iter(value)) if len(self.parts) > 1 else value
        return terms_of(first, float_units or axes[self.axis].units)

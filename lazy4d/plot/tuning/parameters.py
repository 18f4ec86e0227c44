"""The values of all controls, and the call that they amount to: as keyword arguments and as a line of code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.plot.tuning.control import UNSET, Control, Range
from lazy4d.plot.tuning.lengths import PIXELS, Terms
from lazy4d.plot.tuning.measures import Measures

if TYPE_CHECKING:
    from lazy4d.plot.tuning.methods import Method
    from lazy4d.signals import BaseSignal

Key = tuple[str, int]


class Parameters:
    """The parameters of a method while they are tuned.

    Parameters
    ----------
    method : Method
        What is tuned.
    signal : BaseSignal
        Of what.
    measures : Measures
        Of its first frame: where values begin that the user has to give.
    **initial
        Values to begin with, as the method takes them; also of parameters without a control.

    Raises
    ------
    TypeError
        A parameter that the method does not have, or one missing that it needs.

    Examples
    --------
    >>> from lazy4d.plot.tuning.measures import measures_of
    >>> from lazy4d.plot.tuning.methods import METHODS
    >>> measures = measures_of(d.inav[0, 0].compute())
    >>> found = Parameters(METHODS["get_diffraction_vectors"], d, measures, disk_r=3, threshold_abs=0.5)
    >>> found.call, found.code()
    ({'disk_r': 3, 'threshold_abs': 0.5}, 's.get_diffraction_vectors(disk_r=3, threshold_abs=0.5)')
    """

    def __init__(self, method: Method, signal: BaseSignal, measures: Measures, /, **initial: Any) -> None:
        self.method, self.signal, self.measures = method, signal, measures
        self._given: dict[str, Any] = {}  # of parameters without a control
        self._values: dict[Key, Any] = {}
        self._terms: dict[Key, Terms] = {}
        self._offered: dict[Key, tuple[Any, ...]] = {}
        for name, what in method.needs.items():
            if initial.get(name) is None:
                raise TypeError(f"preview({method.name!r}) needs {name}=, {what}: give it to preview() itself")
        self.set(**initial)

    # -- values ------------------------------------------------------------------------------------------------------

    def controls(self) -> list[Control]:
        """Those that count with the values there are, in the order of the table."""
        return [one for one in self.method.controls if self._counts(one)]

    def _counts(self, control: Control) -> bool:
        return all(self._named(name) in allowed for name, allowed in control.when.items())

    def _named(self, name: str) -> Any:
        """The value of a parameter that others depend on."""
        for one in self.method.controls:
            if one.name == name and self._counts(one):
                value = self.value(one)
                return value if _is_plain(value) else None
        return self._given.get(name, self._defaults({}).get(name))

    def value(self, control: Control) -> Any:
        """What a control stands at, as the method takes it."""
        key = self._key(control)
        if key not in self._values:
            default = self.default(control)
            begins = default is UNSET or (control.needed and default is None)
            self._values[key] = self.starting(control) if begins else default
        return self._values[key]

    def default(self, control: Control) -> Any:
        """What the method takes where the parameter is not given; `UNSET` if it has to be."""
        if control.default is not UNSET:
            return control.default
        chosen = {} if control.name == "method" else {"method": self._method()}
        return self._defaults(chosen).get(control.name, UNSET)

    def _method(self) -> Any:
        first = next((one for one in self.method.controls if one.name == "method"), None)
        return None if first is None else self.value(first)

    def _defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return self.method.signature(values)

    def set(self, **changes: Any) -> None:
        """Take new values, as the method takes them.

        Raises
        ------
        TypeError
            The method has no such parameter.
        ValueError
            A value that the parameter cannot have.
        """
        ordered = sorted(changes, key=lambda name: (name not in ("method", "by"), name != "subpixel"))
        for name in ordered:  # what others depend on comes first
            self._check_name(name)
            same = [one for one in self.method.controls if one.name == name]
            if not same:
                self._given[name] = changes[name]
                continue
            counting = [one for one in same if self._counts(one)]
            for control in counting or same:
                self.put(control, changes[name])

    def _check_name(self, name: str) -> None:
        known = {one.name: None for one in self.method.controls} | dict.fromkeys(self.method.left_out)
        if name not in known:
            raise TypeError(f"{self.method.name} has no parameter {name!r} to tune: expected one of {', '.join(known)}")

    def put(self, control: Control, value: Any) -> None:
        """Take a new value of one control, as the method takes it."""
        key = self._key(control)
        if control.slides and _has_numbers(value):
            control.numbers(value)
            if control.kind == "length":
                terms = control.terms(value, self.signal.frame_axes, self._float_units(control))
                terms.pixels_each(control.axis_of(self.signal.frame_axes))  # refuses units of another kind
                self._terms[key] = terms
        if control.kind == "choice" and not _among(value, self.choices(control)):
            self._offered[key] = (*self._offered.get(key, ()), value)
        self._values[key] = bool(value) if control.kind == "switch" else value

    # -- sliders -----------------------------------------------------------------------------------------------------

    def terms(self, control: Control) -> Terms:
        """In which terms a length is given."""
        return self._terms.get(self._key(control), PIXELS)

    def _float_units(self, control: Control) -> str | None:
        return None if control.float_units is None else self._given.get(control.float_units)

    def range(self, control: Control, part: int = 0) -> Range:
        """The range of a slider in the terms of its value."""
        return control.range(self.signal.frame_axes, self.measures, self.terms(control), part)

    def numbers(self, control: Control) -> tuple[float, ...]:
        """Where its sliders stand, or would begin where the value is None."""
        value = self.value(control)
        return control.numbers(value if _has_numbers(value) else self.starting(control))

    def is_fixed(self, control: Control) -> bool:
        """Whether the user gave something that no slider can stand for, such as one centre for each position."""
        value = self.value(control)
        return control.slides and value is not None and not _has_numbers(value)

    def starting(self, control: Control) -> Any:
        """The value at which a control begins that was None, in the terms it had before."""
        if control.kind == "place":
            return tuple(_middle(axis) for axis in reversed(self.signal.frame_axes))
        start = control.start(self.measures) if callable(control.start) else control.start
        if start is None or not control.slides:
            return start
        terms = self.terms(control)
        each = terms.pixels_each(control.axis_of(self.signal.frame_axes)) if control.kind == "length" else 1.0
        numbers = [float(one) / each for one in (start if len(control.parts) > 1 else (start,))]
        values = tuple(control.value(self.range(control, k).nearest(one), terms) for k, one in enumerate(numbers))
        return values if len(control.parts) > 1 else values[0]

    def slide(self, control: Control, number: float, part: int = 0) -> None:
        """Take the number of a slider."""
        terms = self.terms(control)
        ranges = [self.range(control, k) for k in range(len(control.parts))]
        numbers = list(self.numbers(control))
        numbers[part] = ranges[part].nearest(number)
        values = tuple(control.value(one, terms) for one in numbers)
        self._values[self._key(control)] = values if len(control.parts) > 1 else values[0]

    def switch(self, control: Control, on: bool) -> None:
        """Give a parameter a value, or leave it to the method (None)."""
        self._values[self._key(control)] = self.starting(control) if on else None

    def choices(self, control: Control) -> tuple[Any, ...]:
        """What can be chosen, with what the user gave beyond the list."""
        return (*control.choices, *self._offered.get(self._key(control), ()))

    def optional(self, control: Control) -> bool:
        """Whether None is a value: the method then chooses itself."""
        return control.slides and not control.needed and self.default(control) is None

    # -- the call ----------------------------------------------------------------------------------------------------

    @property
    def call(self) -> dict[str, Any]:
        """Keyword arguments of the method: those whose values are not its defaults."""
        found = {}
        for control in self.controls():
            value, default = self.value(control), self.default(control)
            if default is UNSET or not _same(value, default):
                found[control.name] = value
        known = self._defaults({"method": self._method()})
        found.update({name: value for name, value in self._given.items() if not _same(value, known.get(name, UNSET))})
        return found

    def code(self, name: str = "s") -> str:
        """The call as a line of Python, for a signal of this name."""
        return code_of(name, self.method.name, self.call)

    def _key(self, control: Control) -> Key:
        return control.name, next(k for k, one in enumerate(self.method.controls) if one is control)


def code_of(signal: str, method: str, call: Mapping[str, Any]) -> str:
    """A call as a line of Python; arrays and signals stand under the names of their parameters.

    Examples
    --------
    >>> code_of("s", "find_peaks", {"sigma": 1, "filter": "square_root", "mask": np.ones((4, 4), bool)})
    's.find_peaks(sigma=1, filter="square_root", mask=mask)'
    >>> code_of("s", "find_peaks", {"mask": l4.RectangleROI(0, 0, 4, 4)})
    's.find_peaks(mask=l4.RectangleROI(left=0, top=0, right=4, bottom=4))'
    """
    return f"{signal}.{method}({', '.join(f'{name}={_text(name, value)}' for name, value in call.items())})"


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple | list):
        inner = ", ".join(_text(name, one) for one in value)
        return f"({inner}{',' if len(value) == 1 else ''})" if isinstance(value, tuple) else f"[{inner}]"
    if isinstance(value, np.generic):
        return repr(value.item())
    if value is None or isinstance(value, bool | int | float | slice):
        return repr(value)
    if hasattr(value, "spans"):  # a ROI, which says how it was made
        return f"l4.{value!r}"
    return name


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _has_numbers(value: Any) -> bool:
    """Whether a slider can stand for a value, as far as its type tells."""
    single = (str, int, float, np.integer, np.floating)
    return isinstance(value, single) or (isinstance(value, tuple | list) and all(isinstance(v, single) for v in value))


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default itself: of lengths 5 and 5.0 are not the same."""
    if value is default:
        return True
    if not (_is_plain(value) and _is_plain(default)):
        return bool(isinstance(value, tuple) and isinstance(default, tuple) and value == default)
    return type(value) is type(default) and bool(value == default)


def _among(value: Any, choices: tuple[Any, ...]) -> bool:
    return any(value is one or (_is_plain(value) and _same(value, one)) for one in choices)


def _middle(axis: Any) -> float:
    """Where the beam is by default, in axis units."""
    from lazy4d.signals.frame_center import has_zero

    return 0.0 if has_zero(axis) else float(axis.index2value(axis.size // 2))

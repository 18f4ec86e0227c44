"""Sliders, choices and switches drawn into a figure, for windows: one row a control, beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log10
from typing import Any

from matplotlib.transforms import Bbox
from matplotlib.widgets import Button, Slider

from lazy4d.plot.scale_bars import FONT_SIZE, unit_text
from lazy4d.plot.tuning.control import Control, Range
from lazy4d.plot.tuning.controller import TuningController
from lazy4d.plot.viewer.canvas_loop import CanvasLoop

PANEL_WIDTH = 3.8
"""Inches at the left of the figure that the controls take."""

_ROW, _TOP, _NAME, _NUMBER, _EDGE = 0.3, 0.12, 1.45, 0.75, 0.12


def panel_height(controller: TuningController) -> float:
    """Inches that the controls of a method take, whichever of its choices is taken.

    Examples
    --------
    >>> tuning = TuningController(d, "template_match_disk", disk_r=3)
    >>> panel_height(tuning) > 2
    True
    >>> tuning.close()
    """
    names: dict[str, int] = {}
    for one in controller.method.controls:
        names[one.name] = max(names.get(one.name, 0), len(one.parts))
    return (len(controller.signal.nav_shape) + 1.3 + sum(names.values())) * _ROW + _TOP + 0.9


class FigureSliders:
    """The controls of a method as matplotlib widgets.

    A click on the name of a parameter that may be left to the method gives it a value or takes that away; a click on a
    choice takes the next one, with the right button the one before.

    Parameters
    ----------
    loop : CanvasLoop
        Of the figure.
    controller : TuningController
        What is tuned.
    changed : callable
        Called when a control was used.
    """

    def __init__(self, loop: CanvasLoop, controller: TuningController, changed: Callable[[], None]) -> None:
        self._loop, self._controller, self._changed = loop, controller, changed
        self._width, self._height = (float(one) for one in loop.figure.get_size_inches())
        self._axes: list[Any] = []
        self._logarithmic: set[tuple[str, str]] = set()
        self._units: dict[tuple[str, str], str] = {}
        self._layout: Any = None
        self._quiet = False
        self.widgets: dict[tuple[str, str], Any] = {}
        self._code = loop.figure.text(
            _EDGE / self._width, 0.3 / self._height, "", fontsize=FONT_SIZE - 0.5, family="monospace", va="bottom"
        )

    def refresh(self) -> None:
        """Show the parameters as they are now."""
        parameters = self._controller.parameters
        layout = [
            (one.name, part, parameters.range(one, k), parameters.value(one) is None, parameters.is_fixed(one))
            for one in parameters.controls()
            for k, part in enumerate(one.parts)
            if one.slides
        ] + [(one.name, parameters.value(one)) for one in parameters.controls() if not one.slides]
        if layout != self._layout:
            self._layout = layout
            self._rebuild()
        else:
            self._set_sliders()
        self._code.set_text(_wrapped(self._controller.code))
        self._loop.redraw()

    def _set_sliders(self) -> None:
        parameters = self._controller.parameters
        self._quiet = True
        axes = self._controller.signal.nav_axes[::-1]
        for axis, index in zip(axes, self._controller.positions[0], strict=True):
            if ("position", axis.name) in self.widgets:
                self.widgets["position", axis.name].set_val(index)
                self._write(("position", axis.name))
        for control in parameters.controls():
            slides = control.slides and not parameters.is_fixed(control)
            if slides and parameters.value(control) is not None:
                for part, number in zip(control.parts, parameters.numbers(control), strict=True):
                    key = (control.name, part)
                    self.widgets[key].set_val(log10(number) if key in self._logarithmic else number)
                    self._write(key)
        self._quiet = False

    def _rebuild(self) -> None:
        for widget in self.widgets.values():
            widget.disconnect_events()
        for axes in self._axes:
            axes.remove()
        self.widgets, self._axes = {}, []
        self._logarithmic, self._units = set(), {}
        y = self._height - _TOP - _ROW
        for axis, index in zip(self._controller.signal.nav_axes[::-1], self._controller.positions[0], strict=True):
            if axis.size > 1:
                self._slider(
                    ("position", axis.name), y, axis.name, Range(0, axis.size - 1, 1, False, ""), index, self._move
                )
                y -= _ROW
        if self._controller.signal.nav_shape:
            self._button(
                ("frame", "next"),
                y,
                _EDGE,
                1.6,
                "next frame",
                lambda event: self._use(lambda: self._controller.next_frame()),
            )
            self._button(
                ("frame", "random"),
                y,
                _EDGE + 1.7,
                1.6,
                "random frame",
                lambda event: self._use(lambda: self._controller.random_frame()),
            )
            y -= 1.3 * _ROW
        for control in self._controller.parameters.controls():
            y = self._control(control, y)

    def _control(self, control: Control, y: float) -> float:
        parameters = self._controller.parameters
        value = parameters.value(control)
        if not control.slides:
            choices = (False, True) if control.kind == "switch" else parameters.choices(control)
            text = f"{control.name}: {control.names.get(value, str(value)) if _hashable(value) else 'as given'}"
            self._button(
                (control.name, ""),
                y,
                _EDGE,
                PANEL_WIDTH - 2 * _EDGE,
                text,
                lambda event: self._next(control, choices, event),
            )
            return y - _ROW
        fixed = parameters.is_fixed(control)
        if value is None or fixed or parameters.optional(control):
            what = "as given" if fixed else "auto"
            name = f"{control.name} {control.parts[0]}".strip()
            text = f"{control.name}: {what}" if value is None or fixed else name
            wide = PANEL_WIDTH - 2 * _EDGE if value is None or fixed else _NAME - 0.05
            self._button(
                (control.name, "auto"),
                y,
                _EDGE,
                wide,
                text,
                lambda event: self._use(lambda: self._controller.switch(control, value is None)),
            )
            if value is None or fixed:
                return y - _ROW
        for k, part in enumerate(control.parts):
            reach = parameters.range(control, k)
            name = "" if parameters.optional(control) and k == 0 else f"{control.name} {part}".strip()
            number = parameters.numbers(control)[k]
            self._slider((control.name, part), y, name, reach, number, partial(self._controller.slide, control, part=k))
            y -= _ROW
        return y

    def _slider(
        self, key: tuple[str, str], y: float, name: str, reach: Range, number: float, take: Callable[[float], None]
    ) -> None:
        ax = self._place(y, _EDGE + _NAME, PANEL_WIDTH - _NAME - _NUMBER - 2 * _EDGE)
        low, high = min(reach.low, number), max(reach.high, number)
        units = reach.units if reach.units == "px" else unit_text(reach.units)
        if reach.log:
            self._logarithmic.add(key)
            low, high, number = log10(low), log10(high), log10(number)
        slider = Slider(ax, name, low, high, valinit=number)
        for text in (slider.label, slider.valtext):
            text.set_fontsize(FONT_SIZE)
        slider.drawon = False
        slider.on_changed(lambda value: self._use(lambda: take(10**value if reach.log else value)))
        self._units[key] = units
        self.widgets[key] = slider
        self._write(key)

    def _write(self, key: tuple[str, str]) -> None:
        """The number of a slider beside it."""
        slider = self.widgets[key]
        number = 10**slider.val if key in self._logarithmic else slider.val
        slider.valtext.set_text(f"{number:.4g} {self._units[key]}".rstrip())

    def _button(
        self, key: tuple[str, str], y: float, left: float, width: float, text: str, clicked: Callable[[Any], None]
    ) -> None:
        button = Button(self._place(y, left, width), text, color="0.93", hovercolor="0.85", useblit=False)
        button.label.set_fontsize(FONT_SIZE)
        button.drawon = False
        button.on_clicked(clicked)
        self.widgets[key] = button

    def _place(self, y: float, left: float, width: float) -> Any:
        box = Bbox.from_bounds(left / self._width, y / self._height, width / self._width, (_ROW - 0.06) / self._height)
        ax = self._loop.figure.add_axes(box.bounds)
        self._axes.append(ax)
        return ax

    def _move(self, value: float) -> None:
        place = list(self._controller.positions[0])
        axes = self._controller.signal.nav_axes[::-1]
        for k, axis in enumerate(axes):
            if ("position", axis.name) in self.widgets:
                place[k] = round(self.widgets["position", axis.name].val)
        if tuple(place) != self._controller.positions[0]:
            self._controller.move(tuple(place))

    def _next(self, control: Control, choices: tuple[Any, ...], event: Any) -> None:
        value = self._controller.parameters.value(control)
        at = next(k for k, one in enumerate(choices) if one is value or (type(one) is type(value) and one == value))
        step = -1 if getattr(event, "button", 1) == 3 else 1
        self._use(lambda: self._controller.choose(control, choices[(at + step) % len(choices)]))

    def _use(self, act: Callable[[], None]) -> None:
        if not self._quiet:
            act()
            self._changed()


def _hashable(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _wrapped(code: str, width: int = 46) -> str:
    """Code broken after commas, so that it fits beside the pictures."""
    lines, line = [], ""
    for piece in code.replace(", ", ",\x00").split("\x00"):
        if line and len(line) + len(piece) + 1 > width:
            lines.append(line)
            line = "    " + piece
        else:
            line = f"{line} {piece}" if line else piece
    return "\n".join([*lines, line])

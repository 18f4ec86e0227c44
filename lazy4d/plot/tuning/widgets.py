"""Controls as ipywidgets beside the pictures: sliders, choices, switches, position, code and status."""

from __future__ import annotations

import html
from collections.abc import Callable
from math import ceil, floor, log10
from typing import Any

from matplotlib.figure import Figure

from lazy4d.plot.saving import png_of
from lazy4d.plot.scale_bars import unit_text
from lazy4d.plot.tuning.control import Control
from lazy4d.plot.tuning.controller import TuningController
from lazy4d.plot.viewer.figures import WIDGET
from lazy4d.plot.viewer.wakeup import LoopWakeup

DPI = 100.0
"""Dots an inch of pictures in notebooks that are not live."""

_WIDE = "370px"
_NAME = "138px"


def ipywidgets_module() -> Any:
    """The module ipywidgets, with a canvas or without.

    Raises
    ------
    ImportError
        It is not installed; the message says how to get it.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise ImportError('sliders in notebooks need ipywidgets: pip install "lazy4d[jupyter]"') from error
    return ipywidgets


class ControlRow:
    """One parameter as a widget: a choice, a switch, or one or two sliders that may be left to the method."""

    def __init__(self, control: Control, controller: TuningController, changed: Callable[[], None]) -> None:
        self.control, self._controller, self._changed = control, controller, changed
        self._quiet = False
        w = ipywidgets_module()
        self._name = w.Label(control.name, layout=w.Layout(width=_NAME), tooltip=control.about)
        self.tick: Any = None
        self.sliders: list[Any] = []
        self.choice: Any = None
        if control.kind == "switch":
            self.choice = w.Checkbox(indent=False, layout=w.Layout(width="auto"), tooltip=control.about)
            self.choice.observe(self._chosen, "value")
            parts = [self._name, self.choice]
        elif control.kind == "choice":
            self.choice = w.Dropdown(layout=w.Layout(width="200px"), tooltip=control.about)
            self.choice.observe(self._chosen, "value")
            parts = [self._name, self.choice]
        else:
            self.tick = w.Checkbox(indent=False, layout=w.Layout(width="20px"), tooltip="off: the method chooses")
            self.tick.observe(self._ticked, "value")
            self.sliders = [self._slider(w, k) for k in range(len(control.parts))]
            self._auto = w.Label("automatic", layout=w.Layout(width="auto"))
            parts = [self._name, self.tick, w.VBox(self.sliders), self._auto]
        self.widget = w.HBox(parts, layout=w.Layout(align_items="center", min_height="30px"))

    def _slider(self, w: Any, part: int) -> Any:
        control, parameters = self.control, self._controller.parameters
        reach = parameters.range(control, part)
        layout = w.Layout(width="200px")
        kind = w.FloatLogSlider if reach.log and reach.low > 0 else w.FloatSlider
        slider = kind(
            description=control.parts[part], layout=layout, readout_format=".3g", tooltip=control.about,
            style={"description_width": "40px" if control.parts[part] else "0px"},
        )  # fmt: skip
        slider.observe(lambda change, part=part: self._slid(change["new"], part), "value")
        return slider

    def refresh(self) -> None:
        """Show the parameter as it is now, or nothing where it does not count."""
        parameters, control = self._controller.parameters, self.control
        counts = any(one is control for one in parameters.controls())
        self.widget.layout.display = "flex" if counts else "none"
        if not counts:
            return
        self._quiet = True
        try:
            value = parameters.value(control)
            if control.kind == "switch":
                self.choice.value = bool(value)
            elif control.kind == "choice":
                self._show_choice(value)
            else:
                self._show_number(value)
        finally:
            self._quiet = False

    def _show_choice(self, value: Any) -> None:
        choices = self._controller.parameters.choices(self.control)
        options = [(_choice_text(self.control, one), k) for k, one in enumerate(choices)]
        if list(self.choice.options) != options:
            self.choice.options = options
        at = [k for k, one in enumerate(choices) if one is value or (type(one) is type(value) and _equal(one, value))]
        self.choice.value = at[0] if at else None

    def _show_number(self, value: Any) -> None:
        parameters = self._controller.parameters
        fixed = parameters.is_fixed(self.control)
        slides = value is not None and not fixed
        self.tick.layout.visibility = "visible" if parameters.optional(self.control) else "hidden"
        self.tick.value = value is not None
        self._auto.value = "as given" if fixed else "automatic"
        self._auto.layout.display = "none" if slides else "flex"
        for part, slider in enumerate(self.sliders):
            slider.layout.display = "flex" if slides else "none"
            if not slides:
                continue
            reach, number = parameters.range(self.control, part), parameters.numbers(self.control)[part]
            _set_range(slider, reach, number)
            units = reach.units if reach.units == "px" else unit_text(reach.units)
            self._name.value = f"{self.control.name} ({units})" if units else self.control.name
            slider.value = number

    def _slid(self, number: float, part: int) -> None:
        if not self._quiet:
            self._controller.slide(self.control, number, part)
            self._changed()

    def _ticked(self, change: Any) -> None:
        if not self._quiet:
            self._controller.switch(self.control, bool(change["new"]))
            self._changed()

    def _chosen(self, change: Any) -> None:
        if self._quiet or change["new"] is None:
            return
        if self.control.kind == "switch":
            self._controller.choose(self.control, bool(change["new"]))
        else:
            self._controller.choose(self.control, self._controller.parameters.choices(self.control)[change["new"]])
        self._changed()


def _set_range(slider: Any, reach: Any, number: float) -> None:
    """Give a slider its range, in an order that it allows."""
    low, high = min(reach.low, number), max(reach.high, number)
    if reach.log and hasattr(slider, "base"):
        low, high, step = floor(1e6 * log10(low)) / 1e6, ceil(1e6 * log10(high)) / 1e6, 0.02
    else:
        step = reach.step
        while step > 1e-3 * reach.step and abs((number - low) / step - round((number - low) / step)) > 1e-6:
            step /= 10  # a browser moves a value that is between steps, as those of users are
        slider.readout_format = f".{max(0, ceil(-log10(step) - 1e-9))}f"
    if low > slider.max:
        slider.max = high
    slider.min, slider.max, slider.step = low, high, step


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, str | bool | int | float) and bool(one == other)


def _choice_text(control: Control, value: Any) -> str:
    if value is None or isinstance(value, str | bool | int | float):
        return control.names.get(value, "none" if value is None else str(value))
    return "as given"


class ControlPanel:
    """All controls in a column beside the pictures.

    Parameters
    ----------
    controller : TuningController
        What is tuned.
    figure : Figure
        The pictures.
    kind : str
        Of the figure: its own widget, or drawn as a PNG after each change.
    changed : callable
        Called when a control was used.
    drain : callable
        Takes what is new and shows it in the figure; whether more is to come.
    """

    def __init__(
        self,
        controller: TuningController,
        figure: Figure,
        kind: str,
        changed: Callable[[], None],
        drain: Callable[[], bool],
    ) -> None:
        w = ipywidgets_module()
        self._controller, self._changed, self._figure = controller, changed, figure
        self._quiet = False
        self.rows = [ControlRow(one, controller, changed) for one in controller.method.controls]
        self.code = w.HTML()
        self.status = w.HTML()
        self.positions = [self._position(w, k) for k in range(len(controller.positions[0]))]
        self.slot = w.ToggleButtons(
            options=[(str(k + 1), k) for k in range(len(controller.positions))], style={"button_width": "40px"},
            layout=w.Layout(display="flex" if len(controller.positions) > 1 else "none"),
        )  # fmt: skip
        self.slot.observe(lambda change: self.refresh(), "value")
        self.next = w.Button(description="next frame", layout=w.Layout(width="110px"))
        self.random = w.Button(description="random frame", layout=w.Layout(width="130px"))
        self.next.on_click(lambda _: self._use(controller.next_frame))
        self.random.on_click(lambda _: self._use(controller.random_frame))
        scan = [self.slot, *self.positions, w.HBox([self.next, self.random])] if self.positions else []
        layout = w.Layout(width=_WIDE, min_width=_WIDE, overflow="visible")
        self.controls = w.VBox([*scan, *(row.widget for row in self.rows), self.status], layout=layout)
        self._image: Any = None
        self._wakeup: LoopWakeup | None = None
        picture: Any = figure.canvas
        if kind != WIDGET:
            width = f"{figure.get_size_inches()[0] * DPI:.0f}px"
            self._image = w.Image(
                format="png", layout=w.Layout(width=width, height="auto", max_width="100%", align_self="flex-start")
            )
            picture = self._image
            self._drain = drain
            self._wakeup = LoopWakeup(self._redraw)
            controller.worker.notify = self._wakeup.notify
            self._image.value = png_of(figure, DPI)
        beside = w.Box([picture], layout=w.Layout(flex="1 1 auto", overflow="auto", min_width="0"))
        self.widget = w.VBox([w.HBox([self.controls, beside]), self.code])

    def refresh(self) -> None:
        """Show the parameters, the position and the code as they are now."""
        for row in self.rows:
            row.refresh()
        self._quiet = True
        for slider, index in zip(self.positions, self._controller.positions[self._slot()], strict=True):
            slider.value = index
        self._quiet = False
        self.code.value = _code_html(self._controller.code)
        if self._wakeup is not None:
            self._wakeup.wake()

    def tell(self, text: str, wrong: bool) -> None:
        """Say what came out, or what is wrong."""
        color = "#c0392b" if wrong else "#555"
        self.status.value = f'<div style="line-height:1.3;color:{color};width:{_WIDE}">{html.escape(text)}</div>'

    def close(self) -> None:
        """Let go of the widgets."""
        if self._wakeup is not None:
            self._wakeup.close()
        self.widget.close()

    def _slot(self) -> int:
        return int(self.slot.value or 0)

    def _position(self, w: Any, number: int) -> Any:
        axis = self._controller.signal.nav_axes[::-1][number]
        slider = w.IntSlider(
            min=0, max=max(axis.size - 1, 1), description=axis.name, disabled=axis.size == 1,
            layout=w.Layout(width="340px"), style={"description_width": "50px"},
        )  # fmt: skip
        slider.observe(lambda change: self._moved(), "value")
        return slider

    def _moved(self) -> None:
        if not self._quiet:
            place = tuple(int(slider.value) for slider in self.positions)
            self._use(lambda: self._controller.move(place, self._slot()))

    def _use(self, act: Callable[[], None]) -> None:
        act()
        self._changed()

    def _redraw(self) -> bool:
        """Draw what is new, and send it as a picture."""
        more = self._drain()
        self._image.value = png_of(self._figure, DPI)
        return more


def _code_html(code: str) -> str:
    """The code with a button that copies it."""
    shown = html.escape(code)
    return (
        '<div style="display:flex;align-items:center;gap:8px">'
        f'<code style="background:#f4f4f4;color:#222;padding:3px 8px;user-select:all">{shown}</code>'
        f'<button data-code="{html.escape(code, quote=True)}" style="cursor:pointer" '
        'onclick="navigator.clipboard.writeText(this.dataset.code)">copy</button></div>'
    )

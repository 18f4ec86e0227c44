"""The viewer of numbers over a scan: a map, an image of displacements or of colours, or a curve."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from lazy4d.plot.panels import quantity_of
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.crosshair import Crosshair
from lazy4d.plot.viewer.curve_panel import CurvePanel
from lazy4d.plot.viewer.image_panel import ImagePanel
from lazy4d.plot.viewer.layout import shape_of
from lazy4d.plot.viewer.map_controller import MapController
from lazy4d.plot.viewer.numbers import CYCLIC, PARTS, next_part, part_of, usual_label
from lazy4d.plot.viewer.readout import share_text
from lazy4d.plot.viewer.viewer import Viewer
from lazy4d.signals import BeamPosition, ColorImage
from lazy4d.signals.dpc.color_image import LONGEST

_UNKNOWN = 230
"""Red, green and blue of what is still to be computed."""


class MapViewer(Viewer):
    """A figure of the numbers that a signal has at each position of a scan; see `Viewer`.

    What is still lazy is computed in the background, and the picture sharpens. A crosshair marks the position of
    ``signal.axes_manager``, and the line below the picture the value there.

    Parameters
    ----------
    signal : BaseSignal
        Without signal axes, a `BeamPosition`, or a `ColorImage`; of one navigation axis or more.
    contrast : ContrastChoice
        How numbers become colours.
    cmap : str, optional
        Colour map.
    title : str
        Of the figure.
    size : (float, float), optional
        In inches.
    """

    def __init__(
        self, signal: Any, contrast: ContrastChoice, *, cmap: str | None, title: str, size: tuple[float, float] | None
    ) -> None:
        controller = MapController(signal)
        axes = tuple(signal.axes_manager.navigation_axes)
        self._part, self._cmap = PARTS[0], cmap
        self._values: Any = None
        self._is_vector, self._is_color = isinstance(signal, BeamPosition), isinstance(signal, ColorImage)
        is_curve = len(axes) == 1
        super().__init__(signal, controller, [shape_of(axes)], axes[2:], size=size, title=title)
        places = self._places()
        region, place = places.regions[0], places.pictures[0]
        label = self._name_of_values()
        if is_curve:
            names = ("y", "x") if self._is_vector else ()
            self.picture: Any = CurvePanel(self.loop, region, place, axes[0], label, contrast, names)
        else:
            kind = "direction" if self._is_vector else "colors" if self._is_color else contrast.kind
            self.picture = ImagePanel(self.loop, region, place, (axes[1], axes[0]), label, kind, contrast, cmap)
        self.navigator = self.picture
        self.panels.append(self.picture)
        self.crosshair: Crosshair | None = None
        self.picture.set_title(title)
        self._begin()

    @property
    def navigator_ax(self) -> Any:
        """None: the map itself is where positions are picked."""
        return None

    def next_part(self) -> None:
        """Show another part of complex numbers."""
        if self.signal.dtype.kind != "c":
            return
        self._part = next_part(self._part)
        is_phase = self._part == PARTS[1]
        limits = (-np.pi, np.pi) if is_phase else None
        self.picture.restyle(
            ContrastChoice("linear", "map", limits=limits), self._name_of_values(), CYCLIC if is_phase else self._cmap
        )
        self._show_values()
        self.loop.flush()

    def _show(self, update: Any) -> None:
        if update.what == "position":
            for slider, pixel in zip(self.sliders, update.position[2:], strict=False):
                slider.show(pixel)
            self._mark()
            return
        self._values = update.image
        if update.share > 0:
            self._show_values()
        self.picture.set_title(f"{self.title}  {share_text(update.share) if not update.final else ''}".strip())
        if update.message:
            self.footer.say(right=textwrap.shorten(update.message, 90, placeholder=" …"))
        self._read_out()

    def _show_values(self) -> None:
        if self._values is None:
            return
        values = part_of(np.asarray(self._values), self._part)
        if self._is_vector:
            values = values - np.asarray(self.signal.center)
        elif self._is_color:
            values = np.nan_to_num(values, nan=_UNKNOWN).astype(np.uint8)
        elif self.signal.dtype == bool and self.controller.share >= 1:
            values = values.astype(bool)
        self.picture.show(values)

    def _mark(self) -> None:
        """Show where the position is, from the first time that it moves."""
        if self.crosshair is None:
            self.crosshair = Crosshair(self.picture)
        self.crosshair.move(*self.position[:2])
        self._read_out()

    def _read_out(self) -> None:
        self.footer.say(self.picture.text_at(*(*self.position, 0)[:2]) if self.position else "")

    def _name_of_values(self) -> str:
        if self._is_vector:
            return "displacement (px)" if len(self.navigation_axes) == 1 else "px"
        if self._is_color:
            return str(self.signal.metadata.get_item(LONGEST, ""))
        return self._part if self.signal.dtype.kind == "c" else quantity_of(self.signal, usual_label(self.signal))

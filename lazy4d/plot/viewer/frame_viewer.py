"""The viewer of a scan: a navigator, and the frame at the position picked in it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.controller import ViewController
from lazy4d.plot.panels import quantity_of
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.crosshair import Crosshair
from lazy4d.plot.viewer.curve_panel import CurvePanel
from lazy4d.plot.viewer.image_panel import ImagePanel
from lazy4d.plot.viewer.layout import shape_of
from lazy4d.plot.viewer.numbers import CYCLIC, PARTS, next_part, part_of, usual_label
from lazy4d.plot.viewer.overlays import Overlays, check_overlays
from lazy4d.plot.viewer.readout import indices_text, place_text, share_text
from lazy4d.plot.viewer.viewer import Viewer

_LINE = 46
"""Letters in a line of a message that stands where a picture should be."""


class FrameViewer(Viewer):
    """A figure of one frame at a time beside the image of the scan in which its position is picked; see `Viewer`.

    Parameters
    ----------
    signal : BaseSignal
        With one signal axis or more; of more than two, the last two are the picture and the others have sliders.
    navigator : "auto", BaseSignal, ndarray, dict of these, or None
        See `ViewController`.
    contrast : ContrastChoice
        Of the frames.
    cmap : str, optional
        Colour map of the frames.
    vectors : DiffractionVectors, optional
        Drawn on the frames.
    rois : ROI, or list or dict of these
        Outlined on the frames, to be dragged and resized.
    title : str
        Of the figure.
    size : (float, float), optional
        In inches.
    """

    def __init__(
        self,
        signal: Any,
        navigator: Any,
        contrast: ContrastChoice,
        *,
        cmap: str | None,
        vectors: Any,
        rois: Any,
        title: str,
        size: tuple[float, float] | None,
    ) -> None:
        check_overlays(signal, vectors, rois)  # before there is a window
        controller = ViewController(signal, navigator)
        self._given = navigator
        self._axes = signal.axes_manager
        self._inner = [0] * max(0, len(signal.frame_shape) - 2)
        self._raw: NDArray[Any] | None = None
        self._shown_at: tuple[int, ...] | None = None
        self._part = PARTS[0]
        self._pinned: tuple[int, int] | None = None
        self._share = 0.0
        self._cmap, self._label = cmap, quantity_of(signal, usual_label(signal))
        has_navigator = bool(controller.navigators)
        shapes = [shape_of(controller.navigator_axes)] if has_navigator else []
        frame_axes = self._axes.signal_axes
        further = [*controller.slider_axes, *frame_axes[2:]]
        super().__init__(signal, controller, [*shapes, shape_of(frame_axes[:2])], further, size=size, title=title)
        places = self._places()
        at = list(zip(places.regions, places.pictures, strict=True))
        if has_navigator:
            self.navigator = self._panel(*at[0], controller.navigator_axes, "", ContrastChoice(), "map", None)
            self.panels.append(self.navigator)
            self.crosshair = Crosshair(self.navigator)
            self.crosshair.move(*self.position[:2])
        label = self._part if signal.dtype.kind == "c" else self._label
        self.picture = self._panel(*at[-1], frame_axes[:2], label, contrast, contrast.kind, cmap)
        self.panels.append(self.picture)
        self.picture.set_title(self._name())
        self._overlays = Overlays(self.picture, signal, vectors, rois, self.loop, controller.worker)
        self._begin()

    def _panel(
        self, region: Any, place: Any, axes: Sequence[Any], label: str, contrast: ContrastChoice, kind: str, cmap: Any
    ) -> Any:
        """A panel for an image, or for a curve where there is one axis only."""
        if len(axes) == 1:
            return CurvePanel(self.loop, region, place, axes[0], label, contrast)
        return ImagePanel(self.loop, region, place, (axes[1], axes[0]), label, kind, contrast, cmap)

    # -- for mouse and keys ------------------------------------------------------------------------------------------

    def slide(self, number: int, pixel: int) -> None:
        """Go to a pixel of an axis that has a slider: a further one of the scan, or of the frames."""
        outer = len(self.controller.slider_axes)
        if number < outer:
            super().slide(number, pixel)
            return
        self._inner[number - outer] = pixel
        self._show_frame()
        self.loop.flush()

    def pin(self, x: int, y: int) -> None:
        """Read a pixel of the picture out below it, in this frame and in those that follow."""
        self._pinned = (x, y)
        self._read_out()
        self.loop.flush()

    def next_navigator(self, step: int) -> None:
        """Show another of the named navigators."""
        names = list(self.controller.navigators)
        if len(names) > 1:
            now = names.index(self.controller.navigator_name)
            self.controller.choose(names[(now + step) % len(names)])
            self.navigator.contrast.forget()
            self._refresh()

    def next_part(self) -> None:
        """Show another part of complex numbers."""
        if self._raw is None or self._raw.dtype.kind != "c":
            return
        self._part = next_part(self._part)
        panel, is_phase = self.picture, self._part == PARTS[1]
        limits = (-np.pi, np.pi) if is_phase else None
        norm = "linear" if self._part != PARTS[0] else "auto"
        panel.restyle(ContrastChoice(norm, "map", limits=limits), self._part, CYCLIC if is_phase else self._cmap)
        self._show_frame()
        self.loop.flush()

    def _ended(self) -> None:
        self._overlays.close()
        super()._ended()

    # -- news --------------------------------------------------------------------------------------------------------

    def _place_regions(self) -> None:
        self._overlays.place_regions()

    def _take(self) -> bool:
        busy = super()._take()
        return self._overlays.take() or busy

    def _show(self, update: Any) -> None:
        if update.what == "position":
            self._stand_at(update.position)
        elif update.what == "navigator":
            self._show_navigator(update)
        else:
            self._shown_at = update.position
            self._raw = None if update.data is None or not update.valid else update.data
            message = update.message or (str(update.error) if update.error is not None else "")
            if self._raw is None:
                self.picture.fail("\n".join(textwrap.wrap(message or "no frame", _LINE)))
                self.picture.set_title(self._name())
            else:
                self._show_frame()
            self._overlays.show(update.position)
            self._read_out(message if self._raw is not None else "")

    def _stand_at(self, position: tuple[int, ...]) -> None:
        if self.navigator is not None:
            self.crosshair.move(*position[:2])
        for slider, pixel in zip(self.sliders, position[2:], strict=False):
            slider.show(pixel)
        self._read_out()

    def _show_navigator(self, update: Any) -> None:
        if update.image is not None:
            self.navigator.set_label(self._navigator_label(update.name))
            self.navigator.show(update.image)
        self._share = update.share
        share = share_text(update.share) if not update.final or update.share < 1 else ""
        self.navigator.set_title(f"{update.name} {share}".strip())
        if update.message:
            self.footer.say(right=textwrap.shorten(update.message, 90, placeholder=" …"))
        self._read_out()

    def _show_frame(self) -> None:
        """The present frame, or the part of it that the sliders pick."""
        if self._raw is None:
            return
        values = self._raw[tuple(reversed(self._inner))] if self._inner else self._raw
        self.picture.show(part_of(values, self._part))
        self.picture.set_title(self._name())

    def _name(self) -> str:
        """What stands above the frame: where it is from."""
        position = self.position if self._shown_at is None else self._shown_at
        if not position:
            return self.title
        place = place_text(self.navigation_axes, position)
        is_plain = all(axis.units == "px" and (axis.scale, axis.offset) == (1, 0) for axis in self.navigation_axes)
        return place if is_plain else f"{place}  {indices_text(position)}"

    def _read_out(self, message: str | None = None) -> None:
        """Where the crosshair stands and what the navigator says there; the pixel that is read out, or a message."""
        left = ""
        if self.position:
            left = place_text(self.navigation_axes, self.position)
            if self.navigator is not None and self.navigator.values is not None:
                left = self.navigator.text_at(*(*self.position, 0)[:2])
        right = message
        if not message and self._pinned is not None:
            right = self.picture.text_at(*self._pinned)
        self.footer.say(left, right)

    def _navigator_label(self, name: str) -> str:
        given = self._given.get(name) if isinstance(self._given, Mapping) else self._given
        if isinstance(given, str):
            return self._label
        return quantity_of(given, usual_label(given)) if given is not None and hasattr(given, "metadata") else ""

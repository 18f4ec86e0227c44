"""Redrawing only the parts of a figure that changed: layers over a remembered background, copied to the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import DrawEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

Region = Axes | Bbox | Callable[[], Bbox]
"""Axes (with all around them), a rectangle in parts of the figure, or a function that gives one in pixels."""

_AROUND = 3
"""Pixels around the axes of a part: rims of lines, and what is antialiased."""


class Part:
    """A rectangle of a figure and the artists drawn in it, in layers from below to above.

    A change of one layer draws that layer and those above it again, on a copy of what is below it.

    Examples
    --------
    >>> ax = Figure().add_subplot()
    >>> line, = ax.plot([1, 2])
    >>> part = Part(ax, [[line], []])
    >>> part.add(ax.axvline(1.5), layer=1)
    >>> [len(layer) for layer in part.layers]
    [1, 1]
    """

    def __init__(self, region: Region, layers: Iterable[Iterable[Artist]]) -> None:
        self.region = region
        self.layers: list[list[Artist]] = [list(layer) for layer in layers]
        self._lowest: int | None = None
        self._below: list[Any] = []
        self._box: Bbox | None = None
        for layer in self.layers:
            for artist in layer:
                artist.set_animated(True)

    def add(self, artist: Artist, layer: int = -1) -> None:
        """Draw one artist more, on top of a layer; the last by default."""
        artist.set_animated(True)
        self.layers[layer].append(artist)
        self.changed(layer)

    def remove(self, artist: Artist) -> None:
        """Draw an artist no more, and take it out of its axes."""
        for number, layer in enumerate(self.layers):
            if artist in layer:
                layer.remove(artist)
                self.changed(number)
        if artist.axes is not None:
            artist.remove()

    def replace(self, layer: int, artists: Iterable[Artist]) -> None:
        """Let a layer consist of other artists; those that were drawn stay in their axes."""
        self.layers[layer] = list(artists)
        for artist in self.layers[layer]:
            artist.set_animated(True)
        self.changed(layer)

    def changed(self, layer: int = 0) -> None:
        """Say that something in a layer looks different now."""
        number = layer % max(1, len(self.layers))
        self._lowest = number if self._lowest is None else min(self._lowest, number)

    @property
    def is_changed(self) -> bool:
        """Whether something is to be drawn again."""
        return self._lowest is not None

    def draw_all(self, canvas: Any) -> None:
        """Remember what the canvas shows, and draw all layers over it."""
        self._box = self._pixels(canvas)
        self._below = []
        self._draw(canvas, 0)

    def draw_changes(self, canvas: Any) -> Bbox | None:
        """Draw the layers that changed and those above them; the rectangle in pixels, None where nothing changed."""
        if self._lowest is None:
            return None
        canvas.restore_region(self._below[self._lowest])
        del self._below[self._lowest :]
        self._draw(canvas, self._lowest)
        return self._box

    def _draw(self, canvas: Any, lowest: int) -> None:
        renderer = canvas.get_renderer()
        for layer in self.layers[lowest:]:
            self._below.append(canvas.copy_from_bbox(self._box))
            for artist in layer:
                artist.draw(renderer)
        self._lowest = None

    def _pixels(self, canvas: Any) -> Bbox:
        whole = canvas.figure.bbox
        if isinstance(self.region, Axes):
            found = self.region.get_tightbbox(canvas.get_renderer()) or self.region.bbox
            box = found.padded(_AROUND)
        elif isinstance(self.region, Bbox):
            box = self.region.transformed(canvas.figure.transSubfigure)
        else:
            box = self.region()
        inside = Bbox.intersection(Bbox(box.get_points().round()), whole)
        return inside if inside is not None else Bbox.from_bounds(0, 0, 1, 1)


class Painter:
    """A figure whose parts can be drawn again alone; the rest is drawn when something else changed or the size did.

    Parameters
    ----------
    figure : matplotlib Figure
        On any canvas; those without pixels to copy (SVG, PDF) are drawn as a whole.

    Examples
    --------
    >>> figure = FigureCanvasAgg(Figure()).figure
    >>> ax = figure.add_subplot()
    >>> painter = Painter(figure)
    >>> part = painter.add(ax, [ax.axvline(0.5)])
    >>> painter.draw_changes()  # the first time everything is drawn
    True
    >>> part.changed(); painter.draw_changes(), painter.draw_changes()
    (True, False)
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.parts: list[Part] = []
        self.full_draws = 0
        self._is_known = False
        self._connection = self.canvas.mpl_connect("draw_event", self._drawn)

    @property
    def canvas(self) -> Any:
        """What the figure is drawn on."""
        return self.figure.canvas

    def add(self, region: Region, *layers: Iterable[Artist]) -> Part:
        """A part of the figure that is drawn apart from the others; parts do not overlap."""
        part = Part(region, layers)
        self.parts.append(part)
        self._is_known = False
        return part

    def forget(self) -> None:
        """Have everything drawn next time."""
        self._is_known = False

    @property
    def is_changed(self) -> bool:
        """Whether anything is to be drawn."""
        return not self._is_known or bool(self.figure.stale) or any(part.is_changed for part in self.parts)

    @property
    def needs_all(self) -> bool:
        """Whether the whole figure is to be drawn."""
        return not self._is_known or bool(self.figure.stale)

    def draw_changes(self) -> bool:
        """Draw what changed, and show it; whether there was anything."""
        if not self.is_changed:
            return False
        if self.needs_all or not isinstance(self.canvas, FigureCanvasAgg):
            self.canvas.draw()
            return True
        boxes = [box for box in (part.draw_changes(self.canvas) for part in self.parts) if box is not None]
        self.figure.stale = False  # measuring text says otherwise
        if boxes:
            self.canvas.blit(Bbox.union(boxes))
        return True

    def close(self) -> None:
        """Draw nothing more."""
        self.canvas.mpl_disconnect(self._connection)
        self.parts.clear()

    def _drawn(self, event: DrawEvent) -> None:
        """Draw the parts over a figure that was drawn without them, and remember it."""
        if not isinstance(self.canvas, FigureCanvasAgg):
            return
        if self.canvas.is_saving():  # its picture holds the parts already
            self._is_known = False
            return
        self.full_draws += 1
        for part in self.parts:
            part.draw_all(self.canvas)
        self.figure.stale = False  # measuring text says otherwise
        self._is_known = True

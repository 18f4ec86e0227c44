"""Pictures in rows on a live figure, changed in place; made anew only where their number, size or axes change."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import AutoLocator
from matplotlib.transforms import Bbox

from lazy4d.plot.marks import Marks, draw_marks
from lazy4d.plot.outline import outline
from lazy4d.plot.scale_bars import FONT_SIZE
from lazy4d.plot.tuning.curve_views import CurveView, ScatterView, draw_legend, message_on
from lazy4d.plot.tuning.views import Curve, Picture, Scatter, Shown
from lazy4d.plot.viewer.canvas_loop import CanvasLoop
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.image_panel import ABOVE, ImagePanel
from lazy4d.plot.viewer.layout import FOOTER, PanelShape, arrange, curve_shape, shape_of, usual_size


class PictureView:
    """A picture with its marks on one panel."""

    def __init__(self, loop: CanvasLoop, region: Bbox, place: Bbox, picture: Picture) -> None:
        contrast = ContrastChoice(picture.norm, picture.kind, power=picture.power, limits=picture.limits)
        self.panel = ImagePanel(loop, region, place, picture.axes, picture.label, picture.kind, contrast)
        self._above: list[Any] = []

    @property
    def ax(self) -> Any:
        """Its axes."""
        return self.panel.ax

    def show(self, picture: Picture) -> None:
        """Show another picture of the same shape."""
        if picture.limits != self.panel.contrast.limits:
            self.panel.contrast.limits = picture.limits
            self.panel.contrast.forget()
        self.panel.show(picture.values)
        self.panel.set_title(picture.title)
        part = self.panel.part
        for artist in self._above:
            part.remove(artist)
        if picture.axes[0].units != picture.axes[1].units:  # such as azimuth and radius
            for axis in (self.ax.xaxis, self.ax.yaxis):
                axis.set_major_locator(AutoLocator())
        made: list[Any] = [outline(mask, color) for mask, color in picture.outlines]
        for one in made:
            self.ax.add_collection(one, autolim=False)
        made += [_circles(self.ax, marks) for marks in picture.marks if marks.y.size]
        for y, x, color in picture.crosses:
            cross = Line2D(
                [x], [y], linestyle="", marker="+", markersize=11, markeredgewidth=1.2, color=color, zorder=5,
                path_effects=[withStroke(linewidth=2.6, foreground="black", alpha=0.6)],
            )  # fmt: skip
            made.append(self.ax.add_line(cross))
        if picture.key:
            made.append(draw_legend(self.ax, picture.key))
        for artist in made:
            part.add(artist, ABOVE)
        self._above = made

    def fail(self, message: str) -> None:
        """Show why there is nothing instead."""
        part = self.panel.part
        for artist in self._above:
            part.remove(artist)
        self._above = []
        self.panel.fail(message)

    def remove(self, loop: CanvasLoop) -> None:
        """Make room for another."""
        loop.painter.parts.remove(self.panel.part)
        self.ax.remove()


def _circles(ax: Any, marks: Marks) -> Any:
    """Circles; small ones, of which there are many, without the dark line below each that takes long to draw."""
    circles = draw_marks(ax, marks)
    if marks.radius is None:
        circles.set_path_effects([])
    return circles


View = PictureView | CurveView | ScatterView


class PictureGrid:
    """Pictures in rows, and a line of text below them.

    Parameters
    ----------
    loop : CanvasLoop
        Of the figure.
    left : float
        Inches at the left that are not for pictures.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> loop = CanvasLoop(Figure((4, 4)), lambda: False)
    >>> grid = PictureGrid(loop)
    >>> axes = (l4.Axis(name="y", size=3), l4.Axis(name="x", size=4))
    >>> grid.show([[Picture("ones", np.ones((3, 4)), axes)]]); grid.views[0].ax.get_title(loc="left")
    'ones'
    """

    def __init__(self, loop: CanvasLoop, left: float = 0.0) -> None:
        self._loop, self._left = loop, left
        self.views: list[View] = []
        self._shapes: list[list[Any]] = []
        self._alone: Any = None  # of a message where there are no pictures yet
        width, height = loop.figure.get_size_inches()
        below = Bbox.from_bounds(left / width, 0, 1 - left / width, FOOTER / height)
        bottom = loop.figure.add_axes(below.bounds, frameon=False, xticks=[], yticks=[])
        self._footer = bottom.text(
            0.14 / (width - left), 0.5, "", transform=bottom.transAxes, fontsize=FONT_SIZE, color="0.25", va="center"
        )
        self._footer_part = loop.add_part(below, [self._footer])

    def show(self, rows: list[list[Shown]]) -> None:
        """Show other pictures."""
        figure = self._loop.figure
        was_stale, before = figure.stale, list(self.views)
        shapes = [[one.shape for one in row] for row in rows]
        if [len(row) for row in shapes] != [len(row) for row in self._shapes] or not self.views:
            self._rebuild(rows)
        else:
            self._replace(rows, shapes)
        self._shapes = shapes
        for view, one in zip(self.views, (one for row in rows for one in row), strict=True):
            view.show(one)  # type: ignore[arg-type]
        if before == self.views and not was_stale:
            figure.stale = False  # all that changed belongs to parts, which are drawn alone

    def fail(self, error: Exception) -> None:
        """Show an error of the method instead of its result: on the first picture, or on the only one."""
        text = textwrap.fill(str(error) or type(error).__name__, 44)
        if not self.views:
            self._alone = self._alone or self._loop.figure.add_axes((0.1, 0.1, 0.8, 0.8), frameon=False)
            self._alone.set(xticks=[], yticks=[])
            self._alone.texts[0].set_text(text) if self._alone.texts else message_on(self._alone, text)
            self._loop.redraw()
            return
        self.views[min(1, len(self.views) - 1)].fail(text)

    def tell(self, text: str, wrong: bool = False) -> None:
        """Write another line below the pictures."""
        self._footer.set(text=text, color="#c0392b" if wrong else "0.25")
        self._footer_part.changed()

    @property
    def text(self) -> str:
        """The line below the pictures."""
        return str(self._footer.get_text())

    def _rebuild(self, rows: list[list[Shown]]) -> None:
        for view in self.views:
            view.remove(self._loop)
        if self._alone is not None:
            self._alone.remove()
            self._alone = None
        self.views = []
        for row, places in zip(rows, self._places(rows), strict=True):
            for one, (region, place) in zip(row, places, strict=True):
                self.views.append(self._view(one, region, place))
        self._loop.redraw()

    def _replace(self, rows: list[list[Shown]], shapes: list[list[Any]]) -> None:
        """Make views anew whose axes changed, where they are."""
        number = 0
        for row, places, before, after in zip(rows, self._places(rows), self._shapes, shapes, strict=True):
            for one, place, old, new in zip(row, places, before, after, strict=True):
                if old != new:
                    self.views[number].remove(self._loop)
                    self.views[number] = self._view(one, *place)
                    self._loop.redraw()
                number += 1

    def _view(self, one: Shown, region: Bbox, place: Bbox) -> View:
        kind: Any = {Picture: PictureView, Curve: CurveView, Scatter: ScatterView}[type(one)]
        made: View = kind(self._loop, region, place, one)
        return made

    def _places(self, rows: list[list[Shown]]) -> list[list[tuple[Bbox, Bbox]]]:
        width, height = (float(one) for one in self._loop.figure.get_size_inches())
        wide, high = width - self._left, (height - FOOTER) / len(rows) + FOOTER
        found = []
        for number, row in enumerate(rows):
            places = arrange((wide, high), [panel_shape(one) for one in row])
            bottom = (height - FOOTER) * (1 - (number + 1) / len(rows))
            inner = Bbox.from_bounds(self._left / width, bottom / height, wide / width, high / height)
            found.append(
                [(_into(inner, r), _into(inner, p)) for r, p in zip(places.regions, places.pictures, strict=True)]
            )
        return found


def _into(outer: Bbox, inner: Bbox) -> Bbox:
    """A rectangle given in parts of another one."""
    return Bbox.from_bounds(
        outer.x0 + inner.x0 * outer.width, outer.y0 + inner.y0 * outer.height, inner.width * outer.width,
        inner.height * outer.height,
    )  # fmt: skip


def panel_shape(one: Shown) -> PanelShape:
    """What a picture needs beside itself."""
    return shape_of(one.axes[::-1]) if isinstance(one, Picture) else curve_shape()


def grid_size(rows: list[list[Shown]], width: float) -> tuple[float, float]:
    """Width and height in inches of a figure for rows of pictures: two pictures side by side are that wide."""
    sizes = [usual_size([panel_shape(one) for one in row]) for row in rows]
    widest = max(size[0] for size in sizes)
    scale = width / widest * max(1.0, max(len(row) for row in rows) / 2)
    scale = min(scale, 1.0)
    height = sum(size[1] - FOOTER for size in sizes) * scale + FOOTER
    return round(widest * scale, 2), round(height, 2)

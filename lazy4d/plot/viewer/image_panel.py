"""An image in a live figure: drawn once with scale bar and colour bar, then changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from lazy4d.plot.contrast import plain_numbers
from lazy4d.plot.image import TITLE_SIZE, Image, draw, extend_of, is_bright_below
from lazy4d.plot.scale_bars import FONT_SIZE, scale_bar
from lazy4d.plot.viewer.color_bar_place import ColorBarPlace
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.fitting_pixels import fit_pixels
from lazy4d.plot.viewer.readout import place_text, unit_of, value_text

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.plot.viewer.canvas_loop import CanvasLoop

COLORS, PICTURE, ABOVE = range(3)
"""Layers of a panel: what the colours mean, the picture, and title, crosshair and marks."""

_EMPTY = "0.93"
"""Where no picture is yet."""


class ImagePanel:
    """One image with its title, scale bar and colour bar, updated in place.

    Parameters
    ----------
    loop : CanvasLoop
        Of the figure.
    region : Bbox
        Rectangle of the figure, in parts of it, that belongs to the panel with all that is written around the image.
    place : Bbox
        Where the image itself is to be, in parts of the figure.
    axes : (Axis, Axis)
        Along rows and columns.
    label : str
        What the values count.
    kind : {"map", "pattern", "signed", "direction", "colors"}
        As `lazy4d.plot.image.Image` has it.
    contrast : ContrastChoice
        How values become colours.
    cmap : str, optional
        Colour map of matplotlib.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lazy4d.plot.viewer.canvas_loop import CanvasLoop
    >>> loop = CanvasLoop(Figure(), lambda: False)
    >>> axes = (l4.Axis(name="y", size=3), l4.Axis(name="x", size=4, scale=0.5, units="nm"))
    >>> whole = Bbox.from_bounds(0, 0, 1, 1)
    >>> panel = ImagePanel(loop, whole, whole.shrunk(0.7, 0.7), axes, "counts", "map", ContrastChoice())
    >>> panel.show(np.arange(12).reshape(3, 4))
    >>> panel.text_at(2, 1)
    'x 1 nm, y 1: 6 counts'
    """

    def __init__(
        self,
        loop: CanvasLoop,
        region: Bbox,
        place: Bbox,
        axes: tuple[Axis, Axis],
        label: str,
        kind: str,
        contrast: ContrastChoice,
        cmap: str | None = None,
    ) -> None:
        self.ax = cast(Any, loop.figure.add_axes(place.bounds))
        self.axes, self.label, self.kind, self.contrast, self.cmap = axes, label, kind, contrast, cmap
        self.values: NDArray[Any] | None = None
        self._loop = loop
        self._shown: Any = None
        self._is_restyled = False
        self._grouped = (1, 1)
        self._taken = 0
        self._drawn: list[Any] = []
        self._bar: tuple[Any, ...] = ()
        self._bar_color = "white"
        self._message: Any = None
        y, x = axes
        self._has_ticks = y.units != x.units
        (left, first), (right, last) = self.place_of(-0.5, -0.5), self.place_of(x.size - 0.5, y.size - 0.5)
        self.ax.set(facecolor=_EMPTY, xlim=(left, right), ylim=(first, last) if self._has_ticks else (last, first))
        self.ax.set_aspect("auto" if self._has_ticks else abs(y.scale / x.scale))
        self.ax.tick_params(length=0, labelleft=False, labelbottom=False)
        for side in self.ax.spines.values():
            side.set(color="0.2", linewidth=0.6)
        self._title = self._place_title()
        self.part = loop.add_part(region, [], [], [self._title])
        self.ax.format_coord = self._format
        self.ax.callbacks.connect("xlim_changed", self._zoomed)

    # -- showing -----------------------------------------------------------------------------------------------------

    def show(self, values: NDArray[Any]) -> None:
        """Show other values; the colour scale changes only where it has to."""
        self._show(values)
        self._contrast_bar()

    def _show(self, values: NDArray[Any]) -> None:
        self.values = values
        numbers, taken = plain_numbers(values)
        self._name_colors(taken)
        small, self._grouped = fit_pixels(numbers)
        if self._message is not None:
            self._clear_message()
        if self.kind in ("direction", "colors"):
            self._draw(small, None)
            return
        norm = self.contrast.scale(small)
        shown = self._shown
        is_other = shown is None or type(norm) is not type(shown.norm) or small.shape != shown.get_array().shape
        if is_other or self._is_restyled:
            self._draw(small, norm)
            return
        shown.set_data(small)
        self._mark_ends(norm)
        if (norm.vmin, norm.vmax) == (shown.norm.vmin, shown.norm.vmax):
            self.part.changed(PICTURE)
            return
        with shown.norm.callbacks.blocked():
            shown.norm.vmin, shown.norm.vmax = norm.vmin, norm.vmax
        shown.norm.callbacks.process("changed")
        self.part.changed(COLORS)

    def _name_colors(self, taken: int) -> None:
        """Say beside the colours what was taken off numbers that matplotlib could not tell apart."""
        if taken != self._taken:
            self._taken, self._is_restyled = taken, True

    def _mark_ends(self, norm: Any) -> None:
        """Triangles at those ends of the colour bar beyond which values lie, or lay since the scale is `norm`."""
        bar, now = self._shown.colorbar, self._shown.norm
        if bar is None:
            return
        extend = extend_of(self._shown, norm)
        if (now.vmin, now.vmax) == (norm.vmin, norm.vmax) and bar.extend != "neither":  # they would come and go
            extend = bar.extend if extend in ("neither", bar.extend) else "both"
        if extend != bar.extend:
            inside = {"neither": (0, None), "min": (1, None), "max": (0, -1), "both": (1, -1)}[extend]
            bar.extend, bar._inside = extend, slice(*inside)
            bar.update_normal(self._shown)
            self.part.changed(COLORS)

    def refresh(self) -> None:
        """Show the same values with the contrast as it is now."""
        if self.values is not None:
            self.show(self.values)

    def recalibrate(self) -> None:
        """Draw scale bar and proportions anew, after the axes were calibrated."""
        y, x = self.axes
        if not self._has_ticks and y.units == x.units:
            self.ax.set_aspect(abs(y.scale / x.scale))
        self._is_restyled = True
        self.refresh()

    def fit_screen(self) -> None:
        """Show pixels as they are where they are larger than those of the screen; for files matplotlib knows better.

        Averages where they are smaller are of values, not of colours: one scale of colours takes few bytes to send.
        """
        if self._shown is None or not self._loop.is_live:
            return
        box, pixels = self.ax.get_window_extent(), self._shown.get_array()
        is_larger = box.width >= pixels.shape[1] and box.height >= pixels.shape[0]
        self._shown.set_interpolation("nearest" if is_larger else "auto")
        self._shown.set_interpolation_stage("data" if pixels.ndim == 2 else "rgba")

    def set_title(self, text: str) -> None:
        """Write something else above the picture."""
        if text != self._title.get_text():
            self._title.set_text(text)
            self.part.changed(ABOVE)

    @property
    def title(self) -> str:
        """What stands above the picture."""
        return str(self._title.get_text())

    def set_label(self, label: str) -> None:
        """Say that the values count something else."""
        if label != self.label:
            self.restyle(self.contrast, label, self.cmap)

    def restyle(self, contrast: ContrastChoice, label: str, cmap: str | None) -> None:
        """Have the next values drawn with another contrast, label and colour map."""
        self.contrast, self.label, self.cmap = contrast, label, cmap
        self._is_restyled = True

    def fail(self, message: str) -> None:
        """Show why there is no picture instead of one."""
        self.values = None
        self._clear_message()
        if self._shown is not None:
            self._shown.set_visible(False)
        self._message = self.ax.text(
            0.5, 0.5, message, transform=self.ax.transAxes, ha="center", va="center", fontsize=FONT_SIZE, color="0.15",
            bbox={"facecolor": "white", "edgecolor": "#c0392b", "linewidth": 0.8, "boxstyle": "round,pad=0.4"},
        )  # fmt: skip
        self.part.add(self._message, PICTURE)

    @property
    def rows_upwards(self) -> bool:
        """Whether the first row is at the bottom, as on axes with numbers."""
        return self._has_ticks

    @property
    def message(self) -> str:
        """Why there is no picture, where there is none."""
        return "" if self._message is None else str(self._message.get_text())

    # -- places ------------------------------------------------------------------------------------------------------

    def pixel_of(self, x: float, y: float) -> tuple[int, int]:
        """The pixel (x, y) at, or nearest to, a place in the coordinates of the panel."""
        (left, top), (rows, columns) = self._to_pixels(x, y), (self.axes[0].size, self.axes[1].size)
        return int(min(max(round(left), 0), columns - 1)), int(min(max(round(top), 0), rows - 1))

    def place_of(self, x: float, y: float) -> tuple[float, float]:
        """A place in pixels, in the coordinates of the panel."""
        if not self._has_ticks:
            return float(x), float(y)
        return float(self.axes[1].index2value(x)), float(self.axes[0].index2value(y))

    def text_at(self, x: int, y: int) -> str:
        """Place and value of a pixel."""
        place = place_text((self.axes[1], self.axes[0]), (x, y))
        if self.values is None:
            return place
        return f"{place}: {value_text(self.values[y, x], unit_of(self.label) if self.kind != 'colors' else '')}"

    # -- inside ------------------------------------------------------------------------------------------------------

    def _draw(self, values: NDArray[Any], norm: Any) -> None:
        """Everything anew: the first time, and where the kind of the colour scale changed."""
        y, x = self.axes
        beside = [artist for artist in self._drawn if artist in self.ax.child_axes]  # first: they know the picture
        for artist in (*beside, *self._bar, *(one for one in self._drawn if one not in beside)):
            artist.remove()
        self._bar, self._is_restyled = (), False
        limits = None if self._shown is None else (self.ax.get_xlim(), self.ax.get_ylim())
        before = set(self.ax.get_children())
        label = f"{self.label} − {self._taken}".strip() if self._taken else self.label
        image = Image(self._title.get_text(), values, (y, x), label, self.kind, norm=norm, cmap=self.cmap, bar=False)
        self.ax.set_autoscale_on(True)
        self._shown = shown = draw(self.ax, image)
        if self._has_ticks:
            self.ax.set_aspect("auto")
            self.ax.tick_params(length=2.5, labelleft=True, labelbottom=True)
        else:
            high, wide = self._grouped  # the last group may reach beyond the picture
            shown.set_extent((-0.5, values.shape[1] * wide - 0.5, values.shape[0] * high - 0.5, -0.5))
            limits = limits or ((-0.5, x.size - 0.5), (y.size - 0.5, -0.5))
        self.fit_screen()
        if limits is not None:
            self.ax.set(xlim=limits[0], ylim=limits[1])
        self.ax.set_autoscale_on(False)
        self._place_title()
        if shown.colorbar is not None:
            shown.colorbar.ax.set_axes_locator(ColorBarPlace(self.ax))
        self._drawn = [artist for artist in self.ax.get_children() if artist not in before]
        inside = [artist for artist in self._drawn if artist not in self.ax.child_axes]
        ticks = [self.ax.xaxis, self.ax.yaxis] if self._has_ticks else []
        self.part.replace(COLORS, [*self.ax.child_axes, *ticks])
        self.part.replace(PICTURE, sorted([*inside, *self.ax.spines.values()], key=lambda one: one.get_zorder()))
        self._add_bar()

    def _place_title(self) -> Any:
        """The title at a fixed height: to find a free one, matplotlib would measure all text at every drawing."""
        for ax in self.ax.child_axes:
            ax.set_title("", y=1.0)
        shown = "" if self._shown is None else self._title.get_text()
        return self.ax.set_title(shown, fontsize=TITLE_SIZE, loc="left", pad=5, y=1.0)

    def _add_bar(self) -> None:
        if self._has_ticks:
            return
        self._bar = scale_bar(self.ax, self.axes[1], color=self._bar_color)
        for artist in self._bar:
            self.part.add(artist, PICTURE)

    def _contrast_bar(self) -> None:
        """A dark scale bar where the picture is bright below it; nothing changes where it is in between."""
        if self._bar:
            color = "black" if is_bright_below(self._shown, 0.6 if self._bar_color == "white" else 0.5) else "white"
            if color != self._bar_color:
                self._bar_color = color
                self._zoomed(self.ax)

    def _zoomed(self, ax: Any) -> None:
        """A scale bar that suits what is seen."""
        if self._bar:
            for artist in self._bar:
                self.part.remove(artist)
            self._add_bar()

    def _clear_message(self) -> None:
        if self._message is not None:
            self.part.remove(self._message)
            self._message = None
        if self._shown is not None:
            self._shown.set_visible(True)
        self.part.changed(COLORS)

    def _to_pixels(self, x: float, y: float) -> tuple[float, float]:
        if not self._has_ticks:
            return x, y
        rows, columns = self.axes
        return (x - columns.offset) / columns.scale, (y - rows.offset) / rows.scale

    def _format(self, x: float, y: float) -> str:
        """What the toolbar of a window, or the line below a picture in a notebook, says of the place of the mouse."""
        px, py = self._to_pixels(x, y)
        rows, columns = self.axes
        if not (-0.5 <= px < columns.size - 0.5 and -0.5 <= py < rows.size - 0.5):
            return ""
        return self.text_at(*self.pixel_of(x, y))

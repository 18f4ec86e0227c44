"""The pictures of a viewer of detectors: which panel shows what, and the regions drawn over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.plot.colors import DETECTORS
from lazy4d.plot.detectors.combine import PRIMARIES
from lazy4d.plot.detectors.composite_panel import CompositePanel
from lazy4d.plot.detectors.roi_artist import RoiArtist
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.curve_panel import CurvePanel
from lazy4d.plot.viewer.image_panel import ABOVE, ImagePanel
from lazy4d.roi import ROI

PATTERN, IMAGE = "pattern", "image"
WHOLE = ""
"""Name of a panel that shows the whole scan: the mean pattern, or the intensity of every position."""

COMBINED = "combined"

RESULT = {"signal": IMAGE, "navigation": PATTERN}
"""What regions of a plane give."""

PLANE = {PATTERN: "signal", IMAGE: "navigation"}
"""The plane that a picture shows, so which regions are drawn over it."""

_REGIONS = (*DETECTORS[3:1:-1], *DETECTORS[4:], *DETECTORS[:2])
"""Colours of regions: others first than those of detectors."""


class ResultPanels:
    """The panels of a viewer by what they show, and the regions drawn over them.

    Parameters
    ----------
    loop : CanvasLoop
        Of the figure.
    axes : dict of tuple of Axis
        The axes of each plane, "signal" and "navigation", x-first.
    label : str
        What the values count.
    combine : str or None
        How images are combined to one.
    contrast : function
        Gives a `ContrastChoice` for patterns.
    cmap : str, optional
        Colour map of patterns.
    live : bool
        Whether regions have handles.
    """

    def __init__(
        self,
        loop: Any,
        axes: dict[str, tuple[Axis, ...]],
        label: str,
        *,
        combine: str | None,
        contrast: Callable[[], ContrastChoice],
        cmap: str | None,
        live: bool,
    ) -> None:
        self.loop, self.axes, self.label, self.combine = loop, axes, label, combine
        self.panels: dict[tuple[str, str], Any] = {}
        self.artists: dict[tuple[str, str], list[RoiArtist]] = {}
        self._contrast, self._cmap, self._live = contrast, cmap, live
        self._colors: dict[tuple[str, str], str] = {}
        self._swatches: dict[tuple[str, str], Any] = {}

    def color(self, plane: str, name: str) -> str:
        """The colour of a region: the first of its plane that no other has, when it is first asked for."""
        key = plane, name
        if key not in self._colors:
            palette = _REGIONS if plane == "navigation" else PRIMARIES if self.combine == "rgb" else DETECTORS
            free = [one for one in palette if one not in self._colors.values()]
            self._colors[key] = free[0] if free else palette[len(self._colors) % len(palette)]
        return self._colors[key]

    # -- panels ------------------------------------------------------------------------------------------------------

    def add(self, kind: str, name: str, region: Any, place: Any, names: Sequence[str] = ()) -> Any:
        """A panel more; `names` are those of the detectors that make its colours."""
        axes = self.axes[PLANE[kind]]
        panel: Any
        if len(axes) == 1:
            panel = CurvePanel(self.loop, region, place, axes[0], self.label, ContrastChoice("linear"))
        else:
            at = (self.loop, region, place, (axes[1], axes[0]))
            if kind == PATTERN:
                panel = ImagePanel(*at, self.label, PATTERN, self._contrast(), self._cmap)
            elif self.combine == "rgb":
                panel = CompositePanel(*at, "", "colors", ContrastChoice())
                panel.names = list(names)
            else:
                how = "signed" if self.combine == "difference" else "map"
                panel = ImagePanel(*at, self.label, how, ContrastChoice("auto", how))
        self.panels[kind, name] = panel
        self._mark(kind, name)
        return panel

    def rename(self, kind: str, name: str, new: str) -> None:
        """Let a panel show something else."""
        panel = self.panels.pop((kind, name))
        swatch = self._swatches.pop((kind, name), None)
        if swatch is not None:
            panel.part.remove(swatch)
        self.panels[kind, new] = panel
        self._mark(kind, new)

    def drop(self, kind: str, name: str) -> Any:
        """Take a panel out of the figure, with what is drawn over it; the panel."""
        panel = self.panels.pop((kind, name))
        self._swatches.pop((kind, name), None)
        for drawn in self.artists.values():
            for artist in [one for one in drawn if one.ax is panel.ax]:
                self._erase(artist)
                drawn.remove(artist)
        self.loop.painter.parts.remove(panel.part)
        panel.ax.remove()
        return panel

    def count(self, kind: str) -> int:
        """How many panels show results of a kind."""
        return sum(one == kind for one, _ in self.panels)

    def kind_of(self, panel: Any) -> str | None:
        """What a panel shows."""
        return next((kind for (kind, _), one in self.panels.items() if one is panel), None)

    def show(self, kind: str, name: str, values: NDArray[Any], title: str, *, final: bool = False) -> None:
        """Show values in the panel that is for them, if there is one; its picture stays until one is known."""
        panel = self.panels.get((kind, name))
        if panel is None:
            return
        if np.isfinite(values).any():
            panel.show(values)
        elif final:
            panel.fail("no pixel here has a value")
        panel.set_title(title)

    def _mark(self, kind: str, name: str) -> None:
        """A square of the region's colour above its result."""
        if name in (WHOLE, COMBINED):
            return
        panel, plane = self.panels[kind, name], next(plane for plane, result in RESULT.items() if result == kind)
        mark = panel.ax.annotate(
            "■", (1, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", ha="right", va="bottom",
            fontsize=11, color=self.color(plane, name), annotation_clip=False,
        )  # fmt: skip
        panel.part.add(mark, ABOVE)
        self._swatches[kind, name] = mark

    # -- regions -----------------------------------------------------------------------------------------------------

    def draw(self, plane: str, name: str, roi: ROI) -> None:
        """Draw a region over all pictures of its plane that it is not drawn over yet."""
        drawn = self.artists.setdefault((plane, name), [])
        for (kind, _), panel in self.panels.items():
            if PLANE[kind] == plane and not any(artist.ax is panel.ax for artist in drawn):
                drawn.append(self._artist(panel, plane, name, roi))

    def _artist(self, panel: Any, plane: str, name: str, roi: ROI) -> RoiArtist:
        part = panel.part
        has_values = isinstance(panel, CurvePanel) or bool(getattr(panel, "_has_ticks", False))
        artist = RoiArtist(
            panel.ax,
            roi,
            self.axes[plane],
            color=self.color(plane, name),
            coordinates="values" if has_values else "pixels",
            handles=self._live,
            redraw=lambda: part.changed(ABOVE),
        )
        for one in artist.artists:
            part.add(one, ABOVE)
        return artist

    def erase(self, plane: str, name: str) -> None:
        """Take a region off all pictures."""
        for artist in self.artists.pop((plane, name), ()):
            self._erase(artist)
        self._colors.pop((plane, name), None)

    def _erase(self, artist: RoiArtist) -> None:
        panel = next((one for one in self.panels.values() if one.ax is artist.ax), None)
        if panel is not None:
            for one in artist.artists:
                panel.part.remove(one)
        artist.close()

    def refresh(self) -> None:
        """Draw all regions again, as after a change of the figure's size."""
        for drawn in self.artists.values():
            for artist in drawn:
                artist.refresh()

    def held(self) -> tuple[str, str] | None:
        """Plane and name of the region that the mouse holds."""
        return next((key for key, drawn in self.artists.items() if any(one.is_held for one in drawn)), None)

    def close(self) -> None:
        """Follow no region any more."""
        for drawn in self.artists.values():
            for artist in drawn:
                artist.close()
        self.artists.clear()

"""The viewer of virtual detectors: patterns with detectors over them, and the images of the scan that they make."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.colors import color_map
from lazy4d.plot.detectors.combine import check_combination, combined
from lazy4d.plot.detectors.controller import REST, Measured
from lazy4d.plot.detectors.dragging import apply_drag
from lazy4d.plot.detectors.editing import MOVE, editor_of
from lazy4d.plot.detectors.grid import grid_places, grid_size
from lazy4d.plot.detectors.result_panels import COMBINED, IMAGE, PATTERN, PLANE, RESULT, WHOLE, ResultPanels
from lazy4d.plot.detectors.session import LiveSession
from lazy4d.plot.panels import quantity_of
from lazy4d.plot.viewer.contrast_choice import ContrastChoice
from lazy4d.plot.viewer.figures import STATIC
from lazy4d.plot.viewer.layout import Places, shape_of
from lazy4d.plot.viewer.readout import share_text
from lazy4d.plot.viewer.viewer import Viewer
from lazy4d.roi import ROI, CircleROI, SpanROI
from lazy4d.signals.regions import plane_axes

_DOT = 24
"""Frames are so many times larger than the detector that a double click makes."""

_HELP = "drag: move, resize  ·  double click: new one there  ·  arrows: nudge  ·  Delete: remove"
_MOST_DETECTORS = 12


class DetectorViewer(Viewer):
    """Virtual detectors over the patterns, and regions over the scan, dragged about while their results follow.

    Made by ``signal.plot_virtual_image()`` and ``signal.plot_region()``. A double click on a pattern makes a detector
    there, and its image is the dark-field image of that spot; a double click on an image makes a region, and the mean
    pattern of it is shown. Arrow keys move what was taken hold of last by a pixel (with Shift ten), Delete removes it.

    While something moves its result is approximate, from a small copy of the scan, and its title says so; when it
    rests, the exact one is computed in the background.

    Attributes
    ----------
    rois, regions : dict of ROI
        The detectors, and the regions of the scan. Changing them in code is the same as dragging them.
    images : dict of VirtualImage
        What the detectors measure, exactly: in memory where it is known, else lazy.
    patterns : dict of BaseSignal
        The mean patterns of the regions, alike.

    Examples
    --------
    >>> viewer = d.plot_virtual_image(l4.CircleROI(8, 8, 3))
    >>> viewer.rois["detector"].r = 4
    >>> viewer.wait(60), viewer.images["detector"].lazy
    (True, False)
    >>> viewer.close()
    """

    def __init__(
        self,
        signal: Any,
        detectors: Mapping[str, ROI],
        regions: Mapping[str, ROI],
        *,
        combine: str | None = None,
        norm: str = "auto",
        power: float = 0.5,
        percentile: tuple[float, float] | None = None,
        cmap: str | None = None,
        title: str | None = None,
        size: tuple[float, float] | None = None,
        delay: float = REST,
    ) -> None:
        check_combination(combine, list(detectors))
        if cmap is not None:
            color_map(cmap)  # refuses what is none, before there is a window
        self._combine = combine
        self._axes = {plane: plane_axes(signal, plane) for plane in ("signal", "navigation")}
        self._active: tuple[str, str] | None = None
        self._known: dict[str, Measured] = {}
        images = [COMBINED] if combine is not None else list(detectors) or [WHOLE]
        plan = [(PATTERN, name) for name in regions or [WHOLE]] + [(IMAGE, name) for name in images]
        shapes = [shape_of(self._axes[PLANE[kind]]) for kind, _ in plan]
        further = signal.axes_manager.navigation_axes[2:]
        name = title if title is not None else signal.title or type(signal).__name__
        self._has_own_size = size is not None
        live = LiveSession(signal, detectors, regions, delay=delay)
        super().__init__(signal, live, shapes, further, size=size or grid_size(shapes, len(further)), title=name)
        self.results = ResultPanels(
            self.loop,
            self._axes,
            quantity_of(signal),
            combine=combine,
            contrast=lambda: ContrastChoice(norm, PATTERN, power=power, percentile=percentile),
            cmap=cmap,
            live=self._kind != STATIC,
        )
        for plane, rois in (("signal", detectors), ("navigation", regions)):
            for key in rois:
                self.results.color(plane, key)
        places = self._places()
        for (kind, key), region, place in zip(plan, places.regions, places.pictures, strict=True):
            self.panels.append(self.results.add(kind, key, region, place, list(detectors)))
        self._draw_regions()
        self._listen()
        if self._kind != STATIC:
            self.footer.say(left=_HELP)
        self._begin()

    def _listen(self) -> None:
        me, canvas = weakref.proxy(self), cast(Any, self.figure.canvas)
        self._own_connections = []
        for event, function in (
            ("button_press_event", lambda event: me._clicked(event)),
            ("button_release_event", lambda event: me._follow()),
            ("motion_notify_event", lambda event: me._follow()),
            ("scroll_event", lambda event: me._follow()),
            ("key_press_event", lambda event: me._pressed_key(event)),
        ):
            self._own_connections.append(canvas.mpl_connect(event, function))

    # -- for users ---------------------------------------------------------------------------------------------------

    @property
    def rois(self) -> dict[str, ROI]:
        """The detectors by name."""
        return dict(self.controller.detectors.rois)

    @property
    def regions(self) -> dict[str, ROI]:
        """The regions of the scan by name."""
        return dict(self.controller.regions.rois)

    @property
    def images(self) -> dict[str, Any]:
        """The virtual images of the detectors, exact; those that are not known yet are lazy."""
        found: dict[str, Any] = self.controller.detectors.images
        return found

    @property
    def patterns(self) -> dict[str, Any]:
        """The mean patterns of the regions, exact; those that are not known yet are lazy."""
        found: dict[str, Any] = self.controller.regions.patterns
        return found

    def add_detector(self, roi: ROI, name: str | None = None) -> str:
        """The name of one detector more, whose image is shown beside the others.

        Raises
        ------
        ValueError
            The images are combined, so that there is no place for one more; or there are too many.
        """
        if self._combine is not None or len(self.rois) >= _MOST_DETECTORS:
            raise ValueError(
                f"expected fewer than {_MOST_DETECTORS} detectors that are not combined, found {len(self.rois)} with "
                f"combine={self._combine!r}: open another viewer"
            )
        return self._add("signal", roi, name, "detector")

    def add_region(self, roi: ROI, name: str | None = None) -> str:
        """The name of one region of the scan more, whose mean pattern is shown beside the others.

        Raises
        ------
        ValueError
            There are too many.
        """
        if len(self.regions) >= _MOST_DETECTORS or len(self.signal.nav_shape) > 2:
            raise ValueError(
                f"expected a scan of at most two axes and fewer than {_MOST_DETECTORS} regions, found "
                f"{len(self.signal.nav_shape)} axes and {len(self.regions)} regions"
            )
        return self._add("navigation", roi, name, "region")

    def remove(self, name: str) -> None:
        """Take a detector or a region away, with its result.

        Raises
        ------
        ValueError
            There is none of that name, or its image is combined with others.
        """
        plane = next((one for one in RESULT if name in self._rois_of(one)), None)
        if plane is None or (self._combine is not None and plane == "signal"):
            raise ValueError(
                f"expected the name of a detector or a region that can be removed, found {name!r}: there are "
                f"{[*self.rois, *self.regions]}, combine={self._combine!r}"
            )
        self._live(plane).remove(name)
        self.results.erase(plane, name)
        self._known.pop(name, None)
        kind = RESULT[plane]
        if self.results.count(kind) > 1:
            panel = self.results.drop(kind, name)
            at = self.panels.index(panel)
            del self.panels[at], self._shapes[at]
            self._regrow()
        else:  # the last one shows the whole scan instead
            self.results.rename(kind, name, WHOLE)
            self._show_overview()
        self._follow()

    # -- for mouse and keys ------------------------------------------------------------------------------------------

    def move(self, *steps: int) -> None:
        """Move what was taken hold of last, or the only detector, by some pixels, x-first."""
        plane, name = self._active or self._only() or ("", "")
        roi = self._rois_of(plane).get(name) if plane else None
        editor = None if roi is None else editor_of(roi, self._axes[plane])
        if roi is not None and editor is not None:
            panel = self.results.panels[next(key for key in self.results.panels if PLANE[key[0]] == plane)]
            down = -1 if getattr(panel, "rows_upwards", False) else 1
            by = float(steps[0]), float(down * (*steps, 0)[1])
            apply_drag(roi, self._axes[plane], editor.dragged(MOVE, (0.0, 0.0), by))
            self._follow()

    def arrange(self) -> None:
        """Put everything where it belongs in a figure of the present size."""
        super().arrange()
        self.results.refresh()

    def explain_keys(self) -> None:
        """Write below the pictures what mouse and keys do."""
        self._tell(_HELP)

    def _only(self) -> tuple[str, str] | None:
        known = [("signal", name) for name in self.rois] + [("navigation", name) for name in self.regions]
        return known[0] if len(known) == 1 else None

    def _clicked(self, event: Any) -> None:
        self._active = self.results.held() or self._active
        kind = self.results.kind_of(self.panel_of(event.inaxes))
        if kind is not None and event.dblclick and event.button == 1 and not self._interaction.is_taken:
            self._pick(event, kind)
        self._follow()

    def _pick(self, event: Any, kind: str) -> None:
        """A new detector, or region, at the mouse."""
        plane = PLANE[kind]
        axes = self._axes[plane]
        x, y = self.panel_of(event.inaxes).pixel_of(event.xdata, event.ydata)
        r = max(1, round(max(axis.size for axis in axes) / _DOT))
        roi: ROI = SpanROI(max(0, x - r), x + r) if len(axes) == 1 else CircleROI(x, y, r)
        try:
            name = self.add_detector(roi) if plane == "signal" else self.add_region(roi)
        except ValueError as error:
            self._tell(str(error).partition(":")[0])
        else:
            self._active = plane, name

    def _pressed_key(self, event: Any) -> None:
        if event.key in ("delete", "backspace") and self._active is not None:
            (_, name), self._active = self._active, None
            try:
                self.remove(name)
            except ValueError as error:
                self._tell(str(error).partition(":")[0])

    def _follow(self) -> None:
        """Draw what moved, and look for results soon."""
        if not self.closed:
            self._take()
            self.loop.wake()
            self.loop.flush()

    # -- news --------------------------------------------------------------------------------------------------------

    def _place_regions(self) -> None:
        self.results.refresh()

    def _show(self, update: Any) -> None:
        one = update.measured
        if update.what == "overview":
            self._show_overview()
        elif update.what == "position":
            for slider, pixel in zip(self.sliders, self.position[2:], strict=False):
                slider.show(pixel)
            self._show_overview()
            self._show_images(list(self.rois))
        elif update.what == "image":
            self._known[one.name] = one
            self._show_images([one.name])
        else:
            self.results.show(PATTERN, one.name, one.values, one.name + _state(one), final=one.exact >= 1)
        if one is not None:
            self.footer.say(right=one.problem.partition(":")[0])

    def _show_overview(self) -> None:
        pattern, overview = self.controller.pattern, self.controller.overview
        if pattern is not None:
            seen = overview.positions_seen / max(1, int(np.prod(self.signal.nav_shape)))
            share = "" if overview.complete else share_text(seen)
            self.results.show(PATTERN, WHOLE, pattern, f"mean pattern {share}".strip())
        if (IMAGE, WHOLE) in self.results.panels:
            image = self._plane_of(self.controller.navigator)
            self.results.show(IMAGE, WHOLE, image, f"intensity {share_text(self.controller.share)}".strip())

    def _show_images(self, changed: list[str]) -> None:
        """The images of detectors, or what they are combined to, of the plane at which the sliders stand."""
        if self._combine is None:
            for name in changed:
                if name in self._known:
                    one = self._known[name]
                    values = self._plane_of(one.values)
                    self.results.show(IMAGE, name, values, name + _state(one), final=one.exact >= 1)
        elif all(name in self._known for name in self.rois):
            found = {name: self._plane_of(self._known[name].values) for name in self.rois}
            least = min((self._known[name] for name in self.rois), key=lambda one: one.exact)
            title = " − ".join(found) if self._combine == "difference" else "combined"
            self.results.show(IMAGE, COMBINED, combined(found, self._combine), title + _state(least))

    def _plane_of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of a scan of more than two axes the plane where its sliders stand."""
        return values[tuple(reversed(self.position[2:]))] if values.ndim > 2 else values

    # -- inside ------------------------------------------------------------------------------------------------------

    def _live(self, plane: str) -> Any:
        return self.controller.detectors if plane == "signal" else self.controller.regions

    def _rois_of(self, plane: str) -> dict[str, ROI]:
        return self.rois if plane == "signal" else self.regions

    def _draw_regions(self) -> None:
        for plane in RESULT:
            for name, roi in self._rois_of(plane).items():
                self.results.draw(plane, name, roi)

    def _add(self, plane: str, roi: ROI, name: str | None, stem: str) -> str:
        known = {*self.rois, *self.regions}
        name = name or next(f"{stem} {k}" for k in range(1, len(known) + 2) if f"{stem} {k}" not in known)
        kind = RESULT[plane]
        self._live(plane).add(name, roi)
        if (kind, WHOLE) in self.results.panels:
            self.results.rename(kind, WHOLE, name)
        elif (kind, name) not in self.results.panels:
            self._shapes.append(shape_of(self._axes[PLANE[kind]]))
            places = self._places()
            self.panels.append(self.results.add(kind, name, places.regions[-1], places.pictures[-1]))
            self._regrow()
        self._draw_regions()
        self._follow()
        return name

    def _regrow(self) -> None:
        """The figure as large as its panels need, unless the user said how large, and all in their places."""
        if not self._has_own_size:
            self.figure.set_size_inches(*grid_size(self._shapes, len(self._further)), forward=True)
        self.arrange()

    def _places(self) -> Places:
        width, height = self.figure.get_size_inches()
        return grid_places((width, height), self._shapes, len(self._further))

    def _ended(self) -> None:
        for connection in self._own_connections:
            self.figure.canvas.mpl_disconnect(connection)
        self.results.close()
        super()._ended()


def _state(one: Measured) -> str:
    """What a title says of a result that is not exact yet."""
    if one.problem:
        return " (no pixel)" if "pixel" in one.problem else " (failed)"
    if one.exact >= 1:
        return ""
    if one.exact > 0:
        return f" {share_text(one.exact)}"
    seen = share_text(one.rough)
    return f" ≈ {seen}".rstrip() if seen else " ≈"

"""What is drawn over the frames: diffraction vectors that follow the position, and outlines of regions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.plot.colors import DETECTORS
from lazy4d.plot.detectors.roi_artist import RoiArtist
from lazy4d.plot.marks import draw_marks
from lazy4d.plot.outline import outline
from lazy4d.plot.vector_marks import Coloring, marks_of
from lazy4d.plot.viewer.image_panel import ABOVE
from lazy4d.plot.worker import FRAME, Worker
from lazy4d.roi import ROI

if TYPE_CHECKING:
    from lazy4d.plot.viewer.canvas_loop import CanvasLoop

_COLOR = "#35c9ff"

_numbers = itertools.count()


class Overlays:
    """Vectors and regions over a picture.

    Parameters
    ----------
    panel : ImagePanel
        Shows the frames.
    signal : BaseSignal
        The frames.
    vectors : DiffractionVectors, optional
        Of the same scan and frames; those still lazy are computed frame by frame.
    rois : ROI, or list or dict of these, optional
        Outlined in different colours; they can be dragged and resized, and follow when they are changed in code.
        Arrays of bool are outlined as they are.
    loop : CanvasLoop
        Of the figure.
    worker : Worker
        Where lazy vectors are computed.

    Raises
    ------
    ValueError
        Vectors of another scan or other frames, regions outside the frames, or either over a curve.
    """

    def __init__(self, panel: Any, signal: Any, vectors: Any, rois: Any, loop: CanvasLoop, worker: Worker) -> None:
        self._panel, self._vectors, self._loop, self._worker = panel, vectors, loop, worker
        self._regions: list[RoiArtist] = []
        self._channel = f"overlay-{next(_numbers)}"
        self._marks: Any = None
        check_overlays(signal, vectors, rois)
        self._coloring = Coloring(_COLOR, [])
        for number, roi in enumerate(_listed(rois)):
            self._add(roi, signal.frame_axes[-2:], DETECTORS[number % len(DETECTORS)])

    def _add(self, roi: Any, axes: Sequence[Any], color: str) -> None:
        """Draw a region."""
        panel, (y, x) = self._panel, axes
        if not isinstance(roi, ROI):
            lines = outline(np.asarray(roi, bool), color)
            panel.ax.add_collection(lines, autolim=False)
            panel.part.add(lines, ABOVE)
            return
        kind = "values" if y.units != x.units else "pixels"
        part, loop = panel.part, self._loop

        def redraw() -> None:
            part.changed(ABOVE)
            loop.flush()

        artist = RoiArtist(panel.ax, roi, (x, y), color=color, coordinates=kind, redraw=redraw)
        for one in artist.artists:
            part.add(one, ABOVE)
        self._regions.append(artist)

    def place_regions(self) -> None:
        """Draw regions where they are now, after the axes were calibrated."""
        for artist in self._regions:
            artist.refresh()

    def close(self) -> None:
        """Follow regions no more."""
        for artist in self._regions:
            artist.close()
        self._regions.clear()

    def show(self, position: tuple[int, ...]) -> None:
        """Draw the vectors of a position, at once where they are computed."""
        vectors = self._vectors
        if vectors is None:
            return
        if vectors.lazy:
            self._draw(None)
            self._worker.submit(self._channel, lambda job: vectors.inav[position].compute(progress=False), FRAME)
        else:
            self._draw(vectors.inav[position] if position else vectors)

    def take(self) -> bool:
        """Draw vectors that were computed; whether some are still to come."""
        if self._vectors is None or not self._vectors.lazy:
            return False
        for result in self._worker.results():
            if result.channel == self._channel and result.error is None:
                self._draw(result.value)
        return self._worker.busy_in(self._channel)

    @property
    def shown(self) -> Any:
        """The marks that are drawn, a matplotlib collection, or None."""
        return self._marks

    def _draw(self, vectors: Any) -> None:
        if self._marks is not None:
            self._panel.part.remove(self._marks)
            self._marks = None
        if vectors is not None and vectors.ragged.total:
            self._marks = draw_marks(self._panel.ax, marks_of(vectors, self._coloring))
            self._panel.part.add(self._marks, ABOVE)


def _listed(rois: Any) -> Sequence[Any]:
    if rois is None:
        return ()
    if isinstance(rois, Mapping):
        return list(rois.values())
    return list(rois) if isinstance(rois, list | tuple) else [rois]


def check_overlays(signal: Any, vectors: Any, rois: Any) -> None:
    """Raise where vectors or regions cannot be drawn on the frames of a signal; see `Overlays`.

    Examples
    --------
    >>> check_overlays(d, None, l4.CircleROI(8, 8, 3))
    """
    if (vectors is not None or rois is not None) and len(signal.frame_shape) < 2:
        raise ValueError(f"expected frames of two axes to draw vectors or regions on, found {signal!r}")
    for roi in _listed(rois):
        y, x = signal.frame_axes[-2:]
        if isinstance(roi, ROI):
            roi.mask((x, y))  # refuses what lies outside the frames
        elif np.shape(roi) != (y.size, x.size):
            raise ValueError(
                f"expected regions, or masks of bool of shape {(y.size, x.size)} of the frames, found "
                f"{type(roi).__name__} of shape {np.shape(roi)}"
            )
    if vectors is None:
        return
    if vectors.nav_shape != signal.nav_shape or vectors.frame_shape != signal.frame_shape[-2:]:
        raise ValueError(
            f"expected vectors of the same scan and frames, {signal.nav_shape} positions of {signal.frame_shape[-2:]} "
            f"pixels (numpy order), found {vectors!r}"
        )

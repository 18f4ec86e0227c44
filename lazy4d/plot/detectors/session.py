"""Detectors over the patterns and regions over the scan, live together, and the pass that makes them quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.detectors.controller import REST, DetectorController, Measured, RegionController
from lazy4d.plot.worker import NAVIGATOR, Job, Worker
from lazy4d.roi import ROI
from lazy4d.signals.overview import OverviewPass, overview_of

_NEWS_SECONDS = 0.2
"""Between two pictures of a scan that is being read."""


@dataclass(frozen=True)
class LiveUpdate:
    """News for a front end.

    Parameters
    ----------
    what : {"image", "pattern", "overview", "position"}
        The image of a detector, the mean pattern of a region, what is known of the whole scan, or where it stands.
    measured : Measured or None
        Of a detector or region.
    """

    what: str
    measured: Measured | None = None


class LiveSession:
    """Virtual detectors and regions of the scan of one signal, measured live; see `LiveController`.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns over a scan.
    detectors, regions : dict of ROI
        Over the frames, and over the scan.
    delay : float, optional
        Seconds without a motion before exact results are computed.
    scan : bool, optional
        Whether to go through the scan in the background where nobody has, which makes motions quick.

    Examples
    --------
    >>> disk = l4.CircleROI(8, 8, 3)
    >>> session = LiveSession(d, {"disk": disk}, {"grain": l4.RectangleROI(0, 0, 2, 2)})
    >>> session.wait(60), session.share, session.pattern.shape
    (True, 1.0, (16, 16))
    >>> bool((session.detectors.measured("disk").values == d.get_virtual_image(disk).as_numpy()).all())
    True
    >>> session.close()
    """

    def __init__(
        self,
        signal: Any,
        detectors: Mapping[str, ROI],
        regions: Mapping[str, ROI],
        *,
        delay: float = REST,
        scan: bool = True,
    ) -> None:
        self.signal = signal
        self.overview = overview_of(signal)
        self.closed = False
        self.detectors = DetectorController(signal, detectors, overview=self.overview, delay=delay)
        self.regions = RegionController(signal, regions, overview=self.overview, delay=delay)
        self._pass = Worker()
        self._moved = False
        self._is_new = True
        self._notify: Callable[[], None] | None = None
        signal.axes_manager.observe(self._position_changed, "indices")
        if scan and not self.overview.complete:
            self._pass.submit("overview", self._look, NAVIGATOR)

    # -- what is known of the whole scan -----------------------------------------------------------------------------

    @property
    def pattern(self) -> NDArray[np.float64] | None:
        """The mean of the frames seen so far; None before any."""
        return self.overview.mean_pattern

    @property
    def navigator(self) -> NDArray[Any]:
        """The sum of each frame, unknown ones as their neighbours; NaN while nothing is known."""
        return self.overview.image()

    @property
    def share(self) -> float:
        """Share of the scan that is known, 0 to 1."""
        return self.overview.share

    # -- for front ends ----------------------------------------------------------------------------------------------

    def updates(self) -> list[LiveUpdate]:
        """What changed since the last call."""
        found = [LiveUpdate("image", one) for one in self.detectors.updates()]
        found += [LiveUpdate("pattern", one) for one in self.regions.updates()]
        news = self._pass.results()
        if news or self._is_new:
            found.append(LiveUpdate("overview"))
            if not self._is_new:
                self.detectors.refresh()
                self.regions.refresh()
            self._is_new = False
        if self._moved:
            self._moved = False
            found.append(LiveUpdate("position"))
        return found

    @property
    def position(self) -> tuple[int, ...]:
        """The indices of the signal's axes, x-first; assign to go there."""
        return tuple(self.signal.axes_manager.indices)

    @position.setter
    def position(self, indices: Any) -> None:
        self.signal.axes_manager.indices = tuple(indices)

    @property
    def busy(self) -> bool:
        """Whether anything is still to come."""
        return self._pass.busy or self.detectors.busy or self.regions.busy

    @property
    def notify(self) -> Callable[[], None] | None:
        """Called from another thread whenever there are updates."""
        return self._notify

    @notify.setter
    def notify(self, function: Callable[[], None] | None) -> None:
        self._notify = function
        for worker in (self.detectors.worker, self.regions.worker, self._pass):
            worker.notify = function

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every result is exact and the whole scan known; False if not after `timeout` seconds."""
        end = None if timeout is None else monotonic() + timeout
        while self.busy:
            for worker in (self.detectors.worker, self.regions.worker, self._pass):
                left = None if end is None else max(0.0, end - monotonic())
                if not worker.wait(left):
                    return False
            self.updates()
        self.updates()
        return not self.busy or self.wait(None if end is None else max(0.0, end - monotonic()))

    def close(self) -> None:
        """Stop everything; may be called twice."""
        if self.closed:
            return
        self.closed = True
        self.signal.axes_manager.observe(self._position_changed, "indices", remove=True)
        self.detectors.close()
        self.regions.close()
        self._pass.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _position_changed(self, event: Any) -> None:
        self._moved = True
        if self._notify is not None:
            self._notify()

    def _look(self, job: Job) -> Iterator[None]:
        """Go through the scan; news now and then, the first at once."""
        told = -_NEWS_SECONDS
        steps: Any = OverviewPass(self.signal, self.overview, check=job.check).steps()
        try:
            for share in steps:
                if monotonic() - told > _NEWS_SECONDS and share > 0:
                    told = monotonic()
                    job.publish(share)
                yield
        finally:
            steps.close()
        job.publish(self.overview.share, final=True)

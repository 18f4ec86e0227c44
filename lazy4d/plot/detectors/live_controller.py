"""What all live regions have in common, without any drawing: rough results while they move, exact ones at rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.detectors.partial import RecentResults
from lazy4d.plot.worker import DRAG, FULL, Job, Worker
from lazy4d.roi import ROI

REST = 0.15
"""Seconds without a change after which the mouse is taken to rest."""

CACHE_BYTES = 64 * 2**20
_EXACT = "exact"


def _drag(name: str) -> str:
    """The channel of what is measured while a region moves."""
    return f"drag {name}"


@dataclass(frozen=True)
class Measured:
    """What a region measures, as far as it is known.

    Parameters
    ----------
    name : str
        Of the region.
    values : float64 ndarray
        An image of the scan or a mean pattern; NaN where nothing is known yet.
    exact : float
        Share of it (of the positions, for a pattern) that is exact, 0 to 1.
    rough : float
        Share of the scan behind the approximation of the rest; 0 where there is none.
    problem : str
        Why there is nothing new, such as a region without any pixel; empty otherwise.
    state : str
        Of the region, when this was measured.
    """

    name: str
    values: NDArray[np.float64]
    exact: float
    rough: float = 0.0
    problem: str = ""
    state: str = ""

    @property
    def final(self) -> bool:
        """Whether nothing better is to come."""
        return self.exact >= 1 or bool(self.problem)


class LiveController:
    """Regions that are changed, and what they measure; the latest state of each wins.

    While a region moves, its result comes from the small copy of the scan that an overview holds. When it has not
    moved for `delay` seconds, the exact result is computed in the background in small portions, until the next
    motion; exact results are kept, so that going back shows them at once.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns over a scan.
    rois : dict of ROI
        The regions by their names. They are followed: changing one in code is the same as dragging it.
    overview : Overview, optional
        What is known of the scan, with its small copy; may grow meanwhile (see `refresh`).
    worker : Worker, optional
        For the background, for this controller alone; by default one of its own, which it closes.
    delay : float, optional
        Seconds.
    cache_bytes : int, optional
        Of the exact results that are kept.
    """

    def __init__(
        self,
        signal: Any,
        rois: Mapping[str, ROI],
        *,
        overview: Any = None,
        worker: Worker | None = None,
        delay: float = REST,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.signal, self.overview, self.delay = signal, overview, delay
        self._owns_worker = worker is None
        self.worker = Worker() if worker is None else worker
        self.rois: dict[str, ROI] = {}
        self._recent = RecentResults(cache_bytes)
        self._latest: dict[str, Measured] = {}
        self._wanted: dict[str, ROI] = {}
        self._dragging: set[str] = set()
        self._lock = Lock()
        self._closed = False
        signal.axes_manager.observe(self._recalibrated, "calibration_changed")
        for name, roi in rois.items():
            self.add(name, roi)

    # -- regions -----------------------------------------------------------------------------------------------------

    def add(self, name: str, roi: ROI) -> None:
        """Follow one region more, or another one under a name that is there."""
        self._unfollow(name)
        self.rois[name] = roi
        roi.observe(self._changed, "changed", dispatch="same")
        self._request(name)

    def remove(self, name: str) -> None:
        """Follow a region no more."""
        self._unfollow(name)
        self.rois.pop(name, None)
        self._latest.pop(name, None)
        with self._lock:
            self._wanted.pop(name, None)

    def _unfollow(self, name: str) -> None:
        if name in self.rois and sum(one is self.rois[name] for one in self.rois.values()) == 1:
            self.rois[name].observe(self._changed, "changed", dispatch="same", remove=True)

    # -- results -----------------------------------------------------------------------------------------------------

    def measured(self, name: str) -> Measured | None:
        """What is known of a region now; None before the first result."""
        return self._latest.get(name)

    def updates(self) -> list[Measured]:
        """What became known since the last call, at most one for each region; for the thread that draws."""
        found: dict[str, Measured] = {}
        for result in self.worker.results():
            if result.error is not None:
                found.update(self._failed(result.channel, result.error))
            for one in result.value or ():
                if one.name in self.rois and not self._is_old(one, found.get(one.name)):
                    found[one.name] = one
        self._latest.update(found)
        return list(found.values())

    def _is_old(self, one: Measured, newer: Measured | None) -> bool:
        """Whether the exact result of the same state is known already."""
        known = newer or self._latest.get(one.name)
        return known is not None and known.exact >= 1 > one.exact and known.state == one.state

    def _failed(self, channel: str, error: Exception) -> dict[str, Measured]:
        """What to say of regions whose results cannot be computed, such as of a file that is gone."""
        names = self.rois if channel == _EXACT else [name for name in self.rois if _drag(name) == channel]
        unknown = [n for n in names if n not in self._latest or not self._latest[n].final]
        return {name: self._problem(name, f"{type(error).__name__}: {error}") for name in unknown}

    def refresh(self) -> None:
        """Ask again for all that is not exact yet, because the overview has grown."""
        for name in self.rois:
            latest = self._latest.get(name)
            if latest is None or not latest.final:
                self._ask_rough(name)

    @property
    def busy(self) -> bool:
        """Whether results are still to come."""
        return self.worker.busy

    @property
    def notify(self) -> Callable[[], None] | None:
        """Called from another thread whenever there are updates."""
        return self.worker.notify

    @notify.setter
    def notify(self, function: Callable[[], None] | None) -> None:
        self.worker.notify = function

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every region's result is exact; False if some are not after `timeout` seconds."""
        done = self.worker.wait(timeout)
        self.updates()
        return done

    def close(self) -> None:
        """Cancel everything and let go of the regions; may be called twice."""
        if self._closed:
            return
        self._closed = True
        for name in list(self.rois):
            self._unfollow(name)
        self.signal.axes_manager.observe(self._recalibrated, "calibration_changed", remove=True)
        if self._owns_worker:
            self.worker.close()
        else:
            self.worker.cancel()

    # -- requests ----------------------------------------------------------------------------------------------------

    def _changed(self, event: Any) -> None:
        for name, roi in self.rois.items():
            if roi is event.object:
                self._request(name)

    def _recalibrated(self, event: Any) -> None:
        for name in self.rois:
            self._request(name)

    def _request(self, name: str) -> None:
        """The state of a region as it is now is wanted: what is known of it at once, the rest when it rests."""
        if self._closed:
            return
        self.worker.cancel(_EXACT)
        self._ask_rough(name)
        exact = {one for one, roi in self.rois.items() if self._is_complete(self._recent.get(self._key(roi)))}
        for one in exact - {name}:  # of which the result may have been dropped with the job
            if one not in self._latest or not self._latest[one].final:
                self._ask_rough(one)
        if len(exact) < len(self.rois):
            states = {one: roi.copy() for one, roi in self.rois.items()}
            self.worker.submit(_EXACT, lambda job: self._exact_steps(job, states), FULL, delay=self.delay)

    def _ask_rough(self, name: str) -> None:
        """Have the latest state measured; a job at work takes it next, so that motions never starve the picture."""
        with self._lock:
            self._wanted[name] = self.rois[name].copy()
            if name in self._dragging:
                return
            self._dragging.add(name)
        self.worker.submit(_drag(name), lambda job: self._drag_steps(job, name), DRAG)

    def _drag_steps(self, job: Job, name: str) -> Iterator[None]:
        try:
            while True:
                with self._lock:
                    roi = self._wanted.pop(name, None)
                    if roi is None:
                        self._dragging.discard(name)
                        return
                try:
                    found = self._at_once(job, name, roi)
                except ValueError as error:  # such as a region without any pixel
                    found = self._problem(name, str(error))
                if found is not None:
                    job.publish([replace(found, state=self._key(roi))])
                yield
        finally:
            with self._lock:
                self._dragging.discard(name)

    def _problem(self, name: str, text: str) -> Measured:
        known = self._latest.get(name)
        values = np.full(self._shape, np.nan) if known is None else known.values
        return Measured(name, values, 0.0, problem=text)

    def _key(self, roi: ROI) -> str:
        grid = [(axis.size, axis.scale, axis.offset, axis.units, axis.beam_energy) for axis in self.axes]
        return json.dumps([roi.as_dictionary(), grid])

    @staticmethod
    def _is_complete(result: Any) -> bool:
        return result is not None and bool(result.complete)

    # -- what kinds of controllers know ------------------------------------------------------------------------------

    @property
    def axes(self) -> tuple[Any, ...]:
        """The axes that regions lie on, x-first."""
        raise TypeError("expected a DetectorController or a RegionController, which say where regions lie")

    @property
    def _shape(self) -> tuple[int, ...]:
        return ()

    def _at_once(self, job: Job, name: str, roi: ROI) -> Measured | None:
        """The best that can be said of a region within some milliseconds."""

    def _exact_steps(self, job: Job, states: Mapping[str, ROI]) -> Iterator[None]:
        """Compute exact results in portions."""
        yield

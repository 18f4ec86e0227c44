"""Live virtual detectors, and regions of the scan, without any drawing: what they measure, roughly and exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.detectors.exact_pass import RegionSum, images_pass
from lazy4d.plot.detectors.live_controller import REST, LiveController, Measured
from lazy4d.plot.detectors.partial import PartialImage
from lazy4d.plot.worker import Job
from lazy4d.roi import ROI
from lazy4d.signals.regions import plane_axes

__all__ = ["REST", "DetectorController", "LiveController", "Measured", "RegionController"]

NEWS_SECONDS = 0.1
"""Between two pictures of a result that is being computed."""

AT_ONCE_BYTES = 12 * 2**20
"""Of frames that are read for each motion; more are not read before the mouse rests."""


class DetectorController(LiveController):
    """Virtual detectors over the frames, and their images of the scan; see `LiveController`.

    Examples
    --------
    >>> bright = l4.CircleROI(8, 8, 3)
    >>> detectors = DetectorController(d, {"bright field": bright})
    >>> bright.r = 4
    >>> detectors.wait(10), detectors.measured("bright field").exact
    (True, 1.0)
    >>> bool((detectors.images["bright field"].data == d.get_virtual_image(bright).as_numpy()).all())
    True
    >>> detectors.close()
    """

    @property
    def axes(self) -> tuple[Any, ...]:
        """The axes of the frames, x-first."""
        return plane_axes(self.signal, "signal")

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.signal.nav_shape)

    @property
    def images(self) -> dict[str, Any]:
        """The images by the names of their detectors, as virtual images: in memory where they are known, else lazy."""
        found = {}
        for name, roi in self.rois.items():
            lazy = self.signal.get_virtual_image({name: roi.copy()})[name]
            partial = self._recent.get(self._key(roi))
            found[name] = lazy._with_content(partial.values.copy()) if self._is_complete(partial) else lazy
        return found

    def _partial(self, roi: ROI, dtype: Any) -> PartialImage:
        key = self._key(roi)
        found = self._recent.get(key)
        if found is None:
            found = self._recent[key] = PartialImage.empty(self._shape, np.dtype(dtype))
        return found

    def _at_once(self, job: Job, name: str, roi: ROI) -> Measured | None:
        partial = self._recent.get(self._key(roi))
        if self._is_complete(partial):
            return Measured(name, partial.shown(), 1.0)
        mask = roi.mask(self.axes)
        if self.signal.frames.stored_nbytes <= AT_ONCE_BYTES:
            lazy = self.signal.get_virtual_image(roi)
            partial = self._partial(roi, lazy.dtype)
            for _ in images_pass(self.signal, {name: lazy}, {name: partial}, job.check, spread_out=False):
                pass
            return Measured(name, partial.shown(), 1.0)
        rough, share = self._rough(mask)
        if partial is None:
            partial = PartialImage.empty(self._shape, np.dtype(np.float64))
        if rough is None and not partial.share:
            return None
        return Measured(name, partial.shown(rough), partial.share, share)

    def _rough(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64] | None, float]:
        """The image from the small copy of the scan, and the share of the scan that is in it."""
        proxy = None if self.overview is None else self.overview.proxy
        if proxy is None or not proxy.share:
            return None, 0.0
        # Where the overview is not complete NaN is not known yet, and not damaged.
        return proxy.image(mask, fill=not self.overview.complete), float(proxy.share)

    def _exact_steps(self, job: Job, states: Mapping[str, ROI]) -> Iterator[None]:
        lazy, partial, rough = {}, {}, {}
        share = 0.0
        for name, roi in states.items():
            try:
                image = self.signal.get_virtual_image(roi)
            except ValueError:  # told already, by the motion
                continue
            kept = self._partial(roi, image.dtype)
            if not kept.complete:
                lazy[name], partial[name] = image, kept
                rough[name], share = self._rough(roi.mask(self.axes))
        if not lazy:
            return
        due = 0.0
        spread_out = any(one is None for one in rough.values())
        for known in images_pass(self.signal, lazy, partial, job.check, spread_out=spread_out):
            if known >= 1 or job.seconds >= due:
                began = job.seconds
                job.publish(
                    [
                        Measured(name, one.shown(rough[name]), one.share, share, state=self._key(states[name]))
                        for name, one in partial.items()
                    ]
                )
                due = job.seconds + max(NEWS_SECONDS, 5 * (job.seconds - began))  # large pictures take time themselves
            yield


class RegionController(LiveController):
    """Regions of the scan, and the mean of the frames in each; see `LiveController`.

    Examples
    --------
    >>> grain = l4.RectangleROI(0, 0, 2, 2)
    >>> regions = RegionController(d, {"grain": grain})
    >>> grain.right = 3
    >>> regions.wait(10)
    True
    >>> bool((regions.measured("grain").values == d.get_region_mean(grain).as_numpy()).all())
    True
    >>> regions.close()
    """

    @property
    def axes(self) -> tuple[Any, ...]:
        """The axes of the scan, x-first."""
        return plane_axes(self.signal, "navigation")

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.signal.frame_shape)

    @property
    def patterns(self) -> dict[str, Any]:
        """The mean frames by the names of their regions, as signals: in memory where they are known, else lazy."""
        found = {}
        for name, roi in self.rois.items():
            lazy = self.signal.get_region_mean({name: roi.copy()})[name]
            total = self._recent.get(self._key(roi))
            found[name] = lazy._with_content(total.mean()) if self._is_complete(total) else lazy
        return found

    def _sum(self, roi: ROI, mask: NDArray[np.bool_]) -> RegionSum:
        key = self._key(roi)
        found = self._recent.get(key)
        if found is None:
            found = self._recent[key] = RegionSum(self.signal, mask)
        return found

    def _at_once(self, job: Job, name: str, roi: ROI) -> Measured | None:
        known = self._recent.get(self._key(roi))
        if self._is_complete(known):
            return Measured(name, known.mean(), 1.0)
        mask = roi.mask(self.axes)
        if np.count_nonzero(mask) * int(self.signal.frames.source.frame_nbytes) <= AT_ONCE_BYTES:
            total = self._sum(roi, mask)
            for _ in total.steps(job.check):
                pass
            return Measured(name, total.mean(), 1.0)
        if known is not None and known.share:
            return Measured(name, known.mean(), known.share)
        proxy = None if self.overview is None else self.overview.proxy
        if proxy is None or not proxy.share:
            return None
        return Measured(name, np.asarray(proxy.pattern(mask), np.float64), 0.0, float(proxy.share))

    def _exact_steps(self, job: Job, states: Mapping[str, ROI]) -> Iterator[None]:
        found: dict[str, Measured] = {}
        for name, roi in states.items():
            try:
                mask = roi.mask(self.axes)
            except ValueError:  # told already, by the motion
                continue
            total = self._sum(roi, mask)
            due = 0.0
            for known in total.steps(job.check):
                if known >= 1 or job.seconds >= due:
                    due = job.seconds + NEWS_SECONDS
                    found[name] = Measured(name, total.mean(), known, state=self._key(roi))
                    job.publish(list(found.values()))
                yield

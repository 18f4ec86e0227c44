"""What is known of a scan after a look at some or all of its frames; grows while a pass goes on."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.overview.filling import filled
from lazy4d.signals.overview.known import KNOWN, BlockMoments, Kept, KnownArrays
from lazy4d.signals.overview.layout import picture_dtype
from lazy4d.signals.overview.proxy import Proxy
from lazy4d.signals.overview.summary import BoxSummary, PixelSums, detector_shape

Box = tuple[slice, ...]


class Overview:
    """What is known of a scan so far: an image of it, its sum and maximum patterns, and the scan in bins.

    Safe to read in any thread while passes add to it.

    Parameters
    ----------
    nav_shape, frame_shape : tuple of int
        Of the scan, numpy order.
    dtype : dtype
        Of the frames.

    Attributes
    ----------
    audit : object or None
        The report of the audit of the file's headers, where there is one.
    problems : list of str
        Positions that could not be read, and why; the first few.
    version : int
        Counts changes.

    Examples
    --------
    >>> from lazy4d.signals.overview import OverviewPass, overview_of
    >>> overview = overview_of(d)
    >>> for share in OverviewPass(d, overview).steps():
    ...     pass
    >>> overview.complete, bool((overview.navigator == d.get_total_intensity().as_numpy()).all())
    (True, True)
    """

    def __init__(self, nav_shape: Sequence[int], frame_shape: Sequence[int], dtype: Any) -> None:
        self.nav_shape, self.frame_shape = tuple(nav_shape), tuple(frame_shape)
        self.dtype = np.dtype(dtype)
        self.audit: Any = None
        self.problems: list[str] = []
        self.lock = threading.RLock()
        self._pixel_lock = threading.RLock()  # sums of large frames take long to add: the navigator does not wait
        self._version = 0
        self._arrays: KnownArrays | None = None
        self._pixels: PixelSums | None = None
        self._parent: tuple[Overview, Any] | None = None
        self._taken = 0  # frames added, whose pixels passes hand over a little later
        self._image: tuple[int, NDArray[np.float64]] | None = None
        self._proxy: Proxy | None = None
        self._checks: Iterator[bool | None] | None = None  # what is left to be checked of a proxy that was kept
        self._all_seen = False
        self.stamp: Any = None  # of data in memory: what tells whether they were changed since
        self.identity: dict[str, Any] | None = None  # of data in a file, when it was looked for
        self.stored = False  # whether it need not be kept any more
        self.linked = False  # whether it was looked for elsewhere, and tied to the overview it inherits from

    # ---- what is known

    @property
    def version(self) -> int:
        """Counts changes, also those of the overview that the navigator is inherited from."""
        return self._version + (self._parent[0].version if self._parent is not None else 0)

    @property
    def parent(self) -> Overview | None:
        """The overview that the navigator is inherited from, if any."""
        return None if self._parent is None else self._parent[0]

    @property
    def inherited(self) -> bool:
        """Whether the navigator is that of the signal that this one was made from."""
        return self._parent is not None and not self.complete and self._parent[0].share > self._own_share

    @property
    def navigator(self) -> NDArray[np.float64]:
        """The sum of each frame, float64 [nav...]; NaN where it is not known, or the frame is damaged."""
        if self.inherited:
            return self._of_parent("navigator")
        with self.lock:
            arrays = self._allocated()
            return np.where(arrays.are(KNOWN), arrays.navigator, np.nan)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which positions have been looked at, bool [nav...]."""
        if self.inherited:
            return self._of_parent("known")
        with self.lock:
            return self._allocated().are(KNOWN)

    @property
    def share(self) -> float:
        """The share of the positions of which the navigator is known, 0 to 1."""
        if self.inherited and self._parent is not None:
            parent, cut = self._parent
            return parent.share if cut is None else float(np.mean(self.known)) if self.known.size else 1.0
        return self._own_share

    @property
    def _own_share(self) -> float:
        return 0.0 if self._arrays is None else self._arrays.n_known / max(1, self._arrays.size)

    @property
    def complete(self) -> bool:
        """Whether a pass has seen every position: navigator, patterns and proxy are those of the whole scan."""
        return self._all_seen

    @property
    def proxy(self) -> Proxy | None:
        """The scan in bins, which answers virtual detectors at once; None before a pass began."""
        with self.lock:
            for _ in self.checking():
                pass
            return self._proxy

    @proxy.setter
    def proxy(self, proxy: Proxy | None) -> None:
        self._proxy, self._checks = proxy, None

    def checking(self) -> Iterator[None]:
        """Check a proxy that was kept, a piece at each iteration; forget all that was kept where it is damaged."""
        while True:
            with self.lock:
                if self._checks is None:
                    return
                right = next(self._checks)
                if right is not None:
                    self._checks = None
                    if not right:
                        self._start_again()
            yield

    def _start_again(self) -> None:
        self._arrays = self._pixels = self._proxy = None
        self._all_seen, self.stored, self._taken = False, False, 0
        self._version += 1

    @property
    def positions_seen(self) -> int:
        """Frames in the patterns; damaged ones are left out."""
        return 0 if self._pixels is None else self._pixels.count

    @property
    def added(self) -> int:
        """Positions that passes have been through, damaged ones too."""
        return 0 if self._arrays is None else self._arrays.n_added

    @property
    def sum_pattern(self) -> NDArray[Any] | None:
        """The sum of the frames seen, (u)int64 and exact for integers, else float64 [*frame]; None before any."""
        return self._pattern("total")

    @property
    def max_pattern(self) -> NDArray[Any] | None:
        """The largest value of each pixel in the frames seen, of their dtype; None before any."""
        return self._pattern("largest")

    @property
    def sum_of_squares(self) -> NDArray[Any] | None:
        """The sum of the squares of each pixel, uint64 for pixels of at most 16 bits, else float64; None before any."""
        return self._pattern("squares")

    @property
    def mean_pattern(self) -> NDArray[np.float64] | None:
        """The mean of the frames seen, float64; None before any."""
        with self._pixel_lock:
            return None if not self.positions_seen or self._pixels is None else self._shaped(self._mean())

    @property
    def std_pattern(self) -> NDArray[np.float64] | None:
        """The standard deviation of each pixel over the frames seen, float64; None before any."""
        with self._pixel_lock:
            if not self.positions_seen or self._pixels is None:
                return None
            variance = self._pixels.squares / self._pixels.count - self._mean() ** 2
            return self._shaped(np.sqrt(np.maximum(variance, 0.0)))

    @property
    def maxima(self) -> NDArray[np.float64]:
        """The largest pixel of each frame, float64 [nav...]; NaN where no pass has been."""
        return self.measure("largest", np.float64)

    @property
    def spreads(self) -> NDArray[np.float64]:
        """The standard deviation of the pixels of each frame, float64 [nav...]; NaN where no pass has been."""
        return self.measure("spread", np.float64)

    def measure(self, name: str, dtype: Any = None) -> NDArray[Any]:
        """The ``"largest"`` pixel or the ``"spread"`` of each frame, NaN where no pass has been.

        In float64, unless there are so many positions that a picture of them is fine in float32.
        """
        with self.lock:
            size = math.prod(self.nav_shape)
            return self._allocated().picture(name, picture_dtype(size) if dtype is None else dtype)

    def of_block(self, box: Sequence[slice]) -> BlockMoments:
        """What is known of all pixels of a block of positions, from passes; squares are good to six digits."""
        with self.lock:
            return self._allocated().of_block(_at(box))

    def image(self) -> NDArray[np.floating[Any]]:
        """The navigator, what is not known of it filled in from what is known around it; [nav...].

        Read-only, and float64 but for millions of positions that are not all known. NaN where frames are damaged, and
        throughout while nothing is known.
        """
        version = self.version
        with self.lock:
            if self._image is not None and self._image[0] == version:
                return self._image[1]
            self._image = None
        arrays = self._allocated()
        if self.inherited:
            image = filled(self.navigator, self.known)
        elif arrays.n_known == arrays.size:
            image = arrays.navigator.view()
        else:
            image = filled(arrays.navigator, arrays.are(KNOWN), picture_dtype(arrays.size))
        image.flags.writeable = False
        with self.lock:
            self._image = (version, image)
        return image

    def __repr__(self) -> str:
        """Shape, and how much is known."""
        scan = ", ".join(map(str, reversed(self.nav_shape)))
        frame = ", ".join(map(str, reversed(self.frame_shape)))
        how = " inherited" if self.inherited else ""
        return f"<Overview ({scan}|{frame}), {100 * self.share:.3g} % known{how}>"

    # ---- growing

    def known_in(self, box: Box) -> bool:
        """Whether all positions of a box have been looked at, by a pass over this signal."""
        with self.lock:
            return bool(self._allocated().are(KNOWN, _at(box)).all())

    def claim(self, box: Box) -> NDArray[np.bool_]:
        """Take those positions of a box that no pass has taken yet; bool [n], True where they are the caller's."""
        with self.lock:
            return self._allocated().claim(_at(box)).reshape(-1)

    def give_up(self, box: Box, mine: NDArray[np.bool_]) -> None:
        """Give positions back that were claimed and not added."""
        with self.lock:
            self._allocated().give_up(_at(box), mine.reshape(_shape(box)))

    def glanced(self, box: Box, intensity: NDArray[np.float64]) -> None:
        """Show intensities of a box; a pass still has to go through its frames."""
        with self.lock:
            self._set(box, intensity, np.ones(intensity.size, bool), added=False)

    def add(self, box: Box, mine: NDArray[np.bool_], found: BoxSummary, layout: Any) -> None:
        """Take over what a walk found at the claimed positions of a box."""
        with self.lock:
            if self._proxy is not None:
                self._proxy.add(box, found.binned, found.used, layout)
            self._set(box, np.where(found.used, found.intensity, np.nan), mine, added=True)
            taken = found.used.reshape(_shape(box))
            self._allocated().measure(_at(box), found, taken)
            self._taken += int(np.count_nonzero(taken))

    def failed(self, box: Box, mine: NDArray[np.bool_], why: str, *, most: int = 20) -> None:
        """Mark positions as looked at and damaged."""
        with self.lock:
            self._set(box, np.full(mine.size, np.nan), mine, added=True)
            if len(self.problems) < most:
                self.problems.append(why)

    def own_pixels(self, dtype: Any) -> PixelSums:
        """The sums of pixels themselves, for a pass over large frames to add to without a copy of its own."""
        with self._pixel_lock:
            if self._pixels is None:
                self._pixels = PixelSums(detector_shape(self.frame_shape), dtype, self._pixel_lock)
            return self._pixels

    def add_pixels(self, pixels: PixelSums) -> None:
        """Take over sums of pixels of frames that were added."""
        with self._pixel_lock:
            own = self.own_pixels(pixels.largest.dtype)
            if pixels is not own:
                own.merge(pixels)
            mean = self._mean()
        proxy = self._proxy
        if proxy is not None:
            proxy.use_pattern(mean)
        with self.lock:
            self._version += 1

    def finish(self) -> bool:
        """Mark the overview as complete if every position was seen, and say whether it is.

        It is not while a pass has not handed over what it knows of the pixels of some frames.
        """
        with self.lock:
            arrays = self._arrays
            if arrays is None or self._all_seen or self._taken != self.positions_seen:
                return self._all_seen
            if arrays.n_known == arrays.size == arrays.n_added:
                self._all_seen = True
                self._version += 1
            return self._all_seen

    def inherit(self, parent: Overview, cut: Any = None) -> None:
        """Show the navigator of another overview while this one knows less; `cut` selects positions of it."""
        self._parent = (parent, cut)

    def disinherit(self) -> None:
        """Show what is known of this signal itself only: the data that the other overview is of were changed."""
        with self.lock:
            self._version, self._parent = self.version + 1, None

    def take_navigator(self, values: NDArray[Any]) -> None:
        """Take over the sums of all frames, computed elsewhere; patterns and proxy stay unknown."""
        with self.lock:
            self._allocated().know_all(values)
            self._version += 1

    def restore(self, kept: Kept, proxy: Proxy, checks: Iterator[bool | None]) -> bool:
        """Take over all that was kept of a complete overview; `checks` say at last whether the proxy is sound.

        False, and nothing is taken over, where a pass has begun.
        """
        with self.lock:
            if self._allocated().begun:
                return False
            self._allocated().restore(kept)
            self._version += 1
            self._pixels, self._proxy, self._checks = kept.pixels, proxy, checks
            if kept.pixels.count:
                proxy.use_pattern(self._mean())
            self._taken = kept.pixels.count
            self._all_seen = self.stored = True
            return True

    def kept(self) -> Kept | None:
        """What is worth keeping of a complete overview; None of others."""
        with self.lock:
            if not self.complete or self._pixels is None:
                return None
            arrays = self._allocated()
            return Kept(arrays.navigator, arrays.largest, arrays.spread, self._pixels)

    # ---- parts

    def _allocated(self) -> KnownArrays:
        if self._arrays is None:
            self._arrays = KnownArrays(self.nav_shape, self.frame_shape, self.dtype)
        return self._arrays

    def _set(self, box: Box, intensity: NDArray[np.float64], which: NDArray[np.bool_], *, added: bool) -> None:
        shape = _shape(box)
        self._allocated().set(_at(box), intensity.reshape(shape), which.reshape(shape), added=added)
        self._version += 1

    def _of_parent(self, name: str) -> NDArray[Any]:
        parent, cut = self._parent or (self, None)
        values: NDArray[Any] = getattr(parent, name)
        return values if cut is None else cut(values)

    def _pattern(self, name: str) -> NDArray[Any] | None:
        with self._pixel_lock:
            if self._pixels is None or not self._pixels.count:
                return None
            return self._shaped(getattr(self._pixels, name).copy())

    def _mean(self) -> NDArray[np.float64]:
        if self._pixels is None:
            return np.ones(detector_shape(self.frame_shape))
        return self._pixels.total / max(1, self._pixels.count)

    def _shaped(self, pattern: NDArray[Any]) -> NDArray[Any]:
        return pattern.reshape(self.frame_shape)


def _at(box: Sequence[slice]) -> Any:
    """An index that gives a view also where there are no navigation axes."""
    return (*box, ...)


def _shape(box: Box) -> tuple[int, ...]:
    return tuple(s.stop - s.start for s in box)

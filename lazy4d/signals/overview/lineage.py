"""Which signal's overview serves which: what a signal made from another one may show of it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import Frames
from lazy4d.lazy.selection import normalize_items, select_array
from lazy4d.metadata import History
from lazy4d.signals.overview.memory import fingerprint
from lazy4d.signals.overview.overview import Overview

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

KEEPS_FRAMES = frozenset({"rechunk"})
"""Operations that leave every frame as it is."""

KEEPS_IMAGE = frozenset(
    {
        *("isig", "rebin", "astype", "change_dtype", "flip_diffraction", "rotate_diffraction", "affine_transform"),
        *("center_direct_beam", "shift_diffraction", "correct_bad_pixels", "apply_reference_correction"),
        *("subtract_diffraction_background", "get_azimuthal_integral2d", "get_azimuthal_integral1d"),
    }
)
"""Operations on each frame alone after which an image of the scan still shows the same sample at the same places.

What changes positions against each other (arithmetic, filters over the scan, functions of users) is not among them.
"""

TOTALS = frozenset({"get_total_intensity", "sum"})
"""Operations whose result is the navigator itself, where they leave no signal axis."""

making = threading.RLock()
"""Held while an overview is made, so that two threads get the same one."""


class Lineage:
    """What a signal knows of its overview and of the signal that it was made from; never holds pixels of the scan.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    parent : Lineage, optional
        Of the signal that this one was made from.
    how : {"", "same", "image", "cut", "total"}
        What of the parent's overview holds here too: nothing; all; the image; the image at some positions; or the
        signal is the navigator of the parent.
    cut : callable, optional
        Selects positions of an array over the parent's scan.
    """

    __slots__ = ("cut", "frames", "history", "how", "in_memory", "overview", "parent", "shape", "signal")

    def __init__(self, signal: BaseSignal, parent: Lineage | None = None, how: str = "", cut: Any = None) -> None:
        content = signal._content
        in_file = isinstance(content, Frames) and not content.is_array
        self.frames: Frames | None = content if in_file else None
        self.history: History | None = signal._history if in_file else None
        self.in_memory = isinstance(content, np.ndarray)
        self.signal: weakref.ref[BaseSignal] | None = weakref.ref(signal)
        self.shape = signal.nav_shape, signal.frame_shape, signal.dtype
        self.parent, self.how, self.cut = parent, how, cut
        self.overview: Overview | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Without overview and parent: what is known of a scan stays in the process that looked at it."""
        return _alone, (self.in_memory, self.frames, self.history, self.shape)

    def derived(self, signal: BaseSignal, result: BaseSignal, op: str) -> Lineage:
        """Of the result of an operation on the signal."""
        if result.nav_shape != signal.nav_shape:
            return Lineage(result)
        if op in TOTALS and not result.frame_shape and signal.frame_shape:
            return Lineage(result, self, "total")
        if op in KEEPS_FRAMES and result.frame_shape == signal.frame_shape and result.dtype == signal.dtype:
            return Lineage(result, self, "same")
        if op in KEEPS_IMAGE and result.frame_shape:
            return Lineage(result, self, "image")
        return Lineage(result)

    def selected(self, result: BaseSignal, pixels: Any) -> Lineage:
        """Of the part of a signal at some positions, in pixels and numpy order."""
        return Lineage(result, self, "cut", PositionCut(pixels, self.shape[0]))

    def computed(self, result: BaseSignal) -> Lineage:
        """Of the same signal, its data computed; the navigator of the parent is known now, if this is it.

        A copy in memory, which users may change, has an overview of its own.
        """
        if self.how == "total" and self.parent is not None and not result.lazy:
            self.parent.take_total(result)
        copied = not result.lazy and not self.in_memory
        return Lineage(result) if copied else Lineage(result, self, "same")

    def take_total(self, image: BaseSignal) -> None:
        """Take over the sums of all frames, which somebody computed."""
        if image._content.dtype.kind not in "biuf":
            return
        values = np.asarray(image._content, np.float64)
        if image._valid is not None:
            if hasattr(image._valid, "dask"):
                return
            valid = np.asarray(image._valid)
            unknown = np.isnan(values[valid]).any()
            values = np.where(valid, values, np.nan)
        else:
            unknown = np.isnan(values).any()
        if unknown:  # dead pixels made these sums NaN; a pass leaves dead pixels out
            return
        root = self.root()
        signal = None if root.signal is None else root.signal()
        if root.in_memory and signal is None:
            return
        with making:
            overview = root.made()
            if overview.share < 1 or overview.inherited:
                overview.take_navigator(values)
                overview.stamp = None if signal is None else fingerprint(signal)

    def root(self) -> Lineage:
        """The lineage whose overview is this one's too."""
        found = self
        while found.how == "same" and found.parent is not None:
            found = found.parent
        return found

    def made(self) -> Overview:
        """The overview, an empty one if there was none."""
        if self.overview is None:
            self.overview = Overview(*self.shape)
        return self.overview


def _alone(in_memory: bool, frames: Frames | None, history: History | None, shape: Any) -> Lineage:
    """The lineage of a signal that came from another process, or is a copy."""
    found = Lineage.__new__(Lineage)
    found.in_memory, found.frames, found.history, found.shape = in_memory, frames, history, shape
    found.parent, found.how, found.cut, found.overview, found.signal = None, "", None, None, None
    return found


class PositionCut:
    """Selects positions of arrays over a scan, as ``inav`` did of the frames.

    Examples
    --------
    >>> PositionCut((1, slice(0, 2)), (3, 4))(np.arange(12).reshape(3, 4))
    array([4, 5])
    """

    __slots__ = ("_dropped", "_selection")

    def __init__(self, pixels: NDArray[np.bool_] | Sequence[slice | int], nav_shape: tuple[int, ...]) -> None:
        if isinstance(pixels, np.ndarray):
            self._selection: tuple[Any, ...] = (pixels,)
            self._dropped: tuple[int, ...] = ()
            return
        items = normalize_items(tuple(pixels), nav_shape)
        self._selection = tuple(i if isinstance(i, slice) else slice(i, i + 1, 1) for i in items)
        self._dropped = tuple(k for k, i in enumerate(items) if isinstance(i, int))

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values at the selected positions."""
        found: NDArray[Any] = select_array(values, self._selection, self._dropped)
        return found

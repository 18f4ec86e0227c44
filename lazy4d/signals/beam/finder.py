"""`Finder`: how one method finds the direct beam in a tile of frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lazy4d.lazy import Frames
from lazy4d.lazy.stage import Window

COLUMNS = 3
"""Numbers that a finder's kernel gives for each frame: y, x and the score."""


@dataclass(frozen=True, eq=False)
class Finder:
    """A kernel that gives (y, x, score) of each frame, and what it needs.

    Parameters
    ----------
    kernel : callable
        ``kernel(frames[n, ky, kx], *params, out[n, 3])`` fills `out`, float64, with y and x in pixels of the whole
        frame and a score that says how far the position can be trusted; NaN where there is no beam.
    params : tuple
        Constants, arrays among them, or `SharedLazy`.
    window : tuple of slice, optional
        The only part of a frame that the kernel reads, numpy order, so that the rest need not be decoded.
    options : dict
        The choices of the user, for the history.
    """

    kernel: Callable[..., None]
    params: tuple[Any, ...]
    window: Window | None
    options: dict[str, Any]

    def find(self, frames: Frames) -> Frames:
        """The stream of (y, x, score) of the frames of a stream."""
        return frames.map_frames(self.kernel, *self.params, shape=(COLUMNS,), dtype="float64", window=self.window)

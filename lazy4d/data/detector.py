"""A simulated detector: dead and hot pixels, gaps between chips, a counter that saturates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detector:
    """What a detector makes of the electrons that reach it.

    Parameters
    ----------
    frame_shape : tuple of int
        Frame (ky, kx), pixels.
    dead : int
        Number of pixels that always read 0.
    hot : int
        Number of pixels that always read `hot_value`.
    hot_value : int
        Reading of a hot pixel.
    gap : int
        Width of the cross between four chips, pixels; it reads 0.
    saturation : int or None
        Largest reading; None for no limit but the dtype's.
    seed : int
        Places of dead and hot pixels follow from it.
    """

    frame_shape: tuple[int, int]
    dead: int = 0
    hot: int = 0
    hot_value: int = 4095
    gap: int = 0
    saturation: int | None = None
    seed: int = 0

    @cached_property
    def bad_pixels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places (y, x) of dead pixels (dead, 2) and hot pixels (hot, 2), all different."""
        height, width = self.frame_shape
        chosen = np.random.default_rng([self.seed, 2]).choice(height * width, self.dead + self.hot, replace=False)
        places = np.stack(np.unravel_index(chosen, self.frame_shape), -1)
        return places[: self.dead], places[self.dead :]

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """Pixels (ky, kx) that count electrons: neither dead, nor hot, nor in a gap.

        Examples
        --------
        >>> Detector((6, 6), gap=2).good[2].tolist()
        [False, False, False, False, False, False]
        """
        good = np.ones(self.frame_shape, bool)
        if self.gap:
            height, width = self.frame_shape
            good[(height - self.gap) // 2 : (height + self.gap) // 2] = False
            good[:, (width - self.gap) // 2 : (width + self.gap) // 2] = False
        for places in self.bad_pixels:
            good[places[:, 0], places[:, 1]] = False
        return good

    def read(self, counts: NDArray[Any], out: NDArray[Any]) -> None:
        """Fill `out` (ky, kx) of any dtype with the readings for `counts` electrons (ky, kx), which are used up.

        Integer readings of expected (fractional) counts are rounded; what exceeds the counter or the dtype saturates.
        """
        if self.dead or self.hot or self.gap:
            counts *= self.good
            hot = self.bad_pixels[1]
            counts[hot[:, 0], hot[:, 1]] = self.hot_value
        limits = [] if self.saturation is None else [self.saturation]
        if out.dtype.kind in "iu":
            limits.append(int(np.iinfo(out.dtype).max))
            if counts.dtype.kind == "f":
                np.rint(counts, out=counts)
        if limits:
            np.minimum(counts, min(limits), out=counts)
        np.copyto(out, counts, casting="unsafe")

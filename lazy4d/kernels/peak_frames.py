"""Frames as they are searched for disks: prepared, in floats, with what has maxima at the disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.peak_score import Picture, picture_of
from lazy4d.kernels.template_match import template_correlation

if TYPE_CHECKING:
    from lazy4d.kernels.peak_vectors import Search

ROUNDING = 3e-6
"""Share of the highest correlation that may be rounding of Fourier transforms."""


def working_dtype(dtype: Any, matched: bool) -> np.dtype[Any]:
    """The floats in which the pixels of a dtype are worked with.

    float32 where that holds them exactly, and wherever a template is looked for: what is far from 0 is then counted
    from its mean, which neither score nor intensity depend on.

    Examples
    --------
    >>> working_dtype("uint16", False), working_dtype("int32", False), working_dtype("int32", True)
    (dtype('float32'), dtype('float64'), dtype('float32'))
    """
    return np.dtype(np.float32 if matched or _is_exact(np.dtype(dtype)) else np.float64)


def _is_exact(dtype: np.dtype[Any]) -> bool:
    return dtype == np.float32 or (dtype.kind in "biu" and dtype.itemsize <= 2)


def _not_finite(frames: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Which pixels are nan or infinite; None if there are none."""
    if frames.dtype.kind != "f":
        return None
    bad = ~np.isfinite(frames)
    return bad if bad.any() else None


def prepare_frames(
    raw: NDArray[Any], search: Search, plain: NDArray[Any], searched: NDArray[Any], image: NDArray[Any]
) -> None:
    """Fill `plain` with the frames, `searched` with what is looked at, and `image` with what has maxima at the disks.

    `plain` may be `searched`. Both are 0 where pixels are not finite.
    """
    bad = _not_finite(raw)
    if search.matched and not _is_exact(raw.dtype):
        kept = None if bad is None else ~bad
        level = np.zeros((len(raw), 1, 1))
        for k in range(len(raw)):
            pixels = raw[k] if kept is None else raw[k][kept[k]]
            level[k] = pixels.mean(dtype=np.float64) if pixels.size else 0.0
        np.subtract(raw, level, out=plain, casting="unsafe", dtype=np.float64)
    else:
        np.copyto(plain, raw)
    if search.prepare is not None:
        search.prepare(raw, searched)
    if search.matched:
        template_correlation(raw if search.prepare is None else searched, search.plan, image)
        if not search.plan.by_sums:  # where the frame is even, Fourier transforms leave maxima of rounding
            least = ROUNDING * np.abs(image).max(axis=(1, 2), keepdims=True, initial=0.0)
            np.copyto(image, 0, where=np.abs(image) < least)
    else:
        np.copyto(image, searched)
        if search.mask.size:
            np.copyto(image, -np.inf, where=search.mask == 0)
        np.copyto(image, -np.inf, where=np.isnan(image))
    if bad is not None:
        np.copyto(plain, 0, where=bad)
        np.copyto(searched, 0, where=bad)


def runs_of_pictures(raw: NDArray[Any], search: Search) -> list[tuple[int, int, Picture]]:
    """Runs of frames of which the same pixels count: one run where all that may count are finite."""
    bad = _not_finite(raw)
    if bad is not None and search.mask.size:
        bad &= search.mask != 0
    if bad is None or not bad.any():
        return [(0, len(raw), search.picture)]
    runs: list[tuple[int, int, Picture]] = []
    for k in range(len(raw)):
        if k and (bad[k] == bad[k - 1]).all():
            runs[-1] = (runs[-1][0], k + 1, runs[-1][2])
            continue
        picture = search.picture
        if bad[k].any():
            counts = (~bad[k]).view(np.uint8)
            picture = picture_of(search.template, counts * search.mask if search.mask.size else counts, raw.shape[1:])
        runs.append((k, k + 1, picture))
    return runs

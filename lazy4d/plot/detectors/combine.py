"""Several virtual images in one picture: as colours, or one less another. Numbers only, nothing is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COMBINATIONS = {"rgb": (2, 3), "difference": (2, 2)}
"""Ways to combine images, and the fewest and most that each takes."""

PRIMARIES = ("#ff4d4d", "#35e06a", "#4d8dff")
"""Outlines of the detectors that make the red, the green and the blue of a picture."""

_MISSING = 0.5
_SHARE = 0.002
"""Of the values at either end that do not set the scale."""


def check_combination(combine: str | None, names: Sequence[str]) -> None:
    """Raise if these detectors cannot be combined so.

    Raises
    ------
    ValueError
        No such combination, or another number of detectors than it takes.

    Examples
    --------
    >>> check_combination("difference", ["left", "right"])
    """
    if combine is None:
        return
    if combine not in COMBINATIONS:
        raise ValueError(f"expected combine to be one of {sorted(COMBINATIONS)} or None, found {combine!r}")
    fewest, most = COMBINATIONS[combine]
    if not fewest <= len(names) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} or {most}"
        raise ValueError(
            f"expected {wanted} detectors for combine={combine!r}, found {len(names)}: {list(names)}; give a list or "
            "dict of so many"
        )


def combined(images: Mapping[str, NDArray[Any]], combine: str) -> NDArray[np.float64]:
    """The picture of several images.

    Parameters
    ----------
    images : dict of ndarray [y, x]
        By the names of their detectors, in order.
    combine : {"rgb", "difference"}
        Red, green and blue, each from its own image; or the first less the second.

    Returns
    -------
    ndarray of float64
        ``[y, x, 3]`` from 0 to 1 for "rgb", where missing values are grey; ``[y, x]`` for "difference", NaN where
        either is missing.

    Raises
    ------
    ValueError
        See `check_combination`.

    Examples
    --------
    >>> images = {"left": np.array([[3.0, 1.0]]), "right": np.array([[1.0, 2.0]])}
    >>> combined(images, "difference")
    array([[ 2., -1.]])
    >>> combined(images, "rgb")[0, 0]
    array([1., 0., 0.])
    """
    check_combination(combine, list(images))
    values = [np.asarray(image, np.float64) for image in images.values()]
    if combine == "difference":
        return values[0] - values[1]
    channels = [_stretched(value) for value in values]
    while len(channels) < 3:
        channels.append(np.zeros_like(channels[0]))
    colors = np.stack(channels, axis=-1)
    colors[np.isnan(colors).any(axis=-1)] = _MISSING
    return colors


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values from 0 to 1, without the most extreme ones; all 0 where they are alike."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.full(values.shape, np.nan)
    ends = [0.0, 1.0] if known.size < 1 / _SHARE else [_SHARE, 1 - _SHARE]
    low, high = (float(one) for one in np.quantile(known, ends))
    if high <= low:
        return np.where(np.isfinite(values), 0.0, np.nan)
    return np.clip((values - low) / (high - low), 0.0, 1.0)

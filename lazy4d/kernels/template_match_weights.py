"""What the frame's edge and a mask leave of a template, at each place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.templates import Template

LEAST = 0.1
"""Share of a template's variance that must lie on pixels that count, for a place to be compared at all."""


class Weights(NamedTuple):
    """Factors for each place; lines that are the same are kept once.

    Parameters
    ----------
    which : ndarray of int64 [ky]
        The line of the other arrays for each row of the frame.
    share : ndarray of float64 [k, kx]
        ``Σ T / n`` over the pixels that count: what of the sum over the support is taken off.
    scale : ndarray of float64 [k, kx]
        ``1 / √(V V₀)``, or ``1 / √V`` for the correlation coefficient; 0 where too little of the template counts.
    inverse : ndarray of float64 [k, kx]
        ``1 / n``.
    total : ndarray of float64 [k, kx]
        ``Σ T`` over the pixels that count.
    """

    which: NDArray[np.int64]
    share: NDArray[np.float64]
    scale: NDArray[np.float64]
    inverse: NDArray[np.float64]
    total: NDArray[np.float64]


def template_weights(
    template: Template, frame_shape: tuple[int, int], mask: NDArray[np.uint8], normalize: bool
) -> Weights:
    """What is left of a template at each place of a frame.

    Parameters
    ----------
    template : Template
        What is looked for.
    frame_shape : tuple of int
        ``(ky, kx)``.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count; of size 0: all count.
    normalize : bool
        Whether the image will be that of the correlation coefficient.

    Examples
    --------
    >>> from lazy4d.kernels.templates import pixel_disk_template
    >>> weights = template_weights(pixel_disk_template(2), (50, 60), np.empty((0, 0), np.uint8), False)
    >>> weights.share.shape, weights.which[[0, 20, 21]]
    ((7, 60), array([6, 3, 3]))
    """
    values = working_values(template)
    support = template.support.astype(np.float64)
    ky, kx = frame_shape
    if mask.size:
        n, t, tt = _masked((support, values, values**2), mask)
        n = np.round(n)
        which = np.arange(ky, dtype=np.int64)
    else:
        half = template.half
        rows, which = np.unique(_clipped(ky, half), axis=0, return_inverse=True)
        columns = _clipped(kx, half)
        n, t, tt = (_inside(a, rows, columns) for a in (support, values, values**2))
        which = which.reshape(-1).astype(np.int64)
    full = float((values**2).sum() - values.sum() ** 2 / support.sum())
    inverse = np.where(n > 0, 1 / np.maximum(n, 1), 0.0)
    known = tt - t**2 * inverse
    usable = (n > 0) & (known > LEAST * full) & (full > 0)
    safe = np.where(usable, known, 1.0)
    scale = np.where(usable, 1 / np.sqrt(safe if normalize else safe * full), 0.0)
    return Weights(which, *map(np.ascontiguousarray, (t * inverse, scale, inverse, t)))


def working_values(template: Template) -> NDArray[np.float64]:
    """The template as it is summed: the blurred set of pixels, or the values, of height 1, less their mean.

    The constant that makes the sum 0 is taken off place by place.

    Examples
    --------
    >>> from lazy4d.kernels.templates import pixel_disk_template
    >>> working_values(pixel_disk_template(4)).max()
    np.float64(1.0)
    """
    if template.pixels is not None:
        return template.bright
    found = np.where(template.support, template.values, 0.0)
    found = np.where(template.support, found - found.sum() / np.count_nonzero(template.support), 0.0)
    height = float(np.ptp(found[template.support]))
    return found / height if height > 0 else found


def _clipped(size: int, half: int) -> NDArray[np.int64]:
    """First and one past the last line of a template that lie in the frame, for its middle on each line: [size, 2]."""
    at = np.arange(size)
    return np.stack([np.maximum(half - at, 0), np.minimum(half + size - at, 2 * half + 1)], axis=-1)


def _inside(values: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over parts of a template: [len(rows), len(columns)]."""
    both = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    both[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    strips = both[rows[:, 1]] - both[rows[:, 0]]
    result: NDArray[np.float64] = strips[:, columns[:, 1]] - strips[:, columns[:, 0]]
    return result


def _masked(templates: tuple[NDArray[np.float64], ...], mask: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Correlation of templates with a mask."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    half, shape = len(templates[0]) // 2, mask.shape
    size = tuple(next_fast_len(n + 2 * half, real=True) for n in shape)
    seen: Any = rfft2((mask != 0).astype(np.float64), size, workers=1)
    found = []
    for values in templates:
        image = irfft2(seen * rfft2(values, size, workers=1).conj(), size, workers=1)
        found.append(np.roll(image, (half, half), axis=(0, 1))[: shape[0], : shape[1]])
    return found

"""What is done to frames before peaks are looked for, and pictures of blobs without edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.templates import RING, TRACE, Template, disk

WIDER = 1.6
"""Ratio of the two standard deviations of a difference of Gaussians that comes nearest to a Laplacian."""
SMOOTH = 0.7
"""Standard deviation by which the outlines of a smooth disk and its ring are blurred, pixels: the correlation then has
no frequencies that its pixels would not show, and Fourier interpolation is exact within 0.002 pixels."""
ENDS = 2.0
"""Radii at which blobs are cut off: what stands beside them is to count little."""
REACH = 4.0
"""Standard deviations out to which a Gaussian is drawn."""


def square_root(frames: NDArray[Any], out: NDArray[Any]) -> None:
    """The square root of every pixel, 0 where it is negative: the noise of counts is then the same everywhere.

    Examples
    --------
    >>> out = np.empty((1, 1, 3), np.float32)
    >>> square_root(np.array([[[4, -1, 9]]]), out)
    >>> out
    array([[[2., 0., 3.]]], dtype=float32)
    """
    np.maximum(frames, 0, out=out, casting="unsafe")
    np.sqrt(out, out=out)


def blurred(frames: NDArray[Any], before: Any, sigma: float, out: NDArray[Any]) -> None:
    """Frames blurred by a Gaussian, after `before` where that is not None; at the edge the frame goes on as mirrored.

    Examples
    --------
    >>> frames, out = np.zeros((1, 5, 5)), np.empty((1, 5, 5))
    >>> frames[0, 2, 2] = 1
    >>> blurred(frames, None, 1.0, out)
    >>> out[0, 2].round(3)
    array([0.023, 0.097, 0.159, 0.097, 0.023])
    """
    from scipy.ndimage import gaussian_filter1d

    source = frames
    if before is not None:
        source = np.empty_like(out)
        before(frames, source)
    middle = gaussian_filter1d(source, sigma, axis=1, output=out.dtype, truncate=REACH)
    gaussian_filter1d(middle, sigma, axis=2, output=out, truncate=REACH)


def blurred_template(template: Template, sigma: float) -> Template:
    """A template blurred by a Gaussian: its correlation is that of the blurred frame, but noise stays what it was.

    Examples
    --------
    >>> template = blurred_template(smooth_template(3.0), 1.0)
    >>> template.values.shape, abs(template.values.sum()) < 1e-12
    ((17, 17), np.True_)
    """
    more = math.ceil(2 * sigma)
    values, bright, support = (
        _blur(np.pad(one.astype(np.float64), more), sigma)
        for one in (template.values, template.bright, template.support)
    )
    return _zero_sum(values, bright, support > TRACE, template.radius, template.offset)


def _blur(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A square image blurred by a Gaussian, with nothing around it."""
    apart = np.subtract.outer(np.arange(len(image)), np.arange(len(image)))
    far = np.arange(-math.ceil(9 * sigma), math.ceil(9 * sigma) + 1)
    matrix = np.exp(-0.5 * (apart / sigma) ** 2) / np.exp(-0.5 * (far / sigma) ** 2).sum()
    return np.asarray(matrix @ image @ matrix)


def smooth_template(radius: float) -> Template:
    """A disk in a dark ring of the same area, both of exact outline and then blurred; the sum is 0.

    Examples
    --------
    >>> template = smooth_template(4.0)
    >>> template.values.shape, abs(template.values.sum()) < 1e-12
    ((17, 17), np.True_)
    """
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"expected a radius of more than 0 pixels, found {radius}")
    outer = max(RING * radius, radius + 1.0)
    half = math.ceil(outer + 2 * SMOOTH)
    bright, around = _blur(disk(radius, half), SMOOTH), _blur(disk(outer, half), SMOOTH)
    support = around > TRACE
    ring = around - bright
    return _zero_sum(bright - ring * (bright[support].sum() / ring[support].sum()), bright, support, radius)


def _zero_sum(
    values: NDArray[np.float64],
    bright: NDArray[np.float64],
    support: NDArray[np.bool_],
    radius: float,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Template:
    """A template of values of sum 0 on a support."""
    found = np.where(support, values, 0.0)
    found[support] -= found[support].mean()
    return Template(found, np.where(support, bright, 0.0), support, True, offset, float(radius))


def laplacian_template(radius: float) -> Template:
    """The negative Laplacian of the Gaussian that answers most to a disk of a radius: a spot in a dark ring, sum 0.

    Notes
    -----
    ``(2 - ρ²) exp(-ρ² / 2)``, ``ρ = distance / σ``, σ = radius / √2 (Lindeberg, International Journal of Computer
    Vision 30 (1998) 79, doi 10.1023/A:1008045108935), cut off at twice the radius.

    Examples
    --------
    >>> template = laplacian_template(3.0)
    >>> template.values.argmax() == template.values.size // 2, abs(template.values.sum()) < 1e-12
    (np.True_, np.True_)
    """
    square = _squares(radius)
    rho = 2 * square / radius**2
    return _blob((2 - rho) * np.exp(-rho / 2), square, radius)


def difference_template(radius: float) -> Template:
    """The difference of two Gaussians, the wider one 1.6 times as wide, that is 0 at a radius: a blob, sum 0.

    Examples
    --------
    >>> template = difference_template(3.0)
    >>> template.values.argmax() == template.values.size // 2, abs(template.values.sum()) < 1e-12
    (np.True_, np.True_)
    """
    square = _squares(radius)
    narrow = radius**2 * (1 - 1 / WIDER**2) / (4 * math.log(WIDER))
    wide = narrow * WIDER**2
    values = np.exp(-square / (2 * narrow)) / narrow - np.exp(-square / (2 * wide)) / wide
    return _blob(values, square, radius)


def point_template() -> Template:
    """A pixel and its neighbours, where maxima are looked for rather than a picture.

    Examples
    --------
    >>> point_template().half
    1
    """
    values = np.zeros((3, 3))
    values[1, 1] = 1.0
    return Template(values, values, np.ones((3, 3), bool), True, (0.0, 0.0), 1.0)


def _squares(radius: float) -> NDArray[np.float64]:
    """Squared distances from the middle pixel, out to where a blob ends."""
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"expected a radius of more than 0 pixels, found {radius}")
    half = max(2, math.ceil(ENDS * radius))
    line = np.arange(-half, half + 1.0) ** 2
    return np.asarray(line[:, None] + line)


def _blob(values: NDArray[np.float64], square: NDArray[np.float64], radius: float) -> Template:
    """A template of values in a circle, their sum 0."""
    support = square <= max(ENDS * radius, 2.0) ** 2
    return _zero_sum(values / values.max(), np.maximum(values / values.max(), 0.0), support, radius)

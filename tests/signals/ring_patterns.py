"""Patterns of rings and disks by formula, with Poisson noise: what calibration is tested on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.ellipse import Ellipse


def ring_pattern(
    shape: tuple[int, int],
    center: tuple[float, float],
    radius: float,
    width: float,
    ellipse: Ellipse,
    *,
    height: float,
    spots: int | None = None,
    steps: tuple[float, float] = (1.0, 1.0),
    noise: bool = True,
    seed: int = 0,
) -> NDArray[np.float64]:
    """A Gaussian ring, even or of random spots, that a distortion made an ellipse, on a falling background.

    `center` is (y, x) in pixels, `steps` what a pixel is along y and x, in the units of radius and width.
    """
    c, s, root = math.cos(math.radians(ellipse.angle)), math.sin(math.radians(ellipse.angle)), math.sqrt(ellipse.ratio)
    y, x = ((np.arange(n) - m) * step for n, m, step in zip(shape, center, steps, strict=True))
    along, across = (x * c + y[:, None] * s) / root, (y[:, None] * c - x * s) * root
    r, azimuth = np.hypot(along, across), np.arctan2(across, along)
    rng = np.random.default_rng(seed)
    strength = np.ones(shape)
    if spots is not None:
        away = (azimuth[..., None] - rng.uniform(-math.pi, math.pi, spots) + math.pi) % (2 * math.pi) - math.pi
        strength = (3 * rng.exponential(1, spots) * np.exp(-0.5 * (away * radius / 2.0) ** 2)).sum(axis=-1)
    expected = height * strength * np.exp(-0.5 * ((r - radius) / width) ** 2)
    expected += height * (0.1 + 0.6 * np.exp(-r / (0.5 * radius)))
    return rng.poisson(expected).astype(np.float64) if noise else expected


def disk_pattern(
    shape: tuple[int, int],
    center: tuple[float, float],
    radius: float,
    *,
    height: float,
    blur: float = 0.0,
    structured: bool = False,
    background: float = 0.0,
    seed: int = 0,
) -> NDArray[np.float64]:
    """A disk, by areas of pixels, blurred by a Gaussian if asked to, with Poisson noise."""
    fine = 9
    y, x = ((np.arange(n * fine) - (fine - 1) / 2) / fine - m for n, m in zip(shape, center, strict=True))
    inside = (np.hypot(y[:, None], x) < radius).astype(float)
    if structured:
        inside *= 1 + 0.5 * np.cos(2.1 * x / radius + 0.7) * np.cos(3 * y[:, None] / radius)
    if blur:
        from scipy import ndimage

        inside = ndimage.gaussian_filter(inside, blur * fine)
    pixels = inside.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
    expected = height * (pixels + background)
    return np.random.default_rng(seed).poisson(expected).astype(np.float64)

"""Correlation of frames with a template by Fourier transforms, the spectrum left as it is or flattened."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Spectrum:
    """The transform of a template for frames of one shape.

    Parameters
    ----------
    values : ndarray of float64 [m, m]
        The template, m odd, about pixel ``m // 2``.
    frame_shape : tuple of int
        ``(ky, kx)``.
    power : float
        p in [0, 1]; see `correlate`.

    Examples
    --------
    >>> out = np.empty((3, 4), np.float32)
    >>> frame, all_count = np.arange(12).reshape(3, 4), np.empty((0, 0), np.uint8)
    >>> Spectrum(np.ones((1, 1)), (3, 4), 1.0).correlate(frame, all_count, 2.0, out)
    >>> out[1].round(3)
    array([2., 3., 4., 5.], dtype=float32)
    """

    def __init__(self, values: NDArray[np.float64], frame_shape: tuple[int, int], power: float) -> None:
        from scipy.fft import next_fast_len, rfft2

        half = len(values) // 2
        self.power = power
        # What comes round from the opposite edge must only meet places that are cut off afterwards.
        self.size = tuple(next_fast_len(max(n + half, len(values)), real=True) for n in frame_shape)
        around = np.zeros(self.size)
        around[: len(values), : len(values)] = values
        around = np.roll(around, (-half, -half), axis=(0, 1))
        self.conjugate = rfft2(around, workers=1).conj().astype(np.complex64)

    def correlate(self, frame: NDArray[Any], mask: NDArray[np.uint8], level: float, out: NDArray[np.float32]) -> None:
        """``F⁻¹[|G|^p exp(i arg G)]``, G the spectrum of the correlation of (frame - level) and the template.

        Pixels of mask 0 and those around the frame are taken as equal to the level. p < 1: as a share of what it would
        be if all frequencies agreed.
        """
        from scipy.fft import irfft2, rfft2

        if frame.dtype.kind in "iu" and frame.dtype.itemsize <= 2:
            part = np.subtract(frame, np.float32(level), dtype=np.float32)
        else:
            part = np.subtract(frame, level, dtype=np.float64).astype(np.float32)
        if mask.size:
            part[mask == 0] = 0
        spectrum: Any = rfft2(part, self.size, workers=1)
        spectrum *= self.conjugate
        full = 0.0
        if self.power != 1:
            full = self._flatten(spectrum)
            if full == 0:
                out[...] = 0
                return
        image = irfft2(spectrum, self.size, workers=1, overwrite_x=True)[: out.shape[0], : out.shape[1]]
        if self.power == 1:
            out[...] = image
        else:
            np.clip(image / np.float32(full), -1, 1, out=out)

    def _flatten(self, spectrum: NDArray[Any]) -> float:
        """Raise absolute values to a power, in place; the image's height if all frequencies agreed."""
        height = np.abs(spectrum)
        top = float(height.max(initial=0.0))
        if not (top > 0 and np.isfinite(top)):
            return 0.0
        height /= np.float32(top)
        height += np.float32(FLOOR)  # frequencies that are rounding alone stay small
        spectrum *= height ** np.float32(self.power - 1)
        spectrum /= np.float32(top)
        found = np.abs(spectrum)
        twice = 2 * found.sum(dtype=np.float64) - found[:, 0].sum(dtype=np.float64)
        if self.size[1] % 2 == 0:
            twice -= found[:, -1].sum(dtype=np.float64)
        return float(twice / (self.size[0] * self.size[1]))


FLOOR = 1e-5
"""Share of the largest frequency below which others are rounding and count less."""

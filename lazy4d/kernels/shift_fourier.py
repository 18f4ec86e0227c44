"""Frames moved by any (dy, dx) through a phase ramp of their spectrum: exact where they are band-limited.

For a frame of N rows the amplitude of frequency m is multiplied by ``exp(-2πi m dy / N)``, m from -N/2 to N/2, and
likewise along x. At the Nyquist frequency of an even N, where +N/2 and -N/2 are one, that is the mean of both,
``cos(π dy)``: real frames stay real.
"""

from __future__ import annotations

import numpy as np

from lazy4d.kernels.shift import covered, mark_unknown

BATCH_BYTES = 2**20
"""Of spectra at a time: so many frames that calling costs little, and so few that they stay in cache."""


def shift_fourier(frames, shifts, fill, out):
    """Fill `out` with each frame moved by the phase ramp of its spectrum.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Of real numbers.
    shifts : ndarray of float64 [n, 2] or [2]
        (dy, dx) of each frame, or of all.
    fill : float
        For pixels that come from outside the frame, which would otherwise show what leaves it at the other side.
    out : ndarray of float32 or float64 [n, ky, kx]
        Computed in this precision. Frames whose shift is not finite are nan.

    Notes
    -----
    Keeps the noise, and the resolution, whatever the fraction of a pixel. The frame is taken to continue periodically:
    where opposite edges differ, and beside anything sharper than a pixel, it rings, also to below 0; one nan spoils a
    frame.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * np.arange(8) / 8)[None, None].astype("float32")
    >>> out = np.empty_like(wave)
    >>> shift_fourier(wave, np.array([0.0, 0.5]), 0.0, out)
    >>> bool(abs(out[0, 0, 1:] - np.cos(2 * np.pi * (np.arange(1, 8) - 0.5) / 8)).max() < 1e-6)
    True
    """
    from scipy import fft

    n, ky, kx = frames.shape
    moved = np.broadcast_to(np.asarray(shifts, np.float64), (n, 2))
    known = np.where(np.isfinite(moved).all(axis=1, keepdims=True), moved, 0.0)
    spectrum = np.result_type(out.dtype, np.complex64)
    ramp_y, ramp_x = _ramp(known[:, 0], np.fft.fftfreq(ky)), _ramp(known[:, 1], np.fft.rfftfreq(kx))
    ramp_y, ramp_x = ramp_y.astype(spectrum), ramp_x.astype(spectrum)
    m = max(1, BATCH_BYTES // max(1, ky * kx * out.dtype.itemsize))
    for i in range(0, n, m):
        part = slice(i, min(i + m, n))
        waves = fft.rfft2(frames[part].astype(out.dtype), workers=1, overwrite_x=True)
        waves *= ramp_y[part, :, None]
        waves *= ramp_x[part, None, :]
        out[part] = fft.irfft2(waves, s=(ky, kx), workers=1, overwrite_x=True)
    for k, ((y0, y1), (x0, x1)) in enumerate(covered(moved, (ky, kx), "fourier").tolist()):
        frame = out[k]
        frame[:y0] = fill
        frame[y1:] = fill
        frame[y0:y1, :x0] = fill
        frame[y0:y1, x1:] = fill
    mark_unknown(moved, out)


def _ramp(shifts, frequencies):
    """``exp(-2πi f d)`` for each shift d and frequency f, [n, frequencies]; the real part at Nyquist."""
    ramp = np.exp(-2j * np.pi * shifts[:, None] * frequencies)
    nyquist = np.abs(frequencies) == 0.5
    ramp[:, nyquist] = ramp[:, nyquist].real
    return ramp

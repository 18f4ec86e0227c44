"""Frames moved so that their beam lies on a given pixel: where it is known, or found in the same tile."""

from __future__ import annotations

import numpy as np


def center_at(frames, positions, move, center, fill, out):
    """Fill `out` with each frame moved so that what lies at its position lies at `center`.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    positions : ndarray of float64 [n, 2] or [2]
        (y, x) in each frame, or in all.
    move : callable
        ``move(frames, shifts, fill, out)``, one of the kernels of `lazy4d.kernels.shift`.
    center : ndarray of float64 [2]
        (y, x) that the positions move to.
    fill : number
        For pixels from outside the frame.
    out : ndarray [n, ky, kx]
        Of the dtype that `move` fills.

    Examples
    --------
    >>> from lazy4d.kernels.shift import shift_integer
    >>> out = np.empty((1, 1, 5), int)
    >>> center_at(np.array([[[0, 0, 0, 7, 1]]]), np.array([[0, 3]]), shift_integer, np.array([0, 2]), 0, out)
    >>> out.tolist()
    [[[0, 0, 7, 1, 0]]]
    """
    move(frames, center - positions, fill, out)


def center_found(frames, find, move, center, fill, *params_and_out):
    """Fill `out`, the last argument, with each frame moved so that the beam found in it lies at `center`.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous.
    find : callable
        ``find(frames, *params, found[n, 3])`` gives (y, x, score) of each frame, float64, nan where there is no beam.
    move : callable
        ``move(frames, shifts, fill, out)``, one of the kernels of `lazy4d.kernels.shift`; it says what becomes of
        frames without a beam.
    center : ndarray of float64 [2]
        (y, x) that the beam moves to.
    fill : number
        For pixels from outside the frame.
    *params_and_out : object
        What `find` needs, then ``out[n, ky, kx]``.

    Examples
    --------
    >>> from lazy4d.kernels.shift import shift_integer
    >>> def find(frames, found):
    ...     found[:] = [0.0, 3.0, 1.0]
    >>> out = np.empty((1, 1, 5), int)
    >>> center_found(np.array([[[0, 0, 0, 7, 1]]]), find, shift_integer, np.array([0, 2]), 0, out)
    >>> out.tolist()
    [[[0, 0, 7, 1, 0]]]
    """
    *params, out = params_and_out
    found = np.empty((len(frames), 3))
    find(_compilable(frames), *params, found)
    move(frames, center - found[:, :2], fill, out)


def _compilable(frames):
    """The frames in a dtype that compiled functions take, as they otherwise get them."""
    if frames.dtype.char == "?":
        return frames.view(np.uint8)
    return frames.astype(np.float32) if frames.dtype == np.float16 else frames

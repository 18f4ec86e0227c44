"""Where the direct beam is and how wide: moments of each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels import moments
from lazy4d.signals.beam.finder import Finder
from lazy4d.signals.beam.window import selection
from lazy4d.signals.construction import image_frames

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def center_of_mass_finder(
    signal: BaseSignal,
    *,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
) -> Finder:
    """What finds the centre of mass of each frame; its score is the sum of the intensity that counted.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    half_width : int, float or str, optional
        Only the square of pixels at most this far from pixel ``N // 2`` counts: pixels, axis units or ``"2 mrad"``.
    signal_slice : ROI or tuple of slices, optional
        Only this window counts, x-first as for ``isig``; positions are still pixels of the whole frame.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count.
    threshold : float, optional
        Only pixels above this intensity (after subtraction of the background) count.
    background : float, optional
        Subtracted from every pixel that counts; with ``threshold=0`` what is then negative does not count.

    Returns
    -------
    Finder
        Gives NaN where nothing counts, or where negative pixels throw the centre out of the window.

    Raises
    ------
    ValueError
        Windows or masks that do not fit the frames, or more than one window.

    Notes
    -----
    ``y = Σ y I / Σ I``, x alike, over the pixels that count; sums of integers are exact. An even background pulls the
    result towards the centre of the window: subtract it, set a threshold or narrow the window.

    Examples
    --------
    >>> center_of_mass_finder(d, half_width=6).window
    (slice(2, 15, None), slice(2, 15, None))
    """
    window, params, options = selection(signal, half_width, signal_slice, mask, threshold, background)
    return Finder(moments.center_of_mass, params, window, options)


def get_second_moments(
    signal: BaseSignal,
    *,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
) -> BaseSignal:
    """The second moments of each frame about its centre of mass: a Signal1D [..., 3] of (yy, xx, yx) in pixels².

    Parameters are those of `center_of_mass_finder`.

    Returns
    -------
    Signal1D
        Float64, lazy: variances along y and x, and the covariance; NaN where nothing counts.

    Notes
    -----
    ``yy = Σ (y - ȳ)² I / Σ I``, ``yx = Σ (y - ȳ)(x - x̄) I / Σ I``. A uniform disk of radius r has yy = xx = r²/4.

    Examples
    --------
    >>> d.get_second_moments().data.shape
    (4, 4, 3)
    """
    window, params, options = selection(signal, half_width, signal_slice, mask, threshold, background)
    frames = image_frames(signal, "second moments").map_frames(
        moments.second_moments, *params, shape=(3,), dtype=np.float64, window=window
    )
    return signal._derive(
        frames.emit(),
        [*signal.nav_axes, Axis(name="moment (yy, xx, yx)", size=3, navigate=False)],
        "get_second_moments",
        options,
        kind=signal._class_of[1],
        title=f"second moments of {signal.title}" if signal.title else "second moments",
    )

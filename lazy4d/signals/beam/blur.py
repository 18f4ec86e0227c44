"""The direct beam as the brightest blurred place, and the centre of mass about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazy4d.kernels.beam_correlation_blur import blur_cell_size, blur_template, blurred_maximum
from lazy4d.kernels.beam_correlation_search import coarse_plan
from lazy4d.signals.beam.correlation import counted, radius_in_pixels
from lazy4d.signals.beam.finder import Finder

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def blur(
    signal: BaseSignal,
    *,
    radius: float | str | None = None,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
) -> Finder:
    """What finds the centre of mass in a circle about the brightest place of each blurred frame.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    radius : int, float or str
        Of the beam's disk: pixels, axis units or ``"2 mrad"``. Frames are blurred by a Gaussian of this standard
        deviation, and the circle is 1.2 times as large.
    half_width : int, float or str, optional
        Only the square of pixels at most this far from pixel ``N // 2`` counts: pixels, axis units or ``"2 mrad"``.
    signal_slice : ROI or tuple of slices, optional
        Only this window counts, x-first as for ``isig``; positions are still pixels of the whole frame.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count; in the circle the pixel opposite stands for one that does not.
    threshold : float, optional
        Pixels at or below this intensity (after subtraction of the background) are taken as 0.
    background : float, optional
        Subtracted from every pixel.

    Returns
    -------
    Finder
        Gives NaN for frames that are empty or constant. The score, in [0, 1] where no pixel is negative, is the share
        of the intensity that counts that lies in the circle.

    Raises
    ------
    ValueError
        No radius, windows or masks that do not fit the frames.

    Notes
    -----
    The circle has soft edges and moves onto its own centre of mass until it stays, so that an even background and the
    pixels of its rim do not pull, and a radius that is 20 % off does little harm. What is uneven inside the disk pulls,
    as does the frame's edge where it cuts the disk (by pixels): `cross_correlate` looks at the outline instead.

    Examples
    --------
    >>> d.get_direct_beam_position("blur", radius=3).data.shape
    (4, 4, 2)
    """
    window, params, options = counted(signal, half_width, signal_slice, mask, threshold, background)
    pixels = radius_in_pixels(signal, radius, "blur")
    edges, inside = params[:2]
    plan = coarse_plan(blur_template(pixels), blur_cell_size(pixels), edges, inside)
    options["radius"] = pixels
    return Finder(blurred_maximum, (*params, pixels, plan), window, options)

"""The direct beam by the inversion symmetry of the pattern: also where it is hidden behind a beam stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels import friedel as kernels
from lazy4d.signals.beam.finder import Finder
from lazy4d.signals.beam.window import selection

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

SUBPIXEL = ("parabola", "dft", None)


def friedel(
    signal: BaseSignal,
    *,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
    center: tuple[float | str, float | str] | None = None,
    search_radius: float | str | None = None,
    min_overlap: float = 0.3,
    square_root: bool | None = None,
    smooth: bool = True,
    subpixel: str | None = "parabola",
) -> Finder:
    """What finds the centre of inversion symmetry of each frame; its score says how symmetric the frame is about it.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    half_width : int, float or str, optional
        Only the square of pixels at most this far from pixel ``N // 2`` counts: pixels, axis units or ``"2 mrad"``.
    signal_slice : ROI or tuple of slices, optional
        Only this window counts, x-first as for ``isig``; positions are still pixels of the whole frame.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count: False behind a beam stop, in gaps, at dead and hot pixels.
    threshold : float, optional
        Pixels at or below this intensity (after subtraction of the background) count as 0.
    background : float, optional
        Subtracted from every pixel, before `threshold` and `square_root`; without these it changes nothing.
    center : tuple, optional
        Where the beam is expected, (x, y): ints are pixels, floats axis units, strings carry their unit. By default
        pixel ``N // 2`` of the window.
    search_radius : int, float or str, optional
        How far from there it is looked for: pixels, axis units or ``"2 mrad"``. By default as far as `min_overlap`
        lets it.
    min_overlap : float, optional
        Share of the largest possible overlap of the pixels that count with their inversion, in (0, 1]; centres
        with less are not looked at, as little agrees with little by chance.
    square_root : bool, optional
        Compare square roots of the intensities (0 where negative): the noise of counts is then the same everywhere, and
        unequal pairs matter less. By default for frames of unsigned integers, taken to be counts.
    smooth : bool, optional
        Average each pixel with its neighbours first (1 2 1 along y and x). Symmetry stays, noise and the kinks that
        sharp edges give the correlation go: that halves the error at low dose and at high.
    subpixel : {"parabola", "dft", None}, optional
        How the maximum is placed between the steps of half a pixel in which it is sampled: by a parabola, by an
        upsampled Fourier transform (several times slower), or not at all.

    Returns
    -------
    Finder
        Gives NaN for frames that are empty or constant where pixels count, or symmetric nowhere that is looked at. The
        score, in [-1, 1], is the correlation of the frame with its own inversion over the overlap.

    Raises
    ------
    ValueError
        Windows or masks that do not fit the frames, more than one window, or a search that leaves no centre.

    Notes
    -----
    The position is half of ``argmax F⁻¹[F(I)²]`` of the zero-padded frame, normalised for the pixels in overlap and
    for those that are masked (Padfield, doi 10.1109/TIP.2011.2181402). Nothing has to be seen of the beam itself, so
    that the mask may hide it; what has to hold is Friedel's law. Pairs of disks whose intensities differ lower the
    score, and displace the result only where their edges are cut or the disks overlap. A crystal is as symmetric about
    any of its spots as its intensities are alike: keep `search_radius` below half their distance.

    Examples
    --------
    >>> friedel(d, half_width=6, search_radius=3).window
    (slice(2, 15, None), slice(2, 15, None))
    """
    window, (_, inside, low, level), options = selection(signal, half_width, signal_slice, mask, threshold, background)
    if subpixel not in SUBPIXEL:
        raise ValueError(f"subpixel={subpixel!r} is not known: expected one of {', '.join(map(repr, SUBPIXEL))}")
    if not 0 < min_overlap <= 1:
        raise ValueError(f"expected min_overlap as a share in (0, 1], found {min_overlap!r}")
    y, x = signal.frame_axes
    if center is None:
        middle = tuple(float((s.start + s.stop) // 2) for s in window)
    elif isinstance(center, tuple | list) and len(center) == 2:
        middle = (y.to_pixels(center[1]), x.to_pixels(center[0]))
    else:
        raise ValueError(f"expected center as (x, y), found {center!r}")
    reach = _pixels(y, search_radius) if search_radius is not None else float(np.hypot(y.size, x.size))
    counts = inside[window] if inside.size else np.ones([s.stop - s.start for s in window], np.uint8)
    if not counts.any():
        raise ValueError(f"the mask is False everywhere in the window {window} (numpy order): no pixel would count")
    search = kernels.make_search(
        counts, (window[0].start, window[1].start), (middle[0], middle[1]), reach, float(min_overlap)
    )
    root = signal.dtype.kind == "u" if square_root is None else bool(square_root)
    options.update(
        center=None if center is None else list(center),
        search_radius=search_radius,
        min_overlap=min_overlap,
        square_root=root,
        smooth=smooth,
        subpixel=subpixel,
    )
    params = (search, low, level, root, bool(smooth), subpixel or "")
    return Finder(kernels.friedel, params, window, options)


def _pixels(axis: Axis, radius: Any) -> float:
    """A radius in pixels."""
    reach = float(axis.length_to_pixels(radius))
    if not reach > 0:
        raise ValueError(f"expected a search_radius above 0, found {radius!r}")
    return reach

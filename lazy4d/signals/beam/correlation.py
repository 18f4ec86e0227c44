"""The direct beam as what looks most like a picture of it: cross-correlation and phase correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.beam_correlation import cross_correlation
from lazy4d.kernels.beam_correlation_phase import phase_correlation
from lazy4d.kernels.beam_correlation_search import cell_size, coarse_plan
from lazy4d.kernels.templates import TEMPLATES, Template, given_template
from lazy4d.lazy import SharedLazy
from lazy4d.signals.beam.finder import Finder
from lazy4d.signals.beam.window import selection
from lazy4d.signals.construction import known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

SUBPIXEL = ("parabola", "dft", None)


def cross_correlate(
    signal: BaseSignal,
    *,
    radius: float | str | None = None,
    template: Any = "edge",
    subpixel: str | None = "parabola",
    upsample: int = 16,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
) -> Finder:
    """What finds the place where a picture of the beam fits each frame best; its score is their correlation.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    radius : int, float or str
        Of the beam's disk: pixels, axis units or ``"2 mrad"``. Needed but where `template` is an array.
    template : {"edge", "disk", "gradient"}, ndarray or BaseSignal, optional
        "edge": a disk in a dark ring of the same area, so that an even background does not matter. "disk": the disk
        alone, for weak beams on nothing. "gradient": as "edge", but darker in the middle, so that the rim counts more:
        for disks of uneven inside. Or a picture [y, x] of the beam, such as one in vacuum; the position is then that of
        its centre of mass above half of its range.
    subpixel : {"parabola", "dft", None}, optional
        How the place is refined: a parabola through the neighbouring pixels, Fourier interpolation between them, or
        whole pixels.
    upsample : int, optional
        Points a pixel of "dft".
    half_width : int, float or str, optional
        Only the square of pixels at most this far from pixel ``N // 2`` counts: pixels, axis units or ``"2 mrad"``.
    signal_slice : ROI or tuple of slices, optional
        Only this window counts, x-first as for ``isig``; positions are still pixels of the whole frame.
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count: the others are left out, not taken as 0.
    threshold : float, optional
        Pixels at or below this intensity (after subtraction of the background) are taken as 0.
    background : float, optional
        Subtracted from every pixel; of no effect but on "disk" and a threshold.

    Returns
    -------
    Finder
        Gives NaN for frames that are empty or constant. The score, in [-1, 1], is the correlation coefficient of the
        picture and the pixels under it, at the nearest pixel.

    Raises
    ------
    ValueError
        No radius, an unknown template, windows or masks that do not fit the frames.

    Notes
    -----
    The place is where ``a T + b``, T the picture, leaves the least of the frame unexplained, over the pixels that
    count; away from edges and masked pixels that is the maximum of the plain cross-correlation with a picture of sum 0.
    A beam that the frame's edge or a mask cuts is found as well as what is left of it allows. The centre of the beam
    has to lie on a pixel of the window. A parabola errs by up to 0.03 pixels (0.02 rms) even without noise; "dft" by
    less than 0.01 (Guizar-Sicairos et al., doi 10.1364/OL.33.000156). A radius that is 5 % off does no harm, with 10 %
    errors double, and with 20 % they reach pixels: see the score, or use "blur". Hot pixels have to be masked or
    repaired: one that outshines the beam is found instead of it, with a score near 0.

    Examples
    --------
    >>> d.get_direct_beam_position("cross_correlate", radius=3).data.shape
    (4, 4, 2)
    """
    window, params, options = counted(signal, half_width, signal_slice, mask, threshold, background)
    looked_for = _template(signal, template, radius, "cross_correlate")
    edges, inside = params[:2]
    plan = coarse_plan(looked_for, cell_size(looked_for.radius), edges, inside)
    points = _points(subpixel, upsample)
    options.update(radius=looked_for.radius, template=template, subpixel=subpixel, upsample=upsample)
    return Finder(cross_correlation, (*params, looked_for, plan, points), window, options)


def phase_correlate(
    signal: BaseSignal,
    *,
    radius: float | str | None = None,
    reference: Any = "disk",
    center: tuple[float | str, float | str] | None = None,
    power: float = 0.5,
    subpixel: str | None = "dft",
    upsample: int = 16,
    half_width: float | str | None = None,
    signal_slice: Any = None,
    mask: Any = None,
    threshold: float | None = None,
    background: float = 0.0,
) -> Finder:
    """What finds how far each frame is displaced from a reference, by correlation with a flattened spectrum.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    radius : int, float or str
        Of the beam's disk, where `reference` is the name of a template: pixels, axis units or ``"2 mrad"``.
    reference : {"disk", "edge", "gradient", "mean"}, ndarray, dask array or BaseSignal, optional
        A picture of the beam (see `cross_correlate`), or a whole pattern of the frames' shape: ``"mean"`` is the mean
        of all frames, computed lazily in a pass of its own, as any lazy array or signal is.
    center : tuple, optional
        Where the beam is in a reference that is a whole pattern, (x, y): ints are pixels, floats axis units, strings
        carry their unit. By default its centre of mass above half of its range, in the window.
    power : float, optional
        p in [0, 1]: 1 is cross-correlation; 0 phase correlation, which weights all frequencies alike.
    subpixel : {"parabola", "dft", None}, optional
        As for `cross_correlate`; the peak is narrow, so that a parabola errs by up to 0.1 pixels.
    upsample : int, optional
        Points a pixel of "dft".
    half_width, signal_slice, mask, threshold, background
        As for `cross_correlate`; pixels that the mask leaves out are taken as the mean of the others.

    Returns
    -------
    Finder
        Gives NaN for frames that are empty or constant. The score, in [0, 1], is the height of the correlation over
        what it would be if all frequencies agreed.

    Raises
    ------
    ValueError
        No radius, an unknown reference or one of another shape, a power outside [0, 1], windows or masks that do not
        fit.

    Notes
    -----
    ``c = F⁻¹[|G|^p exp(i arg G)]``, ``G = F(I) conj F(R)``; frames are padded, so that nothing comes round from the
    opposite edge. A small p sharpens the peak, which places a beam that lines or fringes cross, but weights noise as
    much as signal: prefer `cross_correlate` for plain disks. A whole pattern as reference has to resemble the frames:
    its disks may move together by up to half the window. In the mean of frames whose beam travels it is smeared, and
    its place, hence all positions, off by the same: 0.3 pixels for 6 pixels of travel; give `center` where that counts.

    Examples
    --------
    >>> d.get_direct_beam_position("phase_correlate", radius=3).data.shape
    (4, 4, 2)
    """
    window, params, options = counted(signal, half_width, signal_slice, mask, threshold, background)
    if not 0 <= power <= 1:
        raise ValueError(f"expected power in [0, 1], from phase to cross-correlation, found {power!r}")
    where = np.full(2, np.nan)
    alone = isinstance(reference, str) and reference != "mean"
    picture: Any
    if alone:
        if center is not None:
            raise ValueError(
                f"center={center!r} says where the beam is in a whole pattern: the template {reference!r} has it in "
                "its middle, leave it out"
            )
        looked_for = _template(signal, reference, radius, "phase_correlate")
        picture, where = looked_for.values, np.full(2, float(looked_for.half))
        options["radius"] = looked_for.radius
    else:
        picture = _pattern(signal, reference)
        if center is not None:
            where = _place(signal, center)
    points = _points(subpixel, upsample)
    options.update(
        reference=reference,
        center=None if center is None else list(center),
        power=power,
        subpixel=subpixel,
        upsample=upsample,
    )
    more = (picture, where, alone, float(power), points)
    return Finder(phase_correlation, (*params, *more), window, options)


def radius_in_pixels(signal: BaseSignal, radius: Any, method: str) -> float:
    """The radius of the beam in pixels, the same along both axes."""
    if radius is None:
        raise ValueError(
            f"method {method!r} needs radius=, that of the direct beam's disk: an int in pixels, a float in axis units "
            'or text as "8 mrad". See it in s.mean(), or take half the width of the disk in one frame; with '
            "the convergence semi-angle and calibrated axes it is that angle"
        )
    y, x = (float(axis.length_to_pixels(radius)) for axis in signal.frame_axes)
    if not min(y, x) > 0:
        raise ValueError(f"expected a radius of the beam above 0, found {radius!r}, which is {min(y, x):g} pixels")
    if max(y, x) > min(signal.frame_shape) / 2:
        raise ValueError(
            f"the radius {radius!r} is {max(y, x):g} pixels, a disk larger than the frames of shape "
            f"{signal.frame_shape}: expected an int in pixels, a float in axis units ({signal.frame_axes[1].units}) or "
            'text with its unit, such as "8 mrad" or "4.5 px"'
        )
    if max(y, x) > 1.02 * min(y, x):
        raise ValueError(
            f"the radius {radius!r} is {x:g} pixels along {signal.frame_axes[1].name!r} and {y:g} along "
            f"{signal.frame_axes[0].name!r}: expected the same, since the beam is looked for as a circle; set the same "
            "scale for both axes, or give an int in pixels"
        )
    return (y + x) / 2


def counted(signal: BaseSignal, *choice: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """What `selection` gives; refused where the mask leaves no pixel of the window."""
    window, params, options = selection(signal, *choice)
    if params[1].size and not params[1][window].any():
        raise ValueError(f"the mask is False everywhere in the window {window} (numpy order): no pixel would count")
    return window, params, options


def _template(signal: BaseSignal, template: Any, radius: Any, method: str) -> Template:
    """A template by name and radius, or of a picture."""
    if isinstance(template, str):
        if template not in TEMPLATES:
            names = ", ".join(map(repr, TEMPLATES))
            more = ", 'mean'" if method == "phase_correlate" else ""
            raise ValueError(f"template {template!r} is not known: expected one of {names}{more}, or a 2-D array")
        return TEMPLATES[template](radius_in_pixels(signal, radius, method))
    return given_template(known_array(template, "a template"))


def _pattern(signal: BaseSignal, reference: Any) -> NDArray[Any] | SharedLazy:
    """A whole pattern: an array, or one that is still to be computed."""
    if isinstance(reference, str):
        pattern = signal.mean().data if signal.nav_shape else signal.data
    else:
        pattern = reference.data if hasattr(reference, "nav_shape") else reference
        pattern = pattern if hasattr(pattern, "dask") else np.asarray(pattern)
    if tuple(pattern.shape) != signal.frame_shape or pattern.dtype.kind not in "buif":
        raise ValueError(
            f"expected a reference that is the name of a template, 'mean', or one pattern of the frames' shape "
            f"{signal.frame_shape} (numpy order), found shape {tuple(pattern.shape)} and dtype {pattern.dtype}"
        )
    if hasattr(pattern, "dask"):
        return SharedLazy(pattern)
    if not np.isfinite(pattern).any() or np.ptp(pattern[np.isfinite(pattern)]) == 0:
        raise ValueError("expected a reference that shows the beam, found one that is the same, or NaN, everywhere")
    return pattern


def _place(signal: BaseSignal, center: Any) -> NDArray[np.float64]:
    """A place (x, y) typed by the user as (y, x) in pixels."""
    if not (isinstance(center, tuple | list) and len(center) == 2):
        raise ValueError(f"expected center as (x, y), found {center!r}")
    y, x = signal.frame_axes
    place = np.array([y.to_pixels(center[1]), x.to_pixels(center[0])], np.float64)
    if not ((place >= -0.5) & (place < np.array(signal.frame_shape) - 0.5)).all():
        raise ValueError(
            f"expected center inside frames of shape {signal.frame_shape}, found {center!r}, which is pixel "
            f"{tuple(place.tolist())} (numpy order)"
        )
    return place


def _points(subpixel: str | None, upsample: int) -> int:
    """How a kernel is told of the refinement: 0, 1, or points a pixel."""
    if subpixel not in SUBPIXEL:
        raise ValueError(f"subpixel={subpixel!r} is not known: expected one of {', '.join(map(repr, SUBPIXEL))}")
    if subpixel != "dft":
        return 0 if subpixel is None else 1
    if not (isinstance(upsample, int | np.integer) and 2 <= upsample <= 1000):
        raise ValueError(f"expected upsample as a whole number of points a pixel from 2 to 1000, found {upsample!r}")
    return int(upsample)

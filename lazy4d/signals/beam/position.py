"""`get_direct_beam_position`: one name for all methods that find the direct beam."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lazy4d.axes import Axis
from lazy4d.lazy import Frames
from lazy4d.signals.beam.blur import blur
from lazy4d.signals.beam.correlation import cross_correlate, phase_correlate
from lazy4d.signals.beam.finder import Finder
from lazy4d.signals.beam.friedel import friedel
from lazy4d.signals.beam.moments import center_of_mass_finder
from lazy4d.signals.beam_position import BeamPosition
from lazy4d.signals.construction import image_frames

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

FINDERS: dict[str, Callable[..., Finder]] = {
    "center_of_mass": center_of_mass_finder,
    "blur": blur,
    "cross_correlate": cross_correlate,
    "phase_correlate": phase_correlate,
    "friedel": friedel,
}
"""What finds the direct beam frame by frame, by the name of the method."""


def get_direct_beam_position(signal: BaseSignal, method: str = "center_of_mass", **options: Any) -> BeamPosition:
    """The position of the direct beam in each frame, as a `BeamPosition` [..., 2] = (y, x) in pixels, float64.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    method : str
        How the beam is found, frame by frame but for the last:

        - ``"center_of_mass"``: of all that counts; fastest, exact, drawn by Bragg disks and background.
        - ``"blur"``: the centre of mass about the brightest place of the blurred frame. Needs `radius`.
        - ``"cross_correlate"``: where a disk of `radius` fits best, ``template="edge"`` (default), ``"disk"``,
          ``"gradient"`` or a picture; finds disks that are uneven inside, cut by an edge or partly masked.
        - ``"phase_correlate"``: how far the frame is displaced from a `reference`, such as ``"mean"`` or a pattern.
        - ``"friedel"``: the centre of inversion symmetry; works behind a beam stop that `mask` leaves out.
        - ``"interpolate"``: measured at a `sample` of positions (``by="cross_correlate"`` or another), and a `model`
          fitted through these: reads next to nothing.
    **options
        Of the method. All take `half_width` or `signal_slice` (only a window counts), `mask` (only some pixels),
        `threshold` and `background`; cross_correlate, phase_correlate and friedel take `subpixel`: ``"parabola"``,
        ``"dft"`` (upsampled, finer and slower) or None. `lazy4d.signals.beam` describes each method under its name.

    Returns
    -------
    BeamPosition
        Lazy; NaN where there is no beam. Its `score` tells how far each position can be trusted: the sum of the
        intensity (center_of_mass), the share of it in the circle (blur), the correlation with the picture of the beam
        (cross_correlate), with the reference (phase_correlate) or with the inverted frame (friedel).

    Raises
    ------
    ValueError
        No such method, or windows, masks and radii that do not fit the frames.
    TypeError
        An option that the method does not have.

    See Also
    --------
    BeamPosition.get_linear_plane : what of it is descan.
    center_direct_beam : frames moved by it.

    Examples
    --------
    >>> d.get_direct_beam_position("cross_correlate", radius=3, half_width=6).data.shape
    (4, 4, 2)
    """
    if method == "interpolate":
        from lazy4d.signals.beam.interpolate import interpolate

        return interpolate(signal, **{"method": options.pop("by", "cross_correlate"), **options})
    finder = find_by(signal, method, options)
    frames = image_frames(signal, "the position of a beam")
    return beam_position(signal, finder.find(frames), method, finder.options)


def center_of_mass(signal: BaseSignal, **options: Any) -> BeamPosition:
    """The centre of mass of each frame, as a `BeamPosition` [..., 2] = (y, x) in pixels, float64.

    The same as ``get_direct_beam_position("center_of_mass", **options)``; see there.

    Examples
    --------
    >>> d.center_of_mass(threshold=1)
    <BeamPosition, title: beam position, dimensions: (4, 4|2), float64, lazy 256 B, 1 block>
    """
    return get_direct_beam_position(signal, "center_of_mass", **options)


def find_by(signal: BaseSignal, method: str, options: dict[str, Any]) -> Finder:
    """The finder of a method, for the frames of a signal."""
    if method not in FINDERS:
        known = ", ".join(map(repr, [*FINDERS, "interpolate"]))
        raise ValueError(f"method={method!r} is not known: expected one of {known}")
    return FINDERS[method](signal, **options)


def beam_position(signal: BaseSignal, found: Frames, method: str, options: dict[str, Any]) -> BeamPosition:
    """A `BeamPosition` of the stream of (y, x, score) that a method found in the frames of a signal."""
    title = f"beam position of {signal.title}" if signal.title else "beam position"
    result = signal._derive(
        found.isig((slice(0, 2),)).emit(),
        [*signal.nav_axes, Axis(name="column", size=2, navigate=False)],
        "get_direct_beam_position",
        {"method": method, **options},
        kind=BeamPosition,
        title=title,
    )
    result._belongs_to(signal.frame_axes)  # type: ignore[attr-defined]
    score = signal._derive(
        found.isig((2,)).emit(),
        signal.nav_axes,
        "get_direct_beam_position",
        {"method": method, **options},
        kind=signal._class_of[0],
        title=f"score of {title}",
    )
    result._beside["score"] = score
    return result  # type: ignore[return-value]

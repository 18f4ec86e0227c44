"""Controls of the methods that find the direct beam, and of moving frames by what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazy4d.plot.tuning.control import Control
from lazy4d.signals.beam.correlation import SUBPIXEL
from lazy4d.signals.beam.position import FINDERS

INTERPOLATE = "interpolate"
_REFINED = "how the place is refined"
_WITH_RADIUS = ("blur", "cross_correlate", "phase_correlate")

LEFT_OUT = {
    "mask": "a picture or a ROI: give it to preview(), as mask=l4.CircleROI(...)",
    "signal_slice": "a window of any shape: give a ROI to preview(), or tune half_width",
    "center": "where the beam is expected: give (x, y) to preview()",
}
"""Parameters without a control, and why."""

FINDING: tuple[Control, ...] = (
    Control("method", "choice", choices=(*FINDERS, INTERPOLATE), start="center_of_mass", needed=True,
            about="how the beam is found"),
    Control("by", "choice", choices=tuple(FINDERS), default="cross_correlate", when={"method": (INTERPOLATE,)},
            about="how it is found at the sampled positions"),
    Control("radius", "length", 1.0, lambda m: m.half / 2, 0.5, needed=True, start=lambda m: m.start_radius,
            when={"method": _WITH_RADIUS}, about="of the beam's disk"),
    Control("radius", "length", 1.0, lambda m: m.half / 2, 0.5, needed=True, start=lambda m: m.start_radius,
            when={"method": (INTERPOLATE,), "by": _WITH_RADIUS}, about="of the beam's disk"),
    Control("template", "choice", choices=("edge", "disk", "gradient"), when={"method": ("cross_correlate",)},
            about="picture of the beam"),
    Control("reference", "choice", choices=("disk", "edge", "gradient"), when={"method": ("phase_correlate",)},
            about="picture of the beam"),
    Control("power", "number", 0.0, 1.0, 0.05, when={"method": ("phase_correlate",)},
            about="1: cross-correlation, 0: phase correlation"),
    Control("search_radius", "length", 1.0, lambda m: m.half, 1.0, start=lambda m: round(m.half / 4),
            when={"method": ("friedel",)}, about="how far from the middle it is looked for"),
    Control("min_overlap", "number", 0.05, 1.0, 0.05, when={"method": ("friedel",)},
            about="least share of pixels that meet their opposite"),
    Control("square_root", "choice", choices=(None, True, False), names={None: "for counts"},
            when={"method": ("friedel",)}, about="compare square roots of the intensity"),
    Control("smooth", "switch", when={"method": ("friedel",)}, about="average neighbouring pixels first"),
    Control("subpixel", "choice", choices=SUBPIXEL, when={"method": ("cross_correlate",)}, about=_REFINED),
    Control("subpixel", "choice", choices=SUBPIXEL, when={"method": ("phase_correlate",)}, about=_REFINED),
    Control("subpixel", "choice", choices=SUBPIXEL, when={"method": ("friedel",)}, about=_REFINED),
    Control("upsample", "whole", 2, 64, 1,
            when={"method": ("cross_correlate", "phase_correlate"), "subpixel": ("dft",)},
            about="points a pixel of 'dft'"),
    Control("sample", "whole", 2, 16, 1, when={"method": (INTERPOLATE,)}, about="positions along each axis"),
    Control("model", "choice", choices=("plane", "parabola", "constant"), when={"method": (INTERPOLATE,)},
            about="the surface through them"),
    Control("half_width", "length", 1.0, lambda m: m.half, 1.0, start=lambda m: round(m.half / 2), default=None,
            about="only the square so far from the middle counts"),
    Control("threshold", "number", lambda m: m.high * 1e-4, lambda m: m.high, log=True,
            start=lambda m: m.high / 10, default=None, units="counts", about="what is less does not count"),
    Control("background", "number", 0.0, lambda m: m.high / 2, 0.5, default=0.0, units="counts",
            about="taken off every pixel"),
)  # fmt: skip
"""Of `get_direct_beam_position`."""

MOVING: tuple[Control, ...] = (
    *FINDING,
    Control("interpolation", "choice", choices=("integer", "bilinear", "cubic", "fourier"),
            about="how frames are moved by fractions of a pixel"),
)  # fmt: skip
"""Of `center_direct_beam`."""


def finder_of(values: Mapping[str, Any]) -> Any:
    """The function that takes the options of the chosen method."""
    method = values.get("method") or "center_of_mass"
    if method == INTERPOLATE:
        from lazy4d.signals.beam.interpolate import interpolate

        return interpolate
    return FINDERS.get(method)

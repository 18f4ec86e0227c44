"""Controls of the methods that find disks and maxima."""

from __future__ import annotations

from lazy4d.plot.tuning.control import Control
from lazy4d.signals.peaks.searching import METHODS, SIGNIFICANCE

_MATCHED = METHODS[:3]
_OF_DISKS = {"method": _MATCHED}
_OF_MAXIMA = {"method": ("local_max",)}

LEFT_OUT = {"mask": "a picture or a ROI: give it to preview(), as mask=l4.CircleROI(...)"}
"""Parameters without a control, and why."""

SEARCH: tuple[Control, ...] = (
    Control("method", "choice", choices=METHODS, about="what is looked for"),
    Control(
        "disk_r", "length", 1.0, lambda m: m.half / 2, 0.5, needed=True, start=lambda m: m.start_radius, when=_OF_DISKS,
        about="radius of the disks",
    ),
    Control(
        "template", "choice", choices=(None, "smooth", "gradient"), names={None: "disk"},
        when={"method": ("template",)}, about="picture of a disk",
    ),
    Control("threshold_abs", "number", 0.0, 1.0, 0.01, start=0.4, when=_OF_DISKS, about="least score"),
    Control(
        "threshold_abs", "number", lambda m: m.high * 1e-4, lambda m: m.high, log=True, start=lambda m: m.high / 20,
        when=_OF_MAXIMA, units="counts", about="what a maximum has to exceed",
    ),
    Control(
        "threshold_rel", "number", 1e-4, 1.0, log=True, start=0.01, about="least height as a share of the reference's"
    ),
    Control(
        "relative_to", "choice", choices=("strongest", 2, 3, 5, 10), about="the reference: the n-th highest"
    ),
    Control(
        "significance", "number", 0.0, 30.0, 0.5, start=SIGNIFICANCE, when=_OF_DISKS, units="σ",
        about="standard errors above noise",
    ),
    Control(
        "min_distance", "length", 0.0, lambda m: m.half, 0.5, start=lambda m: round(3 * m.disk) / 2,
        about="of two nearer ones the higher is kept",
    ),
    Control(
        "edge", "length", 0.0, lambda m: m.half, 1.0, start=lambda m: round(m.disk / 2),
        about="least distance of a middle from the edge of the frame",
    ),
    Control("max_peaks", "whole", 1, 1000, log=True, start=50, about="only the highest"),
    Control(
        "prominence", "number", lambda m: m.high * 1e-5, lambda m: m.high, log=True, start=lambda m: m.high / 100,
        units="counts", about="height above every saddle to a higher one",
    ),
    Control(
        "subpixel", "choice", choices=("parabola", "center_of_mass", "dft", None), when=_OF_DISKS,
        about="how places are refined",
    ),
    Control("subpixel", "choice", choices=("parabola", None), when=_OF_MAXIMA, about="how places are refined"),
    Control(
        "upsample", "whole", 2, 64, 1, when={"subpixel": ("dft",), "method": _MATCHED}, about="points a pixel of 'dft'"
    ),
    Control("filter", "choice", choices=(None, "square_root"), about="what is done to frames first"),
    Control("sigma", "length", 0.1, 10.0, 0.1, start=1.0, about="frames are blurred by this first"),
    Control("power", "number", 0.0, 1.0, 0.05, when=_OF_DISKS, about="1: cross-correlation, 0: phase correlation"),
)  # fmt: skip

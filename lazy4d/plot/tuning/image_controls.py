"""Controls of the methods that turn a frame into another image, or a profile."""

from __future__ import annotations

from collections.abc import Callable

from lazy4d.plot.tuning.control import Control
from lazy4d.plot.tuning.measures import Measures
from lazy4d.signals.affine import INTERPOLATIONS
from lazy4d.signals.azimuthal.grid import SPLITTINGS
from lazy4d.signals.azimuthal.integral import STATISTICS
from lazy4d.signals.background import METHODS as BACKGROUNDS
from lazy4d.signals.shifting import KERNELS as MOVES

MASK = "a picture or a ROI: give it to preview(), as mask=l4.CircleROI(...)"
FILL = "what stands where a frame saw nothing is nothing to see: give it to preview()"

_RADIAL = {"method": ("radial median", "radial mean")}
_GAUSSIANS = {"method": ("difference of gaussians",)}
_TOP_HAT = {"method": ("top hat",)}
_MEDIAN = {"method": ("median kernel",)}


def _half(measures: Measures) -> float:
    return measures.half


def _quarter(measures: Measures) -> float:
    return measures.half / 2


def _inner(measures: Measures) -> float:
    """Where the inner radius of a ring starts: at 0.7 of that of the disks."""
    return max(1.0, round(1.4 * measures.disk) / 2)


def _larger(factor: float) -> Callable[[Measures], float]:
    """A start that is larger than the disks by a factor, as a whole number of pixels."""
    return lambda measures: round(factor * measures.disk + 0.5)


CENTER = Control(
    "center", "place", step=0.5, parts=("x", "y"), about="the direct beam; where the axes are 0 by default"
)
_ELLIPTIC = "long over short axis of what should be a circle, and the direction of the long one"
ELLIPSE = Control("ellipse", "ellipse", parts=("ratio", "angle"), start=(1.0, 0.0), about=_ELLIPTIC)
NORMALIZE = Control(
    "normalize",
    "choice",
    choices=(None, True, False),
    names={None: "by power", True: "coefficient", False: "height"},
    about="correlation coefficient, or height above the surroundings",
)
POWER = Control("power", "number", 0.0, 1.0, 0.05, about="1: cross-correlation, 0: phase correlation")
RADIUS = Control(
    "disk_r", "length", 1.0, _quarter, 0.5, start=lambda m: m.start_radius, needed=True, about="radius of the disk"
)
RING = (
    Control("r_inner", "length", 0.5, _quarter, 0.5, start=lambda m: _inner(m), needed=True,
            about="inner radius of the ring"),
    Control("r_outer", "length", 1.0, _quarter, 0.5, start=lambda m: max(_inner(m) + 1.0, m.start_radius), needed=True,
            about="outer radius of the ring"),
)  # fmt: skip
INTERPOLATION = Control("interpolation", "choice", choices=INTERPOLATIONS, about="between pixels")

BACKGROUND: tuple[Control, ...] = (
    Control("method", "choice", choices=tuple(BACKGROUNDS), about="how the background is found"),
    Control("width", "length", 0.5, lambda m: m.half / 4, 0.5, default=1, when=_RADIAL, about="of a ring"),
    Control("center", "place", step=0.5, parts=("x", "y"), default=None, when=_RADIAL, about=CENTER.about),
    Control("ellipse", "ellipse", parts=("ratio", "angle"), start=(1.0, 0.0), default=None, when=_RADIAL,
            about=_ELLIPTIC),
    Control("divide", "switch", default=False, when=_RADIAL, about="divide by the background instead"),
    Control("min_sigma", "length", 0.0, lambda m: m.half / 8, 0.25, default=1, when=_GAUSSIANS,
            about="of the finer blur"),
    Control("max_sigma", "length", 1.0, lambda m: m.half / 2, 0.5, needed=True, start=_larger(2), when=_GAUSSIANS,
            default=None, about="of the coarser blur, which is taken off"),
    Control("truncate", "number", 1.0, 8.0, 0.5, default=4.0, when=_GAUSSIANS, units="sigma", about="where they end"),
    Control("radius", "length", 1.0, _half, 1.0, needed=True, start=_larger(1.5), when=_TOP_HAT, default=None,
            about="of the footprint; larger than the disks"),
    Control("footprint", "choice", choices=("disk", "square"), default="disk", when=_TOP_HAT, about="its shape"),
    Control("size", "whole", 3, lambda m: 2 * round(m.half / 2) + 1, 2, needed=True, default=None,
            start=lambda m: 2 * round(1.5 * m.disk) + 3, when=_MEDIAN, units="px", about="side of the square, odd"),
    Control("clip", "switch", about="what is below 0 becomes 0"),
)  # fmt: skip

PROFILE: tuple[Control, ...] = (
    Control("npt", "whole", 8, lambda m: 4 * m.half, 1, start=lambda m: round(m.half), about="radial bins"),
    Control("radial_range", "length", 0.0, lambda m: 2 * m.half, 1.0, parts=("from", "to"),
            start=lambda m: (0.0, float(round(m.half))), float_units="units", about="only these radii"),
    Control("azimuth_range", "angle", -180.0, 180.0, 1.0, parts=("from", "to"), start=(-90.0, 90.0),
            about="only this sector, from +kx towards +ky"),
    CENTER,
    ELLIPSE,
    Control("splitting", "choice", choices=SPLITTINGS, about="how pixels are shared between bins"),
    Control("mean", "switch", about="mean of each bin rather than sum"),
    Control("statistic", "choice", choices=(None, *STATISTICS), names={None: "sum"}, when={"mean": (False,)},
            about="the number given for a bin"),
    Control("skip_nan", "switch", about="leave pixels of nan out"),
    Control("correct_solid_angle", "switch", about="divide by the solid angle of each pixel"),
)  # fmt: skip

POLAR: tuple[Control, ...] = (
    PROFILE[0], Control("npt_azim", "whole", 12, 720, 4, about="azimuthal bins"), *PROFILE[1:],
)  # fmt: skip

MEAN_PROFILE: tuple[Control, ...] = tuple(one for one in PROFILE if one.name not in ("mean", "statistic"))

PROFILE_LEFT_OUT = {
    "mask": MASK,
    "units": "the ranges are in them: give it to preview(), as units='mrad'",
}

ROTATION: tuple[Control, ...] = (
    Control("angle", "number", -180.0, 180.0, 0.5, start=0.0, needed=True, units="deg", about="about the direct beam"),
    CENTER,
    INTERPOLATION,
)
SHIFT: tuple[Control, ...] = (
    Control("shift_x", "length", lambda m: -m.half, _half, 0.25, about="towards the last column"),
    Control("shift_y", "length", lambda m: -m.half, _half, 0.25, about="towards the last row"),
    Control("interpolation", "choice", choices=tuple(MOVES), about="between pixels"),
)
ROUNDING: tuple[Control, ...] = (
    Control("ellipse", "ellipse", parts=("ratio", "angle"), start=(1.0, 0.0), needed=True, about=_ELLIPTIC),
    CENTER,
    INTERPOLATION,
)  # fmt: skip
_NOISE = (
    Control("poisson", "switch", about="take off what the noise of counts adds"),
    Control(
        "gain", "number", 0.01, 100.0, log=True, when={"poisson": (True,)}, about="variance over mean of the noise"
    ),
)
CORRELATION: tuple[Control, ...] = (
    Control("normalize", "switch", about="in units of the squared mean of the ring"),
    *_NOISE,
)
ANGULAR_POWER: tuple[Control, ...] = _NOISE
PEARSON: tuple[Control, ...] = (
    Control("radial_range", "length", 0.0, lambda m: float(m.shape[0]), 1.0, parts=("from", "to"), axis=0,
            start=lambda m: (0.0, float(m.shape[0])), about="only these rings"),
)  # fmt: skip

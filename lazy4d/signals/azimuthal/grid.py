"""From what a user asks for, in units, to the polar grid that kernels use, in pixels, and the axes of the result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels.azimuthal_operator import PolarGrid
from lazy4d.lazy import PerPosition
from lazy4d.signals.beam.window import mask_of
from lazy4d.signals.ring_geometry import ring_centers, undistorting_matrix
from lazy4d.units import PIXEL, as_item, canonical, convert, parse

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

TURN = 2 * math.pi
SPLITTINGS = ("bilinear", "exact", None)


@dataclass(frozen=True, eq=False)
class Bins:
    """A polar grid over the frames of a signal, the centres if there is one a position, and the axes of the result."""

    grid: PolarGrid
    centers: PerPosition | None
    radius: Axis
    azimuth: Axis

    @property
    def window(self) -> tuple[slice, ...] | None:
        """The part of a frame in which all pixels of the grid lie, None where that is not known."""
        if self.centers is not None:
            return None
        start, width, number = self.grid.rings
        inverse = np.linalg.inv(np.reshape(self.grid.matrix, (2, 2)))
        reach = (start + width * number) * np.hypot(inverse[:, 0], inverse[:, 1]) + 1
        found = []
        for middle, far, size in zip(self.grid.center, reach, self.grid.frame_shape, strict=True):
            first, last = max(math.floor(middle - far), 0), min(math.ceil(middle + far) + 1, size)
            if first >= last:
                return None
            found.append(slice(first, last))
        return tuple(found)


def bins_of(
    signal: BaseSignal,
    npt: int | None,
    npt_azim: int,
    *,
    radial_range: Any,
    azimuth_range: Any,
    units: str | None,
    mask: Any,
    center: Any,
    ellipse: Any,
    splitting: str | None,
) -> Bins:
    """The bins that a user asks for; see `integral.get_azimuthal_integral1d` for the parameters."""
    y, x = signal.frame_axes
    if splitting not in SPLITTINGS:
        raise ValueError(f"splitting={splitting!r} is not known: expected one of {', '.join(map(repr, SPLITTINGS))}")
    unit, scales, pixel = _radial_units(y, x, units)
    middle, centers = ring_centers(signal, center)
    if centers is not None and splitting == "exact":
        raise ValueError(
            "expected splitting='bilinear' or None with one centre a position, found 'exact': areas would have to be "
            "found anew in every frame. Centre the patterns first (center_direct_beam) for exact splitting"
        )
    matrix = undistorting_matrix(signal, ellipse) @ np.diag(scales)
    far = _farthest(middle, matrix, signal.frame_shape, 0.5)
    last = math.ceil(far / pixel - 1e-6)  # one bin a pixel; the last one holds the centre, or the corner, of a pixel
    if splitting != "exact":
        last = math.floor(_farthest(middle, matrix, signal.frame_shape, 0.0) / pixel + 1e-6) + 1
    rings = _rings(npt, radial_range, x, unit, pixel, far, last)
    sectors = _sectors(npt_azim, azimuth_range)
    grid = PolarGrid(
        (int(y.size), int(x.size)),
        middle,
        tuple(float(v) for v in matrix.ravel()),  # type: ignore[arg-type]  # four of them
        rings,
        (_wrapped(sectors[0]), sectors[1], sectors[2]),
        splitting,
    )
    inside = mask_of(mask, (x, y))
    if inside.size:
        grid = grid.masked(inside)
    return Bins(grid, centers, _axis("k", rings, unit, x.beam_energy), _axis("azimuth", sectors, "rad", None))


def _axis(name: str, bins: tuple[float, float, int], units: str, energy: float | None) -> Axis:
    start, width, number = bins
    return Axis(name=name, size=number, scale=width, offset=start + width / 2, units=units, beam_energy=energy)


def _radial_units(y: Axis, x: Axis, units: str | None) -> tuple[str, tuple[float, float], float]:
    """The unit of the radius, what a pixel along y and x is in it, and the length that counts as one pixel."""
    unit = canonical(x.units if units is None else units)
    known = x.units if unit == PIXEL else unit
    energy = x.beam_energy if x.beam_energy is not None else y.beam_energy
    try:
        sy, sx = (float(convert(axis.scale, axis.units, known, energy)) for axis in (y, x))
    except ValueError as error:
        raise ValueError(
            f"cannot give radii in {known!r} of axes in {y.units!r} (ky) and {x.units!r} (kx): {error}"
        ) from error
    pixel = math.sqrt(abs(sy * sx))
    if unit == PIXEL and x.units != PIXEL:
        return unit, (sy / pixel, sx / pixel), 1.0
    return unit, (sy, sx), pixel


def _farthest(center: tuple[float, float], matrix: NDArray[np.float64], shape: tuple[int, ...], edge: float) -> float:
    """The distance of the farthest corner of the frame from the beam, `edge` pixels beyond the pixels' centres."""
    corners = [(cy, cx) for cy in (-edge, shape[0] - 1 + edge) for cx in (-edge, shape[1] - 1 + edge)]
    return float(max(np.hypot(*(matrix @ np.subtract(corner, center))) for corner in corners))


def _number(npt: Any, name: str) -> int:
    if isinstance(npt, bool) or not isinstance(npt, int | np.integer) or npt < 1:
        raise ValueError(f"expected {name} as a whole number of bins, at least 1, found {npt!r}")
    return int(npt)


def _rings(
    npt: int | None, radial_range: Any, x: Axis, unit: str, pixel: float, far: float, last: int
) -> tuple[float, float, int]:
    """Start, width and number of the radial bins; by default up to `far`, or as many as `last` of one pixel."""
    if radial_range is None:
        number = last if npt is None else _number(npt, "npt")
        return 0.0, pixel if npt is None else far / number, number
    low, high = (_radius(r, unit, pixel, x.beam_energy) for r in _pair(radial_range, "radial_range"))
    if not 0 <= low < high:
        raise ValueError(f"expected radial_range as (low, high) with 0 <= low < high, found {radial_range!r}")
    if low >= far:
        raise ValueError(
            f"the radial range {radial_range!r} begins at {low:g} {unit}, beyond the frame, whose farthest corner is "
            f"{far:g} {unit} from the beam: lower it, or check center and calibration"
        )
    number = max(1, round((high - low) / pixel)) if npt is None else _number(npt, "npt")
    return low, (high - low) / number, number


def _radius(place: Any, unit: str, pixel: float, energy: float | None) -> float:
    """A radius in `unit`: an int counts pixels, a float is in `unit`, text carries its own."""
    item = as_item(place)
    if isinstance(item, int):
        return item * pixel
    if isinstance(item, float):
        return item
    value, own = parse(item)
    return value * pixel if own == PIXEL else float(convert(value, own, unit, energy))


def _sectors(npt_azim: int, azimuth_range: Any) -> tuple[float, float, int]:
    """Start, width and number of the azimuthal bins, rad."""
    number = _number(npt_azim, "npt_azim")
    if azimuth_range is None:
        return -math.pi, TURN / number, number
    start, stop = (_angle(a) for a in _pair(azimuth_range, "azimuth_range"))
    span = stop - start if stop > start else stop - start + TURN
    if start == stop or not 0 < span <= TURN + 1e-9:
        raise ValueError(
            f"expected azimuth_range as (from, to) in rad, at most a turn apart, found {azimuth_range!r}: give degrees "
            "as text ('90 deg'); a second value below the first one means a range through ±π"
        )
    return start, min(span, TURN) / number, number


def _angle(place: Any) -> float:
    """An azimuth in rad, from a number in rad or text with a unit."""
    item = as_item(place)
    if isinstance(item, str):
        value, unit = parse(item)
        return float(convert(value, unit, "rad"))
    return float(item)


def _wrapped(angle: float) -> float:
    """The same direction in [-π, π]."""
    return angle if -math.pi <= angle <= math.pi else (angle + math.pi) % TURN - math.pi


def _pair(given: Any, name: str) -> tuple[Any, Any]:
    if isinstance(given, str) or np.ndim(given) != 1 or len(given) != 2:
        raise ValueError(f"expected {name} as two places, (from, to), found {given!r}")
    return given[0], given[1]

"""`DiffractionPlane`: from pixels of the frame to undistorted, calibrated offsets from the direct beam, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import PerPosition
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.azimuthal.grid import _radial_units, _radius
from lazy4d.signals.ring_geometry import ring_centers, undistorting_matrix
from lazy4d.signals.vectors.deriving import row_for_each_position

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DiffractionPlane:
    """How pixels of the frame are placed about the direct beam: ``(y, x) = matrix @ ((ky, kx) - zero)``.

    Parameters
    ----------
    zero : (float, float)
        The pixel (ky, kx), with its fraction, of the beam.
    matrix : 2 rows of 2 floats
        Units a pixel; also turns the ellipses of a distortion into circles.
    units : str
        Of offsets and lengths.
    beam_energy : float, optional
        In keV, to convert between angles and inverse lengths.

    Examples
    --------
    >>> plane = DiffractionPlane((2.0, 2.0), ((0.5, 0.0), (0.0, 0.1)), "1/nm")
    >>> plane.offsets(RaggedFrames.from_counts([1], {"ky": [3.0], "kx": [5.0]}))
    (array([0.5]), array([0.3]))
    """

    zero: tuple[float, float] = (0.0, 0.0)
    matrix: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0))
    units: str = "px"
    beam_energy: float | None = None

    @property
    def pixel(self) -> float:
        """The length that counts as one pixel, in `units`: the root of a pixel's area.

        Examples
        --------
        >>> DiffractionPlane((0.0, 0.0), ((0.5, 0.0), (0.0, 2.0)), "1/nm").pixel
        1.0
        """
        (a, b), (c, d) = self.matrix
        return math.sqrt(abs(a * d - b * c))

    def offsets(self, ragged: RaggedFrames, centers: Any = None) -> tuple[Floats, Floats]:
        """Offsets (y, x) of all vectors from the beam, in `units`; `centers` [n, 2] are its pixels in each frame."""
        zero = None if centers is None else np.repeat(centers, ragged.counts, axis=0).T
        return self.from_pixels(ragged["ky"], ragged["kx"], zero)

    def magnitude(self, ragged: RaggedFrames, centers: Any = None) -> Floats:
        """Distance of all vectors from the beam, in `units`."""
        return np.hypot(*self.offsets(ragged, centers))

    def azimuth(self, ragged: RaggedFrames, centers: Any = None) -> Floats:
        """Direction of all vectors in rad, from +x towards +y, in [-π, π]."""
        return np.arctan2(*self.offsets(ragged, centers))

    def from_pixels(self, ky: Any, kx: Any, zero: Any = None) -> tuple[Floats, Floats]:
        """Offsets (y, x) of pixels in `units`, from the pixels `zero` (ky, kx) instead of the plane's, if given."""
        (a, b), (c, d) = self.matrix
        first = self.zero if zero is None else zero
        dy, dx = np.asarray(ky, np.float64) - first[0], np.asarray(kx, np.float64) - first[1]
        if b == 0 and c == 0:
            return a * dy, d * dx
        return a * dy + b * dx, c * dy + d * dx

    def to_pixels(self, offsets: Any) -> Floats:
        """Pixels (ky, kx) of offsets [..., 2] as (y, x).

        Examples
        --------
        >>> DiffractionPlane((2.0, 2.0), ((0.5, 0.0), (0.0, 0.1)), "1/nm").to_pixels([0.5, 0.3])
        array([3., 5.])
        """
        return np.asarray(offsets, np.float64) @ np.linalg.inv(np.array(self.matrix)).T + np.array(self.zero)

    def length(self, given: Any, name: str = "length", *, zero: bool = True) -> float:
        """A length in `units`: an int counts pixels, a float is in `units`, text carries its own.

        Parameters
        ----------
        given : int, float or str
            The length.
        name : str
            What errors call it.
        zero : bool
            Whether it may be 0.

        Raises
        ------
        ValueError
            A negative length, 0 where it may not be, or units that do not fit.
        TypeError
            Neither a number nor text.

        Examples
        --------
        >>> plane = DiffractionPlane(matrix=((0.5, 0.0), (0.0, 0.5)), units="1/nm")
        >>> plane.length(3), plane.length(0.1), plane.length("0.1 1/Å")
        (1.5, 0.1, 1.0)
        """
        found = float(_radius(given, self.units, self.pixel, self.beam_energy))
        if not (found > 0 or (zero and found == 0)):
            raise ValueError(
                f"expected {name} as a length {'of at least' if zero else 'above'} 0 (int pixels, float {self.units} "
                f"or text with its unit), found {given!r}"
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """What `from_dict` makes it again of, for metadata."""
        known = {"zero": list(self.zero), "matrix": [list(row) for row in self.matrix], "units": self.units}
        return known if self.beam_energy is None else {**known, "beam_energy": self.beam_energy}

    @classmethod
    def from_dict(cls, known: Any) -> DiffractionPlane:
        """The plane that `as_dict` describes.

        Examples
        --------
        >>> plane = DiffractionPlane((2.0, 3.0), beam_energy=200.0)
        >>> DiffractionPlane.from_dict(plane.as_dict()) == plane
        True
        """
        (y, x), ((a, b), (c, d)) = known["zero"], known["matrix"]
        energy = float(known["beam_energy"]) if "beam_energy" in known else None
        return cls((float(y), float(x)), ((float(a), float(b)), (float(c), float(d))), str(known["units"]), energy)


def plane_of(vectors: DiffractionVectors) -> DiffractionPlane:
    """The plane that the axes of the frame, and the elliptical distortion if one was calibrated, say.

    Raises
    ------
    ValueError
        The units of the two axes are of different kinds.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8))
    >>> v.set_calibration(scale=0.5, units="1/Å")
    >>> plane_of(v)
    DiffractionPlane(zero=(4.0, 4.0), matrix=((0.5, 0.0), (0.0, 0.5)), units='1/Å', beam_energy=None)
    """
    return plane_about(vectors)[0]


def plane_about(
    vectors: DiffractionVectors, *, center: Any = None, ellipse: Any = None, units: str | None = None
) -> tuple[DiffractionPlane, PerPosition | None]:
    """How the vectors lie about a beam, and its pixel (ky, kx) in each frame where there is one a position.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors.
    center : (x, y), BeamPosition or other signal [nav..., 2], or None
        Ints are pixels, floats axis units, text carries its unit; None is where the axes are 0, or the middle pixel
        ``N // 2`` of axes that were never calibrated.
    ellipse : Ellipse, (ratio, angle in degrees) or None
        None: the distortion the frames were calibrated with, if any.
    units : str, optional
        Of offsets and lengths; by default those of the kx axis.

    Raises
    ------
    ValueError, TypeError
        No centre of these frames, or axes whose units cannot be brought together.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4], [4, 7]]], frame_shape=(8, 8))
    >>> plane, centers = plane_about(v, center=(4, 3))
    >>> plane.magnitude(v.ragged), centers is None
    (array([0.        , 3.16227766]), True)
    """
    signal: Any = vectors  # has the axes, shapes and metadata of a signal
    middle, centers = ring_centers(signal, center)
    y, x = vectors.frame_axes
    unit, scales, _ = _radial_units(y, x, units)
    (a, b), (c, d) = (undistorting_matrix(signal, ellipse) @ np.diag(scales)).tolist()
    energy = x.beam_energy if x.beam_energy is not None else y.beam_energy
    rows = None if centers is None else row_for_each_position(center, vectors)
    return DiffractionPlane(middle, ((a, b), (c, d)), unit, energy), rows

"""`LatticeFit`: origin and lattice vectors at each position, and how well they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.lazy import PerPosition
from lazy4d.signals.base import BaseSignal
from lazy4d.signals.beam_position import BeamPosition
from lazy4d.signals.dpc.vectors import QUANTITY
from lazy4d.signals.strain.maps import get_strain_maps
from lazy4d.signals.strain.strain_maps import ARITHMETIC
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane
from lazy4d.signals.vectors.lattice.basis import LatticeBasis, basis_from, same_lattice
from lazy4d.signals.vectors.lattice.weighting import rows_for

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

BASIS, PLANE, FRAME = "LatticeFit.basis", "LatticeFit.plane", "LatticeFit.frame"
"""Where the metadata keep the basis that the fit started from, the plane of its units, and the axes of the frames."""

_COLUMNS = 15


class LatticeFit(BaseSignal, signal_ndim=1):
    """The lattice at each position: origin, g1 and g2, their covariance, the residual, and the vectors used.

    Made by `lazy4d.DiffractionVectors.fit_lattice`; float64 ``[nav..., 15]``, NaN where the vectors of a position do
    not determine a lattice. The columns: origin, g1, g2 as (y, x), in units of the frame's axes; the covariances 00,
    01, 02, 11, 12, 22 of the y's (and of the x's) of these three; residual; number of vectors used; matched share.

    Examples
    --------
    >>> points = np.array([[h * 5.0, k * 6.0] for h in (-1, 0, 1) for k in (-1, 0, 1)]) + 12
    >>> fit = l4.DiffractionVectors([points], frame_shape=(24, 24)).fit_lattice()
    >>> fit.basis
    <LatticeBasis: |g1| = 6, |g2| = 5 px, 90.0° apart, g1 at 0.0°>
    >>> fit.number.as_numpy(), fit.matched.as_numpy()
    (array([9.]), array([1.]))
    """

    get_strain_maps = get_strain_maps

    # What these give is no lattice.
    _lost_by = frozenset({"isig", "max", "mean", "min", "rebin", "std", "sum", "var"}) | ARITHMETIC

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return frame_shape == (_COLUMNS,)

    @classmethod
    def _expected_frame(cls) -> str:
        return f"{_COLUMNS} numbers, of a lattice,"

    @property
    def basis(self) -> LatticeBasis:
        """What the fits started from, whose vectors g1 and g2 are."""
        return LatticeBasis(np.array(self._noted(BASIS), np.float64), self.units)

    @property
    def plane(self) -> DiffractionPlane:
        """How pixels of the frames are placed in the plane of the lattices."""
        return DiffractionPlane.from_dict(self._noted(PLANE))

    @property
    def units(self) -> str:
        """Of origin, vectors and residual."""
        return self.plane.units

    @property
    def origin(self) -> BaseSignal:
        """The lattice's origin at each position: a Signal1D [nav..., 2] of (y, x), in units of the frame's axes."""
        return self._pair(0, "origin")

    @property
    def g1(self) -> BaseSignal:
        """The first lattice vector at each position: a Signal1D [nav..., 2] of (y, x), in units of the axes."""
        return self._pair(2, "g1")

    @property
    def g2(self) -> BaseSignal:
        """The second lattice vector at each position: a Signal1D [nav..., 2] of (y, x), in units of the axes."""
        return self._pair(4, "g2")

    @property
    def uncertainty(self) -> dict[str, BaseSignal]:
        """Standard deviations of either component of ``origin``, ``g1`` and ``g2``: a `VirtualImage` of each.

        0 for a fixed origin; NaN where no vector is left over to tell, unless ``position_error`` was given.
        """
        return {
            name: self._named(np.sqrt(self.isig[k]), f"uncertainty of {name}", self.units)
            for name, k in (("origin", 6), ("g1", 9), ("g2", 11))
        }

    @property
    def residual(self) -> BaseSignal:
        """The root of the mean square distance between the vectors used and their lattice points: a `VirtualImage`.

        Large where two crystals overlap, and where the basis is wrong.
        """
        return self._named(self.isig[12], "residual", self.units)

    @property
    def number(self) -> BaseSignal:
        """How many vectors are used: a `VirtualImage`."""
        return self._named(self.isig[13], "vectors used", "")

    @property
    def matched(self) -> BaseSignal:
        """The share of the weight of a position's vectors that is used, from 0 to 1: a `VirtualImage`.

        Vectors beyond ``max_distance`` and those that a robust fit set aside are what is missing to 1: about a half
        where two crystals overlap. No weight is more than ten times the median of its position.
        """
        return self._named(self.isig[14], "matched share", "")

    @property
    def beam_position(self) -> BeamPosition:
        """The origins as positions of the direct beam, in pixels of the frames: what centres them without a beam.

        Examples
        --------
        >>> points = np.array([[h * 5.0, k * 6.0] for h in (-1, 0, 1) for k in (-1, 0, 1)]) + 11
        >>> fit = l4.DiffractionVectors([points], frame_shape=(24, 24)).fit_lattice()
        >>> fit.beam_position.as_numpy().round(6)
        array([[11., 11.]])
        """
        frames = self.frames.map_frames(_origins_in_pixels, self.plane, shape=(2,), dtype=np.float64)
        result: Any = self._derive(
            frames.emit(),
            [*self.nav_axes, Axis(name="position", size=2)],
            "beam_position",
            {},
            kind=BeamPosition,
            title=f"origin of {self.title}".rstrip(),
        )
        result._belongs_to(self.pixel_axes)
        return result

    @property
    def pixel_axes(self) -> tuple[Axis, Axis]:
        """The axes (ky, kx) of the frames that the vectors came from."""
        known = self._noted(FRAME)
        rows = zip(("ky", "kx"), known["size"], known["scale"], known["offset"], known["units"], strict=True)
        y, x = (Axis(name=name, size=int(n), scale=s, offset=o, units=u) for name, n, s, o, u in rows)
        return y, x

    def lattices_for(self, vectors: DiffractionVectors) -> PerPosition:
        """Lattices [nav..., 3, 2] in units of the plane, as kernels take them.

        Raises
        ------
        ValueError
            Of another scan.
        """
        if self.nav_shape != vectors.nav_shape:
            raise ValueError(f"expected a lattice for each of the {vectors.nav_shape} positions, found {self!r}")
        if not self.lazy:
            return rows_for(vectors, np.asarray(self.data)[..., :6].reshape((*self.nav_shape, 3, 2)))
        return rows_for(vectors, self.frames.map_frames(_lattices, shape=(3, 2), dtype=np.float64).emit().data)

    def same_lattice(self, reference: Any) -> NDArray[np.float64]:
        """The vectors, g1 and g2 as rows (y, x), of a reference lattice that is given in any basis of it.

        Raises
        ------
        ValueError
            But for strain and rotation, it is another lattice.
        """
        given = basis_from(reference, self.plane, self.pixel_axes)
        same = same_lattice(self.basis.vectors, given.vectors)
        if same is None:
            raise ValueError(
                f"expected a reference that is, but for strain and rotation, the fitted lattice {self.basis!r}; found "
                f"{given!r}"
            )
        return same

    def _noted(self, key: str) -> Any:
        found = self.metadata.get_item(key, None)
        if found is None:
            raise ValueError(
                f"{self!r} does not say what its numbers mean (metadata {key!r}): make it by "
                "DiffractionVectors.fit_lattice"
            )
        return found

    def _pair(self, first: int, name: str) -> BaseSignal:
        result = self.isig[first : first + 2]
        result.metadata.set_item("General.title", name)
        result.metadata.set_item(QUANTITY, f"{name} ({self.units})")
        return result

    def _named(self, image: Any, name: str, units: str) -> BaseSignal:
        image.metadata.set_item("General.title", name)
        image.metadata.set_item(QUANTITY, f"{name} ({units})" if units else name)
        return image


def _origins_in_pixels(frames: Any, plane: DiffractionPlane, out: Any) -> None:
    out[:] = plane.to_pixels(frames[:, :2])


def _lattices(frames: Any, out: Any) -> None:
    out[:] = frames[:, :6].reshape(-1, 3, 2)

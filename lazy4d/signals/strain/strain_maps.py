"""`StrainMaps`: strain and rotation at each position, with their uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.base import BaseSignal
from lazy4d.signals.dpc.vectors import QUANTITY

COLUMNS = 12
"""exx, eyy, exy, rotation; their standard deviations; the reference lattice, g1 and g2 as (y, x)."""

NAMES = ("exx", "eyy", "exy", "rotation")

REFERENCE_UNITS = "StrainMaps.units"
"""Where the metadata keep the units of the reference lattice."""

ARITHMETIC = frozenset(name for name in dir(np) if isinstance(getattr(np, name), np.ufunc))
"""Operations whose results are no strain, or lattice: all columns would be added to, or multiplied, alike."""


class StrainMaps(BaseSignal, signal_ndim=1):
    """Strain and rotation of the lattice at each position, against a reference lattice.

    Made by `lazy4d.DiffractionVectors.get_strain_maps`, or `get_strain_maps` of a `LatticeFit`; float64
    ``[nav..., 12]``, NaN where no lattice was fitted. In real space ``r' = F r`` with ``F = R U``: strain is ``U - 1``
    (positive: stretched), dimensionless, along the axes of the scan; rotation is that of R, in radians from +x towards
    +y (as rows count downwards, clockwise to the eye).

    Examples
    --------
    >>> points = np.array([[h, k] for h in (-1, 0, 1) for k in (-1, 0, 1)])
    >>> frames = [points @ np.diag([6.0, 5.0 * s]) + 12 for s in (1.0, 0.98)]
    >>> v = l4.DiffractionVectors(frames, frame_shape=(24, 24))
    >>> strain = v.get_strain_maps(reference=np.array([True, False]))
    >>> strain.exx.as_numpy().round(4) + 0.0
    array([0.    , 0.0204])
    """

    _lost_by = frozenset({"isig", "max", "mean", "min", "rebin", "std", "sum", "var"}) | ARITHMETIC  # of other numbers

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return frame_shape == (COLUMNS,)

    @classmethod
    def _expected_frame(cls) -> str:
        return f"{COLUMNS} numbers, of strain,"

    @property
    def exx(self) -> BaseSignal:
        """Strain along x: a `VirtualImage`, dimensionless."""
        return self._named(0, "exx", "strain (1)")

    @property
    def eyy(self) -> BaseSignal:
        """Strain along y: a `VirtualImage`, dimensionless."""
        return self._named(1, "eyy", "strain (1)")

    @property
    def exy(self) -> BaseSignal:
        """Shear strain (half the engineering shear), positive where +x+y is stretched: a `VirtualImage`."""
        return self._named(2, "exy", "strain (1)")

    @property
    def rotation(self) -> BaseSignal:
        """Rotation of the lattice in radians, from +x towards +y: a `VirtualImage`."""
        return self._named(3, "rotation", "rotation (rad)")

    @property
    def maps(self) -> dict[str, BaseSignal]:
        """``exx``, ``eyy``, ``exy`` and ``rotation``, each a `VirtualImage`."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def uncertainty(self) -> dict[str, BaseSignal]:
        """Standard deviations of ``exx``, ``eyy``, ``exy`` and ``rotation``, each a `VirtualImage`.

        From the covariance of the fitted vectors by exact derivatives; the reference counts as known.
        """
        return {
            name: self._named(4 + k, f"uncertainty of {name}", "rotation (rad)" if name == "rotation" else "strain (1)")
            for k, name in enumerate(NAMES)
        }

    @property
    def reference(self) -> NDArray[np.float64]:
        """The lattice without strain: g1 and g2 as rows (y, x), in units of the frame's axes; NaN if none was fitted.

        Raises
        ------
        ValueError
            The maps are still to be computed.
        """
        if self.lazy:
            raise ValueError(f"{self!r} has to be computed for its reference to be known: call .compute() first")
        rows = np.asarray(self.data)[..., 8:12].reshape(-1, 4)
        known = np.flatnonzero(np.isfinite(rows).all(1))
        return np.array(rows[known[0]] if known.size else np.full(4, np.nan)).reshape(2, 2)

    def plot(self, **options: Any) -> Any:  # type: ignore[override]  # options of another figure
        """A figure of the four maps; see `lazy4d.plot.strain_maps`, whose options are taken.

        Returns
        -------
        matplotlib.figure.Figure
            Not known to pyplot; ``figure.savefig("strain.png")`` writes it.
        """
        from lazy4d import plot

        return plot.strain_maps(self, **options)

    def _named(self, column: int, name: str, quantity: str) -> BaseSignal:
        image = self.isig[column]
        image.metadata.set_item("General.title", name)
        image.metadata.set_item(QUANTITY, quantity)
        return image

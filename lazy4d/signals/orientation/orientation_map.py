"""`OrientationMap`: how the crystal lies at each position of a scan, the best few answers with their scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazy4d.signals.base import BaseSignal
from lazy4d.signals.orientation import crystal_map, readings
from lazy4d.signals.orientation.crystal import CrystalPhase, phases_of

COLUMNS = ("w", "x", "y", "z", "score", "phase")
PHASES = "OrientationMap.phases"
"""Where the metadata keep the phases, as `CrystalPhase.as_dict` gives them."""

_ARITHMETIC = frozenset(name for name in dir(np) if isinstance(getattr(np, name), np.ufunc))
"""Operations whose results are no orientations: twice one is none."""


class OrientationMap(BaseSignal, signal_ndim=2):
    """The orientation of the crystal at each position, the best few that were found, best first.

    Data are float64 ``[nav..., n_best, 6]``, columns w, x, y, z, score, phase. (w, x, y, z) is the unit quaternion that
    takes the sample's axes to the crystal's, as in orix: ``v_crystal = q v_sample q*``, with x of the sample along +kx
    of the patterns, y along +ky (down), and z along the flight of the electrons. Of equivalent orientations it is the
    one with the smallest angle. The score is the cosine between pattern and template, 1 if they are alike.
    Where nothing was found, or no more than a few, all columns are NaN.

    Parameters are those of `BaseSignal`; the metadata hold the phases.

    Examples
    --------
    >>> found = np.zeros((4, 5, 2, 6))
    >>> found[..., 0] = 1
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> OrientationMap(found, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    <OrientationMap, title: , dimensions: (5, 4|6, 2), float64, 1.9 kB>
    """

    # -- maps --------------------------------------------------------------------------------------------------------
    get_ipf_color_image = readings.get_ipf_color_image
    get_misorientation = readings.get_misorientation
    get_euler_angles = readings.get_euler_angles
    get_reliability = readings.get_reliability
    rotate_sample = readings.rotate_sample

    # -- for other programs ------------------------------------------------------------------------------------------
    to_crystal_map_arrays = crystal_map.to_crystal_map_arrays
    to_orix = crystal_map.to_orix
    to_ang = crystal_map.to_ang

    _lost_by = frozenset({"isig", "rebin", "std", "sum", "var", "mean", "max", "min"}) | _ARITHMETIC

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return len(frame_shape) == 2 and frame_shape[1] == len(COLUMNS)

    @classmethod
    def _expected_frame(cls) -> str:
        return f"rows of {len(COLUMNS)} numbers ({', '.join(COLUMNS)})"

    @property
    def n_best(self) -> int:
        """Number of answers at each position."""
        return self.frame_shape[0]

    @property
    def phases(self) -> tuple[CrystalPhase, ...]:
        """The crystals, in the order of the numbers in the column phase.

        Raises
        ------
        ValueError
            The metadata do not tell them.
        """
        found = self.metadata.get_item(PHASES, None)
        if not found:
            raise ValueError(
                f"{self!r} does not say which crystals its phases are: set metadata.set_item({PHASES!r}, "
                "[phase.as_dict(), ...])"
            )
        rows = [one.as_dictionary() if hasattr(one, "as_dictionary") else dict(one) for one in found]
        return phases_of(rows)

    @property
    def quaternions(self) -> BaseSignal:
        """The orientations (w, x, y, z): a Signal2D [nav..., n_best, 4]."""
        return self.isig[:4]

    @property
    def score(self) -> BaseSignal:
        """How alike the pattern and the best template are: a `VirtualImage`, 1 at most."""
        return self._column("score")

    @property
    def phase(self) -> BaseSignal:
        """The number of the phase of the best answer: a `VirtualImage`, NaN where there is none."""
        return self._column("phase")

    def plot(self, **options: Any) -> Any:  # type: ignore[override]  # options of another figure
        """A figure of the map with the key of its colours; see `lazy4d.plot.orientation_maps`, whose options are taken.

        Returns
        -------
        matplotlib.figure.Figure
            Not known to pyplot; `lazy4d.plot.save_figure` writes it.
        """
        from lazy4d import plot

        return plot.orientation_maps(self, **options)

    def _column(self, name: str) -> Any:
        image = self.isig[COLUMNS.index(name), 0]
        image.metadata.set_item("General.title", f"{name} of {self.title}" if self.title else name)
        image.metadata.set_item("Signal.quantity", name)
        return image

    def _laue_groups(self) -> tuple[str, ...]:
        return tuple(one.laue for one in self.phases)


def is_found(rows: Any) -> Any:
    """Where rows [..., 6] hold an orientation."""
    return np.isfinite(rows[..., 0])

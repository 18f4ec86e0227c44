"""`Ellipse`: how a projector lens distorts rings, and the matrix that makes them round again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

ELLIPSE = "Calibration.ellipse"
"""Where the metadata keep ratio and angle of the elliptical distortion."""


@dataclass(frozen=True)
class Ellipse:
    """An elliptical distortion: what should be rings are ellipses.

    Parameters
    ----------
    ratio : float
        Long over short semi-axis, at least 1.
    angle : float
        Direction of the long axis in degrees, from +x (kx) towards +y (ky), in [0, 180).

    Raises
    ------
    ValueError
        A ratio below 1 or an angle that is not finite.

    Examples
    --------
    >>> Ellipse(1.03, 30.0).matrix().round(4).tolist()
    [[1.0075, -0.0128], [-0.0128, 0.9927]]
    """

    ratio: float
    angle: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ratio) and self.ratio >= 1 and math.isfinite(self.angle)):
            raise ValueError(
                f"expected the ratio of the long to the short axis, at least 1, and a finite angle in degrees, found "
                f"ratio={self.ratio!r}, angle={self.angle!r}: turn the angle by 90 where the ratio is below 1"
            )
        object.__setattr__(self, "angle", float(self.angle) % 180.0)
        object.__setattr__(self, "ratio", float(self.ratio))

    def matrix(self) -> NDArray[np.float64]:
        """What turns measured offsets (y, x) from the centre into undistorted ones: float64 [2, 2], determinant 1.

        Radii keep the geometric mean of both axes, so areas are conserved: along the long axis lengths are divided by
        ``sqrt(ratio)``, along the short one multiplied.
        """
        c, s = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        along = np.array([s, c])
        across = np.array([c, -s])
        root = math.sqrt(self.ratio)
        return np.outer(along, along) / root + np.outer(across, across) * root


def ellipse_of(signal: BaseSignal) -> Ellipse | None:
    """The elliptical distortion a signal was calibrated with, or None.

    Examples
    --------
    >>> ellipse_of(d) is None
    True
    """
    found = signal.metadata.get_item(ELLIPSE, None)
    return None if found is None else Ellipse(float(found["ratio"]), float(found["angle"]))


def as_ellipse(given: Any) -> Ellipse:
    """An ellipse as a user gives it: one, or (ratio, angle in degrees).

    Raises
    ------
    ValueError
        Something else.

    Examples
    --------
    >>> as_ellipse((1.03, 210))
    Ellipse(ratio=1.03, angle=30.0)
    """
    if isinstance(given, Ellipse):
        return given
    if isinstance(given, str) or np.shape(given) != (2,):
        raise ValueError(f"expected ellipse as an Ellipse or as (ratio, angle in degrees), found {given!r}")
    return Ellipse(float(given[0]), float(given[1]))


def set_ellipse(signal: BaseSignal, ellipse: Ellipse | tuple[float, float] | None) -> None:
    """Calibrate a signal with an elliptical distortion, in place, or with none; noted in its history.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    ellipse : Ellipse, (ratio, angle in degrees) or None
        As `calibrate_ellipse` found it in another signal, say. None, or a ratio of 1, takes it out.

    Raises
    ------
    ValueError
        No ellipse.

    Examples
    --------
    >>> s = d.copy()
    >>> s.set_ellipse((1.03, 30.0))
    >>> ellipse_of(s), s.history[-1].op
    (Ellipse(ratio=1.03, angle=30.0), 'set_ellipse')
    """
    known = None if ellipse is None else as_ellipse(ellipse)
    write_ellipse(signal, known if known is not None and known.ratio > 1 else None)
    signal._record("set_ellipse", {"ellipse": None if known is None else [known.ratio, known.angle]})


def write_ellipse(signal: BaseSignal, ellipse: Ellipse | None) -> None:
    """Write an elliptical distortion into the metadata of a signal, or take it out; nothing in the history."""
    if ellipse is not None:
        signal.metadata.set_item(ELLIPSE, {"ratio": ellipse.ratio, "angle": ellipse.angle})
    elif signal.metadata.has_item(ELLIPSE):
        del signal.metadata[ELLIPSE]


def transformed(ellipse: Ellipse, matrix: NDArray[np.float64]) -> Ellipse | None:
    """The distortion of patterns that had one and were transformed, or None where rings are round then.

    Parameters
    ----------
    ellipse : Ellipse
        Before.
    matrix : ndarray [2, 2]
        From offsets (y, x) before to those after.

    Examples
    --------
    >>> mirror = np.diag([1.0, -1.0])
    >>> round(transformed(Ellipse(1.03, 30.0), mirror).angle, 6), transformed(Ellipse(1.03, 30.0), np.eye(2)).ratio
    (150.0, 1.03)
    """
    rings = matrix @ np.linalg.inv(ellipse.matrix())
    axes, lengths, _ = np.linalg.svd(rings)
    ratio = float(lengths[0] / lengths[1])
    if ratio < 1 + 1e-9:
        return None
    return Ellipse(round(ratio, 12), math.degrees(math.atan2(axes[0, 0], axes[1, 0])))

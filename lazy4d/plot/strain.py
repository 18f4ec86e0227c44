"""Strain maps in one figure: colours about 0, the same for all strains, with a scale bar; beside a truth, if given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lazy4d.plot.colors import robust_limits
from lazy4d.plot.image import Image
from lazy4d.plot.panels import figure_of
from lazy4d.signals.computing import compute_together
from lazy4d.signals.strain import StrainMaps

NAMES = ("exx", "eyy", "exy", "rotation")
_SYMBOLS = {"exx": "ε$_{xx}$", "eyy": "ε$_{yy}$", "exy": "ε$_{xy}$", "rotation": "rotation"}


def strain_maps(
    strain: StrainMaps,
    *,
    limit: float | None = None,
    rotation_limit: float | None = None,
    truth: Mapping[str, Any] | StrainMaps | None = None,
    uncertainty: bool = False,
    title: str = "",
    dpi: float = 150,
) -> Figure:
    """A figure of εxx, εyy, εxy in per cent and of the rotation in degrees, in two colours about 0.

    All strains have one colour scale, so that they can be compared; what is beyond it has the outermost colour, and
    what is missing that of `lazy4d.plot.colors.MISSING`.

    Parameters
    ----------
    strain : StrainMaps
        Of a scan of two axes; computed if it is still lazy.
    limit, rotation_limit : float, optional
        Half the range of the colour scales: of strains (dimensionless, such as 0.02) and of the rotation in radians. By
        default what all but the most extreme 0.2 % of the positions need.
    truth : StrainMaps or mapping, optional
        Maps "exx", "eyy", "exy" and "rotation" [y, x] to compare with: a second row shows them, a third what is
        measured less the truth, on a scale of its own.
    uncertainty : bool
        Whether another row shows the standard deviations.
    title : str
        Above all pictures.
    dpi : float
        Dots an inch of the figure when it is saved.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot; ``figure.savefig("strain.png")`` writes it.

    Raises
    ------
    ValueError
        Not a scan of two axes, a truth of another shape, or a limit that is not above 0.

    Examples
    --------
    >>> points = np.array([[h * 6.0, k * 5.0] for h in (-1, 0, 1) for k in (-1, 0, 1)]) + 12
    >>> v = l4.DiffractionVectors([points] * 6, nav_shape=(2, 3), frame_shape=(24, 24))
    >>> len(strain_maps(v.get_strain_maps()).axes)
    4
    """
    if len(strain.nav_shape) != 2:
        raise ValueError(
            f"expected strain over a scan of two axes, found the navigation shape {strain.nav_shape}: use inav"
        )
    for name, one in (("limit", limit), ("rotation_limit", rotation_limit)):
        if one is not None and not 0 < one < np.inf:
            raise ValueError(f"expected {name} above 0, or None, found {one!r}")
    if isinstance(truth, StrainMaps):
        truth = {name: image.as_numpy() for name, image in truth.maps.items()}
    if truth is not None and not isinstance(truth, Mapping):
        raise TypeError(f"expected truth as StrainMaps or a mapping of maps {', '.join(NAMES)}, found {truth!r}")
    (known,) = compute_together(strain)
    values = {name: np.asarray(known.data[..., k], np.float64) for k, name in enumerate(NAMES)}
    reaches = {name: limit or reach_of([values[n] for n in NAMES[:3]]) for name in NAMES[:3]}
    reaches["rotation"] = rotation_limit or reach_of([values["rotation"]])
    axes: Any = tuple(known.nav_axes)
    images = [strain_picture(name, values[name], axes, reaches[name]) for name in NAMES]
    if truth is not None:
        expected = {name: _expected(truth, name, known.nav_shape) for name in NAMES}
        off = {name: values[name] - expected[name] for name in NAMES}
        errors = dict.fromkeys(NAMES[:3], reach_of([off[n] for n in NAMES[:3]]))
        errors["rotation"] = reach_of([off["rotation"]])
        images += [strain_picture(name, expected[name], axes, reaches[name], "true ") for name in NAMES]
        images += [strain_picture(name, off[name], axes, errors[name], "error of ") for name in NAMES]
    if uncertainty:
        spread = {name: np.asarray(known.data[..., 4 + k], np.float64) for k, name in enumerate(NAMES)}
        widest = dict.fromkeys(NAMES[:3], reach_of([spread[n] for n in NAMES[:3]]))
        widest["rotation"] = reach_of([spread["rotation"]])
        images += [
            strain_picture(name, spread[name], axes, widest[name], "uncertainty of ", signed=False) for name in NAMES
        ]
    return figure_of(images, columns=4, title=title, dpi=dpi)


def strain_picture(
    name: str, values: NDArray[np.float64], axes: Any, reach: float, what: str = "", signed: bool = True
) -> Image:
    """One map of "exx", "eyy" or "exy" in per cent, or of "rotation" in degrees, up to `reach` to either side of 0.

    Examples
    --------
    >>> strain_picture("exx", np.full((2, 3), 0.01), (l4.Axis(size=2), l4.Axis(size=3)), 0.02).limits
    (-2.0, 2.0)
    """
    factor, label = (np.degrees(1.0), "° (from +x to +y)") if name == "rotation" else (100.0, "%")
    shown = f"{what}{_SYMBOLS[name]}"
    if not signed:
        return Image(shown, values * factor, axes, label.split(" ")[0], "map", (0.0, reach * factor))
    return Image(shown, values * factor, axes, label, "signed", (-reach * factor, reach * factor))


def reach_of(values: list[NDArray[np.float64]]) -> float:
    """How far from 0 the values go, but for the most extreme ones; never 0.

    Examples
    --------
    >>> reach_of([np.array([-3.0, np.nan]), np.array([1.0])])
    3.0
    """
    sizes = np.abs(np.concatenate([one.ravel() for one in values]))
    sizes = sizes[np.isfinite(sizes)]
    if not sizes.size:
        return 1.0
    reach = float(robust_limits(sizes)[1]) or float(sizes.max())
    return reach if reach > 1e-12 else 1e-6


def _expected(truth: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    found = np.asarray(truth[name] if name in truth else None, object)
    if found.shape != shape:
        raise ValueError(f"expected truth with a map {name!r} of shape {shape}, found shape {found.shape}")
    return found.astype(np.float64)

"""A surface fitted to the positions of the beam, beside what was measured and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from lazy4d.plot.colors import robust_limits
from lazy4d.plot.image import Image
from lazy4d.plot.panels import figure_of
from lazy4d.signals import BeamPosition
from lazy4d.signals.beam_fit.counting import navigation_mask
from lazy4d.signals.computing import compute_together

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARROWS = {"y": "down", "x": "right"}
_COUNTED = "#ffb000"


def linear_plane(
    fit: BeamPosition, *, units: str = "px", mask: Any = None, title: str = "", dpi: float = 150
) -> Figure:
    """A figure of the measured, fitted and residual displacements of the beam, y above and x below.

    Measured and fitted share one colour scale about 0, of what the fit spans; the residuals of y and x share another,
    of nine tenths of them and five of their (robust) standard deviations, whichever is more. What is beyond, such as
    outliers, has the outermost colour, and what is missing that of `lazy4d.plot.colors.MISSING`.

    Parameters
    ----------
    fit : BeamPosition
        A result of `get_linear_plane` over a scan of two axes; computed if it is still lazy.
    units : str
        Of the displacements, from where the axes of the frames are 0: ``"px"``, ``"mrad"``, ``"1/Å"`` …
    mask : ROI, bool ndarray [y, x] or VirtualImage of bool, optional
        The positions that counted, to be outlined.
    title : str
        Above all pictures.
    dpi : float
        Dots an inch of the figure when it is saved.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot; ``figure.savefig("plane.png")`` writes it.

    Raises
    ------
    ValueError
        The positions are no fit, or not those of a scan of two axes.

    Examples
    --------
    >>> figure = linear_plane(d.get_direct_beam_position().get_linear_plane())
    >>> [ax.get_title(loc="left") for ax in figure.axes[:3]]
    ['measured, y', 'fitted, y', 'residual, y']
    """
    if len(fit.nav_shape) != 2:
        raise ValueError(
            f"expected a fit over a scan of two axes, found the navigation shape {fit.nav_shape}: use inav"
        )
    if mask is not None and not hasattr(mask, "spans"):
        fit, mask = compute_together(fit, mask)
    (known,) = compute_together(fit)
    measured, fitted, residual = (one.to_units(units).as_numpy() for one in (known.measured, known, known.residual))
    outlines = () if mask is None else ((_mask(known, mask), _COUNTED),)
    spread = _most_of(residual)
    reach = max(robust_limits(np.abs(fitted))[1], spread)
    axes: Any = tuple(known.nav_axes)
    images = []
    for k, column in enumerate("yx"):
        for name, values, limit in (
            ("measured", measured, reach), ("fitted", fitted, reach), ("residual", residual, spread)
        ):  # fmt: skip
            label = f"{units} (positive: {_ARROWS[column]})"
            marks = outlines if name == "measured" else ()
            images.append(
                Image(f"{name}, {column}", values[..., k], axes, label, "signed", (-limit, limit), outlines=marks)
            )
    return figure_of(images, columns=3, title=title, dpi=dpi)


def _most_of(residual: NDArray[np.float64]) -> float:
    """A size that noise does not reach, nor most of what else is there; never 0."""
    sizes = np.abs(residual[np.isfinite(residual)])
    middle, most = np.quantile(sizes, [0.5, 0.9]) if sizes.size else (0.0, 0.0)
    return max(5 * float(middle) / 0.6745, 1.2 * float(most)) or float(sizes.max(initial=0.0)) or 1.0


def _mask(fit: BeamPosition, mask: Any) -> NDArray[np.bool_]:
    inside = navigation_mask(fit, mask)
    return np.asarray(inside.data if hasattr(inside, "nav_shape") else inside, bool)

"""How strongly the atoms of a specimen scatter electrons, against k."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.pair_distribution.lobato import coefficients

Floats = NDArray[np.float64]


def scattering_factor(element: str, k: Any) -> Floats:
    """The scattering factor of a free atom for electrons, Å, at k = 1/d in 1/Å (not Q = 2π k).

    Parameters
    ----------
    element : str
        Symbol, "H" to "Lr".
    k : array_like
        1/Å.

    Raises
    ------
    ValueError
        No such element.

    Notes
    -----
    The parametrisation of I. Lobato and D. Van Dyck, doi 10.1107/S205327331401643X, without relativistic correction,
    which is the same for all elements.

    Examples
    --------
    >>> scattering_factor("Cu", [0.0, 0.5]).round(3)
    array([5.601, 2.795])
    """
    table = coefficients()
    if element not in table:
        raise ValueError(f"expected the symbol of an element, H to Lr, found {element!r}")
    a, b = table[element]
    squared = b * np.square(np.asarray(k, np.float64))[..., None]
    result: Floats = (a * (2 + squared) / (1 + squared) ** 2).sum(axis=-1)
    return result


def mean_factors(
    elements: Mapping[str, float], k: Floats, factors: Mapping[str, Callable[[Floats], Any] | Any] | None = None
) -> tuple[Floats, Floats]:
    """<f>² and <f²> of a composition, Å², float64 [k].

    Parameters
    ----------
    elements : dict of str to float
        Shares of atoms, in any units: ``{"Zr": 65, "Cu": 35}``.
    k : ndarray [k]
        1/Å.
    factors : dict of str to callable or array, optional
        Scattering factors to use instead of the table: functions of k, or values at these k.

    Raises
    ------
    ValueError
        No elements, shares that are not positive, or factors of another shape.

    Examples
    --------
    >>> squared_mean, mean_square = mean_factors({"Cu": 1}, np.array([0.5]))
    >>> bool(squared_mean == mean_square)
    True
    """
    if not isinstance(elements, Mapping) or not elements:
        raise ValueError(f'expected the elements and their shares as a dict, such as {{"Cu": 1}}, found {elements!r}')
    shares = np.array([float(share) for share in elements.values()])
    if not (np.isfinite(shares).all() and (shares > 0).all()):
        raise ValueError(f"expected positive shares of atoms, found {dict(elements)!r}")
    given = factors or {}
    if set(given) - set(elements):
        raise ValueError(f"factors are given for {sorted(set(given) - set(elements))}, which are not in {elements!r}")
    rows = [_factor(element, k, given.get(element)) for element in elements]
    shares = shares / shares.sum()
    return (shares @ np.array(rows)) ** 2, shares @ np.square(rows)


def _factor(element: str, k: Floats, given: Any) -> Floats:
    if given is None:
        return scattering_factor(element, k)
    values = np.asarray(given(k) if callable(given) else given, np.float64)
    if values.shape != k.shape:
        raise ValueError(
            f"expected scattering factors of {element} at each of the {k.size} values of k, found shape {values.shape}"
        )
    return values

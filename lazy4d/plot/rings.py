"""Places of rings on a radial axis, with the Miller indices of their planes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.signals.orientation.crystal import CrystalPhase


@dataclass(frozen=True)
class Ring:
    """A line at `place`, in units of the axis, with a name."""

    name: str
    place: float


def hkl_text(indices: Iterable[int]) -> str:
    r"""Miller indices as they are printed, negative ones with a bar above.

    Examples
    --------
    >>> hkl_text((1, 1, 1)), hkl_text((1, -1, 0))
    ('111', '$1\\bar{1}0$')
    """
    numbers = [int(one) for one in indices]
    wide = any(abs(one) > 9 for one in numbers)
    if all(one >= 0 for one in numbers):
        return (" " if wide else "").join(str(one) for one in numbers)
    parts = [f"\\bar{{{-one}}}" if one < 0 else str(one) for one in numbers]
    between = "\\," if wide else ""
    return f"${between.join(parts)}$"


def rings_on(rings: Any, axis: Axis | None, limits: tuple[float, float]) -> list[Ring]:
    """The rings that lie within the limits of an axis, ascending.

    Parameters
    ----------
    rings : dict, sequence of (name, place) or CrystalPhase
        Places are numbers in units of the axis, or text with units; names are text or Miller indices.
    axis : Axis, optional
        The radial axis; needed for places with units and for crystals.
    limits : (low, high)
        Of what is shown.

    Raises
    ------
    ValueError
        Something else, or units on an axis that has none.

    Examples
    --------
    >>> k = l4.Axis(name="k", size=100, scale=0.01, units="1/Å")
    >>> rings_on({(1, 1, 1): 0.4246, "far": "12 1/nm"}, k, (0, 1.0))
    [Ring(name='111', place=0.4246)]
    """
    if isinstance(rings, CrystalPhase):
        rings = _families(rings, axis, limits)
    pairs: Any = list(rings.items()) if isinstance(rings, Mapping) else rings
    found = []
    for entry in pairs:
        if not isinstance(entry, Sequence) or isinstance(entry, str) or len(entry) != 2:
            raise ValueError(f"rings: expected a dict of places by name, or pairs (name, place), found {entry!r}")
        name, place = entry
        found.append(Ring(name if isinstance(name, str) else hkl_text(name), _value(place, axis)))
    return sorted((one for one in found if limits[0] <= one.place <= limits[1]), key=lambda one: one.place)


def draw_rings(axes: Sequence[Any], rings: Sequence[Ring], font: float) -> None:
    """Dotted lines through all axes, which are below each other, and names above the first.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().add_subplot()
    >>> draw_rings([ax], [Ring("111", 0.4), Ring("200", 0.401)], 8.0)
    >>> [text.get_text() for text in ax.texts]
    ['111']
    """
    if not rings:
        return
    low, high = axes[0].get_xlim()
    names: list[float] = []
    closest = font / 72 / (0.8 * axes[0].figure.get_size_inches()[0])  # of names that stand upright
    gaps = np.diff([ring.place for ring in rings]) / (high - low)
    upright = len(rings) > 5 or bool((gaps < 2.5 * closest).any()) or any(len(ring.name) > 4 for ring in rings)
    for ring in rings:
        for ax in axes:
            ax.axvline(ring.place, color="0.55", linewidth=0.6, linestyle=(0, (2, 2)), zorder=0.5)
        share = (ring.place - low) / (high - low)
        if names and share - names[-1] < closest:
            continue
        names.append(share)
        axes[0].annotate(
            ring.name, (ring.place, 1.0), xycoords=axes[0].get_xaxis_transform(), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", rotation=90 if upright else 0, fontsize=font - 1,
            color="0.3", annotation_clip=False,
        )  # fmt: skip


def _families(phase: CrystalPhase, axis: Axis | None, limits: tuple[float, float]) -> list[tuple[Any, str]]:
    """One entry for each length of reflections, with the indices that are written first."""
    if axis is None:
        raise ValueError("rings of a crystal need an axis with units, found numbers without: give a signal")
    farthest = _reach(axis, limits[1])
    table = phase.reflections(farthest)
    found: dict[float, tuple[int, ...]] = {}
    for indices, k in zip(table.hkl.tolist(), table.k.tolist(), strict=True):
        key, one = round(k, 5), tuple(indices)
        found[key] = max(found.get(key, one), one, key=lambda hkl: (min(hkl) >= 0, hkl))
    return [(one, f"{k} 1/Å") for k, one in found.items()]


def _reach(axis: Axis, value: float) -> float:
    """A place on the axis in 1/Å."""
    worth = float(axis.to_pixels("1 1/Å")) - float(axis.to_pixels("0 1/Å"))
    reach = abs((value - axis.offset) / axis.scale - float(axis.to_pixels("0 1/Å"))) / abs(worth)
    return float(np.clip(reach, 0.01, 4.0))


def _value(place: Any, axis: Axis | None) -> float:
    if not isinstance(place, str):
        return float(place)
    if axis is None:
        raise ValueError(f"ring at {place!r}: expected a plain number, as the axis has no units")
    return float(axis.offset + axis.scale * float(axis.to_pixels(place)))

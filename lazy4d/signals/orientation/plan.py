"""`MatchPlan`: a library and the options of a match, as the kernels take them."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from lazy4d.kernels.orientation import Beam, Crystals, Search
from lazy4d.kernels.orientation_candidates import Templates
from lazy4d.signals.orientation.library import TemplateLibrary
from lazy4d.signals.orientation.simulation import CUT
from lazy4d.signals.orientation.symmetry import proper_rotations
from lazy4d.units import wavelength

FAINT = 0.15
"""Spots of a template that weigh less than this share of its strongest cost time and change nothing: refinement has
them."""


class MatchOptions(NamedTuple):
    """What a user may choose; see `get_orientation`."""

    n_best: int
    tolerance: float
    intensity_power: float
    radial_power: float
    refine: bool
    candidates: int
    n_angles: int
    k_max: float = math.inf

    def checked(self) -> MatchOptions:
        """The same, if it makes sense.

        Raises
        ------
        ValueError
            It does not.
        """
        if not (1 <= self.n_best <= 50 and self.candidates >= self.n_best):
            raise ValueError(
                f"expected n_best from 1 to 50 and at least as many candidates, found n_best={self.n_best!r}, "
                f"candidates={self.candidates!r}"
            )
        if not (0 < self.tolerance < 10):
            raise ValueError(f"expected tolerance as a length above 0, in 1/Å, found {self.tolerance!r}")
        if not (0 < self.intensity_power <= 4 and -4 <= self.radial_power <= 4):
            raise ValueError(
                "expected intensity_power in (0, 4] and radial_power in [-4, 4], found "
                f"{self.intensity_power!r} and {self.radial_power!r}"
            )
        if not 36 <= self.n_angles <= 3600:
            raise ValueError(f"expected n_angles from 36 to 3600, found {self.n_angles!r}")
        return self


class MatchPlan:
    """A library prepared for a match; travels as library and options, and is prepared once a process.

    Parameters
    ----------
    library : TemplateLibrary
        Templates.
    options : MatchOptions
        As checked.
    """

    ROUNDS = 8

    def __init__(self, library: TemplateLibrary, options: MatchOptions) -> None:
        self.library, self.options = library, options

    def __dask_tokenize__(self) -> tuple[str, tuple[Any, ...]]:
        return self.library.token, tuple(self.options)

    def __reduce__(self) -> tuple[Any, ...]:
        return plan_of, (self.library, self.options)

    @property
    def k_max(self) -> float:
        """Spots up to this distance from the direct beam count, 1/Å: what the library has and patterns show."""
        return min(self.library.k_max, self.options.k_max)

    @cached_property
    def templates(self) -> Templates:
        """Spots of the templates, sorted and weighted."""
        library, spots = self.library, self.library.spots
        number = spots.frame_numbers()
        k = np.hypot(spots["ky"], spots["kx"])
        weight = self.weights(np.maximum(spots["intensity"], 0), k) * (k <= self.options.k_max)
        norm = np.sqrt(np.bincount(number, weight**2, minlength=library.size))
        weight /= np.where(norm > 0, norm, 1)[number]
        strongest = np.zeros(library.size)
        np.maximum.at(strongest, number, weight)
        kept = np.flatnonzero(weight > FAINT * strongest[number])
        order = kept[np.lexsort((k[kept], number[kept]))]
        return Templates(
            np.cumsum([0, *np.bincount(number[order], minlength=library.size)]),
            k[order].astype(np.float32),
            np.arctan2(spots["ky"], spots["kx"])[order].astype(np.float32),
            weight[order].astype(np.float32),
            library.orientations,
            library.phase,
            np.ascontiguousarray(library.neighbours),
        )

    @cached_property
    def crystals(self) -> Crystals:
        """Reflections and rotations of the phases."""
        # As templates end at k_max across the beam, reflections a little longer are among them.
        tables = [one.reflections(self.library.k_max * 1.02) for one in self.library.phases]
        rotations = [proper_rotations(one.laue) for one in self.library.phases]
        return Crystals(
            np.cumsum([0, *(len(table.g) for table in tables)]),
            np.concatenate([table.g for table in tables]),
            np.concatenate([self.weights(table.intensity, table.k) for table in tables]),
            np.cumsum([0, *map(len, rotations)]),
            np.concatenate(rotations),
        )

    @property
    def beam(self) -> Beam:
        """What decides which reflections are seen."""
        library = self.library
        sigma = library.excitation_error
        return Beam(
            1 / wavelength(library.beam_energy),
            sigma,
            float(np.radians(library.precession)),
            CUT * sigma,
            library.k_min,
            self.k_max,
            float(self.options.intensity_power),
        )

    @property
    def search(self) -> Search:
        """How orientations are looked for."""
        options, step = self.options, np.radians(self.library.step)
        rounds = self.ROUNDS if options.refine else 0
        return Search(
            tolerance=float(options.tolerance),
            step=step,
            separation=max(step, np.radians(2.0)),
            candidates=int(options.candidates),
            rounds=rounds,
            blur=0.4,
            turn=np.pi / options.n_angles,
        )

    def candidates(self, n: int) -> tuple[Any, Any, Any, Any]:
        """Room for the candidates of n patterns: scores, angles and numbers [n, m], and how many there are [n]."""
        shape = n, 2 * int(self.options.candidates)
        return np.empty(shape), np.empty(shape), np.empty(shape, np.int64), np.zeros(n, np.int64)

    def weights(self, intensity: Any, k: Any) -> Any:
        """What spots weigh: ``intensity ** intensity_power * k ** radial_power``."""
        return np.asarray(intensity) ** self.options.intensity_power * np.asarray(k) ** self.options.radial_power


@lru_cache(maxsize=8)
def _prepared(token: tuple[Any, ...]) -> list[MatchPlan]:
    return []


def plan_of(library: TemplateLibrary, options: MatchOptions) -> MatchPlan:
    """The plan of a library and options, the same one whenever it is asked for again in this process."""
    place = _prepared((library.token, *options))
    if not place:
        place.append(MatchPlan(library, options))
    return place[0]

"""`TemplateLibrary`: simulated patterns to compare with, as plain arrays; `template_library` makes one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.orientation.crystal import CrystalPhase, phases_of
from lazy4d.signals.orientation.parameters import above_zero, real_number
from lazy4d.signals.orientation.quaternions import rotate
from lazy4d.signals.orientation.simulation import simulate_spots
from lazy4d.signals.orientation.zones import neighbours_of, orientations_along, sample_directions
from lazy4d.units import beam_energy_keV

Floats = NDArray[np.float64]

BLUR = 0.4
"""Half angle of the cone, in steps, over which a template averages, so that it stands for all directions about it."""


class TemplateLibrary:
    """Simulated patterns: for each template its orientation, its crystal, and its spots.

    One template a direction of the beam in the crystal is enough: matching turns templates about the beam. Any
    simulation may fill the arrays; `template_library` does it kinematically, `from_diffsims` takes those of diffsims.

    Parameters
    ----------
    orientations : array_like [n, 4]
        Unit quaternions that take the sample's axes to the crystal's: x of the sample is +kx, y is +ky, and electrons
        fly along z; as orix has them for a scan drawn with y downwards.
    spots : RaggedFrames, or sequence of arrays [number, 3]
        Spots of each template, without the direct beam: columns `ky`, `kx` in 1/Å and `intensity`, in this order in
        plain arrays.
    phases : CrystalPhase, or several
        The crystals.
    phase : array_like of int [n], optional
        Which of them a template shows; by default the first.
    k_min, k_max : float, optional
        Spots between these distances from the direct beam, 1/Å, are simulated; by default those of `spots`.
    beam_energy : float or str
        As number in keV.
    excitation_error : float
        Standard deviation, 1/Å, of the Gaussian that refinement simulates with; see `simulate_spots`.
    precession : float
        Half angle, degrees, of the cone on which the beam turns.
    step : float, optional
        Distance between templates, degrees; by default as they are found to be.

    Raises
    ------
    ValueError
        Arrays that do not fit each other, or templates without spots.

    Examples
    --------
    >>> iron = CrystalPhase("iron", 2.87, "m-3m", [("Fe", (0, 0, 0))], centering="I")
    >>> TemplateLibrary([[1, 0, 0, 0]], [[[0, 0.49, 1.0], [0.49, 0, 1.0]]], iron)
    <TemplateLibrary: 1 template of iron, 0.49 to 0.49 1/Å, 200 keV>
    """

    def __init__(
        self,
        orientations: Any,
        spots: RaggedFrames | Sequence[Any],
        phases: CrystalPhase | Sequence[CrystalPhase],
        phase: Any = None,
        *,
        k_min: float | None = None,
        k_max: float | None = None,
        beam_energy: float | str = 200.0,
        excitation_error: float = 0.02,
        precession: float = 0.0,
        step: float | None = None,
    ) -> None:
        self.phases = phases_of(phases)
        self.orientations = _unit(orientations)
        n = len(self.orientations)
        self.spots = spots if isinstance(spots, RaggedFrames) else RaggedFrames.from_frames(list(spots))
        self.phase = np.zeros(n, np.int64) if phase is None else np.asarray(phase, np.int64).reshape(-1)
        missing = [name for name in ("ky", "kx", "intensity") if name not in self.spots.names]
        if missing or self.spots.n_frames != n or self.phase.shape != (n,):
            raise ValueError(
                f"expected spots (ky, kx, intensity) and a phase for each of {n} orientations, found spots of "
                f"{self.spots.n_frames} templates with columns {', '.join(self.spots.names)}, and phases of shape "
                f"{self.phase.shape}"
            )
        if self.phase.min() < 0 or self.phase.max() >= len(self.phases):
            raise ValueError(f"expected the phase of each template as a number below {len(self.phases)}")
        k = np.hypot(self.spots["ky"], self.spots["kx"])
        if not k.size or not (k > 0).all() or not np.isfinite(self.spots["intensity"]).all():
            raise ValueError(
                "expected templates with spots beside the direct beam and finite intensities: leave the direct beam out"
            )
        self.k_min = float(k.min() if k_min is None else k_min)
        self.k_max = float(k.max() if k_max is None else k_max)
        self.beam_energy = beam_energy_keV(beam_energy)
        self.excitation_error = above_zero("excitation_error", excitation_error, "1/Å")
        self.precession = _check_precession(precession)
        self._step = step
        self._recipe: tuple[Any, ...] | None = None

    @property
    def size(self) -> int:
        """Number of templates."""
        return len(self.orientations)

    @cached_property
    def directions(self) -> Floats:
        """The beam in the crystal's axes, unit vectors [n, 3]."""
        return rotate(self.orientations, [0.0, 0, 1])

    @cached_property
    def step(self) -> float:
        """Distance between neighbouring templates, degrees."""
        if self._step is not None:
            return float(self._step)
        nearest = self.neighbours[:, 0]
        cosine = np.abs((self.directions * self.directions[nearest]).sum(axis=1))
        apart = np.degrees(np.arccos(np.clip(cosine[nearest != np.arange(self.size)], -1, 1)))
        return float(np.median(apart)) if apart.size else 2.0

    @cached_property
    def neighbours(self) -> NDArray[np.int32]:
        """Numbers of the templates of nearest directions, int32 [n, 8]; itself where there are fewer."""
        result = np.tile(np.arange(self.size, dtype=np.int32)[:, None], (1, 8))
        for number, one in enumerate(self.phases):
            members = np.flatnonzero(self.phase == number)
            if members.size > 1:
                result[members] = members[neighbours_of(self.directions[members], one.laue)]
        return result

    @cached_property
    def token(self) -> str:
        """Identity: libraries of equal tokens are equal."""
        if self._recipe is not None:
            return hashlib.sha1(repr(self._recipe).encode()).hexdigest()
        digest = hashlib.sha1()
        for array in (self.orientations, self.phase, self.spots.offsets, *self.spots.columns.values()):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr(([one.as_dict() for one in self.phases], self._numbers())).encode())
        return digest.hexdigest()

    def _numbers(self) -> dict[str, float | None]:
        """Everything but the arrays."""
        return {
            "k_min": self.k_min, "k_max": self.k_max, "beam_energy": self.beam_energy, "step": self._step,
            "excitation_error": self.excitation_error, "precession": self.precession,
        }  # fmt: skip

    def __dask_tokenize__(self) -> str:
        return self.token

    def __reduce__(self) -> tuple[Any, ...]:
        """A simulated library travels as what it was made of, and is made again once a process."""
        if self._recipe is not None:
            return _remade, self._recipe
        return _plain, (self.orientations, self.spots, self.phases, self.phase, self._numbers())

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.phases)
        count = f"{self.size} template{'s' if self.size > 1 else ''}"
        return (
            f"<TemplateLibrary: {count} of {names}, {self.k_min:.2g} to {self.k_max:.2g} 1/Å, {self.beam_energy:g} keV>"
        )


def template_library(
    phases: CrystalPhase | Sequence[CrystalPhase],
    *,
    k_max: float,
    k_min: float | None = None,
    step: float = 2.0,
    beam_energy: float | str = 200.0,
    excitation_error: float = 0.02,
    precession: float = 0.0,
) -> TemplateLibrary:
    """Templates of one crystal or several, for every direction of the beam that symmetry does not make equal.

    Parameters
    ----------
    phases : CrystalPhase, or several
        The crystals.
    k_max : float
        Spots up to this distance from the direct beam, 1/Å. Take what all patterns show in full, and no more:
        templates with spots that patterns cannot show give wrong orientations.
    k_min : float, optional
        Spots from this distance on; by default half the smallest distance that a reflection has.
    step : float
        Between directions, degrees. Orientations are refined between them; 2 to 3 are enough. The fewer
        rotations a crystal has, the more templates there are, and the longer a match takes: of 2/m some 40 times as
        long as of m-3m.
    beam_energy : float or str
        As number in keV.
    excitation_error : float
        Standard deviation of the distance to the Ewald sphere, 1/Å, over which reflections are seen; see
        `simulate_spots`.
    precession : float
        Half angle, degrees, of the cone on which the beam turns.

    Raises
    ------
    ValueError
        Numbers out of range, or phases whose atoms have not the symmetry that they claim.

    Examples
    --------
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> template_library(gold, k_max=1.2, step=3)
    <TemplateLibrary: 220 templates of gold, 0.21 to 1.2 1/Å, 200 keV>
    """
    made = phases_of(phases)
    above_zero("k_max", k_max, "1/Å")
    above_zero("excitation_error", excitation_error, "1/Å")
    _check_precession(precession)
    real_number("step", step, "degrees")
    shortest = [one.reflections(k_max).k.min() for one in made]
    lowest = 0.5 * float(min(shortest)) if k_min is None else real_number("k_min", k_min, "1/Å")
    if not (0 <= lowest < k_max):
        raise ValueError(f"expected k_min of at least 0 and below k_max = {k_max:g} 1/Å, found {k_min!r}")
    energy = beam_energy_keV(beam_energy)
    recipe = (
        tuple(repr(sorted(one.as_dict().items())) for one in made),
        *(float(value) for value in (k_max, lowest, step, energy, excitation_error, precession)),
    )
    return _remade(*recipe)


@lru_cache(maxsize=4)
def _remade(
    descriptions: tuple[str, ...],
    k_max: float,
    k_min: float,
    step: float,
    energy: float,
    excitation_error: float,
    precession: float,
) -> TemplateLibrary:
    """The library of a recipe: phases as text, and numbers."""
    from ast import literal_eval

    phases = [CrystalPhase(**dict(literal_eval(text))) for text in descriptions]
    orientations, spots, numbers = [], [], []
    for number, phase in enumerate(phases):
        along = orientations_along(sample_directions(phase.laue, step))
        found = simulate_spots(
            phase, along, k_max=k_max, k_min=k_min, beam_energy_keV=energy, excitation_error=excitation_error,
            precession=precession + BLUR * step,
        )  # fmt: skip
        keep = np.flatnonzero(found.counts > 0)
        orientations.append(along[keep])
        spots.append(found.take(keep).only(["ky", "kx", "intensity"]))
        numbers.append(np.full(keep.size, number))
    library = TemplateLibrary(
        np.concatenate(orientations), RaggedFrames.concatenate(spots), phases, np.concatenate(numbers),
        k_min=k_min, k_max=k_max, beam_energy=energy, excitation_error=excitation_error, precession=precession,
        step=step,
    )  # fmt: skip
    library._recipe = (descriptions, k_max, k_min, step, energy, excitation_error, precession)
    return library


def _plain(orientations: Floats, spots: RaggedFrames, phases: Any, phase: Any, numbers: Any) -> TemplateLibrary:
    return TemplateLibrary(orientations, spots, phases, phase, **numbers)


def _check_precession(given: Any) -> float:
    found = real_number("precession", given, "degrees")
    if not 0 <= found < 10:
        raise ValueError(f"expected precession as degrees from 0 to 10, found {given!r}")
    return found


def _unit(orientations: Any) -> Floats:
    found = np.asarray(orientations, np.float64)
    if found.shape[:1] == (0,):
        raise ValueError("expected orientations of at least one template, found none")
    if found.ndim != 2 or found.shape[1:] != (4,):
        raise ValueError(f"expected orientations as quaternions [n, 4], found shape {found.shape}")
    length = np.linalg.norm(found, axis=1, keepdims=True)
    if not (np.isfinite(length).all() and (length > 0).all()):
        wrong = int(np.flatnonzero(~(np.isfinite(length) & (length > 0)))[0])
        raise ValueError(f"expected orientations as quaternions other than 0, found {found[wrong]} at {wrong}")
    if not math.isclose(float(np.abs(length - 1).max()), 0, abs_tol=1e-3):
        raise ValueError("expected unit quaternions (w, x, y, z), found lengths other than 1")
    return np.asarray(found / length)

"""`get_orientation` of vectors and of polar patterns: the templates that fit best, and how they are turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels.orientation_candidates import choose
from lazy4d.kernels.orientation_polar import candidates_of_polar
from lazy4d.kernels.orientation_vectors import candidates_of_vectors
from lazy4d.lazy import Frames
from lazy4d.lazy.chunks import auto_chunks
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.construction import image_frames
from lazy4d.signals.orientation.library import TemplateLibrary
from lazy4d.signals.orientation.orientation_map import COLUMNS, PHASES, OrientationMap
from lazy4d.signals.orientation.parameters import real_number, whole
from lazy4d.signals.orientation.plan import MatchOptions, MatchPlan, plan_of
from lazy4d.signals.orientation.reach import frame_reach, has_beam, seen_k_max
from lazy4d.signals.orientation.symmetry import reduce_orientations
from lazy4d.signals.polar_analysis.counting import check_whole_turn
from lazy4d.units import PIXEL, convert

if TYPE_CHECKING:
    from lazy4d.signals.polar_diffraction2d import PolarDiffraction2D
    from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

Floats = NDArray[np.float64]

AT_ONCE = 64
"""Patterns in a task, at least: some ten milliseconds."""


def get_orientation_of_vectors(
    vectors: DiffractionVectors,
    library: TemplateLibrary,
    *,
    n_best: int = 2,
    tolerance: Any = "0.05 1/Å",
    intensity: str | None = "intensity",
    intensity_power: float = 0.5,
    radial_power: float = 1.0,
    refine: bool = True,
    candidates: int = 8,
    n_angles: int = 180,
    center: Any = None,
    ellipse: Any = None,
) -> OrientationMap:
    """The orientation of the crystal at each position, from its diffraction vectors: an `OrientationMap`.

    Parameters
    ----------
    vectors : DiffractionVectors
        Calibrated in inverse lengths, or in angles with a beam energy.
    library : TemplateLibrary
        Simulated patterns, see `template_library`. Vectors beyond its limits do not count.
    n_best : int
        Number of answers to keep; different ones, at least 2 degrees (or a step of the library) apart.
    tolerance : int, float or str
        Distance between a vector and an expected spot at which the two have nothing to do with each other: an int is
        pixels, a float is in units of the axes, text has its unit. Take a few times the error of a position, and less
        than half the distance between spots.
    intensity : str, optional
        The column that says how strong a vector is; None: all alike.
    intensity_power, radial_power : float
        A spot weighs ``intensity ** intensity_power * k ** radial_power``, in patterns and templates.
    refine : bool
        Whether orientations between the templates are looked for, by simulation.
    candidates : int
        How many of the best templates are refined; at least `n_best`.
    n_angles : int
        Turns about the beam that are tried for each template, before refinement.
    center : (x, y) or BeamPosition, optional
        The direct beam, one for all or one a position; by default where the axes are 0.
    ellipse : Ellipse or (ratio, angle), optional
        Distortion of the patterns; by default what they were calibrated with.

    Returns
    -------
    OrientationMap
        Lazy where the vectors are, else computed, by all cores. NaN where fewer than 3 vectors count.

    Raises
    ------
    ValueError
        Vectors that are not calibrated, another beam energy than that of the library, or options out of range.

    Warns
    -----
    Lazy4DWarning
        Templates that go on where the frame has ended: their spots beyond it are left out. Or axes that are 0 outside
        or at a corner of the frame, and no `center`.

    Notes
    -----
    The score of an orientation is ``Σ w_i v_j max(0, 1 - d_ij² / tolerance²)`` over vectors w and spots v of the
    template at distances d, over the norms of both; C. Ophus et al., Microscopy and Microanalysis 28 (2022) 390, doi
    10.1017/S1431927622000101, compare in this way ring by ring. Every pair of nearly the same radius votes for a turn
    about the beam; the best templates are refined by steps across and about the beam, each time a third smaller.

    A pattern that shows reflections of one plane of the reciprocal lattice alone fits two orientations, half a turn
    about the normal of that plane apart, exactly alike: both are among the best, and `get_reliability` is about 0.

    Examples
    --------
    >>> from lazy4d.signals.orientation import CrystalPhase, simulate_spots, template_library
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> library = template_library(gold, k_max=1.0, step=4)
    >>> spots = simulate_spots(gold, [[1.0, 0, 0, 0]], k_max=1.0)
    >>> axes = [{"size": 128, "scale": 0.02, "offset": -1.28, "units": "1/Å", "navigate": False}] * 2
    >>> data = np.stack([spots["ky"], spots["kx"], spots["intensity"]], axis=1)
    >>> v = l4.DiffractionVectors(data, axes=axes, calibrated=True)
    >>> found = v.get_orientation(library)
    >>> bool(found.get_misorientation().data < 0.5), bool(found.score.data > 0.99)
    (True, True)
    """
    from lazy4d.signals.vectors.diffraction_plane import plane_about

    factor = _per_angstrom(vectors.frame_axes[1])
    reach = plane_about(vectors, center=center, ellipse=ellipse)[0].length(tolerance, "tolerance") * factor
    options = MatchOptions(
        whole("n_best", n_best), reach, real_number("intensity_power", intensity_power),
        real_number("radial_power", radial_power), bool(refine), whole("candidates", candidates),
        whole("n_angles", n_angles),
    ).checked()  # fmt: skip
    _check_library(library, vectors.axes_manager.beam_energy)
    if intensity is not None and intensity not in vectors.columns:
        raise ValueError(
            f"expected intensity as one of the columns {', '.join(vectors.columns)}, or None, found {intensity!r}"
        )
    source = _in_blocks(vectors)
    plane, centers = plane_about(source, center=center, ellipse=ellipse, units="1/Å")
    if has_beam(vectors, plane, center):
        options = options._replace(k_max=seen_k_max(library, frame_reach(vectors, plane, centers)))
    told = {"library": repr(library), "tolerance": tolerance, "intensity": intensity, "radial_power": radial_power}
    told |= {"intensity_power": intensity_power, "n_best": n_best, "refine": refine, "candidates": candidates}
    result = source._per_position(
        match_block,
        plan_of(library, options),
        plane,
        intensity,
        centers,
        shape=(options.n_best, len(COLUMNS)),
        dtype="float64",
        op="get_orientation",
        options={**told, "n_angles": n_angles, "center": _told(center), "ellipse": ellipse},
        axes=_answer_axes(options.n_best),
        kind=OrientationMap,
        title=f"orientation of {vectors.title}" if vectors.title else "orientation",
    )
    return _with_phases(result if source is vectors else result.compute(), library)


def get_orientation_of_polar(
    signal: PolarDiffraction2D,
    library: TemplateLibrary,
    *,
    disk_r: Any = None,
    n_best: int = 2,
    intensity_power: float = 0.5,
    radial_power: float = 1.0,
    contrast: bool = True,
    refine: bool = True,
    candidates: int = 8,
) -> OrientationMap:
    """The orientation of the crystal at each position, from patterns in polar coordinates: an `OrientationMap`, lazily.

    Parameters
    ----------
    signal : PolarDiffraction2D
        Patterns with ``mean=True``, their azimuths once around, k calibrated in inverse lengths, or in angles with a
        beam energy. A k axis of 50 to 100 rows and 180 to 360 azimuths are enough.
    library : TemplateLibrary
        Simulated patterns, see `template_library`. Not beyond the sides of the detector: by default the k axis goes on
        into its corners, where most bins are NaN and spots of templates meet nothing.
    disk_r : int, float or str, optional
        Radius of the Bragg disks, as a length along k (an int is rows); by default one row and a half.
    n_best, refine, candidates
        As for vectors.
    intensity_power, radial_power : float
        A bin weighs ``intensity ** intensity_power * k ** radial_power``, and so does a spot of a template.
    contrast : bool
        Whether the mean of each ring is taken off first, so that neither rings nor background count.

    Returns
    -------
    OrientationMap
        NaN where a pattern holds nothing, or is missing.

    Raises
    ------
    ValueError
        Patterns that do not go once around or are not calibrated, sums instead of means, or options out of range.

    Warns
    -----
    Lazy4DWarning
        Templates that go on where the k axis has ended: their spots beyond it are left out.

    Notes
    -----
    After N. Cautaerts et al., Ultramicroscopy 237 (2022) 113517, doi 10.1016/j.ultramic.2022.113517: a template is a
    few spots and turns by moving along the azimuth. Patterns are averaged over the disk, so that a spot of a template
    finds a whole disk; the score is 1 where a pattern is nothing but the disks that are expected.

    Examples
    --------
    >>> from lazy4d.signals.orientation import CrystalPhase, template_library
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> library = template_library(gold, k_max=0.9, step=5)
    >>> s = d.copy()
    >>> s.set_calibration(scale=0.12, units="1/Å")
    >>> s.get_azimuthal_integral2d(npt=8, npt_azim=36, mean=True).get_orientation(library)
    <OrientationMap, title: orientation of azimuthal integral, dimensions: (4, 4|6, 2), float64, lazy 1.5 kB, 1 block>
    """
    check_whole_turn(signal, "an orientation")
    frames = image_frames(signal, "an orientation")
    k, azimuth = signal.frame_axes
    factor = _per_angstrom(k)
    if _is_sum(signal):
        raise ValueError(
            "expected patterns of means, found sums over bins, which grow with k: integrate with "
            "get_azimuthal_integral2d(..., mean=True)"
        )
    radius = (1.5 if disk_r is None else k.length_to_pixels(disk_r)) * abs(k.scale) * factor
    if not radius > 0:
        raise ValueError(f"expected disk_r as a length above 0, found {disk_r!r}")
    options = MatchOptions(
        whole("n_best", n_best), radius, real_number("intensity_power", intensity_power),
        real_number("radial_power", radial_power), bool(refine), whole("candidates", candidates), azimuth.size,
    ).checked()  # fmt: skip
    _check_library(library, signal.axes_manager.beam_energy)
    ends = k.offset + k.scale * -0.5, k.offset + k.scale * (k.size - 0.5)
    options = options._replace(k_max=seen_k_max(library, max(ends) * factor))
    geometry = (k.offset * factor, k.scale * factor, azimuth.offset, azimuth.scale)
    plan = plan_of(library, options)
    found = frames.map_frames(
        match_frames, plan, geometry, max(radius, 0.75 * abs(geometry[1])), bool(contrast),
        shape=(options.n_best, len(COLUMNS)), dtype=np.float64,
    )  # fmt: skip
    told = {"library": repr(library), "disk_r": disk_r, "intensity_power": intensity_power, "n_best": n_best}
    told |= {"radial_power": radial_power, "contrast": contrast, "refine": refine, "candidates": candidates}
    result = signal._derive(
        _nan_where_missing(found), [*signal.nav_axes, *_answer_axes(options.n_best)], "get_orientation", told,
        kind=OrientationMap,
        title=f"orientation of {signal.title}" if signal.title else "orientation",
    )  # fmt: skip
    return _with_phases(result, library)


def match_block(
    ragged: RaggedFrames, plan: MatchPlan, plane: DiffractionPlane, intensity: str | None, centers: Any = None
) -> Floats:
    """Orientations [n, n_best, 6] of a block of vectors; `plane` gives their offsets from the beam in 1/Å."""
    ky, kx = plane.offsets(ragged, centers)
    strength = np.ones(ragged.total) if intensity is None else np.asarray(ragged[intensity], np.float64)
    k = np.hypot(ky, kx)
    limits = plan.library.k_min - plan.options.tolerance, plan.k_max + plan.options.tolerance
    usable = np.isfinite(strength) & (strength > 0) & (k > max(limits[0], 0.0)) & (k <= limits[1])
    few = ragged.with_columns(y=ky, x=kx, weight=np.zeros(ragged.total)).only(["y", "x", "weight"]).where(usable)
    weight = plan.weights(strength[usable], k[usable])
    number = few.frame_numbers()
    norm = np.sqrt(np.bincount(number, weight**2, minlength=few.n_frames))
    weight /= norm[number]
    out = np.empty((ragged.n_frames, plan.options.n_best, len(COLUMNS)))
    found = plan.candidates(ragged.n_frames)
    x, y = np.ascontiguousarray(few["x"]), np.ascontiguousarray(few["y"])
    candidates_of_vectors(
        few.offsets, x, y, weight, plan.templates, plan.options.tolerance, plan.options.n_angles, *found
    )  # fmt: skip
    no_images = np.empty((1, 0, 0), np.float32)
    choose(
        *found, few.offsets, x, y, weight, no_images, np.zeros(4), plan.templates, plan.crystals, plan.beam,
        plan.search, out,
    )  # fmt: skip
    return _reduced(out, plan)


def match_frames(
    frames: NDArray[Any], plan: MatchPlan, geometry: tuple[float, ...], radius: float, contrast: bool, out: Floats
) -> None:
    """Fill `out` [n, n_best, 6] with the orientations of polar patterns; `geometry` is that of `kernels.Pattern`."""
    values = np.ascontiguousarray(frames, np.float64)
    n, rows, columns = values.shape
    made, places = np.empty(out.shape), np.array(geometry)
    found, images = plan.candidates(n), np.empty((max(n, 1), rows, 2 * columns), np.float32)
    candidates_of_polar(
        values, places, float(radius), plan.options.radial_power, bool(contrast), plan.templates, plan.beam, images,
        *found,
    )  # fmt: skip
    nothing = np.empty(0)
    choose(
        *found, np.zeros(n + 1, np.int64), nothing, nothing, nothing, images, places, plan.templates, plan.crystals,
        plan.beam, plan.search, made,
    )  # fmt: skip
    out[...] = _reduced(made, plan)


def _in_blocks(vectors: DiffractionVectors) -> DiffractionVectors:
    """Many computed vectors as lazy ones in blocks of positions, so that all cores take part; others as they are."""
    if vectors.lazy or vectors.ragged.n_frames < 4 * AT_ONCE:
        return vectors
    chunks = auto_chunks(vectors.nav_shape, 2**20 // AT_ONCE)
    return type(vectors)(
        RaggedBlocks.from_ragged(vectors.ragged, vectors.nav_shape, chunks), vectors.axes_manager.copy(),
        vectors.metadata.copy(), vectors.original_metadata.copy(), vectors.history, nav_shape=vectors.nav_shape,
        valid=vectors._valid,
    )  # fmt: skip


def _reduced(rows: Floats, plan: MatchPlan) -> Floats:
    """The same orientations, each as the one of its equivalents with the smallest angle."""
    for number, phase in enumerate(plan.library.phases):
        here = rows[..., 5] == number
        rows[here, :4] = reduce_orientations(rows[here, :4], phase.laue)
    return rows


def _nan_where_missing(found: Frames) -> Frames:
    """Computed rows, NaN for missing patterns also where these count as zeros: a quaternion of zeros is none."""
    if found.incomplete != "zero":
        return found.emit()
    rows: Any = np.where(found.valid[..., None, None], found.data, np.nan)
    return Frames.from_array(rows, len(found.nav_shape), valid=found.valid, incomplete="nan")


def _per_angstrom(axis: Axis) -> float:
    """What a unit of the axis is in 1/Å."""
    if axis.units == PIXEL:
        raise ValueError(
            f"orientations need patterns calibrated in inverse lengths, or in angles with a beam energy, found {axis!r}"
            ": call set_calibration(scale=..., units='1/Å')"
        )
    return float(convert(1.0, axis.units, "1/Å", axis.beam_energy))


def _check_library(library: Any, energy: float | None) -> None:
    if not isinstance(library, TemplateLibrary):
        raise TypeError(f"expected a TemplateLibrary, as template_library makes it, found {type(library).__name__}")
    if energy is not None and abs(energy / library.beam_energy - 1) > 0.02:
        raise ValueError(
            f"the library was simulated for {library.beam_energy:g} keV, the data say {energy:g} keV: make the library "
            f"with beam_energy={energy:g}, or correct set_calibration(beam_energy=...)"
        )


def _told(center: Any) -> Any:
    """The centre as the history tells it."""
    return "one a position" if hasattr(center, "nav_shape") else center


def _is_sum(signal: Any) -> bool:
    """Whether the history says that the bins hold sums."""
    made = [entry for entry in signal.history if entry.op == "get_azimuthal_integral2d"]
    return bool(made) and made[-1].params.get("statistic") == "sum"


def _answer_axes(n_best: int) -> list[Axis]:
    return [
        Axis(name="answer", size=n_best, navigate=False),
        Axis(name=", ".join(COLUMNS), size=len(COLUMNS), navigate=False),
    ]


def _with_phases(result: Any, library: TemplateLibrary) -> OrientationMap:
    result.metadata.set_item(PHASES, [phase.as_dict() for phase in library.phases])
    result.metadata.set_item("OrientationMap.library", repr(library))
    found: OrientationMap = result
    return found

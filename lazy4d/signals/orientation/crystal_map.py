"""Orientations for other programs: plain arrays, the crystal map of orix, and text files (.ang)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.orientation.orix_phase import orix_module, phase_to_orix
from lazy4d.signals.orientation.quaternions import to_euler
from lazy4d.units import PIXEL, convert

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.signals.orientation.crystal import CrystalPhase
    from lazy4d.signals.orientation.orientation_map import OrientationMap

UNKNOWN_ANGLE = 4 * np.pi
"""What EDAX writes as all three angles of a position without an orientation, whose confidence is -1."""

# What .ang files call the Laue groups: the symmetry of rotations; 20 is monoclinic about b (2 would be about c).
_ANG_SYMMETRY = {
    "-1": "1", "2/m": "20", "mmm": "22", "4/m": "4", "4/mmm": "42", "-3": "3", "-3m": "32", "-31m": "312", "6/m": "6",
    "6/mmm": "62", "m-3": "23", "m-3m": "43",
}  # fmt: skip


def to_crystal_map_arrays(signal: OrientationMap) -> dict[str, Any]:
    """The map as plain arrays, a row for each position in scan order; computes it.

    Returns
    -------
    dict
        ``quaternions`` float64 [n, n_best, 4], ``phase_id`` int64 [n], -1 where there is no orientation, ``scores``
        float64 [n, n_best], ``x`` and ``y`` float64 [n], where each position is, from 0 on (y only where the scan has
        two axes), ``scan_unit`` and ``shape``.

    Raises
    ------
    ValueError
        A scan of more than two axes: select with `inav` first.

    Examples
    --------
    >>> from lazy4d.signals.orientation import OrientationMap
    >>> arrays = OrientationMap(np.tile([1.0, 0, 0, 0, 0.9, 0], (2, 3, 1, 1))).to_crystal_map_arrays()
    >>> arrays["quaternions"].shape, arrays["x"].tolist(), arrays["shape"]
    ((6, 1, 4), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0], (2, 3))
    """
    if len(signal.nav_shape) > 2:
        raise ValueError(f"a crystal map has one or two axes, found the navigation shape {signal.nav_shape}")
    rows: NDArray[np.float64] = np.asarray(signal.as_numpy()).reshape(-1, *signal.frame_shape)
    known = np.isfinite(rows[:, 0, 0])
    quaternions = np.where(np.isfinite(rows[..., :1]), rows[..., :4], [1.0, 0, 0, 0])
    axes = signal.nav_axes
    places = np.meshgrid(*(axis.offset + axis.scale * np.arange(axis.size) for axis in axes), indexing="ij")
    # From 0: orix counts rows and columns from there.
    flat = [place.ravel() - place.min() for place in places]
    result: dict[str, Any] = {
        "quaternions": quaternions,
        "phase_id": np.where(known, np.nan_to_num(rows[:, 0, 5], nan=-1), -1).astype(np.int64),
        "scores": rows[..., 4],
        "x": flat[-1] if flat else np.zeros(1),
        "scan_unit": axes[-1].units if axes else "px",
        "shape": signal.nav_shape,
    }
    if len(flat) > 1:
        result["y"] = flat[0]
    return result


def to_orix(signal: OrientationMap) -> Any:
    """The map as an ``orix.crystal_map.CrystalMap``; computes it.

    All answers are there (`rotations_per_point`), with their scores in ``prop["scores"]``. Positions without an
    orientation have the phase "not_indexed". The crystal's axes are x along a and z along c*, as orix has them.

    Raises
    ------
    ImportError
        orix is not installed.
    ValueError
        A scan of more than two axes.
    """
    maps, rotations = orix_module("orix.crystal_map"), orix_module("orix.quaternion")
    arrays = to_crystal_map_arrays(signal)
    phases = {number: phase_to_orix(one) for number, one in enumerate(signal.phases)}
    scores = np.nan_to_num(arrays["scores"], nan=0.0)
    return maps.CrystalMap(
        rotations=rotations.Rotation(arrays["quaternions"]),
        phase_id=arrays["phase_id"],
        x=arrays["x"],
        y=arrays.get("y"),
        phase_list=maps.PhaseList(phases),
        prop={"scores": scores if scores.shape[1] > 1 else scores[:, 0]},
        scan_unit=arrays["scan_unit"],
    )


def to_ang(signal: OrientationMap, path: Any, overwrite: bool = False) -> Path:
    """Write the best answers as text that EBSD programs and orix read (.ang): the path; computes them.

    One line a position, in the ten columns of EDAX: angles of Bunge in rad (of the crystal's axes x along a, z along
    c*), x and y in µm (in pixels, if the scan is not calibrated), image quality (here the score), confidence index
    (here the reliability, or the score of a single answer), phase (from 1), detector signal (0) and fit (0). Where
    there is no orientation, the angles are 4π, the confidence is -1 and the phase 0.

    Parameters
    ----------
    signal : OrientationMap
        A scan of one or two axes.
    path : str or Path
        Of the file.
    overwrite : bool
        Whether a file that is there is replaced.

    Raises
    ------
    FileExistsError
        There is such a file.
    ValueError
        A scan of more than two axes, or one whose steps are no lengths.

    Examples
    --------
    >>> import tempfile
    >>> from lazy4d.signals.orientation import CrystalPhase, OrientationMap
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> found = np.tile([1.0, 0, 0, 0, 0.9, 0], (2, 3, 1, 1))
    >>> m = OrientationMap(found, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    >>> lines = m.to_ang(tempfile.mkdtemp() + "/gold.ang").read_text(encoding="utf-8").splitlines()
    >>> len([line for line in lines if not line.startswith("#")])
    6
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists: give another path, or overwrite=True")
    arrays = to_crystal_map_arrays(signal)
    worth = [_micrometres(axis) for axis in signal.nav_axes] or [1.0]
    known = arrays["phase_id"] >= 0
    euler = np.radians(to_euler(arrays["quaternions"][:, 0]))
    scores = np.nan_to_num(arrays["scores"], nan=0.0)
    best = scores[:, 0]
    confidence = best
    if scores.shape[1] > 1:
        confidence = np.where(best > 0, 1 - scores[:, 1] / np.where(best > 0, best, 1), 0)
    confidence = np.where(known, np.maximum(confidence, 0), -1)
    euler[~known] = UNKNOWN_ANGLE
    rows = [1, 1, *arrays["shape"]][-2:]
    steps = [abs(axis.scale) * one for axis, one in zip(signal.nav_axes, worth, strict=False)]
    steps = [1.0] * (2 - len(steps)) + steps
    head = ["# TEM_PIXperUM          1.000000", "# x-star                0", "# y-star                0",
            "# z-star                0", "# WorkingDistance       0", "#"]  # fmt: skip
    for number, phase in enumerate(signal.phases, start=1):
        head += _ang_phase(number, phase)
    head += [
        "# GRID: SqrGrid",
        f"# XSTEP: {steps[1]:.7f}",
        f"# YSTEP: {steps[0]:.7f}",
        f"# NCOLS_ODD: {rows[1]}",
        f"# NCOLS_EVEN: {rows[1]}",
        f"# NROWS: {rows[0]}",
        "#",
        "# COLUMN_HEADERS: phi1, PHI, phi2, x, y, IQ, CI, Phase index, SEM, Fit",
        "#",
    ]
    y = arrays.get("y", np.zeros_like(arrays["x"]))
    numbers = np.column_stack([euler, arrays["x"] * worth[-1], y * worth[0], best, confidence, arrays["phase_id"] + 1])
    body = [
        f"{a:9.5f} {b:9.5f} {c:9.5f} {px:14.7f} {py:14.7f} {iq:8.4f} {ci:7.4f} {int(number):2d}      0  0.000"
        for a, b, c, px, py, iq, ci, number in numbers.tolist()
    ]
    target.write_text("\n".join(head + body) + "\n", encoding="utf-8")
    return target


def _micrometres(axis: Axis) -> float:
    """What a unit of a scan axis is in µm; pixels stay pixels."""
    if axis.units == PIXEL:
        return 1.0
    try:
        return float(convert(1.0, axis.units, "µm"))
    except ValueError as error:
        raise ValueError(
            f"expected a scan in lengths, or not calibrated, for an .ang file, which is in µm; found {axis!r}"
        ) from error


def _ang_phase(number: int, phase: CrystalPhase) -> list[str]:
    cell = " ".join(f"{value:.3f}" for value in phase.lattice)
    return [
        f"# Phase {number}",
        f"# MaterialName  \t{phase.name}",
        f"# Formula     \t{phase.name}",
        "# Info",
        f"# Symmetry              {_ANG_SYMMETRY[phase.laue]}",
        f"# LatticeConstants      {cell}",
        "# NumberFamilies        0",
        "# Categories 0 0 0 0 0",
        "#",
    ]

"""Strain maps of fitted lattices, and of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.lazy import Frames, PerPosition, SharedLazy
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.dpc.rotation import ScanRotation
from lazy4d.signals.dpc.vectors import rotation_matrix
from lazy4d.signals.strain.deformation import errors_of, strain_of, turn, unstrained
from lazy4d.signals.strain.region import counted_positions
from lazy4d.signals.strain.strain_maps import COLUMNS, REFERENCE_UNITS, StrainMaps

if TYPE_CHECKING:
    from lazy4d.signals.vectors.lattice.fitted import LatticeFit

Floats = NDArray[np.float64]

_LATTICE, _COVARIANCE = slice(2, 6), slice(9, 12)
"""Of the columns of a `LatticeFit`: g1 and g2; their variances and covariance."""


def get_strain_maps(
    fit: LatticeFit,
    reference: Any = None,
    *,
    rotation: Any = 0.0,
    transpose: bool = False,
    x_axis: float | str = 0.0,
    mask: Any = None,
    average: str = "mean",
) -> StrainMaps:
    """Strain and rotation at each position, exactly, with their uncertainty: a `StrainMaps`.

    Parameters
    ----------
    fit : LatticeFit
        Lattices, of `DiffractionVectors.fit_lattice`.
    reference : optional
        What has no strain and no rotation. A part of the scan, as a ROI, a bool array [nav...] or a VirtualImage of
        bool: there, exx, eyy, exy and rotation are 0 on average (over the positions that have a lattice), each but for
        rounding. Or a lattice, as a LatticeBasis, two tuples (x, y) or an array of two rows (y, x), as for
        `fit_lattice`; any basis of it will do. By default the whole scan.
    rotation : float or ScanRotation
        Degrees by which vectors measured on the camera are turned into the frame of the scan, from +x towards +y, after
        the transposition, as in `BeamPosition.rotate`; or what `BeamPosition.calibrate_rotation` found.
    transpose : bool
        Whether y and x of the camera are swapped before that.
    x_axis : float, "g1" or "g2"
        Direction of the x axis of the strain components in the scan: degrees from +x towards +y, or that of a vector of
        the reference lattice (a reciprocal one: normal to lattice planes). The y axis is a quarter turn on.
    mask : ROI, bool ndarray [nav...] or VirtualImage of bool, optional
        Positions outside, or False, are NaN and do not count for the reference.
    average : {"mean", "median"}
        Which average over the reference is 0; the median of a region with spoilt positions is surer.

    Returns
    -------
    StrainMaps
        float64 [nav..., 12], lazy if `fit` or a mask is.

    Raises
    ------
    ValueError, TypeError
        Masks of another shape, a reference of another lattice (or turned by more than some 11° against the basis), an
        unknown option; no lattice in the part of the scan that is the reference, where that is known already.

    Notes
    -----
    With lattice vectors as rows, ``G' = G F⁻¹`` and so ``F = G'⁻¹ G``, the deformation gradient of real space; its
    polar decomposition ``F = R U`` gives the strain ``U - 1`` (Biot) and the rotation R. Nothing is linearised: the
    usual ``1 - (G⁻¹ G')ᵀ`` is off by a hundredth of the strain at 1 % strain. Turned axes: ``E' = M E Mᵀ``.

    Examples
    --------
    >>> points = np.array([[h, k] for h in (-1, 0, 1) for k in (-1, 0, 1)])
    >>> frames = [points @ np.diag([6.0, 5.0 * s]) + 12 for s in (1.0, 0.98)]
    >>> fit = l4.DiffractionVectors(frames, frame_shape=(24, 24)).fit_lattice()
    >>> fit.get_strain_maps(((5, 0), (0, 6)), rotation=90).eyy.as_numpy().round(4) + 0.0
    array([0.    , 0.0204])
    """
    if average not in ("mean", "median"):
        raise ValueError(f"average={average!r}: expected 'mean' or 'median'")
    if isinstance(rotation, ScanRotation):
        if transpose:
            raise ValueError(
                "transpose=True beside a ScanRotation, which says itself whether to transpose: leave it out"
            )
        rotation, transpose = rotation.angle, rotation.transpose
    if not _is_angle(rotation):
        raise ValueError(f"expected rotation in degrees, or a ScanRotation, found {rotation!r}")
    if not (x_axis in ("g1", "g2") if isinstance(x_axis, str) else _is_angle(x_axis)):
        raise ValueError(f"expected x_axis in degrees, 'g1' or 'g2', found {x_axis!r}")
    to_scan = rotation_matrix(float(rotation)) @ (np.eye(2)[::-1] if transpose else np.eye(2))
    inside = counted_positions(fit, mask)
    lattice, region = _reference(fit, reference)
    numbers = strain_columns(fit, lattice, region, inside, (to_scan, x_axis, average))
    known = lattice.tolist() if lattice is not None else type(reference).__name__ if is_signal(reference) else reference
    params = {
        "reference": known,
        "rotation": float(rotation),
        "transpose": bool(transpose),
        "x_axis": x_axis,
        "mask": type(mask).__name__ if is_signal(mask) else mask,
        "average": average,
    }
    result: Any = fit._derive(
        numbers,
        [*fit.nav_axes, Axis(name="strain", size=COLUMNS)],
        "get_strain_maps",
        params,
        kind=StrainMaps,
        title=f"strain of {fit.title}".removesuffix(" of "),
        parents=[one for one in (reference, mask) if is_signal(one)],
    )
    result.metadata.set_item(REFERENCE_UNITS, fit.units)
    return result


def _is_angle(given: Any) -> bool:
    return isinstance(given, int | float | np.integer | np.floating) and bool(np.isfinite(given))


def _reference(fit: LatticeFit, reference: Any) -> tuple[Floats | None, Any]:
    """The reference lattice, where it is given, or the positions whose average it is (None: all)."""
    region = reference is None or hasattr(reference, "spans") or is_signal(reference)
    if region or (isinstance(reference, np.ndarray) and reference.dtype == np.bool_):
        return None, counted_positions(fit, reference)
    return fit.same_lattice(reference), None


def strain_columns(fit: LatticeFit, lattice: Any, region: Any, inside: Any, options: tuple[Any, ...]) -> Any:
    """The numbers of `StrainMaps` [nav..., 12]: an ndarray, or frames where the fit or a mask is still lazy."""
    if not any(hasattr(one, "dask") for one in (region, inside)) and not fit.lazy:
        rows = np.asarray(fit.data).reshape(-1, np.shape(fit.data)[-1])
        if region is not None:
            counted = np.isfinite(rows[:, _LATTICE]).all(1) & region.reshape(-1)
            if not (counted if inside is None else counted & inside.reshape(-1)).any():
                raise ValueError(
                    "no position of the reference has a lattice (and is inside of the mask, if one is given): choose "
                    "another part of the scan, or give a lattice as the reference"
                )
        against = reference_and_axes(rows, lattice, region, inside, options)
        out = np.empty((len(rows), COLUMNS))
        fill_strain(rows, against, None if inside is None else inside.reshape(-1), out)
        return out.reshape((*fit.nav_shape, COLUMNS))
    frames: Frames = fit.frames
    if lattice is None:
        whole = Frames.from_array(frames.data.rechunk(-1), 0)
        masks = [SharedLazy(one) if hasattr(one, "dask") else one for one in (region, inside)]
        found = whole.map_frames(_reference_kernel, *masks, options, shape=(2, 2, 2), dtype=np.float64)
        shared: Any = SharedLazy(found.emit().data)
    else:
        shared = reference_and_axes(np.empty((0, 1)), lattice, None, None, options)
    mask = inside
    if inside is not None:
        nav = len(fit.nav_shape)
        array = inside if hasattr(inside, "dask") else Frames.from_array(np.ascontiguousarray(inside), nav).data
        mask = PerPosition(array)
    return frames.map_frames(fill_strain, shared, mask, shape=(COLUMNS,), dtype=np.float64).emit()


def reference_and_axes(rows: Floats, lattice: Any, region: Any, inside: Any, options: tuple[Any, ...]) -> Floats:
    """The lattice without strain, and what turns vectors into the axes of the components: float64 [2, 2, 2].

    Parameters
    ----------
    rows : float64 [n, 15]
        Fits.
    lattice : float64 [2, 2] or None
        The reference; None: strain and rotation are 0 on average over the positions that count.
    region, inside : bool [nav...] or None
        Positions that count.
    options : (float64 [2, 2], float or str, str)
        What turns vectors into the frame of the scan, the x axis of the components, the average.
    """
    to_scan, x_axis, average = options
    counted = np.ones(len(rows), bool)
    for one in (region, inside):
        if one is not None:
            counted &= np.asarray(one, bool).reshape(-1)
    known = None if lattice is not None else rows[counted, _LATTICE].reshape(-1, 2, 2)

    def reference_in(axes: Floats) -> Floats:  # a median depends on the axes
        return lattice if known is None else unstrained(known @ axes.T, average) @ axes

    towards = np.radians(x_axis) if not isinstance(x_axis, str) else 0.0
    if isinstance(x_axis, str):
        y, x = to_scan @ reference_in(to_scan)[("g1", "g2").index(x_axis)]
        towards = np.arctan2(y, x)
    to_axes = turn(-towards) @ to_scan if towards else to_scan
    return np.stack([reference_in(to_axes), to_axes])


def _reference_kernel(frames: Any, region: Any, inside: Any, options: tuple[Any, ...], out: Any) -> None:
    """Fill `out` [1, 2, 2, 2] with the reference of a whole scan [1, nav..., 15], and the axes."""
    for frame, against in zip(frames, out, strict=True):
        against[:] = reference_and_axes(frame.reshape(-1, frame.shape[-1]), None, region, inside, options)


def fill_strain(rows: Floats, against: Floats, inside: Any, out: Floats) -> None:
    """Fill `out` [n, 12] with strain, rotation, their errors and the reference, of fits [n, 15]."""
    reference, to_axes = np.asarray(against, np.float64)
    lattices = rows[:, _LATTICE].reshape(-1, 2, 2)
    out[:, :4] = strain_of(lattices, reference, to_axes)
    out[:, 4:8] = errors_of(lattices, reference, to_axes, rows[:, _COVARIANCE])
    if inside is not None:
        out[~np.asarray(inside, bool), :8] = np.nan
    known = np.isfinite(rows[:, _LATTICE]).all(axis=1, keepdims=True)
    out[:, 8:] = np.where(known, reference.reshape(-1), np.nan)

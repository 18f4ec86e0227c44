"""Axes and metadata of an MRC file, from its headers and from what the camera's server wrote beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lazy4d.io.mrc.direct_electron import Info, acquisition_metadata
from lazy4d.io.mrc.header import MrcHeader
from lazy4d.io.source import AxisSpec, frame_axes, navigation_axes

SPECIMEN, DIFFRACTION = "Specimen Pixel Size {} (nanometers)", "Diffraction Pixel Size {}"

_DIFFRACTION_MODE = 1  # Projection mode of FEI1 and FEI2
_NM_PER_M = 1e9


def signal_axes(
    header: MrcHeader, extended: dict[str, Any], info: Info | None, *, kind: str, single: bool
) -> tuple[AxisSpec, ...]:
    """The detector axes ``(ky, kx)``, or ``(y, x)`` of images in real space, calibrated where the file says how.

    Calibration is that of the server (nm or 1/nm), else CELLA / M (Å), else the pixel size of an FEI header.

    Parameters
    ----------
    header : MrcHeader
        The header.
    extended : dict
        The extended header.
    info : Info or None
        What the camera's server says.
    kind : {"movie", "virtual", "external", "final"}
        What the file is to its acquisition.
    single : bool
        There is one frame.

    Returns
    -------
    tuple of AxisSpec
    """
    scanned = info is not None and info.enabled("Scan - Enable")
    if kind in ("virtual", "external"):
        axes: tuple[AxisSpec, ...] = (AxisSpec("y"), AxisSpec("x"))
        return _server(axes, info, SPECIMEN, "nm")
    axes = frame_axes()
    if info is not None:
        imaging = not scanned and info.text("Instrument Project TEMorSTEM Mode") == "0"
        known = _server(axes, info, SPECIMEN, "nm") if imaging else _server(axes, info, DIFFRACTION, "1/nm")
        if known != axes:
            return known
    x, y, z = header.pixel_size
    volume = header.space_group > 0 and z is not None
    if (single or volume) and info is None:
        axes = (AxisSpec("y"), AxisSpec("x"))
    if x is not None and y is not None:
        return tuple(replace(axis, units="Å", scale=scale) for axis, scale in zip(axes, (y, x), strict=True))
    return _microscope(axes, extended)


def scan_axes(
    names: Sequence[str], nav_shape: tuple[int, ...], header: MrcHeader, info: Info | None
) -> tuple[AxisSpec, ...]:
    """The navigation axes: those of the scan in nm, or the sections of a volume in Å.

    Parameters
    ----------
    names : sequence of str
        Names of the axes, numpy order; empty for the usual ones.
    nav_shape : tuple of int
        Navigation shape.
    header : MrcHeader
        The header.
    info : Info or None
        What the camera's server says.
    """
    axes = navigation_axes(len(nav_shape))
    if len(names) == len(nav_shape):
        axes = tuple(AxisSpec(name) for name in names)
    if info is not None and info.enabled("Scan - Enable") and len(axes) > 1:
        return _server(axes, info, SPECIMEN, "nm")
    z = header.pixel_size[2]
    if info is None and len(axes) == 1 and header.space_group > 0 and z is not None:
        return (AxisSpec("z", "Å", z),)
    return axes


def _server(axes: tuple[AxisSpec, ...], info: Info | None, key: str, units: str) -> tuple[AxisSpec, ...]:
    """Axes called x and y (or kx and ky) with the pixel sizes of the server, where it knows them."""
    if info is None:
        return axes
    result = []
    for axis in axes:
        size = info.positive(key.format(axis.name[-1].upper())) if axis.name[-1] in "xy" else None
        result.append(axis if size is None else replace(axis, units=units, scale=size))
    return tuple(result)


def _microscope(axes: tuple[AxisSpec, ...], extended: dict[str, Any]) -> tuple[AxisSpec, ...]:
    """Axes with the pixel size of an FEI1 or FEI2 header, in m or 1/m there."""
    sizes = [extended.get(f"Pixel size {name}") for name in "YX"]
    if extended.get("Type") not in ("FEI1", "FEI2") or not all(isinstance(n, float) and 0 < n < 1e15 for n in sizes):
        return axes
    reciprocal = extended.get("Projection mode") == _DIFFRACTION_MODE
    factor, units = (1 / _NM_PER_M, "1/nm") if reciprocal else (_NM_PER_M, "nm")
    return tuple(replace(a, units=units, scale=float(n) * factor) for a, n in zip(axes, sizes, strict=True) if n)


def map_metadata(path: str, extended: dict[str, Any], info: Info | None, images: dict[str, Any]) -> dict[str, Any]:
    """The metadata tree of an MRC file; entries that nothing gives are left out.

    Parameters
    ----------
    path : str
        The file.
    extended : dict
        The extended header.
    info : Info or None
        What the camera's server says.
    images : dict
        Images beside the file; they go to ``General``.

    Returns
    -------
    dict
        ``General``, ``Signal`` and ``Acquisition_instrument``: beam_energy in keV, camera_length in mm, dwell_time in
        s.
    """
    tree: dict[str, Any] = {"General": {}, "Acquisition_instrument": {}}
    if info is not None:
        tree = acquisition_metadata(info)
    elif extended:
        tree["Acquisition_instrument"] = _extended_instrument(extended)
    name = Path(path)
    tree["General"] = {"title": name.stem, "original_filename": name.name, **tree["General"], **images}
    tree["Signal"] = {"quantity": "Counts"}
    return {key: value for key, value in tree.items() if value}


def _extended_instrument(extended: dict[str, Any]) -> dict[str, Any]:
    if extended.get("Type") not in ("FEI1", "FEI2"):
        return {}
    stage = {f"tilt_{name.lower()}": extended.get(f"{name} tilt") for name in ("Alpha", "Beta")}
    tem: dict[str, Any] = {
        "beam_energy": _scaled(extended.get("HT"), 1e-3),
        "camera_length": _scaled(extended.get("Camera length"), 1e3),
        "magnification": extended.get("Magnification") or None,
        "microscope": extended.get("Microscope") or None,
        "Stage": {key: value for key, value in stage.items() if value is not None},
    }
    result: dict[str, Any] = {"TEM": {key: value for key, value in tem.items() if value not in (None, {})}}
    dwell = _scaled(extended.get("Dwell time"), 1.0)
    if dwell is not None:
        result |= {"dwell_time": dwell, "dwell_time_units": "s"}
    return result


def _scaled(value: Any, factor: float) -> float | None:
    return value * factor if isinstance(value, float) and 0 < value < 1e15 else None

"""Calibration: what a pixel and a scan step are worth, edited in place and noted in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazy4d.signals.detector_geometry import BEAM_ENERGY as BEAM_ENERGY
from lazy4d.signals.detector_geometry import geometry_that_was_set, keep_pixel_size

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def set_calibration(
    signal: BaseSignal,
    scale: Any = None,
    units: str | None = None,
    center: tuple[float, float] | None = None,
    scan_scale: Any = None,
    scan_units: str | None = None,
    beam_energy: float | str | None = None,
) -> None:
    """Set the calibration of this signal, in place; whatever is None stays as it is.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    scale : float, str or one for each signal axis, optional
        Value of a pixel in `units`, x-first; text carries its unit, ``"0.02 1/Å"``.
    units : str, optional
        Units of the signal axes.
    center : (x, y), optional
        Pixel where the signal axes are 0, x-first; by default the pixel that is 0 stays 0, and on axes that were never
        calibrated pixel ``N // 2`` becomes 0.
    scan_scale, scan_units : optional
        The same for the navigation axes, whose first position keeps its value.
    beam_energy : float or str, optional
        In keV, or ``"200 kV"``; lets mrad and 1/Å be converted. Also kept in
        ``metadata.Acquisition_instrument.TEM.beam_energy``, in keV.

    Raises
    ------
    TypeError, ValueError
        Numbers that do not fit the axes; nothing is changed then.

    Examples
    --------
    >>> s = d.copy()
    >>> s.set_calibration(scale=0.1, units="1/Å", scan_scale=1.2, scan_units="nm", beam_energy="200 kV")
    >>> s.axes_manager["kx"].offset, s.isig["-5 mrad":"5 mrad", :].data.shape
    (-0.8, (4, 4, 16, 4))
    """
    geometry = geometry_that_was_set(signal)
    signal.axes_manager.set_calibration(scale, units, center, scan_scale, scan_units, beam_energy)
    if beam_energy is not None:
        signal.metadata.set_item(BEAM_ENERGY, signal.axes_manager.beam_energy)
    if scale is not None or units is not None or beam_energy is not None:
        keep_pixel_size(signal, geometry)
    given = {
        "scale": scale,
        "units": units,
        "center": center,
        "scan_scale": scan_scale,
        "scan_units": scan_units,
        "beam_energy": beam_energy,
    }
    signal._record("set_calibration", {name: value for name, value in given.items() if value is not None})

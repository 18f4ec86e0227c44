"""Camera length, pixel size and beam energy, and the scale of the axes that follows from them, both ways."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.units import ANGLES, as_item, beam_energy_keV, canonical, convert, parse, wavelength

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

BEAM_ENERGY = "Acquisition_instrument.TEM.beam_energy"
"""Where the metadata keep the beam energy, in keV."""
CAMERA_LENGTH = "Acquisition_instrument.TEM.camera_length"
"""Where the metadata keep the camera length, in mm."""
PIXEL_SIZE = "Acquisition_instrument.TEM.Detector.pixel_size"
"""Where the metadata keep the pixel size that was set, in µm; binning since then shows in the axes, not here."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class DetectorGeometry:
    """How the detector sees the diffraction pattern; None for what is not known.

    Parameters
    ----------
    camera_length : float or None
        mm.
    pixel_size : (x, y) or None
        Of a pixel of this signal, binned or not, µm.
    beam_energy : float or None
        keV.
    scale : (x, y) or None
        1/Å a pixel, absolute; None where the axes are not calibrated or the beam energy is missing.
    angular_scale : (x, y) or None
        mrad a pixel.
    """

    camera_length: float | None
    pixel_size: Pair | None
    beam_energy: float | None
    scale: Pair | None
    angular_scale: Pair | None

    @property
    def wavelength(self) -> float | None:
        """Wavelength of the electrons, Å."""
        return None if self.beam_energy is None else wavelength(self.beam_energy)

    def __repr__(self) -> str:
        parts = (
            ("camera length", None if self.camera_length is None else f"{self.camera_length:.6g}", "mm"),
            ("pixel size", _text(self.pixel_size), "µm"),
            ("beam energy", None if self.beam_energy is None else f"{self.beam_energy:.6g}", "keV"),
            ("scale", _text(self.scale), "1/Å"),
            ("angular scale", _text(self.angular_scale), "mrad"),
        )
        listed = ", ".join(f"{name} {'unknown' if text is None else f'{text} {unit}'}" for name, text, unit in parts)
        return f"<DetectorGeometry: {listed}>"


@property  # type: ignore[misc]
def detector_geometry(signal: BaseSignal) -> DetectorGeometry:
    """Camera length, pixel size, beam energy and scale, as far as they are known: a `DetectorGeometry`.

    The camera length and the beam energy stand in the metadata; the pixel size follows from them and the scale of the
    axes, so that it is right after binning and cropping.

    Examples
    --------
    >>> s = d.copy()
    >>> s.set_detector_geometry(camera_length="150 mm", pixel_size="55 um", beam_energy="200 kV")
    >>> s.rebin(scale=(1, 1, 2, 2)).detector_geometry
    <DetectorGeometry: camera length 150 mm, pixel size 110 µm, beam energy 200 keV, scale 0.0292405 1/Å, angular scale
     0.733333 mrad>
    """
    return geometry_of(signal)


def geometry_of(signal: BaseSignal) -> DetectorGeometry:
    """What `detector_geometry` gives."""
    energy = _energy(signal)
    angular = _angular_scale(signal, energy)
    length, size = signal.metadata.get_item(CAMERA_LENGTH, None), None
    stored = signal.metadata.get_item(PIXEL_SIZE, None)
    if angular is not None and length is not None:
        size = (angular[0] * length * 1e3, angular[1] * length * 1e3)
    elif stored is not None:
        size = _pair(stored)
        length = None if angular is None else size[0] / angular[0] / 1e3
    return DetectorGeometry(
        None if length is None else float(length),
        size,
        energy,
        None
        if angular is None or energy is None
        else (_per_angstrom(angular[0], energy), _per_angstrom(angular[1], energy)),
        None if angular is None else (angular[0] * 1e3, angular[1] * 1e3),
    )


def set_detector_geometry(
    signal: BaseSignal,
    camera_length: float | str | None = None,
    pixel_size: float | str | tuple[Any, Any] | None = None,
    beam_energy: float | str | None = None,
) -> None:
    """Set how the detector sees the pattern, in place; what follows from it is set too, and noted in the history.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    camera_length : float or str, optional
        In mm, or text: ``"15 cm"``.
    pixel_size : float, str or (x, y), optional
        Of the pixels as they are in this signal, binned or not: in µm, or text: ``"55 um"``.
    beam_energy : float or str, optional
        In keV, or text: ``"200 kV"``.

    Raises
    ------
    ValueError
        Numbers that are not positive, units of another kind, or too little to go by. Nothing is changed then.

    Notes
    -----
    The scale is ``pixel_size / camera_length`` in rad, and that over the wavelength in 1/Å. Axes keep their units where
    these are angles or inverse lengths, and their zero.

    - With camera length and pixel size, given now or known before, the scale of the axes is set.
    - A pixel size alone, on calibrated axes: the camera length follows from the scale.
    - A camera length alone, on calibrated axes whose pixel size is not known: the pixel size follows.
    - A beam energy alone changes the scale of axes in 1/Å where the geometry is known; nothing else otherwise.

    Later calibrations of the scale (`set_calibration`, `calibrate_from_ring` and the like) change the camera length, as
    the pixels stay what they are.

    The tangent is linearised: a place on a flat detector is ``L tan θ``, and ``θ`` and ``k = θ / λ`` are taken as
    proportional to it, because an axis has one scale. At 50 mrad a place is off by 8 parts in 10⁴ from this.

    Examples
    --------
    >>> s = d.copy()
    >>> s.set_detector_geometry(camera_length="150 mm", pixel_size="55 um", beam_energy="200 kV")
    >>> s.axes_manager["kx"]
    <kx axis, size: 16, scale: 0.0146203, offset: -0.116962, units: 1/Å>
    """
    known = geometry_of(signal)
    length = _length(camera_length, "mm", "camera_length")
    size = _sizes(pixel_size)
    energy = known.beam_energy if beam_energy is None else beam_energy_keV(beam_energy)
    angular = _angular_scale(signal, energy)
    if length is None and size is None and beam_energy is None:
        raise ValueError("expected a camera length, a pixel size or a beam energy, found none of them")
    to_scale = True
    if length is None and size is None:
        length, size = known.camera_length, known.pixel_size
        to_scale = length is not None and size is not None
    elif size is None:
        size = known.pixel_size
        if size is None and angular is not None and length is not None:
            size, to_scale = (angular[0] * length * 1e3, angular[1] * length * 1e3), False
    elif length is None:
        length = known.camera_length
        if angular is not None:
            if not math.isclose(size[1] / size[0], angular[1] / angular[0], rel_tol=0.02):
                raise ValueError(
                    f"expected a pixel size in the proportion of the scales, {_text(angular)} rad a pixel (x, y), found"
                    f" {_text(size)} µm: give pixel_size=(x, y), or the camera length too to set the scales"
                )
            length, to_scale = math.sqrt(size[0] * size[1] / (angular[0] * angular[1])) / 1e3, False
    if (length is None or size is None) and (camera_length is not None or pixel_size is not None):
        raise ValueError(
            "expected camera_length and pixel_size, or one of them on axes that are calibrated as angles or inverse "
            f"lengths (these with a beam energy), found camera_length={camera_length!r}, pixel_size={pixel_size!r}, "
            f"beam energy {energy} and axes in {signal.frame_axes[-1].units!r}"
        )
    axes = signal.axes_manager
    if to_scale and length is not None and size is not None:
        own = [axis.units for axis in axes.signal_axes]
        units = own[0] if len(set(own)) == 1 and _is_angular(own[0]) else "mrad" if energy is None else "1/Å"
        factor = float(convert(1e-3 / length, "rad", units, energy))
        signs = [math.copysign(1.0, axis.scale) for axis in axes.signal_axes]
        scale = tuple(sign * one * factor for sign, one in zip(signs, size, strict=True))
        axes.set_calibration(scale=scale, units=units, beam_energy=energy)
    elif energy is not None:
        axes.set_calibration(beam_energy=energy)
    if energy is not None:
        signal.metadata.set_item(BEAM_ENERGY, energy)
    if length is not None and size is not None:
        signal.metadata.set_item(CAMERA_LENGTH, length)
        signal.metadata.set_item(PIXEL_SIZE, size[0] if math.isclose(*size, rel_tol=1e-9) else list(size))
    given = {"camera_length": camera_length, "pixel_size": pixel_size, "beam_energy": beam_energy}
    signal._record("set_detector_geometry", {name: value for name, value in given.items() if value is not None})


def geometry_that_was_set(signal: BaseSignal) -> DetectorGeometry | None:
    """The geometry where a pixel size was set, to be kept by `keep_pixel_size`; else None."""
    return geometry_of(signal) if signal.metadata.has_item(PIXEL_SIZE) else None


def keep_pixel_size(signal: BaseSignal, before: DetectorGeometry | None) -> None:
    """After another scale was set: change the camera length so that pixels stay as large as they were before."""
    if before is None or before.pixel_size is None or before.camera_length is None:
        return
    angular = _angular_scale(signal, _energy(signal))
    if angular is not None:
        signal.metadata.set_item(CAMERA_LENGTH, before.pixel_size[0] / angular[0] / 1e3)


def _energy(signal: BaseSignal) -> float | None:
    energy = signal.axes_manager.beam_energy
    if energy is None:
        energy = signal.metadata.get_item(BEAM_ENERGY, None)
    return None if energy is None else float(energy)


def _is_angular(units: str) -> bool:
    """Whether units are those of an angle or of an inverse length."""
    unit = canonical(units)
    if unit in ANGLES:
        return True
    try:
        convert(1.0, unit, "1/Å")
    except ValueError:
        return False
    return True


def _angular_scale(signal: BaseSignal, energy: float | None) -> Pair | None:
    """Angle of a pixel, rad, along x and y, absolute; None where the axes do not say."""
    axes = signal.axes_manager.signal_axes
    if len(axes) != 2 or not all(_is_angular(axis.units) for axis in axes):
        return None
    if energy is None and any(canonical(axis.units) not in ANGLES for axis in axes):
        return None
    x, y = (abs(float(convert(axis.scale, axis.units, "rad", energy))) for axis in axes)
    return x, y


def _per_angstrom(angle: float, energy: float) -> float:
    return float(convert(angle, "rad", "1/Å", energy))


def _length(given: Any, unit: str, name: str) -> float | None:
    """A length in a unit, from a number in it or text."""
    if given is None:
        return None
    item = as_item(given)
    value = float(convert(*parse(item), unit)) if isinstance(item, str) else float(item)
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"expected {name} as a length above 0, in {unit} or with its unit, found {given!r}")
    return value


def _sizes(given: Any) -> Pair | None:
    """Pixel sizes along x and y in µm, from one or both."""
    if given is None:
        return None
    pair = given if isinstance(given, tuple | list | np.ndarray) else (given, given)
    if len(pair) != 2:
        raise ValueError(f"expected pixel_size as one length or as (x, y), found {given!r}")
    x, y = (_length(one, "µm", "pixel_size") for one in pair)
    if x is None or y is None:
        raise ValueError(f"expected pixel_size as one length or as (x, y), found {given!r}")
    return x, y


def _pair(stored: Any) -> Pair:
    x, y = np.broadcast_to(np.asarray(stored, np.float64), (2,)).tolist()
    return x, y


def _text(pair: Pair | None) -> str | None:
    if pair is None:
        return None
    x, y = pair
    return f"{x:.6g}" if math.isclose(x, y, rel_tol=1e-6) else f"({x:.6g}, {y:.6g})"

"""Positions of the beam as vectors: displaced from the axis zero, in any unit, rotated, as lengths and directions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import Frames
from lazy4d.signals.calibration import BEAM_ENERGY
from lazy4d.units import PIXEL, beam_energy_keV, canonical, convert

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.beam_position import BeamPosition

Floats = NDArray[np.float64]

QUANTITY = "Signal.quantity"
"""Where the metadata say what the values are, with their unit in brackets, as for a colour bar."""


def to_units(signal: BeamPosition, units: str, beam_energy: float | str | None = None) -> BaseSignal:
    """The positions in other units, counted from where the axes of the frames are 0: a Signal1D [..., 2] of (y, x).

    Parameters
    ----------
    signal : BeamPosition
        Positions.
    units : str
        Such as ``"mrad"``, ``"1/Å"``, ``"1/nm"``, or ``"px"`` for pixels from the zero of the axes (the centre of the
        frames where they were never calibrated).
    beam_energy : float or str, optional
        In keV, or ``"200 kV"``, to go between angles and inverse lengths; by default that of the scan.

    Returns
    -------
    Signal1D
        Lazy, float64; ``metadata.Signal.quantity`` says the unit.

    Raises
    ------
    ValueError
        The frames were never calibrated, the beam energy is needed and not known, or the units do not fit.

    Notes
    -----
    ``offset + scale * position``, with scale and offset that the axes of the frames had when the beam was found.

    Examples
    --------
    >>> d.set_calibration(scale=0.5, units="mrad")
    >>> d.get_direct_beam_position().to_units("µrad").metadata.Signal.quantity
    'position (µrad)'
    """
    to = canonical(units)
    frames = moved_frames(signal, np.diag(unit_scales(signal, to, beam_energy)))
    return vector_signal(signal, frames, "to_units", {"units": to, "beam_energy": beam_energy}, f"position ({to})")


def get_magnitude(signal: BeamPosition, units: str = PIXEL, beam_energy: float | str | None = None) -> BaseSignal:
    """How far the beam is from where the axes of the frames are 0, at each position: a `VirtualImage`.

    Parameters are those of `to_units`; pixels by default.

    Returns
    -------
    VirtualImage
        Lazy, float64, NaN where there is no beam.

    Examples
    --------
    >>> bool(d.get_direct_beam_position().get_magnitude().compute().data.max() < 1.6)
    True
    """
    to = canonical(units)
    frames = moved_frames(signal, np.diag(unit_scales(signal, to, beam_energy)))
    params = {"units": to, "beam_energy": beam_energy}
    return _image(signal, frames, lengths, "get_magnitude", params, f"magnitude ({to})")


def get_phase(signal: BeamPosition, rotation: float = 0.0) -> BaseSignal:
    """The direction into which the beam is displaced, at each position: a `VirtualImage` of angles in rad.

    Parameters
    ----------
    signal : BeamPosition
        Positions.
    rotation : float, optional
        Degrees added to the angle.

    Returns
    -------
    VirtualImage
        Lazy, float64, in (-π, π]: ``atan2(y, x)``, from +x (to the right) towards +y (down); NaN where there is no
        beam.

    Examples
    --------
    >>> d.get_direct_beam_position().get_phase()
    <VirtualImage, title: direction of beam position, dimensions: (4, 4|), float64, lazy 128 B, 1 block>
    """
    frames = moved_frames(signal, rotation_matrix(rotation) @ np.diag(even_scales(signal)))
    return _image(signal, frames, directions, "get_phase", {"rotation": float(rotation)}, "direction (rad)")


def rotate(signal: BeamPosition, angle: float = 0.0, transpose: bool = False) -> BeamPosition:
    """The displacements of the beam as vectors of another frame of reference: a `BeamPosition` whose zero is (0, 0).

    Parameters
    ----------
    signal : BeamPosition
        Positions; their displacements from where the axes of the frames are 0 are taken.
    angle : float, optional
        Degrees by which vectors are turned, from +x towards +y (as rows count downwards, clockwise to the eye).
    transpose : bool, optional
        Whether y and x are swapped before that, as for a camera whose image is mirrored.

    Returns
    -------
    BeamPosition
        Displacements in pixels, lazy. Where a pixel is not worth the same along y and x, in pixels that are worth the
        geometric mean.

    Notes
    -----
    With ``(v_y, v_x)`` the displacement, transposed if asked for: ``x' = cos(a) v_x - sin(a) v_y``,
    ``y' = sin(a) v_x + cos(a) v_y``.

    Examples
    --------
    >>> com = d.get_direct_beam_position()
    >>> np.allclose(com.rotate(90).y.compute(), com.x.compute().data - 8)
    True
    """
    if not math.isfinite(angle):
        raise ValueError(f"expected the angle of a rotation in degrees, found {angle!r}")
    scales = even_scales(signal)
    size = math.sqrt(abs(scales[0] * scales[1]))
    matrix = rotation_matrix(angle) @ (np.eye(2)[::-1] if transpose else np.eye(2)) @ np.diag(scales / size)
    result: Any = signal._derive(
        moved_frames(signal, matrix).emit(),
        [*signal.nav_axes, *signal.frame_axes],
        "rotate",
        {"angle": float(angle), "transpose": bool(transpose)},
        title=f"turned {signal.title}".rstrip(),
    )
    result._counts_from_zero((size, size))
    return result


def moved_frames(signal: BeamPosition, matrix: Floats) -> Frames:
    """The displacements from the zero of the axes, times a matrix [2, 2], as frames [nav..., 2], not yet emitted."""
    zero = np.array(signal._zero)
    frames: Frames = signal.frames.map_frames(move_vectors, zero, matrix, shape=(2,), dtype=np.float64)
    return frames


def move_vectors(frames: NDArray[Any], zero: Floats, matrix: Floats, out: Floats) -> None:
    """Fill `out` with ``matrix @ (v - zero)`` of vectors [n, 2]; no BLAS, whose sums depend on the number of rows."""
    y, x = frames[:, 0] - zero[0], frames[:, 1] - zero[1]
    for k in range(2):
        if matrix[k, 0] and matrix[k, 1]:
            out[:, k] = matrix[k, 0] * y + matrix[k, 1] * x
        else:  # exact, and NaN of the other column stays there
            out[:, k] = matrix[k, 0] * y if matrix[k, 0] else matrix[k, 1] * x


def lengths(frames: NDArray[Any], out: Floats) -> None:
    """Fill `out` with the lengths of vectors."""
    np.hypot(frames[:, 0], frames[:, 1], out=out)


def directions(frames: NDArray[Any], out: Floats) -> None:
    """Fill `out` with the angles of vectors (y, x), from +x towards +y."""
    np.arctan2(frames[:, 0], frames[:, 1], out=out)


def rotation_matrix(angle: float) -> Floats:
    """What turns (y, x) by an angle in degrees from +x towards +y; exact for multiples of 90.

    Examples
    --------
    >>> rotation_matrix(90) @ [0.0, 1.0]
    array([1., 0.])
    """
    quarters, rest = divmod(angle, 90)
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[int(quarters) % 4]
    cos, sin = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    c, s = c * cos - s * sin, s * cos + c * sin  # type: ignore[assignment]
    return np.array([[c, s], [-s, c]], np.float64)


def unit_scales(signal: BeamPosition, units: str, beam_energy: float | str | None = None) -> Floats:
    """What a pixel is worth in some units, along y and x.

    Raises
    ------
    ValueError
        The frames were never calibrated, or the units do not fit.
    """
    scales, found = signal._frame_scales
    if units == PIXEL:
        return np.ones(2)
    if PIXEL in found:
        raise ValueError(
            f"{signal!r} is in pixels that were never calibrated, so it cannot be given in {units!r}: call "
            "set_calibration(scale=..., units='1/Å', beam_energy='200 kV') on it, or on the scan before the beam is "
            "found"
        )
    energy = energy_of(signal, beam_energy)
    return np.array([convert(s, unit, units, energy) for s, unit in zip(scales, found, strict=True)])


def even_scales(signal: BeamPosition) -> Floats:
    """What a pixel is worth along y and x in one unit, so that directions are true; 1 where that is not known."""
    scales, (y, x) = signal._frame_scales
    if y == x:
        return np.array(scales)
    return np.array([convert(scales[0], y, x, energy_of(signal, None)), scales[1]])


def energy_of(signal: BaseSignal, beam_energy: float | str | None) -> float | None:
    """The beam energy in keV: as given, as in the metadata, or as on the axes; None where it is not known."""
    if beam_energy is not None:
        return beam_energy_keV(beam_energy)
    noted = signal.metadata.get_item(BEAM_ENERGY, None)
    if noted is not None:
        return beam_energy_keV(noted)
    return next((axis.beam_energy for axis in signal.nav_axes if axis.beam_energy is not None), None)


def known_energy(signal: BaseSignal, beam_energy: float | str | None, what: str) -> float:
    """The beam energy in keV, which has to be known.

    Raises
    ------
    ValueError
        It is not.
    """
    energy = energy_of(signal, beam_energy)
    if energy is None:
        raise ValueError(
            f"{what} needs the beam energy, which is not set: give beam_energy='200 kV' with the value of your "
            "microscope, or call set_calibration(beam_energy=...)"
        )
    return energy


def vector_signal(
    signal: BaseSignal, frames: Frames, op: str, params: dict[str, Any], quantity: str, parents: Any = ()
) -> BaseSignal:
    """Vectors [nav..., 2] as a Signal1D that says what they are."""
    result = signal._derive(
        frames.emit(),
        [*signal.nav_axes, *signal.frame_axes],
        op,
        params,
        kind=signal._class_of[1],
        title=f"{quantity.partition(' (')[0]} of {signal.title}" if signal.title else quantity.partition(" (")[0],
        parents=parents,
    )
    result.metadata.set_item(QUANTITY, quantity)
    return result


def _image(
    signal: BaseSignal,
    frames: Frames,
    kernel: Callable[..., None],
    op: str,
    params: dict[str, Any],
    quantity: str,
) -> BaseSignal:
    title = f"{quantity.partition(' (')[0]} of {signal.title}" if signal.title else quantity.partition(" (")[0]
    values = frames.map_frames(kernel, shape=(), dtype=np.float64).emit()
    result = signal._derive(values, signal.nav_axes, op, params, kind=signal._class_of[0], title=title)
    result.metadata.set_item(QUANTITY, quantity)
    return result

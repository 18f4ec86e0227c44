"""`BeamPosition`: where the direct beam is in each frame, and what that says about scan and specimen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lazy4d.axes import Axis, calibration
from lazy4d.signals import beam_fit
from lazy4d.signals.base import BaseSignal
from lazy4d.signals.calibration import BEAM_ENERGY
from lazy4d.signals.dpc import color_image, field, phase, rotation, vectors
from lazy4d.signals.frame_center import has_zero
from lazy4d.units import PIXEL

CENTER = "BeamPosition.center"
"""Where the metadata keep the pixel (y, x) that a centred beam sits on."""
FRAME_AXES = "BeamPosition.frame_axes"
"""Where the metadata keep scale, offset and units, each as [y, x], of the frames that the positions came from."""


class BeamPosition(BaseSignal, signal_ndim=1):
    """The position (y, x) of the direct beam in each frame, in pixels counted from the frame's first.

    Parameters are those of `BaseSignal`; data are float64 ``[nav..., 2]``, columns y and x. The metadata hold the axes
    of the frames, so that positions can be given in other units: displacements count from where these axes are 0 or,
    where they were never calibrated, from `center`.

    Examples
    --------
    >>> com = l4.Diffraction2D(np.ones((3, 4, 8, 8), "uint8")).get_direct_beam_position()
    >>> com.compute().data[0, 0], com.shifts.compute().data[0, 0]
    (array([3.5, 3.5]), array([0.5, 0.5]))
    """

    # -- descan ------------------------------------------------------------------------------------------------------
    get_linear_plane = beam_fit.get_linear_plane

    # -- as vectors --------------------------------------------------------------------------------------------------
    to_units = vectors.to_units
    get_magnitude = vectors.get_magnitude
    get_phase = vectors.get_phase
    get_color_image = color_image.get_color_image
    rotate = vectors.rotate
    calibrate_rotation = rotation.calibrate_rotation
    apply_rotation = rotation.apply_rotation

    # -- what moves the beam -----------------------------------------------------------------------------------------
    get_deflection = field.get_deflection
    get_electric_field = field.get_electric_field
    get_magnetic_induction = field.get_magnetic_induction
    phase_retrieval = phase.phase_retrieval

    _lost_by = frozenset({"isig", "rebin", "std", "sum", "var"})  # what these give are no positions

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return frame_shape == (2,)

    @classmethod
    def _expected_frame(cls) -> str:
        return "two numbers, (y, x),"

    @property
    def center(self) -> tuple[float, float]:
        """The pixel (y, x) on which a centred beam sits, ``N // 2`` of the frames the positions came from.

        Raises
        ------
        ValueError
            It is not known.
        """
        found = self.metadata.get_item(CENTER, None)
        if found is None:
            raise ValueError(
                f"{self!r} does not say which frames it belongs to: set metadata.set_item({CENTER!r}, [y, x]) to the "
                "pixel a centred beam sits on, N // 2 along each axis"
            )
        return float(found[0]), float(found[1])

    @property
    def score(self) -> BaseSignal:
        """How far each position can be trusted, as a `VirtualImage`; what the number means depends on the method.

        Raises
        ------
        ValueError
            The positions were not found in frames, or were changed since.
        """
        if "score" not in self._beside:
            raise ValueError(
                f"{self!r} has no score: it stands beside the result of get_direct_beam_position itself, and beside "
                "what inav selects of that"
            )
        return self._beside["score"]

    @property
    def shifts(self) -> BaseSignal:
        """What moves each frame's beam to the centre: ``center - position``, a Signal1D [..., 2] = (y, x) in pixels."""
        moved = np.subtract(np.array(self.center), self)
        return BaseSignal._class_of[1](moved, title=f"shifts from {self.title}")

    @property
    def measured(self) -> BeamPosition:
        """The positions that a surface was fitted to; of a result of `get_linear_plane`, also after `compute`.

        Raises
        ------
        ValueError
            The positions are no fit, or were changed since.
        """
        found = self._beside.get("measured")
        if not isinstance(found, BeamPosition):
            raise ValueError(
                f"{self!r} has no measured positions beside it: these stand beside the result of get_linear_plane "
                "itself, and beside what inav selects of that"
            )
        return found

    @property
    def residual(self) -> BeamPosition:
        """``measured - fitted``, of a result of `get_linear_plane`: what is left without descan, its zero at (0, 0).

        Raises
        ------
        ValueError
            The positions are no fit, or were changed since.

        Examples
        --------
        >>> fit = d.get_direct_beam_position().get_linear_plane()
        >>> fit.residual.center
        (0.0, 0.0)
        """
        left: Any = self.measured - self
        left.metadata.set_item("General.title", f"{self.measured.title} without its {self._model()}")
        return left

    @property
    def coefficients(self) -> BaseSignal:
        """The numbers of a fitted surface; see `lazy4d.signals.beam_fit.coefficients`."""
        return beam_fit.coefficients(self)

    @property
    def y(self) -> BaseSignal:
        """Rows of the positions: a `VirtualImage`."""
        return self.isig[0]

    @property
    def x(self) -> BaseSignal:
        """Columns of the positions: a `VirtualImage`."""
        return self.isig[1]

    def set_calibration(
        self,
        scale: Any = None,
        units: str | None = None,
        center: tuple[float, float] | None = None,
        scan_scale: Any = None,
        scan_units: str | None = None,
        beam_energy: float | str | None = None,
    ) -> None:
        """Set what a pixel of the frames and a scan step are worth, in place; see `BaseSignal.set_calibration`.

        Positions stay in pixels; `scale`, `units` and `center` tell what these are worth, and where zero is.

        Examples
        --------
        >>> com = d.get_direct_beam_position()
        >>> com.set_calibration(scale=0.5, units="mrad")
        >>> com.to_units("mrad").metadata.Signal.quantity
        'position (mrad)'
        """
        of_frames = any(one is not None for one in (scale, units, center))
        axes = self._frame_axes_noted() if of_frames else []
        calibration.calibrate(axes[::-1], scale, units, center)
        for signal in (self, *self._beside.values()):
            signal.axes_manager.set_calibration(None, None, None, scan_scale, scan_units, beam_energy)
        if of_frames:
            self._note(axes)
        if beam_energy is not None:
            self.metadata.set_item(BEAM_ENERGY, self.axes_manager.beam_energy)
        given = {
            "scale": scale,
            "units": units,
            "center": center,
            "scan_scale": scan_scale,
            "scan_units": scan_units,
            "beam_energy": beam_energy,
        }
        self._record("set_calibration", {name: value for name, value in given.items() if value is not None})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Give what `ufunc` makes of `inputs`, lazily; positions less anything have their zero at (0, 0)."""
        result = super().__array_ufunc__(ufunc, method, *inputs, **kwargs)
        if ufunc is np.subtract and isinstance(inputs[0], BeamPosition) and isinstance(result, BeamPosition):
            result._counts_from_zero(None)
        return result

    # -- for the modules above ---------------------------------------------------------------------------------------

    def _belongs_to(self, frame_axes: Sequence[Axis]) -> None:
        """Note the axes (ky, kx) of the frames in which the positions were found."""
        self.metadata.set_item(CENTER, [axis.size // 2 for axis in frame_axes])
        # Where nobody set a zero it is the middle, whatever cropping and reversing made of the offset.
        middle = [axis.copy(offset=-axis.scale * (axis.size // 2)) for axis in frame_axes]
        self._note([own if has_zero(own) else other for own, other in zip(frame_axes, middle, strict=True)])

    def _note(self, frame_axes: Sequence[Axis]) -> None:
        for name in ("scale", "offset", "units"):
            self.metadata.set_item(f"{FRAME_AXES}.{name}", [getattr(axis, name) for axis in frame_axes])

    def _counts_from_zero(self, scales: tuple[float, float] | None) -> None:
        """Note that the values are displacements, whose zero is (0, 0); and, if they changed, what a pixel is worth."""
        known, units = self._frame_scales
        self.metadata.set_item(CENTER, [0, 0])
        self.metadata.set_item(f"{FRAME_AXES}.scale", list(known if scales is None else scales))
        self.metadata.set_item(f"{FRAME_AXES}.offset", [0.0, 0.0])
        self.metadata.set_item(f"{FRAME_AXES}.units", list(units if scales is None else (units[1], units[1])))

    @property
    def _frame_scales(self) -> tuple[tuple[float, float], tuple[str, str]]:
        """What a pixel of the frames is worth along y and x, and the units."""
        scale = self.metadata.get_item(f"{FRAME_AXES}.scale", (1.0, 1.0))
        units = self.metadata.get_item(f"{FRAME_AXES}.units", (PIXEL, PIXEL))
        return (float(scale[0]), float(scale[1])), (str(units[0]), str(units[1]))

    @property
    def _zero(self) -> tuple[float, float]:
        """The pixel (y, x), with its fraction, where the axes of the frames are 0; `center` where nobody set it."""
        offsets = self.metadata.get_item(f"{FRAME_AXES}.offset", (0.0, 0.0))
        (sy, sx), units = self._frame_scales
        zero = (-float(offsets[0]) / sy, -float(offsets[1]) / sx)
        if all(unit != PIXEL or place > 0 for unit, place in zip(units, zero, strict=True)):
            return zero
        center = self.center
        found = [z if u != PIXEL or z > 0 else c for z, u, c in zip(zero, units, center, strict=True)]
        return found[0], found[1]

    def _frame_axes_noted(self) -> list[Axis]:
        """Axes (ky, kx) like those of the frames, as far as the metadata say."""
        (scales, units), center = self._frame_scales, self.center
        offsets = self.metadata.get_item(f"{FRAME_AXES}.offset", (0.0, 0.0))
        return [
            Axis(name=name, size=max(1, round(2 * c)), scale=s, offset=float(o), units=u)
            for name, c, s, o, u in zip(("ky", "kx"), center, scales, offsets, units, strict=True)
        ]

    def _model(self) -> str:
        return str(self.metadata.get_item(beam_fit.MODEL, "plane"))

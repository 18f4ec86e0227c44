"""How the camera is turned against the scan: the rotation that takes the curl out of the beam's displacements."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.signals.beam_fit.counting import position_weights
from lazy4d.signals.computing import compute_together
from lazy4d.signals.dpc.smoothing import smoothed
from lazy4d.signals.dpc.vectors import even_scales, moved_frames, rotate, rotation_matrix
from lazy4d.units import convert

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.beam_position import BeamPosition

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScanRotation:
    """What turns vectors measured on the camera into the frame of the scan; see `BeamPosition.calibrate_rotation`.

    Parameters
    ----------
    angle : float
        Degrees, from +x towards +y (down), applied after the transposition; in (-90, 90] unless resolved.
    transpose : bool
        Whether y and x are swapped first.
    margin : float
        Curl left with the other choice of `transpose`, at its best angle, over that left with this one: 1 means that
        the choice is a guess, 2 or more that it is safe.
    curl_before, curl_after : float
        Root mean square of the curl, before and after, over that of curl and divergence together: from 0 (none) to 1.
    resolved : bool
        Whether a reference decided between `angle` and the opposite.

    Examples
    --------
    >>> ScanRotation(17.0, False, 8.5, 0.3, 0.05)
    <ScanRotation: 17.00° (or 197.00°), not transposed, margin 8.50, curl 0.3 → 0.05>
    """

    angle: float
    transpose: bool
    margin: float
    curl_before: float
    curl_after: float
    resolved: bool = False

    @property
    def ambiguity(self) -> str:
        """What the angle leaves open, in words."""
        if self.resolved:
            return "none: a reference decided for the sign"
        return (
            f"the field has no curl at {self.angle:.2f}° nor at {self.angle + 180:.2f}°, which turns the sign of all "
            "vectors and of the phase: give calibrate_rotation(reference=...) an image that is bright where electrons "
            "are drawn to, such as an annular dark field, or take .opposite()"
        )

    def opposite(self) -> ScanRotation:
        """The other angle that leaves no curl: the same and half a turn.

        Examples
        --------
        >>> ScanRotation(17.0, False, 8.5, 0.3, 0.05).opposite().angle
        -163.0
        """
        return replace(self, angle=_in_turn(self.angle + 180))

    def __repr__(self) -> str:
        other = "" if self.resolved else f" (or {self.angle + 180:.2f}°)"
        return (
            f"<ScanRotation: {self.angle:.2f}°{other}, {'' if self.transpose else 'not '}transposed, margin "
            f"{self.margin:.2f}, curl {self.curl_before:.2g} → {self.curl_after:.2g}>"
        )


def calibrate_rotation(
    signal: BeamPosition, reference: Any = None, mask: Any = None, smoothing: float = 1.0
) -> ScanRotation:
    """The rotation of the camera against the scan, from the fact that a deflection by a potential has no curl.

    Computes: where the positions are lazy the file is read once. It is best to compute them first, as the positions
    are small and needed again.

    Parameters
    ----------
    signal : BeamPosition
        Positions over a scan whose last two axes are y and x; subtract the descan first (`get_linear_plane`).
    reference : VirtualImage or ndarray [nav...], optional
        An image of the scan that is bright where electrons are drawn to, such as an annular dark field image of atoms
        or of a particle. It decides between the angle and its opposite, which the curl cannot.
    mask : ROI, bool ndarray [nav...] or VirtualImage of bool, optional
        Only positions inside, or True, count.
    smoothing : float, optional
        Standard deviation, in scan steps, of the Gaussian that takes noise off before differences are taken. It acts on
        both components alike and cannot turn them; 0 for none.

    Returns
    -------
    ScanRotation
        To be given to `apply_rotation`.

    Raises
    ------
    ValueError
        Less than two navigation axes, axes shorter than 5, or no position with finite neighbours.

    Notes
    -----
    With curl ``C = ∂_y v_x - ∂_x v_y`` and divergence ``D = ∂_y v_y + ∂_x v_x`` by central differences, in units of
    the scan axes, a rotation by a from +x towards +y gives the curl ``C cos a - D sin a``. Its mean square is smallest
    at ``a = ½ atan2(2⟨CD⟩, ⟨D²⟩ - ⟨C²⟩)``. That is done for both transpositions, and the one that leaves less curl is
    taken. A turn by 180° leaves as little: this ambiguity is intrinsic, and `ScanRotation.ambiguity` says so.

    Examples
    --------
    >>> y, x = np.mgrid[-8:8, -8:8]
    >>> bump = np.exp(-(y**2 + x**2) / 16)
    >>> field = l4.BeamPosition(np.stack([-y * bump, -x * bump], -1))
    >>> field.metadata.set_item("BeamPosition.center", [0, 0])
    >>> field.rotate(-30).calibrate_rotation(reference=l4.VirtualImage(bump))
    <ScanRotation: 30.00°, not transposed, ...
    """
    steps = scan_steps(signal, 5)
    vectors = moved_frames(signal, np.diag(even_scales(signal)))
    weight = position_weights(signal, mask)
    parts: list[Any] = [vectors.emit().data, None if weight is None else weight.array, reference]
    values, counts, image = compute_together(*parts)
    if not np.isfinite(smoothing) or smoothing < 0:
        raise ValueError(f"expected smoothing in scan steps, at least 0, found {smoothing!r}")
    values = np.where(np.isfinite(values).all(axis=-1, keepdims=True), values, np.nan)
    if counts is not None:
        values[~(counts > 0)] = np.nan
    return rotation_of(values, steps, float(smoothing), None if image is None else _reference(signal, image))


def apply_rotation(signal: BeamPosition, rotation: ScanRotation) -> BeamPosition:
    """The displacements of the beam in the frame of the scan: ``rotate(rotation.angle, rotation.transpose)``.

    Examples
    --------
    >>> from lazy4d.signals import ScanRotation
    >>> com = d.get_direct_beam_position()
    >>> com.apply_rotation(ScanRotation(90.0, False, 5.0, 0.5, 0.1)).shape
    (4, 4, 2)
    """
    return rotate(signal, rotation.angle, rotation.transpose)


def rotation_of(values: Floats, steps: tuple[float, float], smoothing: float, image: Floats | None) -> ScanRotation:
    """The rotation of a field of vectors [..., y, x, 2] with scan steps (y, x); see `calibrate_rotation`."""
    smooth = np.stack([smoothed(values[..., k], smoothing, steps) for k in range(2)], -1)
    for axis in (-3, -2):  # at the edge of the scan a mean is one-sided: that part is left out, if it is small
        size = values.shape[axis]
        rim = min(math.ceil(2 * smoothing), size // 8)
        np.moveaxis(smooth, axis, 0)[[*range(rim), *range(size - rim, size)]] = np.nan
    found = []
    before: float = 0.0
    for transpose in (False, True):
        curl, divergence = curl_and_divergence(smooth[..., ::-1] if transpose else smooth, steps)
        both = np.isfinite(curl) & np.isfinite(divergence)
        if not both.any():
            raise ValueError(
                f"no position of a scan of shape {values.shape[:-1]} has finite neighbours on all sides to take "
                "differences with: let more of the scan count, or find the beam in more frames"
            )
        c, d = curl[both], divergence[both]
        cc, dd, cd = float(np.mean(c * c)), float(np.mean(d * d)), float(np.mean(c * d))
        # The mean square of C cos a - D sin a is (cc + dd)/2 + (cc - dd)/2 cos 2a - cd sin 2a.
        angle = 0.5 * math.atan2(2 * cd, dd - cc)
        left = max(0.0, (cc + dd) / 2 - math.hypot((cc - dd) / 2, cd))
        if not transpose:
            before = math.sqrt(cc / (cc + dd)) if cc + dd else 0.0
        found.append((left, cc + dd, math.degrees(angle), transpose))
    (left, total, angle, transpose), (left_by_other, *_) = sorted(found)
    margin = math.sqrt(left_by_other / left) if left else math.inf if left_by_other else 1.0
    after = math.sqrt(left / total) if total else 0.0
    result = ScanRotation(_in_half_turn(angle), transpose, margin, before, after)
    return result if image is None else _resolved(result, smooth, steps, image)


def _resolved(result: ScanRotation, smooth: Floats, steps: tuple[float, float], image: Floats) -> ScanRotation:
    """The angle for which vectors point to where the reference is bright: the divergence is negative there."""
    vectors = smooth[..., ::-1] if result.transpose else smooth
    turned = np.einsum("kl,...l->...k", rotation_matrix(result.angle), vectors)
    divergence = curl_and_divergence(turned, steps)[1]
    both = np.isfinite(divergence) & np.isfinite(image)
    if not both.any():
        return result
    overlap = float(np.mean((divergence[both] - divergence[both].mean()) * (image[both] - image[both].mean())))
    if overlap == 0:
        return result
    return replace(result if overlap < 0 else result.opposite(), resolved=True)


def curl_and_divergence(vectors: Floats, steps: tuple[float, float]) -> tuple[Floats, Floats]:
    """Curl ``∂_y v_x - ∂_x v_y`` and divergence of vectors (y, x) on the last two axes; NaN in a rim of two.

    Central differences of fourth order: those of second order are too low by more along the axis of larger steps,
    which looks like a rotation.

    Examples
    --------
    >>> y, x = np.mgrid[0:5, 0:5].astype(float)
    >>> curl, divergence = curl_and_divergence(np.stack([y, 3 * x], -1), (1.0, 2.0))
    >>> curl[2, 2], divergence[2, 2]
    (np.float64(0.0), np.float64(2.5))
    """
    along_y = _derivative(vectors, vectors.ndim - 3) / steps[0]
    along_x = _derivative(vectors, vectors.ndim - 2) / steps[1]
    return along_y[..., 1] - along_x[..., 0], along_y[..., 0] + along_x[..., 1]


def _derivative(values: Floats, axis: int) -> Floats:
    result = np.full(values.shape, np.nan)
    moved, out = np.moveaxis(values, axis, 0), np.moveaxis(result, axis, 0)
    out[2:-2] = (8 * (moved[3:-1] - moved[1:-3]) - (moved[4:] - moved[:-4])) / 12
    return result


def scan_steps(signal: BaseSignal, least: int = 1) -> tuple[float, float]:
    """The steps of the scan along y and x, in one unit, with their signs.

    Raises
    ------
    ValueError
        Less than two navigation axes, axes that are too short, or of units that do not go together.
    """
    if len(signal.nav_shape) < 2 or min(signal.nav_shape[-2:]) < least:
        raise ValueError(
            f"expected a scan whose last two axes are y and x of at least {least} positions each, found the navigation "
            f"shape {signal.nav_shape} (numpy order) of {signal!r}"
        )
    y, x = signal.nav_axes[-2:]
    return _scale_in(y, x.units), x.scale


def _scale_in(axis: Axis, units: str) -> float:
    return axis.scale if axis.units == units else convert(axis.scale, axis.units, units, axis.beam_energy)


def _reference(signal: BaseSignal, image: Any) -> Floats:
    array = np.asarray(image.data if hasattr(image, "nav_shape") else image, np.float64)
    if array.shape != signal.nav_shape:
        raise ValueError(
            f"expected a reference image of the navigation shape {signal.nav_shape} (numpy order), found shape "
            f"{array.shape}"
        )
    return array


def _in_half_turn(angle: float) -> float:
    """The same line's angle in (-90, 90]."""
    return 90.0 - (90.0 - angle) % 180.0


def _in_turn(angle: float) -> float:
    """The same direction's angle in (-180, 180]."""
    return 180.0 - (180.0 - angle) % 360.0

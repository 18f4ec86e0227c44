"""Frames turned, stretched and sheared about the direct beam, each pixel interpolated between those it comes from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.affine import INTERPOLATIONS, AffineMap, resample
from lazy4d.lazy import Frames
from lazy4d.signals.construction import image_frames
from lazy4d.signals.ellipse import Ellipse, as_ellipse, ellipse_of, transformed, write_ellipse
from lazy4d.signals.frame_center import frame_axes_of, frame_center, pixel_steps

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

WHOLE = 1e-9
"""Matrices and offsets this close to whole numbers move pixels onto pixels."""


def rotate_diffraction(
    signal: BaseSignal,
    angle: float,
    center: Any = None,
    *,
    interpolation: str = "bilinear",
    fill: float = 0,
) -> BaseSignal:
    """The signal with every frame turned about the direct beam, lazily; the axes stay where they are.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns, or other images.
    angle : float
        Degrees, from +x (kx) towards +y (ky): what lay on the kx axis lies at this angle afterwards. With ky drawn
        downwards this is clockwise.
    center : (x, y), optional
        What stays in place: ints are pixels, floats axis units, text carries its unit. By default where both axes are
        0, or the middle pixel ``N // 2`` on axes that were never calibrated.
    interpolation : {"bilinear", "cubic", "nearest"}, optional
        As for `apply_affine_transformation`.
    fill : float, optional
        Where the frame does not reach; may be NaN where the result is float.

    Returns
    -------
    BaseSignal
        As of `apply_affine_transformation`. Turned by a multiple of 90° about a pixel, or a corner of pixels, frames
        are copied pixel by pixel and keep their dtype. A calibrated ellipse is turned too.

    Raises
    ------
    ValueError
        No finite angle, no such interpolation, or frames that are no images of real numbers.

    Notes
    -----
    With even sizes the middle pixel ``N // 2`` is not the middle of the frame: turned by 180° about it, the first row
    and column come from outside and are `fill`. About ``center`` in the corner between the four middle pixels,
    ``((N - 1) / 2, (N - 1) / 2)`` in pixels, nothing is lost.

    Examples
    --------
    >>> d.rotate_diffraction(30).data.dtype, d.rotate_diffraction(90).data.dtype
    (dtype('float32'), dtype('uint16'))
    """
    if not isinstance(angle, int | float | np.integer | np.floating) or not math.isfinite(angle):
        raise ValueError(f"expected the angle as a finite number of degrees, found {angle!r}")
    turn = math.radians(angle)
    c, s = math.cos(turn), math.sin(turn)
    params = {"angle": float(angle), "center": center, "interpolation": interpolation, "fill": fill}
    return _transformed(signal, np.array([[c, s], [-s, c]]), (0.0, 0.0), center, "rotate_diffraction", params)


def apply_affine_transformation(
    signal: BaseSignal,
    matrix: Any,
    center: Any = None,
    *,
    interpolation: str = "bilinear",
    fill: float = 0,
    preserve_intensity: bool = False,
) -> BaseSignal:
    """The signal with every frame stretched, sheared, turned or moved by one matrix, lazily; the axes stay.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns, or other images.
    matrix : array (2, 2) or (3, 3)
        x-first, and forward, as in ``skimage.transform.AffineTransform``: what lay at (x, y) from the centre lies at
        ``matrix @ (x, y)`` afterwards, or at ``matrix @ (x, y, 1)``, whose last column moves it, in pixels. x and y are
        lengths on the axes, so that angles are right also where pixels are not square.
    center : (x, y), optional
        What a (2, 2) matrix leaves in place; as for `rotate_diffraction`.
    interpolation : {"bilinear", "cubic", "nearest"}, optional
        "bilinear" never leaves the range of the pixels, but blurs; "cubic" (Catmull and Rom) keeps more detail and can
        overshoot below 0; "nearest" makes up no values and keeps the dtype.
    fill : float, optional
        Where the frame does not reach, or where the interpolation would need a pixel beyond its edge; may be NaN where
        the result is float.
    preserve_intensity : bool, optional
        Multiply by the area that a pixel of the result had before (the Jacobian ``1 / |det matrix|``), so that the sum
        over a spot stays, and not the height of a plateau.

    Returns
    -------
    BaseSignal
        float32, or float64 where float32 is too narrow for the dtype; the dtype of the data for "nearest" and where
        pixels fall onto pixels. A calibrated ellipse is transformed with the frames.

    Raises
    ------
    ValueError
        A matrix of another shape, that cannot be inverted or is not affine; no such interpolation; frames that are no
        images of real numbers.

    Notes
    -----
    ``out[p] = in[A (p - c) + c]`` with A the inverse of `matrix`. pyxem's method of this name takes that inverse, from
    the result to the data: give ``np.linalg.inv(matrix)`` of a matrix made for it.

    Examples
    --------
    >>> wider = d.apply_affine_transformation([[1.05, 0], [0, 1]], preserve_intensity=True)
    >>> wider.data.dtype, wider.axes_manager.equals(d.axes_manager)
    (dtype('float32'), True)
    """
    given = np.asarray(matrix)
    if given.shape not in ((2, 2), (3, 3)) or given.dtype.kind not in "iuf" or not np.isfinite(given).all():
        raise ValueError(f"expected a matrix (2, 2) or (3, 3) of finite real numbers, x-first, found {matrix!r}")
    if given.shape == (3, 3) and not np.allclose(given[2], (0, 0, 1), rtol=0, atol=1e-12):
        raise ValueError(f"expected an affine matrix, with (0, 0, 1) as its last row, found {given[2].tolist()}")
    linear = given[:2, :2].astype(np.float64)[::-1, ::-1]
    if abs(np.linalg.det(linear)) < 1e-12 * max(float(np.abs(linear).max()) ** 2, 1e-300):
        raise ValueError(f"expected a matrix that can be inverted, found determinant 0: {matrix!r}")
    moved = (float(given[1, 2]), float(given[0, 2])) if given.shape == (3, 3) else (0.0, 0.0)
    params = {"matrix": given.tolist(), "center": center, "interpolation": interpolation, "fill": fill}
    params["preserve_intensity"] = bool(preserve_intensity)
    factor = 1.0 / abs(float(np.linalg.det(linear))) if preserve_intensity else 1.0
    return _transformed(signal, linear, moved, center, "apply_affine_transformation", params, factor)


def correct_ellipse(
    signal: BaseSignal,
    ellipse: Ellipse | tuple[float, float] | None = None,
    center: Any = None,
    *,
    interpolation: str = "bilinear",
    fill: float = 0,
) -> BaseSignal:
    """The signal with elliptic rings made round, every frame resampled lazily; the axes stay where they are.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    ellipse : Ellipse or (ratio, angle in degrees), optional
        The distortion; by default the one the signal was calibrated with (`calibrate_ellipse`).
    center, interpolation, fill
        As for `apply_affine_transformation`.

    Returns
    -------
    BaseSignal
        As of `apply_affine_transformation`. Radii keep their geometric mean, and areas and sums are kept. Corrected
        by the calibrated ellipse, the result is no longer calibrated with one, so that it is not corrected again.

    Raises
    ------
    ValueError
        No ellipse is given and the signal was not calibrated with one.

    Notes
    -----
    Interpolation blurs: a ring with a standard deviation of 1.5 pixels becomes 3 % wider by "bilinear", and not by
    "cubic".

    See Also
    --------
    calibrate_ellipse : Measures it from a ring pattern.
    get_azimuthal_integral1d : Takes the ellipse into account without resampling: no blur, and faster.

    Examples
    --------
    >>> d.correct_ellipse((1.03, 30.0)).history[-1].params["ellipse"]
    [1.03, 30.0]
    """
    known = ellipse_of(signal) if ellipse is None else as_ellipse(ellipse)
    if known is None:
        raise ValueError(
            "expected an ellipse, or a signal that was calibrated with one, found neither: call calibrate_ellipse on "
            "a ring pattern, or give ellipse=(ratio, angle)"
        )
    params = {"ellipse": [known.ratio, known.angle], "center": center, "interpolation": interpolation, "fill": fill}
    return _transformed(signal, known.matrix(), (0.0, 0.0), center, "correct_ellipse", params)


def _transformed(
    signal: BaseSignal,
    forward: NDArray[np.float64],
    moved: tuple[float, float],
    center: Any,
    op: str,
    params: dict[str, Any],
    factor: float = 1.0,
) -> BaseSignal:
    """The signal seen through a matrix (y, x) on the axes, from data to result, and a move (y, x) in pixels."""
    frame_axes_of(signal, op)
    steps = pixel_steps(signal)
    inverse = np.linalg.inv(forward) * steps / steps[:, None]
    middle = np.array(frame_center(signal, center))
    offset = middle - inverse @ (middle + moved)
    interpolation = params["interpolation"]
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation={interpolation!r} is not known: expected one of {', '.join(map(repr, INTERPOLATIONS))}"
        )
    whole = np.rint(inverse), np.rint(offset)
    if np.abs(inverse - whole[0]).max() < WHOLE and np.abs(offset - whole[1]).max() < 1e3 * WHOLE:
        if abs(round(float(np.linalg.det(whole[0])))) == 1:  # pixels onto pixels: nothing to interpolate
            inverse, offset, interpolation = *whole, "nearest"
    frames = _resampled(signal, inverse, offset, interpolation, params["fill"], factor)
    result = signal._derive(frames, [*signal.nav_axes, *signal.frame_axes], op, params)
    known = ellipse_of(signal)
    if known is not None:
        write_ellipse(result, transformed(known, forward))
    return result


def _resampled(
    signal: BaseSignal,
    inverse: NDArray[np.float64],
    offset: NDArray[np.float64],
    interpolation: str,
    fill: Any,
    factor: float,
) -> Frames:
    """The frames seen through a map of pixels, from result to data."""
    number = np.asarray(fill)
    if number.ndim or number.dtype.kind not in "biuf":
        raise ValueError(f"expected fill as one real number, found {fill!r}")
    factor = 1.0 if abs(factor - 1.0) < WHOLE else factor
    if interpolation == "nearest" and factor == 1.0:
        frames = signal.frames
        dtype = frames.dtype
        if dtype.kind not in "fc" and not _holds(dtype, number):
            dtype = np.result_type(dtype, np.float32)
    else:
        frames = image_frames(signal, "resampling")
        dtype = np.result_type(frames.dtype, np.float32)
    shape = (int(frames.frame_shape[0]), int(frames.frame_shape[1]))
    (yy, yx), (xy, xx) = inverse.tolist()
    places = AffineMap(shape, (yy, yx, xy, xx), (float(offset[0]), float(offset[1])), interpolation, factor)
    return frames.map_frames(resample, places, number.astype(dtype)[()], shape=shape, dtype=dtype)


def _holds(dtype: np.dtype[Any], number: NDArray[Any]) -> bool:
    """Whether a dtype of integers has this very number."""
    with np.errstate(all="ignore"):
        return bool(number.astype(dtype) == number)

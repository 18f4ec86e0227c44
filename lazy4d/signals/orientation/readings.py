"""Maps that are read off orientations: colours, angles, misorientation, reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.lazy import Frames, PerPosition
from lazy4d.signals.color_image import ColorImage
from lazy4d.signals.dpc.colors import MISSING
from lazy4d.signals.orientation.colors import ipf_colors
from lazy4d.signals.orientation.parameters import real_number, whole
from lazy4d.signals.orientation.quaternions import axis_angle, multiply, rotate, to_euler
from lazy4d.signals.orientation.symmetry import misorientation_angle, reduce_orientations

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.orientation.orientation_map import OrientationMap

Floats = NDArray[np.float64]

_MISSING = [int(MISSING[k : k + 2], 16) for k in (1, 3, 5)]

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


def get_ipf_color_image(signal: OrientationMap, direction: Any = "z") -> ColorImage:
    """The direction of the crystal along an axis of the sample as a colour, at each position: a `ColorImage`.

    Parameters
    ----------
    signal : OrientationMap
        Orientations; the best answer counts.
    direction : "x", "y", "z" or (x, y, z)
        In the sample: x is +kx of the patterns, y is +ky, z is along the beam.

    Returns
    -------
    ColorImage
        Lazy, uint8 [..., 3]: red, green and blue at the corners of the standard triangle (001, 101 and 111 of cubic
        crystals), white in its middle; see `lazy4d.signals.orientation.colors`. A greyish green where there is no
        orientation.

    Raises
    ------
    ValueError
        No direction.

    Examples
    --------
    >>> from lazy4d.signals.orientation import CrystalPhase, OrientationMap
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> found = np.tile([1.0, 0, 0, 0, 1, 0], (2, 3, 1, 1))
    >>> m = OrientationMap(found, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    >>> m.get_ipf_color_image().compute().data[0, 0]
    array([255,   0,   0], dtype=uint8)
    """
    along = AXES[direction] if isinstance(direction, str) and direction in AXES else direction
    vector = np.asarray(along, np.float64) if not isinstance(along, str) else np.empty(0)
    if vector.shape != (3,) or not np.linalg.norm(vector) > 0:
        raise ValueError(f"expected direction as 'x', 'y', 'z' or three numbers (x, y, z), found {direction!r}")
    colors = signal.frames.map_frames(
        _colors, tuple(vector.tolist()), signal._laue_groups(), shape=(3,), dtype=np.uint8
    )
    result: Any = signal._derive(
        colors.emit() if signal.frames.incomplete == "raise" else _gray_where_missing(colors),
        [*signal.nav_axes, Axis(name="color (red, green, blue)", size=3, navigate=False)],
        "get_ipf_color_image",
        {"direction": direction if isinstance(direction, str) else list(map(float, direction))},
        kind=ColorImage,
        title=_titled(signal, f"crystal direction along {direction}"),
    )
    return result


def get_misorientation(signal: OrientationMap, reference: Any = None, *, answers: int = 1) -> BaseSignal:
    """The smallest angle between each orientation and a reference, symmetry considered: a `VirtualImage`, degrees.

    Parameters
    ----------
    signal : OrientationMap
        Orientations.
    reference : OrientationMap, or array_like [4] or [nav..., 4], optional
        Another map of the same scan, or unit quaternions (w, x, y, z); by default the crystal whose axes are those of
        the sample. An orientation of another phase than that of a map has no misorientation: NaN.
    answers : int
        How many of the best answers may be meant: the one nearest to the reference counts. With a known truth this
        tells errors from patterns that fit two orientations alike.

    Raises
    ------
    ValueError
        A reference of another shape, of quaternions of other lengths than 1, or more answers than there are.

    Examples
    --------
    >>> from lazy4d.signals.orientation import CrystalPhase, OrientationMap
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> found = np.tile([1.0, 0, 0, 0, 1, 0], (2, 3, 1, 1))
    >>> m = OrientationMap(found, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    >>> float(m.get_misorientation(axis_angle([0, 0, 1], 92.0)).compute().data[0, 0].round(6))
    2.0
    """
    groups, answers = signal._laue_groups(), whole("answers", answers)
    if not 1 <= answers <= signal.n_best:
        raise ValueError(f"expected answers from 1 to the {signal.n_best} that are kept, found {answers!r}")
    parents: list[Any] = []
    nav = signal.nav_shape
    if hasattr(reference, "nav_shape"):
        if reference.nav_shape != nav or reference.frame_shape[-1:] != (6,):
            raise ValueError(f"expected an OrientationMap over the scan {nav} as reference, found {reference!r}")
        other: Any = PerPosition(reference.frames.isig((0, slice(0, 6))).emit().data)
        parents, told = [reference], "a map"
    else:
        given = np.asarray([1.0, 0, 0, 0] if reference is None else reference, np.float64)
        if given.shape not in ((4,), (*nav, 4)):
            raise ValueError(
                f"expected a reference quaternion [4], or one for each position {(*nav, 4)}, found shape {given.shape}"
            )
        length = np.linalg.norm(given, axis=-1)
        if not (np.abs(length[np.isfinite(length)] - 1) < 1e-3).all():
            raise ValueError("expected unit quaternions (w, x, y, z) as reference, found lengths other than 1")
        other, told = given, given.tolist() if given.ndim == 1 else "one a position"
        if given.ndim > 1:
            other = PerPosition(Frames.from_array(given, len(nav), chunks=signal.frames.chunks).data)
    angles = signal.frames.map_frames(_misorientations, other, groups, int(answers), shape=(), dtype=np.float64)
    result: Any = signal._derive(
        angles.emit(),
        signal.nav_axes,
        "get_misorientation",
        {"reference": told, "answers": int(answers)},
        kind=signal._class_of[0],
        title=_titled(signal, "misorientation"),
        parents=parents,
    )
    result.metadata.set_item("Signal.quantity", "misorientation (deg)")
    return result


def get_euler_angles(signal: OrientationMap) -> BaseSignal:
    """The angles of Bunge (φ1, Φ, φ2) of the best answer, degrees: a Signal1D [nav..., 3].

    Examples
    --------
    >>> from lazy4d.signals.orientation import OrientationMap
    >>> found = np.tile([1.0, 0, 0, 0, 1, 0], (2, 3, 1, 1))
    >>> OrientationMap(found).get_euler_angles().compute().data[0, 0]
    array([0., 0., 0.])
    """
    angles = signal.frames.map_frames(_euler, shape=(3,), dtype=np.float64)
    return signal._derive(
        angles.emit(),
        [*signal.nav_axes, Axis(name="phi1, Phi, phi2", size=3, navigate=False)],
        "get_euler_angles",
        {},
        kind=signal._class_of[1],
        title=_titled(signal, "Euler angles"),
    )


def get_reliability(signal: OrientationMap) -> BaseSignal:
    """How much better the best answer is than the next: ``1 - score₂ / score₁``, a `VirtualImage`, 0 if they tie.

    Spot patterns often fit two orientations alike, half a turn about the normal of the reflecting planes apart.
    Patterns of few spots (3 to 6) also fit wrong orientations by chance, and then look reliable: `count_map` of the
    vectors tells where.

    Raises
    ------
    ValueError
        There is only one answer at each position.

    Examples
    --------
    >>> from lazy4d.signals.orientation import OrientationMap
    >>> found = np.tile([1.0, 0, 0, 0, 0.8, 0], (2, 3, 2, 1))
    >>> found[..., 1, 4] = 0.6
    >>> float(OrientationMap(found).get_reliability().compute().data[0, 0].round(6))
    0.25
    """
    if signal.n_best < 2:
        raise ValueError("a reliability compares the best two answers, found one: match with n_best=2 or more")
    share = signal.frames.map_frames(_reliability, shape=(), dtype=np.float64)
    result = signal._derive(
        share.emit(), signal.nav_axes, "get_reliability", {}, kind=signal._class_of[0],
        title=_titled(signal, "reliability"),
    )  # fmt: skip
    result.metadata.set_item("Signal.quantity", "reliability")
    return result


def rotate_sample(signal: OrientationMap, rotation: float) -> OrientationMap:
    """The same orientations of a sample whose axes x and y are turned by `rotation` degrees, from +x towards +y.

    For scans that are turned against the patterns: with the angle from +kx to the fast scan direction, x and y of the
    sample become those of the scan.

    Parameters
    ----------
    signal : OrientationMap
        Orientations.
    rotation : float
        Degrees.

    Examples
    --------
    >>> from lazy4d.signals.orientation import CrystalPhase, OrientationMap
    >>> gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    >>> found = np.tile([1.0, 0, 0, 0, 1, 0], (2, 3, 1, 1))
    >>> m = OrientationMap(found, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    >>> float(m.rotate_sample(20).get_misorientation().compute().data[0, 0].round(6))
    20.0
    """
    turned = axis_angle([0, 0, 1], real_number("rotation", rotation, "degrees"))
    frames = signal.frames.map_frames(
        _turned_sample, turned, signal._laue_groups(), shape=signal.frame_shape, dtype=np.float64
    )
    result: Any = signal._derive(
        frames.emit(), [*signal.nav_axes, *signal.frame_axes], "rotate_sample", {"rotation": float(rotation)}
    )
    return result


def _gray_where_missing(colors: Frames) -> Any:
    """Colours of all positions; a missing one has that of no orientation."""
    return np.where(colors.valid[..., None], colors.data, np.array(_MISSING, np.uint8))


def _colors(rows: Floats, direction: tuple[float, ...], groups: tuple[str, ...], out: NDArray[np.uint8]) -> None:
    best = rows[:, 0]
    out[...] = _MISSING
    for number, laue in enumerate(groups):
        here = best[:, 5] == number
        out[here] = np.round(255 * ipf_colors(rotate(best[here, :4], np.asarray(direction)), laue))


def _misorientations(rows: Floats, reference: Floats, groups: tuple[str, ...], answers: int, out: Floats) -> None:
    out[...] = np.inf
    others = np.broadcast_to(reference, (len(rows), reference.shape[-1]))
    for one in range(answers):
        for number, laue in enumerate(groups):
            here = rows[:, one, 5] == number
            if others.shape[1] == 6:
                here &= others[:, 5] == number
            angles = misorientation_angle(rows[here, one, :4], others[here, :4], laue)
            out[here] = np.fmin(out[here], angles)
    out[np.isinf(out)] = np.nan


def _euler(rows: Floats, out: Floats) -> None:
    out[...] = to_euler(rows[:, 0, :4])


def _reliability(rows: Floats, out: Floats) -> None:
    first, second = rows[:, 0, 4], rows[:, 1, 4]
    out[...] = np.where(np.isnan(second), first * 0 + 1, 1 - second / first)


def _turned_sample(rows: Floats, turned: Floats, groups: tuple[str, ...], out: Floats) -> None:
    out[...] = rows
    for number, laue in enumerate(groups):
        here = rows[..., 5] == number
        # The new axes see a vector turned back, so that the old ones see what the new ones turn forward.
        out[here, :4] = reduce_orientations(multiply(rows[here, :4], turned), laue)


def _titled(signal: BaseSignal, what: str) -> str:
    return f"{what} of {signal.title}" if signal.title else what

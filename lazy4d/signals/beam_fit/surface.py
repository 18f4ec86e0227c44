"""`get_linear_plane`: a smooth surface through the positions of the beam, in one pass over the file they come from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels import plane, plane_robust
from lazy4d.lazy import Frames, PerPosition, Reduction, SharedLazy, StateArray
from lazy4d.lazy.numbering import position_numbers
from lazy4d.signals.beam_fit.counting import position_weights

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.beam_position import BeamPosition

MODELS = ("plane", "parabola", "constant")

MODEL = "BeamPosition.model"
"""Where the metadata of a fit keep the name of its surface."""

IMPROVEMENTS = 2
"""Of a robust fit, each by all positions: the first start comes from a sample of at most 10 000."""


def get_linear_plane(
    signal: BeamPosition, model: str = "plane", robust: bool = True, mask: Any = None, weights: Any = None
) -> BeamPosition:
    """The smooth surface through the positions of the beam, at every position of the scan: a `BeamPosition`.

    What the scan system adds to the beam's position (descan) is nearly a plane over the scan; subtracted, what the
    sample does is left. The result has the positions it was fitted to as `measured`, the difference as `residual`
    and its numbers as `coefficients`.

    Parameters
    ----------
    signal : BeamPosition
        Measured positions, over any number of navigation axes; those that are NaN do not count.
    model : {"plane", "parabola", "constant"}, optional
        Terms in the coordinates of the scan up to the first, second or no power, for y and x alike. Over more than two
        axes there is one surface for all.
    robust : bool, optional
        Whether positions far off the surface, up to nearly half of all, count less or not at all. False: least squares.
    mask : ROI, bool ndarray [nav...] or VirtualImage of bool, optional
        Only positions inside, or True, count, such as those in vacuum: without, a real field that is even over the
        scan is taken for descan, too. May be lazy.
    weights : ndarray [nav...] or VirtualImage, optional
        Weight of each position, for example its score; 0 leaves it out. May be lazy.

    Returns
    -------
    BeamPosition
        Lazy. Also finite where nothing was measured, unless the frame itself is missing.

    Raises
    ------
    ValueError
        No such model, or a mask of another shape. When computed: fewer finite positions that count than the surface
        has terms, or positions that do not determine it, such as those of a single row.

    Notes
    -----
    Least squares by normal equations, added up block by block in float64 with coordinates from -1 to 1, so that the
    result depends neither on the order nor on the size of blocks. A robust fit begins with the majority of a sample and
    is then improved by all positions; see `lazy4d.kernels.plane_robust.fit_sample`. The file is read once.

    Examples
    --------
    >>> com = d.get_direct_beam_position()
    >>> fit = com.get_linear_plane()
    >>> bool(abs(fit.residual.compute().data).max() < 0.2)
    True
    """
    if model not in MODELS:
        raise ValueError(f"model={model!r} is not known: expected one of {', '.join(map(repr, MODELS))}")
    frames = signal.frames
    weight = position_weights(signal, mask, weights)
    start, powers = fitted_surface(signal, model, robust, weight)
    places = _places(signal)
    found = frames.map_frames(
        plane.evaluate_surface,
        position_numbers(frames.chunks),
        places,
        SharedLazy(start),
        frames.nav_shape,
        powers,
        shape=(2,),
        dtype=np.float64,
    )
    result: Any = signal._derive(
        found.emit(),
        [*signal.nav_axes, *signal.frame_axes],
        "get_linear_plane",
        {"model": model, "robust": bool(robust), "mask": mask, "weights": weights},
        title=f"{model} through {signal.title}".rstrip(),
        parents=[one for one in (mask, weights) if hasattr(one, "_history")],
    )
    result.metadata.set_item(MODEL, model)
    result._beside["measured"] = signal
    return result


def coefficients(signal: BeamPosition) -> BaseSignal:
    """The numbers of a fitted surface: a Signal2D without navigation, rows y and x, one column a term, in pixels.

    The terms are products of coordinates that run from -1 at the first to 1 at the last position of an axis; their
    names stand in the name of the last axis, as in ``"term: 1, y, x"``. So the coefficient of ``x`` is half of what the
    beam travels along a row.

    Parameters
    ----------
    signal : BeamPosition
        A result of `get_linear_plane`, lazy or computed, also a part of it selected with `inav`: the coordinates are
        those of the part.

    Returns
    -------
    Signal2D
        Lazy, float64.

    Raises
    ------
    ValueError
        The positions are no result of `get_linear_plane`.

    Examples
    --------
    >>> fit = d.get_direct_beam_position().get_linear_plane().compute()
    >>> fit.coefficients.frame_axes[1].name, fit.coefficients.compute().data.shape
    ('term: 1, y, x', (2, 3))
    """
    model = signal.metadata.get_item(MODEL, None)
    if model is None:
        raise ValueError(
            f"{signal!r} is no fitted surface, which alone has coefficients: call get_linear_plane() first"
        )
    start, powers = fitted_surface(signal, str(model), False, position_weights(signal))
    names = [_term_name(one, _coordinate_names(signal)) for one in powers]
    axes = [
        Axis(name="column", size=2, navigate=False),
        Axis(name=f"term: {', '.join(names)}", size=len(powers), navigate=False),
    ]
    return signal._derive(
        start[:-1].T, axes, "coefficients", {}, kind=signal._class_of[2], title=f"coefficients of {signal.title}"
    )


def fitted_surface(signal: BaseSignal, model: str, robust: bool, weight: Any) -> tuple[Any, plane.Powers]:
    """The surface through positions as a lazy array [terms + 1, 2] (see `lazy4d.kernels.plane`), and its terms."""
    frames: Frames = signal.frames.rechunk("auto")  # positions are small: a few blocks instead of as many as the file
    places = _places(signal)
    powers = plane.term_powers(model, _distinct(signal))
    shape = frames.nav_shape
    where = (position_numbers(frames.chunks), places)
    start: Any = np.zeros((len(powers) + 1, 2))
    if robust:
        rows = plane.sample_size(int(np.prod(shape)))
        width = 3 + (len(shape) if places is None else places.array.shape[-1])
        sample = Reduction(
            plane.draw_sample,
            plane.merge_samples,
            partial(plane_robust.fit_sample, powers=powers, model=model),
            (StateArray((rows,), np.uint64, np.iinfo(np.uint64).max), StateArray((rows, width), np.float64, np.nan)),
            start.shape,
            np.dtype(np.float64),
        )
        start = SharedLazy(frames.reduce_frames(sample, *where, weight, shape))
    equations = Reduction(
        plane.add_equations,
        plane.merge_equations,
        partial(plane.solve_equations, model=model),
        (
            StateArray((len(powers), len(powers)), np.float64),
            StateArray((len(powers), 2), np.float64),
            StateArray((1,), np.int64),
            StateArray((len(powers) + 1, 2), np.float64, np.nan),
        ),
        (len(powers) + 1, 2),
        np.dtype(np.float64),
    )
    for _ in range(IMPROVEMENTS if robust else 1):
        start = SharedLazy(frames.reduce_frames(equations, *where, weight, start, shape, powers, bool(robust)))
    return start.array, powers


def _places(signal: BaseSignal) -> PerPosition | None:
    """Coordinates of positions picked from a scan by a mask, from where they were in it; None for a regular scan."""
    known = _picked(signal)
    if not known:
        return None
    columns = []
    for one in known:
        low, high = float(one.values.min()), float(one.values.max())
        columns.append((2.0 * (one.values - low) / (high - low) - 1.0) if high > low else np.zeros(len(one.values)))
    frames: Frames = signal.frames
    return PerPosition(Frames.from_array(np.stack(columns, -1), 1, chunks=frames.chunks).data)


def _picked(signal: BaseSignal) -> list[Any]:
    """Coordinates, slowest first, of the navigation axis of a signal that a mask made; else none."""
    return list(reversed(signal.nav_axes[0].coordinates)) if len(signal.nav_shape) == 1 else []


def _distinct(signal: BaseSignal) -> tuple[int, ...]:
    """How many different coordinates there are along each axis of the surface."""
    known = _picked(signal)
    return tuple(len(np.unique(one.values)) for one in known) if known else signal.nav_shape


def _coordinate_names(signal: BaseSignal) -> list[str]:
    return [one.name for one in _picked(signal) or signal.nav_axes]


def _term_name(exponents: tuple[int, ...], names: list[str]) -> str:
    parts = [f"{name}²" if e == 2 else name for name, e in zip(names, exponents, strict=True) if e]
    return " ".join(parts) or "1"

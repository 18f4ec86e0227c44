"""The Bragg vector map: where on the detector the disks of all positions are, as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels import vector_density
from lazy4d.lazy import PerPosition
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.beam_position import BeamPosition
from lazy4d.signals.dpc.vectors import QUANTITY
from lazy4d.signals.vectors.virtual_image import carried

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

METHODS = ("bilinear", "nearest")
NO_MOVES = np.empty((0, 2))


def to_bragg_vector_map(
    vectors: DiffractionVectors,
    upsample: int = 1,
    weights: str | None = "intensity",
    method: str = "bilinear",
    center: Any = None,
) -> Any:
    """A pattern of what the vectors of all positions carry, added up on the pixels where they are.

    Parameters
    ----------
    vectors : DiffractionVectors
        Computed or lazy.
    upsample : int
        Pixels of the map along each pixel of the frame.
    weights : str, optional
        The column to add up; None counts vectors.
    method : {"bilinear", "nearest"}
        Each vector to the four pixels around it, by nearness; or to the nearest one.
    center : (x, y) or BeamPosition, optional
        The place that the map counts from: its pixel ``N // 2``, where its axes are 0. int = pixel, float = axis units,
        text with a unit. A `BeamPosition` (measured or fitted) says it for each position, which takes out descan;
        vectors of positions where it is NaN are left out. By default the map covers the frame, with its axes.

    Returns
    -------
    Diffraction2D
        float64 [ky * upsample, kx * upsample], without navigation; computed if the vectors are. What falls beside the
        map is left out, and so are vectors at NaN or with a NaN to add.

    Raises
    ------
    ValueError
        There is no such column or method, `upsample` is no positive whole number, or the beam positions are those of
        another scan.

    Notes
    -----
    Bilinear parts add up to what a vector carries and keep its place: the centre of mass of the map is that of the
    vectors, as long as nothing falls beside it.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10]], [[3, 4.5, 10], [6, 1, 2]]], frame_shape=(8, 8))
    >>> v.to_bragg_vector_map().data[3, 3:7]
    array([ 0., 15.,  5.,  0.])
    >>> v.to_bragg_vector_map(upsample=2, weights=None, method="nearest").data.shape
    (16, 16)
    """
    from lazy4d.signals.diffraction2d import Diffraction2D

    if method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(METHODS)}")
    if isinstance(upsample, bool) or not isinstance(upsample, int | np.integer) or upsample < 1:
        raise ValueError(f"upsample={upsample!r}: expected a whole number, 1 or more")
    if weights is not None and weights not in vectors.columns:
        raise ValueError(
            f"weights={weights!r}: expected one of the columns {', '.join(vectors.columns)}, or None to count vectors"
        )
    finer = int(upsample)
    moves: Any = NO_MOVES
    middle: tuple[float, float] | None = None
    if isinstance(center, BeamPosition):
        moves, middle = _moves(vectors, center)
    elif center is not None:
        middle = _place(center, vectors.frame_axes)
    axes, start = _axes_of_map(vectors.frame_axes, finer, middle)
    shape = (axes[0].size, axes[1].size)
    pattern = vectors._total(
        density,
        finer,
        start,
        shape,
        weights,
        method,
        moves,
        shape=shape,
        dtype=np.float64,
        op="to_bragg_vector_map",
        options={"upsample": finer, "weights": weights, "method": method, "center": center},
        axes=axes,
        kind=Diffraction2D,
        title=f"Bragg vector map of {vectors.title}" if vectors.title else "Bragg vector map",
    )
    pattern.metadata.set_item(QUANTITY, carried(vectors, weights))
    return pattern


def _moves(vectors: DiffractionVectors, center: BeamPosition) -> tuple[PerPosition, tuple[float, float]]:
    """What brings the beam of every position to one place, and this place (y, x)."""
    if center.nav_shape != vectors.nav_shape:
        raise ValueError(
            f"expected beam positions of the navigation shape {vectors.nav_shape} of the vectors, found "
            f"{center.nav_shape}"
        )
    rows, columns = vectors.frame_shape
    middle = (float(rows // 2), float(columns // 2))
    return PerPosition(np.asarray(middle) - center.data), middle


def _place(center: Any, frame_axes: list[Axis]) -> tuple[float, float]:
    try:
        x, y = center
    except (TypeError, ValueError):
        raise ValueError(
            f"center={center!r}: expected a place (x, y) on the frame, or a BeamPosition (get_direct_beam_position)"
        ) from None
    return frame_axes[0].to_pixels(y), frame_axes[1].to_pixels(x)


def _axes_of_map(
    frame_axes: list[Axis], finer: int, middle: tuple[float, float] | None
) -> tuple[list[Axis], NDArray[np.float64]]:
    """Axes of the map, and where (y, x) on the frame its first pixel begins."""
    axes, start = [], []
    for k, axis in enumerate(frame_axes):
        size, scale = axis.size * finer, axis.scale / finer
        first = -0.5 if middle is None else middle[k] - (size // 2 + 0.5) / finer
        zero = axis.offset + axis.scale * (first + 0.5 / finer) if middle is None else -scale * (size // 2)
        # Not `copy`, as the pixel that is shown need not exist, or be the same one.
        axes.append(
            type(axis)(
                name=axis.name, size=size, units=axis.units, scale=scale, offset=zero, beam_energy=axis.beam_energy
            )
        )
        start.append(first)
    return axes, np.array(start)


def density(
    ragged: RaggedFrames,
    upsample: int,
    start: NDArray[np.float64],
    shape: tuple[int, int],
    column: str | None,
    method: str,
    moves: NDArray[np.float64] = NO_MOVES,
) -> NDArray[np.float64]:
    """What the vectors of all frames carry, on a finer grid: float64 of `shape`.

    Parameters
    ----------
    ragged : RaggedFrames
        Vectors, ky and kx in pixels.
    upsample : int
        Pixels of the grid along a pixel of the frame.
    start : float64 ndarray [2]
        Where (y, x) on the frame the first pixel begins.
    shape : (int, int)
        Rows and columns of the grid.
    column : str or None
        What to add up; None counts.
    method : {"bilinear", "nearest"}
        See `to_bragg_vector_map`.
    moves : float64 ndarray [n, 2], optional
        Pixels (y, x) to add to the vectors of each frame.

    Examples
    --------
    >>> ragged = RaggedFrames.from_counts([1], {"ky": [0.0], "kx": [1.0]})
    >>> density(ragged, 1, np.array([-0.5, -0.5]), (2, 2), None, "nearest")
    array([[0., 1.],
           [0., 0.]])
    """
    out = np.zeros(shape)
    values = np.empty(0) if column is None else ragged[column]
    if not ragged.total:
        return out
    kernel = vector_density.add_nearest if method == "nearest" else vector_density.add_bilinear
    moved = np.ascontiguousarray(moves, np.float64)
    kernel(ragged.offsets, ragged["ky"], ragged["kx"], values, moved, upsample, start, out)
    return out

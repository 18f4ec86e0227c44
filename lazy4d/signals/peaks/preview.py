"""`preview_vectors`: what a search finds in one frame, with every image on the way, to choose its parameters by eye."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.kernels.peak_choice import REASONS
from lazy4d.kernels.peak_closely import look_closely
from lazy4d.kernels.peak_vectors import COLUMNS, Search, find_vectors
from lazy4d.kernels.template_match import match_plan, template_correlation
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.construction import image_frames
from lazy4d.signals.peaks.searching import make_search
from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


@dataclass(frozen=True, eq=False)
class VectorPreview:
    """What a search finds in one frame, and how it came to it.

    Parameters
    ----------
    frame : ndarray [ky, kx]
        The frame.
    filtered : ndarray [ky, kx]
        What of it was searched: the frame itself, or what filter and blur made of it; 0 where pixels do not count.
    correlation : ndarray [ky, kx] or None
        The matched-filter image, whose maxima are the candidates: the height of a disk above its surroundings. None
        where the maxima of the frame itself are looked for.
    score_image : ndarray [ky, kx] or None
        The correlation coefficient of the template and the pixels around each pixel, in [-1, 1].
    mask : ndarray of bool [ky, kx]
        The pixels that count.
    candidates : dict of ndarray [m]
        ``ky``, ``kx`` (whole pixels), ``height``, ``score``, and ``reason``: "accepted" or why it was refused. The
        highest first.
    vectors : DiffractionVectors
        What was accepted, computed.
    milliseconds : float
        What finding them takes, on one core, once everything is compiled.
    frame_axes : (Axis, Axis)
        Axes (ky, kx) of the frame.
    options : dict
        The parameters, lengths in pixels.
    """

    frame: NDArray[Any]
    filtered: NDArray[Any]
    correlation: NDArray[Any] | None
    score_image: NDArray[Any] | None
    mask: NDArray[np.bool_]
    candidates: dict[str, NDArray[Any]]
    vectors: DiffractionVectors
    milliseconds: float
    frame_axes: tuple[Axis, Axis]
    options: dict[str, Any]

    def refused(self) -> dict[str, int]:
        """How many candidates were refused, by the reason."""
        names, counts = np.unique(self.candidates["reason"], return_counts=True)
        return {str(n): int(c) for n, c in zip(names, counts, strict=True) if n != REASONS[0]}

    def plot(self, **options: Any) -> Any:
        """A figure of the frame with the vectors, the correlation with the candidates, and the scores.

        Parameters
        ----------
        **options
            Of `lazy4d.plot.vector_preview.vector_preview`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from lazy4d.plot.vector_preview import vector_preview

        return vector_preview(self, **options)

    def __repr__(self) -> str:
        found = self.vectors.ragged.total
        refused = ", ".join(f"{n} {name}" for name, n in sorted(self.refused().items(), key=lambda item: -item[1]))
        return f"<VectorPreview: {found} vectors in {self.milliseconds:.2g} ms; refused: {refused or 'none'}>"


def preview_vectors(
    signal: BaseSignal, position: Any = None, method: str = "template", **parameters: Any
) -> VectorPreview:
    """What `get_diffraction_vectors` finds in one frame with the same parameters, and every image on the way.

    Reads and computes that one frame.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    position : tuple, optional
        Of the frame, (x, y) as between the brackets of ``inav``; by default the one that the axes show
        (``axes_manager["x"].index``).
    method, **parameters
        Of `get_diffraction_vectors`.

    Returns
    -------
    VectorPreview
        With `plot`.

    Raises
    ------
    ValueError
        Options that are not known, or a position that is more than one frame.

    Examples
    --------
    >>> preview = d.preview_vectors((1, 2), disk_r=3)
    >>> preview.vectors.ragged.total, preview.correlation.shape, str(preview.candidates["reason"][0])
    (1, (16, 16), 'accepted')
    """
    search, room, options = make_search(signal, method, **parameters)
    one = _one_frame(signal, position)
    frame = np.ascontiguousarray(image_frames(one, "finding peaks").data.compute(scheduler="synchronous"))
    closely = look_closely(frame, search, room)
    rows, milliseconds = _timed(frame, search, room)
    columns = {name: rows[:, k] for k, name in enumerate(COLUMNS[: rows.shape[1]])}
    vectors = DiffractionVectors(
        RaggedFrames.from_counts([len(rows)], columns),
        [axis.copy() for axis in one.frame_axes],
        one.metadata.copy(),
        one.original_metadata.copy(),
        one.history.append("get_diffraction_vectors", options),
        nav_shape=(),
    )
    width = frame.shape[1]
    reasons = np.array([REASONS[k] for k in sorted(REASONS)])
    candidates = {
        "ky": closely.place // width,
        "kx": closely.place % width,
        "height": closely.height,
        "score": closely.score,
        "reason": reasons[closely.verdict],
    }
    y, x = one.frame_axes
    return VectorPreview(
        frame,
        closely.prepared,
        closely.image if search.matched else None,
        _score_image(frame if search.prepare is None else closely.prepared, search),
        closely.counts,
        candidates,
        vectors,
        milliseconds,
        (y, x),
        options,
    )


def _one_frame(signal: BaseSignal, position: Any) -> BaseSignal:
    """The signal at one position."""
    if position is None:
        position = tuple(axis.index for axis in signal.nav_axes[::-1])
    items = position if isinstance(position, tuple) else tuple(position) if isinstance(position, list) else (position,)
    if len(items) != len(signal.nav_shape):
        raise ValueError(
            f"expected a position as one number for each of {len(signal.nav_shape)} navigation axes (x first), found "
            f"{position!r}"
        )
    one: BaseSignal = signal.inav[items] if items else signal
    if one.nav_shape:
        raise ValueError(f"expected a position of one frame, found {position!r}, which selects {one.nav_shape}")
    return one


def _timed(frame: NDArray[Any], search: Search, room: int) -> tuple[NDArray[np.float64], float]:
    """The vectors of a frame, and the milliseconds that finding them takes when done once more."""
    out = np.empty((1, room, len(COLUMNS) if search.matched else len(COLUMNS) - 1))
    count = np.zeros(1, np.int64)
    find_vectors(frame[None], search, out, count)
    start = time.thread_time()
    find_vectors(frame[None], search, out, count)
    return out[0, : min(int(count[0]), room)].copy(), 1e3 * (time.thread_time() - start)


def _score_image(frame: NDArray[Any], search: Search) -> NDArray[Any] | None:
    """The correlation coefficient at every pixel."""
    if not search.matched:
        return None
    scores = np.empty((1, *frame.shape), np.float32)
    template_correlation(frame[None], match_plan(search.template, search.frame_shape, search.mask, 1.0, True), scores)
    return scores[0]

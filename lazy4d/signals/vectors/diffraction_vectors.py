"""`DiffractionVectors`: the places of the disks in each frame of a scan, as flat columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from lazy4d.axes import AxesManager, Axis
from lazy4d.lazy import Frames
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.metadata import History, Metadata
from lazy4d.ragged import RaggedFrames
from lazy4d.signals import calibration, computing
from lazy4d.signals.construction import make_metadata
from lazy4d.signals.described import Described
from lazy4d.signals.orientation import matching
from lazy4d.signals.vectors import (
    bragg_vector_map,
    building,
    clustering,
    clustering_groups,
    count_map,
    deriving,
    filters,
    filters_basis,
    friedel,
    histogram,
    ivec,
    lattice,
    masks,
    plotting,
    polar,
    selecting,
    showing,
    tables,
    unique,
    virtual_image,
)

COLUMN_UNITS = "DiffractionVectors.column_units"
"""Where the metadata keep the units of columns, by name; ky and kx have those of the axes."""


class DiffractionVectors(Described):
    """Places (ky, kx) in each frame of a scan, with what is known of each: intensity, score, labels.

    Kept as flat columns (`lazy4d.ragged.RaggedFrames`), so that a million of them cost a few milliseconds; lazy, a
    block of positions at a time, until `compute`. Columns ``ky`` and ``kx`` are float64 pixels of the frame, 0 the
    centre of the first one; the axes of the frame give them units and say where zero is.

    Parameters
    ----------
    data : RaggedFrames, RaggedBlocks, DiffractionVectors, or list or object array of arrays [number, columns]
        One array for each position, with the columns ky, kx and, if there is a third, intensity. One plain array
        [number, columns] are the vectors of one frame.
    axes : AxesManager, or sequence of Axis or of dict, optional
        Navigation axes, then those of the frame (ky, kx), numpy order.
    metadata, original_metadata, history, title : optional
        As for `BaseSignal`.
    nav_shape : sequence of int, optional
        Positions along each navigation axis, numpy order; by default as `data` say it.
    frame_shape : (rows, columns), optional
        Of the frames, where there are no `axes`; by default the smallest frame that holds all vectors.
    valid : bool ndarray or dask array [nav...], optional
        False where a frame is missing or damaged: vectors of such frames are left out.
    calibrated : bool
        Whether the places in `data` are in units of `axes`, rather than pixels.
    columns : sequence of str
        Names of the columns of plain arrays, ``"ky"`` and ``"kx"`` among them.

    Raises
    ------
    TypeError, ValueError
        Data, axes and shapes do not fit each other.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10]], [[3, 5, 11], [6, 1, 2]]], frame_shape=(8, 8))
    >>> v
    <DiffractionVectors, title: , dimensions: (2|8, 8), 3 vectors of ky, kx, intensity>
    >>> v.inav[1].ragged["kx"]
    array([5., 1.])
    """

    _content: RaggedFrames | RaggedBlocks
    _valid: Any
    _incomplete: str  # what a missing frame gives in maps: "nan" or "zero"
    _beside: dict[str, Any]
    _caches: dict[str, Any]  # what methods keep of computed vectors, such as an index; never pickled

    def __init__(
        self,
        data: Any,
        axes: AxesManager | Sequence[Axis | dict[str, Any]] | None = None,
        metadata: Metadata | dict[str, Any] | None = None,
        original_metadata: Metadata | dict[str, Any] | None = None,
        history: History | None = None,
        *,
        nav_shape: Sequence[int] | None = None,
        frame_shape: Sequence[int] | None = None,
        title: str | None = None,
        valid: Any = None,
        calibrated: bool = False,
        columns: Sequence[str] = building.USUAL_COLUMNS,
    ) -> None:
        self._incomplete = "nan"
        if isinstance(data, DiffractionVectors):
            self._incomplete = data._incomplete
            axes = data._axes_manager.copy() if axes is None else axes
            metadata = data._metadata.copy() if metadata is None else metadata
            original_metadata = data._original_metadata.copy() if original_metadata is None else original_metadata
            history = data._history if history is None else history
            valid = data._valid if valid is None else valid
            nav_shape = data.nav_shape if nav_shape is None else nav_shape
            data = data._content
        self._content, shape = building.content_of(data, nav_shape, columns)
        self._axes_manager = building.axes_for(axes, shape, frame_shape, self._content)
        if calibrated:
            self._content = building.content_in_pixels(self._content, self.frame_axes)
        valid = np.asarray(valid, bool) if isinstance(valid, list | tuple) else valid
        if valid is not None and tuple(valid.shape) != shape:
            raise ValueError(f"expected validity of the navigation shape {shape}, found {tuple(valid.shape)}")
        self._content = building.of_valid_frames(self._content, valid)
        self._valid = valid
        self._metadata = make_metadata(metadata)
        self._original_metadata = make_metadata(original_metadata)
        self._history = History() if history is None else history
        self._beside, self._caches = {}, {}
        if title is not None:
            self._metadata.set_item("General.title", title)

    from_table = building.from_table

    # -- what they are -------------------------------------------------------------------------------------------------

    @property
    def data(self) -> RaggedFrames | RaggedBlocks:
        """The columns: `RaggedFrames` after `compute`, else `RaggedBlocks`, one lazy part a block of positions."""
        return self._content

    @property
    def ragged(self) -> RaggedFrames:
        """The columns of computed vectors.

        Raises
        ------
        ValueError
            They are still to be computed.
        """
        if not isinstance(self._content, RaggedFrames):
            raise ValueError(f"{self!r} has to be computed for this: call .compute() first, or lazy4d.compute(...)")
        return self._content

    @property
    def blocks(self) -> RaggedBlocks:
        """The columns in blocks of positions, also of computed vectors."""
        if isinstance(self._content, RaggedBlocks):
            return self._content
        return RaggedBlocks.from_ragged(self._content, self.nav_shape)

    @property
    def lazy(self) -> bool:
        """Whether the vectors are still to be computed."""
        return isinstance(self._content, RaggedBlocks)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._content.dtypes)

    @property
    def dtypes(self) -> dict[str, np.dtype[Any]]:
        """Dtype of each column."""
        return dict(self._content.dtypes)

    @property
    def column_units(self) -> dict[str, str]:
        """Units of the columns, those of ky and kx being those of the frame's axes; no entry where there is none."""
        found = dict(self._metadata.get_item(COLUMN_UNITS, None) or {})
        units = {name: str(text) for name, text in found.items() if name in self.columns}
        return {**units, **{name: a.units for name, a in zip(building.PLACE, self.frame_axes, strict=True)}}

    calibrated = building.calibrated
    set_calibration = calibration.set_calibration
    valid = selecting.valid

    # -- selecting -----------------------------------------------------------------------------------------------------
    inav = selecting.inav
    with_columns = ivec.with_columns
    ivec = ivec.ivec
    filter_by_magnitude = filters.filter_by_magnitude
    filter_detector_edge = filters.filter_detector_edge
    filter_by_intensity = filters.filter_by_intensity
    filter_by_basis = filters_basis.filter_by_basis

    # -- what they say -------------------------------------------------------------------------------------------------
    to_polar = polar.to_polar
    get_magnitude_histogram = histogram.get_magnitude_histogram
    count_map = count_map.count_map
    get_friedel_pairs = friedel.get_friedel_pairs
    get_friedel_score = friedel.get_friedel_score
    get_unique_vectors = unique.get_unique_vectors
    cluster = clustering.cluster
    group_clusters = clustering_groups.group_clusters

    # -- as a table ----------------------------------------------------------------------------------------------------
    flatten = tables.flatten
    to_pandas = tables.to_pandas
    to_arrow = tables.to_arrow
    to_csv = tables.to_csv

    # -- as images -----------------------------------------------------------------------------------------------------
    get_virtual_image = virtual_image.get_virtual_image
    to_mask = masks.to_mask
    to_bragg_vector_map = bragg_vector_map.to_bragg_vector_map

    # -- lattice and strain --------------------------------------------------------------------------------------------
    get_basis = lattice.get_basis
    index = lattice.index
    fit_lattice = lattice.fit_lattice
    get_strain_maps = lattice.strain_maps_of_vectors

    # -- orientation ---------------------------------------------------------------------------------------------------
    get_orientation = matching.get_orientation_of_vectors

    # -- computing -----------------------------------------------------------------------------------------------------
    compute = computing.compute
    as_numpy = building.as_numpy
    persist = computing.persist
    explain = computing.explain
    save = computing.save

    # -- showing -------------------------------------------------------------------------------------------------------
    plot = plotting.plot
    __repr__ = showing.text
    _repr_html_ = showing.html

    # -- for the modules above -----------------------------------------------------------------------------------------
    _map = deriving.map_vectors
    _per_position = deriving.per_position
    _total = deriving.total

    def copy(self) -> Self:
        """The same vectors, with axes and metadata of their own."""
        return type(self)(self)

    def _derive(
        self,
        content: Any,
        op: str,
        options: Mapping[str, Any],
        *,
        axes: AxesManager | None = None,
        valid: Any = "own",
        column_units: Mapping[str, str] | None = None,
        title: str | None = None,
        parents: Sequence[Any] = (),
    ) -> DiffractionVectors:
        """Vectors made of these, with one more entry in their history."""
        result = DiffractionVectors(
            content,
            self._axes_manager.copy() if axes is None else axes,
            self._metadata.copy(),
            self._original_metadata.copy(),
            self._history.append(op, dict(options), parents=[parent.history for parent in parents]),
            nav_shape=self.nav_shape if axes is None else axes.nav_shape,
            title=title,
            valid=self._valid if isinstance(valid, str) else valid,
        )
        result._incomplete = self._incomplete
        if column_units:
            known = dict(self._metadata.get_item(COLUMN_UNITS, None) or {})
            result._metadata.set_item(COLUMN_UNITS, {**known, **column_units})
        return result

    def _lazy_parts(self) -> list[Any]:
        """The dask arrays to compute: the blocks, and which frames are valid where some may not be."""
        if not isinstance(self._content, RaggedBlocks):
            return []
        return [self._content.blocks, *([self._valid] if hasattr(self._valid, "dask") else [])]

    def _with_content(self, content: Any, valid: Any = None) -> DiffractionVectors:
        """The same vectors, computed or persisted; no entry in the history."""
        if isinstance(self._content, RaggedBlocks):
            if hasattr(content, "dask"):
                content = RaggedBlocks(content, self._content.chunks, self._content.dtypes)
            else:
                content = self._content.assemble(content)
        result = DiffractionVectors(
            content, self._axes_manager.copy(), self._metadata.copy(), self._original_metadata.copy(), self._history,
            nav_shape=self.nav_shape, valid=self._valid if valid is None else valid,
        )  # fmt: skip
        result._incomplete = self._incomplete
        return result

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be made again."""
        return {**self.__dict__, "_caches": {}}


def vectors_of(
    signal: Any,
    kernel: Any,
    params: Sequence[Any],
    *,
    capacity: int,
    columns: Mapping[str, Any],
    op: str,
    options: Mapping[str, Any],
    frames: Frames | None = None,
    overflow: str = "raise",
    column_units: Mapping[str, str] | None = None,
    title: str | None = None,
) -> DiffractionVectors:
    """Lazy vectors that a ragged kernel finds in the frames of a signal; see `lazy.ragged_blocks.ragged_frames`.

    Parameters
    ----------
    signal : BaseSignal
        Frames with two signal axes; gives axes, metadata, history.
    kernel, params, capacity, columns, overflow
        Of `ragged_frames`.
    op, options
        For the history.
    frames : Frames, optional
        What the kernel reads, of the signal's frame shape; by default the signal's own frames.
    column_units : mapping, optional
        Units of the columns.
    title : str, optional
        Of the vectors.
    """
    stream: Frames = signal.frames if frames is None else frames
    blocks = stream.ragged_frames(kernel, *params, capacity=capacity, columns=columns, overflow=overflow)
    result = DiffractionVectors(
        blocks,
        signal.axes_manager.copy(),
        signal.metadata.copy(),
        signal.original_metadata.copy(),
        signal.history.append(op, dict(options)),
        title=title,
        valid=stream.valid if stream.incomplete != "raise" else None,
    )
    result._incomplete = stream.incomplete if stream.incomplete == "zero" else "nan"
    if column_units:
        result.metadata.set_item(COLUMN_UNITS, dict(column_units))
    return result

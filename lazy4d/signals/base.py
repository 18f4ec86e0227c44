"""`BaseSignal`: data with navigation and signal axes. The class body below is the table of contents of every signal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from lazy4d.axes import AxesManager, Axis
from lazy4d.errors import ChunkError
from lazy4d.lazy import Frames
from lazy4d.metadata import History, Metadata
from lazy4d.signals import (
    arithmetic,
    calibration,
    computing,
    construction,
    display,
    exact_dtype,
    mapping,
    reductions,
    region_mean,
    regions,
    scan_shape,
    showing,
    slicing,
    statistics,
    transform,
)
from lazy4d.signals.described import Described
from lazy4d.signals.overview.lineage import Lineage
from lazy4d.signals.regions import carried


class BaseSignal(arithmetic.SignalOperators, Described):
    """Data of any number of navigation and signal axes, lazy until `compute`.

    Navigation axes say where (scan positions), signal axes what was measured there (a diffraction pattern). Every
    operation gives a new signal, with axes, metadata and history that belong to its data; nothing is read before
    `compute` or `save`.

    Parameters
    ----------
    data : ndarray, dask array, Frames or BaseSignal
        Pixels in numpy order ``[nav..., signal...]``; of another signal, its pixels, axes, metadata and history.
    axes : AxesManager, sequence of Axis or of dict, optional
        Axes in numpy order, navigation first. Without them the last axes of `data` are the signal axes (as many as
        the class says; all, for `BaseSignal` itself), in pixels.
    metadata : Metadata or dict, optional
        What is known of the data; ``metadata.General.title`` is the title.
    original_metadata : Metadata or dict, optional
        What the file said, unchanged.
    history : History, optional
        How the data were made.
    title : str, optional
        Sets ``metadata.General.title``.
    valid : bool ndarray or dask array [nav...], optional
        False where a frame is missing or damaged.

    Raises
    ------
    ValueError
        Data and axes do not fit each other, or the class.

    Examples
    --------
    >>> import numpy as np
    >>> BaseSignal(np.zeros((4, 16), "float32"), title="spectra").axes_manager.signal_shape
    (16, 4)
    """

    _content: Any  # ndarray, dask array or Frames
    _frames: Frames | None
    _valid: Any
    _incomplete: str
    _audit: Callable[[], Any] | None
    _overview: Lineage  # what is known of the scan from a first look at it
    _beside: dict[str, BaseSignal]  # results of the same walk, computed and cut with this signal, such as a score
    _signal_ndim: ClassVar[int | None] = None
    _class_of: ClassVar[dict[int, type[BaseSignal]]] = {}
    _lost_by: ClassVar[frozenset[str]] = frozenset()  # operations whose results are of the plain class

    def __init_subclass__(cls, *, signal_ndim: int | None = None, default: bool = False, **kwargs: Any) -> None:
        """Note how many signal axes a class has, and whether it is the plain class of that many."""
        super().__init_subclass__(**kwargs)
        if signal_ndim is not None:
            cls._signal_ndim = signal_ndim
            if default:
                BaseSignal._class_of[signal_ndim] = cls

    def __init__(
        self,
        data: Any,
        axes: AxesManager | Sequence[Axis | dict[str, Any]] | None = None,
        metadata: Metadata | dict[str, Any] | None = None,
        original_metadata: Metadata | dict[str, Any] | None = None,
        history: History | None = None,
        *,
        title: str | None = None,
        valid: Any = None,
    ) -> None:
        audit, incomplete, given = None, "nan", data
        self._beside = {}
        if isinstance(data, BaseSignal):
            axes = data._axes_manager.copy() if axes is None else axes
            metadata = data._metadata.copy() if metadata is None else metadata
            original_metadata = data._original_metadata.copy() if original_metadata is None else original_metadata
            history = data._history if history is None else history
            valid = data._valid if valid is None else valid
            audit, incomplete, self._beside = data._audit, data._incomplete, dict(data._beside)
            data = data._content
        content = construction.check_data(data)
        signal_ndim = self._signal_ndim
        if axes is None and isinstance(content, Frames) and signal_ndim is None:
            signal_ndim = len(content.frame_shape)
        self._axes_manager = construction.make_axes(
            axes, construction.shape_of(content), signal_ndim, type(self).__name__
        )
        self._check_frame_shape()
        # With another split between navigation and signal the frames are gone, and with them what says they are valid.
        if isinstance(given, BaseSignal) and len(given.nav_shape) != len(self.nav_shape):
            if construction.may_be_damaged(given):
                content, valid = construction.marked_array(given), None
        if isinstance(content, Frames) and len(content.nav_shape) != len(self.nav_shape):
            content, valid = content.emit().data, None
        self._content = content
        self._frames = content if isinstance(content, Frames) else None
        self._valid, self._incomplete = valid, incomplete
        self._audit = audit
        self._metadata = construction.make_metadata(metadata)
        self._original_metadata = construction.make_metadata(original_metadata)
        self._history = History() if history is None else history
        if title is not None:
            self._metadata.set_item("General.title", title)
        same = isinstance(given, BaseSignal) and given._content is content and given.nav_shape == self.nav_shape
        same = same and given._valid is self._valid
        self._overview = Lineage(self, given._overview, "same") if same else Lineage(self)

    # -- what a signal consists of ---------------------------------------------------------------------------------

    @property
    def data(self) -> Any:
        """The pixels ``[nav..., signal...]``: an ndarray after `compute`, else a dask array, symbolic until used."""
        if isinstance(self._content, Frames):
            return self._content.data
        return self._content if self._content.dtype.isnative else self._content.astype(self.dtype)

    @property
    def frames(self) -> Frames:
        """The stream of frames behind the signal; a `ChunkError` says so if frames are split between blocks."""
        if self._frames is None:
            if construction.is_split(self):
                raise ChunkError(
                    f"expected whole frames in each block, found frames of shape {self.frame_shape} cut into blocks of "
                    f"{self._content.chunks[len(self.nav_shape) :]}: call .rechunk() on the signal first"
                )
            self._frames = construction.make_frames(self._content, len(self.nav_shape), self._valid, self._incomplete)
        return self._frames

    @property
    def lazy(self) -> bool:
        """Whether the data are still to be computed."""
        return not isinstance(self._content, np.ndarray)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data, numpy order."""
        return self.nav_shape + self.frame_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the data, native."""
        return np.dtype(self._content.dtype).newbyteorder("=")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the data, if they were in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    # -- selecting ---------------------------------------------------------------------------------------------------
    inav = slicing.inav
    isig = slicing.isig
    valid = computing.valid
    crop = slicing.crop
    split = slicing.split
    squeeze = slicing.squeeze

    # -- reducing ----------------------------------------------------------------------------------------------------
    sum = reductions.sum
    mean = reductions.mean
    max = reductions.max
    min = reductions.min
    std = reductions.std
    var = reductions.var
    get_histogram = statistics.get_histogram
    print_summary_statistics = statistics.print_summary_statistics

    # -- regions -----------------------------------------------------------------------------------------------------
    get_region_mean = region_mean.get_region_mean
    regions = regions.regions

    # -- changing ----------------------------------------------------------------------------------------------------
    T = transform.T
    transpose = transform.transpose
    rebin = transform.rebin
    astype = transform.astype
    change_dtype = exact_dtype.change_dtype
    rechunk = transform.rechunk
    copy = transform.copy
    deepcopy = transform.deepcopy
    __copy__ = transform.copy
    __deepcopy__ = transform.deepcopy
    set_calibration = calibration.set_calibration
    with_scan_shape = scan_shape.with_scan_shape

    # -- your own function on every frame ----------------------------------------------------------------------------
    map = mapping.map
    map_frames = mapping.map_frames
    reduce_frames = mapping.reduce_frames

    # -- computing ---------------------------------------------------------------------------------------------------
    compute = computing.compute
    persist = computing.persist
    as_numpy = computing.as_numpy
    explain = computing.explain
    audit = computing.audit
    save = computing.save
    __array__ = computing.to_array
    __bool__ = computing.to_bool
    __int__ = computing.to_int
    __float__ = computing.to_float

    # -- showing -----------------------------------------------------------------------------------------------------
    plot = showing.plot
    __repr__ = display.text
    _repr_html_ = display.html

    # -- for the modules above ---------------------------------------------------------------------------------------

    def _check_frame_shape(self) -> None:
        """Refuse frames that a subclass cannot hold; classes with fixed columns override `_fits`."""
        if not self._fits(self.frame_shape):
            raise ValueError(
                f"a {type(self).__name__} holds {self._expected_frame()} at each position, found a signal of shape "
                f"{self.frame_shape} (numpy order): use BaseSignal, or select the right part first"
            )

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return cls._signal_ndim is None or len(frame_shape) == cls._signal_ndim

    @classmethod
    def _expected_frame(cls) -> str:
        return f"{cls._signal_ndim} signal axes"

    def _derive(
        self,
        data: Any,
        axes: Sequence[Axis],
        op: str,
        params: dict[str, Any],
        *,
        kind: type[BaseSignal] | None = None,
        title: str | None = None,
        parents: Sequence[BaseSignal] = (),
    ) -> BaseSignal:
        """A new signal of `data` and `axes` (copied) with this one's metadata, and one more entry in its history."""
        manager = AxesManager([axis.copy() for axis in axes])
        if kind is None:
            frame_shape = tuple(manager.frame_shape)
            own = type(self)
            same_ndim = own._signal_ndim is not None or len(frame_shape) == len(self.frame_shape)
            fits = own._fits(frame_shape) and same_ndim and op not in own._lost_by
            kind = own if fits else BaseSignal._class_of.get(len(frame_shape), BaseSignal)
        result = kind(
            data,
            manager,
            carried(self, axes, op),
            self._original_metadata.copy(),
            self._history.append(op, params, parents=[parent._history for parent in parents]),
            title=title,
        )
        result._audit = self._audit
        result._overview = self._overview.derived(self, result, op)
        return result

    def _with_content(self, content: Any, valid: Any = None) -> Self:
        """The same signal, its data computed or persisted; no entry in the history."""
        result = type(self)(
            content, self._axes_manager.copy(), self._metadata.copy(), self._original_metadata.copy(), self._history,
            valid=valid,
        )  # fmt: skip
        result._audit = self._audit
        result._beside = dict(self._beside)
        if self.lazy or content is self._content:
            result._overview = self._overview.computed(result)
        if valid is not None:
            result._incomplete = self.frames.incomplete
        return result

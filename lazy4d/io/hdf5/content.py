"""What a dialect of HDF5 says of a file: which dataset holds the frames, its axes and metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.scan import ShapeHint
from lazy4d.io.source import AxisSpec


@dataclass
class Content:
    """What a file says of the frames that are meant; the pixels come by `lazy4d.io.hdf5.dataset.dataset_frames`.

    Parameters
    ----------
    parts : tuple of (path, dataset)
        Where the pixels are; more than one: concatenated along the first axis.
    nav_axes, signal_axes : tuple of int
        Axes of the stored (concatenated) array.
    navigation_axes, signal_axis_specs : tuple of AxisSpec
        Calibration, in numpy order.
    title : str
        Short name for people.
    metadata, original_metadata : dict
        As `Source` has them.
    warnings : tuple of str
        What the user should be told.
    shape_hint : ShapeHint or None
        Where stored positions are one-dimensional and the scan shape is known.
    prescan : int
        Frames before each line of that scan that do not belong to it.
    frames_expected : int or None
        Frames that the file promises; None where nothing does.
    valid : ndarray of bool, or None
        Which stored frames are valid, in the order of `nav_axes`, where the file records it; None: all.
    marked : str
        What becomes of the others where nothing else is asked: "nan" or "zero".

    Examples
    --------
    >>> Content((("a.h5", "/data"),), (0, 1), (2, 3), (), ()).title
    ''
    """

    parts: tuple[tuple[str, str], ...]
    nav_axes: tuple[int, ...]
    signal_axes: tuple[int, ...]
    navigation_axes: tuple[AxisSpec, ...]
    signal_axis_specs: tuple[AxisSpec, ...]
    title: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    original_metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    shape_hint: ShapeHint | None = None
    prescan: int = 0
    frames_expected: int | None = None
    valid: NDArray[np.bool_] | None = None
    marked: str = "nan"


class Dialect(Protocol):
    """How one program lays out its HDF5 files."""

    @property
    def name(self) -> str:
        """Short name, for messages and metadata."""
        ...

    def matches(self, file: Any) -> bool:
        """Whether an open `h5py.File` is of this program."""
        ...

    def describe(self, file: Any, path: str, dataset: str | None, **options: Any) -> Content:
        """The frames that are meant.

        Raises
        ------
        FormatError
            There are none, or several and `dataset` is None: lists the candidates.
        """
        ...

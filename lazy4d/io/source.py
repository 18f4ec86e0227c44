"""What a reader hands over: the frames, the axes, and everything the file says about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lazy4d.errors import Lazy4DError

if TYPE_CHECKING:
    from lazy4d.lazy.frames import FrameSource

INCOMPLETE = ("raise", "nan", "zero", "crop")
"""What may be asked of a file with damaged or missing frames."""

IO_MODES = ("mmap", "read")
"""How stored bytes reach the decoder: views of a memory map, or plain reads (safe for files still being written)."""

_NAVIGATION_NAMES = ("x", "y", "z", "t")


@dataclass(frozen=True)
class AxisSpec:
    """One axis as a file describes it: ``value = offset + scale * index``.

    Parameters
    ----------
    name : str
        Name of the axis, such as ``"x"`` or ``"kx"``.
    units : str
        Unit of `scale` and `offset`; ``"px"`` where the file gives no calibration.
    scale, offset : float
        Step between indices and value at index 0, in `units`.

    Examples
    --------
    >>> AxisSpec("x", "nm", 1.2)
    AxisSpec(name='x', units='nm', scale=1.2, offset=0.0)
    """

    name: str
    units: str = "px"
    scale: float = 1.0
    offset: float = 0.0


@dataclass
class Source:
    """Everything a reader knows of a data set; no pixel has been read.

    Parameters
    ----------
    frames : FrameSource
        The frames, readable block by block inside a task.
    title : str
        Short name for people, usually the file name without suffix.
    signal_axes, navigation_axes : tuple of AxisSpec
        Axes in numpy order: ``(ky, kx)`` and ``(y, x)``.
    metadata : dict
        Nested dictionary in the HyperSpy layout (``General``, ``Acquisition_instrument`` …).
    original_metadata : dict
        Everything the file and its companions say, untranslated.
    identity : dict
        ``path``, ``size``, ``mtime_ns``, ``format`` and what else tells this data set from another; plain JSON values.
    warnings : tuple of str
        What a user should be told once, in the process that loads; empty when nothing is wrong.
    scan_shape_origin : str
        Where the scan shape comes from, for example ``"scan_shape argument"`` or ``"ScanX, ScanY of scan.hdr"``.
    frames_found : int
        Complete frames in the files.
    frames_expected : int or None
        Frames that the file or its companion promises; None where nothing does.
    """

    frames: FrameSource
    title: str
    signal_axes: tuple[AxisSpec, ...]
    navigation_axes: tuple[AxisSpec, ...]
    metadata: dict[str, Any] = field(default_factory=dict)
    original_metadata: dict[str, Any] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    scan_shape_origin: str = ""
    frames_found: int = 0
    frames_expected: int | None = None


@runtime_checkable
class Reader(Protocol):
    """A file format: four names, no base class.

    Optional attributes that the registry looks for: ``signature`` (str, how such files start, for error messages),
    ``headerless`` (True: nothing in the file tells the format, the suffix decides), ``claims(path) -> bool`` (its name
    and companions tell a file whose first bytes do not), ``series`` (True: `read` takes a list of paths),
    ``sniff_directory(path) -> bool`` (the format is a directory), ``urls`` (True: `read` takes fsspec URLs),
    ``stands_for(path) -> list of str`` (the files that a name without a file means), ``principal(paths) -> list of
    str`` (of the files of a folder its one data set, where the others are known to go with it) and ``audit_options``
    (dict, options with which `lazy4d.io.audit.audit` reads a damaged file).
    """

    name: str
    extensions: tuple[str, ...]

    def sniff(self, head: bytes) -> bool:
        """True when the first bytes of a file (up to 8192) are those of this format."""
        ...

    def read(self, path: Any, **options: Any) -> Source:
        """The data set at `path`, checked in milliseconds, without reading pixels."""
        ...


def navigation_axes(ndim: int) -> tuple[AxisSpec, ...]:
    """Uncalibrated navigation axes in numpy order, fastest last and named ``x``.

    Parameters
    ----------
    ndim : int
        Number of navigation axes.

    Returns
    -------
    tuple of AxisSpec

    Examples
    --------
    >>> [axis.name for axis in navigation_axes(3)]
    ['z', 'y', 'x']
    """
    names = [_NAVIGATION_NAMES[i] if i < len(_NAVIGATION_NAMES) else f"n{i}" for i in range(ndim)]
    return tuple(AxisSpec(name) for name in reversed(names))


def frame_axes() -> tuple[AxisSpec, ...]:
    """Uncalibrated detector axes ``(ky, kx)`` in pixels.

    Examples
    --------
    >>> [axis.name for axis in frame_axes()]
    ['ky', 'kx']
    """
    return (AxisSpec("ky"), AxisSpec("kx"))


def one_of(option: str, value: str, choices: tuple[str, ...]) -> str:
    """`value` when it is among `choices`.

    Raises
    ------
    ValueError
        When it is not: names the option, the value and the choices.

    Examples
    --------
    >>> one_of("io", "read", IO_MODES)
    'read'
    """
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{option}={value!r} is not known: expected one of {known}")
    return value


def no_damage(incomplete: str, error: Lazy4DError) -> str:
    """The text of `error` where damage is tolerated, so that it becomes a warning; raises `error` where it is not.

    Parameters
    ----------
    incomplete : str
        One of `INCOMPLETE`.
    error : Lazy4DError
        What is wrong with the file.

    Returns
    -------
    str
        The message of `error`.

    Raises
    ------
    Lazy4DError
        `error` itself with ``incomplete="raise"``.

    Examples
    --------
    >>> from lazy4d.errors import TruncatedFileError
    >>> no_damage("nan", TruncatedFileError("ends inside frame 3"))
    'ends inside frame 3'
    """
    if incomplete == "raise":
        raise error
    return str(error)

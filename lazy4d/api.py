"""From files to signals and back, and what is done to several signals at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from warnings import warn

from lazy4d.axes import AxesManager, Axis, Coordinate
from lazy4d.errors import Lazy4DWarning
from lazy4d.lazy import Frames, damage
from lazy4d.lazy.options import options, set_options
from lazy4d.metadata import History, Metadata
from lazy4d.signals import BaseSignal, Diffraction2D, DiffractionVectors, Signal1D, Signal2D, VirtualImage
from lazy4d.signals.calibration import BEAM_ENERGY
from lazy4d.signals.computing import compute_together, explain_together, persist_together
from lazy4d.signals.stacking import stack

if TYPE_CHECKING:
    from lazy4d.io.source import Source
    from lazy4d.io.vectors.store import LoadedVectors

__all__ = ["compute", "explain", "load", "persist", "save", "set_options", "stack"]

SAVED_SIGNAL = "lazy4d"
"""Key of a source's metadata where our own files keep what only they know: signal_class, history, axes."""

WRITERS = {
    ".hspy": ("lazy4d.io.hyperspy", "save_hspy"),
    ".mrc": ("lazy4d.io.mrc.write", "save_mrc"),
    ".npy": ("lazy4d.io.npy_write", "save_npy"),
    ".zarr": ("lazy4d.io.zarr_store", "save_zarr"),
    ".zspy": ("lazy4d.io.hyperspy", "save_zspy"),
}
"""Module and function that write a file, by its suffix."""

SIGNAL_CLASSES: dict[int, type[BaseSignal]] = {0: VirtualImage, 1: Signal1D, 2: Signal2D}


def load(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    reader: str | None = None,
    scan_shape: tuple[int, ...] | None = None,
    sync_offset: int = 0,
    flyback: int = 0,
    serpentine: bool | None = None,
    incomplete: str = "raise",
    chunks: Any = "auto",
    dataset: str | None = None,
    signal_class: type[BaseSignal] | None = None,
    io: str | None = None,
    **reader_options: Any,
) -> BaseSignal:
    """The signal that a file holds, lazily: checked in milliseconds, whatever its size, and no pixel is read.

    A file of vectors, as `save` writes them, pyxem or py4DSTEM, gives `DiffractionVectors`.

    Parameters
    ----------
    path : path, URL, glob, folder or list of paths
        The file; several files of one series together. A folder means the one series in it, or the one file.
    reader : str, optional
        Name of the reader to use; by default the content of the file decides. ``"vectors"`` asks for the vectors of a
        file that holds frames too.
    scan_shape : (rows, columns), optional
        Shape of the scan where the file does not say it, or says it wrong; ``(n,)`` for a line. `guess_scan_shape`
        looks for it.
    sync_offset : int, optional
        Frames to skip at the start, or, negative, blank frames to insert there.
    flyback : int, optional
        Frames to leave out at the end of each scan row.
    serpentine : bool, optional
        Every second row, the second one first, was scanned backwards; by default as the file says.
    incomplete : {"raise", "nan", "zero", "crop"}, optional
        What to do with missing or damaged frames: refuse the file; give NaN, or zeros, for them, with a warning and
        ``s.valid``; or keep the whole rows only.
    chunks : "auto", int or sequence, optional
        Positions a block, for each navigation axis in numpy order; runs of whole scan rows of about 128 MiB by default.
    dataset : str, optional
        Which data set of a file that holds several.
    signal_class : type, optional
        Class of the result; by default `Diffraction2D` for frames at scan positions, `Signal2D` for a single image.
    io : {"mmap", "read"}, optional
        How stored bytes are read; ``"read"`` for files still being written. The option of `set_options` by default.
    **reader_options
        Further options of the reader.

    Returns
    -------
    BaseSignal or DiffractionVectors
        With axes, metadata, original metadata and history.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    FormatError, TruncatedFileError, ScanShapeError, UnsupportedVariantError, MissingCompanionError, MissingCodecError
        The file is not what it promises; the message says what was found and what to do.
    ValueError
        An option does not fit.

    Warns
    -----
    Lazy4DWarning
        Damage that `incomplete` tolerates, once.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.npy"
    >>> np.save(path, np.ones((3, 4, 16, 16), "uint16"))
    >>> l4.load(path)
    <Diffraction2D, title: scan, dimensions: (4, 3|16, 16), uint16, lazy 6.1 kB, 1 block>
    """
    from lazy4d.io import registry
    from lazy4d.io.vectors.opening import load_vectors

    found = load_vectors(path, reader=reader, dataset=dataset, chunks=chunks)
    if found is not None:
        arrangement: dict[str, Any] = {"scan_shape": scan_shape, "sync_offset": sync_offset, "flyback": flyback}
        arrangement |= {"serpentine": serpentine, "incomplete": incomplete, **reader_options}
        return _vectors_of(found, arrangement, signal_class)
    given: dict[str, Any] = {
        "scan_shape": scan_shape,
        "sync_offset": sync_offset,
        "flyback": flyback,
        "serpentine": serpentine,
        "incomplete": incomplete,
        "io": options().io if io is None else io,
        **({} if dataset is None else {"dataset": dataset}),
        **reader_options,
    }
    source = registry.read(path, reader=reader, **given)
    for message in source.warnings:
        warn(message, Lazy4DWarning, stacklevel=2)
    damage.loaded(source.frames, told=bool(source.warnings))
    return signal_of(source, chunks=chunks, signal_class=signal_class)


def signal_of(source: Source, *, chunks: Any = "auto", signal_class: type[BaseSignal] | None = None) -> BaseSignal:
    """The signal of what a reader found.

    Parameters
    ----------
    source : Source
        Frames, axes and metadata.
    chunks, signal_class : optional
        As for `load`.
    """
    frames = Frames.from_source(source.frames, chunks)
    metadata = dict(source.metadata)
    saved = metadata.pop(SAVED_SIGNAL, {})
    rows = _saved_axes(saved.get("axes", ()), frames.nav_shape + frames.frame_shape) or _axes_of(source, frames)
    tree = Metadata(metadata)
    tree.set_item("General.title", source.title)
    axes = AxesManager(rows)
    if tree.get_item(BEAM_ENERGY, None) is not None:
        axes.beam_energy = tree.get_item(BEAM_ENERGY)
    history = History.from_json(saved["history"]) if "history" in saved else History()
    params = {"path": source.identity.get("path"), "scan_shape": list(frames.nav_shape)}
    result = (signal_class or _class_of(saved.get("signal_class"), len(frames.nav_shape), len(frames.frame_shape)))(
        frames,
        axes,
        tree,
        Metadata(source.original_metadata),
        history.append("load", params, source=source.identity),
    )
    result._audit = partial(_audit, source)
    return result


def _vectors_of(found: LoadedVectors, arrangement: dict[str, Any], kind: type | None) -> Any:
    """The vectors of a file, which has a scan of its own."""
    path = found.identity["path"]
    plain = {"sync_offset": 0, "flyback": 0, "incomplete": "raise"}
    given = [name for name, value in arrangement.items() if value is not None and value != plain.get(name)]
    if given or (kind is not None and not issubclass(kind, DiffractionVectors)):
        raise TypeError(
            f"{path} holds vectors, which are loaded with the options chunks and dataset as "
            f"{DiffractionVectors.__name__}; found {', '.join(given) or kind}: leave it out"
        )
    for message in found.warnings:
        warn(message, Lazy4DWarning, stacklevel=3)
    saved = found.content.signal
    tree = Metadata(saved.metadata)
    tree.set_item("General.title", found.title or PurePath(path).stem)
    axes = AxesManager(_saved_axes(saved.axes, tuple(axis["size"] for axis in saved.axes)))
    if tree.get_item(BEAM_ENERGY, None) is not None:
        axes.beam_energy = tree.get_item(BEAM_ENERGY)
    params = {"path": path, "scan_shape": list(found.content.nav_shape)}
    history = History.from_json(saved.history).append("load", params, source=found.identity)
    return (kind or DiffractionVectors)(
        found.blocks, axes, tree, Metadata(saved.original_metadata), history,
        valid=found.valid, calibrated=found.calibrated,
    )  # fmt: skip


def _audit(source: Source) -> Any:
    from lazy4d.io.audit import audit

    return audit(source)


def _axes_of(source: Source, frames: Frames) -> list[Axis]:
    """Axes as a reader describes them, numpy order."""
    shapes = (source.navigation_axes, frames.nav_shape, True), (source.signal_axes, frames.frame_shape, False)
    return [
        Axis(name=spec.name, units=spec.units, scale=spec.scale, offset=spec.offset, size=size, navigate=navigate)
        for specs, shape, navigate in shapes
        for spec, size in zip(specs, shape, strict=True)
    ]


def _saved_axes(saved: Sequence[dict[str, Any]], shape: tuple[int, ...]) -> list[Axis]:
    """Axes as `save` wrote them, with the places of chosen positions; none for data loaded in another shape."""
    if tuple(axis["size"] for axis in saved) != shape:
        return []
    return [
        Axis(**{**axis, "coordinates": tuple(Coordinate(*place) for place in axis.get("coordinates", ()))})
        for axis in saved
    ]


def _class_of(name: str | None, nav_ndim: int, signal_ndim: int) -> type[BaseSignal]:
    """The class that was saved, or else the one that fits the number of axes."""
    import lazy4d.signals as signals

    if name in signals.__all__:
        return getattr(signals, name)
    if signal_ndim == 2 and nav_ndim:
        return Diffraction2D
    return SIGNAL_CLASSES.get(signal_ndim, BaseSignal)


def save(signal: BaseSignal | DiffractionVectors, filename: str | os.PathLike[str], **writer_options: Any) -> None:
    """Write a signal to a file, block by block, in the format that its suffix names.

    ========== ======================================================= ==========================================
    suffix     what it is                                              options
    ========== ======================================================= ==========================================
    ``.zarr``  Zarr version 3, sharded and compressed: the fastest to  overwrite, resume, codec, progress
               save and to load again
    ``.hspy``  HDF5 as HyperSpy writes and reads it                    overwrite, codec, progress
    ``.zspy``  Zarr version 2 as HyperSpy writes and reads it          overwrite, resume, codec, progress
    ``.npy``   a plain array for ``numpy.load``, with a companion      overwrite, progress
               ``<name>.lazy4d.json`` that holds everything else
    ``.mrc``   a section a frame, for programs of electron microscopy; overwrite, progress
               with a companion as ``.npy``
    ========== ======================================================= ==========================================

    Vectors go to other files, flat columns with the places where each frame's begin:

    ============ ===================================================== ==========================================
    ``.zarr``    Zarr version 3: the fastest to save and to load       overwrite, resume, codec, progress
    ``.h5``      HDF5, also as ``.hdf5``                               overwrite, resume, codec, progress
    ``.parquet`` a table, a row a vector, also with its calibrated     overwrite, resume, codec, progress
                 place
    ============ ===================================================== ==========================================

    Parameters
    ----------
    signal : BaseSignal
        The signal; a lazy one is computed as it is written, in one pass, and never held whole.
    filename : path
        Where to; on a drive that all workers of a cluster see.
    **writer_options
        ``overwrite=True`` replaces what is there; ``resume=True`` goes on with an interrupted save of the same frames;
        ``codec`` is ``"zstd"``, ``"lz4"``, ``"none"`` or what the writer's own documentation tells; ``progress`` as in
        `compute`.

    Raises
    ------
    ValueError
        No writer for the suffix.
    TypeError
        An option that the writer does not have, or a dtype that the format does not have.
    FileExistsError
        Something is there, and no option says what to do with it.

    Notes
    -----
    A file appears under its name, and a store is marked complete, only when all of it is written. Axes, metadata,
    history and the class of the signal come back with `load` from each of them.

    Examples
    --------
    >>> l4.save(d, "scan.docx")
    Traceback (most recent call last):
    ...
    ValueError: cannot write 'scan.docx': no writer for the suffix '.docx'; use one of ...
    """
    suffix = PurePath(os.fspath(filename)).suffix.lower()
    if isinstance(signal, DiffractionVectors):
        from lazy4d.io.vectors.saving import save_vectors

        _check_options(suffix, save_vectors, writer_options)
        content: dict[str, Any] = {"data": signal.data, "valid": signal._valid, "column_units": signal.column_units}
        save_vectors(filename, **content, **_described(signal), **writer_options)
        return
    if suffix not in WRITERS:
        raise ValueError(
            f"cannot write {os.fspath(filename)!r}: no writer for the suffix {suffix!r}; use one of "
            f"{', '.join(sorted(WRITERS))}"
        )
    module, function = WRITERS[suffix]
    write: Callable[..., None] = getattr(import_module(module), function)
    _check_options(suffix, write, writer_options)
    write(filename, frames=signal.frames, **_described(signal), **writer_options)


def _described(signal: BaseSignal | DiffractionVectors) -> dict[str, Any]:
    """Everything of a signal but its data, as every writer takes it."""
    return {
        "axes": [axis.as_dictionary() for axis in signal.axes_manager.as_numpy_order()],
        "metadata": signal.metadata.as_dictionary(),
        "original_metadata": signal.original_metadata.as_dictionary(),
        "history": signal.history.to_json(),
        "signal_class": type(signal).__name__,
    }


_GIVEN = {
    *("path", "filename", "frames", "axes", "metadata", "original_metadata", "history", "signal_class"),
    *("data", "valid", "column_units"),
}


def _check_options(suffix: str, write: Callable[..., None], given: dict[str, Any]) -> None:
    parameters = signature(write).parameters
    known = [name for name in parameters if name not in _GIVEN]
    unknown = [name for name in given if name not in known]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise TypeError(
            f"saving as {suffix} takes the options {', '.join(known)}, found {', '.join(unknown)}: leave it out, or "
            "choose another suffix; see lazy4d.save"
        )


def compute(*signals: Any, progress: Any = None) -> tuple[Any, ...]:
    """The signals computed, with one pass over each file however many of them come from it.

    Parameters
    ----------
    *signals : BaseSignal, dask array, or list, tuple or dict of them
        What to compute.
    progress : bool or callable, optional
        Overrides the option of `set_options`.

    Returns
    -------
    tuple
        One entry for each argument, with ndarrays as data; the arguments stay lazy.

    Examples
    --------
    >>> pattern, com = l4.compute(d.sum(), d.center_of_mass())
    >>> pattern.data.shape, com.data.shape
    ((16, 16), (4, 4, 2))
    """
    return compute_together(*signals, progress=progress)


def persist(*signals: Any, progress: Any = None) -> tuple[Any, ...]:
    """The signals with their blocks computed and kept in memory (of the workers, on a cluster), still lazy.

    Examples
    --------
    >>> l4.persist(d.sum())[0].lazy
    True
    """
    return persist_together(*signals, progress=progress)


def explain(*signals: Any) -> Any:
    """What computing the signals together would do, before it is done: passes, bytes, expected time and memory.

    Examples
    --------
    >>> "pass" in str(l4.explain(d.sum(), d.center_of_mass()))
    True
    """
    return explain_together(*signals)

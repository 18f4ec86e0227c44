"""The reader that hands files to RosettaSciIO: a file in, a `Source` out."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lazy4d.errors import FormatError, MissingCodecError, UnsupportedVariantError
from lazy4d.io import mapping
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.rosettasciio.description import (
    axes_in_order,
    axis_names,
    axis_spec,
    map_metadata,
    navigation_first,
)
from lazy4d.io.rosettasciio.frames import PIECE_BYTES, PluginFrames, Stored, merge_blocks
from lazy4d.io.rosettasciio.opened import Recipe, keep
from lazy4d.io.rosettasciio.plugins import SUFFIXES, Plugin, ReadsAtOnceError, call, find_plugin
from lazy4d.io.scan import ShapeHint, plan_scan
from lazy4d.io.source import INCOMPLETE, IO_MODES, AxisSpec, Source, navigation_axes, one_of

MOST_AT_ONCE = 0.25
"""Share of the memory that a file may take of which a plug-in reads everything at once."""

_MOST_PIECE = 0.125
"""Share of the memory that the smallest part which a plug-in can read may take: several are held at a time."""

_MOST_PACKED = 100_000
_ALWAYS_BELIEVED = 1 << 34
"""Bytes of frames for each byte of a file, and bytes of frames, from which both on a header is not believed."""

_COMPANIONS = {".rpl": ("{stem}.raw", "{stem}.bin"), ".emi": ("{stem}_*.ser",), ".pts": ("{stem}.asw",)}


class RosettaSciIOReader:
    """Every format that RosettaSciIO reads and lazy4d does not, by the suffix; any with ``reader="rosettasciio"``.

    RosettaSciIO (GPL-3) is not part of lazy4d: ``pip install "lazy4d[formats]"``. Frames come as its plug-ins give
    them: some turn images over, such as the one for MIB files, which lazy4d itself reads in file order.
    """

    name = "rosettasciio"
    extensions: tuple[str, ...] = SUFFIXES
    headerless = True

    def sniff(self, head: bytes) -> bool:
        """False: no content is taken from other readers, only a suffix or ``reader="rosettasciio"`` chooses this one.

        Examples
        --------
        >>> RosettaSciIOReader().sniff(b"anything")
        False
        """
        return False

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        dataset: str | int | None = None,
        plugin: str | None = None,
        plugin_options: Mapping[str, Any] | None = None,
        scan_shape: Sequence[int] | int | str | None = None,
        sync_offset: int = 0,
        flyback: int = 0,
        incomplete: str = "raise",
        io: str = "mmap",
        serpentine: bool | None = None,
    ) -> Source:
        """The frames of a data set that a plug-in of RosettaSciIO finds in a file, read piece by piece where it can.

        A plug-in that cannot read lazily reads the whole file here, and again in each process that computes; files
        above a quarter of the memory are then refused.

        Parameters
        ----------
        path : path
            The file.
        dataset : str or int, optional
            Title or number, counted from 0, of the data set of a file that holds several.
        plugin : str, optional
            Name of the plug-in, such as ``"DigitalMicrograph"``; by default that of the suffix.
        plugin_options : mapping, optional
            Options of its ``file_reader``.
        scan_shape, sync_offset, flyback, serpentine : optional
            Another arrangement of the frames, counted in the order of the scan that the file tells; see `plan_scan`.
        incomplete : {"raise", "nan", "zero", "crop"}
            What to do where frames do not fill `scan_shape`; damage inside the file is for the plug-in to notice.
        io : {"mmap", "read"}
            Without effect: the plug-in decides.

        Raises
        ------
        MissingCodecError
            RosettaSciIO, or a package that its plug-in needs, is not installed.
        FormatError
            The plug-in failed, or the file holds several data sets: names the plug-in and the cause, or lists them.
        UnsupportedVariantError
            Colour or ragged pixels, or more than memory holds of a file that cannot be read lazily.
        ScanShapeError
            The frames do not fill `scan_shape`.
        ValueError, TypeError
            An option makes no sense.
        """
        one_of("incomplete", incomplete, INCOMPLETE)
        one_of("io", io, IO_MODES)
        where = os.path.abspath(os.fspath(path))
        chosen = find_plugin(where, plugin)
        try:
            given = _checked_options(chosen, plugin_options)
        except MissingCodecError as error:
            raise MissingCodecError(f"{where}: {error}") from error
        recipe, datasets, notes = _open(where, chosen, given)
        index = _choose(where, chosen, datasets, dataset)
        axes = axes_in_order(datasets[index], np.ndim(datasets[index]["data"]))
        order, nav_ndim = navigation_first(axes)
        stored = _stored(where, chosen, index, datasets[index]["data"], order, nav_ndim)
        _believable(where, chosen, stored, sum(state[1] for state in recipe.states))
        dask_array = hasattr(datasets[index]["data"], "chunks")
        if dask_array and "chunks" in chosen.parameters() and "chunks" not in given:
            recipe, datasets = _with_whole_frames(recipe, datasets, stored)
        blocks = merge_blocks(_blocks(recipe, stored), stored.frame_nbytes, PIECE_BYTES)
        plan = plan_scan(
            where, math.prod(stored.nav_shape), scan_shape=scan_shape, sync_offset=sync_offset, flyback=flyback,
            incomplete=incomplete, serpentine=serpentine,
            hint=ShapeHint(stored.nav_shape, f"axes that {chosen.name} of RosettaSciIO gives") if nav_ndim else None,
        )  # fmt: skip
        frames = PluginFrames(recipe, stored, blocks, plan.navigation, incomplete)
        as_stored = plan.navigation.identity == NavigationMap.raster(stored.nav_shape).identity
        nav_specs, signal_specs = _specs([axes[k] for k in order], nav_ndim, where, notes)
        metadata, original = map_metadata(datasets[index], where)
        size, mtime_ns = recipe.states[0][1:]
        return Source(
            frames=frames,
            title=metadata["General"]["title"],
            signal_axes=signal_specs,
            navigation_axes=nav_specs if as_stored else navigation_axes(len(frames.nav_shape)),
            metadata=metadata,
            original_metadata=original,
            identity={
                "path": where, "size": size, "mtime_ns": mtime_ns, "format": self.name, "plugin": chosen.name,
                "dataset": index, "token": recipe.token,
            },
            warnings=(*notes, *plan.warnings),
            scan_shape_origin=plan.origin,
            frames_found=math.prod(stored.nav_shape),
        )  # fmt: skip


def _checked_options(plugin: Plugin, options: Mapping[str, Any] | None) -> dict[str, Any]:
    given = dict(options or {})
    known = plugin.parameters()
    wrong = [name for name in given if name in ("filename", "lazy") or (name not in known and "kwds" not in known)]
    if wrong:
        raise TypeError(
            f"the plug-in {plugin.name!r} of RosettaSciIO takes no option {wrong[0]!r} here; it takes "
            f"{', '.join(name for name in known if name not in ('filename', 'lazy')) or 'none'}"
        )
    return given


def _open(path: str, plugin: Plugin, options: dict[str, Any]) -> tuple[Recipe, list[dict[str, Any]], list[str]]:
    """The recipe, the data sets found and notes; lazily where the plug-in can."""
    states = tuple((name, *_state(name)) for name in (path, *_companions(path)))
    given = tuple(sorted(options.items()))
    try:
        datasets, notes = call(plugin, path, lazy=True, options=options)
        recipe = Recipe(path, plugin, True, given, states)
    except ReadsAtOnceError:
        size = sum(state[1] for state in states)
        most = int(MOST_AT_ONCE * mapping.memory_limit())
        if size > most:
            raise UnsupportedVariantError(
                f"{path}: the plug-in {plugin.name!r} of RosettaSciIO cannot read lazily, and {size} bytes are more "
                f"than a quarter of the memory ({most} bytes): convert the file on a machine with more memory"
            ) from None
        datasets, notes = call(plugin, path, lazy=False, options=options)
        recipe = Recipe(path, plugin, False, given, states)
    datasets = [each for each in datasets if hasattr(each.get("data"), "shape")]
    if not datasets:
        raise FormatError(f"{path}: the plug-in {plugin.name!r} of RosettaSciIO finds no data set in it")
    keep(recipe, datasets)
    return recipe, datasets, notes


def _companions(path: str) -> list[str]:
    stem, suffix = os.path.splitext(path)
    patterns = _COMPANIONS.get(suffix.lower(), ())
    return [name for each in patterns for name in sorted(glob.glob(each.format(stem=glob.escape(stem))))[:64]]


def _state(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _choose(path: str, plugin: Plugin, datasets: list[dict[str, Any]], dataset: str | int | None) -> int:
    """The number of the data set asked for."""
    titles = [str((each.get("metadata") or {}).get("General", {}).get("title", "")) for each in datasets]
    if dataset is None and len(datasets) == 1:
        return 0
    if dataset is not None:
        matching = [k for k, title in enumerate(titles) if title == dataset]
        if len(matching) == 1:
            return matching[0]
        text = str(dataset).strip()
        if not matching and text.isdecimal() and text.isascii() and int(text) < len(datasets):
            return int(text)
    listed = "; ".join(
        f"{k}: {title or 'no title'!r} {tuple(each['data'].shape)} {each['data'].dtype}"
        for k, (title, each) in enumerate(zip(titles, datasets, strict=True))
    )
    told = f"holds {len(datasets)} data sets" if dataset is None else f"has no single data set {dataset!r}"
    raise FormatError(
        f"{path}: the file {told}, as {plugin.name} of RosettaSciIO finds; choose one by dataset= its number or title: "
        f"{listed}"
    )


def _stored(path: str, plugin: Plugin, index: int, data: Any, order: tuple[int, ...], nav_ndim: int) -> Stored:
    dtype = np.dtype(data.dtype)
    if dtype.names is not None or dtype.hasobject or dtype.kind not in "biufc":
        raise UnsupportedVariantError(
            f"{path}: data set {index} that {plugin.name} of RosettaSciIO finds has pixels of dtype {dtype}, which are "
            "no plain numbers (colour, text or ragged data); convert it to a grey image with another program"
        )
    shape = tuple(int(n) for n in data.shape)
    if 0 in shape:
        raise FormatError(
            f"{path}: data set {index} that {plugin.name} of RosettaSciIO finds has shape {shape}: it is empty"
        )
    return Stored(index, shape, order, nav_ndim, dtype.newbyteorder("="))


def _believable(path: str, plugin: Plugin, stored: Stored, size: int) -> None:
    """Nothing; raises where a file of `size` bytes cannot hold so many frames, however they are packed."""
    promised = stored.frame_nbytes * math.prod(stored.nav_shape)
    if promised > _MOST_PACKED * size and promised > _ALWAYS_BELIEVED:
        raise FormatError(
            f"{path}: data set {stored.dataset} that {plugin.name} of RosettaSciIO finds has shape {stored.shape}, "
            f"{promised} bytes, which a file of {size} bytes cannot hold: its header is damaged"
        )


def _with_whole_frames(
    recipe: Recipe, datasets: list[dict[str, Any]], stored: Stored
) -> tuple[Recipe, list[dict[str, Any]]]:
    """The file opened again with frames whole and in small runs, where its plug-in cuts them otherwise."""
    array = recipe.array(stored.dataset, stored.shape, stored.order)
    largest = stored.frame_nbytes * math.prod(max(axis) for axis in array.chunks[: stored.nav_ndim])
    whole = all(len(axis) == 1 for axis in array.chunks[stored.nav_ndim :])
    if whole and largest <= max(4 * PIECE_BYTES, stored.frame_nbytes):
        return recipe, datasets
    from lazy4d.lazy.chunks import auto_chunks  # which brings dask

    wanted = [*stored.shape]
    for axis, sizes in zip(stored.order, auto_chunks(stored.nav_shape, stored.frame_nbytes, PIECE_BYTES), strict=False):
        wanted[axis] = max(sizes)
    options = {**dict(recipe.options), "chunks": tuple(wanted)}
    again = Recipe(recipe.path, recipe.plugin, True, tuple(sorted(options.items())), recipe.states)
    found, _ = call(recipe.plugin, recipe.path, lazy=True, options=options)
    found = [each for each in found if hasattr(each.get("data"), "shape")]
    if len(found) != len(datasets) or tuple(found[stored.dataset]["data"].shape) != stored.shape:
        return recipe, datasets
    keep(again, found)
    return again, found


def _blocks(recipe: Recipe, stored: Stored) -> tuple[tuple[int, ...], ...]:
    """Positions that the plug-in reads at once."""
    array = recipe.array(stored.dataset, stored.shape, stored.order)
    blocks = stored.blocks_of(array)
    if hasattr(array, "chunks"):
        largest = stored.frame_nbytes * math.prod(max(axis) for axis in blocks)
        most = int(_MOST_PIECE * mapping.memory_limit())
        if largest > most:
            hint = "plugin_options={'chunks': (...)}" if "chunks" in recipe.plugin.parameters() else "another program"
            raise UnsupportedVariantError(
                f"{recipe.path}: the plug-in {recipe.plugin.name!r} of RosettaSciIO reads at least {largest} bytes at "
                f"once, more than an eighth of the memory ({most} bytes): read smaller parts with {hint}"
            )
    return blocks


def _specs(
    axes: list[dict[str, Any]], nav_ndim: int, path: str, notes: list[str]
) -> tuple[tuple[AxisSpec, ...], tuple[AxisSpec, ...]]:
    specs = []
    for axis, name in zip(axes, axis_names(axes, nav_ndim), strict=True):
        spec, lost = axis_spec(axis, name)
        specs.append(spec)
        if lost:
            notes.append(f"{Path(path)}: {lost}")
    return tuple(specs[:nav_ndim]), tuple(specs[nav_ndim:])


READER = RosettaSciIOReader()

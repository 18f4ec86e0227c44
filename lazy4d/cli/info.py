"""``lazy4d info``: what a file holds, and what working with it will take."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import click

from lazy4d.cli.options import debug_option, parse_reader_options, parse_scan_shape
from lazy4d.cli.origin import origin
from lazy4d.cli.report import bullets, duration, row
from lazy4d.errors import Lazy4DError

if TYPE_CHECKING:
    from lazy4d.io.source import Source
    from lazy4d.signals import BaseSignal

DISK = 2e9
"""Bytes a second of a good SSD, for the time that data need which are not in memory yet."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--audit", is_flag=True, help="Read every frame header and list what is missing or damaged.")
@click.option("--scan-shape", metavar="R,C", help="Rows and columns of the scan, where the file does not say them.")
@click.option("--reader", metavar="NAME", help="Reader to use; by default the file's content decides.")
@click.option("--sync-offset", type=int, help="Frames to skip at the start; negative: blank ones to insert there.")
@click.option("--flyback", type=int, help="Frames to leave out after each scan row.")
@click.option(
    "--incomplete", type=click.Choice(["raise", "nan", "zero", "crop"]), help="What to do with damaged frames."
)
@click.option("--guess-scan-shape", "guess", is_flag=True, help="Look for the shape of the scan, and say why.")
@click.option("--option", "-o", "others", multiple=True, metavar="NAME=VALUE", help="Any other option of the reader.")
@debug_option
def info(
    files: tuple[str, ...],
    audit: bool,
    scan_shape: str | None,
    reader: str | None,
    sync_offset: int | None,
    flyback: int | None,
    incomplete: str | None,
    guess: bool,
    others: tuple[str, ...],
) -> None:
    """Say what FILE holds: format, shape, axes, frames found, blocks, and the time and memory that a pass takes.

    Several files are taken as one series. Sizes and a sample of the frame headers are checked, which takes
    milliseconds whatever the size; --audit reads all headers. Exit status 1 if the file is damaged. --guess-scan-shape
    reads up to about 1 GB and prints candidates with their evidence.
    """
    given: dict[str, Any] = {
        "scan_shape": None if scan_shape is None else parse_scan_shape(scan_shape),
        "sync_offset": sync_offset,
        "flyback": flyback,
        "incomplete": incomplete,
    }
    options = {name: value for name, value in given.items() if value is not None} | parse_reader_options(others)
    path: Any = files[0] if len(files) == 1 else list(files)
    from lazy4d.io import registry
    from lazy4d.io.vectors.opening import find_vectors

    if not options and find_vectors(path) is not None and reader in (None, "vectors"):
        describe_vectors(path)
        return
    if guess and {"scan_shape", "sync_offset", "flyback"} & options.keys():
        raise click.UsageError("--guess-scan-shape looks for scan shape, sync offset and flyback: give none of them")
    if guess:
        _guess(path, reader, {**parse_reader_options(others), **({"incomplete": incomplete} if incomplete else {})})
        return
    try:
        source = registry.read(path, reader=reader, **options)
    except Lazy4DError:
        if audit:
            _audit(path, reader)  # tells more of the damage than the error that follows
        raise
    describe(source)
    if audit and not _audit(source, None):
        raise click.exceptions.Exit(1)


def describe_vectors(path: Any) -> None:
    """Print what a file of diffraction vectors holds; they are checked by their sums whenever they are read."""
    from lazy4d.api import load

    vectors: Any = load(path)
    click.secho(str(path), bold=True)
    if made_from := origin(vectors.history):
        row("made from", made_from)
    row("signal", f"{type(vectors).__name__}, {_shape(vectors)}")
    units = vectors.column_units
    row("columns", ", ".join(f"{name} [{units[name]}]" if units.get(name) else name for name in vectors.columns))
    axes = vectors.axes_manager.as_numpy_order()
    width = max((len(axis.name) for axis in axes), default=0)
    row("axes", "\n".join(_axis(axis, width) for axis in axes))


def describe(source: Source) -> None:
    """Print what a reader found."""
    from lazy4d.api import signal_of

    signal = signal_of(source)
    identity = source.identity
    count = int(identity.get("files", 1))
    click.secho(str(identity.get("path", source.title)), bold=True)
    row(
        "format",
        f"{identity.get('format', 'unknown')}, {_bytes(_stored(identity, signal.nbytes))}"
        + (f" in {count} files" if count > 1 else ""),
    )
    if made_from := origin(signal.history):
        row("made from", made_from)
    row("signal", f"{type(signal).__name__}, {_shape(signal)}")
    row("pixels", f"{signal.dtype}, {_bytes(signal.nbytes)} as an array")
    axes = signal.axes_manager.as_numpy_order()
    width = max((len(axis.name) for axis in axes), default=0)
    row("axes", "\n".join(_axis(axis, width) for axis in axes))
    energy = signal.axes_manager.beam_energy
    if energy is not None:
        row("beam energy", f"{energy:g} keV")
    row("scan shape from", source.scan_shape_origin or "the file itself")
    expected = "" if source.frames_expected is None else f", {source.frames_expected} expected"
    row("frames", f"{source.frames_found} found{expected}")
    row("blocks", _blocks(signal))
    if signal.nav_shape and len(signal.frame_shape) == 2 and signal.dtype.kind != "c":
        row("one pass", _cost(signal))
    row("warnings", bullets(source.warnings) or "none")


def _shape(signal: BaseSignal) -> str:
    names = [axis.name for axis in signal.axes_manager.as_numpy_order()]
    sizes, n = [str(size) for size in (*signal.nav_shape, *signal.frame_shape)], len(signal.nav_shape)
    return f"({', '.join(sizes[:n])} | {', '.join(sizes[n:])}) along ({', '.join(names[:n])} | {', '.join(names[n:])})"


def _stored(identity: dict[str, Any], otherwise: int) -> int:
    """Bytes on disk: of all files of a format that is a folder."""
    path = str(identity.get("path", ""))
    if os.path.isdir(path):
        return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names)
    return int(identity.get("size", otherwise))


def _axis(axis: Any, width: int) -> str:
    if axis.units == "px" and axis.scale == 1:
        return f"{axis.name:<{width}} {axis.size:>6} px, not calibrated"
    return (
        f"{axis.name:<{width}} {axis.size:>6} px of {abs(axis.scale):.4g} {axis.units}, from {axis.low_value:.4g} to "
        f"{axis.high_value:.4g} {axis.units}"
    )


def _blocks(signal: BaseSignal) -> str:
    from lazy4d.signals.display import block_sizes

    sizes = block_sizes(signal)[: len(signal.nav_shape)]
    count = math.prod(len(axis) for axis in sizes)
    largest = tuple(max(axis) for axis in sizes)
    nbytes = math.prod(largest) * math.prod(signal.frame_shape) * signal.dtype.itemsize
    positions = " × ".join(map(str, largest)) or "1"
    return f"{count} of at most {positions} positions, {_bytes(nbytes)} each"


def _cost(signal: BaseSignal) -> str:
    """Time and memory of a typical pass, from reading a few frames."""
    from lazy4d.signals import Diffraction2D

    patterns = Diffraction2D(signal)
    estimate = patterns.explain(patterns.mean(), patterns.get_direct_beam_position(method="center_of_mass"))
    block = max((p.block_nbytes for p in estimate.passes), default=0)
    mapped = (estimate.threads + 1) * block
    return (
        f"mean pattern and centre of mass: about {duration(estimate.seconds)} on {estimate.threads} threads once in "
        f"memory, {duration(max(estimate.seconds, estimate.nbytes / DISK))} from a disk of {DISK / 1e9:g} GB/s\n"
        f"memory: about {_bytes(estimate.memory)}, and up to {_bytes(mapped)} of blocks of the file"
    )


def _guess(path: Any, reader: str | None, options: dict[str, Any]) -> None:
    """Print what is known of the scan, and what to type for the likeliest one."""
    from lazy4d.io.scan_guess import guess_scan_shape

    found = guess_scan_shape(path, reader=reader, **options)
    click.echo(str(found))
    if found.best is not None:
        given = ", ".join(f"{name}={value!r}" for name, value in found.best.options.items())
        click.echo(f"to load it so: load({found.path!r}, {given})")


def _audit(what: Any, reader: str | None) -> bool:
    """Print the audit of all headers; True if nothing is damaged."""
    from lazy4d.io.audit import audit

    found = audit(what, **({} if reader is None else {"reader": reader}))
    row("audit", str(found))
    return found.ok


def _bytes(count: int) -> str:
    from lazy4d.signals.display import human_bytes

    return human_bytes(count)

"""``lazy4d convert``: a copy of a scan in another format, smaller if asked for, in one pass and never half a file."""

from __future__ import annotations

import ast
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from lazy4d.cli.estimate import PLAIN, Estimate, estimate_save, stored_bytes
from lazy4d.cli.options import debug_option, parse_reader_options, parse_scan_shape
from lazy4d.cli.origin import CONVERT
from lazy4d.cli.report import bullets, duration, row
from lazy4d.cli.selecting import bin_factors, crop_signal
from lazy4d.errors import Lazy4DWarning

if TYPE_CHECKING:
    from lazy4d.signals import BaseSignal

DISK = 0.5
"""Gigabytes a second that a disk is taken to read and write, if `--disk-speed` does not say it."""

PARTIAL = ".partial"
"""What follows the name of a .zspy store that is being written."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="IN... OUT")
@click.option("--scan-shape", metavar="R,C", help="Rows and columns of the scan, where the file does not say them.")
@click.option("--reader", metavar="NAME", help="Reader to use; by default the file's content decides.")
@click.option("--dataset", metavar="NAME", help="Which data set of a file with several.")
@click.option("--sync-offset", type=int, help="Frames to skip at the start; negative: blank ones to insert there.")
@click.option("--flyback", type=int, help="Frames to leave out after each scan row.")
@click.option(
    "--incomplete", type=click.Choice(["raise", "nan", "zero", "crop"]), help="What to do with damaged frames."
)
@click.option("--option", "-o", "others", multiple=True, metavar="NAME=VALUE", help="Any other option of the reader.")
@click.option(
    "--crop", metavar="RANGES", help="For x,y,kx,ky, for kx,ky, or by name: 10:50 pixels, 0.5:2.0 units, '1 nm:5 nm'."
)
@click.option("--bin", "binning", metavar="N", help="Sum N x N pixels; or factors kx,ky, or x,y,kx,ky; after --crop.")
@click.option("--dtype", metavar="DTYPE", help="Convert pixels; refused where a value does not fit.")
@click.option("--clip", is_flag=True, help="With --dtype: values that do not fit become the nearest that do.")
@click.option("--round", "rounding", is_flag=True, help="With --dtype: values in between become the nearest.")
@click.option("--codec", metavar="NAME", help="Compression of .zarr, .hspy and .zspy: zstd, lz4, none...")
@click.option("--resume", is_flag=True, help="Go on with an interrupted conversion of the same file to .zarr or .zspy.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")
@click.option("--dry-run", is_flag=True, help="Say what it will take, from a sample of frames; nothing is written.")
@click.option("--disk-speed", type=click.FloatRange(min=0, min_open=True), help=f"GB/s of the disk [default: {DISK}].")
@debug_option
def convert(
    files: tuple[str, ...],
    scan_shape: str | None,
    reader: str | None,
    dataset: str | None,
    sync_offset: int | None,
    flyback: int | None,
    incomplete: str | None,
    others: tuple[str, ...],
    crop: str | None,
    binning: str | None,
    dtype: str | None,
    clip: bool,
    rounding: bool,
    codec: str | None,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    disk_speed: float | None,
) -> None:
    """Write IN as OUT, whose suffix says the format: .zarr, .hspy, .zspy, .mrc or .npy.

    Several files IN are taken as one series. Nothing is lost unless asked for: --dtype checks every value as it is
    written. An error or Ctrl-C leaves no file that looks whole. lazy4d info tells where the copy comes from.
    """
    if len(files) < 2:
        raise click.UsageError("give the file to read and the file to write: lazy4d convert IN OUT")
    if (clip or rounding) and dtype is None:
        raise click.UsageError("--clip and --round go with --dtype")
    if resume and overwrite:
        raise click.UsageError("--resume goes on with what is there, --overwrite replaces it: give one of them")
    given = {
        "scan_shape": None if scan_shape is None else parse_scan_shape(scan_shape),
        "dataset": dataset,
        "sync_offset": sync_offset,
        "flyback": flyback,
        "incomplete": incomplete,
    }
    options = {name: value for name, value in given.items() if value is not None} | parse_reader_options(others)
    *inputs, out = files
    suffix = _checked_suffix(out, codec)
    writer: dict[str, Any] = {} if codec is None else {"codec": _codec(codec)}
    with _warnings_as_rows():
        signal, source = _load(inputs[0] if len(inputs) == 1 else inputs, reader, options)
        params: dict[str, Any] = {}
        reduced = signal
        if crop is not None:
            reduced, params["crop"] = crop_signal(reduced, crop), crop
        if binning is not None:
            factors = bin_factors(reduced, binning)
            reduced, params["bin"] = reduced.rebin(scale=factors), factors
        final = reduced
        if dtype is not None:
            final = reduced.change_dtype(_dtype(dtype), clip=clip, rounding=rounding)
            params |= {"dtype": str(final.dtype), "clip": clip, "rounding": rounding}
        params |= {} if codec is None else {"codec": codec}
        final = type(final)(final, history=final.history.append(CONVERT, params, source=source))
        _describe(signal, final, out)
        _check_place(out, overwrite, resume)
        speed = (disk_speed or DISK) * 1e9
        free = shutil.disk_usage(os.path.dirname(os.path.abspath(out))).free
        if dry_run or (final.nbytes > free and suffix not in PLAIN):
            try:
                found = estimate_save(reduced, dtype, suffix, writer, clip=clip, rounding=rounding)
            except (ValueError, TypeError) as error:
                raise ValueError(_as_options(str(error))) from error
            enough = _report(found, final, source, speed, free)
            if dry_run:
                raise click.exceptions.Exit(0 if enough and not found.refused else 1)
            if not enough:
                raise OSError(f"{out}: the disk is too small: {_bytes(found.stored)} needed, {_bytes(free)} free")
        _write(final, out, {**writer, "overwrite": overwrite, **({"resume": True} if resume else {})}, signal.nbytes)


def _checked_suffix(out: str, codec: str | None) -> str:
    """The suffix of the file to write, known and fit for the codec."""
    from lazy4d.api import WRITERS

    suffix = os.path.splitext(out.rstrip("/\\"))[1].lower()
    if suffix not in WRITERS:
        raise ValueError(f"cannot write {out!r}: expected a name that ends in one of {', '.join(sorted(WRITERS))}")
    if codec is not None and suffix in PLAIN:
        raise ValueError(f"--codec={codec}: {suffix} files are not compressed; leave it out, or write .zarr")
    return suffix


def _codec(text: str) -> Any:
    """A name, or the parameters of a codec as a Python dictionary."""
    if not text.strip().startswith("{"):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"--codec: expected a name or a dictionary like {{'cname': 'lz4'}}, found {text!r}") from error


def _dtype(text: str) -> Any:
    import numpy as np

    try:
        return np.dtype(text)
    except TypeError as error:
        raise ValueError(f"--dtype: expected a dtype such as uint8, uint16 or float32, found {text!r}") from error


def _load(path: Any, reader: str | None, options: dict[str, Any]) -> tuple[BaseSignal, dict[str, Any]]:
    """The signal to convert, and what tells its file from others."""
    from lazy4d.api import signal_of
    from lazy4d.io import registry
    from lazy4d.lazy import damage

    source = registry.read(path, reader=reader, **options)
    for message in source.warnings:
        warnings.warn(message, Lazy4DWarning, stacklevel=2)
    damage.loaded(source.frames, told=bool(source.warnings))
    return signal_of(source), source.identity


def _check_place(out: str, overwrite: bool, resume: bool) -> None:
    """Refuse before anything is read what the writer would refuse."""
    folder = os.path.dirname(os.path.abspath(out))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder}: there is no such folder: create it first")
    if os.path.lexists(out) and not (overwrite or resume):
        raise FileExistsError(
            f"{out} is there already: give --overwrite to replace it, --resume to go on with an interrupted "
            "conversion, or another name"
        )


def _write(signal: BaseSignal, out: str, options: dict[str, Any], nbytes_read: int) -> None:
    """Save, with a summary; what a refused value leaves behind is removed."""
    from lazy4d import api

    begun = (out, out + PARTIAL)
    there = any(os.path.lexists(path) for path in begun)
    start = time.perf_counter()
    try:
        api.save(signal, out, **options)
    except KeyboardInterrupt:
        if any(os.path.isdir(path) for path in begun):
            click.echo(f"\n{out} is not complete: go on with the same command and --resume", err=True)
        raise
    except (ValueError, TypeError) as error:
        for path in begun:
            if not there and os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
        raise ValueError(_as_options(str(error))) from error
    seconds = time.perf_counter() - start
    stored = stored_bytes(out)
    row("written", f"{_bytes(stored)}, {_ratio(signal.nbytes, stored)}")
    row("time", f"{duration(seconds)}, {nbytes_read / max(seconds, 1e-9) / 1e9:.2f} GB/s of the pixels read")


def _as_options(text: str) -> str:
    """An error of the library in the words of the command line."""
    words = {
        "clip=True": "--clip",
        "rounding=True": "--round",
        "overwrite=True": "--overwrite",
        "resume=True": "--resume",
        "with .change_dtype(), to": "with --dtype, to",
        "with .astype()": "with --dtype",
    }
    for said, typed in words.items():
        text = text.replace(said, typed)
    return text


def _describe(signal: BaseSignal, final: BaseSignal, out: str) -> None:
    click.secho(out, bold=True)
    row("from", f"{signal.shape} {signal.dtype}, {_bytes(signal.nbytes)}")
    row("to", f"{final.shape} {final.dtype}, {_bytes(final.nbytes)}")
    if final.dtype.itemsize > signal.dtype.itemsize and final.dtype.kind in "iu":
        row("note", f"sums of {signal.dtype} are {final.dtype}: --dtype makes them smaller, each value checked")


def _report(found: Estimate, final: BaseSignal, source: dict[str, Any], speed: float, free: int) -> bool:
    """Print an estimate; whether the disk has room for it."""
    row("sample", f"{found.frames} of {found.total} frames")
    row("size", f"about {_bytes(found.stored)}, {_ratio(found.nbytes, found.stored)}")
    disk = (int(source.get("size", 0)) + found.stored) / speed
    row(
        "time",
        f"about {duration(max(found.seconds, disk))}: {duration(found.seconds)} to read and pack once in memory, "
        f"{duration(disk)} for a disk of {speed / 1e9:g} GB/s",
    )
    row("loss", "\n".join(found.loss) or "none: the dtype stays")
    enough = found.stored <= free
    row("free space", f"{_bytes(free)}{'' if enough else ': not enough'}")
    return enough


def _ratio(nbytes: int, stored: int) -> str:
    return f"{nbytes / stored:.2f} times smaller than its pixels" if stored < nbytes else "as large as its pixels"


@contextmanager
def _warnings_as_rows() -> Iterator[None]:
    """Print what was warned of at the end, also of an error, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Lazy4DWarning)
        try:
            yield
        finally:
            told = [str(warning.message) for warning in caught if issubclass(warning.category, Lazy4DWarning)]
            if told:
                row("warnings", bullets(dict.fromkeys(told)))


def _bytes(count: int) -> str:
    from lazy4d.signals.display import human_bytes

    return human_bytes(count)

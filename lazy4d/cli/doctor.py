"""``lazy4d doctor``: what an installation consists of and may use, to be read first when something is slow or fails."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import click

from lazy4d.cli.options import debug_option
from lazy4d.cli.report import heading, row

REQUIRED = (
    "click", "dask", "google-crc32c", "h5py", "matplotlib", "numba", "numcodecs", "numpy", "pint", "psutil",
    "scipy", "threadpoolctl", "tqdm", "traits",
)  # fmt: skip

EXTRAS = {
    "distributed": ("distributed",),
    "formats": ("aiohttp", "fsspec", "hdf5plugin", "rosettasciio"),
    "jupyter": ("ipykernel", "ipympl", "ipywidgets"),
    "orientation": ("diffsims", "orix"),
    "vectors": ("pandas", "pyarrow", "scikit-learn"),
}
"""Optional packages, by the name of the extra that installs them."""


@click.command()
@debug_option
def doctor() -> None:
    """Show versions, threads, memory, caches, temporary folder and optional packages. Exit status 1 if one is amiss."""
    problems: list[str] = []
    heading("Versions")
    row("lazy4d", f"{own_version()}, in {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}")
    row("python", f"{platform.python_version()} ({sys.executable}), {platform.platform(terse=True)}")
    for name in REQUIRED:
        found = installed(name)
        row(name, found or click.style("missing", fg="red"))
        if found is None:
            problems.append(f"{name} is not installed: pip install {name}")
    heading("Optional")
    for extra, names in EXTRAS.items():
        absent = [name for name in names if installed(name) is None]
        text = ", ".join(f"{name} {installed(name) or 'absent'}" for name in names)
        row(extra, text + (f"  (pip install 'lazy4d[{extra}]')" if absent else ""))
    heading("Machine")
    _machine(problems)
    heading("Readers")
    _readers()
    click.echo()
    for problem in problems:
        click.secho(f"Problem: {problem}", fg="red", err=True)
    if problems:
        raise click.exceptions.Exit(1)
    click.echo("All is well.")


def own_version() -> str:
    """The version of this library, also where it runs from a source tree that was never installed.

    Examples
    --------
    >>> own_version() == l4.__version__
    True
    """
    return str(import_module("lazy4d").__version__)


def installed(package: str) -> str | None:
    """The version of a package, or None where it is not installed.

    Examples
    --------
    >>> installed("numpy") is None, installed("there-is-no-such-package")
    (False, None)
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _machine(problems: list[str]) -> None:
    from lazy4d.kernels.virtual_image import total_intensity
    from lazy4d.lazy.memory import memory_limit
    from lazy4d.lazy.options import options
    from lazy4d.signals.display import human_bytes

    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity is not None else os.cpu_count()
    row("threads", f"{os.cpu_count()} cores, {usable} usable by this process")
    row("memory limit", human_bytes(memory_limit()))
    row("block size", human_bytes(options().block_bytes))
    cache = total_intensity.stats.cache_path
    writable = os.access(cache, os.W_OK) if os.path.exists(cache) else os.access(os.path.dirname(cache), os.W_OK)
    row("numba cache", f"{cache}{'' if writable else ' (read-only)'}")
    if not writable:
        problems.append(f"{cache} is read-only, so kernels are compiled anew in each process: set NUMBA_CACHE_DIR")
    temporary = tempfile.gettempdir()
    row("temporary folder", f"{temporary}, {human_bytes(shutil.disk_usage(temporary).free)} free")


def _readers() -> None:
    from lazy4d.io.registry import readers

    for name, reader in sorted(readers().items()):
        row(name, " ".join(reader.extensions))

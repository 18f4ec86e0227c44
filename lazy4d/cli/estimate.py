"""What a conversion will take, from a sample of frames spread over the scan: size, time, and what would be lost."""

from __future__ import annotations

import math
import os
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lazy4d.signals import BaseSignal

SAMPLE_BYTES = 48 * 2**20
"""Pixels of the sample, at most."""

RUN_BYTES = 2**20
"""Pixels of neighbouring frames that are taken together, as a chunk of a compressed file holds."""

PLAIN = (".mrc", ".npy")
"""Files whose size is known without trying."""


@dataclass(frozen=True)
class Estimate:
    """What was found on a sample.

    Parameters
    ----------
    frames, total : int
        Frames of the sample, and of all that would be written.
    nbytes : int
        Bytes of the pixels to be written, before compression.
    stored : int
        Bytes of the file.
    seconds : float
        Time to read, convert and pack all, once the file is in memory.
    loss : tuple of str
        What the conversion of the dtype does to the values of the sample.
    refused : bool
        Values of the sample are not allowed to be converted.

    Examples
    --------
    >>> found = estimate_save(d, None, ".npy", {}, clip=False, rounding=False)
    >>> found.frames, found.total, found.stored - found.nbytes
    (16, 16, 4096)
    """

    frames: int
    total: int
    nbytes: int
    stored: int
    seconds: float
    loss: tuple[str, ...]
    refused: bool


def estimate_save(
    signal: BaseSignal, dtype: str | None, suffix: str, options: dict[str, Any], *, clip: bool, rounding: bool
) -> Estimate:
    """What saving a signal will take. The sample is packed with the real writer into the system's temporary folder.

    Parameters
    ----------
    signal : BaseSignal
        What will be saved, but for its dtype.
    dtype : str or None
        Dtype to be saved.
    suffix : str
        Of the file, such as ``".zarr"``.
    options : dict
        Of the writer.
    clip, rounding : bool
        See `lazy4d.signals.BaseSignal.change_dtype`.

    Raises
    ------
    TypeError
        The format does not have the dtype.
    """
    from lazy4d.api import set_options

    with set_options(progress=False):
        return _estimate(signal, dtype, suffix, options, clip, rounding)


def _estimate(
    signal: BaseSignal, dtype: str | None, suffix: str, options: dict[str, Any], clip: bool, rounding: bool
) -> Estimate:
    total = math.prod(signal.nav_shape)
    sample, run = _sample(signal)
    if sample.nav_shape:
        sample.inav[:run].compute()  # imports, compiled kernels
    start = time.perf_counter()
    read = sample.compute()
    seconds = time.perf_counter() - start
    frames = math.prod(read.nav_shape)
    loss, refused = ((), False) if dtype is None else _loss(read.data, dtype, frames, total, clip, rounding)
    packed = read if dtype is None else read.astype(dtype).compute()
    nbytes = total * math.prod(signal.frame_shape) * packed.dtype.itemsize
    with tempfile.TemporaryDirectory(prefix="lazy4d-estimate-") as folder:
        stored, spent = _packed(packed, run, os.path.join(folder, f"sample{suffix}"), options, total, nbytes)
    scaled = (seconds + spent) * total / max(frames, 1)
    return Estimate(frames, total, nbytes, stored, scaled, loss, refused)


def _sample(signal: BaseSignal) -> tuple[BaseSignal, int]:
    """Runs of neighbouring frames spread over the scan, in a row; and frames of a run. A small scan as it is."""
    import numpy as np

    total = math.prod(signal.nav_shape)
    nbytes = max(1, math.prod(signal.frame_shape) * signal.dtype.itemsize)
    run = max(1, min(total, RUN_BYTES // nbytes))
    runs = max(1, SAMPLE_BYTES // (run * nbytes))
    if not signal.nav_shape or run * runs >= total:
        return signal, signal.nav_shape[-1] if signal.nav_shape else 1
    chosen = np.zeros(total, bool)
    for first in np.linspace(0, total - run, runs).astype(int):
        chosen[first : first + run] = True
    sample = signal.inav[chosen.reshape(signal.nav_shape)]
    count = sample.nav_shape[0]
    block = -(-count // (2 * (os.cpu_count() or 1)) // run) * run
    return sample.rechunk(max(run, block)), run


def _packed(
    sample: BaseSignal, run: int, path: str, options: dict[str, Any], total: int, nbytes: int
) -> tuple[int, float]:
    """Bytes of the whole file, and seconds that saving the sample took."""
    from lazy4d import api

    given = {name: value for name, value in options.items() if name not in ("overwrite", "resume")}
    part = sample.inav[:run] if sample.nav_shape and sample.nav_shape[-1] > run else None
    if part is not None:  # also for what happens only the first time
        api.save(part, path, overwrite=True, **given)
    few = stored_bytes(path) if part is not None else 0
    start = time.perf_counter()
    api.save(sample, path, overwrite=True, **given)
    spent = time.perf_counter() - start
    found, frames = stored_bytes(path), math.prod(sample.nav_shape)
    if os.path.splitext(path)[1] in PLAIN:
        head = found - frames * math.prod(sample.frame_shape) * sample.dtype.itemsize
        return nbytes + head, spent
    if frames == total or part is None:
        return round(found * total / max(frames, 1)), spent
    fewer = math.prod(part.nav_shape)
    return round(found + max(0, found - few) / max(1, frames - fewer) * (total - frames)), spent


def stored_bytes(path: str) -> int:
    """Bytes of a file, or of all files of a store.

    Examples
    --------
    >>> stored_bytes("/no/such/file")
    0
    """
    if os.path.isdir(path):
        return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names)
    return os.path.getsize(path) if os.path.exists(path) else 0


def _loss(
    pixels: NDArray[Any], dtype: str, frames: int, total: int, clip: bool, rounding: bool
) -> tuple[tuple[str, ...], bool]:
    """What a dtype would do to pixels, in words, and whether that is refused."""
    import numpy as np

    from lazy4d.signals.exact_dtype import holds_all, misfits, value_range

    wanted = np.dtype(dtype)
    if holds_all(pixels.dtype, wanted):
        return (f"none: {wanted} holds every value of {pixels.dtype}",), False
    flat = pixels.reshape(frames, -1)
    low, high = value_range(wanted)
    said = [f"{frames} of {total} frames hold values from {_number(flat.min())} to {_number(flat.max())}"]
    refused = False
    bad = misfits(flat, wanted)
    if bad is not None:
        refused = not clip
        said.append(
            f"{int(bad.any(axis=1).sum())} of these frames hold values beyond {_number(low)} to {_number(high)}, which "
            f"{wanted} holds: " + ("they will be clipped" if clip else "refused without --clip; or take a wider dtype")
        )
    else:
        bad = np.zeros(flat.shape, bool)
    with np.errstate(all="ignore"):
        changed = (flat.astype(wanted).astype(flat.dtype) != flat) & ~bad & ~np.isnan(flat)
    if changed.any():
        refused |= not rounding
        said.append(
            f"{int(changed.any(axis=1).sum())} of these frames hold values that {wanted} does not hold exactly: "
            + ("they will be rounded" if rounding else "refused without --round")
        )
    if len(said) == 1:
        said.append("none of them is lost; every value is checked again as it is written")
    return tuple(said), refused


def _number(value: Any) -> str:
    plain = value.item() if hasattr(value, "item") else value
    return f"{plain:.6g}" if isinstance(plain, float) else str(plain)

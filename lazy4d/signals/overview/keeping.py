"""Overviews kept from one session to the next: under which identity, what of them, and when they are believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.lazy import Frames
from lazy4d.lazy.options import options
from lazy4d.metadata.history import versions
from lazy4d.signals.overview.known import Kept, largest_dtype
from lazy4d.signals.overview.layout import BinLayout
from lazy4d.signals.overview.overview import Overview
from lazy4d.signals.overview.proxy import Proxy
from lazy4d.signals.overview.reproducible import reproducible
from lazy4d.signals.overview.summary import PixelSums, detector_shape

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.overview.lineage import Lineage

_PATTERNS = ("total", "largest", "squares")


def identity_of(lineage: Lineage) -> dict[str, Any] | None:
    """What tells the frames of a signal from all others, in this process and the next; None where nothing does.

    Frames in memory have none, nor have those behind functions or arrays of the user's, which may change and keep their
    names. A folder of files has one only where it is a store of our own, which is replaced as a whole.
    """
    frames = lineage.frames
    source = None if lineage.history is None else lineage.history.source
    if frames is None or source is None or not {"path", "size", "mtime_ns"} <= set(source):
        return None
    if not (os.path.isfile(source["path"]) or "stream" in source) or not all(map(reproducible, frames.stages)):
        return None
    said = json.dumps(source, sort_keys=True), frames.source.token, [stage.token for stage in frames.stages]
    known: dict[str, Any] = {key: source[key] for key in ("path", "size", "mtime_ns")}
    return {
        **known,
        "format": str(source.get("format", "")),
        "nav_shape": list(frames.nav_shape),
        "frame_shape": list(frames.frame_shape),
        "dtype": frames.dtype.str,
        "token": hashlib.blake2b(repr(said).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest(),
        "lazy4d": versions()["lazy4d"],
    }


def load_overview(identity: dict[str, Any], frames: Frames, overview: Overview) -> bool:
    """Fill an overview with what was kept of it, or with what a store says of itself; False where that is nothing."""
    from lazy4d.io.audit import AuditReport, Gap
    from lazy4d.io.overview_places import find_overview
    from lazy4d.io.zarr_store.navigator import stored_navigator

    if _restored(
        find_overview(identity, options().overviews), overview, lambda audit: _report(audit, AuditReport, Gap)
    ):
        return True
    image = None if frames.stages or overview.share == 1 else stored_navigator(frames.source.source)
    if image is not None:
        overview.take_navigator(image)
    return image is not None


def _restored(found: Any, overview: Overview, report: Callable[[Any], Any]) -> bool:
    """Fill an overview from what a file holds, if that is one of these frames; whatever a damaged file says."""
    if found is None:
        return False
    arrays, meta = found.arrays, found.meta
    detector = detector_shape(overview.frame_shape)
    small = ("navigator", "maxima", "spreads", *_PATTERNS, "counts")
    try:
        layout = BinLayout(overview.nav_shape, detector, tuple(meta["bin_pixels"]), tuple(meta["bin_positions"]))
        pixels = PixelSums(detector, overview.dtype)
        pixels.count = int(meta["count"])
        shapes = dict.fromkeys(small[:3], overview.nav_shape) | dict.fromkeys(_PATTERNS, detector)
        shapes |= {"counts": layout.shape[1:], "planes": layout.shape}
        if any(arrays[name].values.shape != shape for name, shape in shapes.items()):
            return False
        if not all(arrays[name].sound() for name in small):
            return False
        for name in _PATTERNS:
            np.copyto(getattr(pixels, name), arrays[name].values, casting="equiv")
        counts = arrays["counts"].values.astype(np.int32, casting="safe")
        proxy = Proxy(layout, overview.dtype, arrays["planes"].values, counts)
        proxy.exact = bool(meta["exact"])
        audit = report(meta.get("audit"))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return False
    navigator, maxima, spreads = (arrays[name].values for name in small[:3])
    if (navigator.dtype, maxima.dtype, spreads.dtype) != (np.float64, largest_dtype(overview.dtype), np.float32):
        return False
    kept = Kept(navigator, maxima, spreads, pixels)
    known = int(np.count_nonzero(~np.isnan(navigator)))
    if not known <= pixels.count <= navigator.size or not overview.restore(kept, proxy, arrays["planes"].checks()):
        return False
    overview.audit = audit
    return True


def _report(said: dict[str, Any] | None, report: Any, gap: Any) -> Any:
    """The report of an audit from what was kept of it."""
    if said is None:
        return None
    lists = {key: tuple(said[key]) for key in ("paths", "corrupt", "changed")}
    return report(**{**said, **lists, "gaps": tuple(gap(**one) for one in said["gaps"])})


def save_overview(signal: BaseSignal, overview: Overview) -> bool:
    """Keep a complete overview for the next session; False where it cannot be, which is no error.

    Parameters
    ----------
    signal : BaseSignal
        Whose overview it is; its data have to stand in a file.
    overview : Overview
        What is kept.

    Notes
    -----
    ``set_options(overviews="cache")`` keeps it in the user's cache folder (or that of the environment variable
    ``LAZY4D_CACHE``), ``"beside"`` beside the data where that folder can be written to, ``"off"`` nowhere.

    Examples
    --------
    >>> from lazy4d.signals.overview import overview_of
    >>> save_overview(d, overview_of(d))  # these data stand in memory
    False
    """
    count = sum(1 for _ in saving(signal, overview))
    return count > 0


def saving(signal: BaseSignal, overview: Overview) -> Iterator[None]:
    """`save_overview` in pieces; none where nothing is kept."""
    from lazy4d.io.overview_places import keep_overview

    where = options().overviews
    identity = None if where == "off" else identity_of(signal._overview.root())
    kept, proxy = overview.kept(), overview.proxy
    if identity is None or kept is None or proxy is None or overview.problems:
        return
    if overview.identity not in (None, identity):  # the file was replaced meanwhile
        return
    if not os.path.isfile(identity["path"]) and np.isnan(kept.navigator).any():
        return  # parts of a store may be on their way
    arrays: dict[str, Any] = {"navigator": kept.navigator, "maxima": kept.maxima, "spreads": kept.spreads}
    arrays |= {name: getattr(kept.pixels, name) for name in _PATTERNS}
    arrays |= {"counts": proxy.counts, "planes": proxy.planes}
    report: Any = overview.audit
    meta = {
        "count": kept.pixels.count,
        "bin_pixels": list(proxy.layout.bin_pixels),
        "bin_positions": list(proxy.layout.bin_positions),
        "exact": proxy.exact,
        "audit": None if report is None else dataclasses.asdict(report),
    }
    if any(math.prod(array.shape) == 0 for array in arrays.values()):
        return
    yield from keep_overview(identity, where, meta, arrays)

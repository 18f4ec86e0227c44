"""`guess_scan_shape`: evidence on the scan of a recording, collected from everything that may tell of it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lazy4d.errors import Lazy4DError
from lazy4d.io import registry
from lazy4d.io.paths import PathLike
from lazy4d.io.rawframes import RawFrames
from lazy4d.io.scan import factor_pairs
from lazy4d.io.scan_guess import intensity, lines, mib_headers
from lazy4d.io.scan_guess.candidate import ScanCandidate, ScanGuess, merged
from lazy4d.io.scan_guess.periodicity import find_scans
from lazy4d.io.scan_guess.windows import stretches
from lazy4d.io.source import Source
from lazy4d.lazy.options import options
from lazy4d.lazy.progress import Report, progress_of


def guess_scan_shape(path: PathLike | Sequence[PathLike], *, reader: Any = None, **reader_options: Any) -> ScanGuess:
    """What is known, and what can be seen, of the scan that a recording is: candidates with their evidence.

    Looked at are, in this order: what the file and its companions say; pauses in the time stamps of frames (MIB, SEQ)
    and long exposures (MIB), as flyback leaves them; and the frames themselves, in which rows of a scan resemble their
    neighbours and the beam jumps at the end of each. Factors of the number of frames come last: they prove nothing. Of
    a long recording some stretches are read, at most about 1 GB in all. Nothing is applied: hand on what convinces you,
    as in ``l4.load(path, **guess.best.options)`` or ``s.with_scan_shape(...)``.

    Parameters
    ----------
    path : path, glob, folder or list of paths
        The recording, as for `load`.
    reader : str, optional
        Name of the reader to use.
    **reader_options
        Options of the reader, such as ``frame_shape`` and ``dtype`` of plain binary files.

    Returns
    -------
    ScanGuess
        Candidates, the best first; ``.best`` is None where nothing but arithmetic speaks for any.

    Raises
    ------
    FormatError, FileNotFoundError, ValueError, TypeError
        As `load` raises them.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from lazy4d.data import simulated_scan
    >>> frames = simulated_scan((12, 20), (16, 16), descan=3.0, dose=2000).as_array()
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.raw"
    >>> frames.tofile(path)
    >>> l4.guess_scan_shape(path, frame_shape=(16, 16), dtype="uint16").best.shape
    (12, 20)
    """
    given = {"incomplete": "zero", **reader_options}
    for name in ("scan_shape", "sync_offset", "flyback", "serpentine"):
        if name in given:
            raise TypeError(f"guess_scan_shape takes no {name}={given[name]!r}: that is what it looks for")
    source = registry.read(path, reader=reader, scan_shape=(-1,), **given)
    total = math.prod(source.frames.nav_shape)
    where = str(source.identity.get("path", source.title))
    found, notes = _stated(path, reader, given, total)
    with progress_of(options().progress, _steps(source, total), frozenset(), True) as report:
        timed, told = _timed(source, total, report)
        seen, more = _seen(source, total, report)
    found += [*timed, *seen]
    known = {one.arrangement for one in found}
    found += [one for one in _by_arithmetic(total) if one.arrangement not in known]
    return ScanGuess(os.path.basename(where), total, merged(found), (*source.warnings, *notes, *told, *more))


def _steps(source: Source, total: int) -> int:
    """Frames looked at in all, for the progress bar."""
    return min(total, mib_headers.MOST_FRAMES) + intensity.affordable(source.frames, total)


def _stated(path: Any, reader: Any, given: dict[str, Any], total: int) -> tuple[list[ScanCandidate], list[str]]:
    """The scan that the file or a companion states, and ways in which frames too many can be explained."""
    try:
        source = registry.read(path, reader=reader, **{**given, "incomplete": "crop"})
    except Lazy4DError as error:
        return [], [f"the file states a scan that its frames do not fill: {error}"]
    shape = source.frames.nav_shape
    if len(shape) < 2:
        return [], []
    if len(shape) > 2:
        return [], [f"{source.scan_shape_origin}: {' x '.join(map(str, shape))}"]
    rows, columns = int(shape[0]), int(shape[1])
    turns = getattr(getattr(source.frames, "navigation", None), "turns", None)
    origin = f"stated: {source.scan_shape_origin}"
    extra = total - rows * columns
    if extra == 0:
        text = (origin, "the frames fill it exactly")
        return [ScanCandidate((rows, columns), 0, 0, turns is not None, 0.9, text)], []
    missing = source.frames_expected is not None and source.frames_expected > total
    if extra < columns and missing:
        text = (origin, f"the recording was interrupted: {extra} frames of a row that is not complete are left over")
        return [ScanCandidate((rows, columns), 0, 0, turns is not None, 0.7, text, extra)], []
    return _explained(rows, columns, extra, origin, turns is not None), []


def _explained(rows: int, columns: int, extra: int, origin: str, serpentine: bool) -> list[ScanCandidate]:
    found: list[ScanCandidate] = []
    for back in (extra // rows, extra // (rows - 1) if rows > 1 else 0):
        if back and back <= columns and extra in (back * rows, back * (rows - 1)) and not found:
            text = f"{extra} frames more than it needs are {back} for each row"
            found.append(ScanCandidate((rows, columns), 0, back, serpentine, 0.65, (origin, text)))
    behind = (origin, f"{extra} frames more than it needs: if they come after the scan")
    before = (origin, f"{extra} frames more than it needs: if they come before the scan")
    found.append(ScanCandidate((rows, columns), 0, 0, serpentine, 0.55, behind, extra))
    found.append(ScanCandidate((rows, columns), extra, 0, serpentine, 0.5, before))
    return found


def _timed(source: Source, total: int, report: Report) -> tuple[list[ScanCandidate], list[str]]:
    """What time stamps and exposures tell."""
    frames = source.frames
    windows = stretches(total, mib_headers.MOST_FRAMES)
    kind = source.identity.get("format")
    times, exposures = np.zeros(0, np.int64), np.zeros(0)
    numbers = np.concatenate([np.arange(*window, dtype=np.int64) for window in windows])
    if kind == "mib" and isinstance(frames, RawFrames):
        numbers = numbers[frames.files.locate(numbers)[0] >= 0]
        read = mib_headers.read_times(frames, numbers, report)
        times, exposures = read if read is not None else (times, exposures)
    elif kind == "seq" and isinstance(frames, RawFrames) and frames.layout.frames == 1:
        times, windows, numbers = _stamps(source, total), [(0, total)], np.arange(total, dtype=np.int64)
        report(min(total, mib_headers.MOST_FRAMES))
    if not times.size and not exposures.size:
        return [], []
    found = lines.long_exposures(exposures, numbers, windows, total) if exposures.size else []
    paused = lines.pauses(times, numbers, windows, total) if times.size else []
    if found and paused and paused[0].shape[1] == found[0].shape[1] + found[0].flyback:
        # A long exposure is a pause before the next frame: the same thing seen twice.
        text = (*found[0].evidence, *paused[0].evidence[:1])
        found, paused = [replace(found[0], evidence=text)], []
    found += paused
    return found, [] if found else ["time stamps and exposures: no pause or long exposure that recurs at every line"]


def _stamps(source: Source, total: int) -> Any:
    from lazy4d.io.seq.stamps import time_stamps

    stamps = time_stamps(str(source.identity["path"]))[:total]
    if len(stamps) < total or np.isnat(stamps).any():
        return np.zeros(0, np.int64)
    return stamps.astype("datetime64[ns]").astype(np.int64)


def _seen(source: Source, total: int, report: Report) -> tuple[list[ScanCandidate], list[str]]:
    """What the frames themselves show."""
    if len(source.frames.frame_shape) != 2:
        return [], []
    windows = stretches(total, intensity.affordable(source.frames, total))
    features = intensity.read_features(source.frames, windows, report)
    found = find_scans(features, [start for start, _ in windows], total)
    return found, [] if found else ["frames: none that resemble those a line before and behind"]


def _by_arithmetic(total: int) -> list[ScanCandidate]:
    text = (f"two factors of {total} frames, which proves nothing",)
    pairs = factor_pairs(total, 3)
    return [ScanCandidate(pair, score=0.1 if pair[0] == pair[1] else 0.05, evidence=text) for pair in pairs]

"""The text that Direct Electron's server writes beside a movie: ``_info.txt``, and what it says of the scan."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lazy4d.io.scan import ShapeHint

INFO, COORDINATES = "_info.txt", "_scan_coordinates.csv"

_LONGEST_INFO = 1 << 20
_ACQUISITION = re.compile(r"(\d{8}_\d+)_")  # date and number that all files of an acquisition begin with
_ROLES = ("_movie", "_final")
_TYPICAL = ("Scan - Enable", "Image Size X (pixels)", "Server Software Version", "Autosave Movie Frames Written")


@dataclass(frozen=True)
class Info:
    """The keys and values of an ``_info.txt``.

    Parameters
    ----------
    path : str
        The file.
    entries : mapping of str to str
        Its lines, split at the first ``" = "``.

    Examples
    --------
    >>> info = Info("a_info.txt", {"Scan - Size X": "8", "Specimen Pixel Size X (nanometers)": "-1"})
    >>> info.count("Scan - Size X"), info.positive("Specimen Pixel Size X (nanometers)")
    (8, None)
    """

    path: str
    entries: Mapping[str, str]

    def text(self, key: str) -> str:
        """The value of a key; empty where there is none."""
        return self.entries.get(key, "")

    def number(self, key: str) -> float | None:
        """The value as a finite number; None where it is none."""
        try:
            value = float(self.text(key))
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def positive(self, key: str) -> float | None:
        """The value as a number above 0; None where it is none: −1 means unknown."""
        value = self.number(key)
        return value if value is not None and value > 0 else None

    def count(self, key: str) -> int | None:
        """The value as a whole number of 1 or more; None where it is none."""
        value = self.positive(key)
        return int(value) if value is not None and value == int(value) else None

    def enabled(self, key: str) -> bool:
        """True for the values by which the server says yes."""
        return self.text(key).lower() in ("enable", "enabled", "true", "on", "yes")


@dataclass(frozen=True)
class ScanStatement:
    """What the server says of the scan.

    Parameters
    ----------
    hint : ShapeHint or None
        Shape of a raster scan that the frames can be arranged in.
    names : tuple of str
        Names of its axes, numpy order.
    grid : tuple of int or None
        ``(rows, columns)`` of the positions that could be visited.
    per_point : int
        Frames of a movie at each point.
    repeats : int
        Times that the scan was run.
    warnings : tuple of str
        Why there is no hint, where one could be expected.
    raster_points : bool
        Points lie on the grid of the scan, visited in whatever order; those of a user's own file need not.
    """

    hint: ShapeHint | None
    names: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None
    per_point: int = 1
    repeats: int = 1
    warnings: tuple[str, ...] = ()
    raster_points: bool = False


def parse_info(data: bytes) -> dict[str, str]:
    r"""The lines ``key = value`` of an ``_info.txt``; values may hold ``=`` themselves.

    Parameters
    ----------
    data : bytes
        UTF-8 or Latin-1, any line ends.

    Examples
    --------
    >>> parse_info(b"Scan - Type     = Raster\r\nFormula = a = b\r\nEmpty =\r\n")
    {'Scan - Type': 'Raster', 'Formula': 'a = b', 'Empty': ''}
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    entries = {}
    for line in text.splitlines():
        key, found, value = f"{line.rstrip()} ".partition(" = ")
        if found and key.strip():
            entries[key.strip()] = value.strip()
    return entries


def stems(path: str) -> Iterator[str]:
    """Beginnings that companions of a file may share with it, the longest first.

    Examples
    --------
    >>> list(stems("20241021_00405_slow_1_movie.mrc"))
    ['20241021_00405_slow_1', '20241021_00405_slow', '20241021_00405']
    >>> list(stems("Custom_movie.mrc"))
    ['Custom']
    """
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    for role in _ROLES:
        stem = stem.removesuffix(role)
    yield os.path.join(folder, stem)
    acquisition = _ACQUISITION.match(f"{stem}_")
    while acquisition and len(stem) > len(acquisition[1]):
        stem = stem.rpartition("_")[0]
        yield os.path.join(folder, stem)


def find_companion(path: str, ending: str) -> str | None:
    """The companion of a file with this ending, beside it; None without one."""
    candidates = (stem + ending for stem in stems(path))
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), None)


def find_info(path: str) -> Info | None:
    """The ``_info.txt`` of a file; None without one, or where a file called so is something else.

    Parameters
    ----------
    path : str
        An MRC file.
    """
    found = find_companion(path, INFO)
    if found is None:
        return None
    try:
        with open(found, "rb") as file:
            entries = parse_info(file.read(_LONGEST_INFO))
    except OSError:
        return None
    return Info(found, entries) if any(key in entries for key in _TYPICAL) else None


def scan_statement(info: Info, frames: int) -> ScanStatement:
    """How a movie of `frames` frames was scanned.

    Raster and serpentine scans (and those of a region) are arranged as (repeats, rows, columns, frames a point), axes
    of length 1 left out but for rows and columns. Everything else needs the table of coordinates, or stays
    one-dimensional with a warning.

    Parameters
    ----------
    info : Info
        What the server says.
    frames : int
        Frames of the movie, after those that were skipped.

    Examples
    --------
    >>> text = {"Scan - Enable": "Enable", "Scan - Type": "Raster", "Scan - Size X": "8", "Scan - Size Y": "4"}
    >>> scan_statement(Info("a_info.txt", text), 32).hint.shape
    (4, 8)
    """
    if not info.enabled("Scan - Enable"):
        return ScanStatement(None)
    region = "ROI " if info.enabled("Scan - ROI Enable") else ""
    kind = info.text(f"Scan - {region}Type") or info.text("Scan - Type")
    columns, rows = info.count(f"Scan - {region}Size X"), info.count(f"Scan - {region}Size Y")
    repeats = info.count("Scan - Repeats") or 1
    camera, summed = info.count("Scan - Camera Frames Per Point") or 1, info.count("Autosave Movie Sum Count") or 1
    per_point = camera // summed if camera % summed == 0 else 1
    grid = (rows, columns) if rows and columns else None
    raster_points = not kind.lower().startswith(("xy", "custom"))
    origin = f"Scan - {region}Size of {info.path}"

    def other(why: str) -> ScanStatement:
        told = f"{info.path}: {why}: the scan stays one-dimensional; give scan_shape=(rows, columns) if you know it"
        return ScanStatement(None, (), grid, per_point, repeats, (told,), raster_points)

    if kind.lower() not in ("raster", "serpentine"):
        return other(f"the scan is of the type {kind or 'unknown'!r} and there are no coordinates of its points")
    if grid is None:
        return other("it gives no scan size")
    if (info.count("Scan - Points Per Camera Frame") or 1) > 1:
        return other("the camera took a frame of several points")
    if camera % summed:
        return other(f"{summed} frames were summed in each frame of the movie, of {camera} at each point")
    points = info.count("Scan - Points")
    if points is not None and points not in (grid[0] * grid[1], repeats * grid[0] * grid[1]):
        return other(f"it counts {points} points in a scan of {grid[0]} x {grid[1]}")
    extents = (("repeat", repeats), ("y", grid[0]), ("x", grid[1]), ("frame", per_point))
    kept = [(name, n) for name, n in extents if n > 1 or name in "yx"]
    shape = tuple(n for _, n in kept)
    if frames > math.prod(shape):
        return other(f"{frames} frames are more than its scan of {' x '.join(map(str, shape))} needs")
    names = tuple(name for name, _ in kept)
    turning, lines = kind.lower() == "serpentine", (names.index("y"), names.index("x"))
    hint = ShapeHint(shape, origin, serpentine=turning, line_axes=lines)
    return ScanStatement(hint, names, grid, per_point, repeats, (), True)


def acquisition_metadata(info: Info) -> dict[str, Any]:
    """The metadata tree of a movie, in the layout that HyperSpy users know; what is unknown is left out.

    Parameters
    ----------
    info : Info
        What the server says.

    Returns
    -------
    dict
        ``General`` (date, time, time_zone), ``Acquisition_instrument`` with beam_energy in keV, camera_length in mm,
        dwell_time in s, scan rotation in degrees, detector.
    """
    general: dict[str, Any] = {}
    epoch = info.positive("Timestamp (seconds since Epoch)")
    if epoch is not None and epoch < 1 << 36:
        moment = datetime.fromtimestamp(epoch, UTC)
        general = {"date": moment.date().isoformat(), "time": moment.time().isoformat(), "time_zone": "UTC"}
    voltage = info.positive("Instrument Accelerating Voltage (V)")
    length = info.positive("Instrument Project Camera Length (centimeters)")
    dwell = info.positive("Scan - Dwell Time (microseconds)")
    exposure = info.positive("Frame Exposure Time (nanoseconds)")
    detector = {
        "detector_type": info.text("Camera Model"),
        "camera_name": info.text("Camera Name"),
        "exposure": exposure and exposure * 1e-9,
        "frames_per_second": info.positive("Frames Per Second"),
        "adus_per_electron": info.positive("ADUs Per Electron") or info.positive("ADUs Per Electron Bin1x"),
        "binning": [n for n in (info.count("Binning X"), info.count("Binning Y")) if n] or None,
        "mode": info.text("Image Processing - Mode"),
        "flip_horizontally": info.text("Image Processing - Flip Horizontally"),
        "flip_vertically": info.text("Image Processing - Flip Vertically"),
        "rotation": info.text("Image Processing - Rotation"),
        "software_version": info.text("Server Software Version"),
    }
    scan = {
        "type": info.text("Scan - Type"),
        "rotation": info.number("Scan - Rotation"),
        "repeats": info.count("Scan - Repeats"),
        "repeat_delay": info.positive("Scan - Repeat Delay (seconds)"),
        "frames_per_point": info.count("Scan - Camera Frames Per Point"),
        "scan_time": info.positive("Scan - Time (seconds)"),
    }
    tem = {
        "beam_energy": voltage and voltage / 1000,
        "camera_length": length and length * 10,
        "magnification": info.positive("Instrument Project Magnification"),
        "acquisition_mode": {"0": "TEM", "1": "STEM"}.get(info.text("Instrument Project TEMorSTEM Mode")),
        "Detector": {"Direct_Electron": _filled(detector)},
        "Scan": _filled(scan) if info.enabled("Scan - Enable") else None,
    }
    instrument: dict[str, Any] = {"TEM": _filled(tem)}
    if dwell is not None and info.enabled("Scan - Enable"):
        instrument |= {"dwell_time": dwell * 1e-6, "dwell_time_units": "s"}
    return {"General": general, "Acquisition_instrument": instrument}


def _filled(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value not in (None, "", {})}

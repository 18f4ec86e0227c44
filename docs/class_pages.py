"""The API reference as pages of reStructuredText, written from the library itself: a page a class, a page a method.

The body of a class is its table of contents: a comment ``# -- reducing ---`` begins a group of methods there, and here.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

CLASSES = {
    "Signals": (
        "The kinds of data. :class:`~lazy4d.BaseSignal` holds what all of them can do.",
        [
            *("lazy4d.BaseSignal", "lazy4d.Signal1D", "lazy4d.Signal2D", "lazy4d.Diffraction2D"),
            *("lazy4d.Diffraction1D", "lazy4d.PolarDiffraction2D", "lazy4d.VirtualImage", "lazy4d.BeamPosition"),
            *("lazy4d.DiffractionVectors", "lazy4d.signals.ColorImage", "lazy4d.signals.ReducedIntensity1D"),
        ],
    ),
    "Results": (
        "What methods of signals return where an image or a number is not enough.",
        [
            *("lazy4d.signals.LatticeBasis", "lazy4d.signals.LatticeFit", "lazy4d.signals.StrainMaps"),
            *("lazy4d.signals.OrientationMap", "lazy4d.signals.ScanShifts", "lazy4d.signals.ScanRotation"),
            *("lazy4d.signals.Ellipse", "lazy4d.signals.calibrating.Calibration", "lazy4d.signals.calibrating.DiskFit"),
            *("lazy4d.signals.calibrating.EllipseFit", "lazy4d.ragged.RaggedFrames"),
        ],
    ),
    "Regions": (
        "Virtual detectors, and regions of a scan.",
        [f"lazy4d.roi.{name}" for name in ("ROI", *(f"{kind}ROI" for kind in ("Circle", "Rectangle", "Ellipse")))],
    ),
    "Axes and metadata": (
        "Where the pixels are, and what is known of them.",
        ["lazy4d.AxesManager", "lazy4d.Axis", "lazy4d.metadata.Metadata", "lazy4d.metadata.History"],
    ),
    "For your own code": (
        "Frames and reductions for kernels of your own; what a reader of your own hands over.",
        [
            *("lazy4d.lazy.Frames", "lazy4d.Reduction", "lazy4d.StateArray", "lazy4d.io.source.Source"),
            *("lazy4d.io.source.AxisSpec", "lazy4d.io.source.Reader", "lazy4d.io.rawframes.RawFrames"),
        ],
    ),
    "Errors": (
        "Each says what was expected, what was found and what to do.",
        [
            "lazy4d.Lazy4DError",
            *(f"lazy4d.errors.{name}" for name in ("FormatError", "TruncatedFileError", "ScanShapeError")),
            *(f"lazy4d.errors.{name}" for name in ("UnsupportedVariantError", "MissingCompanionError")),
            *(f"lazy4d.errors.{name}" for name in ("MissingCodecError", "ChunkError")),
            "lazy4d.Lazy4DWarning",
        ],
    ),
}
FUNCTIONS = {
    "Loading, computing, saving": (
        "lazy4d",
        ["load", "save", "compute", "persist", "explain", "stack", "guess_scan_shape", "set_options"],
    ),
    "Crystals and templates": (
        "lazy4d.signals.orientation",
        ["CrystalPhase", "TemplateLibrary", "template_library", "simulate_spots", "from_diffsims", "phase_from_orix"],
    ),
    "Pictures": ("lazy4d.plot", []),
    "Simulated data": ("lazy4d.data", []),
}
ORDER = (
    *("Loading, computing, saving", "Signals", "Results", "Regions", "Axes and metadata", "Pictures"),
    *("Crystals and templates", "For your own code", "Errors", "Simulated data"),
)
_GROUP = re.compile(r"\s*# -- (.*?) -+\s*$")
_OTHERS = ("for the modules above",)  # public all the same, and not what one looks for first


def write_pages(folder: Path) -> None:
    """Write the pages of the reference into `folder`; files that would not change are left alone."""
    written = {folder / "index.rst"}
    lines = [_title("API reference"), "Everything public, as ``import lazy4d as l4`` gives it.", ""]
    for group in ORDER:
        if group in CLASSES:
            told, paths = CLASSES[group]
            lines += _table(group, [*paths, *_unlisted(group)], told)
            for path in (*paths, *_unlisted(group)):
                written |= set(_class(folder, path))
        else:
            module, names = FUNCTIONS[group]
            paths = [f"{module}.{name}" for name in names or import_module(module).__all__]
            lines += _table(group, paths)
            written |= {_member(folder, path) for path in paths}
    _write(folder / "index.rst", lines)
    for old in set(folder.rglob("*.rst")) - written:
        old.unlink()


def _unlisted(group: str) -> list[str]:
    """Regions by the names that the library has, so that a new shape is never forgotten."""
    if group != "Regions":
        return []
    roi = import_module("lazy4d.roi")
    listed = CLASSES[group][1]
    return [f"lazy4d.roi.{n}" for n in roi.__all__ if n.endswith("ROI") and f"lazy4d.roi.{n}" not in listed]


def _class(folder: Path, path: str) -> Iterator[Path]:
    kind = _found(path)
    name = path.rsplit(".", 1)[1]
    lines = [_title(name), f".. autoclass:: {path}", ""]
    above = [base for base in kind.__mro__[1:] if base.__module__.startswith("lazy4d") and _public_path(base)]
    if above:
        links = ", ".join(f":doc:`{base.__name__} <{_public_path(base)}>`" for base in above)
        lines += [f"Has everything of {links} too.", ""]
    for group, members in groups_of(kind):
        paths = [f"{path}.{member}" for member in members]
        lines += _table(group[:1].upper() + group[1:], paths)
        for member in paths:
            yield _member(folder, member)
    yield _write(folder / f"{path}.rst", lines)


def groups_of(kind: type) -> list[tuple[str, list[str]]]:
    """The public members that a class defines itself, in the order and the groups of its body."""
    source = textwrap.dedent(inspect.getsource(kind))
    body = ast.parse(source).body[0].body  # type: ignore[attr-defined]
    headings = {k: found[1] for k, line in enumerate(source.splitlines(), 1) if (found := _GROUP.match(line))}
    found: dict[str, list[str]] = {}
    for node in body:
        names = [node.name] if isinstance(node, ast.FunctionDef) else []
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        group = next((headings[k] for k in sorted(headings, reverse=True) if k < node.lineno), "methods and attributes")
        group = "more" if group in _OTHERS else group
        for name in names:
            member = inspect.getattr_static(kind, name, None)
            if name.startswith("_") or name in found.get(group, ()) or not _documented(member):
                continue
            found.setdefault(group, []).append(name)
    return list(found.items())


def _documented(member: Any) -> bool:
    plain = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
    return bool(inspect.isroutine(plain) or hasattr(type(member), "__get__")) and bool(inspect.getdoc(plain))


def _member(folder: Path, path: str) -> Path:
    owner, name = path.rsplit(".", 1)
    above = _found(owner)
    lines = [":html_theme.sidebar_secondary.remove:", "", _title(name), f".. {_directive(above, name)}:: {path}", ""]
    return _write(folder / "members" / f"{path}.rst", lines)


def _directive(owner: Any, name: str) -> str:
    if inspect.isclass(owner):
        member = inspect.getattr_static(owner, name)
        if isinstance(member, property | cached_property):
            return "autoproperty"
        return "automethod" if inspect.isroutine(member) else "autoattribute"
    member = getattr(owner, name)
    return "autoclass" if inspect.isclass(member) else "autofunction"


def _found(path: str) -> Any:
    parts = path.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            found = getattr(found, part)
        return found
    raise ImportError(f"no {path} to document")


def _public_path(kind: type) -> str:
    every = [path for _, paths in CLASSES.values() for path in paths]
    return next((path for path in every if _found(path) is kind), "")


def _table(heading: str, paths: list[str], told: str = "") -> list[str]:
    entries = [f"   ~{path}" for path in paths]
    folder = "." if paths and inspect.isclass(_found(paths[0])) and told else "members"
    return [heading, "-" * len(heading), "", told, "", ".. autosummary::", f"   :toctree: {folder}", "", *entries, ""]


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"


def _write(path: Path, lines: list[str]) -> Path:
    text = "\n".join(lines) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path

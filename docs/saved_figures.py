"""The gallery's figures: those that an example saved into its temporary folder."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst

_before = tempfile.gettempdir()
_folder = ""


def new_folder(gallery_conf: dict[str, Any], fname: str, when: str = "before") -> None:
    """Give each example a temporary folder of its own, and take it away when the next one comes."""
    global _folder
    shutil.rmtree(_folder, ignore_errors=True) if _folder else None
    tempfile.tempdir = _before
    _folder = tempfile.mkdtemp(prefix="lazy4d_gallery_") if when == "before" else ""
    tempfile.tempdir = _folder or _before


def saved_figures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any], **kwargs: Any) -> str:
    """The reStructuredText of the PNG files that a block has saved, oldest first."""
    found = sorted(Path(_folder).rglob("*.png"), key=lambda path: path.stat().st_mtime_ns) if _folder else []
    targets = []
    for path, target in zip(found, block_vars["image_path_iterator"], strict=False):
        shutil.move(path, target)
        targets.append(target)
    return figure_rst(targets, gallery_conf["src_dir"]) if targets else ""

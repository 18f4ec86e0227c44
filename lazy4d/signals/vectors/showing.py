"""How diffraction vectors look as text and in a notebook."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from lazy4d.signals.display import dimensions, small_pictures

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def text(vectors: DiffractionVectors) -> str:
    """One line: title, dimensions x-first (navigation|frame), how many vectors and which columns.

    Examples
    --------
    >>> l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 9), title="disks")
    <DiffractionVectors, title: disks, dimensions: (1|9, 8), 1 vector of ky, kx>
    """
    return (
        f"<DiffractionVectors, title: {vectors.title}, dimensions: {dimensions(vectors)}, {_count(vectors)} of "  # type: ignore[arg-type]
        f"{', '.join(vectors.columns)}>"
    )


def _count(vectors: DiffractionVectors) -> str:
    if vectors.lazy:
        blocks = math.prod(len(sizes) for sizes in vectors.blocks.chunks)
        return f"lazy, {blocks} block{'' if blocks == 1 else 's'} of vectors"
    total = vectors.ragged.total
    return f"{total} vector{'' if total == 1 else 's'}"


def html(vectors: DiffractionVectors) -> str:
    """A table of what the vectors are, their columns and axes, and how many there are at each position, as a picture.

    Examples
    --------
    >>> "intensity" in l4.DiffractionVectors([[[3, 4, 5]]], frame_shape=(8, 8))._repr_html_()
    True
    """
    units = vectors.column_units
    columns = ", ".join(
        f"{name} [{units[name]}]" if units.get(name) and name not in ("ky", "kx") else name for name in vectors.columns
    )
    rows = {
        "Title": vectors.title,
        "Dimensions": dimensions(vectors),  # type: ignore[arg-type]
        "Vectors": _count(vectors),
        "Columns": columns,
        "Operations": str(len(vectors.history)),
    }
    body = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
    table = f"<table>{body}</table>{vectors.axes_manager._repr_html_()}"
    return (
        f"<h4>DiffractionVectors</h4><table><tr><td style='vertical-align:top'>{table}</td>"
        f"{small_pictures(vectors)}</tr></table>"
    )

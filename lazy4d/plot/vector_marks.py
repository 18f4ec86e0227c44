"""Diffraction vectors as marks on a pattern, coloured by one of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import Normalize, is_color_like
from numpy.typing import NDArray

from lazy4d.plot.marks import CLASSES, MOST_CLASSES, Marks, class_colors, scale_colors, scale_of
from lazy4d.signals import DiffractionVectors

MOST_POINTS = 20_000
"""Vectors drawn on one picture; of more, that many are taken at even distances."""


class Coloring:
    """How vectors are coloured: alike, by class (a column of a few whole numbers), or by a scale of colours.

    Parameters
    ----------
    color : str, optional
        A column, or a colour of matplotlib; by default one colour.
    vectors : sequence of DiffractionVectors
        All that are to be shown, computed: the same number has the same colour in all pictures.

    Raises
    ------
    ValueError
        `color` is neither.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10.0], [5, 5, 2.5]]], frame_shape=(8, 8))
    >>> Coloring("intensity", [v]).scale.vmax
    10.0
    """

    def __init__(self, color: str | None, vectors: Sequence[DiffractionVectors]) -> None:
        self.column = color if vectors and color in vectors[0].columns else None
        self.plain: str = CLASSES[0] if color is None or self.column else color
        self.scale: Normalize | None = None
        self.key: list[tuple[str, str]] = []
        self.title = ""
        if self.column is None:
            _check_color(color, vectors)
            return
        values = np.concatenate([_values(one, self.column) for one in vectors])
        units = vectors[0].column_units.get(self.column, "")
        self.title = f"{self.column} ({units})" if units else self.column
        if values.dtype.kind in "iu" and np.unique(values).size <= MOST_CLASSES:
            self.key = class_colors(values)[1]
        else:
            self.scale = scale_of(values)

    def __call__(self, vectors: DiffractionVectors, use: Any) -> dict[str, Any]:
        """Colours and their meaning, as parameters of `Marks`, of the vectors that `use` picks."""
        if self.column is None:
            return {"colors": self.plain}
        values = _values(vectors, self.column)[use]
        if self.scale is None:
            return {"colors": class_colors(values)[0], "key": self.key, "title": self.title}
        return {"colors": scale_colors(values, self.scale), "scale": self.scale, "title": self.title}


def marks_of(
    vectors: DiffractionVectors,
    coloring: Coloring,
    *,
    text: Sequence[str] = (),
    radius: float | None = None,
    filled: bool = False,
    size: float = 7.0,
) -> Marks:
    """The computed vectors of one or more positions as marks.

    Parameters
    ----------
    vectors : DiffractionVectors
        Computed.
    coloring : Coloring
        Their colours.
    text : sequence of str
        Columns to write beside each vector: whole numbers as Miller indices, negative ones with a bar above.
    radius : float, optional
        Of a circle around each, in pixels of the frame.
    filled : bool
        Disks rather than rings.
    size : float
        Diameter in points, without a `radius`.

    Raises
    ------
    ValueError
        There is no such column.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10.0], [5, 5, 2.5]]], frame_shape=(8, 8))
    >>> marks_of(v, Coloring(None, [v])).x
    array([4., 5.])
    """
    missing = [name for name in text if name not in vectors.columns]
    if missing:
        raise ValueError(f"text={tuple(text)!r}: expected columns out of {', '.join(vectors.columns)}")
    total = vectors.ragged.total
    use: Any = slice(None) if total <= MOST_POINTS else np.linspace(0, total - 1, MOST_POINTS).astype(np.int64)
    ky, kx = (vectors.ragged[name][use] for name in ("ky", "kx"))
    columns = [vectors.ragged[name][use] for name in text]
    texts = ["\\,".join(_text(value) for value in row) for row in zip(*columns, strict=True)] if columns else []
    return Marks(
        ky, kx, radius=radius, filled=filled, size=size, texts=[f"${one}$" for one in texts], **coloring(vectors, use)
    )


def _text(value: Any) -> str:
    """A number as mathematical text; a whole one below 0 with a bar above, as crystallographers write it."""
    if not np.isfinite(value):
        return "?"
    if float(value) != int(value):
        return f"{float(value):.3g}".replace("-", "−")
    return f"\\bar{{{abs(int(value))}}}" if value < 0 else str(int(value))


def _values(vectors: DiffractionVectors, column: str) -> NDArray[Any]:
    return vectors.ragged[column]


def _check_color(color: str | None, vectors: Sequence[DiffractionVectors]) -> None:
    if color is not None and not is_color_like(color):
        columns = ", ".join(vectors[0].columns) if vectors else "none"
        raise ValueError(f"color={color!r}: expected a column ({columns}) or a colour of matplotlib, such as 'red'")

"""`Column`: a column of vectors that is not computed yet, and what arithmetic and comparisons make of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from lazy4d.lazy import PerPosition
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.computing import compute_together
from lazy4d.signals.vectors.deriving import row_for_each_position
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane, plane_of
from lazy4d.units import convert, parse

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

Node = tuple[Any, ...]
"""What a column is made of: ("column", name), ("number", value), ("row", signal), ("call", name of a ufunc, *nodes)."""

DERIVED = ("magnitude", "azimuth")
"""Columns that every vector has without being stored: distance from the beam in axis units, direction in rad."""


class Column(NDArrayOperatorsMixin):
    """A column of `DiffractionVectors`, or what was made of columns: numbers for each vector, lazy.

    Arithmetic, comparisons and numpy functions of columns, numbers and maps of the same scan (one number a position)
    give further columns; ``&``, ``|`` and ``~`` join conditions. Nothing is computed before `compute`, or before the
    vectors that ``v.ivec[condition]`` keeps are. Columns are told by name: a condition made of some vectors may select
    from others that have the same columns.

    Numbers are compared with the column as it is stored (``ky`` and ``kx`` are pixels of the frame); text carries its
    unit and is converted: ``v.ivec["kx"] > "5 mrad"``, ``v.ivec["azimuth"] < "90 deg"``.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors.
    node : tuple
        What the column is made of.

    Raises
    ------
    ValueError
        There is no such column.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1]], [[3, 3, 5]]], frame_shape=(8, 8))
    >>> bright = (v.ivec["intensity"] > 2) & (v.ivec["kx"] >= 4)
    >>> bright
    <Column: ((intensity > 2) & (kx >= 4)), bool>
    >>> bright.compute(), np.sqrt(v.ivec["magnitude"] ** 2 + 16).compute()
    (array([ True, False, False]), array([4.        , 5.        , 4.24264069]))
    """

    __hash__ = None  # type: ignore[assignment]  # == gives a column

    def __init__(self, vectors: DiffractionVectors, node: Node, signals: tuple[Any, ...] = ()) -> None:
        if node[0] == "column" and node[1] not in (*vectors.columns, *DERIVED):
            raise ValueError(
                f"there is no column {node[1]!r}: the vectors have {', '.join(vectors.columns)}, and "
                f"{' and '.join(DERIVED)} are made where they are asked for"
            )
        self._vectors, self._node, self._signals = vectors, node, signals

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the values."""
        rows = [np.empty(0, signal.dtype) for signal in self._signals]
        return np.asarray(_values(self._node, RaggedFrames.empty(0, self._vectors.dtypes), _NO_PLANE, rows)).dtype

    def compute(self) -> NDArray[Any]:
        """The value of every vector, in scan order: an array of as many as there are vectors."""
        vectors = self._vectors
        made = vectors._map(
            only_value, *self._params(vectors), op="ivec", options={}, dtypes=_with_value(vectors, self.dtype)
        )
        result: NDArray[Any] = compute_together(made)[0].ragged["value"]
        return result

    def isin(self, values: Any) -> Column:
        """Whether each value is one of some numbers, such as labels of clusters.

        Raises
        ------
        TypeError
            Something else than numbers.

        Examples
        --------
        >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1]]], frame_shape=(8, 8))
        >>> v.ivec["intensity"].isin([1, 2]).compute()
        array([False,  True])
        """
        numbers = np.unique(np.asarray(values))
        if numbers.dtype.kind not in "biuf":
            raise TypeError(f"expected numbers to look for, found {values!r}")
        wanted = tuple(numbers.tolist())
        return Column(self._vectors, ("isin", self._node, wanted), self._signals)

    def between(self, low: Any, high: Any) -> Column:
        """Whether each value is at least `low` and below `high`; numbers or text with units.

        Examples
        --------
        >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1]]], frame_shape=(8, 8))
        >>> v.ivec["magnitude"].between(0, 1).compute()
        array([ True, False])
        """
        condition: Column = (self >= low) & (self < high)
        return condition

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Give the column that a numpy function makes of columns and numbers, or the sum (maximum, ...) of one."""
        if method in ("reduce", "accumulate") and isinstance(inputs[0], Column):  # np.sum, np.max, np.cumsum
            return getattr(ufunc, method)(inputs[0].compute(), *inputs[1:], **options)
        if method != "__call__" or options or ufunc.nout != 1 or getattr(np, ufunc.__name__, None) is not ufunc:
            return NotImplemented
        home = next(one for one in inputs if isinstance(one, Column))
        signals: list[Any] = []
        nodes = [_node_of(one, home, signals) for one in inputs]
        return Column(home._vectors, ("call", ufunc.__name__, *nodes), tuple(signals))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Compute the values, for numpy functions that need them all."""
        return self.compute().astype(dtype or self.dtype, copy=False)

    def __bool__(self) -> bool:
        """Refuse to be one truth: a condition has one for each vector."""
        raise TypeError("a condition has a truth for each vector: join conditions by &, | and ~, not by and, or, not")

    def __repr__(self) -> str:
        """Say what it is made of."""
        return f"<Column: {_text(self._node)}, {self.dtype}>"

    def _params(self, vectors: DiffractionVectors) -> tuple[Any, ...]:
        """What `values_of` takes beside the vectors of a block."""
        rows: list[PerPosition] = [row_for_each_position(signal, vectors) for signal in self._signals]
        plane = plane_of(vectors) if _names(self._node) & set(DERIVED) else _NO_PLANE
        return (self._node, plane, *rows)


def as_column(vectors: DiffractionVectors, given: Any) -> Column:
    """A column, a number for all vectors or a map of the scan as a column of these vectors."""
    if isinstance(given, Column):
        return given
    signals: list[Any] = []
    node = _node_of(given, Column(vectors, ("column", "ky")), signals)
    return Column(vectors, node, tuple(signals))


def stored_names(column: Column) -> set[str]:
    """The stored columns that a column is made of."""
    return _names(column._node) - set(DERIVED)


_NO_PLANE = DiffractionPlane()


def values_of(ragged: RaggedFrames, node: Node, plane: DiffractionPlane, *rows: Any) -> NDArray[Any]:
    """The value of each vector of a block: one for each entry."""
    found = _values(node, ragged, plane, list(rows))
    return np.broadcast_to(found, (ragged.total,))


def only_value(ragged: RaggedFrames, node: Node, plane: DiffractionPlane, *rows: Any) -> RaggedFrames:
    """The vectors with the values as their column "value", and no other but the places."""
    return ragged.only(["ky", "kx"]).with_columns(value=values_of(ragged, node, plane, *rows))


def _with_value(vectors: DiffractionVectors, dtype: np.dtype[Any]) -> dict[str, np.dtype[Any]]:
    return {"ky": vectors.dtypes["ky"], "kx": vectors.dtypes["kx"], "value": dtype}


def _values(node: Node, ragged: RaggedFrames, plane: DiffractionPlane, rows: list[Any]) -> Any:
    kind = node[0]
    if kind == "column":
        if node[1] in ragged.names:
            return ragged[node[1]]
        return plane.magnitude(ragged) if node[1] == "magnitude" else plane.azimuth(ragged)
    if kind == "number":
        return node[1]
    if kind == "row":
        return np.repeat(rows[node[1]], ragged.counts)
    if kind == "isin":
        return np.isin(_values(node[1], ragged, plane, rows), node[2])
    with np.errstate(all="ignore"):  # as between signals: undefined values become nan
        return getattr(np, node[1])(*(_values(one, ragged, plane, rows) for one in node[2:]))


def _node_of(value: Any, home: Column, signals: list[Any]) -> Node:
    """The node of an operand; its signals are added to `signals`."""
    if isinstance(value, Column):
        if value._vectors.nav_shape != home._vectors.nav_shape:
            raise ValueError(
                f"expected columns of vectors of the same scan, found positions {home._vectors.nav_shape} and "
                f"{value._vectors.nav_shape}"
            )
        start = len(signals)
        signals.extend(value._signals)
        return _moved(value._node, start)
    if hasattr(value, "nav_shape") and hasattr(value, "frame_shape"):
        if tuple(value.frame_shape) or tuple(value.nav_shape) != home._vectors.nav_shape:
            raise ValueError(
                f"expected a map with one number for each of the {home._vectors.nav_shape} positions, found {value!r}"
            )
        signals.append(value)
        return ("row", len(signals) - 1)
    if isinstance(value, str):
        return ("number", _in_column_units(value, home))
    if isinstance(value, bool | int | float | np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return ("number", np.asarray(value)[()] if isinstance(value, np.ndarray) else value)
    raise TypeError(
        f"expected a column, a number, text with a unit, or a map of the scan, found {type(value).__name__}: an array "
        "with a value for each vector becomes a column by v.with_columns(name=array)"
    )


def _moved(node: Node, start: int) -> Node:
    """The same node, its signals counted from `start`."""
    if node[0] == "row":
        return ("row", node[1] + start)
    return tuple(_moved(part, start) if _is_node(part) else part for part in node)


def _is_node(part: Any) -> bool:
    return isinstance(part, tuple) and bool(part) and part[0] in _KINDS


_KINDS = ("column", "number", "row", "call", "isin")


def _in_column_units(text: str, column: Column) -> float:
    """Text with a unit as the number that a plain column is to be compared with."""
    vectors, node = column._vectors, column._node
    if node[0] != "column":
        raise TypeError(f"{text!r} can be compared with a column, not with what was made of columns: give a number")
    name = node[1]
    for place, axis in zip(("ky", "kx"), vectors.frame_axes, strict=True):
        if place == name:
            return axis.to_pixels(text)
    value, unit = parse(text)
    if name not in vectors.columns and name == "magnitude":
        return plane_of(vectors).length(text)
    own = "rad" if name == "azimuth" and name not in vectors.columns else vectors.column_units.get(name)
    if own is None:
        raise ValueError(
            f"column {name!r} has no units to compare {text!r} with: give a number, or set its units in "
            "metadata.DiffractionVectors.column_units"
        )
    return float(convert(value, unit, own, vectors.frame_axes[1].beam_energy))


def _names(node: Node) -> set[str]:
    if node[0] == "column":
        return {node[1]}
    found: set[str] = set()
    for part in node:
        if _is_node(part):
            found |= _names(part)
    return found


_SIGNS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "power": "**", "remainder": "%",
    "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=",
    "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "floor_divide": "//",
}  # fmt: skip


def _text(node: Node) -> str:
    kind = node[0]
    if kind == "column":
        return str(node[1])
    if kind == "number":
        value = node[1]
        return f"{float(value):g}" if isinstance(value, float | np.floating) and math.isfinite(value) else str(value)
    if kind == "row":
        return "map"
    if kind == "isin":
        return f"{_text(node[1])}.isin({', '.join(str(v) for v in node[2][:5])}{', …' if len(node[2]) > 5 else ''})"
    parts = [_text(part) for part in node[2:]]
    sign = _SIGNS.get(node[1])
    return f"({parts[0]} {sign} {parts[1]})" if sign and len(parts) == 2 else f"{node[1]}({', '.join(parts)})"

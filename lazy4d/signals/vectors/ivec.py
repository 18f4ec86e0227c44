"""`ivec`: vectors selected by column and by condition, and columns added to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors.diffraction_plane import DiffractionPlane
from lazy4d.signals.vectors.ivec_expression import Column, Node, _text, as_column, stored_names, values_of

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors

PLACES = ("ky", "kx")


class ColumnSelector:
    """What ``v.ivec`` is: index it by the name of a column, names, a condition or a slice.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1]]], frame_shape=(8, 8))
    >>> v.ivec
    <ivec: columns ky, kx, intensity; index me by a name, names, a condition or a slice>
    """

    def __init__(self, vectors: DiffractionVectors) -> None:
        self._vectors = vectors

    def __getitem__(self, item: Any) -> Any:
        """Give a column, or the vectors that `item` selects."""
        vectors = self._vectors
        if isinstance(item, str):
            return Column(vectors, ("column", item))
        if isinstance(item, Column):
            return _where(vectors, item)
        if isinstance(item, slice | int | np.integer) and not isinstance(item, bool):
            return _by_rank(vectors, item)
        if isinstance(item, list | tuple) and all(isinstance(name, str) for name in item):
            return _only(vectors, tuple(item))
        array = np.asarray(item)
        if array.dtype == np.bool_:
            return _marked(vectors, array)
        raise TypeError(
            "expected the name of a column, a list of names, a condition such as v.ivec['intensity'] > 10, a slice, or "
            f"a bool for each vector; found {item!r}"
        )

    def __repr__(self) -> str:
        """Say which columns there are."""
        names = ", ".join(self._vectors.columns)
        return f"<ivec: columns {names}; index me by a name, names, a condition or a slice>"


@property  # type: ignore[misc]
def ivec(vectors: DiffractionVectors) -> ColumnSelector:
    """Select vectors and columns; everything is lazy where the vectors are.

    * ``v.ivec["intensity"]`` is that column, to be compared and computed with; ``"magnitude"`` (distance from the
      direct beam, axis units) and ``"azimuth"`` (rad, from +x towards +y) are there without being stored;
    * ``v.ivec[v.ivec["intensity"] > 10]`` keeps the vectors that meet a condition, ``&``, ``|`` and ``~`` join some; a
      bool array with one truth for each computed vector does the same;
    * ``v.ivec[["ky", "kx"]]`` keeps these columns; the places ky and kx are always kept;
    * ``v.ivec[:5]`` keeps the first five vectors of each position, which are the strongest ones as they were found.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1]], [[3, 3, 5]]], frame_shape=(8, 8))
    >>> v.ivec[(v.ivec["intensity"] > 2) & (v.ivec["magnitude"] > "1 px")].ragged.counts
    array([0, 1])
    """
    return ColumnSelector(vectors)


def with_columns(vectors: DiffractionVectors, /, **columns: Any) -> DiffractionVectors:
    """The vectors with more columns, or others in their place.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors.
    **columns : Column, ndarray, number or signal
        What is computed from columns (``v.ivec["intensity"] / 2``), lazily; an array with a number for each computed
        vector in scan order; one number for all; or a map of the scan, for all vectors of a position alike.

    Raises
    ------
    ValueError
        An array of another size, or for vectors that are not computed.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[4, 4, 10], [4, 7, 1]]], frame_shape=(8, 8))
    >>> v.with_columns(root=np.sqrt(v.ivec["intensity"]), label=np.array([3, 4])).ragged["label"]
    array([3, 4])
    """
    result = vectors
    for name, given in columns.items():
        result = _with_column(result, name, given)
    return result


def _with_column(vectors: DiffractionVectors, name: str, given: Any) -> DiffractionVectors:
    if isinstance(given, np.ndarray) and given.ndim:
        if given.shape != (vectors.ragged.total,):
            raise ValueError(
                f"expected column {name!r} as a number for each of {vectors.ragged.total} vectors, found shape "
                f"{given.shape}"
            )
        content = vectors.ragged.with_columns(**{name: given})
        return vectors._derive(content, "with_columns", {name: given})
    if isinstance(given, str):
        raise TypeError(f"expected column {name!r} as numbers, found {given!r}: v.ivec[{given!r}] is a column")
    column = as_column(vectors, given)
    dtypes = {**vectors.dtypes, name: np.dtype(np.float64) if name in PLACES else column.dtype}
    text = {name: _text(column._node) if isinstance(given, Column) else given}
    params = (name, dtypes[name].str, *column._params(vectors))
    return vectors._map(add_column, *params, op="with_columns", options=text, dtypes=dtypes, parents=column._signals)


def add_column(
    ragged: RaggedFrames, name: str, dtype: str, node: Node, plane: DiffractionPlane, *rows: Any
) -> RaggedFrames:
    """The vectors of a block with one more column."""
    values = values_of(ragged, node, plane, *rows)
    return ragged.with_columns(**{name: np.array(values, dtype)})


def keep_where(ragged: RaggedFrames, node: Node, plane: DiffractionPlane, *rows: Any) -> RaggedFrames:
    """The vectors of a block that meet a condition."""
    return ragged.where(values_of(ragged, node, plane, *rows))


def keep_rank(ragged: RaggedFrames, start: int | None, stop: int | None, step: int) -> RaggedFrames:
    """The vectors of a slice within each frame."""
    rank = np.arange(ragged.total) - np.repeat(ragged.offsets[:-1], ragged.counts)
    count = np.repeat(ragged.counts, ragged.counts)
    first = _from_end(0 if start is None else start, count)
    last = count if stop is None else _from_end(stop, count)
    return ragged.where((rank >= first) & (rank < last) & ((rank - first) % step == 0))


def _from_end(place: int, count: Any) -> Any:
    """A place within a frame, from its end where it is negative."""
    return np.maximum(count + place, 0) if place < 0 else place


def _where(vectors: DiffractionVectors, condition: Column) -> DiffractionVectors:
    if condition.dtype != np.bool_:
        raise TypeError(f"expected a condition, true or false for each vector, found {condition!r}: compare it first")
    missing = sorted(stored_names(condition) - set(vectors.columns))
    if missing:
        raise ValueError(f"the vectors have no column {', '.join(missing)}: they have {', '.join(vectors.columns)}")
    options = {"condition": _text(condition._node)}
    params, parents = condition._params(vectors), condition._signals
    return vectors._map(keep_where, *params, op="ivec", options=options, parents=parents)


def _by_rank(vectors: DiffractionVectors, item: Any) -> DiffractionVectors:
    if not isinstance(item, slice):
        place = int(item)
        item = slice(place, place + 1 if place != -1 else None)
    if not all(part is None or isinstance(part, int | np.integer) for part in (item.start, item.stop, item.step)):
        raise TypeError(
            f"expected a slice of whole numbers, the vectors of each position counted from 0, found {item}: bounds of "
            "a column go into a condition, v.ivec['kx'].between(low, high)"
        )
    step = 1 if item.step is None else int(item.step)
    if step < 1:
        raise ValueError(f"expected a slice of vectors with a positive step, found {item}")
    params = (item.start, item.stop, step)
    return vectors._map(keep_rank, *params, op="ivec", options={"items": item})


def _only(vectors: DiffractionVectors, names: tuple[str, ...]) -> DiffractionVectors:
    unknown = [name for name in names if name not in vectors.columns]
    if unknown:
        raise ValueError(f"there is no column {', '.join(unknown)}: the vectors have {', '.join(vectors.columns)}")
    kept = tuple(dict.fromkeys([*PLACES, *names]))
    dtypes = {name: vectors.dtypes[name] for name in kept}
    return vectors._map(RaggedFrames.only, kept, op="ivec", options={"columns": list(kept)}, dtypes=dtypes)


def _marked(vectors: DiffractionVectors, keep: Any) -> DiffractionVectors:
    return vectors._derive(vectors.ragged.where(keep), "ivec", {"keep": keep})

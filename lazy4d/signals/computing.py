"""From lazy to known: compute, persist, explain, numbers of one value, and what is sent on to files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.lazy import run
from lazy4d.lazy.explain import Explanation
from lazy4d.lazy.explain import explain as explain_arrays
from lazy4d.signals.arithmetic import is_signal
from lazy4d.signals.construction import may_be_damaged

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def compute_together(*signals: Any, progress: Any = None) -> tuple[Any, ...]:
    """The signals computed, all that come from one source in one pass over it.

    Parameters
    ----------
    *signals : BaseSignal, dask array, or list, tuple or dict of them
        What to compute; anything else is handed through.
    progress : bool or callable, optional
        Overrides the option of the same name.

    Returns
    -------
    tuple
        As given, each signal with an ndarray as its data, each dask array as an ndarray.

    Examples
    --------
    >>> total, images = compute_together(d.sum(), {"all": d.sum("kx").sum("ky")})
    >>> int(total.data.sum()) == int(images["all"].data.sum())
    True
    """
    return _together(signals, lambda arrays: run.compute(*arrays, progress=progress))


def persist_together(*signals: Any, progress: Any = None) -> tuple[Any, ...]:
    """The signals with their blocks computed and kept in memory (of the workers, on a cluster), still lazy."""
    return _together(signals, lambda arrays: run.persist(*arrays, progress=progress))


def explain_together(*signals: Any) -> Explanation:
    """What computing the signals together would do: passes, bytes, fused kernels, expected time and memory.

    A few frames of each source are read to learn how fast they come.
    """
    labels: dict[str, str] = {}

    def named(signal: Any) -> list[Any]:
        arrays = _lazy_parts(signal)
        what = f"{type(signal).__name__} {signal.title!r}"
        labels.update({a.name: what if k == 0 else f"validity of {what}" for k, a in enumerate(arrays)})
        return arrays

    found: list[Any] = []
    for signal in signals:
        _collect(signal, found, parts=named)

    def rebuild(values: tuple[Any, ...]) -> tuple[Any, ...]:
        results = iter(values)
        return tuple(_replace(signal, results) for signal in signals)

    return explain_arrays(found, [labels.get(array.name, array.name) for array in found], rebuild)


def _together(values: tuple[Any, ...], action: Callable[[list[Any]], Iterable[Any]]) -> tuple[Any, ...]:
    arrays: list[Any] = []
    for value in values:
        _collect(value, arrays)
    results = iter(action(arrays)) if arrays else iter(())
    return tuple(_replace(value, results) for value in values)


def _collect(value: Any, arrays: list[Any], parts: Callable[[Any], list[Any]] | None = None) -> None:
    """Append every dask array in `value`, in the order in which `_replace` takes their results."""
    if _is_computable(value):
        arrays.extend((parts or _lazy_parts)(value))
        _collect(value._beside, arrays, parts)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, arrays, parts)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, arrays, parts)
    elif hasattr(value, "dask"):
        arrays.append(value)


def _is_computable(value: Any) -> bool:
    """Whether `value` is a signal, or vectors."""
    return is_signal(value) or hasattr(value, "_lazy_parts")


def _replace(value: Any, results: Any) -> Any:
    if _is_computable(value):
        parts = [next(results) for _ in _lazy_parts(value)]
        beside = _replace(value._beside, results)
        if any(new is not value._beside[name] for name, new in beside.items()) and not parts:
            parts = [value._content, value._valid]
        if not parts:
            return value
        result = value._with_content(parts[0], parts[1] if len(parts) > 1 else None)
        result._beside = beside
        return result
    if isinstance(value, dict):
        return {key: _replace(item, results) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_replace(item, results) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)  # named tuples take each
    return next(results) if hasattr(value, "dask") else value


def _lazy_parts(signal: Any) -> list[Any]:
    """The dask arrays to compute for a signal: its data and, where frames may be damaged, which are valid."""
    if hasattr(signal, "_lazy_parts"):
        found: list[Any] = signal._lazy_parts()
        return found
    if not signal.lazy:
        return []
    if not may_be_damaged(signal):
        return [signal.data]
    return [signal.data, signal.frames.valid]


def compute(signal: BaseSignal, progress: Any = None) -> BaseSignal:
    """The signal with its data computed to an ndarray; this one stays lazy.

    Several results over one file are computed in one pass by `lazy4d.compute`.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    progress : bool or callable, optional
        Overrides the option of the same name.

    Examples
    --------
    >>> type(d.sum().compute().data).__name__
    'ndarray'
    """
    return compute_together(signal, progress=progress)[0]


def persist(signal: BaseSignal, progress: Any = None) -> BaseSignal:
    """The signal with its blocks computed and kept in memory (of the workers, on a cluster), still lazy.

    Parameters are those of `compute`.

    Examples
    --------
    >>> d.sum().persist().lazy
    True
    """
    return persist_together(signal, progress=progress)[0]


def as_numpy(signal: BaseSignal) -> NDArray[Any]:
    """The data as an ndarray in numpy order, computed if need be.

    Examples
    --------
    >>> d.max().as_numpy().shape
    (16, 16)
    """
    return compute(signal).data


def explain(signal: BaseSignal, *others: BaseSignal) -> Explanation:
    """What computing `others` (this signal, if there are none) would do: passes, bytes, expected time and memory.

    Examples
    --------
    >>> "pass" in str(d.explain(d.sum()))
    True
    """
    return explain_together(*(others or (signal,)))


@property  # type: ignore[misc]
def valid(signal: BaseSignal) -> BaseSignal:
    """Which positions hold an undamaged frame: a lazy bool signal that has the navigation axes only.

    Examples
    --------
    >>> bool(d.valid.compute().data.all())
    True
    """
    kind = signal._class_of[0]
    return signal._derive(
        signal.frames.valid, signal.nav_axes, "valid", {}, kind=kind, title=f"valid frames of {signal.title}".rstrip()
    )


def audit(signal: BaseSignal) -> Any:
    """The reader's report on the file behind the signal: every frame header is read, no pixel.

    Raises
    ------
    ValueError
        The signal was not loaded from a file.
    """
    if signal._audit is None:
        raise ValueError(f"{signal!r} was not loaded from a file, so there are no frame headers to audit")
    return signal._audit()


def save(signal: BaseSignal, filename: Any, **options: Any) -> None:
    """Write the signal to a file, its format chosen by the suffix; see `lazy4d.save`."""
    from lazy4d import api

    api.save(signal, filename, **options)


def to_array(signal: BaseSignal, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
    """The data computed, for numpy functions that want an array."""
    array = as_numpy(signal)
    if dtype is not None:
        array = array.astype(dtype, copy=False)
    return array.copy() if copy and array is signal.data else array


def _single(signal: BaseSignal) -> Any:
    if np.prod(signal.shape) != 1:
        raise ValueError(
            f"{signal!r} is no single value: reduce it first, for example with .sum(), or compare with .data.all()"
        )
    return as_numpy(signal).reshape(-1)[0]


def to_bool(signal: BaseSignal) -> bool:
    """The truth of a signal of one value, computed."""
    return bool(_single(signal))


def to_int(signal: BaseSignal) -> int:
    """A signal of one value, computed, as an int."""
    return int(_single(signal))


def to_float(signal: BaseSignal) -> float:
    """A signal of one value, computed, as a float."""
    return float(_single(signal))

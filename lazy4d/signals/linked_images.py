"""Images recorded beside a scan, as signals: they lie in its metadata, small ones whole, large ones by path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

GROUPS = ("General.virtual_images", "General.external_images")
SINGLE = "General.final_image"


def get_linked_images(signal: BaseSignal) -> dict[str, BaseSignal]:
    """The images that the microscope or camera wrote beside the scan, by their names.

    Virtual images of the camera's own software, signals recorded along with it (such as an annular dark field), and
    the pattern summed over the scan. They stand in ``metadata.General.virtual_images``, ``external_images`` and
    ``final_image``.

    Parameters
    ----------
    signal : BaseSignal
        A signal that was loaded from a file with such companions, or derived from one.

    Returns
    -------
    dict of str to BaseSignal
        Images of the scan are a `VirtualImage`, with the calibration of the scan where they have its shape (y, x);
        the summed pattern is a `Signal2D`. Large ones are lazy. Empty where the file has none.

    Raises
    ------
    FileNotFoundError, Lazy4DError
        A large image is no longer where it was, or damaged.

    Examples
    --------
    >>> adf = {"name": "ADF", "data": np.ones((4, 4))}
    >>> d.metadata.set_item("General.external_images", {"external_1": adf})
    >>> d.get_linked_images()
    {'ADF': <VirtualImage, title: ADF, dimensions: (4, 4|), float64, 128 B>}
    """
    found: dict[str, BaseSignal] = {}
    for group in GROUPS:
        for key, entry in _entries(signal, group).items():
            if isinstance(entry, dict):
                _add(found, key, entry, signal, of_scan=True)
    final = _entries(signal, SINGLE)
    if final:
        _add(found, "final", final, signal, of_scan=False)
    return found


def _entries(signal: BaseSignal, key: str) -> dict[str, Any]:
    held = signal.metadata.get_item(key, None)
    if held is None:
        return {}
    plain = held.as_dictionary() if hasattr(held, "as_dictionary") else held
    return plain if isinstance(plain, dict) else {}


def _add(found: dict[str, BaseSignal], key: str, entry: dict[str, Any], signal: BaseSignal, *, of_scan: bool) -> None:
    name = str(entry.get("name") or key)
    if name in found:
        name = f"{name} ({key})"
    data = entry.get("data")
    if data is None and entry.get("path"):
        data = _large(str(entry["path"]))
    if data is not None and np.ndim(data) == 2:
        found[name] = _signal(data, name, signal, of_scan)


def _large(path: str) -> Any:
    """The pixels of an image that was too large to be read with the scan, as a dask array."""
    from lazy4d import api

    data = api.load(path).data
    return data[0] if data.ndim == 3 else data


def _signal(data: Any, title: str, signal: BaseSignal, of_scan: bool) -> BaseSignal:
    own = signal.nav_axes if of_scan else signal.frame_axes
    if data.shape == tuple(axis.size for axis in own):
        axes = [axis.copy() for axis in own]
    else:
        names = ("y", "x") if of_scan else ("ky", "kx")
        axes = [Axis(name=name, size=int(size), navigate=of_scan) for name, size in zip(names, data.shape, strict=True)]
    return signal._class_of[0 if of_scan else 2](data, axes, title=title)

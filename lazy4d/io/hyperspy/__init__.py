"""The files of HyperSpy 2, ``.hspy`` (HDF5) and ``.zspy`` (Zarr version 2): one tree in two containers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.io.hyperspy.write_hspy import save_hspy
    from lazy4d.io.hyperspy.write_zspy import save_zspy

__all__ = ["save_hspy", "save_zspy"]

_MODULES = {"save_hspy": "write_hspy", "save_zspy": "write_zspy"}


def __getattr__(name: str) -> Any:
    """What saves, imported when it is first asked for: a reader does without dask."""
    if name in _MODULES:
        return getattr(import_module(f"lazy4d.io.hyperspy.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: expected one of {', '.join(__all__)}")

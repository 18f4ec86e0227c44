"""The store of lazy4d itself: Zarr version 3, one shard a block, every chunk with a checksum, saves that can go on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lazy4d.io.zarr_store.reader import READER

if TYPE_CHECKING:
    from lazy4d.io.zarr_store.write import PendingSave, plan_save, run_saves, save_zarr

__all__ = ["READER", "PendingSave", "plan_save", "run_saves", "save_zarr"]


def __getattr__(name: str) -> Any:
    """What saves, imported when it is first asked for: a reader does without dask."""
    if name in __all__:
        return getattr(import_module("lazy4d.io.zarr_store.write"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: expected one of {', '.join(__all__)}")

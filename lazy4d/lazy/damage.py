"""Damage that a user asked to tolerate: said once in the client, also where only the tasks could find it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import dask.array as da
import numpy as np

from lazy4d.errors import Lazy4DWarning
from lazy4d.lazy.frames import Frames
from lazy4d.lazy.lift import WalkLayer

_told: set[str] = set()


def loaded(source: Any, *, told: bool) -> None:
    """A source was loaded; `told`: its damage is known and the user has been warned of it."""
    (_told.add if told else _told.discard)(_label(source))


def _label(source: Any) -> str:
    return str(getattr(source, "label", source.token))


def validity_of(results: Iterable[da.Array]) -> dict[str, da.Array]:
    """Which frames are undamaged, for every source of `results` that tolerates damage and was not warned of yet.

    Computed beside the results these arrays cost nothing: the tasks look at every frame they read anyway.
    """
    found = {}
    for result in results:
        for layer in result.dask.layers.values():
            if isinstance(layer, WalkLayer) and layer.walk.source.array is None:
                source = getattr(layer.walk.source, "source", layer.walk.source)
                if getattr(source, "tolerant", False) and _label(source) not in _told:
                    found[_label(source)] = Frames(layer.walk.source, layer.walk.chunks).valid
    return found


def tell(label: str, valid: np.ndarray) -> None:
    """Warn of the invalid frames of a source, once."""
    bad = int(valid.size - np.count_nonzero(valid))
    if bad and label not in _told:
        _told.add(label)
        warnings.warn(
            f"{label}: {bad} of the {valid.size} frames read are damaged or missing and were marked invalid; s.valid "
            "tells which, s.audit() why",
            Lazy4DWarning,
            stacklevel=4,
        )

"""Arguments that make no sense: a named error at once, whatever the reader; those that do are taken in any type."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lazy4d.errors import Lazy4DError
from tests.io.conformance.model import NAV
from tests.io.conformance.test_fuzz import bounded_memory

HUGE = 10**12
NONSENSE: list[dict[str, Any]] = [
    {"scan_shape": (0, 3)},
    {"scan_shape": (-1, -1)},
    {"scan_shape": (-2, 4)},
    {"scan_shape": (3.5, 2)},
    {"scan_shape": ()},
    {"scan_shape": "many"},
    {"scan_shape": (HUGE, HUGE)},
    {"scan_shape": HUGE},
    {"scan_shape": (10**30, 1)},
    {"scan_shape": (None, 4)},
    {"scan_shape": {"rows": 3}},
    {"scan_shape": np.array([3.0, 4.0])},
    {"scan_shape": (5, 7)},
    {"sync_offset": 12},
    {"sync_offset": HUGE},
    {"sync_offset": 10**30},
    {"sync_offset": -HUGE},
    {"sync_offset": -(10**30)},
    {"sync_offset": 1.5},
    {"sync_offset": "two"},
    {"flyback": -1, "scan_shape": NAV},
    {"flyback": HUGE, "scan_shape": NAV},
    {"flyback": 10**30, "scan_shape": NAV},
    {"flyback": 0.5, "scan_shape": NAV},
    {"flyback": 4, "scan_shape": (-1, 13)},
    {"incomplete": "NaN"},
    {"incomplete": True},
    {"io": "fast"},
    {"frames": 3},
]


@pytest.mark.parametrize("given", NONSENSE, ids=lambda given: " ".join(f"{k}={v}" for k, v in given.items()))
@pytest.mark.parametrize("incomplete", ["raise", "nan", "crop"])
def test_nonsense_is_refused(every_case, given, incomplete, read_all) -> None:
    """Or, where damage is tolerated, taken for frames that are missing: in no case a giant allocation."""
    for stored in every_case:
        refused = ""
        with bounded_memory():
            try:
                frames = stored.read(**{"incomplete": incomplete, **given}).frames
                assert math.prod(frames.nav_shape) <= 10**9
                first = frames.select(tuple(slice(0, 1) for _ in frames.nav_shape))
                read_all(first)
            except (Lazy4DError, ValueError, TypeError) as error:
                refused = f"{type(error).__name__}: {error}"
        tolerated = incomplete != "raise"
        assert refused or tolerated, (stored.case.reader, given)
        names = ("scan_shape", "scan shape", "sync_offset", "flyback", "incomplete", "io=", "option", "coordinates")
        assert not refused or any(name in refused for name in names), refused
        assert "Unicode" not in refused
        assert "Overflow" not in refused


@pytest.mark.parametrize(
    "shape", [list(NAV), np.array(NAV), tuple(np.uint8(n) for n in NAV), (-1, 4), (3, -1)], ids=repr
)
def test_integers_of_any_type_are_taken(stored, shape) -> None:
    if not stored.case.rearranged and -1 in list(shape):
        pytest.skip("coordinates lie on a grid that must be known")
    frames = stored.read(scan_shape=shape).frames
    assert frames.nav_shape == NAV
    assert all(type(n) is int for n in frames.nav_shape)

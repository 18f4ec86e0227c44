from __future__ import annotations

import numpy as np
import pytest

from lazy4d.plot.frame_cache import FrameCache, likely_next


def frame(n: int) -> tuple[np.ndarray, bool]:
    return np.zeros(n, "u1"), True


def test_frames_looked_at_longest_ago_make_room() -> None:
    cache = FrameCache(100)
    for k in range(3):
        assert cache.put((k,), frame(40))
        assert cache.get((0,)) is not None
    assert [(k,) in cache for k in range(3)] == [True, False, True]
    assert (len(cache), cache.nbytes) == (2, 80)
    assert not cache.put((9,), frame(101))
    assert cache.get((9,)) is None
    cache.clear()
    assert cache.nbytes == 0


@pytest.mark.parametrize(
    ("position", "travel", "expected"),
    [
        ((3, 3), (0, 0), []),  # it has not moved
        ((3, 3), (1, 0), [(4, 3), (5, 3), (6, 3), (7, 3), (2, 3), (3, 4), (3, 2)]),
        ((7, 3), (1, 0), [(6, 3), (7, 4), (7, 2)]),  # at the edge
        ((3, 3), (0, -1), [(3, 2), (3, 1), (3, 0), (3, 4), (4, 3), (2, 3)]),
        ((3, 3), (2, 1), [(5, 4), (7, 5)]),  # a drag; what is beside it is no more likely than anything else
        ((4,), (1,), [(5,), (6,), (7,), (3,)]),
        ((3, 3, 1), (0, 0, 1), [(3, 3, 2), (3, 3, 0), (4, 3, 1), (2, 3, 1), (3, 4, 1), (3, 2, 1)]),
    ],
)
def test_what_is_fetched_ahead(position, travel, expected) -> None:
    shape = (8, 8, 3)[: len(position)]
    assert likely_next(position, travel, shape) == expected

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lazy4d.kernels.scatter import scatter_rows


@given(st.sets(st.integers(0, 30), min_size=1), st.integers(0, 30), st.integers(0, 12))
def test_rows_are_where_they_belong(chosen: set[int], start: int, count: int) -> None:
    numbers = np.array(sorted(chosen))
    rows = np.stack([numbers * 10.0, numbers * -1.0], axis=-1)
    frames, out = np.arange(start, start + count), np.full((count, 2), 77.0)
    scatter_rows(frames, rows, numbers, out)
    for number, found in zip(frames, out, strict=True):
        expected = [number * 10.0, number * -1.0] if number in chosen else [np.nan, np.nan]
        np.testing.assert_array_equal(found, expected)

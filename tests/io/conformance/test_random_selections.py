"""Chains of slices, masks and dropped axes, read in blocks and tiles of any size: what numpy gives."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.io.conformance.cases import CASES
from tests.io.conformance.model import NAV, write

EXAMPLES = int(os.environ.get("LAZY4D_FUZZ_EXAMPLES", "10"))


def steps(nav_shape: tuple[int, ...]) -> Any:
    """A selection of a navigation shape: one slice an axis, or a mask."""
    one = [
        st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.sampled_from((1, 1, 2, 3))).map(_slice)
        for n in nav_shape
    ]
    mask = st.lists(st.booleans(), min_size=math.prod(nav_shape), max_size=math.prod(nav_shape))
    return st.one_of(st.tuples(*one), mask.map(lambda bits: (np.array(bits, bool).reshape(nav_shape),)))


def _slice(ends: tuple[int, int, int]) -> slice:
    a, b, step = ends
    return slice(a, b + 1, step) if a <= b else slice(a, b - 1, -step)


def _numpy(part: slice) -> slice:
    """The same slice as numpy writes it: it cannot end at −1."""
    return slice(part.start, None if part.stop < 0 else part.stop, part.step)


@pytest.mark.parametrize("name", list(CASES))
def test_selections_and_blocks(name, tmp_path_factory) -> None:
    case = CASES[name]
    for package in case.needs:
        pytest.importorskip(package)
    stored = write(case, tmp_path_factory.mktemp("selections"))
    # Padding the scan by a blank at its start makes blocks with invalid frames.
    offset = -1 if case.rearranged else 0
    asked: dict[str, Any] = {"sync_offset": offset, "scan_shape": NAV} if offset else {}
    both = [stored.read(io=io, **asked).frames for io in ("mmap", "read")]
    flat = stored.frames.reshape(-1, *stored.frames.shape[2:])
    truth = stored.frames
    if offset:
        truth = np.concatenate([np.zeros_like(flat[:1]), flat[:-1]]).reshape(truth.shape)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def examine(data: Any) -> None:
        source, expected = data.draw(st.sampled_from(both)), truth
        for _ in range(data.draw(st.integers(0, 3))):
            if 0 in source.nav_shape or not source.nav_shape:
                break
            items = data.draw(steps(source.nav_shape))
            source = source.select(items)
            expected = expected[items[0]] if isinstance(items[0], np.ndarray) else expected[tuple(map(_numpy, items))]
            single = [axis for axis, n in enumerate(source.nav_shape) if n == 1]
            if single and data.draw(st.booleans()):
                source, expected = source.drop_axes(single), expected.squeeze(tuple(single))
        assert source.nav_shape == expected.shape[:-2]
        if 0 in source.nav_shape:
            return
        starts = [data.draw(st.integers(0, n - 1)) for n in source.nav_shape]
        stops = [data.draw(st.integers(a + 1, n)) for a, n in zip(starts, source.nav_shape, strict=True)]
        box = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
        wanted = expected[box].reshape(-1, *expected.shape[-2:])
        out = np.full_like(wanted, 3)
        tile = data.draw(st.integers(1, len(wanted)))
        ky, kx = wanted.shape[1:]
        window = (slice(1, ky - 2), slice(2, kx - 1)) if data.draw(st.booleans()) else ()
        block = source.open(box)
        for start in range(0, len(wanted), tile):
            stop = min(start + tile, len(wanted))
            block.read(start, stop, out[start:stop], window)
        valid = np.ones(len(wanted), bool) if block.valid is None else np.array(block.valid)
        block.close()
        inside = (slice(None), *window)
        assert np.array_equal(out[inside], wanted[inside])
        assert np.array_equal(valid, wanted.any(axis=(1, 2)))

    examine()

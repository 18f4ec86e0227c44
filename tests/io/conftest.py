"""What the tests of readers share: frames to store, and a plain way to read a source as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Read = Callable[..., NDArray[Any]]


@pytest.fixture
def read_all() -> Read:
    """All frames of a `FrameSource` as an array ``[nav..., ky, kx]``, in tiles of an odd size; `valid` on request."""

    def read(source: Any, *, tile: int = 3, with_valid: bool = False) -> Any:
        n = math.prod(source.nav_shape)
        out = np.full((n, *source.frame_shape), 7, source.dtype)  # 7: pixels that nobody fills show
        block = source.open(tuple(slice(0, length) for length in source.nav_shape))
        valid = np.ones(n, bool) if block.valid is None else block.valid.copy()
        for start in range(0, n, tile):
            stop = min(start + tile, n)
            block.read(start, stop, out[start:stop], ())
        block.close()
        out = out.reshape(*source.nav_shape, *source.frame_shape)
        return (out, valid.reshape(source.nav_shape)) if with_valid else out

    return read


@pytest.fixture
def scan() -> NDArray[np.uint16]:
    """A scan (4, 5 | 64, 64) of 12-bit counts, every frame different; 64 columns fill whole words of RAW files."""
    return np.random.default_rng(12).integers(0, 4096, (4, 5, 64, 64), np.uint16)

"""Signals small enough to check against numpy, in several shapes, dtypes and blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.lazy import Frames


@pytest.fixture(autouse=True)
def _no_progress_bars() -> Any:
    with l4.set_options(progress=False):
        yield


@pytest.fixture
def pixels(stack: NDArray[Any]) -> NDArray[Any]:
    """The stack of the root conftest under a name that says what it is here: pixels (4, 5 | 12, 10)."""
    return stack


@pytest.fixture
def scan(pixels: NDArray[Any], chunks: tuple[tuple[int, ...], ...]) -> l4.Diffraction2D:
    """A lazy scan of `pixels` in blocks `chunks`, calibrated so that every axis has its own scale and offset."""
    return make_scan(pixels, chunks)


@pytest.fixture
def simple() -> l4.Diffraction2D:
    """The scan of uint16 in ragged blocks, for tests that no dtype or block size can change."""
    values = np.random.default_rng(4).poisson(3.0, (4, 5, 12, 10)).astype("uint16")
    return make_scan(values, ((1, 3), (2, 2, 1)))


def make_scan(pixels: NDArray[Any], chunks: Any = "auto") -> l4.Diffraction2D:
    signal = l4.Diffraction2D(Frames.from_array(pixels, pixels.ndim - 2, chunks=chunks), title="scan")
    for number, axis in enumerate(signal.axes_manager.as_numpy_order()):
        axis.scale, axis.offset, axis.units = 0.5 + number, 2.0 * number, "nm" if axis.navigate else "1/Å"
    signal.metadata.set_item("Sample.name", "gold")
    return signal


NAV_SHAPES: list[tuple[int, ...]] = [(), (3,), (3, 2), (2, 3, 2)]


@pytest.fixture(params=NAV_SHAPES, ids=lambda shape: f"{len(shape)}-nav")
def any_scan(request: pytest.FixtureRequest) -> l4.Diffraction2D:
    """A scan with 0, 1, 2 or 3 navigation axes."""
    values = np.random.default_rng(1).poisson(3.0, (*request.param, 6, 5)).astype("uint16")
    return make_scan(values)

"""What is viewed: the scan as recorded, cropped, and centred; each with what one frame of it must be."""

from __future__ import annotations

from typing import Any

import numpy as np

CHAINS = ("raw", "cropped", "centred")

HALF_WIDTH = 40
"""Of the window about the middle in which the beam is looked for: without the pixels that hold the frame's number."""


def chained(signal: Any, chain: str) -> Any:
    """The signal after the steps of a chain, lazily."""
    if chain == "raw":
        return signal
    if chain == "cropped":
        return signal.isig[48:208, 32:224]
    position = signal.get_direct_beam_position(method="center_of_mass", half_width=HALF_WIDTH)
    return signal.center_direct_beam(position=position)


def expected_frame(frame: np.ndarray, chain: str) -> np.ndarray:
    """The same steps on one frame in memory, computed the ordinary way."""
    import lazy4d as l4

    if chain == "raw":
        return frame
    if chain == "cropped":
        return frame[32:224, 48:208]
    alone = chained(l4.Diffraction2D(frame[None, None]), chain)
    return np.asarray(alone.as_numpy()[0, 0])


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Equal to the last bit, or for what was interpolated to rounding."""
    return found.shape == expected.shape and np.allclose(found, expected, rtol=1e-6, atol=1e-6)

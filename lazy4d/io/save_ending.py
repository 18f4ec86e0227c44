"""What every end of a chain of steps that saves its frames has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lazy4d.lazy.endings import Tile


class SaveEnding:
    """Tiles go to a file and are forgotten; dask is handed a few bytes.

    `keep_invalid`: invalid frames are stored as they come; otherwise as zeros, whatever the steps made of them.
    """

    keep_invalid: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of what is handed to dask."""
        return np.dtype(np.uint8)

    def takes_buffer(self, step: Any) -> bool:
        """No: tiles are written and forgotten."""
        return False

    def take(self, state: Any, tile: Tile, params: list[Any]) -> None:
        """Hand one tile to what writes the block."""
        state.write(tile.start, self.stored(tile))

    def stored(self, tile: Tile) -> NDArray[Any]:
        """The frames of a tile as they are to be stored."""
        if tile.keep is None or self.keep_invalid:
            return tile.frames
        frames = tile.frames.copy()
        frames[~tile.keep] = 0
        return frames

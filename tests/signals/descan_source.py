"""A source of frames that are one pattern moved by whole pixels, an exact plane over the scan; it counts its reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.lazy import Frames

reads: list[int] = []
"""Numbers of the frames that were read in this process."""

THRESHOLD = 50
"""Only the direct beam is above it, so that centres of mass are whole numbers."""


def pattern(frame_shape: tuple[int, int], margin: int) -> NDArray[Any]:
    """A direct beam on the middle pixel, and weaker structure that is not symmetric, up to `margin` outside."""
    ky, kx = frame_shape
    y, x = np.mgrid[-margin : ky + margin, -margin : kx + margin]
    radius = np.hypot(y - ky // 2, x - kx // 2)
    return np.where(radius < 3.3, 100, (3 * y + 5 * x + y * x) % 11).astype("u2")


@dataclass(frozen=True, eq=False)
class DescanSource:
    """Frame (i, j) is `pattern` moved by ``(dy[i], dx[j])`` and multiplied by 1, 2 or 3."""

    numbers: NDArray[Any]
    moves: NDArray[Any]
    frame_shape: tuple[int, int]
    wide: NDArray[Any] = field(repr=False)
    incomplete: str = "raise"
    damaged: tuple[int, ...] = ()
    token: str = "descan"
    dtype = np.dtype("u2")

    @property
    def nav_shape(self) -> tuple[int, ...]:
        return self.numbers.shape

    @property
    def frame_nbytes(self) -> int:
        return 2 * self.frame_shape[0] * self.frame_shape[1]

    def select(self, items: Any) -> DescanSource:
        return replace(self, numbers=self.numbers[items], moves=self.moves[items], token=f"{self.token}{items}")

    def drop_axes(self, axes: Any) -> DescanSource:
        kept = tuple(n for k, n in enumerate(self.nav_shape) if k not in axes)
        return replace(
            self, numbers=self.numbers.reshape(kept), moves=self.moves.reshape(*kept, 2), token=f"{self.token}-{axes}"
        )

    def open(self, box: Any) -> DescanBlock:
        return DescanBlock(self, self.numbers[box].ravel(), self.moves[box].reshape(-1, 2))


class DescanBlock:
    def __init__(self, source: DescanSource, numbers: NDArray[Any], moves: NDArray[Any]) -> None:
        self.source, self.numbers, self.moves = source, numbers, moves
        bad = np.isin(numbers, source.damaged)
        self.valid = ~bad if bad.any() else None

    def read(self, start: int, stop: int, out: NDArray[Any], window: Any) -> None:
        reads.extend(self.numbers[start:stop].tolist())
        ky, kx = self.source.frame_shape
        margin = (self.source.wide.shape[0] - ky) // 2
        for k in range(start, stop):
            y, x = margin - self.moves[k]
            factor = 0 if self.valid is not None and not self.valid[k] else factor_of(self.numbers[k])
            np.multiply(self.source.wide[y : y + ky, x : x + kx], factor, out=out[k - start])

    def close(self) -> None:
        pass


def factor_of(numbers: Any) -> Any:
    return np.asarray(numbers % 3 + 1, "u2")


def descan_scan(
    nav_shape: tuple[int, ...] = (6, 5),
    frame_shape: tuple[int, int] = (24, 30),
    chunks: Any = "auto",
    slope: int = 1,
    **settings: Any,
) -> l4.Diffraction2D:
    """The scan as a signal; the beam travels by `slope` pixels a row and by twice as much a column, and back."""
    places = np.indices(nav_shape).reshape(len(nav_shape), *nav_shape)
    middle = [n // 2 for n in nav_shape]
    moves = np.zeros((*nav_shape, 2), np.int64)
    if nav_shape:
        moves[..., 0] = slope * (places[-1] - middle[-1])
        moves[..., 1] = -slope * (places[0] - middle[0])
    margin = int(np.abs(moves).max(initial=0))
    source = DescanSource(
        np.arange(np.prod(nav_shape, dtype=int)).reshape(nav_shape),
        moves,
        frame_shape,
        pattern(frame_shape, margin),
        token=f"descan{nav_shape}{frame_shape}{slope}{settings}",
        **settings,
    )
    return l4.Diffraction2D(Frames.from_source(source, chunks=chunks))

"""A frame source made of arithmetic, with damage on demand, that counts the frames it is asked for."""

from dataclasses import dataclass, replace

import numpy as np

reads = []


@dataclass(frozen=True, eq=False)
class ArithmeticSource:
    """Frame number f holds ``f * 7 + 3 * pixel`` modulo 1000; frames in `damaged` are invalid."""

    numbers: np.ndarray
    frame_shape: tuple = (6, 5)
    incomplete: str = "raise"
    damaged: tuple = ()
    token: str = "arithmetic"
    dtype = np.dtype("uint16")

    @property
    def nav_shape(self):
        return self.numbers.shape

    @property
    def frame_nbytes(self):
        return int(np.prod(self.frame_shape)) * 2

    def select(self, items):
        chosen = self.numbers[items]
        return replace(self, numbers=chosen, token=f"{self.token}{items}")

    def drop_axes(self, axes):
        return replace(self, numbers=self.numbers.squeeze(axes), token=f"{self.token}-{axes}")

    def open(self, box):
        return ArithmeticBlock(self, self.numbers[box].ravel())

    def dense(self):
        """All frames as numpy computes them, damaged ones as zero."""
        pixels = 3 * np.arange(np.prod(self.frame_shape)).reshape(self.frame_shape)
        frames = ((self.numbers[..., None, None] * 7 + pixels) % 1000).astype("u2")
        frames[np.isin(self.numbers, self.damaged)] = 0
        return frames


class ArithmeticBlock:
    def __init__(self, source, numbers):
        self.source, self.numbers = source, numbers
        bad = np.isin(numbers, source.damaged)
        self.valid = ~bad if bad.any() else None
        self.closed = False

    def read(self, start, stop, out, window):
        reads.extend(self.numbers[start:stop])
        frames = replace(self.source, numbers=self.numbers[start:stop]).dense()
        index = (slice(0, stop - start), *window)
        out[index] = frames[(slice(None), *window)]

    def close(self):
        self.closed = True


def arithmetic(nav_shape=(6, 4), **settings):
    return ArithmeticSource(np.arange(np.prod(nav_shape)).reshape(nav_shape), **settings)

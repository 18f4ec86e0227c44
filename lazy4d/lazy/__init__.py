"""Streams of frames: a source, the stages that change each frame, and terminals, lifted onto one dask task a block."""

from lazy4d.lazy.frames import Frames, FrameSource, PerPosition, SharedLazy
from lazy4d.lazy.reduction import Reduction, StateArray

__all__ = ["FrameSource", "Frames", "PerPosition", "Reduction", "SharedLazy", "StateArray"]

"""Frames of arrays in chunks of any shape and order: right, unpacked once, fetched only where needed."""

from __future__ import annotations

import itertools
import math
import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io import mapping
from lazy4d.io.chunked.codec import codec_from_zarr2
from lazy4d.io.chunked.frames import ChunkedFrames, block_chunks
from lazy4d.io.chunked.grid import ChunkGrid
from lazy4d.io.chunked.store import Packed
from lazy4d.io.navigation import NavigationMap
from lazy4d.lazy.frames import Frames


@dataclass
class Memory:
    """Chunks in memory that count how often they are fetched."""

    chunks: dict
    token: str = "memory"
    label: str = "memory"
    fetched: list = field(default_factory=list)

    def open(self):
        return self

    def fetch(self, index):
        self.fetched.append(index)
        found = self.chunks.get(index)
        return None if found is None else Packed(found)

    def close(self) -> None:
        pass


def stored(array, chunk):
    counts = [-(-n // c) for n, c in zip(array.shape, chunk, strict=True)]
    chunks = {}
    for index in itertools.product(*map(range, counts)):
        whole = np.full(chunk, 99, array.dtype)
        part = array[tuple(slice(k * c, (k + 1) * c) for k, c in zip(index, chunk, strict=True))]
        whole[tuple(map(slice, part.shape))] = part
        chunks[index] = whole.tobytes()
    return Memory(chunks)


RAW = codec_from_zarr2(None, None, np.dtype("u2"))


def made(values, nav_axes, signal_axes, chunk, dtype="<u2", **options):
    """Frames over an array that is stored with its axes in another order."""
    order = np.argsort((*nav_axes, *signal_axes))
    array = np.ascontiguousarray(values.transpose(order)).astype(dtype)
    grid = ChunkGrid(array.shape, chunk, nav_axes, signal_axes)
    return ChunkedFrames(grid, array.dtype, stored(array, chunk), RAW, 7, **options)


VALUES = np.arange(5 * 7 * 6 * 8, dtype="u2").reshape(5, 7, 6, 8)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
@pytest.mark.parametrize(
    ("axes", "chunk"),
    [
        ((0, 1, 2, 3), (1, 1, 6, 8)),
        ((0, 1, 2, 3), (1, 3, 6, 8)),
        ((0, 1, 2, 3), (2, 3, 6, 8)),
        ((0, 1, 2, 3), (2, 7, 6, 8)),
        ((0, 1, 2, 3), (5, 7, 6, 8)),
        ((0, 1, 2, 3), (8, 9, 10, 11)),
        ((0, 1, 2, 3), (1, 1, 4, 8)),
        ((0, 1, 2, 3), (1, 1, 3, 5)),
        ((0, 1, 2, 3), (2, 2, 4, 3)),
        ((2, 3, 0, 1), (3, 4, 2, 2)),
        ((3, 2, 0, 1), (6, 3, 7, 2)),
        ((1, 0, 2, 3), (2, 3, 6, 8)),
        ((0, 2, 1, 3), (2, 4, 3, 8)),
        ((0, 1, 3, 2), (1, 1, 8, 6)),
        ((0, 1, 3, 2), (1, 2, 8, 3)),
    ],
)
def test_every_layout(axes, chunk, dtype) -> None:
    frames = made(VALUES, axes[:2], axes[2:], chunk, dtype)
    assert frames.dtype == np.dtype("u2")
    for blocks in ("auto", 2, (1, 3)):
        np.testing.assert_array_equal(Frames.from_source(frames, blocks).data.compute(scheduler="sync"), VALUES)


@pytest.mark.parametrize("chunk", [(1, 1, 6, 8), (2, 3, 6, 8), (2, 2, 4, 3), (5, 7, 2, 2)])
def test_selections(chunk) -> None:
    frames = made(VALUES, (0, 1), (2, 3), chunk)
    some = frames.select((slice(4, None, -2), slice(1, 6, 2)))
    np.testing.assert_array_equal(Frames.from_source(some).data.compute(scheduler="sync"), VALUES[4::-2, 1:6:2])
    mask = np.random.default_rng(0).random((5, 7)) < 0.4
    chosen = frames.select((mask,))
    np.testing.assert_array_equal(Frames.from_source(chosen).data.compute(scheduler="sync"), VALUES[mask])
    serpentine = frames.rearranged(NavigationMap.raster((5, 7), serpentine=True))
    expected = VALUES.copy()
    expected[1::2] = expected[1::2, ::-1]
    np.testing.assert_array_equal(Frames.from_source(serpentine).data.compute(scheduler="sync"), expected)


@pytest.mark.parametrize("chunk", [(1, 1, 6, 8), (2, 3, 6, 8), (1, 7, 6, 8), (2, 2, 4, 3), (5, 7, 3, 3)])
def test_a_chunk_is_fetched_once_a_block(chunk) -> None:
    frames = made(VALUES, (0, 1), (2, 3), chunk)
    block = frames.open((slice(0, 4), slice(0, 6)))
    out = np.empty((5, 6, 8), "u2")
    for start in range(0, 24, 5):
        stop = min(start + 5, 24)
        block.read(start, stop, out)
        np.testing.assert_array_equal(out[: stop - start], VALUES[:4, :6].reshape(24, 6, 8)[start:stop])
    block.close()
    assert len(frames.store.fetched) == len(set(frames.store.fetched))


def test_chunks_outside_the_window_are_not_fetched() -> None:
    frames = made(VALUES, (0, 1), (2, 3), (2, 2, 3, 4))
    block = frames.open((slice(0, 2), slice(0, 2)))
    out = np.zeros((4, 6, 8), "u2")
    block.read(0, 4, out, (slice(0, 3), slice(5, 8)))
    assert frames.store.fetched == [(0, 0, 0, 1)]
    np.testing.assert_array_equal(out[:, :3, 5:], VALUES[:2, :2, :3, 5:].reshape(4, 3, 3))


def test_chunks_larger_than_what_is_kept(monkeypatch) -> None:
    monkeypatch.setattr("lazy4d.io.chunked.block.KEPT_BYTES", 500)
    monkeypatch.setattr("lazy4d.io.chunked.frames.KEPT_BYTES", 500)
    for chunk in ((2, 3, 6, 8), (5, 7, 3, 3), (5, 7, 6, 8)):
        frames = made(VALUES, (0, 1), (2, 3), chunk)
        np.testing.assert_array_equal(Frames.from_source(frames).data.compute(scheduler="sync"), VALUES)
        np.testing.assert_array_equal(Frames.from_source(frames, (5, 7)).data.compute(scheduler="sync"), VALUES)


def test_fill_value() -> None:
    frames = made(VALUES, (0, 1), (2, 3), (1, 7, 6, 8))
    del frames.store.chunks[(2, 0, 0, 0)]
    expected = VALUES.copy()
    expected[2] = 7
    np.testing.assert_array_equal(Frames.from_source(frames).data.compute(scheduler="sync"), expected)


@pytest.mark.parametrize("chunk", [(1, 1, 6, 8), (1, 3, 6, 8), (2, 2, 6, 8), (1, 1, 3, 8)])
def test_damage(chunk) -> None:
    frames = made(VALUES, (0, 1), (2, 3), chunk)
    index = tuple(min(1, n - 1) for n in frames.grid.counts)
    frames.store.chunks[index] = b"short"
    part = [slice(k * c, (k + 1) * c) for k, c in zip(index, chunk, strict=True)]
    wrong = np.zeros((5, 7), bool)
    wrong[tuple(part[:2])] = True
    with pytest.raises(FormatError, match=rf"memory: the chunk at \({index[0]}, .*positions \[.*cannot be unpacked"):
        Frames.from_source(frames).data.compute(scheduler="sync")
    tolerant = frames.rearranged(frames.navigation, "nan")
    stream = Frames.from_source(tolerant)
    np.testing.assert_array_equal(stream.valid.compute(scheduler="sync"), ~wrong)
    np.testing.assert_array_equal(
        stream.data.compute(scheduler="sync"), np.where(wrong[..., None, None], 0, VALUES)
    )
    assert frames.damaged_frames() == np.flatnonzero(wrong).tolist()


def test_blanks() -> None:
    frames = made(VALUES, (0, 1), (2, 3), (2, 3, 6, 8), navigation=NavigationMap.raster((6, 6), first=-2))
    assert frames.incomplete == "nan"
    stream = Frames.from_source(frames)
    valid = stream.valid.compute(scheduler="sync").reshape(-1)
    np.testing.assert_array_equal(np.flatnonzero(~valid), [0, 1])
    np.testing.assert_array_equal(
        stream.data.compute(scheduler="sync").reshape(36, 6, 8)[2:], VALUES.reshape(35, 6, 8)[:34]
    )


def test_identity() -> None:
    one, same = (made(VALUES, (0, 1), (2, 3), (1, 7, 6, 8)) for _ in range(2))
    assert one.token == same.token
    assert one.token != one.select((slice(0, 2), slice(0, 7))).token
    back = pickle.loads(pickle.dumps(one.select((slice(0, 2), slice(0, 7)))))
    assert back.token == one.select((slice(0, 2), slice(0, 7))).token
    assert back.nav_shape == (2, 7)


@pytest.mark.parametrize(
    "chunk", [(1, 1, 256, 256), (4, 4, 256, 256), (16, 16, 16, 16), (64, 64, 4, 4), (1, 512, 256, 256)]
)
def test_blocks_are_unions_of_chunks(chunk) -> None:
    grid = ChunkGrid((512, 512, 256, 256), chunk, (0, 1), (2, 3))
    blocks = block_chunks(grid, 2**17)
    assert tuple(map(sum, blocks)) == (512, 512)
    assert math.prod(b[0] for b in blocks) * 2**17 <= 128 * 2**20
    for sizes, c in zip(blocks, chunk, strict=False):
        edges = np.cumsum(sizes)
        assert set(range(c, 512, c)) <= set(edges.tolist()) or not (edges[:-1] % c).any()


def test_too_large_a_chunk_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(mapping, "memory_limit", lambda: 2**30)
    grid = ChunkGrid((1, 2**14, 2**14), (1, 2**14, 2**14), (0,), (1, 2))
    with pytest.raises(UnsupportedVariantError, match=r"0\.5 GiB each, too large against 1\.0 GiB"):
        ChunkedFrames(grid, np.dtype("u2"), Memory({}), RAW, 0)


def test_axes_must_fit() -> None:
    with pytest.raises(FormatError, match="each of its 3 axes once"):
        ChunkGrid((2, 3, 4), (1, 3, 4), (0,), (1, 1))
    with pytest.raises(FormatError, match="one positive length"):
        ChunkGrid((2, 3, 4), (1, 0, 4), (0,), (1, 2))

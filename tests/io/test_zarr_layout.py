"""Arithmetic of shards and chunks, codecs and metadata, each against a slow way of saying the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazy4d.io.zarr_store.attributes import from_json, to_json
from lazy4d.io.zarr_store.codec import checksum, choose_codec
from lazy4d.io.zarr_store.layout import ShardLayout, choose_layout, common_step, regular_chunks

CHUNK = 64
"""Bytes aimed at per inner chunk, so that small frames are cut as large ones are."""


@st.composite
def layouts(draw):
    """Layouts as `choose_layout` makes them, of small and of large frames."""
    nav = tuple(draw(st.lists(st.integers(1, 9), max_size=3)))
    frame = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 5, 17]), max_size=3)))
    dtype = np.dtype(draw(st.sampled_from(["u1", "u2", "f8", "c16"])))
    block = tuple(draw(st.integers(1, n)) for n in nav)
    grow = [draw(st.booleans()) or b == n for b, n in zip(block, nav, strict=True)]
    return choose_layout(nav, frame, dtype, block, grow, CHUNK), block, grow


@given(layouts())
def test_chunks_divide_shards_and_shards_hold_whole_frames(case) -> None:
    layout, block, grow = case
    assert all(s % i == 0 for s, i in zip(layout.shard, layout.inner, strict=True))
    assert all(s >= n for s, n in zip(layout.shard[layout.nav_ndim :], layout.frame_shape, strict=True))
    assert all(s == b for s, b, g in zip(layout.nav_shard, block, grow, strict=True) if not g)
    assert layout.chunk_nbytes <= 4 * CHUNK
    pixels = np.zeros(math.prod(layout.frame_shape), int)
    for part in layout.parts:
        pixels[part.start : part.stop] += 1
        box = np.zeros(layout.frame_shape, bool)
        box[part.box] = True
        assert np.flatnonzero(box.ravel())[[0, -1]].tolist() == [part.start, part.stop - 1]
        assert np.count_nonzero(box) == part.stop - part.start
    assert (pixels == 1).all()


@given(layouts())
def test_every_frame_has_its_place(case) -> None:
    layout, _, _ = case
    numbers = np.arange(layout.frames)
    found = list(zip(*(row.tolist() for row in layout.locate(numbers)), strict=True))
    assert len(set(found)) == layout.frames
    place = layout.place_in_shard(numbers).tolist()
    cells = layout.inner_grid
    for number, index in enumerate(np.ndindex(*layout.nav_shape)):
        at = [divmod(k, s) for k, s in zip(index, layout.nav_shard, strict=True)]
        inner = [divmod(r, i) for (_, r), i in zip(at, layout.nav_inner, strict=True)]
        shard = int(np.ravel_multi_index([q for q, _ in at], layout.grid)) if index else 0
        chunk = (
            int(np.ravel_multi_index([*(q for q, _ in inner), *(0 for _ in layout.frame_shape)], cells)) if cells else 0
        )
        slot = int(np.ravel_multi_index([r for _, r in inner], layout.nav_inner)) if index else 0
        assert found[number] == (shard, chunk, slot)
        assert place[number] == (int(np.ravel_multi_index([r for _, r in at], layout.nav_shard)) if index else 0)
        box = layout.shard_box(shard)
        assert all(s.start <= k < s.stop for k, s in zip(index, box, strict=True))
        assert layout.is_aligned(box)
        assert layout.shards_in(box).tolist() == [shard]


@given(layouts())
def test_frames_and_chunks_are_counted_without_padding(case) -> None:
    layout, _, _ = case
    shard, chunk, _ = layout.locate(np.arange(layout.frames))
    pairs, counts = np.unique(np.stack([shard, chunk]), axis=1, return_counts=True)
    for (s, c), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        assert layout.frames_in_chunk(s, c) == count
    for s in range(layout.n_shards):
        assert layout.chunks_in_shard(s) == np.count_nonzero(pairs[0] == s) * len(layout.parts)


def test_boxes_that_cut_shards_are_not_aligned() -> None:
    layout = ShardLayout((6, 5), (4,), np.dtype("<u2"), (2, 3, 4), (1, 3, 4))
    assert layout.is_aligned((slice(2, 6), slice(3, 5)))
    assert not layout.is_aligned((slice(1, 4), slice(0, 3)))
    assert not layout.is_aligned((slice(0, 2), slice(0, 4)))
    assert layout.shards_in((slice(2, 6), slice(0, 5))).tolist() == [2, 3, 4, 5]


def test_frames_of_a_line_are_cut_evenly() -> None:
    layout = choose_layout((64, 257), (256, 256), np.dtype("u2"), (2, 257), (True, True))
    assert layout.inner == (1, 8, 256, 256)
    assert choose_layout((8, 8), (2048, 2048), np.dtype("u2"), (1, 8), (True, True)).inner == (1, 1, 256, 2048)
    assert choose_layout((64, 64), (), np.dtype("f8"), (64, 64), (True, True)).inner == (64, 64)
    assert choose_layout((6, 30), (256, 256), np.dtype("u2"), (2, 30), (False, False)).inner == (1, 10, 256, 256)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_the_common_step_fits_all_borders(blocks) -> None:
    step = common_step(blocks)
    borders = np.cumsum(blocks[:-1])
    assert not (borders % step).any()
    assert len(blocks) == 1 or not any(not (borders % k).any() for k in range(step + 1, 40))
    assert sum(regular_chunks(sum(blocks), step)) == sum(blocks)


@pytest.mark.parametrize("codec", ["zstd", "lz4", "none", None, {"cname": "zlib", "clevel": 9, "shuffle": "shuffle"}])
@pytest.mark.parametrize("dtype", ["bool", "u1", "u2", "i4", "f2", "f4", "f8", "c8", "c16"])
def test_codecs_return_what_they_were_given(codec, dtype) -> None:
    pixels = np.random.default_rng(3).poisson(2.0, (3, 7, 5)).astype(dtype)
    chosen = choose_codec(codec, pixels.dtype)
    packed = np.frombuffer(bytes(chosen.encode(pixels)), np.uint8)
    back = np.empty_like(pixels)
    chosen.decode(packed, back)
    assert np.array_equal(back, pixels)
    with pytest.raises(ValueError, match="expected"):
        chosen.decode(packed, np.empty(pixels.size + 1, dtype))
    with pytest.raises(ValueError, match="expected"):
        chosen.decode(packed[:9], back)


@pytest.mark.parametrize(
    "codec", ["gzip", {"cname": "lz4", "level": 3}, {"clevel": 10}, {"clevel": True}, {"shuffle": 2}]
)
def test_unknown_codecs_are_refused(codec) -> None:
    with pytest.raises(ValueError, match="is not known: expected 'zstd', 'lz4', 'none'"):
        choose_codec(codec, np.dtype("u2"))


def test_the_checksum_is_crc32c() -> None:
    """Test vectors of RFC 3720."""
    assert checksum(bytes(32)) == 0x8A9136AA
    assert checksum(np.arange(32, dtype=np.uint8)) == 0x46DD794E


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    plain | st.binary() | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("__lazy4d__"), inner),
    max_leaves=20,
)


@given(trees)
def test_metadata_return_as_they_were(value) -> None:
    assert from_json(to_json(value)) == value


def test_metadata_of_other_types() -> None:
    found = from_json(to_json({"t": (1, (2,)), "n": np.int16(3), "f": np.float32(0.1), "b": np.True_, 5: None}))
    assert found == {"t": [1, [2]], "n": 3, "f": float(np.float32(0.1)), "b": True, "5": None}
    assert type(found["b"]) is bool
    assert math.isnan(from_json(to_json(float("nan"))))
    assert from_json(to_json([float("inf"), -math.inf])) == [math.inf, -math.inf]
    for array in (np.arange(6, dtype=">i4").reshape(2, 3), np.array(["a", "ü"]), np.array([np.nan, 1]), np.array(2j)):
        back = from_json(to_json(array))
        assert back.dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(back, array, equal_nan=array.dtype.kind == "f")


@pytest.mark.parametrize(
    "value",
    [
        {"__lazy4d__": "array", "dtype": "O", "shape": [1], "zlib": "eJxjYGBgAAAABAAB"},
        {"__lazy4d__": "array", "dtype": "u1", "shape": [9], "zlib": "eJxjYGBgAAAABAAB"},
        {"__lazy4d__": "array"},
        {"__lazy4d__": "complex", "value": [1]},
        {"__lazy4d__": "bytes", "value": "!"},
        {"__lazy4d__": ["x"]},
    ],
)
def test_metadata_that_claim_a_type_they_are_not(value) -> None:
    with pytest.raises(ValueError, match="expected metadata of type"):
        from_json(value)


def test_metadata_that_hold_themselves() -> None:
    value: dict = {}
    value["self"] = value
    with pytest.raises(ValueError, match="does a dictionary hold itself"):
        to_json(value)

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazy4d.errors import ChunkError
from lazy4d.lazy.chunks import align_to, auto_chunks, bounds, neighbour_chunks, normalize_chunks

shapes = st.lists(st.integers(1, 300), min_size=0, max_size=4).map(tuple)


@given(shapes, st.integers(1, 10**8))
def test_auto_blocks_cover_the_scan_and_are_runs_of_whole_rows(shape, nbytes):
    chunks = auto_chunks(shape, nbytes)
    assert tuple(sum(c) for c in chunks) == shape
    # Behind the first axis that a block does not span as one position, every axis is whole.
    sizes = [max(c) for c in chunks]
    cut = [k for k, s in enumerate(sizes) if s > 1]
    if cut:
        assert all(len(chunks[k]) == 1 for k in range(cut[0] + 1, len(shape)))


@given(shapes.filter(len), st.integers(1, 10**6))
def test_auto_blocks_keep_the_limit_unless_one_frame_exceeds_it(shape, nbytes):
    chunks = auto_chunks(shape, nbytes, block_bytes=2**22)
    assert math.prod(max(c) for c in chunks) * nbytes <= max(2**22, nbytes)


def test_a_large_scan_is_cut_into_blocks_of_about_the_default_size():
    rows, columns = auto_chunks((1024, 2048), 131072)
    assert columns == (1024, 1024)
    assert set(rows) == {1}
    assert auto_chunks((256, 256), 131072)[0][0] * 256 * 131072 == 128 * 2**20


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (2, ((2, 2, 2), (4,))),
        ((3, -1), ((3, 3), (4,))),
        (((1, 5), (2, 2)), ((1, 5), (2, 2))),
        ((4, 3), ((3, 3), (2, 2))),
    ],
)
def test_chunks_as_users_write_them(chunks, expected):
    assert normalize_chunks(chunks, (6, 4), 10) == expected


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ((1, 2, 3), r"3 entries, expected 2"),
        (0, r"a block of 0 positions"),
        (((1, 1), -1), r"add up to 2, expected the 6 positions"),
    ],
)
def test_chunks_that_do_not_fit(chunks, message):
    with pytest.raises(ChunkError, match=message):
        normalize_chunks(chunks, (6, 4), 10)


def test_unknown_word_for_chunks():
    with pytest.raises(ValueError, match="'large' is not known: expected 'auto'"):
        normalize_chunks("large", (6, 4), 10)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 5), st.integers(1, 7)), min_size=1, max_size=3))
def test_aligned_blocks_are_multiples(axes):
    shape = tuple(groups * factor for groups, factor, _ in axes)
    factors = tuple(factor for _, factor, _ in axes)
    chunks = normalize_chunks([min(size, s) for (_, _, size), s in zip(axes, shape, strict=True)], shape, 1)
    aligned = align_to(chunks, factors)
    assert tuple(sum(c) for c in aligned) == shape
    assert all(c % f == 0 for blocks, f in zip(aligned, factors, strict=True) for c in blocks)


def test_bounds_start_at_zero_and_end_at_the_size():
    assert bounds((3, 1, 2)).tolist() == [0, 3, 4, 6]


@given(st.data(), st.integers(1, 10**7), st.integers(0, 10**7))
def test_blocks_with_a_halo_cover_the_scan_and_keep_the_limit(data, read, result):
    shape = data.draw(shapes)
    depth = data.draw(st.tuples(*(st.integers(0, min(5, n)) for n in shape)))
    chunks = neighbour_chunks(shape, depth, read, result, 2**25)
    assert tuple(sum(c) for c in chunks) == shape
    outer = math.prod(max(c) + 2 * d for c, d in zip(chunks, depth, strict=True))
    inner = math.prod(max(c) for c in chunks)
    single = math.prod(1 + 2 * d for d in depth) * read + result
    assert outer * read + inner * result <= max(2**26, single)


@pytest.mark.parametrize(("depth", "most"), [(1, 1.45), (2, 2.0), (4, 2.2)])
def test_blocks_with_a_halo_read_little_twice(depth, most):
    chunks = neighbour_chunks((512, 512), (depth, depth), 131072, 262144, 2**27)
    read = math.prod(sum(size + 2 * depth for size in sizes) / sum(sizes) for sizes in chunks)
    assert read < most, "whole scan rows would read everything 1 + 2 * depth times"

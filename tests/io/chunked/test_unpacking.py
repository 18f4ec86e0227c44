"""Kernels that unpack bytes, against slow twins and on bytes that are damaged in every way."""

from __future__ import annotations

import struct

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazy4d.io.chunked.hdf5_filters import Bitshuffle
from lazy4d.kernels.bitshuffle import unpack_bitshuffle_lz4, unpack_bitshuffled, unshuffle_bits
from lazy4d.kernels.lz4 import unpack_block, unpack_blocks
from lazy4d.kernels.lzf import unpack_lzf
from lazy4d.kernels.shuffle import fletcher32, unshuffle


def as_bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def slow_lz4(packed: bytes) -> bytes:
    """The format's description, byte by byte; ValueError where it is broken."""
    out, i = bytearray(), 0

    def length(start: int) -> int:
        nonlocal i
        total = start
        while start == 15:
            more = packed[i]
            i += 1
            total += more
            if more != 255:
                break
        return total

    while True:
        token = packed[i]
        i += 1
        count = length(token >> 4)
        out += packed[i : i + count]
        if len(packed) < i + count:
            raise ValueError
        i += count
        if i == len(packed):
            return bytes(out)
        distance = packed[i] | packed[i + 1] << 8
        i += 2
        count = length(token & 15) + 4
        if not 0 < distance <= len(out):
            raise ValueError
        for _ in range(count):
            out.append(out[-distance])


def slow_lzf(packed: bytes) -> bytes:
    out, i = bytearray(), 0
    while i < len(packed):
        control = packed[i]
        i += 1
        if control < 32:
            out += packed[i : i + control + 1]
            i += control + 1
            continue
        count = control >> 5
        if count == 7:
            count += packed[i]
            i += 1
        distance = ((control & 31) << 8 | packed[i]) + 1
        i += 1
        for _ in range(count + 2):
            out.append(out[-distance])
    return bytes(out)


def slow_bitshuffle(values: NDArray[np.uint8], itemsize: int) -> NDArray[np.uint8]:
    bits = np.unpackbits(values.reshape(-1, itemsize), axis=1, bitorder="little")
    return np.packbits(bits.T.reshape(-1), bitorder="little")


def slow_fletcher(data: bytes) -> int:
    words = struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])
    words = (*words, data[-1] << 8) if len(data) % 2 else words
    a = b = 0
    for word in words:
        a += word
        b += a
        a, b = (a & 0xFFFF) + (a >> 16), (b & 0xFFFF) + (b >> 16)
    a, b = (a & 0xFFFF) + (a >> 16), (b & 0xFFFF) + (b >> 16)
    return b << 16 | a


LZ4_SAMPLES = [
    bytes(5000),
    b"ab" * 3000,
    b"abc" * 3000 + b"x" * 7,
    b"0123456789abcdefg" * 90 + bytes(range(256)),
    np.random.default_rng(1).poisson(0.3, 9000).astype("u1").tobytes(),
    np.random.default_rng(2).integers(0, 256, 3000).astype("u1").tobytes(),
    b"",
    b"q",
]


def packed_by(filters: dict, sample: bytes) -> bytes:
    """Bytes as a filter of HDF5 packs them, the encoder that everybody uses."""
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        array = as_bytes(sample)
        stored = file.create_dataset("a", data=array, chunks=array.shape, **filters)
        mask, packed = stored.id.read_direct_chunk((0,))
        assert mask == 0
        return bytes(packed)


@pytest.mark.parametrize("sample", [s for s in LZ4_SAMPLES if len(s) > 1])
def test_lz4(sample) -> None:
    packed = packed_by(dict(hdf5plugin.LZ4(nbytes=4096)), sample)
    out = np.empty(len(sample), np.uint8)
    assert unpack_blocks(as_bytes(packed[12:]), 4096, out) == len(packed) - 12
    assert out.tobytes() == sample
    one = packed_by(dict(hdf5plugin.LZ4(nbytes=2**20)), sample)[12:]
    if struct.unpack(">I", one[:4])[0] < len(sample):  # else it was stored as it is
        assert slow_lz4(one[4:]) == sample
        assert unpack_block(as_bytes(one[4:]), out) == len(sample)
        assert out.tobytes() == sample


@pytest.mark.parametrize("sample", [s for s in LZ4_SAMPLES[:5]])
def test_lzf(sample) -> None:
    packed = packed_by({"compression": "lzf"}, sample)
    out = np.empty(len(sample), np.uint8)
    assert slow_lzf(packed) == sample
    assert unpack_lzf(as_bytes(packed), out) == len(sample)
    assert out.tobytes() == sample


@pytest.mark.parametrize("itemsize", [1, 2, 3, 4, 8, 16])
@pytest.mark.parametrize("count", [8, 16, 120, 128, 136, 1024])
def test_bits_come_back(itemsize, count) -> None:
    values = np.random.default_rng(count).integers(0, 256, itemsize * count).astype("u1")
    out = np.empty_like(values)
    unshuffle_bits(slow_bitshuffle(values, itemsize), itemsize, np.empty_like(values), out)
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [5, 4096, 10_003])
def test_bitshuffle_of_hdf5(itemsize, count) -> None:
    values = np.random.default_rng(count).poisson(2, count).astype(f"u{itemsize}")
    for cname in ("lz4", "none"):
        with h5py.File("memory", "w", driver="core", backing_store=False) as file:
            stored = file.create_dataset("a", data=values, chunks=(count,), **hdf5plugin.Bitshuffle(cname=cname))
            packed = as_bytes(stored.id.read_direct_chunk((0,))[1])
        out, scratch = np.empty(values.nbytes, np.uint8), np.empty(2 * 8192, np.uint8)
        if cname == "lz4":
            assert unpack_bitshuffle_lz4(packed[12:], itemsize, 8192, scratch, out) == packed.size - 12
        else:
            unpack_bitshuffled(packed, itemsize, 8192, scratch, out)
        assert out.tobytes() == values.tobytes()


@pytest.mark.parametrize("itemsize", [1, 2, 3, 4, 8])
def test_shuffled_bytes_come_back(itemsize) -> None:
    values = np.random.default_rng(0).integers(0, 256, itemsize * 700 + itemsize - 1).astype("u1")
    whole = values[: 700 * itemsize].reshape(700, itemsize).T.reshape(-1)
    out = np.empty_like(values)
    unshuffle(np.concatenate([whole, values[700 * itemsize :]]), itemsize, out)
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("data", [b"", b"\0", b"abcde", b"abcdef", b"\xff\xff" * 4, bytes(range(256)) * 900])
def test_fletcher(data) -> None:
    assert int(fletcher32(as_bytes(data))) == slow_fletcher(data)


GUARD = 64


def guarded(unpack, packed: bytes, size: int) -> int:
    """What a kernel returns, writing into the middle of a buffer whose ends must stay untouched."""
    room = np.full(size + 2 * GUARD, 0xA5, np.uint8)
    found = unpack(as_bytes(packed), room[GUARD : GUARD + size])
    assert (room[:GUARD] == 0xA5).all()
    assert (room[GUARD + size :] == 0xA5).all()
    assert -1 <= found <= max(size, len(packed))
    return found


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_are_safe(packed, size) -> None:
    guarded(unpack_block, packed, size)
    guarded(unpack_lzf, packed, size)
    guarded(lambda p, out: unpack_blocks(p, 32, out), packed, size)
    scratch = np.empty(128, np.uint8)
    guarded(lambda p, out: unpack_bitshuffle_lz4(p, 2, 64, scratch, out), packed, size // 2 * 2)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4), st.integers(0, 10**6), st.integers(0, 255), st.integers(-20, 20))
def test_a_wrong_byte_is_safe(which, place, value, longer) -> None:
    sample = LZ4_SAMPLES[which]
    for filters, unpack, start in (
        (dict(hdf5plugin.LZ4(nbytes=2**20)), unpack_block, 16),
        ({"compression": "lzf"}, unpack_lzf, 0),
    ):
        packed = bytearray(packed_by(filters, sample)[start:])
        packed[place % len(packed)] = value
        guarded(unpack, bytes(packed), len(sample) + longer)
        guarded(unpack, bytes(packed[: place % len(packed)]), len(sample))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_lz4_agrees_with_the_slow_twin(packed) -> None:
    try:
        expected = slow_lz4(packed)
    except (ValueError, IndexError):
        return
    out = np.empty(len(expected), np.uint8)
    assert unpack_block(as_bytes(packed), out) == len(expected)
    assert out.tobytes() == expected


def test_many_chunks_bitshuffled_over_lz4_stop_at_the_first_that_is_damaged() -> None:
    rows = np.random.default_rng(3).poisson(2, (5, 600)).astype("u2")
    packed = []
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("a", data=rows, chunks=(1, 600), **hdf5plugin.Bitshuffle())
        packed = [stored.id.read_direct_chunk((k, 0))[1] for k in range(5)]
    memory = as_bytes(b"head" + b"".join(packed))
    sizes = np.array([len(p) for p in packed])
    starts = 4 + np.concatenate([[0], np.cumsum(sizes)[:-1]])
    out, step = np.zeros((5, 1200), np.uint8), Bitshuffle(2, 0, 2)
    assert step.unpack_many(memory, starts, sizes, out) == 5
    np.testing.assert_array_equal(out.view("u2"), rows)
    for where, value in ((12, 255), (0, 1), (11, 3)):
        broken = memory.copy()
        broken[starts[2] + where] = value
        assert step.unpack_many(as_bytes(broken.tobytes()), starts, sizes, out) == 2
    assert step.unpack_many(memory, starts, np.minimum(sizes, 11), out) == 0
    assert step.unpack_many(memory, starts, sizes, np.zeros((5, 1201), np.uint8)) == 0

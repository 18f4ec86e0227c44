from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lazy4d.kernels import narrow
from tests import reference

SHAPES = [(4, 6), (3, 7), (5, 1), (1, 64)]


def stored(n: int, shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (n, shape[0], (shape[1] + 1) // 2), np.uint8)


def unpacked(raw: np.ndarray, shape: tuple[int, int], module: Any = narrow) -> np.ndarray:
    out = np.full((len(raw), *shape), 99, np.uint8)
    module.unpack_4bit(raw, out)
    return out


@pytest.mark.parametrize("shape", SHAPES)
def test_the_kernel_equals_its_twin(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    raw = stored(3, shape)
    expected = unpacked(raw, shape, reference)
    np.testing.assert_array_equal(unpacked(raw, shape), expected)
    monkeypatch.setattr(narrow, "_unpack", narrow._unpack.py_func)
    np.testing.assert_array_equal(unpacked(raw, shape), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_frames_may_lie_apart_at_any_address_and_be_read_only(shape: tuple[int, int]) -> None:
    raw = stored(4, shape)
    file = np.zeros((4, 5 + raw[0].size), np.uint8)
    file[:, 5:] = raw.reshape(4, -1)
    file.flags.writeable = False
    apart = file[:, 5:].reshape(raw.shape)
    np.testing.assert_array_equal(unpacked(apart[::-2], shape), unpacked(raw, shape, reference)[::-2])


@pytest.mark.parametrize("shape", SHAPES)
def test_no_frames(shape: tuple[int, int]) -> None:
    assert unpacked(stored(0, shape), shape).shape == (0, *shape)


def test_the_first_pixel_is_in_the_low_half() -> None:
    assert unpacked(np.array([[[0x21, 0xF3]]], np.uint8), (1, 3)).ravel().tolist() == [1, 2, 3]


def test_rows_that_do_not_fit_the_frame_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected stored rows of shape \(2, 4, 3\).*found \(2, 4, 4\)"):
        unpacked(stored(2, (4, 7)), (4, 6))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("shape", [(1, 256, 256), (4, 64, 256), (65536, 1, 1), (0, 4, 4)])
def test_every_float16_is_widened_exactly(order: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """All 65536 of them: signed zeros, subnormal, infinite, not a number."""
    every = np.arange(65536, dtype="u2").view("f2")[: np.prod(shape)].reshape(shape).astype(f"{order}f2")
    every.flags.writeable = False
    out, expected = np.full(shape, 7, "f4"), np.empty(shape, "f4")
    narrow.widen_float16(every, out)
    reference.widen_float16(every, expected)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(np.signbit(out), np.signbit(expected))
    if shape[0] == 4:
        monkeypatch.setattr(narrow, "_widen", narrow._widen.py_func)
        narrow.widen_float16(every[:, :2], again := np.empty((4, 2, 256), "f4"))
        np.testing.assert_array_equal(again, expected[:, :2])


@pytest.mark.parametrize("offset", [1, 2, 5])
def test_float16_frames_may_lie_apart_at_any_address(offset: int) -> None:
    values = np.random.default_rng(1).normal(size=(4, 3, 5)).astype("f2")
    file = np.zeros(4, np.dtype([("header", f"V{offset}"), ("frame", ">f2", (3, 5))]))
    file["frame"] = values
    out = np.empty((2, 3, 5), "f4")
    narrow.widen_float16(file["frame"][::-2], out)
    np.testing.assert_array_equal(out, values[::-2].astype("f4"))
    with pytest.raises(ValueError, match=r"expected float16 frames of shape \(2, 3, 5\), found \(4, 3, 5\)"):
        narrow.widen_float16(file["frame"], out)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazy4d.kernels import decode
from tests import reference

SINGLE = {"1bit": (1, "u1"), "6bit": (8, "u1"), "12bit": (16, "u2"), "24bit": (32, "u4")}
QUAD = {"quad_1bit": (1, "u1"), "quad_6bit": (8, "u1"), "quad_12bit": (16, "u2")}
SHAPES = {"single": [(4, 64), (3, 192)], "quad": [(4, 128), (6, 384)]}
CASES = [
    (name, shape) for kind, names in (("single", SINGLE), ("quad", QUAD)) for name in names for shape in SHAPES[kind]
]


def stored(name: str, n: int, shape: tuple[int, int]) -> np.ndarray:
    bits, _ = (SINGLE | QUAD)[name]
    return np.random.default_rng(5).integers(0, 256, (n, shape[0] * shape[1] * bits // 8), np.uint8)


def decoded(name: str, raw: np.ndarray, shape: tuple[int, int], module: Any = decode) -> np.ndarray:
    out = np.full((len(raw), *shape), 99, (SINGLE | QUAD)[name][1])
    getattr(module, f"unpack_r64_{name}")(raw, out)
    return out


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_decoders_equal_their_twin(name: str, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    raw = stored(name, 3, shape)
    expected = decoded(name, raw, shape, reference)
    np.testing.assert_array_equal(decoded(name, raw, shape), expected)
    for function, value in list(vars(decode).items()):
        if hasattr(value, "py_func"):
            monkeypatch.setattr(decode, function, value.py_func)
    np.testing.assert_array_equal(decoded(name, raw, shape), expected)


@pytest.mark.parametrize(("name", "shape"), CASES)
@pytest.mark.parametrize("header", [8, 384, 5])
def test_frames_may_lie_apart_at_any_address_and_be_read_only(name: str, shape: tuple[int, int], header: int) -> None:
    raw = stored(name, 3, shape)
    file = np.zeros((3, header + raw.shape[1]), np.uint8)
    file[:, header:] = raw
    file.flags.writeable = False
    np.testing.assert_array_equal(decoded(name, file[:, header:], shape), decoded(name, raw, shape, reference))
    np.testing.assert_array_equal(decoded(name, np.asfortranarray(raw), shape), decoded(name, raw, shape, reference))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_no_frames_and_single_frames(name: str, shape: tuple[int, int]) -> None:
    raw = stored(name, 3, shape)
    assert decoded(name, raw[:0], shape).shape == (0, *shape)
    for k in range(3):
        one = decoded(name, raw[k : k + 1], shape)
        np.testing.assert_array_equal(one, decoded(name, raw, shape)[k : k + 1])


def test_pixels_are_stored_last_first_within_a_word() -> None:
    raw = np.array([[0x80, 0, 0, 0, 0, 0, 0x01, 0x02]], np.uint8)
    assert np.flatnonzero(decoded("1bit", raw, (1, 64))).tolist() == [1, 8, 63]
    assert decoded("6bit", raw, (1, 8)).ravel().tolist() == [2, 1, 0, 0, 0, 0, 0, 128]
    assert decoded("12bit", raw, (1, 4)).ravel().tolist() == [0x0102, 0, 0, 0x8000]


def test_a_24_bit_frame_is_two_images_upper_bits_first() -> None:
    values = np.array([0xABCDEF, 1, 2**24 - 1, 4096], np.uint32)
    words = np.stack([values >> 12, values & 0xFFF]).astype(">u2")[:, ::-1]
    raw = np.frombuffer(words.tobytes(), np.uint8)[None]
    np.testing.assert_array_equal(decoded("24bit", raw, (1, 4)).ravel(), values)


def test_four_chips_stand_in_a_square_with_the_lower_two_upside_down() -> None:
    """One mark a chip, at row 1 and column 3 of its stored block."""
    words = np.zeros((2, 4, 8), np.uint16)  # rows, chips, columns
    for chip in range(4):
        words[1, chip, 3] = 10 + chip
    raw = np.frombuffer(words.reshape(-1, 4)[:, ::-1].astype(">u2").tobytes(), np.uint8)[None]
    out = decoded("quad_12bit", raw, (4, 16))[0]
    marks = {int(out[y, x]): (int(y), int(x)) for y, x in np.argwhere(out)}
    assert marks == {13: (1, 3), 12: (1, 11), 11: (2, 4), 10: (2, 12)}


@pytest.mark.parametrize("native", ["u1", "u2", "u4", "f4"])
def test_byte_order_is_made_native(native: str) -> None:
    values = np.random.default_rng(1).integers(0, 255, (4, 3, 5)).astype(native)
    file = np.zeros(4, np.dtype([("header", "V13"), ("frame", values.dtype.newbyteorder(">"), (3, 5))]))
    file["frame"] = values
    out, expected = np.empty_like(values), np.empty_like(values)
    decode.swap_bytes(file["frame"], out)
    reference.swap_bytes(file["frame"], expected)
    np.testing.assert_array_equal(out, values)
    np.testing.assert_array_equal(expected, values)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_bytes_that_do_not_fit_the_frame_are_refused(name: str, shape: tuple[int, int]) -> None:
    raw = stored(name, 2, shape)
    with pytest.raises(
        ValueError, match=r"expected 2 stored frames of \d+ bytes.*found an array of shape .* check depth"
    ):
        decoded(name, raw[:, :-8], shape)
    out = np.zeros((3, *shape), (SINGLE | QUAD)[name][1])
    with pytest.raises(ValueError, match="expected 3 stored frames"):
        getattr(decode, f"unpack_r64_{name}")(raw, out)


@pytest.mark.parametrize(("name", "shape"), [("quad_1bit", (4, 64)), ("quad_6bit", (3, 16)), ("quad_12bit", (4, 12))])
def test_frames_that_four_chips_cannot_make_are_refused(name: str, shape: tuple[int, int]) -> None:
    raw = stored(name, 1, shape)
    with pytest.raises(ValueError, match=r"expected frames of four chips.*found shape .*check the chip layout"):
        decoded(name, raw, shape)


def test_a_frame_of_a_real_detector(vendor_data: Callable[[str], Path]) -> None:
    data = vendor_data("mib/Single_9_Frame_CounterDepth_1_Rows_256RAW.mib").read_bytes()
    header = int(data[:64].split(b",")[2])
    file = np.frombuffer(data, np.uint8).reshape(-1, header + 256 * 256 // 8)
    out = decoded("1bit", file[:, header:], (256, 256))
    assert out.shape == (9, 256, 256)
    assert int(out.sum()) == 21605

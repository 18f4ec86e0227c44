"""`change_dtype`: nothing is lost unless allowed, and what is refused is named."""

from __future__ import annotations

import dask
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.signals.exact_dtype import checked_cast, holds_all, misfits

SHAPE = (3, 4, 6, 8)


@pytest.fixture
def pixels():
    return np.random.default_rng(5).integers(0, 200, SHAPE, np.uint16)


@pytest.mark.parametrize("chunks", [(3, 4), (1, 4), (2, 2), (1, 1)])
def test_values_that_fit(pixels, no_compute, chunks) -> None:
    lazy = l4.Diffraction2D(dask.array.from_array(pixels, chunks=(*chunks, 6, 8)))
    with no_compute:
        small = lazy.change_dtype("uint8")
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(small.as_numpy(), pixels)
    entry = list(small.history)[-1]
    assert (entry.op, entry.params) == ("change_dtype", {"dtype": "uint8", "clip": False, "rounding": False})


@pytest.mark.parametrize("chunks", [(3, 4), (1, 4), (2, 2), (1, 1)])
def test_the_frame_and_the_value_are_named(pixels, scheduler, chunks) -> None:
    pixels[1, 2, 3, 4] = 300
    lazy = l4.Diffraction2D(dask.array.from_array(pixels, chunks=(*chunks, 6, 8)))
    with pytest.raises(ValueError, match=r"frame 6 \(position \[1, 2\], numpy order\) holds 300 at pixel \[3, 4\]"):
        lazy.change_dtype("uint8").compute()
    # the part that is asked for is what is checked
    np.testing.assert_array_equal(lazy.change_dtype("uint8").inav[:, :1].as_numpy(), pixels[:1])
    with pytest.raises(ValueError, match="frame 6"):
        lazy.change_dtype("uint8").inav[1:, 1:].compute()


def test_clipped_when_allowed(pixels) -> None:
    pixels[1, 2, 3, 4] = 300
    np.testing.assert_array_equal(
        l4.Diffraction2D(pixels).change_dtype("uint8", clip=True).as_numpy(), np.minimum(pixels, 255)
    )
    signed = l4.Diffraction2D(pixels.astype("i4") - 100)
    np.testing.assert_array_equal(
        signed.change_dtype("uint8", clip=True).as_numpy(), np.maximum(pixels.astype("i4") - 100, 0)
    )


@pytest.mark.parametrize(
    ("source", "value", "wanted", "match"),
    [
        ("f4", 2.5, "u2", "holds 2.5 .*does not hold exactly: integers have no fractions.*rounding=True"),
        ("f4", np.nan, "u2", "holds nan .*choose a float dtype"),
        ("f4", -1.0, "u2", "holds -1.0 .*expected 0 to 65535"),
        ("f4", np.inf, "u2", "holds inf"),
        ("f8", 2.0**63, "i8", "holds 9.2"),
        ("f4", 2.0**31, "i4", "holds 2147483648.0"),
        ("i2", -1, "u2", "holds -1 .*expected 0 to 65535"),
        ("i8", -1, "u8", "holds -1 "),
        ("u8", 2**63, "i8", "holds 9223372036854775808 "),
        ("i8", 2**53 + 1, "f8", "float64 holds whole numbers up to 9007199254740992 exactly"),
        ("u4", 2**24 + 1, "f4", "float32 holds whole numbers up to 16777216 exactly"),
        ("u4", 70000, "f2", "holds 70000 .*float16 cannot hold"),
        ("f8", 0.1, "f4", "float32 has 6 digits, float64 15"),
        ("f8", 1e300, "f4", "float32 cannot hold"),
        ("u1", 2, "bool", "expected 0 to 1"),
        ("c16", 0.1 + 1j, "c8", "does not hold exactly"),
        ("c16", 1e200 + 1j, "c8", "cannot hold"),
    ],
)
def test_what_is_refused(source, value, wanted, match) -> None:
    array = np.zeros(SHAPE, source)
    array[2, 0, 1, 1] = value
    with pytest.raises(ValueError, match=rf"frame 8 .*{match}"):
        l4.Diffraction2D(array).change_dtype(wanted).compute()


@pytest.mark.parametrize(
    ("source", "value", "wanted", "result"),
    [
        ("f4", 2.5, "u2", 2),
        ("f4", 3.5, "u2", 4),
        ("f4", -0.25, "i2", 0),
        ("f8", 1e30, "i8", 9223372036854774784),
        ("f8", np.inf, "u1", 255),
        ("f8", 1e300, "f4", np.finfo("f4").max),
        ("f8", -np.inf, "f4", -np.inf),
        ("f8", np.nan, "f4", np.nan),
        ("u4", 70000, "f2", 65504),
    ],
)
def test_what_becomes_of_values_with_leave(source, value, wanted, result) -> None:
    array = np.zeros(SHAPE, source)
    array[2, 0, 1, 1] = value
    found = l4.Diffraction2D(array).change_dtype(wanted, clip=True, rounding=True).as_numpy()
    assert found.dtype == np.dtype(wanted)
    np.testing.assert_equal(found[2, 0, 1, 1], np.dtype(wanted).type(result))


def test_nan_never_becomes_an_integer() -> None:
    with pytest.raises(ValueError, match=r"frame 0 .*holds nan"):
        l4.Diffraction2D(np.full(SHAPE, np.nan)).change_dtype("u1", clip=True, rounding=True).compute()


def test_wrong_dtypes_are_told_at_once(pixels) -> None:
    with pytest.raises(ValueError, match="holds numbers, found dtype <U3"):
        l4.Diffraction2D(pixels).change_dtype("U3")
    with pytest.raises(TypeError, match="complex numbers do not become float32"):
        l4.Diffraction2D(pixels * 1j).change_dtype("float32")


def test_single_frames_and_maps(pixels) -> None:
    s = l4.Diffraction2D(pixels)
    assert s.inav[1, 2].change_dtype("uint8").as_numpy().dtype == np.uint8
    with pytest.raises(ValueError, match="the frame holds"):
        s.sum().change_dtype("uint8").compute()
    image = s.get_virtual_image(l4.CircleROI(4, 3, 2))
    assert image.change_dtype("uint16").as_numpy().dtype == np.uint16


DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def representable(number, dtype) -> bool:
    """Whether a dtype has a number, by exact arithmetic of Python."""
    if dtype.kind != "f":
        low, high = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        return bool(np.isfinite(float(number))) and number == int(number) and low <= number <= high
    with np.errstate(all="ignore"):
        return number != number or dtype.type(number).item() == number


@given(st.data(), st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_either_the_same_number_or_an_error(data, source, wanted) -> None:
    source, wanted = np.dtype(source), np.dtype(wanted)
    if source.kind == "f":
        value = data.draw(st.floats(width=8 * source.itemsize))
    elif source.kind == "b":
        value = data.draw(st.booleans())
    else:
        limits = np.iinfo(source)
        edges = [limits.min, limits.max, *(n for n in (255, 256, 65505, 2**24 + 1, 2**53 + 1) if n <= limits.max)]
        value = data.draw(st.one_of(st.sampled_from(edges), st.integers(int(limits.min), int(limits.max))))
    frames = np.array([[value]], source)
    out = np.empty((1, 1), wanted)
    plain = frames[0, 0].item()
    try:
        checked_cast(frames, np.zeros(1, np.int64), out, nav_shape=(1,), clip=False, rounding=False)
    except ValueError:
        assert not holds_all(source, wanted)
        assert not representable(plain, wanted)
    else:
        assert representable(plain, wanted)
        assert out[0, 0].item() == plain or (plain != plain and out[0, 0] != out[0, 0])


@pytest.mark.parametrize("wanted", ["i4", "u4", "i8", "u8"])
def test_integers_beyond_the_range_of_half_floats_refuse_only_what_is_no_number(wanted) -> None:
    frames = np.array([np.inf, -np.inf, np.nan, 1, 65504], "f2")
    assert misfits(frames, np.dtype(wanted)).tolist() == [True, True, True, False, False]

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.kernels.elementwise import crop, python_map
from tests import reference

SLICE = st.tuples(
    st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9), st.integers(-4, 4).filter(lambda s: s != 0)
).map(lambda s: slice(*s))


@settings(deadline=None)  # the first example compiles
@given(SLICE, SLICE)
def test_crop_is_what_slicing_gives_in_both_directions(rows: slice, columns: slice) -> None:
    frames = np.arange(2 * 7 * 9).reshape(2, 7, 9)
    expected = frames[:, rows, columns]
    out = np.empty_like(expected)
    crop(frames, *rows.indices(7), *columns.indices(9), out)
    np.testing.assert_array_equal(out, expected)


def test_crop_may_widen_but_not_narrow_the_kind() -> None:
    out = np.empty((1, 1, 2))
    crop(np.array([[[3, 4, 5]]], np.uint16), 0, 1, 1, 0, 2, 1, out)
    assert out.tolist() == [[[3, 4]]]
    with pytest.raises(TypeError, match="Cannot cast array data"):
        crop(np.ones((1, 1, 2)), 0, 1, 1, 0, 2, 1, np.empty((1, 1, 2), np.int64))


def test_a_function_sees_one_frame_and_shared_arguments() -> None:
    frames = np.random.default_rng(0).random((3, 4, 5))
    pattern = np.random.default_rng(1).random((4, 5))

    def overlap(frame, other, power):
        return [(frame * other**power).sum(), frame.max()]

    out, expected = np.empty((3, 2)), np.empty((3, 2))
    python_map(frames, pattern, 2, out, function=overlap)
    reference.python_map(frames, pattern, 2, expected, function=overlap)
    np.testing.assert_array_equal(out, expected)


def test_arguments_go_by_name_and_by_position_shared_or_one_a_frame() -> None:
    frames = np.arange(24.0).reshape(2, 3, 4)
    shift = np.array([[0, 1], [2, 0]])
    kernel = partial(python_map, function=np.roll, names=(None, "axis"), per_position=(True, False))
    out = np.empty_like(frames)
    kernel(frames, shift, (0, 1), out)
    np.testing.assert_array_equal(out, [np.roll(f, s, axis=(0, 1)) for f, s in zip(frames, shift, strict=True)])


def test_scalars_per_frame_and_no_frames() -> None:
    out = np.empty(2, np.float32)
    python_map(np.ones((2, 3, 3)), np.array([2.0, 5.0]), out, function=lambda f, k: k * f.sum(), per_position=[True])
    assert out.tolist() == [18, 45]
    python_map(np.ones((0, 3, 3)), out[:0], function=np.sum)


def test_another_shape_than_declared_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected ravel to give an array of shape \(2, 3\).*found shape \(6,\): declare"
    ):
        python_map(np.ones((1, 2, 3)), np.empty((1, 2, 3)), function=np.ravel)


def test_another_kind_than_declared_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"expected sqrt to give int64, as declared, found float64.*output_dtype=\"float64\""
    ):
        python_map(np.ones((1, 2, 3)), np.empty((1, 2, 3), np.int64), function=np.sqrt)

"""Users' own functions: signals as arguments follow the position, everything else is shared, outputs are declared."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Reduction, StateArray


def scaled(frame: Any, factor: Any, offset: Any = 0, power: int = 1) -> Any:
    return (frame.astype("float64") * factor + offset) ** power


def shifted_sum(frame: Any, position: Any) -> Any:
    return frame.sum() + position[0] - position[1]


@nb.njit(nogil=True)
def weighted(frames: Any, factor: Any, frame: Any, out: Any) -> None:
    for i in range(frames.shape[0]):
        out[i] = (frames[i] * frame).sum() * factor[i]


def collect(frames: Any, factor: Any, total: Any, count: Any) -> None:
    total += (frames * factor[:, None, None]).sum(axis=0)
    count += len(frames)


def merge(total: Any, count: Any, other: Any, other_count: Any) -> None:
    total += other
    count += other_count


def average(total: Any, count: Any) -> Any:
    return total / count[0]


def test_arguments_of_every_kind(scan: Any, pixels: Any, no_compute: Any) -> None:
    total, frame = scan.get_total_intensity(), np.linspace(0, 1, 120).reshape(12, 10)
    with no_compute:
        result = scan.map(scaled, total, offset=frame, power=2, output_dtype="float64")
    expected = (pixels.astype(float) * pixels.sum((2, 3), dtype=float)[..., None, None] + frame) ** 2
    np.testing.assert_allclose(result.as_numpy(), expected)
    assert type(result) is l4.Diffraction2D
    assert result.axes_manager.equals(scan.axes_manager)
    assert result.history[-1].params["kwargs"]["power"] == 2
    assert result.history[-1].parents == (total.history.id,)


def test_a_frame_at_each_position(scan: Any, pixels: Any) -> None:
    result = scan.map(np.subtract, scan.compute() * 1, output_dtype=scan.dtype)
    assert not result.as_numpy().any()


def test_a_row_at_each_position(simple: Any) -> None:
    pixels = simple.as_numpy()
    com = simple.center_of_mass()
    result = simple.map(shifted_sum, position=com, output_dtype=float, output_signal_shape=())
    assert type(result) is l4.VirtualImage
    where = com.as_numpy()
    np.testing.assert_allclose(result.as_numpy(), pixels.sum((2, 3)) + where[..., 0] - where[..., 1])


def test_outputs_of_other_shapes(simple: Any) -> None:
    line = simple.map(np.sum, axis=0, output_dtype="uint64", output_signal_shape=(10,))
    assert type(line) is l4.Signal1D
    np.testing.assert_array_equal(line.as_numpy(), simple.as_numpy().sum(2))
    image = simple.map(lambda f: f[:4, :3], output_signal_shape=(4, 3))
    assert image.axes_manager["kx"].units == "px"
    assert type(image) is l4.Diffraction2D


def test_map_on_other_signals(simple: Any) -> None:
    image = simple.get_total_intensity()
    np.testing.assert_array_equal(image.map(np.sqrt, output_dtype=float).as_numpy(), np.sqrt(image.as_numpy()))
    pattern = simple.sum()
    np.testing.assert_array_equal(pattern.map(np.flipud).as_numpy(), np.flipud(pattern.as_numpy()))


@pytest.mark.parametrize("name", ["inplace", "lazy_output", "ragged", "show_progressbar", "max_workers"])
def test_arguments_of_other_libraries_say_what_to_do(simple: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"map takes no {name}=False"):
        simple.map(np.sqrt, **{name: False})


def test_a_signal_of_another_scan_is_refused(simple: Any) -> None:
    with pytest.raises(ValueError, match=r"expected the navigation shape \(4, 5\) \(numpy order\), found \(\)"):
        simple.map(np.subtract, simple.mean())


def test_wrong_declarations_show_when_computed(simple: Any) -> None:
    with pytest.raises(ValueError, match="output_signal_shape="):
        simple.map(np.sum).compute()
    with pytest.raises(TypeError, match="output_dtype"):
        simple.map(np.sqrt).compute()
    with pytest.raises(ValueError, match="expected positive sizes in output_signal_shape"):
        simple.map(np.sqrt, output_signal_shape=(0, 3))


def test_kernels(scan: Any, pixels: Any, no_compute: Any) -> None:
    total, mean = scan.get_total_intensity().astype("float64"), scan.mean()
    with no_compute:
        constant = scan.map_frames(weighted, total, np.ones((12, 10)), shape=(), dtype="float64")
        shared = scan.map_frames(weighted, total, mean.data, shape=(), dtype="float64")
    sums = pixels.sum((2, 3), dtype=float)
    np.testing.assert_allclose(constant.as_numpy(), sums**2)
    expected = (pixels * pixels.mean((0, 1), dtype=float)).sum((2, 3)) * sums
    np.testing.assert_allclose(shared.as_numpy(), expected, rtol=1e-6)


def test_reductions(scan: Any, pixels: Any, no_compute: Any) -> None:
    total = scan.get_total_intensity().astype("float64")
    state = (StateArray((12, 10), float), StateArray((1,), "int64"))
    with no_compute:
        result = scan.reduce_frames(collect, merge, average, params=[total], state=state)
    expected = (pixels * pixels.sum((2, 3), dtype=float)[..., None, None]).mean((0, 1))
    np.testing.assert_allclose(result.as_numpy(), expected)
    assert type(result) is l4.Diffraction2D
    declared = Reduction(collect, merge, average, state, (12, 10), np.dtype(float))
    np.testing.assert_array_equal(scan.reduce_frames(declared, params=[total]).as_numpy(), result.as_numpy())


def test_reduction_to_one_number(simple: Any) -> None:
    def brightest(frames: Any, most: Any) -> None:
        np.maximum(most, frames.max(), out=most)

    def larger(most: Any, other: Any) -> None:
        np.maximum(most, other, out=most)

    result = simple.reduce_frames(brightest, larger, state=[StateArray((), simple.dtype)])
    assert int(result) == simple.as_numpy().max()


def test_reductions_that_cannot_be(simple: Any) -> None:
    with pytest.raises(TypeError, match="expected a function combine"):
        simple.reduce_frames(collect)
    with pytest.raises(ValueError, match="at least one state array"):
        simple.reduce_frames(collect, merge, state=[])


def test_a_function_may_change_its_frame(pixels: Any) -> None:
    def spoil(frame: Any, position: Any) -> Any:
        frame[...] = 7
        position[...] = 0
        return frame

    kept, places = pixels.copy(), np.ones((4, 5, 2))
    scan = l4.Diffraction2D(pixels)
    spoiled, same = l4.compute(scan.map(spoil, l4.BeamPosition(places)), scan.astype(scan.dtype))
    assert (spoiled.data == 7).all()
    for found in (pixels, same.data):
        np.testing.assert_array_equal(found, kept)
    assert (places == 1).all()


@pytest.mark.parametrize("method", ["map", "map_frames", "reduce_frames"])
def test_what_is_no_function(simple: Any, method: str) -> None:
    with pytest.raises(TypeError, match=r"expected a function .* found 'sum' of type str"):
        getattr(simple, method)("sum")


def test_history_of_a_reduction_names_all_functions(simple: Any) -> None:
    def count(frames: Any, total: Any) -> None:
        total += len(frames)

    def join(total: Any, other: Any) -> None:
        total += other

    params = simple.reduce_frames(count, join).history.as_list()[-1]["params"]
    assert params["chunk"]["function"].endswith("count")
    assert params["combine"]["function"].endswith("join")
    assert params["finalize"]["function"].endswith("first_state")

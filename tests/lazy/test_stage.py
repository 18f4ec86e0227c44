"""What identifies a step: functions that do different things are never taken for one another."""

from functools import partial

import numpy as np
import pytest

from lazy4d.kernels.elementwise import python_map
from lazy4d.lazy import Frames
from lazy4d.lazy.run import compute
from lazy4d.lazy.stage import Kernel, Stage, _kernel_by_name, function_token, take_window
from tests.lazy import kernels_for_tests as k


class Scale:
    """A kernel that is a method, and an object that is a kernel."""

    def __init__(self, factor):
        self.factor = factor

    def fill(self, frames, out):
        np.multiply(frames, self.factor, out=out)

    __call__ = fill


def with_default(number):
    return lambda frames, out, factor=number: np.multiply(frames, factor, out=out)


def with_closure(number):
    return lambda frames, out: np.multiply(frames, number, out=out)


ONE_LINE = [lambda f, out: np.multiply(f, 2, out=out), lambda f, out: np.multiply(f, 3, out=out)]


@pytest.mark.parametrize(
    "pair",
    [
        [with_default(2), with_default(3)],
        [with_closure(2), with_closure(3)],
        ONE_LINE,
        [Scale(2).fill, Scale(3).fill],
        [Scale(2), Scale(3)],
        [partial(np.multiply, 2.0), partial(np.multiply, 3.0)],
    ],
    ids=["defaults", "closures", "one line", "methods", "objects", "partial"],
)
def test_functions_that_look_alike_are_told_apart(pair):
    truth = np.arange(24.0).reshape(2, 3, 4)
    frames = Frames.from_array(truth, 1)
    twice, thrice = compute(*(frames.map_frames(one, shape=(3, 4), dtype="f8").data for one in pair), progress=False)
    np.testing.assert_array_equal(twice, truth * 2)
    np.testing.assert_array_equal(thrice, truth * 3)


def test_equal_functions_have_equal_tokens():
    assert function_token(with_default(2)) == function_token(with_default(2))
    assert function_token(k.total) == function_token(k.total)
    assert function_token(partial(k.total, flag={"a", "b"})) == function_token(partial(k.total, flag={"b", "a"}))


def test_a_kernel_that_cannot_be_imported_elsewhere_says_so():
    assert _kernel_by_name("tests.lazy.kernels_for_tests", "total").function is k.total
    assert isinstance(Kernel(k.total).__reduce__()[1], tuple)
    with pytest.raises(ImportError, match="cannot be imported in this process"):
        _kernel_by_name("tests.lazy.kernels_for_tests", "no_such_kernel")


def test_kernels_that_may_multiply_matrices():
    def own(frames, out):
        out[...] = frames @ frames

    def marked(frames, out):
        out[...] = frames

    marked.__module__, marked.multiplies_matrices = "lazy4d.kernels.somewhere", True
    assert Kernel(own).multiplies_matrices
    assert Kernel(marked).multiplies_matrices
    assert Kernel(partial(python_map, function=own)).multiplies_matrices
    assert Kernel(partial(take_window, function=marked)).multiplies_matrices
    assert Stage.make(take_window, (Kernel(marked),), (2,), "f4").multiplies_matrices
    assert not Kernel(take_window).multiplies_matrices
    assert not Kernel(partial(take_window, ufunc=np.add)).multiplies_matrices

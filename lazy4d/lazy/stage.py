"""One frame-wise step: a kernel, its parameters, and the shape and dtype of what it fills."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

Window = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class PerPosition:
    """A parameter with one row for each position: a dask array ``[nav..., ...]``; a kernel sees ``[n, ...]``."""

    array: da.Array


@dataclass(frozen=True, eq=False)
class SharedLazy:
    """A small lazy array that every block needs whole, such as a mean pattern still to be computed."""

    array: da.Array


def aligned_param(param: Any, what: str, chunks: tuple[tuple[int, ...], ...]) -> Any:
    """A parameter as tasks take it: per position in the blocks of the scan, shared in one piece, or a constant.

    Parameters
    ----------
    param : PerPosition, SharedLazy or constant
        The first two may hold an ndarray.
    what : str
        Name of the function that it is for.
    chunks : tuple of tuple of int
        Positions of the blocks along each navigation axis.

    Raises
    ------
    TypeError
        A bare dask array: whether it is per position cannot be told from its shape.
    ValueError
        A per-position parameter of another scan.
    """
    nav_shape = tuple(sum(sizes) for sizes in chunks)
    if isinstance(param, da.Array):
        raise TypeError(
            f"{what} was given a bare dask array of shape {param.shape}; wrap it in PerPosition (a row for each of the "
            f"{nav_shape} positions) or SharedLazy (the whole for every block)"
        )
    if not isinstance(param, PerPosition | SharedLazy):
        return param
    array: Any = param.array
    if isinstance(param, SharedLazy):
        shared = array if isinstance(array, da.Array) else da.from_array(array, -1)
        return SharedLazy(shared.rechunk(-1) if shared.ndim else shared)
    if array.shape[: len(chunks)] != nav_shape:
        raise ValueError(
            f"{what} was given a per-position parameter of navigation shape {array.shape[: len(chunks)]} and shape "
            f"{array.shape}; expected it to begin with the navigation shape {nav_shape}"
        )
    whole = (*chunks, *((n,) for n in array.shape[len(chunks) :]))
    if not isinstance(array, da.Array):
        return PerPosition(da.from_array(array, whole))
    return param if array.chunks == whole else PerPosition(array.rechunk(whole))


class Kernel:
    """A function that travels to other processes by name where it can be imported there, else by value.

    A compiled function pickled by value would be compiled again in every worker; by name it comes from its cache.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self.function(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        module, name = getattr(self.function, "__module__", None), getattr(self.function, "__qualname__", None)
        if module and name and module != "__main__" and _imported(module, name) is self.function:
            return _kernel_by_name, (module, name)
        return Kernel, (self.function,)

    def __dask_tokenize__(self) -> str:
        return function_token(self.function)

    @property
    def name(self) -> str:
        """The function's own name, for reports."""
        return function_name(self.function)

    @property
    def multiplies_matrices(self) -> bool:
        """Whether it may call a matrix product: it says so, or it is, or is given, a function of the user's."""
        given = getattr(self.function, "keywords", {}).values()
        functions = [self.function, getattr(self.function, "func", self.function), *filter(callable, given)]
        return any(
            getattr(f, "multiplies_matrices", False) or not (hasattr(f, "py_func") or _is_own(f)) for f in functions
        )

    @property
    def compiled(self) -> bool:
        """Whether numba compiled it."""
        return hasattr(self.function, "py_func")


def _is_own(function: Any) -> bool:
    """Whether a function belongs to this package or to numpy's elementwise ones; a partial's parts are asked."""
    if isinstance(function, functools.partial | np.ufunc | Kernel):
        return True
    return str(getattr(function, "__module__", "")).startswith("lazy4d.")


def function_name(function: Any) -> str:
    """A readable name of any callable."""
    if isinstance(function, functools.partial):
        return function_name(function.func)
    return getattr(function, "__name__", None) or type(function).__name__


def _imported(module: str, name: str) -> Any:
    try:
        value: Any = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return None
    return value


def _kernel_by_name(module: str, name: str) -> Kernel:
    function = _imported(module, name)
    if function is None:
        raise ImportError(
            f"the function {name} of module {module} cannot be imported in this process: install the module there too, "
            "or define the function in the notebook or script itself, which sends it along"
        )
    return Kernel(function)


def function_token(function: Any) -> str:
    """A name for what a function does, the same in every process: module, name, instructions and defaults.

    numba dispatchers would otherwise hash differently from one process to the next. The source would not do: two
    functions on one line share it, and so do those that a loop makes with other defaults.
    """
    if isinstance(function, functools.partial):
        bound = sorted((name, _param_token(value)) for name, value in function.keywords.items())
        return tokenize("partial", function_token(function.func), [_param_token(a) for a in function.args], bound)
    if inspect.ismethod(function):
        return tokenize("method", function_token(function.__func__), function.__self__)
    plain = getattr(function, "py_func", function)
    code = getattr(plain, "__code__", None)
    if code is None or getattr(plain, "__closure__", None):
        return str(tokenize(plain))
    named = f"{plain.__module__}.{plain.__qualname__}", _code_token(code)
    return tokenize(*named, plain.__defaults__, plain.__kwdefaults__)


def _code_token(code: CodeType) -> Any:
    """What a function's code does, without where it stands."""
    constants = [_code_token(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, constants


@dataclass(frozen=True, eq=False)
class Stage:
    """A tile of frames in, a tile of `shape` and `dtype` out.

    Parameters
    ----------
    kernel : Kernel
        ``kernel(frames[n, ...], *params, out[n, *shape])``.
    params : tuple
        Constants, `PerPosition` or `SharedLazy`.
    shape : tuple of int
        Shape of one frame of the output.
    dtype : numpy.dtype
        Dtype of the output.
    window : tuple of slice, optional
        The only part of a frame that the kernel reads, so that the rest need not be decoded.
    token : str
        What identifies the step: equal tokens give equal frames.
    """

    kernel: Kernel
    params: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    window: Window | None
    token: str

    @classmethod
    def make(
        cls,
        kernel: Callable[..., Any],
        params: tuple[Any, ...],
        shape: tuple[int, ...],
        dtype: Any,
        window: Window | None = None,
    ) -> Stage:
        """A stage with its token derived from the kernel's source and the parameters' contents."""
        declared = tuple(int(n) for n in shape)
        native = np.dtype(dtype).newbyteorder("=")
        token = tokenize(function_token(kernel), [_param_token(p) for p in params], declared, native.str, str(window))
        return cls(Kernel(kernel), params, declared, native, window, token)

    @property
    def multiplies_matrices(self) -> bool:
        """Whether its kernel, or one that it is given, may call a matrix product."""
        return any(k.multiplies_matrices for k in (self.kernel, *self.params) if isinstance(k, Kernel))

    def lazy_params(self) -> tuple[PerPosition | SharedLazy, ...]:
        """The parameters that are dask arrays."""
        return tuple(p for p in self.params if isinstance(p, PerPosition | SharedLazy))

    def with_params(self, change: Callable[[Any], Any]) -> Stage:
        """The same stage with every per-position parameter passed through `change`."""
        if not any(isinstance(p, PerPosition) for p in self.params):
            return self
        params = tuple(PerPosition(change(p.array)) if isinstance(p, PerPosition) else p for p in self.params)
        return Stage.make(self.kernel.function, params, self.shape, self.dtype, self.window)


def _param_token(param: Any) -> Any:
    if isinstance(param, PerPosition | SharedLazy):
        return type(param).__name__, param.array.name
    if callable(param):
        return function_token(param)
    return tokenize(param)


def take_window(frames: np.ndarray, items: tuple[slice | int, ...], out: np.ndarray) -> None:
    """Copy ``frames[:, *items]`` to `out`; the kernel behind signal slices."""
    out[...] = frames[(slice(None), *items)]

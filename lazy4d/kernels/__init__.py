"""The arithmetic: stacks of frames in, `out` filled; numpy and numba only.

A kernel is ``kernel(frames[n, ky, kx], *params, out[n, ...]) -> None``; a reduction kernel updates its state arrays,
``kernel(frames[n, ky, kx], *params, *state) -> None``. Frames are native and C-contiguous. Import the module that is
needed (``from lazy4d.kernels import moments``): this package imports none of them, so that nobody pays for numba
before the first kernel runs.
"""

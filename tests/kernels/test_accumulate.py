from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from lazy4d.kernels import accumulate

CACHE_PROBE = """
import numpy as np
from lazy4d.kernels.virtual_image import total_intensity as kernel
out = np.empty(1, np.uint64)
kernel(np.ones((1, 2, 2), np.uint16), out)
print(int(out[0]), sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


@pytest.mark.parametrize(
    ("pixels", "sums"),
    [("?", "u8"), ("u1", "u8"), (">u2", "u8"), ("u4", "u8"), ("i2", "i8"), ("<i4", "i8"), ("f4", "f8"), (">f8", "f8")],
)
def test_sums_of_integers_are_64_bit_integers_and_of_floats_float64(pixels: str, sums: str) -> None:
    assert accumulate.sum_dtype(pixels) == np.dtype(sums)
    assert accumulate.sum_dtype(pixels).isnative


@pytest.mark.parametrize("pixels", ["c8", "f2", "U3", "M8[s]"])
def test_other_pixels_are_refused(pixels: str) -> None:
    with pytest.raises(TypeError, match=r"expected pixels of bool, integers, float32 or float64, found .*: convert"):
        accumulate.sum_dtype(pixels)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"])
def test_compiled_types_are_those_of_python(dtype: str) -> None:
    @numba.njit
    def both(frames):
        wide = accumulate.widen(frames[0])
        return accumulate.plus(wide, frames[0]), accumulate.wide_zeros(frames, 2)

    frames = np.full(1, 7, dtype)
    total, zeros = both(frames)
    python = accumulate.plus(accumulate.widen(frames[0]), frames[0])
    assert total == python == 14
    # numba returns unboxed Python numbers; the arrays still tell the type.
    assert zeros.dtype == accumulate.wide_zeros(frames, 2).dtype == python.dtype


def test_a_run_of_saturated_pixels_fits_into_a_partial_sum() -> None:
    assert accumulate.RUN * np.iinfo(np.uint16).max <= np.iinfo(np.uint32).max
    assert accumulate.RUN * np.iinfo(np.int16).min >= np.iinfo(np.int32).min


@pytest.mark.slow
def test_machine_code_outlives_the_process(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    root = Path(__file__).parents[2]
    found = [
        subprocess.run(
            [sys.executable, "-c", CACHE_PROBE], env=environment, cwd=root, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert found == [["4", "0", "1"], ["4", "1", "0"]]

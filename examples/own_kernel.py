"""Your own function on every frame
================================

A compiled kernel and a plain function, lifted over the scan as lazy4d's own are, in one pass with the others.
"""

import numba
import numpy as np

import lazy4d as l4
from lazy4d.data import simulated_scan


@numba.njit(nogil=True)
def brightest_pixel(frames, out):
    """Fill out[n, 2] with the (y, x) of the largest pixel of each of n frames."""
    n, height, width = frames.shape
    for i in range(n):
        out[i] = 0
        for y in range(height):
            for x in range(width):
                if frames[i, y, x] > frames[i, out[i, 0], out[i, 1]]:
                    out[i, 0], out[i, 1] = y, x


def entropy(frame, base=2.0):
    """Entropy of one frame: slower, but any Python will do."""
    share = frame[frame > 0] / frame.sum()
    return -np.sum(share * np.log(share)) / np.log(base)


s = l4.Diffraction2D(simulated_scan((12, 16), (128, 128), descan=6.0).as_array())

brightest = s.map_frames(brightest_pixel, shape=(2,), dtype="int64")
disorder = s.map(entropy, base=2.0, output_dtype="float64", output_signal_shape=())
brightest, disorder, total = l4.compute(brightest, disorder, s.sum())

print("brightest pixel of the first frame (y, x):", brightest.data[0, 0])
print(f"entropy: {disorder.data.min():.1f} to {disorder.data.max():.1f} bit; electrons: {total.data.sum()}")

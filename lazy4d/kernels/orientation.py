"""How well a pattern fits a crystal in a given orientation, and the orientations near it that fit best.

A pattern is spots in the plane across the beam, weighted and normalised, or an image of that plane in polar
coordinates. Orientations are unit quaternions (w, x, y, z) that take the sample's axes to the crystal's; the sample's x
is +kx, its y is +ky, and electrons fly along its z.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit, jit_fast

Floats = NDArray[np.float64]


class Crystals(NamedTuple):
    """Reflections of some phases: those of phase p are ``offsets[p]:offsets[p + 1]``.

    Parameters
    ----------
    offsets : int64 [phases + 1]
        Where each phase begins.
    g : float64 [m, 3]
        Vectors in the crystal's axes, 1/Å.
    weight : float64 [m]
        What a reflection on the Ewald sphere weighs in a template.
    symmetry_offsets : int64 [phases + 1]
        Where the rotations of each phase begin.
    symmetry : float64 [s, 4]
        Rotations that leave the crystal as it is, quaternions.
    """

    offsets: NDArray[np.int64]
    g: Floats
    weight: Floats
    symmetry_offsets: NDArray[np.int64]
    symmetry: Floats


class Beam(NamedTuple):
    """What decides which reflections are seen, and how strongly; all in 1/Å but for `power` and `precession`.

    Parameters
    ----------
    wave_number : float
        1 / wavelength.
    sigma : float
        Standard deviation of the excitation error about 0.
    precession : float
        Half angle of the cone on which the beam turns, rad.
    cut : float
        Largest excitation error that is seen without precession.
    k_min, k_max : float
        Spots between these count.
    power : float
        Weights are intensities to this power.
    """

    wave_number: float
    sigma: float
    precession: float
    cut: float
    k_min: float
    k_max: float
    power: float


class Search(NamedTuple):
    """How orientations are looked for.

    Parameters
    ----------
    tolerance : float
        Distance at which a spot no longer counts as found, 1/Å.
    step : float
        Between neighbouring templates, rad.
    separation : float
        Orientations closer than this, rad, are one.
    candidates : int
        How many are refined.
    rounds : int
        Refinement steps, each smaller than the one before; 0: none.
    blur : float
        Half angle of the cone that each step adds, in its widths.
    turn : float
        First step about the beam, rad.
    """

    tolerance: float
    step: float
    separation: float
    candidates: int
    rounds: int
    blur: float
    turn: float


class Pattern(NamedTuple):
    """One pattern: spots, or an image in polar coordinates where that is not empty.

    Parameters
    ----------
    x, y, weight : float64 [capacity]
        Places, 1/Å, and weights, the sum of whose squares is 1.
    image : float32 [rows, 2 * columns]
        What a spot at each radius and angle would find, twice around.
    geometry : float64 [4]
        Radius of the first row, and between rows; angle of the first column, and between columns.
    """

    x: Floats
    y: Floats
    weight: Floats
    image: NDArray[np.float32]
    geometry: Floats


RESTART = 0.3
"""Width of the first step without blur, in steps of the library."""


@jit
def take(a, out):
    """``out = a``, element by element: an assignment of arrays takes seconds to compile."""
    for k in range(out.size):
        out[k] = a[k]


@jit
def turn(q, x, y, z, out):
    """``out``: the orientation of a crystal that was in `q`, turned by (x, y, z), rad, about the sample's axes."""
    angle = np.sqrt(x * x + y * y + z * z)
    s = -0.5 if angle < 1e-12 else -np.sin(angle / 2) / angle
    w = np.cos(angle / 2)
    a, b, c, d = q[0], q[1], q[2], q[3]
    x, y, z = s * x, s * y, s * z
    out[0] = a * w - b * x - c * y - d * z
    out[1] = a * x + b * w + c * z - d * y
    out[2] = a * y - b * z + c * w + d * x
    out[3] = a * z + b * y - c * x + d * w


@jit
def excitation_error(x, y, z, wave_number):
    """The distance along the beam, 1/Å, from the reciprocal lattice point (x, y, z) to the Ewald sphere.

    ``s = sqrt(K² - x² - y²) - K - z`` for a beam along +z.
    """
    across = x * x + y * y
    return -across / (wave_number + np.sqrt(wave_number * wave_number - across)) - z


@jit
def visibility(error, length, sigma, precession):
    """The share of its intensity that a reflection of a length shows with an excitation error, 1 on the sphere.

    ``exp(-s²/2σ²)``, averaged over excitation errors from s - αk to s + αk where the beam turns on a cone of α.
    """
    wide = precession * length
    if wide < 0.01 * sigma:
        return np.exp(-0.5 * (error / sigma) ** 2)
    scale = 1 / (np.sqrt(2.0) * sigma)
    share = math.erf((error + wide) * scale) - math.erf((error - wide) * scale)
    return share * np.sqrt(np.pi / 8) * sigma / wide


@jit
def near_sphere(q, crystals, phase, beam, margin, chosen):
    """Fill `chosen` with the reflections that are seen in orientation `q` or up to `margin` (rad) away: how many."""
    w, a, b, c = q[0], q[1], q[2], q[3]
    # The last column of the matrix of q is the beam in the crystal's axes; the rest is not needed.
    zx, zy, zz = 2 * (a * c + w * b), 2 * (b * c - w * a), 1 - 2 * (a * a + b * b)
    n = 0
    for m in range(crystals.offsets[phase], crystals.offsets[phase + 1]):
        gx, gy, gz = crystals.g[m, 0], crystals.g[m, 1], crystals.g[m, 2]
        along = gx * zx + gy * zy + gz * zz
        square = gx * gx + gy * gy + gz * gz
        error = excitation_error(np.sqrt(max(square - along * along, 0.0)), 0.0, along, beam.wave_number)
        if abs(error) <= beam.cut + (margin + beam.precession) * np.sqrt(square) and n < chosen.size:
            chosen[n] = m
            n += 1
    return n


@jit_fast
def fit(q, crystals, chosen, n_chosen, beam, tolerance, pattern):
    """The likeness of a pattern and what is expected in orientation `q`: the cosine between them, 1 if they are alike.

    ``Σ_ij w_i v_j max(0, 1 - d_ij² / tolerance²) / sqrt(Σ v_j²)`` for spots w_i and expected ones v_j.
    """
    w, a, b, c = q[0], q[1], q[2], q[3]
    xx, xy, xz = 1 - 2 * (b * b + c * c), 2 * (a * b + w * c), 2 * (a * c - w * b)
    yx, yy, yz = 2 * (a * b - w * c), 1 - 2 * (a * a + c * c), 2 * (b * c + w * a)
    zx, zy, zz = 2 * (a * c + w * b), 2 * (b * c - w * a), 1 - 2 * (a * a + b * b)
    rows, columns = pattern.image.shape[0], pattern.image.shape[1] // 2
    square = tolerance * tolerance
    found = 0.0
    norm = 0.0
    for k in range(n_chosen):
        m = chosen[k]
        gx, gy, gz = crystals.g[m, 0], crystals.g[m, 1], crystals.g[m, 2]
        x, y, z = xx * gx + xy * gy + xz * gz, yx * gx + yy * gy + yz * gz, zx * gx + zy * gy + zz * gz
        radius2 = x * x + y * y
        if radius2 < beam.k_min * beam.k_min or radius2 > beam.k_max * beam.k_max:
            continue
        error = excitation_error(x, y, z, beam.wave_number)
        if abs(error) > beam.cut + beam.precession * np.sqrt(radius2):
            continue
        v = crystals.weight[m]
        if beam.precession > 0:
            v *= visibility(error, np.sqrt(radius2), beam.sigma, beam.precession) ** beam.power
        else:
            v *= np.exp(-0.5 * beam.power * (error / beam.sigma) ** 2)
        norm += v * v
        if rows:
            row = (np.sqrt(radius2) - pattern.geometry[0]) / pattern.geometry[1]
            if row < 0 or row > rows - 1:
                continue
            column = (np.arctan2(y, x) - pattern.geometry[2]) / pattern.geometry[3]
            column -= columns * np.floor(column / columns)
            i, j = min(int(row), rows - 2), min(int(column), columns - 1)
            t, u = row - i, column - j
            found += v * (
                (1 - t) * ((1 - u) * pattern.image[i, j] + u * pattern.image[i, j + 1])
                + t * ((1 - u) * pattern.image[i + 1, j] + u * pattern.image[i + 1, j + 1])
            )
        else:
            for i in range(pattern.x.size):
                dx, dy = pattern.x[i] - x, pattern.y[i] - y
                distance2 = dx * dx + dy * dy
                if distance2 < square:
                    found += v * pattern.weight[i] * (1 - distance2 / square)
    return found / np.sqrt(norm) if norm > 0 else 0.0


@jit
def refine(q, phase, crystals, beam, search, angle, pattern, chosen):
    """The best fit near orientation `q`, which becomes it: how well it fits.

    In turn about the beam, by a parabola through three fits, and across it, by a quadratic surface through nine, each
    time two thirds as far as before. Reflections are as wide as these distances in the first half of the rounds, so
    that the way leads uphill from afar. `angle`, rad, is the first distance about the beam.
    """
    n = near_sphere(q, crystals, phase, beam, 2 * search.step, chosen)
    there = np.empty(4)
    fits = np.empty(14)
    best = 0.0
    wide = 0.7 * search.step
    for number in range(search.rounds + 1):
        blur = search.blur * wide if 2 * number < search.rounds else 0.0
        seen = Beam(
            beam.wave_number, beam.sigma, beam.precession + blur, beam.cut, beam.k_min, beam.k_max, beam.power
        )  # fmt: skip
        top, top_x, top_y = -1.0, 0.0, 0.0
        # One place that calls `fit`, which is long: here, below and above about the beam, the top of the parabola; the
        # nine across the beam, and the top of the surface.
        for k in range(14):
            x = y = z = 0.0
            if k == 1 or k == 2:
                z = (2 * k - 3) * angle
            elif k == 3:
                bend = fits[1] - 2 * fits[0] + fits[2]
                z = angle if fits[2] > fits[1] else -angle
                if bend < 0:
                    z = min(max(0.5 * angle * (fits[1] - fits[2]) / bend, -angle), angle)
            elif 4 <= k < 13:
                x, y = ((k - 4) // 3 - 1) * wide, ((k - 4) % 3 - 1) * wide
            elif k == 13:
                x, y = surface_top(fits[4:13], wide)
            turn(q, x, y, z, there)
            fits[k] = fit(there, crystals, chosen, n, seen, search.tolerance, pattern)
            if k == 0 and number == search.rounds:
                return fits[0]
            if k == 3 and fits[3] > fits[0]:
                take(there, q)
            if k > 3 and fits[k] > top:
                top, top_x, top_y = fits[k], x, y
        best = fits[8]
        if top > best:
            turn(q, top_x, top_y, 0.0, there)
            take(there, q)
        wide *= 0.62
        angle *= 0.62
        if 2 * number < search.rounds and 2 * (number + 1) >= search.rounds:
            wide = max(wide, RESTART * search.step)
    return best


@jit
def surface_top(fits, wide):
    """The place (x, y) of the maximum of a quadratic surface through fits on a grid [9], `wide` apart, about 0.

    At most 1.4 times as far as the grid; (0, 0) where the surface has no maximum.
    """
    gx = gy = xx = yy = 0.0
    for i in range(3):
        gx += (fits[6 + i] - fits[i]) / (6 * wide)
        gy += (fits[3 * i + 2] - fits[3 * i]) / (6 * wide)
        xx += (fits[6 + i] + fits[i] - 2 * fits[3 + i]) / (3 * wide * wide)
        yy += (fits[3 * i + 2] + fits[3 * i] - 2 * fits[3 * i + 1]) / (3 * wide * wide)
    xy = (fits[8] + fits[0] - fits[6] - fits[2]) / (4 * wide * wide)
    determinant = xx * yy - xy * xy
    if not (xx < 0 and determinant > 0):
        return 0.0, 0.0
    x, y = (xy * gy - yy * gx) / determinant, (xy * gx - xx * gy) / determinant
    far = np.sqrt(x * x + y * y) / (1.4 * wide)
    if far > 1:
        x, y = x / far, y / far
    return x, y


@jit
def same(a, b, phase, crystals, closest):
    """Whether two orientations of a phase are equivalent but for an angle whose half has the cosine `closest`."""
    w = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
    x = -a[0] * b[1] + a[1] * b[0] - a[2] * b[3] + a[3] * b[2]
    y = -a[0] * b[2] + a[1] * b[3] + a[2] * b[0] - a[3] * b[1]
    z = -a[0] * b[3] - a[1] * b[2] + a[2] * b[1] + a[3] * b[0]
    for k in range(crystals.symmetry_offsets[phase], crystals.symmetry_offsets[phase + 1]):
        s = crystals.symmetry[k]
        if abs(s[0] * w - s[1] * x - s[2] * y - s[3] * z) > closest:
            return True
    return False

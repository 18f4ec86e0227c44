"""Least-squares fit of a ring, or of the edge of a disk, to the pixels of a pattern: centre, shape, radius and width.

The model of a pixel at the offset d from the centre, at the azimuth φ, with ``r = |E d|``, is::

    I = A(φ) g((r - r0) / w) + b0 + b1 t + b2 t²        t = (r - middle) / reach

E is symmetric with determinant 1 and makes the ring round; g is a Gaussian for a ring, and for the edge of a disk the
complementary error function ``erfc(u / √2) / 2``, with b1 = b2 = 0 and u moved by ``w / 2 r0``: blurred, a round edge
moves inwards. The height A(φ) is free at nodes about two pixels apart along the ring, and linear between them, so that
a ring of a few bright spots is fitted as well as an even one, each part counting by its intensity. (Constant steps in
place of lines would bias the shape: within a step, brighter pixels are not at random radii.) Pixels are weighted by the
inverse of the expected variance of counts, found from the model itself; its scale, such as the number of frames behind
a mean, comes from the residuals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS, REWEIGHTED = 40, 4
PRECISE = 1e-6
"""Pixels: a step that changes no place by more ends the fit."""
LENGTH = 2.0
"""Pixels between the nodes of the height, unless a ring is faint."""
EVIDENT = 3.0
"""How many of its standard deviations the height at a node should have."""
NARROWEST = 0.15
"""Pixels: a pixel is wider than any ring that would be narrower."""
CENTER, STRAIN, RADIUS, WIDTH, SLOPES = slice(0, 2), slice(2, 4), 4, 5, slice(6, 9)


@dataclass(frozen=True, eq=False)
class Ring:
    """What a fit found, in pixels.

    Parameters
    ----------
    center : ndarray [2]
        (y, x) in pixels of the frame.
    strain : ndarray [2]
        (s1, s2) of ``E = exp([[s1, s2], [s2, -s1]])``.
    radius, width : float
        In mean pixels: the geometric mean of the semi-axes, and the standard deviation of ring or edge.
    covariance : ndarray [6, 6]
        Of center, strain, radius and width, in this order; 0 for what was not fitted.
    residual : float
        Root mean square of what the model leaves, over the root mean square of the ring.
    converged : bool
        False where the fit still moved after its last step.
    heights, height_errors : ndarray [nodes]
        At the nodes, and their standard deviations.
    """

    center: Floats
    strain: Floats
    radius: float
    width: float
    covariance: Floats
    residual: float
    converged: bool
    heights: Floats
    height_errors: Floats


def straightening(strain: Floats) -> Floats:
    """``exp([[s1, s2], [s2, -s1]])``: the matrix (y, x) that makes an elliptic ring round.

    Examples
    --------
    >>> straightening(np.array([0.0, 0.0])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    size = math.hypot(*strain)
    grown = math.sinh(size) / size if size > 1e-12 else 1.0
    s1, s2 = strain * grown
    return math.cosh(size) * np.eye(2) + np.array([[s1, s2], [s2, -s1]])


def strain_of(ratio: float, angle: float) -> Floats:
    """The strain of an ellipse of this ratio whose long axis is at this angle, degrees from x to y.

    Examples
    --------
    >>> strain_of(1.02, 0.0).round(4)
    array([ 0.0099, -0.    ])
    """
    turn = 2 * math.radians(angle)
    return 0.5 * math.log(ratio) * np.array([math.cos(turn), -math.sin(turn)])


def gaussian(u: Floats) -> tuple[Floats, Floats]:
    """The profile of a ring and its derivative."""
    g = np.exp(-0.5 * u * u)
    return g, -u * g


def edge(u: Floats) -> tuple[Floats, Floats]:
    """The profile of the edge of a disk, from 1 to 0, and its derivative."""
    erfc = np.fromiter(map(math.erfc, (u / math.sqrt(2)).tolist()), np.float64, u.size)
    return 0.5 * erfc, -np.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)


class RingModel:
    """The pixels that a fit looks at, and what the model makes of them.

    Parameters
    ----------
    values : ndarray [ky, kx]
        The pattern.
    counted : bool ndarray [ky, kx]
        Pixels that may be used.
    steps : ndarray [2]
        What a pixel along y and x is worth in mean pixels.
    profile : callable
        `gaussian` or `edge`.
    """

    def __init__(
        self,
        values: Floats,
        counted: NDArray[np.bool_],
        steps: Floats,
        profile: Callable[[Floats], tuple[Floats, Floats]],
    ) -> None:
        self.values, self.counted, self.steps, self.profile = values, counted, steps, profile
        self.grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in values.shape), indexing="ij"), -1)

    def choose(self, center: Floats, strain: Floats, low: float, high: float, length: float = LENGTH) -> None:
        """Take the pixels with radii between `low` and `high`, with a node of the height every `length` pixels."""
        offsets = ((self.grid - center) * self.steps) @ straightening(strain)
        radii = np.hypot(offsets[..., 0], offsets[..., 1])
        used = self.counted & (radii >= low) & (radii <= high)
        if np.count_nonzero(used) < 30:
            raise ValueError(
                f"expected at least 30 pixels with radii between {low:.4g} and {high:.4g} pixels from the centre (y, "
                f"x) = {tuple(np.round(center, 2).tolist())} in a frame of shape {self.values.shape}, found "
                f"{np.count_nonzero(used)}: check the radial range, the centre and the mask"
            )
        self.at, self.data = self.grid[used], self.values[used]
        number = int(np.clip(math.pi * (low + high) / length, 8, 720))
        azimuth = np.arctan2(offsets[used][:, 0], offsets[used][:, 1])
        place = (azimuth + math.pi) * (number / (2 * math.pi))
        below = np.minimum(place.astype(np.int64), number - 1)
        self.share = place - below
        self.between = np.stack([below, (below + 1) % number])
        self.nodes = number
        self.silent = np.zeros(number, bool)
        self.middle, self.reach = 0.5 * (low + high), 0.5 * (high - low)

    def radii(self, params: Floats) -> tuple[Floats, Floats]:
        """Radius of each pixel made round, and its derivatives [pixels, 4] by centre and strain."""
        matrix = straightening(params[STRAIN])
        offsets = (self.at - params[CENTER]) * self.steps
        straight = offsets @ matrix
        r = np.maximum(np.hypot(straight[:, 0], straight[:, 1]), 1e-9)
        unit = straight / r[:, None]
        slopes = np.empty((len(r), 4))
        slopes[:, :2] = -(unit @ matrix) * self.steps
        for k in range(2):
            h = np.zeros(2)
            h[k] = 1e-6
            change = (straightening(params[STRAIN] + h) - straightening(params[STRAIN] - h)) / 2e-6
            slopes[:, 2 + k] = np.einsum("ij,ij->i", offsets @ change, unit)
        return r, slopes

    def start(self, center: Floats, strain: Floats) -> tuple[Floats, Floats]:
        """Parameters to begin with: from where the brightest pixels are, and heights at the nodes."""
        params = np.concatenate([center, strain, [self.middle, self.reach / 3], np.zeros(3)])
        r, _ = self.radii(params)
        bins = np.clip(((r - r.min()) / max(float(np.ptp(r)), 1e-9) * 12).astype(np.int64), 0, 11)
        if self.profile is edge:
            means = np.bincount(bins, self.data, 12) / np.maximum(np.bincount(bins, minlength=12), 1)
            inside, outside = means[:2].mean(), means[-2:].mean()
            share = np.clip((means - outside) / (inside - outside or 1.0), 0, 1)
            params[RADIUS] = r.min() + float(np.ptp(r)) * share.mean()
            params[WIDTH] = max(0.5, self.reach / 6)
            params[6] = outside
            return params, np.full(self.nodes, inside - outside)
        low = np.array([np.median(self.data[bins == k]) if (bins == k).any() else np.nan for k in (0, 1, 10, 11)])
        above = np.maximum(self.data - np.nanmean(low), 0)
        weight = above**2  # spots count, the noise between them does not
        params[RADIUS] = np.average(r, weights=weight) if weight.any() else self.middle
        params[WIDTH] = np.sqrt(np.average((r - params[RADIUS]) ** 2, weights=weight)) if weight.any() else 1.0
        params[WIDTH] = np.clip(params[WIDTH], 0.5, self.reach)
        params[6] = np.nanmean(low)
        return params, np.full(self.nodes, float(np.percentile(above, 90)))

    def height(self, heights: Floats) -> Floats:
        """The height of the ring at each pixel, between those of two nodes."""
        return heights[self.between[0]] * (1 - self.share) + heights[self.between[1]] * self.share

    def gathered(self, values: Floats) -> Floats:
        """The sum of values of pixels by the nodes they lie between, each by its share."""
        below, above = self.between
        return np.asarray(
            np.bincount(below, values * (1 - self.share), self.nodes)
            + np.bincount(above, values * self.share, self.nodes)
        )

    def overlaps(self, values: Floats) -> Floats:
        """The matrix [nodes, nodes] of the sums of values by both shares, for the nodes that count."""
        (below, above), f, n = self.between, self.share, self.nodes
        matrix = np.diag(np.bincount(below, values * (1 - f) ** 2, n) + np.bincount(above, values * f * f, n))
        between = np.bincount(below, values * f * (1 - f), n)
        at = np.arange(n)
        matrix[at, (at + 1) % n] += between
        matrix[(at + 1) % n, at] += between
        matrix[self.silent] = matrix[:, self.silent] = 0.0
        diagonal = matrix[at, at]
        matrix[at, at] = np.where(diagonal > 1e-9 * diagonal.max(), diagonal * (1 + 1e-6), 1e200)
        return matrix

    def evaluate(self, params: Floats, heights: Floats) -> tuple[Floats, Floats, Floats]:
        """Model, its derivatives [pixels, 9] by the shared parameters, and by the height of the ring there."""
        r, slopes = self.radii(params)
        width, radius = params[WIDTH], params[RADIUS]
        inward = width**2 / (2 * radius) if self.profile is edge else 0.0  # blurred, a round edge moves inwards
        u = (r - radius + inward) / width
        g, change = self.profile(u)
        height = self.height(heights)
        t = (r - self.middle) / self.reach
        b0, b1, b2 = params[SLOPES]
        by_u = height * change / width
        jacobian = np.empty((len(r), 9))
        jacobian[:, :4] = (by_u + (b1 + 2 * b2 * t) / self.reach)[:, None] * slopes
        jacobian[:, RADIUS] = -by_u * (1 + (inward / radius if inward else 0.0))
        jacobian[:, WIDTH] = -by_u * (u - (width / radius if inward else 0.0))
        jacobian[:, 6], jacobian[:, 7], jacobian[:, 8] = 1.0, t, t * t
        return height * g + b0 + b1 * t + b2 * t * t, jacobian, g


def measure(model: RingModel, center: Floats, strain: Floats, low: float, high: float, elliptic: bool) -> Ring:
    """The ring or edge with a radius between two radii, in mean pixels, of a pattern.

    Parameters
    ----------
    model : RingModel
        The pattern.
    center, strain : ndarray [2]
        What to start from; the strain stays where the ring is not `elliptic`.
    low, high : float
        The first and the last radius to look at.
    elliptic : bool
        Fit the shape too.

    Notes
    -----
    The pixels are chosen again about the centre and the shape found at first. Where some nodes make up the ring, the
    others are then set to 0, so that what they find in the noise pulls at nothing.
    """
    sloped = model.profile is not edge  # beside an edge, a slope would be taken for a part of it
    free = np.array([1, 1, elliptic, elliptic, 1, 1, 1, sloped, sloped], bool)
    model.choose(center, strain, low, high)
    found = fit_ring(model, *model.start(center, strain), free)
    shown = float((found.heights / found.height_errors).mean())
    length = LENGTH * float(np.clip((EVIDENT / max(shown, 1e-3)) ** 2, 1, 1e3))
    if length > LENGTH:  # so faint that close nodes would find rings in their noise
        model.choose(center, strain, low, high, length)
        found = fit_ring(model, *model.start(center, strain), free)
    model.choose(found.center, found.strain, low, high, length)
    params, heights = model.start(found.center, found.strain)
    params[RADIUS], params[WIDTH] = found.radius, found.width
    found = fit_ring(model, params, heights, free)
    loud = found.heights > 3 * found.height_errors
    if loud.all() or not loud.any() or found.heights[~loud].mean() > 0.15 * found.heights[loud].mean():
        return found  # an even ring
    model.silent = ~loud
    params[CENTER], params[STRAIN], params[RADIUS], params[WIDTH] = (
        found.center,
        found.strain,
        found.radius,
        found.width,
    )
    return fit_ring(model, params, np.where(loud, found.heights, 0.0), free)


def fit_ring(model: RingModel, params: Floats, heights: Floats, free: NDArray[np.bool_]) -> Ring:
    """The ring that fits the pixels of a model best, by damped Gauss-Newton steps (Levenberg and Marquardt).

    Parameters
    ----------
    model : RingModel
        With pixels chosen.
    params, heights : ndarray
        Where to start, as of `RingModel.start`.
    free : bool ndarray [9]
        Which of the parameters shared by all pixels may change.

    Notes
    -----
    The heights enter linearly, and are eliminated from the normal equations of the others, whose size stays 9.
    """
    fitted, jacobian, g = model.evaluate(params, heights)
    converged = False
    for _ in range(REWEIGHTED):
        weights, damping, converged = _weights(model, fitted), 1e-3, False
        cost = float(weights @ (model.data - fitted) ** 2)
        for _ in range(STEPS):
            change, lifted, _ = _step(model, fitted, jacobian, g, weights, free, damping)
            tried = params + change
            tried[RADIUS] = np.clip(tried[RADIUS], 0.3 * params[RADIUS], 3 * params[RADIUS])
            tried[WIDTH] = np.clip(abs(tried[WIDTH]), NARROWEST, 2 * model.reach)
            tried[STRAIN] = np.clip(tried[STRAIN], -0.5, 0.5)
            result = model.evaluate(tried, heights + lifted)
            found = float(weights @ (model.data - result[0]) ** 2)
            moved = float(np.abs((tried - params)[:6]).max())
            if found <= cost:
                params, heights, cost = tried, heights + lifted, found
                fitted, jacobian, g = result
                damping = max(damping / 10, 1e-12)
            else:
                damping *= 10
            if moved < PRECISE or damping > 1e12:
                converged = True
                break
    left = model.data - fitted
    ring = model.height(heights) * g
    _, _, normal = _step(model, fitted, jacobian, g, weights, free, 0.0)
    freedom = max(model.data.size - model.nodes - int(free.sum()), 1)
    scale = float(weights @ left**2) / freedom
    covariance = np.zeros((9, 9))
    covariance[np.ix_(free, free)] = np.linalg.pinv(normal, hermitian=True) * scale
    size = float(np.sqrt(np.mean(ring**2)))
    return Ring(
        params[CENTER].copy(),
        params[STRAIN].copy(),
        float(params[RADIUS]),
        float(params[WIDTH]),
        covariance[:6, :6],
        float(np.sqrt(np.mean(left**2))) / size if size else math.inf,
        converged,
        heights,
        np.sqrt(scale * np.diag(np.linalg.inv(model.overlaps(weights * g * g))) + 1e-200),
    )


def _weights(model: RingModel, expected: Floats) -> Floats:
    """The inverse of the expected variance of each pixel, up to a factor; never that of a pixel without counts."""
    least = 0.05 * float(np.mean(np.abs(model.data))) or 1.0
    return 1.0 / np.maximum(expected, least)


def _step(
    model: RingModel,
    fitted: Floats,
    jacobian: Floats,
    g: Floats,
    weights: Floats,
    free: NDArray[np.bool_],
    damping: float,
) -> tuple[Floats, Floats, Floats]:
    """The change of shared parameters and of heights, and the normal matrix of the free shared ones."""
    left = model.data - fitted
    j = jacobian[:, free]
    weighted = j * weights[:, None]
    own = model.overlaps(weights * g * g)
    own[np.diag_indices_from(own)] *= 1 + damping
    pull = model.gathered(weights * g * left)
    mixed = np.stack([model.gathered(weighted[:, k] * g) for k in range(j.shape[1])])
    solved = np.linalg.solve(own, np.concatenate([mixed, pull[None]]).T).T
    full = weighted.T @ j
    normal = full - solved[:-1] @ mixed.T
    scale = np.sqrt(np.maximum(np.diag(full), 1e-300))
    equations = normal / np.outer(scale, scale) + damping * np.eye(len(scale))
    right = (weighted.T @ left - mixed @ solved[-1]) / scale
    change = np.zeros(len(free))
    change[free] = np.linalg.lstsq(equations, right, rcond=1e-14)[0] / scale
    return change, solved[-1] - change[free] @ solved[:-1], normal

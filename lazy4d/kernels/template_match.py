"""How much the surroundings of every pixel look like a template: matched-filter images and correlation coefficients.

For a template T placed at p, over the pixels of its support that count (n of them), with I the frame::

    C = Σ T I - (Σ T)(Σ I) / n        V = Σ T² - (Σ T)² / n        W = Σ I² - (Σ I)² / n

The matched-filter image is ``C / √(V V₀)``, V₀ that of the whole template: where all of it counts, the height of the
disk above its surroundings that fits best, in units of intensity; where the frame's edge or a mask cuts it, as much
less as makes noise everywhere the same. Where ``a T + b`` with free a and b explains the most of the frame, it is
highest. The correlation coefficient is ``C / √(V W)``, in [-1, 1] (Padfield, IEEE Transactions on Image Processing 21
(2012) 2706, doi 10.1109/TIP.2011.2181402, with binary masks).

Templates made of sets of pixels take `template_match_sums`, all others Fourier transforms; both give the same.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit_fast
from lazy4d.kernels.template_match_spectrum import Spectrum
from lazy4d.kernels.template_match_sums import differences, room_for_sums, running_sums, sum_line
from lazy4d.kernels.template_match_weights import Weights, template_weights, working_values
from lazy4d.kernels.templates import Template

ROUNDING = 1e-13
"""Share of the sum of squares below which a variance is rounding."""
SATURATED = 2**24
"""Whole numbers of 4 bytes beyond it are no counts but marks: they are cut off there before squares are taken."""
NONE = np.empty((0, 0), np.uint8)
"""The mask that leaves no pixel out."""


@dataclass(frozen=True, eq=False)
class MatchPlan:
    """What to look for in frames of one shape; see `match_plan`.

    Parameters
    ----------
    template : Template
        What is looked for.
    frame_shape : tuple of int
        ``(ky, kx)``.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count; of size 0: all count.
    power : float
        p in [0, 1]: 1 is the matched filter, less flattens the spectrum of the correlation.
    normalize : bool
        Whether the correlation coefficient is wanted.
    """

    template: Template
    frame_shape: tuple[int, int]
    mask: NDArray[np.uint8]
    power: float
    normalize: bool
    _of_mask: dict[bytes, Weights] = field(default_factory=dict, init=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return MatchPlan, (self.template, self.frame_shape, self.mask, self.power, self.normalize)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        t = self.template
        pixels = None if t.pixels is None else t.pixels.tobytes()
        parts = (t.values.tobytes(), t.support.tobytes(), pixels, self.mask.tobytes(), self.frame_shape)
        return ("MatchPlan", *parts, self.power, self.normalize)

    @property
    def by_sums(self) -> bool:
        """Whether the template is one of sets of pixels, and the spectrum left as it is."""
        return self.template.pixels is not None and self.power == 1

    @cached_property
    def inner(self) -> NDArray[np.int64]:
        """How to sum over the template's bright pixels; none where it is not made of sets."""
        pixels = self.template.pixels
        return np.empty((0, 5), np.int64) if pixels is None else differences(pixels)

    @cached_property
    def support(self) -> NDArray[np.int64]:
        """How to sum over the template's support."""
        return differences(self.template.support)

    @cached_property
    def weights(self) -> Weights:
        """What the frame's edge and the mask leave of the template at each place."""
        return template_weights(self.template, self.frame_shape, self.mask, self.normalize)

    def weights_of(self, mask: NDArray[np.uint8]) -> Weights:
        """The same for another mask, that of a frame with pixels that are not finite; the last one is kept."""
        key = mask.tobytes()
        found = self._of_mask.get(key)
        if found is None:
            found = template_weights(self.template, self.frame_shape, mask, self.normalize)
            self._of_mask.clear()
            self._of_mask[key] = found
        return found

    @cached_property
    def spectrum(self) -> Spectrum:
        """How to correlate with the template by Fourier transforms."""
        values, support = working_values(self.template), self.template.support
        values = np.where(support, values - values.sum() / np.count_nonzero(support), 0.0)
        return Spectrum(values, self.frame_shape, self.power)


def match_plan(
    template: Template,
    frame_shape: tuple[int, int],
    mask: NDArray[np.uint8] = NONE,
    power: float = 1.0,
    normalize: bool = False,
) -> MatchPlan:
    """What to look for in frames of one shape.

    Parameters
    ----------
    template : Template
        `pixel_disk_template` and `ring_template` are fast, others take Fourier transforms. The mean of its values over
        its support is taken off, so that an even background does not matter.
    frame_shape : tuple of int
        ``(ky, kx)``.
    mask : ndarray of uint8 [ky, kx] or [0, 0]
        Pixels of value 0 do not count; of size 0: all count.
    power : float
        p in [0, 1] of ``F⁻¹[|G|^p exp(i arg G)]``, G the spectrum of the correlation: 1 leaves it as it is.
    normalize : bool
        False: the matched-filter image; True: the correlation coefficient.

    Raises
    ------
    ValueError
        A mask of another shape, a power outside [0, 1], or one below 1 together with `normalize`.

    Examples
    --------
    >>> from lazy4d.kernels.templates import pixel_disk_template
    >>> match_plan(pixel_disk_template(3), (32, 40)).by_sums
    True
    """
    if mask.size and mask.shape != tuple(frame_shape):
        raise ValueError(f"expected a mask of the frames' shape {tuple(frame_shape)}, found {mask.shape}")
    if not 0 <= power <= 1:
        raise ValueError(f"expected power in [0, 1], from phase to cross-correlation, found {power!r}")
    if power != 1 and normalize:
        raise ValueError(f"power={power:g} flattens the spectrum, which leaves no coefficient: leave normalize out")
    counts = mask if mask.size and not mask.all() else NONE
    return MatchPlan(template, (int(frame_shape[0]), int(frame_shape[1])), counts, float(power), bool(normalize))


def template_correlation(frames: NDArray[Any], plan: MatchPlan, out: NDArray[np.float32]) -> None:
    """How much the surroundings of every pixel look like a template: fills `out` [n, ky, kx], float32.

    Parameters
    ----------
    frames : ndarray [n, ky, kx]
        Native, C-contiguous. Pixels that are not finite do not count.
    plan : MatchPlan
        What to look for.
    out : ndarray of float32 [n, ky, kx]
        Filled. 0 where less than a tenth of the template's variance lies on pixels that count, or all of them are
        equal. With a power below 1 the share of what it would be if all frequencies agreed, in [-1, 1].

    Notes
    -----
    One frame of 256 × 256 pixels of 2 bytes takes about 0.2 ms for a disk of radius 9, whole numbers of 1 or 2 bytes
    are summed exactly.

    Examples
    --------
    >>> from lazy4d.kernels.templates import pixel_disk_template
    >>> frames, out = np.full((1, 24, 32), 5, np.uint16), np.empty((1, 24, 32), np.float32)
    >>> frames[0, 8:13, 10:15] += 7
    >>> template_correlation(frames, match_plan(pixel_disk_template(2.5), (24, 32)), out)
    >>> np.unravel_index(out.argmax(), out.shape)
    (np.int64(0), np.int64(10), np.int64(12))
    """
    if frames.dtype == np.bool_:
        frames = frames.view(np.uint8)
    bad = _not_finite(frames)
    room = _room_of(plan, np.dtype(np.int32 if _fits(plan, frames.dtype) else np.float64))
    for k in range(len(frames)):
        frame, mask, weights = frames[k], plan.mask, None
        if bad is not None and bad[k].any():
            mask = (~bad[k]).view(np.uint8) * (mask if mask.size else np.uint8(1))
            frame = np.where(bad[k], 0, frame)
        if mask is not plan.mask:
            weights = plan.weights_of(mask)
        _one_frame(frame, plan, mask, weights or plan.weights, room, out[k])


class _Room:
    """Buffers for one frame."""

    def __init__(self, frame_shape: tuple[int, int], half: int, dtype: np.dtype[Any]) -> None:
        kx = frame_shape[1]
        self.sums = room_for_sums(frame_shape, half, dtype)
        self.left = half + 1
        self.exact = dtype == np.int32
        self.lines = np.empty((2, kx + 2), dtype)
        self.smooth = np.empty((3, kx))
        self.last = np.empty((2, kx), np.float32 if self.exact else np.float64)
        self._shape = frame_shape, half
        self._floats: NDArray[np.float64] | None = None
        self._squares: dict[Any, NDArray[Any]] = {}

    def whole(self, frame: NDArray[Any]) -> NDArray[Any]:
        """The pixels of a frame of whole numbers, in few dtypes: each has to be compiled for."""
        return frame.astype(np.int32) if frame.dtype.kind == "i" else frame

    def floats(self, frame: NDArray[Any], level: float) -> NDArray[np.float64]:
        """The pixels of a frame less a level."""
        if self._floats is None:
            self._floats = np.empty(frame.shape)
        return np.subtract(frame, level, out=self._floats)

    def squares(self, dtype: Any) -> NDArray[Any]:
        """For sums of squares."""
        if dtype not in self._squares:
            self._squares[dtype] = room_for_sums(*self._shape, dtype)
        return self._squares[dtype]


_KEPT = threading.local()
"""The last buffers of each thread: new memory costs as much as summing a frame."""


def _room_of(plan: MatchPlan, dtype: np.dtype[Any]) -> _Room:
    """Buffers for the frames of a plan."""
    key = plan.frame_shape, plan.template.half, dtype
    if getattr(_KEPT, "key", None) != key:
        _KEPT.key, _KEPT.room = key, _Room(*key)
    found: _Room = _KEPT.room
    return found


def _one_frame(
    frame: NDArray[Any],
    plan: MatchPlan,
    mask: NDArray[np.uint8],
    weights: Weights,
    room: _Room,
    out: NDArray[np.float32],
) -> None:
    """The image of one frame without pixels that are not finite."""
    if plan.normalize and frame.dtype.kind in "iu" and frame.dtype.itemsize == 4:
        frame = np.clip(frame, -SATURATED if frame.dtype.kind == "i" else 0, SATURATED)
    # Sums of whole numbers are exact as they are; of floats, and in spectra, they are finer about the mean.
    level = _mean(frame, mask) if frame.dtype.kind == "f" or not plan.by_sums else 0.0
    if not plan.by_sums:
        level = float(np.float32(level))
        plan.spectrum.correlate(frame, mask, level, out)
        if plan.power != 1:
            return
    taken_off = 0.0 if frame.dtype.kind in "iu" else level
    pixels = room.whole(frame) if room.exact else room.floats(frame, taken_off)
    running_sums(pixels, mask, False, room.left, room.sums)
    squares, floor = room.sums[:, :, :0], 0.0
    if plan.normalize:
        if room.exact and not _squares_fit(frame, plan):
            pixels = room.floats(frame, taken_off)
        squares = room.squares(np.float64 if pixels.dtype == np.float64 else np.int32)
        running_sums(pixels, mask, True, room.left, squares)
        if not room.exact:
            floor = 1e-15 * float(squares[2, -1, -1])
    inner = plan.inner if plan.by_sums else plan.inner[:0]
    match_lines(
        *(room.sums, squares, inner, plan.support, room.left), *weights, level - taken_off, floor,
        *(room.lines, room.smooth, room.last, out),
    )  # fmt: skip


def _mean(frame: NDArray[Any], mask: NDArray[np.uint8]) -> float:
    """The mean over the pixels that count."""
    pixels = frame[mask != 0] if mask.size else frame
    return float(pixels.mean(dtype=np.float64)) if pixels.size else 0.0


def _fits(plan: MatchPlan, dtype: np.dtype[Any]) -> bool:
    """Whether sums of such numbers over the template, times the weights of the blur, fit 4 bytes."""
    if dtype.kind not in "iu" or dtype.itemsize > 2:
        return False
    bright = 0 if plan.template.pixels is None else np.count_nonzero(plan.template.pixels)
    number = max(4 * bright, np.count_nonzero(plan.template.support))
    return bool(number * float(np.iinfo(dtype).max) < 2**31)


def _squares_fit(frame: NDArray[Any], plan: MatchPlan) -> bool:
    """Whether sums of squares over the template's support fit 4 bytes."""
    top = max(abs(int(frame.max())), abs(int(frame.min()))) if frame.size else 0
    return bool(top**2 * np.count_nonzero(plan.template.support) < 2**31)


def _not_finite(frames: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Which pixels are nan or infinite; None if there are none."""
    if frames.dtype.kind != "f":
        return None
    bad = ~np.isfinite(frames)
    return bad if bad.any() else None


@jit_fast
def match_lines(
    sums, squares, inner, support, left, which, share, scale, inverse, total, level, floor, lines, smooth, last, out
):
    """From running sums to the image of one frame: fills `out` [ky, kx], float32, line by line.

    Without differences for the bright pixels (`inner`), `out` holds the correlation of the frame less `level`. Without
    `squares` it is the matched-filter image, else the correlation coefficient. The others are factors (`Weights`) and
    room for lines.
    """
    ky, kx = out.shape
    wide, line = lines[0], lines[1][:kx]
    squared = np.empty(kx, squares.dtype)
    top, spread = last[0], last[1]
    by_sums = len(inner) > 0
    if not by_sums:
        smooth[:] = 0
    for step in range(0 if by_sums else 2, ky + 2):
        y = step - 2  # the line above the one that is summed now is complete
        values = out[max(y, 0)]
        above, at, below = smooth[(step + 1) % 3], smooth[(step + 2) % 3], smooth[step % 3]
        if by_sums:
            sum_line(sums, inner, y + 1, left - 1, wide)
            for x in range(kx):
                below[x] = (wide[x] + wide[x + 2]) + 2 * wide[x + 1]
            if y < 0:
                continue
        else:
            above, at, below = smooth[0], smooth[1], smooth[2]
            for x in range(kx):
                at[x] = 8 * (values[x] + level * total[which[y], x])
        sum_line(sums, support, y, left, line)
        off, factor, one = share[which[y]], scale[which[y]], inverse[which[y]]
        if squares.size == 0:
            for x in range(kx):
                product = ((above[x] + below[x]) + 2 * at[x]) * 0.0625
                values[x] = (product - off[x] * line[x]) * factor[x]
            continue
        sum_line(squares, support, y, left, squared)
        for x in range(kx):  # loops that touch few lines each: those that touch many are not vectorised
            intensity, square = np.float64(line[x]), np.float64(squared[x])
            varies = square - intensity * intensity * one[x]
            spread[x] = varies if varies > ROUNDING * square + floor else np.inf
        for x in range(kx):
            product = ((above[x] + below[x]) + 2 * at[x]) * 0.0625
            top[x] = (product - off[x] * line[x]) * factor[x]
        for x in range(kx):
            found = np.float32(top[x] / np.sqrt(spread[x]))
            found = found if found < 1 else np.float32(1)
            values[x] = found if found > -1 else np.float32(-1)

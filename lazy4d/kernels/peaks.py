"""Local maxima of images: exactly one for each plateau, and handed out from the highest to the lowest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels._jit import jit

WORD = 8
"""Pixels that are looked at together where none of them is a maximum."""


class PeakRoom(NamedTuple):
    """Scratch space for the maxima of frames of one shape, used again for each frame.

    Parameters
    ----------
    flags : ndarray of uint8 [WORD * words]
        Which pixels of a row no neighbour exceeds.
    words : ndarray of uint64 [words]
        The same memory.
    below : ndarray [kx]
        A row of -inf: what is beyond the frame.
    seen : ndarray of uint8 [ky, kx]
        Pixels that a search along equal or high pixels has passed; 0 between searches.
    queue : ndarray of int32 [ky * kx]
        The same pixels, as numbers in the order they were passed.
    place : ndarray of int32 [room]
        Numbers ``y * kx + x`` of the maxima, as a heap.
    height : ndarray of float64 [room]
        Their heights.
    """

    flags: NDArray[np.uint8]
    words: NDArray[np.uint64]
    below: NDArray[Any]
    seen: NDArray[np.uint8]
    queue: NDArray[np.int32]
    place: NDArray[np.int32]
    height: NDArray[np.float64]


def peak_room(shape: tuple[int, int], dtype: Any) -> PeakRoom:
    """Scratch space for images of a shape and dtype, float32 or float64; memory that is never used is never touched.

    Examples
    --------
    >>> peak_room((6, 9), np.float32).place.shape
    (15,)
    """
    ky, kx = shape
    words = np.zeros(-(-kx // WORD), np.uint64)
    room = ((ky + 1) // 2) * ((kx + 1) // 2)  # maxima are never neighbours
    return PeakRoom(
        words.view(np.uint8),
        words,
        np.full(kx, -np.inf, dtype),
        np.zeros(shape, np.uint8),
        np.empty(ky * kx, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.float64),
    )


@jit
def _flag(above, row, below, floor, start, stop, flags):
    """Which pixels of a row are above `floor` and exceeded by none of their 8 neighbours; all have 8."""
    a0, a1, a2 = above[start - 1 :], above[start:], above[start + 1 :]
    b0, b1, b2 = row[start - 1 :], row[start:], row[start + 1 :]
    c0, c1, c2 = below[start - 1 :], below[start:], below[start + 1 :]
    found = flags[start:]
    for k in range(stop - start):
        around = max(max(max(a0[k], a1[k]), max(a2[k], b0[k])), max(max(b2[k], c0[k]), max(c1[k], c2[k])))
        found[k] = np.uint8(b1[k] > floor) & np.uint8(b1[k] >= around)


@jit
def _flag_rim(above, row, below, floor, x, flags):
    """The same for one pixel that may be the first or the last of its row."""
    v = row[x]
    fine = v > floor
    for u in range(max(x - 1, 0), min(x + 2, len(row))):
        fine = fine and v >= above[u] and v >= row[u] and v >= below[u]
    flags[x] = fine


@jit
def _alone(image, y, x):
    """Whether no neighbour is as high."""
    ky, kx = image.shape
    for v in range(max(y - 1, 0), min(y + 2, ky)):
        for u in range(max(x - 1, 0), min(x + 2, kx)):
            if (v != y or u != x) and image[v, u] == image[y, x]:
                return False
    return True


@jit
def _plateau(image, y, x, seen, queue, start):
    """What stands for the plateau that begins at (y, x): ``(y, x, pixels passed)``; y is -1 where it is no maximum.

    That is the pixel of it nearest to its centre of mass, the first of several.
    """
    ky, kx = image.shape
    level = image[y, x]
    seen[y, x] = 1
    queue[start] = y * kx + x
    stop, k = start + 1, start
    top, lower = True, False
    sum_y, sum_x = 0.0, 0.0
    while k < stop:
        cy, cx = queue[k] // kx, queue[k] % kx
        k += 1
        sum_y += cy
        sum_x += cx
        for v in range(max(cy - 1, 0), min(cy + 2, ky)):
            for u in range(max(cx - 1, 0), min(cx + 2, kx)):
                value = image[v, u]
                if value == level:
                    if seen[v, u] == 0:
                        seen[v, u] = 1
                        queue[stop] = v * kx + u
                        stop += 1
                elif value > level:
                    top = False
                else:
                    lower = True
    if not (top and lower):
        return -1, -1, stop
    number = stop - start
    best, nearest = -1, np.inf
    for k in range(start, stop):
        dy, dx = queue[k] // kx - sum_y / number, queue[k] % kx - sum_x / number
        far = dy * dy + dx * dx
        if far < nearest - 1e-9 or (far <= nearest + 1e-9 and queue[k] < best):
            best, nearest = queue[k], min(far, nearest)
    return best // kx, best % kx, stop


@jit
def local_maxima(image, floor, window, room):
    """Find the maxima of an image above `floor` in a window: fills `room.place` and `room.height`, returns how many.

    A maximum is no lower than its 8 neighbours, of which at least one is lower; what lies beyond the frame does not
    count. Equal pixels that touch are one maximum or none, at the pixel of them that is nearest to their centre of mass
    (the first of several), wherever the window cuts them. -inf and nan are never maxima; beside nan nothing is.

    Examples
    --------
    >>> image = np.zeros((5, 7), "f4"); image[1, 1:4], image[3, 6] = 2, 5
    >>> room = peak_room(image.shape, image.dtype)
    >>> number = local_maxima(image, 0.0, np.array([0, 5, 0, 7]), room)
    >>> room.place[:number], room.height[:number]
    (array([ 9, 27], dtype=int32), array([2., 5.]))
    """
    ky, kx = image.shape
    top, bottom, left, right = window[0], window[1], window[2], window[3]
    count, passed = 0, 0
    if image.size < 2:
        return 0
    room.flags[:] = 0
    for y in range(top, bottom):
        row = image[y]
        above = image[y - 1] if y > 0 else room.below
        below = image[y + 1] if y < ky - 1 else room.below
        _flag(above, row, below, floor, max(left, 1), min(right, kx - 1), room.flags)
        if left == 0 and right > 0:
            _flag_rim(above, row, below, floor, 0, room.flags)
        if right == kx and left < kx:
            _flag_rim(above, row, below, floor, kx - 1, room.flags)
        for word in range(len(room.words)):
            if room.words[word] == 0:
                continue
            for x in range(word * WORD, min((word + 1) * WORD, kx)):
                if room.flags[x] == 0 or room.seen[y, x] != 0:
                    continue
                v, u = y, x
                if not _alone(image, y, x):
                    v, u, passed = _plateau(image, y, x, room.seen, room.queue, passed)
                    if not (top <= v < bottom and left <= u < right):
                        continue
                room.place[count] = v * kx + u
                room.height[count] = image[v, u]
                count += 1
    for k in range(passed):
        room.seen[room.queue[k] // kx, room.queue[k] % kx] = 0
    return count


@jit
def _before(place, height, a, b):
    """Whether entry a comes before entry b: it is higher, or as high and earlier in the frame."""
    return height[a] > height[b] or (height[a] == height[b] and place[a] < place[b])


@jit
def _sink(place, height, count, k):
    """Let entry k sink to where it belongs in a heap whose first entry comes first."""
    while 2 * k + 1 < count:
        child = 2 * k + 1
        if child + 1 < count and _before(place, height, child + 1, child):
            child += 1
        if not _before(place, height, child, k):
            return
        place[k], place[child] = place[child], place[k]
        height[k], height[child] = height[child], height[k]
        k = child


@jit
def heap_up(place, height, count):
    """Order entries so that `take_highest` can take one after the other.

    Examples
    --------
    >>> place, height = np.arange(4, dtype=np.int32), np.array([1.0, 7, 3, 7])
    >>> heap_up(place, height, 4)
    >>> [(take_highest(place, height, n), place[n - 1], height[n - 1])[1:] for n in (4, 3)]
    [(np.int32(1), np.float64(7.0)), (np.int32(3), np.float64(7.0))]
    """
    for k in range(count // 2 - 1, -1, -1):
        _sink(place, height, count, k)


@jit
def take_highest(place, height, count):
    """Move the highest of `count` entries of a heap, the first in the frame of several, to the last of them."""
    place[0], place[count - 1] = place[count - 1], place[0]
    height[0], height[count - 1] = height[count - 1], height[0]
    _sink(place, height, count - 1, 0)


@jit
def stands_out(image, place, depth, seen, queue):
    """Whether a maximum has a prominence of at least `depth`: every way to a higher one goes down by as much.

    Of equal maxima the one that begins first in the frame is the highest. The highest of all stands out.

    Examples
    --------
    >>> image = np.array([[0, 5, 3, 5, 0]], "f4")
    >>> seen, queue = np.zeros((1, 5), np.uint8), np.empty(5, np.int32)
    >>> [stands_out(image, place, 2.5, seen, queue) for place in (1, 3)]
    [True, False]
    """
    ky, kx = image.shape
    level = image[place // kx, place % kx]
    limit = level
    seen[place // kx, place % kx] = 1
    queue[0] = place
    stop, first = 1, place
    alone = True
    for step in range(2):  # its own plateau, then what is not far below
        k = 0
        while k < stop and alone:
            cy, cx = queue[k] // kx, queue[k] % kx
            k += 1
            for v in range(max(cy - 1, 0), min(cy + 2, ky)):
                for u in range(max(cx - 1, 0), min(cx + 2, kx)):
                    value = image[v, u]
                    if seen[v, u] != 0 or not (value == level if step == 0 else value > limit):
                        continue
                    seen[v, u] = 1
                    queue[stop] = v * kx + u
                    stop += 1
                    if step == 0:
                        first = min(first, v * kx + u)
                    elif value > level or (value == level and v * kx + u < first):
                        alone = False
        limit = level - depth
    for k in range(stop):
        seen[queue[k] // kx, queue[k] % kx] = 0
    return alone

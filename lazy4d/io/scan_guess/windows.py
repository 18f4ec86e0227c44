"""Which frames of a long recording are looked at: all of a short one, a few long stretches of a long one."""

from __future__ import annotations


def stretches(total: int, most: int, count: int = 4) -> list[tuple[int, int]]:
    """Stretches ``(start, stop)`` of frames, spread over a recording, of at most `most` frames in all.

    Parameters
    ----------
    total : int
        Frames of the recording.
    most : int
        Frames to look at.
    count : int
        Stretches, where not all frames are looked at.

    Examples
    --------
    >>> stretches(100, 100), stretches(1000, 100, 2)
    ([(0, 100)], [(0, 50), (950, 1000)])
    """
    if total <= most:
        return [(0, total)]
    length = max(1, most // count)
    starts = [k * (total - length) // (count - 1) for k in range(count)]
    return [(start, start + length) for start in starts]

"""What a browser is sent of a figure that changed: only the pixels that did, with as few bytes as can be."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 255
"""Colours of a picture with a palette, besides nothing at all."""

_LEVEL = 3
"""Of compression: higher ones take longer than they spare on any line that is fit for pictures."""

_HIGH_BITS = np.uint32(0xFFFCFCFC)
_LOW_BITS = np.uint32(0x00030303)


class BrowserPictures:
    """Pictures for the canvas of a notebook, in place of matplotlib's own, which hold four bytes a pixel.

    A picture ends at the last row and column that changed, and has a palette: exact where 255 colours suffice, else of
    colours that are off by 3 parts in 255 at most, which cannot be seen. What was changed is known exactly all the
    time, so that nothing adds up.

    Parameters
    ----------
    canvas : FigureCanvasWebAggCore
        Its ``get_diff_image`` is replaced.
    """

    def __init__(self, canvas: Any) -> None:
        self._canvas = canvas
        self._of_matplotlib = canvas.get_diff_image
        self.bytes_sent = 0
        canvas.get_diff_image = self.next

    def close(self) -> None:
        """Give the canvas back what matplotlib does."""
        self._canvas.__dict__.pop("get_diff_image", None)

    def next(self) -> bytes | None:
        """The next picture to send; None where nothing was drawn since the last."""
        canvas = self._canvas
        if not canvas._png_is_old:
            return None
        pixels = np.asarray(canvas.get_renderer().buffer_rgba())
        colors = pixels.view(np.uint32)[..., 0]
        if canvas._force_full or colors.shape != canvas._last_buff.shape or pixels[0, 0, 3] != 255:
            sent: bytes | None = self._of_matplotlib()
        else:
            canvas.set_image_mode("diff")
            sent = difference_png(colors, canvas._last_buff)
            canvas._last_buff = colors.copy()
            canvas._png_is_old = False
        self.bytes_sent += len(sent or b"")
        return sent


def difference_png(colors: NDArray[np.uint32], before: NDArray[np.uint32]) -> bytes:
    """A PNG of the pixels that changed, transparent where none did, as large as it has to be.

    Parameters
    ----------
    colors, before : ndarray of uint32 [rows, columns]
        Red, green, blue, opacity as the bytes of each pixel, now and before.

    Examples
    --------
    >>> from PIL import Image
    >>> before = np.full((40, 60), 0xFFFFFFFF, np.uint32)
    >>> now = before.copy(); now[3:6, 10:20] = 0xFF000000
    >>> Image.open(io.BytesIO(difference_png(now, before))).size
    (20, 6)
    """
    from PIL import Image

    changed = colors != before
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not rows.size:
        return _png(Image.fromarray(np.zeros((1, 1, 4), np.uint8)))
    part = np.s_[: rows[-1] + 1, : columns[-1] + 1]
    changed, colors = changed[part], colors[part]
    found = colors[changed]
    palette = np.unique(found)
    if palette.size > _MOST:
        found = _rounded(found)
        palette = np.unique(found)
    if palette.size > _MOST:
        return _png(Image.fromarray(np.where(changed, colors, 0).view(np.uint8).reshape(*changed.shape, 4)))
    numbers = np.zeros(changed.shape, np.uint8)
    numbers[changed] = np.searchsorted(palette, found) + 1
    image = Image.fromarray(numbers)
    image.putpalette(b"\0\0\0" + palette.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    return _png(image, transparency=0)


def _rounded(colors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Colours of six bits each; black stays black and white white."""
    return (colors & _HIGH_BITS) | ((colors >> np.uint32(6)) & _LOW_BITS)


def _png(image: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png", compress_level=_LEVEL, **options)
    return buffer.getvalue()

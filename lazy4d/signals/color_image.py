"""`ColorImage`: a colour at each position of a scan."""

from __future__ import annotations

from lazy4d.signals.base import BaseSignal


class ColorImage(BaseSignal, signal_ndim=1):
    """A colour (red, green, blue) at each position of a scan, uint8: a picture to be shown, not to be measured.

    Parameters are those of `BaseSignal`; data are ``[nav..., 3]``, sRGB from 0 to 255.

    Examples
    --------
    >>> ColorImage(np.zeros((4, 5, 3), "uint8"), title="black")
    <ColorImage, title: black, dimensions: (5, 4|3), uint8, 60 B>
    """

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return frame_shape == (3,)

    @classmethod
    def _expected_frame(cls) -> str:
        return "three numbers, (red, green, blue),"

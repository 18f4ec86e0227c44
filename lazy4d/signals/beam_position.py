"""`BeamPosition`: where the direct beam is in each frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lazy4d.axes import Axis
from lazy4d.signals.base import BaseSignal

CENTER = "BeamPosition.center"
"""Where the metadata keep the pixel (y, x) that a centred beam sits on."""
FRAME_AXES = "BeamPosition.frame_axes"
"""Where the metadata keep scale, offset and units, each as [y, x], of the frames that the positions came from."""


class BeamPosition(BaseSignal, signal_ndim=1):
    """The position (y, x) of the direct beam in each frame, in pixels counted from the frame's first.

    Parameters are those of `BaseSignal`; data are float64 ``[nav..., 2]``, columns y and x.

    Examples
    --------
    >>> com = l4.Diffraction2D(np.ones((3, 4, 8, 8), "uint8")).get_direct_beam_position()
    >>> com.compute().data[0, 0], com.shifts.compute().data[0, 0]
    (array([3.5, 3.5]), array([0.5, 0.5]))
    """

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return frame_shape == (2,)

    @classmethod
    def _expected_frame(cls) -> str:
        return "two numbers, (y, x),"

    @property
    def center(self) -> tuple[float, float]:
        """The pixel (y, x) on which a centred beam sits, ``N // 2`` of the frames the positions came from.

        Raises
        ------
        ValueError
            It is not known.
        """
        found = self.metadata.get_item(CENTER, None)
        if found is None:
            raise ValueError(
                f"{self!r} does not say which frames it belongs to: set metadata.set_item({CENTER!r}, [y, x]) to the "
                "pixel a centred beam sits on, N // 2 along each axis"
            )
        return float(found[0]), float(found[1])

    @property
    def score(self) -> BaseSignal:
        """How far each position can be trusted, as a `VirtualImage`; what the number means depends on the method.

        Raises
        ------
        ValueError
            The positions were not found in frames, or were changed since.
        """
        if "score" not in self._beside:
            raise ValueError(
                f"{self!r} has no score: it stands beside the result of get_direct_beam_position itself, and beside "
                "what inav selects of that"
            )
        return self._beside["score"]

    @property
    def shifts(self) -> BaseSignal:
        """What moves each frame's beam to the centre: ``center - position``, a Signal1D [..., 2] = (y, x) in pixels."""
        moved = np.subtract(np.array(self.center), self)
        return BaseSignal._class_of[1](moved, title=f"shifts from {self.title}")

    def _belongs_to(self, frame_axes: Sequence[Axis]) -> None:
        """Note the axes (ky, kx) of the frames in which the positions were found."""
        self.metadata.set_item(CENTER, [axis.size // 2 for axis in frame_axes])
        for name in ("scale", "offset", "units"):
            self.metadata.set_item(f"{FRAME_AXES}.{name}", [getattr(axis, name) for axis in frame_axes])

    @property
    def y(self) -> BaseSignal:
        """Rows of the positions: a `VirtualImage`."""
        return self.isig[0]

    @property
    def x(self) -> BaseSignal:
        """Columns of the positions: a `VirtualImage`."""
        return self.isig[1]

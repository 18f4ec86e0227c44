"""What a viewer's controller tells its front end: where it stands, the frame there, the navigator so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray


@dataclass(frozen=True)
class PositionUpdate:
    """The position shown has changed; its frame follows.

    Attributes
    ----------
    position : tuple of int
        Indices, x-first.
    """

    position: tuple[int, ...]
    what: Literal["position"] = "position"


@dataclass(frozen=True)
class FrameUpdate:
    """The frame of a position.

    Attributes
    ----------
    position : tuple of int
        Its indices, x-first.
    data : ndarray or None
        The frame, read-only; None where there is nothing to show: `message` says why.
    final : bool
        Whether this is what was asked for. A frame passed on the way to where the viewer stands by now is not, nor is
        the frame as recorded, shown while something that all frames need is computed.
    valid : bool
        False for a frame that is missing or damaged.
    message : str
        What a user should be told of it; empty for an ordinary frame.
    error : Exception or None
        What prevented it.
    seconds : float
        Time it took to read.
    """

    position: tuple[int, ...]
    data: NDArray[Any] | None
    final: bool = True
    valid: bool = True
    message: str = ""
    error: Exception | None = None
    seconds: float = 0.0
    what: Literal["frame"] = "frame"


@dataclass(frozen=True)
class NavigatorUpdate:
    """The navigator as far as it is known.

    Attributes
    ----------
    name : str
        Which of the navigators.
    image : ndarray or None
        float ``[rows, columns]``, or ``[positions]`` for a scan of one axis; places not yet known are filled from
        their neighbours. None where there is nothing to show yet: `message` says why, or it is on its way.
    share : float
        The part of the scan that is known, 0 to 1.
    final : bool
        Whether it is complete.
    message : str
        What a user should be told of it.
    error : Exception or None
        What ended it early.
    """

    name: str
    image: NDArray[Any] | None
    share: float
    final: bool
    message: str = ""
    error: Exception | None = None
    what: Literal["navigator"] = "navigator"


Update = PositionUpdate | FrameUpdate | NavigatorUpdate

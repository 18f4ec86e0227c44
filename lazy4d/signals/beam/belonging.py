"""Whether positions of the beam are pixels of the frames they are to be used with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazy4d.metadata import History

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

MOVES_PIXELS = {
    "apply_affine_transformation",
    "center_direct_beam",
    "correct_ellipse",
    "flip_diffraction_x",
    "flip_diffraction_y",
    "isig",
    "rebin",
    "rotate_diffraction",
    "shift_diffraction",
    "transpose",
}
"""Operations after which a place in the specimen's pattern is at another pixel."""


def check_belongs(position: Any, signal: BaseSignal) -> None:
    """Refuse a `BeamPosition` that was found in frames of which the pixels are others than those of `signal`.

    Compared are the middle pixels, and what the histories say was done to the frames. Positions of unknown origin pass.

    Raises
    ------
    ValueError
        The frames were cropped, binned or moved in between.
    """
    noted = position.metadata.get_item("BeamPosition.center", None) if hasattr(position, "metadata") else None
    if noted is None or position.frame_shape != (2,) or len(signal.frame_shape) != 2:
        return
    middle, found = [float(n // 2) for n in signal.frame_shape], [float(n) for n in noted]
    before = _moves(position.history)
    if found == [0.0, 0.0] and middle != found:
        raise ValueError(
            f"expected positions of the beam, found displacements: {position!r} counts from (0, 0). Add the position "
            "they count from, or give what moves the frames as shifts="
        )
    if found == middle and (before is None or before == _moves(signal.history, whole=True)):
        return
    raise ValueError(
        f"the positions {position!r} belong to other frames, with the middle at pixel {tuple(found)} (numpy order), "
        f"than {signal!r}, with the middle at {tuple(middle)}: frames were cropped, binned or moved in between. Find "
        "the beam in the frames as they are now, or give the positions as an array in their pixels"
    )


def _moves(history: History, whole: bool = False) -> list[Any] | None:
    """What moved the pixels of frames: in all, or until the beam was found in them; None where it was not."""
    moves: list[Any] = []
    for entry in history:
        if not whole and entry.op == "get_direct_beam_position":
            return moves
        if entry.op in MOVES_PIXELS and not (entry.op == "rebin" and entry.params.get("scale", [])[-2:] == [1, 1]):
            moves.append((entry.op, entry.params))
    return moves if whole else None

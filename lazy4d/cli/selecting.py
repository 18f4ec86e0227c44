"""What part of a scan is meant, and how it is binned: the text of ``--crop`` and ``--bin``, always x-first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.signals import BaseSignal

_INT, _FLOAT = re.compile(r"[+-]?\d+"), re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def crop_signal(signal: BaseSignal, text: str) -> BaseSignal:
    """The part of a signal that ``--crop`` asks for.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    text : str
        Ranges ``start:stop``, separated by commas: one for each axis, x-first; one for each signal axis; or any with
        the name of their axis, ``kx=10:50``. A whole number is a pixel, one with a point a value in axis units, text a
        value with its unit; nothing is the end of the axis.

    Returns
    -------
    BaseSignal

    Raises
    ------
    ValueError
        No such axis, or no range.

    Examples
    --------
    >>> crop_signal(d, "1:3,:,4:12,4:12").data.shape
    (4, 2, 8, 8)
    >>> crop_signal(d, "ky=2:").data.shape
    (4, 4, 14, 16)
    """
    for name, part in _by_axis(signal, text, "--crop", "a range start:stop").items():
        if part in ("", ":"):
            continue
        start, colon, end = part.partition(":")
        if not colon or ":" in end:
            raise ValueError(
                f"--crop: expected a range start:stop for axis {name!r}, such as 10:50, 0.5: or '-5 mrad:5 mrad', "
                f"found {part!r}"
            )
        signal = signal.crop(name, _place(start), _place(end))
    return signal


def bin_factors(signal: BaseSignal, text: str) -> list[int]:
    """The factors of ``--bin``, one for each axis, x-first.

    Parameters
    ----------
    signal : BaseSignal
        The signal.
    text : str
        One number for all detector axes; one for each signal axis; one for each axis, x-first; or any with the name of
        their axis, ``kx=2``.

    Raises
    ------
    ValueError
        No such axis, or no whole number of 1 or more.

    Examples
    --------
    >>> bin_factors(d, "2"), bin_factors(d, "2,2,4,4"), bin_factors(d, "x=2")
    ([1, 1, 2, 2], [2, 2, 4, 4], [2, 1, 1, 1])
    """
    names = [axis.name for axis in signal.axes_manager]
    count = len(signal.frame_shape)
    if re.fullmatch(r"\s*\d+\s*", text):
        text = ",".join([text.strip()] * count)
    given = _by_axis(signal, text, "--bin", "a factor")
    for name, factor in given.items():
        if not factor.isdecimal() or int(factor) < 1:
            raise ValueError(f"--bin: expected a whole number of 1 or more for axis {name!r}, found {factor!r}")
    return [int(given.get(name, 1)) for name in names]


def _by_axis(signal: BaseSignal, text: str, option: str, what: str) -> dict[str, str]:
    """The entries of a text, by the names of their axes."""
    names = [axis.name for axis in signal.axes_manager]
    parts = [part.strip() for part in text.split(",")]
    if all("=" in part for part in parts):
        pairs = [(part.partition("=")[0].strip(), part.partition("=")[2].strip()) for part in parts]
        unknown = [name for name, _ in pairs if name not in names]
        if unknown or len({name for name, _ in pairs}) < len(pairs):
            raise ValueError(f"{option}: expected axes among {', '.join(names)}, each once, found {text!r}")
        return dict(pairs)
    signal_names = names[len(signal.nav_shape) :]
    for expected in (names, signal_names):
        if len(parts) == len(expected):
            return dict(zip(expected, parts, strict=True))
    raise ValueError(
        f"{option}: expected {what} for each of {', '.join(names)}, for each of {', '.join(signal_names)}, or with a "
        f"name as in {names[-1]}=…, found {len(parts)}: {text!r}"
    )


def _place(text: str) -> Any:
    """An end of a range: None, a pixel, a value, or text with a unit."""
    stripped = text.strip()
    if not stripped:
        return None
    if _INT.fullmatch(stripped):
        return int(stripped)
    return float(stripped) if _FLOAT.fullmatch(stripped) else stripped

"""How a signal looks as text and in a notebook: sizes, bytes, and how the scan is cut into blocks."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

_WIDTH = 120
"""Pixels of the longer side of a picture."""

_MOST_LINES = 24
"""Lines drawn along a side; finer blocks are drawn as if they were this many."""


def text(signal: BaseSignal) -> str:
    """One line: class, title, dimensions x-first (navigation|signal), dtype, bytes and blocks.

    Examples
    --------
    >>> l4.Diffraction2D(np.zeros((3, 4, 16, 8), "u2"), title="scan")
    <Diffraction2D, title: scan, dimensions: (4, 3|8, 16), uint16, 3.1 kB>
    """
    name, size = type(signal).__name__, _bytes_and_blocks(signal)
    return f"<{name}, title: {signal.title}, dimensions: {dimensions(signal)}, {size}>"


def dimensions(signal: BaseSignal) -> str:
    """Shape as ``(x, y|kx, ky)``."""
    manager = signal.axes_manager
    return f"({', '.join(map(str, manager.navigation_shape))}|{', '.join(map(str, manager.signal_shape))})"


def _bytes_and_blocks(signal: BaseSignal) -> str:
    if not signal.lazy:
        return f"{signal.dtype}, {human_bytes(signal.nbytes)}"
    blocks = math.prod(len(axis) for axis in block_sizes(signal))
    return f"{signal.dtype}, lazy {human_bytes(signal.nbytes)}, {blocks} block{'' if blocks == 1 else 's'}"


def block_sizes(signal: BaseSignal) -> tuple[tuple[int, ...], ...]:
    """Sizes of the blocks along each axis, numpy order; one block an axis for data in memory."""
    if not signal.lazy:
        return tuple((n,) for n in signal.shape)
    if signal._frames is not None:
        return tuple(signal._frames.chunks) + tuple((n,) for n in signal.frame_shape)
    return tuple(signal.data.chunks)


def human_bytes(count: int) -> str:
    """Bytes with two digits and a decimal prefix.

    Examples
    --------
    >>> human_bytes(8589934592), human_bytes(131072), human_bytes(12)
    ('8.6 GB', '131 kB', '12 B')
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            return f"{value:.1f} {unit}" if value < 9.95 and unit != "B" else f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.0f} TB"


def html(signal: BaseSignal) -> str:
    """A table of what the signal is, its axes, a picture of its blocks, and of its data where these are known.

    Examples
    --------
    >>> "<svg" in d._repr_html_()
    True
    """
    rows = {
        "Title": signal.title,
        "Dimensions": dimensions(signal),
        "Data": _bytes_and_blocks(signal),
        "Operations": str(len(signal.history)),
    }
    body = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
    pictures = [
        f"<td style='vertical-align:top;padding-left:1em'>{caption}<br/>{svg(sizes)}</td>"
        for caption, sizes in _pictures(signal)
    ]
    return (
        f"<h4>{type(signal).__name__}</h4><table><tr><td style='vertical-align:top'><table>{body}</table>"
        f"{signal.axes_manager._repr_html_()}</td>{''.join(pictures)}{small_pictures(signal)}</tr></table>"
    )


def small_pictures(data: Any) -> str:
    """Cells of a table with small pictures of signals or vectors, as HTML: of what is in memory or known already.

    Nothing is read or computed for them; of what is still lazy and of which nothing is known there is no cell.

    Examples
    --------
    >>> small_pictures(d.mean()), small_pictures(d.mean().compute())[:3]
    ('', '<td')
    """
    from lazy4d.plot.thumbnail import cells

    return cells(data)


def _pictures(signal: BaseSignal) -> list[tuple[str, tuple[tuple[int, ...], tuple[int, ...]]]]:
    """The two fastest axes of navigation and of signal, as rows and columns of blocks."""
    sizes = block_sizes(signal)
    count = len(signal.nav_shape)
    found = []
    for caption, part in (("navigation", sizes[:count]), ("signal", sizes[count:])):
        if part:
            found.append((caption, ((1,), part[0]) if len(part) == 1 else (part[-2], part[-1])))
    return found


def svg(blocks: tuple[tuple[int, ...], tuple[int, ...]]) -> str:
    """A drawing of a grid of blocks, rows and columns to scale.

    Parameters
    ----------
    blocks : pair of tuple of int
        Sizes of the blocks along rows and along columns.

    Examples
    --------
    >>> svg(((2, 2), (4,))).count("<line")
    1
    """
    total = [sum(sizes) for sizes in blocks]
    unit = _WIDTH / max(*total, 1)
    height, width = (max(size * unit, _WIDTH / 12) for size in total)
    lines = []
    for axis, extent in ((0, height), (1, width)):
        for place in _edges(blocks[axis], extent):
            ends = (0.0, place, width, place) if axis == 0 else (place, 0.0, place, height)
            x1, y1, x2, y2 = (f"{value + 1:.1f}" for value in ends)
            lines.append(f"<line x1='{x1}' y1='{y1}' x2='{x2}' y2='{y2}' stroke='#8895a7' stroke-width='1'/>")
    label = f"{total[0]} × {total[1]}"
    return (
        f"<svg width='{width + 2:.0f}' height='{height + 18:.0f}' xmlns='http://www.w3.org/2000/svg'>"
        f"<rect x='1' y='1' width='{width:.1f}' height='{height:.1f}' fill='#d9e6f2' stroke='#4a5a6a'/>"
        f"{''.join(lines)}<text x='1' y='{height + 15:.0f}' font-size='11' fill='currentColor'>{label}</text></svg>"
    )


def _edges(sizes: tuple[int, ...], extent: float) -> list[float]:
    """Where blocks meet, in pixels of the drawing."""
    if len(sizes) > _MOST_LINES:
        return [extent * k / _MOST_LINES for k in range(1, _MOST_LINES)]
    places, at = [], 0
    for size in sizes[:-1]:
        at += size
        places.append(extent * at / sum(sizes))
    return places

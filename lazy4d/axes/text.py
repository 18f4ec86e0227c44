"""How axes look as text and in a notebook."""

from html import escape

from lazy4d.axes.axis import Axis

Axes = tuple[Axis, ...]

_HEADER = ("name", "size", "index", "offset", "scale", "units")


def dimensions(navigation: Axes, signal: Axes) -> str:
    """Return the shape as `(x, y|kx, ky)`.

    Examples
    --------
    >>> dimensions((Axis(size=4), Axis(size=3)), (Axis(size=8), Axis(size=16)))
    '(4, 3|8, 16)'
    """
    return f"({', '.join(str(axis.size) for axis in navigation)}|{', '.join(str(axis.size) for axis in signal)})"


def _rows(axes: Axes) -> list[tuple[str, ...]]:
    return [
        (
            axis.name or "<unnamed>",
            str(axis.size),
            str(axis.index) if axis.navigate else "",
            f"{axis.offset:g}" if not axis.coordinates else "listed",
            f"{axis.scale:g}" if not axis.coordinates else "listed",
            axis.units,
        )
        for axis in axes
    ]


def text_table(navigation: Axes, signal: Axes) -> str:
    """Return a table with one line for each axis, navigation above signal.

    Examples
    --------
    >>> print(text_table((), (Axis(name="kx", size=8),)))
    name | size | index | offset | scale | units
    kx   |    8 |       |      0 |     1 | px
    """
    rows = [_HEADER, *_rows(navigation + signal)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [
        " | ".join(
            cell.ljust(width) if column in (0, 5) or row is _HEADER else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    if navigation and signal:
        lines.insert(len(navigation) + 1, " | ".join("-" * width for width in widths))
    return "\n".join(lines)


def html_table(navigation: Axes, signal: Axes) -> str:
    """Return the table of `text_table` as HTML.

    Examples
    --------
    >>> html_table((), (Axis(name="kx", size=8),))[:41]
    '<table><thead><tr><th></th><th>name</th><'
    """
    head = "".join(f"<th>{name}</th>" for name in ("", *_HEADER))
    body = "".join(
        f"<tr><td>{'navigation' if axis.navigate else 'signal'}</td>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for axis, row in zip(navigation + signal, _rows(navigation + signal), strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

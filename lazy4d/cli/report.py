"""Text on a terminal: rows of a name and what there is to say of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import click

LABEL_WIDTH = 17


def row(label: str, text: str) -> None:
    """Print a label and its text, with further lines of the text below the first."""
    first, *rest = text.splitlines() or [""]
    click.echo(f"  {click.style(label.ljust(LABEL_WIDTH), dim=True)} {first}".rstrip())
    for line in rest:
        click.echo(f"  {' ' * LABEL_WIDTH} {line}")


def heading(text: str) -> None:
    """Print a heading after an empty line."""
    click.echo()
    click.secho(text, bold=True)


def bullets(texts: Iterable[str], width: int = 100) -> str:
    r"""Texts below each other, each wrapped to `width`.

    Examples
    --------
    >>> bullets(["one", "two"])
    '- one\n- two'
    """
    return "\n".join(textwrap.fill(text, width, subsequent_indent="  ", initial_indent="- ") for text in texts)


def duration(seconds: float) -> str:
    """A duration with two or three digits.

    Examples
    --------
    >>> duration(0.00123), duration(0.0456), duration(2.34), duration(75.2), duration(5000)
    ('1.2 ms', '46 ms', '2.3 s', '1 min 15 s', '1 h 23 min')
    """
    if seconds < 0.0095:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"

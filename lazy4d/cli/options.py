"""Options that several commands share, and the text that they take."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

import click

DEBUG = "lazy4d.debug"
"""Key of the context under which `--debug` is kept."""


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--debug``, which shows the traceback of an error."""

    def keep(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[DEBUG] = True

    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=keep, help="Show the whole traceback of an error."
    )(command)


def parse_scan_shape(text: str) -> tuple[int, ...] | str:
    """A scan shape as people type it: rows, then columns.

    Parameters
    ----------
    text : str
        ``"256,512"``, ``"256x512"``, ``"1000"`` for a line, or ``"square"``.

    Returns
    -------
    tuple of int, or "square"

    Raises
    ------
    ValueError
        Anything else.

    Examples
    --------
    >>> parse_scan_shape("256,512"), parse_scan_shape("256 x 512"), parse_scan_shape("1000")
    ((256, 512), (256, 512), (1000,))
    """
    stripped = text.strip().strip("()[]").lower()
    if stripped == "square":
        return stripped
    parts = [part.strip() for part in re.split("[,x×]", stripped)]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"expected a scan shape as rows,columns such as 256,512 (or square), found {text!r}")
    return tuple(int(part) for part in parts)


def parse_reader_options(texts: Sequence[str]) -> dict[str, Any]:
    """Options of a reader, given as ``name=value``; values are Python literals, everything else is text.

    Raises
    ------
    ValueError
        No ``=``, or no name before it.

    Examples
    --------
    >>> parse_reader_options(["frame_shape=(256, 256)", "dtype=<u2", "header=128"])
    {'frame_shape': (256, 256), 'dtype': '<u2', 'header': 128}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise ValueError(f"expected a reader option as name=value, such as -o frame_shape=256,256, found {text!r}")
        try:
            found[name] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            found[name] = value.strip()
    return found

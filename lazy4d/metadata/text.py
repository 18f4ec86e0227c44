"""How a metadata tree looks as text and in a notebook."""

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

_LONGEST = 100


def shown(value: Any) -> str:
    """Return a value in one short line.

    Examples
    --------
    >>> shown(np.zeros((30, 4))), shown("a" * 200)[-3:]
    ('<array (30, 4), float64>', 'aa…')
    """
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"<array {value.shape}, {value.dtype}>"
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def tree_lines(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the lines of a tree.

    Examples
    --------
    >>> list(tree_lines({"General": {"title": "scan"}}))
    ['└── General', '    └── title = scan']
    """
    for number, (key, value) in enumerate(node.items(), start=1):
        last = number == len(node)
        head = prefix + ("└── " if last else "├── ") + key
        if isinstance(value, dict):
            yield head
            yield from tree_lines(value, prefix + ("    " if last else "│   "))
        else:
            yield f"{head} = {shown(value)}"


def html_lines(node: dict[str, Any], level: int = 0) -> str:
    """Return a tree as nested HTML lists that fold; the first level is open.

    Examples
    --------
    >>> html_lines({"title": "a < b"})
    '<ul><li><b>title</b> = a &lt; b</li></ul>'
    """
    if not node:
        return "<p><i>empty metadata</i></p>" if level == 0 else ""
    parts = []
    for key, value in node.items():
        if isinstance(value, dict):
            is_open = " open" if level == 0 else ""
            parts.append(
                f"<li><details{is_open}><summary>{escape(key)}</summary>{html_lines(value, level + 1)}</details></li>"
            )
        else:
            parts.append(f"<li><b>{escape(key)}</b> = {escape(shown(value))}</li>")
    return f"<ul>{''.join(parts)}</ul>"

"""A viewer in a notebook: shown once, below the cell that made it."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import matplotlib

from lazy4d.plot.viewer.figures import STATIC, WIDGET

FIRST_PICTURE = 0.5
"""Seconds that a live figure may take for its first pictures before it is shown, so that saved notebooks hold them."""

STATIC_PICTURE = 5.0
"""Seconds that a picture which will not change may take to become complete."""


_of_cells: dict[str, tuple[int, list[weakref.ref[Any]]]] = {}
"""Cells of the notebook, the number of their last run, and the viewers that it made."""


def show_after_cell(viewer: Any, kind: str) -> None:
    """Have a viewer shown when the cell that made it is done, unless it was shown by then."""
    shell = _shell()
    is_inline = "inline" in str(matplotlib.get_backend())
    if shell is None or not hasattr(shell, "kernel") or not (kind == WIDGET or (kind == STATIC and is_inline)):
        return
    found = weakref.ref(viewer)
    if kind == WIDGET:
        _close_replaced(viewer, shell)

    def show(*_: Any) -> None:
        shell.events.unregister("post_execute", show)
        made = found()
        if made is not None and not made.times_shown and not made.closed:
            from IPython.display import display

            display(made)

    shell.events.register("post_execute", show)
    if kind == STATIC:  # nobody else keeps it until the cell is done
        show.viewer = viewer  # type: ignore[attr-defined]


def _close_replaced(viewer: Any, shell: Any) -> None:
    """Close what an earlier run of the same cell showed: the notebook has thrown its picture away."""
    cell = _cell_of(shell)
    if cell is None:
        return
    run, made = _of_cells.get(cell, (shell.execution_count, []))
    if run != shell.execution_count:
        for one in made:
            earlier = one()
            if earlier is not None and earlier.times_shown <= 1:  # what was shown elsewhere too is still seen there
                earlier.close()
        made = []
    _of_cells[cell] = (shell.execution_count, [*made, weakref.ref(viewer)])


def _cell_of(shell: Any) -> str | None:
    """The name that the notebook gives the cell that runs, where it gives one."""
    parent: Any = getattr(shell.kernel, "get_parent", dict)()
    return (parent.get("metadata") or {}).get("cellId") if isinstance(parent, dict) else None


def _shell() -> Any:
    """The shell of IPython that runs, if one does."""
    ipython = sys.modules.get("IPython")  # nobody but IPython itself needs it imported
    return None if ipython is None else ipython.get_ipython()

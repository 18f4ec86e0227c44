"""Viewers in notebooks: shown once below their cell, and closed when the cell runs again."""

from __future__ import annotations

import gc
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import matplotlib
import pytest

from lazy4d.plot.viewer import notebook
from lazy4d.plot.viewer.figures import STATIC, WIDGET, WINDOW


class Events:
    def __init__(self) -> None:
        self.after: list[Any] = []

    def register(self, name: str, function: Any) -> None:
        assert name == "post_execute"
        self.after.append(function)

    def unregister(self, name: str, function: Any) -> None:
        self.after.remove(function)


class Shell:
    """As much of IPython's as a notebook needs."""

    def __init__(self) -> None:
        self.events, self.execution_count, self.cell = Events(), 0, "first"
        self.kernel = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": self.cell}})
        self.shown: list[Any] = []

    def begin(self, cell: str) -> None:
        self.execution_count += 1
        self.cell = cell

    def end(self) -> None:
        for function in list(self.events.after):
            function()

    def display(self, what: Any) -> None:
        what.times_shown += 1
        self.shown.append(what)


class Stub:
    """What a notebook asks of a viewer."""

    def __init__(self) -> None:
        self.times_shown, self.closed = 0, False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    made = Shell()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: made  # type: ignore[attr-defined]
    display.display = made.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(notebook, "_of_cells", {})
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "agg")
    return made


def test_a_live_viewer_is_shown_once_after_its_cell(shell: Shell) -> None:
    viewer = Stub()
    notebook.show_after_cell(viewer, WIDGET)
    assert shell.shown == []
    shell.end()
    shell.end()
    assert shell.shown == [viewer]
    assert shell.events.after == []


@pytest.mark.parametrize("change", ["shown by the cell", "closed in the cell"])
def test_a_viewer_is_not_shown_twice_nor_when_it_was_closed(shell: Shell, change: str) -> None:
    viewer = Stub()
    notebook.show_after_cell(viewer, WIDGET)
    if change == "shown by the cell":
        viewer.times_shown = 1
    else:
        viewer.close()
    shell.end()
    assert shell.shown == []


def test_pictures_are_shown_where_figures_are_inline_and_kept_until_then(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.show_after_cell(Stub(), STATIC)
    gc.collect()
    assert shell.events.after == [], "with Agg nothing is shown that was not asked for"
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "inline")
    notebook.show_after_cell(Stub(), STATIC)
    gc.collect()
    shell.end()
    assert len(shell.shown) == 1
    notebook.show_after_cell(Stub(), WINDOW)
    shell.end()
    assert len(shell.shown) == 1, "a window shows itself"


def test_a_cell_that_runs_again_closes_what_it_showed_before(shell: Shell) -> None:
    viewers = {name: Stub() for name in ("a", "b", "other", "again", "kept")}
    shell.begin("cell")
    for name in ("a", "b", "kept"):
        notebook.show_after_cell(viewers[name], WIDGET)
    shell.end()
    assert not any(one.closed for one in viewers.values()), "two figures of one cell do not close each other"
    viewers["kept"].times_shown = 2  # shown in another cell too
    shell.begin("another cell")
    notebook.show_after_cell(viewers["other"], WIDGET)
    shell.end()
    shell.begin("cell")
    notebook.show_after_cell(viewers["again"], WIDGET)
    shell.end()
    assert {name: one.closed for name, one in viewers.items()} == {
        "a": True, "b": True, "other": False, "again": False, "kept": False,
    }  # fmt: skip


def test_without_a_notebook_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    notebook.show_after_cell(Stub(), WIDGET)
    assert "IPython" not in sys.modules, "a script need not import it"

"""JupyterLab and a headless Chromium for the tests marked `browser`, which run only with ``pytest -m browser``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.jupyter_server import JupyterServer
from tests.browser.needed import missing
from tests.browser.notebook_page import NotebookPage, chromium_window

ARTEFACTS = "LAZY4D_BROWSER_ARTEFACTS"
"""Folder that keeps the screenshots; the test's temporary folder without it."""

METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a browser unless ``-m`` names it; ``-m 'not slow'`` does not."""
    if "browser" in str(config.getoption("markexpr", "")):
        return
    left_out = [item for item in items if item.get_closest_marker("browser")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("browser")]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """JupyterLab, one for all tests; kernels find the user's cache folder empty."""
    reason = missing()
    if reason:
        pytest.fail(reason, pytrace=False)
    folder = tmp_path_factory.mktemp("jupyter")
    started = JupyterServer(folder, {"LAZY4D_CACHE": str(folder / "cache")})
    yield started
    started.stop()


@pytest.fixture(scope="session")
def window(server: JupyterServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium, one for all tests."""
    with chromium_window(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def open_notebook(server: JupyterServer, window: Any) -> Iterator[Callable[..., NotebookPage]]:
    """Open a notebook given as cells of code, or as a file; closed, with its kernel, after the test."""
    opened: list[NotebookPage] = []

    def open_it(*cells: str, path: Path | None = None) -> NotebookPage:
        import nbformat

        name = f"{path.stem if path else 'test'}-{len(os.listdir(server.notebooks))}.ipynb"
        if path is None:
            code = [nbformat.v4.new_code_cell(cell) for cell in cells]
            nbformat.write(nbformat.v4.new_notebook(cells=code, metadata=METADATA), server.notebooks / name)
        else:
            (server.notebooks / name).write_bytes(path.read_bytes())
        opened.append(NotebookPage(window, server, name))
        return opened[-1]

    yield open_it
    for page in opened:
        page.__exit__()


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    """Folder for screenshots: the variable LAZY4D_BROWSER_ARTEFACTS names one that stays."""
    folder = Path(os.environ.get(ARTEFACTS, tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder

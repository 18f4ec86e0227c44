"""Notebooks are kept without outputs, and their code is Python that names what the library has."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import lazy4d

NOTEBOOKS = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_cleared(path: Path) -> None:
    for cell in code_cells(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_is_python_and_its_names_exist(path: Path) -> None:
    for cell in code_cells(path):
        lines = [line for line in "".join(cell["source"]).splitlines() if not line.startswith("%")]
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "l4":
                assert hasattr(lazy4d, node.attr)

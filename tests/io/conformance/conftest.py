"""Every test that asks for `stored` runs for every case."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.io.conformance.cases import CASES
from tests.io.conformance.model import Stored, moved, write


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stored]:
    """A case by its name, written once; tests that change files have to work on a copy."""

    @cache
    def written(name: str) -> Stored:
        case = CASES[name]
        for package in case.needs:
            pytest.importorskip(package)
        return write(case, tmp_path_factory.mktemp("case"))

    return written


@pytest.fixture(params=list(CASES), ids=lambda name: name.replace(" ", "-"))
def stored(request: pytest.FixtureRequest, tmp_path: Path, pristine: Callable[[str], Stored]) -> Stored:
    """A copy of a case in a folder with a space and a letter beyond ASCII in its name."""
    original = pristine(request.param)
    folder = original.files[0].parent
    return moved(original, folder, Path(shutil.copytree(folder, tmp_path / "a folder ü")))


@pytest.fixture(scope="session")
def every_case(pristine: Callable[[str], Stored]) -> list[Stored]:
    """All cases: for tests that only load, with many arguments."""
    return [pristine(name) for name, case in CASES.items() if all(map(importlib.util.find_spec, case.needs))]

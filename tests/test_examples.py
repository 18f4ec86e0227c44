"""Every example runs as a user runs it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MAX_LINES = 40


def run(path: Path, folder: Path, *arguments: str) -> str:
    env = {**os.environ, "PYTHONWARNINGS": "error", "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    command = [sys.executable, str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path: Path, tmp_path: Path) -> None:
    assert run(path, tmp_path)


@pytest.mark.slow
def test_the_cluster_gives_what_threads_give(tmp_path: Path) -> None:
    script = ROOT / "examples" / "cluster.py"
    threads, workers = run(script, tmp_path), run(script, tmp_path, "workers")
    assert threads.splitlines() == workers.splitlines()[-2:]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES

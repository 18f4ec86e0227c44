"""Every reader streams a file four times as large as the memory its process may use, or refuses it by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazy4d.io import registry
from tests.io.conformance import capped
from tests.io.conformance.cases import CASES, FIRST
from tests.io.conformance.large import LARGE, MARKED, Large, marked_frame
from tests.io.conformance.model import write

CAP = 64 << 20  # bytes above what the process has after its imports
TIMES = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does"),
]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """A process with little memory that has loaded a small file of every reader."""
    small = []
    for name in FIRST.values():
        stored = write(CASES[name], tmp_path_factory.mktemp("small"))
        small.append({"path": stored.path, "reader": stored.case.reader, "options": dict(stored.case.options)})
    started = subprocess.Popen(
        [sys.executable, "-m", capped.__name__, str(CAP)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
    )
    _send(started, small)
    yield started
    started.communicate(timeout=60)


def _send(process: subprocess.Popen[str], job: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(job, default=str) + "\n")
    process.stdin.flush()


def test_every_built_in_reader_has_a_large_file() -> None:
    assert not set(registry.built_in_readers()) - set(LARGE)


def _run(process: subprocess.Popen[str], large: Large, **more: Any) -> dict[str, Any]:
    _send(process, {"path": large.path, "reader": large.reader, "options": dict(large.options), **more})
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_the_limit_holds(process, tmp_path) -> None:
    """All frames at once do not fit: the other tests would notice a reader that holds them."""
    assert "failed" in _run(process, LARGE["npy"](tmp_path), whole=True)


@pytest.mark.parametrize("name", list(LARGE))
def test_streaming_more_than_memory(name, process, tmp_path) -> None:
    for package in CASES[FIRST[name.partition(" ")[0]]].needs:
        pytest.importorskip(package)
    large = LARGE[name](tmp_path)
    found = _run(process, large)
    assert "failed" not in found, found["failed"]
    if "refused" in found:
        assert str(tmp_path) in found["refused"]
        return
    assert found["nbytes"] >= TIMES * CAP
    side = 128 if name == "empad" else 256
    frames = np.stack([marked_frame(k, side) for k in MARKED])
    assert found["marked"] == list(MARKED)
    assert found["image"] == found["pattern"][0] == frames.sum()
    assert found["pattern"][1] == frames[:, 3, 5].sum()

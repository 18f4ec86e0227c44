"""A graph of every reader computed in a new process, which knows nothing but what was pickled."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from tests.io.conformance.cases import CASES, FIRST
from tests.io.conformance.model import write

SCRIPT = """
import pickle, sys
import numpy as np

for line in sys.stdin:
    graph, result = line.strip().split("|")
    with open(graph, "rb") as file:
        array = pickle.load(file)
    np.save(result, array.compute(scheduler="threads"))
    print(result, flush=True)
"""


@pytest.mark.slow
def test_a_new_process_computes_the_same(tmp_path) -> None:
    """One process for all readers: starting Python is what takes time."""
    expected, asked = {}, []
    for name in FIRST.values():
        case = CASES[name]
        folder = tmp_path / f"{name} ü"
        folder.mkdir()
        stored = write(case, folder)
        graph, result = tmp_path / f"{name}.pickle", tmp_path / f"{name}.npy"
        graph.write_bytes(pickle.dumps(stored.load(chunks=(2, 4)).data))
        expected[result] = stored.frames
        asked.append(f"{graph}|{result}")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input="\n".join(asked), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for result, frames in expected.items():
        found = np.load(result)
        assert found.dtype == frames.dtype
        assert np.array_equal(found, frames), result.name

"""Conventions and files shared with orix and diffsims, where an environment that has them is named."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PEER = "LAZY4D_ORIX_PYTHON"


@pytest.mark.slow
def test_orix_and_diffsims_agree():
    peer = os.environ.get(PEER)
    if not peer:
        pytest.skip(
            f"set {PEER} to a Python with orix, diffsims and what lazy4d needs to compare orientations with them"
        )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [peer, str(Path(__file__).with_name("orix_exchange.py"))],
        capture_output=True, text=True, check=False, env=environment, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "orix and diffsims agree" in done.stdout

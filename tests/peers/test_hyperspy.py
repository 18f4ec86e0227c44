"""The exchange of files with HyperSpy 2, where an environment that has it is named."""

from __future__ import annotations

import os

import pytest

from tests.peers.hyperspy_round_trip import round_trip

PEER = "LAZY4D_HYPERSPY_PYTHON"


@pytest.mark.slow
def test_files_go_to_hyperspy_and_come_back(tmp_path):
    peer = os.environ.get(PEER)
    if not peer:
        pytest.skip(f"set {PEER} to a Python with HyperSpy 2 (pip install hyperspy) to exchange files with it")
    assert "files of lazy4d read by HyperSpy" in round_trip(peer, tmp_path)

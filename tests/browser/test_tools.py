"""What the browser tests stand on and needs no browser: runs by default."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.browser import needed
from tests.browser.slow_line import SlowLine

ROOT = Path(__file__).parent.parent.parent


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ipympl" else object())
    text = needed.missing()
    assert text is not None
    assert "need ipympl" in text
    assert "pip install 'lazy4d[jupyter]' jupyterlab playwright" in text
    assert "chromium" in text


def test_a_missing_chromium_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(needed, "chromium", lambda: None)
    assert "need a Chromium" in (needed.missing() or "")


def test_the_system_s_chromium_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        needed.shutil, "which", lambda name, path=None: "/opt/google-chrome" if name == "google-chrome" else None
    )
    assert needed.chromium() == Path("/opt/google-chrome")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-m", "not slow")], ids=["no marker", "another marker"])
def test_browser_tests_are_left_out_unless_asked_for(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        [*command, "tests/browser/test_harness.py"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 5, done.stdout  # nothing collected
    assert "deselected" in done.stdout


def test_a_slow_line_carries_every_byte_both_ways() -> None:
    request, answer = bytes(range(256)) * 500, bytes(range(255, -1, -1)) * 900
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            end, _ = listening.accept()
            with end:
                received = b""
                while len(received) < len(request):
                    received += end.recv(65536)
                end.sendall(answer if received == request else b"wrong")

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        with SlowLine(listening.getsockname()[1], delay=0.01, bandwidth=1e8) as line:
            with socket.create_connection(("127.0.0.1", line.port), timeout=30) as browser:
                browser.sendall(request)
                received = b""
                while data := browser.recv(65536):
                    received += data
        server.join(30)
    assert received == answer

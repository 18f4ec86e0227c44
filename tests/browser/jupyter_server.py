"""A JupyterLab of this interpreter, in a folder of its own, started and stopped by a test."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light", "adaptive-theme": False},
    "@jupyterlab/notebook-extension/tracker": {"recordTiming": True},
}
"""No questions, no look for updates: nothing on the page that a notebook did not put there; and cells are timed."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class JupyterServer:
    """JupyterLab on a free port with a token; neither reads nor writes the user's settings.

    Parameters
    ----------
    folder : Path
        An empty folder: `notebooks` in it is what the server shows, `log` what it printed.
    environment : dict of str, optional
        Variables for the kernels, beside those of this process.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.notebooks, self.runtime, self.log = folder / "notebooks", folder / "runtime", folder / "log"
        settings = folder / "settings"
        self.notebooks.mkdir(parents=True)
        for name, values in SETTINGS.items():
            path = settings / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")
        self.token, self.port = secrets.token_hex(16), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_DATA_DIR": folder / "data",
            "JUPYTER_RUNTIME_DIR": self.runtime,
            "JUPYTERLAB_SETTINGS_DIR": settings,
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
            "IPYTHONDIR": folder / "ipython",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.port={self.port}"]
        command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.notebooks}"]
        command += [f"--IdentityProvider.token={self.token}", "--LabApp.expose_app_in_browser=True"]
        command += ["--LabApp.extension_manager=readonly"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        variables = {**os.environ, **{name: str(path) for name, path in own.items()}, **(environment or {})}
        self._output = self.log.open("wb")
        self._process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._wait_until_up()

    def _wait_until_up(self, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"jupyter lab ended with {self._process.returncode}:\n{self.printed()}")
            try:
                self.get("api/status")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)  # a new process is polled: there is nothing to wait on
            else:
                return
        self.stop()
        raise TimeoutError(f"jupyter lab did not answer within {seconds:.0f} s:\n{self.printed()}")

    def printed(self) -> str:
        """The end of what the server and its kernels printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-6000:]

    def get(self, path: str, method: str = "GET") -> Any:
        """The server's answer to a request of its REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/{path}", headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def connection_file(self, kernel: str) -> Path:
        return self.runtime / f"kernel-{kernel}.json"

    def stop(self) -> None:
        """End the kernels, then the server."""
        if self._process.poll() is None:
            try:
                for kernel in self.get("api/kernels"):
                    self.get(f"api/kernels/{kernel['id']}", method="DELETE")
                self.get("api/shutdown", method="POST")
                self._process.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        self._output.close()

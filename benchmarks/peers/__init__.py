"""A peer in an environment of its own, driven line by line so that it takes turns with us in the same run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path


class Peer:
    """A worker of this folder in another Python: ``Peer(python, worker, *arguments)``; `run` gives its seconds."""

    def __init__(self, python: str, worker: str, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name(worker)), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.jobs: list[str] = json.loads(self._line())

    def _line(self) -> str:
        if self.process.stdout is None:
            raise RuntimeError("the peer has no output")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer stopped with status {self.process.wait()}")
        return line

    def run(self, name: str) -> float:
        """Seconds of one run of a job."""
        if self.process.stdin is None:
            raise RuntimeError("the peer takes no input")
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()

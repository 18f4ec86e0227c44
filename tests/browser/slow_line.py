"""A line to the server that takes its time, like that of a user who works from home: latency and bandwidth."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from queue import Queue
from typing import Any

CHUNK = 16 * 1024


class SlowLine:
    """Forwards a local port to another, late and no faster than a bandwidth: a context manager.

    Parameters
    ----------
    port : int
        Where the server listens, on this machine.
    delay : float
        Seconds each way.
    bandwidth : float
        Bytes a second towards the browser, of all connections together.

    Attributes
    ----------
    port : int
        Where to connect instead.
    """

    def __init__(self, port: int, delay: float, bandwidth: float) -> None:
        self._server_port, self.delay, self.bandwidth = port, delay, bandwidth
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._ends = [self._listening]
        self._free_at = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> SlowLine:
        _start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for end in self._ends:
            _close(end)

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listening.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._ends += [browser, server]
            _start(self._carry, browser, server, False)
            _start(self._carry, server, browser, True)

    def _carry(self, source: socket.socket, target: socket.socket, limited: bool) -> None:
        """Bytes arrive in order, each `delay` after it was sent; a full queue pushes back."""
        underway: Queue[tuple[float, bytes]] = Queue(maxsize=64)
        _start(self._deliver, underway, target, limited)
        data = b"-"
        while data:
            try:
                data = source.recv(CHUNK)
            except OSError:  # closed
                data = b""
            underway.put((time.monotonic() + self.delay, data))

    def _deliver(self, underway: Queue[tuple[float, bytes]], target: socket.socket, limited: bool) -> None:
        while (item := underway.get())[1]:
            due, data = item
            if limited:
                with self._lock:
                    self._free_at = max(self._free_at, time.monotonic()) + len(data) / self.bandwidth
                    due = max(due, self._free_at)
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                target.sendall(data)
            except OSError:  # closed; what is still on its way is lost
                continue
        _close(target)


def _start(function: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()


def _close(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was first
        pass
    end.close()

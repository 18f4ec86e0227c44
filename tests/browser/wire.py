"""Bytes that cross the websockets between the page and the server: what a user at the far end of a line waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Wire:
    """Running counts of bytes and messages since `reset`; payloads as they are sent, without compression."""

    received: int = 0
    sent: int = 0
    messages: int = 0
    largest: int = 0

    def listen(self, page: Any) -> None:
        """Count on every websocket that the page opens from now on."""
        page.on("websocket", self._opened)

    def _opened(self, socket: Any) -> None:
        socket.on("framereceived", self._came)
        socket.on("framesent", self._went)

    def _came(self, payload: str | bytes) -> None:
        size = len(payload)
        self.received += size
        self.messages += 1
        self.largest = max(self.largest, size)

    def _went(self, payload: str | bytes) -> None:
        self.sent += len(payload)

    def reset(self) -> None:
        self.received = self.sent = self.messages = self.largest = 0

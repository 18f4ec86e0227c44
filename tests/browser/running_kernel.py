"""The kernel behind a page, asked from outside: what does the notebook's own Python say?"""

from __future__ import annotations

import ast
import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

_ARRAY = """
def _as_text(value):
    import base64, json, numpy
    if isinstance(value, numpy.ndarray):
        text = base64.b64encode(numpy.ascontiguousarray(value)).decode()
        return json.dumps({"array": text, "dtype": value.dtype.str, "shape": value.shape})
    return json.dumps({"value": value}, default=lambda x: x.tolist() if hasattr(x, "tolist") else str(x))
"""


class RunningKernel:
    """A second client of a kernel: runs code and gives back values, beside the page that is connected to it."""

    def __init__(self, connection_file: Path) -> None:
        from jupyter_client.blocking import BlockingKernelClient

        self._client = BlockingKernelClient(connection_file=str(connection_file))
        self._client.load_connection_file()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self.run(_ARRAY)

    def _execute(self, code: str, expressions: dict[str, str], timeout: float) -> dict[str, Any]:
        reply = self._client.execute(
            code, silent=True, user_expressions=expressions, reply=True, timeout=timeout, allow_stdin=False
        )
        content: dict[str, Any] = reply["content"]
        if content["status"] != "ok":
            raise RuntimeError("\n".join(content.get("traceback", [str(content)])))
        return content

    def run(self, code: str, timeout: float = 120.0) -> None:
        """Execute statements; nothing is shown in the notebook."""
        self._execute(code, {}, timeout)

    def value(self, expression: str, timeout: float = 120.0) -> Any:
        """The value of an expression: an array, or what JSON can tell of it (sets of types as text)."""
        name = "asked"
        content = self._execute("", {name: f"_as_text({expression})"}, timeout)["user_expressions"][name]
        if content["status"] != "ok":
            raise RuntimeError("\n".join(content["traceback"]))
        answer = json.loads(ast.literal_eval(content["data"]["text/plain"]))
        if "array" in answer:
            pixels = np.frombuffer(base64.b64decode(answer["array"]), np.dtype(answer["dtype"]))
            return pixels.reshape(answer["shape"])
        return answer["value"]

    def close(self) -> None:
        self._client.stop_channels()

"""Jobs in processes of their own: nothing cached from the job before, and a memory that is the job's alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent

CALL = """
import json, sys
from {module} import {name}
print("answer:" + json.dumps({name}(**json.loads(sys.argv[1]))))
"""


def away(function: Callable[..., dict[str, Any]], *, cache: Path | None = None, **arguments: Any) -> dict[str, Any]:
    """What a function returns in a new process; `cache` is its folder of overviews, an empty one by default."""
    with tempfile.TemporaryDirectory(prefix="lazy4d-overviews-") as empty:
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LAZY4D_CACHE": str(cache or empty),
            "MPLBACKEND": "agg",
        }
        code = CALL.format(module=function.__module__, name=function.__name__)
        command = [sys.executable, "-c", code, json.dumps(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=ROOT, check=False)
    answers = [line for line in done.stdout.splitlines() if line.startswith("answer:")]
    if done.returncode or not answers:
        raise RuntimeError(f"{function.__name__}({arguments}) failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(answers[-1].removeprefix("answer:"))
    return answer

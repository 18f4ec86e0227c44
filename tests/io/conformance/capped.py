"""What runs in a process with little memory: each file named on standard input, loaded and streamed through."""

from __future__ import annotations

import gc
import json
import resource
import sys
from typing import Any

import numpy as np

import lazy4d as l4

THREADS = 2


def data_bytes() -> int:
    """Bytes of private writable memory of this process, which is what the limit counts."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmData"))


def stream(job: dict[str, Any]) -> dict[str, Any]:
    """A virtual image and the sum of all frames: where the image is not zero, and their totals."""
    signal = l4.load(job["path"], reader=job["reader"], **job["options"])
    if job.get("whole"):
        return {"nbytes": signal.compute().data.nbytes}
    side = signal.frame_shape[0]
    image, pattern = l4.compute(signal.get_virtual_image(l4.CircleROI(side // 2, side // 2, side)), signal.sum())
    return {
        "nbytes": signal.frames.stored_nbytes,
        "marked": np.flatnonzero(image.data).tolist(),
        "image": float(image.data.sum()),
        "pattern": [float(pattern.data.sum()), float(pattern.data[3, 5])],
    }


def main(cap: int) -> None:
    """The first line is a small file of each reader, to import and compile; then the limit holds."""
    import dask

    l4.set_options(progress=False)
    dask.config.set(num_workers=THREADS)
    for job in json.loads(sys.stdin.readline()):
        stream(job)
    for line in sys.stdin:
        job = json.loads(line)
        gc.collect()
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + cap, resource.RLIM_INFINITY))
        try:
            result = stream(job)
        except l4.errors.Lazy4DError as error:
            result = {"refused": f"{type(error).__name__}: {error}"}
        except (MemoryError, OSError) as error:
            result = {"failed": f"{type(error).__name__}: {error}"}
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))

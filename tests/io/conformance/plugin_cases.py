"""Cases of what RosettaSciIO reads: one of its formats stands for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tests.io.conformance.model import NAV, Case, Written, records, whole

COUNT = NAV[0] * NAV[1]


def ripple(folder: Path, stem: str, frames: NDArray[Any]) -> Written:
    """A stack of images: lines of text, and a file of pixels beside it."""
    text = {
        "width": frames.shape[-1], "height": frames.shape[-2], "depth": COUNT, "offset": 0,
        "data-length": frames.dtype.itemsize, "data-type": "unsigned", "byte-order": "big-endian",
        "record-by": "image", "width-name": "kx", "height-name": "ky", "width-scale": 0.5, "width-units": "1/nm",
        "height-scale": 0.25, "height-units": "1/nm",
    }  # fmt: skip
    path = folder / f"{stem}.rpl"
    path.write_text("key\tvalue\n" + "".join(f"{key}\t{value}\n" for key, value in text.items()))
    pixels = folder / f"{stem}.raw"
    frames.astype(">u2").tofile(pixels)
    parts = records(pixels, count=COUNT, pixels=frames[0, 0].nbytes)
    axes = {"kx": ("1/nm", 0.5, 0.0), "ky": ("1/nm", 0.25, 0.0)}
    return Written(path, frames, (path, pixels), (whole(path), *parts), (), axes)


CASES = {
    "rosettasciio": Case(
        "rosettasciio", ripple, {"scan_shape": NAV}, headerless=True, magic=0, needs=("rsciio",), big=(128, 256)
    ),
}

"""The pictures of the pages, drawn again: ``python docs/pictures.py`` writes them into docs/images.

Those of the tutorial are what its code saves; those of the explanations are drawn, and measured, here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

import lazy4d as l4
from lazy4d.data import simulated_scan, write_simulated_mib

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
BLUE, ORANGE, GREY = "#1f5a85", "#e08a1e", "0.55"


def code_of(page: str) -> list[str]:
    """The Python blocks of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def of_page(page: str) -> None:
    """Every picture that the code of a page saves."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, l4.set_options(progress=False, overviews="off"):
        os.chdir(folder)
        try:
            names: dict[str, object] = {"__name__": "page"}
            write_simulated_mib("scan.mib", simulated_scan((40, 48), (64, 64), dose=30_000))
            for block in code_of(page):
                exec(block, names)
            for picture in Path(folder).glob("*.png"):
                shutil.copy(picture, IMAGES)
        finally:
            os.chdir(here)


def one_pass() -> Figure:
    """A file in blocks, a block in tiles, a tile through stages to several kernels."""
    figure = Figure(figsize=(8.2, 2.9), dpi=120)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 82), ylim=(0, 29))
    ax.axis("off")

    def box(x: float, y: float, width: float, height: float, color: str, text: str = "", **style: object) -> None:
        ax.add_patch(Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=1))
        ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", color="white", fontsize=9, **style)

    def arrow(start: tuple[float, float], end: tuple[float, float]) -> None:
        ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color="0.3", linewidth=1))

    for k in range(6):
        box(2, 3.5 + 3.6 * k, 9, 3.6, ORANGE if k == 3 else GREY)
    for k in range(5):
        box(20, 3.5 + 4.32 * k, 9, 4.32, BLUE if k == 2 else ORANGE)
    arrow((11.3, 16.1), (19.5, 14.3))
    for k, text in enumerate(("decode", "centre", "crop")):
        box(36 + 11 * k, 12, 9, 4.6, BLUE, text)
        arrow((29.3 if k == 0 else 34.2 + 11 * k, 14.3), (35.7 + 11 * k, 14.3))
    for k, text in enumerate(("bright field", "dark field", "mean pattern")):
        box(70, 3.5 + 7.2 * (2 - k), 11, 5.2, BLUE, text)
        arrow((67.3, 14.3), (69.7, 6.1 + 7.2 * (2 - k)))
    for x, text in ((6.5, "file: blocks\n128 MiB, a task each"), (24.5, "block: tiles\n1 MiB, in cache")):
        ax.text(x, 28.2, text, ha="center", va="top", fontsize=8.5, color="0.2")
    ax.text(51.5, 28.2, "stages: a tile in, a tile out", ha="center", va="top", fontsize=8.5, color="0.2")
    ax.text(75.5, 28.2, "kernels: all of\nwhat was asked for", ha="center", va="top", fontsize=8.5, color="0.2")
    return figure


_MEASURED = """
import sys, threading
import lazy4d as l4
l4.set_options(progress=False)
def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("RssAnon"))
s = l4.load(sys.argv[1], frame_shape=(256, 256), dtype="<u2", scan_shape=(-1, 256))
most, ended = 0.0, threading.Event()
def watch():
    global most
    while not ended.wait(0.002):
        most = max(most, anonymous())
watcher = threading.Thread(target=watch)
watcher.start()
l4.compute(s.get_virtual_image(l4.CircleROI(128, 128, 40)), s.mean())
ended.set()
watcher.join()
print(most)
"""


def memory() -> Figure:
    """Anonymous memory while a virtual image and a mean pattern are computed of sparse files of several sizes."""
    sizes, grown = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.raw"
        for rows in (4, 8, 16, 32, 64, 128):
            with open(path, "wb") as file:
                file.truncate(rows * 256 * 256 * 256 * 2)
            done = subprocess.run(
                [sys.executable, "-c", _MEASURED, str(path)], capture_output=True, text=True, check=True
            )
            sizes.append(path.stat().st_size / 1e9)
            grown.append(float(done.stdout))

    figure = Figure(figsize=(5.2, 2.9), dpi=120, layout="constrained")
    ax = figure.subplots()
    ax.plot(sizes, [1e3 * size for size in sizes], "--", color=GREY, label="the file, if it were held")
    ax.plot(sizes, grown, "o-", color=BLUE, label="the whole process, Python included")
    ax.set(xscale="log", yscale="log", xlabel="file (GB)", ylabel="memory (MB)", ylim=(30, 2e4))
    ax.set_xticks(sizes, [f"{size:.2g}" for size in sizes])
    ax.minorticks_off()
    ax.legend(frameon=False, loc="upper left")
    return figure


def precision() -> Figure:
    """Relative error of sums of counts in float32 and in 64-bit integers, by the number of frames."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(900, 2**20)
    exact, single = np.cumsum(counts), np.cumsum(counts.astype("f4"), dtype="f4")
    frames = np.unique(np.geomspace(1, counts.size, 200).astype(int)) - 1
    figure = Figure(figsize=(5.2, 2.9), dpi=120, layout="constrained")
    ax = figure.subplots()
    ax.plot(frames + 1, np.abs(single[frames] - exact[frames]), color=ORANGE, label="float32")
    ax.plot(frames + 1, np.zeros(frames.size), color=BLUE, label="64-bit integers")
    ax.set(xscale="log", xlabel="frames summed, 900 counts a pixel", ylabel="error of the sum (counts)")
    ax.legend(frameon=False, loc="upper left")
    return figure


def missing() -> Figure:
    """A virtual image of which some frames are missing, as zeros and as NaN."""
    scan = simulated_scan((40, 48), (64, 64), dose=3000, seed=3)
    s = l4.Diffraction2D(scan.as_array())
    with l4.set_options(progress=False):
        image = s.get_virtual_image(l4.CircleROI(32, 32, 6)).compute().data.astype(float)
    gone = np.zeros(image.shape, bool)
    gone[12, 20:44], gone[27, 5:19], gone[34:] = True, True, True
    figure = Figure(figsize=(7.2, 2.7), dpi=120, layout="constrained")
    for ax, fill, title in zip(figure.subplots(1, 2), (0.0, np.nan), ("as zeros", "as NaN"), strict=True):
        shown = np.where(gone, fill, image)
        drawn = ax.imshow(shown, cmap="gray")
        ax.set(xticks=[], yticks=[], facecolor="#b8d4ea")
        ax.set_title(f"{title}: mean {np.nanmean(shown):.0f} counts", fontsize=10)
        figure.colorbar(drawn, ax=ax, label="counts")
    return figure


def main(wanted: list[str]) -> None:
    """Draw the pictures that are named, or all."""
    pages, drawn = ("tutorial.md", "howto/view.md"), (one_pass, memory, precision, missing)
    for page in pages:
        if not wanted or page in wanted:
            of_page(page)
    for draw in drawn:
        if not wanted or draw.__name__ in wanted:
            draw().savefig(IMAGES / f"{draw.__name__}.png")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Figures as files that journals take: fonts inside, text as text, the same bytes for the same figure."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg", "eps", "tif", "tiff", "jpg", "jpeg", "webp")

DPI = 300.0
"""Dots an inch that journals ask of pictures; of pdf, svg and eps, of the images inside them."""

_SETTINGS: dict[str, Any] = {
    "pdf.fonttype": 42,  # TrueType, embedded: can be edited, and is taken by journals that refuse Type 3
    "ps.fonttype": 42,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "lazy4d",  # names of parts do not change from run to run
    "path.simplify": True,
}


def save_figure(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    dpi: float | None = None,
    title: str = "",
    tight: bool | None = None,
    transparent: bool = False,
) -> Path:
    """Write a figure to a file, its format chosen by the suffix, and give the path.

    Fonts are embedded as TrueType in pdf and eps, and text in svg stays text. No date is written: the same figure gives
    the same bytes. A file is complete or not there, also when writing fails.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Such as those of `plot_images`, or any other.
    path : str or path
        Ends with .png, .pdf, .svg, .eps, .tif, .jpg or .webp.
    dpi : float, optional
        Dots an inch; by default 300.
    title : str
        Written into the file, where its format has a place for that; by default what stands above the figure.
    tight : bool, optional
        Cut off what is white around the figure. By default only of figures that do not arrange themselves, as others
        would lose the width they were made for.
    transparent : bool
        No background, where the format allows.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        A suffix that is no format, or dpi that are not above 0.
    FileNotFoundError
        The folder does not exist.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> figure = l4.plot.panel({"mean": d.mean()})
    >>> path = save_figure(figure, mkdtemp() + "/mean.pdf")
    >>> b"/FontFile2" in path.read_bytes()
    True
    """
    target = Path(path)
    suffix = target.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise ValueError(f"{str(target)!r}: expected a file name that ends with one of .{', .'.join(FORMATS)}")
    dpi = DPI if dpi is None else float(dpi)
    if not 0 < dpi < 1e5:
        raise ValueError(f"dpi={dpi!r}: expected dots an inch above 0, such as 300")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{str(target.parent)!r} is no folder: make it before a figure is saved in it")
    heading = figure.get_suptitle() if not title else title
    cut = figure.get_layout_engine() is None if tight is None else tight
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with rc_context(_SETTINGS):  # type: ignore[arg-type]  # names of settings are plain text here
        try:
            figure.savefig(
                part,
                format=suffix,
                dpi=dpi,
                bbox_inches="tight" if cut else None,
                transparent=transparent,
                **_details(suffix, heading),
            )
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    return target


def png_of(figure: Figure, dpi: float | None = None) -> bytes:
    """A figure as PNG, at its own resolution unless another is asked for: for notebooks whose pictures do not live.

    Examples
    --------
    >>> png_of(Figure((1, 1)))[1:4]
    b'PNG'
    """
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi="figure" if dpi is None else dpi, pil_kwargs={"compress_level": 1})
    return written.getvalue()


def _details(suffix: str, title: str) -> dict[str, Any]:
    """What is said about the figure in the file: title and software, and never the time."""
    software = _software()
    named: dict[str, Any] = {"Title": title} if title else {}
    if suffix == "png":
        return {"metadata": {**named, "Software": software}}
    if suffix == "pdf":
        return {"metadata": {**named, "Creator": software, "CreationDate": None}}
    if suffix == "svg":
        return {"metadata": {**named, "Creator": software, "Date": None}}
    if suffix == "eps":
        return {"metadata": {"Creator": software}}
    if suffix in ("tif", "tiff"):
        return {"pil_kwargs": {"compression": "tiff_lzw", "software": software, "description": title or "figure"}}
    return {}


def _software() -> str:
    from matplotlib import __version__ as version

    return f"lazy4d, matplotlib {version}"

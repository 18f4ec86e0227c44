from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lazy4d.plot.saving import FORMATS, save_figure


@pytest.fixture
def figure() -> Figure:
    made = Figure(figsize=(2.0, 1.5), layout="constrained")
    FigureCanvasAgg(made)
    ax = made.add_subplot()
    ax.imshow(np.arange(12.0).reshape(3, 4))
    ax.set_title("ångström, ε and 111")
    made.suptitle("what it shows")
    return made


def pdf_objects(content: bytes) -> bytes:
    """The plain bytes of a PDF, streams unpacked where they are packed."""
    found = [content]
    for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.S):
        try:
            found.append(zlib.decompress(part))
        except zlib.error:
            found.append(part)
    return b"\n".join(found)


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "tif", "jpg", "webp"])
def test_the_same_figure_gives_the_same_bytes(figure: Figure, tmp_path: Path, suffix: str) -> None:
    first = save_figure(figure, tmp_path / f"a.{suffix}", dpi=60)
    second = save_figure(figure, tmp_path / f"b.{suffix}", dpi=60)
    assert first == tmp_path / f"a.{suffix}"
    assert len(first.read_bytes()) > 500
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


def test_a_pdf_embeds_its_fonts_as_truetype_and_carries_no_date(figure: Figure, tmp_path: Path) -> None:
    content = pdf_objects(save_figure(figure, tmp_path / "a.pdf").read_bytes())
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"CreationDate" not in content
    assert b"what it shows" in content
    assert b"lazy4d" in content


def test_text_in_svg_is_text(figure: Figure, tmp_path: Path) -> None:
    content = save_figure(figure, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert ">ångström, ε and 111</text>" in content
    assert "<dc:date>" not in content
    assert "what it shows" in content


def test_settings_of_the_user_come_back(figure: Figure, tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    save_figure(figure, tmp_path / "a.pdf")
    assert dict(matplotlib.rcParams) == before


def test_resolution_size_and_words_of_a_png(figure: Figure, tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(save_figure(figure, tmp_path / "a.png", title="mine")) as shown:
        assert shown.size == (600, 450)  # 2 x 1.5 inches at 300: nothing cut off
        assert shown.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert (shown.info["Title"], shown.info["Software"][:6]) == ("mine", "lazy4d")
    with Image.open(save_figure(figure, tmp_path / "a.tif", dpi=100)) as shown:
        assert (shown.size, shown.info["compression"]) == ((200, 150), "tiff_lzw")


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_written_and_needs_no_title(tmp_path: Path, suffix: str) -> None:
    figure = Figure(figsize=(1.0, 1.0))
    FigureCanvasAgg(figure)
    assert save_figure(figure, tmp_path / f"a.{suffix}", dpi=40).stat().st_size > 50


def test_white_is_cut_off_where_asked(tmp_path: Path) -> None:
    from PIL import Image

    figure = Figure(figsize=(4.0, 4.0))
    FigureCanvasAgg(figure)
    figure.add_axes((0.4, 0.4, 0.2, 0.2))
    with Image.open(save_figure(figure, tmp_path / "cut.png", dpi=50)) as cut:
        assert max(cut.size) < 100  # it does not arrange itself, so it is cut by default
    with Image.open(save_figure(figure, tmp_path / "whole.png", dpi=50, tight=False)) as whole:
        assert whole.size == (200, 200)


def test_nothing_is_left_of_a_figure_that_cannot_be_drawn(
    figure: Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"an earlier figure")

    def half(path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half of a file")
        raise OSError("no space left")

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(OSError, match="no space"):
        save_figure(figure, target)
    assert target.read_bytes() == b"an earlier figure"
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_written_is_refused(figure: Figure, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'.*a.gif': expected a file name that ends with one of .png"):
        save_figure(figure, tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError, match="is no folder"):
        save_figure(figure, tmp_path / "absent" / "a.png")
    with pytest.raises(ValueError, match=r"dpi=0\.0: expected dots"):
        save_figure(figure, tmp_path / "a.png", dpi=0)

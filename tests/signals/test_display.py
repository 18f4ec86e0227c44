"""How signals look."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy import Frames
from lazy4d.signals.display import human_bytes, svg

U2 = np.dtype("uint16")


@dataclass(frozen=True)
class HugeSource:
    """Only the sizes of a scan."""

    nav_shape: tuple[int, ...] = (256, 512)
    frame_shape: tuple[int, ...] = (256, 256)
    dtype: Any = U2
    token: str = "huge"
    incomplete: str = "raise"
    frame_nbytes: int = 131072


def test_the_line_of_a_big_scan() -> None:
    signal = l4.Diffraction2D(Frames.from_source(HugeSource(), chunks=4), title="scan")
    assert repr(signal) == (
        "<Diffraction2D, title: scan, dimensions: (512, 256|256, 256), uint16, lazy 17 GB, 64 blocks>"
    )
    half = l4.Diffraction2D(Frames.from_source(HugeSource((128, 512)), chunks=2), title="scan")
    assert "uint16, lazy 8.6 GB, 64 blocks>" in repr(half)


def test_lines_of_small_signals() -> None:
    assert repr(l4.VirtualImage(np.zeros((3, 4)))) == "<VirtualImage, title: , dimensions: (4, 3|), float64, 96 B>"
    assert repr(l4.Signal1D(np.zeros(5, "u1"))) == "<Signal1D, title: , dimensions: (|5), uint8, 5 B>"
    assert "lazy 5 B, 1 block>" in repr(l4.Signal1D(np.zeros(5, "u1")) + 1)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999499, "999 kB"),
        (999500, "1.0 MB"),
        (1.6e12, "1.6 TB"),
        (5e15, "5000 TB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


def test_html_escapes_and_draws(any_scan: Any) -> None:
    any_scan.metadata.General.title = "<b>&</b>"
    page = any_scan._repr_html_()
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page
    assert page.count("<svg") == (2 if any_scan.nav_shape else 1)
    for part in page.split("<svg")[1:]:
        ET.fromstring("<svg" + part.split("</svg>")[0] + "</svg>")


def test_many_blocks_are_drawn_as_few_lines() -> None:
    assert svg(((1,) * 5000, (100,))).count("<line") == 23

"""The code on the pages of docs/ runs, in order, as a reader would type it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import simulated_scan

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {"diffraction.md": {"kind": "grains", "descan": 6.0}, "vectors.md": {"kind": "strain", "dose": 1e5}}
"""The pages, and what kind of scan `s` is on each."""


@pytest.mark.parametrize("page", PAGES)
def test_code_of_a_page_runs(page: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 3
    scan = simulated_scan((6, 8), (128, 128), **PAGES[page])
    names = {"s": l4.Diffraction2D(np.asarray(scan.as_array()), title="scan")}
    with l4.set_options(progress=False):
        for block in blocks:
            exec(compile(block, page, "exec"), names)
        results = [value for value in names.values() if isinstance(value, l4.BaseSignal)]
        for vectors in [value for value in names.values() if isinstance(value, l4.DiffractionVectors)]:
            assert vectors.compute().ragged.total
        for result in l4.compute(*results):
            assert np.isfinite(result.as_numpy()).any()

"""The tools of the browser tests themselves, on a figure of ten lines: is a time a time, and a byte a byte?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.browser.notebook_page import NotebookPage

pytestmark = pytest.mark.browser

SETUP = """
%matplotlib widget
import matplotlib.pyplot as plt, numpy as np
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.5), layout="constrained")
steps = np.arange(64.0).reshape(8, 8)
left.imshow(steps)
picture = right.imshow(np.zeros((32, 32)), vmin=0, vmax=63)
seen = []

def clicked(event):
    if event.inaxes is left and event.button == 1:
        seen.append((round(event.xdata), round(event.ydata)))
        picture.set_data(np.full((32, 32), steps[seen[-1][::-1]]))
        figure.canvas.draw_idle()

figure.canvas.mpl_connect("button_press_event", clicked)
figure.canvas.mpl_connect("motion_notify_event", clicked)
"""


def test_a_click_reaches_the_kernel_and_its_answer_the_screen(
    open_notebook: Callable[..., NotebookPage], artefacts: Path
) -> None:
    notebook = open_notebook(SETUP)
    notebook.run_all()
    figure = notebook.figure()
    figure.watch(figure.box_of("right", margin=3))
    figure.settle()
    notebook.wire.reset()
    figure.arm()
    figure.click(figure.point("left", 5, 3))
    change = figure.next_change()
    assert change is not None
    assert 0 < change.drawn <= change.shown < 60_000
    figure.settle()
    assert notebook.kernel.value("seen") == [[5, 3]]
    assert 200 < notebook.wire.received < 2_000_000
    assert notebook.wire.sent > 0

    # what is on the screen is what matplotlib drew, to the last pixel
    drawn = notebook.kernel.value("np.asarray(figure.canvas.get_renderer().buffer_rgba())")
    np.testing.assert_array_equal(figure.pixels(), drawn)
    left, top, width, height = figure.box_of("right", margin=3)
    color = notebook.kernel.value("picture.to_rgba(np.full((1, 1), steps[3, 5]), bytes=True)")[0, 0]
    assert (figure.pixels()[top : top + height, left : left + width] == color).all()
    notebook.screenshot(artefacts / "harness.png")


def test_a_click_that_changes_nothing_is_no_change(open_notebook: Callable[..., NotebookPage]) -> None:
    notebook = open_notebook(SETUP)
    notebook.run_all()
    figure = notebook.figure()
    figure.watch(figure.box_of("right", margin=3))
    figure.settle()
    figure.arm()
    figure.click(figure.point("left", 0, 0))  # the picture is all 0 already
    assert notebook.wait_for("seen") == [[0, 0]]
    assert figure.next_change(timeout=1.0) is None


def test_an_error_in_a_cell_is_raised(open_notebook: Callable[..., NotebookPage]) -> None:
    notebook = open_notebook("1 / 0")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        notebook.run_all()

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from matplotlib.testing.compare import compare_images

import lazy4d as l4
from lazy4d.plot import samples
from lazy4d.plot.histogram import plot_histograms
from lazy4d.plot.saving import save_figure

BASELINE = Path(__file__).parent / "baseline"


def steps(figure: Any, panel: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Counts and edges of each histogram, as drawn."""
    found = [one for one in figure.axes[panel].patches if not one.get_fill()]
    return [(np.asarray(one.get_data().values), np.asarray(one.get_data().edges)) for one in found]


def legend(figure: Any, panel: int = 0) -> list[str]:
    return [text.get_text() for text in figure.axes[panel].get_legend().get_texts()]


def test_counts_are_those_of_numpy_and_bins_are_common() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=(30, 40)), rng.normal(3, 1, 500)
    figure = plot_histograms({"one": one, "two": two}, bins=16)
    (first, edges), (second, same) = steps(figure)
    np.testing.assert_array_equal(edges, same)
    assert edges.size == 17
    assert (edges[0], edges[-1]) == (min(one.min(), two.min()), max(one.max(), two.max()))
    np.testing.assert_array_equal(first, np.histogram(one, edges)[0])
    np.testing.assert_array_equal(second, np.histogram(two, edges)[0])
    assert legend(figure) == ["one: n = 1200", "two: n = 500"]


def test_what_is_not_finite_is_left_out_and_counted() -> None:
    values = np.r_[np.linspace(0, 1, 50), np.nan, np.nan, np.inf]
    figure = plot_histograms(values)
    assert legend(figure) == ["n = 50, 3 not finite"]
    assert steps(figure)[0][0].sum() == 50


def test_far_outliers_do_not_decide_and_are_counted() -> None:
    values = np.r_[np.linspace(0, 1, 4000), 500.0, 600.0, -700.0]
    figure = plot_histograms(values)
    edges = steps(figure)[0][1]
    assert -0.01 < edges[0] < edges[-1] < 1.01
    assert legend(figure)[0].startswith("n = 4003, ")
    assert legend(figure)[0].endswith(" beyond")
    full = plot_histograms(values, range="full")
    assert (steps(full)[0][1][0], steps(full)[0][1][-1]) == (-700, 600)
    assert legend(full) == ["n = 4003"]
    part = plot_histograms(values, range=(0.0, 0.5), bins=2)
    assert steps(part)[0][1].tolist() == [0, 0.25, 0.5]


def test_whole_numbers_have_bins_of_whole_width() -> None:
    figure = plot_histograms(np.array([0, 0, 1, 3, 3, 3]))
    counts, edges = steps(figure)[0]
    assert (counts.tolist(), edges.tolist()) == ([2, 1, 0, 3], [-0.5, 0.5, 1.5, 2.5, 3.5])
    wide = steps(plot_histograms(np.arange(1000)))[0]
    assert set(np.diff(wide[1])) == {5.0}
    assert set(wide[0]) == {5}
    flags = steps(plot_histograms(np.array([True, False, True])))[0]
    assert (flags[0].tolist(), flags[1].tolist()) == ([1, 2], [-0.5, 0.5, 1.5])


def test_whole_numbers_beyond_float64_can_be_told_apart() -> None:
    figure = plot_histograms(2**62 + np.array([0, 1, 1, 2]))
    assert steps(figure)[0][0].tolist() == [1, 2, 1]
    assert figure.axes[0].get_xlabel() == f"value − {2**62}"


def test_density_and_logarithmic_counts() -> None:
    figure = plot_histograms(
        {"few": np.array([0.1, 0.9]), "many": np.linspace(0, 1, 1000)}, bins=[0, 0.5, 1], density=True
    )
    for heights, _ in steps(figure):
        np.testing.assert_allclose(heights, [1, 1])
    assert figure.axes[0].get_ylabel() == "density"
    log = plot_histograms(np.array([0.0, 1.0]), bins=4, log=True).axes[0]
    assert (log.get_yscale(), log.get_ylim()[0]) == ("log", 0.5)


def test_labels_come_from_the_signals() -> None:
    image = l4.VirtualImage(np.arange(6.0).reshape(2, 3), title="phase")
    image.metadata.set_item("Signal.quantity", "phase (rad)")
    assert plot_histograms(image).axes[0].get_xlabel() == "phase (rad)"
    other = l4.VirtualImage(np.arange(6.0).reshape(2, 3), title="counts")
    assert plot_histograms([image, other]).axes[0].get_xlabel() == "value"
    assert plot_histograms([image], label="angle").axes[0].get_xlabel() == "angle"


def test_a_histogram_that_was_counted_already_is_drawn_as_it_is(d: l4.Diffraction2D) -> None:
    counted = d.get_histogram(bins=7, range=(0, 70))
    figure = plot_histograms(counted)
    counts, edges = steps(figure)[0]
    np.testing.assert_array_equal(counts, counted.as_numpy())
    np.testing.assert_allclose(edges, np.linspace(0, 70, 8))
    assert legend(figure) == [f"n = {int(counted.as_numpy().sum())}"]


def test_columns_of_vectors_in_their_units() -> None:
    v = l4.DiffractionVectors([[[3, 4, 10.0]], [[3, 5, 11.0], [6, 1, 2.0]]], frame_shape=(8, 8))
    v.set_calibration(scale=0.5, units="1/Å", center=(4, 4))
    figure = plot_histograms({"all": v, "first": v.inav[:1]}, column=("kx", "intensity"), bins=[-2, 0, 2, 20])
    assert [ax.get_xlabel() for ax in figure.axes] == ["kx (Å⁻¹)", "intensity"]
    assert [counts.tolist() for counts, _ in steps(figure)] == [[1, 2, 0], [0, 1, 0]]  # kx: 0, 0.5, -1.5
    assert legend(figure, 1) == ["all: n = 3", "first: n = 1"]
    assert plot_histograms(v).axes[0].get_xlabel() == "intensity"
    table = plot_histograms(v.flatten(calibrated=True), column="kx")
    assert table.axes[0].get_xlabel() == "kx (Å⁻¹)"


def test_what_is_too_large_to_be_held_is_counted_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    counts = rng.poisson(3, (4, 5, 12, 10)).astype("u2")
    floats = rng.normal(size=(4, 5, 12, 10))
    floats[0, 0, 0, :3] = np.nan
    lazy = {
        "counts": l4.Diffraction2D(da.from_array(counts, chunks=(2, 5, 12, 10))),
        "floats": l4.Diffraction2D(da.from_array(floats, chunks=(2, 5, 12, 10))),
    }
    monkeypatch.setattr(samples, "MOST_HELD", 1000)
    whole = plot_histograms({"counts": lazy["counts"]})
    np.testing.assert_array_equal(steps(whole)[0][0], np.bincount(counts.ravel()))
    edges = np.linspace(-4, 4, 9)
    figure = plot_histograms({"floats": lazy["floats"]}, bins=edges)
    expected = np.histogram(floats[np.isfinite(floats)], edges)[0]
    assert np.abs(steps(figure)[0][0] - expected).max() <= 1  # of fine bins that lie across an edge
    assert legend(figure) == ["n = 2397, 3 not finite"]
    inside = int(np.isin(counts, (2, 3, 4)).sum())
    for data in (lazy["counts"], counts):
        figure = plot_histograms(data, range=(1.5, 4.5), bins=3)
        assert legend(figure) == [f"n = 2400, {2400 - inside} beyond"]
        np.testing.assert_array_equal(steps(figure)[0][0], np.bincount(counts.ravel())[2:5])


def test_large_and_small_signals_are_computed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    from lazy4d.lazy import run

    calls = []
    compute = run.compute
    monkeypatch.setattr(run, "compute", lambda *a, **k: calls.append(len(a)) or compute(*a, **k))
    s = l4.Diffraction2D(da.from_array(np.ones((4, 5, 12, 10), "u2"), chunks=(2, 5, 12, 10)), title="s")
    plot_histograms([s.get_total_intensity(), s])
    assert [count for count in calls if count] == [2]
    monkeypatch.setattr(samples, "MOST_HELD", 1000)
    calls.clear()
    plot_histograms([s.get_total_intensity(), s])
    assert [count for count in calls if count] == [
        3,
        2,
    ]  # image, smallest and largest; then the counts, and of all finite values


@pytest.mark.parametrize(
    "values",
    [
        np.full(9, np.nan), np.ones(9), np.array(3.0), np.array([1e300, -1e300]), 10.0 ** np.linspace(-30, 30, 50),
        np.zeros(0), np.array([np.inf, 1.0]), np.float16([1, 2, 3]), np.array([0.0, 5e-324]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("log", [False, True])
def test_extreme_data_are_drawn(values: np.ndarray, log: bool) -> None:
    figure = plot_histograms({"x": values}, log=log, dpi=40)
    figure.canvas.draw()
    assert legend(figure)[0].startswith(f"n = {np.isfinite(values).sum()}")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: plot_histograms([]), "expected at least one"),
        (lambda v: plot_histograms(np.ones(3) * 1j), "needs real numbers, found dtype complex128"),
        (lambda v: plot_histograms({"x": ["a"]}), "'x': a histogram needs real numbers"),
        (lambda v: plot_histograms(np.ones(3), column="kx"), "column='kx': expected vectors"),
        (lambda v: plot_histograms(v, column="score"), "expected columns out of ky, kx, found 'score'"),
        (lambda v: plot_histograms({"v": v, "x": np.ones(3)}), "expected vectors alone, or none"),
        (lambda v: plot_histograms(np.ones(3), bins=0), "bins=0: expected at least one bin"),
        (lambda v: plot_histograms(np.ones(3), bins=[1, 1]), "two ascending edges"),
        (lambda v: plot_histograms(np.ones(3), range=(1, 0)), "range=.*low below high"),
        (lambda v: plot_histograms(np.ones(3), range="half"), "range='half'"),
    ],
)
def test_what_cannot_be_counted_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(l4.DiffractionVectors([[[3, 4]]], frame_shape=(8, 8)))


def test_the_figure_looks_as_it_did(tmp_path: Path) -> None:
    x = np.linspace(-3, 3, 3000)
    values = np.sign(x) * np.abs(x) ** 1.5
    figure = plot_histograms(
        {"one": values, "two": np.r_[values / 2 + 2, np.nan]},
        title="Two distributions",
        label="shift (px)",
        width="single",
    )
    save_figure(figure, tmp_path / "histogram.png", dpi=90)
    assert compare_images(str(BASELINE / "histogram.png"), str(tmp_path / "histogram.png"), tol=4) is None

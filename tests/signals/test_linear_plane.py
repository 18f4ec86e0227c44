"""`get_linear_plane`: exact with NaNs, deaf to outliers, independent of blocks and schedulers, one pass over a file."""

from __future__ import annotations

from typing import Any

import cloudpickle
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.lazy import Frames

Floats = NDArray[np.float64]
COEFFICIENTS = np.array([[64.0, 60.0], [3.0, -1.0], [0.5, 2.0], [0.7, 0.1], [-0.3, 0.2], [0.4, -0.6]])


def design(shape: tuple[int, ...], model: str) -> Floats:
    """Terms by numpy alone: 1, the coordinates from -1 to 1, and their products: [terms, positions]."""
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape]
    grid = [one.ravel() for one in np.meshgrid(*axes, indexing="ij")]
    terms = [np.ones(int(np.prod(shape)))]
    if model != "constant":
        terms += grid
    if model == "parabola":
        terms += [grid[i] * grid[j] for i in range(len(grid)) for j in range(i, len(grid))]
    return np.array(terms)


def descan(shape: tuple[int, ...], model: str = "plane", seed: int = 0) -> Floats:
    terms = design(shape, model)
    numbers = COEFFICIENTS if len(terms) <= 6 else np.random.default_rng(seed).normal(0, 2, (len(terms), 2))
    return (terms.T @ numbers[: len(terms)]).reshape(*shape, 2)


def positions(values: Floats, chunks: Any = "auto", **options: Any) -> l4.BeamPosition:
    result = l4.BeamPosition(Frames.from_array(values, values.ndim - 1, chunks=chunks), title="beam", **options)
    result.metadata.set_item("BeamPosition.center", [64, 64])
    return result


def noisy(shape: tuple[int, ...], noise: float = 0.1, model: str = "plane", seed: int = 0) -> tuple[Floats, Floats]:
    truth = descan(shape, model)
    return truth, truth + np.random.default_rng(seed).normal(0, noise, truth.shape)


@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize("model", ["plane", "parabola", "constant"])
@pytest.mark.parametrize("shape", [(40,), (9, 14), (3, 6, 7), (1, 30), (12, 1)], ids=str)
def test_exact_with_missing_positions(shape: tuple[int, ...], model: str, robust: bool) -> None:
    varied = tuple(n for n in shape if n > 1)
    truth = descan(varied, model).reshape(*shape, 2)
    values = truth.copy()
    values[np.random.default_rng(1).random(shape) < 0.2] = np.nan
    fit = positions(values, chunks=3).get_linear_plane(model, robust=robust).compute()
    np.testing.assert_allclose(fit.data, truth, rtol=0, atol=1e-9)
    np.testing.assert_allclose(fit.residual.as_numpy(), values - truth, rtol=0, atol=1e-9)


@pytest.mark.parametrize("model", ["plane", "parabola"])
def test_least_squares_are_those_of_numpy(model: str) -> None:
    _, values = noisy((11, 7), 0.5)
    weights = np.random.default_rng(2).random((11, 7))
    values[2, 3] = np.nan
    weights[4, 4] = 0
    fit = positions(values, ((4, 5, 2), (3, 4))).get_linear_plane(model, robust=False, weights=weights)
    terms = design((11, 7), model)
    good = np.isfinite(values[..., 0].ravel())
    root = np.sqrt(weights.ravel())[good]
    expected = np.linalg.lstsq(terms[:, good].T * root[:, None], values.reshape(-1, 2)[good] * root[:, None])[0]
    np.testing.assert_allclose(fit.as_numpy().reshape(-1, 2), terms.T @ expected, rtol=1e-12)
    np.testing.assert_allclose(fit.coefficients.as_numpy(), expected.T, rtol=1e-10, atol=1e-10)


def test_noise_gives_the_error_that_it_must() -> None:
    """Within 5 sigma / sqrt(N) for every coefficient; sums of squared coordinates are about N / 3."""
    truth, values = noisy((60, 70), 0.2)
    terms = np.linalg.lstsq(design((60, 70), "plane").T, truth.reshape(-1, 2))[0].T
    for robust in (True, False):
        found = positions(values).get_linear_plane(robust=robust).coefficients.as_numpy()
        assert np.all(np.abs(found - terms) < 5 * 0.2 / np.sqrt(60 * 70 / np.array([1, 3, 3])))


def gross(kind: str, shape: tuple[int, int], rng: Any) -> tuple[NDArray[np.bool_], Any]:
    """Which positions are wrong, and by how much."""
    y, x = np.indices(shape) / np.array(shape)[:, None, None]
    if kind == "10 % anywhere":
        wrong = rng.random(shape) < 0.1
        return wrong, rng.normal(0, 40, (wrong.sum(), 2))
    if kind == "20 % one-sided":
        wrong = rng.random(shape) < 0.2
        return wrong, rng.uniform(1, 50, (wrong.sum(), 2))
    if kind == "corner":
        wrong = (y < 0.4) & (x > 0.6)
        return wrong, np.array([8.0, -3.0]) + rng.normal(0, 0.1, (wrong.sum(), 2))
    wrong = y + 0.3 * x > 0.75  # 40 % on one side, consistent among themselves
    return wrong, np.array([5.0, 5.0]) + rng.normal(0, 0.1, (wrong.sum(), 2))


@pytest.mark.parametrize("model", ["plane", "parabola"])
@pytest.mark.parametrize("kind", ["10 % anywhere", "20 % one-sided", "corner", "side"])
def test_gross_outliers(kind: str, model: str) -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        truth, values = noisy((48, 64), 0.1, model, seed)
        wrong, by = gross(kind, (48, 64), rng)
        values[wrong] += by
        values[rng.random((48, 64)) < 0.05] = np.nan
        fit = positions(values).get_linear_plane(model).as_numpy()
        worst = 0.05 if kind != "side" else 0.1  # a side that is missing has to be extrapolated to
        assert np.abs(fit - truth).max() < worst, (kind, seed, np.abs(fit - truth).max())
        assert np.abs(positions(values).get_linear_plane(model, robust=False).as_numpy() - truth).max() > 0.5


def test_a_scan_larger_than_the_sample() -> None:
    """More positions than a robust fit holds at once: all take part in the last steps."""
    truth, values = noisy((150, 160), 0.3)
    wrong = np.random.default_rng(5).random((150, 160)) < 0.15
    values[wrong] += 20
    fit = positions(values, chunks=13).get_linear_plane().as_numpy()
    assert np.abs(fit - truth).max() < 5 * 0.3 * np.sqrt(7 / (0.85 * 150 * 160))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=3).filter(lambda sizes: np.prod(sizes) >= 8),
    st.integers(0, 2**16),
    st.data(),
)
def test_any_cut_into_blocks_gives_the_same(shape: list[int], seed: int, data: Any) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(20, 3, (*shape, 2))
    cut = tuple(data.draw(st.integers(1, n)) for n in shape)
    for robust in (True, False):
        whole = positions(values).get_linear_plane(robust=robust).as_numpy()
        parts = positions(values, cut).get_linear_plane(robust=robust).as_numpy()
        np.testing.assert_allclose(parts, whole, rtol=1e-9)


def test_every_scheduler(scheduler: str) -> None:
    truth, values = noisy((20, 16))
    values[3:6, 4:9] += 30
    com = positions(values, chunks=6)
    fit, numbers = l4.compute(com.get_linear_plane(), com.get_linear_plane("parabola").coefficients)
    assert np.abs(fit.data - truth).max() < 0.05
    assert numbers.data.shape == (2, 6)


def disks(shape: tuple[int, ...] = (6, 8)) -> l4.Diffraction2D:
    from lazy4d.data import simulated_scan

    scan = simulated_scan(shape, (24, 32), kind="disk", disk_radius=4.0, descan=3.0, dose=3000, seed=3)
    s = l4.Diffraction2D(scan.as_array(), title="scan")
    s.set_calibration(**scan.signal_parameters)
    return s.rechunk(2)


def test_building_is_lazy_and_nothing_big_is_in_the_graph(tmp_path: Any, no_compute: Any) -> None:
    np.save(tmp_path / "scan.npy", np.ones((300, 400, 2, 3), "uint8"))
    s = l4.load(tmp_path / "scan.npy", chunks=100)
    com = s.get_direct_beam_position()
    with no_compute:
        fit = com.get_linear_plane(mask=s.get_total_intensity() > 0)
        assert fit.lazy
        assert fit.residual.lazy
        assert fit.coefficients.lazy
        assert "lazy" in repr(fit)
    before, after = (len(cloudpickle.dumps(one.data.dask)) for one in (com, fit))
    assert after - before < 60_000


def test_one_pass_over_the_file(tmp_path: Any) -> None:
    pixels = disks().as_numpy()
    np.save(tmp_path / "scan.npy", pixels)
    s = l4.load(tmp_path / "scan.npy", chunks=2)
    com = s.get_direct_beam_position()
    fit = com.get_linear_plane(mask=s.get_total_intensity() > 0, weights=com.score)
    plan = s.explain(fit, fit.residual, fit.coefficients, s.get_total_intensity())
    frames = pixels[0, 0].nbytes
    assert [p.nbytes for p in plan.passes if p.nbytes >= 48 * frames] == [48 * frames]
    fitted, residual, numbers, _ = plan.compute(progress=False)
    np.testing.assert_allclose(residual.data, fitted.measured.data - fitted.data)
    assert numbers.data.shape == (2, 3)


def test_what_stands_beside_a_fit_survives() -> None:
    com = disks().get_direct_beam_position()
    fit = com.get_linear_plane().compute()
    assert isinstance(fit, l4.BeamPosition)
    assert not fit.lazy
    assert not fit.measured.lazy
    assert not fit.measured.score.lazy
    np.testing.assert_array_equal(fit.measured.data, com.as_numpy())
    assert fit.axes_manager.equals(com.axes_manager)
    assert fit.history[-1].op == "get_linear_plane"
    part = fit.inav[2:7, 1]
    np.testing.assert_allclose(part.residual.as_numpy(), fit.residual.as_numpy()[1, 2:7])
    np.testing.assert_allclose(part.coefficients.as_numpy() @ design((5,), "plane"), fit.data[1, 2:7].T)
    assert fit.residual.center == (0.0, 0.0)
    assert fit.residual.title == "beam position of scan without its plane"
    np.testing.assert_allclose(fit.residual.to_units("1/Å").as_numpy(), fit.residual.as_numpy() * 5.12 / 24)


def test_only_vacuum_counts() -> None:
    truth, values = noisy((30, 40), 0.02)
    inside = np.hypot(*(np.indices((30, 40)) - np.array([15, 20])[:, None, None])) < 14
    values[inside] += np.array([0.0, 4.0])
    field = positions(values).get_linear_plane(robust=False, mask=~inside).residual.as_numpy()
    np.testing.assert_allclose(field[inside].mean(0), [0, 4], atol=0.02)
    roi = l4.RectangleROI(0, 0, 5, 30)
    lazy = l4.VirtualImage(Frames.from_array(~inside, 2, chunks=7))
    for mask in (lazy, l4.VirtualImage(~inside), roi):
        found = positions(values).get_linear_plane(robust=False, mask=mask).as_numpy()
        assert np.abs(found - truth).max() < (0.5 if mask is roi else 0.02)
    assert np.abs(positions(values).get_linear_plane(robust=False).as_numpy() - truth).max() > 1


def test_positions_picked_from_a_scan_keep_their_places() -> None:
    truth, values = noisy((30, 40), 0.0)
    mask = np.random.default_rng(0).random((30, 40)) < 0.2
    picked = positions(values).inav[mask]
    fit = picked.get_linear_plane()
    np.testing.assert_allclose(fit.as_numpy(), truth[mask], atol=1e-9)
    assert fit.coefficients.frame_axes[1].name == "term: 1, y, x"


def test_damaged_frames_stay_marked_and_do_not_count() -> None:
    truth, values = noisy((8, 9), 0.0)
    valid = np.ones((8, 9), bool)
    valid[2, 3] = valid[5] = False
    values[~valid] = 1000
    fit = l4.BeamPosition(values, valid=valid).rechunk(3).get_linear_plane(robust=False).as_numpy()
    np.testing.assert_array_equal(np.isnan(fit).any(axis=-1), ~valid)
    np.testing.assert_allclose(fit[valid], truth[valid], atol=1e-9)
    zeros = l4.BeamPosition(Frames.from_array(values, 2, (4, 9), da.from_array(valid, chunks=(4, 9)), "zero"))
    found = zeros.get_linear_plane(robust=False)
    np.testing.assert_allclose(found.as_numpy(), truth * valid[..., None], atol=1e-9)
    expected = np.linalg.lstsq(design((8, 9), "plane").T, truth.reshape(-1, 2))[0]
    np.testing.assert_allclose(found.coefficients.as_numpy(), expected.T, atol=1e-9)


def test_no_navigation_axes() -> None:
    one = positions(np.array([5.0, 6.0]))
    np.testing.assert_allclose(one.get_linear_plane().as_numpy(), [5, 6])


@pytest.mark.parametrize("robust", [True, False])
def test_too_few_positions_are_named_when_computed(robust: bool) -> None:
    values = np.full((4, 5, 2), np.nan)
    values[0, 0] = values[3, 3] = 1
    fit = positions(values).get_linear_plane(robust=robust)
    with pytest.raises(ValueError, match=r"at least 3 finite positions .* fit a plane, found 2"):
        fit.compute()
    values[2] = 1
    values[:2] = values[3:] = np.nan
    with pytest.raises(ValueError, match="5 positions that count do not determine a plane"):
        positions(values).get_linear_plane(robust=robust).compute()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "cubic"}, "'plane', 'parabola', 'constant'"),
        ({"mask": np.ones((3, 3), bool)}, r"navigation shape \(4, 5\).*found shape \(3, 3\)"),
        ({"mask": np.ones((4, 5))}, "found dtype float64: compare it"),
        ({"mask": np.zeros((4, 5), bool)}, "False everywhere"),
        ({"mask": l4.VirtualImage(np.zeros((4, 5), bool))}, "False everywhere"),
        ({"mask": l4.VirtualImage(np.ones((4, 4), bool))}, "found <VirtualImage"),
        ({"weights": np.ones((4, 5), complex)}, "real numbers"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        positions(np.zeros((4, 5, 2))).get_linear_plane(**options)


def test_a_fit_only_has_what_it_has() -> None:
    com = positions(np.zeros((4, 5, 2)))
    for name in ("measured", "residual"):
        with pytest.raises(ValueError, match="no measured positions beside it"):
            getattr(com, name)
    with pytest.raises(ValueError, match="no fitted surface"):
        _ = com.coefficients
    with pytest.raises(ValueError, match="selects from two navigation axes, found 1"):
        com.inav[0].get_linear_plane(mask=l4.CircleROI(1, 1, 1))

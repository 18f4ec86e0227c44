"""Filters across the scan: against scipy on the whole array, on truth, on damaged scans, in any blocks."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.signals.neighbours import METHODS, gaussian_taps
from tests.signals.conftest import make_scan

SIMPLE: dict[str, dict[str, Any]] = {
    "gaussian": {"sigma": (1, 2)},
    "mean": {"size": (3, 5)},
    "sum": {"size": 3, "footprint": "circle"},
    "median": {"size": 3},
    "non-local means": {"size": 3, "bin": 2},
}
CIRCLE = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def twin(method: str, pixels: NDArray[Any]) -> NDArray[Any]:
    """What `SIMPLE` asks for, by scipy on all of it, mirrored at the edges; sizes are x-first there."""
    from scipy import ndimage

    values = pixels.astype(float)
    if method == "gaussian":
        return np.asarray(ndimage.gaussian_filter(values, (2, 1, 0, 0)))
    if method == "mean":
        return np.asarray(ndimage.uniform_filter(values, (5, 3, 1, 1)))
    if method == "sum":
        return np.asarray(ndimage.correlate(values, CIRCLE[:, :, None, None].astype(float)))
    return np.asarray(ndimage.median_filter(values, (3, 3, 1, 1)))


# ---- the same as on the whole array


@pytest.mark.parametrize("method", [name for name in SIMPLE if name != "non-local means"])
def test_as_scipy_on_the_whole_array(scan, pixels, method, no_compute) -> None:
    with no_compute:
        result = scan.filter_navigation(method, **SIMPLE[method])
    assert result.lazy
    assert type(result) is l4.Diffraction2D
    assert result.axes_manager.equals(scan.axes_manager)
    expected = np.result_type(pixels, np.float32) if method == "median" else np.dtype(np.float32)
    if method == "sum":
        expected = np.dtype(np.uint64 if pixels.dtype.kind == "u" else np.float64)
    assert result.dtype == expected
    np.testing.assert_allclose(result.as_numpy(), twin(method, pixels), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", SIMPLE)
def test_any_blocks_of_a_file_or_an_array_give_the_same(tmp_path, method, chunks, no_compute) -> None:
    pixels = np.random.default_rng(1).poisson(3.0, (4, 5, 40, 33)).astype("u2")
    np.save(tmp_path / "scan.npy", pixels)
    whole = l4.Diffraction2D(pixels).filter_navigation(method, **SIMPLE[method]).as_numpy()
    loaded = l4.load(tmp_path / "scan.npy", chunks=chunks)
    for s in (loaded, make_scan(pixels, chunks), l4.Diffraction2D(loaded.data)):
        np.testing.assert_array_equal(s.filter_navigation(method, **SIMPLE[method]).as_numpy(), whole)


@pytest.mark.parametrize("method", SIMPLE)
def test_any_scheduler(simple, method, scheduler) -> None:
    result = simple.filter_navigation(method, **SIMPLE[method])
    expected = l4.Diffraction2D(simple.as_numpy()).filter_navigation(method, **SIMPLE[method])
    np.testing.assert_array_equal(result.as_numpy(), expected.as_numpy())


@pytest.mark.parametrize("method", SIMPLE)
@pytest.mark.parametrize("boundary", ["reflect", "nearest", "renormalise"])
def test_any_number_of_navigation_axes(any_scan, method, boundary) -> None:
    result = any_scan.filter_navigation(method, boundary=boundary)
    pixels = any_scan.as_numpy()
    assert result.shape == pixels.shape
    if pixels.ndim == 5:  # the slowest axis is left alone
        alone = make_scan(pixels[1]).filter_navigation(method, boundary=boundary).as_numpy()
        np.testing.assert_array_equal(result.as_numpy()[1], alone)
    if pixels.ndim == 2 and method != "sum":
        np.testing.assert_allclose(result.as_numpy(), pixels, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_scan_any_blocks_any_size(data) -> None:
    from scipy import ndimage

    nav = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    chunks = tuple(data.draw(st.integers(1, n)) for n in nav)
    sizes = [data.draw(st.sampled_from([1, 3, 7])) for _ in nav]
    boundary = data.draw(st.sampled_from(["reflect", "nearest"]))
    pixels = np.random.default_rng(0).poisson(4.0, (*nav, 2, 3)).astype("u2")
    s = l4.Diffraction2D(da.from_array(pixels, chunks=(*chunks, 2, 3)))
    names = [axis.name for axis in reversed(s.nav_axes)]
    result = s.filter_navigation("mean", axes=names, size=sizes[::-1], boundary=boundary)
    expected = ndimage.uniform_filter(pixels.astype(float), (*sizes, 1, 1), mode=boundary)
    np.testing.assert_allclose(result.as_numpy(), expected, rtol=1e-5, atol=1e-5)


def test_chosen_axes_and_lengths_in_units() -> None:
    from scipy import ndimage

    pixels = np.random.default_rng(3).poisson(5.0, (5, 4, 6, 3, 3)).astype("u2")
    s = make_scan(pixels)  # scales 0.5, 1.5 and 2.5 nm of z, y and x
    time = s.filter_navigation("gaussian", axes="z", sigma=2).as_numpy()
    np.testing.assert_allclose(time, ndimage.gaussian_filter(pixels.astype(float), (2, 0, 0, 0, 0)), rtol=1e-5)
    both = s.filter_navigation("gaussian", axes=["x", "z"], sigma=(2.5, "1 nm")).as_numpy()
    np.testing.assert_allclose(both, ndimage.gaussian_filter(pixels.astype(float), (2, 0, 1, 0, 0)), rtol=1e-5)
    three = s.filter_navigation("mean", axes=[0, 1, 2], size=(3, 1, 5)).as_numpy()
    np.testing.assert_allclose(three, ndimage.uniform_filter(pixels.astype(float), (5, 1, 3, 1, 1)), rtol=1e-5)
    lengths = s.filter_navigation("mean", size=(7.0, "4.4 nm")).as_numpy()  # 2.8 and 2.93 positions: the nearest is 3
    np.testing.assert_allclose(lengths, ndimage.uniform_filter(pixels.astype(float), (1, 3, 3, 1, 1)), rtol=1e-5)


def test_float64_stays_and_wide_integers_keep_their_medians() -> None:
    values = np.random.default_rng(0).normal(size=(4, 4, 3, 3))
    assert make_scan(values).filter_navigation("gaussian").dtype == np.float64
    large = (2**31 + np.arange(16 * 9)).reshape(4, 4, 3, 3).astype("u4")
    np.testing.assert_array_equal(make_scan(large).filter_navigation("median").as_numpy(), twin("median", large))
    logical = values > 0
    expected = twin("mean", logical)
    np.testing.assert_allclose(
        make_scan(logical).filter_navigation("mean", size=(3, 5)).as_numpy(), expected, atol=1e-6
    )


# ---- frames stay a stream


def test_stages_before_and_after(simple) -> None:
    pixels = simple.as_numpy().astype(float)
    position = simple.get_total_intensity()
    before = simple.map(divided, position, output_dtype="float32").isig[1:8, 2:]
    result = before.filter_navigation("mean").filter_navigation("median")
    roi = l4.CircleROI(3, 4, 2)
    image, total = l4.compute(result.get_virtual_image(roi), result.sum())
    share = (pixels / pixels.sum((2, 3), keepdims=True))[..., 2:, 1:8].astype("f4")
    expected = make_scan(share).filter_navigation("mean").filter_navigation("median").as_numpy()
    mask = roi.mask((result.frame_axes[1], result.frame_axes[0]))
    np.testing.assert_allclose(image.data, expected[..., mask].sum(-1), rtol=1e-5)
    np.testing.assert_allclose(total.data, expected.sum((0, 1), dtype=float), rtol=1e-5)
    np.testing.assert_allclose(result.inav[2, 1].as_numpy(), expected[1, 2], rtol=1e-5)
    assert [entry.op for entry in result.history][-2:] == ["filter_navigation"] * 2


def divided(frame: Any, total: Any) -> Any:
    return frame / total


def test_a_saved_and_loaded_result(simple, tmp_path) -> None:
    result = simple.filter_navigation("gaussian")
    result.save(tmp_path / "smooth.zarr")
    np.testing.assert_array_equal(l4.load(tmp_path / "smooth.zarr").as_numpy(), result.as_numpy())


def test_what_is_read_more_than_once_is_said(tmp_path) -> None:
    np.save(tmp_path / "scan.npy", np.zeros((64, 64, 64, 64), "u1"))
    s = l4.load(tmp_path / "scan.npy")
    said = s.filter_navigation("gaussian", sigma=2).explain()
    assert said.nbytes > s.nbytes


# ---- what filters are for


def test_noise_falls_as_the_weights_say() -> None:
    rng = np.random.default_rng(0)
    s = l4.Diffraction2D(rng.poisson(9.0, (24, 24, 16, 16)).astype("u2"))
    inside = np.s_[6:-6, 6:-6]
    taps = gaussian_taps(1.3, 5)
    for method, options, share in (
        ("gaussian", {"sigma": "1.3 px"}, (taps**2).sum() ** 2),
        ("mean", {"size": 5}, 1 / 25),
        ("mean", {"size": 5, "footprint": "circle"}, 1 / 13),
    ):
        result = s.filter_navigation(method, **options).as_numpy()[inside]
        np.testing.assert_allclose(result.mean(), 9, rtol=0.01)
        np.testing.assert_allclose(result.var(axis=(2, 3)).mean(), 9 * share, rtol=0.05)
    # Where patterns are alike, similarity comes close to the plain mean over its whole window.
    result = s.filter_navigation("non-local means", size=5).as_numpy()[inside]
    assert 9 / 25 < result.var(axis=(2, 3)).mean() < 1.35 * 9 / 25


def test_a_filter_of_no_width_is_the_identity(simple) -> None:
    for sigma in (0, "0.001 px"):
        np.testing.assert_array_equal(simple.filter_navigation("gaussian", sigma=sigma).as_numpy(), simple.as_numpy())
    for method in ("mean", "median", "sum", "non-local means"):
        np.testing.assert_array_equal(simple.filter_navigation(method, size=1).as_numpy(), simple.as_numpy())


@pytest.mark.parametrize("dose", [1.0, 10.0])
def test_similarity_keeps_the_step_between_grains(dose) -> None:
    settings: dict[str, Any] = {"kind": "grains", "grains": 3, "dose": dose, "dose_per": "pixel", "seed": 1}
    noisy = simulated_scan((16, 16), (48, 48), **settings).as_array()
    truth = simulated_scan((16, 16), (48, 48), noise=False, **settings).as_array().astype(float)
    s = l4.Diffraction2D(noisy)

    def error(values: Any) -> Any:
        return np.sqrt(((np.asarray(values, float) - truth) ** 2).mean((2, 3)))

    steps = ((truth[:, 1:] - truth[:, :-1]) ** 2).mean((2, 3))
    edge = np.zeros((16, 16), bool)
    edge[:, 1:] |= steps > steps.mean()
    edge[:, :-1] |= steps > steps.mean()
    raw = error(noisy)
    blurred = error(s.filter_navigation("gaussian", sigma=1).as_numpy())
    similar = error(s.filter_navigation("non-local means", size=7).as_numpy())
    assert similar[edge].mean() < 0.5 * blurred[edge].mean()
    assert similar[edge].mean() < 0.65 * raw[edge].mean()
    assert similar[~edge].mean() < 0.5 * raw[~edge].mean()
    assert similar[~edge].mean() < blurred[~edge].mean()


def test_counts_of_several_an_electron() -> None:
    rng = np.random.default_rng(1)
    electrons = rng.poisson(2.0, (12, 12, 24, 24)).astype("u2")
    one = l4.Diffraction2D(electrons).filter_navigation("non-local means", size=5).as_numpy()
    many = l4.Diffraction2D(electrons * 40).filter_navigation("non-local means", size=5, gain=40).as_numpy()
    np.testing.assert_allclose(many, 40 * one, rtol=1e-4)


# ---- damage


@pytest.mark.parametrize("method", SIMPLE)
@pytest.mark.parametrize("marked", ["nan", "array"])
def test_missing_frames_do_not_spread(simple, method, marked) -> None:
    pixels = simple.as_numpy()
    valid = np.ones((4, 5), bool)
    valid[1, 2] = valid[3, 0] = False
    if marked == "nan":
        s = l4.Diffraction2D(pixels, valid=valid)
    else:
        s = l4.Diffraction2D(np.where(valid[..., None, None], pixels, np.nan).astype("f4"))
    options = {} if method == "gaussian" else {"size": 3}
    result = s.filter_navigation(method, boundary="renormalise", **options)
    values = result.as_numpy()
    assert not np.isnan(values[valid].astype(float)).any()
    if method == "mean":
        for y, x in np.argwhere(valid):
            part = np.s_[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            np.testing.assert_allclose(values[y, x], pixels[part][valid[part]].mean(0), rtol=1e-5)
    if marked == "nan":
        image, still = l4.compute(result.get_total_intensity(), result.valid)
        np.testing.assert_array_equal(still.data, valid)
        np.testing.assert_array_equal(np.isnan(image.data), ~valid)


def test_missing_frames_of_a_cut_file(tmp_path) -> None:
    pixels = np.random.default_rng(0).poisson(5.0, (4, 5, 8, 6)).astype("u2")
    path = tmp_path / "scan.npy"
    np.save(path, pixels)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3 * 8 * 6 * 2)
    with pytest.warns(l4.Lazy4DWarning, match="frames"):
        s = l4.load(path, incomplete="nan")
    lost = np.arange(20).reshape(4, 5) >= 17
    result = s.filter_navigation("mean", boundary="renormalise")
    expected = np.where(lost[..., None, None], np.nan, pixels)
    np.testing.assert_allclose(result.inav[1, 3].as_numpy(), np.nanmean(expected[2:, :3], axis=(0, 1)), rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(result.get_total_intensity().as_numpy()), lost)


# ---- what makes no sense


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "mode"}, ValueError, "method='mode' is not known: expected one of 'gaussian', 'mean'"),
        ({"boundary": "wrap"}, ValueError, "boundary='wrap' is not known: expected one of 'reflect'"),
        ({"size": 3}, TypeError, "method 'gaussian' has no option 'size': expected sigma, truncate"),
        ({"sigma": -1}, ValueError, "sigma of at least 0, found sigma=-1"),
        ({"sigma": (1, 2, 3)}, ValueError, "expected one sigma or 2, one an axis and x-first"),
        ({"truncate": 0}, ValueError, "truncate above 0"),
        ({"method": "mean", "size": 4}, ValueError, "odd number of positions in size=4"),
        ({"method": "median", "size": -1.0}, ValueError, "size above 0"),
        ({"method": "sum", "footprint": "star"}, ValueError, "footprint='star' is not known"),
        ({"method": "non-local means", "h": -1}, ValueError, "h of at least 0"),
        ({"method": "non-local means", "bin": 0}, ValueError, "bin as a whole number of pixels"),
        ({"axes": "kx"}, ValueError, r"one of \['x', 'y'\] each"),
        ({"axes": ["x", "x"]}, ValueError, "different navigation axes"),
        ({"axes": ["y", "x"]}, ValueError, r"x-first, as \['x', 'y'\]"),
    ],
)
def test_mistakes_are_explained(simple, options, error, message) -> None:
    with pytest.raises(error, match=message):
        simple.filter_navigation(**options)


def test_complex_patterns_are_refused() -> None:
    with pytest.raises(ValueError, match="a filter across the scan needs frames of real numbers"):
        l4.Diffraction2D(np.ones((2, 2, 3, 3), complex)).filter_navigation()
    assert set(METHODS) == set(SIMPLE)

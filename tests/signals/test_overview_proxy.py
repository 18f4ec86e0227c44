"""The scan in bins: exact where detectors are made of whole bins, close elsewhere, never saturated, always bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.kernels import overview as kernels
from lazy4d.kernels.overview_planes import detector_cover
from lazy4d.signals.overview import OverviewPass, Proxy, overview_of
from lazy4d.signals.overview.layout import BinLayout


def filled(data: np.ndarray, budget: int = 2**27, valid: np.ndarray | None = None, step: int = 3) -> Proxy:
    """The proxy of a scan (y, x | ky, kx), given to it a few rows at a time."""
    proxy = Proxy.empty(data.shape[:2], data.shape[2:], data.dtype, budget)
    ok = np.ones(data.shape[:2], bool) if valid is None else valid
    partial = {"u1": "u4", "u2": "u4", "u4": "u8", "i2": "i4", "f4": "f8"}[data.dtype.str[1:]]
    for y in range(0, data.shape[0], step):
        layout = proxy.layout
        rows, columns = layout.edges()
        part = data[y : y + step]
        sums = np.add.reduceat(np.add.reduceat(part.astype(partial), rows[:-1], 2), columns[:-1], 3)
        box = (slice(y, y + len(part)), slice(0, data.shape[1]))
        proxy.add(box, sums.reshape(part.shape[0] * part.shape[1], -1), ok[box].reshape(-1), layout)
    proxy.use_pattern(data.mean((0, 1)))
    return proxy


def circle(shape: tuple[int, int], cy: float, cx: float, r: float) -> np.ndarray:
    y, x = np.indices(shape)
    return (y - cy) ** 2 + (x - cx) ** 2 < r**2


def scan(shape: tuple[int, ...], dtype: str = "u2", mean: float = 3.0) -> np.ndarray:
    return np.random.default_rng(1).poisson(mean, shape).astype(dtype)


DETECTORS = {
    "disk": lambda shape: circle(shape, 20.3, 30.2, 11),
    "ring": lambda shape: circle(shape, 20, 30, 15) & ~circle(shape, 20, 30, 7),
    "all": lambda shape: np.ones(shape, bool),
    "all but one": lambda shape: ~circle(shape, 9, 9, 1),
    "one pixel": lambda shape: circle(shape, 9, 9, 1),
    "ramp": lambda shape: np.indices(shape)[1] - 12.5,
    "signed": lambda shape: circle(shape, 20, 20, 9) * 1.0 - circle(shape, 20, 40, 9),
}


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
def test_small_frames_give_exact_images(name: str, dtype: str) -> None:
    data = scan((7, 9, 40, 61), dtype) - (2 if dtype in ("i2", "f4") else 0)
    data = data.astype(dtype)
    proxy = filled(data)
    assert proxy.layout.bin_pixels == (1, 1)
    weights = DETECTORS[name]((40, 61))
    expected = np.einsum("abyx,yx->ab", data.astype(float), weights.astype(float))
    image = proxy.image(weights)
    assert image.dtype == np.float64
    assert np.allclose(image, expected, rtol=1e-9, atol=1e-9)
    if dtype != "f4" and weights.dtype == bool:
        assert np.array_equal(image, expected)


@pytest.mark.parametrize("frame", [(130, 130), (131, 77), (64, 200), (1, 300)])
def test_detectors_of_whole_bins_are_exact_whatever_is_left_over_at_the_rim(frame: tuple[int, int]) -> None:
    data = scan((5, 6, *frame))
    proxy = filled(data)
    rows, columns = proxy.layout.edges()
    assert rows[-1] == frame[0]
    assert columns[-1] == frame[1]
    mask = np.zeros(frame, bool)
    mask[rows[len(rows) // 3] :, columns[1] :] = True
    assert np.array_equal(proxy.image(mask), data[..., mask].sum(-1))
    assert np.array_equal(proxy.image(np.ones(frame)), data.sum((2, 3)))


def test_detectors_with_edges_within_bins_are_close() -> None:
    """To 0.5 % within a travelling disk, 3 % at its rim, and right in the mean: better than bins shared by area."""
    scan = simulated_scan((12, 12), (128, 128), kind="disk", disk_radius=20.0, descan=3.0, dose=20000)
    data = np.asarray(scan.as_array())
    signal = l4.Diffraction2D(data)
    proxy = filled(data, budget=12 * 12 * 32 * 32 * 2)
    assert proxy.layout.bin_pixels == (4, 4)
    rois = l4.CircleROI(64, 64, 14), l4.CircleROI(64, 64, 20), l4.CircleROI(64, 64, 40, r_inner=18)
    for roi, close in zip(rois, (0.005, 0.015, 0.03), strict=True):
        mask = roi.mask((signal.frame_axes[1], signal.frame_axes[0]))
        truth = signal.get_virtual_image(roi).as_numpy().astype(float)
        proxy.use_pattern(data.mean((0, 1)))
        image = proxy.image(mask)
        error = np.sqrt(((image - truth) ** 2).mean())
        assert error < close * truth.mean()
        assert np.isclose(image.mean(), truth.mean(), rtol=1e-9)
        proxy.use_pattern(np.ones((128, 128)))
        by_area = np.sqrt(((proxy.image(mask) - truth) ** 2).mean())
        assert error <= 1.01 * by_area


def test_positions_are_binned_where_memory_is_short() -> None:
    data = scan((21, 34, 64, 64))
    budget = 32 * 32 * 2 * 11 * 17
    proxy = filled(data, budget)
    assert proxy.layout.bin_positions == (2, 2)
    assert proxy.nbytes <= budget
    mask = np.zeros((64, 64), bool)
    mask[8:30, 10:40] = True
    truth = data[..., mask].sum(-1).astype(float)
    image = proxy.image(mask)
    assert image.shape == (21, 34)
    for y, x in ((0, 0), (4, 6), (20, 33), (20, 5)):
        part = (slice(y - y % 2, y - y % 2 + 2), slice(x - x % 2, x - x % 2 + 2))
        assert np.isclose(image[y, x], truth[part].mean())
    assert np.isclose((image).mean(), truth.mean(), rtol=0.02)


def test_part_of_a_scan_answers_for_what_it_knows() -> None:
    data = scan((6, 8, 40, 40))
    proxy = Proxy.empty((6, 8), (40, 40), np.uint16)
    box = (slice(2, 4), slice(0, 8))
    proxy.add(box, data[2:4].reshape(16, -1).astype("u4"), np.ones(16, bool), proxy.layout)
    mask = circle((40, 40), 20, 20, 9)
    image = proxy.image(mask)
    assert np.array_equal(image[2:4], data[2:4][..., mask].sum(-1))
    assert np.isnan(image[:2]).all()
    assert np.isnan(image[4:]).all()
    assert np.isclose(proxy.share, 16 / 48)


def test_frames_that_do_not_count_are_nan() -> None:
    data = scan((6, 8, 40, 40))
    valid = np.ones((6, 8), bool)
    valid[1, 2] = valid[5] = False
    image = filled(data, valid=valid).image(np.ones((40, 40), bool))
    assert np.array_equal(np.isnan(image), ~valid)
    assert np.array_equal(image[valid], data.sum((2, 3))[valid])


# ---- never saturated


@pytest.mark.parametrize("odd", [False, True])
def test_sums_that_outgrow_sixteen_bits_get_wider_and_stay_exact(odd: bool) -> None:
    data = scan((9, 8, 70 if not odd else 67, 66 if not odd else 33), mean=3.0)
    data[5:, :, 30:, 20:] = 60000
    proxy = filled(data, budget=9 * 8 * 70 * 66 * 2)
    before = proxy.nbytes
    assert proxy.planes.dtype == np.uint32
    assert proxy.exact
    assert before <= 9 * 8 * 70 * 66 * 2 * 1.1
    rows, columns = proxy.layout.edges()
    mask = np.zeros(data.shape[2:], bool)
    mask[rows[2] :, : columns[4]] = True
    assert np.array_equal(proxy.image(mask), data[..., mask].sum(-1))
    assert np.array_equal(proxy.image(np.ones(data.shape[2:])), data.sum((2, 3)))


def test_sums_beyond_32_bits_become_floats_and_say_so() -> None:
    data = np.full((4, 4, 70, 70), 2**31, "u4")
    proxy = filled(data)
    assert not proxy.exact
    assert proxy.planes.dtype == np.float32
    assert np.allclose(proxy.image(np.ones((70, 70))), data.sum((2, 3), dtype="f8"), rtol=1e-6)


def test_two_passes_with_bins_of_an_older_layout() -> None:
    data = scan((4, 6, 66, 66))
    proxy = Proxy.empty((4, 6), (66, 66), np.uint16)
    layout = proxy.layout
    rows, columns = layout.edges()
    sums = np.add.reduceat(np.add.reduceat(data.astype("u4"), rows[:-1], 2), columns[:-1], 3).reshape(24, -1)
    every = np.ones(12, bool)
    bright = sums[:12].copy()
    bright[0, 0] = 70000
    proxy.add((slice(0, 2), slice(0, 6)), bright, every, layout)
    assert proxy.layout is not layout
    proxy.add((slice(2, 4), slice(0, 6)), sums[12:], every, layout)
    image = proxy.image(np.ones((66, 66)))
    assert np.array_equal(image[2:], data[2:].sum((2, 3)))
    assert image[0, 0] == bright[0].sum()


# ---- regions


def test_patterns_of_regions() -> None:
    data = scan((9, 11, 40, 40))
    proxy = filled(data)
    small, large = np.zeros((9, 11), bool), np.ones((9, 11), bool)
    small[3:5, 2:4] = True
    large[0, :3] = False
    for region in (small, large):
        assert np.allclose(proxy.pattern(region), data[region].mean(0))
    assert np.isnan(proxy.pattern(np.zeros((9, 11), bool))).all()


def test_patterns_in_bins_are_means_of_their_pixels() -> None:
    data = scan((9, 11, 70, 131))
    proxy = filled(data, budget=9 * 11 * 32 * 32)
    rows, columns = proxy.layout.edges()
    region = np.zeros((9, 11), bool)
    region[2:7, 3:9] = True
    truth = data[region].mean(0)
    found = proxy.pattern(region)
    assert found.shape == (70, 131)
    part = (slice(rows[3], rows[4]), slice(columns[-2], columns[-1]))
    if proxy.layout.bin_positions == (1, 1):
        assert np.allclose(found[part], truth[part].mean())
    assert np.isclose(found.mean(), truth.mean(), rtol=0.02)


def test_regions_and_positions_that_are_missing() -> None:
    data = scan((6, 6, 16, 16))
    valid = np.ones((6, 6), bool)
    valid[2, 2] = False
    proxy = filled(data, valid=valid)
    region = np.zeros((6, 6), bool)
    region[2, 1:4] = True
    assert np.allclose(proxy.pattern(region), data[region & valid].mean(0))
    alone = np.zeros((6, 6), bool)
    alone[2, 2] = True
    assert np.isnan(proxy.pattern(alone)).all()


def test_wrong_shapes_are_refused() -> None:
    proxy = Proxy.empty((3, 4), (16, 16), np.uint16)
    with pytest.raises(ValueError, match=r"expected a detector of the frame's shape \(16, 16\), found shape \(8, 8\)"):
        proxy.image(np.ones((8, 8)))
    with pytest.raises(ValueError, match=r"expected a region of the scan's shape \(3, 4\), found shape \(4, 3\)"):
        proxy.pattern(np.ones((4, 3), bool))


# ---- layouts


@pytest.mark.parametrize(
    ("nav", "detector", "itemsize"),
    [
        ((4, 4), (16, 16), 2),
        ((128, 128), (256, 256), 2),
        ((512, 512), (256, 256), 2),
        ((512, 512), (2048, 2048), 2),
        ((2000, 3000), (515, 515), 2),
        ((1000000,), (256, 256), 4),
        ((100, 64, 64), (192, 192), 2),
        ((4, 4), (10000, 3), 2),
        ((3, 3), (1, 2048), 4),
        ((256, 256), (512, 4), 2),
        ((), (256, 256), 2),
    ],
)
def test_bins_fit_into_their_memory(nav: tuple[int, ...], detector: tuple[int, int], itemsize: int) -> None:
    layout = BinLayout.fitting(nav, detector, itemsize)
    assert layout.shape[0] * layout.shape[1] * itemsize <= 128 * 2**20
    rows, columns = layout.edges()
    assert rows[-1] == detector[0]
    assert columns[-1] == detector[1]
    assert (np.diff(rows) > 0).all()
    assert max(layout.detector_bins) >= min(32, max(detector))
    assert layout.bin_pixels[0] * layout.bin_pixels[1] <= 65536


def test_places_and_their_inverse() -> None:
    layout = BinLayout((5, 7), (4, 4), (1, 1), (2, 3))
    box = (slice(1, 4), slice(2, 7))
    assert layout.places(box).tolist() == [0, 1, 1, 1, 2, 3, 4, 4, 4, 5, 3, 4, 4, 4, 5]
    assert layout.spread(np.arange(9.0))[4].tolist() == [6, 6, 6, 7, 7, 7, 8]
    assert layout.gathered(np.ones((5, 7))).tolist() == [6, 6, 2, 6, 6, 2, 3, 3, 1]


# ---- kernels against plain numpy


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("frame", "height", "width"), [((9, 10), 2, 3), ((8, 8), 4, 4), ((13, 7), 5, 1), ((3, 5), 1, 8)]
)
def test_bins_and_sums_of_frames(frame: tuple[int, int], height: int, width: int, compiled: bool) -> None:
    data = np.random.default_rng(2).integers(0, 65536, (7, *frame)).astype("u2")
    chosen = np.array([0, 2, 3, 4, 6])
    down, across = -(-frame[0] // height), -(-frame[1] // width)
    out, intensity = np.zeros((7, down * across), "u4"), np.zeros(7, "u8")
    call(kernels.bin_frames, compiled)(data, chosen, height, width, out, intensity)
    rows, columns = np.arange(0, frame[0], height), np.arange(0, frame[1], width)
    expected = np.add.reduceat(np.add.reduceat(data.astype("u4"), rows, 1), columns, 2).reshape(7, -1)
    assert np.array_equal(out[chosen], expected[chosen])
    assert (out[[1, 5]] == 0).all()
    assert np.array_equal(intensity[chosen], data[chosen].sum((1, 2), dtype="u8"))
    total, largest, squares = np.zeros(frame, "u8"), np.zeros(frame, "u2"), np.zeros(frame, "u8")
    call(kernels.summarize_pixels, compiled)(data, chosen, total, largest, squares)
    assert np.array_equal(total, data[chosen].sum(0, dtype="u8"))
    assert np.array_equal(largest, data[chosen].max(0))
    assert np.array_equal(squares, (data[chosen].astype("u8") ** 2).sum(0))
    tops, powers = np.zeros(7, "u2"), np.zeros(7, "u8")
    call(kernels.measure_frames, compiled)(data, chosen, tops, powers)
    assert np.array_equal(tops[chosen], data[chosen].max((1, 2)))
    assert np.array_equal(powers[chosen], (data[chosen].astype("u8") ** 2).sum((1, 2)))


def call(kernel: Any, compiled: bool) -> Any:
    return kernel if compiled else kernel.py_func


def test_no_frames_change_nothing() -> None:
    data, none = np.ones((3, 4, 4), "u2"), np.zeros(0, np.int64)
    out, intensity = np.full((3, 4), 7, "u4"), np.full(3, 7, "u8")
    kernels.bin_frames(data, none, 2, 2, out, intensity)
    total, largest, squares = np.zeros((4, 4), "u8"), np.zeros((4, 4), "u2"), np.zeros((4, 4), "u8")
    kernels.summarize_pixels(data, none, total, largest, squares)
    assert (out == 7).all()
    assert (intensity == 7).all()
    assert not total.any()


def test_cover_counts_intensity() -> None:
    edges = np.array([0, 2, 3])
    detector = np.array([[1.0, 1, 0], [0, 0, 0], [1, 1, 1]])
    pattern = np.array([[3.0, 1, 5], [0, 0, 5], [1, 1, 1]])
    out = np.empty((2, 2))
    detector_cover(detector, pattern, edges, edges, out)
    assert out.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    pattern[0, 0] = -1  # what is negative weighs nothing: then pixels are counted
    detector_cover(detector, pattern, edges, edges, out)
    assert out[0, 0] == 0.5


def test_a_pass_fills_the_proxy() -> None:
    data = scan((10, 11, 70, 50))
    signal = l4.Diffraction2D(data)
    overview = overview_of(signal)
    list(OverviewPass(signal, overview).steps())
    assert overview.proxy.share == 1.0
    assert np.array_equal(overview.proxy.image(np.ones((70, 50), bool)), data.sum((2, 3)))
    rows, _ = overview.proxy.layout.edges()
    mask = np.zeros((70, 50), bool)
    mask[rows[5] :] = True
    assert np.array_equal(overview.proxy.image(mask), data[..., mask].sum(-1))

"""Drift of repeated scans and jumps of scan lines, against known movements at realistic noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

import lazy4d as l4
from lazy4d.kernels import registration, scan_rows
from lazy4d.lazy import Frames
from lazy4d.signals.drift import positions

DRIFT = np.array([(0, 0), (1.3, -0.6), (2.75, -2.2), (3.1, -4.45), (5.6, -4.9), (7.25, -7.5)])


def specimen(size: int, seed: int = 1) -> NDArray[np.float64]:
    """A random texture with features of a few positions, mean 0 and variance 1."""
    image = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((size, size)), 2.5)
    return image / image.std()


def seen(drift: Any, shape: tuple[int, int] = (72, 80)) -> NDArray[np.float64]:
    """What a scan sees of a specimen that moved by each drift: exact, by splines of a larger area."""
    area = specimen(140)
    moved = [ndimage.shift(area, d, order=5, mode="mirror") for d in drift]
    return np.stack([m[30 : 30 + shape[0], 30 : 30 + shape[1]] for m in moved])


def counts(clean: Any, dose: float, seed: int = 0) -> NDArray[np.float64]:
    expected = dose * (1 + 0.25 * np.clip(clean, -3.5, 3.5))
    return np.random.default_rng(seed).poisson(expected).astype(np.float64)


@pytest.fixture(scope="module")
def clean() -> NDArray[np.float64]:
    return seen(DRIFT)


@pytest.mark.parametrize("reference", ["first", "previous", "mean", 2])
def test_known_drift_at_realistic_noise(clean: Any, reference: Any, no_compute: Any) -> None:
    maps = l4.VirtualImage(counts(clean, 400.0))
    with no_compute:
        shifts = maps.estimate_drift(reference)
    assert type(shifts) is l4.signals.ScanShifts
    assert shifts.lazy
    shifts = shifts.compute()
    fixed = reference if isinstance(reference, int) else 0
    error = shifts.data + DRIFT - DRIFT[fixed]
    assert np.sqrt((error**2).mean()) < (0.06 if reference == "previous" else 0.05)
    assert shifts.score.data.min() > 0.9
    np.testing.assert_array_equal(shifts.data[fixed], 0)


def test_without_noise_shifts_are_exact(clean: Any) -> None:
    shifts = l4.VirtualImage(clean).estimate_drift().as_numpy()
    np.testing.assert_allclose(shifts, -DRIFT, atol=2e-3)
    whitened = l4.VirtualImage(counts(clean, 4000.0)).estimate_drift(method="phase_correlate").as_numpy()
    np.testing.assert_allclose(whitened, -DRIFT, atol=0.2)


def test_maps_of_integers_with_missing_positions(clean: Any) -> None:
    valid = np.random.default_rng(3).random(clean.shape) > 0.02
    valid[4] = False
    maps = l4.VirtualImage(counts(clean, 1000.0).astype("uint16"), valid=valid)
    shifts = maps.estimate_drift("first").compute()
    kept = np.arange(6) != 4
    np.testing.assert_allclose(shifts.data[kept], -DRIFT[kept], atol=0.08)
    assert np.isnan(shifts.data[4]).all()
    assert np.isnan(shifts.score.data[4])


def test_a_smooth_path_bridges_what_fails() -> None:
    t = np.arange(12.0)
    truth = np.stack([0.4 * t + 0.02 * t**2, -0.3 * t], axis=1)
    found = truth + np.random.default_rng(0).normal(0, 0.03, truth.shape)
    found[5] = (30.0, -20.0)
    found[8] = np.nan
    smooth = registration.smooth_path(found, np.where(np.isfinite(found[:, 0]), 1.0, 0.0), 3.0)
    np.testing.assert_allclose(smooth, truth, atol=0.06)


def test_one_bad_map_does_not_spoil_a_smoothed_path(clean: Any) -> None:
    series = counts(np.concatenate([clean, seen(DRIFT[-1] + [(1.5, -1.5), (3.0, -3.0)])]), 1000.0)
    series[4] = np.random.default_rng(9).poisson(1000.0, series[4].shape)  # nothing but noise
    path = l4.VirtualImage(series).estimate_drift("first", smoothing=0.3).as_numpy()
    assert np.abs(path[4] + DRIFT[4]).max() < 1.5  # it moves unsteadily, and is 50 positions off as found
    assert np.abs(path[3] + DRIFT[3]).max() < 0.7


@pytest.mark.parametrize("interpolation", ["cubic", "bilinear", "fourier", "integer"])
def test_corrected_maps_agree(clean: Any, interpolation: str) -> None:
    maps = l4.VirtualImage(clean)
    x = maps.nav_axes[2]
    x.scale, x.offset, x.units = 0.5, 3.0, "nm"
    corrected = maps.correct_drift(-DRIFT, interpolation=interpolation, crop=True)
    assert corrected.nav_axes[2].offset == 3.0 + 0.5 * (9 if interpolation == "cubic" else 8)
    values = corrected.as_numpy()
    assert np.isfinite(values).all()
    tolerance = {"cubic": 0.08, "bilinear": 0.2, "fourier": 0.6, "integer": 0.6}[interpolation]
    assert np.abs(values[:, 4:-4, 4:-4] - values[0, 4:-4, 4:-4]).max() < tolerance
    whole = maps.correct_drift(-DRIFT, interpolation=interpolation).as_numpy()
    assert whole.shape == clean.shape
    assert np.isnan(whole).any()


def test_every_scheduler(clean: Any, tmp_path: Path, scheduler: str) -> None:
    maps = l4.VirtualImage(counts(clean[:3], 400.0))
    s, _ = repeated(tmp_path, "file")
    lines = maps.correct_scan_rows()
    shifts = maps.estimate_drift("first")
    found = l4.compute(shifts, maps.correct_drift(shifts), lines, s.correct_drift(WHOLE).get_total_intensity())
    with dask.config.set(scheduler="synchronous"):
        for one, other in zip((shifts, maps.correct_drift(shifts), lines), found, strict=False):
            np.testing.assert_allclose(other.data, one.as_numpy(), rtol=1e-9, err_msg=scheduler)
    area = np.arange(40 * 40 * 20).reshape(40, 40, 20).sum(axis=2)
    np.testing.assert_array_equal(found[3].data, np.broadcast_to(area[12:29, 14:25], (3, 17, 11)))


def test_lazy_shifts_keep_maps_lazy(clean: Any, no_compute: Any) -> None:
    maps = l4.VirtualImage(Frames.from_array(clean, 3, chunks=(2, 72, 80)))
    with no_compute:
        shifts = maps.estimate_drift("first")
        corrected = maps.correct_drift(shifts)
    known = maps.correct_drift(shifts.compute())
    np.testing.assert_array_equal(corrected.as_numpy(), known.as_numpy())


WHOLE = np.array([(0, 0), (2, -3), (-1, 4)])


def repeated(tmp_path: Path, kind: str) -> tuple[l4.Diffraction2D, NDArray[Any]]:
    """Three scans (3, 20, 18 | 4, 5) of one area, each with its own offset, as a file, an array or lazy blocks."""
    area = np.arange(40 * 40 * 20, dtype="uint16").reshape(40, 40, 4, 5)
    pixels = np.stack([area[10 + dy : 30 + dy, 10 + dx : 28 + dx] for dy, dx in WHOLE])
    if kind == "file":
        np.save(tmp_path / "scans.npy", pixels)
        return l4.load(tmp_path / "scans.npy"), pixels
    if kind == "blocks":
        return l4.Diffraction2D(Frames.from_array(pixels, 3, chunks=(2, 7, 18))), pixels
    return l4.Diffraction2D(pixels), pixels


@pytest.mark.parametrize("kind", ["file", "array", "blocks"])
def test_scans_are_put_in_order_without_a_change(kind: str, tmp_path: Path, no_compute: Any) -> None:
    s, pixels = repeated(tmp_path, kind)
    for axis, scale in zip(s.nav_axes, (60.0, 0.5, 0.25), strict=True):
        axis.scale = scale
    area = np.arange(40 * 40 * 20, dtype="uint16").reshape(40, 40, 4, 5)
    with no_compute:
        common = s.correct_drift(WHOLE + 0.2)
        whole = s.correct_drift(WHOLE, crop=False)
    assert common.shape == (3, 17, 11, 4, 5)
    assert [axis.offset for axis in common.nav_axes] == [0.0, 2 * 0.5, 4 * 0.25]
    assert common.dtype == np.uint16
    for t in range(3):
        np.testing.assert_array_equal(common.as_numpy()[t], area[12:29, 14:25])
    np.testing.assert_array_equal(common.mean(2).as_numpy(), area[12:29, 14:25])
    assert whole.shape == pixels.shape
    valid = whole.valid.as_numpy()
    assert valid[0].all()
    assert not valid[1, :2].any()
    assert not valid[1, :, -3:].any()
    assert valid[1, 2:, :-3].all()
    mean = whole.mean(2).as_numpy()
    np.testing.assert_array_equal(mean, area[10:30, 10:28])
    image = whole.get_total_intensity().as_numpy()
    assert np.isnan(image[~valid]).all()
    np.testing.assert_array_equal(image[1, 2:, :-3], area[12:30, 10:25].sum((2, 3)))


@settings(max_examples=25, deadline=None)
@given(
    moves=st.lists(st.tuples(st.integers(-7, 7), st.integers(-7, 7)), min_size=1, max_size=4),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    crop=st.booleans(),
    blocks=st.booleans(),
)
def test_any_movement_is_a_re_indexing(
    moves: list[tuple[int, int]], rows: int, columns: int, crop: bool, blocks: bool
) -> None:
    shifts = np.array(moves)
    frames = np.arange(1.0, 1 + len(moves) * rows * columns).reshape(len(moves), rows, columns, 1, 1)
    y, x = positions.common_box(shifts, (rows, columns))
    box = (y, x) if crop and y.stop > y.start and x.stop > x.start else (slice(0, rows), slice(0, columns))
    expected = np.zeros((len(moves), rows, columns))
    for t, (dy, dx) in enumerate(moves):
        for a in range(rows):
            for b in range(columns):
                if 0 <= a - dy < rows and 0 <= b - dx < columns:
                    expected[t, a, b] = frames[t, a - dy, b - dx, 0, 0]
    chunks = (1, max(1, rows // 2), columns) if blocks else "auto"
    stream = Frames.from_array(frames, 3, chunks=chunks)
    for source in (stream, Frames.from_source(ArrayFile(frames))):
        moved = positions.moved_frames(source, shifts, box)
        np.testing.assert_array_equal(moved.data.compute()[..., 0, 0], expected[(slice(None), *box)])
        np.testing.assert_array_equal(moved.valid.compute(), expected[(slice(None), *box)] > 0)
        assert moved.incomplete == ("nan" if (expected[(slice(None), *box)] == 0).any() else "raise")


class ArrayFile:
    """The plainest source of frames: an array as if it were a file that cannot rearrange itself."""

    incomplete = "raise"

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.nav_shape, self.frame_shape = array.shape[:3], array.shape[3:]
        self.dtype, self.frame_nbytes = array.dtype, int(array[0, 0, 0].nbytes)
        self.token = f"array-file-{array.shape}"

    def open(self, box: Any) -> Any:
        return ArrayFileBlock(self.array[tuple(box)].reshape(-1, *self.frame_shape))


class ArrayFileBlock:
    valid = None

    def __init__(self, frames: NDArray[Any]) -> None:
        self.frames = frames

    def read(self, start: int, stop: int, out: NDArray[Any], window: Any = ()) -> None:
        out[: stop - start] = self.frames[start:stop]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("kind", ["file", "array"])
def test_stages_and_their_maps_travel_along(kind: str, tmp_path: Path) -> None:
    s, _ = repeated(tmp_path, kind)
    moved = s.isig[1:4].shift_diffraction(shifts=np.random.default_rng(0).random((3, 20, 18, 2)))
    direct = np.stack(
        [moved.as_numpy()[t, 2 - WHOLE[t, 0] : 19 - WHOLE[t, 0], 4 - WHOLE[t, 1] : 15 - WHOLE[t, 1]] for t in range(3)]
    )
    np.testing.assert_array_equal(moved.correct_drift(WHOLE).as_numpy(), direct)


def test_from_patterns_to_the_registered_mean(clean: Any) -> None:
    rng = np.random.default_rng(4)
    pattern = np.zeros((8, 8))
    pattern[3:5, 3:5] = 0.1
    pattern[0] = 1.0  # the dark field has the contrast
    drift = np.rint(DRIFT)
    images = counts(seen(drift, (48, 56)), 60.0) / 8
    patterns = rng.poisson(images[..., None, None] * pattern).astype("uint16")
    s = l4.Diffraction2D(patterns)
    shifts = s.estimate_drift(l4.RectangleROI(0, 0, 8, 1)).compute()
    np.testing.assert_allclose(shifts.data, -drift, atol=0.3)
    assert shifts.history[-1].op == "estimate_drift"
    assert len(shifts.history) == 1
    registered = s.correct_drift(shifts)
    mean = registered.get_total_intensity().mean(2).as_numpy()
    y, x = (int(axis.offset) for axis in registered.nav_axes[1:])
    truth = seen(np.zeros((1, 2)), (48, 56))[0][y : y + mean.shape[0], x : x + mean.shape[1]]
    assert np.corrcoef(mean.ravel(), truth.ravel())[0, 1] > 0.95
    assert s.estimate_drift().shape == (6, 2)


def lines_that_jump(jumps: NDArray[np.float64], dose: float) -> NDArray[np.float64]:
    """Particles with sharp edges on lattice fringes across the lines, each line moved by its jump."""
    y, x = np.mgrid[: len(jumps), :200].astype(float)
    moved = x - jumps[:, None]
    expected = 2 + 0.5 * np.cos(2 * np.pi * moved * 0.07)
    for at_y, at_x, radius in [(60, 60, 90), (20, 150, 60), (100, 130, 70)]:
        expected += 1.0 / (1 + np.exp((np.hypot((y - at_y) / 2, moved - at_x) - radius / 2) / 0.8))
    return np.random.default_rng(1).poisson(dose * expected).astype(float)


def without_slow_part(jumps: NDArray[np.float64], high_pass: float) -> NDArray[np.float64]:
    """Jumps without what is documented to be taken for the specimen."""
    index = np.arange(float(jumps.size))
    rest = jumps - np.polynomial.Polynomial.fit(index, jumps, 1)(index)
    return rest - ndimage.gaussian_filter1d(rest, high_pass)


@pytest.mark.parametrize("reach", [1, 4])
@pytest.mark.parametrize(("high_pass", "most"), [(4.0, 0.07), (8.0, 0.1)])
def test_jumps_of_lines_are_recovered(reach: int, high_pass: float, most: float, no_compute: Any) -> None:
    jumps = np.random.default_rng(0).normal(0, 0.8, 120)
    jumps[50] = 5.0
    maps = l4.VirtualImage(lines_that_jump(jumps, 1000.0))
    with no_compute:
        shifts = maps.get_row_shifts(reach, high_pass=high_pass)
        corrected = maps.correct_scan_rows(reach=reach, high_pass=high_pass)
    assert shifts.shape == (120,)
    assert (shifts.as_numpy() + without_slow_part(jumps, high_pass)).std() < most
    inner = slice(20, -20)
    roughness = [
        np.abs(np.diff(values, axis=0)[:, inner]).mean()
        for values in (lines_that_jump(jumps * 0, 1000.0), corrected.as_numpy(), maps.as_numpy())
    ]
    assert roughness[1] - roughness[0] < 0.2 * (roughness[2] - roughness[0])


def test_lines_at_rest_stay_and_shifts_of_one_map_serve_others() -> None:
    still = lines_that_jump(np.zeros(60), 1000.0)
    assert np.abs(l4.VirtualImage(still).get_row_shifts().as_numpy()).std() < 0.06
    jumps = np.random.default_rng(2).normal(0, 1.0, 60)
    stack = np.stack([lines_that_jump(jumps, 1000.0), still])
    stack[0, 7] = np.nan
    s = l4.VirtualImage(Frames.from_array(stack, 3, chunks=(1, 20, 200)))
    shifts = s.get_row_shifts()
    assert shifts.shape == (2, 60)
    assert np.isnan(shifts.as_numpy()[0, 7])
    both = s.correct_scan_rows(shifts).as_numpy()
    own = l4.VirtualImage(stack[0]).correct_scan_rows(shifts.as_numpy()[0]).as_numpy()
    np.testing.assert_allclose(both[0], own, rtol=1e-12)
    alike = s.correct_scan_rows(jumps * 0 + 1.0).as_numpy()
    np.testing.assert_allclose(alike[1, :, 1:], still[:, :-1], rtol=1e-9)


def test_moved_lines_are_cubic_splines() -> None:
    image = np.random.default_rng(0).random((3, 20))
    found = scan_rows.move_rows(image, np.array([0.3, -2.6, 0.0]), np.nan)
    for line, shift, result in zip(image, (0.3, -2.6, 0.0), found, strict=True):
        expected = ndimage.shift(line, shift, order=3, mode="mirror")
        inside = np.isfinite(result)
        np.testing.assert_allclose(result[inside], expected[inside], atol=1e-12)
    assert np.isnan(found[1, -3:]).all()


def test_what_makes_no_sense_is_refused(clean: Any) -> None:
    maps = l4.VirtualImage(clean)
    with pytest.raises(ValueError, match="three navigation axes"):
        l4.VirtualImage(clean[0]).estimate_drift()
    with pytest.raises(ValueError, match="method='shift' is not known"):
        maps.estimate_drift(method="shift")
    with pytest.raises(ValueError, match="reference='last' is not known"):
        maps.estimate_drift("last")
    with pytest.raises(ValueError, match="number of a reference"):
        maps.estimate_drift(6)
    with pytest.raises(ValueError, match="smoothing of at least 0"):
        maps.estimate_drift(smoothing=-1)
    with pytest.raises(ValueError, match="for each of 6 scans"):
        maps.correct_drift(np.zeros((5, 2)))
    with pytest.raises(TypeError, match="give computed ones for crop=True"):
        maps.correct_drift(maps.estimate_drift(), crop=True)
    with pytest.raises(ValueError, match="no area in common"):
        maps.correct_drift(DRIFT * 30, crop=True)
    scans = l4.Diffraction2D(np.ones((2, 4, 5, 6, 6)))
    with pytest.raises(TypeError, match="compute them first"):
        scans.correct_drift(scans.estimate_drift())
    with pytest.raises(ValueError, match=r"shifts of scans \[1\] are nan"):
        scans.correct_drift([(0, 0), (np.nan, 1)])
    with pytest.raises(ValueError, match="no area in common"):
        scans.correct_drift([(0, 0), (4, 0)])
    with pytest.raises(ValueError, match="expected one detector"):
        scans.estimate_drift([l4.CircleROI(3, 3, 2)])
    with pytest.raises(ValueError, match="two navigation axes"):
        l4.VirtualImage(np.ones(4)).get_row_shifts()
    with pytest.raises(ValueError, match="expected reach"):
        maps.get_row_shifts(0)
    with pytest.raises(ValueError, match="high_pass of at least 0"):
        maps.get_row_shifts(high_pass=-1)
    with pytest.raises(ValueError, match="a shift for each line"):
        maps.correct_scan_rows(np.zeros(3))
    with pytest.raises(TypeError, match="leave one of them out"):
        maps.correct_scan_rows(np.zeros(72), reach=1)
    with pytest.raises(ValueError, match="has no score"):
        _ = l4.signals.ScanShifts(np.zeros((3, 2))).score


def textured(shifts: list[tuple[int, int]]) -> np.ndarray:
    image = np.random.default_rng(3).random((40, 40))
    for _ in range(3):
        image = image + np.roll(image, 1, 0) + np.roll(image, 1, 1)
    return np.stack([np.roll(image, (-dy, -dx), (0, 1)) for dy, dx in shifts])


MOVES = [(0, 0), (2, -3), (4, 1), (1, 2)]


def test_no_shift_beyond_the_largest_one_is_reported() -> None:
    found = l4.VirtualImage(textured(MOVES)).estimate_drift("first", max_shift=1).as_numpy()
    known = np.isfinite(found).all(axis=1)
    assert known[0]
    assert not known[1:3].any(), "these moved farther than was allowed"
    assert (np.abs(found[known]) <= 1.5).all()


@pytest.mark.parametrize("blank", [0.0, np.nan])
@pytest.mark.parametrize(("reference", "gone"), [("previous", 2), ("mean", 0), ("first", 0)])
def test_a_map_without_beam_spoils_no_other(reference: str, gone: int, blank: float) -> None:
    maps = textured(MOVES)
    maps[gone] = blank
    found = l4.VirtualImage(maps).estimate_drift(reference, max_shift=8).as_numpy()
    kept = [t for t in range(4) if t != gone]
    assert np.isnan(found[gone]).all()
    true = np.array(MOVES, float)
    np.testing.assert_allclose(found[kept] - found[kept[0]], true[kept] - true[kept[0]], atol=0.1)


def test_a_numbered_reference_without_beam_gives_nothing() -> None:
    maps = textured(MOVES)
    maps[2] = np.nan
    assert np.isnan(l4.VirtualImage(maps).estimate_drift(2).as_numpy()).all()

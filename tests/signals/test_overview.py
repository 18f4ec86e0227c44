"""What a pass leaves of a scan: exact sums, maxima and squares, an image at any time, damage marked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.lazy.peek import positions_of
from lazy4d.signals.overview import Overview, OverviewPass, overview_of
from lazy4d.signals.overview.boxes import blocks, cut
from lazy4d.signals.overview.filling import filled
from lazy4d.signals.overview.sampling import sample_positions, spread_out


def run(signal: Any, overview: Overview | None = None, **options: Any) -> Overview:
    """The overview of a signal after a whole pass."""
    overview = overview_of(signal) if overview is None else overview
    shares = list(OverviewPass(signal, overview, **options).steps())
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return overview


def scan(dtype: str, nav: tuple[int, ...] = (7, 9), frame: tuple[int, ...] = (12, 10), seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(nav + frame) < 0.3
    if dtype.startswith("complex"):
        return (rng.normal(size=nav + frame) + 1j * rng.normal(size=nav + frame)).astype(dtype)
    values = rng.poisson(40.0, nav + frame)
    return (values - 45 if np.dtype(dtype).kind in "if" else values).astype(dtype)


class Raw:
    """A raw file of a scan, loaded."""

    def __init__(self, folder: Path, data: np.ndarray, **options: Any) -> None:
        self.path, self.data, self.options = folder / "scan.raw", data, options
        data.tofile(self.path)

    def load(self) -> Any:
        return l4.load(
            self.path,
            reader="raw",
            frame_shape=self.data.shape[-2:],
            dtype=self.data.dtype.str,
            scan_shape=self.data.shape[:-2],
            **self.options,
        )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_sums_maxima_and_squares_are_those_of_all_frames(dtype: str) -> None:
    data = scan(dtype)
    signal = l4.Diffraction2D(data)
    found = run(signal)
    exact = data.dtype.kind in "iu"
    assert np.array_equal(found.navigator, signal.get_total_intensity().as_numpy()) == exact or not exact
    assert np.allclose(found.navigator, data.astype("f8").sum((2, 3)), rtol=1e-12)
    if exact:
        assert found.sum_pattern.dtype == signal.sum().dtype
        assert np.array_equal(found.sum_pattern, signal.sum().as_numpy())
    assert np.allclose(found.sum_pattern, data.astype("f8").sum((0, 1)), rtol=1e-12)
    assert found.max_pattern.dtype == data.dtype
    assert np.array_equal(found.max_pattern, data.max((0, 1)))
    assert np.allclose(found.sum_of_squares, (data.astype("f8") ** 2).sum((0, 1)), rtol=1e-12)
    assert np.allclose(found.mean_pattern, data.astype("f8").mean((0, 1)))
    assert np.allclose(found.std_pattern, data.astype("f8").std((0, 1)), atol=1e-6)
    assert np.array_equal(found.maxima, data.max((2, 3)))
    assert np.allclose(found.spreads, data.astype("f8").std((2, 3)), atol=1e-6)
    assert found.positions_seen == 63


def test_squares_of_bright_pixels_are_exact() -> None:
    bright = np.full((40, 50, 4, 4), 65535, "u2")
    found = run(l4.Diffraction2D(bright))
    assert np.array_equal(found.sum_of_squares, (bright.astype("u8") ** 2).sum((0, 1)))


@pytest.mark.parametrize("dtype", ["bool", "float16", "complex64"])
def test_pixels_of_any_kind(dtype: str) -> None:
    data = scan(dtype)
    expected = np.abs(data) if data.dtype.kind == "c" else data
    found = run(l4.Diffraction2D(data))
    assert np.allclose(found.navigator, expected.astype("f8").sum((2, 3)), rtol=1e-6)
    assert np.allclose(found.sum_pattern, expected.astype("f8").sum((0, 1)), rtol=1e-6)


@pytest.mark.parametrize("nav", [(), (23,), (5, 1), (2, 3, 4)])
@pytest.mark.parametrize("frame", [(), (17,), (6, 5), (2, 3, 4)])
def test_any_number_of_axes(nav: tuple[int, ...], frame: tuple[int, ...]) -> None:
    if not nav and not frame:
        return
    data = scan("uint16", nav, frame)
    axes = [{"size": n, "navigate": k < len(nav), "name": f"a{k}"} for k, n in enumerate(data.shape)]
    found = run(l4.BaseSignal(data, axes))
    over = tuple(range(len(nav), data.ndim))
    assert found.navigator.shape == nav
    assert np.array_equal(found.navigator, data.sum(over))
    assert found.sum_pattern.shape == frame
    assert np.array_equal(found.sum_pattern, data.sum(tuple(range(len(nav)))))
    assert found.image().shape == nav


@pytest.mark.parametrize("chunks", [(3, 9), (2, 4), (7, 1)])
def test_dask_arrays_in_any_blocks(chunks: tuple[int, int]) -> None:
    data = scan("uint16")
    found = run(l4.Diffraction2D(da.from_array(data, (*chunks, 12, 10))))
    assert np.array_equal(found.navigator, data.sum((2, 3)))
    assert np.array_equal(found.max_pattern, data.max((0, 1)))


def test_stages_are_applied(tmp_path: Path) -> None:
    data = scan("uint16", (5, 6), (20, 22))
    signal = Raw(tmp_path, data).load()
    centred = signal.center_direct_beam(method="center_of_mass")
    for derived in (signal.isig[3:15, 2:9], centred, signal.isig[2:, 3:].rebin(scale=(1, 1, 2, 1))):
        found = Overview(derived.nav_shape, derived.frame_shape, derived.dtype)
        run(derived, found)
        truth = derived.compute(progress=False).data
        assert np.allclose(found.navigator, truth.sum((2, 3), dtype="f8"), rtol=1e-6)
        assert np.allclose(found.sum_pattern, truth.sum((0, 1), dtype="f8"), rtol=1e-6)


@pytest.mark.parametrize("large", [1, 2**19])
def test_two_passes_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr("lazy4d.signals.overview.scan_pass.LARGE_FRAME", large)
    monkeypatch.setattr("lazy4d.signals.overview.boxes.BLOCK_BYTES", 4000)
    signal = Raw(tmp_path, scan("uint16", (16, 9))).load()
    overview = overview_of(signal)
    first, second = (OverviewPass(signal, overview, sample_seconds=0) for _ in range(2))
    waiting = [first.steps(), second.steps()]
    while waiting:
        waiting = [steps for steps in waiting if next(steps, None) is not None]
    assert overview.complete
    frames = (first.bytes_read + second.bytes_read) / signal.frames.source.frame_nbytes
    assert 16 * 9 <= frames <= 16 * 9 + 2 * 64  # the first glance at some is not counted as a pass
    assert min(first.bytes_read, second.bytes_read) > 16 * 9 * 240 / 4
    assert overview.positions_seen == 16 * 9
    assert np.array_equal(overview.sum_pattern, signal.sum().as_numpy())


def test_a_pass_that_was_closed_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazy4d.signals.overview.boxes.BLOCK_BYTES", 4000)
    signal = Raw(tmp_path, scan("uint16", (16, 9))).load()
    overview = overview_of(signal)
    for some in (10, 50, 90):
        steps = OverviewPass(signal, overview, sample_seconds=0).steps()
        while overview.added < some:
            next(steps)
        steps.close()
        assert not overview.complete
        assert 0 < overview.share < 1
        assert overview.positions_seen == overview.added
    run(signal, overview)
    assert overview.positions_seen == 16 * 9
    assert np.array_equal(overview.sum_pattern, signal.sum().as_numpy())


def test_sampling_ends_when_its_time_is_up(tmp_path: Path) -> None:
    data = scan("uint16", (40, 30))
    signal = Raw(tmp_path, data).load()
    now = [0.0]

    def clock() -> float:
        now[0] += 0.004  # each look at the clock
        return now[0]

    overview = overview_of(signal)
    steps = OverviewPass(signal, overview, clock=clock, sample_seconds=0.2).steps()
    next(steps)
    assert now[0] < 0.3  # the first image
    known = overview.known
    assert known.any()
    assert np.isfinite(overview.image()).all()
    assert np.array_equal(overview.image()[known], data.sum((2, 3))[known])
    assert np.isnan(overview.navigator[~known]).all()
    run(signal, overview)


def test_first_positions_are_spread_over_the_scan() -> None:
    found = list(sample_positions((64, 100)))
    assert len(found) == len(set(found)) <= 2 * 4096
    assert all(0 <= y < 64 and 0 <= x < 100 for y, x in found)
    quarters = {(y // 32, x // 50) for y, x in found[:4]}
    assert len(quarters) == 4
    assert len(list(sample_positions((3, 2)))) == 6
    assert list(sample_positions(())) == [()]
    assert sorted(spread_out(13)) == list(range(13))


def test_blocks_cover_the_scan_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazy4d.signals.overview.boxes.BLOCK_BYTES", 2000)
    for data in (scan("uint16", (11, 9)), scan("uint16", (2, 5, 9)), scan("uint16", (37,))):
        path = tmp_path / f"{data.ndim}"
        path.mkdir()
        signal = Raw(path, data).load()
        seen = np.zeros(signal.nav_shape, int)
        for box in blocks(signal.frames):
            waiting = [box]
            while waiting:
                part, rest = cut(waiting.pop(0), (1,) * seen.ndim, 4)
                assert positions_of(part) <= 4
                seen[part] += 1
                waiting[:0] = rest
        assert (seen == 1).all()


def test_steps_keep_to_chunks() -> None:
    part, rest = cut((slice(0, 10), slice(0, 8)), (4, 4), 5)
    assert part == (slice(0, 4), slice(0, 4))
    assert rest == [(slice(0, 4), slice(4, 8)), (slice(4, 10), slice(0, 8))]


# ---- damage


def test_frames_that_cannot_be_read_are_nan_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = scan("uint16", (8, 9))
    signal = Raw(tmp_path, data).load()
    bad = {(2, 3), (2, 4), (7, 8)}
    source = signal.frames.source.source
    opened = type(source).open

    def failing(self: Any, box: Any) -> Any:
        if any(all(s.start <= i < s.stop for i, s in zip(p, box, strict=True)) for p in bad):
            raise l4.errors.FormatError(f"the frames of {box} are damaged")
        return opened(self, box)

    monkeypatch.setattr(type(source), "open", failing)
    overview = overview_of(signal)
    passing = OverviewPass(signal, overview)
    list(passing.steps())
    assert overview.complete
    truth = data.sum((2, 3)).astype(float)
    keep = np.ones((8, 9), bool)
    for position in bad:
        keep[position] = False
    assert np.array_equal(np.isnan(overview.navigator), ~keep)
    assert np.array_equal(overview.navigator[keep], truth[keep])
    assert overview.known.all()
    assert np.array_equal(overview.sum_pattern, data[keep].sum(0))
    assert overview.positions_seen == 69
    assert len(passing.problems) == 3
    assert "FormatError: the frames of" in passing.problems[0]
    assert np.isnan(overview.image()[2, 3])


def test_frames_before_a_damaged_one_are_not_counted_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The damage comes to light in the middle of a box, after tiles of it were added."""
    monkeypatch.setattr("lazy4d.lazy.walk.TILE_BYTES", 500)
    data = scan("uint16", (8, 9))
    signal = Raw(tmp_path, data).load()
    from lazy4d.io.rawblock import RawBlock

    read = RawBlock.read

    def failing(self: Any, start: int, stop: int, out: Any, window: Any = ()) -> None:
        if (self._numbers[start:stop] == 40).any():
            raise l4.errors.FormatError("frame 40 is damaged")
        read(self, start, stop, out, window)

    monkeypatch.setattr(RawBlock, "read", failing)
    overview = overview_of(signal)
    list(OverviewPass(signal, overview, sample_seconds=0).steps())
    rest = np.delete(data.reshape(-1, 12, 10), 40, 0)
    assert overview.positions_seen == 71
    assert np.array_equal(overview.sum_pattern, rest.sum(0))
    assert np.isnan(overview.navigator.reshape(-1)[40])
    mask = np.ones((12, 10), bool)
    expected = np.where(np.arange(72) == 40, np.nan, data.sum((2, 3)).reshape(-1)).reshape(8, 9)
    assert np.array_equal(overview.proxy.image(mask), expected, equal_nan=True)


def test_a_file_that_is_gone_ends_in_few_attempts(tmp_path: Path) -> None:
    raw = Raw(tmp_path, scan("uint16", (30, 30)))
    signal = raw.load()
    raw.path.unlink()
    overview = overview_of(signal)
    passing = OverviewPass(signal, overview)
    list(passing.steps())
    assert np.isnan(overview.navigator).all()
    assert np.isnan(overview.image()).all()
    assert overview.sum_pattern is None
    assert 0 < len(passing.problems) <= 20


@pytest.mark.parametrize("incomplete", ["nan", "zero"])
def test_missing_frames_are_left_out(incomplete: str) -> None:
    data = scan("uint16")
    valid = np.ones((7, 9), bool)
    valid[3, 4:6] = False
    signal = l4.Diffraction2D(data, valid=valid)
    signal._incomplete = incomplete
    found = run(signal)
    assert np.array_equal(np.isnan(found.navigator), ~valid)
    assert np.array_equal(found.sum_pattern, data[valid].sum(0))
    assert found.positions_seen == valid.sum()


def test_nan_hides_a_pixel_not_a_frame() -> None:
    data = scan("float32")
    data[..., 2, 3] = np.nan
    data[4, 5] = np.nan
    found = run(l4.Diffraction2D(data))
    truth = np.nansum(data, (2, 3))
    truth[4, 5] = np.nan
    assert np.allclose(found.navigator, truth, rtol=1e-5, equal_nan=True)
    assert np.allclose(found.sum_pattern, np.nansum(data, (0, 1)), rtol=1e-5)
    assert found.positions_seen == 62
    assert np.isfinite(found.proxy.image(np.ones((12, 10))))[~np.isnan(truth)].all()


def test_a_block_of_positions() -> None:
    data = scan("uint16")
    found = run(l4.Diffraction2D(data)).of_block((slice(1, 3), slice(2, 8)))
    part = data[1:3, 2:8].astype("f8")
    assert found[:3] == (12, part.sum(), part.max())
    assert found.squares == pytest.approx((part**2).sum(), rel=1e-6)
    assert math.isnan(Overview((4, 4), (2, 2), "u2").of_block((slice(0, 4), slice(0, 4))).largest)


# ---- shown before all is known


def test_what_is_not_known_is_filled_in() -> None:
    image = np.arange(64.0).reshape(8, 8)
    known = np.zeros((8, 8), bool)
    known[1, 1] = known[6, 6] = True
    out = filled(image, known)
    assert out[0, 0] == out[3, 3] == 9
    assert out[7, 7] == out[4, 4] == 54
    assert out[0, 7] == out[7, 0] == (9 + 54) / 2
    image[1, 1] = np.nan
    out = filled(image, known)
    assert np.isnan(out[1, 1])
    assert out[0, 0] == 54
    assert np.isnan(filled(image, np.zeros((8, 8), bool))).all()
    series = np.stack([np.full((3, 3), 5.0), np.full((3, 3), 7.0)])
    marks = np.zeros((2, 3, 3), bool)
    marks[0, 0, 0] = True
    assert (filled(series, marks)[1] == 5).all()


@pytest.mark.parametrize("some", [1, 7, 60, 2000, 5000])
def test_filled_images_hold_what_is_known(some: int) -> None:
    rng = np.random.default_rng(some)
    image = rng.normal(size=(101, 67)) + np.linspace(0, 50, 67)
    known = np.zeros(image.size, bool)
    known[rng.permutation(image.size)[:some]] = True
    known = known.reshape(image.shape)
    out = filled(image, known)
    assert np.array_equal(out[known], image[known])
    assert np.isfinite(out).all()
    assert image[known].min() <= out.min() <= out.max() <= image[known].max()
    if some >= 60:  # from near by, not from anywhere
        assert np.abs(out - image).mean() < 0.4 * np.abs(image - image[known].mean()).mean()


def test_nothing_is_read_before_a_pass(tmp_path: Path, no_compute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = Raw(tmp_path, scan("uint16")).load()
    monkeypatch.setattr(type(signal.frames.source.source), "open", lambda *_: pytest.fail("read"))
    with no_compute:
        overview = overview_of(signal)
        assert overview.share == 0
        assert not overview.complete
        assert overview.sum_pattern is None
        assert overview.mean_pattern is None
        assert overview.std_pattern is None
        assert overview.proxy is None
        assert np.isnan(overview.image()).all()
        assert repr(overview) == "<Overview (9, 7|10, 12), 0 % known>"


def test_versions_count_changes() -> None:
    signal = l4.Diffraction2D(scan("uint16"))
    overview = overview_of(signal)
    versions = [overview.version]
    for _ in OverviewPass(signal, overview).steps():
        versions.append(overview.version)
    assert versions[0] < versions[-1]
    assert versions == sorted(versions)


def test_small_memory_for_large_scans(tmp_path: Path) -> None:
    """Arrays over the positions, and bins within their bound: nothing of the size of the scan."""
    path = tmp_path / "large.raw"
    with open(path, "wb") as file:
        file.truncate(512 * 512 * 1024 * 1024 * 2)
    signal = l4.load(path, reader="raw", frame_shape=(1024, 1024), dtype="<u2", scan_shape=(512, 512))
    overview = overview_of(signal)
    steps = OverviewPass(signal, overview, sample_seconds=0).steps()
    while overview.added == 0:
        next(steps)
    steps.close()
    assert overview.proxy.nbytes <= 128 * 2**20
    assert overview.proxy.layout.detector_bins == (32, 32)
    assert 0 < overview.share < 1

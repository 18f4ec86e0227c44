"""`with_scan_shape`: the result is what loading with the same arguments would have given, for signals of every kind."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.data.mib import write_mib
from lazy4d.data.mrc import write_direct_electron
from lazy4d.data.raw import write_raw
from lazy4d.data.seq import write_celeritas
from lazy4d.errors import ScanShapeError
from lazy4d.lazy import Frames

RAW = {"frame_shape": (6, 5), "dtype": "u2"}
COUNT = 20


@pytest.fixture(scope="module")
def frames() -> NDArray[np.uint16]:
    return np.random.default_rng(8).integers(1, 5000, (COUNT, 6, 5), np.uint16)


@pytest.fixture(scope="module")
def path(frames: NDArray[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raw(tmp_path_factory.mktemp("scan") / "scan.raw", frames)


@pytest.fixture(scope="module")
def signals(path: Path, frames: NDArray[Any]) -> dict[str, Any]:
    """Signals that hold the same frames in a first, wrong scan."""
    wrong = l4.load(path, scan_shape=(4, 5), **RAW)
    plain = frames.reshape(4, 5, 6, 5)
    return {
        "file": wrong,
        "file with flyback": l4.load(path, scan_shape=(4, 3), flyback=2, **RAW),
        "serpentine file": l4.load(path, scan_shape=(4, 5), serpentine=True, **RAW),
        "line": l4.load(path, **RAW),
        "dask": l4.Diffraction2D(wrong.data),
        "dask in columns": l4.Diffraction2D(Frames.from_array(plain, 2, chunks=((1, 3), (2, 2, 1)))),
        "computed": wrong.compute(),
        "memory in another order": l4.Diffraction2D(np.asfortranarray(plain)),
    }


def naive(frames: NDArray[Any], shape: tuple[int, ...], offset: int, flyback: int, serpentine: bool) -> Any:
    """Frames and validity of every position, one by one."""
    out, valid = np.zeros((*shape, *frames.shape[1:]), frames.dtype), np.zeros(shape, bool)
    line = shape[-1] + (flyback if len(shape) > 1 else 0)
    for k, place in enumerate(np.ndindex(*shape[:-1])):
        for column in range(shape[-1]):
            number = offset + k * line + column
            turned = serpentine and place[-1] % 2
            at = (*place, shape[-1] - 1 - column if turned else column)
            if 0 <= number < len(frames):
                out[at], valid[at] = frames[number], True
    return out, valid


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_like_the_naive_arrangement(signals, frames, data) -> None:
    name = data.draw(st.sampled_from(list(signals)))
    shape = data.draw(
        st.sampled_from([(20,), (4, 5), (5, 4), (2, 10), (3, 6), (2, 2, 5), (2, 3, 3), (7, 2), (1, 19), (19, 1)])
    )
    offset, flyback = data.draw(st.integers(-3, 4)), data.draw(st.integers(0, 2)) if len(shape) > 1 else 0
    serpentine = data.draw(st.booleans()) if len(shape) > 1 else False
    incomplete = data.draw(st.sampled_from(["nan", "zero"]))
    expected, valid = naive(frames, shape, offset, flyback, serpentine)
    given_ = {"sync_offset": offset, "flyback": flyback, "serpentine": serpentine}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", l4.Lazy4DWarning)
        try:
            s = signals[name].with_scan_shape(shape, **given_, incomplete=incomplete)
        except ScanShapeError:
            assume(False)
        assert s.nav_shape == shape
        np.testing.assert_array_equal(s.data.compute(), expected)
        np.testing.assert_array_equal(s.valid.as_numpy(), valid)
        part = s.inav[..., ::-1] if len(shape) > 1 else s.inav[::-1]
        np.testing.assert_array_equal(part.data.compute(), np.flip(expected, 0))


def test_it_is_what_load_gives(path, frames) -> None:
    s = l4.load(path, **RAW)
    given_ = {"scan_shape": (4, 4), "sync_offset": 2, "flyback": 1, "serpentine": True, "incomplete": "nan"}
    with pytest.warns(l4.Lazy4DWarning, match="missing at the end are invalid"):
        corrected = s.with_scan_shape(**given_)
    with pytest.warns(l4.Lazy4DWarning, match="missing at the end are invalid"):
        loaded = l4.load(path, **given_, **RAW)
    np.testing.assert_array_equal(corrected.as_numpy(), loaded.as_numpy())
    np.testing.assert_array_equal(corrected.valid.as_numpy(), loaded.valid.as_numpy())
    assert corrected.frames.token == loaded.frames.token


def test_nothing_is_read_or_computed(signals, no_compute, monkeypatch) -> None:
    monkeypatch.setattr("lazy4d.io.rawblock.RawBlock.__init__", lambda *_: pytest.fail("a block was opened"))
    with no_compute:
        for signal in signals.values():
            assert signal.with_scan_shape((10, 2), serpentine=True).lazy


def test_data_in_memory_stay_where_they_are(signals) -> None:
    s = signals["computed"]
    corrected = s.with_scan_shape((4, 4), flyback=1)
    assert np.shares_memory(corrected.frames.in_memory, s.data)


def test_stages_are_kept(signals, frames) -> None:
    s = signals["file"].isig[1:4, 2:].astype("float32").with_scan_shape((5, 4), serpentine=True)
    expected, _ = naive(frames, (5, 4), 0, 0, True)
    np.testing.assert_array_equal(s.as_numpy(), expected[..., 2:, 1:4].astype("f4"))


def scaled(frame: NDArray[Any], factor: Any) -> Any:
    return frame * factor


def test_values_of_each_position_move_with_their_frames(signals, frames) -> None:
    factors = np.arange(20, dtype="u2").reshape(4, 5)
    for name in ("file", "dask", "computed"):
        s = signals[name].map(scaled, l4.VirtualImage(factors))
        moved = s.with_scan_shape((5, 4), serpentine=True)
        expected, _ = naive(frames * np.arange(20, dtype="u2")[:, None, None], (5, 4), 0, 0, True)
        np.testing.assert_array_equal(moved.as_numpy(), expected)


def test_positions_that_were_selected_count_alone(signals, frames) -> None:
    for name in ("file", "dask", "computed"):
        s = signals[name].inav[1:, 1:]
        expected = frames.reshape(4, 5, 6, 5)[1:, 1:].reshape(2, 6, 6, 5)
        np.testing.assert_array_equal(s.with_scan_shape((2, 6)).as_numpy(), expected)
    with pytest.raises(ScanShapeError, match="12 frames do not fill scan shape 4 x 5"):
        signals["file"].inav[1:, 1:].with_scan_shape((4, 5))
    whole = signals["file"].inav[:, :].with_scan_shape((10, 2))
    np.testing.assert_array_equal(whole.as_numpy(), frames.reshape(10, 2, 6, 5))


def test_positions_in_another_order_than_that_of_recording_are_refused(signals) -> None:
    for name, items in (("file", np.s_[::-1, 1:]), ("serpentine file", np.s_[1:, :])):
        with pytest.raises(ValueError, match=r"in another order than that of recording .* call with_scan_shape first"):
            signals[name].inav[items].with_scan_shape((2, 2))
    # Nothing is lost by selecting rows only, read downwards: they are in the order of recording.
    assert signals["file"].inav[:, 1:3].with_scan_shape((5, 2)).nav_shape == (5, 2)


def test_a_scan_of_any_source(frames) -> None:
    scan = simulated_scan((4, 5), (8, 8), dose=300)
    s = l4.Diffraction2D(Frames.from_source(scan))
    expected, valid = naive(scan.as_array().reshape(20, 8, 8), (4, 4), -1, 1, True)
    corrected = s.with_scan_shape((4, 4), sync_offset=-1, flyback=1, serpentine=True)
    np.testing.assert_array_equal(corrected.data.compute(), expected)
    np.testing.assert_array_equal(corrected.valid.as_numpy(), valid)
    again = corrected.with_scan_shape((4, 5))
    np.testing.assert_array_equal(again.as_numpy(), scan.as_array())


def test_every_scheduler_and_cut(signals, frames, scheduler) -> None:
    expected, _ = naive(frames, (5, 4), 0, 0, True)
    for name in ("file", "dask in columns", "computed"):
        s = signals[name].with_scan_shape((5, 4), serpentine=True)
        for chunks in ("auto", 1, (2, 3)):
            np.testing.assert_array_equal(s.rechunk(chunks).as_numpy(), expected)
        np.testing.assert_array_equal(s.sum().as_numpy(), frames.sum(0))


def test_a_saved_signal(tmp_path, signals, frames) -> None:
    signals["file"].save(tmp_path / "scan.zarr", progress=False)
    s = l4.load(tmp_path / "scan.zarr").with_scan_shape((3, 6), sync_offset=2, serpentine=True)
    np.testing.assert_array_equal(s.as_numpy(), naive(frames, (3, 6), 2, 0, True)[0])


def test_files_of_frames_with_headers_halves_and_tables(tmp_path) -> None:
    frames = np.random.default_rng(1).integers(0, 4000, (3, 4, 16, 64), np.uint16)
    s = l4.load(write_mib(tmp_path / "scan.mib", frames)).with_scan_shape((4, 3), serpentine=True)
    np.testing.assert_array_equal(s.as_numpy(), naive(frames.reshape(12, 16, 64), (4, 3), 0, 0, True)[0])
    halves = l4.load(write_celeritas(tmp_path, frames, pre_buffer=4, padding=False)[0])
    np.testing.assert_array_equal(
        halves.with_scan_shape((4, 3), serpentine=True).as_numpy(),
        naive(halves.as_numpy(), (4, 3), 0, 0, True)[0],
    )
    flat = frames.reshape(12, 16, 64)
    order = np.random.default_rng(2).permutation(12)
    xy = [(int(k) % 4, int(k) // 4) for k in order]
    movie = l4.load(write_direct_electron(tmp_path, flat, coordinates=xy))
    np.testing.assert_array_equal(movie.with_scan_shape((12,)).as_numpy(), flat)
    with pytest.raises(ValueError, match="in another order than that of recording"):
        movie.inav[1:].with_scan_shape((9,))


def test_axes_keep_what_they_can(signals) -> None:
    s = signals["file"].copy()
    s.set_calibration(scan_scale=2.5, scan_units="nm", scale=0.1, units="1/nm")
    same = s.with_scan_shape((5, 4))
    assert [(a.name, a.size, a.scale, a.units) for a in same.nav_axes] == [("y", 5, 2.5, "nm"), ("x", 4, 2.5, "nm")]
    assert same.axes_manager["kx"].scale == 0.1
    line = s.with_scan_shape((20,))
    assert [(a.name, a.size, a.scale, a.units) for a in line.nav_axes] == [("x", 20, 2.5, "nm")]
    volume = s.with_scan_shape((2, 2, 5))
    assert [(a.name, a.scale) for a in volume.nav_axes] == [("z", 1.0), ("y", 2.5), ("x", 2.5)]
    assert s.nav_shape == (4, 5)


def test_history_and_metadata(signals) -> None:
    s = signals["file"]
    corrected = s.with_scan_shape((5, 4), serpentine=True)
    assert len(corrected.history) == len(s.history) + 1
    assert corrected.history[-1].op == "with_scan_shape"
    assert corrected.history[-1].params["serpentine"] is True
    assert corrected.title == s.title
    assert type(corrected) is type(s)


@pytest.mark.parametrize("name", ["file", "dask", "computed"])
def test_frames_that_do_not_fill_the_scan(signals, frames, name) -> None:
    s = signals[name]
    with pytest.raises(ScanShapeError, match=r"20 frames do not fill scan shape 3 x 5 .* sync_offset=5"):
        s.with_scan_shape((3, 5))
    with pytest.raises(ScanShapeError, match="20 frames do not fill scan shape 5 x 5"):
        s.with_scan_shape((5, 5))
    with pytest.warns(l4.Lazy4DWarning, match="Kept the first 4"):
        cropped = s.with_scan_shape((5, 5), incomplete="crop")
    np.testing.assert_array_equal(cropped.as_numpy(), frames.reshape(4, 5, 6, 5))
    with pytest.raises(ValueError, match="incomplete='maybe' is not known"):
        s.with_scan_shape((4, 5), incomplete="maybe")
    with pytest.raises(ValueError, match="flyback=-1 must not be negative"):
        s.with_scan_shape((4, 5), flyback=-1)


def test_validity_moves_with_the_frames(frames) -> None:
    valid = np.ones((4, 5), bool)
    valid[1, 2] = False
    s = l4.Diffraction2D(frames.reshape(4, 5, 6, 5), valid=valid)
    corrected = s.with_scan_shape((2, 10), serpentine=True)
    assert np.argwhere(~corrected.valid.as_numpy()).tolist() == [[0, 7]]
    assert np.argwhere(~s.with_scan_shape((5, 4)).valid.as_numpy()).tolist() == [[1, 3]]

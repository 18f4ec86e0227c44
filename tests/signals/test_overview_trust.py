"""An overview is never believed for data that it is not of: edited copies, parts on their way, passes not done."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.signals.overview import Overview, OverviewPass, overview_of
from lazy4d.signals.overview.keeping import identity_of
from lazy4d.signals.overview.proxy import Proxy


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 100, (12, 12, 16, 14)).astype("u2")


@pytest.fixture
def path(tmp_path: Path, data: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAZY4D_CACHE", str(tmp_path / "cache"))
    np.save(tmp_path / "scan.npy", data)
    return tmp_path / "scan.npy"


def run(signal: Any) -> Overview:
    overview = overview_of(signal)
    list(OverviewPass(signal, overview).steps())
    return overview


# ---- several passes over one overview


def test_a_pass_that_ends_first_is_not_the_end(path: Path, data: np.ndarray) -> None:
    """Sums of pixels that another pass still holds belong to the overview, and to what is kept of it."""
    signal = l4.load(path)
    overview = overview_of(signal)
    first, second = OverviewPass(signal, overview), OverviewPass(signal, overview, sample_seconds=-1)
    second._next_flush = np.inf
    holds = second.steps()
    while not overview.added:
        next(holds)
    list(first.steps())
    assert overview.added == data.shape[0] * data.shape[1]
    assert overview.positions_seen < overview.added
    assert not overview.complete
    assert overview.kept() is None
    holds.close()
    assert overview.complete
    assert np.array_equal(overview.sum_pattern, data.sum((0, 1), dtype="u8"))
    list(OverviewPass(signal, overview).steps())  # keeps what nobody has kept
    del first, second, holds, overview, signal
    again = overview_of(l4.load(path))
    assert again.complete
    assert np.array_equal(again.sum_pattern, data.sum((0, 1), dtype="u8"))


def test_what_another_process_kept_does_not_meddle_with_a_pass(path: Path, data: np.ndarray) -> None:
    signal = l4.load(path)
    overview = overview_of(signal)
    steps = OverviewPass(signal, overview, sample_seconds=-1).steps()
    while not overview.added:
        next(steps)
    other = l4.load(path)
    other._overview.overview = theirs = Overview(*other._overview.shape)  # as another process has its own
    list(OverviewPass(other, theirs).steps())
    assert 0 < overview.added < theirs.added
    assert overview_of(l4.load(path)) is overview
    list(steps)
    assert overview.positions_seen == data.shape[0] * data.shape[1]
    assert np.array_equal(overview.sum_pattern, data.sum((0, 1), dtype="u8"))


# ---- data in memory


def test_a_computed_copy_is_not_the_file(path: Path, data: np.ndarray) -> None:
    copied = l4.load(path).compute(progress=False)
    copied.data[...] = 7
    assert run(copied).navigator[0, 0] == 7 * 16 * 14
    assert identity_of(copied._overview.root()) is None
    again = overview_of(l4.load(path))
    assert not again.complete
    assert again.share == 0


@pytest.mark.parametrize("first", [run, lambda s: s.get_total_intensity().compute(progress=False)])
def test_data_changed_in_place_are_looked_at_again(data: np.ndarray, first: Any) -> None:
    signal = l4.Diffraction2D(data)
    crop = signal.isig[2:9, 3:8]
    first(signal)
    assert overview_of(signal).share == 1
    assert overview_of(crop).share == 1
    assert overview_of(crop) is overview_of(crop)
    signal.data[3, 4] += 1
    assert overview_of(signal).share == 0
    assert overview_of(crop).share == 0
    assert np.array_equal(run(signal).navigator, signal.data.sum((2, 3)))


def test_large_arrays_are_sampled_in_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazy4d.signals.overview.memory.MOST_BYTES", 2**16)
    signal = l4.Diffraction2D(np.zeros((4, 4, 64, 64), "u2"))
    run(signal)
    signal.data[1, 2] = 3
    assert overview_of(signal).share == 0


def test_a_mask_of_positions_shows_what_it_holds(data: np.ndarray) -> None:
    signal = l4.Diffraction2D(data)
    run(signal)
    signal.data[...] = 1
    chosen = signal.inav[np.arange(144).reshape(12, 12) % 3 == 0]
    assert overview_of(chosen).share == 0


def test_a_mask_of_positions_of_a_file_is_inherited(path: Path, data: np.ndarray) -> None:
    signal = l4.load(path)
    run(signal)
    mask = np.arange(144).reshape(12, 12) % 3 == 0
    assert np.array_equal(overview_of(signal.inav[mask]).navigator, data.sum((2, 3))[mask])


def test_other_validity_is_another_overview(data: np.ndarray) -> None:
    signal = l4.Diffraction2D(data)
    known = run(signal)
    valid = np.ones((12, 12), bool)
    valid[0] = False
    marked = l4.Diffraction2D(signal, valid=valid)
    assert overview_of(marked) is not known
    assert np.isnan(run(marked).navigator[0]).all()


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_signals_go_elsewhere_without_their_overview(
    path: Path, data: np.ndarray, in_memory: bool, copied: Any
) -> None:
    signal = l4.Diffraction2D(data) if in_memory else l4.load(path)
    run(signal.isig[2:9, 3:8])
    other = copied(signal.isig[2:9, 3:8])
    assert other._overview.overview is None
    assert np.array_equal(run(other).navigator, data[..., 3:8, 2:9].sum((2, 3)))


# ---- totals that somebody computed


def test_totals_that_dead_pixels_spoil_are_not_taken_over() -> None:
    frames = np.random.default_rng(0).random((4, 5, 8, 8), "f4")
    frames[..., 3, 3] = np.nan
    signal = l4.Diffraction2D(da.from_array(frames, chunks=(2, 5, -1, -1)))
    signal.get_total_intensity().compute(progress=False)
    assert overview_of(signal).share == 0
    assert np.isfinite(run(signal).navigator).all()


def test_complex_totals_are_not_taken_over() -> None:
    frames = np.full((2, 3, 4, 4), 1 + 1j)
    signal = l4.Diffraction2D(frames)
    signal.sum(("kx", "ky")).compute(progress=False)
    assert overview_of(signal).share == 0


# ---- files


def test_parts_of_a_store_that_are_on_their_way(tmp_path: Path, data: np.ndarray) -> None:
    store = tmp_path / "scan.zarr"
    l4.Diffraction2D(da.from_array(data, chunks=(4, 12, -1, -1))).save(store)
    part = max((f for f in store.rglob("*") if f.is_file()), key=os.path.getsize)
    hidden = part.rename(tmp_path / "hidden")
    with pytest.warns(l4.errors.Lazy4DWarning, match="missing"):
        signal = l4.load(store, incomplete="nan")
    assert np.isnan(run(signal).navigator).any()
    del signal
    shutil.move(hidden, part)
    signal = l4.load(store, incomplete="nan")
    assert np.array_equal(run(signal).navigator, data.sum((2, 3)))


def test_functions_of_users_have_no_identity_wherever_they_are(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("somebodys")
    exec("import numpy as np\ndef where(frame):\n    return np.array([1.0, 2.0])\n", module.__dict__)
    module.where.__module__ = "somebodys"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys", module)
    signal = l4.load(path)
    given = signal.map(module.where, output_dtype="f8", output_signal_shape=(2,))
    own = signal.get_direct_beam_position(method="center_of_mass")
    for position, known in ((given, False), (given * 2, False), (own, True)):
        centred = signal.center_direct_beam(position=position)
        assert (identity_of(centred._overview.root()) is not None) is known


# ---- the scan in bins


@pytest.mark.parametrize("hot", [np.inf, 1e30])
def test_pixels_outside_of_a_detector_do_not_count(hot: float) -> None:
    frames = np.random.default_rng(0).random((3, 4, 64, 64), "f4")
    frames[..., 60, 60] = hot
    signal = l4.Diffraction2D(frames)
    detector = np.zeros((64, 64), bool)
    detector[:40] = True
    assert np.allclose(run(signal).proxy.image(detector), frames[..., :40, :].sum((2, 3)), rtol=1e-5)


def test_gaps_are_filled_bin_by_bin() -> None:
    proxy = Proxy.empty((5, 7), (4, 4), np.uint16, budget=16 * 2 * 9)
    assert max(proxy.layout.bin_positions) > 1
    everything = np.ones((4, 4), bool)
    assert np.isnan(proxy.image(everything, fill=True)).all()
    box = (slice(0, 2), slice(0, 2))
    proxy.add(box, np.full((4, 16), 3, np.uint16), np.ones(4, bool), proxy.layout)
    bare, filled = proxy.image(everything), proxy.image(everything, fill=True)
    assert np.isnan(bare).any()
    assert (filled == 48).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no child processes of this kind")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_planes_are_not_shared_with_child_processes() -> None:
    planes = Proxy.empty((64, 64), (64, 64), np.uint16).planes
    assert planes.nbytes >= 2**21
    child = os.fork()
    if not child:
        planes[...] = 77
        os._exit(0)
    os.waitpid(child, 0)
    assert not planes.any()

"""Which signal shows which image of the scan: derived ones their parent's where it is still true, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.signals.overview import OverviewPass, overview_of


@pytest.fixture
def data() -> np.ndarray:
    y, x = np.indices((6, 8))
    bright = 5 + 3 * y + x
    return np.random.default_rng(5).poisson(bright[..., None, None], (6, 8, 16, 14)).astype("u2")


@pytest.fixture
def parent(data: np.ndarray) -> Any:
    signal = l4.Diffraction2D(data)
    list(OverviewPass(signal, overview_of(signal)).steps())
    return signal


SAME_SAMPLE = {
    "isig": lambda s: s.isig[3:9, 2:8],
    "crop": lambda s: s.crop("kx", 2, 9),
    "crop twice": lambda s: s.isig[2:12, 2:12].isig[1:5, 2:7],
    "rebin of frames": lambda s: s.rebin(scale=(1, 1, 2, 2)),
    "astype": lambda s: s.astype("float32"),
    "centre": lambda s: s.center_direct_beam(method="center_of_mass"),
    "centre and crop": lambda s: s.center_direct_beam(method="center_of_mass").isig[3:9, 3:9],
    "background": lambda s: s.subtract_diffraction_background("median kernel", size=3),
}


@pytest.mark.parametrize("name", SAME_SAMPLE)
def test_operations_on_each_frame_keep_the_image(parent: Any, data: np.ndarray, name: str, no_compute: Any) -> None:
    with no_compute:
        found = overview_of(SAME_SAMPLE[name](parent))
        assert found.inherited
        assert found.share == 1
        assert not found.complete
        assert found.sum_pattern is None
        assert np.array_equal(found.navigator, data.sum((2, 3)))
        assert np.array_equal(found.image(), data.sum((2, 3)))
        assert "inherited" in repr(found)


OTHER_SAMPLE = {
    "arithmetic by position": lambda s: s / s.get_total_intensity(),
    "arithmetic": lambda s: s * 2,
    "reversed by hand": lambda s: -s.astype("float32"),
    "map": lambda s: s.map(np.sqrt, output_dtype="float32", output_signal_shape=(16, 14)),
    "filter over the scan": lambda s: s.filter_navigation("gaussian", sigma=1),
    "another scan": lambda s: s.with_scan_shape((8, 6)),
    "serpentine": lambda s: s.with_scan_shape((6, 8), serpentine=True),
    "rebin of positions": lambda s: s.rebin(scale=(2, 2, 1, 1)),
    "transpose": lambda s: s.transpose(signal_axes=["x", "y"]),
    "virtual image": lambda s: s.get_virtual_image(np.eye(16, 14, dtype=bool)),
}


@pytest.mark.parametrize("name", OTHER_SAMPLE)
def test_operations_that_change_positions_claim_nothing(parent: Any, name: str) -> None:
    try:
        derived = OTHER_SAMPLE[name](parent)
    except AttributeError:
        pytest.skip("no such method")
    found = overview_of(derived)
    assert not found.inherited
    assert found.share == 0


@pytest.mark.parametrize(
    "cut",
    [
        lambda s: s.inav[2:7, 1:5],
        lambda s: s.inav[::-1, 4],
        lambda s: s.inav[3, 2],
        lambda s: s.inav[1::2, ::-2],
        lambda s: s.inav[2:7].inav[1:3, 2:],
        lambda s: s.isig[2:9, 3:8].inav[2:7, 1:5],
        lambda s: s.inav[2:7, 1:5].isig[2:9, 3:8],
    ],
)
def test_inav_cuts_the_image(parent: Any, data: np.ndarray, cut: Any) -> None:
    derived = cut(parent)
    found = overview_of(derived)
    plain = cut(l4.Diffraction2D(data.sum((2, 3), keepdims=True) * np.ones((16, 14), int))).as_numpy()
    assert found.share == 1
    assert np.array_equal(found.navigator, plain[..., 0, 0])


def test_the_image_grows_with_the_parents(data: np.ndarray) -> None:
    parent = l4.Diffraction2D(data)
    derived = parent.isig[2:9, 3:8].inav[:, 2:]
    found = overview_of(derived)
    assert found.share == 0
    version = found.version
    list(OverviewPass(parent, overview_of(parent)).steps())
    assert found.version > version
    assert found.inherited
    assert np.array_equal(found.image(), data[2:].sum((2, 3)))


def test_a_pass_over_the_derived_signal_takes_over(parent: Any, data: np.ndarray) -> None:
    derived = parent.isig[2:9, 3:8]
    found = overview_of(derived)
    for _ in OverviewPass(derived, found).steps():
        image = data if found.inherited else data[..., 3:8, 2:9]
        known = found.known
        assert np.array_equal(found.navigator[known], image.sum((2, 3))[known])
    assert found.complete
    assert not found.inherited
    assert np.array_equal(found.navigator, data[..., 3:8, 2:9].sum((2, 3)))
    assert np.array_equal(found.sum_pattern, data[..., 3:8, 2:9].sum((0, 1)))
    assert np.array_equal(overview_of(parent).navigator, data.sum((2, 3)))


# ---- one overview for what is the same


def test_the_same_frames_have_one_overview(parent: Any) -> None:
    known = overview_of(parent)
    assert overview_of(parent) is known
    assert overview_of(parent.rechunk(2)) is known
    assert overview_of(l4.Diffraction2D(parent)) is known
    assert overview_of(l4.Signal2D(parent)) is known
    assert overview_of(parent.copy()) is known
    derived = parent.isig[2:9, 3:8]
    assert overview_of(derived.persist(progress=False)) is overview_of(derived)
    assert overview_of(parent.transpose(signal_axes=["x", "y"])) is not known


def test_copies_of_data_in_memory_are_on_their_own(parent: Any) -> None:
    copied = parent.deepcopy()
    copied.data[...] = 0
    assert overview_of(copied) is not overview_of(parent)
    assert not overview_of(copied).complete


def test_a_file_loaded_twice_has_one_overview(tmp_path: Path, data: np.ndarray) -> None:
    path = tmp_path / "scan.npy"
    np.save(path, data)
    first, second = l4.load(path), l4.load(path)
    assert overview_of(first) is overview_of(second)
    other = l4.load(path, scan_shape=(8, 6))
    assert overview_of(other) is not overview_of(first)


# ---- what somebody computed already


@pytest.mark.parametrize(
    "total", [lambda s: s.get_total_intensity(), lambda s: s.sum(["kx", "ky"]), lambda s: s.sum(("ky", "kx"))]
)
def test_a_computed_total_is_the_image(data: np.ndarray, total: Any) -> None:
    signal = l4.Diffraction2D(data)
    image = total(signal)
    assert overview_of(signal).share == 0
    l4.compute(image, signal.max())
    found = overview_of(signal)
    assert found.share == 1
    assert not found.complete
    assert np.array_equal(found.navigator, data.sum((2, 3)))
    list(OverviewPass(signal, found).steps())
    assert np.array_equal(found.sum_pattern, data.sum((0, 1)))


@pytest.mark.parametrize(
    "other",
    [
        lambda s: s.get_total_intensity() * 2,
        lambda s: s.isig[:4, :4].sum(["kx", "ky"]),
        lambda s: s.inav[:2].get_total_intensity(),
        lambda s: s.sum("kx"),
        lambda s: s.mean(["kx", "ky"]),
        lambda s: s.sum(),
    ],
)
def test_other_results_are_not(data: np.ndarray, other: Any) -> None:
    signal = l4.Diffraction2D(data)
    other(signal).compute(progress=False)
    assert overview_of(signal).share == 0


def test_a_computed_total_marks_missing_frames(data: np.ndarray) -> None:
    valid = np.ones((6, 8), bool)
    valid[2, 3] = False
    signal = l4.Diffraction2D(data, valid=valid)
    signal.get_total_intensity().compute(progress=False)
    found = overview_of(signal).navigator
    assert np.isnan(found[2, 3])
    assert np.array_equal(found[valid], data.sum((2, 3))[valid])


def test_an_overview_keeps_no_scan_in_memory(data: np.ndarray) -> None:
    import gc
    import weakref

    signal = l4.Diffraction2D(data.copy())
    small = signal.isig[2:6, 2:6].compute(progress=False)
    held = weakref.ref(signal.data)
    del signal
    gc.collect()
    assert held() is None
    assert small.data.shape == (6, 8, 4, 4)

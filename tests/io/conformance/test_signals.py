"""What a user gets of every reader: lazy signals of native pixels, right in every chunking and selection."""

from __future__ import annotations

import pickle
from typing import Any

import dask
import numpy as np
import pytest

import lazy4d as l4
from tests.io.conformance.cases import CASES, FIRST
from tests.io.conformance.model import NAV, write

CHUNKS: list[Any] = ["auto", 1, (2, 4), (3, 3), ((1, 2), (3, 1))]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with l4.set_options(progress=False), dask.config.set(scheduler="synchronous"):
        yield


def total(frames: Any, axis: tuple[int, ...]) -> Any:
    """Sums as lazy4d promises them: integers exact in 64 bits."""
    kind = frames.dtype.kind
    return frames.sum(axis=axis, dtype={"u": "u8", "i": "i8", "c": "c16"}.get(kind, "f8"))


def test_loading_is_lazy_and_native(stored, no_compute) -> None:
    with no_compute:
        signal = stored.load()
        parts = (signal, signal.inav[1:3, 0:2], signal.isig[2:9, 3:7], signal.inav[np.ones(NAV, bool)])
        arrays = [part.data for part in parts]
    assert isinstance(signal, l4.Diffraction2D)
    assert signal.lazy
    for part, array in zip(parts, arrays, strict=True):
        assert array.dtype == stored.frames.dtype == part.dtype
        assert array.dtype.isnative
    assert signal.nav_shape == NAV
    for block in np.ndindex(*signal.data.numblocks):
        found = signal.data.blocks[block].compute()
        assert found.dtype == stored.frames.dtype
        assert found.dtype.isnative
        assert found.shape[2:] == stored.frames.shape[2:]
        assert type(found) is np.ndarray
        assert found.flags.writeable


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_any_blocks_hold_whole_frames_and_give_the_same(stored, chunks) -> None:
    signal = stored.load(chunks=chunks)
    assert all(len(c) == 1 for c in signal.data.chunks[2:])
    found = signal.compute().data
    assert found.dtype == stored.frames.dtype
    assert np.array_equal(found, stored.frames)
    real = stored.frames.real if stored.frames.dtype.kind == "c" else stored.frames
    if stored.frames.dtype.kind != "c":
        assert np.array_equal(signal.sum().compute().data, total(real, (0, 1)))


@pytest.mark.parametrize("frames_a_block", [0.5, 1, 3, 9])
def test_blocks_are_runs_of_whole_rows(stored, frames_a_block) -> None:
    with l4.set_options(block_bytes=int(frames_a_block * stored.frames[0, 0].nbytes)):
        signal = stored.load()
        rows, columns = signal.data.chunks[:2]
        # Of frames that are stored in chunks a block holds whole chunks.
        chunked = hasattr(stored.read().frames, "preferred_chunks")
        assert chunked or len(columns) == 1 or set(rows) == {1}
        assert np.array_equal(signal.compute().data, stored.frames)


def test_selections_equal_those_of_numpy(stored) -> None:
    frames, signal = stored.frames, stored.load()
    mask = np.random.default_rng(5).random(NAV) < 0.6
    kx = frames.shape[3]
    for part, expected in (
        (signal.inav[2, 1], frames[1, 2]),
        (signal.inav[::-1, ::2], frames[::2, ::-1]),
        (signal.inav[1:, -1], frames[-1, 1:]),
        (signal.inav[mask], frames[mask]),
        (signal.inav[mask].inav[1:4], frames[mask][1:4]),
        (signal.isig[3 : kx - 1, 5:11], frames[:, :, 5:11, 3 : kx - 1]),
        (signal.isig[::-2, 1::3], frames[:, :, 1::3, ::-2]),
        (signal.isig[4, 5], frames[:, :, 5, 4]),
        (signal.inav[1:3, 2].isig[2:4, :], frames[2, 1:3, :, 2:4]),
    ):
        found = part.compute().data
        assert found.dtype == frames.dtype
        assert np.array_equal(found, expected)


def test_reductions_equal_those_of_numpy(stored) -> None:
    frames = stored.frames
    if frames.dtype.kind == "c":
        pytest.skip("sums of complex frames are not offered")
    signal = stored.load()
    ky, kx = frames.shape[2:]
    exact = frames.dtype.kind in "ui"
    same = np.array_equal if exact else lambda a, b: np.allclose(a, b, rtol=1e-6)
    y, x = np.mgrid[:ky, :kx]
    disk = (y - 7) ** 2 + (x - 20 % kx) ** 2 < 5**2
    image, pattern, low, high = l4.compute(
        signal.get_virtual_image(l4.CircleROI(20 % kx, 7, 5)), signal.sum(), signal.min(), signal.max()
    )
    assert same(image.data, total(frames * disk, (2, 3)))
    assert same(pattern.data, total(frames, (0, 1)))
    assert np.array_equal(low.data, frames.min(axis=(0, 1)))
    assert np.array_equal(high.data, frames.max(axis=(0, 1)))
    assert low.data.dtype == frames.dtype
    even = kx // 4 * 4
    binned = signal.isig[:even, : ky // 2 * 2].rebin(scale=(1, 1, 4, 2)).compute()
    expected = frames[:, :, : ky // 2 * 2, :even].reshape(*NAV, ky // 2, 2, even // 4, 4)
    assert same(binned.data, total(expected, (3, 5)))


def test_graphs_are_small_and_travel(stored) -> None:
    signal = stored.load(chunks=1)
    again = pickle.loads(pickle.dumps(signal.data))
    assert len(pickle.dumps(signal.data)) < 20_000
    assert np.array_equal(again.compute(), stored.frames)
    assert signal.data.name == stored.load(chunks=1).data.name


def test_metadata_survive_a_round_trip_as_plain_values(stored) -> None:
    signal = stored.load()
    again = pickle.loads(pickle.dumps(signal.original_metadata.as_dictionary()))
    assert repr(again) == repr(signal.original_metadata.as_dictionary())
    assert signal.metadata.General.title
    assert repr(signal)


def test_an_audit_finds_nothing_wrong(stored) -> None:
    signal = stored.load()
    try:
        report = signal.audit()
    except TypeError as error:
        pytest.skip(f"not audited: {error}")
    assert report.ok, str(report)
    assert report.frames == NAV[0] * NAV[1]


@pytest.mark.parametrize("name", list(FIRST.values()))
def test_schedulers_agree(name, tmp_path, scheduler) -> None:
    case = CASES[name]
    for package in case.needs:
        pytest.importorskip(package)
    stored = write(case, tmp_path)
    signal = stored.load(chunks=(1, 4))
    image, everything = l4.compute(signal.get_virtual_image(l4.CircleROI(7, 7, 5)), signal.data)
    ky, kx = stored.frames.shape[2:]
    y, x = np.mgrid[:ky, :kx]
    assert np.array_equal(everything, stored.frames)
    assert np.allclose(image.data, total(stored.frames * ((y - 7) ** 2 + (x - 7) ** 2 < 25), (2, 3)))

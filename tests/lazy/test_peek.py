"""Peeking gives what dask computes, whatever the array is made of, and reads no more than it has to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import simulated_scan, write_blo, write_mib, write_mrc
from lazy4d.lazy import Frames, PerPosition, Reduction, SharedLazy, StateArray, peek_keys, peek_shared, unpacked
from lazy4d.lazy.bounded_cache import BoundedCache
from lazy4d.lazy.peek import Peek
from tests.lazy import sources
from tests.lazy.sources import arithmetic

NAV, FRAME = (5, 6), (12, 10)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """A disk that travels, so that centring does something."""
    scan = simulated_scan(NAV, FRAME, kind="disk", disk_radius=2.0, descan=2.0, dose=400)
    return np.asarray(scan.as_array()).astype("u2")


def write_npy(path: Path, frames: np.ndarray) -> None:
    np.save(path, frames)


def write_h5(path: Path, frames: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=frames, chunks=(2, 3, *FRAME), compression="gzip")


FILES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "scan.mib": (lambda path, frames: write_mib(path, frames), {"scan_shape": NAV}),
    "scan.mrc": (lambda path, frames: write_mrc(path, frames.reshape(-1, *FRAME)), {"scan_shape": NAV}),
    "scan.npy": (write_npy, {}),
    "scan.h5": (write_h5, {}),
    "scan.zarr": (lambda path, frames: l4.Diffraction2D(frames).save(path), {}),
}


def some_boxes(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Single positions at the corners and inside, a row, a block that crosses blocks, the whole scan."""
    rng = np.random.default_rng(1)
    found = [tuple(slice(0, n) for n in shape), tuple(slice(n - 1, n) for n in shape)]
    for _ in range(5):
        edges = [sorted(rng.choice(n + 1, 2, replace=False).tolist()) for n in shape]
        found.append(tuple(slice(low, high) for low, high in edges))
        place = [int(rng.integers(n)) for n in shape]
        found.append(tuple(slice(i, i + 1) for i in place))
    return found


def check(array: da.Array, nav_ndim: int) -> Peek:
    """That a peek gives the values, dtype and shape of dask."""
    peek = Peek(array, nav_ndim=nav_ndim)
    whole = array.compute(scheduler="synchronous")
    for box in some_boxes(peek.nav_shape):
        (found,) = peek(box)
        assert found.dtype == whole.dtype
        np.testing.assert_array_equal(found, whole[box])
    position = tuple(n // 2 for n in peek.nav_shape)
    np.testing.assert_array_equal(peek.at(position)[0], whole[position])
    assert len(peek.nav_shape) == nav_ndim
    return peek


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind(tmp_path: Path, pixels: np.ndarray, name: str) -> None:
    write, options = FILES[name]
    write(tmp_path / name, pixels)
    s = l4.load(tmp_path / name, **options)
    check(s.data, 2)
    check(s.isig[2:9, 1:].data, 2)
    check(s.inav[1::2, ::-1].data, 2)
    check(s.inav[3].data, 1)
    check(s.inav[3, 2].data, 0)
    check(s.inav[np.arange(30).reshape(NAV) % 4 == 1].data, 1)
    check(s.center_direct_beam("center_of_mass").data, 2)


def test_block_files(tmp_path: Path, pixels: np.ndarray) -> None:
    frames = np.zeros((*NAV, 12, 12), "u1")
    frames[..., :10] = pixels
    write_blo(tmp_path / "scan.blo", frames)
    check(l4.load(tmp_path / "scan.blo").data, 2)


STEPS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda s: s,
    "crop": lambda s: s.isig[3:8, ::2],
    "rebinned frames": lambda s: s.rebin(scale=(1, 1, 2, 3)),
    "rebinned scan": lambda s: s.inav[:, :4].rebin(scale=(2, 2, 1, 1)),
    "centred by a method": lambda s: s.center_direct_beam("center_of_mass", interpolation="bilinear"),
    "centred by a lazy position": lambda s: s.center_direct_beam(position=s.get_direct_beam_position("center_of_mass")),
    "centred by a lazy plane": lambda s: s.center_direct_beam(
        position=s.get_direct_beam_position("center_of_mass").get_linear_plane()
    ),
    "part of centred": lambda s: s.center_direct_beam(position=s.get_direct_beam_position("center_of_mass")).inav[
        1:4, ::-1
    ],
    "some of centred": lambda s: s.center_direct_beam(position=s.get_direct_beam_position("center_of_mass")).inav[
        np.arange(30).reshape(NAV) % 4 == 1
    ],
    "positions in other blocks": lambda s: s.center_direct_beam(
        position=s.rechunk(2).get_direct_beam_position("center_of_mass").compute()
    ),
    "lazy positions in other blocks": lambda s: s.rechunk((1, 4)).center_direct_beam(
        position=s.rechunk(3).get_direct_beam_position("center_of_mass")
    ),
    "less the mean": lambda s: s - s.mean(),
    "less another scan": lambda s: s * 2.0 - s.inav[::-1],
    "arithmetic of arrays": lambda s: (s.T.T + s.rechunk(2)) / 3,
    "function of pixels": lambda s: np.sqrt(s),
    "mapped": lambda s: s.map(np.cumsum, axis=1, output_dtype="int64", output_signal_shape=FRAME),
    "virtual image": lambda s: s.get_virtual_image(l4.CircleROI(5, 6, 3)),
    "transposed": lambda s: s.T,
    "filtered positions": lambda s: s.get_direct_beam_position("center_of_mass"),
    "stacked": lambda s: l4.stack([s, s.inav[::-1]]),
}


@pytest.mark.parametrize("kind", ["file", "blocks", "memory"])
@pytest.mark.parametrize("name", STEPS)
def test_results_of_every_kind(tmp_path: Path, pixels: np.ndarray, name: str, kind: str) -> None:
    if kind == "file":
        np.save(tmp_path / "scan.npy", pixels)
        s = l4.load(tmp_path / "scan.npy", chunks=2)
    elif kind == "blocks":
        s = l4.Diffraction2D(da.from_array(pixels, chunks=(2, 4, -1, -1)))
    else:
        s = l4.Diffraction2D(pixels)
    result = STEPS[name](s)
    array = result.data if hasattr(result.data, "dask") else result.frames.data
    check(array, len(result.nav_shape))


def test_persisted_and_computed(pixels: np.ndarray) -> None:
    s = l4.Diffraction2D(pixels).center_direct_beam("center_of_mass")
    check(s.persist(progress=False).data, 2)
    computed = s.compute(progress=False)
    peek = Peek(computed.frames)
    np.testing.assert_array_equal(peek.at((2, 3))[0], computed.data[2, 3])
    peek.at((2, 3))[0][...] = 0  # the caller's own, not a view of the signal
    assert computed.data[2, 3].any()


@pytest.mark.slow
def test_persisted_on_a_cluster(distributed_client: Any) -> None:
    frames = Frames.from_source(arithmetic((6, 4)), chunks=2)
    with distributed_client.as_current():
        kept = l4.Diffraction2D(frames).persist(progress=False)
        array = kept.data
        np.testing.assert_array_equal(Peek(array).at((3, 2))[0], arithmetic((6, 4)).dense()[3, 2])
        np.testing.assert_array_equal(Peek(array - 1).at((3, 2))[0], arithmetic((6, 4)).dense()[3, 2] - 1)


@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (2, 3, 4)])
def test_any_number_of_navigation_axes(shape: tuple[int, ...]) -> None:
    source = arithmetic(shape) if shape else arithmetic((1,)).drop_axes((0,))
    frames = Frames.from_source(source)
    peek = check(frames.data, len(shape))
    assert peek.nav_shape == shape
    np.testing.assert_array_equal(peek(tuple(slice(None) for _ in shape))[0], source.dense())


def test_several_results_in_one_walk() -> None:
    frames = Frames.from_source(arithmetic((6, 4)), chunks=2)

    def add(frames: np.ndarray, total: np.ndarray) -> None:
        total += frames.sum(axis=0, dtype="int64")

    def merge(total: np.ndarray, other: np.ndarray) -> None:
        total += other

    total = Reduction(add, merge, lambda t: t, (StateArray((6, 5), "int64"),), (6, 5), "int64")
    first = frames.map_frames(corner, shape=(), dtype="u2")
    peek = Peek(frames.data, first.data, frames.reduce_frames(total))
    sources.reads.clear()
    kept, corners, added = peek((slice(1, 4), slice(2, 3)))
    assert sources.reads == [6, 10, 14]  # each frame once for all three
    expected = arithmetic((6, 4)).dense()[1:4, 2:3]
    np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(corners, expected[..., 0, 0])
    np.testing.assert_array_equal(added, expected.sum(axis=(0, 1)))
    assert [np.shape(one) for one in peek.at((0, 0))] == [(6, 5), (), (6, 5)]


def corner(frames: np.ndarray, out: np.ndarray) -> None:
    out[...] = frames[:, 0, 0]


def plus(frames: np.ndarray, value: np.ndarray, out: np.ndarray) -> None:
    out[...] = frames + np.reshape(value, (-1, 1, 1))


def test_only_what_is_asked_for_is_read() -> None:
    frames = Frames.from_source(arithmetic((6, 4)))
    first = frames.map_frames(corner, shape=(), dtype="u2").emit()
    summed = frames.map_frames(plus, PerPosition(first.data.rechunk(1)), shape=(6, 5), dtype="i8")
    for array in (summed.data, summed.inav((slice(1, 6), slice(None, None, -1))).data, summed.data - 1):
        peek = Peek(array, nav_ndim=2)
        sources.reads.clear()
        peek.at((2, 2))
        assert len(set(sources.reads)) == 1


def test_neighbourhoods_are_read_with_their_halo() -> None:
    def widest(block: np.ndarray, out: np.ndarray) -> None:
        out[...] = np.max([block[i : i + out.shape[0], j : j + out.shape[1]] for i in range(3) for j in range(3)], 0)

    for boundary in ("nearest", "reflect"):
        frames = Frames.from_source(arithmetic((6, 5))).overlap_frames(
            widest, depth=(1, 1), dtype="u2", boundary=boundary
        )
        peek = check(frames.data, 2)
        sources.reads.clear()
        peek.at((3, 2))
        assert len(sources.reads) == 9
    check(Frames.from_array(da.from_array(arithmetic((6, 5)).dense(), (2, 2, -1, -1)), 2)
          .overlap_frames(widest, depth=(1, 1), dtype="u2").data, 2)  # fmt: skip


def test_a_function_of_whole_blocks_is_given_whole_blocks() -> None:
    array = da.from_array(np.arange(48.0).reshape(6, 2, 2, 2), chunks=(3, 2, 2, 2))
    check(array.map_blocks(lambda block: block - block.mean(), dtype=float), 2)
    check(da.flip(array, 1).map_blocks(np.sort, dtype=float)[::2], 2)


def test_blocks_that_were_computed_are_kept() -> None:
    computed = []

    def slow(block: np.ndarray) -> np.ndarray:
        computed.append(1)
        return block + 1

    array = da.zeros((4, 4, 3, 3), chunks=(2, 4, 3, 3)).map_blocks(slow, dtype=float, meta=np.empty((0,) * 4))
    peek = Peek(array)
    for place in np.ndindex(2, 4):
        peek.at(place)
    assert len(computed) == 1


def test_what_all_positions_need_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peek_shared, "CHEAP_BYTES", 0)
    peek_shared._kept.clear()
    frames = Frames.from_source(arithmetic((6, 4)), chunks=2)

    def shared() -> da.Array:
        mean = frames.data.astype("f8").mean(axis=(0, 1))
        return frames.map_frames(less, SharedLazy(mean), shape=(6, 5), dtype="f8").data

    peek, other = Peek(shared()), Peek(shared())
    assert peek.needs_whole_scan
    assert other.needs_whole_scan
    peek.prepare()
    assert not peek.needs_whole_scan
    assert not other.needs_whole_scan
    sources.reads.clear()
    dense = arithmetic((6, 4)).dense().astype("f8")
    np.testing.assert_allclose(other.at((5, 1))[0], dense[5, 1] - dense.mean(axis=(0, 1)))
    assert sources.reads == [21]


def less(frames: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
    out[...] = frames - mean


def test_a_lazy_sum_is_a_frame_of_its_own(pixels: np.ndarray) -> None:
    total = l4.Diffraction2D(pixels).sum()
    for peek in (Peek(total.frames), Peek(total.data, nav_ndim=0)):
        assert peek.nav_shape == ()
        np.testing.assert_array_equal(peek.at(())[0], pixels.sum(axis=(0, 1)))


def test_a_reduction_below_arithmetic_is_that_of_the_whole_scan(pixels: np.ndarray) -> None:
    s = l4.Diffraction2D(pixels)
    array = s.frames.data - s.sum().data
    (found,) = Peek(array, nav_ndim=2)((slice(1, 2), slice(2, 4)))
    np.testing.assert_array_equal(found, array.compute()[1:2, 2:4])


def test_preparing_ends_when_nobody_waits() -> None:
    class StopError(Exception):
        pass

    frames = Frames.from_source(arithmetic((6, 4), token="prepared"), chunks=1)
    count = frames.reduce_frames(
        Reduction(count_frames, merge_counts, lambda n: n, (StateArray((), "int64"),), (), "int64")
    )
    peek = Peek(frames.map_frames(less, SharedLazy(count), shape=(6, 5), dtype="f8").data)
    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise StopError("enough")

    sources.reads.clear()
    with pytest.raises(StopError, match="enough"):
        peek.prepare(check)
    assert len(sources.reads) < 24
    assert peek.at((0, 0))[0][0, 0] == -24  # computed after all when it is needed


def count_frames(frames: np.ndarray, n: np.ndarray) -> None:
    n += len(frames)


def merge_counts(n: np.ndarray, other: np.ndarray) -> None:
    n += other


@pytest.mark.parametrize("incomplete", ["nan", "zero"])
def test_damaged_frames_are_told(incomplete: str) -> None:
    source = arithmetic((6, 4), damaged=(5, 21), incomplete=incomplete)
    frames = Frames.from_source(source)
    doubled = frames.map_frames(plus, 1, shape=(6, 5), dtype="i8")
    for peek in (Peek(frames), Peek(doubled), Peek(doubled.data), Peek(doubled.emit()), Peek(doubled.data[:, ::1])):
        whole = (slice(None), slice(None))
        expected = np.ones((6, 4), bool)
        expected.reshape(-1)[[5, 21]] = False
        found = peek.valid(whole)
        if found is not None:
            np.testing.assert_array_equal(found, expected)
        assert not np.nan_to_num(peek.at((1, 1))[0]).any()
    assert Peek(Frames.from_source(arithmetic((6, 4)))).valid((slice(0, 1), slice(0, 1))) is None


def test_entries_of_frames_come_as_ragged_frames() -> None:
    def first_pixels(frames: np.ndarray, out: np.ndarray, count: np.ndarray) -> None:
        count[:] = frames[:, 0, 0] % 3
        out[:, :2, 0] = frames[:, 0, :2]

    blocks = Frames.from_source(arithmetic((6, 4)), chunks=2).ragged_frames(
        first_pixels, capacity=2, columns={"value": "i8"}
    )
    (found,) = Peek(blocks.blocks)((slice(1, 3), slice(1, 4)))
    dense = arithmetic((6, 4)).dense()[1:3, 1:4].reshape(6, 6, 5)
    assert np.diff(found.offsets).tolist() == (dense[:, 0, 0] % 3).tolist()
    np.testing.assert_array_equal(found["value"], np.concatenate([f[0, : f[0, 0] % 3] for f in dense]))


def test_frames_packed_together_are_unpacked_once(tmp_path: Path, pixels: np.ndarray, monkeypatch: Any) -> None:
    write_h5(tmp_path / "scan.h5", pixels)
    s = l4.load(tmp_path / "scan.h5")
    opened = []
    source = s.frames.source.source
    original = type(source).open

    def counted(self: Any, box: Any) -> Any:
        opened.append(box)
        return original(self, box)

    monkeypatch.setattr(type(source), "open", counted)
    unpacked._kept.clear()
    peek = Peek(s.frames)
    for place in [(0, 0), (1, 2), (0, 1), (1, 0)]:  # one chunk of 2 x 3
        np.testing.assert_array_equal(peek.at(place)[0], pixels[place])
    assert opened == [(slice(0, 2), slice(0, 3))]
    peek.at((1, 3))
    assert opened[1:] == [(slice(0, 2), slice(3, 6))]
    Peek(s.inav[1:, ::-1].frames).at((1, 4))  # column 5 - 0, row 3: cut by the selection
    assert unpacked._kept.nbytes <= unpacked.KEPT_BYTES


def test_positions_of_a_mask_may_leave_several_runs_of_a_chunk(tmp_path: Path, pixels: np.ndarray) -> None:
    write_h5(tmp_path / "scan.h5", pixels)
    mask = np.zeros(NAV, bool)
    mask[0, [0, 2, 4]] = mask[1, [1, 2, 5]] = True  # columns 0 to 2 are of one chunk
    peek = Peek(l4.load(tmp_path / "scan.h5").inav[mask].frames)
    for box in [slice(0, 6), slice(3, 5), slice(1, 4), slice(5, 6)]:
        np.testing.assert_array_equal(peek((box,))[0], pixels[mask][box])


def test_what_was_unpacked_is_not_kept_beyond_the_limit(tmp_path: Path, pixels: np.ndarray, monkeypatch: Any) -> None:
    write_h5(tmp_path / "scan.h5", pixels)
    monkeypatch.setattr(unpacked, "_kept", BoundedCache(2 * 6 * 12 * 10 * 2))
    peek = Peek(l4.load(tmp_path / "scan.h5").frames)
    for place in np.ndindex(*NAV):
        np.testing.assert_array_equal(peek.at(place)[0], pixels[place])
        assert unpacked._kept.nbytes <= unpacked._kept.limit
    assert 1 < len(unpacked._kept) < 6  # of six chunks


def test_several_threads_at_once(pixels: np.ndarray) -> None:
    s = l4.Diffraction2D(da.from_array(pixels, chunks=(2, 4, -1, -1)))
    c = s.center_direct_beam(position=s.get_direct_beam_position("center_of_mass"))
    whole, peek, wrong = c.data.compute(), Peek(c.frames), []

    def look(first: int) -> None:
        for k in range(60):
            place = tuple(int(i) for i in np.unravel_index((first + 7 * k) % 30, NAV))
            if not np.array_equal(peek.at(place)[0], whole[place]):
                wrong.append(place)

    threads = [threading.Thread(target=look, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_nothing_is_computed_by_building(no_compute: Any, pixels: np.ndarray) -> None:
    s = l4.Diffraction2D(da.from_array(pixels, chunks=(2, 4, -1, -1)))
    plane = s.get_direct_beam_position("center_of_mass").get_linear_plane()
    with no_compute:
        peek = Peek(s.center_direct_beam(position=plane).data)
        assert peek.nav_shape == NAV
        assert isinstance(peek.needs_whole_scan, bool)


def test_errors_say_what_to_do() -> None:
    frames = Frames.from_source(arithmetic((6, 4)))
    peek = Peek(frames)
    with pytest.raises(ValueError, match=r"expected 2 slices for a scan of shape \(6, 4\)"):
        peek((slice(0, 1),))
    with pytest.raises(ValueError, match="expected slices of step 1 within a scan"):
        peek((slice(0, 1), slice(3, 5)))
    with pytest.raises(ValueError, match="expected slices of step 1 within a scan"):
        peek((slice(0, 4, 2), slice(0, 1)))
    with pytest.raises(ValueError, match="expected 2 indices"):
        peek.at((1,))
    with pytest.raises(ValueError, match=r"expected results over one scan, found scans of shapes"):
        Peek(frames, Frames.from_source(arithmetic((5, 4))))
    with pytest.raises(ValueError, match="found an array of shape"):
        Peek(frames, da.zeros((3, 3)))
    with pytest.raises(ValueError, match="at least one lazy array"):
        Peek()
    with pytest.raises(TypeError, match=r"give signal\.frames"):
        Peek("frames")  # type: ignore[arg-type]


def test_the_cache_is_bounded() -> None:
    kept = BoundedCache(10)
    assert kept.put("a", 1, 4)
    assert kept.put("b", 2, 4)
    assert kept.get("a") == 1
    assert kept.put("c", 3, 4)  # b was used longest ago
    assert "b" not in kept
    assert not kept.put("d", 4, 11)
    assert kept.put("a", 5, 10)
    assert (len(kept), kept.nbytes, kept.get("a")) == (1, 10, 5)
    kept.clear()
    assert kept.nbytes == 0
    with pytest.raises(ValueError, match="bytes from 0"):
        BoundedCache(-1)
    assert peek_keys._blocks.nbytes <= peek_keys.KEPT_BYTES

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazy4d.errors import FormatError, TruncatedFileError
from lazy4d.io import mapping
from lazy4d.io.files import FrameFiles
from lazy4d.io.navigation import NavigationMap
from lazy4d.io.rawframes import PlainDecoder, RawFrames, RecordLayout

NAV, FRAME = (5, 6), (4, 3)
MODES = ("mmap", "read")


def store(
    folder: Path, frames: np.ndarray, *, files: int = 1, start: int = 5, before: int = 3, after: int = 2
) -> list[str]:
    """Records of a few odd bytes, the pixels and a few more, over several files: nothing is aligned."""
    paths = []
    for k, part in enumerate(np.array_split(frames.reshape(-1, *frames.shape[-2:]), files)):
        records = b"".join(b"h" * before + frame.tobytes() + b"t" * after for frame in part)
        paths.append(str(folder / f"part {k} é.bin"))
        Path(paths[-1]).write_bytes(b"s" * start + records)
    return paths


def frames_of(paths: list[str], dtype, counts, *, numbers=None, nav=NAV, frame=FRAME, **options) -> RawFrames:
    stride = 3 + int(np.prod(frame)) * np.dtype(dtype).itemsize + 2
    sizes = np.array([os.stat(p).st_size for p in paths])
    mtimes = np.array([os.stat(p).st_mtime_ns for p in paths])
    counts = np.array(counts)
    numbers = np.cumsum(counts) - counts if numbers is None else np.array(numbers)
    runs = (numbers, counts, np.arange(len(paths)), np.zeros(len(paths), int))
    files = FrameFiles.of_runs(paths, sizes, mtimes, runs)
    layout = RecordLayout(5, stride, 3, PlainDecoder(np.dtype(dtype), frame))
    navigation = options.pop("navigation", NavigationMap.raster(nav))
    return RawFrames(files, layout, navigation, **options)


@pytest.fixture(scope="module", params=["<u2", ">u2", ">f4", "u1", "?", ">c8"])
def stored(request, tmp_path_factory):
    """Frames of one dtype in one file and spread over four."""
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2 if request.param == "?" else 200, NAV + FRAME).astype(request.param)
    folder = tmp_path_factory.mktemp("frames with space")
    counts = {1: [30], 4: [len(part) for part in np.array_split(np.arange(30), 4)]}
    (folder / "one").mkdir()
    paths = {1: store(folder / "one", values), 4: store(folder, values, files=4)}
    return SimpleNamespace(
        values=values.astype(values.dtype.newbyteorder("=")),
        sources={(n, io): frames_of(paths[n], request.param, counts[n], io=io) for n in paths for io in MODES},
    )


@pytest.mark.parametrize("files", [1, 4])
@pytest.mark.parametrize("io", MODES)
def test_frames_come_out_native_and_whole(stored, read_all, files, io) -> None:
    source = stored.sources[files, io]
    assert source.dtype.isnative
    assert source.nav_shape == NAV
    assert source.frame_nbytes == 12 * source.dtype.itemsize
    assert np.array_equal(read_all(source), stored.values)


@st.composite
def indices(draw: st.DrawFn, length: int) -> slice:
    first, step = draw(st.integers(0, length - 1)), draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
    stop = draw(st.integers(first + 1, length)) if step > 0 else draw(st.integers(-1, first - 1))
    return slice(first, stop, step)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.tuples(indices(5), indices(6)),
    st.integers(0, 2**30 - 1),
    st.sampled_from([(n, io) for n in (1, 4) for io in MODES]),
    st.integers(1, 7),
)
def test_selections_and_boxes_are_numpy_indexing(stored, read_all, items, bits, kind, tile) -> None:
    source, values = stored.sources[kind], stored.values
    as_numpy = tuple(slice(i.start, None if i.stop < 0 else i.stop, i.step) for i in items)
    assert np.array_equal(read_all(source.select(items), tile=tile), values[as_numpy])
    mask = np.array([bits >> k & 1 for k in range(30)], bool).reshape(NAV)
    chosen = source.select((mask,))
    assert np.array_equal(read_all(chosen, tile=tile), values[mask])
    block = source.open((slice(1, 4), slice(2, 6)))
    out = np.empty((tile, *FRAME), source.dtype)
    expected = values[1:4, 2:6].reshape(-1, *FRAME)
    for start in range(0, 12, tile):
        stop = min(start + tile, 12)
        block.read(start, stop, out, ())
        assert np.array_equal(out[: stop - start], expected[start:stop])
    block.close()


def test_only_the_window_needs_to_be_filled(stored) -> None:
    for source in stored.sources.values():
        block = source.open((slice(0, 1), slice(0, 6)))
        out = np.zeros((6, *FRAME), source.dtype)
        block.read(0, 6, out, (slice(1, 3), slice(0, 2)))
        block.close()
        assert np.array_equal(out[:, 1:3, 0:2], stored.values[0, :, 1:3, 0:2])
        assert not out[:, 3].any()


def test_dropped_axes(stored, read_all) -> None:
    for source in stored.sources.values():
        row = source.select((slice(2, 3, 1), slice(0, 6, 1))).drop_axes((0,))
        assert np.array_equal(read_all(row), stored.values[2])
        frame = source.select((slice(2, 3, 1), slice(4, 5, 1))).drop_axes((0, 1))
        assert frame.nav_shape == ()
        assert np.array_equal(read_all(frame), stored.values[2, 4])


def test_tokens_name_the_pixels(stored) -> None:
    sources = list(stored.sources.values())
    source = sources[0]
    assert pickle.loads(pickle.dumps(source)).token == source.token
    part = source.select((slice(0, 2, 1), slice(0, 6, 1)))
    mask = np.zeros(NAV, bool)
    mask[:2] = True
    tokens = [source.token, sources[2].token, part.token, source.select((mask,)).token]
    assert len(set(tokens)) == 4
    assert source.select((slice(0, 2, 1), slice(0, 6, 1))).token == part.token


def test_blanks_are_invalid_and_zero(tmp_path, read_all) -> None:
    values = np.arange(1, 361, dtype="u2").reshape(30, *FRAME)
    navigation = NavigationMap.raster(NAV, first=-4)
    for files, counts in ((1, [30]), (3, [10, 10, 10])):
        source = frames_of(store(tmp_path, values, files=files), "u2", counts, navigation=navigation)
        assert source.incomplete == "nan"  # blanks that were asked for are never valid frames
        out, valid = read_all(source, with_valid=True)
        assert not valid[0, :4].any()
        assert valid.sum() == 26
        assert not out[0, :4].any()
        assert np.array_equal(out.reshape(-1, *FRAME)[4:], values[:26])
        later = source.select((slice(1, 5, 1), slice(0, 6, 1)))
        assert later.incomplete == "raise"
        assert later.open((slice(0, 4), slice(0, 6))).valid is None


def test_frames_missing_between_files_are_invalid_in_their_place(tmp_path, read_all) -> None:
    values = np.arange(1, 361, dtype="u2").reshape(30, *FRAME)
    kept = np.delete(values, [10, 11], axis=0)
    paths = [*store(tmp_path, kept[:10]), str(tmp_path / "second.bin")]
    Path(paths[1]).write_bytes(Path(store(tmp_path / "..", kept[10:])[0]).read_bytes())
    source = frames_of(paths, "u2", [10, 18], numbers=[0, 12], incomplete="zero")
    out, valid = read_all(source, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [10, 11]
    assert np.array_equal(out.reshape(-1, *FRAME)[valid.ravel()], kept)


@pytest.mark.parametrize("io", MODES)
def test_a_block_refuses_a_file_that_changed(tmp_path, io) -> None:
    values = np.zeros((30, *FRAME), "u2")
    (path,) = store(tmp_path, values)
    source = frames_of([path], "u2", [30], io=io)
    box = (slice(0, 1), slice(0, 6))
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:-1])
    with pytest.raises(TruncatedFileError, match=f"shrank since it was loaded, expected {len(content)} bytes"):
        source.open(box)
    Path(path).write_bytes(content)
    os.utime(path, ns=(0, 1))
    with pytest.raises(FormatError, match="was written to since it was loaded"):
        source.open(box)
    os.remove(path)
    with pytest.raises(FileNotFoundError, match="is gone now"):
        source.open(box)


def test_a_file_may_grow_when_it_is_read_but_not_when_it_is_mapped(tmp_path, read_all) -> None:
    values = np.arange(360, dtype="u2").reshape(*NAV, *FRAME)
    (path,) = store(tmp_path, values)
    mapped, read = (frames_of([path], "u2", [30], io=io) for io in MODES)
    with open(path, "ab") as file:
        file.write(b"more")
    with pytest.raises(FormatError, match="io='read'"):
        mapped.open((slice(0, 1), slice(0, 1)))
    assert np.array_equal(read_all(read), values)


def test_a_file_cut_while_a_block_is_open_is_an_error_not_a_crash(tmp_path) -> None:
    (path,) = store(tmp_path, np.zeros((30, *FRAME), "u2"))
    source = frames_of([path], "u2", [30], io="read")
    block = source.open((slice(0, 5), slice(0, 6)))
    os.truncate(path, 200)
    with pytest.raises(TruncatedFileError, match="shrank while it was read"):
        block.read(0, 30, np.empty((30, *FRAME), "u2"), ())
    block.close()


def test_read_only_files_are_enough_and_stay_as_they_are(tmp_path, read_all) -> None:
    values = np.arange(360, dtype="u2").reshape(*NAV, *FRAME)
    (path,) = store(tmp_path, values)
    os.chmod(path, 0o444)
    before = Path(path).read_bytes()
    for io in MODES:
        assert np.array_equal(read_all(frames_of([path], "u2", [30], io=io)), values)
    assert Path(path).read_bytes() == before


def test_many_blocks_at_once_in_threads(tmp_path) -> None:
    values = np.arange(360, dtype="u2").reshape(*NAV, *FRAME)
    source = frames_of(store(tmp_path, values, files=3), "u2", [10, 10, 10])
    wrong: list[int] = []

    def work(row: int) -> None:
        for _ in range(20):
            block = source.open((slice(row, row + 1), slice(0, 6)))
            out = np.empty((6, *FRAME), "u2")
            block.read(0, 6, out, ())
            block.close()
            if not np.array_equal(out, values[row]):
                wrong.append(row)

    threads = [threading.Thread(target=work, args=(row,)) for row in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_mappings_are_kept_and_dropped(tmp_path, read_all, monkeypatch) -> None:
    mapping.forget_mappings()
    monkeypatch.setattr(mapping, "MAPPINGS_KEPT", 4)
    values = np.arange(360, dtype="u2").reshape(*NAV, *FRAME)
    sources = []
    for k in range(6):
        (tmp_path / str(k)).mkdir()
        sources.append(frames_of(store(tmp_path / str(k), values), "u2", [30]))
    for source in sources:
        assert np.array_equal(read_all(source), values)
    assert mapping.forget_mappings(sources[0].files.path(0)) == 0
    assert mapping.forget_mappings(sources[-1].files.path(0)) == 1
    assert mapping.forget_mappings() == 3
    long_series = frames_of(store(tmp_path, values, files=6), "u2", [5] * 6)
    assert np.array_equal(read_all(long_series), values)
    assert mapping.forget_mappings() == 0  # more small files than maps kept: read plainly


def test_pages_are_released_when_a_file_is_large_for_the_memory(tmp_path, read_all, monkeypatch) -> None:
    released = []
    original = mapping.release_pages
    monkeypatch.setattr(mapping, "memory_limit", lambda: 1000)
    monkeypatch.setattr(mapping, "release_pages", lambda *a: (released.append(a[1:]), original(*a)))
    values = np.arange(2 * 3 * 64 * 64, dtype="u2").reshape(2, 3, 64, 64)
    source = frames_of(store(tmp_path, values), "u2", [6], nav=(2, 3), frame=(64, 64))
    assert np.array_equal(read_all(source), values)
    assert released == [(5, 5 + 5 * (8192 + 5) + 3 + 8192)]
    assert np.array_equal(read_all(source), values)


def test_pages_stay_for_a_small_file(monkeypatch) -> None:
    monkeypatch.setattr(mapping, "memory_limit", lambda: 1 << 30)
    assert not mapping.should_release(1 << 27)
    assert mapping.should_release(1 << 29)


def test_a_worker_always_releases(monkeypatch) -> None:
    monkeypatch.setitem(
        __import__("sys").modules, "distributed.worker", SimpleNamespace(Worker=SimpleNamespace(_instances={1}))
    )
    assert mapping.should_release(1)


def test_a_huge_scan_travels_small(tmp_path) -> None:
    path = tmp_path / "sparse.raw"
    frames = 1_600_000_000_000 // 131_072
    with open(path, "wb") as file:
        file.truncate(frames * 131_072)
    files = FrameFiles.single(str(path), size=frames * 131_072, mtime_ns=os.stat(path).st_mtime_ns, count=frames)
    layout = RecordLayout(0, 131_072, 0, PlainDecoder(np.dtype("u2"), (256, 256)))
    source = RawFrames(files, layout, NavigationMap.raster((3000, frames // 3000)))
    mask = np.zeros(source.nav_shape, bool)
    mask[500:2500, 100:3000] = True
    for chosen in (source, source.select((slice(0, 3000, 7), slice(4000, -1, -1))), source.select((mask,))):
        assert len(pickle.dumps(chosen)) < 1_000_000
        block = chosen.open((slice(0, 1),) * len(chosen.nav_shape))
        block.read(0, 1, np.ones((1, 256, 256), "u2"), ())
        block.close()


def test_files_of_a_long_series_travel_small() -> None:
    rng = np.random.default_rng(0)
    n = 100_000
    paths = [f"/data/some folder/acquisition 17 é_{k:06d}.mib" for k in range(n)]
    mtimes = 1_700_000_000_000_000_000 + np.cumsum(rng.integers(900_000, 1_100_000, n))
    runs = (np.arange(n), np.ones(n, int), np.arange(n), np.zeros(n, int))
    files = FrameFiles.of_runs(paths, np.full(n, 131_456), mtimes, runs)
    there = pickle.loads(pickle.dumps(files))
    assert len(pickle.dumps(files)) < 1_000_000
    assert there.digest == files.digest
    assert there.path(777) == paths[777]
    assert there.locate(np.array([5, 99_999, 100_000, -1]))[0].tolist() == [5, 99_999, -1, -1]


def test_records_in_a_file_need_no_gap_behind_the_last() -> None:
    layout = RecordLayout(16, 110, 4, PlainDecoder(np.dtype("u1"), (10, 10)))
    assert layout.records_in(16 + 220) == (2, 0)
    assert layout.records_in(16 + 214) == (2, 0)
    assert layout.records_in(16 + 213) == (1, 103)
    assert layout.records_in(3) == (0, 0)

"""Overviews kept between sessions: whole, of these very data, or ignored; bounded, atomic, never in the way."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.io import overview_places
from lazy4d.io.overview_file import read_overview_file, write_overview_file
from lazy4d.io.overview_places import cache_folder, keep_overview, make_room
from lazy4d.signals.overview import OverviewPass, finding, overview_of, save_overview

IDENTITY = {"path": "/data/scan.raw", "token": "abc", "size": 12}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAZY4D_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "overviews"


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(5).poisson(9.0, (6, 8, 16, 14)).astype("u2")


@pytest.fixture
def raw(tmp_path: Path, data: np.ndarray, cache: Path) -> Path:
    folder = tmp_path / "data ü"
    folder.mkdir()
    path = folder / "scan.raw"
    data.tofile(path)
    return path


def load(path: Path, **options: Any) -> Any:
    """The file as another session would see it: nothing in memory is remembered."""
    finding._of_files.clear()
    return l4.load(path, **{"reader": "raw", "frame_shape": (16, 14), "dtype": "<u2", "scan_shape": (6, 8), **options})


def passed(signal: Any) -> Any:
    overview = overview_of(signal)
    list(OverviewPass(signal, overview).steps())
    assert overview.complete
    return overview


# ---- round trips


def test_a_second_opening_is_complete(raw: Path, data: np.ndarray, cache: Path, no_compute: Any) -> None:
    first = passed(load(raw))
    assert len(list(cache.iterdir())) == 1
    signal = load(raw)
    with no_compute:
        found = overview_of(signal)
    assert found is not first
    assert found.complete
    assert found.share == 1
    assert np.array_equal(found.navigator, data.sum((2, 3)))
    for name in ("maxima", "spreads", "sum_pattern", "max_pattern", "sum_of_squares", "mean_pattern", "std_pattern"):
        assert np.array_equal(getattr(found, name), getattr(first, name)), name
    assert found.sum_pattern.dtype == first.sum_pattern.dtype
    assert found.positions_seen == 48
    mask = np.eye(16, 14, dtype=bool)
    assert np.array_equal(found.proxy.image(mask), data[..., mask].sum(-1))
    assert not found.proxy.planes.flags.writeable
    passing = OverviewPass(signal, found)
    assert list(passing.steps())[-1] == 1.0
    assert passing.bytes_read == 0


def test_an_audit_is_kept(tmp_path: Path, cache: Path) -> None:
    from lazy4d.data.mib import write_mib

    path = tmp_path / "scan.mib"
    write_mib(path, np.ones((4, 5, 256, 256), "u2"))
    finding._of_files.clear()
    first = passed(l4.load(path, scan_shape=(4, 5)))
    assert first.audit.ok
    finding._of_files.clear()
    found = overview_of(l4.load(path, scan_shape=(4, 5)))
    assert found.complete
    assert found.audit == first.audit


def test_derived_signals_are_kept_under_their_own_name(raw: Path, data: np.ndarray, cache: Path) -> None:
    passed(load(raw))
    passed(load(raw).isig[2:9, 3:8])
    passed(load(raw).center_direct_beam(method="center_of_mass"))
    assert len(list(cache.iterdir())) == 3
    found = overview_of(load(raw).isig[2:9, 3:8])
    assert found.complete
    assert np.array_equal(found.navigator, data[..., 3:8, 2:9].sum((2, 3)))
    assert overview_of(load(raw).center_direct_beam(method="center_of_mass")).complete
    assert not overview_of(load(raw).isig[2:9, 3:9]).complete


@pytest.mark.parametrize("change", ["content", "time", "scan", "frame", "dtype", "moved"])
def test_other_data_do_not_get_it(raw: Path, data: np.ndarray, cache: Path, change: str) -> None:
    passed(load(raw))
    options: dict[str, Any] = {}
    if change == "content":
        state = os.stat(raw)
        data[::-1].tofile(raw)
        os.utime(raw, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    elif change == "time":
        os.utime(raw, ns=(0, 1))
    elif change == "moved":
        raw = raw.rename(raw.with_name("other.raw"))
    else:
        options = {
            "scan": {"scan_shape": (8, 6)},
            "frame": {"frame_shape": (14, 16)},
            "dtype": {"dtype": ">u2"},
        }[change]
    assert overview_of(load(raw, **options)).share == 0


def test_a_file_that_changed_during_the_pass_is_not_kept(raw: Path, data: np.ndarray, cache: Path) -> None:
    signal = load(raw)
    steps = OverviewPass(signal, overview_of(signal), sample_seconds=0).steps()
    os.utime(raw, ns=(0, 1))
    list(steps)
    assert overview_of(signal).problems
    assert not cache.exists() or not list(cache.iterdir())


def test_functions_and_arrays_of_the_user_are_not_kept(raw: Path, cache: Path) -> None:
    import dask.array as da

    signal = load(raw)
    passed(signal.map(lambda frame: frame + 1, output_dtype="uint16", output_signal_shape=(16, 14)))
    beam = l4.BeamPosition(da.from_array(np.full((6, 8, 2), 7.5), chunks=(3, 8, 2)))
    passed(signal.center_direct_beam(position=beam))
    passed(l4.Diffraction2D(signal.compute(progress=False).data))
    assert not cache.exists() or not list(cache.iterdir())


def test_where_it_is_kept(raw: Path, cache: Path) -> None:
    beside = raw.with_name("scan.raw.l4view")
    with l4.set_options(overviews="off"):
        passed(load(raw))
        assert not cache.exists()
        assert not beside.exists()
    with l4.set_options(overviews="beside"):
        passed(load(raw))
        assert beside.exists()
        assert not cache.exists()
        assert overview_of(load(raw)).complete
    assert overview_of(load(raw)).complete  # what lies beside is found whatever the option
    with l4.set_options(overviews="off"):
        assert not overview_of(load(raw)).complete
    with pytest.raises(ValueError, match="overviews='near': expected 'cache', 'beside' or 'off'"):
        l4.set_options(overviews="near")


def test_where_nothing_can_be_written_beside_it_goes_to_the_cache(
    raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = overview_places.write_overview_file

    def refused(path: str, *args: Any) -> Any:
        written.append(path)
        if not path.startswith(str(cache)):
            raise PermissionError(13, "read-only")
        return write(path, *args)

    monkeypatch.setattr(overview_places, "write_overview_file", refused)
    with l4.set_options(overviews="beside"):
        passed(load(raw))
        assert [Path(path).parent for path in written] == [raw.parent, cache]
        assert overview_of(load(raw)).complete


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "read-only")])
def test_a_full_disk_or_a_locked_folder_are_no_error(
    raw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fails(fd: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fails)
    overview = passed(load(raw))
    assert overview.complete
    assert list(cache.iterdir()) == []  # nor is anything half written left
    monkeypatch.setattr(os, "makedirs", lambda *a, **k: fails(0))
    assert not save_overview(load(raw), overview)


# ---- damaged, foreign and hostile files


def flips(path: Path, count: int) -> list[int]:
    size = path.stat().st_size
    return sorted({*range(64), *(int(n) for n in np.random.default_rng(3).integers(0, size, count))})


def test_any_flipped_byte_is_noticed_or_does_not_matter(raw: Path, data: np.ndarray, cache: Path) -> None:
    first = passed(load(raw))
    (path,) = cache.iterdir()
    good = path.read_bytes()
    mask = np.eye(16, 14, dtype=bool)
    ignored = 0
    for place in flips(path, 60):
        bad = bytearray(good)
        bad[place] ^= 0x41
        path.write_bytes(bad)
        found = overview_of(load(raw))
        proxy = found.proxy
        if not found.complete:
            ignored += 1
            assert found.share == 0
            continue
        assert np.array_equal(found.navigator, first.navigator)
        assert np.array_equal(found.sum_pattern, first.sum_pattern)
        assert np.array_equal(proxy.image(mask), first.proxy.image(mask))
    assert ignored > 40


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_torn_files_are_ignored_and_written_again(raw: Path, cache: Path, share: float) -> None:
    passed(load(raw))
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    signal = load(raw)
    assert overview_of(signal).share == 0
    passed(signal)
    assert overview_of(load(raw)).complete


def header(content: Any, version: int = 1, magic: bytes = b"LAZY4DOV") -> bytes:
    import hashlib

    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = hashlib.blake2b(text, digest_size=32).digest()
    return struct.pack("<8sII32s", magic, version, len(text), digest) + text


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "dtype": "u1", "shape": [4], "offset": 0, "crc32": 0, **changes}


HOSTILE = {
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "nothing": b"",
    "no JSON": header(b"\xff\xfe{"),
    "a list": header([1, 2]),
    "deep": header(b"[" * 100000),
    "newer": header({"identity": IDENTITY, "meta": {}, "arrays": []}, version=2),
    "another magic": header({"identity": IDENTITY, "meta": {}, "arrays": []}, magic=b"LAZY4DXX"),
}
ENTRIES = {
    "beyond the end": entry(shape=[10**9]),
    "overflowing": entry(shape=[2**40, 2**40]),
    "negative": entry(shape=[-4]),
    "from before the start": entry(offset=-8),
    "objects": entry(dtype="O"),
    "a structure": entry(dtype="V8"),
    "floats as shape": entry(shape=[4.0]),
    "truth as shape": entry(shape=[True]),
    "many axes": entry(shape=[1] * 40),
    "no shape": {"name": "a", "dtype": "u1", "offset": 0, "crc32": 0},
    "unhashable dtype": entry(dtype=["u1"]),
    "no entry": 7,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_foreign_files_are_as_good_as_absent(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.l4view"
    path.write_bytes(HOSTILE[name])
    assert read_overview_file(str(path), IDENTITY) is None


@pytest.mark.parametrize("name", ENTRIES)
def test_impossible_arrays_are_as_good_as_absent(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.l4view"
    for _ in range(3):
        size = path.stat().st_size if path.exists() else 0
        path.write_bytes(header({"identity": IDENTITY, "meta": {}, "size": size, "arrays": [ENTRIES[name]]}))
    assert read_overview_file(str(path), IDENTITY) is None


def test_a_sound_file_of_arrays(tmp_path: Path) -> None:
    path = str(tmp_path / "a.l4view")
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros((0, 4), ">u2"), "c": np.ones((3, 2), "?")[:, ::2]}
    for _ in write_overview_file(path, IDENTITY, {"x": [1, None]}, arrays):
        pass
    found = read_overview_file(path, IDENTITY)
    assert found is not None
    assert found.meta == {"x": [1, None]}
    for name, array in arrays.items():
        assert np.array_equal(found.arrays[name].values, array)
        assert found.arrays[name].sound()
    assert read_overview_file(path, {**IDENTITY, "token": "abd"}) is None
    assert read_overview_file(str(tmp_path), IDENTITY) is None
    assert read_overview_file(str(tmp_path / "none"), IDENTITY) is None
    with pytest.raises(ValueError, match="expected numbers of at most 64 bits as 'o', found dtype object"):
        list(write_overview_file(path, IDENTITY, {}, {"o": np.array([None])}))


@pytest.mark.parametrize(
    "meta",
    [
        {"count": "many"},
        {"bin_pixels": [0, 1]},
        {"bin_pixels": [2, 2]},
        {"bin_pixels": "12"},
        {"bin_positions": []},
        {"bin_positions": [-1, 1]},
        {"audit": {"paths": 3}},
        {"audit": [1]},
    ],
)
def test_meta_that_lies_is_ignored(raw: Path, cache: Path, meta: dict[str, Any]) -> None:
    passed(load(raw))
    (path,) = cache.iterdir()
    signal = load(raw)
    identity = finding.identity_of(signal._overview)
    kept = read_overview_file(str(path), identity)
    arrays = {name: array.values for name, array in kept.arrays.items()}
    for _ in write_overview_file(str(path), identity, {**kept.meta, **meta}, arrays):
        pass
    assert overview_of(signal).share == 0


# ---- the cache folder


def test_the_cache_folder_of_each_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAZY4D_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == str(tmp_path / ".cache" / "lazy4d")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == str(tmp_path / ".cache" / "lazy4d")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == str(tmp_path / "xdg" / "lazy4d")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == str(tmp_path / "Library" / "Caches" / "lazy4d")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert cache_folder() == str(tmp_path / "Local" / "lazy4d" / "Cache")
    monkeypatch.setenv("LAZY4D_CACHE", str(tmp_path / "given"))
    assert cache_folder() == str(tmp_path / "given")


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    for k in range(5):
        (tmp_path / f"{k}.l4view").write_bytes(bytes(1000))
        os.utime(tmp_path / f"{k}.l4view", (1000 + k, 1000 + k))
    os.utime(tmp_path / "0.l4view", (2000, 2000))
    (tmp_path / "other.txt").write_bytes(bytes(5000))
    (tmp_path / ".old.partial").write_bytes(bytes(10))
    os.utime(tmp_path / ".old.partial", (1000, 1000))
    (tmp_path / ".new.partial").write_bytes(bytes(10))
    make_room(str(tmp_path), 1500, most=4500)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".new.partial", "0.l4view", "3.l4view", "4.l4view", "other.txt"]
    with pytest.raises(OSError, match="expected at most 4500 bytes for the overviews"):
        make_room(str(tmp_path), 5000, most=4500)


def test_too_many_files_make_room(tmp_path: Path) -> None:
    for k in range(6):
        (tmp_path / f"{k}.l4view").write_bytes(b"a")
        os.utime(tmp_path / f"{k}.l4view", (1000 + k, 1000 + k))
    make_room(str(tmp_path), 1, most_files=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.l4view", "4.l4view", "5.l4view"]


def test_what_is_used_stays(raw: Path, cache: Path) -> None:
    passed(load(raw))
    (path,) = cache.iterdir()
    os.utime(path, (1000, 1000))
    overview_of(load(raw))
    assert path.stat().st_mtime > 2000


def test_little_free_space_is_left_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    assert list(keep_overview(IDENTITY, "cache", {}, {"a": np.zeros(1000)})) == []
    assert list(cache.iterdir()) == []


def test_two_processes_write_at_once(raw: Path, data: np.ndarray, cache: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from lazy4d.io.overview_places import keep_overview\n"
        "value = float(sys.argv[1])\n"
        "sys.stdin.readline()\n"
        "for _ in range(30):\n"
        f"    list(keep_overview({IDENTITY!r}, 'cache', {{'value': value}}, {{'a': np.full((200, 500), value)}}))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(k)], stdin=subprocess.PIPE, text=True) for k in (1, 2)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    seen = set()
    while any(writer.poll() is None for writer in writers):
        found = overview_places.find_overview(IDENTITY, "cache")
        if found is not None:
            assert found.arrays["a"].sound()
            assert (found.arrays["a"].values == found.meta["value"]).all()
            seen.add(found.meta["value"])
    assert [writer.wait() for writer in writers] == [0, 0]
    assert overview_places.find_overview(IDENTITY, "cache") is not None
    assert [path.suffix for path in cache.iterdir()] == [".l4view"]
    for writer in writers:
        writer.stdin.close()


# ---- stores of our own


def test_stores_carry_their_image(tmp_path: Path, data: np.ndarray, cache: Path, no_compute: Any) -> None:
    path = tmp_path / "scan.zarr"
    l4.Diffraction2D(data).save(path, progress=False)
    finding._of_files.clear()
    signal = l4.load(path)
    with no_compute:
        found = overview_of(signal)
        assert found.share == 1
        assert not found.complete
        assert np.array_equal(found.navigator, data.sum((2, 3)))
        assert np.array_equal(overview_of(signal.isig[2:5, 2:5].inav[1:4]).navigator, data[:, 1:4].sum((2, 3)))
        assert overview_of(l4.load(path, scan_shape=(8, 6))).share == 0


def test_stores_mark_missing_frames(tmp_path: Path, data: np.ndarray, cache: Path) -> None:
    valid = np.ones((6, 8), bool)
    valid[2, 3:5] = False
    path = tmp_path / "scan.zarr"
    l4.Diffraction2D(data, valid=valid).save(path, progress=False)
    with pytest.warns(l4.errors.Lazy4DWarning, match="2 of 48 frames were missing or damaged"):
        found = overview_of(l4.load(path)).navigator
    assert np.array_equal(np.isnan(found), ~valid)
    assert np.array_equal(found[valid], data.sum((2, 3))[valid])


@pytest.mark.parametrize("damage", ["flip", "short", "gone"])
def test_a_damaged_image_of_a_store_is_ignored(tmp_path: Path, data: np.ndarray, cache: Path, damage: str) -> None:
    path = tmp_path / "scan.zarr"
    l4.Diffraction2D(data).save(path, progress=False)
    part = next(p for p in (path / "navigator").iterdir() if p.name != "zarr.json")
    content = bytearray(part.read_bytes())
    if damage == "gone":
        part.unlink()
    else:
        content[5] ^= 1
        part.write_bytes(content if damage == "flip" else content[:-1])
    finding._of_files.clear()
    signal = l4.load(path)
    assert overview_of(signal).share == 0
    assert np.array_equal(signal.compute(progress=False).data, data)


def test_the_image_of_a_store_is_a_zarr_array(tmp_path: Path, data: np.ndarray, cache: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "scan.zarr"
    l4.Diffraction2D(data).save(path, progress=False)
    assert np.array_equal(zarr.open(path)["navigator"][:], data.sum((2, 3)))

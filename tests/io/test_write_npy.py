"""Saving to ``.npy``: what numpy reads, what comes back, and what an interrupted or refused save leaves behind."""

from __future__ import annotations

import json
import os
import threading

import dask
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import ChunkError, Lazy4DWarning
from lazy4d.io.fixed_frames import writing
from lazy4d.io.fixed_frames.placing import FileTarget, PlacedBlock

SHAPE = (4, 5, 12, 10)


@pytest.fixture
def pixels():
    return np.random.default_rng(3).integers(0, 4000, SHAPE, np.uint16)


@pytest.fixture
def signal(pixels):
    s = l4.Diffraction2D(pixels, title="Gold 5 µm", metadata={"Sample": {"edges": np.arange(3), "dose": np.inf}})
    s.set_calibration(scale=0.02, units="1/Å", scan_scale=1.2, scan_units="nm", beam_energy="200 kV")
    return s


def left_in(folder) -> list[str]:
    return sorted(os.listdir(folder))


def same_axes(one, other) -> bool:
    keys = ("name", "units", "scale", "offset", "size", "navigate")
    rows = [[{k: axis.as_dictionary()[k] for k in keys} for axis in s.axes_manager] for s in (one, other)]
    return rows[0] == rows[1]


@pytest.mark.parametrize("chunks", [(4, 5), (1, 5), (3, 5), (2, 2), (1, 1)])
def test_numpy_reads_the_array(tmp_path, signal, pixels, scheduler, chunks) -> None:
    path = tmp_path / "scan ü.npy"
    lazy = l4.Diffraction2D(dask.array.from_array(pixels, chunks=(*chunks, 12, 10)))
    lazy.save(path, progress=False)
    found = np.load(path)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels)
    assert left_in(tmp_path) == ["scan ü.npy", "scan ü.npy.lazy4d.json"]


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", ">i4", "uint64", "float16", "float32", "float64", "complex64"]
)
def test_every_dtype(tmp_path, pixels, dtype) -> None:
    array = pixels.astype(dtype)
    l4.Diffraction2D(array).save(tmp_path / "a.npy", progress=False)
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(l4.load(tmp_path / "a.npy").as_numpy(), array)


def test_frames_start_on_a_page(tmp_path, signal) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    assert (tmp_path / "a.npy").stat().st_size == 4096 + signal.nbytes
    assert np.load(tmp_path / "a.npy", mmap_mode="r").offset == 4096


def test_everything_comes_back(tmp_path, signal, pixels) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    back = l4.load(tmp_path / "a.npy")
    assert type(back) is l4.Diffraction2D
    assert back.title == "Gold 5 µm"
    assert same_axes(back, signal)
    assert back.axes_manager.beam_energy == 200
    np.testing.assert_array_equal(back.metadata.Sample.edges, np.arange(3))
    assert back.metadata.Sample.dose == np.inf
    assert [entry.op for entry in back.history] == ["set_calibration", "load"]
    np.testing.assert_array_equal(back.as_numpy(), pixels)


def test_results_without_frames_come_back_as_what_they_were(tmp_path, signal) -> None:
    image = signal.get_virtual_image(l4.CircleROI(5, 6, 3))
    position = signal.get_direct_beam_position(method="center_of_mass")
    for name, result in {"image": image, "position": position, "sum": signal.sum()}.items():
        path = tmp_path / f"{name}.npy"
        result.save(path, progress=False)
        back = l4.load(path)
        assert type(back) is type(result)
        assert same_axes(back, result)
        np.testing.assert_array_equal(back.as_numpy(), result.as_numpy())
        np.testing.assert_array_equal(np.load(path), result.as_numpy())


def test_steps_are_applied_as_it_is_written(tmp_path, signal, pixels) -> None:
    signal.save(tmp_path / "in.npy", progress=False)
    lazy = l4.load(tmp_path / "in.npy")
    (lazy.isig[2:8, 3:].inav[1:4] * 2).save(tmp_path / "out.npy", progress=False)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), pixels[:, 1:4, 3:, 2:8] * 2)
    assert same_axes(l4.load(tmp_path / "out.npy"), lazy.isig[2:8, 3:].inav[1:4])


def test_another_scan_shape_keeps_the_detector(tmp_path, signal, pixels) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    back = l4.load(tmp_path / "a.npy", scan_shape=(10, 2))
    assert back.shape == (10, 2, 12, 10)
    assert back.axes_manager["kx"].units == "1/Å"
    assert back.axes_manager["x"].units == "px"


def test_without_its_companion_the_file_is_a_plain_array(tmp_path, signal) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    os.unlink(tmp_path / "a.npy.lazy4d.json")
    back = l4.load(tmp_path / "a.npy")
    assert back.shape == SHAPE
    assert back.axes_manager["kx"].units == "px"


def test_a_copy_keeps_its_companion(tmp_path, signal) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    for suffix in ("", ".lazy4d.json"):
        (tmp_path / f"b.npy{suffix}").write_bytes((tmp_path / f"a.npy{suffix}").read_bytes())  # another mtime
    assert l4.load(tmp_path / "b.npy").axes_manager["kx"].units == "1/Å"


def test_a_companion_of_other_pixels_is_left_aside(tmp_path, signal, pixels) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    shifted = np.load(tmp_path / "a.npy") + np.uint16(1)
    header = (tmp_path / "a.npy").read_bytes()[:4096]
    (tmp_path / "a.npy").write_bytes(header + shifted.tobytes())
    os.utime(tmp_path / "a.npy", ns=(0, 10**18))
    with pytest.warns(Lazy4DWarning, match="pixels of the file beside it were changed"):
        back = l4.load(tmp_path / "a.npy")
    assert back.axes_manager["kx"].units == "px"


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d["file"].update(size=5), "expected size .* found 5"),
        (lambda d: d["file"].update(dtype="<u1"), "expected dtype"),
        (lambda d: d["file"].pop("sample"), "changed"),
        (lambda d: d.pop("file"), "expected 'file'"),
        (lambda d: d["file"].update(invalid=[7]), "expected 'invalid'"),
        (lambda d: d["lazy4d"]["axes"][0].update(size=7), "expected axes of 2400 pixels"),
        (lambda d: d["lazy4d"]["axes"].reverse(), "navigation axes before"),
        (lambda d: d["lazy4d"].update(format_version=9), "update lazy4d"),
    ],
)
def test_a_damaged_companion_is_left_aside(tmp_path, signal, edit, match) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    path = tmp_path / "a.npy.lazy4d.json"
    document = json.loads(path.read_text())
    edit(document)
    if match == "changed":
        os.utime(tmp_path / "a.npy", ns=(0, 10**18))
        match = "expected 'sample'"
    path.write_text(json.dumps(document))
    with pytest.warns(Lazy4DWarning, match=match):
        assert l4.load(tmp_path / "a.npy").shape == SHAPE


def test_half_a_companion_is_left_aside(tmp_path, signal) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    path = tmp_path / "a.npy.lazy4d.json"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.warns(Lazy4DWarning, match="expected JSON"):
        l4.load(tmp_path / "a.npy")


def test_invalid_frames_are_told_and_come_back(tmp_path, pixels) -> None:
    valid = np.ones((4, 5), bool)
    valid[1, 2] = valid[3, 4] = False
    damaged = l4.Diffraction2D(pixels, valid=valid)
    with pytest.warns(Lazy4DWarning, match=r"2 of 20 frames are missing or damaged .*first frame 7; only a.npy.lazy4d"):
        (damaged + 1).save(tmp_path / "a.npy", progress=False)
    expected = pixels + 1
    expected[~valid] = 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), expected)
    with pytest.warns(Lazy4DWarning, match="2 of 20 frames were missing"):
        back = l4.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(back.valid.compute(), valid)
    np.testing.assert_array_equal(back.sum().as_numpy(), expected.sum((0, 1)))


def test_a_file_is_not_replaced_unasked(tmp_path, signal, pixels) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match=r"a file is there already.*overwrite=True"):
        signal.save(path, progress=False)
    assert path.read_bytes() == b"old"
    signal.save(path, overwrite=True, progress=False)
    np.testing.assert_array_equal(np.load(path), pixels)


def test_the_file_that_is_read_is_never_replaced(tmp_path, signal, pixels) -> None:
    signal.save(tmp_path / "a.npy", progress=False)
    os.symlink(tmp_path / "a.npy", tmp_path / "link.npy")
    for name in ("a.npy", "link.npy"):
        with pytest.raises(ValueError, match="read from this very file"):
            (l4.load(tmp_path / "a.npy") + 1).save(tmp_path / name, overwrite=True, progress=False)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), pixels)


def test_what_cannot_be_done_is_told_first(tmp_path, signal) -> None:
    with pytest.raises(ValueError, match="resume=True cannot"):
        signal.save(tmp_path / "a.npy", resume=True)
    with pytest.raises(TypeError, match=r"saving as \.npy takes the options overwrite, resume, progress, found codec"):
        signal.save(tmp_path / "a.npy", codec="zstd")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        signal.save(tmp_path / "none" / "a.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(FileExistsError, match="a folder is there"):
        signal.save(tmp_path / "folder.npy", overwrite=True)
    with pytest.raises(ValueError, match="cannot save to the URL"):
        signal.save("s3://bucket/a.npy")
    assert left_in(tmp_path) == ["folder.npy"]


def test_a_disk_too_small_is_told_first(tmp_path, signal, monkeypatch) -> None:
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(OSError, match="are free on its disk"):
        signal.save(tmp_path / "a.npy", progress=False)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt("boom")])
def test_an_interrupted_save_leaves_what_was_there(tmp_path, signal, pixels, error) -> None:
    path = tmp_path / "a.npy"
    signal.save(path, progress=False)
    before = left_in(tmp_path), path.read_bytes(), (tmp_path / "a.npy.lazy4d.json").read_bytes()
    seen = []

    def fail(frames, out) -> None:
        seen.append(len(frames))
        if len(seen) == 3:
            raise error
        out[...] = frames

    frames = l4.Diffraction2D(dask.array.from_array(pixels, chunks=(1, 5, 12, 10)))
    broken = frames.map_frames(fail, shape=(12, 10), dtype="uint16")
    with dask.config.set(scheduler="synchronous"), pytest.raises(type(error), match="boom"):
        broken.save(path, overwrite=True, progress=False)
    assert (left_in(tmp_path), path.read_bytes(), (tmp_path / "a.npy.lazy4d.json").read_bytes()) == before


def test_what_a_killed_process_left_is_removed_once_it_is_old(tmp_path, signal) -> None:
    old, new, other = (tmp_path / f".{name}.partial" for name in ("a.npy.1234", "a.npy.5678", "b.npy.1234"))
    for path in (old, new, other):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    signal.save(tmp_path / "a.npy", progress=False)
    assert (old.exists(), new.exists(), other.exists()) == (False, True, True)


def test_a_worker_that_sees_another_disk_says_so(tmp_path) -> None:
    target = FileTarget(str(tmp_path / "none.partial"), 128, (2,), (4, 4), np.dtype("<u2"))
    with pytest.raises(ChunkError, match="found no file: do all workers"):
        PlacedBlock(target, (slice(0, 2),))
    (tmp_path / "none.partial").write_bytes(b"short")
    with pytest.raises(ChunkError, match="found a file of 5 bytes"):
        PlacedBlock(target, (slice(0, 2),))


def test_progress_counts_the_bytes(tmp_path, signal) -> None:
    seen = []
    signal.save(tmp_path / "a.npy", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (signal.nbytes, signal.nbytes)


def test_blocks_are_written_at_the_same_time(tmp_path) -> None:
    meeting = threading.Barrier(2, timeout=20)

    def wait(frames, out) -> None:
        meeting.wait()  # only two threads together get past this
        out[...] = frames

    array = dask.array.ones((2, 1, 8, 8), chunks=(1, 1, 8, 8), dtype="uint8")
    lazy = l4.Diffraction2D(array).map_frames(wait, shape=(8, 8), dtype="uint8")
    with dask.config.set(scheduler="threads", num_workers=2):
        lazy.save(tmp_path / "a.npy", progress=False)
    assert np.load(tmp_path / "a.npy").all()

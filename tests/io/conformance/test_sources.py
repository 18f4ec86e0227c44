"""What every reader hands over: complete sources, whole frames, exact native pixels, without reading them on load."""

from __future__ import annotations

import math
import mmap
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from lazy4d.errors import Lazy4DError
from lazy4d.io import registry
from lazy4d.io.source import AxisSpec, Source
from tests.io.conformance.cases import CASES
from tests.io.conformance.model import NAV, reshaped, write

PER_FILE = 256 << 10  # bytes that a reader may look at in each file to understand it
COUNT = math.prod(NAV)


def test_every_built_in_reader_has_a_case() -> None:
    missing = set(registry.built_in_readers()) - {case.reader for case in CASES.values()}
    assert not missing, f"add cases for {missing} to tests/io/conformance"


def test_the_source_is_complete(stored) -> None:
    source = stored.read()
    assert source.frames.nav_shape == NAV
    assert source.frames.frame_shape == stored.frames.shape[2:]
    assert source.frames.dtype == stored.frames.dtype
    assert source.frames.dtype.isnative
    assert source.frames.incomplete == "raise"
    assert source.frames.frame_nbytes == stored.frames[0, 0].nbytes
    assert source.frames_found == COUNT
    assert source.frames_expected in (None, COUNT)
    assert [axis.name for axis in source.navigation_axes] == ["y", "x"]
    assert [axis.name for axis in source.signal_axes] == ["ky", "kx"]
    assert all(isinstance(axis, AxisSpec) for axis in source.signal_axes + source.navigation_axes)
    assert source.title
    assert source.original_metadata or source.metadata
    assert source.identity["path"] == str(stored.files[0])
    assert source.identity["format"] == stored.case.reader
    assert source.identity["size"] > 0
    assert source.identity["mtime_ns"] > 0
    assert source.scan_shape_origin
    assert source.warnings == ()


def test_calibration(stored) -> None:
    source = stored.read()
    found = {axis.name: (axis.units, axis.scale, axis.offset) for axis in source.navigation_axes + source.signal_axes}
    for name, (units, scale, offset) in stored.written.axes.items():
        assert found[name][0] == units, name
        assert found[name][1:] == pytest.approx((scale, offset), rel=1e-6), name
    uncalibrated = set(found) - set(stored.written.axes)
    assert all(found[name] == ("px", 1.0, 0.0) for name in uncalibrated)


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("tile", [1, 5, 12])
def test_pixels(stored, read_all, io, tile) -> None:
    found = read_all(stored.read(io=io).frames, tile=tile)
    assert found.dtype == stored.frames.dtype
    assert np.array_equal(found, stored.frames)


def test_selections(stored, read_all) -> None:
    source = stored.read().frames
    mask = np.random.default_rng(3).random(NAV) < 0.5
    assert np.array_equal(read_all(source.select((slice(2, -1, -1), slice(1, 4, 2)))), stored.frames[::-1, 1::2])
    assert np.array_equal(read_all(source.select((mask,))), stored.frames[mask])
    row = source.select((slice(1, 2, 1), slice(0, 4, 1))).drop_axes((0,))
    assert np.array_equal(read_all(row), stored.frames[1])
    none = source.select((np.zeros(NAV, bool),))
    assert none.nav_shape == (0,)


@pytest.mark.parametrize("io", ["mmap", "read"])
def test_boxes_and_windows(stored, io) -> None:
    block = stored.read(io=io).frames.open((slice(1, 3), slice(1, 3)))
    ky, kx = stored.frames.shape[2:]
    out = np.empty((4, ky, kx), stored.frames.dtype)
    window = slice(2, ky - 7), slice(3, kx - 34 if kx > 40 else kx - 2)
    for start in range(0, 4, 3):
        block.read(start, min(4, start + 3), out[start:], window)
    assert block.valid is None
    block.close()
    inside = (slice(None), *window)
    assert np.array_equal(out[inside], stored.frames[1:3, 1:3].reshape(4, ky, kx)[inside])


def test_skipping_inserting_and_flyback(stored, read_all) -> None:
    if not stored.case.rearranged:
        pytest.skip("every frame of this file has a position of its own")
    flat = stored.frames.reshape(COUNT, *stored.frames.shape[2:])
    skipped = stored.read(scan_shape=(2, 5), sync_offset=2).frames
    assert np.array_equal(read_all(skipped), flat[2:].reshape(2, 5, *flat.shape[1:]))
    assert np.array_equal(read_all(stored.read(scan_shape=(3, 3), flyback=1).frames), stored.frames[:, :3])
    out, valid = read_all(stored.read(scan_shape=(3, 4), sync_offset=-1).frames, with_valid=True)
    assert np.flatnonzero(~valid.ravel()).tolist() == [0]
    assert np.array_equal(out.reshape(flat.shape)[1:], flat[:11])
    assert not out[0, 0].any()
    with pytest.raises(Lazy4DError, match="12 frames do not fill scan shape 5 x 5"):
        stored.read(scan_shape=(5, 5))


def test_sources_travel_and_tokens_tell_them_apart(stored, read_all) -> None:
    source = stored.read().frames
    there = pickle.loads(pickle.dumps(source))
    assert there.token == source.token == stored.read().frames.token
    assert len(pickle.dumps(source)) < 6000
    assert np.array_equal(read_all(there), stored.frames)
    part = source.select((slice(0, 2, 1), slice(0, 4, 1)))
    assert part.token != source.token
    assert pickle.loads(pickle.dumps(part)).nav_shape == (2, 4)
    for file in stored.data_files():
        os.utime(file, ns=(0, 0))
    assert stored.read().frames.token != source.token


def test_files_are_only_read(stored, read_all) -> None:
    files = stored.every_file()
    before = {path: path.read_bytes() for path in files}
    for path in files:
        path.chmod(0o444)
    read_all(stored.read().frames)
    assert {path: path.read_bytes() for path in files} == before
    assert stored.every_file() == files


@pytest.mark.parametrize("option", ["incomplete", "io"])
def test_unknown_choices_are_refused(stored, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
        stored.read(**{option: "maybe"})


def test_loading_maps_nothing_and_reads_no_pixels(stored, tmp_path, monkeypatch) -> None:
    """Of a file that is large against its headers only a few pages are read, and nothing is mapped."""
    large = write(reshaped(stored.case, options=_with_frame_shape(stored)), tmp_path, "large", stored.case.big)
    size = sum(file.stat().st_size for file in large.data_files())
    allowed = PER_FILE * len(large.every_file())
    if allowed >= size:
        pytest.skip("the file is small against what a reader may look at")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was mapped while it was loaded")

    large.read()  # what is imported on first use
    monkeypatch.setattr(mmap, "mmap", refuse)
    before = _bytes_read()
    source = large.read()
    source.frames.select((slice(0, 2, 1), slice(0, 4, 2)))
    taken = None if before is None else (_bytes_read() or 0) - before
    assert isinstance(source, Source)
    if taken is not None:
        assert taken <= allowed


def _with_frame_shape(stored) -> dict:
    """Options of the case for its larger frames."""
    changed = {"frame_shape": stored.case.big} if "frame_shape" in stored.case.options else {}
    return {**stored.case.options, **changed}


def _bytes_read() -> int | None:
    """Bytes that this process has read by system calls; None where nobody counts."""
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        return None
    return int(text.split("rchar:")[1].split()[0])

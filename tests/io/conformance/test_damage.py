"""Files cut short, changed behind the reader's back, or without what belongs to them: told, never read wrong."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lazy4d.errors import Lazy4DError
from lazy4d.io import mapping
from tests.io.conformance.model import NAV, Region, Stored, restored, write

COUNT = math.prod(NAV)


def cuts(regions: tuple[Region, ...], size: int) -> list[int]:
    """Sizes to cut a file to: at every boundary of a region, a byte before and a byte behind, and within each."""
    ends = {edge for r in regions for edge in (r.start, r.stop)} | {size}
    inside = {(r.start + r.stop) // 2 for r in regions}
    return sorted({at + d for at in ends for d in (-1, 0, 1) if 0 <= at + d < size} | inside)


def truncations(stored: Stored) -> Iterator[tuple[Region, int]]:
    """Every file of a case cut at every boundary of its regions; the file is cut while the loop holds the item."""
    for path in dict.fromkeys(region.path for region in stored.written.regions):
        regions = tuple(r for r in stored.written.regions if r.path == path)
        with restored(path) as before:
            for size in cuts(regions, len(before)):
                path.write_bytes(before[:size])
                yield next((r for r in regions if r.start <= size < r.stop), regions[-1]), size


def outcome(stored: Stored, read_all: Any, **options: Any) -> tuple[Any, Any] | Lazy4DError:
    """The frames and which are valid, or the error that loading or reading them raised."""
    try:
        source = stored.read(**options)
        out, valid = read_all(source.frames, with_valid=True)
        if not valid.all() and source.frames.incomplete == "raise":
            return Lazy4DError("frames are invalid, though incomplete='raise'")
    except Lazy4DError as error:
        return error
    return out, valid


def is_told(error: Lazy4DError, stored: Stored) -> bool:
    """Whether an error names a file, or the folder, of what was loaded."""
    return any(str(path) in str(error) for path in (*stored.files, *stored.every_file()))


def known_frames(stored: Stored) -> set[bytes]:
    return {frame.tobytes() for frame in stored.frames.reshape(COUNT, *stored.frames.shape[2:])}


def test_cut_short_with_raise(stored, read_all) -> None:
    for region, size in truncations(stored):
        found = outcome(stored, read_all)
        where = f"{region} cut to {size} bytes"
        if isinstance(found, Lazy4DError):
            assert is_told(found, stored), f"{where}: {found}"
        elif region.path in stored.written.companions:
            assert {frame.tobytes() for frame in _flat(found[0], stored)} <= known_frames(stored), where
        elif stored.case.counted:
            assert np.array_equal(found[0], stored.frames), where
        else:
            flat = _flat(found[0], stored)
            assert np.array_equal(flat, _flat(stored.frames, stored)[: len(flat)]), where


@pytest.mark.parametrize("incomplete", ["nan", "zero"])
def test_cut_short_with_damage_tolerated(stored, read_all, incomplete) -> None:
    for region, size in truncations(stored):
        found = outcome(stored, read_all, incomplete=incomplete)
        where = f"{region} cut to {size} bytes"
        if isinstance(found, Lazy4DError):
            assert is_told(found, stored), f"{where}: {found}"
            continue
        out, valid = found
        assert {frame.tobytes() for frame in _flat(out, stored)[valid.reshape(-1)]} <= known_frames(stored), where
        assert not out[~valid].any(), where
        if out.shape == stored.frames.shape:
            assert np.array_equal(out[valid], stored.frames[valid]), where


def test_cut_short_with_crop(stored, read_all) -> None:
    for region, size in truncations(stored):
        found = outcome(stored, read_all, incomplete="crop")
        where = f"{region} cut to {size} bytes"
        if isinstance(found, Lazy4DError):
            assert is_told(found, stored), f"{where}: {found}"
            continue
        out, valid = found
        assert valid.all(), where
        assert {frame.tobytes() for frame in _flat(out, stored)} <= known_frames(stored), where
        if out.ndim == 4 and out.shape[1] == NAV[1]:
            assert np.array_equal(out, stored.frames[: len(out)]), where


def test_the_last_frame_missing(stored, read_all) -> None:
    """What is whole is kept, and is all that is: the other positions are invalid, or their lines left out."""
    pixels = [region for region in stored.written.regions if region.name.startswith("pixels")]
    if not pixels:
        pytest.skip("frames are not stored one by one")
    last = pixels[-1].path
    with restored(last) as before:
        last.write_bytes(before[: pixels[-1].stop - 1])
        assert isinstance(outcome(stored, read_all), Lazy4DError)
        found = outcome(stored, read_all, incomplete="nan")
        if isinstance(found, Lazy4DError):
            pytest.skip(f"nothing of such a file can be trusted: {found}")
        assert stored.read(incomplete="nan").warnings
        if not stored.case.counted:
            assert np.array_equal(found[0], _flat(stored.frames, stored)[: COUNT - 1])
            return
        assert int((~found[1]).sum()) in (1, 4)  # a frame, or the images that hold several
        source = stored.read(incomplete="nan")
        assert source.frames.incomplete == "nan"
        cropped = outcome(stored, read_all, incomplete="crop")
        if stored.case.rearranged:
            assert not isinstance(cropped, Lazy4DError)
            assert cropped[0].shape[:2] == (2, 4)
        else:
            assert isinstance(cropped, Lazy4DError)
            assert "crop" in str(cropped)


def test_without_its_companions(stored, read_all) -> None:
    for companion in stored.written.companions:
        with restored(companion):
            companion.unlink()
            found = outcome(stored, read_all)
            if isinstance(found, Lazy4DError):
                assert companion.name in str(found) or stored.files[0].name in str(found)
            else:
                assert found[1].all()
                assert {frame.tobytes() for frame in _flat(found[0], stored)} == known_frames(stored)


def test_without_one_of_its_files(stored) -> None:
    for path in stored.data_files():
        with restored(path):
            path.unlink()
            told = ""
            try:
                found = _everything(stored.read())
            except (Lazy4DError, FileNotFoundError) as error:
                told = str(error)
            if told:
                assert path.name in told or str(stored.files[0]) in told
            else:
                assert stored.case.sparse, f"{path} is not missed"
                assert ((found == stored.frames) | (found == 0)).all()


@pytest.mark.parametrize("io", ["mmap", "read"])
def test_shrunk_after_loading(stored, io) -> None:
    source = stored.read(io=io)
    for path in stored.data_files():
        with restored(path):
            os.truncate(path, 10)
            told_or_right(source, stored, path)


def test_gone_after_loading(stored) -> None:
    source = stored.read()
    for path in stored.data_files():
        with restored(path):
            path.unlink()
            told_or_right(source, stored, path)


def told_or_right(source: Any, stored: Stored, path: Any) -> None:
    """Reading says what is wrong with a file, unless the frames were understood before and do not need it."""
    told = ""
    try:
        found = _everything(source)
    except (Lazy4DError, FileNotFoundError) as error:
        told = str(error)
    if told:
        assert path.name in told or str(stored.files[0]) in told
    else:
        assert stored.case.understood_once, f"{path} was not looked at"
        assert ((found == stored.frames) | (stored.case.sparse & (found == 0))).all()


@pytest.mark.parametrize("io", ["mmap", "read"])
def test_replaced_after_loading(stored, tmp_path, io) -> None:
    """Pixels of another recording never come under the old name."""
    source = stored.read(io=io)
    other = write(stored.case, _folder(tmp_path / "other"), seed=77)
    replacements = dict(zip(stored.data_files(), other.data_files(), strict=True))
    if io == "read" and any(new.stat().st_size > old.stat().st_size for old, new in replacements.items()):
        pytest.skip("a file that is still being written may grow")
    for path, replacement in replacements.items():
        os.utime(replacement, ns=(1, 1))
        os.replace(replacement, path)
    mapping.forget_mappings()
    with pytest.raises(Lazy4DError, match=re.escape(stored.files[0].parent.name)):
        _everything(source)
    assert np.array_equal(_everything(stored.read(io=io)), other.frames)


def test_grown_after_loading(stored) -> None:
    source = stored.read()
    files = [path for path in stored.files if path.is_file()]
    if not files:
        pytest.skip("a store of several files")
    with open(files[-1], "ab") as file:
        file.write(bytes(1000))
    with pytest.raises(Lazy4DError, match="since it was loaded"):
        _everything(source)


def _folder(path: Any) -> Any:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _flat(frames: Any, stored: Stored) -> Any:
    return frames.reshape(-1, *stored.frames.shape[2:]) if frames.shape[-2:] == stored.frames.shape[2:] else frames


def _everything(source: Any) -> Any:
    frames = source.frames
    out = np.empty((math.prod(frames.nav_shape), *frames.frame_shape), frames.dtype)
    block = frames.open(tuple(slice(0, n) for n in frames.nav_shape))
    try:
        block.read(0, len(out), out, ())
    finally:
        block.close()
    return out.reshape(*frames.nav_shape, *frames.frame_shape)

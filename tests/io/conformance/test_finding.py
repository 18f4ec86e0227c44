"""Readers are found by content, under every name that a file can have; what is no such file is refused."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from lazy4d.errors import FormatError, Lazy4DError
from lazy4d.io import registry
from lazy4d.io.registry import find_reader
from tests.io.conformance.cases import CASES, FIRST
from tests.io.conformance.model import copy_to, restored, write

STEMS = {
    "spaces": "a scan, (2)  of 3",
    "non-ASCII": "Überstruktur 測定 Å½",
    "dots and brackets": "v1.2 [x] {y} 50%#&'$(id)",
    "long": "n" * 200,
    "a dash first": "--scan_shape=3",
    "a URL in it": "http:__x",
}


def test_the_content_finds_the_reader(stored) -> None:
    assert find_reader(stored.files[0]).name == stored.case.reader


def test_no_suffix_wins_over_the_content(stored, tmp_path) -> None:
    if stored.case.headerless:
        pytest.skip("nothing in this file tells what it is")
    suffixes = {suffix for reader in registry.built_in_readers().values() for suffix in reader.extensions}
    for suffix in ("", ".unknown", *sorted(suffixes)):
        alias = tmp_path / f"alias{suffix}"
        alias.symlink_to(stored.files[0], target_is_directory=stored.files[0].is_dir())
        assert find_reader(alias).name == stored.case.reader, suffix


def test_without_its_magic_a_file_is_refused(stored) -> None:
    if not stored.case.magic:
        pytest.skip("no bytes at the start tell this format")
    first = stored.files[0]
    with restored(first) as before:
        for k in range(stored.case.magic):
            changed = bytearray(before)
            changed[k] ^= 0xFF
            first.write_bytes(changed)
            with pytest.raises(Lazy4DError, match="recognises"):
                stored.read()
            with pytest.raises(Lazy4DError, match=re.escape(str(first))):
                stored.read(reader=stored.case.reader)


@pytest.mark.parametrize("name", list(FIRST.values()))
def test_text_and_noise_under_the_suffix_are_refused(name, tmp_path) -> None:
    case = CASES[name]
    reader = registry.built_in_readers()[case.reader]
    noise = np.random.default_rng(1).integers(0, 256, 20000, np.uint8).tobytes()
    for k, content in enumerate((b"Dear diary,\n" * 2000, noise, bytes(20000), b"\xff" * 20000, b"x")):
        path = tmp_path / f"{k}{reader.extensions[0]}"
        path.write_bytes(content)
        if not case.headerless:
            with pytest.raises(FormatError, match="recognises"):
                find_reader(path)
        with pytest.raises(Lazy4DError, match=re.escape(str(path))):
            registry.read(path, reader=case.reader)


@pytest.mark.parametrize("name", list(FIRST.values()))
def test_empty_files_folders_and_pipes_are_refused(name, tmp_path) -> None:
    case = CASES[name]
    suffix = registry.built_in_readers()[case.reader].extensions[0]
    empty, folder, pipe, door = (tmp_path / f"{kind}{suffix}" for kind in ("empty", "folder", "pipe", "door"))
    empty.touch()
    folder.mkdir()
    places = [empty, folder]
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        places.append(pipe)
    if sys.platform == "linux":
        listening = socket.socket(socket.AF_UNIX)
        os.chdir(tmp_path)  # the name of a socket must be short
        listening.bind(door.name)
        listening.close()
        places += [door, Path("/dev/zero")]
    for place in places:
        for forced in ({}, {"reader": case.reader}):
            with pytest.raises(Lazy4DError, match=re.escape(str(place))):
                registry.read(place, **forced, **case.options)


@pytest.mark.parametrize("stem", list(STEMS.values()), ids=list(STEMS))
@pytest.mark.parametrize("name", list(CASES))
def test_names(name, stem, tmp_path, read_all) -> None:
    stored = write(CASES[name], tmp_path, stem)
    assert np.array_equal(read_all(stored.read().frames), stored.frames)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not text")
def test_names_that_are_no_text(stored, tmp_path, read_all) -> None:
    if len(stored.files) > 1 or stored.written.companions:
        pytest.skip("names that belong together are made by programs")
    alias = tmp_path / os.fsdecode(b"\xff\xfe" + os.fsencode(stored.files[0].suffix))
    copy_to(stored.files[0], alias)
    assert np.array_equal(read_all(_read(stored, alias).frames), stored.frames)


def test_links_and_relative_paths(stored, tmp_path, read_all, monkeypatch) -> None:
    there = stored.files[0].parent
    (tmp_path / "link").symlink_to(there, target_is_directory=True)
    linked = [tmp_path / "link" / Path(p).name for p in _listed(stored.path)]
    assert np.array_equal(read_all(_read(stored, linked).frames), stored.frames)
    monkeypatch.chdir(there)
    source = _read(stored, [Path(p).name for p in _listed(stored.path)])
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(read_all(source.frames), stored.frames)


def test_links_that_lead_nowhere_are_absent_files(stored, tmp_path) -> None:
    link = tmp_path / f"link{stored.files[0].suffix}"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="no such file"):
        _read(stored, link)


def _listed(path) -> list:
    return path if isinstance(path, list) else [path]


def _read(stored, path):
    """The same data by another path."""
    forced = {"reader": stored.case.reader} if stored.case.headerless else {}
    paths = _listed(path)
    return registry.read(paths[0] if len(paths) == 1 else paths, **{**forced, **stored.options()})

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lazy4d.errors import FormatError, Lazy4DWarning
from lazy4d.io import registry
from lazy4d.io.paths import expand_paths, is_url
from lazy4d.io.registry import find_reader, get_reader, read
from lazy4d.io.source import Reader, Source


@pytest.fixture
def npy(tmp_path) -> Path:
    path = tmp_path / "scan.npy"
    np.save(path, np.arange(96, dtype="u2").reshape(2, 3, 4, 4))
    return path


@pytest.fixture
def fresh_readers():
    registry.readers.cache_clear()
    yield
    registry.readers.cache_clear()


class OtherReader:
    name = "other"
    extensions = (".oth",)

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"OTHER")

    def read(self, path: Any, **options: Any) -> Source:
        frames = SimpleNamespace(path=path, options=options)
        return Source(frames, "", (), ())


class BrokenPoint:
    name = value = "broken"

    def load(self) -> None:
        raise ImportError("its library is gone")


def offer(monkeypatch, *points) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "lazy4d.readers" else ())


# ---- finding


def test_every_built_in_reader_is_a_reader() -> None:
    for name, reader in registry.built_in_readers().items():
        assert isinstance(reader, Reader)
        assert reader.name == name
        assert all(e.startswith(".") and e == e.lower() for e in reader.extensions)


def test_content_decides_before_the_suffix(npy, tmp_path) -> None:
    for name in ("renamed.mib", "renamed.raw", "no suffix"):
        other = tmp_path / name
        other.write_bytes(npy.read_bytes())
        assert find_reader(other).name == "npy"


def test_the_suffix_decides_between_readers_that_both_accept(tmp_path, monkeypatch) -> None:
    first, second = OtherReader(), OtherReader()
    first.extensions, second.name, second.extensions = (".a",), "second", (".b",)
    monkeypatch.setattr(registry, "built_in_readers", lambda: {"other": first, "second": second})
    for name, expected in (("x.a", first), ("x.B", second), ("x.c", first)):
        (tmp_path / name).write_bytes(b"OTHER")
        assert find_reader(tmp_path / name) is expected


def test_a_reader_can_be_forced_by_name_or_given(npy) -> None:
    source = read(npy, reader="raw", frame_shape=(4, 4), dtype="u2", header=128)
    assert source.frames.nav_shape == (6,)
    assert read(npy, reader=get_reader("npy")).frames.nav_shape == (2, 3)
    with pytest.raises(ValueError, match=r"reader='mibs' is not known: expected one of .*mib, .*npy, .*raw"):
        read(npy, reader="mibs")


def test_readers_of_other_packages(tmp_path, monkeypatch, fresh_readers) -> None:
    offer(monkeypatch, SimpleNamespace(name="other", value="package:OtherReader", load=lambda: OtherReader))
    path = tmp_path / "scan.oth"
    path.write_bytes(b"OTHER format")
    source = read(path, anything=3)
    assert source.title == "scan"
    assert source.frames.options == {"anything": 3}


def test_a_broken_package_does_not_stand_in_the_way(npy, tmp_path, monkeypatch, fresh_readers) -> None:
    offer(
        monkeypatch,
        BrokenPoint(),
        SimpleNamespace(name="odd", value="package:odd", load=lambda: object()),
        SimpleNamespace(name="other", value="package:OtherReader", load=lambda: OtherReader()),
    )
    assert read(npy).title == "scan"  # a format that lazy4d knows: packages are not even imported
    (tmp_path / "scan.oth").write_bytes(b"OTHER")
    with pytest.warns(
        Lazy4DWarning, match="cannot be used: (ImportError: its library is gone|TypeError: expected name)"
    ):
        assert find_reader(tmp_path / "scan.oth").name == "other"


def test_importing_the_registry_imports_no_storage_library() -> None:
    code = "import sys, lazy4d.io.registry as r; r.built_in_readers(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"h5py", "zarr", "dask", "numba", "matplotlib", "pint"} & set(loaded)


# ---- files that cannot be read


def test_an_empty_file(tmp_path) -> None:
    (tmp_path / "scan.mib").touch()
    with pytest.raises(FormatError, match=r"scan.mib: the file is empty \(0 bytes\)"):
        read(tmp_path / "scan.mib")
    with pytest.raises(FormatError, match="empty"):
        read(tmp_path / "scan.mib", reader="mib")


def test_an_absent_file_and_one_that_is_called_alike(tmp_path, npy) -> None:
    with pytest.raises(FileNotFoundError, match=r"did you mean 'scan.npy'"):
        read(tmp_path / "scam.npy")
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
        read(tmp_path / "nowhere" / "scan.npy")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "absent.mib", reader="mib")
    with pytest.raises(FileNotFoundError, match=r"no file matches .*\*\.mib"):
        read(tmp_path / "*.mib")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(npy) -> None:
    npy.chmod(0)
    with pytest.raises(PermissionError, match="may not be read by the current user"):
        read(npy)


def test_a_refused_file_is_named(npy, monkeypatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionError, match=r"scan.npy: this file may not be read by the current user"):
        read(npy)


def test_a_directory_without_data(tmp_path) -> None:
    with pytest.raises(FormatError, match="is a directory that no reader knows, it is empty; give a file"):
        read(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FormatError, match="no reader knows, it holds 1 other files; give a file, or the glob"):
        read(tmp_path)


def test_a_reader_may_take_directories(tmp_path, monkeypatch, fresh_readers) -> None:
    class Folder(OtherReader):
        def sniff_directory(self, path: Path) -> bool:
            return (path / "mark").exists()

    offer(monkeypatch, SimpleNamespace(name="folder", value="package:Folder", load=lambda: Folder))
    (tmp_path / "mark").touch()
    assert read(tmp_path).frames.path == str(tmp_path)


@pytest.mark.parametrize("suffix", [".mib", ".npy", ".xyz", ""])
def test_random_bytes_are_described_with_what_was_tried(tmp_path, suffix) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(1).bytes(9000))
    with pytest.raises(
        FormatError, match=r"no reader recognises this file: its first bytes .*tried: .*mib \(\.mib\).*reader='raw'"
    ) as info:
        read(path)
    if suffix in (".mib", ".npy"):
        assert f"suffix says {suffix[1:]}, but such a file starts with" in str(info.value)


def test_a_url_that_no_reader_takes() -> None:
    with pytest.raises(FormatError, match=r"no reader takes a URL ending in '\.mib'.*copy the file"):
        read("s3://bucket/scan.mib")


def test_a_reader_may_take_urls(monkeypatch, fresh_readers) -> None:
    class Remote(OtherReader):
        urls = True

    offer(monkeypatch, SimpleNamespace(name="remote", value="package:Remote", load=lambda: Remote))
    assert read("https://example.org/a/scan.oth").frames.path == "https://example.org/a/scan.oth"


def test_unknown_options_are_refused_with_those_there_are(npy) -> None:
    with pytest.raises(TypeError, match="reader 'npy' takes no option 'scan_size'; it takes scan_shape, sync_offset"):
        read(npy, scan_size=(2, 3))


def test_options_that_ask_for_nothing_are_not_forced_on_a_reader(npy) -> None:
    class Plain(OtherReader):
        def read(self, path: Any, *, dataset: str = "") -> Source:
            return Source(dataset, "", (), ())

    asked = {"scan_shape": None, "sync_offset": 0, "flyback": 0, "incomplete": "raise", "io": "read"}
    assert read(npy, reader=Plain(), dataset="a", **asked).frames == "a"
    with pytest.raises(TypeError, match="takes no option 'sync_offset'; it takes dataset"):
        read(npy, reader=Plain(), **asked | {"sync_offset": 3})


def test_several_files_for_a_reader_of_one(npy, tmp_path) -> None:
    (tmp_path / "b.npy").write_bytes(npy.read_bytes())
    with pytest.raises(FormatError, match="2 files given, but the reader 'npy' takes one"):
        read(tmp_path / "*.npy")


# ---- paths


@pytest.mark.parametrize(
    "name", ["with space.npy", "Å größe é 電子.npy", "scan[1].npy", "what?.npy", "star*.npy", "UPPER.NPY"]
)
def test_any_name_a_user_has(tmp_path, npy, read_all, name) -> None:
    path = tmp_path / "folder ü" / name
    path.parent.mkdir()
    npy.rename(path)
    for given in (path, str(path)):
        source = read(given)
        assert np.array_equal(read_all(source.frames), np.arange(96).reshape(2, 3, 4, 4))
        assert source.identity["path"] == str(path)


def test_relative_paths_links_and_home(tmp_path, npy, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link.npy").symlink_to(npy)
    for given in ("scan.npy", "./scan.npy", "~/scan.npy", f"file://{npy}", "link.npy", "sc*.npy"):
        assert read(given).frames.files.path(0).startswith(str(tmp_path))


def test_globs_are_in_the_order_of_their_numbers(tmp_path) -> None:
    for k in (1, 2, 10, 9):
        (tmp_path / f"f{k}.mib").touch()
    assert [os.path.basename(p) for p in expand_paths(tmp_path / "f*.mib")] == ["f1.mib", "f2.mib", "f9.mib", "f10.mib"]
    assert [os.path.basename(p) for p in expand_paths(iter([tmp_path / "b", tmp_path / "a"]))] == ["b", "a"]


@pytest.mark.parametrize("given", [3, None, b"scan.npy"])
def test_what_is_no_path(given) -> None:
    with pytest.raises(TypeError, match="path must be a path, a glob or a list of paths"):
        read(given)


def test_a_glob_in_a_folder_that_looks_like_one(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "data [1]"
    folder.mkdir()
    for name in ("b10.mib", "b9.mib", "a3.mib"):
        (folder / name).touch()
    expected = [str(folder / name) for name in ("a3.mib", "b9.mib", "b10.mib")]
    assert expand_paths(folder / "*.mib") == expected
    monkeypatch.chdir(folder)
    assert expand_paths("*.mib") == expand_paths("./*.mib") == expected


def test_an_empty_list() -> None:
    with pytest.raises(ValueError, match="the list of paths is empty"):
        read([])


def test_drive_letters_are_no_urls() -> None:
    assert not is_url("C:/data/scan.mib")
    assert not is_url(r"\\server\share\scan.mib")
    assert is_url("gs://bucket/scan.zarr")

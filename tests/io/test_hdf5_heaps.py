"""Text of any length in HDF5 files whose types and heaps are damaged: an error, never a crash or a search for ever."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from lazy4d.io.hdf5.attributes import attributes, small
from lazy4d.io.hdf5.heaps import check_attribute, check_dataset
from lazy4d.io.hdf5.links import attribute

TYPE = b"\x19\x01\x01\x00\x10\x00\x00\x00"  # variable length, version 1; text; UTF-8; 16 bytes
LAYOUTS = [{}, {"libver": "latest"}, {"libver": "latest", "track_order": True}, {"userblock_size": 512}]


def write(path: Path, **layout) -> Path:
    with h5py.File(path, "w", **layout) as file:
        item = file.create_dataset("data", data=np.zeros((2, 3, 4, 5), "u2"))
        item.attrs["units"] = "counts"
        item.attrs["empty"] = ""
        item.attrs["axes"] = ["y", "x", "ky", "kx"]
        item.attrs["n"] = 3
        file.create_dataset("title", data="a scan")
        file.create_dataset("names", data=["a", "b"], chunks=(2,), dtype=h5py.string_dtype())
    return path


def damaged(path: Path, at: int, new: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[at : at + len(new)] = new
    path.write_bytes(content)
    return path


def entry(path: Path, text: bytes) -> int:
    """Where the entry of a text begins in its heap."""
    content = path.read_bytes()
    return content.index(struct.pack("<Q", len(text)) + text, content.index(b"GCOL")) - 8


def reference(path: Path, length: int) -> int:
    """Where a value of that length refers to the first heap."""
    content = path.read_bytes()
    first = content.index(b"GCOL") - (512 if content[:4] != b"\x89HDF" else 0)
    return content.index(struct.pack("<IQ", length, first))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_text_that_is_whole(tmp_path, layout) -> None:
    path = write(tmp_path / "a.h5", **layout)
    with h5py.File(path) as file:
        assert attributes(file["data"]) == {"units": "counts", "empty": "", "axes": ["y", "x", "ky", "kx"], "n": 3}
        assert (small(file["title"]), small(file["names"])) == ("a scan", ["a", "b"])
        check_attribute(file["data"], "units")


DAMAGE = {
    "a size beyond its heap": (
        lambda p: entry(p, b"counts") + 8,
        struct.pack("<Q", 1 << 40),
        "has 1099511627776",
    ),
    "a size that wraps around": (lambda p: entry(p, b"counts") + 8, b"\xf1" + b"\xff" * 7, "entry 1 of the heap"),
    "free space of no bytes": (lambda p: entry(p, b"counts"), bytes(16), "entry 0 of the heap .* has 0 bytes"),
    "no heap there": (lambda p: p.read_bytes().index(b"GCOL"), b"GONE", "no heap at byte"),
    "a heap larger than the file": (lambda p: p.read_bytes().index(b"GCOL") + 8, b"\xff" * 4, "inside the file"),
    "a heap outside the file": (lambda p: reference(p, 6) + 4, b"\xff" * 6, "inside the file"),
    "an entry that is not there": (lambda p: reference(p, 6) + 12, b"\xff\x01", "has no entry 511"),
}

REFERENCES = ("a heap outside the file", "an entry that is not there")


@pytest.mark.parametrize(
    ("what", "layout"),
    # Headers of the later layout have checksums: HDF5 itself sees what is wrong in them.
    [(what, k) for what in DAMAGE for k in LAYOUTS if "libver" not in k or what not in REFERENCES],
)
def test_damaged_heaps_are_seen_before_hdf5_follows_them(tmp_path, what, layout) -> None:
    where, new, told = DAMAGE[what]
    path = write(tmp_path / "a.h5", **layout)
    damaged(path, where(path), new)
    with h5py.File(path) as file:
        with pytest.raises(ValueError, match=told):
            check_attribute(file["data"], "units")
        assert attribute(file["data"], "units") is None
        assert attribute(file["data"], "n") == 3
        assert "units" not in attributes(file["data"])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["title", "names"])
def test_damaged_heaps_of_datasets(tmp_path, name, layout) -> None:
    path = write(tmp_path / "a.h5", **layout)
    damaged(path, path.read_bytes().index(b"GCOL") + 8, b"\xff" * 4)
    with h5py.File(path) as file:
        with pytest.raises(ValueError, match="inside the file"):
            check_dataset(file[name])
        assert small(file[name]) is None


def test_types_that_are_neither_text_nor_sequences(tmp_path) -> None:
    path = write(tmp_path / "a.h5")
    damaged(path, path.read_bytes().index(TYPE, path.read_bytes().index(b"units")) + 1, b"\x05")
    with h5py.File(path) as file:
        with pytest.raises(ValueError, match="neither text nor a plain sequence"):
            check_attribute(file["data"], "units")
        assert attributes(file["data"])["axes"] == ["y", "x", "ky", "kx"]


def test_sequences_and_records(tmp_path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        row = np.empty(2, object)
        row[:] = [np.arange(3), np.arange(2)]
        file.attrs.create("lists", row, dtype=h5py.vlen_dtype("i4"))
        file.attrs.create("record", np.zeros((), [("a", "f4"), ("b", "i2", 3)]))
        file.attrs.create("text within", np.array((1, "b"), [("a", "f4"), ("b", h5py.string_dtype())]))
    with h5py.File(tmp_path / "a.h5") as file:
        check_attribute(file, "lists")
        check_attribute(file, "record")
        with pytest.raises(ValueError, match="neither text nor a plain sequence"):
            check_attribute(file, "text within")


PROGRAM = """
import sys, warnings
import lazy4d as l4
warnings.simplefilter("ignore")
for path in sys.argv[1:]:
    print(l4.load(path).data.shape, flush=True)
"""


def test_loading_files_that_crash_hdf5(tmp_path) -> None:
    """In a process of its own: where it fails, it takes the process with it, or never ends."""
    kind, still = write(tmp_path / "type.h5"), write(tmp_path / "entry.h5")
    damaged(kind, kind.read_bytes().index(TYPE, kind.read_bytes().index(b"units")) + 1, b"\x05")
    damaged(still, entry(still, b"counts"), bytes(16))
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(kind), str(still)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.stdout.split("\n"), found.returncode) == (["(2, 3, 4, 5)", "(2, 3, 4, 5)", ""], 0), found.stderr

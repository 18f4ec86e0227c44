"""Files that RosettaSciIO reads, as lazy sources: frames, axes, metadata, and every failure told in words."""

from __future__ import annotations

import builtins
import importlib.util
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import (
    FormatError,
    Lazy4DError,
    MissingCodecError,
    MissingCompanionError,
    ScanShapeError,
    UnsupportedVariantError,
)
from lazy4d.io import mapping, registry
from lazy4d.io.registry import find_reader, get_reader, read
from lazy4d.io.rosettasciio import opened, plugins
from lazy4d.io.rosettasciio.frames import PIECE_BYTES, merge_blocks
from lazy4d.io.rosettasciio.plugins import SUFFIXES, Plugin

WHY = "RosettaSciIO is not installed (pip install rosettasciio): what it reads cannot be tested"
NAV = (3, 4)


# ---- a DM4 file by hand: groups of tags, each with its length before it


def _tag(name: str, body: bytes, kind: int) -> bytes:
    return struct.pack(">BH", kind, len(name)) + name.encode() + struct.pack(">Q", len(body)) + body


def _group(name: str, children: Sequence[bytes]) -> bytes:
    return _tag(name, struct.pack(">BBQ", 0, 0, len(children)) + b"".join(children), 20)


def _data(name: str, info: Sequence[int], payload: bytes) -> bytes:
    return _tag(name, b"%%%%" + struct.pack(f">{len(info) + 1}Q", len(info), *info) + payload, 21)


def _u4(name: str, value: int) -> bytes:
    return _data(name, [5], struct.pack("<I", value))


def _f4(name: str, value: float) -> bytes:
    return _data(name, [6], struct.pack("<f", value))


def _text(name: str, value: str) -> bytes:
    return _data(name, [20, 4, len(value)], value.encode("utf-16-le"))


def _image(array: np.ndarray, title: str) -> bytes:
    scales = [(2.0, 0.0, "nm"), (1.0, 0.0, "nm"), (0.5, 4.0, "1/nm"), (0.25, 2.0, "1/nm")][-array.ndim :]
    calibrations = [
        _group("", [_f4("Origin", origin), _f4("Scale", scale), _text("Units", units)])
        for scale, origin, units in reversed(scales)
    ]
    image_data = [
        _group("Calibrations", [_group("Dimension", calibrations)]),
        _data("Data", [20, 4, array.size], np.ascontiguousarray(array, "<u2").tobytes()),
        _u4("DataType", 10),
        _group("Dimensions", [_u4("", n) for n in reversed(array.shape)]),
        _u4("PixelDepth", 2),
    ]
    tags = [_group("Microscope Info", [_f4("Voltage", 200000.0), _text("Illumination Mode", "STEM")])]
    return _group("", [_text("Name", title), _group("ImageData", image_data), _group("ImageTags", tags)])


def write_dm4(path: Path, *arrays: np.ndarray) -> Path:
    images = [_image(array, f"image {k}") for k, array in enumerate(arrays)]
    root = [_group("DocumentObjectList", []), _group("ImageList", images)]
    body = struct.pack(">BBQ", 0, 1, len(root)) + b"".join(root)
    path.write_bytes(struct.pack(">IQI", 4, len(body), 1) + body + bytes(8))
    return path


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 60000, (*NAV, 6, 5), np.uint16)


@pytest.fixture
def dm4(tmp_path, frames) -> Path:
    pytest.importorskip("rsciio", reason=WHY)
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return write_dm4(folder / "a scan.dm4", frames)


# ---- plug-ins of our own making: what no file at hand shows


class FakePlugin:
    """A module with a `file_reader` that returns what a test wants; RosettaSciIO itself is not needed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *datasets: Any, lazy: bool = True, error: Any = None) -> None:
        self.calls: list[dict[str, Any]] = []

        def file_reader(filename: str, lazy: bool = False, chunks: Any = "auto", **kwds: Any) -> list[Any]:
            self.calls.append({"filename": filename, "lazy": lazy, "chunks": chunks, **kwds})
            if lazy and not self.lazy:
                raise NotImplementedError("lazy loading is not supported")
            if self.error is not None:
                raise self.error
            return [each(chunks) if callable(each) else each for each in self.datasets]

        self.datasets, self.lazy, self.error = datasets, lazy, error
        modules = {
            "rsciio": SimpleNamespace(
                IO_PLUGINS=[
                    {"name": "Fake", "api": "rsciio.fake", "file_extensions": ["dm3", "DM3", "fake"]},
                    {"name": "Other", "api": "rsciio.other", "file_extensions": ["xml", "img"]},
                    {"name": "Third", "api": "rsciio.third", "file_extensions": ["img"]},
                    {"name": "ZSPY", "api": "rsciio.zspy", "file_extensions": ["zspy"]},
                ]
            ),
            "rsciio.fake": SimpleNamespace(file_reader=file_reader),
        }
        monkeypatch.setattr(plugins, "import_module", lambda name: modules[name])
        monkeypatch.setattr(opened, "_kept", type(opened._kept)())


def dataset(data: Any, axes: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:
    return {"data": data, "axes": list(axes), "metadata": {}, "original_metadata": {}, **more}


def axis(size: int, navigate: bool, **more: Any) -> dict[str, Any]:
    return {"size": size, "navigate": navigate, "scale": 1.0, "offset": 0.0, "units": "", **more}


AXES = [axis(3, True), axis(4, True), axis(6, False), axis(5, False)]


@pytest.fixture
def fake_file(tmp_path) -> Path:
    path = tmp_path / "scan.dm3"
    path.write_bytes(b"anything")
    return path


# ---- who reads what


def test_the_suffix_chooses_it_last() -> None:
    known = registry.built_in_readers()
    assert next(reversed(known)) == "rosettasciio"
    assert not known["rosettasciio"].sniff(b"anything")
    others = {e for name, reader in known.items() if name not in ("rosettasciio", "empad") for e in reader.extensions}
    assert not others & set(SUFFIXES)


def test_content_goes_before_it(tmp_path) -> None:
    np.save(tmp_path / "scan.npy", np.zeros((2, 4, 4)))
    other = (tmp_path / "scan.npy").rename(tmp_path / "scan.dm4")
    assert find_reader(other).name == "npy"


@pytest.mark.parametrize("name", ["scan.DM4", "scan.ser", "image.tif", "map.bcf", "spectrum.msa", "other.xml"])
def test_known_suffixes(tmp_path, name) -> None:
    (tmp_path / name).write_bytes(b"\x01anything")
    assert find_reader(tmp_path / name).name == "rosettasciio"


def test_every_suffix_is_one_that_it_reads() -> None:
    pytest.importorskip("rsciio", reason=WHY)
    read_by_it = {suffix for _, suffixes in plugins.all_plugins("") for suffix in suffixes}
    assert set(SUFFIXES) <= read_by_it


def test_without_it_the_error_names_the_extra(tmp_path, monkeypatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(plugins, "import_module", absent)
    (tmp_path / "scan.dm4").write_bytes(b"\x01anything")
    with pytest.raises(MissingCodecError, match=r'scan\.dm4: .*pip install "lazy4d\[formats\]"'):
        l4.load(tmp_path / "scan.dm4")
    (tmp_path / "scan.abc").write_bytes(b"\x01anything")
    with pytest.raises(FormatError, match="no reader recognises this file"):
        l4.load(tmp_path / "scan.abc")


def test_it_is_imported_only_when_it_is_needed() -> None:
    code = (
        "import sys, lazy4d; from lazy4d.io.registry import built_in_readers; built_in_readers(); "
        "print([m for m in sys.modules if m.startswith('rsciio')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_unknown_or_ambiguous_plugin(monkeypatch, tmp_path) -> None:
    FakePlugin(monkeypatch)
    for name, told in (("a.img", "'Other', 'Third'"), ("a.abc", "no plug-in of RosettaSciIO reads files '.abc'")):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(FormatError, match=told):
            read(tmp_path / name, reader="rosettasciio")
    with pytest.raises(ValueError, match="plugin='None' is not known to RosettaSciIO: expected one of Fake"):
        read(tmp_path / "a.img", reader="rosettasciio", plugin="None")
    with pytest.raises(UnsupportedVariantError, match="open for writing"):
        read(tmp_path / "a.img", reader="rosettasciio", plugin="zspy")


# ---- a real file


def test_frames_axes_and_metadata(dm4, frames, read_all) -> None:
    source = read(dm4)
    assert find_reader(dm4).name == "rosettasciio"
    assert source.frames.dtype == np.uint16
    assert source.frames.dtype.isnative
    assert source.frames.nav_shape == NAV
    assert source.title == source.metadata["General"]["title"] == "image 0"
    assert source.metadata["General"]["original_filename"] == "a scan.dm4"
    assert source.metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 200.0
    assert source.original_metadata["ImageList"]
    assert [(a.name, a.units, a.scale, a.offset) for a in source.navigation_axes + source.signal_axes] == [
        ("y", "nm", 2.0, 0.0), ("x", "nm", 1.0, 0.0), ("ky", "1/nm", 0.5, -2.0), ("kx", "1/nm", 0.25, -0.5),
    ]  # fmt: skip
    assert source.identity["format"] == "rosettasciio"
    assert source.identity["plugin"] == "DigitalMicrograph"
    assert source.identity["size"] == dm4.stat().st_size
    assert source.frames_found == 12
    assert "DigitalMicrograph" in source.scan_shape_origin
    for tile in (1, 5, 12):
        assert np.array_equal(read_all(source.frames, tile=tile), frames)


def test_several_data_sets(tmp_path, frames, read_all) -> None:
    pytest.importorskip("rsciio", reason=WHY)
    path = write_dm4(tmp_path / "scan.dm4", frames, frames[0, 0])
    with pytest.raises(FormatError, match=r"holds 2 data sets.*0: 'image 0' \(3, 4, 6, 5\) uint16; 1: 'image 1'"):
        read(path)
    for chosen in (0, "0", "image 0"):
        assert np.array_equal(read_all(read(path, dataset=chosen).frames), frames)
    assert np.array_equal(l4.load(path, dataset="image 1").data.compute(), frames[0, 0])
    with pytest.raises(FormatError, match="has no single data set 'image 2'"):
        read(path, dataset="image 2")


def test_selections_and_windows(dm4, frames, read_all) -> None:
    source = read(dm4).frames
    mask = np.random.default_rng(3).random(NAV) < 0.5
    assert np.array_equal(read_all(source.select((slice(2, -1, -1), slice(1, 4, 2)))), frames[::-1, 1::2])
    assert np.array_equal(read_all(source.select((mask,))), frames[mask])
    row = source.select((slice(1, 2, 1), slice(0, 4, 1))).drop_axes((0,))
    assert np.array_equal(read_all(row), frames[1])
    block = source.open((slice(1, 3), slice(1, 3)))
    out = np.empty((4, 6, 5), np.uint16)
    block.read(0, 4, out, (slice(2, 5), slice(1, 3)))
    assert block.valid is None
    block.close()
    assert np.array_equal(out[:, 2:5, 1:3], frames[1:3, 1:3, 2:5, 1:3].reshape(4, 3, 2))


def test_other_arrangements(dm4, frames, read_all) -> None:
    flat = frames.reshape(12, 6, 5)
    assert np.array_equal(read_all(read(dm4, scan_shape=(2, 5), sync_offset=2).frames), flat[2:].reshape(2, 5, 6, 5))
    assert np.array_equal(read_all(read(dm4, scan_shape=(3, 3), flyback=1).frames), frames[:, :3])
    out, valid = read_all(read(dm4, scan_shape=NAV, sync_offset=-1).frames, with_valid=True)
    assert np.flatnonzero(~valid).tolist() == [0]
    assert np.array_equal(out.reshape(12, 6, 5)[1:], flat[:11])
    assert [a.units for a in read(dm4, scan_shape=(4, 3)).navigation_axes] == ["px", "px"]
    with pytest.raises(ScanShapeError, match="12 frames do not fill scan shape 5 x 5"):
        read(dm4, scan_shape=(5, 5))


def test_sources_travel_without_pixels(dm4, frames, read_all) -> None:
    source = read(dm4).frames
    there = pickle.loads(pickle.dumps(source))
    assert there.token == source.token == read(dm4).frames.token
    assert len(pickle.dumps(source)) < 4000
    opened._kept.clear()  # as in another process
    assert np.array_equal(read_all(there), frames)
    os.utime(dm4, ns=(0, 0))
    assert read(dm4).frames.token != source.token
    with pytest.raises(FormatError, match="was written to since it was loaded"):
        source.open((slice(0, 1), slice(0, 1)))


@pytest.mark.parametrize("chunks", [1, 2, "auto"])
def test_results_do_not_depend_on_chunks_and_scheduler(dm4, frames, scheduler, chunks) -> None:
    s = l4.load(dm4, chunks=chunks if chunks == "auto" else (chunks, -1))
    assert np.array_equal(s.data.compute(), frames)
    assert np.array_equal(s.sum().compute().data, frames.sum(axis=(0, 1)))


def test_loading_reads_no_pixels(dm4, no_compute) -> None:
    with no_compute:
        s = l4.load(dm4).inav[1:, 0]
    assert s.lazy


@pytest.mark.parametrize("size", [0, 1, 4, 30, 200, 500])
def test_truncation_is_named(dm4, size) -> None:
    os.truncate(dm4, size)
    with pytest.raises(Lazy4DError, match=r"a scan\.dm4"):
        read(dm4)


def test_truncated_pixels_are_named_at_the_latest_when_they_are_read(dm4, read_all) -> None:
    os.truncate(dm4, 1400)
    with pytest.raises(FormatError, match=r"a scan\.dm4: the plug-in 'DigitalMicrograph' .* could not read"):
        read_all(read(dm4).frames)


def test_options_of_the_plugin(dm4, frames, read_all) -> None:
    source = read(dm4, plugin="digitalmicrograph", plugin_options={"optimize": False, "chunks": (1, 2, 6, 5)})
    assert np.array_equal(read_all(source.frames), frames)
    for wrong in ("lazy", "optimise"):
        with pytest.raises(TypeError, match=f"takes no option '{wrong}' here; it takes order, optimize, chunks"):
            read(dm4, plugin_options={wrong: True})


def test_a_format_with_a_companion(tmp_path, read_all) -> None:
    ripple = pytest.importorskip("rsciio.ripple", reason=WHY)
    data = np.random.default_rng(5).integers(0, 255, (3, 4, 8), np.uint16)
    axes = [axis(3, True, name="y", units="nm"), axis(4, True, name="x", units="nm"), axis(8, False, name="Energy")]
    axes = [{**each, "index_in_array": k} for k, each in enumerate(axes)]
    signal = {**dataset(data, axes), "metadata": {"General": {"title": "map"}, "Signal": {"signal_type": ""}}}
    ripple.file_writer(str(tmp_path / "map.rpl"), signal)
    source = read(tmp_path / "map.rpl")
    assert source.frames.frame_shape == (8,)
    assert [a.name for a in source.navigation_axes + source.signal_axes] == ["y", "x", "Energy"]
    assert np.array_equal(read_all(source.frames), data)
    assert isinstance(l4.load(tmp_path / "map.rpl"), l4.Signal1D)
    os.truncate(tmp_path / "map.raw", 10)
    with pytest.raises(Lazy4DError, match="shrank since it was loaded"):
        source.frames.open((slice(0, 1), slice(0, 1)))
    (tmp_path / "map.raw").unlink()
    with pytest.raises(Lazy4DError, match=r"map\.rpl: the plug-in 'Ripple'"):
        read(tmp_path / "map.rpl")


def test_block_files_read_by_both_are_the_same(vendor_data, monkeypatch) -> None:
    pytest.importorskip("rsciio", reason=WHY)
    if importlib.util.find_spec("skimage") is None:  # which its plug-in imports, but only uses to write
        monkeypatch.setitem(sys.modules, "skimage", ModuleType("skimage"))
    for name in ("blo/test1.blo", "blo/test2.blo"):
        theirs, ours = (l4.load(vendor_data(name), reader=reader) for reader in ("rosettasciio", "blo"))
        assert np.array_equal(theirs.data.compute(), ours.data.compute())
        for axis_name in ("x", "y", "kx", "ky"):
            assert theirs.axes_manager[axis_name].scale == pytest.approx(ours.axes_manager[axis_name].scale)
            assert theirs.axes_manager[axis_name].units == ours.axes_manager[axis_name].units


@pytest.mark.parametrize("most", [None, 900])
def test_streams_that_it_writes_are_read_by_our_own_reader(tmp_path, most) -> None:
    tvips = pytest.importorskip("rsciio.tvips", reason=WHY)
    values = np.random.default_rng(6).integers(0, 60000, (3, 4, 10, 6), np.uint16)
    axes = [axis(3, True, units="nm"), axis(4, True, units="nm"), axis(10, False, units="1/nm")]
    axes.append(axis(6, False, units="1/nm"))
    signal = {**dataset(values, axes), "attributes": {"_lazy": False}}
    tvips.file_writer(str(tmp_path / "scan.tvips"), signal, max_file_size=most, show_progressbar=False)
    assert len(list(tmp_path.iterdir())) == (1 if most is None else 3)
    s = l4.load(tmp_path / "scan_000.tvips", scan_shape=(3, 4))
    assert np.array_equal(s.data.compute(), values)


# ---- what plug-ins may give


def test_axes_in_any_order(monkeypatch, fake_file, read_all) -> None:
    values = np.arange(6 * 3 * 5 * 4, dtype=">u2").reshape(6, 3, 5, 4)
    axes = [
        axis(4, True, index_in_array=3, name="b", scale=2.0, units="um"), axis(6, False, index_in_array=0),
        axis(5, False, index_in_array=2, scale=3.0, units="mrad"), axis(3, True, index_in_array=1),
    ]  # fmt: skip
    FakePlugin(monkeypatch, dataset(da.from_array(values, chunks=(2, 1, 5, 3)), axes))
    source = read(fake_file)
    assert source.frames.nav_shape == (3, 4)
    assert source.frames.frame_shape == (6, 5)
    assert source.frames.dtype.isnative
    assert np.array_equal(read_all(source.frames), values.transpose(1, 3, 0, 2))
    assert [a.scale for a in source.navigation_axes + source.signal_axes] == [1.0, 2.0, 1.0, 3.0]
    assert [a.units for a in source.navigation_axes + source.signal_axes] == ["px", "µm", "px", "mrad"]


def test_frames_cut_between_chunks_are_asked_for_whole(monkeypatch, fake_file, read_all) -> None:
    values = np.arange(360, dtype="u2").reshape(3, 4, 6, 5)

    def build(chunks: Any) -> dict[str, Any]:
        return dataset(da.from_array(values, chunks=(3, 4, 2, 5) if chunks == "auto" else chunks), AXES)

    fake = FakePlugin(monkeypatch, build)
    source = read(fake_file)
    assert [call["chunks"] for call in fake.calls] == ["auto", (3, 4, 6, 5)]
    assert np.array_equal(read_all(source.frames), values)
    fake.calls.clear()
    assert read(fake_file, plugin_options={"chunks": (1, 1, 1, 1)}).frames.recipe.options == (("chunks", (1, 1, 1, 1)),)


def test_each_piece_is_read_once_a_block(monkeypatch, fake_file, read_all) -> None:
    read_chunks: list[Any] = []

    def load(block_id: tuple[int, ...]) -> np.ndarray:
        read_chunks.append(block_id)
        return np.full((1, 2, 6, 5), 10 * block_id[0] + block_id[1], "u2")

    def build(_: Any) -> dict[str, Any]:
        chunks = ((1, 1, 1), (2, 2), (6,), (5,))
        lazily = da.map_blocks(
            lambda block_id=None: load(block_id), chunks=chunks, dtype="u2", meta=np.empty(0, "u2")
        )  # fmt: skip
        return dataset(lazily, AXES)

    FakePlugin(monkeypatch, build)
    source = read(fake_file).frames
    assert source.blocks == ((3,), (4,))  # small ones are read together
    out = read_all(source, tile=2)
    assert out[:, :, 0, 0].tolist() == [[0, 0, 1, 1], [10, 10, 11, 11], [20, 20, 21, 21]]
    assert len(read_chunks) == 6


def test_blocks_follow_what_is_read_at_once() -> None:
    assert merge_blocks(((1,) * 64, (128,)), 32768, PIECE_BYTES)[0] == (4,) * 16
    assert merge_blocks((), 100, 10) == ()
    assert merge_blocks(((7, 7), (5, 5)), 1 << 30, 10) == ((7, 7), (5, 5))


def test_a_plugin_that_reads_at_once(monkeypatch, fake_file, read_all) -> None:
    values = np.arange(360.0).reshape(3, 4, 6, 5)
    fake = FakePlugin(monkeypatch, dataset(values, AXES), lazy=False)
    source = read(fake_file)
    assert [call["lazy"] for call in fake.calls] == [True, False]
    assert np.array_equal(read_all(source.frames), values)
    assert len(fake.calls) == 2
    assert len(pickle.dumps(source.frames)) < 4000
    monkeypatch.setattr(mapping, "memory_limit", lambda: 16)
    with pytest.raises(UnsupportedVariantError, match=r"cannot read lazily, and 8 bytes are more than a quarter"):
        read(fake_file)


def test_pieces_that_memory_cannot_hold_are_refused(monkeypatch, fake_file) -> None:
    lazily = da.zeros((3, 4, 6, 5), chunks=(3, 4, 6, 5), dtype="u2")
    FakePlugin(monkeypatch, dataset(lazily, AXES))
    monkeypatch.setattr(mapping, "memory_limit", lambda: 720)
    with pytest.raises(UnsupportedVariantError, match="reads at least 720 bytes at once, more than an eighth"):
        read(fake_file)


def test_shapes_that_a_file_cannot_hold_are_not_believed(monkeypatch, fake_file) -> None:
    lazily = da.zeros((1 << 20, 1 << 10, 256, 256), chunks=(1 << 18, 1 << 8, 256, 256), dtype="u2")
    FakePlugin(monkeypatch, dataset(lazily, [axis(n, k < 2) for k, n in enumerate(lazily.shape)]))
    with pytest.raises(FormatError, match="which a file of 8 bytes cannot hold: its header is damaged"):
        read(fake_file)


def test_names_of_axes(monkeypatch, fake_file) -> None:
    cases = [
        ((7, 5), [axis(7, True, name="time"), axis(5, False, name="Energy")], ["time", "Energy"]),
        ((7, 5), [axis(7, False, name="height"), axis(5, False, name="height")], ["height", "x"]),
        ((2, 6, 5), [axis(2, True, name="z"), axis(6, False, name="y"), axis(5, False, name="x")], ["z", "ky", "kx"]),
        ((2, 6, 5), [axis(2, True, name="kx"), axis(6, False), axis(5, False)], ["x", "ky", "kx"]),
        ((4,), [], ["k0"]),
    ]
    for shape, axes, names in cases:
        FakePlugin(monkeypatch, dataset(np.zeros(shape), axes))
        source = read(fake_file)
        assert [a.name for a in source.navigation_axes + source.signal_axes] == names
        assert l4.load(fake_file).data.shape == shape


def test_axes_with_places(monkeypatch, fake_file) -> None:
    axes = [
        {"axis": np.array([1.0, 1.5, 2.0]), "navigate": True, "units": "s", "size": 3, "name": "t"},
        {"axis": [1.0, 2.0, 4.0, 8.0], "navigate": False, "units": "eV", "size": 4, "name": "E"},
    ]
    FakePlugin(monkeypatch, dataset(np.zeros((3, 4)), axes))
    source = read(fake_file)
    assert (source.navigation_axes[0].scale, source.navigation_axes[0].offset) == (0.5, 1.0)
    assert source.signal_axes[0].units == "px"
    assert "axis 'E' are not evenly spaced" in source.warnings[0]


def test_metadata_are_plain(monkeypatch, fake_file) -> None:
    original = {"Head": {"HT": np.float32(80000), "Stage": [1.0, np.int16(2)], "raw": b"text", "odd": object}}
    rules = {
        "Head.HT": ("Acquisition_instrument.TEM.beam_energy", lambda volt: volt / 1000),
        "Head.Stage": ("Acquisition_instrument.TEM.Stage", None),
        "Head.none": ("General.none", None),
        "Head.odd": ("General.failed", lambda _: 1 / 0),
    }
    told = {"General": {"title": "", "when": np.datetime64("2020-01-01")}}
    found = {"original_metadata": original, "metadata": told, "mapping": rules}
    FakePlugin(monkeypatch, {**dataset(np.zeros((6, 5))), **found})
    source = read(fake_file)
    assert source.metadata["Acquisition_instrument"]["TEM"] == {"beam_energy": 80.0, "Stage": [1.0, 2]}
    assert source.title == "scan"
    assert "none" not in source.metadata["General"]
    assert "failed" not in source.metadata["General"]
    assert source.original_metadata["Head"]["raw"] == "text"
    assert all(type(v) in (float, list, str) for v in source.original_metadata["Head"].values())
    assert l4.load(fake_file).metadata.Acquisition_instrument.TEM.beam_energy == 80.0


@pytest.mark.parametrize("energy", [0, -1, "unknown", None, [1, 2], float("nan")])
def test_beam_energies_that_are_none_are_left_out(monkeypatch, fake_file, energy) -> None:
    told = {"Acquisition_instrument": {"TEM": {"beam_energy": energy}}}
    FakePlugin(monkeypatch, {**dataset(np.zeros((6, 5))), "metadata": told})
    assert not l4.load(fake_file).metadata.has_item("Acquisition_instrument.TEM.beam_energy")


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (KeyError("ImageList"), FormatError, "could not read it \\(KeyError: 'ImageList'\\)"),
        (IndexError("list index out of range"), FormatError, "IndexError"),
        (AssertionError(), FormatError, "AssertionError"),
        (MemoryError("2 EiB"), FormatError, "asks for more memory than there is"),
        (ImportError("No module named 'tifffile'"), MissingCodecError, "tifffile"),
        (FileNotFoundError("scan_1.ser"), MissingCompanionError, "scan_1.ser"),
        (PermissionError("scan"), PermissionError, "may not read a file"),
        (NotImplementedError(), FormatError, "does not read such files"),
    ],
)
def test_every_failure_is_told(monkeypatch, fake_file, error, kind, told) -> None:
    FakePlugin(monkeypatch, error=error)
    with pytest.raises(kind, match=rf"(?s)scan\.dm3: the plug-in 'Fake' .*{told}"):
        read(fake_file)


def test_failures_while_reading_are_told(monkeypatch, fake_file, read_all) -> None:
    def fail(block_id: Any = None) -> np.ndarray:
        raise builtins.ValueError("mmap length is greater than file size")

    lazily = da.map_blocks(fail, chunks=((3,), (4,), (6,), (5,)), dtype="u2", meta=np.empty(0, "u2"))
    FakePlugin(monkeypatch, dataset(lazily, AXES))
    with pytest.raises(FormatError, match=r"scan\.dm3: the plug-in 'Fake' .* mmap length is greater"):
        read_all(read(fake_file).frames)


def test_what_the_plugin_warns_of_is_told_once(monkeypatch, fake_file) -> None:
    import warnings

    def build(_: Any) -> dict[str, Any]:
        warnings.warn("the units were not understood", UserWarning, stacklevel=1)
        warnings.warn("an old name", DeprecationWarning, stacklevel=1)
        return dataset(np.zeros((6, 5)))

    FakePlugin(monkeypatch, build)
    assert read(fake_file).warnings == (f"{fake_file}: Fake of RosettaSciIO: the units were not understood",)


@pytest.mark.parametrize("dtype", [[("R", "u1"), ("G", "u1"), ("B", "u1")], object, "U4"])
def test_pixels_that_are_no_numbers(monkeypatch, fake_file, dtype) -> None:
    FakePlugin(monkeypatch, dataset(np.zeros((6, 5), dtype)))
    with pytest.raises(UnsupportedVariantError, match="no plain numbers"):
        read(fake_file)


def test_nothing_found(monkeypatch, fake_file) -> None:
    FakePlugin(monkeypatch)
    with pytest.raises(FormatError, match="finds no data set"):
        read(fake_file)
    FakePlugin(monkeypatch, dataset(np.zeros((0, 5))))
    with pytest.raises(FormatError, match=r"shape \(0, 5\): it is empty"):
        read(fake_file)


def test_another_machine_that_finds_something_else(monkeypatch, fake_file) -> None:
    FakePlugin(monkeypatch, dataset(np.zeros((3, 4, 6, 5)), AXES))
    source = read(fake_file).frames
    FakePlugin(monkeypatch, dataset(np.zeros((6, 5))))
    with pytest.raises(FormatError, match="finds another data set 0 than when it was loaded"):
        source.open((slice(0, 1), slice(0, 1)))


def test_a_plugin_that_lacks_a_package(monkeypatch, fake_file) -> None:
    FakePlugin(monkeypatch)
    real = plugins.import_module

    def lacking(name: str) -> Any:
        if name == "rsciio.fake":
            raise ImportError("No module named 'skimage'")
        return real(name)

    monkeypatch.setattr(plugins, "import_module", lacking)
    with pytest.raises(MissingCodecError, match=r"scan\.dm3: the plug-in 'Fake' .*'skimage'"):
        read(fake_file)


@pytest.mark.parametrize("option", ["incomplete", "io"])
def test_unknown_choices_are_refused(fake_file, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known"):
        get_reader("rosettasciio").read(fake_file, **{option: "maybe"})


def test_plugins_are_plain_values() -> None:
    assert pickle.loads(pickle.dumps(Plugin("Fake", "rsciio.fake"))) == Plugin("Fake", "rsciio.fake")

"""NeXus files: the default signal, its axes in all notations, links to other files, and damage named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.data.nexus import write_nxdata
from lazy4d.errors import FormatError, Lazy4DError, MissingCompanionError, UnsupportedVariantError
from lazy4d.io.registry import read

SHAPE = (3, 4, 6, 5)
AXES = [
    ("rows", "nm", 0.5 * np.arange(3)),
    ("columns", "nm", 1 + 0.25 * np.arange(4)),
    ("qy", "1/angstrom", -0.3 + 0.1 * np.arange(6)),
    ("qx", np.bytes_("mrad"), -1.0 + 0.2 * np.arange(5)),
]
EXPECTED = {"y": ("nm", 0.5, 0.0), "x": ("nm", 0.25, 1.0), "ky": ("1/Å", 0.1, -0.3), "kx": ("mrad", 0.2, -1.0)}


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(10).integers(0, 60000, SHAPE, np.uint16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder ü"
    folder.mkdir()
    return folder / "a scan.nxs"


def told(source) -> dict[str, tuple[str, float, float]]:
    axes = (*source.navigation_axes, *source.signal_axes)
    return {axis.name: (axis.units, round(axis.scale, 6), round(axis.offset, 6)) for axis in axes}


def test_real_file(vendor_data, no_compute) -> None:
    with no_compute:
        s = l4.load(vendor_data("hdf5/simple_signal.nxs"))
    assert s.data.shape == (15, 1, 40, 40)
    assert s.data.dtype == np.float64
    assert float(s.data.sum().compute()) == 0
    assert (s.axes_manager["y"].scale, s.axes_manager["y"].offset) == (2.0, 20.0)
    assert s.axes_manager["x"].offset == 20.0
    assert s.metadata.General.title == "rocks"


@pytest.mark.parametrize("style", ["group", "string", "numbered"])
@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("storage", [{}, {"chunks": (1, 2, 3, 5), "compression": "gzip"}])
def test_pixels_and_axes(path, frames, style, default, storage, read_all) -> None:
    with h5py.File(path, "w") as file:
        write_nxdata(file, frames, AXES, style=style, default=default, **storage)
    source = read(path)
    assert told(source) == EXPECTED
    assert source.warnings == ()
    np.testing.assert_array_equal(read_all(source.frames), frames)


def test_chunks_and_schedulers(path, frames, scheduler) -> None:
    with h5py.File(path, "w") as file:
        write_nxdata(file, frames, AXES, chunks=(2, 1, 6, 5), compression="lzf", shuffle=True)
    for chunks in ("auto", (1, 4), (1, 2)):
        np.testing.assert_array_equal(l4.load(path, chunks=chunks).sum().compute().data, frames.sum((0, 1)))


def test_only_the_default_is_read(path, frames, read_all) -> None:
    with h5py.File(path, "w") as file:
        write_nxdata(file, frames + 1, path="entry/first", default=False)
        write_nxdata(file, frames, AXES, path="entry/processed")
        write_nxdata(file, frames + 2, path="other/data", default=False)
    np.testing.assert_array_equal(read_all(read(path).frames), frames)
    for name, more in (("first", 1), ("/entry/first/frames", 1), ("other", 2), ("other/data", 2)):
        np.testing.assert_array_equal(read_all(read(path, dataset=name).frames), frames + more)
    with h5py.File(path, "a") as file:
        del file.attrs["default"]
    with pytest.raises(FormatError, match=r"3 arrays of this NeXus file.*/entry/first \(3, 4, 6, 5\) uint16"):
        l4.load(path)


def test_indices_say_which_axis(path, frames) -> None:
    with h5py.File(path, "w") as file:
        group = file[write_nxdata(file, frames, AXES)]
        group.attrs["axes"] = ["qx", "columns", ".", "rows"]
        for k, (name, *_) in enumerate(AXES):
            group.attrs[f"{name}_indices"] = np.array([k]) if k % 2 else k
    assert told(read(path)) == {**EXPECTED, "ky": ("px", 1.0, 0.0)}


def test_grids_of_positions_are_not_an_axis(path, frames) -> None:
    with h5py.File(path, "w") as file:
        group = file[write_nxdata(file, frames)]
        group["sy"] = np.zeros((3, 4))
        group.attrs["axes"] = ["sy", ".", ".", "."]
        group.attrs["sy_indices"] = [0, 1]
    source = read(path)
    assert told(source)["y"] == ("px", 1.0, 0.0)
    assert "belongs to the axes [0, 1] together" in " ".join(source.warnings)


@pytest.mark.parametrize(
    ("vector", "expected", "warning"),
    [
        ([0.0, 1.0, 4.0], ("px", 1.0, 0.0), "not evenly spaced"),
        ([0.0, 1.0, 2.0, 3.0], ("nm", 1.0, 0.5), ""),  # edges of three pixels
        ([0.0, 1.0, 2.0, 9.0], ("px", 1.0, 0.0), "not evenly spaced"),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], ("nm", 1.0, 0.0), "6 coordinates for 3 pixels"),
        ([4.0, 3.0, 2.0], ("nm", -1.0, 4.0), ""),
        (np.array([b"a", b"b", b"c"]), ("px", 1.0, 0.0), ""),
    ],
)
def test_vectors_of_all_kinds(path, frames, vector, expected, warning) -> None:
    with h5py.File(path, "w") as file:
        write_nxdata(file, frames, [("rows", "nm", vector)])
    source = read(path)
    assert told(source)["y"] == expected
    assert warning in " ".join(source.warnings)
    assert bool(warning) == bool(source.warnings)


def test_links_to_other_files(path, frames, read_all) -> None:
    raw = path.parent / "raw ü.h5"
    with h5py.File(path, "w") as file:
        group = file[write_nxdata(file, frames, AXES)]
        del group["frames"]
        group["frames"] = h5py.ExternalLink(raw.name, "/deep/pixels")
    with pytest.raises(MissingCompanionError, match=r"link to the file .*raw ü\.h5, which is missing"):
        l4.load(path)
    with h5py.File(path, "a") as file:
        del file.attrs["default"]
    with pytest.raises(MissingCompanionError, match=r"raw ü\.h5, which is missing"):
        l4.load(path)
    with h5py.File(raw, "w") as file:
        file["deep/pixels"] = frames
    source = read(path)
    np.testing.assert_array_equal(read_all(source.frames), frames)
    assert told(source) == EXPECTED


def test_soft_links_are_followed(path, frames, read_all) -> None:
    with h5py.File(path, "w") as file:
        group = file[write_nxdata(file, frames, AXES)]
        file.move("entry/data/frames", "entry/instrument/detector/pixels")
        group["frames"] = h5py.SoftLink("/entry/instrument/detector/pixels")
    source = read(path)
    np.testing.assert_array_equal(read_all(source.frames), frames)
    assert told(source) == EXPECTED


def test_interpretation(path, frames) -> None:
    with h5py.File(path, "w") as file:
        group = file[write_nxdata(file, frames)]
        group.attrs["interpretation"] = "image"
    assert read(path).warnings == ()
    with h5py.File(path, "a") as file:
        file["entry/data"].attrs["interpretation"] = np.bytes_("spectrum")
        file["entry/data/scaling_factor"] = 0.5
    told_of = " ".join(read(path).warnings)
    assert "marked as spectrum" in told_of
    assert "scaling_factor = 0.5" in told_of
    with h5py.File(path, "a") as file:
        file["entry/data/frames"].attrs["interpretation"] = "rgb-image"
    with pytest.raises(UnsupportedVariantError, match="colours"):
        l4.load(path)


def test_signals_that_are_no_frames(path) -> None:
    with h5py.File(path, "w") as file:
        write_nxdata(file, np.arange(5.0))
    with pytest.raises(UnsupportedVariantError, match=r"shape \(5,\), expected at least the two axes"):
        l4.load(path)
    with h5py.File(path, "a") as file:
        del file["entry/data/frames"]
        file["entry/data/frames"] = np.array([b"x", b"y"])
    with pytest.raises(UnsupportedVariantError, match="expected numbers"):
        l4.load(path)
    with h5py.File(path, "a") as file:
        del file["entry/data/frames"]
        file.create_group("entry/data/frames")
    with pytest.raises(FormatError, match="found Group"):
        l4.load(path)


def test_no_signal_at_all(path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("entry/data").attrs["NX_class"] = "NXdata"
        file["entry"].attrs["NX_class"] = "NXentry"
    with pytest.raises(FormatError, match=r"no NXdata group .* leads to a signal"):
        l4.load(path)


def test_metadata(path, frames) -> None:
    with h5py.File(path, "w") as file:
        write_nxdata(file, frames)
        file["entry/title"] = "a sample"
        file["entry/start_time"] = "2024-05-06T07:08:09Z"
        source = file.create_group("entry/instrument/source")
        source.attrs["NX_class"] = "NXsource"
        source.create_dataset("voltage", data=300e3).attrs["units"] = "V"
    metadata = read(path).metadata
    assert metadata["General"] == {
        "title": "a sample", "original_filename": "a scan.nxs", "date": "2024-05-06", "time": "07:08:09",
    }  # fmt: skip
    assert metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 300.0


VALUES = st.one_of(
    st.integers(-3, 9), st.floats(), st.text("abyx:.,[]/ ", max_size=8), st.just(b"\xff\xfe\x00a"),
    st.lists(st.sampled_from(["rows", "columns", "qx", ".", "", "nothing", "frames", "/entry"]), max_size=6),
    st.lists(st.floats(width=32), max_size=4),
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    attribute=st.sampled_from(
        ["default", "NX_class", "signal", "axes", "rows_indices", "qx_indices", "interpretation", "units", "axis"]
    ),
    where=st.sampled_from(["/", "entry", "entry/data", "entry/data/frames", "entry/data/rows"]),
    value=VALUES,
    style=st.sampled_from(["group", "string", "numbered"]),
    broken=st.sampled_from([None, "frames", "rows", "qx"]),
    link=st.sampled_from(["/nowhere", "/entry/data/frames", "/entry/data/rows", "/entry", ".", "absent.h5"]),
)
def test_fuzzed_trees(path, read_all, attribute, where, value, style, broken, link) -> None:
    frames = np.arange(3 * 4 * 6 * 5, dtype="u2").reshape(SHAPE)
    with h5py.File(path, "w") as file:
        group = file[write_nxdata(file, frames, AXES, style=style)]
        if isinstance(value, list) and value and isinstance(value[0], str):
            file[where].attrs[attribute] = value
        elif isinstance(value, list):
            file[where].attrs[attribute] = np.array(value, "f4")
        else:
            file[where].attrs[attribute] = np.void(value) if isinstance(value, bytes) else value
        if broken:
            del group[broken]
            group[broken] = h5py.ExternalLink(link, "/x") if link == "absent.h5" else h5py.SoftLink(link)
    try:
        pixels = read_all(read(path).frames)
    except Lazy4DError:
        return
    np.testing.assert_array_equal(pixels, frames)

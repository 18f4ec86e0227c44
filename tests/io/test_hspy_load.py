"""Files of HyperSpy through `load`: what was saved comes back, and what HyperSpy saved comes in."""

from __future__ import annotations

import os
import pickle
import warnings

import h5py
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import Lazy4DWarning
from lazy4d.lazy.options import set_options

FRAME = 16 * 12 * 2
BOTH = pytest.mark.parametrize("suffix", ["hspy", "zspy"])


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("lazy4d.io.hyperspy.chunks.CHUNK_BYTES", 4 * FRAME)
    with set_options(progress=False):
        yield


@pytest.fixture
def scan() -> np.ndarray:
    return np.random.default_rng(5).poisson(3, (6, 10, 16, 12)).astype(np.uint16)


@pytest.fixture
def damaged(tmp_path, scan, request):
    """A raw file without its last three frames, loaded with them marked."""
    np.save(tmp_path / "scan.npy", scan)
    os.truncate(tmp_path / "scan.npy", os.path.getsize(tmp_path / "scan.npy") - 3 * FRAME)
    return load_quietly(tmp_path / "scan.npy", incomplete="nan")


def load_quietly(path, **options) -> l4.BaseSignal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Lazy4DWarning)
        return l4.load(path, **options)


@BOTH
@pytest.mark.parametrize("codec", [None, "default"])
def test_what_was_saved_comes_back(tmp_path, scan, suffix, codec, scheduler):
    s = l4.Diffraction2D(scan, title="MoS2", original_metadata={"a": [1, {"b": np.arange(3)}], "c/d": None})
    s.set_calibration(scale=0.1, units="1/Å", scan_scale=1.2, scan_units="nm", beam_energy="80 kV")
    s = s.inav[1:, 2:]
    out = tmp_path / f"a.{suffix}"
    s.save(out, **({"codec": None} if codec is None else {}))
    t = l4.load(out)
    assert t.lazy
    assert np.array_equal(t.compute().data, scan[2:, 1:])
    for mine, theirs in zip(s.axes_manager.as_numpy_order(), t.axes_manager.as_numpy_order(), strict=True):
        assert mine.equals(theirs)
        assert theirs.beam_energy == 80.0
    assert t.metadata == s.metadata
    assert t.original_metadata == s.original_metadata
    assert t.history[:-1] == s.history
    assert type(t) is l4.Diffraction2D
    roi = l4.CircleROI(6, 8, 4)
    assert np.array_equal(t.get_virtual_image(roi).compute().data, s.get_virtual_image(roi).compute().data)


@BOTH
@pytest.mark.parametrize(
    ("kind", "shape"),
    [(l4.Signal2D, (8, 9)), (l4.VirtualImage, (5, 7)), (l4.Signal1D, (4, 5, 30)), (l4.Diffraction2D, (2, 3, 4, 8, 9))],
)
def test_every_class_comes_back(tmp_path, suffix, kind, shape):
    data = np.random.default_rng(0).normal(size=shape).astype("f4")
    kind(data).save(tmp_path / f"a.{suffix}")
    s = l4.load(tmp_path / f"a.{suffix}")
    assert type(s) is kind
    assert (s.dtype, s.shape) == (np.float32, shape)
    assert np.array_equal(s.compute().data, data)


@BOTH
def test_chosen_positions_come_back(tmp_path, scan, suffix):
    s = l4.Diffraction2D(scan).inav[np.eye(6, 10, dtype=bool)]
    s.save(tmp_path / f"a.{suffix}")
    t = l4.load(tmp_path / f"a.{suffix}")
    assert s.nav_axes[0].equals(t.nav_axes[0])
    assert np.array_equal(t.compute().data, scan[np.eye(6, 10, dtype=bool)])


@BOTH
def test_missing_frames_stay_missing(tmp_path, scan, suffix, damaged, scheduler):
    out = tmp_path / f"a.{suffix}"
    damaged.save(out)
    s = load_quietly(out)
    expected = np.ones((6, 10), bool)
    expected[5, 7:] = False
    assert np.array_equal(s.valid.compute().data, expected)
    image = s.get_virtual_image(l4.CircleROI(6, 8, 4)).compute().data
    assert np.array_equal(np.isnan(image), ~expected)
    assert np.array_equal(s.inav[8:, 4:].valid.compute().data, expected[4:, 8:])
    zero = load_quietly(out, incomplete="zero").get_virtual_image(l4.CircleROI(6, 8, 4)).compute().data
    assert not zero[~expected].any()
    assert not np.isnan(zero).any()
    s.save(tmp_path / f"b.{suffix}")  # and once more
    assert np.array_equal(load_quietly(tmp_path / f"b.{suffix}").valid.compute().data, expected)


@BOTH
def test_missing_frames_in_another_arrangement(tmp_path, suffix, damaged):
    damaged.save(tmp_path / f"a.{suffix}")
    s = load_quietly(tmp_path / f"a.{suffix}", scan_shape=(10, 6))
    assert np.flatnonzero(~s.valid.compute().data.ravel()).tolist() == [57, 58, 59]


@BOTH
def test_the_file_that_is_read_is_never_replaced(tmp_path, scan, suffix):
    out = tmp_path / f"a.{suffix}"
    l4.Diffraction2D(scan).save(out)
    s = l4.load(out)
    for result in (s, s.rebin(scale=(1, 1, 2, 2)), s.sum(), s + s):
        with pytest.raises(ValueError, match=r"the frames are read from this very file"):
            result.save(out, overwrite=True)
    assert np.array_equal(s.compute().data, scan)


@BOTH
def test_loading_computes_nothing_and_travels(tmp_path, scan, suffix, no_compute):
    l4.Diffraction2D(scan).save(tmp_path / f"a.{suffix}")
    with no_compute:
        s = l4.load(tmp_path / f"a.{suffix}").inav[2:5, ::-1]
    frames = pickle.loads(pickle.dumps(s.frames.source))
    assert frames.token == s.frames.source.token
    assert len(pickle.dumps(s.frames.source)) < 20_000


def test_real_files(vendor_data):
    s = l4.load(vendor_data("hdf5/example2_v3.1.hspy"))
    assert (type(s), s.dtype, s.shape) == (l4.Signal2D, np.int32, (16, 16))
    assert s.compute().data.sum() == 250910
    assert s.axes_manager["x"].units == "1/nm"
    assert s.axes_manager["x"].beam_energy == 200.0
    t = l4.load(vendor_data("zspy/signal1d_10x10-NestedDirectoryStore.zspy"))
    assert (type(t), t.dtype, t.shape, t.nav_shape) == (l4.Signal1D, np.int64, (10, 10), (10,))
    assert t.compute().data.sum() == 4950


def test_axes_in_any_order(tmp_path):
    data = np.arange(5 * 3 * 6 * 4).reshape(5, 3, 6, 4)
    with h5py.File(tmp_path / "a.hspy", "w") as file:
        file.attrs["file_format"] = "HyperSpy"
        group = file.create_group("Experiments/a")
        group.create_dataset("data", data=data, chunks=(2, 2, 3, 2), compression="lzf")
        for k, (name, navigate) in enumerate([("ky", False), ("y", True), ("kx", False), ("x", True)]):
            said = {"name": name, "navigate": navigate, "scale": 1.0, "offset": float(k), "size": data.shape[k]}
            group.create_group(f"axis-{k}").attrs.update(said)
        group.create_group("metadata")
        group.create_group("original_metadata")
    s = l4.load(tmp_path / "a.hspy")
    assert [axis.name for axis in s.axes_manager.as_numpy_order()] == ["y", "x", "ky", "kx"]
    assert np.array_equal(s.compute().data, data.transpose(1, 3, 0, 2))


def test_several_signals(tmp_path, scan):
    l4.Diffraction2D(scan, title="scan").save(tmp_path / "a.hspy")
    with h5py.File(tmp_path / "a.hspy", "a") as file:
        group = file.create_group("Experiments/haadf")
        group["data"] = np.ones((6, 10), "f4")
        for k in range(2):
            group.create_group(f"axis-{k}").attrs.update({"navigate": True, "scale": 1.0, "offset": 0.0})
        group.create_group("metadata")
    with pytest.warns(Lazy4DWarning, match=r"of 2 signals in this file the one with four dimensions"):
        assert l4.load(tmp_path / "a.hspy").title == "scan"
    assert l4.load(tmp_path / "a.hspy", dataset="haadf").shape == (6, 10)

"""``lazy4d convert``: copies in every format, refused losses, estimates, and where a copy comes from."""

from __future__ import annotations

import os
import re

import dask
import numpy as np
import pytest
from click.testing import CliRunner, Result

import lazy4d as l4
from lazy4d.cli import convert as command
from lazy4d.cli import main
from lazy4d.cli.selecting import bin_factors, crop_signal
from lazy4d.data import write_mib
from lazy4d.io.zarr_store.block_writer import BlockWriter

SHAPE = (4, 6, 16, 12)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *[str(argument) for argument in arguments]])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: object, status: int = 1) -> str:
    """The error, which is one line."""
    result = run(*arguments)
    assert result.exit_code == status, result.output
    lines = [line for line in result.stderr.splitlines() if line]
    assert status == 2 or len(lines) == 1, result.stderr
    return lines[-1]


@pytest.fixture
def pixels():
    return np.random.default_rng(9).integers(0, 60, SHAPE, np.uint16)


@pytest.fixture
def npy(tmp_path, pixels):
    path = tmp_path / "in é.npy"
    np.save(path, pixels)
    return path


@pytest.fixture
def calibrated(tmp_path, pixels):
    s = l4.Diffraction2D(pixels)
    s.set_calibration(scale=0.5, units="1/nm", scan_scale=2.0, scan_units="nm")
    s.save(tmp_path / "calibrated.zarr", progress=False)
    return tmp_path / "calibrated.zarr"


@pytest.mark.parametrize("suffix", [".zarr", ".mrc", ".npy"])
def test_the_same_pixels_in_every_format(tmp_path, npy, pixels, suffix) -> None:
    out = tmp_path / f"out é{suffix}"
    text = done(npy, out)
    assert "(4, 6, 16, 12) uint16" in text
    assert re.search(r"written +\d", text)
    assert re.search(r"time +.* GB/s", text)
    back = l4.load(out)
    np.testing.assert_array_equal(back.as_numpy(), pixels)
    entry = next(entry for entry in back.history if entry.op == "convert")
    assert entry.source is not None
    assert entry.source["path"] == str(npy)
    assert entry.source["size"] == npy.stat().st_size
    assert entry.source["mtime_ns"] == npy.stat().st_mtime_ns
    assert entry.source["format"] == "npy"
    told = CliRunner().invoke(main, ["info", str(out)]).output
    assert re.search(r"made from +.*in é\.npy \(npy, ", told)


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_files_of_hyperspy(tmp_path, npy, pixels, suffix) -> None:
    out = tmp_path / f"out{suffix}"
    done(npy, out, "--codec", "none")
    if suffix == ".hspy":
        h5py = pytest.importorskip("h5py")
        with h5py.File(out) as file:
            found = file["Experiments/in é/data"][...]
    else:
        zarr = pytest.importorskip("zarr")
        found = zarr.open_group(out, mode="r")["Experiments/in é/data"][...]
    np.testing.assert_array_equal(found, pixels)


def test_options_of_the_reader(tmp_path, pixels) -> None:
    path = tmp_path / "scan.mib"
    write_mib(path, pixels[..., :16, :12].astype("u2"), scan_shape=None)
    os.path.exists(tmp_path / "scan.hdr") and os.unlink(tmp_path / "scan.hdr")
    done(path, tmp_path / "a.npy", "--scan-shape", "3,7", "--sync-offset", 3)
    assert l4.load(tmp_path / "a.npy").shape == (3, 7, 16, 12)
    flat = tmp_path / "flat.raw"
    pixels.tofile(flat)
    layout = ("--reader", "raw", "-o", "frame_shape=(16,12)", "-o", "dtype=<u2")
    done(flat, tmp_path / "b.npy", "--scan-shape", "4,6", *layout)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), pixels)


def test_crop_bin_and_dtype(tmp_path, calibrated, pixels) -> None:
    out = tmp_path / "out.npy"
    done(calibrated, out, "--crop", "1:5,:,2:10,0:16", "--bin", "2", "--dtype", "uint8")
    part = pixels[:, 1:5, :, 2:10].reshape(4, 4, 8, 2, 4, 2).sum((3, 5))
    found = np.load(out)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, part)
    back = l4.load(out)
    assert back.axes_manager["kx"].scale == 1.0
    assert back.axes_manager["x"].offset == calibrated_offset(calibrated) + 2.0
    params = next(entry.params for entry in back.history if entry.op == "convert")
    assert params["crop"] == "1:5,:,2:10,0:16"
    assert params["bin"] == [1, 1, 2, 2]
    assert params["dtype"] == "uint8"


def calibrated_offset(path) -> float:
    return float(l4.load(path).axes_manager["x"].offset)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("kx=2:8,ky=:6", lambda s: s.isig[2:8, :6]),
        ("2:8,1:6", lambda s: s.isig[2:8, 1:6]),
        ("x=2.0:6.0", lambda s: s.inav[2.0:6.0]),
        ("kx=-1 1/nm:2 1/nm", lambda s: s.isig["-1 1/nm":"2 1/nm"]),
        (":,:,:,:", lambda s: s),
        ("y=-2:", lambda s: s.inav[:, -2:]),
    ],
)
def test_ranges(calibrated, text, same) -> None:
    s = l4.load(calibrated)
    cut, expected = crop_signal(s, text), same(s)
    assert [a.as_dictionary() for a in cut.axes_manager] == [a.as_dictionary() for a in expected.axes_manager]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("2:8", "expected a range start:stop for each of x, y, kx, ky, for each of kx, ky, or with a name"),
        ("kz=2:8", "expected axes among x, y, kx, ky, each once"),
        ("kx=2:8,kx=1:2", "each once"),
        ("kx=5", "expected a range start:stop for axis 'kx'"),
        ("kx=1:2:3", "expected a range"),
    ],
)
def test_ranges_that_are_none(calibrated, text, match) -> None:
    with pytest.raises(ValueError, match=match):
        crop_signal(l4.load(calibrated), text)


@pytest.mark.parametrize(
    ("text", "factors"), [("4", [1, 1, 4, 4]), ("2,3", [1, 1, 2, 3]), ("1,2,3,4", [1, 2, 3, 4]), ("y=2", [1, 2, 1, 1])]
)
def test_factors(calibrated, text, factors) -> None:
    assert bin_factors(l4.load(calibrated), text) == factors


@pytest.mark.parametrize("text", ["0", "kx=two", "2.5"])
def test_factors_that_are_none(calibrated, text) -> None:
    with pytest.raises(ValueError, match="--bin: expected"):
        bin_factors(l4.load(calibrated), text)


@pytest.mark.parametrize("suffix", [".zarr", ".hspy", ".zspy", ".mrc", ".npy"])
def test_a_value_out_of_range_is_refused_and_nothing_is_left(tmp_path, npy, pixels, suffix) -> None:
    pixels[2, 3, 4, 5] = 300
    np.save(npy, pixels)
    error = refused(npy, tmp_path / f"out{suffix}", "--dtype", "uint8")
    assert "frame 15 (position [2, 3], numpy order) holds 300 at pixel [4, 5], which uint8 cannot hold" in error
    assert "--clip" in error
    assert sorted(os.listdir(tmp_path)) == [npy.name]


def test_clipped_when_asked(tmp_path, npy, pixels) -> None:
    pixels[2, 3, 4, 5] = 300
    np.save(npy, pixels)
    done(npy, tmp_path / "out.npy", "--dtype", "uint8", "--clip")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.minimum(pixels, 255))


def test_fractions_are_explained(tmp_path, npy, pixels) -> None:
    np.save(npy, pixels + np.float32(0.25))
    error = refused(npy, tmp_path / "out.npy", "--dtype", "uint16")
    assert "integers have no fractions" in error
    assert "--round" in error
    done(npy, tmp_path / "out.npy", "--dtype", "uint16", "--round")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), pixels)


@pytest.mark.parametrize("suffix", [".zarr", ".zspy", ".hspy", ".mrc", ".npy"])
def test_an_estimate_writes_nothing(tmp_path, npy, suffix) -> None:
    before = os.stat(tmp_path).st_mtime_ns
    text = done(npy, tmp_path / f"out{suffix}", "--dry-run", "--dtype", "uint8", "--disk-speed", "2")
    assert os.stat(tmp_path).st_mtime_ns == before
    assert "24 of 24 frames" in text
    assert re.search(r"size +about \d", text)
    assert re.search(r"time +about .* 2 GB/s", text)
    assert "none of them is lost" in text
    assert re.search(r"free space +\d", text)


def test_an_estimate_is_near_what_comes(tmp_path, monkeypatch) -> None:
    counts = np.random.default_rng(0).poisson(2.0, (32, 32, 64, 64)).astype("u2")
    np.save(tmp_path / "in.npy", counts)
    monkeypatch.setattr("lazy4d.cli.estimate.SAMPLE_BYTES", 2**21)
    for suffix in (".zarr", ".npy"):
        s = l4.load(tmp_path / "in.npy")
        found = command.estimate_save(s, None, suffix, {}, clip=False, rounding=False)
        assert found.frames < found.total == 1024
        s.save(tmp_path / f"out{suffix}", progress=False)
        assert found.stored == pytest.approx(command.stored_bytes(tmp_path / f"out{suffix}"), rel=0.05)


def test_an_estimate_tells_of_losses(tmp_path, npy, pixels) -> None:
    pixels[2, 3, 4, 5] = 300
    np.save(npy, pixels)
    result = run(npy, tmp_path / "out.npy", "--dtype", "uint8", "--dry-run")
    assert result.exit_code == 1
    assert "24 of 24 frames hold values from 0 to 300" in result.output
    assert "1 of these frames hold values beyond 0 to 255" in result.output
    np.save(npy, pixels * np.float32(1.5))
    told = run(npy, tmp_path / "out.npy", "--dtype", "u2", "--dry-run").output
    assert "does not hold exactly: refused without --round" in told


def test_a_disk_too_small(tmp_path, npy, monkeypatch) -> None:
    monkeypatch.setattr(command.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    result = run(npy, tmp_path / "out.zarr", "--dry-run")
    assert result.exit_code == 1
    assert "not enough" in result.output
    assert "the disk is too small" in refused(npy, tmp_path / "out.zarr")
    assert "are free on its disk" in refused(npy, tmp_path / "out.npy")
    assert os.listdir(tmp_path) == [npy.name]


def test_what_is_there_stays(tmp_path, npy, pixels) -> None:
    out = tmp_path / "out.npy"
    out.write_bytes(b"old")
    assert "is there already: give --overwrite" in refused(npy, out)
    assert "is there already" in refused(npy, out, "--dry-run")
    assert out.read_bytes() == b"old"
    done(npy, out, "--overwrite")
    np.testing.assert_array_equal(np.load(out), pixels)
    assert "read from this very file" in refused(npy, npy, "--overwrite")


def test_an_interrupted_conversion_goes_on(tmp_path, npy, pixels, monkeypatch) -> None:
    out = tmp_path / "out.zarr"
    written = []
    write = BlockWriter.write

    def interrupted(self, start, frames) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(start)
        write(self, start, frames)

    monkeypatch.setattr(BlockWriter, "write", interrupted)
    with l4.set_options(block_bytes=6 * 192 * 2), dask.config.set(scheduler="synchronous"):
        result = run(npy, out, "--dtype", "uint8")
        assert result.exit_code == 130
        assert "go on with the same command and --resume" in result.stderr
        monkeypatch.undo()
        with pytest.raises(l4.errors.FormatError, match="interrupted"):
            l4.load(out)
        assert "other frames" in refused(npy, out, "--resume")
        kept = {path.name: path.stat().st_mtime_ns for path in (out / "data").iterdir() if path.name != "zarr.json"}
        assert kept
        done(npy, out, "--dtype", "uint8", "--resume")
    assert all((out / "data" / name).stat().st_mtime_ns == time for name, time in kept.items())
    np.testing.assert_array_equal(l4.load(out).as_numpy(), pixels)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("out.docx",), "expected a name that ends in one of .hspy, .mrc, .npy, .zarr, .zspy"),
        (("out.npy", "--codec", "lz4"), "are not compressed"),
        (("out.zarr", "--codec", "best"), "codec"),
        (("out.zarr", "--codec", "{'cname"), "--codec: expected a name or a dictionary"),
        (("out.npy", "--dtype", "uint7"), "--dtype: expected a dtype such as uint8"),
        (("out.npy", "--resume"), "resume"),
        (("none/out.npy",), "there is no such folder"),
        (("out.mrc", "--bin", "2"), "--dtype, to uint16"),
        (("out.npy", "--scan-shape", "5,5"), "24"),
        (("out.npy", "-o", "colour=red"), "colour"),
    ],
)
def test_mistakes_are_one_line(tmp_path, npy, arguments, match) -> None:
    out, *others = arguments
    assert match in refused(npy, tmp_path / out, *others)
    assert os.listdir(tmp_path) == [npy.name]


@pytest.mark.parametrize("arguments", [(), ("out.npy", "--clip"), ("out.zarr", "--resume", "--overwrite")])
def test_misuse(tmp_path, npy, arguments) -> None:
    refused(npy, *[tmp_path / a if "out" in a else a for a in arguments], status=2)


def test_damaged_frames_are_told(tmp_path, npy, pixels) -> None:
    os.truncate(npy, npy.stat().st_size - 100)
    assert "frame 23" in refused(npy, tmp_path / "out.npy")
    text = done(npy, tmp_path / "out.npy", "--incomplete", "nan")
    assert "1 of 24 frames are missing or damaged" in " ".join(text.split())
    with pytest.warns(l4.errors.Lazy4DWarning, match="1 of 24 frames were missing"):
        back = l4.load(tmp_path / "out.npy")
    assert not back.valid.as_numpy()[-1, -1]

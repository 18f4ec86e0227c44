"""The public names, loading, saving, and the lightness of the import."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d import api
from lazy4d.io.source import AxisSpec, Source
from lazy4d.metadata import History


@pytest.fixture
def pixels() -> Any:
    return np.random.default_rng(0).poisson(3.0, (3, 4, 8, 9)).astype("uint16")


@pytest.fixture
def path(tmp_path: Path, pixels: Any) -> Path:
    np.save(tmp_path / "my scan.npy", pixels)
    return tmp_path / "my scan.npy"


def test_names_are_what_they_say() -> None:
    assert len(l4.__all__) <= 27
    assert l4.__all__ == sorted(l4.__all__)
    for name in l4.__all__:
        assert getattr(l4, name).__name__.startswith(name)
    assert set(l4.__all__) <= set(dir(l4))
    assert l4.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="lazy4d has no 'Spam'"):
        _ = l4.Spam


def test_the_import_is_light() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import lazy4d; lazy4d.load; "
        "print(' '.join(sys.modules)); print(time.perf_counter() - t)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    modules = set(out.stdout.splitlines()[0].split())
    assert not modules & {"pint", "matplotlib", "distributed", "zarr", "h5py", "scipy.ndimage"}


def test_load(path: Path, pixels: Any, no_compute: Any) -> None:
    with no_compute:
        signal = l4.load(path)
    assert type(signal) is l4.Diffraction2D
    assert signal.lazy
    assert signal.title == "my scan"
    assert signal.history[0].op == "load"
    assert signal.history.source is not None
    assert signal.history.source["path"].endswith("my scan.npy")
    np.testing.assert_array_equal(signal.as_numpy(), pixels)
    assert l4.load(path, reader="npy", chunks=1).data.chunks[0] == (1, 1, 1)
    assert l4.load(path, scan_shape=(4, 3)).nav_shape == (4, 3)
    assert type(l4.load(path, signal_class=l4.Signal2D)) is l4.Signal2D


def test_load_a_single_image(tmp_path: Path, pixels: Any) -> None:
    np.save(tmp_path / "image.npy", pixels[0, 0])
    signal = l4.load(tmp_path / "image.npy")
    assert type(signal) is l4.Signal2D
    np.testing.assert_array_equal(signal.as_numpy(), pixels[0, 0])


def test_what_load_refuses(tmp_path: Path, path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.mib"):
        l4.load(tmp_path / "absent.mib")
    with pytest.raises(TypeError, match="colour"):
        l4.load(path, colour="red")


def test_one_pass_from_a_file(path: Path, pixels: Any) -> None:
    signal = l4.load(path)
    bf, com, pattern = l4.compute(
        signal.get_virtual_image(l4.CircleROI(4, 4, 3)), signal.center_of_mass(), signal.sum(), progress=False
    )
    np.testing.assert_array_equal(pattern.data, pixels.sum((0, 1)))
    assert bf.data.shape == (3, 4)
    assert com.data.shape == (3, 4, 2)


def test_selections_of_a_file(path: Path, pixels: Any) -> None:
    signal = l4.load(path)
    mask = np.array([[True, False, False, True]] * 3)
    np.testing.assert_array_equal(signal.inav[1:, ::-1].isig[2:6, 1].as_numpy(), pixels[::-1, 1:, 1, 2:6])
    np.testing.assert_array_equal(signal.inav[mask].sum().as_numpy(), pixels[mask].sum(0))
    np.testing.assert_array_equal(signal.inav[2, 1].as_numpy(), pixels[1, 2])


def test_explain_says_what_a_run_does(path: Path) -> None:
    signal = l4.load(path)
    for told in (l4.explain(signal.sum(), [signal.center_of_mass()]), signal.explain(signal.sum(), signal.max())):
        assert "1 pass, 1.7 kB read" in str(told)
    assert "BeamPosition 'beam position of my scan'" in str(l4.explain(signal.center_of_mass()))
    assert "0 passes" in str(l4.explain(signal.sum().compute()))


def test_progress_can_be_heard(path: Path) -> None:
    heard: list[tuple[int, int]] = []
    with l4.set_options(progress=lambda done, total: heard.append((done, total))):
        l4.load(path).sum().compute()
    assert heard
    assert heard[-1][0] == heard[-1][1] == 3 * 4 * 8 * 9 * 2


def test_audit_reads_headers(path: Path) -> None:
    report = l4.load(path).sum("kx").audit()
    assert "12" in str(report) or "12" in repr(report)


class OneFrame:
    """A frame source of zeros."""

    nav_shape: tuple[int, ...] = (3,)
    frame_shape = (2, 2)
    dtype = np.dtype("uint8")
    token = "zeros"
    incomplete = "raise"
    frame_nbytes = 4


def make_source(**changes: Any) -> Source:
    axes = (AxisSpec("ky", "1/Å", 0.1, -0.1), AxisSpec("kx", "1/Å", 0.2))
    settings: dict[str, Any] = {
        "frames": OneFrame(),
        "title": "title",
        "signal_axes": axes,
        "navigation_axes": (AxisSpec("x", "nm", 2.0),),
        "metadata": {"Acquisition_instrument": {"TEM": {"beam_energy": 200.0}}},
        "original_metadata": {"Header": {"gain": 3}},
        "identity": {"path": "scan.xyz", "size": 12},
    }
    return Source(**(settings | changes))


def test_everything_a_reader_found_arrives() -> None:
    signal = api.signal_of(make_source())
    assert signal.axes_manager["ky"].offset == -0.1
    assert signal.axes_manager["x"].units == "nm"
    assert signal.axes_manager.beam_energy == 200.0
    assert signal.original_metadata.Header.gain == 3
    assert signal.title == "title"


def test_what_our_own_files_keep() -> None:
    history = History().append("sum")
    saved = {"lazy4d": {"signal_class": "Signal2D", "history": history.to_json()}}
    signal = api.signal_of(make_source(metadata=saved))
    assert type(signal) is l4.Signal2D
    assert [entry.op for entry in signal.history] == ["sum", "load"]
    assert not signal.metadata.has_item("lazy4d")


def test_damage_is_told_once(monkeypatch: Any) -> None:
    from lazy4d.io import registry

    monkeypatch.setattr(registry, "read", lambda *_, **__: make_source(warnings=("2 frames are missing",)))
    with pytest.warns(l4.Lazy4DWarning, match="2 frames are missing") as caught:
        l4.load("scan.xyz", incomplete="nan")
    assert len(caught) == 1


def test_save_hands_over_everything(monkeypatch: Any, path: Path) -> None:
    calls: list[Any] = []
    module = types.ModuleType("lazy4d.io.zarr_store")
    module.save_zarr = lambda filename, **parts: calls.append((filename, parts))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lazy4d.io.zarr_store", module)
    l4.load(path).save("out.zarr", resume=True)
    ((filename, parts),) = calls
    assert filename == "out.zarr"
    assert parts["resume"] is True
    assert parts["signal_class"] == "Diffraction2D"
    assert [axis["name"] for axis in parts["axes"]] == ["y", "x", "ky", "kx"]
    assert json.loads(parts["history"])[0]["op"] == "load"
    assert parts["frames"].nav_shape == (3, 4)


def test_save_to_an_unknown_format(path: Path) -> None:
    with pytest.raises(ValueError, match=r"no writer for the suffix '\.docx'"):
        l4.load(path).save("out.docx")


def test_vendor_file(vendor_data: Any) -> None:
    files = sorted(vendor_data(".").rglob("*.mib"))
    if not files:
        pytest.skip("no .mib file in the vendor data")
    assert len(l4.load(files[0]).frame_shape) == 2


def test_positions_of_a_mask_and_beam_energy_survive_saving(tmp_path):
    data = np.random.default_rng(0).poisson(3, (6, 5, 8, 8)).astype("u2")
    signal = l4.Diffraction2D(data)
    signal.set_calibration(scale=0.02, units="1/Å", scan_scale=2.0, scan_units="nm", beam_energy="200 kV")
    mask = data.sum(axis=(2, 3)) % 2 == 0
    chosen = signal.inav[mask]
    chosen.save(tmp_path / "chosen.zarr")
    back = l4.load(tmp_path / "chosen.zarr")
    assert back.axes_manager.equals(chosen.axes_manager)
    assert back.axes_manager["kx"].beam_energy == 200.0
    np.testing.assert_array_equal(back.axes_manager[0].coordinates[0].values, np.nonzero(mask)[1] * 2.0)
    np.testing.assert_array_equal(back.as_numpy(), data[mask])


def test_missing_positions_of_a_map_stay_nan_through_a_file(tmp_path):
    path = l4.data.write_mib(tmp_path / "scan.mib", np.ones((12, 256, 256), "u2"))
    with open(path, "r+b") as file:
        file.seek(5 * (384 + 131072))
        file.write(b"XXXX")
    with pytest.warns(l4.errors.Lazy4DWarning, match="damage|invalid|header"):
        signal = l4.load(path, scan_shape=(3, 4), incomplete="nan")
    signal.get_total_intensity().save(tmp_path / "map.zarr")
    with pytest.warns(l4.errors.Lazy4DWarning, match="1 of 12 frames were missing or damaged when this was saved"):
        back = l4.load(tmp_path / "map.zarr", incomplete="nan")
    expected = np.full(12, 65536.0)
    expected[5] = np.nan
    np.testing.assert_array_equal(back.as_numpy(), expected.reshape(3, 4))
    np.testing.assert_array_equal(back.valid.compute().data, ~np.isnan(expected).reshape(3, 4))


def test_damage_found_only_by_the_tasks_is_said_once(tmp_path):
    path = l4.data.write_mib(tmp_path / "scan.mib", np.ones((400, 8, 256), "u2"), scan_shape=(20, 20))
    with open(path, "r+b") as file:
        file.seek(151 * (384 + 8 * 256 * 2))
        file.write(b"XXXX")
    signal = l4.load(path, incomplete="nan")  # the sample at load does not hold frame 151
    with pytest.warns(l4.errors.Lazy4DWarning, match="1 of the 400 frames read are damaged or missing") as caught:
        total = signal.get_total_intensity().compute()
    assert len(caught) == 1
    assert np.isnan(total.data[7, 11])
    signal.sum().compute()  # warnings are errors here: it was said before


def test_an_explained_run_gives_signals_and_what_it_took():
    signal = l4.Diffraction2D(np.ones((4, 4, 8, 8), "u2"))
    plan = l4.explain(signal.sum(), {"bf": signal.get_virtual_image(l4.CircleROI(4, 4, 2))})
    assert "measured" not in str(plan)
    pattern, images = plan.compute(progress=False)
    assert isinstance(pattern, l4.Diffraction2D)
    assert isinstance(images["bf"], l4.VirtualImage)
    assert (pattern.data == 16).all()
    assert "measured" in str(plan)

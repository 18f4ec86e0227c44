from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import lazy4d as l4
from lazy4d.cli import main
from lazy4d.cli.demo import scan_rows
from lazy4d.cli.doctor import EXTRAS, REQUIRED
from lazy4d.cli.limit import MemoryLimit
from lazy4d.cli.options import parse_reader_options, parse_scan_shape
from lazy4d.data import simulated_scan, write_mib

ROOT = Path(__file__).parent.parent


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def mib(tmp_path: Path) -> Path:
    """A Merlin file of 4 x 5 frames of 64 x 64 pixels, with its header file."""
    path = tmp_path / "scan.mib"
    write_mib(path, simulated_scan((4, 5), (64, 64)).as_array(), scan_shape=(4, 5))
    return path


def shorten(path: Path, frames: float) -> None:
    record = path.stat().st_size // 20
    os.truncate(path, int(record * frames))


def test_help_names_the_commands() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(command in result.output for command in ("demo", "info", "doctor"))


def test_version() -> None:
    assert run("--version").output.strip() == f"lazy4d, version {l4.__version__}"


@pytest.mark.slow
def test_importing_the_command_line_loads_nothing_big() -> None:
    code = "import lazy4d.cli, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "numba", "dask", "matplotlib", "traits", "pint", "zarr", "tqdm"} & set(loaded)


# -- info --------------------------------------------------------------------------------------------------------------


def test_info_says_what_a_file_holds(mib: Path) -> None:
    result = run("info", mib)
    assert result.exit_code == 0, result.output
    for text in ("scan.mib", "mib, ", "(4, 5 | 64, 64)", "uint16", "ScanX, ScanY", "20 found, 20 expected", "one pass"):
        assert text in result.output
    assert re.search(r"warnings +none", result.output)


def test_info_takes_a_scan_shape_and_other_options(mib: Path) -> None:
    result = run("info", mib, "--scan-shape", "2x10", "-o", "io=read", "--reader", "mib")
    assert "(2, 10 | 64, 64)" in result.output
    assert "scan_shape argument" in result.output


def test_info_shows_calibrated_axes(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", np.ones((3, 4, 8, 8), "f4"))
    result = run("info", tmp_path / "scan.npy")
    assert result.exit_code == 0, result.output
    assert "(3, 4 | 8, 8) along (y, x | ky, kx)" in result.output


def test_info_of_a_plain_file_needs_options_and_says_which(tmp_path: Path) -> None:
    np.ones((6, 8, 8), "u2").tofile(tmp_path / "frames.raw")
    refused = run("info", tmp_path / "frames.raw")
    assert refused.exit_code == 1
    assert "frame_shape" in refused.output
    given = run("info", tmp_path / "frames.raw", "-o", "frame_shape=8,8", "-o", "dtype=<u2", "--scan-shape", "2,3")
    assert "(2, 3 | 8, 8)" in given.output, given.output


def test_info_of_a_series(mib: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        write_mib(tmp_path / f"part{number}.mib", simulated_scan((1, 3), (64, 64)).as_array(), hdr=False)
    result = run("info", tmp_path / "part1.mib", tmp_path / "part2.mib", "-o", "frame_numbers=ignore")
    assert "in 2 files" in result.output, result.output
    assert "6 found" in result.output


def test_audit_of_a_sound_file(mib: Path) -> None:
    result = run("info", mib, "--audit")
    assert result.exit_code == 0
    assert "no damage found" in result.output


def test_damage_is_an_error_and_the_audit_tells_more(mib: Path) -> None:
    shorten(mib, 12.5)
    plain, audited = run("info", mib), run("info", mib, "--audit")
    assert plain.exit_code == audited.exit_code == 1
    assert "ends inside frame 12" in plain.stderr
    assert plain.stdout == ""
    assert "12 frames, damaged" in audited.stdout


def test_tolerated_damage_is_a_warning(mib: Path) -> None:
    shorten(mib, 12.5)
    result = run("info", mib, "--incomplete", "nan")
    assert result.exit_code == 0
    assert "12 found, 20 expected" in result.output
    assert "- " in result.output.split("warnings")[1]


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.mib"], "no such file"),
        (["scan.mib", "--scan-shape", "3,3"], "do not fill"),
        (["scan.mib", "--scan-shape", "many"], "rows,columns"),
        (["scan.mib", "--reader", "xls"], "'xls' is not known"),
        (["scan.mib", "-o", "nonsense=1"], "takes no option 'nonsense'"),
        (["scan.mib", "-o", "nonsense"], "name=value"),
    ],
)
def test_errors_are_one_line_on_stderr(
    mib: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(mib.parent)
    result = run("info", *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr


@pytest.mark.parametrize("arguments", [["--debug", "info", "nothing.mib"], ["info", "nothing.mib", "--debug"]])
def test_debug_shows_the_error_itself(arguments: list[str]) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, FileNotFoundError)


def test_unknown_commands_and_options_are_usage_errors() -> None:
    assert run("fly").exit_code == run("info").exit_code == run("demo", "--size", "0").exit_code == 2


def test_ctrl_c_ends_with_130(mib: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lazy4d.io.registry.read", interrupt)
    result = run("info", mib)
    assert result.exit_code == 130
    assert "Interrupted" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_ctrl_c_in_the_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", "from lazy4d.cli import main; main()", "demo", "--size", "3"]
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("lazy4d-demo-*/grains.mib")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert not list(tmp_path.glob("lazy4d-demo-*"))


@pytest.mark.parametrize("text", ["", "a,b", "0,5", "-1", "3.5,2", "4,,5"])
def test_scan_shapes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="rows,columns"):
        parse_scan_shape(text)


def test_reader_options_are_literals_or_text() -> None:
    assert parse_reader_options(["a-b=3", "dtype=>f4", "names=['x']", "empty="]) == {
        "a_b": 3, "dtype": ">f4", "names": ["x"], "empty": "",
    }  # fmt: skip


# -- doctor ------------------------------------------------------------------------------------------------------------


def test_doctor_lists_versions_machine_and_readers() -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    for text in (l4.__version__, np.__version__, "cores", "memory limit", "numba cache", "temporary folder", ".mib"):
        assert text in result.output


def test_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    known: Callable[[str], str | None] = lambda name: None if name in ("numcodecs", "rosettasciio") else "1.0"  # noqa: E731
    monkeypatch.setattr("lazy4d.cli.doctor.installed", known)
    result = run("doctor")
    assert result.exit_code == 1
    assert "pip install numcodecs" in result.stderr
    assert "rosettasciio absent" in result.stdout
    assert "lazy4d[formats]" in result.stdout


def test_doctor_knows_the_packages_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=! ]", text)[0] for text in requirements}

    assert set(REQUIRED) == names(project["dependencies"])
    for extra, packages in EXTRAS.items():
        assert set(packages) == names(project["optional-dependencies"][extra])


# -- demo --------------------------------------------------------------------------------------------------------------


def test_the_size_of_the_demo_is_about_what_was_asked_for() -> None:
    for size in (0.1, 0.5, 2.0, 100.0):
        assert scan_rows(size) ** 2 * 131456 / 1e9 == pytest.approx(size, rel=0.2)


def test_the_demo_runs_and_leaves_its_results(tmp_path: Path) -> None:
    result = run("demo", "--size", "0.004", "--out", tmp_path / "a new" / "folder")
    assert result.exit_code == 0, result.output
    for text in ("GB/s", "first run", "next runs", "memory limit", "peak memory", "simulated truth", "demo.png"):
        assert text in result.output
    found = {path.name for path in (tmp_path / "a new" / "folder").iterdir()}
    assert found == {
        "demo.png", "mean_pattern.zarr", "bright_field.zarr", "annular_dark_field.zarr", "beam_position.zarr",
        "binned_scan.zarr",
    }  # fmt: skip
    dark_field = l4.load(tmp_path / "a new" / "folder" / "annular_dark_field.zarr")
    assert dark_field.axes_manager["x"].units == "nm"


def test_the_demo_keeps_the_scan_if_asked(tmp_path: Path) -> None:
    assert run("demo", "--size", "0.002", "--out", tmp_path, "--keep").exit_code == 0
    assert l4.load(tmp_path / "grains.mib").nav_shape == (4, 4)
    assert run("demo", "--size", "0.002", "--out", tmp_path).exit_code == 0, "a second demo in the same folder"


def test_the_demo_does_not_fill_the_disk(tmp_path: Path) -> None:
    result = run("demo", "--size", "1e7", "--out", tmp_path)
    assert result.exit_code == 1
    assert "--size" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("threads", [1, 3, 7])
def test_the_memory_limit_reads_every_pixel(tmp_path: Path, threads: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, 10_001).astype("u2")
    values.tofile(tmp_path / "values")
    limit = MemoryLimit(tmp_path / "values", threads)
    assert limit() == int(values.sum())
    assert limit.seconds() > 0


def test_the_memory_limit_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="at least 2 bytes"):
        MemoryLimit(tmp_path / "empty")


@pytest.mark.parametrize("suffix", [".zarr", ".h5"])
def test_info_describes_a_file_of_vectors(tmp_path: Path, suffix: str) -> None:
    v = l4.DiffractionVectors([[[3, 4, 5.0]], [[1, 2, 3.0]]], frame_shape=(8, 9), title="disks")
    v.save(tmp_path / f"v{suffix}")
    result = run("info", tmp_path / f"v{suffix}")
    assert result.exit_code == 0
    assert "DiffractionVectors, (2 | 8, 9) along (x | ky, kx)" in result.output
    assert re.search(r"columns +ky \[px\], kx \[px\], intensity", result.output)

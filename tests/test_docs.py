"""The code on the pages of docs/ runs, in order, as a reader would type it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import lazy4d as l4
from lazy4d.data import simulated_scan

DOCS = Path(__file__).parent.parent / "docs"
SCANS: dict[str, dict[str, Any]] = {
    "diffraction.md": {"kind": "grains", "descan": 6.0},
    "vectors.md": {"kind": "strain", "dose": 1e5},
    "howto/own_kernel.md": {"kind": "grains", "frame_shape": (64, 64)},
}
"""Pages on which `s` is a scan, and what kind of scan."""

FOLDERS = [
    *("index.md", "howto/open.md", "howto/damaged.md", "howto/save.md", "howto/own_reader.md"),
    *("explanation/one_pass.md", "explanation/memory.md", "explanation/precision.md", "explanation/missing.md"),
    *("porting/libertem.md", "porting/py4dstem.md"),
    *(pytest.param(page, marks=pytest.mark.slow) for page in ("tutorial.md", "howto/view.md", "howto/cluster.md")),
]
"""Pages that begin with a folder of files."""

FILES = (24, 32, 64, 64)


def blocks(page: str, language: str = "python") -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(page: str, names: dict[str, Any]) -> dict[str, Any]:
    """What the names of a page mean at its end."""
    with l4.set_options(progress=False), warnings.catch_warnings():
        warnings.simplefilter("ignore", l4.Lazy4DWarning)  # of frames that are missing on purpose
        for block in blocks(page):
            exec(compile(block, page, "exec"), names)
    return names


@pytest.mark.parametrize("page", SCANS)
def test_code_of_a_page_runs(page: str) -> None:
    assert len(blocks(page)) > 3
    options = {"frame_shape": (128, 128), **SCANS[page]}
    scan = simulated_scan((6, 8), **options)
    names = run(page, {"s": l4.Diffraction2D(np.asarray(scan.as_array()), title="scan")})
    with l4.set_options(progress=False):
        results = [value for value in names.values() if isinstance(value, l4.BaseSignal)]
        for vectors in [value for value in names.values() if isinstance(value, l4.DiffractionVectors)]:
            assert vectors.compute().ragged.total
        for result in l4.compute(*results):
            assert np.isfinite(result.as_numpy()).any()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A folder with a file of each format that the pages name."""
    import h5py

    from lazy4d.data import emd, write_blo, write_celeritas, write_empad, write_mib, write_mrc, write_seq, write_tvips

    folder = tmp_path_factory.mktemp("files")
    frames = np.asarray(simulated_scan(FILES[:2], FILES[2:], descan=4.0, dose=3000).as_array())
    flat = frames.reshape(-1, *FILES[2:])
    write_mib(folder / "scan.mib", frames)
    write_mib(folder / "short.mib", frames)
    os.truncate(folder / "short.mib", (folder / "short.mib").stat().st_size * 700 // 768)
    shutil.copy(folder / "scan.mib", folder / "torn.mib")
    with open(folder / "torn.mib", "r+b") as file:
        file.seek(300 * (folder / "torn.mib").stat().st_size // 768)
        file.write(bytes(384))  # the header of one frame
    frames.tofile(folder / "frames.raw")
    write_seq(folder / "scan.seq", flat)
    write_celeritas(folder, flat[:24], stem="celeritas")
    write_mrc(folder / "scan.mrc", flat.astype("i2"))
    np.save(folder / "scan.npy", frames)
    with h5py.File(folder / "cube.h5", "w") as file:
        emd.write_emd1_cube(file, frames)
    s = l4.Diffraction2D(frames, title="scan")
    with l4.set_options(progress=False):
        for suffix in ("hspy", "zspy", "zarr"):
            s.save(folder / f"scan.{suffix}")
    write_blo(folder / "scan.blo", np.minimum(frames, 255).astype("u1"))
    (folder / "empad").mkdir()
    write_empad(folder / "empad", np.zeros((2, 3, 128, 128), "f4"))
    write_tvips(folder / "scan_000.tvips", flat)
    return folder


@pytest.mark.parametrize("page", FOLDERS)
def test_code_of_a_page_runs_in_a_folder(page: str, files: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    pages = run(page, {"__name__": "page"})
    assert len(pages) > 1
    runner = CliRunner()
    for line in "".join(blocks(page, "bash")).splitlines():
        if line.startswith("lazy4d"):
            from lazy4d.cli import main

            done = runner.invoke(main, line.split()[1:], catch_exceptions=False)
            assert done.exit_code == 0, done.output


def test_every_page_with_code_is_run() -> None:
    known = {*SCANS, *(page if isinstance(page, str) else page.values[0] for page in FOLDERS)}
    built = ("_build", "gallery", "reference")
    pages = [p for p in DOCS.rglob("*.md") if p.relative_to(DOCS).parts[0] not in built]
    names = {p.relative_to(DOCS).as_posix() for p in pages if "```python" in p.read_text(encoding="utf-8")}
    assert names == known


def test_every_public_name_is_in_the_reference(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("class_pages", DOCS / "class_pages.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    pages.write_pages(tmp_path)
    listed = {path.stem.rsplit(".", 1)[-1] for path in tmp_path.rglob("*.rst")}
    assert set(l4.__all__) <= listed
    for kind in (l4.BaseSignal, l4.Signal2D, l4.Diffraction2D, l4.DiffractionVectors, l4.BeamPosition):
        members = {path.stem.rsplit(".", 1)[-1] for path in tmp_path.glob(f"members/lazy4d.{kind.__name__}.*.rst")}
        hidden = {name for name in vars(kind) if not name.startswith("_")} - members
        assert all(not callable(getattr(kind, name)) for name in hidden), hidden
    first = (tmp_path / "lazy4d.Diffraction2D.rst").read_text(encoding="utf-8")
    assert first.index("Direct beam") < first.index("lazy4d.Diffraction2D.center_direct_beam") < first.index("Drift")


FAKE_SLURM = """#!/bin/bash
while [[ "$1" == --* ]]; do shift; done
exec "$@"
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Slurm")
def test_the_batch_script(files: Path, tmp_path: Path) -> None:
    for name in ("scan_job.py", "scan_job.sbatch"):
        shutil.copy(DOCS / "howto" / name, tmp_path)
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(FAKE_SLURM)
    srun.chmod(0o755)
    path = os.pathsep.join([str(srun.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "SLURM_NNODES": "1", "SLURM_CPUS_PER_TASK": "2", "TMPDIR": str(tmp_path)}
    command = ["bash", "scan_job.sbatch", str(files / "scan.mib")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert l4.load(tmp_path / "adf.zarr").data.shape == FILES[:2]
    centred = l4.load(tmp_path / "centred.zarr")
    assert [entry.op for entry in centred.history][-2:] == ["center_direct_beam", "load"]
    assert not list(tmp_path.glob("dask-*/scheduler.json"))

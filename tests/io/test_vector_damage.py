"""Files of vectors that are cut short, damaged or changed: refused by name, never read as something else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas
import pytest

import lazy4d as l4
from lazy4d.errors import FormatError, Lazy4DError, TruncatedFileError, UnsupportedVariantError
from lazy4d.io.vectors.content import sealed
from lazy4d.io.vectors.zarr_file import folder_of
from tests.io.vector_files import same, vectors

REFUSED = (Lazy4DError, FileNotFoundError)


@pytest.fixture(params=[".zarr", ".h5", ".parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    where = tmp_path / f"v{request.param}"
    vectors().save(where)
    return where


def files_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def outcome(path: Path) -> Any:
    """The vectors of a file, or the error that it was refused with; anything else is a fault of ours."""
    try:
        return l4.load(path).compute().ragged
    except REFUSED as error:
        return error if str(path) in str(error) else None


def test_cut_short_anywhere_it_is_refused(path: Path) -> None:
    for file in files_of(path):
        whole = file.read_bytes()
        for share in (0.0, 0.3, 0.97):
            file.write_bytes(whole[: int(share * len(whole))])
            assert isinstance(outcome(path), Exception), (file, share)
        file.write_bytes(whole)
    assert same(l4.load(path).compute().ragged, vectors().ragged)


def test_a_changed_byte_is_refused_or_changes_nothing(path: Path) -> None:
    expected = vectors().ragged
    for file in files_of(path):
        whole = file.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 12)):
            damaged = bytearray(whole)
            damaged[at] ^= 0x55
            file.write_bytes(damaged)
            found = outcome(path)
            assert isinstance(found, Exception) or same(found, expected), (file, at)
        file.write_bytes(whole)


def test_every_file_of_a_store_is_missed(tmp_path: Path) -> None:
    store = tmp_path / "v.zarr"
    vectors(valid=np.arange(20).reshape(4, 5) != 3).save(store)
    for file in files_of(store):
        file.rename(tmp_path / "away")
        assert isinstance(outcome(store), REFUSED), file
        (tmp_path / "away").rename(file)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    vectors().save(tmp_path / "v.zarr")
    (tmp_path / "v.zarr" / "columns" / "kx" / "c.0").unlink()
    with pytest.raises(TruncatedFileError, match=r"columns/kx: 1 of 1 files are missing, first c\.0"):
        l4.load(tmp_path / "v.zarr")


def test_a_shard_that_goes_after_loading_is_named(tmp_path: Path) -> None:
    vectors().save(tmp_path / "v.zarr")
    found = l4.load(tmp_path / "v.zarr")
    (tmp_path / "v.zarr" / "columns" / "kx" / "c.0").unlink()
    with pytest.raises(TruncatedFileError, match=r"kx/c\.0: expected this file with entries of 'kx'"):
        found.compute()


def test_a_file_that_changes_after_loading_is_noticed(path: Path) -> None:
    found = l4.load(path)
    vectors(seed=3).save(path, overwrite=True)
    with pytest.raises((FormatError, TruncatedFileError), match="since it was loaded"):
        found.compute()


def change_document(store: Path, **changes: Any) -> None:
    document = json.loads((store / "zarr.json").read_text())
    document["attributes"]["lazy4d"] = sealed({**document["attributes"]["lazy4d"], **changes})
    (store / "zarr.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"format_version": 9}, UnsupportedVariantError, "format version 9"),
        ({"complete": False}, FormatError, "the save of this store was interrupted"),
        ({"columns": []}, FormatError, "expected columns and a number of entries"),
        ({"columns": [{"name": "ky", "dtype": "complex64", "units": ""}]}, FormatError, "dtypes of numbers"),
        ({"total": -1}, FormatError, "a number of entries"),
        ({"total": 1}, FormatError, "expected 1 entries of float64"),
        ({"total": "many"}, FormatError, "expected 'total'"),
        ({"axes": []}, FormatError, "expected 2 entries of int64"),
        ({"axes": [{"name": "y"}]}, FormatError, "expected 'units' of an axis"),
        ({"history": [1]}, FormatError, "expected a history"),
    ],
)
def test_documents_that_contradict_themselves(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], told: str
) -> None:
    vectors().save(tmp_path / "v.zarr")
    change_document(tmp_path / "v.zarr", **changes)
    with pytest.raises(error, match=told):
        l4.load(tmp_path / "v.zarr")


def test_an_edited_document_is_refused_and_one_that_was_laid_out_anew_is_not(tmp_path: Path) -> None:
    vectors().save(tmp_path / "v.zarr")
    root = tmp_path / "v.zarr" / "zarr.json"
    document = json.loads(root.read_text())
    root.write_text(json.dumps(document, indent=7, sort_keys=True))
    assert same(l4.load(tmp_path / "v.zarr").compute().ragged, vectors().ragged)
    document["attributes"]["lazy4d"]["axes"][0]["scale"] = 2.0
    root.write_text(json.dumps(document))
    with pytest.raises(FormatError, match="has another checksum than it says"):
        l4.load(tmp_path / "v.zarr")


def test_offsets_that_decrease_are_refused(tmp_path: Path) -> None:
    vectors().save(tmp_path / "v.h5", codec="none")
    with h5py.File(tmp_path / "v.h5", "r+") as file:
        file["offsets"][5] = 10**6
    with pytest.raises(FormatError, match="expected offsets that never decrease"):
        l4.load(tmp_path / "v.h5").compute()


def test_a_dataset_of_another_size_is_refused(tmp_path: Path) -> None:
    vectors().save(tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5", "r+") as file:
        del file["columns/kx"]
        file["columns/kx"] = np.zeros(3)
    with pytest.raises(
        FormatError, match=r"expected a dataset 'columns/kx' of \d+ numbers of float64, found shape \(3"
    ):
        l4.load(tmp_path / "v.h5")


def test_a_table_that_was_sorted_otherwise_is_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    vectors().save(tmp_path / "v.parquet")
    table = parquet.read_table(tmp_path / "v.parquet")
    parquet.write_table(table.take(np.arange(table.num_rows)[::-1]), tmp_path / "sorted.parquet")
    with pytest.raises(FormatError, match="expected rows in scan order"):
        l4.load(tmp_path / "sorted.parquet").compute()
    parquet.write_table(table.slice(3), tmp_path / "fewer.parquet")
    with pytest.raises(FormatError, match="the table was changed"):
        l4.load(tmp_path / "fewer.parquet")
    parquet.write_table(table.drop_columns(["kx"]), tmp_path / "narrow.parquet")
    with pytest.raises(FormatError, match="the table was changed"):
        l4.load(tmp_path / "narrow.parquet")


def test_tables_of_others_are_told_how_to_be_read(tmp_path: Path) -> None:
    pandas.DataFrame({"y": [0, 1], "x": [0, 0], "ky": [1.0, 2.0], "kx": [3.0, 4.0]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(FormatError, match=r"one of y, x, ky, kx with no 'lazy4d'.*DiffractionVectors\.from_table"):
        l4.load(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"ID,ky,kx\n")
    with pytest.raises(FormatError, match="expected a Parquet table, which starts with"):
        l4.load(tmp_path / "b.parquet")


def test_options_of_frames_are_refused(path: Path) -> None:
    with pytest.raises(
        TypeError, match=r"holds vectors, which are loaded with the options chunks and dataset.*scan_sh"
    ):
        l4.load(path, scan_shape=(2, 10))
    with pytest.raises(TypeError, match="as DiffractionVectors"):
        l4.load(path, signal_class=l4.Signal2D)
    with pytest.raises(FormatError, match="the only ones in their file, found dataset='x'"):
        l4.load(path, dataset="x")
    assert isinstance(l4.load(path, signal_class=l4.DiffractionVectors), l4.DiffractionVectors)


def test_frames_hold_no_vectors(tmp_path: Path) -> None:
    l4.Diffraction2D(np.ones((2, 2, 4, 4), "u2")).save(tmp_path / "scan.hspy", progress=False)
    with pytest.raises(FormatError, match="expected vectors, as lazy4d saves them"):
        l4.load(tmp_path / "scan.hspy", reader="vectors")
    with pytest.raises(FileNotFoundError, match=r"no such file: .*nothing\.h5"):
        l4.load(tmp_path / "nothing.h5", reader="vectors")


def test_who_expects_frames_is_told_of_vectors(path: Path) -> None:
    from lazy4d.io import registry

    with pytest.raises(UnsupportedVariantError, match=r"holds diffraction vectors, expected frames: lazy4d\.load"):
        registry.read(path)


def test_a_store_that_moved_is_read_where_it_is(path: Path, tmp_path: Path) -> None:
    shutil.move(path, tmp_path / f"moved{path.suffix}")
    assert same(l4.load(tmp_path / f"moved{path.suffix}").compute().ragged, vectors().ragged)


def test_names_of_folders_are_distinct() -> None:
    names = ["ky", "a/b", "a%2Fb", "..", ".", "%2E", "__x", "%5F_x", "zarr.json", " "]
    assert len({folder_of(name) for name in names}) == len(names)

"""The tree of HyperSpy: axes in any order, metadata of every kind, several signals, old files, damaged ones."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.errors import FormatError, Lazy4DError, UnsupportedVariantError
from lazy4d.io.hyperspy import hspy, zspy
from lazy4d.io.hyperspy.axes import axes_of
from lazy4d.io.hyperspy.names import experiment_name, quoted, unquoted
from lazy4d.io.hyperspy.nodes import Budget, Group
from lazy4d.io.hyperspy.values import decode, encode
from lazy4d.io.zarr_arrays.place import FolderPlace
from tests.io.hyperspy_files import described, plain_tree

UTF8 = h5py.string_dtype()


def axis(size, navigate, **more):
    said = {"_type": "UniformDataAxis", "name": "_None_", "units": "_None_", "navigate": navigate, "is_binned": False}
    return {**said, "offset": 0.0, "scale": 1.0, "size": size, **more}


def write(path, signals, **root):
    """A file of several signals, each (name, array, axes, metadata as attributes of General)."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"file_format": "HyperSpy", "file_format_version": "3.3", **root})
        for name, array, axes, general in signals:
            group = file.create_group(f"Experiments/{name}")
            group.create_dataset("data", data=array, chunks=True, compression="gzip")
            for k, said in enumerate(axes):
                group.create_group(f"axis-{k}").attrs.update(said)
            group.create_group("metadata/General").attrs.update(general)
            group.create_group("original_metadata")
    return path


@pytest.fixture
def scan(tmp_path):
    axes = [axis(3, True, name="y"), axis(4, True, name="x"), axis(5, False), axis(6, False)]
    return write(tmp_path / "a.hspy", [("scan", np.zeros((3, 4, 5, 6), "u2"), axes, {"title": "scan"})])


# ---- real files


def test_a_file_of_hyperspy(vendor_data):
    found = described(vendor_data("hdf5/example2_v3.1.hspy"))
    assert (found.nav_axes, found.signal_axes) == ((), (0, 1))
    assert [(a.name, a.units, round(a.scale, 6)) for a in found.signal_axis_specs] == [
        ("y", "1/nm", 0.174433),
        ("x", "1/nm", 0.174433),
    ]
    assert found.title == "test_diffraction_pattern"
    assert found.metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 200.0
    assert found.metadata["General"]["date"] == "2014-07-09"
    assert "_HyperSpy" not in found.metadata
    with h5py.File(vendor_data("hdf5/example2_v3.1.hspy")) as file:
        content = hspy.describe(file, "a")
        assert file[content.array][()].sum() == 250910


def test_a_store_of_hyperspy(vendor_data):
    path = vendor_data("zspy/signal1d_10x10-NestedDirectoryStore.zspy")
    place = FolderPlace(str(path))
    assert zspy.is_zspy(place)
    found = zspy.describe(place)
    assert found.array == "Experiments/__unnamed__/data"
    experiment = found.experiment
    assert (experiment.nav_axes, experiment.signal_axes, experiment.title) == ((0,), (1,), "")
    assert experiment.metadata["General"]["FileIO"]["0"]["operation"] == "save"
    from tests.io.hyperspy_files import pixels_of

    assert pixels_of(path).sum() == 4950


# ---- axes


def test_axes_in_any_order(tmp_path):
    axes = [axis(5, False, name="ky"), axis(3, True, name="y"), axis(6, False, name="kx"), axis(4, True, name="x")]
    found = described(write(tmp_path / "a.hspy", [("a", np.zeros((5, 3, 6, 4)), axes, {})]))
    assert (found.nav_axes, found.signal_axes) == ((1, 3), (0, 2))
    assert [a.name for a in (*found.navigation_axes, *found.signal_axis_specs)] == ["y", "x", "ky", "kx"]


def test_names_and_units_that_are_not_set(scan):
    found = described(scan)
    assert [a.name for a in found.signal_axis_specs] == ["ky", "kx"]
    assert {a.units for a in found.navigation_axes} == {"px"}


def test_names_are_not_given_twice(tmp_path):
    axes = [axis(3, True), axis(4, True), axis(5, False, name="y"), axis(6, False, name="x")]
    found = described(write(tmp_path / "a.hspy", [("a", np.zeros((3, 4, 5, 6)), axes, {})]))
    assert [a.name for a in (*found.navigation_axes, *found.signal_axis_specs)] == ["axis0", "axis1", "y", "x"]


def test_units_of_pyxem(tmp_path):
    axes = [axis(5, False, units="$A^{-1}$", scale=np.float32(0.5)), axis(6, False, units=b"nm", offset=np.int64(3))]
    found = described(write(tmp_path / "a.hspy", [("a", np.zeros((5, 6)), axes, {})])).signal_axis_specs
    assert [(a.units, a.scale, a.offset) for a in found] == [("1/Å", 0.5, 0.0), ("nm", 1.0, 3.0)]


def test_axes_that_are_not_uniform(tmp_path):
    path = write(tmp_path / "a.hspy", [("a", np.zeros((3, 4)), [axis(3, True), axis(4, False, name="E")], {})])
    with h5py.File(path, "a") as file:
        group = file["Experiments/a/axis-1"]
        for name in ("scale", "offset", "size"):
            del group.attrs[name]
        group.attrs.update({"_type": "DataAxis", "units": "eV"})
        group["axis"] = [1.0, 2.0, 4.0, 8.0]
    found = described(path)
    assert found.signal_axis_specs[0].units == "px"
    assert "axis 1 ('E') is not uniform, it goes from 1 to 8 eV in uneven steps" in found.warnings[0]
    assert found.original_metadata["stored_axes"]["axis-1"]["axis"].tolist() == [1, 2, 4, 8]
    with h5py.File(path, "a") as file:
        file["Experiments/a/axis-1/axis"][...] = [1.0, 1.5, 2.0, 2.5]
    found = described(path)
    assert (found.signal_axis_specs[0].scale, found.signal_axis_specs[0].offset) == (0.5, 1.0)
    assert found.warnings == ()
    with h5py.File(path, "a") as file:
        file["Experiments/a/axis-1/axis"][...] = [1.0, np.nan, 2.0, 2.5]
    assert "expected 4 finite values, found values of shape" in described(path).warnings[0]


def test_axes_that_follow_a_function(tmp_path):
    path = write(tmp_path / "a.hspy", [("a", np.zeros((3, 4)), [axis(3, True), axis(4, False, name="E")], {})])
    with h5py.File(path, "a") as file:
        group = file["Experiments/a/axis-1"]
        group.attrs.update({"_type": "FunctionalDataAxis", "expression": "a*x**2", "a": 2.0})
        group.create_group("x").attrs.update(axis(4, False))
    found = described(path)
    assert "axis 1 ('E') is not uniform, it follows 'a*x**2'" in found.warnings[0]
    assert found.original_metadata["stored_axes"]["axis-1"]["x"]["scale"] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 99}, "is said to have 99 pixels, found 3"),
        ({"scale": 0.0}, "expected a finite offset and a scale that is not 0, found 0.0 and 0.0"),
        ({"scale": np.nan}, "expected a finite offset and a scale"),
        ({"scale": "much"}, "expected a finite offset and a scale that is not 0, found 0.0 and 'much'"),
        ({"offset": np.inf}, "expected a finite offset and a scale"),
    ],
)
def test_calibrations_that_make_no_sense(scan, change, message):
    with h5py.File(scan, "a") as file:
        file["Experiments/scan/axis-0"].attrs.update(change)
    found = described(scan)
    assert message in found.warnings[0]
    assert found.navigation_axes[0].scale == 1.0


def test_axes_that_are_missing(scan):
    with h5py.File(scan, "a") as file:
        del file["Experiments/scan/axis-3"]
    with pytest.raises(FormatError, match=r"a.hspy \(scan\): expected an axis for each of the 4 dimensions .* found 3"):
        described(scan)


# ---- which signal


@pytest.fixture
def several(tmp_path):
    nav, sig = [axis(3, True), axis(4, True)], [axis(5, False), axis(6, False)]
    signals = [
        ("haadf", np.zeros((3, 4)), nav, {}),
        ("scan", np.zeros((3, 4, 5, 6)), nav + sig, {"title": "the scan"}),
        ("mean", np.zeros((5, 6)), sig, {}),
    ]
    return write(tmp_path / "several.hspy", signals)


def test_the_only_signal_of_four_dimensions(several):
    found = described(several)
    assert found.title == "the scan"
    assert "of 3 signals in this file the one with four dimensions is loaded, 'scan'" in found.warnings[0]
    assert "'haadf' (3, 4) float64" in found.warnings[0]


@pytest.mark.parametrize("dataset", ["mean", "Experiments/mean", "/Experiments/mean/data", "mean/data"])
def test_a_signal_by_name(several, dataset):
    found = described(several, dataset)
    assert (found.title, found.signal_axes, found.warnings) == ("mean", (0, 1), ())


def test_signals_that_cannot_be_told(several):
    with pytest.raises(FormatError, match=r"no signal 'bf' in this file, which has 'haadf' \(3, 4\) float64, 'mean'"):
        described(several, "bf")
    with h5py.File(several, "a") as file:
        file.copy("Experiments/scan", file["Experiments"], name="again")
    with pytest.raises(FormatError, match=r"4 signals in this file, say which with dataset='name': 'again' \(3, 4, 5"):
        described(several)


def test_files_without_signals(tmp_path):
    with h5py.File(tmp_path / "a.hspy", "w") as file:
        file.create_group("Experiments/interrupted/metadata")
        assert hspy.is_hspy(file)
    with pytest.raises(FormatError, match="expected a signal below the group 'Experiments', found none"):
        described(tmp_path / "a.hspy")
    with h5py.File(tmp_path / "b.hspy", "w") as file:
        assert not hspy.is_hspy(file)
        file.attrs["file_format"] = np.bytes_(b"HyperSpy")
        assert hspy.is_hspy(file)
    (tmp_path / "a.zspy" / "Experiments").mkdir(parents=True)
    with pytest.raises(FormatError, match="expected a signal below the group 'Experiments', found none"):
        described(tmp_path / "a.zspy")


# ---- what is refused


def test_ragged_signals(tmp_path):
    with h5py.File(tmp_path / "a.hspy", "w") as file:
        group = file.create_group("Experiments/a")
        group.create_dataset("data", (2,), h5py.vlen_dtype("f8"))
        group.create_group("axis-0").attrs.update(axis(2, True))
    with pytest.raises(UnsupportedVariantError, match="a ragged signal, whose positions hold arrays of different"):
        described(tmp_path / "a.hspy")


def test_colours(tmp_path):
    image = np.zeros((4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    path = write(tmp_path / "a.hspy", [("a", image, [axis(4, False), axis(5, False)], {})])
    with pytest.raises(UnsupportedVariantError, match="pixels with the channels R, G, B are not read here"):
        described(path)


def test_a_tree_in_zarr_version_3(tmp_path):
    (tmp_path / "a.zspy/Experiments/scan/data").mkdir(parents=True)
    (tmp_path / "a.zspy/Experiments/scan/data/zarr.json").write_text("{}")
    with pytest.raises(UnsupportedVariantError, match=r"version 3.* dataset='Experiments/scan/data'"):
        described(tmp_path / "a.zspy")


# ---- metadata


def test_names_that_say_the_type():
    group = Group(
        {
            "_list_empty_a": "_None_",
            "_tuple_empty_b": "_None_",
            "_bs_c": np.void(b"x\0"),
            "_datetime_date": "datetime.date(2015, 3, 1)",
            "_datetime_time": "datetime.time(13, 4)",
            "d": np.float32(0.5),
            "e": b"text",
        },
        {
            "_list_f": np.array([1, 2]),
            "_tuple_g": np.array([b"x", b"y"], object),
            "_list_3_h": Group({"0": 1, "2": "_None_"}, {"_list_1": np.array([1.5])}),
            "_tuple_12_i": Group({str(k): k for k in range(12)}),
            "_sig_j": Group({"k": 1}),
            "_ragged_shapes_l": np.zeros(2),
        },
    )
    assert decode(group) == {
        "a": [],
        "b": (),
        "c": b"x\0",
        "date": "2015-03-01",
        "time": "13:04:00",
        "d": 0.5,
        "e": "text",
        "f": [1, 2],
        "g": ("x", "y"),
        "h": [1, [1.5], None],
        "i": tuple(range(12)),
        "j": {"k": 1},
    }


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(lambda t: t != "_None_"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values), st.booleans())
def test_any_metadata_come_back(content, json_attributes):
    assert plain_tree(decode(encode(content, json_attributes))) == content


@settings(deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_comes_back(name):
    text = quoted(name)
    assert unquoted(text) == name
    assert text
    assert not set(text) & set('/\\<>:"|?*\0')
    assert not text.startswith((".", "_list_", "_tuple_", "_bs_"))
    group = experiment_name(name)
    assert group
    assert "/" not in group
    assert not group.startswith(".")


def test_metadata_that_are_too_large_are_told(scan):
    with h5py.File(scan, "a") as file:
        node = file["Experiments/scan/original_metadata"]
        node.create_dataset("lying", (2**40,), "f8", chunks=(2**16,))
        node["fine"] = np.arange(4)
    found = described(scan)
    assert list(found.original_metadata) == ["fine"]
    assert "1 arrays of the metadata are too large" in found.warnings[0]
    assert "/Experiments/scan/original_metadata/lying (1099511627776,) float64" in found.warnings[0]


def test_a_budget_counts():
    budget = Budget(nbytes=100, nodes=1)
    assert budget.take((10,), np.dtype("f8"))
    assert not budget.take((10,), np.dtype("f8"))
    assert budget.node()
    assert not budget.node()


def test_a_beam_energy_that_is_none(scan):
    with h5py.File(scan, "a") as file:
        file.create_group("Experiments/scan/metadata/Acquisition_instrument/TEM").attrs["beam_energy"] = -1.0
    found = described(scan)
    assert "expected a positive beam energy in keV, found -1.0" in found.warnings[0]
    assert found.metadata["Acquisition_instrument"]["TEM"] == {}


def test_links_to_other_files_are_not_followed(scan):
    with h5py.File(scan, "a") as file:
        file["Experiments/scan/metadata/far"] = h5py.ExternalLink("/no/such/file.h5", "/")
        file["Experiments/scan/metadata/near"] = h5py.SoftLink("/nowhere")
    assert sorted(described(scan).metadata) == ["General"]


def test_groups_that_hold_themselves(scan):
    with h5py.File(scan, "a") as file:
        file["Experiments/scan/metadata/again"] = file["Experiments/scan/metadata"]
        file["Experiments/scan/metadata/lazy4d"] = file["Experiments/scan"]
    assert described(scan).title == "scan"


# ---- old files


def test_a_file_of_version_1(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        group = file.create_group("Experiments/map")
        group["data"] = np.zeros((5, 6, 4))
        for k, (place, size) in enumerate([(2, 4), (0, 5), (1, 6)]):
            group.create_group(f"axis-{k}").attrs.update(
                {"index_in_array": place, "size": size, "scale": 1.0, "offset": 0.0, "name": f"n{place}"}
            )
        parameters = group.create_group("mapped_parameters")
        parameters.attrs.update({"name": "EELS map", "record_by": "spectrum", "signal": "EELS"})
        parameters.create_group("TEM").attrs["beam_energy"] = 100.0
        group.create_group("original_parameters").attrs["a"] = 1
    with h5py.File(tmp_path / "a.hdf5") as file:
        found = hspy.describe(file, "a.hdf5").experiment
    assert (found.nav_axes, found.signal_axes, found.title) == ((0, 1), (2,), "EELS map")
    assert [a.name for a in (*found.navigation_axes, *found.signal_axis_specs)] == ["n0", "n1", "n2"]
    assert found.metadata["Signal"] == {"record_by": "spectrum", "signal_type": "EELS"}
    assert found.metadata["Acquisition_instrument"]["TEM"]["beam_energy"] == 100.0
    assert found.original_metadata == {"a": 1}


def test_record_by_tells_the_signal_axes_of_old_files():
    axes = {f"axis-{k}": Group({"size": k + 2}) for k in range(3)}
    assert axes_of("a", Group({}, axes), (2, 3, 4), "image").navigation == (0,)
    assert axes_of("a", Group({}, axes), (2, 3, 4), "spectrum").navigation == (0, 1)
    assert axes_of("a", Group({}, axes), (2, 3, 4), "").navigation == ()


# ---- what HyperSpy saves again, and what is damaged


def test_what_hyperspy_saves_again_keeps_its_history_only(tmp_path):
    import lazy4d as l4

    s = l4.VirtualImage(np.ones((4, 6))).rebin(scale=(2, 2))
    s.save(tmp_path / "a.hspy")
    with h5py.File(tmp_path / "a.hspy", "a") as file:
        [group] = file["Experiments"].values()
        del group.attrs["written_by"]
        group.attrs["package"] = "hyperspy"
    kept = described(tmp_path / "a.hspy").metadata["lazy4d"]
    assert list(kept) == ["history"]
    assert json.loads(kept["history"])[-1]["op"] == "rebin"


@pytest.mark.parametrize("history", [[], ["{"], ["[]"], ['{"op": 1}'], ["1"], [1], "text", [["a"]]])
def test_a_history_that_is_none(scan, history):
    content = encode({"history": history})
    with h5py.File(scan, "a") as file:
        from lazy4d.io.hyperspy.h5_tree import write_group

        write_group(file["Experiments/scan/metadata"], "lazy4d", content)
    assert described(scan).metadata.get("lazy4d", {"history": "[]"}) == {"history": "[]"}


OTHER_DOCUMENTS = [b'"x"', b"1", b"null", b"[]", b'{"shape": [-1]}', b'{"shape": -1}', b"{}"]


def test_documents_of_a_store_that_are_damaged(tmp_path):
    import lazy4d as l4

    whole = tmp_path / "whole.zspy"
    l4.Diffraction2D(np.ones((3, 4, 5, 6)), original_metadata={"a": [1, 2], "t": "x"}).save(whole)
    rng = np.random.default_rng(0)
    documents = sorted(p.relative_to(whole) for p in whole.rglob(".z*"))
    for trial in range(120):
        path = tmp_path / "broken.zspy"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(whole, path)
        name = documents[trial % len(documents)]
        content = bytearray((path / name).read_bytes())
        kind = trial % 3
        if kind == 0 and content:
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        elif kind == 1:
            content = content[: rng.integers(len(content) + 1)]
        else:
            content = bytearray(OTHER_DOCUMENTS[trial % len(OTHER_DOCUMENTS)])
        (path / name).write_bytes(content)
        try:
            zspy.describe(FolderPlace(str(path)))
        except Lazy4DError as error:
            assert "broken.zspy" in str(error)  # noqa: PT017


@pytest.mark.slow
def test_files_with_flipped_bytes(tmp_path):
    import lazy4d as l4

    whole = tmp_path / "whole.hspy"
    l4.Diffraction2D(np.ones((3, 4, 5, 6)), original_metadata={"a": [1, 2], "t": "x", "n": np.arange(9)}).save(whole)
    content = whole.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(content)
        for place in rng.integers(len(content), size=3):
            broken[place] = rng.integers(256)
        path = tmp_path / "broken.hspy"
        path.write_bytes(broken)
        try:
            file = h5py.File(path)
        except (OSError, RuntimeError):
            continue
        with file:
            if hspy.is_hspy(file):
                try:
                    hspy.describe(file, str(path))
                except Lazy4DError as error:
                    assert "broken.hspy" in str(error)  # noqa: PT017

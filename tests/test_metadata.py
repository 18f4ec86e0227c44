"""The metadata tree: dotted names, copies that cost nothing and share nothing, and ways out of it."""

from __future__ import annotations

import copy
import datetime
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.metadata import Metadata

names = st.text("abXY._ ", min_size=1, max_size=3)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers())
trees = st.dictionaries(
    names, st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=6), max_size=4
)


@pytest.fixture
def m():
    return Metadata({"General": {"title": "scan", "size": [1, 2]}, "Signal": {"signal_type": "electron_diffraction"}})


def test_dotted_names_read_and_write(m):
    assert m.General.title == "scan"
    m.General.title = "other"
    m.Acquisition_instrument.TEM.Stage.tilt_alpha = 10
    assert m.as_dictionary() == {
        "General": {"title": "other", "size": [1, 2]},
        "Signal": {"signal_type": "electron_diffraction"},
        "Acquisition_instrument": {"TEM": {"Stage": {"tilt_alpha": 10}}},
    }


def test_paths_as_text(m):
    assert m.get_item("General.title") == "scan"
    assert m.get_item("General.nothing", 5) == 5
    assert m.get_item("General.title.deeper") is None
    assert m.has_item("General.title")
    assert not m.has_item("General.titel")
    m.set_item("a.b.c", 1)
    assert m["a.b.c"] == 1
    assert m["a"]["b"].c == 1
    assert "a.b" in m
    assert "a.x" not in m


def test_names_that_are_no_identifiers(m):
    m["Exposure (s)"] = 0.5
    m["General"]["copy"] = "a method's name"
    m["General"]["_id"] = 7
    assert m["Exposure (s)"] == 0.5
    assert m.General["copy"] == "a method's name"
    assert m["General._id"] == 7
    assert callable(m.General.copy)
    for name in ("copy", "_id", "as_dictionary"):
        with pytest.raises(AttributeError, match=rf"write m\['{name}'\] = ... instead"):
            setattr(m, name, 1)


def test_keys_with_dots_come_from_files():
    m = Metadata({"Detectors.0.Name": {"v1.2": 3}, "Detectors": {"0": 1}})
    assert m["Detectors.0.Name"]["v1.2"] == 3
    assert m["Detectors.0.Name.v1.2"] == 3
    assert m["Detectors.0"] == 1
    assert m["Detectors.0.Name", "v1.2"] == 3
    m["Detectors.0.Name.v1.2"] = 4
    assert m.as_dictionary() == {"Detectors.0.Name": {"v1.2": 4}, "Detectors": {"0": 1}}
    m[("new.key", "x")] = 1
    assert m.as_dictionary()["new.key"] == {"x": 1}


def test_a_missing_value_is_noticed_and_a_missing_node_is_empty(m):
    with pytest.raises(AttributeError, match=r"no 'titel' in metadata 'General'.*did you mean 'title'\?"):
        m.General.titel  # noqa: B018
    with pytest.raises(AttributeError, match=r"no 'beam_energy' in metadata 'Acquisition_instrument\.TEM'"):
        m.Acquisition_instrument.TEM.beam_energy  # noqa: B018
    with pytest.raises(ValueError, match=r"no 'General.titel' in the metadata, which has .*set_item"):
        m["General.titel"]
    assert not m.Nothing
    assert len(m.Nothing) == 0
    assert "Nothing" not in m
    assert repr(m.Nothing) == "<empty metadata at Nothing>"


def test_a_value_is_no_node(m):
    with pytest.raises(ValueError, match=r"cannot set 'x' inside 'title', which holds the value 'scan'"):
        m.set_item("General.title.x", 1)
    for empty in ("", "a..b", (), "a."):
        with pytest.raises(ValueError, match="names parted by dots"):
            m.set_item(empty, 1)
    with pytest.raises(TypeError, match="expected a dictionary of metadata, found 3"):
        Metadata(3)


def test_deleting(m):
    del m.General.title
    del m["Signal.signal_type"]
    assert m.as_dictionary() == {"General": {"size": [1, 2]}, "Signal": {}}
    with pytest.raises(ValueError, match="no 'title' in metadata 'General'"):
        del m.General.title


def test_copies_share_nothing_that_can_be_edited(m):
    general = m.General
    twin = m.copy()
    general.title = "edited"  # a view taken before the copy belongs to the original
    twin.Signal.added = 1
    assert (m.General.title, twin.General.title) == ("edited", "scan")
    assert not m.has_item("Signal.added")
    assert twin.General.copy() == {"title": "scan", "size": [1, 2]}


def test_copies_cost_nothing():
    m = Metadata({"Big": {str(i): np.zeros(10) for i in range(1000)}, "General": {"title": "a"}})
    twin = m.copy()
    assert twin._root.tree is m._root.tree
    twin.General.title = "b"
    assert twin._root.tree["Big"] is m._root.tree["Big"]


def test_values_cannot_be_edited_behind_the_tree(m):
    listed, array, nested = [1, 2], np.arange(3), {"x": {"y": 1}}
    m.set_item("V", {"list": listed, "array": array, "nested": nested, "mixed": [{"a": 1}]})
    listed.append(3)
    array[0] = 9
    nested["x"]["y"] = 2
    m.V.mixed[0]["a"] = 2
    m.as_dictionary()["V"]["array"][0] = 5
    assert m.V.list == (1, 2)
    assert m.V.array.tolist() == [0, 1, 2]
    assert m.V.nested.x.y == 1
    assert m.V.mixed == ({"a": 1},)
    with pytest.raises(ValueError, match="read-only"):
        m.V.array[0] = 1


@settings(deadline=None)
@given(trees)
def test_round_trips(tree):
    m = Metadata(tree)
    assert m == tree
    assert m == Metadata(m.as_dictionary())
    assert pickle.loads(pickle.dumps(m)) == m
    assert copy.deepcopy(m) == copy.copy(m) == m.deepcopy() == m
    back = json.loads(json.dumps(m.as_dictionary(jsonable=True), allow_nan=False))
    assert back.keys() == m.as_dictionary().keys()
    assert m.keys() == list(m) == list(tree)


@settings(deadline=None)
@given(trees, trees)
def test_merging_keeps_both(first, second):
    m = Metadata(first)
    m.add_dictionary(second)
    for key in first:
        assert key in m.keys()
    for key, value in second.items():
        if not isinstance(value, dict) or not isinstance(first.get(key), dict):
            assert Metadata({"v": m[(key,)]}) == {"v": value}


def test_merging_into_a_node(m):
    m.General.add_dictionary({"date": "today", "Nested": {"a": 1}})
    assert m.General.title == "scan"
    assert m.General.Nested.a == 1
    m.New.add_dictionary({"b": 2})
    assert m["New.b"] == 2


def test_equality_sees_arrays_and_nan():
    a = Metadata({"x": np.array([1.0, np.nan]), "y": float("nan")})
    assert a == a.copy()
    assert a != Metadata({"x": np.array([1.0, 2.0]), "y": float("nan")})
    assert a != Metadata({"x": np.array([1.0, np.nan], "f4"), "y": float("nan")})
    assert Metadata({"x": [1, 2]}) == {"x": (1, 2)}
    assert Metadata({"x": 1}) != {"x": 1, "y": 2}
    assert Metadata({}) != 3
    assert Metadata({"a": {"x": 1}}).a == Metadata({"x": 1})


def test_export_for_json():
    m = Metadata(
        {
            "array": np.arange(2, dtype="u2"),
            "number": np.float32(0.5),
            "zero_d": np.array(3),
            "when": datetime.date(2024, 5, 1),
            "path": Path("a") / "b.mib",
            "set": {2, 1},
            "infinite": float("inf"),
            "bytes": b"ab\xff",
            "complex": np.complex64(1 + 2j),
            "object": range(2),
        }
    )
    exported = m.as_dictionary(jsonable=True)
    json.dumps(exported, allow_nan=False)
    assert exported == {
        "array": [0, 1],
        "number": 0.5,
        "zero_d": 3,
        "when": "2024-05-01",
        "path": str(Path("a") / "b.mib"),
        "set": [1, 2],
        "infinite": "inf",
        "bytes": "ab\\xff",
        "complex": [1.0, 2.0],
        "object": "range(0, 2)",
    }


def test_a_tree_can_be_a_value(m):
    outer = Metadata({"inner": m})
    outer.set_item("again", m.General)
    m.General.title = "edited"
    assert outer.inner.General.title == "scan"
    assert outer["again"].title == "scan"


def test_text_and_html(m):
    m["<tag>"] = "a\nb" * 100
    m.General.array = np.zeros((30, 4))
    text = repr(m)
    assert text.splitlines()[:4] == [
        "├── General",
        "│   ├── title = scan",
        "│   ├── size = (1, 2)",
        "│   └── array = <array (30, 4), float64>",
    ]
    assert all(len(line) < 130 for line in text.splitlines())
    html = m._repr_html_()
    assert "&lt;tag&gt;" in html
    assert "<tag>" not in html
    assert html.count("<details") == 2
    assert Metadata()._repr_html_() == "<p><i>empty metadata</i></p>"
    assert repr(Metadata()) == "<empty metadata>"


def test_completion_offers_names(m):
    m["no identifier"] = 1
    assert {"General", "Signal", "copy"} <= set(dir(m))
    assert "no identifier" not in dir(m)
    assert m._ipython_key_completions_() == ["General", "Signal", "no identifier"]


def test_trees_are_not_hashable(m):
    with pytest.raises(TypeError, match="unhashable type: 'Metadata'"):
        hash(m)

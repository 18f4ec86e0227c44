"""The history: what is kept of an operation, that it only grows, and that it survives as text."""

from __future__ import annotations

import functools
import json
import pickle
import subprocess
import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.axes import AxesManager, Axis
from lazy4d.metadata import History, HistoryEntry, Metadata
from lazy4d.metadata.describe import describe
from lazy4d.metadata.history import versions
from lazy4d.roi import CircleROI, PolygonROI, roi_from_dictionary

ROOT = Path(__file__).parent.parent


def double(frame):
    return 2 * frame


def scaled(factor):
    def scale(frame):
        return factor * frame

    return scale


class Mode(Enum):
    FAST = 1


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.complex_numbers() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner) | st.tuples(inner, inner),
        max_leaves=8,
    )
)
def test_everything_becomes_json(value):
    described = describe(value)
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert describe(described) == described


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int16(3), 3),
        (np.bool_(True), True),
        (np.float32(0.5), 0.5),
        (np.array(2.5), 2.5),
        (float("nan"), "nan"),
        (np.float64("-inf"), "-inf"),
        (np.str_("a"), "a"),
        (1 + 2j, {"complex": [1.0, 2.0]}),
        ((1, [2, {"a": None}]), [1, [2, {"a": None}]]),
        ({3, 1, 2}, [1, 2, 3]),
        (slice("-5 mrad", None, 2), {"slice": ["-5 mrad", None, 2]}),
        (..., "..."),
        (np.dtype("<u2"), "uint16"),
        (Mode.FAST, "FAST"),
        (Path("a") / "b", str(Path("a") / "b")),
        (np.add, {"function": "numpy.add"}),
        (len, {"function": "len"}),
        (np.float32, {"class": "numpy.float32"}),
        (Metadata({"a": (1, 2)}), {"a": [1, 2]}),
        (range(3), {"object": "range", "repr": "range(0, 3)"}),
    ],
)
def test_what_is_kept_of_small_things(value, expected):
    assert describe(value) == expected


def test_arrays_are_kept_by_fingerprint():
    a = np.arange(6.0).reshape(2, 3)
    kept = describe(a)
    assert kept["shape"] == [2, 3]
    assert kept["dtype"] == "float64"
    assert len(kept["array"]) == 16
    assert describe(np.asfortranarray(a)) == kept
    different = [a + 1, a.T, a.astype("f4"), a.reshape(6), a.astype(">f8")]
    assert len({describe(other)["array"] for other in [a, *different]}) == 6
    assert describe(np.array([{}, "x"], dtype=object))["dtype"] == "object"


def test_lazy_arrays_are_kept_by_name(no_compute):
    da = pytest.importorskip("dask.array")
    with no_compute():
        x = da.zeros((4, 5), chunks=2, dtype="u2") + 1
        assert describe(x) == {"dask": x.name, "shape": [4, 5], "dtype": "uint16"}


def test_functions_are_kept_by_name_and_source():
    kept = describe(double)
    assert kept["function"].endswith("test_history.double")
    assert len(kept["source"]) == 16
    assert describe(scaled(2)) != describe(scaled(3))
    assert describe(scaled(2)) == describe(scaled(2))
    assert describe(scaled(2))["closure"] == {"factor": 2}
    assert describe(functools.partial(double, frame=1)) == {"partial": kept, "args": [], "keywords": {"frame": 1}}
    assert describe(functools.wraps(double)(lambda *a: double(*a)))["source"] == kept["source"]
    assert describe(SimpleNamespace(py_func=double).py_func) == kept


def test_functions_without_source_are_kept_by_their_code():
    names: dict = {}
    exec("def f(x): return x + 1\ndef g(x): return x + 2", names)
    assert describe(names["f"])["source"] != describe(names["g"])["source"]


def test_recursive_functions_and_late_names():
    def countdown(n):
        return n and countdown(n - 1) + later

    assert describe(countdown)["closure"] == {"countdown": "itself", "later": None}
    later = 1
    assert describe(countdown)["closure"] == {"countdown": "itself", "later": later}


def test_numba_functions_are_kept_by_their_python_source():
    numba = pytest.importorskip("numba")
    assert describe(numba.njit(double)) == describe(double)


def test_objects_have_no_addresses_in_what_is_kept():
    assert describe(object()) == {"object": "object", "repr": "<object object>"}


def test_regions_can_be_made_again_from_what_is_kept():
    for roi in (CircleROI(4, 4, "2 mrad", r_inner=1.5), PolygonROI([(0, 0), (3, 0.5), (0, "3 px")])):
        kept = json.loads(json.dumps(describe(roi)))
        assert describe(roi_from_dictionary(kept)) == kept


def test_signals_are_kept_by_title_and_shape():
    history = History().append("load", source={"path": "a.mib"})
    signal = SimpleNamespace(
        axes_manager=AxesManager.from_shapes((3, 4), (16, 8)),
        metadata=Metadata({"General": {"title": "scan"}}),
        history=history,
        data=np.zeros(1, "u2"),
    )
    kept = describe([signal])[0]
    assert kept["title"] == "scan"
    assert kept["shape"] == [3, 4, 16, 8]
    assert kept["dtype"] == "uint16"
    assert kept["history"] == history.id


def test_axes_are_kept_as_they_are():
    assert describe(Axis(name="x", size=3, scale=0.5))["scale"] == 0.5


def test_circles_end():
    loop: list = []
    loop.append(loop)
    json.dumps(describe(loop))


def test_a_history_only_grows():
    first = History().append("load", source={"path": Path("scan.mib"), "size": 10, "mtime_ns": 5})
    second = first.append("rebin", {"scale": (1, 1, 2, 2)})
    assert (len(first), len(second)) == (1, 2)
    assert second[0] == first[0]
    assert second[:1] == first
    assert [entry.op for entry in second] == ["load", "rebin"]
    assert second.source == {"path": "scan.mib", "size": 10, "mtime_ns": 5}
    assert second[-1].params == {"scale": [1, 1, 2, 2]}
    assert second[-1].source is None
    assert History().source is None
    second[-1].params["scale"] = None
    second[-1].as_dictionary()["op"] = None
    assert second[-1].as_dictionary()["params"] == {"scale": [1, 1, 2, 2]}
    with pytest.raises(AttributeError, match=r"cannot assign to field 'text'|property .* has no setter"):
        second[-1].text = "x"
    with pytest.raises(ValueError, match="expected an entry below 2, found 2"):
        second[2]
    with pytest.raises(TypeError, match="expected HistoryEntry objects, found 'load'"):
        History(["load"])


def test_parameters_are_taken_when_added():
    weights = np.zeros(3)
    history = History().append("weigh", {"weights": weights})
    before = history.id
    weights[0] = 1
    assert history.id == before
    assert History().append("weigh", {"weights": weights}).id != before


def test_ids_stand_for_the_work_not_for_the_versions():
    history = History().append("sum", {"axis": None})
    old = json.loads(history.to_json())
    old[0]["versions"] = {"lazy4d": "0.0"}
    other = History.from_json(json.dumps(old))
    assert other != history
    assert other.id == history.id
    assert history.append("sum").id != history.id


def test_parents_are_other_histories():
    other = History().append("load", source={"path": "b.mib"})
    entry = History().append("add", parents=[other, "0123"])[0]
    assert entry.parents == (other.id, "0123")
    assert str(entry) == f"add() with {other.id}, 0123"


def test_round_trips():
    history = History().append("load", {"chunks": "auto"}, source={"path": "ä.mib"}).append("map", {"function": double})
    assert History.from_json(history.to_json()) == history
    assert pickle.loads(pickle.dumps(history)) == history
    assert hash(pickle.loads(pickle.dumps(history))) == hash(history)
    assert History.from_json(json.dumps(history.as_list(), indent=2)) == history


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "expected the JSON text of a history"), ("{}", "a JSON list"), ('[{"op": 1}]', "expected entry 0")],
)
def test_text_that_is_no_history(text, message):
    with pytest.raises(ValueError, match=message):
        History.from_json(text)


def test_versions_name_the_libraries_in_use():
    assert set(versions()) >= {"lazy4d", "numpy"}
    code = (
        "import sys; from lazy4d.metadata import History; "
        "print(sorted(History().append('x')[0].versions), {'dask', 'traits', 'pint'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert found.strip() == "['lazy4d', 'numpy'] set()"
    pytest.importorskip("dask")
    assert "dask" in versions()


def test_text_and_html():
    history = History().append("load", source={"path": "<scan>.mib"}).append("f", {"mask": np.zeros((2, 3), "u1")})
    lines = repr(history).splitlines()
    assert lines[0] == "<History, 2 entries>"
    assert lines[1] == "0 load(path='<scan>.mib')"
    assert lines[2].startswith("1 f(mask=<array (2, 3) uint8 ")
    assert "&lt;scan&gt;" in history._repr_html_()
    assert History()._repr_html_() == "<p><i>empty history</i></p>"
    assert repr(HistoryEntry.of("isig", {"kx": slice(1, None)})) == "<HistoryEntry isig(kx=1:)>"
    assert repr(HistoryEntry.of("map", {"function": len, "text": "a" * 200})).endswith("…)>")

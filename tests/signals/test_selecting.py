"""inav, isig and their relatives against numpy's indexing, with axes that stay true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from tests.signals.conftest import make_scan

ITEM = st.one_of(
    st.integers(-4, 3),
    st.builds(
        slice,
        st.one_of(st.none(), st.integers(-5, 5)),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.sampled_from([None, 1, 2, -1, -3]),
    ),
)


@settings(max_examples=60, deadline=None)
@given(nav=st.tuples(ITEM, ITEM), sig=st.tuples(ITEM, ITEM), memory=st.booleans())
def test_numpy_semantics_x_first(nav: Any, sig: Any, memory: bool) -> None:
    pixels = np.arange(4 * 4 * 5 * 6, dtype="uint16").reshape(4, 4, 5, 6)
    scan = l4.Diffraction2D(pixels) if memory else make_scan(pixels, ((3, 1), (2, 2)))
    expected = pixels[nav[1], nav[0]][(..., sig[1], sig[0])]
    if 0 in expected.shape or 0 in pixels[nav[1], nav[0]].shape:
        with pytest.raises(ValueError, match="selects none"):
            scan.inav[nav].isig[sig]
        return
    with l4.set_options(progress=False):
        np.testing.assert_array_equal(scan.inav[nav].isig[sig].as_numpy(), expected)
        np.testing.assert_array_equal(scan.isig[sig].inav[nav].as_numpy(), expected)


def test_values_and_units(scan: Any, pixels: Any) -> None:
    x, kx = scan.axes_manager["x"], scan.axes_manager["kx"]
    result = scan.inav[float(x.axis[1]) : f"{x.axis[4]} nm", -1].isig[float(kx.axis[3]), 2:]
    np.testing.assert_array_equal(result.as_numpy(), pixels[-1, 1:4, 2:, 3])


@pytest.mark.parametrize("item", [slice(1, 4), slice(None, None, -1), slice(4, 0, -2), slice(None, None, 3)])
def test_every_pixel_keeps_its_place(simple: Any, item: slice) -> None:
    for name, result in (("x", simple.inav[item]), ("kx", simple.isig[item])):
        np.testing.assert_allclose(result.axes_manager[name].axis, simple.axes_manager[name].axis[item])


def test_a_mask_gives_scan_order_and_coordinates(scan: Any, pixels: Any) -> None:
    mask = np.random.default_rng(0).random((4, 5)) > 0.5
    picked = scan.inav[mask]
    np.testing.assert_array_equal(picked.as_numpy(), pixels[mask])
    later = picked.inav[1:-1]
    found = {one.name: one.values for one in later.axes_manager[0].coordinates}
    rows, columns = (index[1:-1] for index in np.nonzero(mask))
    np.testing.assert_allclose(found["x"], scan.axes_manager["x"].axis[columns])
    np.testing.assert_allclose(found["y"], scan.axes_manager["y"].axis[rows])
    np.testing.assert_array_equal(scan.inav[mask.tolist()].as_numpy(), pixels[mask])
    np.testing.assert_array_equal(scan.inav[l4.VirtualImage(mask)].as_numpy(), pixels[mask])


def test_regions(scan: Any, pixels: Any) -> None:
    rectangle, circle = l4.RectangleROI(1, 2, 4, 4), l4.CircleROI(2, 2, 2)
    np.testing.assert_array_equal(scan.inav[rectangle].as_numpy(), pixels[2:4, 1:4])
    np.testing.assert_array_equal(scan.isig[rectangle].as_numpy(), pixels[..., 2:4, 1:4])
    x, y = scan.axes_manager["x"], scan.axes_manager["y"]
    np.testing.assert_array_equal(scan.inav[circle].as_numpy(), pixels[circle.mask((x, y))])
    kx, ky = scan.axes_manager["kx"], scan.axes_manager["ky"]
    np.testing.assert_array_equal(scan.isig[circle].as_numpy(), pixels[(..., *circle.window((kx, ky)))])


@pytest.mark.parametrize(
    ("select", "error", "message"),
    [
        (lambda s: s.inav[5], ValueError, "found 5"),
        (lambda s: s.inav[1, 2, 3], ValueError, "2 items"),
        (lambda s: s.isig[3:3], ValueError, "selects none"),
        (lambda s: s.isig["1 s":], ValueError, "'1 s' on axis 'kx'"),
        (lambda s: s.inav[np.ones((2, 2), bool)], ValueError, r"\(4, 5\)"),
        (lambda s: s.inav[np.zeros((4, 5), bool)], ValueError, "one True"),
        (lambda s: s.inav[np.ones((4, 5))], TypeError, "found dtype float64"),
        (lambda s: s.inav[0].inav[l4.RectangleROI(0, 0, 1, 1)], ValueError, "selects from two axes, found 1"),
        (lambda s: s.isig[[0, 1]], TypeError, "int"),
    ],
)
def test_selections_that_fail_say_why(simple: Any, select: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        select(simple)


def test_slicers_explain_themselves(simple: Any) -> None:
    assert repr(simple.inav) == "<inav: index me x-first, [x, y]>"
    assert repr(simple.isig) == "<isig: index me x-first, [kx, ky]>"


def test_crop(scan: Any, pixels: Any) -> None:
    np.testing.assert_array_equal(scan.crop("ky", 2, 7).as_numpy(), pixels[..., 2:7, :])
    np.testing.assert_array_equal(scan.crop(0, 1).as_numpy(), pixels[:, 1:])
    np.testing.assert_array_equal(scan.crop(scan.axes_manager["x"], end=3).as_numpy(), pixels[:, :3])
    np.testing.assert_array_equal(scan.crop_signal(1, 5, 2, 6).as_numpy(), pixels[..., 1:5, 2:6])


def test_split_and_stack_again(scan: Any, pixels: Any) -> None:
    rows = scan.split()
    assert len(rows) == 4
    np.testing.assert_array_equal(rows[2].as_numpy(), pixels[2])
    np.testing.assert_array_equal(l4.stack(rows).as_numpy(), pixels)
    halves = scan.split("kx", number_of_parts=2)
    np.testing.assert_array_equal(halves[1].as_numpy(), pixels[..., 5:])
    assert halves[1].axes_manager["kx"].offset == scan.axes_manager["kx"].axis[5]
    np.testing.assert_array_equal(l4.stack(halves, axis="kx").as_numpy(), pixels)
    parts = scan.split("x", step_sizes=[2, 3])
    np.testing.assert_array_equal(l4.stack(parts, axis="x").as_numpy(), pixels)
    assert l4.stack(parts, axis="x").axes_manager["x"].equals(scan.axes_manager["x"])
    assert [p.shape[1] for p in scan.split("x", step_sizes=2)] == [2, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"number_of_parts": 2, "step_sizes": 2}, "not both"),
        ({"number_of_parts": 9}, "do not fit axis"),
        ({"step_sizes": [3, 3]}, "do not fit axis"),
        ({"step_sizes": 0}, "do not fit axis"),
    ],
)
def test_splits_that_cannot_be(simple: Any, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simple.split("x", **settings)


def test_squeeze(scan: Any, pixels: Any) -> None:
    result = scan.inav[1:2].isig[:, 3:4].squeeze()
    assert type(result) is l4.Signal1D
    np.testing.assert_array_equal(result.as_numpy(), pixels[:, 1, 3, :])
    assert scan.squeeze() is scan

"""Construction, conversion between classes, properties, copies."""

from __future__ import annotations

import copy
from collections import namedtuple
from typing import Any

import dask.array as da
import numpy as np
import pytest

import lazy4d as l4
from lazy4d.errors import ChunkError
from lazy4d.lazy import Frames


@pytest.mark.parametrize(
    ("kind", "shape", "nav", "sig"),
    [
        (l4.BaseSignal, (3, 4), (), (4, 3)),
        (l4.VirtualImage, (3, 4), (4, 3), ()),
        (l4.Signal1D, (3, 4, 9), (4, 3), (9,)),
        (l4.BeamPosition, (3, 4, 2), (4, 3), (2,)),
        (l4.Signal2D, (8, 9), (), (9, 8)),
        (l4.Diffraction2D, (2, 3, 4, 8, 9), (4, 3, 2), (9, 8)),
    ],
)
def test_the_class_says_how_many_axes_are_signal(kind: Any, shape: Any, nav: Any, sig: Any) -> None:
    signal = kind(np.zeros(shape), title="t")
    assert signal.axes_manager.navigation_shape == nav
    assert signal.axes_manager.signal_shape == sig
    assert signal.shape == shape
    assert signal.title == "t"
    assert not signal.lazy


def test_axes_as_dictionaries() -> None:
    rows = [{"name": "y", "navigate": True}, {"name": "x", "navigate": True, "scale": 2.0}, {"name": "E"}]
    signal = l4.BaseSignal(np.zeros((3, 4, 5)), rows)
    assert signal.axes_manager["x"].scale == 2.0
    assert signal.frame_shape == (5,)


def test_conversion_moves_the_boundary() -> None:
    plain = l4.BaseSignal(np.zeros((3, 4, 8, 9)), metadata={"General": {"title": "scan"}})
    signal = l4.Diffraction2D(plain)
    assert signal.nav_shape == (3, 4)
    assert signal.title == "scan"
    lazy = l4.Signal1D(l4.Diffraction2D(Frames.from_array(np.zeros((3, 4, 8, 9)), 2)))
    assert lazy.nav_shape == (3, 4, 8)
    assert lazy.lazy
    assert not lazy.as_numpy().any()


def test_conversion_keeps_the_stream(scan: l4.Diffraction2D, pixels: Any) -> None:
    as_images = l4.Signal2D(scan + 1)
    assert as_images.frames is not None
    assert type(as_images) is l4.Signal2D
    assert as_images.axes_manager["kx"].units == "1/Å"
    np.testing.assert_array_equal(as_images.as_numpy(), pixels + 1)


def test_big_endian_data_become_native() -> None:
    assert l4.Signal1D(np.arange(4, dtype=">u2")).data.dtype.isnative


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: l4.Diffraction2D(np.zeros(4)), "needs at least 2 axes"),
        (lambda: l4.BeamPosition(np.zeros((4, 3))), r"holds two numbers, \(y, x\),"),
        (lambda: l4.Signal1D(np.zeros((4, 3)), [l4.Axis(size=4, navigate=True)]), "one axis for each axis of data"),
        (lambda: l4.Signal1D(np.zeros(4), [l4.Axis(size=5)]), "expected one axis for each axis"),
        (lambda: l4.Signal2D(np.zeros((3, 4, 4)), valid=np.ones(4, bool)).valid, "expected validity of the navigation"),
    ],
)
def test_what_does_not_fit(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_data_that_are_no_numbers() -> None:
    with pytest.raises(TypeError, match="expected numbers, found data of type list"):
        l4.Signal1D(["a", "b"])


def test_operations_keep_a_users_class() -> None:
    class Mine(l4.Diffraction2D):
        pass

    signal = Mine(np.zeros((3, 4, 8, 9)))
    assert type(signal + 1) is Mine
    assert type(signal.sum()) is Mine
    assert type(signal.sum("kx")) is l4.Signal1D
    assert type(l4.BaseSignal(np.zeros((3, 4))).sum("kx")) is l4.Signal1D


def test_no_two_signals_share_axes_or_metadata(scan: l4.Diffraction2D) -> None:
    for other in (scan + 1, scan.copy(), copy.copy(scan), copy.deepcopy(scan), l4.Diffraction2D(scan)):
        other.axes_manager["kx"].scale = 77.0
        other.metadata.General.title = "other"
        assert scan.axes_manager["kx"].scale != 77.0
        assert scan.title == "scan"


def test_deepcopy_copies_memory() -> None:
    signal = l4.Signal1D(np.zeros((3, 4)))
    assert np.shares_memory(signal.copy().data, signal.data)
    assert not np.shares_memory(signal.deepcopy().data, signal.data)


def test_calibration_is_in_place_and_in_the_history(scan: l4.Diffraction2D) -> None:
    before = scan.history
    scan.set_calibration(scale=0.1, units="1/Å", center=(5, 6), scan_scale="2 nm", beam_energy="200 kV")
    assert scan.axes_manager["kx"].offset == pytest.approx(-0.5)
    assert scan.axes_manager["ky"].offset == pytest.approx(-0.6)
    assert scan.axes_manager["x"].scale == 2.0
    assert scan.metadata.Acquisition_instrument.TEM.beam_energy == 200.0
    assert len(scan.history) == len(before) + 1
    assert scan.history[-1].params["center"] == [5, 6]
    # "1 mrad" in 1/Å at 200 keV is 0.0399: pixels within 5 mrad of pixel 5 are 3 to 6.
    assert scan.isig["-5 mrad":"5 mrad", :].shape[-1] == 4


def test_calibration_of_a_wrong_number_of_scales_changes_nothing(scan: l4.Diffraction2D) -> None:
    axes, history = scan.axes_manager.copy(), scan.history
    with pytest.raises(ValueError, match="expected one scale or 2"):
        scan.set_calibration(scale=(1, 2, 3))
    assert scan.axes_manager.equals(axes)
    assert scan.history == history


def test_frames_that_are_cut_say_what_to_do(pixels: Any) -> None:
    signal = l4.Diffraction2D(Frames.from_array(pixels, 2, chunks=1)).T
    with pytest.raises(ChunkError, match=r"call \.rechunk\(\) on the signal first"):
        signal.get_total_intensity()
    np.testing.assert_array_equal(signal.rechunk().get_total_intensity().as_numpy(), pixels.sum((0, 1)))


def test_valid_travels_and_nan_marks(pixels: Any) -> None:
    ok = np.ones((4, 5), bool)
    ok[1, 2] = False
    signal = l4.Diffraction2D(pixels, valid=ok)
    for one in (signal, signal + 1, signal.compute(), signal + signal, signal.rechunk(1), signal.copy()):
        np.testing.assert_array_equal(one.valid.as_numpy(), ok)
    computed = (signal + 1).compute()
    np.testing.assert_array_equal(computed.valid.as_numpy(), ok)
    image = signal.get_total_intensity().as_numpy()
    assert image.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(image), ~ok)
    np.testing.assert_array_equal(signal.inav[2, 1:].valid.as_numpy(), [False, True, True])
    np.testing.assert_array_equal(l4.stack([signal, signal]).valid.as_numpy(), np.stack([ok, ok]))
    np.testing.assert_array_equal(l4.stack([signal, signal], axis="x").valid.as_numpy(), np.hstack([ok, ok]))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "std", "var"])
@pytest.mark.parametrize("axis", [None, "x", ["x", "y"], ["x", "kx"], "y"])
def test_missing_frames_are_left_out(pixels: Any, name: str, axis: Any) -> None:
    ok = np.ones((4, 5), bool)
    ok[1, 2] = ok[3, 0] = False
    signal = l4.Diffraction2D(pixels, valid=ok)
    numbers = {None: (0, 1), "x": (1,), "y": (0,)}.get(axis if not isinstance(axis, list) else "", None)
    if numbers is None:
        numbers = (0, 1) if axis == ["x", "y"] else (1, 3)
    masked = np.where(ok[..., None, None], pixels.astype(float), np.nan)
    expected = getattr(np, f"nan{name}")(masked, axis=numbers)
    np.testing.assert_allclose(getattr(signal, name)(axis).as_numpy(), expected, rtol=1e-12)


def test_groups_that_lack_a_frame_are_missing(pixels: Any) -> None:
    ok = np.ones((4, 5), bool)
    ok[1, 2] = False
    signal = l4.Diffraction2D(pixels, valid=ok)
    with pytest.warns(l4.Lazy4DWarning, match="the last 1 of x"):
        binned = signal.rebin(scale=(2, 2, 3, 3))
    np.testing.assert_array_equal(binned.valid.as_numpy(), [[True, False], [True, True]])
    image = binned.get_total_intensity().as_numpy()
    np.testing.assert_array_equal(np.isnan(image), [[False, True], [False, False]])
    assert image[1, 0] == pytest.approx(pixels[2:, :2, :, :9].sum(dtype=float))


def test_transposing_missing_frames_marks_their_pixels(pixels: Any) -> None:
    ok = np.ones((4, 5), bool)
    ok[1, 2] = False
    moved = l4.Diffraction2D(pixels, valid=ok).T.as_numpy()
    assert np.isnan(moved[..., 1, 2]).all()
    assert np.isnan(moved).sum() == 120


def test_audit_without_a_file(scan: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match="was not loaded from a file"):
        scan.audit()


@pytest.mark.parametrize("lazy", [True, False])
def test_another_boundary_keeps_the_marks_of_missing_frames(pixels: Any, lazy: bool) -> None:
    valid = np.ones((4, 5), bool)
    valid[1, 2] = False
    scan = l4.Diffraction2D(da.from_array(pixels, chunks=(2, 5, 12, 10)) if lazy else pixels, valid=valid)
    for kind in (l4.Signal1D, l4.VirtualImage):
        np.testing.assert_array_equal(np.isnan(kind(scan).as_numpy()).all((2, 3)), ~valid)
    cut = scan.rechunk(sig_chunks=5)
    np.testing.assert_array_equal(np.isnan(cut.as_numpy()).all((2, 3)), ~valid)


def test_conversion_keeps_what_damage_becomes(pixels: Any) -> None:
    source = Frames.from_array(pixels, 2, valid=da.ones((4, 5), chunks=-1, dtype=bool), incomplete="zero")
    computed = l4.Diffraction2D(source).compute()
    assert l4.Signal2D(computed).frames.incomplete == computed.frames.incomplete == "zero"


@pytest.mark.parametrize("dtype", [">u2", ">f8", ">f2", ">i4"])
def test_big_endian_dask_arrays_become_native(dtype: str) -> None:
    values = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(dtype)
    native = values.astype(values.dtype.newbyteorder("="))
    scan = l4.Diffraction2D(da.from_array(values, chunks=(1, 3, 4, 5)))
    for found, expected in (
        (scan, native),
        (scan.max(), native.max((0, 1))),
        (scan.max("x"), native.max(1)),
        (scan.T, native.transpose(2, 3, 0, 1)),
        (scan.inav[1], native[:, 1]),
        (scan.sum(["kx", "ky"]), native.astype("f8").sum((2, 3))),
    ):
        assert found.dtype.isnative
        assert found.data.dtype == found.dtype
        computed = found.as_numpy()
        assert computed.dtype == found.dtype
        np.testing.assert_array_equal(computed, expected)


def test_who_asks_twice_gets_two_arrays(scan: l4.Diffraction2D) -> None:
    Pair = namedtuple("Pair", "first second")
    pair = l4.compute(Pair(scan.sum(), scan.sum()))[0]
    assert isinstance(pair, Pair)
    assert not np.shares_memory(pair.first.data, pair.second.data)
    np.testing.assert_array_equal(pair.first.data, pair.second.data)

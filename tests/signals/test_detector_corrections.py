"""Dark and gain references, bad pixels: against numpy written out, on every cut and scheduler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.data.seq import write_celeritas
from lazy4d.data.seq_sidecars import write_reference
from lazy4d.signals.bad_pixels import bad_pixel_mask, neighbour_table
from tests.signals.conftest import make_scan

REFERENCE = "Acquisition_instrument.TEM.Detector.Reference"


def filled(frame: NDArray[Any], mask: NDArray[Any], method: str = "mean") -> NDArray[Any]:
    """Bad pixels from the good ones in the smallest square that has some."""
    out = frame.copy()
    for y, x in np.argwhere(mask):
        r = 1
        while True:
            box = np.s_[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1]
            good = frame[box][~mask[box]].astype(float)
            if good.size:
                break
            r += 1
        value = good.mean() if method == "mean" else np.median(good)
        out[y, x] = np.floor(value + 0.5) if frame.dtype.kind in "iu" else value
    return out


def filled_stack(stack: NDArray[Any], mask: NDArray[Any], method: str = "mean") -> NDArray[Any]:
    flat = stack.reshape(-1, *stack.shape[-2:])
    return np.stack([filled(frame, mask, method) for frame in flat]).reshape(stack.shape)


@pytest.fixture
def mask() -> NDArray[np.bool_]:
    """Corners, a pair, a whole column and a block wider than the first ring of neighbours."""
    bad = np.zeros((12, 10), bool)
    bad[0, 0] = bad[11, 9] = bad[3, 4] = bad[3, 5] = True
    bad[:, 7] = True
    bad[7:12, 1:4] = True
    return bad


# ---- bad pixels


@pytest.mark.parametrize("method", ["mean", "median"])
def test_bad_pixels_on_every_dtype_and_cut(scan, pixels, mask, method) -> None:
    result = scan.correct_bad_pixels(mask, method=method)
    assert result.lazy
    assert result.dtype == pixels.dtype
    expected = filled_stack(pixels, mask, method)
    if pixels.dtype.kind == "f":
        np.testing.assert_allclose(result.as_numpy(), expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(result.as_numpy(), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_any_mask(rows, columns, data) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    bad = np.array(bits).reshape(rows, columns)
    if bad.all():
        with pytest.raises(ValueError, match=r"all .* pixels are marked as bad"):
            neighbour_table(bad)
        return
    frames = np.random.default_rng(0).integers(0, 65535, (3, rows, columns), np.uint16)
    result = l4.Diffraction2D(frames).correct_bad_pixels(bad)
    np.testing.assert_array_equal(result.as_numpy(), filled_stack(frames, bad))


def test_places_and_masks_mean_the_same(simple) -> None:
    places = [(0, 0), (3, 4)]
    by_mask = simple.correct_bad_pixels(bad_pixel_mask(places, (12, 10))).as_numpy()
    np.testing.assert_array_equal(simple.correct_bad_pixels(places).as_numpy(), by_mask)
    np.testing.assert_array_equal(simple.correct_bad_pixels(np.array(places)).as_numpy(), by_mask)
    signal = l4.Signal2D(bad_pixel_mask(places, (12, 10)))
    np.testing.assert_array_equal(simple.correct_bad_pixels(signal).as_numpy(), by_mask)
    np.testing.assert_array_equal(simple.correct_bad_pixels([]).as_numpy(), simple.as_numpy())


def test_bad_pixels_on_every_scheduler(simple, mask, scheduler) -> None:
    np.testing.assert_array_equal(simple.correct_bad_pixels(mask).as_numpy(), filled_stack(simple.as_numpy(), mask))


def test_other_kinds_of_numbers(mask) -> None:
    rng = np.random.default_rng(0)
    logical = rng.random((2, 12, 10)) < 0.5
    result = l4.Diffraction2D(logical).correct_bad_pixels(mask)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result.as_numpy(), filled_stack(logical.astype("u1"), mask))
    half = rng.random((2, 12, 10)).astype("f2")
    assert l4.Diffraction2D(half).correct_bad_pixels(mask).dtype == np.float32
    large = np.full((1, 12, 10), 2**48 + 1, np.uint64)
    np.testing.assert_array_equal(l4.Diffraction2D(large).correct_bad_pixels(mask).as_numpy(), large)
    with pytest.raises(ValueError, match="frames of real numbers"):
        l4.Diffraction2D(np.ones((2, 12, 10), complex)).correct_bad_pixels(mask)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones((5, 5), bool), r"mask of the frame shape \(12, 10\) .* as places \(y, x\), found an array of shape"),
        ([(12, 0)], r"bad pixels at \[\[12, 0\]\] lie outside of frames of shape \(12, 10\)"),
        ([(0, -1)], "lie outside"),
        ([(0.5, 1.0)], "found an array of shape"),
        (np.ones((12, 10), bool), "all 120 pixels are marked as bad"),
    ],
)
def test_masks_that_do_not_fit(simple, bad, message) -> None:
    with pytest.raises(ValueError, match=message):
        simple.correct_bad_pixels(bad)


def test_an_unknown_method_and_a_lazy_mask(simple) -> None:
    with pytest.raises(ValueError, match="method='mode' is not known: expected one of 'mean', 'median'"):
        simple.correct_bad_pixels([(0, 0)], method="mode")
    with pytest.raises(TypeError, match="has to be one computed frame"):
        simple.correct_bad_pixels(simple.find_dead_pixels())


def test_dead_and_hot_pixels_are_found() -> None:
    scan = simulated_scan((6, 6), (48, 48), dose=40_000, background=0.5, dead_pixels=5, hot_pixels=4, seed=2)
    s = l4.Diffraction2D(scan.as_array())
    truth = scan.truth
    dead, hot = s.find_dead_pixels(), s.find_hot_pixels()
    assert dead.lazy
    assert isinstance(dead, l4.Signal2D)
    dead, hot = l4.compute(dead, hot)
    assert sorted(map(tuple, np.argwhere(dead.data).tolist())) == sorted(map(tuple, truth["dead_pixels"].tolist()))
    assert sorted(map(tuple, np.argwhere(hot.data).tolist())) == sorted(map(tuple, truth["hot_pixels"].tolist()))
    repaired = s.correct_bad_pixels(dead.data | hot.data).mean().as_numpy()
    assert repaired.min() > 0
    assert repaired.max() < 4095


def test_edges_of_disks_are_not_hot() -> None:
    scan = simulated_scan((4, 4), (64, 64), kind="disk", disk_radius=3, dose=100_000)
    assert not l4.Diffraction2D(scan.as_array()).find_hot_pixels().as_numpy().any()
    assert l4.Diffraction2D(scan.as_array()[0, 0]).find_dead_pixels(5.0).nav_shape == ()


# ---- references


def corrected(raw: NDArray[Any], dark: Any, gain: Any, mask: Any) -> NDArray[Any]:
    frames = (raw.astype("f4") - np.float32(dark)) * np.float32(gain)
    return filled_stack(frames, mask) if mask is not None else frames


@pytest.fixture
def references(mask) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    return {
        "dark": rng.normal(2, 0.5, (12, 10)).astype("f4"),
        "gain": rng.normal(1, 0.1, (12, 10)).astype("f4"),
        "bad_pixels": mask,
        "counter_pixels": [[5, 0], [6, 0]],
        "applied": False,
    }


def test_references_of_the_metadata(scan, pixels, references, no_compute) -> None:
    scan.metadata.set_item(REFERENCE, references)
    with no_compute:
        result = scan.apply_reference_correction()
    bad = references["bad_pixels"].copy()
    bad[5, 0] = bad[6, 0] = True
    expected = corrected(pixels, references["dark"], references["gain"], bad)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.as_numpy(), expected, rtol=2e-6, atol=1e-5)
    assert result.metadata.get_item(f"{REFERENCE}.applied") is True
    assert scan.metadata.get_item(f"{REFERENCE}.applied") is False
    assert len(result.history) == len(scan.history) + 1
    with pytest.raises(ValueError, match="applied to this signal already"):
        result.apply_reference_correction()


@pytest.mark.parametrize("use", [("dark",), ("gain",), ("bad_pixels",), ("dark", "gain")])
def test_parts_of_it(simple, references, use) -> None:
    simple.metadata.set_item(REFERENCE, {**references, "counter_pixels": []})
    asked = {name: name in use for name in ("dark", "gain", "bad_pixels")}
    expected = corrected(
        simple.as_numpy(),
        references["dark"] if "dark" in use else 0,
        references["gain"] if "gain" in use else 1,
        references["bad_pixels"] if "bad_pixels" in use else None,
    )
    result = simple.apply_reference_correction(**asked).as_numpy()
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=1e-5)


def test_references_that_are_given(simple, references, scheduler) -> None:
    dark, gain = references["dark"], l4.Signal2D(references["gain"])
    result = simple.apply_reference_correction(dark=dark, gain=gain, bad_pixels=[(1, 2)])
    bad = bad_pixel_mask([(1, 2)], (12, 10))
    expected = corrected(simple.as_numpy(), dark, references["gain"], bad)
    np.testing.assert_allclose(result.as_numpy(), expected, rtol=2e-6, atol=1e-5)


def test_what_cannot_be_corrected(simple, references) -> None:
    with pytest.raises(ValueError, match="there is nothing to correct with: no reference in metadata"):
        simple.apply_reference_correction()
    simple.metadata.set_item(REFERENCE, references)
    with pytest.raises(ValueError, match=r"dark reference of the frame shape \(12, 8\) .* before its frames"):
        simple.isig[:8].apply_reference_correction()
    with pytest.raises(ValueError, match=r"found .* of dtype complex128"):
        simple.apply_reference_correction(gain=np.ones((12, 10), complex))


def test_a_written_recording(tmp_path) -> None:
    frames = np.random.default_rng(3).integers(100, 4000, (12, 16, 64), np.uint16)
    dark = np.random.default_rng(4).normal(50, 3, (16, 64)).astype("f4")
    gain = np.random.default_rng(5).normal(1, 0.05, (16, 64)).astype("f4")
    path = write_celeritas(tmp_path, frames, pre_buffer=4, padding=False)[0]
    base = tmp_path / f"{path.name.partition('_Top_')[0]}.seq"
    write_reference(base, "dark", dark)
    write_reference(base, "gain", gain)
    s = l4.load(path)
    bad = np.zeros((16, 64), bool)
    bad[7, 0] = bad[8, 0] = True
    expected = corrected(s.as_numpy(), dark, gain, bad)
    result = s.apply_reference_correction()
    np.testing.assert_allclose(result.as_numpy(), expected, rtol=2e-6, atol=1e-3)
    np.testing.assert_array_equal(result.rechunk(5).as_numpy(), result.as_numpy())


def test_a_real_recording(vendor_data) -> None:
    with pytest.warns(l4.Lazy4DWarning, match="without another half"):
        s = l4.load(vendor_data("seq/celeritas_64x64_prebuffer256"))
    raw, reference = s.as_numpy(), s.metadata.get_item(REFERENCE)
    result = s.apply_reference_correction().as_numpy()
    bad = np.zeros((64, 64), bool)
    bad[31, 0] = bad[32, 0] = True
    expected = corrected(raw[:20], reference.dark, 1, bad)
    np.testing.assert_allclose(result[:20], expected, rtol=2e-6, atol=1e-3)
    # The frame counter is gone, and what is left is noise about zero.
    assert abs(result[:, 31:33, 0]).max() < 500
    assert abs(float(np.median(result))) < 5


def test_one_pass_and_selections(simple, references) -> None:
    simple.metadata.set_item(REFERENCE, references)
    result = simple.apply_reference_correction()
    whole = result.as_numpy()
    np.testing.assert_array_equal(result.inav[1, 2].as_numpy(), whole[2, 1])
    np.testing.assert_array_equal(result.isig[2:5, 3].as_numpy(), whole[..., 3, 2:5])
    total, mean = l4.compute(result.sum(), result.mean())
    np.testing.assert_allclose(total.data, whole.sum((0, 1), dtype=float), rtol=1e-6)
    np.testing.assert_allclose(mean.data, whole.mean((0, 1), dtype=float), rtol=1e-6)


def test_any_navigation(any_scan) -> None:
    result = any_scan.correct_bad_pixels([(2, 2)])
    assert result.shape == any_scan.shape
    assert type(result) is type(any_scan)
    again = make_scan(any_scan.as_numpy()).correct_bad_pixels([(2, 2)])
    np.testing.assert_array_equal(again.as_numpy(), result.as_numpy())

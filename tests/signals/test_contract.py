"""What every operation keeps: lazy building, metadata, history, class, declared dtype and shape, any navigation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from tests.signals.conftest import make_scan


def double(frame: Any) -> Any:
    return frame * 2


def negative(frames: Any, out: Any) -> None:
    np.negative(frames.astype("int64"), out=out)


def add_up(frames: Any, total: Any) -> None:
    total += frames.sum(axis=0)


def merge(total: Any, other: Any) -> None:
    total += other


Operation = Callable[[Any], Any]
OPERATIONS: dict[str, Operation] = {
    "inav": lambda s: s.inav[...],
    "isig": lambda s: s.isig[1:4, ::-2],
    "isig line": lambda s: s.isig[2],
    "isig point": lambda s: s.isig[2, 1],
    "crop": lambda s: s.crop("kx", 1, 4),
    "sum": lambda s: s.sum(),
    "mean": lambda s: s.mean(),
    "max": lambda s: s.max(),
    "min": lambda s: s.min(),
    "std": lambda s: s.std(),
    "var": lambda s: s.var(),
    "sum over signal": lambda s: s.sum(["kx", "ky"]),
    "std over signal": lambda s: s.std(["kx", "ky"]),
    "max over kx": lambda s: s.max("kx"),
    "sum over all": lambda s: s.sum(range(s.ndim)),
    "var over all": lambda s: s.var(range(s.ndim)),
    "histogram": lambda s: s.get_histogram(bins=5, range=(0, 10)),
    "T": lambda s: s.T,
    "transpose": lambda s: s.transpose(signal_axes=["kx"]),
    "rebin": lambda s: s.rebin(scale=[1] * (s.ndim - 2) + [5, 2]),
    "astype": lambda s: s.astype("float32"),
    "rechunk": lambda s: s.rechunk(1),
    "add scalar": lambda s: s + 1,
    "reflected": lambda s: 2.5 - s,
    "compare": lambda s: s > 3,
    "ufunc": lambda s: np.sqrt(s),
    "add frame": lambda s: s + np.ones(s.frame_shape, "float32"),
    "add map": lambda s: s * s.sum(["kx", "ky"]),
    "subtract mean": lambda s: s - s.mean(),
    "add itself": lambda s: s + s,
    "map": lambda s: s.map(double),
    "map to number": lambda s: s.map(np.percentile, q=50, output_dtype="float64", output_signal_shape=()),
    "map_frames": lambda s: s.map_frames(negative, dtype="int64"),
    "reduce_frames": lambda s: s.reduce_frames(add_up, merge),
    "virtual image": lambda s: s.get_virtual_image(l4.CircleROI(2, 3, 2)),
    "weights": lambda s: s.get_virtual_image(np.linspace(0, 1, 30).reshape(6, 5)),
    "total intensity": lambda s: s.get_total_intensity(),
    "beam position": lambda s: s.get_direct_beam_position(),
    "beam by correlation": lambda s: s.get_direct_beam_position("cross_correlate", radius=1, subpixel="dft"),
    "beam by phase": lambda s: s.get_direct_beam_position("phase_correlate", radius=1),
    "beam by blur": lambda s: s.get_direct_beam_position("blur", radius=1),
    "beam by symmetry": lambda s: s.get_direct_beam_position("friedel"),
    "second moments": lambda s: s.get_second_moments(threshold=1),
    "centred": lambda s: s.center_direct_beam("center_of_mass", threshold=2),
    "centred at": lambda s: s.center_direct_beam(position=s.get_direct_beam_position(), interpolation="cubic"),
    "shifted": lambda s: s.shift_diffraction(1, -0.5),
    "shift coverage": lambda s: s.get_shift_coverage(1, -0.5),
    "shift window": lambda s: s.get_shift_window(shifts=s.get_direct_beam_position().shifts),
    "rotated": lambda s: s.rotate_diffraction(30, (2, 3)),
    "turned": lambda s: s.rotate_diffraction(180, (2, 3)),
    "affine": lambda s: s.apply_affine_transformation([[1.1, 0.2], [0, 0.9]], (2, 3), interpolation="cubic"),
    "ellipse corrected": lambda s: s.correct_ellipse((1.1, 30), (2, 3)),
    "flipped": lambda s: s.flip("ky"),
    "flipped x": lambda s: s.flip_diffraction_x(),
    "flipped y": lambda s: s.flip_diffraction_y(),
    "valid": lambda s: s.valid,
    "stack": lambda s: l4.stack([s, s]),
    "squeeze": lambda s: s.isig[:1].squeeze(),
    "scan shape": lambda s: s.with_scan_shape((-1,), serpentine=False),
    "bad pixels": lambda s: s.correct_bad_pixels([(1, 1), (5, 4)]),
    "dead pixels": lambda s: s.find_dead_pixels(),
    "hot pixels": lambda s: s.find_hot_pixels(),
    "radial median": lambda s: s.subtract_diffraction_background("radial median", center=(2, 3)),
    "gaussians": lambda s: s.subtract_diffraction_background("difference of gaussians", max_sigma=2),
    "top hat": lambda s: s.subtract_diffraction_background("top hat", radius=1),
    "median kernel": lambda s: s.subtract_diffraction_background("median kernel", size=3),
    "disk matched": lambda s: s.template_match_disk(1),
    "ring matched": lambda s: s.template_match_ring(1, 2, normalize=False),
    "picture matched": lambda s: s.template_match(np.eye(3), power=0.5),
    "gaussian across the scan": lambda s: s.filter_navigation("gaussian"),
    "sum across the scan": lambda s: s.filter_navigation("sum", footprint="circle"),
    "median across the scan": lambda s: s.filter_navigation("median", boundary="renormalise"),
    "non-local means": lambda s: s.filter_navigation("non-local means", size=3),
    "references": lambda s: s.apply_reference_correction(dark=np.ones(s.frame_shape), bad_pixels=[(0, 0)]),
    "azimuthal 1d": lambda s: s.get_azimuthal_integral1d(4, mean=True),
    "azimuthal 2d": lambda s: s.get_azimuthal_integral2d(4, 6, splitting="exact"),
    "azimuthal about centres": lambda s: s.get_azimuthal_integral2d(4, 6, center=s.get_direct_beam_position()),
    "radial profile": lambda s: s.get_radial_profile(radial_range=(0, 3)),
    "variance image": lambda s: s.get_variance_image(poisson=True),
    "variance against k": lambda s: s.get_variance(4),
    "angular correlation": lambda s: s.get_azimuthal_integral2d(4, 6, splitting="exact").get_angular_correlation(),
    "angular power": lambda s: s.get_azimuthal_integral2d(4, 6, splitting="exact").get_angular_power(poisson=True),
    "symmetry": lambda s: s.get_azimuthal_integral2d(4, 6, splitting="exact").get_symmetry_coefficient(2),
    "variance of rings": lambda s: s.get_azimuthal_integral2d(4, 6, splitting="exact").get_variance("ring"),
    "variance of means": lambda s: s.get_azimuthal_integral2d(4, 6, splitting="exact").get_variance("annular_mean"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation(name: str, any_scan: l4.Diffraction2D, no_compute: Any) -> None:
    before = (any_scan.axes_manager.copy(), any_scan.metadata.as_dictionary(), any_scan.history)
    with no_compute:
        result = OPERATIONS[name](any_scan)
        text, picture = repr(result), result._repr_html_()
    assert isinstance(result, l4.BaseSignal)
    assert result.lazy
    assert "lazy" in text
    assert "<svg" in picture or not result.shape
    assert result.shape == tuple(axis.size for axis in result.axes_manager.as_numpy_order())
    assert tuple(result.data.shape) == result.shape
    assert result.metadata.get_item("Sample.name") == "gold"
    assert len(result.history) >= len(any_scan.history) + 1
    assert any_scan.axes_manager.equals(before[0])
    assert any_scan.metadata.as_dictionary() == before[1]
    assert any_scan.history == before[2]

    computed = result.compute()
    assert type(computed) is type(result)
    assert isinstance(computed.data, np.ndarray)
    assert not isinstance(computed.data, np.memmap)
    assert computed.data.dtype == result.dtype == result.data.dtype
    assert computed.data.dtype.isnative
    assert computed.data.shape == result.shape
    assert computed.axes_manager.equals(result.axes_manager)
    assert computed.history == result.history
    assert result.lazy, "compute() leaves the original lazy"


SEVERAL_ENTRIES = {
    "add map",
    "subtract mean",
    "squeeze",
    "dead pixels",
    "hot pixels",
    "variance against k",
    "angular correlation",
    "angular power",
    "symmetry",
    "variance of rings",
    "variance of means",
}
ONE_ENTRY = [name for name in OPERATIONS if name not in SEVERAL_ENTRIES]


@pytest.mark.parametrize("name", ONE_ENTRY)
def test_an_operation_is_one_entry_of_the_history(name: str, any_scan: l4.Diffraction2D) -> None:
    assert len(OPERATIONS[name](any_scan).history) == len(any_scan.history) + 1


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n not in {"T", "transpose"}])
def test_same_result_for_every_cut_into_blocks(name: str, chunks: Any) -> None:
    small = np.random.default_rng(2).poisson(3.0, (4, 5, 6, 5)).astype("uint16")
    whole = OPERATIONS[name](make_scan(small)).as_numpy()
    cut = OPERATIONS[name](make_scan(small, chunks)).as_numpy()
    if name in {"mean", "std", "var", "var over all", "variance image", "variance against k", "variance of means"}:
        np.testing.assert_allclose(cut, whole, rtol=1e-12)
    else:
        np.testing.assert_array_equal(cut, whole)


def test_every_scheduler(scheduler: str) -> None:
    values = np.random.default_rng(2).poisson(3.0, (4, 5, 6, 5)).astype("uint16")
    scan, plain = make_scan(values, ((1, 3), (2, 2, 1))), l4.Diffraction2D(values)
    names = ["isig", "sum", "var", "max over kx", "add map", "subtract mean", "map", "map_frames", "reduce_frames"]
    names += ["map to number", "beam position", "histogram", "rebin", "T"]
    results = l4.compute(*(OPERATIONS[name](scan) for name in names))
    for name, result in zip(names, results, strict=True):
        expected = OPERATIONS[name](plain).as_numpy()
        np.testing.assert_allclose(result.data, expected, rtol=1e-12, err_msg=f"{name} on {scheduler}")


def test_parents_name_the_other_signals(scan: l4.Diffraction2D) -> None:
    other = scan.sum()
    entry = (scan - other).history[-1]
    assert entry.op == "subtract"
    assert entry.parents == (other.history.id,)


def test_compute_together_keeps_structure(scan: l4.Diffraction2D, pixels: Any) -> None:
    total, images, array, text = l4.compute(scan.sum(), {"a": [scan.get_total_intensity()]}, scan.data, "as it is")
    np.testing.assert_array_equal(total.data, pixels.sum((0, 1)))
    np.testing.assert_array_equal(images["a"][0].data, pixels.sum((2, 3)))
    np.testing.assert_array_equal(array, pixels)
    assert text == "as it is"


def test_compute_of_computed_is_itself(scan: l4.Diffraction2D) -> None:
    computed = scan.compute()
    assert computed.compute() is computed


def test_persist_stays_lazy(scan: l4.Diffraction2D, pixels: Any) -> None:
    kept = scan.get_total_intensity().persist()
    assert kept.lazy
    np.testing.assert_array_equal(kept.as_numpy(), pixels.sum((2, 3)))


def test_numpy_takes_a_signal_as_an_array(scan: l4.Diffraction2D, pixels: Any) -> None:
    np.testing.assert_array_equal(np.asarray(scan), pixels)
    assert np.asarray(scan, dtype="float64").dtype == np.float64
    assert float(scan.sum().sum()) == pixels.sum()
    assert int(scan.max().max()) == pixels.max()
    assert bool(scan.sum().sum() > 0)
    with pytest.raises(ValueError, match="is no single value"):
        bool(scan > 3)


def test_same_walk_for_a_file_source(tmp_path: Any, pixels: Any) -> None:
    path = tmp_path / "scan.npy"
    np.save(path, pixels[..., :6, :5])
    loaded, plain = l4.load(path), l4.Diffraction2D(np.ascontiguousarray(pixels[..., :6, :5]))
    for name in ("isig", "sum", "virtual image", "beam position", "add itself", "rebin", "subtract mean"):
        np.testing.assert_array_equal(OPERATIONS[name](loaded).as_numpy(), OPERATIONS[name](plain).as_numpy())

"""The beam found by its picture: how well against known positions, and how the methods are called."""

from __future__ import annotations

from functools import cache
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.lazy import Frames

RADIUS = 8.0
METHODS = ("cross_correlate", "phase_correlate", "blur")


@cache
def simulated(dose: float, n: int = 150, background: float = 0.01, **options: Any) -> tuple[Any, NDArray[np.float64]]:
    """Frames (n | 96, 128) with a disk of `dose` electrons a pixel at random places, and these."""
    shape = options.pop("frame_shape", (96, 128))
    travel = options.pop("travel", 10.0)
    descan = np.random.default_rng(int(dose)).uniform(-travel, travel, (n, 2))
    beam, even = dose * np.pi * RADIUS**2, background * dose * shape[0] * shape[1]
    total, share = (beam + even), even / (beam + even)
    if options.get("kind", "disk") != "disk":
        total, share = total * 4, share / 4
    options = {"kind": "disk", "disk_radius": RADIUS, "background": share, "descan": descan, "seed": 3, **options}
    scan = simulated_scan((n,), shape, dose=total, **options)
    return scan, scan.truth["beam_position"]


def found(scan: Any, method: str = "cross_correlate", radius: Any = RADIUS, **options: Any) -> NDArray[np.float64]:
    radius = {} if radius is None else {"radius": radius}
    pixels = scan if isinstance(scan, np.ndarray) else scan.as_array()
    with l4.set_options(progress=False):
        return l4.Diffraction2D(pixels).get_direct_beam_position(method, **radius, **options).as_numpy()


def rms(error: NDArray[np.float64]) -> float:
    return float(np.sqrt((error**2).mean()))


GATES = [
    ({"subpixel": "parabola"}, {1: 0.21, 10: 0.07, 1000: 0.025}),
    ({"subpixel": "dft"}, {1: 0.2, 10: 0.06, 1000: 0.012}),
    ({"template": "disk"}, {1: 0.21, 10: 0.07, 1000: 0.025}),
    ({"template": "disk", "subpixel": "dft"}, {1: 0.2, 10: 0.06, 1000: 0.012}),
    ({"template": "gradient", "subpixel": "dft"}, {1: 0.21, 10: 0.065, 1000: 0.012}),
    ({"method": "phase_correlate"}, {1: 0.25, 10: 0.07, 1000: 0.015}),
    ({"method": "phase_correlate", "power": 0}, {10: 0.1, 1000: 0.05}),
    ({"method": "phase_correlate", "power": 1, "subpixel": "parabola"}, {1: 0.25, 10: 0.08, 1000: 0.02}),
    ({"method": "blur"}, {1: 0.45, 10: 0.12, 1000: 0.02}),
]


@pytest.mark.parametrize(("options", "gates"), GATES, ids=lambda v: "-".join(map(str, v.values())))
def test_random_places_at_every_dose(options: dict[str, Any], gates: dict[int, float]) -> None:
    for dose, most in gates.items():
        scan, truth = simulated(dose)
        assert rms(found(scan, **options) - truth) < most, dose


def test_a_disk_of_ten_electrons_a_pixel() -> None:
    scan, truth = simulated(10.0, 400)
    assert rms(found(scan) - truth) < 0.06
    assert rms(found(scan, subpixel="dft") - truth) < 0.055


def test_what_is_left_without_noise_depends_little_on_the_fraction_of_a_pixel() -> None:
    """The error as a function of the fraction: a parabola through a cone pulls towards the pixel."""
    scan, truth = simulated(1000.0, 120, noise=False)
    fraction = truth - truth.round()
    for options, most, locking in (
        ({"subpixel": "parabola"}, 0.022, 0.06),
        ({"subpixel": "dft"}, 0.008, 0.015),
        ({"template": "disk", "subpixel": "dft"}, 0.01, 0.02),
        ({"method": "phase_correlate"}, 0.015, 0.03),
        ({"method": "blur"}, 0.02, 0.02),
    ):
        error = found(scan, **options) - truth  # type: ignore[arg-type]
        assert rms(error) < most, options
        assert np.abs(error).max() < 0.05, options
        waves = [np.polyfit(np.sin(2 * np.pi * fraction[:, k]), error[:, k], 1)[0] for k in (0, 1)]
        assert np.abs(waves).max() < locking / 2, options
        assert np.abs(error.mean(axis=0)).max() < 0.005, options
    assert rms(found(scan, subpixel=None) - truth.round()) < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_twenty_pixels_of_travel_and_bragg_disks_weaker_than_the_beam(method: str) -> None:
    scan, truth = simulated(300.0, 60, kind="crystal", travel=20.0, frame_shape=(128, 160), spacing=22.0)
    error = found(scan, method) - truth
    assert rms(error) < 0.06
    assert np.abs(error).max() < 0.2


@pytest.mark.parametrize("method", METHODS)
def test_dead_and_hot_pixels_are_masked(method: str) -> None:
    scan, truth = simulated(100.0, 60, dead_pixels=200, hot_pixels=30)
    good = scan.truth["detector_mask"]
    assert 150 < np.count_nonzero(~good) <= 230
    assert rms(found(scan, method, mask=good) - truth) < 0.06


@pytest.mark.parametrize("method", METHODS)
def test_a_saturated_beam(method: str) -> None:
    scan, truth = simulated(1000.0, 60, saturation=600)
    assert rms(found(scan, method, subpixel="dft") - truth if method != "blur" else found(scan, method) - truth) < 0.04


def structured(kind: str, n: int = 40) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Beams that are no even disks: 200 electrons a pixel, frames (96, 128)."""
    rng = np.random.default_rng(6)
    y, x = np.indices((96, 128))
    centers = np.array((48, 64)) + rng.uniform(-8, 8, (n, 2))
    frames = np.empty((n, 96, 128))
    for frame, (cy, cx) in zip(frames, centers, strict=True):
        disk = np.clip(RADIUS - np.hypot(y - cy, x - cx) + 0.5, 0, 1)
        inside = {
            "gradient": 1 + 0.05 * (x - cx),
            "lobe": 1 - 0.7 * np.exp(-((x - cx - 3) ** 2 + (y - cy - 2) ** 2) / 8),
            "fringes": 0.3 + np.cos(0.9 * (x - cx) + 0.5) ** 2,
        }.get(kind, 1.0)
        frame[:] = disk * inside
        if kind == "overlap":
            frame += 0.5 * np.clip(RADIUS - np.hypot(y - cy, x - cx - 11) + 0.5, 0, 1)
    return rng.poisson(200 * frames + 2).astype("uint16"), centers


@pytest.mark.parametrize(
    ("kind", "edge", "gradient", "phase"),
    [
        ("gradient", 0.25, 0.16, 0.06),  # from 0.6 to 1.4 of the mean: blurred, the centre of mass is 0.8 pixels off
        ("lobe", 0.05, 0.05, 0.04),
        ("fringes", 0.08, 0.08, 0.05),
        ("overlap", 0.13, 0.1, 0.05),  # a second disk of half the intensity covers a quarter of the beam, on one side
    ],
)
def test_what_is_achievable_inside_structured_and_overlapping_disks(
    kind: str, edge: float, gradient: float, phase: float
) -> None:
    frames, centers = structured(kind)
    assert rms(found(frames, subpixel="dft") - centers) < edge
    assert rms(found(frames, template="gradient", subpixel="dft") - centers) < gradient
    assert rms(found(frames, "phase_correlate") - centers) < phase


def test_a_probe_in_vacuum_as_template() -> None:
    frames, centers = structured("lobe")
    probe, places = structured("lobe", 1)
    for template in (probe[0], probe[0].astype("float32"), l4.Signal2D(probe[0])):
        result = found(frames, radius=None, template=template, subpixel="dft")
        moved = result - centers
        assert rms(moved - moved.mean(axis=0)) < 0.03
    whole = found(frames, "phase_correlate", None, reference=probe[0], center=(64, 48))
    assert rms(whole - centers - (np.array((48, 64)) - places[0])) < 0.04


@pytest.fixture
def scan() -> l4.Diffraction2D:
    source, _ = simulated(100.0, 12, frame_shape=(40, 48), travel=5.0)
    frames = Frames.from_array(source.as_array().reshape(3, 4, 40, 48), 2, chunks=((2, 1), (4,)))
    signal = l4.Diffraction2D(frames, title="scan")
    signal.set_calibration(scale=0.1, units="1/Å", beam_energy="200 kV")
    return signal


CALLS: dict[str, dict[str, Any]] = {
    "cross": {"method": "cross_correlate", "radius": 8},
    "dft": {"method": "cross_correlate", "radius": 8, "subpixel": "dft", "template": "disk", "half_width": 18},
    "phase": {"method": "phase_correlate", "radius": 8},
    "mean": {"method": "phase_correlate", "reference": "mean", "half_width": 18},
    "blur": {"method": "blur", "radius": 8, "mask": l4.CircleROI(24, 20, 19)},
}


@pytest.mark.parametrize("name", CALLS)
def test_positions_are_lazy_alike_in_all_blocks_and_have_a_score(
    name: str, scan: l4.Diffraction2D, scheduler: str, no_compute: Any
) -> None:
    with no_compute:
        position = scan.get_direct_beam_position(**CALLS[name])
        assert isinstance(position, l4.BeamPosition)
        assert position.history[-1].params["method"] == CALLS[name]["method"]
    with l4.set_options(progress=False):
        position, score = l4.compute(position, position.score)
        again = scan.rechunk(1).get_direct_beam_position(**CALLS[name]).as_numpy()
    assert score.data.shape == (3, 4)
    assert ((score.data > 0) & (score.data <= 1)).all()
    np.testing.assert_allclose(again, position.data, atol=1e-9 if name == "mean" else 0)
    if name != "mean":
        assert rms(position.data.reshape(-1, 2) - simulated(100.0, 12, frame_shape=(40, 48), travel=5.0)[1]) < 0.06


@pytest.mark.parametrize("method", METHODS)
def test_a_radius_in_units(method: str, scan: l4.Diffraction2D) -> None:
    with l4.set_options(progress=False):
        pixels = scan.get_direct_beam_position(method, radius=8).as_numpy()
        units = scan.get_direct_beam_position(method, radius=0.8).as_numpy()
        text = scan.get_direct_beam_position(method, radius="8 1/nm").as_numpy()
    np.testing.assert_allclose(units, pixels, atol=1e-9)
    np.testing.assert_allclose(text, pixels, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_any_navigation_and_damaged_frames(method: str, scan: l4.Diffraction2D) -> None:
    pixels = scan.as_numpy()
    valid = np.ones((3, 4), bool)
    valid[1, 2] = False
    damaged = l4.Diffraction2D(Frames.from_array(pixels, 2, valid=da.from_array(valid, chunks=-1), incomplete="nan"))
    with l4.set_options(progress=False):
        all_of_them = damaged.get_direct_beam_position(method, radius=8)
        positions = all_of_them.as_numpy()
        assert np.isnan(positions[1, 2]).all()
        assert np.isfinite(positions[valid]).all()
        one = l4.Diffraction2D(pixels[0, 1]).get_direct_beam_position(method, radius=8)
        np.testing.assert_array_equal(one.as_numpy(), positions[0, 1])
        np.testing.assert_array_equal(all_of_them.inav[1:, 0].as_numpy(), positions[0, 1:])
        np.testing.assert_array_equal(all_of_them.inav[1, 0].score.as_numpy(), all_of_them.score.as_numpy()[0, 1])
        cube = l4.Diffraction2D(pixels.reshape(3, 2, 2, 40, 48)).get_direct_beam_position(method, radius=8)
        np.testing.assert_array_equal(cube.as_numpy().reshape(3, 4, 2)[valid], positions[valid])


def test_a_lazy_reference_is_computed_with_the_positions(scan: l4.Diffraction2D, no_compute: Any) -> None:
    with no_compute:
        lazy = [
            scan.get_direct_beam_position("phase_correlate", reference=reference, center=(24, 20))
            for reference in ("mean", scan.mean(), scan.mean().data)
        ]
    with l4.set_options(progress=False):
        results = [position.as_numpy() for position in lazy]
        known = scan.get_direct_beam_position("phase_correlate", reference=scan.mean().compute(), center=(24, 20))
        for result in results:
            np.testing.assert_allclose(result, known.as_numpy(), atol=1e-9)
        itself = scan.inav[1, 1].get_direct_beam_position("phase_correlate", reference="mean", center=(0.0, "2 1/nm"))
        assert itself.shape == (2,)


def test_wrong_arguments(scan: l4.Diffraction2D) -> None:
    find = scan.get_direct_beam_position
    for method in METHODS:
        with pytest.raises(ValueError, match=r"needs radius=.*s\.mean\(\)"):
            find(method)
        with pytest.raises(ValueError, match="radius of the beam above 0"):
            find(method, radius=0)
        with pytest.raises(ValueError, match="False everywhere in the window"):
            find(method, radius=8, half_width=3, mask=l4.CircleROI(3, 3, 2))
        with pytest.raises(TypeError, match="half_square_width"):
            find(method, radius=8, half_square_width=10)
    for method in METHODS[:2]:
        with pytest.raises(ValueError, match="subpixel='cubic' is not known"):
            find(method, radius=8, subpixel="cubic")
        with pytest.raises(ValueError, match="upsample as a whole number"):
            find(method, radius=8, subpixel="dft", upsample=1)
    with pytest.raises(ValueError, match="template 'sobel' is not known: expected one of 'disk'"):
        find("cross_correlate", radius=8, template="sobel")
    with pytest.raises(TypeError, match="compute it first"):
        find("cross_correlate", template=scan.mean())
    with pytest.raises(ValueError, match=r"frames' shape \(40, 48\)"):
        find("phase_correlate", reference=np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"power in \[0, 1\]"):
        find("phase_correlate", radius=8, power=2)
    with pytest.raises(ValueError, match="whole pattern"):
        find("phase_correlate", radius=8, center=(3, 4))
    with pytest.raises(ValueError, match=r"center as \(x, y\)"):
        find("phase_correlate", reference="mean", center=3)
    scan.axes_manager["kx"].scale = 0.2
    with pytest.raises(ValueError, match="expected the same, since the beam is looked for as a circle"):
        find("cross_correlate", radius=0.8)
    assert find("cross_correlate", radius=8).shape == (3, 4, 2)


@pytest.mark.parametrize("method", ["cross_correlate", "phase_correlate", "blur"])
def test_a_disk_larger_than_the_frame_is_refused(method: str) -> None:
    scan = l4.Diffraction2D(np.ones((2, 96, 128), "uint16"))
    scan.set_calibration(scale=0.02, units="1/Å")
    with pytest.raises(ValueError, match=r"3\.4 is 170 pixels, a disk larger than the frames .* a float in axis units"):
        scan.get_direct_beam_position(method, radius=3.4)

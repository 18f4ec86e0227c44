"""The controller of a preview: what changes is computed for the frames that are shown, the latest request wins."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.plot.tuning import looking
from lazy4d.plot.tuning.controller import TuningController
from lazy4d.plot.tuning.methods import METHODS
from lazy4d.plot.tuning.tuning_frames import TuningFrames
from lazy4d.plot.worker import Worker

PATIENCE = 120.0


@pytest.fixture(scope="module")
def scan() -> Any:
    return simulated_scan((4, 5), (48, 40), kind="crystal", disk_radius=4.0, descan=4.0, dose=50_000, background=0.2)


@pytest.fixture
def s(scan: Any) -> l4.Diffraction2D:
    found = l4.Diffraction2D(scan.as_array())
    found.set_calibration(scale=0.05, units="1/Å", center=(20, 24), beam_energy="200 kV")
    return found


@pytest.fixture
def polar(s: l4.Diffraction2D) -> Any:
    return s.get_azimuthal_integral2d(npt=20, npt_azim=24, mean=True)


def latest(tuning: TuningController) -> Any:
    assert tuning.wait(PATIENCE)
    tuning.updates()
    if tuning.error is not None:
        raise tuning.error
    return tuning.latest


def values(result: Any) -> list[np.ndarray]:
    """All numbers of a result, computed if need be."""
    if isinstance(result, l4.DiffractionVectors):
        found = result.compute()
        return [np.asarray(found.ragged[name]) for name in found.columns]
    return [np.asarray(result.compute().data)]


CASES: list[tuple[str, dict[str, Any]]] = [
    ("get_diffraction_vectors", {"disk_r": 4, "threshold_abs": 0.3}),
    ("get_diffraction_vectors", {"method": "local_max", "sigma": 1, "threshold_abs": 5.0}),
    ("find_peaks", {"sigma": 1, "threshold_abs": 5.0}),
    ("get_direct_beam_position", {"method": "cross_correlate", "radius": 4}),
    ("get_direct_beam_position", {"method": "interpolate", "by": "center_of_mass", "sample": 3}),
    ("center_of_mass", {"half_width": 8}),
    ("center_direct_beam", {"method": "friedel", "interpolation": "bilinear"}),
    ("center_direct_beam", {"method": "interpolate", "by": "blur", "radius": 4}),
    ("subtract_diffraction_background", {"method": "top hat", "radius": 6, "clip": True}),
    ("subtract_diffraction_background", {"divide": True}),
    ("template_match", {"template": np.pad(np.ones((5, 5)), 2)}),
    ("template_match_disk", {"disk_r": "12 mrad"}),
    ("template_match_ring", {"r_inner": 2, "r_outer": 4, "power": 0.5}),
    ("get_azimuthal_integral1d", {"npt": 12, "radial_range": (2, 15), "azimuth_range": ("0 deg", "9 deg")}),
    ("get_azimuthal_integral2d", {"npt": 10, "npt_azim": 16, "units": "mrad"}),
    ("get_radial_profile", {"splitting": "exact"}),
    ("rotate_diffraction", {"angle": 20.0}),
    ("shift_diffraction", {"shift_x": 2, "interpolation": "cubic"}),
    ("correct_ellipse", {"ellipse": (1.1, 30.0)}),
    ("get_angular_correlation", {"normalize": False}),
    ("get_angular_power", {"poisson": True}),
    ("get_full_pearson_correlation", {"radial_range": (3, 12)}),
]  # fmt: skip


def test_every_method_is_among_the_cases() -> None:
    assert {name for name, _ in CASES} == set(METHODS)


@pytest.mark.parametrize(("name", "call"), CASES, ids=lambda one: one if isinstance(one, str) else "")
def test_the_result_of_a_frame_is_that_of_the_whole_scan_and_the_code_says_the_call(
    s: l4.Diffraction2D, polar: Any, name: str, call: dict[str, Any]
) -> None:
    signal: Any = polar if METHODS[name].kind is l4.PolarDiffraction2D else s
    tuning = TuningController(signal, name, (3, 2), **call)
    outcome = latest(tuning).outcomes[0]
    assert tuning.call == call
    for got, one in zip(values(outcome.result), values(tuning.apply().inav[3, 2]), strict=True):
        np.testing.assert_allclose(got, one, atol=1e-12)
    scope = {"s": signal, "l4": l4, **{k: v for k, v in call.items() if isinstance(v, np.ndarray)}}
    by_code = eval(tuning.code, scope)  # what a user would copy
    for got, one in zip(values(by_code.inav[3, 2]), values(outcome.result), strict=True):
        np.testing.assert_allclose(got, one, atol=1e-12)
    tuning.close()


def test_building_computes_nothing_but_the_frame(s: l4.Diffraction2D, no_compute: Any) -> None:
    with no_compute:
        tuning = TuningController(s, "template_match_disk", (3, 2), disk_r=4)
        assert latest(tuning).outcomes[0].result.data.shape == (48, 40)
        applied = tuning.apply()
    assert applied.lazy
    tuning.close()


def test_a_change_reads_no_frame_again(s: l4.Diffraction2D, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    real = TuningFrames._read
    monkeypatch.setattr(TuningFrames, "_read", lambda self, place: read.append(place) or real(self, place))
    tuning = TuningController(s, "template_match_disk", (3, 2), disk_r=4)
    for radius in (3, 5):
        tuning.set(disk_r=radius)
        latest(tuning)
    tuning.move((1, 1))
    latest(tuning)
    tuning.move((3, 2))
    assert latest(tuning).outcomes[0].position == (3, 2)
    assert read == [(3, 2), (1, 1)]
    tuning.close()


def test_the_latest_request_wins(s: l4.Diffraction2D, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on, real = threading.Event(), threading.Event(), looking._LOOKS["image"]

    def slowly(task: Any) -> Any:
        if task.call["disk_r"] == 3:
            entered.set()
            assert go_on.wait(PATIENCE)
        return real(task)

    monkeypatch.setitem(looking._LOOKS, "image", slowly)
    tuning = TuningController(s, "template_match_disk", (3, 2), disk_r=3)
    assert entered.wait(PATIENCE)
    tuning.set(disk_r=5)  # while the first is under way
    go_on.set()
    assert tuning.wait(PATIENCE)
    assert [one.call for one in tuning.updates()] == [{"disk_r": 5}]
    tuning.close()


def test_an_error_of_the_method_is_kept_and_goes_when_it_is_mended(s: l4.Diffraction2D) -> None:
    tuning = TuningController(s, "get_diffraction_vectors", (3, 2), disk_r=4)
    latest(tuning)
    tuning.set(threshold_abs=7.0)
    with pytest.raises(ValueError, match="threshold_abs as a score"):
        latest(tuning)
    assert tuning.latest is not None  # what is shown stays
    tuning.set(threshold_abs=0.5)
    assert latest(tuning).call == {"disk_r": 4, "threshold_abs": 0.5}
    tuning.close()


def test_a_centring_tells_what_it_does_over_the_scan(s: l4.Diffraction2D, scan: Any) -> None:
    tuning = TuningController(s, "center_direct_beam", (3, 2), method="cross_correlate", radius=4)
    found = latest(tuning)
    sums = found.sums
    assert sums["count"] == 20  # all of a scan of 4 × 5
    np.testing.assert_array_equal(sums["before"], scan.as_array().sum(axis=(0, 1)))
    np.testing.assert_array_equal(sums["after"], tuning.apply().sum().compute().data)
    assert sums["after"].max() > sums["before"].max()  # sharper
    place = found.outcomes[0].beside["place"]
    np.testing.assert_allclose(place, s.get_direct_beam_position("cross_correlate", radius=4).inav[3, 2].compute().data)
    tuning.close()


def test_a_surface_through_a_sample_centres_every_frame_by_its_own_position(s: l4.Diffraction2D) -> None:
    call = {"method": "interpolate", "by": "blur", "radius": 4, "sample": 4}
    tuning = TuningController(s, "center_direct_beam", (3, 2), **call)
    np.testing.assert_array_equal(latest(tuning).sums["after"], tuning.apply().sum().compute().data)
    tuning.close()


def test_sums_come_after_the_frame(s: l4.Diffraction2D) -> None:
    worker = Worker()
    seen: list[Any] = []
    first = threading.Event()

    def notify() -> None:
        seen.extend(one.value for one in worker.results() if one.error is None)
        first.set()

    worker.notify = notify
    tuning = TuningController(s, "center_of_mass", (3, 2), worker=worker)
    assert tuning.wait(PATIENCE)
    assert first.is_set()
    assert not seen[0].sums
    assert seen[-1].sums
    tuning.close()
    assert not worker.closed  # it was not the controller's own
    worker.close()


def test_positions_several_next_and_random(s: l4.Diffraction2D) -> None:
    tuning = TuningController(s, "template_match_disk", positions=[(0, 0), (4, 3)], disk_r=4)
    assert [one.position for one in latest(tuning).outcomes] == [(0, 0), (4, 3)]
    tuning.next_frame()
    assert tuning.positions == ((1, 0), (0, 0))  # after the last comes the first
    tuning.next_frame(-1)
    assert tuning.positions == ((0, 0), (4, 3))
    tuning.move(("0 px", -1), 1)
    assert tuning.positions == ((0, 0), (0, 3))
    tuning.random_frame()
    assert len(set(tuning.positions)) == 2
    assert all(0 <= x < 5 and 0 <= y < 4 for x, y in tuning.positions)
    assert [one.position for one in latest(tuning).outcomes] == list(tuning.positions)
    tuning.close()


def test_without_a_position_it_is_the_one_that_the_axes_show(s: l4.Diffraction2D) -> None:
    s.axes_manager.indices = (2, 1)
    tuning = TuningController(s, "template_match_disk", disk_r=4)
    assert tuning.positions == ((2, 1),)
    tuning.close()


def test_a_single_frame_needs_no_position(s: l4.Diffraction2D) -> None:
    tuning = TuningController(s.inav[1, 1], "center_of_mass")
    assert latest(tuning).outcomes[0].position == ()
    assert not tuning.latest.sums  # type: ignore[union-attr]
    tuning.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"position": (1, 2, 3)}, "one number for each of 2 navigation axes"),
        ({"position": (slice(0, 2), 1)}, "position of one frame"),
        ({"position": (9, 0)}, "9"),
        ({"position": (0, 0), "positions": [(1, 1)]}, "found both"),
        ({"positions": [(0, 0)] * 5}, "expected 1 to 4 positions side by side, found 5"),
    ],
)
def test_positions_that_are_none(s: l4.Diffraction2D, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TuningController(s, "center_of_mass", **options)


def test_a_center_for_each_position_is_cut_to_the_frame(s: l4.Diffraction2D) -> None:
    centers = s.get_direct_beam_position("blur", radius=4)
    tuning = TuningController(s, "get_radial_profile", (4, 3), center=centers)
    got = latest(tuning).outcomes[0].result.data
    np.testing.assert_allclose(got, s.get_radial_profile(center=centers).inav[4, 3].compute().data)
    assert "center=center" in tuning.code
    tuning.close()


def test_what_takes_a_pass_over_the_scan_is_refused(s: l4.Diffraction2D) -> None:
    tuning = TuningController(s, "get_direct_beam_position", (3, 2), method="phase_correlate", reference="mean")
    with pytest.raises(ValueError, match=r"reference=s\.mean\(\)\.compute\(\)"):
        latest(tuning)
    tuning.set(reference=s.mean().compute())
    assert np.isfinite(latest(tuning).outcomes[0].result.data).all()
    tuning.close()


def test_covered_pixels_are_those_that_the_profile_counts(s: l4.Diffraction2D) -> None:
    """Of a frame of ones without sharing, the sum of all bins is the number of pixels covered."""
    ones = l4.Diffraction2D(np.ones((1, 1, 48, 40)))
    ones.set_calibration(scale=(0.05, 0.08), units="1/Å", center=(18, 25), beam_energy="200 kV")
    for options in (
        {"radial_range": (3, 12)},
        {"azimuth_range": ("150 deg", "-100 deg"), "npt": 9},
        {"ellipse": (1.2, 30.0), "units": "mrad", "radial_range": (2.0, 12.0), "center": (16, 30)},
        {"mask": l4.CircleROI(20, 20, 9)},
    ):
        tuning = TuningController(ones, "get_azimuthal_integral1d", (0, 0), splitting=None, **options)
        outcome = latest(tuning).outcomes[0]
        assert outcome.beside["covered"].sum() == outcome.result.data.sum()
        tuning.close()


def test_a_background_and_what_is_left_make_the_frame(s: l4.Diffraction2D) -> None:
    tuning = TuningController(s, "subtract_diffraction_background", (3, 2), method="radial mean", clip=True)
    outcome = latest(tuning).outcomes[0]
    plain = s.inav[3, 2].subtract_diffraction_background("radial mean").compute().data
    np.testing.assert_allclose(outcome.beside["background"] + plain, s.inav[3, 2].compute().data, atol=1e-4)
    assert outcome.result.data.min() == 0
    tuning.close()

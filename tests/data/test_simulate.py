"""Simulated scans: truths, noise, independence of blocks, selections, the detector."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.data import simulated_scan

KINDS = ["disk", "crystal", "grains", "strain"]


def whole(shape):
    return tuple(slice(0, n) for n in shape)


def read(scan, box, start, stop):
    out = np.full((stop - start, *scan.frame_shape), 99, scan.dtype)
    block = scan.open(box)
    block.read(start, stop, out, whole(scan.frame_shape))
    block.close()
    return out


def centers_of_mass(frames):
    y, x = np.mgrid[: frames.shape[-2], : frames.shape[-1]]
    total = frames.sum((-1, -2))
    return np.stack([(frames * y).sum((-1, -2)) / total, (frames * x).sum((-1, -2)) / total], -1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frame_shape", [(128, 128), (96, 160)])
def test_centre_of_mass_of_noise_free_frames_is_the_truth(kind, frame_shape):
    scan = simulated_scan((3, 4), frame_shape, kind=kind, noise=False, dtype="float64", descan=(5.0, -3.0), strain=0.01)
    truth = scan.truth
    measured = centers_of_mass(scan.as_array())
    np.testing.assert_allclose(measured, truth["center_of_mass"], atol=1e-3)
    np.testing.assert_allclose(measured, truth["beam_position"], atol=1e-3)


def test_background_and_halo_enter_the_true_centre_of_mass():
    options = dict(noise=False, dtype="float64", descan=4.0, background=0.3, halo=0.2)
    scan = simulated_scan((2, 3), (128, 128), kind="disk", **options)
    np.testing.assert_allclose(centers_of_mass(scan.as_array()), scan.truth["center_of_mass"], atol=1e-3)
    assert np.abs(scan.truth["center_of_mass"] - scan.truth["beam_position"]).max() > 0.1


def test_beam_travels_by_the_descan_about_the_centre():
    position = simulated_scan((5, 9), (32, 40), kind="disk", descan=(4, 2)).truth["beam_position"]
    np.testing.assert_allclose(position[2, 4], [16, 20])
    np.testing.assert_allclose(position[-1] - position[0], [[4, 0]] * 9, atol=1e-12)
    np.testing.assert_allclose(position[:, -1] - position[:, 0], [[0, 2]] * 5, atol=1e-12)
    shifts = np.random.default_rng(0).normal(size=(5, 9, 2))
    given_shifts = simulated_scan((5, 9), (32, 40), kind="disk", descan=shifts).truth["beam_position"]
    np.testing.assert_allclose(given_shifts, shifts + np.array([16, 20]))


@pytest.mark.parametrize(("dose", "dose_per"), [(3000.0, "frame"), (3.0, "pixel"), (0.2, "pixel")])
def test_noise_is_poisson_about_the_expected_counts(dose, dose_per):
    scan = simulated_scan((400,), (24, 30), kind="crystal", dose=dose, dose_per=dose_per, background=0.2, seed=2)
    expected = scan.noise_free("float64").select((slice(0, 1, 1),)).as_array()[0]
    frames = scan.as_array()
    assert frames.dtype == np.uint16
    z = (frames.mean(0) - expected) / np.sqrt(expected / len(frames))
    assert np.abs(z).max() < 5
    assert (frames.var(0) / expected).mean() == pytest.approx(1, abs=0.03)
    per_frame = dose * (24 * 30 if dose_per == "pixel" else 1)
    assert expected.sum() == pytest.approx(per_frame, rel=1e-6)


@pytest.mark.parametrize("dose", [500.0, 5000.0])  # drawn by electron, drawn by pixel
def test_a_frame_is_the_same_from_every_box(dose):
    scan = simulated_scan((4, 6), (20, 24), dose=dose, descan=3.0, seed=11)
    everything = scan.as_array()
    np.testing.assert_array_equal(read(scan, (slice(1, 3), slice(2, 6)), 0, 8), everything[1:3, 2:6].reshape(8, 20, 24))
    np.testing.assert_array_equal(
        read(scan, (slice(1, 3), slice(2, 6)), 3, 6), everything[1:3, 2:6].reshape(8, 20, 24)[3:6]
    )
    np.testing.assert_array_equal(read(scan, (slice(3, 4), slice(5, 6)), 0, 1)[0], everything[3, 5])
    assert not np.array_equal(everything[0, 0], everything[0, 1])
    assert not np.array_equal(everything, simulated_scan((4, 6), (20, 24), dose=dose, descan=3.0, seed=12).as_array())


SELECTIONS = st.tuples(
    *(
        st.tuples(st.integers(0, n - 1), st.integers(1, n), st.sampled_from([1, 2, 3, -1, -2])).map(
            lambda t: (
                slice(t[0], t[0] + t[1], t[2]) if t[2] > 0 else slice(t[0], None if t[0] < t[1] else t[0] - t[1], t[2])
            )
        )
        for n in (4, 5)
    )
)
SMALL = simulated_scan((4, 5), (8, 10), dose=200, descan=2.0)
SMALL_FRAMES = SMALL.as_array()


@settings(max_examples=40, deadline=None)
@given(SELECTIONS, SELECTIONS)
def test_selections_are_those_of_numpy(first, second):
    first = tuple(
        slice(s.start, None if s.stop is None else min(s.stop, n), s.step) for s, n in zip(first, (4, 5), strict=True)
    )
    chosen, frames = SMALL.select(first), SMALL_FRAMES[first]
    np.testing.assert_array_equal(chosen.as_array(), frames)
    np.testing.assert_array_equal(chosen.truth["beam_position"], SMALL.truth["beam_position"][first])
    again = tuple(slice(*s.indices(n)) for s, n in zip(second, chosen.nav_shape, strict=True))
    if all(s.step > 0 for s in second):
        np.testing.assert_array_equal(chosen.select(again).as_array(), frames[second])


def test_masks_keep_scan_order_and_can_be_selected_further():
    mask = np.random.default_rng(1).random((4, 5)) < 0.5
    chosen = SMALL.select((mask,))
    assert chosen.nav_shape == (mask.sum(),)
    np.testing.assert_array_equal(chosen.as_array(), SMALL_FRAMES[mask])
    np.testing.assert_array_equal(chosen.select((slice(4, None, -2),)).as_array(), SMALL_FRAMES[mask][4::-2])
    single = chosen.select((slice(2, 3, 1),)).drop_axes((0,))
    assert single.nav_shape == ()
    np.testing.assert_array_equal(single.as_array(), SMALL_FRAMES[mask][2])


def test_dropped_axes_keep_the_other_positions():
    row = SMALL.select((slice(2, 3, 1), slice(0, 5, 1))).drop_axes((0,))
    assert row.nav_shape == (5,)
    np.testing.assert_array_equal(row.as_array(), SMALL_FRAMES[2])
    np.testing.assert_array_equal(row.truth["center_of_mass"], SMALL.truth["center_of_mass"][2])
    np.testing.assert_array_equal(read(row, (slice(3, 5),), 1, 2)[0], SMALL_FRAMES[2, 4])


def test_selection_errors_say_what_fits():
    with pytest.raises(ValueError, match=r"expected a mask of shape \(4, 5\), got \(2,\)"):
        SMALL.select((np.ones(2, bool),))
    with pytest.raises(ValueError, match="expected one slice per axis"):
        SMALL.select((slice(0, 1, 1),))
    with pytest.raises(ValueError, match=r"expected axes of length 1, got axes \[0\]"):
        SMALL.drop_axes((0,))


@pytest.mark.parametrize("scan_shape", [(7,), (2, 3, 4)])
def test_scans_have_any_number_of_axes(scan_shape):
    scan = simulated_scan(scan_shape, (8, 8), kind="grains", descan=1.0)
    assert scan.as_array().shape == (*scan_shape, 8, 8)
    assert scan.truth["thickness"].shape == scan_shape
    assert scan.truth["center_of_mass"].shape == (*scan_shape, 2)


def test_a_scan_is_small_to_pickle_and_named_by_its_pixels():
    scan = simulated_scan((4000, 4000), (512, 512), descan=3.0)
    assert len(pickle.dumps(scan)) < 5000
    assert pickle.loads(pickle.dumps(scan)).token == scan.token
    others = [
        simulated_scan((4000, 4000), (512, 512), descan=3.0, seed=1),
        simulated_scan((4000, 4000), (512, 512), descan=2.0),
        scan.noise_free(),
        scan.select((slice(0, 8, 1), slice(0, 8, 1))),
    ]
    assert len({scan.token, *(other.token for other in others)}) == 5
    corner = scan.select((slice(3999, 4000, 1), slice(3998, 4000, 1)))
    assert corner.as_array().shape == (1, 2, 512, 512)
    np.testing.assert_allclose(corner.truth["beam_position"][0, 1], [257.5, 257.5])


def test_reading_in_another_process_or_order_changes_nothing():
    copy = pickle.loads(pickle.dumps(SMALL))
    backwards = [read(copy, (slice(0, 4), slice(0, 5)), i, i + 1)[0] for i in reversed(range(20))]
    np.testing.assert_array_equal(np.array(backwards[::-1]).reshape(SMALL_FRAMES.shape), SMALL_FRAMES)


def test_bad_pixels_gaps_and_saturation():
    options = dict(dead_pixels=4, hot_pixels=3, gap=2, saturation=255, dtype="uint8", dose=500, dose_per="pixel")
    scan = simulated_scan((2, 2), (34, 34), kind="disk", **options)
    truth, frames = scan.truth, scan.as_array()
    dead, hot = truth["dead_pixels"], truth["hot_pixels"]
    assert (frames[..., dead[:, 0], dead[:, 1]] == 0).all()
    assert (frames[..., hot[:, 0], hot[:, 1]] == 255).all()
    assert frames.max() == 255  # the beam is far beyond the counter
    good = truth["detector_mask"]
    cross = np.zeros((34, 34), bool)
    cross[16:18] = cross[:, 16:18] = True
    cross[dead[:, 0], dead[:, 1]] = cross[hot[:, 0], hot[:, 1]] = True
    np.testing.assert_array_equal(good, ~cross)
    assert len({tuple(p) for p in np.concatenate([dead, hot])}) == 7


def test_integer_expected_counts_are_rounded():
    scan = simulated_scan((1,), (16, 16), kind="crystal", noise=False, dose=1e4)
    np.testing.assert_array_equal(scan.noise_free("uint16").as_array(), np.rint(scan.as_array()))


def test_calibration_follows_the_frame():
    parameters = simulated_scan((2, 2), (128, 256), scan_scale=0.5, beam_energy="300 kV").signal_parameters
    assert parameters == {
        "scale": 0.04,
        "units": "1/Å",
        "scan_scale": 0.5,
        "scan_units": "nm",
        "beam_energy": "300 kV",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "cube"}, "expected kind to be one of .*'grains'.*, got 'cube'"),
        ({"dose_per": "second"}, "expected dose_per='frame' or 'pixel', got 'second'"),
        ({"dose": 0}, "dose=0"),
        ({"background": 0.7, "halo": 0.5}, r"background=0.7, halo=0.5"),
        ({"descan": np.zeros((3, 2))}, r"array \(4, 5, 2\), got \(3, 2\)"),
        ({"scan_shape": (0, 5)}, r"positive sizes, got \(0, 5\)"),
        ({"frame_shape": (0, 5)}, r"positive sizes, got .*\(0, 5\)"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        simulated_scan(**{"scan_shape": (4, 5), "frame_shape": (8, 8), **options})

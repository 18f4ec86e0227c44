"""Vectors found in scans: lazily, the same for any cutting and scheduler, none in missing frames; previews; errors."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask.base import tokenize
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.data.spots import Spots, expected_counts
from lazy4d.kernels.peak_vectors import find_vectors
from lazy4d.signals.peaks.searching import make_search

SHAPE = (96, 80)
CENTERS = np.array([[30.3, 22.8], [30.9, 55.2], [62.6, 24.4], [70.2, 60.7], [48.1, 40.0]])
ELECTRONS = np.array([9000.0, 4000, 3000, 1500, 30000])


def disks(radius: float = 6.0, share: float = 1.0, background: float = 1.0) -> NDArray[np.float64]:
    return expected_counts(Spots(CENTERS, ELECTRONS * share, radius, background=background * 96 * 80), SHAPE)


@pytest.fixture(scope="module")
def scan() -> NDArray[np.uint16]:
    values = np.random.default_rng(0).poisson(disks(), (3, 4, *SHAPE)).astype(np.uint16)
    values[1, 2] = 0
    values.flags.writeable = False
    return values


def matched(found: Any, number: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Offsets of the vectors of a frame from the nearest disk each, and which that is."""
    frame = found.frame(number)
    places = np.column_stack([frame["ky"], frame["kx"]])
    apart = np.hypot(*(places[:, None] - CENTERS).transpose(2, 0, 1))
    return places - CENTERS[apart.argmin(axis=1)], apart.argmin(axis=1)


@pytest.mark.parametrize("subpixel", ["parabola", "dft", "center_of_mass", None])
def test_all_disks_are_found_between_pixels_with_their_electrons(subpixel: str | None, scan: Any) -> None:
    v = l4.Diffraction2D(scan).get_diffraction_vectors(disk_r=6, subpixel=subpixel).compute()
    assert v.columns == ("ky", "kx", "intensity", "score")
    assert (v.ragged.counts == [5, 5, 5, 5, 5, 5, 0, 5, 5, 5, 5, 5]).all()
    limit = {"parabola": 0.05, "dft": 0.05, "center_of_mass": 0.07, None: 0.36}[subpixel]
    offsets, which = (np.concatenate(one) for one in zip(*(matched(v.ragged, k) for k in range(12)), strict=True))
    assert np.sqrt((offsets**2).mean()) < limit
    assert np.abs(v.ragged["intensity"] / ELECTRONS[which] - 1).max() < 0.12
    assert (v.ragged["score"] > 0.75).all()
    assert which[:5].tolist() == [4, 0, 1, 2, 3], "the highest first"


OPTIONS: dict[str, dict[str, Any]] = {
    "template": {"disk_r": 6},
    "smooth": {"disk_r": "6 px", "template": "smooth"},
    "gradient": {"disk_r": 6, "template": "gradient"},
    "difference": {"method": "difference_of_gaussian", "disk_r": 6},
    "laplacian": {"method": "laplacian_of_gaussian", "disk_r": 6},
    "square root": {"disk_r": 6, "filter": "square_root"},
    "blurred": {"disk_r": 6, "sigma": 1},
    "hybrid": {"disk_r": 6, "power": 0.8},
    "maxima": {"method": "local_max", "sigma": 3, "min_distance": 8, "threshold_abs": 4.0},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_method_finds_the_disks(name: str, scan: Any) -> None:
    v = l4.Diffraction2D(scan[0, :1]).get_diffraction_vectors(**OPTIONS[name]).compute()
    offsets, which = matched(v.ragged, 0)
    assert sorted(which) == [0, 1, 2, 3, 4]
    assert np.abs(offsets).max() < (0.8 if name == "maxima" else 0.35)


def test_a_picture_of_the_probe_finds_disks_at_its_centre(scan: Any) -> None:
    probe = expected_counts(Spots(np.array([[14.3, 11.6]]), np.array([1e4]), 6.0), (29, 25))
    s = l4.Diffraction2D(scan)
    for given in (probe, l4.Signal2D(probe)):
        v = s.get_diffraction_vectors(template=given, subpixel="dft").compute()
        offsets = np.concatenate([matched(v.ragged, k)[0] for k in range(12)])
        assert np.abs(offsets.mean(axis=0)).max() < 0.05
        assert v.ragged.counts[0] == 5


def test_low_dose_and_noise_alone(scan: Any) -> None:
    rng = np.random.default_rng(4)
    weak = l4.Diffraction2D(rng.poisson(disks(share=0.01, background=0.02), (20, *SHAPE)).astype(np.uint16))
    v = weak.get_diffraction_vectors(disk_r=6).compute()
    found = np.concatenate([matched(v.ragged, k)[1] for k in range(20)])
    assert (np.bincount(found, minlength=5)[[4, 0]] >= 18).all(), "300 and 90 electrons in a disk"
    assert np.abs(np.concatenate([matched(v.ragged, k)[0] for k in range(20)])).max() < 3
    noise = l4.Diffraction2D(rng.poisson(3.0, (20, *SHAPE)).astype(np.uint16))
    assert noise.get_diffraction_vectors(disk_r=6).compute().ragged.total <= 2
    assert noise.get_diffraction_vectors(disk_r=6, significance=2).compute().ragged.total > 20


def test_a_slope_and_a_step_are_no_disks() -> None:
    y, x = np.mgrid[:96, :80]
    frames = np.stack([10 * y + 3 * x, np.where(x < 40, 0, 100), np.full(SHAPE, 7), np.zeros(SHAPE, int)])
    s = l4.Diffraction2D(frames.astype(np.uint16))
    assert s.get_diffraction_vectors(disk_r=6, edge=0).compute().ragged.total == 0


def test_building_computes_nothing_and_notes_what_was_asked(scan: Any, no_compute: Any) -> None:
    s = l4.Diffraction2D(scan, title="gold")
    s.set_calibration(scale=0.1, units="1/Å")
    with no_compute:
        v = s.get_diffraction_vectors(disk_r=0.6, min_distance="0.8 1/Å", max_peaks=4, mask=l4.CircleROI(40, 48, 90))
        p = s.find_peaks(threshold_abs=20, sigma="2 px")
    assert v.lazy
    assert v.title == "vectors of gold"
    entry = v.history[-1]
    assert entry.op == "get_diffraction_vectors"
    assert entry.params["disk_r"] == pytest.approx(6)
    assert entry.params["min_distance"] == pytest.approx(8)
    assert p.history[-1].op == "find_peaks"
    assert p.columns == ("ky", "kx", "intensity")
    computed = v.compute()
    assert computed.ragged.counts.max() == 4
    assert [axis.scale for axis in computed.frame_axes] == [0.1, 0.1]


def same(a: Any, b: Any) -> None:
    assert (a.offsets == b.offsets).all()
    for name in a.names:
        np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("subpixel", ["parabola", "dft"])
def test_the_same_vectors_for_any_cutting(scan: Any, subpixel: str) -> None:
    whole = l4.Diffraction2D(scan).get_diffraction_vectors(disk_r=6, subpixel=subpixel).compute().ragged
    for chunks in ((1, 4), (2, 3), (1, 1)):
        s = l4.Diffraction2D(scan).rechunk(chunks)
        same(s.get_diffraction_vectors(disk_r=6, subpixel=subpixel).compute().ragged, whole)
    same(l4.Diffraction2D(scan[1]).get_diffraction_vectors(disk_r=6, subpixel=subpixel).compute().ragged,
         whole.take(slice(4, 8)))  # fmt: skip


def test_the_same_vectors_on_any_scheduler(scan: Any, scheduler: str) -> None:
    s = l4.Diffraction2D(scan).rechunk((1, 4))
    found = s.get_diffraction_vectors(disk_r=6).compute()
    assert found.ragged.total == 55


MORE = [pytest.param(name, marks=pytest.mark.slow) for name in ("int16", "uint32", "int64", "float64", "float16")]


@pytest.mark.parametrize("dtype", ["bool", "float32", *MORE])
def test_any_dtype_gives_the_same_places(scan: Any, dtype: str) -> None:
    frame = np.minimum(scan[0, 0], 200) if dtype != "bool" else scan[0, 0] > 8
    v = l4.Diffraction2D(frame.astype(dtype)[None]).get_diffraction_vectors(disk_r=6).compute().ragged
    reference = l4.Diffraction2D(frame.astype("uint16")[None]).get_diffraction_vectors(disk_r=6).compute().ragged
    for name in v.names:
        np.testing.assert_allclose(v[name], reference[name], rtol=1e-4)


@pytest.mark.parametrize("nav", [(), (5,), (2, 2, 3)])
def test_any_number_of_navigation_axes(nav: tuple[int, ...], scan: Any) -> None:
    frames = np.broadcast_to(scan[0, 0], (*nav, *SHAPE))
    v = l4.Diffraction2D(frames) if nav else l4.Signal2D(frames)
    found = v.find_peaks("template", disk_r=6).compute()
    assert found.nav_shape == nav
    assert (found.ragged.counts == 5).all()


def test_missing_frames_have_no_vectors(scan: Any) -> None:
    valid = np.ones((3, 4), bool)
    valid[0, 1] = False
    s = l4.Diffraction2D(scan, valid=valid)
    counts = s.get_diffraction_vectors(disk_r=6).compute().ragged.counts
    assert counts.tolist() == [5, 0, 5, 5, 5, 5, 0, 5, 5, 5, 5, 5]


def test_pixels_that_do_not_count(scan: Any) -> None:
    frame = scan[0, 0].astype(np.float32)
    stop = np.zeros(SHAPE, bool)
    stop[44:50, 36:] = True  # a beam stop over half of the direct beam, and 3 hot pixels
    hot = np.zeros(SHAPE, bool)
    hot[[31, 63, 20], [24, 20, 70]] = True
    spoiled = np.where(hot, 60000, np.where(stop, 0, frame))
    found = {
        "masked": l4.Diffraction2D(spoiled[None]).get_diffraction_vectors(disk_r=6, mask=~(stop | hot)),
        "nan": l4.Diffraction2D(np.where(stop | hot, np.nan, frame)[None]).get_diffraction_vectors(disk_r=6),
    }
    for v in found.values():
        offsets, which = matched(v.compute().ragged, 0)
        assert sorted(which) == [0, 1, 2, 3, 4]
        assert np.hypot(*offsets.T).max() < 0.25
    same(found["masked"].compute().ragged, found["nan"].compute().ragged)
    roi = l4.Diffraction2D(scan[0, :1]).get_diffraction_vectors(disk_r=6, mask=l4.RectangleROI(0, 0, 40, 96)).compute()
    assert (roi.ragged["kx"] < 45).all()


def test_disks_at_the_edge() -> None:
    places = np.array([[1.4, 40.3], [50.2, 78.1], [48.0, 30.0]])
    mean = expected_counts(Spots(places, np.full(3, 2e4), 6.0, background=5.0 * 96 * 80), SHAPE)
    s = l4.Diffraction2D(np.random.default_rng(0).poisson(mean, (4, *SHAPE)).astype(np.uint16))
    assert s.get_diffraction_vectors(disk_r=6).compute().ragged.counts.tolist() == [1] * 4
    assert s.get_diffraction_vectors(disk_r=6, edge=6).compute().ragged.counts.tolist() == [1] * 4
    cut = s.get_diffraction_vectors(disk_r=6, edge=1).compute().ragged
    assert cut.counts.tolist() == [3] * 4
    for place in places:
        errors = [np.hypot(cut.frame(k)["ky"] - place[0], cut.frame(k)["kx"] - place[1]).min() for k in range(4)]
        assert max(errors) < 0.1


def test_thresholds_select(scan: Any) -> None:
    s = l4.Diffraction2D(scan[0, :1])

    def number(**options: Any) -> int:
        return int(s.get_diffraction_vectors(disk_r=6, **options).compute().ragged.total)

    assert [number(threshold_rel=rel) for rel in (0.0, 0.09, 0.12, 0.25, 1.0)] == [5, 4, 3, 2, 1]
    assert [number(threshold_rel=0.4, relative_to=k) for k in ("strongest", 1, 2, 3)] == [1, 1, 3, 4]
    assert [number(max_peaks=k) for k in (1, 3, 9)] == [1, 3, 5]
    assert number(min_distance=26) == 2
    assert number(threshold_abs=1.0) == 0
    assert number(threshold_abs=-1.0, significance=0) > 10
    assert number(prominence=1e9) == 1


def test_there_is_room_for_every_peak(scan: Any) -> None:
    noise = l4.Diffraction2D(np.random.default_rng(0).poisson(9.0, (1, 128, 128)).astype(np.uint16))
    assert noise.find_peaks(max_peaks=50).compute().ragged.total == 50
    every = noise.find_peaks().compute().ragged.total
    assert 1000 < every < 128 * 128 / 4
    assert noise.find_peaks(min_distance=3).compute().ragged.total < every
    chess = np.zeros((1, 9, 11), "f4")
    chess[:, ::2, ::2] = np.random.default_rng(0).random((5, 6)) + 1
    for apart, number in ((0, 30), (2, 30), (1, 30)):
        assert l4.Diffraction2D(chess).find_peaks(min_distance=apart).compute().ragged.total == number


@pytest.mark.slow  # compiled for float64 too
def test_peaks_of_maps_and_of_numbers_that_float32_does_not_hold(scan: Any) -> None:
    assert l4.Diffraction2D(scan).get_total_intensity().T.find_peaks().compute().ragged.n_frames == 1
    image = np.zeros((5, 6))
    image[1, 1], image[1, 2], image[3, 4] = 1e9, 1e9 + 1, 1e9 + 2
    found = l4.Signal2D(image).find_peaks(min_distance=0).compute().ragged
    assert found["intensity"].tolist() == [1e9 + 2, 1e9 + 1]


def test_peaks_of_an_image_are_those_above_a_threshold() -> None:
    image = np.zeros((9, 12), "f4")
    image[2, 3], image[2, 4], image[6, 8], image[6, 7], image[0, 11] = 5, 5, 9, 4, 2
    peaks = l4.Signal2D(image).find_peaks(subpixel=None).compute().ragged
    assert [(int(y), int(x), v) for y, x, v in zip(*(peaks[n] for n in peaks.names), strict=True)] == [
        (6, 8, 9.0), (2, 3, 5.0), (0, 11, 2.0),
    ]  # fmt: skip
    assert l4.Signal2D(image).find_peaks(threshold_abs=5).compute().ragged.total == 1
    assert l4.Signal2D(image).find_peaks(prominence=3).compute().ragged.total == 2
    assert l4.Signal2D(np.full((4, 4), np.nan, "f4")).find_peaks().compute().ragged.total == 0


def test_a_preview_is_what_the_search_finds(scan: Any) -> None:
    s = l4.Diffraction2D(scan)
    options: dict[str, Any] = {"disk_r": 6, "min_distance": 20, "mask": l4.CircleROI(40, 48, 45)}
    whole = s.get_diffraction_vectors(**options).compute().inav[3, 1]
    preview = s.preview_vectors((3, 1), **options)
    same(preview.vectors.ragged, whole.ragged)
    assert preview.frame.dtype == np.uint16
    np.testing.assert_array_equal(preview.frame, scan[1, 3])
    assert preview.mask.shape == preview.correlation.shape == preview.score_image.shape == SHAPE
    assert not preview.mask.all()
    found = preview.candidates
    assert (np.diff(found["height"]) <= 0).all()
    accepted = found["reason"] == "accepted"
    assert accepted.sum() == preview.vectors.ragged.total
    np.testing.assert_allclose(
        preview.score_image[found["ky"], found["kx"]][accepted], preview.vectors.ragged["score"], atol=2e-6
    )
    assert "no more significant than noise" in preview.refused()
    assert f"{accepted.sum()} vectors in" in repr(preview)
    assert 0 < preview.milliseconds < 1e4
    s.axes_manager["x"].index = 2
    assert s.preview_vectors(disk_r=6).frame.max() == scan[0, 2].max()
    assert l4.Signal2D(scan[0, 0]).inav[()].shape == SHAPE


def test_a_preview_is_drawn(scan: Any, tmp_path: Path) -> None:
    s = l4.Diffraction2D(scan)
    for options in (
        {"disk_r": 6}, {"disk_r": 6, "filter": "square_root", "mask": scan[0, 0] < 400}, {"method": "local_max"},
    ):  # fmt: skip
        figure = s.preview_vectors((1, 0), **options).plot(dpi=40)
        figure.savefig(tmp_path / "preview.png")
        assert "vectors in" in figure._suptitle.get_text()
    assert s.preview_vectors((2, 1), disk_r=6).plot(dpi=40).axes[0].get_title(loc="left") == "frame, 0 vectors"


def test_a_search_travels_small_and_has_a_name(scan: Any) -> None:
    s = l4.Diffraction2D(scan)
    search, room, _ = make_search(s, "template", disk_r=6)
    out, count = np.empty((4, room, 4)), np.empty(4, np.int64)
    find_vectors(scan[0], search, out, count)
    sent = pickle.dumps(search)
    assert len(sent) < 20_000
    again = np.empty_like(out)
    find_vectors(scan[0], pickle.loads(sent), again, count)
    np.testing.assert_array_equal(out[0, :5], again[0, :5])
    assert tokenize(search) == tokenize(make_search(s, "template", disk_r=6)[0])
    assert tokenize(search) != tokenize(make_search(s, "template", disk_r=6, significance=4)[0])
    find_vectors(scan[0, :0], search, out[:0], count[:0])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "method": ({"method": "magic"}, "'magic' is not known: expected one of 'template'"),
    "no radius": ({}, "needs disk_r="),
    "radius": ({"disk_r": -1}, "above 0"),
    "large radius": ({"disk_r": 60}, "larger than the frames"),
    "template": ({"disk_r": 6, "template": "square"}, "'square' is not known"),
    "template and radius": ({"disk_r": 6, "template": np.eye(5)}, "an array says itself"),
    "template of a blob": ({"method": "laplacian_of_gaussian", "template": np.eye(5)}, "is for method='template'"),
    "radius of a maximum": ({"method": "local_max", "disk_r": 6}, "looks for no picture"),
    "score": ({"disk_r": 6, "threshold_abs": 50}, "a score in \\[-1, 1\\]"),
    "text": ({"disk_r": 6, "threshold_abs": "a"}, "finite number as threshold_abs"),
    "share": ({"disk_r": 6, "threshold_rel": 2}, "a share in \\[0, 1\\]"),
    "significance": ({"disk_r": 6, "significance": -1}, "number of standard errors"),
    "significance of maxima": ({"method": "local_max", "significance": 3}, "does not look for"),
    "relative": ({"disk_r": 6, "relative_to": 0}, "relative_to as a whole number"),
    "distance": ({"disk_r": 6, "min_distance": -3}, "min_distance as a length of at least 0"),
    "edge": ({"disk_r": 6, "edge": 48}, "leaves nothing"),
    "negative edge": ({"disk_r": 6, "edge": -1}, "edge as a length"),
    "number": ({"disk_r": 6, "max_peaks": 2.5}, "max_peaks as a whole number"),
    "prominence": ({"disk_r": 6, "prominence": -1}, "prominence of at least 0"),
    "subpixel": ({"disk_r": 6, "subpixel": "spline"}, "'spline' is not known"),
    "subpixel of maxima": ({"method": "local_max", "subpixel": "dft"}, "for maxima of the frames themselves"),
    "upsample": ({"disk_r": 6, "upsample": 1}, "points a pixel from 2"),
    "mask": ({"disk_r": 6, "mask": np.ones((80, 96), bool)}, "bool array of the frame's shape"),
    "filter": ({"disk_r": 6, "filter": "median"}, "'median' is not known"),
    "sigma": ({"disk_r": 6, "sigma": -1}, "sigma as a length"),
    "power": ({"disk_r": 6, "power": 2}, "power in \\[0, 1\\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_say_what_was_expected(name: str, scan: Any) -> None:
    options, text = WRONG[name]
    with pytest.raises(ValueError, match=text):
        l4.Diffraction2D(scan).get_diffraction_vectors(**options)


def test_previews_are_of_one_frame(scan: Any) -> None:
    s = l4.Diffraction2D(scan)
    with pytest.raises(ValueError, match="one number for each of 2 navigation axes"):
        s.preview_vectors(3, disk_r=6)
    with pytest.raises(ValueError, match="a position of one frame"):
        s.preview_vectors((slice(0, 2), 1), disk_r=6)
    with pytest.raises(TypeError, match="unexpected keyword"):
        s.find_peaks(radius=3)


def test_grains_of_a_simulated_scan_have_their_reflections() -> None:
    scan = simulated_scan((4, 4), (128, 128), kind="crystal", dose=2e5, background=0.1)
    v = l4.Diffraction2D(scan.as_array()).get_diffraction_vectors(disk_r=float(scan.disk_radius)).compute()
    assert v.ragged.counts.min() > 20
    beam = scan.truth["beam_position"].reshape(-1, 2)
    first = v.ragged.offsets[:-1]
    found = np.column_stack([v.ragged["ky"], v.ragged["kx"]])[first]
    assert np.abs(found - beam).max() < 0.05

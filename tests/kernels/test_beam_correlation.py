"""Kernels that find the direct beam by its picture: against definitions written out, and known positions."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazy4d.kernels import beam_correlation, beam_correlation_blur, beam_correlation_phase, beam_correlation_search
from lazy4d.kernels.beam_correlation_blur import blur_cell_size, blur_template
from lazy4d.kernels.beam_correlation_search import cell_size, coarse_plan
from lazy4d.kernels.templates import TEMPLATES, Template, disk_template, edge_template, given_template

NO_MASK = np.empty((0, 0), np.uint8)
DTYPES = ("u1", "u2", "u4", "f4")


def drawn(shape: tuple[int, int], centers: Any, radius: float) -> NDArray[np.float64]:
    """Disks of height 1 with edges one pixel soft, one a frame."""
    y, x = np.indices(shape)
    return np.array([np.clip(radius - np.hypot(y - cy, x - cx) + 0.5, 0, 1) for cy, cx in centers])


def whole(frames: NDArray[Any]) -> NDArray[np.int64]:
    return np.array([0, frames.shape[1], 0, frames.shape[2]])


def cross(
    frames: NDArray[Any],
    template: Template,
    points: int = 1,
    mask: NDArray[np.uint8] = NO_MASK,
    window: Any = None,
    low: float = -np.inf,
    background: float = 0.0,
    cell: int | None = None,
) -> NDArray[np.float64]:
    edges = whole(frames) if window is None else np.array(window)
    plan = coarse_plan(template, cell or cell_size(template.radius), edges, mask)
    out = np.full((len(frames), 3), 99.0)
    before = frames.copy()
    beam_correlation.cross_correlation(frames, edges, mask, low, background, template, plan, points, out)
    np.testing.assert_array_equal(frames, before)
    return out


def blurred(
    frames: NDArray[Any],
    radius: float,
    mask: NDArray[np.uint8] = NO_MASK,
    window: Any = None,
    low: float = -np.inf,
    background: float = 0.0,
) -> NDArray[np.float64]:
    edges = whole(frames) if window is None else np.array(window)
    plan = coarse_plan(blur_template(radius), blur_cell_size(radius), edges, mask)
    out = np.full((len(frames), 3), 99.0)
    beam_correlation_blur.blurred_maximum(frames, edges, mask, low, background, radius, plan, out)
    return out


def phase(
    frames: NDArray[Any],
    picture: NDArray[Any],
    center: Any = (np.nan, np.nan),
    *,
    alone: bool,
    power: float = 0.5,
    points: int = 1,
    mask: NDArray[np.uint8] = NO_MASK,
    window: Any = None,
    low: float = -np.inf,
    background: float = 0.0,
) -> NDArray[np.float64]:
    edges = whole(frames) if window is None else np.array(window)
    out = np.full((len(frames), 3), 99.0)
    beam_correlation_phase.phase_correlation(
        frames, edges, mask, low, background, picture, np.array(center, float), alone, power, points, out
    )
    return out


def everywhere(frame: NDArray[Any], template: Template, counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """C / √V and the score of a template at every pixel, [2, ky, kx]: least squares over the pixels that count."""
    size, half = len(template.values), template.half

    def under(image: NDArray[Any]) -> NDArray[Any]:
        return np.lib.stride_tricks.sliding_window_view(np.pad(image, half), (size, size))

    seen = under(counts) & template.support
    number = np.maximum(seen.sum(axis=(2, 3)), 1)[..., None, None]

    def spread(values: NDArray[Any]) -> NDArray[np.float64]:
        values = np.where(seen, values, 0)
        return np.where(seen, values - values.sum(axis=(2, 3), keepdims=True) / number, 0)

    values, pixels = spread(np.broadcast_to(template.values, seen.shape)), spread(under(frame.astype(float)))
    known, varied = (values**2).sum(axis=(2, 3)), (pixels**2).sum(axis=(2, 3))
    covariance = (values * pixels).sum(axis=(2, 3))
    usable = (known > 0.1 * (template.values**2).sum()) & (varied > 1e-9)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(usable, covariance / np.sqrt(known * varied), 0)
        strength = covariance / np.sqrt(known)
        if not template.flat:
            product = (np.where(seen, template.values, 0) * under(frame.astype(float))).sum(axis=(2, 3))
            strength = product / np.sqrt(np.where(seen, template.values**2, 0).sum(axis=(2, 3)))
    return np.array([np.where(usable, strength, 0), score])


def beams(dtype: str, shape: tuple[int, int] = (23, 30), radius: float = 3.2, n: int = 5) -> tuple[Any, Any]:
    """Noisy frames with a beam and a weaker disk beside it, and where the beam is."""
    rng = np.random.default_rng(5)
    centers = np.array(shape) / 2 + rng.uniform(-3, 3, (n, 2))
    frames = rng.poisson(40 * drawn(shape, centers, radius) + 10 * drawn(shape, np.add(centers, (7, 5)), radius) + 2)
    return frames.astype(dtype), centers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_the_place_is_that_of_the_best_fit_and_the_score_its_correlation(name: str, dtype: str) -> None:
    template = TEMPLATES[name](3.2)
    frames, _ = beams(dtype)
    found = cross(frames, template, points=0)
    for frame, (y, x, score) in zip(frames, found, strict=True):
        strength, scores = everywhere(frame, template, np.ones(frame.shape, bool))
        assert (y, x) == np.unravel_index(strength.argmax(), frame.shape)
        assert score == pytest.approx(scores[int(y), int(x)], rel=1e-9)


@pytest.mark.parametrize("radius", [2.0, 5.3, 12.0])
def test_the_place_is_the_maximum_of_the_plain_correlation(radius: float) -> None:
    """By Fourier transforms of scipy, where nothing is cut."""
    from scipy.signal import fftconvolve

    frames, _ = beams("u2", (93, 104), radius, 6)
    template = edge_template(radius)
    for frame, (y, x, _) in zip(frames, cross(frames, template, 0), strict=True):
        plain = fftconvolve(frame.astype(float), template.values[::-1, ::-1], "same")
        half = template.half
        inner = plain[half:-half, half:-half]
        assert (y - half, x - half) == np.unravel_index(inner.argmax(), inner.shape)


def test_phase_correlation_agrees_with_scikit_image() -> None:
    registration = pytest.importorskip("skimage.registration")
    rng = np.random.default_rng(0)
    moves = rng.uniform(-5, 5, (4, 2))
    y, x = np.indices((64, 64))
    frames = np.array([np.exp(-((y - 31 - a) ** 2 + (x - 33 - b) ** 2) / 18) for a, b in [(0, 0), *moves]])
    found = phase(frames[1:], frames[0], (31.0, 33.0), alone=False, power=1.0, points=50)
    theirs = [
        registration.phase_cross_correlation(f, frames[0], upsample_factor=50, normalization=None) for f in frames
    ]
    np.testing.assert_allclose(found[:, :2] - (31, 33), [one[0] for one in theirs[1:]], atol=0.03)
    np.testing.assert_allclose(found[:, :2] - (31, 33), moves, atol=0.02)


@pytest.mark.parametrize("name", ["edge", "disk"])
def test_masked_pixels_leave_the_best_fit_of_the_rest(name: str) -> None:
    template = TEMPLATES[name](3.2)
    frames, centers = beams("u2")
    mask = np.random.default_rng(1).random(frames.shape[1:]) > 0.2
    spoilt = np.where(mask, frames, 60000).astype("u2")
    found = cross(spoilt, template, 0, mask.view(np.uint8))
    np.testing.assert_array_equal(found, cross(np.where(mask, frames, 0), template, 0, mask.view(np.uint8)))
    for frame, (y, x, score), center in zip(frames, found, centers, strict=True):
        scores = everywhere(frame, template, mask)[1]
        near = np.hypot(*(np.indices(frame.shape) - np.reshape(center, (2, 1, 1)))) < 3
        assert (y, x) == np.unravel_index(np.where(near, scores, -1).argmax(), frame.shape)
        assert score == pytest.approx(scores[int(y), int(x)], rel=1e-9)


def test_the_parabola_goes_through_the_neighbours_of_the_best_fit() -> None:
    template = edge_template(3.2)
    frames, _ = beams("u2")
    for frame, (y, x, _), (v, u, _) in zip(frames, cross(frames, template), cross(frames, template, 0), strict=True):
        d = everywhere(frame, template, np.ones(frame.shape, bool))[0][int(v) - 1 : int(v) + 2, int(u) - 1 : int(u) + 2]
        assert y - v == pytest.approx((d[2, 1] - d[0, 1]) / (4 * d[1, 1] - 2 * d[0, 1] - 2 * d[2, 1]), abs=1e-9)
        assert x - u == pytest.approx((d[1, 2] - d[1, 0]) / (4 * d[1, 1] - 2 * d[1, 0] - 2 * d[1, 2]), abs=1e-9)


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_how_coarse_the_first_look_is_does_not_matter(cell: int) -> None:
    frames, _ = beams("u2", (41, 52), 7.3, 12)
    np.testing.assert_array_equal(cross(frames, edge_template(7.3), cell=cell), cross(frames, edge_template(7.3)))


def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All compiled functions of the modules as plain Python."""
    for module in (beam_correlation, beam_correlation_blur, beam_correlation_search):
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(sys.modules[module.__name__], name, value.py_func)


@pytest.mark.parametrize("dtype", DTYPES)
def test_compiled_and_interpreted_give_the_same(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, _ = beams(dtype, (17, 20), 2.0, 2)
    mask = (np.random.default_rng(1).random(frames.shape[1:]) > 0.1).astype(np.uint8)
    cases = [{}, {"mask": mask, "low": 1.0, "background": 0.5, "window": (2, 16, 1, 18)}, {"background": 2.0}]

    def results() -> list[NDArray[np.float64]]:
        return [f for k in cases for f in (cross(frames, edge_template(2.0), **k), blurred(frames, 2.0, **k))]  # type: ignore[arg-type]

    compiled = results()
    interpreted(monkeypatch)
    for one, other in zip(compiled, results(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6)


METHODS = {
    "edge": lambda f, **k: cross(f, edge_template(4.0), **k),
    "edge dft": lambda f, **k: cross(f, edge_template(4.0), 16, **k),
    "disk dft": lambda f, **k: cross(f, disk_template(4.0), 16, **k),
    "picture": lambda f, **k: cross(f, given_template(drawn((20, 24), [(9, 11)], 4.0)[0]), 16, **k),
    "phase": lambda f, **k: phase(
        f, disk_template(4.0).values, [disk_template(4.0).half] * 2, alone=True, points=16, **k
    ),
    "blur": lambda f, **k: blurred(f, 4.0, **k),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_shape_finds_the_beam(name: str, dtype: str) -> None:
    centers = [(14.3, 22.8), (17.6, 30.1), (20.0, 17.5)]
    frames = (drawn((33, 47), centers, 4.0) * 100 + 2).astype(dtype)
    found = METHODS[name](frames)
    np.testing.assert_allclose(found[:, :2], centers, atol=0.06)
    assert ((found[:, 2] > 0.2) & (found[:, 2] <= 1)).all()
    turned = METHODS[name](np.ascontiguousarray(frames.transpose(0, 2, 1)))
    np.testing.assert_allclose(turned[:, 1::-1], found[:, :2], atol=2e-3)
    top = np.iinfo(dtype).max if dtype[0] == "u" else 2.0**60
    saturated = (drawn((33, 47), centers, 4.0) > 0.5).astype(dtype) * np.array(top, dtype)
    np.testing.assert_allclose(METHODS[name](saturated)[:, :2], centers, atol=0.2)


@pytest.mark.parametrize("name", METHODS)
def test_frames_without_a_beam_are_nan(name: str) -> None:
    find = METHODS[name]
    for value in (0, 7, 65535):
        assert np.isnan(find(np.full((2, 33, 47), value, "u2"))).all()
    assert np.isnan(find(np.full((2, 33, 47), 0.1, "f4"))).all()
    assert find(np.empty((0, 33, 47), "u2")).shape == (0, 3)
    frames = drawn((33, 47), [(14.3, 22.8)] * 3, 4.0).astype("f4")
    frames[0, 3, 4], frames[1, 3, 4] = np.nan, np.inf
    found = find(frames)
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2]).all()
    mask = np.ones((33, 47), np.uint8)
    mask[3, 4] = 0
    np.testing.assert_allclose(find(frames, mask=mask)[:, :2], [(14.3, 22.8)] * 3, atol=0.06)


@pytest.mark.parametrize("name", METHODS)
def test_a_frame_alone_gives_the_same_bits_as_in_a_tile(name: str) -> None:
    frames, _ = beams("u2", (33, 47), 4.0, 7)
    together = METHODS[name](frames)
    for i in range(7):
        np.testing.assert_array_equal(METHODS[name](frames[i : i + 1])[0], together[i])


@pytest.mark.parametrize("name", METHODS)
def test_windows_thresholds_and_backgrounds(name: str) -> None:
    centers = [(14.3, 22.8), (16.6, 25.1)]
    frames = 50 * drawn((40, 60), centers, 4.0) + 90 * drawn((40, 60), [(14, 50), (30, 52)], 4.0) + 10
    frames[:, :3] = np.nan  # outside of the window: never read
    window = (5, 28, 8, 40)
    plain = METHODS[name](frames, window=window)
    np.testing.assert_allclose(plain[:, :2], centers, atol=0.08)
    np.testing.assert_allclose(METHODS[name](frames, window=window, background=10.0)[:, :2], centers, atol=0.08)
    cut = METHODS[name](frames, window=window, background=10.0, low=20.0)
    np.testing.assert_allclose(cut[:, :2], centers, atol=0.12)


@pytest.mark.parametrize("name", ["edge", "edge dft", "picture"])
def test_an_even_background_and_the_scale_change_nothing(name: str) -> None:
    centers = np.random.default_rng(0).uniform(12, 20, (10, 2))
    frames = drawn((33, 35), centers, 4.0)
    plain = METHODS[name](frames)
    np.testing.assert_allclose(METHODS[name](frames + 100)[:, :2], plain[:, :2], atol=1e-6)
    np.testing.assert_allclose(METHODS[name](frames * 1e5), plain, atol=1e-6)
    np.testing.assert_allclose(METHODS[name](frames * 1e-5), plain, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "most"), [("edge", 0.06), ("edge dft", 0.03), ("disk dft", 0.03), ("picture", 0.03), ("phase", 0.22)]
)
def test_beams_cut_by_the_edge_are_not_pulled_by_what_is_beyond(name: str, most: float) -> None:
    """At least half of the disk is seen; nothing comes round from the opposite edge."""
    rng = np.random.default_rng(3)
    centers = np.concatenate([rng.uniform((0, 10), (4, 37), (20, 2)), rng.uniform((10, 42), (23, 46), (20, 2))])
    frames = drawn((33, 47), centers, 4.0) * 100 + 20
    frames[:, 26:, 5:12] += 30  # on the other side
    error = METHODS[name](frames)[:, :2] - centers
    assert np.sqrt((error**2).mean()) < most
    assert np.abs(error).max() < 4 * most


def test_many_strong_disks_do_not_hide_the_strongest() -> None:
    lattice = [(y, x) for y in (12.0, 36.0, 60.0, 84.0) for x in (14.0, 38.0, 62.0, 86.0)]
    frame = sum(drawn((96, 100), [c], 6.0)[0] * (1.1 if c == (60.0, 62.0) else 1.0) for c in lattice)
    for kind in (edge_template, disk_template):
        np.testing.assert_allclose(cross(np.array([frame]), kind(6.0))[0, :2], (60, 62), atol=1e-6)


def test_a_given_picture_finds_itself_anywhere() -> None:
    rng = np.random.default_rng(2)
    picture = np.zeros((40, 50))
    picture[12:25, 20:31] = rng.uniform(50, 100, (13, 11))
    template = given_template(picture)
    moves = [(0, 0), (5, -8), (-9, 12)]
    frames = np.array([np.roll(picture, move, (0, 1)) for move in moves])
    found = cross(frames, template, 0)
    np.testing.assert_allclose(found[:, :2] - found[0, :2], moves, atol=1e-9)
    np.testing.assert_allclose(found[:, 2], 1, atol=1e-9)
    weight = np.where(picture >= picture.max() / 2, picture, 0)
    v, u = np.indices(picture.shape)
    mass = (v * weight).sum() / weight.sum(), (u * weight).sum() / weight.sum()
    np.testing.assert_allclose(found[0, :2], mass, atol=1e-9)


def correlated(frame: NDArray[Any], picture: NDArray[Any], power: float) -> NDArray[np.float64]:
    """The correlation of full size by definition, lag 0 first, of frames twice padded."""
    size = [2 * n for n in frame.shape]
    g = np.fft.fft2(frame - frame.mean(), size) * np.fft.fft2(picture, size).conj()
    f = np.add.outer(np.fft.fftfreq(size[0]) ** 2, np.fft.fftfreq(size[1]) ** 2)
    g *= np.exp(-2 * (np.pi * beam_correlation_phase.BLUR) ** 2 * f)
    strength = np.abs(g) + 1e-5 * np.abs(g).max()
    result: NDArray[np.float64] = np.fft.ifft2(g * strength ** (power - 1)).real
    return result


@pytest.mark.parametrize("power", [0.0, 0.3, 0.5, 1.0])
def test_phase_correlation_is_its_definition(power: float) -> None:
    frames, centers = beams("u2", (30, 32), 3.2)
    template = edge_template(3.2)
    half = template.half
    found = phase(frames, template.values, (half, half), alone=True, power=power, points=0)
    for frame, (y, x, score) in zip(frames, found, strict=True):
        lags = correlated(frame, template.values, power)
        place = np.unravel_index(np.argmax(lags), lags.shape)
        signed = [k if k < n else k - 2 * n for k, n in zip(place, frame.shape, strict=True)]
        np.testing.assert_allclose((y - half, x - half), signed, atol=1)  # padding differs, which shifts ties
        assert 0 < score < 1
    np.testing.assert_allclose(found[:, :2], centers, atol=1.2)


def test_a_whole_pattern_as_reference_moves_with_its_disks() -> None:
    rng = np.random.default_rng(0)
    spots = np.array([(0, 0), (0, 17), (0, -17), (15, 4), (-15, -4)])
    moves = rng.uniform(-6, 6, (8, 2))
    moves[0] = 0

    def pattern(move: Any) -> NDArray[np.float64]:
        weights = (100, 40, 30, 25, 35)
        disks = drawn((64, 80), spots + np.array((31.0, 40.0)) + move, 4.0)
        return np.tensordot(weights, disks, 1) + 5

    frames = rng.poisson(np.array([pattern(move) for move in moves]))
    frames[:, 10, 20] = 900  # a hot pixel of the detector stays where it is, and is masked
    mask = np.ones((64, 80), np.uint8)
    mask[10, 20] = 0
    for power, most in ((1.0, 0.2), (0.5, 0.1)):
        found = phase(frames, pattern((0, 0)), alone=False, power=power, points=16, mask=mask)
        np.testing.assert_allclose(found[:, :2], np.add(moves, (31, 40)), atol=most)
    found = phase(frames, pattern((0, 0)), (20.0, 30.0), alone=False, points=16, mask=mask)
    np.testing.assert_allclose(found[:, :2], np.add(moves, (20, 30)), atol=0.1)
    assert np.isnan(phase(frames, np.ones((64, 80)), alone=False)).all()
    assert np.isnan(phase(frames, np.full((64, 80), np.nan), alone=False)).all()


def test_the_blurred_circle_does_not_feel_its_rim_background_or_holes() -> None:
    rng = np.random.default_rng(4)
    centers = rng.uniform((25, 30), (39, 50), (60, 2))
    beam = drawn((64, 80), centers, 8.0)
    assert np.abs(blurred(beam, 8.0)[:, :2] - centers).max() < 0.02
    assert np.abs(blurred(beam + 0.5, 8.0)[:, :2] - centers).max() < 0.05
    mask = rng.random((64, 80)) > 0.03
    found = blurred(np.where(mask, beam, 0), 8.0, mask.view(np.uint8))
    assert np.sqrt(((found[:, :2] - centers) ** 2).mean()) < 0.02
    share = blurred(beam + 0.01, 8.0)[:, 2]
    np.testing.assert_allclose(share, (200 + 2.9) / (200 + 51.2), rtol=0.02)

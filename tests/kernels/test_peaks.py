"""Peaks against brute force: maxima and plateaus, prominence, scores, intensities, the choice among candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from lazy4d.kernels import peak_choice, peak_score, peaks
from lazy4d.kernels.peak_cut import place_of_cut
from lazy4d.kernels.peak_filters import difference_template, laplacian_template, smooth_template
from lazy4d.kernels.peak_refine import mass_about, refine_by_dft
from lazy4d.kernels.peak_score import picture_of
from lazy4d.kernels.subpixel import parabola
from lazy4d.kernels.template_match import match_plan, template_correlation
from lazy4d.kernels.templates import Template, edge_template, gradient_template, pixel_disk_template

NO_MASK = np.empty((0, 0), np.uint8)
EIGHT = np.ones((3, 3), int)
Image = NDArray[np.float64]


def maxima(image: Image, floor: float, window: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """One pixel for each set of equal, touching pixels that no pixel around exceeds and at least one is below."""
    found = []
    for value in np.unique(image[image > floor]):
        labels, number = ndimage.label(image == value, EIGHT)
        for k in range(1, number + 1):
            plateau = labels == k
            around = ndimage.binary_dilation(plateau, EIGHT) & ~plateau
            if not around.any() or image[around].max() > value:
                continue
            pixels = np.argwhere(plateau)
            far = ((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1)
            y, x = pixels[np.flatnonzero(far <= far.min() + 1e-9)[0]]
            if window[0] <= y < window[1] and window[2] <= x < window[3]:
                found.append((int(y), int(x)))
    return sorted(found)


def found_maxima(image: Image, floor: float, window: tuple[int, int, int, int], plain: bool = False) -> list[Any]:
    image = image.astype(np.float32)
    room = peaks.peak_room(image.shape, image.dtype)
    function = peaks.local_maxima.py_func if plain else peaks.local_maxima
    number = function(image, float(floor), np.array(window), room)
    assert not room.seen.any(), "the scratch space is clean for the next frame"
    assert (room.height[:number] == image.reshape(-1)[room.place[:number]]).all()
    return sorted(divmod(int(place), image.shape[1]) for place in room.place[:number])


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (7, 10), elements=st.integers(0, 3).map(float)), st.integers(0, 2), st.integers(-1, 1))
def test_maxima_of_plateaus_are_those_of_brute_force(image: Image, margin: int, floor: int) -> None:
    window = (margin, 7 - margin, margin, 10 - margin)
    assert found_maxima(image, floor, window) == maxima(image, floor, window)


def test_maxima_of_smooth_images_interpreted_too() -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(23, 37)), 1.0).astype(np.float32)
    whole = (0, 23, 0, 37)
    expected = maxima(image, -np.inf, whole)
    assert found_maxima(image, -np.inf, whole) == found_maxima(image, -np.inf, whole, plain=True) == expected
    assert len(expected) > 20
    image[3, 4], image[9, 9] = -np.inf, image.max() + 1  # a pixel that does not count, and the highest of all
    assert (9, 9) in found_maxima(image, 0.0, whole)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_and_even_images_have_no_more_maxima_than_they_show(shape: tuple[int, int]) -> None:
    whole = (0, shape[0], 0, shape[1])
    assert found_maxima(np.full(shape, 4.0), -np.inf, whole) == []
    one = np.zeros(shape)
    one[-1, -1] = 1
    assert found_maxima(one, -np.inf, whole) == ([] if one.size == 1 else [(shape[0] - 1, shape[1] - 1)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40))
def test_the_heap_gives_entries_from_the_highest_and_then_the_first(heights: list[int]) -> None:
    place, height = np.arange(len(heights), dtype=np.int32), np.array(heights, np.float64)
    peaks.heap_up(place, height, len(heights))
    taken = []
    for left in range(len(heights), 0, -1):
        peaks.take_highest(place, height, left)
        taken.append((-height[left - 1], place[left - 1]))
    assert taken == sorted((-float(h), k) for k, h in enumerate(heights))


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (6, 8), elements=st.integers(0, 5).map(float)), st.integers(1, 5))
def test_prominence_is_that_of_flooding(image: Image, depth: int) -> None:
    seen, queue = np.zeros(image.shape, np.uint8), np.empty(image.size, np.int32)
    for y, x in maxima(image, -np.inf, (0, 6, 0, 8)):
        level = image[y, x]
        labels, _ = ndimage.label(image > level - depth, EIGHT)
        reached = labels == labels[y, x]
        plateau, _ = ndimage.label(image == level, EIGHT)
        own = np.flatnonzero(plateau == plateau[y, x])[0]
        equal = np.flatnonzero(reached & (image == level))
        expected = image[reached].max() == level and equal.min() >= own
        assert peaks.stands_out(image.astype("f4"), y * 8 + x, float(depth), seen, queue) == expected
    assert not seen.any()


# ---- scores and intensities

TEMPLATES = {
    "disk": pixel_disk_template(3.2),
    "edge": edge_template(2.5),
    "gradient": gradient_template(4.0),
    "smooth": smooth_template(3.0),
    "laplacian": laplacian_template(2.0),
    "difference": difference_template(1.5),
}
SHAPE = (24, 31)


def hidden() -> NDArray[np.uint8]:
    mask = np.ones(SHAPE, np.uint8)
    mask[10:14, 12:20] = 0
    return mask


def score_twin(frame: Image, counts: NDArray[Any], template: Template, y: int, x: int) -> tuple[float, float]:
    """Score and significance by pixels in lists, least squares of a plane where any pixel is missing."""
    half, rows = template.half, []
    for j, i in np.argwhere(template.support):
        v, u = y + j - half, x + i - half
        if 0 <= v < frame.shape[0] and 0 <= u < frame.shape[1] and counts[v, u]:
            rows.append((1.0, j, i, template.values[j, i], float(frame[v, u])))
    table = np.array(rows)
    n = len(table)
    scores = []
    for columns in (1, 3) if n < template.support.sum() else (1,):
        plane = table[:, :columns]
        t, p = (one - plane @ np.linalg.lstsq(plane, one, rcond=None)[0] for one in (table[:, 3], table[:, 4]))
        scores.append(float(t @ p / np.sqrt((t @ t) * (p @ p))))
    score = min(scores)
    return score, float(np.sign(score) * np.sqrt(-(n - 2) * np.log(1 - score**2)))


@pytest.mark.parametrize("name", TEMPLATES)
def test_score_is_the_correlation_coefficient(name: str) -> None:
    template, rng = TEMPLATES[name], np.random.default_rng(3)
    frame = rng.poisson(5.0, SHAPE).astype(np.float32)
    for mask in (NO_MASK, hidden()):
        picture = picture_of(template, mask, SHAPE)
        for y, x in ((12, 15), (1, 2), (23, 17), (14, 30), (9, 11)):
            score, significance, best = peak_score.score_at(frame, picture, y, x)
            if np.isnan(score):
                continue
            expected = score_twin(frame, picture.counts, template, y, x)
            np.testing.assert_allclose((score, significance), expected, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(peak_score.score_at.py_func(frame, picture, y, x), (score, significance, best))
            assert 0 <= best <= 1


def test_score_of_places_that_show_nothing() -> None:
    picture = picture_of(TEMPLATES["disk"], hidden(), SHAPE)
    assert np.isnan(peak_score.score_at(np.full(SHAPE, 7, "f4"), picture, 5, 5)[0])
    nothing = picture_of(TEMPLATES["disk"], np.zeros(SHAPE, np.uint8), SHAPE)
    assert np.isnan(peak_score.score_at(np.random.default_rng(0).random(SHAPE, "f4"), nothing, 5, 5)[0])


def test_noise_leaves_a_perfect_disk_the_score_that_is_told() -> None:
    template, rng = pixel_disk_template(8.0), np.random.default_rng(0)
    picture = picture_of(template, NO_MASK, (64, 64))
    y, x = np.mgrid[:64, :64]
    disk = np.clip(8.5 - np.hypot(y - 32, x - 32), 0, 1)
    for counts in (1.0, 10.0, 100.0):
        scores = [
            peak_score.score_at(rng.poisson(counts * (disk + 0.3)).astype("f4"), picture, 32, 32) for _ in range(40)
        ]
        score, _, best = np.mean(scores, axis=0)
        assert 0.9 < score / best < 1.12


@pytest.mark.parametrize("distribution", ["poisson", "sparse", "normal"])
def test_significance_of_noise_has_the_spread_of_a_standard_normal(distribution: str) -> None:
    rng = np.random.default_rng(5)
    draw = {
        "poisson": lambda: rng.poisson(20.0, (20, 20)),
        "sparse": lambda: rng.poisson(0.1, (20, 20)),
        "normal": lambda: rng.normal(1000, 3, (20, 20)),
    }[distribution]
    picture = picture_of(pixel_disk_template(4.0), NO_MASK, (20, 20))
    found = np.array([peak_score.score_at(draw().astype("f4"), picture, 10, 10)[1] for _ in range(2000)])
    assert abs(found.mean()) < 0.08
    assert abs(found.std() - 1) < 0.04


def test_intensity_is_the_electrons_of_the_disk_wherever_it_lies() -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:40, :44]
    for _ in range(20):
        cy, cx = rng.uniform(15, 25, 2)
        frame = (3 + 50 * np.clip(6.5 - np.hypot(y - cy, x - cx), 0, 1)).astype(np.float32)
        found = peak_score.brightness_at(frame, np.ones(frame.shape, np.uint8), 6.0, cy, cx)
        assert found == pytest.approx(50 * np.pi * 6**2, rel=0.02)
    mask = np.ones(frame.shape, np.uint8)
    mask[:, int(cx) :] = 0
    assert peak_score.brightness_at(frame, mask, 6.0, cy, cx) == pytest.approx(50 * np.pi * 6**2, rel=0.05)
    assert np.isnan(peak_score.brightness_at(frame, np.zeros_like(mask), 6.0, cy, cx))


# ---- the choice


def choose(frame: Image, image: Image, template: Template, mask: NDArray[Any] = NO_MASK, **changed: Any) -> Any:
    usual = {
        "score": -np.inf, "likeness": 0.5, "significance": 3.0, "floor": 0.0, "relative": 0.0, "reference": 1,
        "distance": 4.0, "prominence": 0.0, "most": 1000, "scored": True,
    }  # fmt: skip
    rules = peak_choice.Rules(**{**usual, **changed})
    picture, room = picture_of(template, mask, frame.shape), peaks.peak_room(frame.shape, image.dtype)
    verdict, scores = np.empty(len(room.place), np.uint8), np.empty(len(room.place))
    chosen, window = np.empty(1000, np.int32), np.array([0, frame.shape[0], 0, frame.shape[1]])
    results = []
    for cells in (peak_choice.cells_for(picture), peak_choice.cells_for(picture, False)):
        found, number = peak_choice.choose(frame, image, picture, cells, rules, window, room, verdict, scores, chosen)
        places = [divmod(int(room.place[k]), frame.shape[1]) for k in chosen[:found]]
        verdicts = {
            divmod(int(place), frame.shape[1]): int(v) for place, v in zip(room.place[:number], verdict, strict=False)
        }
        results.append((places, verdicts))
    assert results[0][0] == results[1][0], "the first look refuses nothing that the closer one would not"
    return results[1]


def choose_twin(frame: Image, image: Image, template: Template, mask: NDArray[Any], **rules: Any) -> list[Any]:
    counts = np.ones(frame.shape) if mask.size == 0 else mask
    places = maxima(image, 0.0, (0, frame.shape[0], 0, frame.shape[1]))
    places.sort(key=lambda p: (-image[p], p))
    accepted: list[tuple[int, int]] = []
    for y, x in places:
        limit = -np.inf
        if len(accepted) >= rules["reference"]:
            limit = rules["relative"] * image[accepted[rules["reference"] - 1]]
        if len(accepted) == rules["most"] or image[y, x] < limit:
            break
        if any((y - v) ** 2 + (x - u) ** 2 < rules["distance"] ** 2 for v, u in accepted):
            continue
        picture = picture_of(template, mask, frame.shape)
        if np.isnan(peak_score.score_at(frame, picture, y, x)[0]):
            continue
        score, z = score_twin(frame, counts, template, y, x)
        best = peak_score.score_at(frame, picture, y, x)[2]
        if z >= rules["significance"] and score >= rules["score"] and score >= rules["likeness"] * best:
            accepted.append((y, x))
    return accepted


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("masked", [False, True])
def test_the_choice_is_that_of_brute_force(seed: int, masked: bool) -> None:
    rng = np.random.default_rng(seed)
    mask = hidden() if masked else NO_MASK
    frame = rng.poisson(2.0, SHAPE).astype(np.float32)
    for _ in range(5):
        y, x = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])
        frame[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] += rng.integers(3, 12)
    template = pixel_disk_template(2.6)
    image = np.empty((1, *SHAPE), np.float32)
    template_correlation(frame[None], match_plan(template, SHAPE, mask), image)
    rules = [
        {"score": -np.inf, "likeness": 0.5, "significance": 3.0, "relative": 0.0, "reference": 1, "distance": 4.0,
         "most": 1000},
        {"score": 0.55, "likeness": 0.0, "significance": 1.0, "relative": 0.4, "reference": 2, "distance": 7.5,
         "most": 3},
    ]  # fmt: skip
    for one in rules:
        expected = choose_twin(frame, image[0], template, mask, **one)
        assert choose(frame, image[0], template, mask, **one)[0] == expected
    assert expected


def test_every_refusal_says_why() -> None:
    frame = np.zeros((60, 60), np.float32)
    frame += np.random.default_rng(0).poisson(1.0, frame.shape)
    y, x = np.mgrid[:60, :60]
    for cy, cx, height in ((15, 15, 100), (15, 45, 60), (45, 15, 8), (22, 19, 40)):
        frame[np.hypot(y - cy, x - cx) <= 5] += height
    template = pixel_disk_template(5.0)
    image = np.empty((1, 60, 60), np.float32)
    template_correlation(frame[None], match_plan(template, (60, 60)), image)
    places, verdicts = choose(frame, image[0], template, distance=12.0)
    assert places[:3] == [(15, 15), (15, 45), (45, 15)]
    assert peak_choice.NOISE in verdicts.values()
    assert peak_choice.CLOSE in choose(frame, image[0], template, distance=40.0)[1].values()
    assert peak_choice.WEAK in choose(frame, image[0], template, distance=12.0, relative=0.3)[1].values()
    assert peak_choice.BEYOND in choose(frame, image[0], template, distance=12.0, most=2)[1].values()
    assert peak_choice.UNLIKE in choose(frame, image[0], template, distance=12.0, score=0.95)[1].values()
    assert peak_choice.FLAT in choose(frame, image[0], template, distance=0.0, prominence=1e3)[1].values()
    assert set(peak_choice.REASONS) == set(range(8))


# ---- between the pixels


def disk_frame(cy: float, cx: float, radius: float, shape: tuple[int, int] = (48, 52)) -> Image:
    """A disk with the exact share of each pixel, by 8 x 8 points in each."""
    fine = (np.arange(8) - 3.5) / 8
    y = (np.arange(shape[0])[:, None] + fine).reshape(-1, 1) - cy
    x = (np.arange(shape[1])[:, None] + fine).reshape(1, -1) - cx
    inside = (y**2 + x**2 < radius**2).reshape(shape[0], 8, shape[1], 8)
    return 100 * inside.mean(axis=(1, 3))


def test_refinements_find_disks_between_pixels() -> None:
    rng, template = np.random.default_rng(0), smooth_template(6.0)
    places = rng.uniform(20, 28, (12, 2))
    frames = np.array([disk_frame(*place, 6.0) for place in places], np.float32)
    images = np.empty_like(frames)
    template_correlation(frames, match_plan(template, frames.shape[1:]), images)
    tops = np.array([np.unravel_index(image.argmax(), image.shape) for image in images])
    start = np.array([parabola(image, *top) for image, top in zip(images, tops, strict=True)])
    fine = tops + refine_by_dft(images, 6.0, 16, np.arange(12), tops, start)
    assert np.abs(fine - places).max() < 0.01
    counts = np.ones(frames.shape[1:], np.uint8)
    mass = np.array([mass_about(f, counts, 6.0, *top) for f, top in zip(frames, tops, strict=True)])
    assert np.abs(mass - places).max() < 0.02
    assert refine_by_dft(images, 6.0, 16, np.arange(0), tops[:0], start[:0]).shape == (0, 2)


def test_a_bright_neighbour_does_not_ring_into_a_weak_disk() -> None:
    template = smooth_template(4.5)
    frames = (100 * disk_frame(24.2, 17.3, 4.5) + disk_frame(24.7, 32.6, 4.5))[None].astype(np.float32)
    image = np.empty_like(frames)
    template_correlation(frames, match_plan(template, frames.shape[1:]), image)
    found = np.array([[25, 33]]) + refine_by_dft(image, 4.5, 16, np.array([0]), np.array([[25, 33]]), np.zeros((1, 2)))
    assert np.abs(found - [24.7, 32.6]).max() < 0.05


@pytest.mark.parametrize("cy", [1.3, 3.8, 6.1])
def test_cut_disks_are_placed_by_what_is_left(cy: float) -> None:
    template = pixel_disk_template(7.0)
    frame = (5 + disk_frame(cy, 25.4, 7.0)).astype(np.float32)
    image = np.empty((1, *frame.shape), np.float32)
    template_correlation(frame[None], match_plan(template, frame.shape), image)
    y, x = np.unravel_index(image.argmax(), image.shape)[1:]
    dy, dx = place_of_cut(frame, picture_of(template, NO_MASK, frame.shape), y, x)
    assert abs(y + dy - cy) < 0.04
    assert abs(x + dx - 25.4) < 0.03
    mask = np.ones(frame.shape, np.uint8)
    mask[:, 26:] = 0  # half of it behind a beam stop, and cut by the edge
    template_correlation(frame[None], match_plan(template, frame.shape, mask), image)
    y, x = np.unravel_index(image.argmax(), image.shape)[1:]
    dy, dx = place_of_cut(frame, picture_of(template, mask, frame.shape), y, x)
    assert np.hypot(y + dy - cy, x + dx - 25.4) < 0.15

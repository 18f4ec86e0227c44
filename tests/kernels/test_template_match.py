"""Correlation images against sums written out place by place, in whole numbers and floats, cut, masked and damaged."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest
from dask.base import tokenize
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lazy4d.kernels import template_match, template_match_sums
from lazy4d.kernels.subpixel import parabola
from lazy4d.kernels.template_match import NONE, MatchPlan, match_plan, template_correlation
from lazy4d.kernels.template_match_sums import differences, room_for_sums, running_sums, sum_line
from lazy4d.kernels.templates import (
    Template,
    disk,
    edge_template,
    given_template,
    picture_template,
    pixel_disk_template,
    ring_template,
)

KY, KX = 19, 26
PICTURE = np.exp(-0.5 * (np.add.outer(np.arange(-4, 5) ** 2 / 3.0, np.arange(-3, 6) ** 2 / 5.0)))
TEMPLATES = {
    "disk 1": pixel_disk_template(1),
    "disk 3": pixel_disk_template(3),
    "disk 4.4": pixel_disk_template(4.4),
    "larger than the frame": pixel_disk_template(14),
    "ring": ring_template(2, 4),
    "edge": edge_template(2.5),
    "picture": given_template(PICTURE),
    "round picture": picture_template(PICTURE),
}
DTYPES = ("u1", "u2", "i2", "u4", "i8", "f4", "f8", "?")
MASK = np.ones((KY, KX), np.uint8)
MASK[6:10, 9:13] = MASK[2, 4] = 0


def twin(frames: NDArray[Any], template: Template, mask: NDArray[Any], normalize: bool) -> NDArray[np.float64]:
    """What `template_correlation` fills, from deviations from means, all pixels of all places written out."""
    values, support, half = template.values, template.support, template.half
    if template.pixels is not None:
        values = blurred(template.pixels)
    if not template.pixels is not None:
        values = values / np.ptp(values[support])
    full = np.var(values[support]) * support.sum()
    out = np.zeros(frames.shape)
    for frame, image in zip(frames.astype(np.float64), out, strict=True):
        counts = np.isfinite(frame) & (mask != 0 if mask.size else True)
        room = [(half, half)] * 2
        size = (2 * half + 1,) * 2
        pixels = sliding_window_view(np.pad(np.where(counts, frame, 0.0), room), size)
        inside = sliding_window_view(np.pad(counts, room), size) & support
        n = np.maximum(inside.sum(axis=(2, 3)), 1)[..., None, None]
        a = np.where(inside, values - (values * inside).sum(axis=(2, 3), keepdims=True) / n, 0.0)
        b = np.where(inside, pixels - (pixels * inside).sum(axis=(2, 3), keepdims=True) / n, 0.0)
        known, spread = (a**2).sum(axis=(2, 3)), (b**2).sum(axis=(2, 3))
        found = (a * b).sum(axis=(2, 3))
        if normalize:
            least = 1e-12 * (np.where(inside, pixels, 0.0) ** 2).sum(axis=(2, 3))
            found /= np.sqrt(np.where(spread > least, known * spread, np.inf))
        else:
            found /= np.sqrt(np.maximum(known, 1e-300) * full)
        image[...] = np.where(known > 0.1 * full, found, 0.0)
    return out


def blurred(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    taps = np.array([0.25, 0.5, 0.25])
    around = sliding_window_view(np.pad(pixels.astype(np.float64), 1), (3, 3))
    result: NDArray[np.float64] = (around * np.outer(taps, taps)).sum(axis=(2, 3))
    return result


def correlated(frames: NDArray[Any], plan: MatchPlan) -> NDArray[np.float32]:
    out = np.full((len(frames), *plan.frame_shape), np.nan, np.float32)
    before = frames.copy()
    template_correlation(frames, plan, out)
    np.testing.assert_array_equal(frames, before)
    return out


def some_frames(dtype: str) -> NDArray[Any]:
    """Two frames: disks on a background with noise, one disk cut by the edge; signed and float ones go below 0."""
    rng = np.random.default_rng(3)
    means = np.full((2, KY, KX), 4.0)
    means[0, 4:9, 15:20] += 60
    means[1, :3, 3:8] += 40
    values = rng.poisson(means).astype(float)
    if dtype[0] in "if":
        values -= 6
    if dtype[0] == "f":
        values += rng.normal(0, 0.1, values.shape)
    return (values > 5).astype(bool) if dtype == "?" else values.astype(dtype)


@pytest.mark.parametrize("normalize", [False, True], ids=["filter", "coefficient"])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_images_equal_sums_written_out(name: str, masked: bool, normalize: bool) -> None:
    template, mask = TEMPLATES[name], MASK if masked else NONE
    plan = match_plan(template, (KY, KX), mask, normalize=normalize)
    for dtype in DTYPES:
        frames = some_frames(dtype)
        expected = twin(frames, template, mask, normalize)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(correlated(frames, plan), expected, atol=4e-6 * scale, err_msg=dtype)


@pytest.mark.parametrize("normalize", [False, True], ids=["filter", "coefficient"])
@pytest.mark.parametrize("name", ["disk 3", "picture"])
def test_interpreted_kernels_give_the_same(name: str, normalize: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = match_plan(TEMPLATES[name], (KY, KX), MASK, normalize=normalize)
    frames = {dtype: some_frames(dtype)[:1] for dtype in ("u1", "u2", "u4", "f4")}
    compiled = {dtype: correlated(values, plan) for dtype, values in frames.items()}
    for module in (template_match, template_match_sums):
        for key, value in list(vars(sys.modules[module.__name__]).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, key, value.py_func)
    for dtype, values in frames.items():
        np.testing.assert_allclose(correlated(values, plan), compiled[dtype], rtol=1e-5, atol=1e-6, err_msg=dtype)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(1, 7), st.integers(1, 6))
def test_sums_over_any_set_of_pixels(seed: int, half: int, ky: int, kx: int) -> None:
    rng = np.random.default_rng(seed)
    size = 2 * half + 1
    pixels = rng.random((size, size)) < rng.choice([0.2, 0.8, 1.0])
    frame = rng.integers(0, 2**16, (ky, kx)).astype(np.uint16)
    sums, line = room_for_sums((ky, kx), half, np.int32), np.empty(kx, np.int32)
    running_sums(frame, NONE, False, half + 1, sums)
    around = sliding_window_view(np.pad(frame.astype(np.int64), half), (size, size))
    for y in range(ky):
        sum_line(sums, differences(pixels), y, half + 1, line)
        np.testing.assert_array_equal(line, (around[y] * pixels).sum(axis=(1, 2)))


@pytest.mark.parametrize(("radius", "most"), [(3, 32), (9, 64), (25, 160)])
def test_disks_take_few_lookups(radius: float, most: int) -> None:
    template = pixel_disk_template(radius)
    assert 2 * (len(differences(template.pixels)) + len(differences(template.support))) <= most  # type: ignore[arg-type]


def test_no_frames_and_frames_alone() -> None:
    plan = match_plan(TEMPLATES["disk 3"], (KY, KX), normalize=True)
    assert correlated(np.empty((0, KY, KX), np.uint16), plan).shape == (0, KY, KX)
    frames = some_frames("f4")
    frames[0, 3, 3] = np.nan
    together = correlated(frames, plan)
    for k in range(2):
        np.testing.assert_array_equal(correlated(frames[k : k + 1], plan)[0], together[k])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (30, 2)])
@pytest.mark.parametrize("name", ["disk 3", "picture"])
def test_frames_smaller_than_the_template(name: str, shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).poisson(5, (1, *shape)).astype("u2")
    for normalize in (False, True):
        expected = twin(frames, TEMPLATES[name], NONE, normalize)
        found = correlated(frames, match_plan(TEMPLATES[name], shape, normalize=normalize))
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4", "f8"])
def test_constant_frames_look_like_nothing(dtype: str, normalize: bool) -> None:
    top = np.iinfo(dtype).max if dtype[0] == "u" else 1e30
    for value in (0, 7, top):
        frames = np.full((1, KY, KX), value, dtype)
        for name in ("disk 3", "picture"):
            found = correlated(frames, match_plan(TEMPLATES[name], (KY, KX), normalize=normalize))
            np.testing.assert_allclose(found, 0, atol=1e-9 * float(value) * (not normalize))


def test_whole_numbers_are_exact_on_any_background() -> None:
    frames = some_frames("u2")
    plan = match_plan(pixel_disk_template(3), (KY, KX))
    found, high = correlated(frames, plan), correlated(frames + np.uint16(65000), plan)
    np.testing.assert_allclose(high, found, rtol=2e-7, atol=2e-6)
    inner = (0, slice(4, -4), slice(4, -4))  # where the whole template lies in the frame
    moved = np.subtract(places(high[inner]), places(found[inner]))
    assert np.abs(moved).max() < 1e-6


def places(image: NDArray[np.float32]) -> tuple[float, float]:
    y, x = np.unravel_index(int(image.argmax()), image.shape)
    dy, dx = parabola(image.astype(np.float64), y, x)
    return y + dy, x + dx


@pytest.mark.parametrize("background", [1e3, 1e6, -1e6])
def test_floats_on_a_background_stay_where_they_are(background: float) -> None:
    frames = some_frames("f8")[:1]
    for normalize in (False, True):
        plan = match_plan(pixel_disk_template(3), (KY, KX), normalize=normalize)
        inner = (0, slice(4, -4), slice(4, -4))
        found, high = correlated(frames, plan)[inner], correlated(frames + background, plan)[inner]
        np.testing.assert_allclose(high, found, rtol=1e-6, atol=1e-6 * np.abs(found).max())
        assert np.abs(np.subtract(places(high), places(found))).max() < 1e-6


@pytest.mark.parametrize("name", ["disk 3", "picture"])
def test_intensity_only_scales_the_filter_and_leaves_the_coefficient(name: str) -> None:
    frames = some_frames("f8")
    for normalize in (False, True):
        plan = match_plan(TEMPLATES[name], (KY, KX), MASK, normalize=normalize)
        found = correlated(frames, plan)
        for factor in (1e-25, 3.0, 1e20) if normalize else (1e-5, 3.0, 1e20):
            scaled = correlated(frames * factor, plan)
            expected = found if normalize else found * factor
            np.testing.assert_allclose(scaled, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_the_filter_gives_the_height_of_a_disk_and_the_coefficient_is_one_on_the_template() -> None:
    template = pixel_disk_template(4)
    frames = np.full((1, 31, 33), 3.0)
    half = template.half
    frames[0, 15 - half : 16 + half, 12 - half : 13 + half] += 7 * template.bright
    assert correlated(frames, match_plan(template, (31, 33)))[0, 15, 12] == pytest.approx(7, rel=1e-6)
    assert correlated(frames, match_plan(template, (31, 33), normalize=True))[0, 15, 12] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("name", ["disk 3", "picture"])
@pytest.mark.parametrize("normalize", [False, True])
def test_what_a_mask_covers_does_not_matter(name: str, normalize: bool) -> None:
    plan = match_plan(TEMPLATES[name], (KY, KX), MASK, normalize=normalize)
    frames = some_frames("u2")
    found = correlated(frames, plan)
    spoiled = frames.copy()
    spoiled[:, MASK == 0] = 65535
    np.testing.assert_allclose(correlated(spoiled, plan), found, rtol=1e-6, atol=1e-6)
    floats = frames.astype("f8")
    floats[:, MASK == 0] = np.nan
    whole = match_plan(TEMPLATES[name], (KY, KX), normalize=normalize)
    np.testing.assert_allclose(correlated(floats, whole), found, rtol=1e-5, atol=1e-5)


def test_a_frame_of_nan_is_zero() -> None:
    for name in ("disk 3", "picture"):
        for normalize in (False, True):
            plan = match_plan(TEMPLATES[name], (KY, KX), normalize=normalize)
            assert not correlated(np.full((1, KY, KX), np.nan, "f4"), plan).any()


@pytest.mark.parametrize("name", ["disk 3", "picture"])
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_nothing_comes_round_from_the_opposite_edge(name: str, power: float) -> None:
    frames = np.zeros((1, 40, 44), np.uint16)
    frames[0, :3, 20:24] = 1000
    found = correlated(frames, match_plan(TEMPLATES[name], (40, 44), power=power))[0]
    assert np.abs(found[-6:]).max() < (1e-3 if power == 1 else 0.1) * found.max()
    assert found[:3, 20:24].max() == found.max()


def test_marked_pixels_of_four_bytes_spoil_only_their_surroundings() -> None:
    frames = some_frames("u4")
    plan = match_plan(pixel_disk_template(3), (KY, KX), normalize=True)
    found = correlated(frames, plan)
    frames[:, 17, 2] = 2**32 - 1
    marked = correlated(frames, plan)
    np.testing.assert_allclose(marked[:, :, 8:], found[:, :, 8:], atol=1e-5)
    assert np.abs(marked).max() <= 1


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("name", ["disk 3", "picture"])
def test_flattened_spectra(name: str, power: float) -> None:
    template, plan = TEMPLATES[name], match_plan(TEMPLATES[name], (KY, KX), power=power)
    frames = some_frames("u2")
    values = template.values - template.values[template.support].mean() * template.support
    size, half = plan.spectrum.size, template.half
    around = np.zeros(size)
    for (j, i), value in np.ndenumerate(values):
        around[j - half, i - half] = value
    for frame, found in zip(frames, correlated(frames, plan), strict=True):
        spectrum = np.fft.fft2(frame - frame.mean(), size) * np.fft.fft2(around).conj()
        height = np.abs(spectrum)
        flat = spectrum * (height / height.max() + 1e-5) ** (power - 1)
        expected = np.fft.ifft2(flat).real / np.abs(flat).mean()
        np.testing.assert_allclose(found, expected[:KY, :KX], atol=2e-3 if power == 0 else 2e-5)
        assert np.abs(found).max() <= 1


@pytest.mark.parametrize("radius", [3.0, 6.0, 9.4])
def test_a_parabola_finds_disks_between_pixels(radius: float) -> None:
    rng = np.random.default_rng(5)
    half = int(2 * radius) + 3
    moves = rng.uniform(-0.5, 0.5, (40, 2))
    frames = np.array([disk(radius, half, (y, x)) for y, x in moves])
    found = correlated(frames, match_plan(pixel_disk_template(radius), frames.shape[1:]))
    errors = np.array([places(image) for image in found]) - half - moves
    assert 1e-4 < np.sqrt((errors**2).mean()) < 0.025


def test_plans_travel_by_what_they_were_made_of() -> None:
    plan = match_plan(TEMPLATES["disk 4.4"], (KY, KX), MASK, normalize=True)
    frames = some_frames("u2")
    before = correlated(frames, plan)
    again = pickle.loads(pickle.dumps(plan))
    assert len(pickle.dumps(plan)) < 10_000
    np.testing.assert_array_equal(correlated(frames, again), before)
    assert tokenize(again) == tokenize(plan)
    others = [
        match_plan(TEMPLATES["disk 3"], (KY, KX), MASK, normalize=True),
        match_plan(TEMPLATES["disk 4.4"], (KX, KY), normalize=True),
        match_plan(TEMPLATES["disk 4.4"], (KY, KX), normalize=True),
        match_plan(TEMPLATES["disk 4.4"], (KY, KX), MASK),
        match_plan(TEMPLATES["disk 4.4"], (KY, KX), MASK, power=0.5),
    ]
    assert len({tokenize(other) for other in [plan, *others]}) == 6


def test_a_mask_without_effect_is_none() -> None:
    assert match_plan(TEMPLATES["disk 3"], (KY, KX), np.ones((KY, KX), np.uint8)).mask.size == 0


def test_plans_that_make_no_sense() -> None:
    template = TEMPLATES["disk 3"]
    with pytest.raises(ValueError, match=r"mask of the frames' shape \(19, 26\), found \(26, 19\)"):
        match_plan(template, (KY, KX), MASK.T)
    with pytest.raises(ValueError, match=r"power in \[0, 1\]"):
        match_plan(template, (KY, KX), power=1.5)
    with pytest.raises(ValueError, match="leave normalize out"):
        match_plan(template, (KY, KX), power=0.5, normalize=True)


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.3, 9.0, 25.0])
def test_disks_of_pixels(radius: float) -> None:
    template = pixel_disk_template(radius)
    pixels, support = template.pixels, template.support
    assert pixels is not None
    assert abs(pixels.sum() - max(np.pi * radius**2, 1)) <= max(4, 0.9 * radius)
    outer = max(np.sqrt(2) * radius, radius + 1)
    assert abs(support.sum() - np.pi * outer**2) <= max(12, 0.9 * outer)
    for picture in (pixels, support, template.values):
        np.testing.assert_array_equal(picture, picture[::-1, ::-1])
        np.testing.assert_array_equal(picture, picture.T)
    assert abs(template.values[support].sum()) < 1e-10
    assert not template.values[~support].any()
    np.testing.assert_allclose(template.bright, blurred(pixels), atol=1e-15)
    assert support[template.bright > 0].all()
    if radius >= 2:
        reference = edge_template(radius)
        margin = reference.half - template.half
        ours = np.pad(template.values, max(margin, 0))
        theirs = np.pad(reference.values, max(-margin, 0))
        assert (ours * theirs).sum() / np.sqrt((ours**2).sum() * (theirs**2).sum()) > 0.97


def test_pictures_are_compared_over_a_circle() -> None:
    """The ring around a disk in a picture is that of the disk's own template, however large the picture."""
    large = np.pad(pixel_disk_template(5).bright, 20) * 30 + 4
    square, found = given_template(large), picture_template(large)
    assert found.radius == square.radius
    assert found.offset == square.offset == (0, 0)
    assert abs(found.values.sum()) < 1e-9
    np.testing.assert_array_equal(found.support, found.support.T)
    corner = np.hypot(*np.argwhere(found.support).T - found.half).max()
    assert 5 < corner < 9 < np.hypot(square.half, square.half)
    own = pixel_disk_template(5)
    margin = found.half - own.half
    a, b = np.pad(found.values, max(-margin, 0)), np.pad(own.values, max(margin, 0))
    assert (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()) > 0.97
    stripe = np.zeros((31, 31))
    stripe[14:17, 5:26] = 1  # what is brighter farther away stays, its surroundings are those of its end
    assert picture_template(stripe).support.sum() < given_template(stripe).support.sum()
    assert picture_template(stripe).bright.sum() == pytest.approx(given_template(stripe).bright.sum())


def test_rings_of_pixels() -> None:
    ring = ring_template(5, 8)
    middle = ring.half
    assert ring.radius == 8
    assert ring.values[middle, middle] < 0 < ring.values[middle, middle + 6]
    assert ring.values[middle, middle + 10] < 0
    assert abs(ring.values.sum()) < 1e-10
    with pytest.raises(ValueError, match="0 < r_inner < r_outer, found 5 and 4"):
        ring_template(5, 4)
    with pytest.raises(ValueError, match=r"no pixel lies between the radii 3 and 3\.01"):
        ring_template(3, 3.01)

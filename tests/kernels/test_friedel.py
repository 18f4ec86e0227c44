"""The centre of inversion against its definition as loops over pixels, and against patterns whose centre is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lazy4d.data.spots import disk_coverage
from lazy4d.kernels import friedel_symmetry
from lazy4d.kernels.friedel import friedel, make_search
from lazy4d.kernels.friedel_search import tables


def find(
    frames: NDArray[Any],
    inside: Any = None,
    *,
    radius: float = 1e3,
    min_overlap: float = 0.3,
    levels: int | None = None,
    origin: tuple[int, int] = (0, 0),
    center: Any = None,
    threshold: float = -np.inf,
    background: float = 0.0,
    root: bool = False,
    smooth: bool = True,
    refine: str = "parabola",
) -> NDArray[np.float64]:
    inside = np.ones(frames.shape[1:], np.uint8) if inside is None else np.asarray(inside, np.uint8)
    middle = center or tuple(o + n // 2 for o, n in zip(origin, inside.shape, strict=True))
    search = make_search(inside, origin, middle, radius, min_overlap, levels)
    out = np.full((len(frames), 3), 77.0)
    friedel(frames, search, threshold, background, root, smooth, refine, out)
    return out


def score_by_definition(frame: NDArray[Any], inside: NDArray[Any], sy: int, sx: int) -> tuple[float, int]:
    """Pearson's correlation of the pixels with their images under p -> s - p, and how many there are."""
    own, image = [], []
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            v, u = sy - y, sx - x
            if 0 <= v < frame.shape[0] and 0 <= u < frame.shape[1] and inside[y, x] and inside[v, u]:
                own.append(float(frame[y, x]))
                image.append(float(frame[v, u]))
    if len(own) < 2 or np.ptp(own) == 0:
        return np.nan, len(own)
    return float(np.corrcoef(own, image)[0, 1]), len(own)


def every_score(frame: NDArray[Any], inside: NDArray[Any], min_overlap: float) -> NDArray[np.float64]:
    """Scores for all s; nan where the overlap is too small."""
    h, w = frame.shape
    found = [[score_by_definition(frame, inside, sy, sx) for sx in range(2 * w - 1)] for sy in range(2 * h - 1)]
    scores, counts = np.moveaxis(np.array(found), -1, 0)
    scores[counts < min_overlap * counts.max()] = np.nan
    return scores


def symmetric(values: NDArray[Any], sy: int, sx: int) -> NDArray[Any]:
    """`values`, each pixel averaged with its image under p -> s - p where that is inside the frame."""
    frame = values.copy()
    h, w = values.shape
    y, x = np.mgrid[max(0, sy - h + 1) : min(h, sy + 1), max(0, sx - w + 1) : min(w, sx + 1)]
    frame[y, x] = (values[y, x] + values[sy - y, sx - x]) / 2
    return frame


def disks(centers: Any, counts: Any, radius: float, shape: tuple[int, int]) -> NDArray[np.float64]:
    frame = np.zeros(shape)
    for center, count in zip(centers, counts, strict=True):
        window, share = disk_coverage(np.asarray(center, float), radius, shape)
        frame[window] += count * share
    return frame


@settings(deadline=None, max_examples=6)
@given(st.integers(7, 8), st.integers(6, 9), st.integers(0, 2**31), st.booleans())
def test_it_is_the_best_of_all_scores_by_definition(h: int, w: int, seed: int, masked: bool) -> None:
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 9, (h, w)).astype("u2")
    inside = rng.random((h, w)) > 0.25 if masked else np.ones((h, w), bool)
    scores = every_score(frame, inside, 0.4)
    best = np.nanmax(scores)
    y, x, score = find(frame[None], inside, min_overlap=0.4, smooth=False, refine="")[0]
    # Chance may offer little evidence and a high score, which is refused; what is found is a maximum all the same.
    assert score == pytest.approx(scores[round(2 * y), round(2 * x)], abs=1e-5) or np.isnan(
        scores[round(2 * y), round(2 * x)]
    )
    frame = symmetric(rng.random((h, w)), h - 1, w).astype("f4")
    y, x, score = find(frame[None], inside, min_overlap=0.4, smooth=False, refine="")[0]
    assert (y, x) == ((h - 1) / 2, w / 2)
    assert score == pytest.approx(1, abs=1e-5)
    assert best <= 1 + 1e-12


@pytest.mark.parametrize("shape", [(9, 12), (10, 7)])
def test_tables_of_all_places_are_the_definition(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    frames = rng.poisson(4, (3, *shape)).astype("u2")
    inside = rng.random(shape) > 0.3
    search = make_search(inside.astype(np.uint8), (0, 0), (shape[0] // 2, shape[1] // 2), 1e3, 0.25, levels=0)
    values = (frames * inside).astype(np.float32)
    c, a, q, _ = np.moveaxis(tables(values, search), 1, 0)
    turned, weights = np.empty(shape, np.float32), search.weights[0]
    checked = 0
    for k, frame in enumerate(frames):
        turned[:] = values[k, ::-1, ::-1]
        for row, column in zip(*np.nonzero(search.pairs), strict=True):
            sy, sx = search.first[0] + row, search.first[1] + column
            expected, count = score_by_definition(frame, inside, sy, sx)
            assert search.pairs[row, column] == count
            level = a[k, row, column] ** 2 / count
            assert (c[k, row, column] - level) / (q[k, row, column] - level) == pytest.approx(expected, abs=1e-9)
            exact = friedel_symmetry._symmetry(values[k], weights, turned, weights[::-1, ::-1].copy(), False, sy, sx)
            assert exact == pytest.approx(expected, abs=1e-5)
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4"])
@pytest.mark.parametrize("masked", [False, True])
def test_compiled_and_interpreted_agree(dtype: str, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    frames = rng.poisson(3, (4, 30, 33)).astype(dtype)
    frames[1] = 0
    frames[2] = 255
    inside = rng.random((30, 33)) > 0.2 if masked else None
    compiled = find(frames, inside, levels=1)
    for module in ("friedel", "friedel_search", "friedel_symmetry"):
        module = __import__(f"lazy4d.kernels.{module}", fromlist=["x"])
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, value.py_func)
    np.testing.assert_allclose(find(frames, inside, levels=1), compiled, rtol=1e-5)
    assert np.isnan(compiled[1:3]).all()
    assert np.isfinite(compiled[[0, 3]]).all()
    assert find(frames[:0], inside).shape == (0, 3)


@pytest.mark.parametrize("shape", [(64, 64), (63, 65), (50, 81), (96, 128)])
def test_a_noise_free_disk_is_found_to_a_hundredth_of_a_pixel(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    centers = np.array(shape) // 2 + rng.uniform(-6, 6, (12, 2))
    frames = np.array([disks([c], [1e5], 6.3, shape) for c in centers]).astype("f4")
    found = find(frames)
    assert np.abs(found[:, :2] - centers).max() < 0.012
    assert found[:, 2].min() > 0.995
    assert np.abs(find(frames, refine="dft")[:, :2] - centers).max() < 0.006
    assert np.abs(find(frames, refine="")[:, :2] - centers).max() < 0.27  # steps of half a pixel
    assert np.abs(find(frames, smooth=False)[:, :2] - centers).max() < 0.05


@pytest.mark.parametrize("shape", [(64, 64), (61, 80)])
@pytest.mark.parametrize("offset", [(0, 0), (5, -7), (-6, 3)])
def test_a_symmetric_random_pattern_with_its_centre_masked(shape: tuple[int, int], offset: tuple[int, int]) -> None:
    s = [2 * (n // 2) + o for n, o in zip(shape, offset, strict=True)]
    frame = symmetric(np.random.default_rng(2).random(shape), *s).astype("f4")
    inside = np.ones(shape, np.uint8)
    inside[shape[0] // 2 - 8 : shape[0] // 2 + 9, : shape[1] // 2 + 9] = 0  # a bar with its end over the centre
    frame[inside == 0] = 1e6
    found = find(frame[None], inside)[0]
    assert np.abs(found[:2] - np.array(s) / 2).max() < 0.1
    assert found[2] > 0.9


def test_a_small_overlap_does_not_win() -> None:
    """A pair of equal pixels in a corner is perfectly symmetric; the pattern is so to 0.9."""
    rng = np.random.default_rng(0)
    frame = symmetric(rng.random((64, 64)), 66, 63) + rng.normal(0, 0.1, (64, 64))
    frame[:4, :4] = symmetric(rng.random((4, 4)), 3, 3)
    y, x, score = find(frame[None].astype("f4"), min_overlap=0.3)[0]
    assert (round(y, 1), round(x, 1)) == (33, 31.5)
    assert 0.5 < score < 0.99


def test_little_that_agrees_by_chance_does_not_win() -> None:
    """Where the overlap leaves out the beam, a few electrons of background may be perfectly symmetric."""
    rng = np.random.default_rng(7)
    frames = np.array([rng.poisson(disks([(24.3, 40.1)], [600], 6.0, (64, 64)) + 1e-3) for _ in range(20)])
    found = find(frames.astype("u2"))
    assert np.hypot(*(found[:, :2] - (24.3, 40.1)).T).max() < 0.6


@pytest.mark.parametrize("height", [1e3, 1e5, 1e7])
def test_a_strong_beam_hides_nothing_behind_a_mask(height: float) -> None:
    """The beam leaks past the stop on one side only, millions of times brighter than the disks that tell the centre."""
    center = np.array([33.4, 30.8])
    spots = center + np.array([[18, 5], [-18, -5], [-5, 18], [5, -18]])
    frame = disks(spots, [3e3, 2e3, 2.5e3, 2.5e3], 4.0, (64, 64)) + disks([center], [height * 50], 4.0, (64, 64))
    inside = np.ones((64, 64), bool)
    inside[26:40, :36] = False  # and what leaks past its end at x = 35 has its image behind it
    y, x, _ = find(frame[None].astype("f4"), inside)[0]
    assert np.hypot(y - center[0], x - center[1]) < 0.05
    whole = find(frame[None].astype("f4"))[0]
    assert np.hypot(*(whole[:2] - center)) < 0.02


def test_a_pedestal_and_a_scale_change_nothing() -> None:
    frame = disks([(30.2, 33.7), (20, 40)], [4e3, 1e3], 5.0, (64, 60))
    plain = find(frame[None].astype("f8"))[0]
    for changed in (frame * 1e12, frame * 1e-12, frame + 1e5, frame - 50, -frame):
        np.testing.assert_allclose(find(changed[None])[0], plain, atol=2e-5)
    full = (np.rint(frame) + 2**32 - 1 - np.rint(frame).max()).astype("u4")
    np.testing.assert_allclose(find(full[None])[0], find(np.rint(frame)[None])[0], atol=2e-5)


def test_windows_are_in_pixels_of_the_whole_frame() -> None:
    frames = disks([(40.25, 21.5)], [1e4], 5.0, (80, 70))[None].astype("f4")
    found = find(frames, np.ones((32, 30), np.uint8), origin=(23, 9))[0]
    np.testing.assert_allclose(found[:2], (40.25, 21.5), atol=0.01)


def test_the_search_keeps_to_its_radius() -> None:
    frames = disks([(26, 32), (44, 32)], [3e4, 2.9e4], 5.0, (64, 64))[None].astype("f4")
    assert find(frames)[0, 0] == pytest.approx(35, abs=0.05)  # both disks match each other
    assert find(frames, center=(25, 32), radius=4)[0, 0] == pytest.approx(26, abs=0.05)
    with pytest.raises(ValueError, match=r"no centre within 2 px of \(y, x\) = \(2, 2\)"):
        find(frames, center=(2, 2), radius=2)


def test_thresholds_backgrounds_and_roots() -> None:
    frame = disks([(30.0, 33.0)], [4e3], 5.0, (64, 60))
    frame += np.linspace(0, 20, 64)[:, None]  # a ramp is as antisymmetric as can be
    exact = [30.0, 33.0]
    assert find(frame[None])[0, 2] < 0.8
    for found in (find(frame[None], threshold=21.0), find(frame[None], threshold=1.0, background=20.0)):
        np.testing.assert_allclose(found[0, :2], exact, atol=0.08)  # the ramp is left within the disk
        assert found[0, 2] > 0.97
    np.testing.assert_allclose(find(frame[None], root=True, threshold=0.0, background=20.0)[0, :2], exact, atol=0.05)


def test_nan_counts_unless_it_is_masked() -> None:
    frames = np.repeat(disks([(30.0, 33.0)], [4e3], 5.0, (64, 60))[None], 2, axis=0).astype("f4")
    frames[1, 5, 6] = np.nan
    found = find(frames)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    inside = np.ones((64, 60), np.uint8)
    inside[5, 6] = 0
    np.testing.assert_allclose(find(frames, inside)[1, :2], (30, 33), atol=1e-3)


def test_a_frame_alone_gives_the_same_bits_as_in_a_tile() -> None:
    frames = np.random.default_rng(4).poisson(disks([(30.2, 33.7)], [4e3], 5.0, (64, 60)), (7, 64, 60)).astype("u2")
    together = find(frames)
    for k in range(7):
        np.testing.assert_array_equal(find(frames[k : k + 1])[0], together[k])

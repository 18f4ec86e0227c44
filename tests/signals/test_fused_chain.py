"""Position, plane, shift and virtual image as one lazy chain: how often it reads, what it holds, what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.lazy.run import plan_run
from tests.signals.descan_source import THRESHOLD, descan_scan, factor_of, pattern, reads

RING = l4.CircleROI(15, 12, 8, r_inner=5)  # pixels of frames of (24, 30), centred on pixel N // 2


def chain(scan: l4.Diffraction2D, roi: Any = RING, **options: Any) -> Any:
    plane = scan.get_direct_beam_position("center_of_mass", threshold=THRESHOLD).get_linear_plane()
    return scan.center_direct_beam(position=plane, **options).get_virtual_image(roi)


def at_once(scan: l4.Diffraction2D, roi: Any = RING, **options: Any) -> Any:
    return scan.center_direct_beam("center_of_mass", threshold=THRESHOLD, **options).get_virtual_image(roi)


def truth(nav_shape: tuple[int, ...]) -> NDArray[Any]:
    """What the ring collects of the pattern that all frames are a copy of, times the factor of each."""
    y, x = np.indices((24, 30))
    radius = np.hypot(y - 12, x - 15)
    total = int(pattern((24, 30), 0)[(radius >= 5) & (radius < 8)].sum())
    return factor_of(np.arange(np.prod(nav_shape, dtype=int)).reshape(nav_shape)) * total


def passes(*signals: Any) -> list[int]:
    """How often each frame was read while `signals` were computed together."""
    reads.clear()
    l4.compute(*signals)
    return np.bincount(reads).tolist()


def test_the_whole_chain_is_built_without_computing(no_compute: Any) -> None:
    with no_compute:
        scan = descan_scan()
        image = chain(scan)
        other = chain(scan, interpolation="fourier", fill=np.nan)
        assert "lazy" in repr(image) + repr(other)
    assert (image.dtype, other.dtype) == (np.uint64, np.float64)


@pytest.mark.parametrize("chunks", [-1, 1, ((1, 3, 2), (2, 2, 1))])
def test_two_passes_with_a_plane_and_one_without(chunks: Any) -> None:
    scan = descan_scan(chunks=chunks)
    assert passes(chain(scan)) == [2] * 30
    assert passes(at_once(scan)) == [1] * 30


def test_what_needs_no_plane_is_taken_along_on_the_first_pass() -> None:
    scan = descan_scan(chunks=2)
    position = scan.get_direct_beam_position("center_of_mass", threshold=THRESHOLD)
    centred = scan.center_direct_beam(position=position.get_linear_plane())
    assert passes(scan.mean(), position, centred.get_virtual_image(RING), centred.mean()) == [2] * 30
    found = scan.center_direct_beam("center_of_mass", threshold=THRESHOLD)
    assert passes(scan.mean(), position, found.get_virtual_image(RING), found.mean(), found.max()) == [1] * 30


def test_positions_from_a_sample_cost_the_sample() -> None:
    scan = descan_scan(chunks=2)
    centred = scan.center_direct_beam("interpolate", sample="corners", by="center_of_mass", threshold=THRESHOLD)
    image = centred.get_virtual_image(RING)
    corners = np.zeros((6, 5), int)
    corners[np.ix_([0, 1, -2, -1], [0, 1, -2, -1])] = 1
    assert passes(image) == (1 + corners).ravel().tolist()
    np.testing.assert_array_equal(image.as_numpy(), truth((6, 5)))
    assert centred.history[-1].params["sample"] == "corners"


def test_explain_says_how_often_the_file_is_read() -> None:
    scan = descan_scan(chunks=2)
    text = str(scan.explain(chain(scan)))
    assert text.count("DescanSource") == 2
    assert "center_at" in text
    assert str(scan.explain(at_once(scan))).count("DescanSource") == 1


@pytest.mark.parametrize("chunks", [-1, 1, ((1, 3, 2), (2, 2, 1))])
@pytest.mark.parametrize("build", [chain, at_once])
def test_exact_whatever_the_blocks(build: Any, chunks: Any) -> None:
    np.testing.assert_array_equal(build(descan_scan(chunks=chunks)).as_numpy(), truth((6, 5)))


def test_the_same_on_every_scheduler(scheduler: str) -> None:
    scan = descan_scan(chunks=2)
    results = l4.compute(chain(scan), at_once(scan), chain(scan, interpolation="cubic"), at_once(scan).sum())
    for result in results[:3]:
        np.testing.assert_allclose(result.data, truth((6, 5)), rtol=1e-6, err_msg=scheduler)
    assert results[3].data == truth((6, 5)).sum()


@pytest.mark.parametrize("nav_shape", [(), (7,), (3, 4), (2, 3, 4)])
def test_any_number_of_navigation_axes(nav_shape: tuple[int, ...]) -> None:
    scan = descan_scan(nav_shape)
    position = scan.get_direct_beam_position("center_of_mass", threshold=THRESHOLD)
    model = "plane" if nav_shape else "constant"
    plane = position.get_linear_plane(model, robust=bool(nav_shape))
    for centred in (scan.center_direct_beam(position=plane), scan.center_direct_beam(position=position)):
        np.testing.assert_array_equal(centred.get_virtual_image(RING).as_numpy(), truth(nav_shape))
    np.testing.assert_array_equal(at_once(scan).as_numpy(), truth(nav_shape))


@pytest.mark.parametrize("incomplete", ["nan", "zero"])
@pytest.mark.parametrize("build", [chain, at_once])
def test_damaged_frames(build: Any, incomplete: str) -> None:
    damaged = (0, 7, 22)
    scan = descan_scan(chunks=2, incomplete=incomplete, damaged=damaged)
    image = build(scan).compute()
    expected = truth((6, 5)).astype(float)
    expected.ravel()[list(damaged)] = np.nan if incomplete == "nan" else 0
    np.testing.assert_array_equal(image.data, expected)
    np.testing.assert_array_equal(np.flatnonzero(~image.valid.as_numpy()), damaged)


def test_reductions_of_centred_frames_leave_damaged_ones_out() -> None:
    scan = descan_scan(chunks=2, incomplete="nan", damaged=(0, 7))
    position = scan.get_direct_beam_position("center_of_mass", threshold=THRESHOLD)
    total = scan.center_direct_beam(position=position, fill=0).sum()
    coverage = scan.get_shift_coverage(shifts=position.shifts, interpolation="integer")
    total, coverage = l4.compute(total, coverage)
    assert coverage.data.max() == 28
    assert coverage.data[12, 15] == 28
    factors = factor_of(np.arange(30)).astype(int)
    assert total.data[12, 15] == 100 * (factors.sum() - factors[0] - factors[7])


def test_no_centred_frame_is_kept() -> None:
    # 340 MB of frames, 680 MB once they are floats; blocks of 17 MB
    scan = descan_scan((72, 36), (256, 256), chunks=4, slope=1)
    roi = l4.CircleROI(128, 128, 40)
    for build in (chain, at_once):
        image = build(scan, roi, interpolation="bilinear")
        explanation = scan.explain(image)
        assert round(explanation.nbytes / (72 * 36 * 2 * 256**2)) == (2 if build is chain else 1)
        (result,) = explanation.compute()
        assert result.data.shape == (72, 36)
        memory = explanation.measured.get("memory")
        assert memory is None or memory < 64e6, f"{memory / 1e6:.0f} MB"


def test_the_graph_holds_no_frames() -> None:
    image = chain(descan_scan(chunks=2))
    walks = plan_run([image.data], in_place=True).walks.values()
    over_file = [w for w in walks if w.source.array is None]
    assert len(over_file) == 2
    for walk in over_file:
        for terminal in walk.terminals:
            assert len(terminal.frame_shape) < 2
        assert all(lazy.array.shape[2:] in {(), (2,)} for lazy in walk.lazy)


def test_keys_are_the_same_in_another_build() -> None:
    first, second = descan_scan(chunks=2), descan_scan(chunks=2)
    for build in (chain, at_once):
        assert build(first).data.name == build(second).data.name
    assert at_once(first).data.name != at_once(first, fill=1).data.name
    assert at_once(first).data.name != at_once(first, interpolation="cubic").data.name

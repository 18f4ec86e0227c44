"""The beam measured in a few frames and interpolated for all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data import beam_frames, simulated_scan
from lazy4d.data.scan import SimulatedBlock
from lazy4d.lazy import Frames
from lazy4d.signals.beam.interpolate import interpolate, sampled_positions


def frames_at(positions: Any, shape: tuple[int, int] = (20, 24)) -> Any:
    """Frames [..., ky, kx] whose centre of mass is exactly at `positions`: four pixels share each."""
    flat = np.asarray(positions, float).reshape(-1, 2)
    frames = np.zeros((len(flat), *shape))
    for frame, place in zip(frames, flat, strict=True):
        (y, x), (v, u) = np.floor(place).astype(int), place % 1
        frame[y : y + 2, x : x + 2] = np.outer([1 - v, v], [1 - u, u])
    return frames.reshape(np.shape(positions)[:-1] + shape)


def plane(shape: tuple[int, ...]) -> Any:
    """Positions on a plane over the last two axes."""
    place = np.indices(shape)
    x = place[-1]
    y = place[-2] if len(shape) > 1 else 0 * x
    return np.stack([9.3 + 0.21 * x - 0.13 * y, 11.7 - 0.17 * x + 0.24 * y], axis=-1)


def parabola(shape: tuple[int, ...]) -> Any:
    place = np.indices(shape)
    return plane(shape) + np.stack([0.02 * place[-1] ** 2, -0.01 * place[-2] * place[-1]], axis=-1)


@pytest.mark.parametrize("shape", [(17,), (9, 12), (3, 9, 11)])
@pytest.mark.parametrize("sample", [4, "corners"])
def test_an_exact_plane_is_exact_everywhere(shape: tuple[int, ...], sample: Any, no_compute: Any) -> None:
    truth = plane(shape)
    s = l4.Diffraction2D(Frames.from_array(frames_at(truth), len(shape), chunks=2))
    with no_compute:
        found = interpolate(s, sample=sample, method="center_of_mass")
    assert found.lazy
    np.testing.assert_allclose(found.as_numpy(), truth, atol=1e-9)
    assert found.dtype == np.float64
    residual = found.residual.as_numpy()
    chosen = sampled_positions(s, sample)
    assert np.isfinite(residual[chosen]).all()
    assert np.isnan(residual[~chosen]).all()
    assert np.nanmax(np.abs(residual)) < 1e-9


def test_a_parabola_and_its_history() -> None:
    truth = parabola((9, 12))
    s = l4.Diffraction2D(frames_at(truth, (24, 24)), title="scan")
    found = s.get_direct_beam_position(
        "interpolate", by="center_of_mass", sample=(5, 4), model="parabola", half_width=30
    )
    np.testing.assert_allclose(found.as_numpy(), truth, atol=1e-9)
    assert len(found.history) == len(s.history) + 1
    params = found.history[-1].params
    assert (params["method"], params["by"], params["model"]) == ("interpolate", "center_of_mass", "parabola")
    assert params["half_width"] == 30
    assert found.title == "beam position of scan"
    np.testing.assert_allclose((found.shifts.as_numpy() + truth), np.broadcast_to((12, 12), truth.shape), atol=1e-9)


def test_outliers_and_empty_frames_do_not_count() -> None:
    truth = plane((12, 14))
    frames = frames_at(truth)
    rng = np.random.default_rng(0)
    wrong = rng.random((12, 14)) < 0.15
    frames[wrong] = frames_at(np.full((int(wrong.sum()), 2), 3.0))
    frames[rng.random((12, 14)) < 0.1] = 0
    found = interpolate(l4.Diffraction2D(frames), sample=7, method="center_of_mass")
    np.testing.assert_allclose(found.as_numpy(), truth, atol=1e-6)


def test_only_the_frames_of_the_sample_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    plain = SimulatedBlock.read

    def counted(self: Any, start: int, stop: int, out: Any, window: Any) -> None:
        read.extend(self._scan._positions(self._box, start, stop).tolist())
        plain(self, start, stop, out, window)

    monkeypatch.setattr(SimulatedBlock, "read", counted)
    scan = simulated_scan((16, 20), (32, 32), kind="disk", disk_radius=3, dose=2000, descan=4.0)
    s = l4.Diffraction2D(Frames.from_source(scan))
    found = interpolate(s, sample=(4, 3), method="center_of_mass")
    assert read == []
    result = found.compute()
    expected = np.flatnonzero(sampled_positions(s, (4, 3)))
    assert len(expected) == 12
    assert sorted(read) == expected.tolist()  # each once, although several passes fit
    assert np.abs(result.data - scan.truth["beam_position"]).max() < 0.05
    assert result.measured.data.shape == (16, 20, 2)


def test_descan_is_found_to_a_twentieth_of_a_pixel() -> None:
    made = beam_frames((20, 24), (64, 64), descan=(18, -20), jitter=0, dose=100, disk_radius=5)
    s = l4.Diffraction2D(made.frames)
    for sample in (5, "corners"):
        found = interpolate(s, sample=sample, method="friedel")
        assert np.abs(found.as_numpy() - made.beam_position).max() < 0.05


def test_samples_of_every_kind() -> None:
    s = l4.Diffraction2D(np.ones((6, 9, 4, 4)))
    assert np.argwhere(sampled_positions(s, 2)).tolist() == [[0, 0], [0, 8], [5, 0], [5, 8]]
    assert np.argwhere(sampled_positions(s, (3, 1))).tolist() == [[2, 0], [2, 4], [2, 8]]
    assert sampled_positions(s, 100).all()
    assert sampled_positions(s, "corners").sum() == 16
    inside = np.zeros((6, 9), bool)
    inside[2, 3] = True
    np.testing.assert_array_equal(sampled_positions(s, inside), inside)
    np.testing.assert_array_equal(sampled_positions(s, l4.VirtualImage(inside)), inside)
    assert sampled_positions(s, l4.RectangleROI(0, 0, 3, 2)).sum() == 6
    big = l4.Diffraction2D(np.ones((64, 48, 1, 1)))
    assert sampled_positions(big, "corners").sum() == 4 * 4 * 3


def test_positions_picked_by_a_mask_keep_their_places() -> None:
    truth = plane((9, 12))
    mask = np.random.default_rng(1).random((9, 12)) < 0.6
    s = l4.Diffraction2D(frames_at(truth)).inav[mask]
    found = interpolate(s, sample=12, method="center_of_mass")
    np.testing.assert_allclose(found.as_numpy(), truth[mask], atol=1e-9)


def test_the_same_for_every_cut_into_blocks_and_scheduler(scheduler: str) -> None:
    made = beam_frames((7, 6), (32, 32), disk_radius=4)
    whole = interpolate(l4.Diffraction2D(made.frames), sample=3, method="center_of_mass").as_numpy()
    for chunks in (1, (3, 2)):
        s = l4.Diffraction2D(Frames.from_array(made.frames, 2, chunks=chunks))
        np.testing.assert_allclose(interpolate(s, sample=3, method="center_of_mass").as_numpy(), whole, atol=1e-12)


def test_damaged_frames_are_not_measured() -> None:
    truth = plane((9, 12))
    valid = np.ones((9, 12), bool)
    valid[0, 0] = valid[8, 4] = False
    frames = frames_at(truth)
    frames[~valid] = 7
    found = interpolate(l4.Diffraction2D(frames, valid=valid), sample=4, method="center_of_mass")
    np.testing.assert_allclose(found.as_numpy(), truth, atol=1e-9)
    assert np.isnan(found.measured.as_numpy()[0, 0]).all()


def test_cut_along_by_inav() -> None:
    truth = plane((9, 12))
    found = interpolate(l4.Diffraction2D(frames_at(truth)), sample=4, method="center_of_mass").inav[2:5, 1:]
    np.testing.assert_allclose(found.as_numpy(), truth[1:, 2:5], atol=1e-9)
    assert found.measured.data.shape == (8, 3, 2)


def test_what_cannot_be_interpolated() -> None:
    s = l4.Diffraction2D(np.ones((6, 9, 4, 4)))
    with pytest.raises(ValueError, match="is a single frame"):
        interpolate(s.inav[0, 0])
    with pytest.raises(ValueError, match="sample='edges' is not known"):
        interpolate(s, sample="edges")
    with pytest.raises(ValueError, match="at least 1, for each of 2 navigation axes"):
        interpolate(s, sample=(3, 3, 3))
    with pytest.raises(ValueError, match="at least 1, for each of 2 navigation axes"):
        interpolate(s, sample=0)
    with pytest.raises(ValueError, match="False everywhere"):
        interpolate(s, sample=np.zeros((6, 9), bool))
    with pytest.raises(ValueError, match=r"navigation shape \(6, 9\)"):
        interpolate(s, sample=np.ones((9, 6), bool))
    with pytest.raises(TypeError, match="has to be known before anything is measured"):
        interpolate(s, sample=s.get_total_intensity() > 3)
    with pytest.raises(ValueError, match="method='guess' is not known"):
        interpolate(s, method="guess")
    with pytest.raises(ValueError, match="model='cubic' is not known"):
        interpolate(s, method="center_of_mass", model="cubic")
    with pytest.raises(ValueError, match="do not determine a plane"):
        interpolate(s, sample=(9, 1), method="center_of_mass").compute()

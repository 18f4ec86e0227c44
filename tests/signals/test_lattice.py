"""The lattice that vectors lie on: basis found, vectors indexed, fitted at each position, in calibrated units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.lazy import Frames
from lazy4d.signals import LatticeBasis, LatticeFit
from lazy4d.signals.vectors.lattice.basis import reduced, same_lattice

Floats = Any


def cell(first: float, second: float, angle: float, direction: float = 10.0) -> Floats:
    """Two vectors, rows (y, x), of these lengths; angles in degrees from +x towards +y."""
    a, b = np.radians([direction, direction + angle])
    return np.array([[first * np.sin(a), first * np.cos(a)], [second * np.sin(b), second * np.cos(b)]])


def indices(reach: int = 9) -> Floats:
    return np.array([[h, k] for h in range(-reach, reach + 1) for k in range(-reach, reach + 1)])


def spots(basis: Floats, present: Any = None, within: float = 56.0) -> Floats:
    """Lattice points about (64, 64) in a frame of 128 x 128."""
    chosen = indices() if present is None else np.array([p for p in indices() if present(*p)])
    places = chosen @ basis
    return places[np.hypot(*places.T) < within] + 64


def vectors(frames: list[Any], nav_shape: Any = None, **options: Any) -> l4.DiffractionVectors:
    return l4.DiffractionVectors(frames, nav_shape=nav_shape, frame_shape=(128, 128), **options)


def is_basis_of(found: LatticeBasis, basis: Floats, tolerance: float = 0.01) -> bool:
    multiples = found.vectors @ np.linalg.inv(basis)
    whole = np.rint(multiples)
    return bool(abs(abs(np.linalg.det(whole)) - 1) < 1e-9 and np.abs(multiples - whole).max() < tolerance)


SITUATIONS: dict[str, tuple[Floats, Any]] = {
    "square": (cell(14, 14, 90), None),
    "nearly square": (cell(14, 14.2, 90.4), None),
    "hexagonal": (cell(14, 14, 60), None),
    "hexagonal at 120°": (cell(14, 14, 120, 33), None),
    "rectangular": (cell(8, 30, 90, 20), None),
    "oblique": (cell(12, 17, 75, 70), None),
    "glide plane": (cell(12, 12, 90), lambda h, k: k or h % 2 == 0),
    "no direct beam": (cell(14, 15, 85), lambda h, k: h or k),
    "one half": (cell(14, 15, 85), lambda h, k: h >= 1),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_basis_is_found(name: str) -> None:
    basis, present = SITUATIONS[name]
    rng = np.random.default_rng(0)
    frames = [
        places[rng.random(len(places)) < 0.8] + rng.normal(0, 0.1, 2) + rng.uniform(-6, 6, 2)
        for places in [spots(basis, present)] * 8
    ]
    found = vectors(frames).get_basis()
    assert is_basis_of(found, basis)
    assert found.matched > 0.95


def test_a_centred_lattice_gives_the_primitive_basis_of_its_spots() -> None:
    conventional = cell(9, 12, 90)
    found = vectors([spots(conventional, lambda h, k: (h + k) % 2 == 0)]).get_basis()
    assert is_basis_of(found, np.array([[1, 1], [1, -1]]) @ conventional)


def test_stray_vectors_and_strain_do_not_hide_the_lattice() -> None:
    rng = np.random.default_rng(1)
    basis = cell(14, 15, 85)
    frames = []
    for _ in range(10):
        strained = basis @ (np.eye(2) + rng.uniform(-0.03, 0.03, (2, 2)))
        frames.append(np.concatenate([spots(strained), rng.uniform(0, 127, (15, 2))]))
    found = vectors(frames).get_basis()
    assert is_basis_of(found, basis, 0.03)
    assert 0.5 < found.matched < 0.97


def test_disks_that_were_found_twice_do_not_hide_the_lattice() -> None:
    basis, rng = cell(20, 23, 85), np.random.default_rng(3)
    frames = []
    for _ in range(10):
        places = spots(basis)
        angles = rng.uniform(0, 2 * np.pi, len(places))
        frames.append(np.concatenate([places, places + 4 * np.stack([np.sin(angles), np.cos(angles)], -1)]))
    assert is_basis_of(vectors(frames).get_basis(min_length="8 px"), basis, 0.02)


def test_positions_can_be_chosen_for_the_basis() -> None:
    one, other = cell(14, 14, 90), cell(11, 11, 60, 40)
    v = vectors([spots(one), spots(other)])
    assert is_basis_of(v.get_basis(mask=np.array([True, False])), one)
    assert is_basis_of(v.get_basis(mask=l4.VirtualImage(np.array([False, True]))), other)
    with pytest.raises(ValueError, match="False everywhere"):
        v.get_basis(mask=np.zeros(2, bool))


@pytest.mark.parametrize("frames", [[np.empty((0, 2))], [[[3, 4]]], [[[3.0 + 9 * n, 4.0] for n in range(9)]]])
def test_no_lattice_is_an_error(frames: Any) -> None:
    with pytest.raises(ValueError, match="found no lattice"):
        vectors(frames).get_basis()


def test_vectors_anywhere_have_no_lattice_and_those_of_many_crystals_a_doubtful_one() -> None:
    rng = np.random.default_rng(7)
    with pytest.raises(ValueError, match="found no lattice"):
        vectors([rng.uniform(0, 127, (30, 2)) for _ in range(20)]).get_basis()
    with pytest.warns(l4.Lazy4DWarning, match="several crystals"):
        vectors([spots(cell(14, 14, 90, rng.uniform(0, 90))) for _ in range(60)]).get_basis()
    assert is_basis_of(vectors([spots(cell(6, 6, 90))]).get_basis(), cell(6, 6, 90))


@settings(max_examples=40, deadline=None)
@given(
    st.floats(5, 30), st.floats(1, 3), st.floats(62, 118), st.floats(0, 180),
    st.lists(st.tuples(st.booleans(), st.integers(-2, 2)), max_size=4),
)  # fmt: skip
def test_reduction_does_not_depend_on_the_basis(a: float, ratio: float, angle: float, at: float, steps: Any) -> None:
    basis = cell(a, a * ratio, angle, at)
    other = basis.copy()
    for which, times in steps:
        other[int(which)] += times * other[1 - int(which)]
    first, second = reduced(basis), reduced(other)
    lengths = np.linalg.norm(first, axis=1)
    assert abs(abs(np.linalg.det(first)) / abs(np.linalg.det(basis)) - 1) < 1e-9
    assert lengths.max() <= np.linalg.norm(basis, axis=1).max() * 1.0201
    assert first[0, 1] * first[1, 0] - first[0, 0] * first[1, 1] > 0  # g2 is on from g1, from +x towards +y
    np.testing.assert_allclose(same_lattice(first, second), first, rtol=0, atol=1e-7 * a)


def test_a_basis_as_users_give_it() -> None:
    v = vectors([[[3, 4]]])
    v.set_calibration(scale=0.5, units="1/nm")
    fits = [v.fit_lattice(given).basis.vectors for given in (((8, 0), (0.0, 5.0)), (("0.4 1/Å", 0), (0, 10)))]
    np.testing.assert_allclose(fits, [[[0, 4], [5, 0]]] * 2)
    np.testing.assert_allclose(v.fit_lattice(np.array([[0, 4.0], [5, 0]])).basis.vectors, fits[0])
    with pytest.raises(ValueError, match="in 1/nm, the units of the vectors"):
        v.fit_lattice(LatticeBasis(np.eye(2)))
    with pytest.raises(TypeError, match="two tuples"):
        v.fit_lattice((3, 4))
    with pytest.raises(ValueError, match="different directions"):
        v.fit_lattice(((8, 0), (4, 0)))


def test_vectors_are_indexed_whatever_descan_and_without_a_beam() -> None:
    rng = np.random.default_rng(2)
    basis = cell(14, 15, 85)
    truth = np.array([p for p in indices(3) if p.any()])
    frames = [truth @ basis + 64 + rng.uniform(-6, 6, 2) for _ in range(5)]
    v = vectors([np.concatenate([frame, [frame[0] + 0.5 * basis[0]]]) for frame in frames])
    found = v.index(basis)
    assert found.columns == ("ky", "kx", "h", "k", "residual")
    assert found.dtypes["h"] == np.int16
    for n in range(5):
        frame = found.ragged.frame(n)
        np.testing.assert_array_equal(np.column_stack([frame["h"], frame["k"]])[:-1], truth)
        assert frame["h"][-1] == frame["k"][-1] == -32768
        assert np.isnan(frame["residual"][-1])
        assert frame["residual"][:-1].max() < 0.5
    assert found.history[-1].op == "index"
    fixed = v.index(basis, "1 px", origin=(64, 64), fix_origin=True).ragged["residual"]
    assert not (fixed > 1).any()
    per_position = v.index(v.fit_lattice(basis)).ragged["residual"].reshape(5, -1)
    assert np.nanmax(per_position) < 1e-9


def calibrated(frames: list[Any], ellipse: bool = False) -> l4.DiffractionVectors:
    """Vectors in pixels of frames whose ky and kx count differently, one of them backwards."""
    v = vectors(frames)
    for axis, scale in zip(v.frame_axes, (-0.02, 0.05), strict=True):
        axis.scale, axis.offset, axis.units = scale, -64 * scale, "1/Å"
    if ellipse:
        v.metadata.set_item("Calibration.ellipse", {"ratio": 1.1, "angle": 25.0})
    return v


@pytest.mark.parametrize("ellipse", [False, True])
def test_lattices_are_fitted_in_calibrated_units(ellipse: bool) -> None:
    basis = np.array([[0.3, 0.5], [0.5, -0.3]])
    distortion = l4.signals.Ellipse(1.1, 25.0).matrix() if ellipse else np.eye(2)
    places = indices(2) @ basis @ np.linalg.inv(distortion).T + [0.01, -0.02]
    v = calibrated([places / [-0.02, 0.05] + 64], ellipse)
    fit = v.fit_lattice()
    assert is_basis_of(fit.basis, basis)
    np.testing.assert_allclose(np.linalg.norm(fit.g1.as_numpy(), axis=-1), np.hypot(0.3, 0.5), rtol=1e-9)
    np.testing.assert_allclose(fit.beam_position.as_numpy(), [[63.5, 63.6]], atol=1e-9)
    assert fit.units == "1/Å"
    assert fit.g1.metadata.Signal.quantity == "g1 (1/Å)"


def test_origins_are_given_per_position() -> None:
    basis = cell(14, 15, 85)
    shifts = np.array([[0.0, 0.0], [9.0, -10.0], [20.0, 3.0]])
    v = vectors([spots(basis) + shift for shift in shifts])
    beam = l4.BeamPosition(64 + shifts + 0.4)
    fit = v.fit_lattice(basis, origin=beam)
    np.testing.assert_allclose(fit.beam_position.as_numpy(), 64 + shifts, atol=1e-9)
    lazily = v.fit_lattice(basis, origin=l4.BeamPosition(Frames.from_array(64 + shifts + 0.4, 1)))
    assert lazily.lazy
    np.testing.assert_array_equal(lazily.as_numpy(), fit.data)
    fixed = v.fit_lattice(basis, origin=beam, fix_origin=True, robust=False)
    np.testing.assert_allclose(fixed.origin.as_numpy(), shifts + 0.4, atol=1e-9)
    np.testing.assert_array_equal(fixed.uncertainty["origin"].as_numpy(), 0)
    with pytest.raises(ValueError, match="origin as a signal"):
        v.fit_lattice(basis, origin=l4.BeamPosition(np.zeros((2, 2))))


def test_two_crystals_at_one_position_show() -> None:
    basis = cell(14, 15, 85)
    one, other = spots(basis), spots(cell(14, 15, 85, 31))
    both = np.concatenate([np.c_[one, np.full(len(one), 2.0)], np.c_[other, np.ones(len(other))]])
    v = vectors([np.c_[one, np.ones(len(one))], both])
    robust, plain = (v.fit_lattice(basis, robust=robust) for robust in (True, False))
    matched, residual = robust.matched.as_numpy(), plain.residual.as_numpy()
    np.testing.assert_allclose(robust.data[1, 2:6], robust.data[0, 2:6], atol=1e-9)
    assert matched[0] == 1
    assert 0.5 < matched[1] < 0.8
    assert residual[0] < 1e-9
    assert residual[1] > 0.5


def scan_of(nav_shape: tuple[int, ...], seed: int = 0) -> l4.DiffractionVectors:
    rng = np.random.default_rng(seed)
    n = int(np.prod(nav_shape))
    frames = [spots(cell(14, 15, 85)) + rng.normal(0, 0.05, 2) + rng.uniform(-3, 3, 2) for _ in range(n)]
    rows = [np.column_stack([frame + rng.normal(0, 0.03, frame.shape), rng.random(len(frame))]) for frame in frames]
    return vectors(rows[0] if not nav_shape else rows, nav_shape)


def lazily(v: l4.DiffractionVectors, chunks: Any, **options: Any) -> l4.DiffractionVectors:
    from lazy4d.lazy.ragged_blocks import RaggedBlocks

    blocks = RaggedBlocks.from_ragged(v.ragged, v.nav_shape, chunks)
    return l4.DiffractionVectors(blocks, v.axes_manager.copy(), **options)


@pytest.mark.parametrize("nav_shape", [(), (3,), (3, 4), (2, 2, 3)])
def test_any_navigation_and_nothing_computed_while_building(nav_shape: tuple[int, ...], no_compute: Any) -> None:
    v = scan_of(nav_shape)
    expected = v.fit_lattice(cell(14, 15, 85))
    with no_compute:
        known = lazily(v, "auto")
        fit, indexed = known.fit_lattice(cell(14, 15, 85)), known.index(cell(14, 15, 85))
        again = [known.index(expected), known.index(fit), v.index(fit)]
        strain = fit.get_strain_maps()
        beam, pictures = fit.beam_position, [fit.residual, fit.number, *fit.uncertainty.values(), *strain.maps.values()]
    assert [fit.shape, fit.dtype, beam.shape] == [(*nav_shape, 15), np.float64, (*nav_shape, 2)]
    assert all(one.nav_shape == nav_shape and type(one) is l4.VirtualImage for one in pictures)
    assert [entry.op for entry in strain.history][-2:] == ["fit_lattice", "get_strain_maps"]
    fit, indexed, strain, again = l4.compute(fit, indexed, strain, again)
    for one in again:
        np.testing.assert_array_equal(one.ragged["residual"], v.index(expected).ragged["residual"])
    np.testing.assert_array_equal(fit.data, expected.data)
    np.testing.assert_array_equal(strain.data, expected.get_strain_maps().data)
    np.testing.assert_array_equal(indexed.ragged["h"], v.index(cell(14, 15, 85)).ragged["h"])


def test_blocks_and_schedulers_change_nothing(scheduler: str) -> None:
    v = scan_of((3, 4))
    expected = v.fit_lattice().get_strain_maps(reference=np.arange(12).reshape(3, 4) < 5)
    for chunks in (1, ((1, 2), (3, 1))):
        found = lazily(v, chunks).fit_lattice().get_strain_maps(reference=np.arange(12).reshape(3, 4) < 5)
        np.testing.assert_array_equal(found.as_numpy(), expected.data)


def test_missing_frames_are_nan() -> None:
    valid = np.ones((3, 4), bool)
    valid[1, 2] = False
    v = scan_of((3, 4))
    for known in (lazily(v, 2, valid=valid), l4.DiffractionVectors(v, valid=valid)):
        fit = known.fit_lattice(cell(14, 15, 85))
        maps = fit.get_strain_maps()
        for values in (fit.as_numpy()[..., :12], maps.as_numpy()[..., :8]):
            np.testing.assert_array_equal(np.isnan(values).all(-1), ~valid)


def test_weights_and_what_does_not_fit() -> None:
    v = scan_of((4,))
    basis = cell(14, 15, 85)
    equal, weighted = v.fit_lattice(basis, weights=None), v.fit_lattice(basis)
    assert np.abs(equal.data - weighted.data).max() > 0
    plain = l4.DiffractionVectors(v.ragged.without("intensity"), v.axes_manager.copy())
    np.testing.assert_array_equal(plain.fit_lattice(basis).data, equal.data)
    np.testing.assert_array_equal(v.fit_lattice(basis, weights="kx").shape, (4, 15))
    with pytest.raises(ValueError, match="one of the columns ky, kx, intensity"):
        v.fit_lattice(basis, weights="score")
    with pytest.raises(ValueError, match="at least 3"):
        v.fit_lattice(basis, min_peaks=2)
    with pytest.raises(ValueError, match="max_distance as a length above 0"):
        v.fit_lattice(basis, max_distance=0)
    assert np.isnan(v.fit_lattice(basis, min_peaks=200).data[:, :12]).all()
    with pytest.raises(ValueError, match="does not say what its numbers mean"):
        _ = LatticeFit(np.zeros((2, 15))).basis
    with pytest.raises(ValueError, match="15 numbers"):
        LatticeFit(np.zeros((2, 14)))


def test_fits_are_selected_and_saved(tmp_path: Any) -> None:
    fit = scan_of((3, 4)).fit_lattice()
    part = fit.inav[1:, 0]
    assert isinstance(part, LatticeFit)
    np.testing.assert_array_equal(part.as_numpy(), fit.data[0, 1:])
    fit.save(tmp_path / "fit.zarr")
    back = l4.load(tmp_path / "fit.zarr")
    assert isinstance(back, LatticeFit)
    np.testing.assert_allclose(back.basis.vectors, fit.basis.vectors)
    np.testing.assert_array_equal(back.get_strain_maps().as_numpy(), fit.get_strain_maps().data)


def test_frames_without_vectors() -> None:
    v = vectors([np.empty((0, 3))] * 3)
    fit = v.fit_lattice(cell(14, 15, 85))
    assert np.isnan(fit.data[:, :13]).all()
    assert np.isnan(fit.get_strain_maps().data).all()


def test_a_skew_basis_indexes_and_fits_as_the_reduced_one() -> None:
    """The lattice is the same, so the same vectors are found; indices and vectors are those of the basis asked for."""
    rng = np.random.default_rng(11)
    short = np.array([[0.0, 12.0], [13.0, 0.0]])
    numbers = np.array([[1, 0], [5, 1]])
    truth = indices(4)
    v = vectors([truth @ short + 64 + rng.normal(0, 0.8, (81, 2))])
    skew, plain = v.index(numbers @ short), v.index(short)
    assert np.count_nonzero(skew.ragged["h"] == -32768) == 0
    np.testing.assert_array_equal(skew.ragged["residual"], plain.ragged["residual"])
    found = np.column_stack([skew.ragged["h"], skew.ragged["k"]])
    np.testing.assert_array_equal(found @ numbers, truth)
    fit = v.fit_lattice(numbers @ short, robust=False)
    terms = np.column_stack([np.ones(81), found])
    places = np.column_stack([v.ragged["ky"], v.ragged["kx"]])
    expected = np.linalg.lstsq(terms, places - 64, rcond=None)[0]
    np.testing.assert_allclose(fit.data[0, :6].reshape(3, 2), expected, atol=1e-9)
    said = v.fit_lattice(numbers @ short, robust=False, position_error=0.8).data[0, 6:12]
    np.testing.assert_allclose(said, 0.64 * np.linalg.inv(terms.T @ terms)[np.triu_indices(3)], atol=1e-12)
    np.testing.assert_array_equal(v.index(fit).ragged["h"], skew.ragged["h"])


def test_what_matches_no_lattice_is_nan() -> None:
    rng = np.random.default_rng(12)
    basis = cell(14, 15, 85)
    v = vectors([spots(basis), *(rng.uniform(0, 127, (60, 2)) for _ in range(40))])
    assert np.isnan(v.fit_lattice(basis).data[1:, 2]).mean() > 0.8
    assert np.isfinite(v.fit_lattice(basis, min_matched=0.0).data[:, 2]).all()
    assert np.isfinite(v.fit_lattice(basis).data[0, :12]).all()
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        v.fit_lattice(basis, min_matched=1.5)


def test_units_are_of_the_undistorted_plane_and_pixels_of_the_frame() -> None:
    v = calibrated([[[3, 4]]], ellipse=True)
    true = np.array([[0.0, 0.5], [0.4, 0.0]])
    for one in (true, ((0.5, 0.0), (0.0, 0.4)), (("5 1/nm", 0), (0, "0.4 1/Å"))):
        np.testing.assert_allclose(v.fit_lattice(one).basis.vectors, true, atol=1e-12)
    seen = np.diag([-0.02, 0.05]) @ l4.signals.Ellipse(1.1, 25.0).matrix().T
    np.testing.assert_allclose(v.fit_lattice(((10, 0), (0, 20))).basis.vectors, [10 * seen[1], 20 * seen[0]])

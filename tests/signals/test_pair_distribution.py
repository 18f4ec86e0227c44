"""Pair distribution functions against clusters of known distances, and the transform against its analytic pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.lazy import Frames
from lazy4d.signals.pair_distribution import scattering_factor
from lazy4d.signals.pair_distribution.lobato import coefficients

K = 0.02 + 0.01 * np.arange(300)  # 1/Å, bins from 0.015 to 3.015


def profile(values: Any, *, scale: float = 0.01, offset: float = 0.02, units: str = "1/Å", **kwargs: Any) -> Any:
    s = l4.Diffraction1D(values, title="profile", **kwargs)
    axis = s.frame_axes[0]
    axis.name, axis.scale, axis.offset, axis.units = "k", scale, offset, units
    return s


def fcc_ball(lattice: float, radius: float) -> tuple[NDArray[np.float64], int]:
    """Distances of all pairs in a ball of an fcc crystal."""
    n = int(np.ceil(radius / lattice)) + 1
    cells = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)])
    atoms = lattice * (cells + basis).reshape(-1, 3)
    atoms = atoms[np.linalg.norm(atoms, axis=1) <= radius]
    away = np.linalg.norm(atoms[:, None] - atoms, axis=2)
    return away[np.triu_indices(len(atoms), 1)], len(atoms)


def debye(element: str, lattice: float = 3.615, radius: float = 7.0, spread: float = 0.07) -> NDArray[np.float64]:
    """Debye's formula with thermal motion: the scattering of a ball of atoms in every orientation, an atom."""
    distances, number = fcc_ball(lattice, radius)
    q = 2 * np.pi * K
    order = np.zeros_like(q)
    values, counts = np.unique(distances.round(6), return_counts=True)
    for r, count in zip(values, counts, strict=True):
        order += 2 * count * np.sin(q * r) / (q * r)
    return scattering_factor(element, K) ** 2 * (1 + order / number * np.exp(-0.5 * (q * spread) ** 2))


def peak_near(r: Any, g: Any, place: float, reach: float = 0.3) -> float:
    near = np.flatnonzero(np.abs(r - place) < reach)
    at = near[np.argmax(g[near])]
    low, top, high = g[at - 1 : at + 2]
    return float(r[at] + 0.5 * (high - low) / (2 * top - low - high) * (r[1] - r[0]))


@pytest.mark.parametrize("damping", ["lorch", 0.005])
def test_peaks_stand_at_the_distances_of_a_known_cluster(damping: Any) -> None:
    intensity = 3e4 * debye("Cu") + 500.0
    g = profile(intensity).get_pdf({"Cu": 1}, (0.1, 3.0), fit_range=(1.5, 3.0), r_max=9.0, dr=0.01, damping=damping)
    assert g.axes_manager["r"].units == "Å"
    r, values = g.axes_manager["r"].axis, g.as_numpy()
    nearest = 3.615 / np.sqrt(2)
    for shell in (1, 2, 3, 4, 5):
        assert peak_near(r, values, nearest * np.sqrt(shell)) == pytest.approx(nearest * np.sqrt(shell), abs=0.02)
    assert values[np.abs(r - nearest) < 0.02].max() > 3 * np.abs(values[(r > 1.5) & (r < 2.0)]).max()


def test_hard_spheres_that_touch() -> None:
    """The liquid of Percus and Yevick: contact at the diameter, from the direct correlation function in closed form."""
    diameter, packing = 2.6, 0.35
    q = 2 * np.pi * K
    x = q * diameter
    alpha = (1 + 2 * packing) ** 2 / (1 - packing) ** 4
    beta = -6 * packing * (1 + packing / 2) ** 2 / (1 - packing) ** 4
    gamma = packing * alpha / 2
    wave = (
        alpha * (np.sin(x) - x * np.cos(x)) / x**2
        + beta * (2 * x * np.sin(x) + (2 - x**2) * np.cos(x) - 2) / x**3
        + gamma * (-(x**4) * np.cos(x) + 4 * ((3 * x**2 - 6) * np.cos(x) + (x**3 - 6 * x) * np.sin(x) + 6)) / x**5
    )
    structure = 1 / (1 + 24 * packing * wave / x)
    intensity = 1e4 * scattering_factor("Ar", K) ** 2 * structure
    g = profile(intensity).get_pdf(
        {"Ar": 1}, (0.05, 3.0), fit_range=(1.0, 3.0), polynomial_order=None, r_max=8.0, dr=0.01, damping=None
    )
    r, values = g.axes_manager["r"].axis, g.as_numpy()
    steepest = r[np.argmax(np.gradient(values))]
    assert steepest == pytest.approx(diameter, abs=0.02)
    density = 6 * packing / (np.pi * diameter**3)
    inside = (r > 0.8) & (r < 2.2)
    np.testing.assert_allclose(values[inside].mean(), (-4 * np.pi * r * density)[inside].mean(), rtol=0.05)


@pytest.mark.parametrize("units", ["1/Å", "1/nm"])
@pytest.mark.parametrize("low_k", ["linear", "zero"])
def test_the_sine_transform_of_an_analytic_pair(units: str, low_k: str) -> None:
    """``Q exp(-a Q²)`` and ``r exp(-r² / 4a) / (2 a sqrt(π a))``, whatever the unit of k."""
    a, factor = 0.3, 1.0 if units == "1/Å" else 10.0
    k = 0.005 + 0.01 * np.arange(300)
    q = 2 * np.pi * k
    phi = l4.signals.ReducedIntensity1D(np.stack([q * np.exp(-a * q**2), -2 * q * np.exp(-a * q**2)]))
    axis = phi.frame_axes[0]
    axis.scale, axis.offset, axis.units = 0.01 * factor, 0.005 * factor, units
    g = phi.get_pdf(6.0, 0.05, damping=None, low_k=low_k)
    r = g.axes_manager["r"].axis
    expected = r * np.exp(-(r**2) / (4 * a)) / (2 * a * np.sqrt(np.pi * a))
    np.testing.assert_allclose(g.as_numpy(), np.stack([expected, -2 * expected]), atol=1e-9)


def test_what_is_below_the_first_bin_is_a_straight_line() -> None:
    a = 0.02
    q = 2 * np.pi * K[8:]
    phi = l4.signals.ReducedIntensity1D(q * np.exp(-a * q**2))
    axis = phi.frame_axes[0]
    axis.scale, axis.offset, axis.units = 0.01, K[8], "1/Å"
    r = 0.05 * np.arange(61)
    expected = r * np.exp(-(r**2) / (4 * a)) / (2 * a * np.sqrt(np.pi * a))
    line = np.abs(phi.get_pdf(3.0, 0.05, damping=None).as_numpy() - expected).max()
    zero = np.abs(phi.get_pdf(3.0, 0.05, damping=None, low_k="zero").as_numpy() - expected).max()
    assert line < 0.015
    assert line < zero / 2


def test_reduced_intensity_is_independent_of_dose_and_background() -> None:
    base = debye("Cu")
    tail = 1 + K / 3
    stack = np.stack([base, 500 * base + 40, 20 * base + 3 * tail])
    s = profile(stack.reshape(3, 300))
    phi = s.get_reduced_intensity({"Cu": 1}, (0.2, 3.0), fit_range=(0.2, 3.0), polynomial_order=1).as_numpy()
    np.testing.assert_allclose(phi[1], phi[0], atol=1e-9)
    np.testing.assert_allclose(phi[2], phi[0], atol=1e-9)


def test_mixtures_use_both_means_of_the_factors() -> None:
    zr, cu = scattering_factor("Zr", K), scattering_factor("Cu", K)
    mean_square, squared_mean = 0.65 * zr**2 + 0.35 * cu**2, (0.65 * zr + 0.35 * cu) ** 2
    wave = 0.01 * np.sin(2 * np.pi * K * 2.8)
    s = profile(7 * (mean_square + squared_mean * wave))
    options: dict[str, Any] = {"k_range": (0.1, 3.0), "fit_range": (0.1, 3.0), "polynomial_order": None}
    phi = s.get_reduced_intensity({"Zr": 65, "Cu": 35}, **options)
    k = phi.axes_manager["k"].axis
    first = round((k[0] - 0.02) / 0.01)
    intensity, squares, square = (v[first : first + k.size] for v in (s.data, mean_square, squared_mean))
    atoms = (intensity / squares).mean()
    assert atoms == pytest.approx(7, rel=0.01)
    expected = 2 * np.pi * k * (intensity - atoms * squares) / (atoms * square)
    np.testing.assert_allclose(phi.as_numpy(), expected, atol=1e-12)
    assert np.corrcoef(phi.as_numpy(), k * wave[first : first + k.size])[0, 1] > 0.99
    given = {"Zr": lambda k: scattering_factor("Zr", k), "Cu": scattering_factor("Cu", k)}
    same = s.get_reduced_intensity({"Zr": 65, "Cu": 35}, scattering_factors=given, **options)
    np.testing.assert_array_equal(same.as_numpy(), phi.as_numpy())


def test_lazy_at_each_position_with_missing_ones(no_compute: Any) -> None:
    base = debye("Cu")
    values = np.stack([base * n + n for n in range(1, 7)]).reshape(2, 3, 300)
    values[1, 0, 100] = np.nan
    values[0, 1] = np.nan
    valid = np.ones((2, 3), bool)
    valid[1, 2] = False
    s = profile(values, valid=valid)
    with no_compute:
        g = s.get_pdf({"Cu": 1}, (0.1, 3.0), r_max=6.0, dr=0.05)
        phi = s.get_reduced_intensity({"Cu": 1}, (0.1, 3.0))
    assert type(phi) is l4.signals.ReducedIntensity1D
    assert type(g) is l4.Signal1D
    assert [entry.op for entry in g.history[-2:]] == ["get_reduced_intensity", "get_pdf"]
    found = g.as_numpy()
    assert np.isnan(found[0, 1]).all()
    assert np.isnan(found[1, 2]).all()
    np.testing.assert_allclose(found[0, 2], found[0, 0], atol=1e-9)
    np.testing.assert_allclose(found[1, 0], found[0, 0], atol=0.02)
    cut = profile(Frames.from_array(values, 2, chunks=(1, 2))).get_pdf({"Cu": 1}, (0.1, 3.0), r_max=6.0, dr=0.05)
    whole = profile(values).get_pdf({"Cu": 1}, (0.1, 3.0), r_max=6.0, dr=0.05)
    np.testing.assert_allclose(cut.as_numpy(), whole.as_numpy(), rtol=1e-12, atol=1e-12)


def test_angles_need_the_beam_energy() -> None:
    wave = 0.0250793  # Å at 200 kV
    s = profile(debye("Cu"), scale=0.01 * wave * 1e3, offset=0.02 * wave * 1e3, units="mrad")
    s.frame_axes[0].beam_energy = "200 kV"
    plain = profile(debye("Cu"))
    found = s.get_reduced_intensity({"Cu": 1}, (10, 298))
    assert found.axes_manager["k"].scale == pytest.approx(0.01, rel=1e-5)
    np.testing.assert_allclose(
        found.as_numpy(), plain.get_reduced_intensity({"Cu": 1}, (10, 298)).as_numpy(), rtol=1e-3, atol=1e-3
    )


def test_scattering_factors_of_every_element_are_sound() -> None:
    table = coefficients()
    assert len(table) == 103
    assert list(table)[:3] + list(table)[-1:] == ["H", "He", "Li", "Lr"]
    k = np.linspace(0, 6, 200)
    for number, element in enumerate(table, 1):
        f = scattering_factor(element, k)
        assert (f > 0).all()
        assert (np.diff(f) < 0).all()
        # Far out the nucleus alone scatters: f -> Z / (2 π² a0 k²) (Mott and Bethe), a0 the radius of Bohr.
        far = scattering_factor(element, 50.0) * 2500 * 2 * np.pi**2 * 0.529177
        assert far == pytest.approx(number, rel=0.02)
    assert scattering_factor("H", 0.0) == pytest.approx(0.529177, rel=1e-4)  # exactly a0 for hydrogen


def test_what_makes_no_sense_is_refused() -> None:
    s = profile(debye("Cu"))
    with pytest.raises(ValueError, match="symbol of an element"):
        s.get_reduced_intensity({"Xx": 1})
    with pytest.raises(ValueError, match="as a dict"):
        s.get_reduced_intensity("Cu")
    with pytest.raises(ValueError, match="positive shares"):
        s.get_reduced_intensity({"Cu": 0})
    with pytest.raises(ValueError, match="which are not in"):
        s.get_reduced_intensity({"Cu": 1}, scattering_factors={"Zr": np.ones(300)})
    with pytest.raises(ValueError, match="scattering factors of Cu at each"):
        s.get_reduced_intensity({"Cu": 1}, scattering_factors={"Cu": np.ones(3)})
    with pytest.raises(ValueError, match="calibrate the patterns first"):
        l4.Diffraction1D(np.ones(10)).get_reduced_intensity({"Cu": 1})
    with pytest.raises(ValueError, match="k above 0"):
        profile(np.ones(10), offset=-0.02).get_pdf({"Cu": 1})
    with pytest.raises(ValueError, match="polynomial_order"):
        s.get_reduced_intensity({"Cu": 1}, polynomial_order=-1)
    with pytest.raises(ValueError, match="needs more bins"):
        s.get_reduced_intensity({"Cu": 1}, fit_range=(0, 2))
    with pytest.raises(ValueError, match="k_range as"):
        s.get_reduced_intensity({"Cu": 1}, 3)
    phi = s.get_reduced_intensity({"Cu": 1})
    with pytest.raises(ValueError, match="0 < dr <= r_max"):
        phi.get_pdf(r_max=0.0)
    with pytest.raises(ValueError, match="damping"):
        phi.get_pdf(damping="hann")
    with pytest.raises(ValueError, match="low_k='flat'"):
        phi.get_pdf(low_k="flat")


def test_distances_that_coarse_bins_repeat_are_told() -> None:
    phi = l4.signals.ReducedIntensity1D(np.ones(40))
    axis = phi.frame_axes[0]
    axis.scale, axis.offset, axis.units = 0.05, 0.025, "1/Å"
    with pytest.warns(l4.Lazy4DWarning, match=r"beyond 10 Å repeat those below"):
        phi.get_pdf(r_max=20.0)
    assert phi.get_pdf(r_max=10.0).lazy

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import LogNorm, PowerNorm, SymLogNorm

from lazy4d.plot.contrast import NORMS, color_scale, plain_numbers

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(deadline=None, max_examples=60)
@given(
    arrays(float, st.integers(0, 9), elements=ANY),
    st.sampled_from(NORMS),
    st.sampled_from(["map", "pattern", "signed"]),
)
def test_limits_are_finite_and_differ_whatever_the_values(values: np.ndarray, norm: str, kind: str) -> None:
    scale = color_scale(values, norm, kind=kind)
    assert np.isfinite([scale.vmin, scale.vmax]).all()
    assert scale.vmin < scale.vmax


def test_percentiles_and_limits_are_where_they_were_asked_for() -> None:
    values = np.arange(101.0)
    assert (color_scale(values, percentile=(5, 90)).vmin, color_scale(values, percentile=(5, 90)).vmax) == (5, 90)
    assert color_scale(values, percentile=(0, 100)).vmax == 100
    scale = color_scale(values, limits=(None, 7.5))
    assert (scale.vmin, scale.vmax) == (0, 7.5)
    log = color_scale(values, "log", percentile=(10, 100))
    assert (log.vmin, log.vmax) == (pytest.approx(10.9), 100)  # of the values above 0


def test_a_few_extreme_values_do_not_decide() -> None:
    values = np.r_[np.linspace(0, 1, 10_000), 1e9]
    assert color_scale(values).vmax < 1.01
    assert color_scale(values, kind="pattern").vmax == 1e9  # but the direct beam of a pattern is what it is


def test_patterns_are_logarithmic_unless_values_are_negative() -> None:
    values = np.arange(100.0)
    assert isinstance(color_scale(values, kind="pattern"), LogNorm)
    assert not isinstance(color_scale(values - 50, kind="pattern"), LogNorm)
    assert isinstance(color_scale(values, "power", power=0.3), PowerNorm)
    assert isinstance(color_scale(values, "symlog"), SymLogNorm)


def test_what_is_not_above_zero_is_dark_and_not_missing_on_a_logarithmic_scale() -> None:
    scale = color_scale(np.array([0.0, -1.0, 1.0, 100.0]), "log")
    np.testing.assert_allclose(np.ma.filled(scale(np.array([0.0, -1.0, 1.0, 100.0])), 9), [0, 0, 0, 1])


def test_signed_values_have_zero_in_the_middle() -> None:
    scale = color_scale(np.array([-1.0, 3.0]), "symmetric")
    assert (scale.vmin, scale.vmax, scale(0.0)) == (-3, 3, 0.5)


def test_constant_values_begin_at_zero() -> None:
    assert [(s.vmin, s.vmax) for s in (color_scale(np.full(9, v)) for v in (3, -2, 0))] == [(0, 3), (-2, 0), (0, 1)]
    assert [color_scale(np.full(3, v)).vmax for v in (True, False)] == [1, 1]


def test_large_integers_keep_their_differences() -> None:
    values = 2**62 + np.array([0, 1, 5])
    numbers, taken = plain_numbers(values)
    assert (numbers.tolist(), taken) == ([0, 1, 5], 2**62)
    unsigned = np.array([2**64 - 1, 2**64 - 3], "u8")
    assert plain_numbers(unsigned)[0].tolist() == [2, 0]
    assert plain_numbers(np.arange(3))[1] == 0
    assert plain_numbers(np.array([-(2**62), 2**62]))[1] == 0  # too far apart for that


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "lin"}, "norm='lin': expected one of auto"),
        ({"percentile": (1, 101)}, "percentile=.*from 0 to 100"),
        ({"percentile": (50, 50)}, "low below high"),
        ({"percentile": 5}, "percentile=5: expected"),
        ({"limits": (2, 1)}, "limits=.*low below high"),
        ({"limits": (np.nan, 1)}, "limits=.*expected"),
        ({"power": 0}, "power=0: expected"),
    ],
)
def test_scales_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        color_scale(np.arange(3.0), **options)  # type: ignore[arg-type]


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="expected real numbers, found dtype complex128"):
        color_scale(np.array([1j]))

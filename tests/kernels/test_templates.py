"""Pictures of the beam: areas, sums, symmetry, and pictures that users give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.kernels.templates import TEMPLATES, disk, given_template


@given(st.floats(1, 20), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
@settings(max_examples=30, deadline=None)
def test_a_disk_has_the_area_of_a_circle_and_its_centre_of_mass(radius: float, y: float, x: float) -> None:
    found = disk(radius, 22, (y, x))
    assert found.sum() == pytest.approx(np.pi * radius**2, rel=5e-3, abs=5e-3)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-12
    line = np.arange(-22, 23)
    assert (found.sum(axis=1) @ line) / found.sum() == pytest.approx(y, abs=0.03)
    assert (found.sum(axis=0) @ line) / found.sum() == pytest.approx(x, abs=0.03)


def test_a_disk_against_many_points_a_pixel() -> None:
    fine = (np.arange(-3.5, 3.5, 1 / 50) + 0.01)[:, None], np.arange(-3.5, 3.5, 1 / 50) + 0.01
    inside = np.hypot(fine[0] - 0.2, fine[1] + 0.3) < 2.6
    np.testing.assert_allclose(disk(2.6, 3, (0.2, -0.3)), inside.reshape(7, 50, 7, 50).mean(axis=(1, 3)), atol=0.01)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("radius", [0.4, 1.0, 2.3, 8.0, 17.7])
def test_templates_are_symmetric_and_those_with_a_ring_sum_to_zero(name: str, radius: float) -> None:
    template = TEMPLATES[name](radius)
    values = template.values
    assert len(values) % 2 == 1
    np.testing.assert_allclose(values, values[::-1, ::-1], atol=1e-12)
    np.testing.assert_allclose(values, values.T, atol=1e-12)
    assert not values[~template.support].any()
    assert template.flat == (name != "disk")
    if template.flat:
        assert abs(values.sum()) < 1e-12 * np.abs(values).sum()
    assert (values[template.half, template.half] > -1e-9) or radius < 1
    assert np.count_nonzero(template.support) > np.count_nonzero(values > 0.05)
    assert template.bright.min() >= 0
    assert template.bright[template.support].sum() == pytest.approx(np.pi * radius**2, rel=0.02)


def test_a_given_picture_is_cut_to_the_beam_about_its_centre() -> None:
    picture = np.full((60, 80), 3.0)
    picture[20:31, 40:49] += 50
    template = given_template(picture)
    assert template.offset == (0.0, 0.0)
    assert template.half < 15
    assert template.values.max() == template.values[template.half, template.half]
    assert abs(template.values.sum()) < 1e-9
    tight = given_template(picture[18:33, 38:51])
    half = min(template.half, tight.half)
    for one in (template, tight):
        middle = slice(one.half - half, one.half + half + 1)
        np.testing.assert_allclose(one.bright[middle, middle].sum(), 50 * 11 * 9)
        assert one.bright.max() == 50
    moved = given_template(picture, (25.25, 43.5))
    assert moved.offset == (0.25, -0.5)


def test_pictures_and_radii_that_are_none() -> None:
    with pytest.raises(ValueError, match="not all equal, found shape"):
        given_template(np.ones((4, 4)))
    with pytest.raises(ValueError, match="finite numbers"):
        given_template(np.array([[0, np.nan]]))
    with pytest.raises(ValueError, match="2-D"):
        given_template(np.ones(4))
    with pytest.raises(ValueError, match="inside the template"):
        given_template(np.eye(4), (4, 0))
    with pytest.raises(ValueError, match="more than 0 pixels"):
        TEMPLATES["edge"](0.0)

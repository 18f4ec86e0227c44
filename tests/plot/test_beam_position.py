from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import lazy4d as l4
from lazy4d.plot import linear_plane, panel


@pytest.fixture(scope="module")
def fit() -> l4.BeamPosition:
    """A fit to a plane with noise, a few outliers, one position missing and a field in the middle of the scan."""
    y, x = np.indices((12, 20)).astype(float)
    values = np.stack([40 + 0.5 * y - 0.1 * x, 30 + 0.3 * x], -1)
    values += np.random.default_rng(0).normal(0, 0.05, values.shape)
    values[5:7, 8:12] += 1.0
    values[1, 3] = values[9, 17] = 200.0
    values[4, 4] = np.nan
    com = l4.BeamPosition(values)
    com.metadata.set_item("BeamPosition.center", [40, 32])
    com.set_calibration(0.5, "mrad", (32, 40), 2.0, "nm")
    return com.get_linear_plane()


def pictures(figure: Figure) -> dict[str, object]:
    return {ax.get_title(loc="left"): ax for ax in figure.axes}


def test_measured_fitted_and_residual_side_by_side(fit: l4.BeamPosition) -> None:
    shown = pictures(linear_plane(fit, units="mrad", title="descan"))
    assert list(shown) == [f"{name}, {one}" for one in "yx" for name in ("measured", "fitted", "residual")]
    images = {title: ax.images[0] for title, ax in shown.items()}
    norms = {title: (image.norm.vmin, image.norm.vmax) for title, image in images.items()}
    assert all(low == -high for low, high in norms.values())
    assert len({norms[f"{name}, {one}"] for one in "yx" for name in ("measured", "fitted")}) == 1
    assert norms["residual, y"] == norms["residual, x"]
    assert norms["residual, y"][1] < 0.5  # outliers of 80 mrad do not make everything else white
    expected = fit.measured.to_units("mrad").as_numpy()[..., 0]
    np.testing.assert_array_equal(np.ma.filled(images["measured, y"].get_array(), np.nan), expected)
    left = np.ma.filled(images["residual, y"].get_array(), np.nan)
    np.testing.assert_allclose(left[5:7, 8:12].mean(), 0.5, atol=0.05)
    assert np.isnan(left[4, 4])
    for ax in shown.values():
        assert ax.texts[-1].get_text().endswith("nm")
        (side,) = ax.child_axes
        assert side.get_ylabel().startswith("mrad (positive: ")


def test_positions_that_counted_are_outlined(fit: l4.BeamPosition) -> None:
    inside = np.zeros((12, 20), bool)
    inside[:, :5] = True
    for mask in (inside, l4.VirtualImage(inside), l4.RectangleROI(0, 0, 5, 12)):
        shown = pictures(linear_plane(fit, mask=mask))
        assert len(shown["measured, y"].collections) == 1
        assert not shown["residual, y"].collections


def test_nothing_overlaps(fit: l4.BeamPosition) -> None:
    figure = linear_plane(fit, title="descan")
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    boxes = [ax.get_tightbbox(renderer) for ax in figure.axes]
    for k, one in enumerate(boxes):
        assert figure.bbox.x0 - 1 <= one.x0
        assert one.x1 <= figure.bbox.x1 + 1
        for other in boxes[k + 1 :]:
            assert not one.shrunk(0.99, 0.99).overlaps(other)


def test_a_fit_of_a_flat_field_and_what_is_none(fit: l4.BeamPosition) -> None:
    flat = l4.BeamPosition(np.full((4, 5, 2), 3.0))
    flat.metadata.set_item("BeamPosition.center", [3, 3])
    assert len(linear_plane(flat.get_linear_plane()).axes) == 6
    with pytest.raises(ValueError, match="no measured positions"):
        linear_plane(flat)
    with pytest.raises(ValueError, match="scan of two axes"):
        linear_plane(fit.inav[:, 0])


def test_colour_images_and_phases_in_a_panel(fit: l4.BeamPosition) -> None:
    beam = fit.residual
    maps = {
        "colours": beam.get_color_image(),
        "to 1 mrad": beam.get_color_image(longest=1.0, units="mrad"),
        "phase": beam.phase_retrieval(calibrated=False),
    }
    shown = pictures(panel(maps))
    np.testing.assert_array_equal(shown["colours"].images[0].get_array(), maps["colours"].as_numpy())
    assert len(shown["colours"].child_axes) == 1
    assert "1 mrad" in {text.get_text() for text in shown["to 1 mrad"].texts}
    assert shown["phase"].child_axes[0].get_ylabel() == "phase (2π px × scan steps)"

"""`signal.preview`: a method tried on single frames, and its call on the whole scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

import lazy4d as l4


@pytest.fixture
def preview(d: l4.Diffraction2D) -> Any:
    found = d.preview("get_diffraction_vectors", (1, 2), disk_r=3)
    yield found
    found.close()


def test_parameters_code_result_and_the_whole_scan(d: l4.Diffraction2D, preview: Any) -> None:
    preview.set(threshold_abs=0.4)
    assert preview.parameters == {"disk_r": 3, "threshold_abs": 0.4}
    assert preview.code == "s.get_diffraction_vectors(disk_r=3, threshold_abs=0.4)"
    scope: dict[str, Any] = {"s": d}
    exec(f"v = {preview.code}", scope)  # as a user would
    by_code, applied = scope["v"].compute(), preview.apply().compute()
    np.testing.assert_array_equal(by_code.ragged["ky"], applied.ragged["ky"])
    np.testing.assert_array_equal(preview.result.ragged["ky"], applied.inav[1, 2].compute().ragged["ky"])
    assert repr(preview) == f"<Preview: {preview.code}>"


def test_the_parameters_are_those_of_preview_vectors(d: l4.Diffraction2D, preview: Any) -> None:
    seen = d.preview_vectors((1, 2), **preview.parameters)
    np.testing.assert_array_equal(preview.result.ragged["kx"], seen.vectors.ragged["kx"])


def test_it_is_written_to_a_file_when_complete(preview: Any, tmp_path: Path) -> None:
    path = preview.save(tmp_path / "preview.png", dpi=50)
    picture = imread(path)
    assert picture.shape[0] > 100
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 50  # more than white and black
    assert (preview.figure.savefig, preview._repr_png_()[1:4]) == (preview.figure.savefig, b"PNG")


def test_frames_of_all_kinds_have_it(d: l4.Diffraction2D) -> None:
    polar = d.get_azimuthal_integral2d(npt=6, npt_azim=12, mean=True)
    image = l4.Signal2D(np.eye(8, dtype="uint16"))
    for signal, name, position in (
        (polar, "get_angular_power", (0, 0)),
        (image, "find_peaks", None),
        (d, "center_of_mass", (3, 3)),
    ):
        found = signal.preview(name, position)
        assert found.result is not None
        found.close()


def test_a_closed_preview_stays_quiet(preview: Any) -> None:
    preview.close()
    preview.close()
    assert preview.wait(1)
    assert preview.parameters == {"disk_r": 3}


def test_moving_about(preview: Any) -> None:
    preview.move(3, 3)
    assert preview.position == (3, 3)
    preview.move((0, 3))
    preview.next_frame()
    assert preview.position == (1, 3)
    preview.random_frame()
    assert preview.result.ragged.total == 1


def test_an_unknown_name_is_answered_with_the_known(d: l4.Diffraction2D) -> None:
    with pytest.raises(ValueError, match=r"preview\('compute'\): expected the name of a method .* 'find_peaks'"):
        d.preview("compute")
    with pytest.raises(TypeError, match="no parameter 'radius' to tune"):
        d.preview("get_diffraction_vectors", radius=3)


def test_a_damaged_frame_is_said_to_be_one(tmp_path: Path) -> None:
    frames = np.ones((2, 2, 8, 8), "uint16")
    marked = l4.Diffraction2D(frames, valid=np.array([[True, False], [True, True]]))
    with pytest.raises(ValueError, match=r"frame at \(1, 0\) \(x first\) is missing or damaged"):
        marked.preview("center_of_mass", (1, 0))
    found = marked.preview("center_of_mass", (0, 0))
    assert found.controller.latest.sums["count"] == 3  # the others
    found.move(1, 0)
    assert "missing or damaged" in found.status
    found.move(1, 1)
    assert "to the middle" in found.status
    found.close()

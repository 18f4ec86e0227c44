from __future__ import annotations

import io
import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from PIL import Image

import lazy4d as l4
from lazy4d.plot.png import png_bytes
from lazy4d.plot.thumbnail import colored, curve_html, small, thumbnails
from lazy4d.signals import ColorImage, OrientationMap, StrainMaps
from lazy4d.signals.dpc.colors import MISSING
from lazy4d.signals.orientation import CrystalPhase
from lazy4d.signals.overview import OverviewPass, overview_of

NONE = tuple(int(MISSING[k : k + 2], 16) for k in (1, 3, 5))


def decoded(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA" if image.mode == "RGBA" else "RGB"))


def pictures(value: Any) -> dict[str, np.ndarray]:
    """The pictures in the HTML of a signal by their captions, [rows, columns, 3]."""
    found = re.findall(r"<td[^>]*>([^<]*)<br/><img[^>]*base64,([^']*)'", value._repr_html_())
    return {caption: decoded(b64decode(data)) for caption, data in found}


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 7, 3), (4, 7, 4), (300, 2, 3)])
def test_a_png_decodes_to_its_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = decoded(png_bytes(pixels))
    np.testing.assert_array_equal(found, pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1))
    np.testing.assert_array_equal(decoded(png_bytes(np.asfortranarray(pixels))), found)


def test_a_png_with_a_palette() -> None:
    palette = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
    numbers = np.arange(256, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(decoded(png_bytes(numbers, palette)), palette[numbers])


@pytest.mark.parametrize(
    ("pixels", "palette", "message"),
    [
        (np.zeros((2, 2)), None, "expected uint8 .* found float64"),
        (np.zeros((2, 2, 2), "u1"), None, r"found uint8 \(2, 2, 2\)"),
        (np.zeros((0, 2), "u1"), None, r"found uint8 \(0, 2\)"),
        (np.full((2, 2), 3, "u1"), np.zeros((3, 3)), "a palette .* of more than 3 colours"),
    ],
)
def test_what_is_no_picture_is_refused(pixels: np.ndarray, palette: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        png_bytes(pixels, palette)


def test_large_arrays_are_made_small_by_means_without_nan() -> None:
    values = np.arange(300.0 * 200).reshape(300, 200)
    found = small(values, 100)
    np.testing.assert_allclose(found, values.reshape(100, 3, 100, 2).mean((1, 3)))
    values[:3, :2] = np.nan
    values[3, 0] = np.nan
    found = small(values, 100)
    assert np.isnan(found[0, 0])
    assert found[1, 0] == pytest.approx(np.nanmean(values[3:6, :2]))
    assert small(np.ones((5000, 4000)), 100).shape[0] <= 110


def test_the_darkest_is_the_least_and_nan_has_its_own_colour() -> None:
    numbers, palette = colored([[0.0, 1.0, np.nan]], "gray")
    assert [tuple(color) for color in palette[numbers[0]].tolist()] == [(0, 0, 0), (255, 255, 255), NONE]
    signed = colored([[-1.0, 0.0, 3.0]], "signed")
    assert np.ptp(signed[1][signed[0][0, 1]].astype(int)) < 5  # white in the middle
    log = colored([[0.0, 1.0, 10.0, 100.0]], "pattern")[0][0]
    assert log.tolist() == [0, 0, 127, 254]


@pytest.mark.parametrize("kind", ["gray", "pattern", "signed"])
@pytest.mark.parametrize(
    "values",
    [np.full((2, 2), np.nan), np.ones((2, 2)), np.array([[-1.7e308, 1.7e308]]), np.array([[np.inf, 1, -np.inf]]),
     np.array([[0.0, 5e-324]]), np.zeros((1, 1)), -np.ones((2, 3))],
)  # fmt: skip
def test_extreme_values_have_colours(values: np.ndarray, kind: str) -> None:
    numbers, _ = colored(values, kind)
    np.testing.assert_array_equal(numbers == 255, ~np.isfinite(values))


def test_maps_patterns_and_curves_in_memory_have_pictures(d: l4.Diffraction2D) -> None:
    image = l4.VirtualImage(np.arange(6.0).reshape(2, 3))
    assert pictures(image)["map"][..., 0].ravel().tolist() == pytest.approx([0, 51, 102, 153, 204, 255], abs=3)
    pattern = pictures(d.mean().compute())["pattern"]
    assert pattern.shape == (16, 16, 3)
    assert pattern[8, 8].sum() > 500 > pattern[0, 0].sum()
    assert "<path" in d.get_azimuthal_integral1d(8).inav[0, 0].compute()._repr_html_()
    assert "<path" in l4.VirtualImage(np.arange(5.0))._repr_html_()


def test_in_memory_the_frame_that_the_axes_stand_at_is_shown(d: l4.Diffraction2D) -> None:
    known = d.compute()
    known.axes_manager.indices = (3, 1)
    (caption, shown), *_ = [one for one in pictures(known).items() if one[0].startswith("at")]
    assert caption == "at x 3, y 1"
    np.testing.assert_array_equal(
        shown.sum(-1) > shown.sum(-1).min(), known.data[1, 3] > known.data[1, 3][known.data[1, 3] > 0].min()
    )
    other = known.inav[0, 3].compute()
    known.axes_manager.indices = (0, 3)
    np.testing.assert_array_equal(pictures(known)["at x 0, y 3"], pictures(other)["pattern"])


def test_results_have_pictures_of_their_own(d: l4.Diffraction2D) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    np.testing.assert_array_equal(pictures(ColorImage(colors))["colours"], colors)
    moved = pictures(d.get_direct_beam_position().compute())["displacement"]
    assert moved.shape == (4, 4, 3)
    assert len({tuple(color) for color in moved.reshape(-1, 3).tolist()}) > 8
    strain = np.zeros((3, 4, 12))
    strain[0, 0, 0], strain[..., 1] = 0.02, np.nan
    found = pictures(StrainMaps(strain))
    assert list(found) == ["εxx", "εyy", "εxy", "rotation"]
    assert found["εxx"][0, 0, 0] > found["εxx"][0, 0, 2]  # red
    assert tuple(found["εyy"][0, 0]) == NONE
    v = l4.DiffractionVectors([[[3, 4]], [[3, 5], [6, 1]], [], []], frame_shape=(8, 8), nav_shape=(2, 2))
    counts = pictures(v)["number of vectors"][..., 0]
    assert counts[0, 1] > counts[0, 0] > counts[1, 0] == counts[1, 1]


def test_orientations_have_the_colours_of_their_map() -> None:
    gold = CrystalPhase("gold", 4.0782, "m-3m", [("Au", (0, 0, 0))], centering="F")
    q = np.random.default_rng(3).normal(size=(3, 4, 1, 4))
    rows = np.concatenate(
        [q / np.linalg.norm(q, axis=-1, keepdims=True), np.ones((3, 4, 1, 1)), np.zeros((3, 4, 1, 1))], -1
    )
    rows[0, 0] = np.nan
    turned = OrientationMap(rows, metadata={"OrientationMap": {"phases": [gold.as_dict()]}})
    expected = turned.get_ipf_color_image("z").as_numpy()
    np.testing.assert_array_equal(pictures(turned)["crystal direction along z"], expected)
    assert "crystal direction" in OrientationMap(rows)._repr_html_()  # also if nobody knows the crystal


def test_of_lazy_scans_only_what_is_known_is_shown(no_compute: Any) -> None:
    frames = np.random.default_rng(0).poisson(2, (6, 8, 12, 10)).astype("u2")
    frames[2, 3] += 50
    s = l4.Diffraction2D(da.from_array(frames, chunks=(2, 8, 12, 10)))
    with no_compute():
        assert pictures(s) == {}
        assert thumbnails(s.mean()) == []
    for _ in OverviewPass(s, overview_of(s)).steps():
        pass
    with no_compute():
        found = pictures(s)
    assert list(found) == ["navigator", "mean frame"]
    assert found["navigator"].shape == (6, 8, 3)
    assert np.unravel_index(found["navigator"][..., 0].argmax(), (6, 8)) == (2, 3)


def test_no_pixel_of_a_file_is_read(tmp_path: Path, no_compute: Any) -> None:
    path = tmp_path / "frames.npy"
    np.save(path, np.ones((4, 5, 8, 8), "u2"))
    mapped = l4.Diffraction2D(np.load(path, mmap_mode="r"))
    with no_compute():
        assert not any(caption.startswith("at") for caption in pictures(mapped))
        assert thumbnails(l4.VirtualImage(np.load(path, mmap_mode="r")[:, :, 0, 0])) == []


def test_a_curve_has_gaps_where_nothing_is_known() -> None:
    path = re.search(r"<path d='([^']*)'", curve_html([0.0, 1.0, np.nan, 1.0, 0.0]))
    assert path is not None
    parts = [part for part in path[1].split("M") if part]
    assert [part.count("L") for part in parts] == [1, 1]
    assert curve_html(np.random.default_rng(0).normal(size=100_000)).count("L") < 300
    for values in ([], [np.nan], [1.0], [-1.7e308, 1.7e308], np.ones(5)):
        assert curve_html(values).startswith("<svg")


def test_the_html_is_small_and_needs_no_matplotlib() -> None:
    code = (
        "import lazy4d as l4, numpy as np, sys\n"
        "image = l4.VirtualImage(np.random.default_rng(0).normal(size=(2000, 3000)))\n"
        "print(len(image._repr_html_()), 'matplotlib' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(out[0]) < 20_000
    assert out[1] == "False"


def test_a_file_that_is_gone_is_no_reason_not_to_describe_the_scan(
    d: l4.Diffraction2D, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lazy4d.plot import thumbnail

    def gone(signal: Any) -> Any:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(thumbnail, "overview_of", gone)
    lazy = l4.Diffraction2D(da.ones((2, 3, 4, 5), chunks=2))
    assert thumbnails(lazy) == []
    assert "Dimensions" in lazy._repr_html_()

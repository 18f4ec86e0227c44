"""Virtual images and Bragg vector maps of `DiffractionVectors`, against brute force over every vector."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lazy4d as l4
from lazy4d.lazy.ragged_blocks import RaggedBlocks
from lazy4d.ragged import RaggedFrames
from lazy4d.signals.vectors import spatial_index
from lazy4d.signals.vectors.region import region_of
from lazy4d.signals.vectors.spatial_index import SpatialIndex, index_of

NAV, FRAME = (4, 5), (14, 11)


def columns(seed: int = 0, nav: tuple[int, ...] = NAV) -> RaggedFrames:
    """Up to nine vectors a frame, on and a little beside the frame, some on halves of pixels, one at NaN."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 10, int(np.prod(nav)))
    ky, kx = rng.uniform(-1, 14, counts.sum()), rng.uniform(-1, 11, counts.sum())
    ky[::3], kx[::3] = np.round(2 * ky[::3]) / 2, np.round(2 * kx[::3]) / 2
    ky[4] = np.nan
    label = rng.integers(-3, 4, ky.size).astype(np.int32)
    return RaggedFrames.from_counts(
        counts, {"ky": ky, "kx": kx, "intensity": rng.uniform(1, 2, ky.size), "label": label}
    )


def vectors(lazy: Any = False, ragged: RaggedFrames | None = None, **options: Any) -> l4.DiffractionVectors:
    """The same vectors, computed or in blocks, calibrated with a zero at (kx, ky) = (5, 7)."""
    content: Any = columns() if ragged is None else ragged
    if lazy:
        content = RaggedBlocks.from_ragged(content, NAV, chunks=lazy)
    v = l4.DiffractionVectors(content, nav_shape=NAV, frame_shape=FRAME, title="disks", **options)
    v.set_calibration(scale=0.5, units="1/Å", center=(5, 7), scan_scale=2, scan_units="nm")
    return v


ROIS = {
    "circle": l4.CircleROI(5, 7, 3),
    "circle in units": l4.CircleROI(0.25, -0.5, "1.3 1/Å", r_inner=0.4),
    "rectangle": l4.RectangleROI(2, 3, 8, 9),
    "rectangle in units": l4.RectangleROI(-1.25, -2.0, 0.75, "2 1/Å"),
    "ellipse": l4.EllipseROI(5, 6, 4, 2, angle=30),
    "round ellipse": l4.EllipseROI(5, 6, 3, 3, angle=30),
    "polygon": l4.PolygonROI([(1, 1), (9, 2.0), (4, 12)]),
    "star": l4.PolygonROI([(5, 0), (8, 12), (0, 4), (10, 4), (2, 12)]),
}


def brute(v: l4.DiffractionVectors, roi: Any, column: str | None) -> np.ndarray:
    """Every vector of every frame, one by one."""
    inside = region_of(roi, v.frame_axes).contains(v.ragged["ky"], v.ragged["kx"])
    sums = np.zeros(v.ragged.n_frames)
    for i in range(v.ragged.n_frames):
        for k in range(v.ragged.offsets[i], v.ragged.offsets[i + 1]):
            if inside[k]:
                sums[i] += 1 if column is None else v.ragged[column][k]
    return sums.reshape(v.nav_shape)


def in_units(roi: Any) -> Any:
    """A region given in pixels as one in units; others as they are."""
    values = {name: value for name, value in roi.as_dictionary().items() if name != "roi"}
    if "vertices" in values:
        return type(roi)([(float(x), float(y)) for x, y in roi.vertices])
    if not any(isinstance(value, int) and value for value in values.values()):
        return roi
    return type(roi)(**{name: float(value) for name, value in values.items()})


@pytest.mark.parametrize("name", ROIS)
@pytest.mark.parametrize("scale", [(0.5, 0.5), (0.5, -0.25), (-0.5, 0.75)])
def test_a_shape_on_vectors_is_the_shape_on_finer_and_finer_pixels(name: str, scale: tuple[float, float]) -> None:
    """The same ROI as a mask on a grid eight times as fine holds the same points, all of them."""
    roi, fine = in_units(ROIS[name]), 8
    if roi is not ROIS[name]:
        scale = (1.0, 1.0)
    axes = [
        l4.Axis(name=n, size=k, scale=s, offset=0.0 if s == 1 else -s * k / 2, units="1/Å")
        for n, k, s in zip("yx", FRAME, scale, strict=True)
    ]
    finer = [
        l4.Axis(
            name=axis.name, size=axis.size * fine, scale=axis.scale / fine, units=axis.units,
            offset=axis.offset - axis.scale / 2 + axis.scale / fine,
        )
        for axis in axes
    ]  # fmt: skip
    ky, kx = ((finer_axis.axis - axis.offset) / axis.scale for finer_axis, axis in zip(finer, axes, strict=True))
    y, x = np.meshgrid(ky, kx, indexing="ij")
    found = region_of(roi, axes).contains(y.ravel(), x.ravel()).reshape(y.shape)
    expected = roi.mask(finer[::-1])
    assert 100 < found.sum() < 0.6 * found.size
    different = np.argwhere(found != expected)
    assert len(different) <= (3 if scale[0] != abs(scale[1]) else 0), different  # a rounding error away from a rim


@pytest.mark.parametrize("name", ROIS)
def test_vectors_at_centres_of_pixels_belong_where_these_do(name: str) -> None:
    axes = vectors().frame_axes
    y, x = np.indices(FRAME).astype(float)
    found = region_of(ROIS[name], axes).contains(y.ravel(), x.ravel()).reshape(FRAME)
    np.testing.assert_array_equal(found, ROIS[name].mask(axes[::-1]))


@pytest.mark.parametrize("column", ["intensity", "label", None])
@pytest.mark.parametrize("name", ROIS)
def test_computed_lazy_and_brute_force_agree_to_the_last_bit(
    name: str, column: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spatial_index, "LOOK", 0)  # cells are taken, however few vectors there are
    v = vectors()
    found = v.get_virtual_image(ROIS[name], weights=column)
    assert not found.lazy
    np.testing.assert_array_equal(found.data, brute(v, ROIS[name], column))
    assert found.dtype == (np.int64 if column is None else np.float64)
    lazy = vectors((1, 3)).get_virtual_image(ROIS[name], weights=column)
    assert lazy.lazy
    assert lazy.dtype == found.dtype
    np.testing.assert_array_equal(lazy.compute().data, found.data)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["circle", "ellipse", "rectangle", "polygon"]),
    values=st.lists(st.floats(-4, 16), min_size=6, max_size=6),
)
def test_any_region_finds_the_same_vectors_with_and_without_an_index(seed: int, kind: str, values: list[float]) -> None:
    a, b, c, d, e, f = values
    size = 0.01 + abs(c), 0.01 + abs(d)
    made = {
        "circle": lambda: l4.CircleROI(a, b, sum(size), r_inner=size[0]),
        "ellipse": lambda: l4.EllipseROI(a, b, *size, angle=e),
        "rectangle": lambda: l4.RectangleROI(a, b, a + size[0], b + size[1]),
        "polygon": lambda: l4.PolygonROI([(a, b), (c, d), (e, f), (b, e)]),
    }[kind]()
    ragged = columns(seed)
    axes = l4.AxesManager.from_shapes((), FRAME).as_numpy_order()
    try:
        region = region_of(made, axes)
    except ValueError:  # beside the frame
        return
    index = SpatialIndex.build(ragged["ky"], ragged["kx"], FRAME)
    bits = index.marks(ragged["ky"], ragged["kx"], region)
    found = np.unpackbits(bits.view(np.uint8), bitorder="little")[: ragged.total].astype(bool)
    np.testing.assert_array_equal(found, region.contains(ragged["ky"], ragged["kx"]))


@pytest.mark.parametrize("lazy", [False, (2, 5)])
def test_arrays_mark_and_weight_the_nearest_pixels(lazy: Any) -> None:
    rng = np.random.default_rng(3)
    mask, numbers = rng.random(FRAME) < 0.3, rng.normal(size=FRAME)
    v, known = vectors(lazy), vectors()
    rows, cols = (np.floor(known.ragged[n] + 0.5) for n in ("ky", "kx"))
    on = (rows >= 0) & (rows < FRAME[0]) & (cols >= 0) & (cols < FRAME[1])
    at = tuple(np.where(on, n, 0).astype(int) for n in (rows, cols))
    frame = known.ragged.frame_numbers()
    marked = np.bincount(frame, on * mask[at], known.ragged.n_frames).reshape(NAV)
    np.testing.assert_array_equal(v.get_virtual_image(mask, weights=None).as_numpy(), marked)
    weighted = np.bincount(frame, on * numbers[at] * known.ragged["intensity"], known.ragged.n_frames).reshape(NAV)
    np.testing.assert_allclose(v.get_virtual_image(numbers).as_numpy(), weighted, atol=1e-12)
    alone = np.bincount(frame, on * numbers[at], known.ragged.n_frames).reshape(NAV)
    np.testing.assert_allclose(v.get_virtual_image(numbers, weights=None).as_numpy(), alone, atol=1e-12)
    first, second = v.get_virtual_image(np.stack([mask, ~mask]), weights=None)
    np.testing.assert_array_equal(first.as_numpy(), marked)
    assert (first.as_numpy() + second.as_numpy()).sum() == on.sum()
    signal = l4.Signal2D(numbers)
    np.testing.assert_array_equal(v.get_virtual_image(signal).as_numpy(), v.get_virtual_image(numbers).as_numpy())


def test_lists_and_dictionaries_give_alike() -> None:
    v = vectors()
    named = v.get_virtual_image({"a": ROIS["circle"], "b": ROIS["star"]})
    listed = v.get_virtual_image([ROIS["circle"], ROIS["star"]])
    assert [one.title for one in named.values()] == ["a", "b"]
    assert listed[0].title == "virtual image of disks"
    for one, other in zip(named.values(), listed, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        assert [(a.name, a.scale, a.units) for a in one.nav_axes] == [("y", 2.0, "nm"), ("x", 2.0, "nm")]
    assert named["a"].history[-1].op == "get_virtual_image"
    assert named["a"].history[-1].params["roi"]["roi"] == "CircleROI"


def test_building_computes_nothing(no_compute: Any) -> None:
    with no_compute:
        v = vectors((1, 5))
        image = v.get_virtual_image(ROIS["circle"])
        pattern = v.to_bragg_vector_map(upsample=2)
        beam = l4.BeamPosition(np.zeros((*NAV, 2))).rechunk()
        centred = v.to_bragg_vector_map(center=beam)
    assert image.lazy
    assert pattern.lazy
    assert centred.lazy
    assert pattern.shape == (28, 22)


def test_the_same_on_any_scheduler_and_in_one_pass(scheduler: str) -> None:
    v, known = vectors((3, 2)), vectors()
    image, pattern, computed = l4.compute(v.get_virtual_image(ROIS["star"]), v.to_bragg_vector_map(), v)
    np.testing.assert_array_equal(image.data, known.get_virtual_image(ROIS["star"]).data)
    np.testing.assert_allclose(pattern.data, known.to_bragg_vector_map().data, rtol=1e-12)
    np.testing.assert_array_equal(computed.ragged["ky"], known.ragged["ky"])


@pytest.mark.parametrize("nav", [(), (6,), (2, 3), (2, 2, 3)])
def test_any_number_of_navigation_axes(nav: tuple[int, ...]) -> None:
    ragged = columns(nav=nav or (1,)) if nav else RaggedFrames.from_counts([5], {
        "ky": [1.0, 2, 3, np.nan, 5], "kx": [4.0, 4, 4, 4, 4], "intensity": [1.0, 2, 3, 4, 5]})  # fmt: skip
    v = l4.DiffractionVectors(ragged, nav_shape=nav, frame_shape=FRAME)
    image = v.get_virtual_image(ROIS["circle"])
    assert image.data.shape == nav
    np.testing.assert_array_equal(image.data, brute(v, ROIS["circle"], "intensity"))
    assert v.to_bragg_vector_map().shape == FRAME


def test_no_vectors_at_all() -> None:
    v = l4.DiffractionVectors(RaggedFrames.empty(20, columns().dtypes), nav_shape=NAV, frame_shape=FRAME)
    assert (v.get_virtual_image(l4.CircleROI(5, 5, 2)).data == 0).all()
    assert (v.get_virtual_image(np.ones(FRAME, bool), weights=None).data == 0).all()
    assert (v.to_bragg_vector_map().data == 0).all()


@pytest.mark.parametrize("lazy", [False, (2, 5)])
def test_missing_frames_have_no_number(lazy: Any) -> None:
    valid = np.ones(NAV, bool)
    valid[1, 2] = False
    v = vectors(lazy, valid=valid)
    for weights in ("intensity", None):
        image = v.get_virtual_image(ROIS["circle"], weights=weights)
        assert image.dtype == np.float64
        np.testing.assert_array_equal(np.isnan(image.as_numpy()), ~valid)


# -- the index ---------------------------------------------------------------------------------------------------------


def test_the_index_is_built_once_and_stays_with_its_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    build = SpatialIndex.build.__func__

    def counted(cls: Any, *arguments: Any) -> SpatialIndex:
        built.append(1)
        made: SpatialIndex = build(cls, *arguments)
        return made

    monkeypatch.setattr(SpatialIndex, "build", classmethod(counted))
    v = vectors()
    assert not built
    v.get_virtual_image(list(ROIS.values()))
    v.get_virtual_image(ROIS["star"], weights=None)
    assert len(built) == 1
    other = v.inav[1:]
    other.get_virtual_image(ROIS["star"])
    assert len(built) == 2
    again = pickle.loads(pickle.dumps(v))
    assert len(pickle.dumps(v)) < v.ragged.nbytes + 20_000
    again.get_virtual_image(ROIS["star"])
    assert len(built) == 3
    vectors((1, 5)).get_virtual_image(ROIS["star"]).compute()
    assert len(built) == 3


def test_the_index_is_small_and_has_a_cell_a_pixel() -> None:
    ragged = columns()
    v = vectors(ragged=ragged)
    index = index_of(v)
    assert index.shape == (16, 13)
    assert index.nbytes == 4 * ragged.total + 8 * (16 * 13 + 2)
    large = SpatialIndex.build(np.zeros(1), np.zeros(1), (4096, 4096))
    assert np.prod(large.shape) < 2000  # for few vectors few cells


def test_wrong_detectors_and_columns_are_refused() -> None:
    v = vectors()
    with pytest.raises(ValueError, match="expected one of the columns ky, kx, intensity, label, or None"):
        v.get_virtual_image(ROIS["circle"], weights="height")
    with pytest.raises(ValueError, match="expected a region on the frame, found CircleROI"):
        v.get_virtual_image(l4.CircleROI(40, 5, 3))
    with pytest.raises(ValueError, match=r"an array of the frame's shape \(14, 11\)"):
        v.get_virtual_image(np.ones((11, 14)))
    with pytest.raises(ValueError, match="covers no pixel"):
        v.get_virtual_image(np.zeros(FRAME, bool))
    with pytest.raises(ValueError, match="expected edges in order"):
        v.get_virtual_image(l4.RectangleROI(5, 0, "-2 1/Å", 5))
    with pytest.raises(TypeError, match="before anything is computed"):
        v.get_virtual_image(l4.Diffraction2D(np.ones((2, *FRAME))).mean().data.persist())


# -- Bragg vector maps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
@pytest.mark.parametrize("upsample", [1, 2, 5])
def test_a_map_keeps_what_vectors_carry_and_where(method: str, upsample: int) -> None:
    rng = np.random.default_rng(8)
    ky, kx, intensity = rng.uniform(2, 9, 50), rng.uniform(2, 8, 50), rng.uniform(1, 2, 50)
    v = vectors(ragged=RaggedFrames.from_counts(
        [50, *[0] * 19], {"ky": ky, "kx": kx, "intensity": intensity, "label": np.zeros(50)}))  # fmt: skip
    found = v.to_bragg_vector_map(upsample=upsample, method=method)
    assert isinstance(found, l4.Diffraction2D)
    assert found.data.sum() == pytest.approx(intensity.sum(), rel=1e-12)
    y, x = (axis.axis for axis in found.frame_axes)
    centre = [(found.data.sum(1) @ y) / found.data.sum(), (found.data.sum(0) @ x) / found.data.sum()]
    true = [np.average(axis.offset + axis.scale * k, weights=intensity)
            for axis, k in zip(v.frame_axes, (ky, kx), strict=True)]  # fmt: skip
    np.testing.assert_allclose(centre, true, atol=1e-12 if method == "bilinear" else 0.25 / upsample)
    assert [axis.units for axis in found.frame_axes] == ["1/Å", "1/Å"]
    # The outer edges of the map are those of the frame, however fine it is.
    for mine, frame in zip(found.frame_axes, v.frame_axes, strict=True):
        assert mine.offset - mine.scale / 2 == pytest.approx(frame.offset - frame.scale / 2)
        assert mine.scale * mine.size == pytest.approx(frame.scale * frame.size)


def test_nearest_without_upsampling_is_a_histogram_of_pixels() -> None:
    v = vectors()
    ky, kx = (v.ragged[name] for name in ("ky", "kx"))
    edges = [np.arange(n + 1) - 0.5 for n in FRAME]
    use = (ky < FRAME[0] - 0.5) & (kx < FRAME[1] - 0.5)  # numpy's last bin has both ends
    expected = np.histogram2d(ky[use], kx[use], edges)[0]
    np.testing.assert_array_equal(v.to_bragg_vector_map(method="nearest", weights=None).data, expected)


@pytest.mark.parametrize("chunks", [(1, 5), (3, 2), (4, 5)])
def test_a_map_does_not_depend_on_blocks(chunks: tuple[int, int]) -> None:
    lazy = vectors(chunks).to_bragg_vector_map(upsample=3)
    assert lazy.lazy
    np.testing.assert_allclose(lazy.compute().data, vectors().to_bragg_vector_map(upsample=3).data, atol=1e-12)


@pytest.mark.parametrize("upsample", [1, 4])
def test_a_map_about_a_place_has_it_at_its_zero(upsample: int) -> None:
    ragged = RaggedFrames.from_counts([1, *[0] * 19], {"ky": [6.25], "kx": [4.5], "intensity": [3.0]})
    v = vectors(ragged=ragged)
    for center in ((4.5 * 0.5 - 2.5, 6.25 * 0.5 - 3.5), ("-0.25 1/Å", "-0.375 1/Å")):
        found = v.to_bragg_vector_map(center=center, upsample=upsample)
        rows, cols = found.shape
        assert found.data[rows // 2, cols // 2] == pytest.approx(3.0)
        assert [axis.axis[axis.size // 2] for axis in found.frame_axes] == [0, 0]


def test_beam_positions_take_out_descan() -> None:
    rng = np.random.default_rng(9)
    beam = rng.uniform(5, 7, (*NAV, 2))
    beam[2, 2] = np.nan
    spots = np.array([[0, 0], [0, 3.25], [-2.5, 0]])
    places = beam[..., None, :] + spots
    ragged = RaggedFrames.from_frames(list(places.reshape(-1, 3, 2)), ("ky", "kx"))
    v = l4.DiffractionVectors(ragged, nav_shape=NAV, frame_shape=FRAME)
    for lazy in (False, True):
        center = l4.BeamPosition(beam).rechunk() if lazy else l4.BeamPosition(beam)
        found = v.to_bragg_vector_map(weights=None, upsample=4, center=center)
        assert found.lazy == lazy
        data = found.compute().data
        y, x = (axis.axis for axis in found.frame_axes)
        for dy, dx in spots:
            assert data[np.argmin(abs(y - dy)), np.argmin(abs(x - dx))] == pytest.approx(19)
        assert data.sum() == pytest.approx(3 * 19)


def test_wrong_maps_are_refused() -> None:
    v = vectors()
    with pytest.raises(ValueError, match="expected one of bilinear, nearest"):
        v.to_bragg_vector_map(method="cubic")
    for upsample in (0, 1.5, "a", None):
        with pytest.raises(ValueError, match="expected a whole number, 1 or more"):
            v.to_bragg_vector_map(upsample=upsample)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected one of the columns"):
        v.to_bragg_vector_map(weights="height")
    with pytest.raises(ValueError, match=r"a place \(x, y\) on the frame, or a BeamPosition"):
        v.to_bragg_vector_map(center=3)
    with pytest.raises(ValueError, match="beam positions of the navigation shape"):
        v.to_bragg_vector_map(center=l4.BeamPosition(np.zeros((2, 2, 2))))

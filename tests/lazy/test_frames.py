import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazy4d.errors import ChunkError
from lazy4d.lazy import Frames, PerPosition, SharedLazy
from lazy4d.lazy.run import compute
from tests.lazy import kernels_for_tests as k
from tests.lazy.sources import arithmetic, reads


def value(array):
    return compute(array, progress=False)[0]


@pytest.fixture(params=["numpy", "dask", "source"])
def frames_and_truth(request):
    source = arithmetic((6, 4))
    truth = source.dense()
    if request.param == "numpy":
        return Frames.from_array(truth, 2, chunks=(2, 3)), truth
    if request.param == "dask":
        return Frames.from_array(da.from_array(truth, chunks=(4, 2, -1, -1)), 2), truth
    return Frames.from_source(source, chunks=((1, 5), (4,))), truth


def test_data_is_the_frames(frames_and_truth):
    frames, truth = frames_and_truth
    got = value(frames.data)
    np.testing.assert_array_equal(got, truth)
    assert got.dtype == truth.dtype
    assert got.flags.owndata or got.base is None


def test_a_chain_of_stages_equals_numpy(frames_and_truth):
    frames, truth = frames_and_truth
    factors = np.arange(24.0).reshape(6, 4)
    mean = frames.reduce_frames(k.mean_pattern((6, 5)))
    chain = frames.map_frames(k.subtract, SharedLazy(mean), shape=(6, 5), dtype="f8").map_frames(
        k.multiply, PerPosition(da.from_array(factors, chunks=3)), shape=(6, 5), dtype="f8"
    )
    expected = (truth - truth.mean(axis=(0, 1))) * factors[..., None, None]
    np.testing.assert_allclose(value(chain.data), expected)
    np.testing.assert_allclose(value(chain.map_frames(k.total, shape=(), dtype="f8").data), expected.sum((2, 3)))


def test_per_position_parameters_of_a_reduction(frames_and_truth):
    frames, truth = frames_and_truth
    weights = np.linspace(0, 1, 24).reshape(6, 4)
    got = value(frames.reduce_frames(k.weighted_pattern((6, 5)), PerPosition(da.from_array(weights))))
    np.testing.assert_allclose(got, np.tensordot(weights, truth, axes=2))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_selections_commute_with_stages(data):
    source = arithmetic((6, 4))
    truth = source.dense()
    factors = np.arange(24.0).reshape(6, 4)
    kind = data.draw(st.sampled_from(["numpy", "dask", "source"]))
    frames = {
        "numpy": lambda: Frames.from_array(truth, 2, chunks=(2, 3)),
        "dask": lambda: Frames.from_array(da.from_array(truth, chunks=(4, 2, -1, -1)), 2),
        "source": lambda: Frames.from_source(source, chunks=(4, 2)),
    }[kind]()
    frames = frames.map_frames(k.multiply, PerPosition(da.from_array(factors)), shape=(6, 5), dtype="f8")
    expected = truth * factors[..., None, None]

    def item(size):
        step = st.sampled_from([None, 1, 2, -1, -2])
        edge = st.one_of(st.none(), st.integers(-size, size))
        return st.one_of(st.integers(-size, size - 1), st.builds(slice, edge, edge, step))

    for _ in range(data.draw(st.integers(1, 2))):
        nav, sig = frames.nav_shape, frames.frame_shape
        nav_items = tuple(data.draw(item(n)) for n in nav)
        sig_items = tuple(data.draw(item(n)) for n in sig)
        chosen = expected[nav_items]
        if 0 in chosen.shape:
            with pytest.raises(ValueError, match="leaves no position"):
                frames.inav(nav_items)
            return
        frames, expected = frames.inav(nav_items), chosen
        nav_ndim = len(frames.nav_shape)
        chosen = expected[(slice(None),) * nav_ndim + sig_items]
        if 0 in chosen.shape:
            with pytest.raises(ValueError, match="leaves nothing of frames"):
                frames.isig(sig_items)
            return
        frames, expected = frames.isig(sig_items), chosen
        assert frames.nav_shape + frames.frame_shape == expected.shape
    np.testing.assert_array_equal(value(frames.data), expected)


def test_boolean_mask_keeps_scan_order(frames_and_truth):
    frames, truth = frames_and_truth
    mask = np.random.default_rng(1).random((6, 4)) > 0.5
    factors = np.arange(24.0).reshape(6, 4)
    scaled = frames.map_frames(k.multiply, PerPosition(da.from_array(factors)), shape=(6, 5), dtype="f8")
    np.testing.assert_array_equal(value(scaled.inav(mask).data), (truth * factors[..., None, None])[mask])


def test_slices_of_slices_stay_one_stage():
    frames = Frames.from_source(arithmetic())
    cut = frames.isig((slice(1, None), slice(None, None, -1))).isig((slice(0, 3), slice(1, 4)))
    assert len(cut.stages) == 1
    assert cut.stages[0].window == (slice(1, 4), slice(1, 4))


def test_only_the_window_is_decoded():
    source = arithmetic()
    frames = Frames.from_source(source)
    wanted = []

    class Spy:
        def __init__(self, block):
            self.block, self.valid = block, None

        def read(self, start, stop, out, window):
            wanted.append(window)
            self.block.read(start, stop, out, window)

        def close(self):
            pass

    object.__setattr__(frames.source, "source", _Spying(source, Spy))
    value(frames.isig((slice(2, 4), slice(0, 5, 2))).data)
    assert set(map(str, wanted)) == {str((slice(2, 4), slice(0, 5)))}


class _Spying:
    def __init__(self, source, spy):
        self.source, self.spy = source, spy

    def __getattr__(self, name):
        return getattr(self.source, name)

    def open(self, box):
        return self.spy(self.source.open(box))


def test_selecting_positions_reads_only_their_frames():
    reads.clear()
    frames = Frames.from_source(arithmetic((6, 4)))
    value(frames.inav((slice(1, 3), slice(None, None, 2))).data)
    assert sorted(reads) == [4, 6, 8, 10]


@pytest.mark.parametrize("nav_shape", [(), (5,), (2, 3), (2, 3, 2)])
def test_any_number_of_navigation_axes(nav_shape):
    truth = np.arange(np.prod(nav_shape, dtype=int) * 12).reshape((*nav_shape, 3, 4)).astype("u2")
    frames = Frames.from_array(truth, len(nav_shape))
    totals = frames.map_frames(k.total, shape=(), dtype="u8")
    mean = frames.reduce_frames(k.mean_pattern((3, 4)))
    got = compute(frames.data, totals.data, mean, totals.emit().data + 1, progress=False)
    np.testing.assert_array_equal(got[0], truth)
    np.testing.assert_array_equal(got[1], truth.sum(axis=(-2, -1)))
    np.testing.assert_allclose(got[2], truth.reshape(-1, 3, 4).mean(axis=0))
    np.testing.assert_array_equal(got[3], truth.sum(axis=(-2, -1)) + 1)


def test_frames_of_any_rank():
    scalars = Frames.from_array(np.arange(6.0).reshape(2, 3), 2)
    lines = Frames.from_array(np.arange(24.0).reshape(2, 3, 4), 2)
    np.testing.assert_array_equal(value(scalars.map_frames(k.total, shape=(), dtype="f8").data), scalars.in_memory)
    np.testing.assert_array_equal(
        value(lines.map_frames(k.total, shape=(), dtype="f8").data), lines.in_memory.sum(axis=2)
    )


def test_navigation_binning_sums_exactly(frames_and_truth):
    frames, truth = frames_and_truth
    binned = frames.bin_navigation((3, 2))
    got = value(binned.data)
    np.testing.assert_array_equal(got, truth.reshape(2, 3, 2, 2, 6, 5).sum(axis=(1, 3)))
    assert got.dtype == np.uint64
    with pytest.raises(ValueError, match=r"factors \(4, 2\) do not divide"):
        frames.bin_navigation((4, 2))


def test_neighbourhoods_do_not_see_blocks(frames_and_truth):
    frames, truth = frames_and_truth
    padded = np.pad(truth, [(1, 1), (1, 1), (0, 0), (0, 0)], mode="edge")
    out = np.empty(truth.shape)
    k.mean_of_neighbours(padded, out)
    got = value(frames.overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8").data)
    np.testing.assert_allclose(got, out)


def test_neighbourhoods_mirror_the_scan_at_its_edge(frames_and_truth):
    frames, truth = frames_and_truth
    padded = np.pad(truth, [(1, 1), (1, 1), (0, 0), (0, 0)], mode="symmetric")
    out = np.empty(truth.shape)
    k.mean_of_neighbours(padded, out)
    result = frames.overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8", boundary="reflect")
    np.testing.assert_allclose(value(result.data), out)


def test_neighbourhoods_after_steps_with_values_of_their_own(frames_and_truth):
    frames, truth = frames_and_truth
    factors = np.arange(24.0).reshape(6, 4)
    mean = frames.reduce_frames(k.mean_pattern((6, 5)))
    chain = frames.map_frames(k.subtract, SharedLazy(mean), shape=(6, 5), dtype="f8").map_frames(
        k.multiply, PerPosition(da.from_array(factors, chunks=3)), shape=(6, 5), dtype="f8"
    )
    padded = np.pad(
        (truth - truth.mean((0, 1))) * factors[..., None, None], [(1, 1), (1, 1), (0, 0), (0, 0)], mode="edge"
    )
    out = np.empty(truth.shape)
    k.mean_of_neighbours(padded, out)
    result = chain.overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8")
    np.testing.assert_allclose(value(result.data), out, atol=1e-9)
    np.testing.assert_allclose(value(result.inav((slice(1, 3), 2)).data), out[1:3, 2], atol=1e-9)


def test_a_halo_that_ends_with_the_scan(frames_and_truth):
    frames, truth = frames_and_truth
    result = frames.overlap_frames(k.mean_of_present_neighbours, depth=(2, 1), dtype="f8", boundary="none")
    padded = np.pad(truth.astype(float), [(2, 2), (1, 1), (0, 0), (0, 0)], constant_values=np.nan)
    around = np.stack([padded[y : y + 6, x : x + 4] for y in range(5) for x in range(3)])
    np.testing.assert_allclose(value(result.data), np.nanmean(around, axis=0))


def test_bad_neighbourhoods():
    frames = Frames.from_source(arithmetic((6, 4)))
    with pytest.raises(ValueError, match="boundary='wrap': expected one of"):
        frames.overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8", boundary="wrap")
    with pytest.raises(ValueError, match="one number >= 0 for each navigation axis"):
        frames.overlap_frames(k.mean_of_neighbours, depth=(1,), dtype="f8")
    with pytest.raises(ValueError, match="exceeds the navigation shape"):
        frames.overlap_frames(k.mean_of_neighbours, depth=(1, 5), dtype="f8")


def test_split_frames_are_refused_with_the_call_to_type():
    array = da.zeros((4, 4, 8, 8), chunks=(2, 2, 4, 8))
    with pytest.raises(ChunkError, match=r"axes \[2\] .*rechunk\(\{2: -1, 3: -1\}\)"):
        Frames.from_array(array, 2)


def test_a_bare_dask_array_is_not_guessed_about():
    frames = Frames.from_source(arithmetic())
    with pytest.raises(TypeError, match="wrap it in PerPosition"):
        frames.map_frames(k.multiply, da.ones((6, 4)), shape=(6, 5), dtype="f8")
    with pytest.raises(ValueError, match=r"expected it to begin with the navigation shape \(6, 4\)"):
        frames.map_frames(k.multiply, PerPosition(da.ones((4, 6))), shape=(6, 5), dtype="f8")


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        ((7,), IndexError, "index 7 is outside an axis of 6"),
        ((slice(3, 3),), ValueError, "leaves no position"),
        ((0, 0, 0), ValueError, "3 items were given for 2 axes"),
        (np.zeros((6, 4), bool), ValueError, "selects no position"),
        (np.ones((4, 6), bool), ValueError, r"expected bool of shape \(6, 4\)"),
    ],
)
def test_selections_that_cannot_be(items, error, message):
    with pytest.raises(error, match=message):
        Frames.from_source(arithmetic((6, 4))).inav(items)


def test_building_reads_nothing(no_compute):
    reads.clear()
    with no_compute:
        frames = Frames.from_source(arithmetic())
        mean = frames.reduce_frames(k.mean_pattern((6, 5)))
        chain = frames.map_frames(k.subtract, SharedLazy(mean), shape=(6, 5), dtype="f8")
        chain.isig((slice(1, 3),)).inav((0,)).rechunk(2).emit()
        chain.bin_navigation((2, 2)).overlap_frames(k.mean_of_neighbours, depth=(1, 1), dtype="f8")
        assert chain.data.dtype == np.float64
        assert frames.valid.shape == (6, 4)
    assert reads == []

"""Movies of Direct Electron's server: scan shapes, coordinates, calibration, and the images beside them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lazy4d as l4
from lazy4d.data.mrc import write_direct_electron, write_mrc
from lazy4d.errors import FormatError, Lazy4DWarning, MissingCompanionError, ScanShapeError, TruncatedFileError
from lazy4d.io.audit import audit
from lazy4d.io.mrc.coordinates import read_coordinates
from lazy4d.io.mrc.direct_electron import parse_info
from lazy4d.io.registry import read


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 999, (24, 4, 6)).astype("u2")


def movie(folder: Path, frames: np.ndarray, info: dict[str, Any] | None = None, **options: Any) -> Path:
    return write_direct_electron(folder, frames, info=info, **options)


RASTER = {"Scan - Size X": "6", "Scan - Size Y": "4", "Scan - Points": "24"}


# ---- shapes


@pytest.mark.parametrize(
    ("info", "shape", "names"),
    [
        (RASTER, (4, 6), ["y", "x"]),
        ({**RASTER, "Scan - Points": None}, (4, 6), ["y", "x"]),
        ({"Scan - Size X": "4", "Scan - Size Y": "3", "Scan - Points": "12", "Scan - Repeats": "2"},
         (2, 3, 4), ["repeat", "y", "x"]),
        ({"Scan - Size X": "4", "Scan - Size Y": "2", "Scan - Points": "8", "Scan - Camera Frames Per Point": "3"},
         (2, 4, 3), ["y", "x", "frame"]),
        ({"Scan - Size X": "4", "Scan - Size Y": "2", "Scan - Points": "8", "Scan - Camera Frames Per Point": "6",
          "Autosave Movie Sum Count": "2"}, (2, 4, 3), ["y", "x", "frame"]),
        ({"Scan - Size X": "3", "Scan - Size Y": "2", "Scan - Points": "6", "Scan - Camera Frames Per Point": "2",
          "Scan - Repeats": "2"}, (2, 2, 3, 2), ["repeat", "y", "x", "frame"]),
        ({"Scan - Size X": "64", "Scan - Size Y": "64", "Scan - ROI Enable": "Enable", "Scan - ROI Size X": "8",
          "Scan - ROI Size Y": "3", "Scan - ROI Type": "Raster", "Scan - Points": "24"}, (3, 8), ["y", "x"]),
        ({"Scan - Size X": "24", "Scan - Size Y": "1"}, (1, 24), ["y", "x"]),
    ],
    ids=["raster", "no points", "repeats", "frames a point", "summed", "both", "region", "line"],
)  # fmt: skip
def test_rasters(tmp_path, read_all, frames, info, shape, names) -> None:
    source = read(movie(tmp_path, frames, info))
    assert source.warnings == ()
    assert [axis.name for axis in source.navigation_axes] == names
    assert source.scan_shape_origin.startswith("Scan - ")
    np.testing.assert_array_equal(read_all(source.frames), frames.reshape(*shape, 4, 6))


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({**RASTER, "Scan - Type": "Random"}, "of the type 'Random'"),
        ({**RASTER, "Scan - Size X": "-1"}, "gives no scan size"),
        ({**RASTER, "Scan - Points Per Camera Frame": "4"}, "a frame of several points"),
        ({**RASTER, "Autosave Movie Sum Count": "2"}, "2 frames were summed in each frame"),
        ({**RASTER, "Scan - Points": "12"}, "counts 12 points in a scan of 4 x 6"),
        ({**RASTER, "Scan - Size Y": "3", "Scan - Points": "18"}, "24 frames are more than its scan of 3 x 6 needs"),
    ],
)
def test_other_scans_stay_in_a_row_and_say_why(tmp_path, frames, info, why) -> None:
    path = movie(tmp_path, frames, info)
    source = read(path)
    assert source.frames.nav_shape == (24,)
    assert [why in text for text in source.warnings] == [True]
    shaped = read(path, scan_shape=(4, 6))
    assert shaped.warnings == ()
    assert shaped.navigation_axes[1].scale == 0.5


@pytest.mark.parametrize(
    ("info", "shape", "rows", "axis"),
    [
        ({}, (4, 6), 0, 1),
        ({"Scan - Size X": "4", "Scan - Size Y": "3", "Scan - Points": "12", "Scan - Repeats": "2"}, (2, 3, 4), 1, 2),
        ({"Scan - Size X": "4", "Scan - Size Y": "2", "Scan - Points": "8", "Scan - Camera Frames Per Point": "3"},
         (2, 4, 3), 0, 1),
    ],
    ids=["plain", "repeats", "frames a point"],
)  # fmt: skip
def test_serpentine_scans_run_every_second_line_backwards(tmp_path, read_all, frames, info, shape, rows, axis) -> None:
    path = movie(tmp_path, frames, {**RASTER, **info, "Scan - Type": "Serpentine"})
    expected = np.moveaxis(frames.reshape(*shape, 4, 6).copy(), rows, 0)
    expected[1::2] = np.flip(expected[1::2], axis if rows == 0 else 2)
    source = read(path)
    assert source.warnings == ()
    np.testing.assert_array_equal(np.moveaxis(read_all(source.frames), rows, 0), expected)
    np.testing.assert_array_equal(read_all(read(path, serpentine=False).frames), frames.reshape(*shape, 4, 6))


def test_a_serpentine_scan_stays_one_in_another_shape(tmp_path, read_all, frames) -> None:
    path = movie(tmp_path, frames, {**RASTER, "Scan - Type": "Serpentine"})
    expected = frames.reshape(3, 8, 4, 6).copy()
    expected[1] = expected[1, ::-1]
    np.testing.assert_array_equal(read_all(read(path, scan_shape=(3, 8)).frames), expected)
    assert read(path, scan_shape=(24,)).frames.nav_shape == (24,)


def test_a_movie_without_a_scan(tmp_path, frames) -> None:
    source = read(movie(tmp_path, frames, {"Scan - Enable": "Disable"}))
    assert source.frames.nav_shape == (24,)
    assert source.warnings == ()
    assert source.navigation_axes[0].units == "px"


def test_an_interrupted_scan_is_an_error_until_asked_for(tmp_path, read_all, frames) -> None:
    path = movie(tmp_path, frames[:20], RASTER | {"Autosave Movie Frames Written": "20"})
    with pytest.raises(ScanShapeError, match=r"20 frames do not fill scan shape 4 x 6 \(Scan - Size of"):
        read(path)
    out, valid = read_all(read(path, incomplete="nan").frames, with_valid=True)
    assert valid.reshape(-1).sum() == 20
    np.testing.assert_array_equal(out[:3], frames[:18].reshape(3, 6, 4, 6))
    assert read(path, incomplete="crop").frames.nav_shape == (3, 6)


def test_the_scan_shape_given_wins(tmp_path, read_all, frames) -> None:
    path = movie(tmp_path, frames, RASTER, coordinates=[(k, 0) for k in range(24)])
    assert read(path).frames.nav_shape == (1, 24)
    assert read(path, scan_shape=(2, 12)).frames.nav_shape == (2, 12)
    assert read(path, coordinates=False).frames.nav_shape == (4, 6)
    np.testing.assert_array_equal(
        read_all(read(path, scan_shape=(2, 11), sync_offset=2).frames), frames[2:].reshape(2, 11, 4, 6)
    )


# ---- names


@pytest.mark.parametrize(
    ("prefix", "moved"),
    [("20241021_00405", "20241021_00405_slow_1"), ("20241021_00405", "20241021_00405_slow"), ("Custom scan ü", None)],
)
def test_companions_are_found_by_what_names_share(tmp_path, frames, prefix, moved) -> None:
    path = movie(tmp_path, frames, RASTER, prefix=prefix)
    if moved:
        path = path.rename(tmp_path / f"{moved}_movie.mrc")
    assert read(path).frames.nav_shape == (4, 6)


def test_texts_that_are_something_else_are_left_aside(tmp_path, frames) -> None:
    path = write_mrc(tmp_path / "a_movie.mrc", frames)
    (tmp_path / "a_info.txt").write_text("Notes = none\nto do = all\n")
    source = read(path)
    assert "info" not in source.original_metadata
    assert source.warnings == ()


def test_a_text_for_other_frames_is_left_aside_with_a_warning(tmp_path, frames) -> None:
    path = movie(tmp_path, frames, {**RASTER, "Image Size X (pixels)": "8"})
    source = read(path)
    assert source.frames.nav_shape == (24,)
    assert "images of 8 x 4 pixels expected" in source.warnings[0]
    assert source.signal_axes[0].units == "px"


def test_info_lines(tmp_path) -> None:
    data = "\ufeffKey      = a = b\r\nÄ = ö\nNothing   =\n\n = none\nno value\nB=c\n"
    expected = {"Key": "a = b", "Ä": "ö", "Nothing": ""}
    assert parse_info(data.encode("utf-8")) == expected
    assert parse_info(data[1:].encode("latin-1")) == expected


# ---- calibration and metadata


def test_calibration_is_kept(tmp_path, frames) -> None:
    source = read(movie(tmp_path, frames, RASTER))
    axes = {axis.name: (axis.units, axis.scale) for axis in (*source.navigation_axes, *source.signal_axes)}
    assert axes == {"y": ("nm", 0.25), "x": ("nm", 0.5), "ky": ("1/nm", 0.1), "kx": ("1/nm", 0.1)}
    unknown = dict.fromkeys(["Diffraction Pixel Size X", "Diffraction Pixel Size Y"], "-1")
    source = read(movie(tmp_path, frames, {**RASTER, **unknown, "Specimen Pixel Size X (nanometers)": "-1"}))
    assert [axis.units for axis in source.signal_axes] == ["px", "px"]
    assert [axis.units for axis in source.navigation_axes] == ["nm", "px"]


def test_images_of_a_microscope_in_imaging_mode_are_in_nm(tmp_path, frames) -> None:
    info = {"Scan - Enable": "Disable", "Instrument Project TEMorSTEM Mode": "0"}
    assert [axis.scale for axis in read(movie(tmp_path, frames, info)).signal_axes] == [0.25, 0.5]


def test_metadata(tmp_path, frames) -> None:
    source = read(movie(tmp_path, frames.reshape(4, 6, 4, 6)))
    instrument = source.metadata["Acquisition_instrument"]
    assert instrument["TEM"]["beam_energy"] == 300
    assert "camera_length" not in instrument["TEM"]
    assert instrument["dwell_time"] == pytest.approx(1464.25e-6)
    assert source.metadata["General"]["date"] == "2024-10-21"
    assert source.original_metadata["info"]["Preset - Formula"] == "gain = dark - 1 = 0"


def test_bytes_of_counting_cameras_are_unsigned(tmp_path, read_all) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (2, 3, 4, 4)).astype("u1")
    source = read(movie(tmp_path, frames, statistics=False))
    assert source.frames.dtype == np.uint8
    assert source.warnings == ()
    np.testing.assert_array_equal(read_all(source.frames), frames)


def test_images_beside_the_movie_are_listed(tmp_path, frames) -> None:
    scan = frames.reshape(4, 6, 4, 6)
    source = read(movie(tmp_path, scan))
    general = source.metadata["General"]
    virtual = general["virtual_images"]["virtual_0"]
    assert (virtual["name"], virtual["calculation"], virtual["shape"]) == ("Virt #0", "Sum", [4, 6])
    assert virtual["path"] == str(tmp_path / "20241021_00405_0_Virt 0_sum.mrc")
    np.testing.assert_array_equal(virtual["data"], scan.sum(axis=(2, 3)))
    assert general["external_images"]["external_1"]["name"] == "Ext 1"
    np.testing.assert_array_equal(general["final_image"]["data"], scan.sum(axis=(0, 1)))


def test_large_images_are_listed_but_not_read_and_damaged_ones_are_left_out(tmp_path, frames) -> None:
    path = movie(tmp_path, frames.reshape(4, 6, 4, 6))
    write_mrc(tmp_path / "20241021_00405_3_Large_max.mrc", np.zeros((512, 512), "f4"))
    (tmp_path / "20241021_00405_4_Broken_max.mrc").write_bytes(path.read_bytes()[:1030])
    source = read(path)
    images = source.metadata["General"]["virtual_images"]
    assert images["virtual_3"]["shape"] == [512, 512]
    assert "data" not in images["virtual_3"]
    assert "virtual_4" not in images
    assert "an image beside the movie is left out" in source.warnings[0]


def test_images_loaded_by_themselves_have_the_axes_of_the_scan(tmp_path, frames) -> None:
    movie(tmp_path, frames.reshape(4, 6, 4, 6))
    virtual = read(tmp_path / "20241021_00405_0_Virt 0_sum.mrc")
    assert virtual.frames.nav_shape == ()
    assert [(axis.name, axis.units, axis.scale) for axis in virtual.signal_axes] == [
        ("y", "nm", 0.25),
        ("x", "nm", 0.5),
    ]
    final = read(tmp_path / "20241021_00405_final.mrc")
    assert [(axis.name, axis.units) for axis in final.signal_axes] == [("ky", "1/nm"), ("kx", "1/nm")]


# ---- coordinates


def placed(frames: np.ndarray, xy: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """One frame after the other to the first free place at its position."""
    visits = max([list(map(tuple, xy)).count(tuple(p)) for p in xy])
    out = np.zeros((visits, *shape, *frames.shape[1:]), frames.dtype)
    valid = np.zeros((visits, *shape), bool)
    for frame, (x, y) in zip(frames, xy, strict=True):
        k = int(valid[:, y, x].sum())
        out[k, y, x], valid[k, y, x] = frame, True
    return (out, valid) if visits > 1 else (out[0], valid[0])


def test_a_random_scan_of_a_region(tmp_path, read_all, frames) -> None:
    """Every position of the region once, in any order."""
    order = np.random.default_rng(2).permutation(24)
    xy = np.stack([order % 8, order // 8], axis=1)
    info = {"Scan - Type": "Random", "Scan - ROI Enable": "Enable", "Scan - ROI Type": "Random",
            "Scan - ROI Size X": "8", "Scan - ROI Size Y": "3", "Scan - Size X": "64"}  # fmt: skip
    source = read(movie(tmp_path, frames, info, coordinates=xy))
    assert source.warnings == ()
    assert source.frames.incomplete == "raise"
    assert source.frames.nav_shape == (3, 8)
    assert source.navigation_axes[1].scale == 0.5
    out = read_all(source.frames)
    for k, (x, y) in enumerate(xy):
        np.testing.assert_array_equal(out[y, x], frames[k])


@pytest.mark.parametrize("io", ["mmap", "read"])
@pytest.mark.parametrize("tile", [1, 7, 50])
def test_a_custom_scan_with_unvisited_positions_and_repeats(tmp_path, read_all, io, tile) -> None:
    """x in 0, 2, 4 and y in 0 to 4, each visited twice."""
    frames = np.random.default_rng(6).integers(1, 999, (30, 4, 6)).astype("u2")
    xy = [(x, y) for _ in range(2) for y in range(5) for x in (0, 2, 4)]
    path = movie(tmp_path, frames, {"Scan - Type": "XY File", "Scan - Size X": "1024"}, prefix="Custom", coordinates=xy)
    source = read(path, io=io)
    assert source.frames.nav_shape == (2, 5, 5)
    assert [axis.name for axis in source.navigation_axes] == ["repeat", "y", "x"]
    assert "20 of the 2 x 5 x 5 positions were not visited" in source.warnings[0]
    assert source.frames.incomplete == "nan"
    expected, visited = placed(frames, xy, (5, 5))
    out, valid = read_all(source.frames, tile=tile, with_valid=True)
    np.testing.assert_array_equal(valid, visited)
    np.testing.assert_array_equal(out, expected)
    there = pickle.loads(pickle.dumps(source.frames))
    assert there.token == source.frames.token
    part, inside = read_all(there.select((slice(1, 2), slice(4, -1, -1), slice(0, 5, 2))), with_valid=True)
    assert inside.all()
    np.testing.assert_array_equal(part, expected[1:, ::-1, ::2])


def test_signals_of_sparse_scans_know_what_was_visited(tmp_path, frames) -> None:
    xy = [(k % 5, k // 5) for k in range(24)]
    path = movie(tmp_path, frames, {"Scan - Type": "XY File"}, coordinates=xy)
    with pytest.warns(Lazy4DWarning, match="1 of the 5 x 5 positions were not visited"):
        s = l4.load(path)
    valid = np.asarray(s.valid)
    assert np.argwhere(~valid).tolist() == [[4, 4]]
    image = s.get_virtual_image(l4.RectangleROI(0, 0, 6, 4)).compute().data
    assert np.isnan(image[4, 4])
    np.testing.assert_array_equal(image.ravel()[:24], frames.sum(axis=(1, 2)))
    np.testing.assert_array_equal(s.sum().compute().data, frames.sum(axis=0))


def test_coordinates_of_a_raster_cost_no_table(tmp_path, frames) -> None:
    from lazy4d.io.navigation import NavigationMap

    xy = [(k % 6, k // 6) for k in range(24)]
    source = read(movie(tmp_path, frames, RASTER, coordinates=xy))
    assert isinstance(source.frames.navigation, NavigationMap)
    assert source.frames.nav_shape == (4, 6)


def test_serpentine_coordinates(tmp_path, read_all, frames) -> None:
    xy = [(k % 6 if k // 6 % 2 == 0 else 5 - k % 6, k // 6) for k in range(24)]
    source = read(movie(tmp_path, frames, {**RASTER, "Scan - Type": "Serpentine"}, coordinates=xy))
    expected = frames.reshape(4, 6, 4, 6).copy()
    expected[1::2] = expected[1::2, ::-1]
    np.testing.assert_array_equal(read_all(source.frames), expected)


@pytest.mark.parametrize(
    ("info", "shape"),
    [({"Scan - Camera Frames Per Point": "3"}, (2, 4, 3)), ({"Scan - Repeats": "3"}, (3, 2, 4))],
)
def test_a_line_for_each_point(tmp_path, read_all, frames, info, shape) -> None:
    """Lines for the points of one pass, where frames are several at each, or passes are."""
    order = [5, 2, 7, 0, 1, 3, 6, 4]
    xy = [(k % 4, k // 4) for k in order]
    out = read_all(read(movie(tmp_path, frames, {"Scan - Type": "Random", **info}, coordinates=xy)).frames)
    expected = np.zeros((8, 3, 4, 6), "u2")
    expected[order] = frames.reshape(8, 3, 4, 6) if shape[2] == 3 else frames.reshape(3, 8, 4, 6).swapaxes(0, 1)
    expected = expected.reshape(2, 4, 3, 4, 6)
    np.testing.assert_array_equal(out, expected if shape[2] == 3 else np.moveaxis(expected, 2, 0))


def test_the_grid_may_be_given_and_the_table_too(tmp_path, read_all, frames) -> None:
    path = write_mrc(tmp_path / "plain.mrc", frames)
    table = tmp_path / "elsewhere.csv"
    table.write_text("".join(f"{k},{k % 3}\n" for k in range(24)))
    assert read(path).frames.nav_shape == (24,)
    assert read(path, coordinates=table).frames.nav_shape == (3, 24)
    source = read(path, coordinates=table, scan_shape=(4, 30))
    assert source.frames.nav_shape == (4, 30)
    out, valid = read_all(source.frames, with_valid=True)
    assert valid.sum() == 24
    np.testing.assert_array_equal(out[2, 5], frames[5])
    skipped = tmp_path / "skipped.csv"
    skipped.write_text("".join(f"{k},0\r\n" for k in reversed(range(22))))
    out = read_all(read(path, coordinates=skipped, sync_offset=2).frames)
    np.testing.assert_array_equal(out[0], frames[2:][::-1])
    with pytest.raises(ScanShapeError, match="reach row 2 and column 23, beyond"):
        read(path, coordinates=table, scan_shape=(2, 30))
    with pytest.raises(ScanShapeError, match=r"must be \(rows, columns\) where coordinates are used"):
        read(path, coordinates=table, scan_shape=24)
    with pytest.raises(ValueError, match="flyback=1, sync_offset=0 and serpentine=None do not go with a table"):
        read(path, coordinates=table, flyback=1)
    with pytest.raises(ValueError, match="sync_offset=24 skips all"):
        read(path, coordinates=table, sync_offset=24)


def test_absent_tables_are_named(tmp_path, frames) -> None:
    path = movie(tmp_path, frames, RASTER)
    with pytest.raises(MissingCompanionError, match=r"20241021_00405_scan_coordinates\.csv: no such table"):
        read(path, coordinates=True)
    with pytest.raises(MissingCompanionError, match=r"nowhere\.csv"):
        read(path, coordinates=tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0,0\n1\n", 2), ("0,0\n1,2,3\n", 2), ("0,0\n\n1,-2\n", 2), ("0,0\n1.5,2\n", 2), ("x,y\n0,0\n", 1),
        ("0,99999999999999999999999\n", 1), ("0,0\n1,2,3\n4\n", 2), ("\0\xff", 1), ("1, 2\n3,,4\n", 2),
    ],
)  # fmt: skip
def test_lines_that_are_no_coordinates_are_named(tmp_path, text, line) -> None:
    table = tmp_path / "a.csv"
    table.write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=f"two whole numbers of 0 or more on line {line}, found"):
        read_coordinates(str(table))


def test_tables_may_have_blanks_and_any_line_ends(tmp_path) -> None:
    table = tmp_path / "a.csv"
    table.write_bytes(b"0,1\r\n 2, 3 \r\n\r\n4,5")
    assert read_coordinates(str(table)).tolist() == [[0, 1], [2, 3], [4, 5]]
    for text in (b"0,1\n23,%d", b"0,1\r\n23,%d\r\n", b"0,1\n\n23, %d\n"):
        table.write_bytes(text % (10**18 - 1))
        assert read_coordinates(str(table)).tolist() == [[0, 1], [23, 10**18 - 1]]
    table.write_bytes(b"")
    assert read_coordinates(str(table)).shape == (0, 2)


def test_tables_for_another_number_of_frames_are_refused(tmp_path, read_all, frames) -> None:
    path = movie(tmp_path, frames, {"Scan - Type": "Random"}, coordinates=[(k, 0) for k in range(30)])
    with pytest.raises(ScanShapeError, match=r"24 frames for 30 lines of scan coordinates.*incomplete='nan'"):
        read(path)
    _, valid = read_all(read(path, incomplete="zero", coordinates=True).frames, with_valid=True)
    assert valid.sum() == 24
    assert np.flatnonzero(~valid.ravel())[0] == 24
    movie(tmp_path, frames, {"Scan - Type": "Random"}, coordinates=[(k, 0) for k in range(23)])
    with pytest.raises(ScanShapeError, match="24 frames for 23 lines"):
        read(path, incomplete="nan")


@pytest.mark.parametrize("far", [2**31, 2**62, 10**18, 10**7])
def test_coordinates_far_away_allocate_nothing(tmp_path, frames, far) -> None:
    xy = [(k, k) for k in range(23)] + [(far, far)]
    path = movie(tmp_path, frames, {"Scan - Type": "XY File"}, coordinates=xy)
    with pytest.raises(FormatError, match="which no scan of so few frames has"):
        read(path)


def test_frames_lost_from_a_scan_with_coordinates_are_invalid(tmp_path, read_all, frames) -> None:
    xy = [(k // 4, k % 4) for k in range(24)]
    path = movie(tmp_path, frames, {"Scan - Type": "Random"}, coordinates=xy)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(TruncatedFileError, match="ends inside frame 22"):
        read(path)
    source = read(path, incomplete="nan")
    out, valid = read_all(source.frames, with_valid=True)
    assert np.argwhere(~valid).tolist() == [[2, 5], [3, 5]]
    np.testing.assert_array_equal(out[1, 5], frames[21])
    assert audit(path).truncated


# ---- the real thing


def test_a_movie_of_a_real_server(vendor_data, read_all) -> None:
    path = vendor_data("mrc/20241021_00405_movie.mrc")
    source = read(path)
    out = read_all(source.frames)
    assert (out.shape, out.dtype, int(out.sum())) == ((4, 8, 4, 8), np.uint16, 15872)
    assert source.warnings == ()
    assert source.frames_expected == 32
    axes = [(axis.name, axis.units, axis.scale) for axis in (*source.navigation_axes, *source.signal_axes)]
    assert axes == [("y", "nm", 0.2), ("x", "nm", 0.1), ("ky", "1/nm", 0.1), ("kx", "1/nm", 0.1)]
    assert source.metadata["Acquisition_instrument"]["dwell_time"] == pytest.approx(1464.212499e-6)
    assert source.metadata["Acquisition_instrument"]["TEM"]["camera_length"] == pytest.approx(1.0)
    images = source.metadata["General"]
    assert sorted(images["virtual_images"]) == ["virtual_0", "virtual_1"]
    assert images["virtual_images"]["virtual_1"]["name"] == "Virt #1"
    np.testing.assert_array_equal(images["final_image"]["data"], out.sum(axis=(0, 1)))
    assert images["external_images"]["external_1"]["name"] == "Ext #1"
    assert len(source.original_metadata["info"]) > 500

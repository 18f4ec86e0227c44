from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from lazy4d.data.mib import write_mib
from lazy4d.errors import FormatError, ScanShapeError, UnsupportedVariantError
from lazy4d.io.mib.header import find_sidecar, parse_header, parse_sidecar
from lazy4d.io.mib.reader import READER
from lazy4d.io.registry import read

HEADER = (
    "MQ1,{number:06d},{length:05d},{chips:02d},{x:04d},{y:04d},{code},{layout:>6},{mask},"
    "2021-04-15 15:01:38.9,0.001000,0,0,0,"
)


def by_hand(path: Path, frames: np.ndarray, code: str = "U16", **fields) -> Path:
    """An encoder of a few lines, independent of the package: the fields may lie about the pixels."""
    known = {
        "length": 384,
        "chips": 1,
        "layout": "1x1",
        "mask": "01",
        "y": frames.shape[1],
        "x": frames.shape[2],
    } | fields
    first = known.pop("first", 1)
    with open(path, "wb") as file:
        for k, frame in enumerate(frames):
            text = HEADER.format(number=first + k, code=code, **known).encode()
            file.write(text.ljust(known["length"], b"\0") + frame.tobytes())
    return path


# ---- files of a real detector


@pytest.mark.parametrize(
    ("name", "nav", "frame", "dtype", "total"),
    [
        ("Single_9_Frame_CounterDepth_12_Rows_256", (9,), (256, 256), "u2", 260753),
        ("Single_9_Frame_CounterDepth_1_Rows_256RAW", (9,), (256, 256), "u1", 21605),
        ("002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y", (2, 4), (128, 256), "u2", 79),
    ],
)
@pytest.mark.parametrize("io", ["mmap", "read"])
def test_real_files(vendor_data, read_all, name, nav, frame, dtype, total, io) -> None:
    source = read(vendor_data(f"mib/{name}.mib"), io=io)
    assert source.frames.nav_shape == nav
    assert source.frames.frame_shape == frame
    assert source.frames.dtype == np.dtype(dtype)
    assert source.frames_found == source.frames_expected == int(np.prod(nav))
    assert not source.warnings
    assert read_all(source.frames).sum() == total


def test_the_hot_pixel_is_where_the_file_name_says(vendor_data, read_all) -> None:
    source = read(vendor_data("mib/002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y.mib"))
    frames = read_all(source.frames)
    assert np.unravel_index(frames.sum((0, 1)).argmax(), (128, 256)) == (39, 52)
    assert "ScanX, ScanY" in source.scan_shape_origin


def test_metadata_of_a_real_file(vendor_data) -> None:
    source = read(vendor_data("mib/Single_9_Frame_CounterDepth_12_Rows_256.mib"))
    assert source.title == source.metadata["General"]["title"] == "Single_9_Frame_CounterDepth_12_Rows_256"
    assert source.metadata["General"]["original_filename"] == "Single_9_Frame_CounterDepth_12_Rows_256.mib"
    assert source.metadata["General"]["date"] == "2021-04-15"
    assert source.metadata["Acquisition_instrument"]["dwell_time"] == pytest.approx(1e-3)
    merlin = source.metadata["Acquisition_instrument"]["TEM"]["Detector"]["Merlin"]
    expected = {
        "counter_depth": 12, "bit_depth": 16, "chip_layout": "1x1", "gain_mode": "SLGM", "pixel_size": 55.0,
        "start_time_utc": "2021-04-15T14:01:38.996867651Z", "software_version": "0.77", "sensor_bias": "120 V",
    }  # fmt: skip
    assert {name: merlin[name] for name in expected} == expected
    assert merlin["thresholds"][:2] == [2.0, 511.0]
    assert source.original_metadata["hdr"]["Counter Depth (number)"] == "12"
    assert source.original_metadata["header"]["chip_0"][:2] == ["3RX", "011"]
    assert [axis.name for axis in source.navigation_axes + source.signal_axes] == ["x", "ky", "kx"]


# ---- every variant, written by another module


@pytest.mark.parametrize("chips", ["1x1", "2x2"])
@pytest.mark.parametrize(
    ("mode", "limit"), [("U08", 256), ("U16", 4096), ("U32", 2**24), ("R1", 2), ("R6", 64), ("R12", 4096)]
)
@pytest.mark.parametrize("rows", [128, 90])
def test_pixels_come_back_from_every_variant(tmp_path, read_all, mode, limit, chips, rows) -> None:
    frames = np.random.default_rng(1).integers(0, limit, (2, 3, rows, 128), np.uint32)
    source = read(write_mib(tmp_path / "scan.mib", frames, mode=mode, chips=chips))
    assert source.frames.nav_shape == (2, 3)
    assert np.array_equal(read_all(source.frames, tile=4), frames)
    row = source.frames.select((slice(1, -1, -1), slice(0, 3, 2)))
    assert np.array_equal(read_all(row), frames[::-1, ::2])


def test_24_bits_raw(tmp_path, read_all) -> None:
    frames = np.random.default_rng(1).integers(0, 2**24, (5, 64, 256), np.uint32)
    for options in ({}, {"mq1a": False}):
        source = read(write_mib(tmp_path / "scan.mib", frames, mode="R24", **options))
        assert source.frames.dtype == np.uint32
        assert np.array_equal(read_all(source.frames), frames)


def test_a_quad_with_gap_lines(tmp_path, read_all) -> None:
    frames = np.random.default_rng(1).integers(0, 4096, (2, 514, 514), np.uint16)
    source = read(write_mib(tmp_path / "scan.mib", frames, chips="2x2G"))
    assert source.frames.frame_shape == (514, 514)
    assert np.array_equal(read_all(source.frames), frames)


@pytest.mark.parametrize(
    "options",
    [
        {"header_bytes": 1024},
        {"header_bytes": 777, "padding": b" "},
        {"tcp_prefix": True},
        {"mq1a": False},
        {"hdr": False},
        {"mode": "R12", "mq1a": False, "hdr": False},
        {"mode": "R6", "mq1a": False, "hdr": False},
        {"mode": "R12", "tcp_prefix": True, "header_bytes": 512},
    ],
    ids=str,
)
def test_headers_of_any_length_and_age(tmp_path, read_all, scan, options) -> None:
    values = scan // 64 if options.get("mode") == "R6" else scan
    source = read(write_mib(tmp_path / "scan.mib", values, **options))
    assert np.array_equal(read_all(source.frames).reshape(values.shape), values)
    depth = source.metadata["Acquisition_instrument"]["TEM"]["Detector"]["Merlin"].get("counter_depth")
    assert depth == {"R6": 6}.get(options.get("mode", ""), None if options == {"mq1a": False, "hdr": False} else 12)


def test_a_network_capture_that_begins_with_the_acquisition_header(tmp_path, read_all, scan) -> None:
    path = write_mib(tmp_path / "scan.mib", scan, tcp_prefix=True, hdr=False)
    text = b"HDR,\t\r\nScanX:\t5\r\nScanY:\t4\r\nEnd\t"
    path.write_bytes(b"MPX,%010d," % (1 + len(text)) + text + path.read_bytes())
    source = read(path)
    assert source.frames.nav_shape == (4, 5)
    assert np.array_equal(read_all(source.frames), scan)


@pytest.mark.parametrize("frames", [1, 2])
def test_files_of_one_and_two_frames(tmp_path, read_all, scan, frames) -> None:
    values = scan[0, :frames]
    source = read(write_mib(tmp_path / "scan.mib", values, hdr=False))
    assert source.frames.nav_shape == (() if frames == 1 else (2,))
    assert np.array_equal(read_all(source.frames).reshape(values.shape), values)


@pytest.mark.parametrize("mode", ["R1", "R6", "R12"])
def test_one_raw_frame_of_unknown_depth_is_told_by_its_size(tmp_path, read_all, mode) -> None:
    values = np.random.default_rng(1).integers(0, 2, (1, 64, 256), np.uint8)
    source = read(write_mib(tmp_path / "scan.mib", values, mode=mode, mq1a=False, hdr=False))
    assert np.array_equal(read_all(source.frames), values[0])


def test_by_hand_encoder_agrees(tmp_path, read_all) -> None:
    frames = np.random.default_rng(1).integers(0, 4096, (4, 6, 8), np.uint16)
    source = read(by_hand(tmp_path / "scan.mib", frames.astype(">u2")))
    assert np.array_equal(read_all(source.frames), frames)
    packed = np.random.default_rng(1).integers(0, 2, (2, 2, 64), np.uint8)
    words = np.packbits(packed[..., ::-1], axis=-1)  # most significant bit is pixel 63
    source = read(by_hand(tmp_path / "raw.mib", words, "R64", x=64, y=2))
    assert np.array_equal(read_all(source.frames), packed)


def test_frame_numbers_that_wrap_or_grow(tmp_path, read_all, scan) -> None:
    values = scan.reshape(-1, 64, 64)
    for numbers in (np.arange(999_990, 1_000_010), np.arange(999_990, 1_000_010) % 10**6):
        source = read(write_mib(tmp_path / "scan.mib", values, numbers=numbers, hdr=False))
        assert np.array_equal(read_all(source.frames), values)


# ---- scan shape


def write(tmp_path, n: int, **options) -> Path:
    return write_mib(tmp_path / "scan.mib", np.zeros((n, 4, 8), np.uint16), **options)


def test_scan_shape_from_the_text_file_the_argument_or_not_at_all(tmp_path) -> None:
    path = write(tmp_path, 12, scan_shape=(3, 4))
    assert read(path).frames.nav_shape == (3, 4)
    assert read(path, scan_shape=(4, 3)).frames.nav_shape == (4, 3)
    assert read(path, scan_shape=(-1,)).frames.nav_shape == (12,)
    path = write(tmp_path, 16, hdr=False)
    (tmp_path / "scan.hdr").unlink()
    assert read(path).frames.nav_shape == (16,)
    assert read(path, scan_shape="square").frames.nav_shape == (4, 4)


@pytest.mark.parametrize(
    ("trigger", "frames", "expected"),
    [(4, 12, (3, 4)), (12, 12, (12,)), (1, 12, (12,)), (5, 12, (12,)), (0, 12, (12,))],
)
def test_lines_from_frames_per_trigger(tmp_path, trigger, frames, expected) -> None:
    path = write(tmp_path, frames, frames_per_trigger=trigger, hdr={"ScanX": None, "ScanY": None})
    assert read(path).frames.nav_shape == expected


def test_flyback_frames_within_a_trigger(tmp_path) -> None:
    path = write(tmp_path, 15, frames_per_trigger=5, hdr={"ScanX": None, "ScanY": None})
    assert read(path, flyback=1).frames.nav_shape == (3, 4)


def test_an_interrupted_scan_keeps_its_lines_on_request(tmp_path, read_all) -> None:
    path = write(
        tmp_path, 10, frames_per_trigger=4, hdr={"ScanX": None, "ScanY": None, "Frames in Acquisition (Number)": "12"}
    )
    with pytest.raises(ScanShapeError, match="10 frames do not fill scan shape 3 x 4"):
        read(path)
    cropped = read(path, incomplete="crop")
    assert cropped.frames.nav_shape == (2, 4)
    assert any("12 expected" in text for text in cropped.warnings)
    filled = read(path, incomplete="nan")
    _, valid = read_all(filled.frames, with_valid=True)
    assert (~valid).sum() == 2
    assert filled.frames.incomplete == "nan"


def test_shapes_that_do_not_fit_name_those_that_do(tmp_path) -> None:
    path = write(tmp_path, 12, hdr=False)
    with pytest.raises(ScanShapeError, match=r"12 frames do not fill scan shape 5 x 5.*\(3, 4\)"):
        read(path, scan_shape=(5, 5))


# ---- what cannot be read says so


@pytest.mark.parametrize(
    ("code", "fields", "message"),
    [
        ("U64", {}, "pixel code 'U64' cannot be read"),
        ("U01", {}, "pixel code 'U01' cannot be read"),
        ("R32", {}, "RAW pixel code 'R32'"),
        (
            "R64",
            {"layout": "Nx1", "chips": 4, "mask": "0F"},
            "chip layout 'Nx1' cannot be read.*without the RAW option",
        ),
        (
            "U16",
            {"layout": "2x2", "chips": 3, "mask": "07"},
            r"incomplete chip mask.*reader='raw', frame_shape=\(4, 8\)",
        ),
        ("R64", {"layout": "2x2", "chips": 4, "mask": "07"}, "incomplete chip mask"),
        ("U16", {"mask": "03"}, "incomplete chip mask"),
    ],
)
def test_unsupported_variants_name_themselves_and_a_way_around(tmp_path, code, fields, message) -> None:
    path = by_hand(tmp_path / "scan.mib", np.zeros((3, 4, 8), ">u2"), code, **fields)
    with pytest.raises(UnsupportedVariantError, match=message):
        read(path)


def test_the_way_around_an_incomplete_chip_mask_works(tmp_path, read_all) -> None:
    frames = np.arange(96, dtype=">u2").reshape(3, 4, 8)
    path = by_hand(tmp_path / "scan.mib", frames, layout="2x2", chips=3, mask="07")
    source = read(path, reader="raw", frame_shape=(4, 8), dtype=">u2", header=384, gap=384)
    assert np.array_equal(read_all(source.frames), frames)


def test_a_raw_quad_of_24_bits_is_refused(tmp_path) -> None:
    path = by_hand(tmp_path / "scan.mib", np.zeros((3, 4, 64), ">u4"), "R64", layout="2x2", chips=4, mask="0F")
    (tmp_path / "scan.hdr").write_text("HDR,\t\nCounter Depth (number):\t24\nEnd\t")
    with pytest.raises(UnsupportedVariantError, match="quad detector with 24 bits"):
        read(path)


@pytest.mark.parametrize("option", ["incomplete", "io", "frame_numbers"])
def test_unknown_choices_are_refused(tmp_path, option) -> None:
    with pytest.raises(ValueError, match=f"{option}='maybe' is not known: expected one of"):
        read(write(tmp_path, 3), **{option: "maybe"})


# ---- headers and text files


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"PK\x03\x04", r"expected b'MQ1,' at byte 0, found b'PK"),
        (b"MQ1,000001,00384", "expected at least 10 items, found 3"),
        (
            b"MQ1,00x001,00384,01,0256,0256,U16,   1x1,01,2021,0.1",
            r"item 1 \(frame number\): expected digits, found '00x001'",
        ),
        (b"MQ1,000001,00384,01,-256,0256,U16,   1x1,01,2021,0.1", r"item 4 \(width\)"),
        (b"MQ1,000001,00384,01,0000,0256,U16,   1x1,01,2021,0.1", "states width 0, expected at least 1"),
        (b"MQ1,000001,00384,01,0256,0256,U16,   1x1,zz,2021,0.1", "chip mask.*hexadecimal"),
        (b"MQ1,000001,00001,01,0256,0256,U16,   1x1,01,2021,0.1", "expected at least 10 items|header length 1"),
    ],
)
def test_a_header_of_nonsense_is_described(head, message) -> None:
    with pytest.raises(FormatError, match=message):
        parse_header(head, "scan.mib, byte 0")


@pytest.mark.parametrize(
    ("text", "seconds"), [("1000000ns", 1e-3), ("20us", 2e-5), ("1.5ms", 1.5e-3), ("2s", 2.0), ("soon", 0.25)]
)
def test_exposure_with_its_unit(text, seconds) -> None:
    items = ["0.0"] * 8
    line = f"MQ1,000001,00384,01,0256,0256,U16,   1x1,01,2021,0.25,0,0,2,{','.join(items)},3RX,MQ1A,2021Z,{text},12,"
    header = parse_header(line.encode(), "scan.mib")
    assert header.exposure == pytest.approx(seconds)
    assert header.gain == "HGM"
    assert header.counter_depth == 12


def test_the_text_file_may_hold_anything() -> None:
    noise = bytes(range(256)) * 3
    assert parse_sidecar(b"HDR,\t\r\n" + noise + b"\r\nScanX:\t7\r\nno tab\r\nEnd\t   ")["ScanX"] == "7"
    assert parse_sidecar(b"") == {}


@pytest.mark.parametrize("name", ["scan_0001.hdr", "scan_.hdr", "scan.hdr", "scan_0001.HDR"])
def test_the_text_file_is_found_by_its_stem(tmp_path, name) -> None:
    (tmp_path / name).write_text("ScanX:\t7")
    found = find_sidecar(str(tmp_path / "scan_0001.mib"))
    assert found == (str(tmp_path / name), {"ScanX": "7"})
    assert find_sidecar(str(tmp_path / "other.mib")) is None


# ---- loading reads no pixels


def test_loading_a_large_file_is_quick_and_small(tmp_path, monkeypatch) -> None:
    """A sparse file with headers only where loading looks: were more looked at, they would be found damaged."""
    path = write(tmp_path, 1, hdr=False)
    record = path.read_bytes()
    frames, stride = 4_000_000, len(record)
    looked = sorted({k * (frames - 1) // 17 for k in range(18)} | {1})
    with open(path, "r+b") as file:
        file.truncate(frames * stride)
        for k in looked:
            file.seek(k * stride)
            file.write(b"MQ1,%06d," % ((k + 1) % 10**6) + record[11:])
    source = read(path, scan_shape=(2000, 2000))
    assert source.frames.nav_shape == (2000, 2000)
    assert len(pickle.dumps(source.frames)) < 5000
    with pytest.raises(FormatError, match=r"frame 2 .*is damaged: no MIB header there"):
        source.frames.open((slice(0, 1), slice(2, 3))).read(0, 1, np.empty((1, 4, 8), "u2"), ())


def test_source_describes_itself(tmp_path) -> None:
    source = read(write(tmp_path, 6))
    assert source.identity["format"] == READER.name == "mib"
    assert source.identity["size"] == os.stat(tmp_path / "scan.mib").st_size
    assert "scan.mib" in repr(source.frames)

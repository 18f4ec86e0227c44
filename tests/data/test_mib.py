"""Merlin files, byte by byte, against plain Python integers and against what real detectors write."""

import datetime
import struct

import numpy as np
import pytest

from lazy4d.data import MibHeader, simulated_scan, write_mib, write_mib_series, write_simulated_mib
from lazy4d.data.mib_header import hdr_text

DEPTHS = {"U08": 8, "U16": 16, "U32": 32, "R1": 1, "R6": 6, "R12": 12, "R24": 24}
STORED_BITS = {"R1": 1, "R6": 8, "R12": 16}


def random_frames(mode, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 2 ** DEPTHS[mode], shape, dtype=np.uint64).astype(np.uint32)


def records(path, header):
    """Header and payload of every frame of a file."""
    data = path.read_bytes()
    size = header.record_bytes
    assert len(data) % size == 0
    split = size - header.payload_bytes
    return [(data[i : i + split], data[i + split : i + size]) for i in range(0, len(data), size)]


def words(payload, bits):
    """Pixels of RAW words, one at a time: big-endian 64-bit words, first pixel in the lowest bits."""
    pixels = []
    for (word,) in struct.iter_unpack(">Q", payload):
        for k in range(64 // bits):
            pixels.append((word >> (k * bits)) & (2**bits - 1))
    return np.array(pixels)


def test_processed_pixels_are_big_endian(tmp_path):
    for mode, code in {"U08": "B", "U16": "H", "U32": "I"}.items():
        frames = random_frames(mode, (3, 5, 7))
        path = write_mib(tmp_path / f"{mode}.mib", frames, mode=mode)
        for frame, (_, payload) in zip(frames, records(path, MibHeader((5, 7), mode)), strict=True):
            assert struct.unpack(f">35{code}", payload) == tuple(frame.ravel().tolist())


@pytest.mark.parametrize("mode", ["R1", "R6", "R12"])
@pytest.mark.parametrize("shape", [(256, 256), (6, 64), (3, 128)])  # cropped rows shrink the height alone
def test_raw_words_of_one_chip(tmp_path, mode, shape):
    frames = random_frames(mode, (2, *shape))
    path = write_mib(tmp_path / "raw.mib", frames, mode=mode)
    header = MibHeader(shape, mode)
    assert header.payload_bytes == shape[0] * shape[1] * STORED_BITS[mode] // 8
    for frame, (text, payload) in zip(frames, records(path, header), strict=True):
        assert text.split(b",")[4:7] == [b"%04d" % shape[1], b"%04d" % shape[0], b"R64"]
        np.testing.assert_array_equal(words(payload, STORED_BITS[mode]).reshape(shape), frame)


def test_raw_24_bit_is_two_images_of_12_bits(tmp_path):
    frames = random_frames("R24", (2, 4, 64))
    path = write_mib(tmp_path / "raw.mib", frames, mode="R24")
    header = MibHeader((4, 64), "R24")
    assert header.payload_bytes == 4 * 4 * 64
    for frame, (text, payload) in zip(frames, records(path, header), strict=True):
        assert text.split(b",")[4:6] == [b"0128", b"0004"]  # twice the real width
        upper, lower = words(payload, 16).reshape(2, 4, 64)
        np.testing.assert_array_equal((upper << 12) + lower, frame)


@pytest.mark.parametrize("mode", ["R1", "R6", "R12"])
def test_raw_quad_is_four_chips_side_by_side(tmp_path, mode):
    size = 64
    frames = random_frames(mode, (2, 2 * size, 2 * size))
    path = write_mib(tmp_path / "quad.mib", frames, mode=mode, chips="2x2")
    header = MibHeader((2 * size, 2 * size), mode, "2x2")
    for frame, (text, payload) in zip(frames, records(path, header), strict=True):
        assert text.split(b",")[2:9] == [b"00768", b"04", b"0256", b"0064", b"R64", b"   2x2", b"0F"]
        b0, b1, b2, b3 = np.split(words(payload, STORED_BITS[mode]).reshape(size, 4 * size), 4, axis=1)
        assembled = np.block([[b3, b2], [np.rot90(b1, 2), np.rot90(b0, 2)]])
        np.testing.assert_array_equal(assembled, frame)


def test_processed_quads_are_stored_as_assembled(tmp_path):
    for chips, layout, size in [("2x2", b"   2x2", 64), ("2x2G", b"  2x2G", 66)]:
        frames = random_frames("U16", (1, size, size))
        path = write_mib(tmp_path / "quad.mib", frames, chips=chips)
        ((text, payload),) = records(path, MibHeader((size, size), "U16", chips))
        assert text.split(b",")[1:9] == [
            b"000001",
            b"00768",
            b"04",
            b"%04d" % size,
            b"%04d" % size,
            b"U16",
            layout,
            b"0F",
        ]
        assert len(text.rstrip(b"\0").split(b",")) == 139
        np.testing.assert_array_equal(np.frombuffer(payload, ">u2").reshape(size, size), frames[0])


def test_header_fields(tmp_path):
    start = datetime.datetime(2024, 2, 29, 23, 59, 59, 999999)
    path = write_mib(tmp_path / "scan.mib", np.zeros((3, 4, 8)), start=start, interval=1.5e-6, exposure=0.0025)
    texts = [text for text, _ in records(path, MibHeader((4, 8)))]
    assert all(len(text) == 384 for text in texts)
    items = [text.rstrip(b"\0").decode("ascii").split(",") for text in texts]
    assert {len(i) for i in items} == {55}
    assert [i[1] for i in items] == ["000001", "000002", "000003"]
    assert [i[9] for i in items] == [
        "2024-02-29 23:59:59.999999",
        "2024-03-01 00:00:00.000000",
        "2024-03-01 00:00:00.000002",
    ]
    assert [i[51] for i in items][2] == "2024-03-01T00:00:00.000002000Z"
    first = items[0]
    assert first[0] == "MQ1"
    assert first[2:9] == ["00384", "01", "0008", "0004", "U16", "   1x1", "01"]
    assert first[10:14] == ["0.002500", "0", "0", "0"]
    assert first[14:22] == ["2.000000E+0", "5.110000E+2"] + ["0.000000E+0"] * 6
    assert first[22] == "3RX"
    assert len(first[23:50]) == 27
    assert first[50] == "MQ1A"
    assert first[52:] == ["2500000ns", "12", ""]


@pytest.mark.parametrize(
    ("mode", "depth"),
    [("U08", "6"), ("U16", "12"), ("U32", "24"), ("R1", "1"), ("R6", "6"), ("R12", "12"), ("R24", "24")],
)
def test_counter_depth_of_every_mode(mode, depth):
    assert MibHeader((2, 64), mode).encode(1, 0).rstrip(b"\0").split(b",")[-2] == depth.encode()
    assert b"Counter Depth (number):\t%s\r\n" % depth.encode() in hdr_text(MibHeader((2, 64), mode), 1)


def test_one_bit_counts_saved_as_bytes(tmp_path):
    path = write_mib(tmp_path / "binary.mib", np.eye(8, dtype=bool)[None], mode="U08", depth=1)
    ((text, payload),) = records(path, MibHeader((8, 8), "U08"))
    assert text.rstrip(b"\0").endswith(b",1,")
    np.testing.assert_array_equal(np.frombuffer(payload, "u1").reshape(8, 8), np.eye(8))


def test_header_variants(tmp_path):
    frames = random_frames("U16", (2, 4, 8))
    options = dict(header_bytes=512, mq1a=False, padding=b" ", tcp_prefix=True)
    path = write_mib(tmp_path / "scan.mib", frames, **options)
    header = MibHeader((4, 8), **options)
    assert header.record_bytes == 15 + 512 + 64
    for text, payload in records(path, header):
        assert text[:15] == b"MPX,%010d," % (1 + 512 + 64)
        assert text[15:19] == b"MQ1,"
        assert text[15:].split(b",")[2] == b"00512"
        assert b"MQ1A" not in text
        assert text.endswith(b"  ")
        assert text.rstrip(b" ").endswith(b",511,511,")
        assert len(text[15:].rstrip(b" ").split(b",")) == 51
        assert len(payload) == 64


def test_frame_numbers_may_be_damaged_on_purpose(tmp_path):
    path = write_mib(tmp_path / "scan.mib", np.zeros((3, 4, 8)), numbers=[1, 3, 1234567])
    assert [text.split(b",")[1] for text, _ in records(path, MibHeader((4, 8)))] == [b"000001", b"000003", b"1234567"]
    with pytest.raises(ValueError, match="expected a number for every frame, got 2 for at least 3 frames"):
        write_mib(tmp_path / "scan.mib", np.zeros((3, 4, 8)), numbers=[1, 3])


def hdr_lines(data):
    lines = data.decode("latin-1").split("\r\n")
    return dict(line.split(":\t", 1) for line in lines[1:-1]), lines[0], lines[-1]


def test_hdr_file_states_the_scan(tmp_path):
    write_mib(tmp_path / "scan.mib", np.zeros((2, 3, 4, 8)), chips="1x1")
    data = (tmp_path / "scan.hdr").read_bytes()
    assert len(data) == 2048
    values, first, last = hdr_lines(data)
    assert first == "HDR,\t"
    assert last.rstrip(" ") == "End\t"
    assert list(values)[-3:] == ["Software Version", "ScanX", "ScanY"]
    assert (values["ScanX"], values["ScanY"]) == ("3", "2")
    assert values["Frames in Acquisition (Number)"] == "6"
    assert values["Frames per Trigger (Number)"] == "3"
    assert values["Assembly Size (NX1, 2X2)"] == "   1x1"


def test_hdr_file_lines_can_be_changed(tmp_path):
    lines = {"ScanX": None, "ScanY": None, "Gap Fill Mode": "Zero", "Extra": "odd"}
    write_mib(tmp_path / "scan.mib", np.zeros((2, 3, 4, 8)), hdr=lines, frames_per_trigger=4)
    values, _, _ = hdr_lines((tmp_path / "scan.hdr").read_bytes())
    assert "ScanX" not in values
    assert (values["Gap Fill Mode"], values["Extra"]) == ("Zero", "odd")
    assert values["Frames per Trigger (Number)"] == "4"
    write_mib(tmp_path / "plain.mib", np.zeros((6, 4, 8)))
    values, _, _ = hdr_lines((tmp_path / "plain.hdr").read_bytes())
    assert "ScanX" not in values
    assert values["Frames per Trigger (Number)"] == "6"
    write_mib(tmp_path / "bare.mib", np.zeros((6, 4, 8)), hdr=False)
    assert not (tmp_path / "bare.hdr").exists()


def test_headers_are_those_of_a_real_detector(vendor_data):
    real = vendor_data("mib/Single_9_Frame_CounterDepth_12_Rows_256.mib").read_bytes()
    start = datetime.datetime(2021, 4, 15, 15, 1, 38, 996867)
    ours = MibHeader((256, 256), start=start).encode(1, 0)
    theirs = real[:384]
    items, real_items = ours.split(b","), theirs.split(b",")
    items[51] = real_items[51]  # their UTC is an hour off local time
    assert items == real_items
    assert real[384 + 131072 :][:4] == b"MQ1,"
    hdr = vendor_data("mib/002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y.hdr").read_bytes()
    ours_hdr = hdr_text(MibHeader((128, 256)), 8, scan_shape=(2, 4))
    assert list(hdr_lines(ours_hdr)[0]) == list(hdr_lines(hdr)[0])
    assert len(hdr) == len(ours_hdr)


def test_series_runs_on_through_its_files(tmp_path):
    frames = random_frames("R6", (7, 4, 64))
    paths = write_mib_series(
        tmp_path, frames, frames_per_file=3, stem="run2_", digits=4, first=8, mode="R6", scan_shape=(7, 1)
    )
    assert [p.name for p in paths] == ["run2_0008.mib", "run2_0009.mib", "run2_0010.mib"]
    header = MibHeader((4, 64), "R6")
    found = [record for path in paths for record in records(path, header)]
    assert [int(text.split(b",")[1]) for text, _ in found] == list(range(1, 8))
    np.testing.assert_array_equal([words(payload, 8).reshape(4, 64) for _, payload in found], frames)
    assert hdr_lines((tmp_path / "run2_.hdr").read_bytes())[0]["ScanY"] == "7"
    with pytest.raises(ValueError, match="expected frames_per_file of at least 1, got 0"):
        write_mib_series(tmp_path, frames, frames_per_file=0)


def test_frames_come_as_array_source_or_iterator(tmp_path):
    scan = simulated_scan((5, 9), (16, 16), dose=500)
    array = scan.as_array()
    ways = {
        "source": scan,
        "array": array,
        "frames": (frame for frame in array.reshape(-1, 16, 16)),
        "rows": iter(array),
    }
    written = {}
    for name, frames in ways.items():
        written[name] = write_mib(tmp_path / f"{name}.mib", frames, scan_shape=(5, 9)).read_bytes()
    written["threads"] = write_simulated_mib(tmp_path / "threads.mib", scan, threads=3).read_bytes()
    assert len(set(written.values())) == 1
    assert len({(tmp_path / f"{name}.hdr").read_bytes() for name in written}) == 1


def test_parallel_writer_reports_progress_and_takes_every_mode(tmp_path):
    scan = simulated_scan((9, 8), (64, 64), dose=2000, saturation=63)
    done = []
    path = write_simulated_mib(tmp_path / "a.mib", scan, mode="R6", progress=done.append)
    assert sum(done) == 72
    assert path.read_bytes() == write_mib(tmp_path / "b.mib", scan, mode="R6").read_bytes()
    with pytest.raises(ValueError, match="expected at least one frame"):
        write_simulated_mib(tmp_path / "c.mib", scan.select((slice(0, 0, 1), slice(0, 8, 1))))


def test_an_interrupted_parallel_writer_stops(tmp_path):
    scan = simulated_scan((40, 40), (16, 16), dose=100)
    calls = []

    def interrupt(count):
        calls.append(count)
        raise KeyboardInterrupt("enough")

    with pytest.raises(KeyboardInterrupt, match="enough"):
        write_simulated_mib(tmp_path / "scan.mib", scan, threads=1, progress=interrupt)
    assert len(calls) == 1
    assert not any((tmp_path / "scan.mib").read_bytes()[-100_000:])  # the last frames were never drawn


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (np.zeros((1, 4, 8)), {"mode": "U64"}, r"expected mode to be one of .*'R24'\], got 'U64'"),
        (np.zeros((1, 4, 8)), {"chips": "Nx1"}, "expected chips to be one of .*, got 'Nx1'"),
        (np.zeros((1, 64, 64)), {"mode": "R24", "chips": "2x2"}, "got R24 with 2x2"),
        (np.zeros((1, 66, 66)), {"mode": "R12", "chips": "2x2G"}, "got R12 with 2x2G"),
        (np.zeros((1, 65, 64)), {"mode": "R12", "chips": "2x2"}, "frame of 65 x 64"),
        (np.zeros((1, 8, 60)), {"mode": "R1"}, "got 60 pixels of 1 bits in a row; use a multiple of 64 columns"),
        (np.full((1, 8, 64), 64), {"mode": "R6"}, r"expected values in \[0, 64\) for R6, got 64 to 64"),
        (np.full((1, 4, 8), -1), {}, r"expected values in \[0, 65536\) for U16, got -1 to -1"),
        (np.zeros((1, 4, 8)), {"header_bytes": 100}, "expected header_bytes of at least 3"),
        ([np.zeros((4, 8)), np.zeros((4, 9))], {}, r"expected frames of shape \(4, 8\), got \(4, 9\)"),
        ([np.zeros(4)], {}, r"got an item of shape \(4,\)"),
        (np.zeros((0, 4, 8)), {}, "expected at least one frame, got none"),
    ],
)
def test_what_merlin_does_not_write_is_refused(tmp_path, frames, options, message):
    with pytest.raises(ValueError, match=message):
        write_mib(tmp_path / "scan.mib", frames, **options)

"""Scan shapes found from evidence: simulated scans of unknown shape, time stamps and exposures written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lazy4d as l4
from lazy4d.data import simulated_scan
from lazy4d.data.mib import write_mib, write_mib_series
from lazy4d.data.seq import write_seq
from lazy4d.errors import FormatError
from lazy4d.io.scan_guess import ScanCandidate, ScanGuess
from lazy4d.io.scan_guess.candidate import merged
from lazy4d.io.scan_guess.correlation import find_peaks, mirror, standardised
from lazy4d.io.scan_guess.lines import find_lines, long_exposures, pauses
from lazy4d.io.scan_guess.periodicity import find_scans
from lazy4d.io.scan_guess.windows import stretches


@pytest.fixture(autouse=True)
def _no_progress_bars() -> Any:
    with l4.set_options(progress=False):
        yield


def guess(folder: Path, frames: NDArray[Any], **options: Any) -> ScanGuess:
    """The guess for plain frames without any header."""
    frames.tofile(folder / "scan.raw")
    given = {"frame_shape": frames.shape[-2:], "dtype": frames.dtype, **options}
    return l4.guess_scan_shape(folder / "scan.raw", **given)


def in_a_row(scan: NDArray[Any]) -> NDArray[Any]:
    return scan.reshape(-1, *scan.shape[-2:])


# ---- the frames themselves


@pytest.mark.parametrize("kind", ["grains", "strain"])
@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (30, 30), (17, 53)])
def test_scans_of_unknown_shape(tmp_path, kind, shape) -> None:
    for seed in range(2):
        frames = simulated_scan(shape, (32, 32), kind=kind, dose=400, seed=seed).as_array()
        found = guess(tmp_path, frames)
        assert found.best is not None
        assert (found.best.shape, found.best.sync_offset, found.best.flyback) == (shape, 0, 0)
        assert not found.best.serpentine
        assert "look alike" in found.best.evidence[0]


Y, X = np.mgrid[:64, :50]
IMAGES = {
    "edge": X > 20,
    "slanted edge": X + Y > 55,
    "edge slanted the other way": X - Y > -5,
    "slanted stripes": np.cos(2 * np.pi * (X + 0.7 * Y) / 17),
    "lattice": np.cos(2 * np.pi * X / 6) + 0.5 * np.exp(-((X - 20) ** 2 + (Y - 30) ** 2) / 200),
    "wedge": X / 50,
    "particles": sum(np.exp(-((X - 7 * k % 50) ** 2 + (Y - 23 * k % 64) ** 2) / (4 + k)) for k in range(1, 16)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_line_lengths_are_told_from_their_multiples_and_parts(name) -> None:
    values = np.asarray(IMAGES[name], float) + np.random.default_rng(0).normal(0, 0.3, X.shape)
    best = find_scans([values.reshape(-1, 1).astype("f4")], [0], values.size)[0]
    assert (best.shape, best.sync_offset, best.flyback, best.serpentine) == ((64, 50), 0, 0, False)


def test_a_beam_that_moves_with_the_scan(tmp_path) -> None:
    frames = simulated_scan((20, 31), (32, 32), kind="disk", dose=400, descan=1.5).as_array()
    best = guess(tmp_path, frames).best
    assert best.options == {"scan_shape": (20, 31)}
    assert any("the beam jumps every 31 frames, into frame 0" in text for text in best.evidence)


def test_a_serpentine_scan(tmp_path) -> None:
    frames = simulated_scan((30, 36), (32, 32), dose=400).as_array()
    frames[1::2] = frames[1::2, ::-1].copy()
    best = guess(tmp_path, frames).best
    assert best.options == {"scan_shape": (30, 36), "serpentine": True}
    assert any("backwards" in text for text in best.evidence)


def test_flyback_frames(tmp_path) -> None:
    scan = simulated_scan((30, 36), (32, 32), dose=600, seed=3).as_array()
    frames = np.concatenate([scan[:, :33], scan[:, [25, 17, 8]]], axis=1)
    best = guess(tmp_path, frames).best
    assert best.options == {"scan_shape": (30, 33), "flyback": 3}


def test_frames_before_the_scan(tmp_path) -> None:
    scan = simulated_scan((30, 36), (32, 32), kind="grains", dose=400, descan=4.0).as_array()
    flat = in_a_row(scan)
    found = guess(tmp_path, np.concatenate([flat[-17:], flat]))
    assert found.best.options == {"scan_shape": (30, 36), "sync_offset": 17}


def test_frames_too_many_may_stand_at_either_end(tmp_path) -> None:
    flat = in_a_row(simulated_scan((30, 36), (32, 32), dose=400).as_array())
    found = guess(tmp_path, np.concatenate([flat[-17:], flat]))
    given = [one.options for one in found if one.score > 0.3]
    assert given == [
        {"scan_shape": (30, 36), "incomplete": "crop"},
        {"scan_shape": (30, 36), "sync_offset": 17},
    ]
    s = l4.load(tmp_path / "scan.raw", frame_shape=(32, 32), dtype="u2", **given[1])
    np.testing.assert_array_equal(s.inav[0, 0].as_numpy(), flat[0])


@pytest.mark.parametrize("kind", ["disk", "crystal"])
@pytest.mark.parametrize("seed", range(4))
def test_a_scan_without_structure_has_no_candidate(tmp_path, kind, seed) -> None:
    found = guess(tmp_path, simulated_scan((30, 36), (32, 32), kind=kind, dose=400, seed=seed).as_array())
    assert found.best is None
    assert all(one.score <= 0.1 for one in found)
    assert "nothing but arithmetic" in str(found)


def test_frames_all_alike_and_few(tmp_path) -> None:
    assert guess(tmp_path, np.ones((64, 4, 4), "u1")).best is None
    assert guess(tmp_path, np.ones((5, 4, 4), "u1")).best is None
    assert guess(tmp_path, np.ones((1, 4, 4), "u1")).candidates == ()
    assert guess(tmp_path, (np.arange(64)[:, None, None] * np.ones((4, 4)) * (1 + 1j)).astype("c8")).best is None


def test_drift_is_no_scan(tmp_path) -> None:
    rng = np.random.default_rng(0)
    drift = np.linspace(100, 300, 900) + 40 * np.sin(np.arange(900) / 200)
    frames = rng.poisson(np.broadcast_to(drift[:, None, None], (900, 8, 8))).astype("u2")
    assert guess(tmp_path, frames).best is None


def test_chunks_of_a_store_are_read_too(tmp_path) -> None:
    scan = simulated_scan((24, 40), (32, 32), dose=400)
    l4.Diffraction2D(scan.as_array().reshape(-1, 32, 32)).save(tmp_path / "scan.zarr", progress=False)
    assert l4.guess_scan_shape(tmp_path / "scan.zarr").best.shape == (24, 40)


def test_a_long_recording_is_looked_at_in_stretches(tmp_path, monkeypatch) -> None:
    from lazy4d.io.scan_guess import intensity

    monkeypatch.setattr(intensity, "MOST_FRAMES", 1200)
    monkeypatch.setattr(intensity, "MOST_BYTES", 1200 * 8 * 64)
    frames = simulated_scan((100, 40), (32, 32), dose=600).as_array()
    seen: list[int] = []
    plain = intensity.read_features

    def counting(source: Any, windows: Any, report: Any) -> Any:
        seen.append(sum(stop - start for start, stop in windows))
        assert intensity.strip(source, seen[-1]) == (slice(12, 20, 1), slice(0, 32, 1))
        return plain(source, windows, report)

    monkeypatch.setattr(intensity, "read_features", counting)
    assert guess(tmp_path, frames).best.shape == (100, 40)
    assert seen == [1200]
    assert stretches(4000, 1200) == [(0, 300), (1233, 1533), (2466, 2766), (3700, 4000)]


def test_invalid_frames_do_not_count() -> None:
    y, x = np.mgrid[:20, :25]
    image = np.exp(-((x - 9) ** 2 + (y - 8) ** 2) / 40) + np.random.default_rng(1).normal(0, 0.05, x.shape)
    features = image.reshape(-1, 1).astype("f4")
    features[100:110] = np.nan
    assert find_scans([features], [0], 500)[0].shape == (20, 25)


# ---- times and exposures


def stamped(path: Path, times: NDArray[np.int64], exposures: NDArray[np.int64]) -> Path:
    """A Merlin file whose headers state these times and exposures in ns."""
    raw = bytearray(path.read_bytes())
    size = len(raw) // len(times)
    for k, (time, exposure) in enumerate(zip(times.tolist(), exposures.tolist(), strict=True)):
        at = raw.index(b"MQ1A,", k * size) + 5
        text = f"{np.datetime64('2026-03-04T05:06:07') + np.timedelta64(time, 'ns')}Z,{exposure:07d}ns,"
        assert raw[at + len(text) - 1 : at + len(text)] == b","
        raw[at : at + len(text)] = text.encode()
    path.write_bytes(raw)
    return path


def merlin(folder: Path, count: int, **options: Any) -> Path:
    return write_mib(folder / "scan.mib", np.ones((count, 1, 256), "u1"), mode="U08", hdr=False, **options)


def test_long_exposures_are_flyback(tmp_path) -> None:
    exposures = np.where(np.arange(77) % 11 == 10, 2_100_000, 1_000_000)
    times = np.cumsum(exposures) - exposures
    found = l4.guess_scan_shape(stamped(merlin(tmp_path, 77), times, exposures))
    assert found.best.options == {"scan_shape": (7, 10), "flyback": 1}
    assert "1 frame of 2.1 x the median exposure (1 ms) every 11 frames, 7 times: flyback" in found.best.evidence[0]
    assert "pauses of 2.1 x the median interval" in found.best.evidence[1]


def test_two_flyback_frames_after_a_broken_line(tmp_path) -> None:
    exposures = np.where((np.arange(60) - 4) % 8 >= 6, 3_000_000, 1_000_000)
    found = l4.guess_scan_shape(stamped(merlin(tmp_path, 60), np.arange(60) * 1_000_000, exposures))
    assert found.best.options == {"scan_shape": (7, 6), "sync_offset": 4, "flyback": 2}


def test_pauses_end_lines(tmp_path) -> None:
    times = np.arange(60) * 1_000_000 + np.arange(60) // 12 * 700_000 + np.random.default_rng(0).integers(0, 2000, 60)
    found = l4.guess_scan_shape(stamped(merlin(tmp_path, 60), times, np.full(60, 1_000_000)))
    assert found.best.options == {"scan_shape": (5, 12)}
    assert "4 pauses of 1.7 x the median interval (1 ms), one every 12 frames" in found.best.evidence[0]


def test_a_broken_first_line(tmp_path) -> None:
    times = np.arange(65) * 1_000_000 + (np.arange(65) + 7) // 12 * 2_000_000
    found = l4.guess_scan_shape(stamped(merlin(tmp_path, 65), times, np.full(65, 1_000_000)))
    assert found.best.options == {"scan_shape": (5, 12), "sync_offset": 5}


def test_jitter_and_single_pauses_are_no_lines(tmp_path, vendor_data) -> None:
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.integers(900_000, 1_100_000, 64))
    times[20:] += 5_000_000
    times[41:] += 5_000_000
    found = l4.guess_scan_shape(stamped(merlin(tmp_path, 64), times, np.full(64, 1_000_000)))
    assert found.best is None
    assert any("no pause or long exposure" in note for note in found.notes)
    real = l4.guess_scan_shape(vendor_data("mib/Single_9_Frame_CounterDepth_12_Rows_256.mib"))
    assert real.best is None
    assert any("no pause or long exposure" in note for note in real.notes)
    assert not any("time stamps" in text for one in real for text in one.evidence)


def test_pauses_must_recur_all_over_the_recording() -> None:
    times = np.arange(200) * 1000
    for start in (10, 20, 30):
        times[start:] += 5000
    found = pauses(times, np.arange(200), [(0, 200)], 200)
    assert all(one.score < 0.5 for one in found)
    assert find_lines(np.array([10, 20, 30, 33, 47, 91]), [(0, 100)]) is None


def test_old_headers_without_a_time_in_ns(tmp_path) -> None:
    path = merlin(tmp_path, 40, mq1a=False, interval=1e-3)
    raw = bytearray(path.read_bytes())
    size = len(raw) // 40
    for k in range(40):
        at = raw.index(b"2026-", k * size)
        raw[at : at + 26] = f"2026-03-04 05:06:07.{k * 1000 + k // 10 * 900:06d}".encode()
    path.write_bytes(raw)
    assert l4.guess_scan_shape(path).best.shape == (4, 10)


def test_headers_that_cannot_be_read_tell_nothing(tmp_path) -> None:
    path = merlin(tmp_path, 40)
    raw = path.read_bytes().replace(b"2026-", b"20x6-")
    path.write_bytes(raw.replace(b"000ns", b"0..0s"))
    found = l4.guess_scan_shape(path)
    assert found.best is None


def test_a_series_and_missing_frames(tmp_path) -> None:
    numbers = np.delete(np.arange(1, 61), 30)
    paths = write_mib_series(
        tmp_path, np.ones((59, 1, 256), "u1"), frames_per_file=20, mode="U08", hdr=False, numbers=numbers
    )
    data = b"".join(path.read_bytes() for path in paths)
    joined = tmp_path / "joined"
    joined.mkdir()
    (joined / "scan.mib").write_bytes(data)
    times = ((numbers - 1) * 1000 + (numbers - 1) // 12 * 900) * 1000
    stamped(joined / "scan.mib", times, np.full(59, 1_000_000))
    found = l4.guess_scan_shape(joined / "scan.mib")
    assert found.frames == 60
    assert found.best.shape == (5, 12)


def test_time_stamps_of_seq(tmp_path) -> None:
    path = write_seq(tmp_path / "scan.seq", np.ones((48, 4, 4), "u1"), frame_rate=1000.0)
    raw = bytearray(path.read_bytes())
    stride = int.from_bytes(raw[580:584], "little")
    start = len(raw) - 48 * stride if len(raw) % stride == 0 else 8192
    for k in range(48):
        micro = k * 1000 + k // 8 * 1500
        at = start + k * stride + 16
        raw[at : at + 8] = np.uint32(1_700_000_000).tobytes() + np.array(divmod(micro, 1000), "<u2").tobytes()
    path.write_bytes(raw)
    found = l4.guess_scan_shape(path)
    assert found.best.options == {"scan_shape": (6, 8)}


def test_lines_in_stretches_keep_their_phase() -> None:
    windows = [(0, 55), (400, 455), (945, 1000)]
    numbers = np.concatenate([np.arange(*w) for w in windows])
    starts = numbers[(numbers % 10 == 3) & (numbers > 3)]
    assert find_lines(starts, windows).length == 10
    exposures = np.where(numbers % 10 == 9, 2.0, 1.0)
    assert long_exposures(exposures, numbers, windows, 1000)[0].options == {"scan_shape": (100, 9), "flyback": 1}


# ---- what is stated


def test_what_the_sidecar_says_comes_first(tmp_path, vendor_data) -> None:
    found = l4.guess_scan_shape(vendor_data("mib/002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y.mib"))
    assert found.best.shape == (2, 4)
    assert found.best.evidence[0].startswith("stated: ScanX, ScanY of ")
    movie = l4.guess_scan_shape(vendor_data("mrc/20241021_00405_movie.mrc"))
    assert movie.best.options == {"scan_shape": (4, 8)}


def test_frames_more_than_stated(tmp_path) -> None:
    path = write_mib(tmp_path / "scan.mib", np.ones((35, 1, 256), "u1"), mode="U08", scan_shape=(5, 6))
    options = [one.options for one in l4.guess_scan_shape(path) if one.score > 0.3]
    assert options == [
        {"scan_shape": (5, 6), "flyback": 1},
        {"scan_shape": (5, 6), "incomplete": "crop"},
        {"scan_shape": (5, 6), "sync_offset": 5},
    ]
    assert [l4.load(path, **given).nav_shape for given in options[::2]] == [(5, 6)] * 2
    with pytest.warns(l4.Lazy4DWarning, match="The last 5 frames are not used"):
        l4.load(path, **options[1])


def test_an_interrupted_scan(tmp_path) -> None:
    path = write_mib(
        tmp_path / "scan.mib", np.ones((20, 1, 256), "u1"), mode="U08", scan_shape=(5, 6),
        hdr={"Frames in Acquisition (Number)": "30"},
    )  # fmt: skip
    best = l4.guess_scan_shape(path).best
    assert best.options == {"scan_shape": (3, 6), "incomplete": "crop"}
    assert "interrupted" in best.evidence[1]


def test_a_serpentine_scan_that_is_stated(tmp_path) -> None:
    from lazy4d.data.mrc import write_direct_electron

    info = {"Scan - Type": "Serpentine"}
    path = write_direct_electron(tmp_path, np.ones((4, 5, 4, 6), "u2"), info=info)
    assert l4.guess_scan_shape(path).best.options == {"scan_shape": (4, 5), "serpentine": True}


# ---- the report


def test_the_report_reads_well() -> None:
    candidates = [
        ScanCandidate((3, 4), score=0.05, evidence=("two factors",)),
        ScanCandidate((4, 3), 1, 0, True, 0.7, ("a", "b"), 2),
        ScanCandidate((4, 3), 1, 0, True, 0.5, ("b", "c"), 2),
    ]
    found = ScanGuess("scan.mib", 15, merged(candidates), ("looked at in vain",))
    assert str(found).splitlines() == [
        "scan.mib: 15 frames",
        "score  scan shape             evidence",
        " 0.85  4 x 3 sync_offset=1 serpentine=True a",
        "                              b",
        "                              c",
        " 0.05  3 x 4                  two factors",
        "(looked at in vain)",
    ]
    assert repr(found) == str(found)
    assert found.best is found[0]
    assert len(list(found)) == len(found) == 2
    assert "<td>4 x 3 sync_offset=1 serpentine=True</td>" in found._repr_html_()
    empty = ScanGuess("scan.mib", 1)
    assert empty.best is None
    assert str(empty).endswith("no candidate")


def test_it_is_never_applied_and_takes_no_shape(tmp_path) -> None:
    frames = simulated_scan((24, 40), (32, 32), dose=400).as_array()
    assert guess(tmp_path, frames).best.shape == (24, 40)
    assert l4.load(tmp_path / "scan.raw", frame_shape=(32, 32), dtype="u2").nav_shape == (960,)
    with pytest.raises(TypeError, match="takes no flyback=1: that is what it looks for"):
        l4.guess_scan_shape(tmp_path / "scan.raw", flyback=1)
    with pytest.raises(FormatError, match="does not tell its geometry"):
        l4.guess_scan_shape(tmp_path / "scan.raw")


def test_progress_is_told(tmp_path) -> None:
    told: list[tuple[int, int]] = []
    with l4.set_options(progress=lambda done, total: told.append((done, total))):
        l4.guess_scan_shape(merlin(tmp_path, 40))
    assert told
    assert all(done <= total for done, total in told)


def test_helpers_of_the_correlation() -> None:
    assert standardised([np.ones((20, 2), "f4")], [0]) is None
    noise = np.full(50, 0.1)
    assert find_peaks(np.zeros(50), noise, 2, 6.0) == []
    wave = np.cos(np.arange(200) * np.pi / 10)[:, None].astype("f4")
    series = standardised([wave], [0])
    contrast, turn, first = mirror(series, 20)
    assert contrast == pytest.approx(1, abs=0.05)
    assert turn in (0, 10)
    assert 0 < first <= contrast


def test_the_command_line_shows_it(tmp_path) -> None:
    from click.testing import CliRunner

    from lazy4d.cli import main

    frames = simulated_scan((24, 40), (32, 32), dose=400).as_array()
    frames.tofile(tmp_path / "scan.raw")
    given = ["info", "--guess-scan-shape", str(tmp_path / "scan.raw"), "-o", "frame_shape=32,32", "-o", "dtype=u2"]
    shown = CliRunner().invoke(main, given)
    assert shown.exit_code == 0, shown.output
    assert "look alike" in shown.output
    assert "load('scan.raw', scan_shape=(24, 40))" in shown.output
    refused = CliRunner().invoke(main, [*given, "--flyback", "1"])
    assert refused.exit_code == 2
    assert "give none of them" in refused.output

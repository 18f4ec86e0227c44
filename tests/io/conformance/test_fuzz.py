"""Headers that lie: a named error or a result of the right shape, soon, and never a giant allocation."""

from __future__ import annotations

import os
import struct
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazy4d.errors import Lazy4DError
from tests.io.conformance.cases import CASES
from tests.io.conformance.model import Region, Stored, restored, write

EXAMPLES = int(os.environ.get("LAZY4D_FUZZ_EXAMPLES", "12"))
ALLOWED_BYTES = 256 << 20  # above what the process has already: of a file of 100 kB
ALLOWED_SECONDS = 10.0
READ_AT_MOST = 16 << 20

NUMBERS = (0, 1, 2, 3, 7, 255, 1 << 15, (1 << 16) - 1, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 0xFFFFFF00)
WORDS = [
    *(struct.pack(f"{order}I", n) for n in NUMBERS for order in "<>"),
    *(struct.pack("<H", n) for n in (0, 1, 255, 32767, 32768, 65535)),
    *(struct.pack("<Q", n) for n in (0, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)),
    *(struct.pack("<d", x) for x in (float("nan"), float("inf"), -1.0, 1e308, 0.0)),
    *(struct.pack("<f", x) for x in (float("nan"), float("inf"), -1.0)),
]
TEXTS = [
    b"0", b"-1", b"9", b"99999999", b"1e9", b"nan", b"4294967296", b",", b"\n", b"\0", b"\xff\xfe", b" ", b"}", b"]",
    b'"', b"null", b"[]", b"{", b"-", b".", b"=", b"<", b">", b"&", b"/", b"true", b"2147483648", b":",
]  # fmt: skip


@contextmanager
def bounded_memory() -> Iterator[None]:
    """A limit on what this process may allocate from here on; a lying header that asks for more is a `MemoryError`."""
    if sys.platform != "linux":
        yield
        return
    import resource

    with open("/proc/self/status", encoding="ascii") as file:
        now = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmData"))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (now + ALLOWED_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def changes(regions: list[Region]) -> Any:
    """One to three places in regions of one file, and the bytes that go there."""
    place = st.tuples(st.integers(0, len(regions) - 1), st.floats(0, 1, exclude_max=True))
    new = st.one_of(st.sampled_from(WORDS), st.sampled_from(TEXTS), st.binary(min_size=1, max_size=4))
    return st.lists(st.tuples(place, new, st.booleans()), min_size=1, max_size=3)


def mutated(before: bytes, regions: list[Region], chosen: Any) -> bytes:
    """The bytes of a file with changes inside regions; aligned ones start at a multiple of their length."""
    changed = bytearray(before)
    for (which, part), new, aligned in chosen:
        region = regions[which]
        at = region.start + int(part * (region.stop - region.start))
        at -= (at - region.start) % len(new) if aligned else 0
        new = new[: region.stop - at]
        changed[at : at + len(new)] = new
    return bytes(changed)


def check_outcome(stored: Stored, options: dict[str, Any]) -> None:
    """Loading and reading gives a named error, or frames of the shape and dtype that were promised."""
    start, told = time.monotonic(), ""
    with bounded_memory(), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            source = stored.read(**options)
            _read_some(source.frames)
        except Lazy4DError as error:
            told = str(error)
    assert not told or any(path.name in told for path in (*stored.every_file(), *stored.files)), told
    assert time.monotonic() - start < ALLOWED_SECONDS


def _read_some(frames: Any) -> None:
    """The first and the last frame, and a row where it is small."""
    assert frames.dtype.isnative
    assert all(n >= 1 for n in (*frames.nav_shape, *frames.frame_shape))
    if frames.frame_nbytes > READ_AT_MOST:
        return
    ends = (tuple(slice(0, 1) for _ in frames.nav_shape), tuple(slice(n - 1, n) for n in frames.nav_shape))
    rows = ((*ends[0][:-1], slice(0, min(frames.nav_shape[-1], 64))),) if frames.nav_shape else ()
    for box in (*ends, *rows):
        n = int(np.prod([s.stop - s.start for s in box]))
        if n * frames.frame_nbytes > READ_AT_MOST:
            continue
        block = frames.open(box)
        try:
            out = np.full((n, *frames.frame_shape), 7, frames.dtype)
            block.read(0, n, out, ())
            assert block.valid is None or block.valid.shape == (n,)
            if block.valid is not None:
                assert frames.incomplete in ("nan", "zero")
                assert not out[~block.valid].any()
        finally:
            block.close()


@pytest.mark.parametrize("name", list(CASES))
def test_headers_that_lie(name, tmp_path_factory) -> None:
    case = CASES[name]
    for package in case.needs:
        pytest.importorskip(package)
    stored = write(case, tmp_path_factory.mktemp("fuzz"))
    paths = list(dict.fromkeys(region.path for region in stored.written.regions if region.fuzzed))
    if not paths:
        pytest.skip("a file without headers")
    # A scan shape given by the caller would hide what the file says of its frames.
    asked = [{}, {"incomplete": "nan"}, {"incomplete": "crop"}, {"scan_shape": (-1,)}, {"io": "read"}]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def examine(data: Any) -> None:
        path = data.draw(st.sampled_from(paths))
        regions = [r for r in stored.written.regions if r.path == path and r.fuzzed]
        with restored(path) as before:
            path.write_bytes(mutated(before, regions, data.draw(changes(regions))))
            check_outcome(stored, data.draw(st.sampled_from(asked)))

    examine()

"""Time stamps behind the images of a SEQ file: read, and used to tell images that were written from empty slots."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.inspection import Inspection
from lazy4d.io.mapping import mapped, open_read_only, read_into
from lazy4d.io.seq.header import SeqFile, open_seq


def images_in(file: SeqFile) -> int:
    """Images of a file that are there with their time stamps, whatever its header states."""
    header = file.header
    images, left = divmod(max(0, file.size - header.start), header.stride)
    return images + int(left >= header.image_bytes + header.stamp_bytes)  # padding may be missing at the end


def stamp_at(fd: int, file: SeqFile, image: int) -> bytes:
    """The bytes of one time stamp; zeros where the file does not reach so far."""
    header = file.header
    stamp = np.zeros(header.stamp_bytes, np.uint8)
    read_into(fd, stamp, header.start + image * header.stride + header.image_bytes)
    return stamp.tobytes()


def seconds(stamps: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Seconds since 1970 of time stamps ``[n, 6 or 8]``, float64: exact to a quarter of a microsecond.

    Examples
    --------
    >>> stamp = np.frombuffer(bytes.fromhex("fb2c9455 0703 ae01"), np.uint8)
    >>> f"{seconds(stamp[None])[0]:.6f}"
    '1435774203.775430'
    """
    whole, fraction = _split(stamps)
    return whole + fraction * 1e-6


def time_stamps(path: str | os.PathLike[str]) -> NDArray[np.datetime64]:
    """When each stored image was taken, datetime64[us] of shape (images,), without a time zone; `NaT` for empty slots.

    Of a Celeritas half one for every pre-buffer of frames. Reads a page of the file for each.

    Parameters
    ----------
    path : path
        One SEQ file.

    Raises
    ------
    FormatError, TruncatedFileError, UnsupportedVariantError
        The header is not that of a SEQ file that can be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from lazy4d.data.seq import write_seq
    >>> path = write_seq(pathlib.Path(tempfile.mkdtemp()) / "scan.seq", np.ones((2, 4, 4), "u1"), frame_rate=4.0)
    >>> np.diff(time_stamps(path))
    array([250000], dtype='timedelta64[us]')
    """
    file = open_seq(os.path.abspath(os.fspath(path)))
    count = images_in(file)
    if count == 0 or not file.header.stamped:
        return np.empty(0, "datetime64[us]")
    header = file.header
    view: NDArray[np.uint8] = np.ndarray(
        (count, header.stamp_bytes), np.uint8, mapped(file.path, file.size, file.mtime_ns),
        header.start + header.image_bytes, (header.stride, 1),
    )  # fmt: skip
    whole, fraction = _split(view)
    times = (whole * 1_000_000 + fraction).astype("datetime64[us]")
    times[whole == 0] = np.datetime64("NaT")
    return times


def _split(stamps: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole seconds and the microseconds beyond them."""
    plain = np.ascontiguousarray(stamps)
    whole = plain[:, :4].copy().view("<u4")[:, 0].astype(np.int64)
    parts = plain[:, 4:].copy().view("<u2").astype(np.int64)
    fraction = parts[:, 0] * 1000
    return whole, fraction + parts[:, 1] if parts.shape[1] > 1 else fraction


@dataclass(frozen=True)
class StampCheck:
    """A time stamp stands behind every image that was written; an empty slot or overwritten bytes have none.

    Parameters
    ----------
    stamp_bytes : int
        8, or 6 in files of version 3 and 4.
    count : bool
        Verify; otherwise stamps are only looked at by an audit.
    """

    stamp_bytes: int
    count: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes that are looked at: the stamp, at `RecordLayout.checked`."""
        return self.stamp_bytes

    def inspect(self, heads: NDArray[np.uint8]) -> Inspection:
        """What each of the stamps ``heads[n, nbytes]`` says; they hold no frame numbers."""
        plain = np.ascontiguousarray(heads)
        whole = plain[:, :4].copy().view("<u4")[:, 0]
        parts = plain[:, 4:].copy().view("<u2")
        readable = (whole > 0) & (parts < 1000).all(axis=1)
        return Inspection(readable, readable, np.zeros(len(heads), np.int64), np.ones(len(heads), np.int64))

    def verify(self, heads: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True for each of ``heads[n, nbytes]`` that is a time."""
        return self.inspect(heads).readable if self.count else np.ones(len(heads), bool)

    def explain(self, head: bytes, number: int) -> str:
        """What was expected and what was found in one stamp that failed."""
        if not any(head):
            return "expected a time stamp behind its pixels, found zeros: this image was never written"
        return f"expected a time stamp behind its pixels, found {head.hex(' ')}"


def written_images(file: SeqFile, upto: int) -> int:
    """How many of the first `upto` images have a time stamp, supposing that those that have come first.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from lazy4d.data.seq import write_seq
    >>> path = write_seq(pathlib.Path(tempfile.mkdtemp()) / "a.seq", np.ones((5, 4, 4), "u1"), empty_slots=3)
    >>> written_images(open_seq(str(path)), 8)
    5
    """
    if not file.header.stamped:
        return upto
    fd = open_read_only(file.path)
    try:
        low, high = 0, upto
        while low < high:
            middle = (low + high) // 2
            if any(stamp_at(fd, file, middle)[:4]):
                low = middle + 1
            else:
                high = middle
        return low
    finally:
        os.close(fd)

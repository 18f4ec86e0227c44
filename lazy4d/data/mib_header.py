"""The text parts of a Merlin file: the header before every frame and the `.hdr` file beside the frames."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

# mode: (pixel code in the header, counter depth in bits, bits a pixel takes in the file)
MODES = {
    "U08": ("U08", 6, 8),
    "U16": ("U16", 12, 16),
    "U32": ("U32", 24, 32),
    "R1": ("R64", 1, 1),
    "R6": ("R64", 6, 8),
    "R12": ("R64", 12, 16),
    "R24": ("R64", 24, 32),
}
CHIPS = {"1x1": 1, "2x2": 4, "2x2G": 4}
TCP_PREFIX_BYTES = 15

# Eight threshold DACs and nineteen others of one chip, as a real detector reports them.
_DACS = "011,511,000,000,000,000,000,000,175,010,200,125,100,100,093,100,099,030,128,004,255,140,128,191,179,511,511"


@dataclass(frozen=True)
class MibHeader:
    """What the headers of one Merlin file say; every field has the value of an ordinary acquisition.

    Parameters
    ----------
    frame_shape : tuple of int
        Assembled frame (rows, columns), pixels.
    mode : {"U08", "U16", "U32", "R1", "R6", "R12", "R24"}
        Processed pixels of 8, 16, 32 bits, or RAW of 1, 6, 12, 24 bits.
    chips : {"1x1", "2x2", "2x2G"}
        Sensor layout; "2x2G" has gap lines between the chips.
    depth : int, optional
        Counter depth, bits, where it is not the usual one of the mode (1 for 1-bit counts saved as U08).
    mq1a : bool
        Write the MQ1A extension (UTC time, exposure, counter depth), which old firmware lacks.
    header_bytes : int, optional
        Length of a header, padding included; by default 384 for one chip and 768 for four.
    padding : bytes
        One byte that fills the header to its length.
    tcp_prefix : bool
        Put the `MPX,<length>,` of the network stream before every header.
    exposure : float
        Shutter time, seconds.
    interval : float
        Time from frame to frame, seconds.
    start : datetime.datetime
        Time of the first frame.
    thresholds : tuple of float
        The two first thresholds, keV.
    """

    frame_shape: tuple[int, int]
    mode: str = "U16"
    chips: str = "1x1"
    depth: int | None = None
    mq1a: bool = True
    header_bytes: int | None = None
    padding: bytes = b"\0"
    tcp_prefix: bool = False
    exposure: float = 0.001
    interval: float = 0.001
    start: datetime.datetime = datetime.datetime(2026, 3, 4, 5, 6, 7)
    thresholds: tuple[float, float] = (2.0, 511.0)

    def __post_init__(self) -> None:
        """Refuse what no Merlin file holds."""
        if self.mode not in MODES:
            raise ValueError(f"expected mode to be one of {list(MODES)}, got {self.mode!r}")
        if self.chips not in CHIPS:
            raise ValueError(f"expected chips to be one of {list(CHIPS)}, got {self.chips!r}")
        height, width = self.frame_shape
        raw = MODES[self.mode][0] == "R64"
        if raw and self.chips != "1x1" and (self.mode == "R24" or self.chips == "2x2G"):
            raise ValueError(
                f"expected a RAW layout that Merlin writes, got {self.mode} with {self.chips}; "
                "use chips='1x1', or chips='2x2' up to R12"
            )
        if raw and self.chips == "2x2" and (height % 2 or width % 2):
            raise ValueError(f"expected four chips of one size, got a frame of {height} x {width}; make sides even")
        block = width // 2 if self.chips == "2x2" else width
        if raw and block * MODES[self.mode][2] % 64:
            raise ValueError(
                f"expected rows of whole 64-bit words, got {block} pixels of {MODES[self.mode][2]} bits in a row; "
                f"use a multiple of {64 // min(64, MODES[self.mode][2])} columns a chip"
            )
        text = self._text(1, 0)
        if len(text) > self.length:
            raise ValueError(f"expected header_bytes of at least {len(text)} for these fields, got {self.length}")

    @property
    def length(self) -> int:
        """Bytes of one header, the TCP prefix not counted."""
        return self.header_bytes or (384 if CHIPS[self.chips] == 1 else 768)

    @property
    def counter_depth(self) -> int:
        """Counter depth, bits."""
        return MODES[self.mode][1] if self.depth is None else self.depth

    @property
    def payload_bytes(self) -> int:
        """Bytes of the pixels of one frame."""
        return self.frame_shape[0] * self.frame_shape[1] * MODES[self.mode][2] // 8

    @property
    def record_bytes(self) -> int:
        """Bytes from one frame to the next."""
        return TCP_PREFIX_BYTES * self.tcp_prefix + self.length + self.payload_bytes

    @property
    def file_shape(self) -> tuple[int, int]:
        """Rows and columns as the header states them: of the stored, not of the assembled frame."""
        height, width = self.frame_shape
        if MODES[self.mode][0] == "R64" and self.chips == "2x2":
            return height // 2, width * 2
        return height, width * 2 if self.mode == "R24" else width

    def encode(self, number: int, index: int) -> bytes:
        """Header of one frame, prefix and padding included.

        Parameters
        ----------
        number : int
            Frame number in the acquisition, from 1.
        index : int
            Number of intervals since the start.

        Returns
        -------
        bytes
            ``length`` bytes, and 15 more with a TCP prefix.

        Examples
        --------
        >>> MibHeader((256, 256)).encode(1, 0)[:46]
        b'MQ1,000001,00384,01,0256,0256,U16,   1x1,01,20'
        """
        text = self._text(number, index).ljust(self.length, self.padding)
        if self.tcp_prefix:
            # The stated length counts what follows it: the comma, the header and the pixels.
            return b"MPX,%010d," % (1 + self.length + self.payload_bytes) + text
        return text

    def _text(self, number: int, index: int) -> bytes:
        before, after = self._constant_parts()
        nanoseconds = round(self.interval * 1e9) * index
        time = self.start + datetime.timedelta(microseconds=nanoseconds // 1000)
        local = time.strftime("%Y-%m-%d %H:%M:%S.%f")
        utc = f"{time:%Y-%m-%dT%H:%M:%S.%f}{nanoseconds % 1000:03d}Z"
        extension = f"MQ1A,{utc},{round(self.exposure * 1e9)}ns,{self.counter_depth}," if self.mq1a else ""
        return f"MQ1,{number:06d},{before},{local},{after},{extension}".encode("ascii")

    def _constant_parts(self) -> tuple[str, str]:
        n = CHIPS[self.chips]
        rows, columns = self.file_shape
        code = MODES[self.mode][0]
        before = f"{self.length:05d},{n:02d},{columns:04d},{rows:04d},{code},{self.chips:>6},{2**n - 1:02X}"
        thresholds = ",".join(_exponential(t) for t in (*self.thresholds, 0, 0, 0, 0, 0, 0))
        after = f"{self.exposure:.6f},0,0,0,{thresholds}," + ",".join(f"3RX,{_DACS}" for _ in range(n))
        return before, after


def _exponential(value: float) -> str:
    """Number the way Merlin writes it: 2.000000E+0."""
    mantissa, exponent = f"{value:.6E}".split("E")
    return f"{mantissa}E{int(exponent):+d}"


def hdr_text(
    header: MibHeader,
    frames: int,
    *,
    scan_shape: tuple[int, int] | None = None,
    frames_per_trigger: int | None = None,
    lines: Mapping[str, str | None] | None = None,
) -> bytes:
    r"""Content of the `.hdr` file beside the frames: 2048 bytes, `Key:<TAB>Value` lines padded with blanks.

    Parameters
    ----------
    header : MibHeader
        Headers of the frames.
    frames : int
        Frames in the acquisition.
    scan_shape : tuple of int, optional
        Scan (rows, columns); written as ScanX (columns) and ScanY (rows), as software from 1.5 does.
    frames_per_trigger : int, optional
        By default one scan row, or all frames.
    lines : mapping, optional
        Lines to replace, add, or (value None) leave out, by key, for example ``{"ScanX": None}``.

    Returns
    -------
    bytes
        2048 bytes, more where the lines need more.

    Examples
    --------
    >>> text = hdr_text(MibHeader((256, 256)), 8, scan_shape=(2, 4))
    >>> len(text), b"ScanX:\t4\r\nScanY:\t2\r\nEnd\t" in text
    (2048, True)
    """
    if frames_per_trigger is None:
        frames_per_trigger = scan_shape[1] if scan_shape else frames
    none = ",".join(["c:\\config\\default.bpc"] * 4)
    content: dict[str, str | None] = {
        "Time and Date Stamp (day, mnth, yr, hr, min, s)": header.start.strftime("%d/%m/%Y %H:%M:%S"),
        "Chip ID": "W000_A1, - , - , - ",
        "Chip Type (Medipix 3.0, Medipix 3.1, Medipix 3RX)": "Medipix 3RX",
        "Assembly Size (NX1, 2X2)": f"{header.chips:>6}",
        "Chip Mode  (SPM, CSM, CM, CSCM)": "SPM",
        "Counter Depth (number)": str(header.counter_depth),
        "Gain": "SLGM",
        "Active Counters": "Alternating",
        "Thresholds (keV)": ",".join(_exponential(t) for t in (*header.thresholds, 0, 0, 0, 0, 0, 0)),
        "DACs": f"{_DACS}; ; ; ",
        "bpc File": none,
        "DAC File": none.replace("bpc", "dacs"),
        "Gap Fill Mode": "None",
        "Flat Field File": "None",
        "Dead Time File": "Dummy (C:\\<NUL>\\)",
        "Acquisition Type (Normal, Th_scan, Config)": "Normal",
        "Frames in Acquisition (Number)": str(frames),
        "Frames per Trigger (Number)": str(frames_per_trigger),
        "Trigger Start (Positive, Negative, Internal)": "Internal",
        "Trigger Stop (Positive, Negative, Internal)": "Internal",
        "Sensor Bias (V)": "120 V",
        "Sensor Polarity (Positive, Negative)": "Positive",
        "Temperature (C)": "Board Temp 46.651402 Deg C",
        "Humidity (%)": "Board Humidity 12.585205 ",
        "Medipix Clock (MHz)": "120MHz",
        "Readout System": "Merlin Quad",
        "Software Version": "1.5.0.197" if scan_shape else "0.77",
    }
    if scan_shape:
        content |= {"ScanX": str(scan_shape[1]), "ScanY": str(scan_shape[0])}
    content |= lines or {}
    text = "".join(f"{key}:\t{value}\r\n" for key, value in content.items() if value is not None)
    return ("HDR,\t\r\n" + text + "End\t").encode("latin-1").ljust(2048)

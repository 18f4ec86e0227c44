"""Writer of EMPAD acquisitions: raw frames of 130 x 128 float32, and the XML beside them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from lazy4d.data.frame_input import FrameInput, scan_shape_of, stacks

VERSIONS = ("0.51", "1.2")


def empad_xml(
    raw_name: str,
    scan_shape: tuple[int, ...],
    *,
    version: str = "1.2",
    field_of_view: float = 1.272e-06,
    acquire: tuple[int, int] | None = None,
    search: tuple[int, int] | None = None,
    pix: tuple[int, int] | None = None,
    extra: str = "",
) -> str:
    """The XML of an acquisition.

    Parameters
    ----------
    raw_name : str
        Name of the raw file.
    scan_shape : tuple of int
        ``(rows, columns)``, or ``(n,)`` of a series.
    version : {"0.51", "1.2"}
        Which version of the program to write as.
    field_of_view : float
        As stated, in m: of each axis in 0.51; of the longer one, times 0.72, in 1.2.
    acquire, search, pix : tuple of int, optional
        (rows, columns) stated in the scan parameters, by default the true ones, and in ``pix_x``, ``pix_y``, by default
        none.
    extra : str
        Elements to add.

    Examples
    --------
    >>> '<raw_file filename="scan_x4_y2.raw"/>' in empad_xml("scan_x4_y2.raw", (2, 4))
    True
    """
    parts = [
        '<root name="a scan">',
        '<timestamp timestamp="1774471672.586728" isoformat="2026-03-25T16:47:52.586728"/>',
        f"<software_version>{version}</software_version>",
        f"<raw_file filename={quoteattr(raw_name)}/>",
        "<exposure_time>1</exposure_time>",
    ]
    if pix is not None:
        parts.append(f"<pix_x>{pix[1]}</pix_x><pix_y>{pix[0]}</pix_y>")
    if len(scan_shape) == 1:
        parts.append(f"<type>series</type><count>{scan_shape[0]}</count>")
        parts.append(f"<scan_parameters><series_count>{scan_shape[0]}</series_count></scan_parameters>")
    else:
        for mode, shape in (("search", search), ("acquire", acquire)):
            rows, columns = scan_shape if shape is None else shape
            parts.append(
                f'<scan_parameters mode="{mode}"><scan_size>0.6</scan_size><scan_resolution_y>{rows}'
                f"</scan_resolution_y><scan_resolution_x>{columns}</scan_resolution_x></scan_parameters>"
            )
    if version == "0.51":
        parts.append(
            "<iom_measurements><optics.get_cameralength>0.7225</optics.get_cameralength>"
            "<source.get_voltage>300000.0</source.get_voltage><optics.get_full_scan_field_of_view>"
            f"[{field_of_view}, {field_of_view}]</optics.get_full_scan_field_of_view>"
            "<calibrated_diffraction_angle>0.000429</calibrated_diffraction_angle>"
            "<calibrated_pixelsize>1.826537060227288e-10</calibrated_pixelsize></iom_measurements>"
        )
    else:
        parts.append(
            f"<iom_measurements><full_scan_field_of_view><scale_factor>0.72</scale_factor><x>{field_of_view}</x>"
            f"<y>{field_of_view}</y></full_scan_field_of_view><nominal_camera_length>0.369</nominal_camera_length>"
            "<high_voltage>300000.0</high_voltage></iom_measurements>"
        )
    return "".join([*parts, extra, "</root>\n"])


def write_empad(
    folder: str | os.PathLike[str],
    frames: FrameInput,
    *,
    scan_shape: tuple[int, ...] | None = None,
    name: str | None = None,
    xml: str | None = "scan.xml",
    **fields: Any,
) -> Path:
    """Write an acquisition, holding a few dozen frames at a time, and return the path of its raw file.

    Parameters
    ----------
    folder : path
        Where to write; an existing raw file is replaced.
    frames : array (..., 128, 128), lazy source, or iterable of frames or stacks
        Pixels, written as float32. The two rows below each frame hold −1 and its number.
    scan_shape : tuple of int, optional
        ``(rows, columns)``, or ``(n,)`` of a series; by default that of `frames`.
    name : str, optional
        Of the raw file; by default as the detector's program calls it.
    xml : str or None
        Name of the XML; None writes none.
    **fields
        Of `empad_xml`.

    Returns
    -------
    pathlib.Path
        The raw file.

    Raises
    ------
    ValueError
        Frames of another shape, or no scan shape.

    Examples
    --------
    >>> import tempfile
    >>> path = write_empad(tempfile.mkdtemp(), np.ones((2, 3, 128, 128), "f4"))
    >>> path.name, path.stat().st_size
    ('scan_x3_y2.raw', 399360)
    """
    shape = scan_shape or scan_shape_of(frames)
    if shape is None and isinstance(frames, np.ndarray) and frames.ndim == 3:
        shape = frames.shape[:1]
    if shape is None:
        raise ValueError("expected frames with navigation axes, or scan_shape=(rows, columns)")
    if name is None:
        name = f"scan_x{shape[1]}_y{shape[0]}.raw" if len(shape) == 2 else f"series_x{shape[0]}.raw"
    path = Path(folder) / name
    number = 0
    with open(path, "wb") as file:
        for part in stacks(frames):
            if part.shape[1:] != (128, 128):
                raise ValueError(f"expected frames of 128 x 128 pixels, got {part.shape[1:]}")
            records = np.full((len(part), 130, 128), -1, "<f4")
            records[:, :128] = part
            records[:, 129] = np.arange(number, number + len(part))[:, None]
            file.write(records.tobytes())
            number += len(part)
    if xml is not None:
        (Path(folder) / xml).write_text(empad_xml(name, shape, **fields), encoding="utf-8")
    return path

"""What a MIB file and its ``.hdr`` text say, in the metadata layout that HyperSpy users know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lazy4d.io.mib.geometry import Geometry
from lazy4d.io.mib.header import MibHeader, sidecar_number, sidecar_text

PIXEL_SIZE_UM = 55.0
"""Pitch of a Medipix3 pixel, the only length that a MIB file implies."""

_SIDECAR_TEXT = {
    "acquisition_type": "Acquisition Type",
    "chip_id": "Chip ID",
    "chip_mode": "Chip Mode",
    "flat_field_file": "Flat Field File",
    "gap_fill_mode": "Gap Fill Mode",
    "readout_system": "Readout System",
    "sensor_bias": "Sensor Bias",
    "software_version": "Software Version",
    "trigger_start": "Trigger Start",
    "trigger_stop": "Trigger Stop",
}
_SIDECAR_NUMBERS = {
    "frames_in_acquisition": "Frames in Acquisition",
    "frames_per_trigger": "Frames per Trigger",
}


def map_metadata(path: str, geometry: Geometry, sidecar: dict[str, str]) -> dict[str, Any]:
    """The metadata tree of a MIB file; entries that the file does not give are left out.

    Parameters
    ----------
    path : str
        The first file.
    geometry : Geometry
        Its parsed header and counter depth.
    sidecar : dict
        Content of the ``.hdr`` text, empty without one.

    Returns
    -------
    dict
        ``General`` (title, original_filename, date, time), ``Signal``, and ``Acquisition_instrument`` with exposure
        and dwell time in seconds, thresholds in keV, pixel size in µm.
    """
    header = geometry.header
    general: dict[str, Any] = {"title": Path(path).stem, "original_filename": Path(path).name}
    date, _, time = _text(header, 9).partition(" ")
    if date and time:
        general |= {"date": date, "time": time}
    decoder = geometry.layout.decoder
    merlin: dict[str, Any] = {
        "pixel_size": PIXEL_SIZE_UM,
        "pixel_size_units": "µm",
        "chips": header.chips,
        "chip_layout": header.layout,
        "counter_depth": geometry.depth,
        "bit_depth": decoder.dtype.itemsize * 8,
        "pixel_code": header.pixel_code,
        "raw": header.raw,
        "exposure_time": header.exposure,
        "gain_mode": header.gain,
        "thresholds": header.thresholds,
        "thresholds_units": "keV",
        "start_time": _text(header, 9),
        "start_time_utc": header.extension[0] if header.extension else None,
    }
    merlin |= {name: sidecar_text(sidecar, key) for name, key in _SIDECAR_TEXT.items()}
    merlin |= {name: sidecar_number(sidecar, key) for name, key in _SIDECAR_NUMBERS.items()}
    merlin = {name: value for name, value in merlin.items() if value not in (None, "", [])}
    instrument: dict[str, Any] = {"TEM": {"Detector": {"Merlin": merlin}}}
    if header.exposure is not None:
        instrument["dwell_time"] = header.exposure
        instrument["dwell_time_units"] = "s"
    return {
        "General": general,
        "Signal": {"signal_type": "electron_diffraction", "quantity": "Counts"},
        "Acquisition_instrument": instrument,
    }


def _text(header: MibHeader, index: int) -> str:
    return header.items[index].strip() if len(header.items) > index else ""

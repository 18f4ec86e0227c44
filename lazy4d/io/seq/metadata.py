"""What a SEQ file and its companions say, in the metadata layout that HyperSpy users know."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lazy4d.io.mapping import open_read_only
from lazy4d.io.seq.config import CameraConfig
from lazy4d.io.seq.header import SeqFile
from lazy4d.io.seq.sidecars import Sidecars
from lazy4d.io.seq.stamps import seconds, stamp_at, written_images

CORRECTION = "(raw - dark) * gain"

_SETTINGS = {
    "camera": "CameraType",
    "firmware": "FWVersion",
    "streampix_version": "StreamPixVersion",
    "shutter_mode": "ShutterMode",
    "flip": "Flip",
}
_NUMBERS = {
    "adu_per_electron": "ADUPerElectron",
    "binning": "ImageBinning",
    "software_binning": "SWBinning",
    "offset_x": "ImageOffsetX",
    "offset_y": "ImageOffsetY",
    "rotation_mode": "RotationMode",
    "sensor_gain": "SensorGain",
    "temperature": "Temperature",
    "pixel_size": "PixelSize",
}


def image_times(file: SeqFile, images: int) -> tuple[float, float] | None:
    """When the first and the last of some images were taken, seconds since 1970; None where there are no stamps."""
    images = min(images, written_images(file, images))
    if images < 1 or not file.header.stamped:
        return None
    fd = open_read_only(file.path)
    try:
        both = [np.frombuffer(stamp_at(fd, file, image), np.uint8) for image in (0, images - 1)]
    finally:
        os.close(fd)
    first, last = seconds(np.array(both)).tolist()
    return (first, last) if first > 0 else None


def map_metadata(
    title: str, file: SeqFile, pre_buffer: int, times: tuple[float, float] | None, sidecars: Sidecars
) -> dict[str, Any]:
    """The metadata tree of a recording; entries that nothing gives are left out.

    Parameters
    ----------
    title : str
        Name of the recording.
    file : SeqFile
        Its file, or its upper half.
    pre_buffer : int
        Frames in a stored image.
    times : tuple of float or None
        Of the first and the last stored image.
    sidecars : Sidecars
        Its companions.

    Returns
    -------
    dict
        ``General`` (title, original_filename, date, time), ``Signal``, ``Acquisition_instrument`` with dwell time in
        seconds, beam energy in keV and ``TEM.Detector.StreamPix``; the references for a later correction stand in
        ``TEM.Detector.Reference``.
    """
    general: dict[str, Any] = {"title": title, "original_filename": Path(file.path).name}
    if times is not None:
        when = datetime.fromtimestamp(times[0], UTC)
        general |= {"date": when.date().isoformat(), "time": when.time().isoformat()}
    header, config = file.header, sidecars.config
    camera: dict[str, Any] = {
        "bit_depth": header.bit_depth,
        "bit_depth_used": header.real_bit_depth,
        "version": header.version,
        "pre_buffer": pre_buffer if pre_buffer > 1 else None,
        "time_stamp_first": times[0] if times else None,
        "time_stamp_last": times[1] if times else None,
        "missing_frames": list(sidecars.missing_frames) if sidecars.missing_frames else None,
    }
    camera |= {name: config.info.get(key) for name, key in _SETTINGS.items()}
    for name, key in _NUMBERS.items():
        value = config.number(key)
        camera[name] = int(value) if value is not None and value == int(value) else value
    record = next((r for r in sidecars.records.values() if "frame_rate" in r), {})
    rate = config.number("FrameRate") or record.get("frame_rate")
    rate = rate or (header.frame_rate * pre_buffer if header.frame_rate else None)
    camera["frame_rate"] = rate
    camera = {name: value for name, value in camera.items() if value not in (None, "", [])}
    detector: dict[str, Any] = {"StreamPix": camera}
    instrument: dict[str, Any] = {"TEM": {**_microscope(config), "Detector": detector}}
    if rate and rate > 0:
        instrument |= {"dwell_time": 1 / rate, "dwell_time_units": "s"}
    return {
        "General": general,
        "Signal": {"signal_type": "electron_diffraction", "quantity": "Counts"},
        "Acquisition_instrument": instrument,
    }


def add_reference(metadata: dict[str, Any], sidecars: Sidecars, counter_pixels: Sequence[tuple[int, int]]) -> None:
    """Put what a correction of the pixels needs into ``Acquisition_instrument.TEM.Detector.Reference``.

    ``dark`` and ``gain`` are arrays, or for large ones ``path``, ``offset``, ``shape`` and ``dtype`` of where they are.

    Parameters
    ----------
    metadata : dict
        Of `map_metadata`; edited.
    sidecars : Sidecars
        With references for whole frames.
    counter_pixels : sequence of (int, int)
        ``(y, x)`` of pixels that hold frame numbers.
    """
    bad = sidecars.bad_pixels if sidecars.bad_pixels is not None and sidecars.bad_pixels.any() else None
    reference: dict[str, Any] = {"dark": sidecars.dark, "gain": sidecars.gain, "bad_pixels": bad}
    reference = {name: value for name, value in reference.items() if value is not None}
    if counter_pixels:
        reference["counter_pixels"] = [list(place) for place in counter_pixels]
    if not reference:
        return
    if "dark" in reference or "gain" in reference:
        reference |= {"formula": CORRECTION, "applied": False}
    metadata["Acquisition_instrument"]["TEM"]["Detector"]["Reference"] = reference


def _microscope(config: CameraConfig) -> dict[str, Any]:
    """Beam energy in keV and magnification, where they are set."""
    energy, magnification = config.number("HT"), config.number("Mag")
    found = {
        "beam_energy": energy if energy and energy > 0 else None,
        "magnification": magnification * 1000 if magnification and magnification > 0 else None,  # stated in thousands
    }
    return {name: value for name, value in found.items() if value is not None}


def map_original(files: dict[str, SeqFile], sidecars: Sidecars) -> dict[str, Any]:
    """Everything that headers and companions say, untranslated.

    Parameters
    ----------
    files : dict of SeqFile
        ``{"header": file}``, or headers of the two halves under their names.
    sidecars : Sidecars
        The companions.
    """
    told: dict[str, Any] = {name: file.header.as_dictionary() for name, file in files.items()}
    if sidecars.config.path:
        told["config"] = sidecars.config.as_dictionary()
    if sidecars.records:
        told["camera_records"] = [{"file": name, **record} for name, record in sidecars.records.items()]
    if sidecars.missing_frames is not None:
        told["missing_frames"] = list(sidecars.missing_frames)
    return told

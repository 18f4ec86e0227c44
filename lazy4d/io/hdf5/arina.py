"""Files of Dectris detectors: a master that links to data files, and what the microscope wrote beside them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import FormatError, MissingCompanionError
from lazy4d.io.hdf5.attributes import attributes, number, plain, small, text, tree, whole
from lazy4d.io.hdf5.content import Content
from lazy4d.io.hdf5.opening import h5py_module, open_file
from lazy4d.io.scan import ShapeHint
from lazy4d.io.source import AxisSpec, frame_axes, navigation_axes

DATA = "entry/data"
DETECTOR = "entry/instrument/detector"
_LINK = re.compile(r"data_(\d+)$")
_SCAN = "STEM Metadata"
_LARGEST_IMAGE = 64 * 2**20


class ArinaDialect:
    """Masters of ARINA and other detectors by Dectris (NXmx), with pixels in ``<stem>_data_000001.h5`` and so on."""

    name = "arina"

    def matches(self, file: Any) -> bool:
        """Whether an open file has numbered data below ``/entry/data`` and a detector."""
        h5py = h5py_module()
        try:
            data = file.get(DATA)
            if not isinstance(data, h5py.Group) or not isinstance(file.get(DETECTOR), h5py.Group):
                return False
            return any(_LINK.match(str(name)) for name in data)
        except (OSError, RuntimeError, ValueError, KeyError):
            return False

    def describe(self, file: Any, path: str, dataset: str | None, **options: Any) -> Content:
        """All frames in the order of the data files' numbers; mask, flat field and scan shape where they are given.

        Parameters
        ----------
        file : h5py.File
            The open master.
        path : str
            Its path.
        dataset : str or None
            One of the links, such as ``"data_000001"``, to read that alone.
        **options
            Of other dialects.

        Raises
        ------
        MissingCompanionError
            A data file is missing: names it.
        FormatError
            A data file does not hold what the master says.
        """
        parts = self._parts(file, path, dataset)
        frames, shape, dtype = self._survey(parts)
        detector = file[DETECTOR]
        specific = detector.get("detectorSpecific")
        notes: list[str] = []
        triggers = whole(_value(specific, "ntrigger"))
        images = whole(_value(specific, "nimages"))
        expected = triggers * images if triggers and images and dataset is None else None
        if expected and expected != frames:
            notes.append(f"{path}: {frames} frames found, {expected} expected by ntrigger and nimages")
        scan, companion = _scan_attributes(path)
        rows, columns = whole(scan.get("NumPixelsY")), whole(scan.get("NumPixelsX"))
        hint, prescan = None, 0
        if dataset is None and rows and columns and rows > 0 and columns > 0:
            hint = ShapeHint((rows, columns), f"NumPixelsY, NumPixelsX of {companion}")
            extra = whole(scan.get("NumPixelsPrescan")) or 0
            if extra > 0 and frames != rows * columns:
                prescan = extra
        metadata = _metadata(path, detector, specific, scan)
        _add_reference(metadata, path, detector, specific, shape, dtype, notes)
        return Content(
            parts=tuple(parts),
            nav_axes=(0,),
            signal_axes=(1, 2),
            navigation_axes=_scan_axes(scan, companion, 2 if hint else 1, notes),
            signal_axis_specs=frame_axes(),
            title=_stem(path),
            metadata=metadata,
            original_metadata={"master": tree(file["entry"]), "STEM Metadata": scan},
            warnings=tuple(notes),
            shape_hint=hint,
            prescan=prescan,
            frames_expected=expected,
        )

    def _parts(self, file: Any, path: str, dataset: str | None) -> list[tuple[str, str]]:
        h5py = h5py_module()
        group, folder = file[DATA], os.path.dirname(path)
        names = [str(name) for name in group if _LINK.match(str(name))]
        names.sort(key=lambda name: int(_LINK.match(name).group(1)))  # type: ignore[union-attr]
        if dataset is not None:
            wanted = dataset.rsplit("/", 1)[-1]
            if wanted not in names:
                raise FormatError(f"{path}: there is no dataset {dataset!r}, expected one of {', '.join(names)}")
            names = [wanted]
        parts = []
        for name in names:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                where = os.path.join(folder, link.filename)
                beside = os.path.join(folder, os.path.basename(link.filename.replace("\\", "/")))
                if not os.path.exists(where) and os.path.exists(beside):
                    where = beside  # a link with the folder of the computer that recorded
                if not os.path.exists(where):
                    raise MissingCompanionError(
                        f"{path}: the data file {where} ({name} of {len(names)}) is missing: put it beside the master"
                    )
                parts.append((where, link.path))
            else:
                parts.append((path, f"/{DATA}/{name}"))
        return parts

    def _survey(self, parts: list[tuple[str, str]]) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
        """Frames of all parts, and shape and dtype of one."""
        frames, shape, dtype = 0, tuple[int, ...](), np.dtype("u1")
        for where, name in parts:
            with open_file(where) as file:
                stored = file.get(name)
                if stored is None or len(getattr(stored, "shape", ()) or ()) != 3:
                    raise FormatError(
                        f"{where}: expected a dataset {name} of frames (three axes), found "
                        f"{'nothing' if stored is None else getattr(stored, 'shape', 'a group')}"
                    )
                if frames and (tuple(stored.shape[1:]), stored.dtype) != (shape, dtype):
                    raise FormatError(
                        f"{where}: the dataset {name} is {stored.shape} {stored.dtype}, expected frames as in "
                        f"{parts[0][0]}: {shape} {dtype}"
                    )
                frames += int(stored.shape[0])
                shape, dtype = tuple(stored.shape[1:]), stored.dtype
        return frames, shape, dtype


def _stem(path: str) -> str:
    return Path(path).stem.removesuffix("_master")


def _value(group: Any, name: str) -> Any:
    """A small dataset of a group as a plain value; None where it is not there."""
    try:
        return None if group is None else small(group.get(name))
    except (OSError, RuntimeError, ValueError, KeyError):
        return None


def _image(group: Any, name: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """A picture of the detector; None where it is not there or has another shape."""
    try:
        item = None if group is None else group.get(name)
        if item is None or tuple(item.shape) != shape or item.size * item.dtype.itemsize > _LARGEST_IMAGE:
            return None
        return np.asarray(item[()])
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _scan_attributes(path: str) -> tuple[dict[str, Any], str]:
    """What the microscope wrote in ``<stem>.h5`` beside the master, and where; empty where there is none."""
    companion = os.path.join(os.path.dirname(path), _stem(path) + ".h5")
    if os.path.abspath(companion) == os.path.abspath(path) or not os.path.isfile(companion):
        return {}, companion
    with open_file(companion) as file:
        group = file.get(_SCAN)
        return ({} if group is None else attributes(group)), companion


def _scan_axes(scan: dict[str, Any], companion: str, ndim: int, notes: list[str]) -> tuple[AxisSpec, ...]:
    """Axes of the scan, in nm where the microscope says that its pixel size is calibrated."""
    step = number(scan.get("Pixel Size"))
    if ndim != 2 or not step or step <= 0:
        return navigation_axes(ndim)
    if not number(scan.get("IsPixelSizeCalibrated")):
        notes.append(
            f"{companion}: the pixel size of {step:g} nm is marked as not calibrated and was left out; set it with "
            f"set_calibration(scan_scale={step:g}, scan_units='nm')"
        )
        return navigation_axes(ndim)
    return (AxisSpec("y", "nm", step), AxisSpec("x", "nm", step))


def _metadata(path: str, detector: Any, specific: Any, scan: dict[str, Any]) -> dict[str, Any]:
    general: dict[str, Any] = {"title": _stem(path), "original_filename": Path(path).name}
    when = re.match(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)", text(_value(specific, "data_collection_date")))
    if when:
        general |= {"date": when[1], "time": when[2]}
    energy = number(scan.get("High Tension")) or number(_value(specific, "photon_energy"))
    length, magnification = number(scan.get("Camera Length")), number(scan.get("Magnification"))
    microscope = {
        "beam_energy": energy / 1000 if energy else None,  # keV
        "camera_length": length * 1000 if length else None,  # mm
        "magnification": magnification,
        "rotation": number(scan.get("Rotation")),
    }
    names = {
        "description": "description", "detector_number": "detector_number", "count_time": "count_time",
        "frame_time": "frame_time", "bit_depth_image": "bit_depth_image", "bit_depth_readout": "bit_depth_readout",
        "saturation_value": "saturation_value", "threshold_energy": "threshold_energy",
        "x_pixel_size": "x_pixel_size", "y_pixel_size": "y_pixel_size",
        "countrate_correction_applied": "countrate_correction_applied", "pixel_mask_applied": "pixel_mask_applied",
        "flatfield_correction_applied": "flatfield_correction_applied",
    }  # fmt: skip
    camera = {name: _value(detector, key) for name, key in names.items()}
    for name in ("software_version", "compression", "ntrigger", "nimages", "countrate_correction_count_cutoff"):
        camera[name] = _value(specific, name)
    instrument: dict[str, Any] = {
        "TEM": {
            **{name: value for name, value in microscope.items() if value is not None},
            "Detector": {"Dectris": {name: plain(v) for name, v in camera.items() if v not in (None, "")}},
        }
    }
    time = number(camera["frame_time"])
    if time:
        instrument |= {"dwell_time": time, "dwell_time_units": "s"}
    return {
        "General": general,
        "Signal": {"signal_type": "electron_diffraction", "quantity": "Counts"},
        "Acquisition_instrument": instrument,
    }


def _add_reference(
    metadata: dict[str, Any],
    path: str,
    detector: Any,
    specific: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    notes: list[str],
) -> None:
    """Put mask and flat field into ``Acquisition_instrument.TEM.Detector.Reference``, and tell of masked pixels."""
    mask, flat = _image(specific, "pixel_mask", shape), _image(specific, "flatfield", shape)
    reference: dict[str, Any] = {}
    if flat is not None and not (flat == 1).all():
        applied = bool(number(_value(detector, "flatfield_correction_applied")))
        reference |= {"gain": flat, "formula": "raw * gain", "applied": applied}
    if mask is not None and mask.any():
        bad = mask != 0
        reference |= {"bad_pixels": bad, "pixel_mask": mask}
        if number(_value(detector, "pixel_mask_applied")) and dtype.kind == "u":
            reference["masked_value"] = int(np.iinfo(dtype).max)
            notes.append(
                f"{path}: {int(bad.sum())} pixels are masked by the detector and hold {np.iinfo(dtype).max}; "
                "leave them out by the mask in metadata.Acquisition_instrument.TEM.Detector.Reference.bad_pixels"
            )
    saturation = whole(_value(detector, "saturation_value"))
    if saturation:
        reference["saturation_value"] = saturation
    if reference:
        metadata["Acquisition_instrument"]["TEM"]["Detector"]["Reference"] = reference


DIALECT = ArinaDialect()

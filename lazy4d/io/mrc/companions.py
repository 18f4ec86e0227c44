"""Images that Direct Electron's server writes beside a movie: virtual, external and final ones."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.errors import Lazy4DError, TruncatedFileError
from lazy4d.io.mrc.direct_electron import INFO, Info
from lazy4d.io.mrc.header import HEADER_BYTES, parse_header
from lazy4d.io.mrc.pixels import decoder_for

MOST_PIXELS = 1 << 16
"""Pixels of an image up to which it is read with the movie."""

_MOST_LISTED = 20_000
_MOST_IMAGES = 64
_EXTERNAL = re.compile(r"(?:^|_)ext(\d+)_(.+)$", re.IGNORECASE)
_VIRTUAL = re.compile(r"(?:^|_)(\d+)_(.+)_([^_]+)$")


@dataclass(frozen=True)
class Companion:
    """An image that belongs to a movie.

    Parameters
    ----------
    kind : {"virtual", "external", "final"}
        A virtual detector, a signal recorded along with the camera, or the sum of the movie.
    number : int
        Which of them.
    name, calculation : str
        As the server calls it.
    path : str
        The file.

    Examples
    --------
    >>> identify("20241021_00405_1_Virt 1_sum.mrc", "20241021_00405")
    Companion(kind='virtual', number=1, name='Virt 1', calculation='sum', path='20241021_00405_1_Virt 1_sum.mrc')
    """

    kind: str
    number: int
    name: str
    calculation: str
    path: str


def identify(path: str, prefix: str) -> Companion | None:
    """What an MRC file beside a movie is, by its name; None when it is none of the images.

    Parameters
    ----------
    path : str
        The file.
    prefix : str
        What the names of the acquisition begin with, as does that of its ``_info.txt``.
    """
    stem, suffix = os.path.splitext(os.path.basename(path))
    begin = os.path.basename(prefix)
    if suffix.lower() != ".mrc" or not stem.startswith(f"{begin}_") or stem.endswith("_movie"):
        return None
    rest = stem[len(begin) + 1 :]
    if rest == "final" or rest.endswith("_final"):
        return Companion("final", 0, "final", "sum", path)
    external = _EXTERNAL.search(rest)
    if external:
        return Companion("external", int(external[1]), external[2], "", path)
    virtual = _VIRTUAL.search(rest)
    return Companion("virtual", int(virtual[1]), virtual[2], virtual[3], path) if virtual else None


def find_images(info: Info) -> list[Companion]:
    """The images beside the ``_info.txt`` of a movie, in the order of their kinds and numbers."""
    prefix = info.path.removesuffix(INFO)
    folder = os.path.dirname(prefix)
    try:
        with os.scandir(folder or ".") as entries:
            names = sorted(entry.name for entry in islice(entries, _MOST_LISTED))
    except OSError:
        return []
    found = (identify(os.path.join(folder, name), prefix) for name in names)
    images = [image for image in found if image is not None]
    return sorted(images, key=lambda image: (image.kind, image.number, image.path))[:_MOST_IMAGES]


def describe_images(images: list[Companion], info: Info) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The images as metadata, and what is wrong with those that cannot be read.

    Parameters
    ----------
    images : list of Companion
        See `find_images`.
    info : Info
        What the server says; it gives the names, which files may have lost characters of.

    Returns
    -------
    metadata : dict
        ``virtual_images``, ``external_images`` and ``final_image``: for each image its path, name, calculation, shape,
        dtype and, up to `MOST_PIXELS` pixels, the array itself as ``data``.
    warnings : tuple of str
        One for each damaged image; the movie is none the worse for it.
    """
    result: dict[str, Any] = {}
    warnings = []
    for image in images:
        key = {"virtual": "Scan - Virtual Detector", "external": "Scan - External Detector"}.get(image.kind, "")
        name = info.text(f"{key} {image.number} Name") or image.name
        entry: dict[str, Any] = {"path": image.path, "name": name}
        if image.calculation:
            entry["calculation"] = info.text(f"{key} {image.number} Calculation") or image.calculation
        try:
            entry |= read_image(image.path)
        except (Lazy4DError, OSError) as error:
            warnings.append(f"an image beside the movie is left out: {error}")
            continue
        if image.kind == "final":
            result["final_image"] = entry
        else:
            result.setdefault(f"{image.kind}_images", {})[f"{image.kind}_{image.number}"] = entry
    return result, tuple(warnings)


def read_image(path: str) -> dict[str, Any]:
    """Shape, dtype and, when it is small, the pixels of the first section of an MRC file.

    Raises
    ------
    Lazy4DError
        The file is damaged or of a mode that is not read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = parse_header(file.read(HEADER_BYTES), path, size)
        decoder = decoder_for(header, path, electron_camera=True)
        shape = tuple(decoder.frame_shape)
        entry: dict[str, Any] = {"shape": list(shape), "dtype": decoder.dtype.name}
        if math.prod(shape) > MOST_PIXELS:
            return entry
        needed = math.prod(decoder.stored_shape) * decoder.stored_dtype.itemsize
        file.seek(header.data_start)
        data = file.read(needed)
    if len(data) < needed:
        raise TruncatedFileError(
            f"{path}: the file ends inside its image: {needed} bytes needed, {len(data)} found; copy it again"
        )
    pixels: NDArray[Any] = np.empty((1, *shape), decoder.dtype)
    decoder(np.frombuffer(data, decoder.stored_dtype).reshape(1, *decoder.stored_shape), pixels, ())
    return {**entry, "data": pixels[0]}

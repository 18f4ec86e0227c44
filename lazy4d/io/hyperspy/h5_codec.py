"""How chunks of an ``.hspy`` file are packed, outside HDF5 so that threads share the work, and how the file says so."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.io.zarr_store.codec import COMPRESSORS, SHUFFLES, Codec, choose_codec

BLOSC = 32001
"""Number under which Blosc is registered as a filter of HDF5."""

_GZIP_LEVEL = 1


@dataclass(frozen=True)
class HdfCodec:
    """Compression of chunks.

    Parameters
    ----------
    name : {"gzip", "lzf", "none", "blosc"}
        The filter; before gzip and LZF bytes are shuffled.
    level : int
        Effort of gzip.
    blosc : Codec, optional
        The settings of Blosc.

    Examples
    --------
    >>> codec = choose_hdf_codec("gzip", np.dtype("u2"))
    >>> packed = codec.encode(np.full((4, 64, 64), 300, "<u2"))
    >>> zlib.decompress(packed)[:2], len(packed) < 200
    (b',,', True)
    """

    name: str
    level: int = _GZIP_LEVEL
    blosc: Codec | None = None

    @property
    def in_tasks(self) -> bool:
        """Whether chunks are packed where they are computed; those of LZF are packed by HDF5 as they are written."""
        return self.name != "lzf"

    def encode(self, pixels: NDArray[Any]) -> Any:
        """The packed bytes of a C-contiguous chunk, as the filters would make them."""
        if self.name == "gzip":
            return zlib.compress(_shuffled(pixels).data, self.level)
        if self.blosc is not None:
            return self.blosc.encode(pixels)
        return pixels.tobytes()

    def set_filters(self, properties: Any, chunk_nbytes: int) -> None:
        """Name the filters in the properties (`h5py.h5p.PropDCID`) of a data set that is to be made."""
        from h5py import h5z

        if self.name in ("gzip", "lzf"):
            properties.set_shuffle()
        if self.name == "gzip":
            properties.set_deflate(self.level)
        elif self.name == "lzf":
            properties.set_filter(h5z.FILTER_LZF, h5z.FLAG_OPTIONAL)
        elif self.blosc is not None:
            code = COMPRESSORS.index(self.blosc.cname)
            shuffle = SHUFFLES[self.blosc.shuffle]
            values = (2, 2, self.blosc.typesize, chunk_nbytes, self.blosc.clevel, shuffle, code)
            properties.set_filter(BLOSC, h5z.FLAG_OPTIONAL, values)


def _shuffled(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of all pixels, first bytes first: what HDF5's shuffle filter makes of them."""
    size = pixels.dtype.itemsize
    flat = pixels.reshape(-1).view(np.uint8)
    return flat if size == 1 else np.ascontiguousarray(flat.reshape(-1, size).T).reshape(-1)


def choose_hdf_codec(codec: str | dict[str, Any] | None, dtype: np.dtype[Any]) -> HdfCodec:
    """The compression a user asks for.

    Parameters
    ----------
    codec : {"gzip", "lzf", "none", "zstd", "lz4"}, dict or None
        ``"gzip"``: every HDF5 program reads it; counts become about ten times smaller. ``"lzf"``: read by h5py, so by
        HyperSpy; unpacks five times faster, packs to about 1.7 times the size, on one core. ``"none"`` or None: as in
        memory. ``"zstd"`` and ``"lz4"``: Blosc, smaller and faster than both, but every program that reads the file
        needs hdf5plugin. A dict may have ``name`` and for gzip ``level`` (1 to 9), or what `lazy4d.save` takes for
        ``.zarr``.
    dtype : numpy.dtype
        Dtype of the pixels.

    Raises
    ------
    ValueError
        There is no such codec.

    Examples
    --------
    >>> choose_hdf_codec({"name": "gzip", "level": 4}, np.dtype("u2"))
    HdfCodec(name='gzip', level=4, blosc=None)
    """
    if codec is None or codec == "none":
        return HdfCodec("none")
    given = {"name": codec} if isinstance(codec, str) else dict(codec)
    if "cname" in given:
        return HdfCodec("blosc", blosc=choose_codec(given, dtype))
    name, level = given.pop("name", "gzip"), given.pop("level", _GZIP_LEVEL)
    if name in ("zstd", "lz4") and not given and level == _GZIP_LEVEL:
        return HdfCodec("blosc", blosc=choose_codec(name, dtype))
    if name not in ("gzip", "lzf", "none") or given or type(level) is not int or not 1 <= level <= 9:
        raise ValueError(
            f"codec={codec!r} is not known for .hspy: expected 'gzip', 'lzf', 'none', 'zstd', 'lz4', or a dict such as "
            "{'name': 'gzip', 'level': 4}"
        )
    return HdfCodec(name, level)

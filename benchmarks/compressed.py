"""The same virtual image from compressed HDF5 and Zarr, against decompressing the same chunks and nothing else.

Three yardsticks. *Plain*: threads, one a core, that have the packed chunks in memory already and only unpack them.
*Direct*: the script one writes without this library, that reads slice by slice through h5py or zarr-python and adds up
the pixels of the detector with numpy. *Reading alone*: the same without adding up.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import zarr
from numcodecs import LZ4, Blosc, Zstd
from numcodecs.abc import Codec
from zarr import codecs as v3

import lazy4d as l4
from benchmarks.dataset import Dataset
from benchmarks.formats import annulus, ring
from benchmarks.measure import interleave, table

TARGETS = (0.8, 2.0)
DOCUMENTS = ("zarr.json", ".zarray", ".zattrs")
Unpack = Callable[[bytes, np.ndarray], Any]


def _into(codec: Codec) -> Unpack:
    return lambda packed, out: codec.decode(packed, out)


def _gunzip(packed: bytes, out: np.ndarray) -> Any:
    return zlib.decompress(packed, bufsize=out.nbytes)


def _bitshuffle_lz4(packed: bytes, out: np.ndarray) -> Any:
    """By this library's own kernel: no light package unpacks it outside HDF5."""
    from lazy4d.io.chunked.codec import codec_from_hdf5
    from lazy4d.io.chunked.store import Packed

    codec = codec_from_hdf5([(hdf5plugin.Bitshuffle.filter_id, 0, (0, 5, 2, 0, 2))], np.dtype("u2"), out.shape)
    codec.decode(Packed(np.frombuffer(packed, "u1")), out.view("u2"))
    return out


class HDF5File:
    """A chunked dataset, its packed chunks, and the plain way to read it."""

    def __init__(self, folder: Path, name: str, frames: np.ndarray, chunk: Sequence[int], filters: dict[str, Any]):
        self.path = folder / f"compressed-{len(frames)}-{name}.h5"
        if not self.path.exists():
            with h5py.File(self.path, "w") as file:
                file.create_dataset("data", data=frames, chunks=tuple(chunk), **filters)
        with h5py.File(self.path) as file:
            dataset = file["data"]
            self.chunk_nbytes = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
            places = [dataset.id.get_chunk_info(k).chunk_offset for k in range(dataset.id.get_num_chunks())]
            self.packed = [dataset.id.read_direct_chunk(place)[1] for place in places]

    def slices(self) -> Iterator[np.ndarray]:
        with h5py.File(self.path) as file:
            dataset = file["data"]
            for row in range(0, dataset.shape[0], dataset.chunks[0]):
                yield dataset[row : row + dataset.chunks[0]]


class ZarrFolder:
    """A chunked array in a folder."""

    def __init__(self, folder: Path, name: str, frames: np.ndarray, **settings: Any):
        self.path = folder / f"compressed-{len(frames)}-{name}.zarr"
        if not self.path.exists():
            zarr.create_array(self.path, shape=frames.shape, dtype=frames.dtype, **settings)[...] = frames
        array = zarr.open_array(self.path, mode="r")
        self.chunk_nbytes = int(np.prod(array.chunks)) * array.dtype.itemsize
        self.step = (array.shards or array.chunks)[0]
        self.packed = self._chunks(array)

    def _chunks(self, array: zarr.Array) -> list[bytes]:
        files = sorted(p for p in self.path.rglob("*") if p.is_file() and p.name not in DOCUMENTS)
        if array.shards is None:
            return [p.read_bytes() for p in files]
        inner = int(np.prod([s // c for s, c in zip(array.shards, array.chunks, strict=True)]))
        found = []
        for path in files:
            data = path.read_bytes()
            index = np.frombuffer(data[-16 * inner - 4 : -4], "<u8").reshape(-1, 2)
            found += [data[a : a + n] for a, n in index.tolist() if a != 2**64 - 1]
        return found

    def slices(self) -> Iterator[np.ndarray]:
        array = zarr.open_array(self.path, mode="r")
        for row in range(0, array.shape[0], self.step):
            yield array[row : row + self.step]


def detector_sums(slices: Iterable[np.ndarray], mask: np.ndarray) -> np.ndarray:
    """A virtual image as a script computes it."""
    return np.concatenate([part[..., mask].sum(axis=-1, dtype=np.uint64) for part in slices])


def unpack_in_threads(packed: Sequence[bytes], chunk_nbytes: int, unpack: Unpack) -> None:
    """Every chunk into a buffer of its thread."""

    def work(part: Sequence[bytes]) -> None:
        out = np.empty(chunk_nbytes, np.uint8)
        for chunk in part:
            unpack(chunk, out)

    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, [packed[k::threads] for k in range(threads)]))


def cases(folder: Path, frames: np.ndarray) -> dict[str, tuple[Callable[[], HDF5File | ZarrFolder], Unpack]]:
    """What is measured: how the file is made, and how one of its chunks is unpacked."""
    ky, kx = frames.shape[2:]
    one, many = (1, 1, ky, kx), (4, 4, ky, kx)
    blosc, bitshuffle = Blosc("zstd", 1, Blosc.BITSHUFFLE), hdf5plugin.Bitshuffle()
    gzip = {"compression": "gzip", "compression_opts": 1}
    row = (1, frames.shape[1], ky, kx)
    hdf5, folders = partial(HDF5File, folder), partial(ZarrFolder, folder)
    return {
        "hdf5 bitshuffle-lz4, 1 frame": (partial(hdf5, "bslz4", frames, one, bitshuffle), _bitshuffle_lz4),
        "hdf5 bitshuffle-lz4, 4 x 4": (partial(hdf5, "bslz4-16", frames, many, bitshuffle), _bitshuffle_lz4),
        "hdf5 gzip, 4 x 4": (partial(hdf5, "gzip", frames, many, gzip), _gunzip),
        "hdf5 blosc-zstd, 4 x 4": (
            partial(hdf5, "blosc", frames, many, hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=2)),
            _into(blosc),
        ),
        "hdf5 zstd, 4 x 4": (partial(hdf5, "zstd", frames, many, hdf5plugin.Zstd(clevel=1)), _into(Zstd())),
        "zarr v2 blosc-zstd, 4 x 4": (
            partial(folders, "v2", frames, chunks=many, compressors=blosc, zarr_format=2),
            _into(blosc),
        ),
        "zarr v2 lz4, 4 x 4": (
            partial(folders, "v2-lz4", frames, chunks=many, compressors=LZ4(), zarr_format=2),
            _into(LZ4()),
        ),
        "zarr v3 zstd, 4 x 4": (
            partial(folders, "v3", frames, chunks=many, compressors=v3.ZstdCodec(level=1)),
            _into(Zstd()),
        ),
        "zarr v3 shards of blosc-zstd": (
            partial(
                folders,
                "shards",
                frames,
                chunks=(1, 8, ky, kx),
                shards=row,
                compressors=v3.BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
            ),
            _into(blosc),
        ),
    }


def report(data: Dataset, folder: Path, rounds: int) -> str:
    """GB/s of decoded pixels, and the ratios to both yardsticks."""
    rows = max(4, data.scan_shape[0] // 2)
    frames = data.frames[:rows].astype("u2")
    expected = data.reference["annulus"][:rows]
    mask = ring(frames.shape[2])
    lines = []
    for name, (make, unpack) in cases(folder, frames).items():
        stored = make()
        out = np.empty(stored.chunk_nbytes, np.uint8)
        unpack(stored.packed[0], out)
        signal = l4.load(stored.path)
        job = partial(lambda s: s.get_virtual_image(annulus()).compute(), signal)
        np.testing.assert_array_equal(job().data, expected, err_msg=name)
        plain = partial(unpack_in_threads, stored.packed, stored.chunk_nbytes, unpack)
        direct = partial(lambda s: detector_sums(s.slices(), mask), stored)
        np.testing.assert_array_equal(direct(), expected, err_msg=name)
        reading = partial(lambda s: [None for _ in s.slices()], stored)
        timings = interleave({"lazy4d": job, "plain": plain, "direct": direct, "reading": reading}, rounds)
        own = timings.median("lazy4d")
        packed = sum(map(len, stored.packed)) / frames.nbytes
        lines.append(
            [
                name,
                f"{packed:.2f}",
                f"{frames.nbytes / 1e9 / own:.2f}",
                f"{timings.median('plain') / own:.2f}",
                f"{timings.median('direct') / own:.1f}",
                f"{timings.median('reading') / own:.1f}",
                f"{timings.spread('lazy4d'):.0%}",
            ]
        )
    targets = f"x plain ({TARGETS[0]})", f"x direct ({TARGETS[1]:.0f})"
    header = ["virtual image from", "size", "GB/s", *targets, "x reading alone", "spread"]
    return f"{table(header, lines)}\n\n{loading(folder, rounds)}"


def loading(folder: Path, rounds: int) -> str:
    """Milliseconds to load files of very many chunks; nothing is read of them."""
    many = folder / "100000-chunks.h5"
    if not many.exists():
        with h5py.File(many, "w") as file:
            dataset = file.create_dataset("data", shape=(250, 400, 16, 16), dtype="u2", chunks=(1, 1, 16, 16))
            packed = bytes(512)
            for place in np.ndindex(250, 400):
                dataset.id.write_direct_chunk((*place, 0, 0), packed)
    folders = folder / "100000-chunks.zarr"
    if not folders.exists():
        small = zarr.create_array(folders, shape=(250, 400, 4, 4), dtype="u2", chunks=(1, 1, 4, 4), zarr_format=2)
        for row in range(0, 250, 10):
            small[row : row + 10] = 1
    rows = []
    for path in (many, folders):
        seconds = []
        for _ in range(rounds + 1):
            start = time.perf_counter()
            l4.load(path)
            seconds.append(time.perf_counter() - start)
        rows.append([path.name, f"{np.median(seconds[1:]) * 1e3:.1f} ms", f"{seconds[0] * 1e3:.0f} ms", "<= 50 ms"])
    return table(["load a file of 10^5 chunks", "median", "first", "target"], rows)

"""Fixtures that every test may use, and the names that doctests find without importing them."""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest

if TYPE_CHECKING:
    from distributed import Client
    from numpy.typing import NDArray

    from lazy4d import Diffraction2D

CHECKOUT = Path(os.environ.get("LAZY4D_CHECKOUT", Path(__file__).parent))
VENDOR_DATA = Path(os.environ.get("LAZY4D_TEST_DATA", CHECKOUT.parent / "shared" / "data"))

# numba does not notice a change in a helper of a kernel: machine code is kept by the source of them all.
KERNELS = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("lazy4d/kernels/*.py")))
CACHE = Path(tempfile.gettempdir(), f"lazy4d-tests-{hashlib.sha1(KERNELS).hexdigest()[:12]}")
os.environ.setdefault("NUMBA_CACHE_DIR", str(CACHE))

# What viewers learn of files is kept in the user's cache folder: never in that of who runs the tests.
if "LAZY4D_CACHE" not in os.environ:
    os.environ["LAZY4D_CACHE"] = tempfile.mkdtemp(prefix="lazy4d-overviews-")
    atexit.register(shutil.rmtree, os.environ["LAZY4D_CACHE"], ignore_errors=True)

NAV_SHAPE, FRAME_SHAPE = (4, 5), (12, 10)  # non-square on both sides, so that swapped axes show

NAV_CHUNKS = {
    "one block": ((4,), (5,)),
    "rows": ((1, 1, 1, 1), (5,)),
    "ragged rows": ((3, 1), (5,)),
    "ragged both": ((1, 3), (2, 2, 1)),
}


class ComputeForbiddenError(Exception):
    """Raised when dask computes inside `no_compute`."""


class NoCompute:
    """A context in which any computation by dask raises `ComputeForbiddenError`: ``with no_compute:``."""

    def __enter__(self) -> None:
        self._settings = dask.config.set(scheduler=self._refuse)

    def __exit__(self, *_: object) -> None:
        self._settings.__exit__(None, None, None)

    def __call__(self) -> NoCompute:
        """Return the context itself: ``with no_compute():`` reads the same."""
        return self

    @staticmethod
    def _refuse(graph: Mapping[Any, Any], keys: Any, **_: Any) -> None:
        raise ComputeForbiddenError(f"expected a lazy operation, but dask was asked to compute {keys!r}")


@pytest.fixture
def no_compute() -> NoCompute:
    """Context manager; whatever runs inside it must stay lazy."""
    return NoCompute()


@pytest.fixture(params=["uint8", "uint16", "uint32", "float32"])
def stack(request: pytest.FixtureRequest) -> NDArray[Any]:
    """Tiny scan (4, 5 | 12, 10) of random pixels, one dtype a run; read-only, so that nobody edits his input."""
    values = np.random.default_rng(4).poisson(3.0, NAV_SHAPE + FRAME_SHAPE).astype(request.param)
    values.flags.writeable = False
    return values


@pytest.fixture(params=list(NAV_CHUNKS), ids=lambda name: name.replace(" ", "-"))
def chunks(request: pytest.FixtureRequest) -> tuple[tuple[int, ...], ...]:
    """Navigation chunks of `stack`: whole, single rows, ragged rows, ragged in both axes."""
    return NAV_CHUNKS[request.param]


@pytest.fixture(scope="session")
def distributed_client() -> Iterator[Client]:
    """Client of a local cluster of two processes; never the default client, so that other tests keep to threads."""
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.worker.profile.enabled": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(params=["synchronous", "threads", pytest.param("distributed", marks=pytest.mark.slow)])
def scheduler(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name of the scheduler that dask uses during the test: synchronous, threads, or two processes of a cluster."""
    if request.param == "distributed":
        with request.getfixturevalue("distributed_client").as_current():
            yield request.param
    else:
        with dask.config.set(scheduler=request.param):
            yield request.param


@pytest.fixture(scope="session")
def vendor_data() -> Callable[[str], Path]:
    """Path of a file written by a real detector or program, by its name inside the data folder; skips where absent."""

    def find(name: str) -> Path:
        path = VENDOR_DATA / name
        if not path.exists():
            pytest.skip(f"vendor file {name!r} is not in {VENDOR_DATA}; set LAZY4D_TEST_DATA to the folder that has it")
        return path

    return find


@pytest.fixture
def d() -> Diffraction2D:
    """A fresh Diffraction2D (4, 4 | 16, 16): a disk of radius 3 and 70 electrons a pixel, travelling by 2 pixels."""
    from lazy4d import Diffraction2D
    from lazy4d.data import simulated_scan

    scan = simulated_scan((4, 4), (16, 16), kind="disk", disk_radius=3.0, descan=2.0, dose=2000)
    return Diffraction2D(scan.as_array())


@pytest.fixture(autouse=True)
def _doctest_names(request: pytest.FixtureRequest) -> None:
    """Give doctests `np`, `l4` and, where they use it, `d`."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    import lazy4d

    names = request.getfixturevalue("doctest_namespace")
    names.update(np=np, l4=lazy4d)
    if any(re.search(r"\bd\b", example.source) for example in request.node.dtest.examples):
        names["d"] = request.getfixturevalue("d")

"""Virtual datasets of HDF5: which whole datasets of other files they string together."""

from __future__ import annotations

import math
import os
from typing import Any

from lazy4d.errors import MissingCompanionError
from lazy4d.io.hdf5.opening import h5py_module


def virtual_sources(file: Any, path: str, dataset: str) -> list[tuple[str, str]]:
    """The datasets that a virtual one is made of, where it strings whole ones along its first axis; else none.

    Raises
    ------
    MissingCompanionError
        A file of them is missing: HDF5 would give the fill value in its place.
    """
    h5s, stored = h5py_module().h5s, file[dataset]
    folder, found = os.path.dirname(path), []
    simple = True
    for source in stored.virtual_sources():
        if "%b" in source.file_name:
            return []
        where = path if source.file_name == "." else os.path.join(folder, source.file_name)
        if not os.path.exists(where):
            raise MissingCompanionError(
                f"{path}: the virtual dataset {dataset} takes pixels from {where}, which is missing: put it there"
            )
        low, high = source.vspace.get_select_bounds()
        count = source.vspace.get_select_npoints()
        box = tuple(b - a + 1 for a, b in zip(low, high, strict=True))
        whole = all(a == 0 for a in low[1:]) and box[1:] == stored.shape[1:] and count == math.prod(box)
        of_source = source.src_space  # "all" where nothing was cut out: then it does not tell how many points
        every = of_source.get_select_type() == h5s.SEL_ALL or of_source.get_select_npoints() == count
        simple = simple and whole and every
        found.append((low[0], box, where, source.dset_name))
    found.sort()
    at, places = 0, []
    for start, box, where, name in found:
        if not simple or start != at:
            return []
        at += box[0]
        places.append((where, name))
    return places if at == stored.shape[0] else []

"""The signals of a ``.zspy`` store, described for the reader of Zarr arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.errors import FormatError, UnsupportedVariantError
from lazy4d.io.hyperspy.choice import Candidate, choose
from lazy4d.io.hyperspy.tree import EXPERIMENTS, Experiment, read_experiment
from lazy4d.io.hyperspy.zarr_tree import children, join, read_group, read_json

if TYPE_CHECKING:
    from lazy4d.io.zarr_arrays.place import Place


@dataclass
class ZspyContent:
    """What a store says of the chosen signal.

    Parameters
    ----------
    array : str
        Key of its array in the store.
    experiment : Experiment
        Axes, metadata, validity.
    """

    array: str
    experiment: Experiment


def is_zspy(place: Place) -> bool:
    """Whether a store has the layout of HyperSpy: it says so, or it has the group ``Experiments``."""
    said = read_json(place, ".zattrs").get("file_format")
    return said == "ZSpy" or place.get(f"{EXPERIMENTS}/.zgroup") is not None


def describe(place: Place, dataset: str | None = None, label: str = "") -> ZspyContent:
    """The signal of a store that is meant; no pixel is read.

    Parameters
    ----------
    place : Place
        The store.
    dataset : str, optional
        Name of a signal where there are several; see `choice.choose`.
    label : str
        What the store is called in messages; by default what it says of itself.

    Raises
    ------
    FormatError
        No signal, several, or one that is damaged.
    UnsupportedVariantError
        Ragged signals and colours; arrays of Zarr version 3.
    """
    where = label or str(getattr(place, "label", place))
    names = children(place, EXPERIMENTS)
    documents = {name: read_json(place, join(EXPERIMENTS, name, "data", ".zarray")) for name in names}
    if names and not any(documents.values()):
        versions = [n for n in names if place.get(join(EXPERIMENTS, n, "data", "zarr.json")) is not None]
        if versions:
            raise UnsupportedVariantError(
                f"{where}: the tree of HyperSpy in Zarr version 3, expected version 2, which HyperSpy writes: load the "
                f"array itself with dataset='{EXPERIMENTS}/{versions[0]}/data'"
            )
    found = [_candidate(where, name, document) for name, document in documents.items() if document]
    chosen, notes = choose(where, found, dataset)
    group = join(EXPERIMENTS, chosen.name)
    document = documents[chosen.name]
    experiment = read_experiment(
        f"{where} ({chosen.name})",
        read_group(place, group, skip=("data",)),
        chosen.shape,
        _dtype(where, document.get("dtype")),
        chosen.name,
    )
    experiment.warnings = (*notes, *experiment.warnings)
    return ZspyContent(join(group, "data"), experiment)


def _candidate(where: str, name: str, document: dict[str, Any]) -> Candidate:
    shape = document.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in shape):
        raise FormatError(f"{where}: expected the shape of the array of {name!r} in its .zarray, found {shape!r}")
    return Candidate(name, tuple(shape), str(document.get("dtype")))


def _dtype(where: str, text: Any) -> np.dtype[Any]:
    """The dtype that a ``.zarray`` names."""
    try:
        if isinstance(text, list):
            return np.dtype([(str(item[0]), str(item[1])) for item in text])
        return np.dtype(str(text))
    except (TypeError, ValueError, IndexError, SyntaxError) as error:
        raise FormatError(f"{where}: expected a dtype in .zarray, found {text!r}") from error

"""The signals of an ``.hspy`` file, described from the open file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lazy4d.errors import FormatError
from lazy4d.io.hyperspy.choice import Candidate, choose
from lazy4d.io.hyperspy.h5_tree import read_attribute, read_group
from lazy4d.io.hyperspy.tree import EXPERIMENTS, Experiment, read_experiment
from lazy4d.io.hyperspy.values import plain


@dataclass
class HspyContent:
    """What a file says of the chosen signal.

    Parameters
    ----------
    array : str
        Path of its data set in the file.
    experiment : Experiment
        Axes, metadata, validity.
    """

    array: str
    experiment: Experiment


def is_hspy(file: Any) -> bool:
    """Whether an open HDF5 file has the layout of HyperSpy: it says so, or it has the group ``Experiments``."""
    import h5py

    try:
        if plain(read_attribute(file, "file_format")) == "HyperSpy":
            return True
        return isinstance(file.get(EXPERIMENTS), h5py.Group)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError):  # a damaged file
        return False


def describe(file: Any, path: str, dataset: str | None = None) -> HspyContent:
    """The signal of an open file that is meant; no pixel is read.

    Parameters
    ----------
    file : h5py.File
        The file.
    path : str
        Its path, for messages.
    dataset : str, optional
        Name of a signal where there are several; see `choice.choose`.

    Raises
    ------
    FormatError
        No signal, several, or one that is damaged.
    UnsupportedVariantError
        Ragged signals and colours.
    """
    import h5py

    arrays: dict[str, Any] = {}
    try:
        experiments = file.get(EXPERIMENTS)
        for name in experiments if isinstance(experiments, h5py.Group) else ():
            group = experiments.get(name)
            array = group.get("data") if isinstance(group, h5py.Group) else None
            if isinstance(array, h5py.Dataset) and array.shape is not None:
                arrays[name] = array
        found = [Candidate(name, tuple(array.shape), str(array.dtype)) for name, array in arrays.items()]
        chosen, notes = choose(path, found, dataset)
        array = arrays[chosen.name]
        experiment = read_experiment(
            f"{path} ({chosen.name})",
            read_group(array.parent, skip=("data",)),
            chosen.shape,
            np.dtype(array.dtype),
            chosen.name,
        )
    except (OSError, RuntimeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path}: the tree of HyperSpy cannot be read, the file is damaged: {error}; restore it from a copy"
        ) from error
    experiment.warnings = (*notes, *experiment.warnings)
    return HspyContent(str(array.name), experiment)

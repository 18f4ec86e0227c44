"""Files of HyperSpy, ``.hspy``, among those in HDF5."""

from __future__ import annotations

from typing import Any

from lazy4d.io.hdf5.content import Content
from lazy4d.io.hyperspy.hspy import describe, is_hspy


class HyperSpyDialect:
    """The tree of HyperSpy: signals below ``Experiments``, each with axes and metadata."""

    name = "hyperspy"

    def matches(self, file: Any) -> bool:
        """Whether an open file says that it is of HyperSpy, or has the group ``Experiments``."""
        return is_hspy(file)

    def describe(self, file: Any, path: str, dataset: str | None, **options: Any) -> Content:
        """The signal that is meant; see `lazy4d.io.hyperspy.hspy.describe`."""
        found = describe(file, path, dataset)
        experiment = found.experiment
        return Content(
            parts=((path, found.array),),
            nav_axes=experiment.nav_axes,
            signal_axes=experiment.signal_axes,
            navigation_axes=experiment.navigation_axes,
            signal_axis_specs=experiment.signal_axis_specs,
            title=experiment.title,
            metadata=experiment.metadata,
            original_metadata=experiment.original_metadata,
            warnings=experiment.warnings,
            valid=experiment.valid,
            marked="nan" if experiment.incomplete == "raise" else experiment.incomplete,
        )


DIALECT = HyperSpyDialect()

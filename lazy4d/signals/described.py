"""What every signal and all vectors carry beside their data: axes, metadata, history."""

from __future__ import annotations

from typing import Any

from lazy4d.axes import AxesManager, Axis
from lazy4d.metadata import History, Metadata


class Described:
    """Something with axes of a scan and of its frames, metadata and a history.

    Examples
    --------
    >>> d.nav_shape, d.frame_shape, d.title
    ((4, 4), (16, 16), '')
    """

    _axes_manager: AxesManager
    _metadata: Metadata
    _original_metadata: Metadata
    _history: History

    @property
    def axes_manager(self) -> AxesManager:
        """The axes: names, units, scales and offsets, to read and to edit."""
        return self._axes_manager

    @property
    def metadata(self) -> Metadata:
        """What is known of the data, a tree to read and to edit."""
        return self._metadata

    @property
    def original_metadata(self) -> Metadata:
        """What the file said, unchanged."""
        return self._original_metadata

    @property
    def history(self) -> History:
        """How the data were made, one entry an operation."""
        return self._history

    @property
    def title(self) -> str:
        """``metadata.General.title``, or an empty text."""
        return str(self._metadata.get_item("General.title", ""))

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Shape of the navigation, numpy order."""
        return tuple(self._axes_manager.nav_shape)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame, numpy order."""
        return tuple(self._axes_manager.frame_shape)

    @property
    def nav_axes(self) -> list[Axis]:
        """Navigation axes, numpy order."""
        return list(self._axes_manager.as_numpy_order())[: len(self.nav_shape)]

    @property
    def frame_axes(self) -> list[Axis]:
        """Signal axes, numpy order."""
        return list(self._axes_manager.as_numpy_order())[len(self.nav_shape) :]

    def _record(self, op: str, params: dict[str, Any]) -> None:
        """Add to the history an edit in place (calibration)."""
        self._history = self._history.append(op, params)

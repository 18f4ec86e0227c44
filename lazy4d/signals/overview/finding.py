"""The overview of a signal: the one it has, its parent's, one that was kept, or a new one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from lazy4d.signals.overview.keeping import identity_of, load_overview, save_overview
from lazy4d.signals.overview.lineage import Lineage, making
from lazy4d.signals.overview.memory import fingerprint
from lazy4d.signals.overview.overview import Overview

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

__all__ = ["overview_of", "save_overview"]

_of_files: WeakValueDictionary[str, Overview] = WeakValueDictionary()
"""Overviews in use, by the identity of the frames: a file loaded twice has one."""


def overview_of(signal: BaseSignal) -> Overview:
    """What is known of the signal's scan so far; nothing is computed and no frame is read.

    Parameters
    ----------
    signal : BaseSignal
        The signal.

    Returns
    -------
    Overview
        The same one at each call. It is complete where a pass was made before, in this process or, for data in a file,
        in another one that kept what it found. After operations on each frame alone (crop, centring, background …) its
        navigator is that of the signal it was made from until a pass knows more, and ``inav`` cuts it.

    Examples
    --------
    >>> overview_of(d) is overview_of(d)
    True
    """
    with making:
        return _found(signal._overview, _Stamp(signal))


class _Stamp:
    """The fingerprint of a signal in memory, taken where there is anything to compare it with."""

    def __init__(self, signal: BaseSignal) -> None:
        self._signal = signal

    @cached_property
    def _value(self) -> Any:
        return fingerprint(self._signal)

    def fits(self, overview: Overview) -> bool:
        """Whether what an overview holds was found in the data as they are."""
        return overview.stamp is None or overview.stamp == self._value


def _found(lineage: Lineage, stamp: _Stamp) -> Overview:
    root = lineage.root()
    if root.overview is not None and not stamp.fits(root.overview):
        root.overview = None
    if root.overview is not None and root.overview.linked:
        parent = root.overview.parent
        if parent is not None and not _all_fit(parent, stamp):
            root.overview.disinherit()
        return root.overview
    identity = identity_of(root)
    if root.overview is None and identity is not None:
        root.overview = _of_files.get(_key(identity))
        if root.overview is not None:
            return root.overview
    overview = root.made()
    if identity is not None and root.frames is not None:
        _of_files.setdefault(_key(identity), overview)
        if not overview.complete:
            load_overview(identity, root.frames, overview)
    if root.parent is not None and root.how in ("image", "cut"):
        parent = root.parent.root().overview
        parent = _found(root.parent, stamp) if parent is None or stamp.fits(parent) else None
        if parent is not None and _all_fit(parent, stamp):
            overview.inherit(parent, root.cut)
    overview.identity = identity
    overview.linked = True
    return overview


def _all_fit(overview: Overview | None, stamp: _Stamp) -> bool:
    """Whether an overview, and those that it inherits from, were found in the data as they are."""
    while overview is not None:
        if not stamp.fits(overview):
            return False
        overview = overview.parent
    return True


def _key(identity: dict[str, Any]) -> str:
    return f"{identity['path']}\0{identity['token']}"

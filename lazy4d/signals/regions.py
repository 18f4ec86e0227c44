"""Named regions of a signal, on its scan and on its frames, kept in the metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from lazy4d.axes import Axis
from lazy4d.metadata import Metadata
from lazy4d.roi import ROI, exchanged, regridded, roi_from_dictionary

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal

PLANES = ("navigation", "signal")
_NODE = "Regions"
_CUTS = frozenset({"inav", "isig", "rebin"})
"""Operations after which the same values of the axes are the same places; after others it is the same pixels."""


def plane_axes(signal: Any, plane: str) -> tuple[Axis, ...]:
    """The axes that regions of a plane lie on, x-first: the two fastest of the scan or of the frame, or the only one.

    Examples
    --------
    >>> [axis.name for axis in plane_axes(d, "navigation")]
    ['x', 'y']
    """
    return _fastest(signal.nav_axes if plane == "navigation" else signal.frame_axes)


def _fastest(rows: Sequence[Axis]) -> tuple[Axis, ...]:
    return tuple(rows[::-1][:2])


class _Named(MutableMapping[str, ROI]):
    """A mapping that raises `ValueError` for an unknown name."""

    def get(self, name: str, default: Any = None) -> Any:
        """The region, or the default where there is none of that name."""
        return self[name] if name in self else default

    def pop(self, name: str, *default: Any) -> Any:
        """The region, which is deleted; the default, if one is given, where there is none of that name."""
        if default and name not in self:
            return default[0]
        found = self[name]
        del self[name]
        return found


class RegionPlane(_Named):
    """The regions of one plane, by name; see `Regions`.

    Examples
    --------
    >>> d.regions.signal["bright field"] = l4.CircleROI(8, 8, 3)
    >>> d.regions.signal
    {'bright field': CircleROI(cx=8, cy=8, r=3, r_inner=0)}
    """

    def __init__(self, regions: Regions, plane: str) -> None:
        self._regions, self._plane = regions, plane
        self._text, self._live = "", dict[str, ROI]()

    def _rois(self) -> dict[str, ROI]:
        """The regions, read again where the metadata were changed by somebody else."""
        text = self._regions._metadata.get_item((_NODE, self._plane), "") or ""
        if text != self._text:
            for roi in self._live.values():
                roi.observe(self._edited, "changed", remove=True)
            self._text, self._live = text, _read(text)
            for roi in self._live.values():
                roi.observe(self._edited, "changed")
        return self._live

    def _keep(self, rois: dict[str, ROI], name: str) -> None:
        """Write the regions to the metadata, and tell whoever observes."""
        self._live = rois
        self._text = _written(rois)
        metadata = self._regions._metadata
        if rois:
            metadata.set_item((_NODE, self._plane), self._text)
        elif metadata.has_item((_NODE, self._plane)):
            del metadata[(_NODE, self._plane)]
            if not metadata.get_item((_NODE,)):
                del metadata[(_NODE,)]
        self._regions._tell(name)

    def _edited(self, event: Any) -> None:
        name = next((name for name, roi in self._live.items() if roi is event.object), None)
        if name is not None:
            self._keep(self._live, name)

    def __getitem__(self, name: str) -> ROI:
        found = self._rois()
        if name not in found:
            raise ValueError(_unknown(name, found, self._plane))
        return found[name]

    def __setitem__(self, name: str, roi: ROI) -> None:
        if not isinstance(roi, ROI):
            raise TypeError(f"expected a region such as CircleROI for {name!r}, found {roi!r} ({type(roi).__name__})")
        if not isinstance(name, str) or not name:
            raise TypeError(f"expected a name of at least one letter for {roi!r}, found {name!r}")
        axes = plane_axes(self._regions._signal, self._plane)
        if roi._fields:
            roi.mask(axes)  # says what is wrong, such as a unit that does not fit
        for plane in self._regions._planes.values():
            if plane is not self and name in plane:
                del plane[name]
        found = dict(self._rois())
        if name in found:
            found[name].observe(self._edited, "changed", remove=True)
        found[name] = roi
        roi.observe(self._edited, "changed")
        self._keep(found, name)

    def __delitem__(self, name: str) -> None:
        found = dict(self._rois())
        if name not in found:
            raise ValueError(_unknown(name, found, self._plane))
        found.pop(name).observe(self._edited, "changed", remove=True)
        self._keep(found, name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._rois()))

    def __len__(self) -> int:
        return len(self._rois())

    def __contains__(self, name: object) -> bool:
        return name in self._rois()

    def __repr__(self) -> str:
        return repr(dict(self._rois()))


class Regions(_Named):
    """Named regions of a signal: what ``s.regions`` is.

    ``s.regions["grain"] = roi`` names a region of the scan (of the frame, for a signal without a scan);
    ``s.regions.signal["bright field"] = roi`` one of the frame, such as a detector. A name stands for one region. They
    are kept in ``metadata.Regions``, so that they are saved with the data, and go with the results of operations: a
    crop or a rebinning moves them, and what lies outside is left out.

    Changing a region in place (``s.regions["grain"].r = 5``) changes what is kept.

    Examples
    --------
    >>> d.regions["grain"] = l4.RectangleROI(0, 0, 2, 2)
    >>> d.regions.signal["bright field"] = l4.CircleROI(8, 8, 3)
    >>> list(d.regions), d.inav[1:].regions["grain"]
    (['grain', 'bright field'], RectangleROI(left=-1, top=0, right=1, bottom=2))
    """

    def __init__(self, signal: BaseSignal) -> None:
        self._signal = signal
        self._metadata = signal.metadata
        self._planes = {plane: RegionPlane(self, plane) for plane in PLANES}
        self._handlers: list[Callable[[str], None]] = []

    @property
    def navigation(self) -> RegionPlane:
        """Regions of the scan."""
        return self._planes["navigation"]

    @property
    def signal(self) -> RegionPlane:
        """Regions of the frames."""
        return self._planes["signal"]

    def observe(self, handler: Callable[[str], None], *, remove: bool = False) -> None:
        """Call ``handler(name)`` after a region was added, changed or deleted; no more, with `remove`.

        Examples
        --------
        >>> seen = []
        >>> d.regions.observe(seen.append)
        >>> d.regions["grain"] = l4.RectangleROI(0, 0, 2, 2)
        >>> d.regions["grain"].right = 3
        >>> del d.regions["grain"]
        >>> seen
        ['grain', 'grain', 'grain']
        """
        if remove:
            self._handlers = [one for one in self._handlers if one != handler]
        else:
            self._handlers.append(handler)

    def _tell(self, name: str) -> None:
        for handler in tuple(self._handlers):
            handler(name)

    def __getitem__(self, name: str) -> ROI:
        for plane in self._planes.values():
            if name in plane:
                return plane[name]
        raise ValueError(_unknown(name, self))

    def __setitem__(self, name: str, roi: ROI) -> None:
        home = next((plane for plane in self._planes.values() if name in plane), None)
        if home is None:
            home = self.navigation if self._signal.nav_shape else self.signal
        home[name] = roi

    def __delitem__(self, name: str) -> None:
        for plane in self._planes.values():
            if name in plane:
                del plane[name]
                return
        raise ValueError(_unknown(name, self))

    def __iter__(self) -> Iterator[str]:
        for plane in self._planes.values():
            yield from plane

    def __len__(self) -> int:
        return sum(len(plane) for plane in self._planes.values())

    def __contains__(self, name: object) -> bool:
        return any(name in plane for plane in self._planes.values())

    def __repr__(self) -> str:
        lines = [
            f"{plane}: {name} = {roi!r}" for plane, rois in self._planes.items() for name, roi in rois._rois().items()
        ]
        return "\n".join(lines) or "<no regions; name one with s.regions['name'] = roi>"


def _unknown(name: object, known: Any, plane: str = "") -> str:
    where = f"{plane} region" if plane else "region"
    return (
        f"expected the name of a {where}, found {name!r}: there are {sorted(known)}; add one with s.regions[name] = roi"
    )


def _written(rois: Mapping[str, ROI]) -> str:
    return json.dumps({name: roi.as_dictionary() for name, roi in rois.items()}, ensure_ascii=False)


def _read(text: str) -> dict[str, ROI]:
    """Regions from the text kept in metadata; what cannot be read, as of a newer version, is left out."""
    rois = {}
    try:
        content = json.loads(text or "{}")
        for name, described in content.items():
            try:
                rois[str(name)] = roi_from_dictionary(described)
            except (ValueError, TypeError):
                continue
    except (ValueError, AttributeError):
        return {}
    return rois


@property  # type: ignore[misc]
def regions(signal: BaseSignal) -> Regions:
    """Named regions of the scan and of the frames, kept in the metadata and saved with the data; see `Regions`.

    Examples
    --------
    >>> d.regions["grain"] = l4.CircleROI(1, 2, 1.5)
    >>> d.get_region_mean("grain").data.shape
    (16, 16)
    """
    found = signal.__dict__.get("_regions")
    if found is None:
        found = signal.__dict__["_regions"] = Regions(signal)
    return found


def carried(signal: Any, axes: Sequence[Axis], op: str) -> Metadata:
    """A copy of a signal's metadata for a result of `op` on `axes` (numpy order), its regions moved to them.

    Regions go where both their axes go (by name), also from the scan to the frames in a transpose; those whose axes
    are gone, or that lie outside what is left, are not in it.
    """
    metadata: Metadata = signal._metadata.copy()
    if not metadata.has_item((_NODE,)):
        return metadata
    after = {
        "navigation": _fastest([axis for axis in axes if axis.navigate]),
        "signal": _fastest([axis for axis in axes if not axis.navigate]),
    }
    kept: dict[str, dict[str, ROI]] = {plane: {} for plane in PLANES}
    for plane in PLANES:
        before = plane_axes(signal, plane)
        names = [axis.name for axis in before]
        order = (plane, *(other for other in PLANES if other != plane))
        target = next((one for one in order if names and sorted(_names(after[one])) == sorted(names)), None)
        if target is None:
            continue
        turned = _names(after[target]) != names
        for name, roi in _read(metadata.get_item((_NODE, plane), "")).items():
            if turned:
                moved = _carried(exchanged(roi, before), before[::-1], after[target], op)
            else:
                moved = _carried(roi, before, after[target], op)
            if moved is not None:
                kept[target][name] = moved
    texts = {plane: _written(rois) for plane, rois in kept.items() if rois}
    if texts:
        metadata.set_item((_NODE,), texts)
    else:
        del metadata[(_NODE,)]
    return metadata


def mirror(result: Any, signal: Any, reverse: Sequence[bool]) -> None:
    """Have the regions of a mirrored signal lie on the pixels that they were on, wherever these went.

    Parameters
    ----------
    result, signal : BaseSignal
        After and before.
    reverse : sequence of bool
        Which axes are in reverse order, numpy order.
    """
    reversed_axes = [axis for axis, one in zip([*signal.nav_axes, *signal.frame_axes], reverse, strict=True) if one]
    for plane in PLANES:
        before, after = plane_axes(signal, plane), plane_axes(result, plane)
        flags = [any(axis is one for one in reversed_axes) for axis in before]
        rois = _read(signal._metadata.get_item((_NODE, plane), "") or "")
        if not any(flags) or not rois:
            continue
        turned = [axis.sliced(slice(None, None, -1)) if one else axis for axis, one in zip(before, flags, strict=True)]
        kept = {}
        for name, roi in rois.items():
            moved = regridded(roi, before, turned, by_value=True)
            moved = None if moved is None else regridded(moved, turned, after, by_value=False)
            if moved is not None:
                kept[name] = moved
        result._metadata.set_item((_NODE, plane), _written(kept))


def _names(axes: Sequence[Axis]) -> list[str]:
    return [axis.name for axis in axes]


def _carried(roi: ROI, before: Sequence[Axis], after: Sequence[Axis], op: str) -> ROI | None:
    def grid(axis: Axis) -> tuple[int, float, float, str]:
        return axis.size, axis.scale, axis.offset, axis.units

    if [grid(one) for one in before] == [grid(one) for one in after]:
        return roi
    by_value = op in _CUTS
    if not by_value and [one.size for one in before] != [one.size for one in after]:
        return None
    return regridded(roi, before, after, by_value=by_value)

"""What a method makes of one frame, and what stands beside it so that it can be judged: computed, nothing drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.tuning.methods import Method
from lazy4d.plot.tuning.tuning_frames import Position, TuningFrames, in_memory
from lazy4d.signals import BaseSignal
from lazy4d.signals.beam.position import FINDERS
from lazy4d.signals.frame_center import frame_center, pixel_steps
from lazy4d.signals.ring_geometry import undistorting_matrix
from lazy4d.units import PIXEL, convert, parse

GROUP = 5
"""Frames of a sample that are centred between two looks whether anybody still waits."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method makes of one frame.

    Parameters
    ----------
    position : tuple of int
        Of the frame, x-first.
    frame : BaseSignal
        The frame, in memory.
    result : BaseSignal or DiffractionVectors
        What the method gives for it, computed.
    beside : mapping
        Other things to show, by their names.
    text : str
        What came out, in a few words.
    """

    position: Position
    frame: BaseSignal
    result: Any
    beside: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be computed: a method with its parameters, for a frame of a scan."""

    method: Method
    call: Mapping[str, Any]
    frames: TuningFrames
    position: Position

    @property
    def signal(self) -> Any:
        """The scan."""
        return self.frames.signal

    def frame(self) -> Any:
        """The frame in memory."""
        return self.frames.at(self.position)

    def here(self) -> dict[str, Any]:
        """The parameters for this frame alone: of signals with one value a position that of this one."""
        return {name: self._cut(value) for name, value in self.call.items()}

    def _cut(self, value: Any) -> Any:
        if not getattr(value, "nav_shape", ()):
            return value
        one = value.inav[self.position]
        return in_memory(one, np.asarray(one.data.compute(scheduler="synchronous") if one.lazy else one.data))


def look(task: Task) -> Outcome:
    """What the method of a task makes of its frame.

    Examples
    --------
    >>> from lazy4d.plot.tuning.methods import METHODS
    >>> look(Task(METHODS["center_of_mass"], {}, TuningFrames(d), (1, 2))).result
    <BeamPosition, title: beam position, dimensions: (|2), float64, 16 B>
    """
    return _LOOKS[task.method.look](task)


def known(signal: Any) -> Any:
    """A result for one frame, computed here and now, whatever scheduler dask would take."""
    if not signal.lazy:
        return signal
    return in_memory(signal, np.asarray(signal.data.compute(scheduler="synchronous")))


def _called(task: Task) -> Any:
    """The result of the method for the frame, as that of the whole scan is there."""
    call = task.call
    if not any(getattr(value, "nav_shape", ()) for value in call.values()):
        return known(getattr(task.frame(), task.method.name)(**call))
    box = tuple(slice(i, i + 1) for i in task.position)  # a scan of one position, for one value a position
    frame = in_memory(task.signal.inav[box], task.frame().data[(None,) * len(box)])
    cut = {name: value.inav[box] if getattr(value, "nav_shape", ()) else value for name, value in call.items()}
    return known(getattr(frame, task.method.name)(**cut).inav[(0,) * len(box)])


def _vectors(task: Task) -> Outcome:
    from lazy4d.signals.peaks.preview import preview_vectors

    call = task.here()
    usual = "local_max" if task.method.name == "find_peaks" else "template"
    seen = preview_vectors(task.frame(), (), **{"method": usual, **call})
    number = seen.vectors.ragged.total
    refused = sum(seen.refused().values())
    text = f"{number} vector{'' if number == 1 else 's'}, {refused} candidates refused"
    return Outcome(task.position, task.frame(), seen.vectors, {"search": seen}, text)


def _image(task: Task) -> Outcome:
    result = _called(task)
    low, high = (float(f(result.data)) for f in (np.nanmin, np.nanmax))
    return Outcome(task.position, task.frame(), result, {}, f"values from {low:.3g} to {high:.3g}")


def _line(task: Task) -> Outcome:
    return Outcome(task.position, task.frame(), _called(task), {}, "")


def _background(task: Task) -> Outcome:
    frame, result = task.frame(), _called(task)
    pixels = np.asarray(frame.data, np.float64)
    call = task.here()
    if call.get("divide"):
        taken = known(frame.subtract_diffraction_background(**{**call, "divide": False, "clip": False})).data
    elif call.get("clip"):
        taken = known(frame.subtract_diffraction_background(**{**call, "clip": False})).data
    else:
        taken = result.data
    total = pixels.sum()
    background = pixels - taken
    share = float(background.sum() / total) if total else 0.0
    return Outcome(
        task.position, frame, result, {"background": background}, f"{100 * share:.1f} % of the intensity taken off"
    )


def _profile(task: Task) -> Outcome:
    result = _called(task)
    return Outcome(task.position, task.frame(), result, _rings(task, result), f"{result.frame_shape[0]} radial bins")


def _polar(task: Task) -> Outcome:
    result = _called(task)
    rows, columns = result.frame_shape
    beside = _rings(task, result)
    return Outcome(task.position, task.frame(), result, beside, f"{rows} radial × {columns} azimuthal bins")


def _rings(task: Task, result: BaseSignal) -> dict[str, Any]:
    """Which pixels count, and about which (y, x)."""
    return {"covered": covered(task, result), "center": frame_center(task.frame(), task.here().get("center"))}


def covered(task: Task, result: BaseSignal) -> NDArray[np.bool_]:
    """The pixels of the frame that lie in the bins of an azimuthal integral: bool [ky, kx]."""
    frame, call = task.frame(), task.here()
    y, x = frame.frame_axes
    middle = frame_center(frame, call.get("center"))
    matrix = undistorting_matrix(frame, call.get("ellipse")) @ np.diag(pixel_steps(frame))
    offsets = np.moveaxis(np.indices(frame.frame_shape), 0, -1) - np.asarray(middle)
    dy, dx = np.moveaxis(offsets @ matrix.T, -1, 0)
    energy = x.beam_energy if x.beam_energy is not None else y.beam_energy
    pixel = math.sqrt(abs(float(convert(y.scale, y.units, x.units, energy)) * x.scale))
    k = result.frame_axes[0]
    ends = np.array([k.offset - k.scale / 2, k.offset + k.scale * (k.size - 0.5)])
    if k.units != PIXEL or x.units == PIXEL:
        ends = np.array([float(convert(end, k.units, x.units, energy)) for end in ends]) / pixel
    radius = np.hypot(dy, dx)
    inside = (radius >= ends[0]) & (radius < ends[1])
    span = call.get("azimuth_range")
    if span is not None:
        start, stop = (_radians(one) for one in span)
        turn = (stop - start) % (2 * np.pi) or 2 * np.pi
        inside &= (np.arctan2(dy, dx) - start) % (2 * np.pi) < turn
    mask = call.get("mask")
    if mask is not None:
        inside &= mask.mask((x, y)) if hasattr(mask, "spans") else np.asarray(getattr(mask, "data", mask), bool)
    return np.asarray(inside, bool)


def _radians(angle: Any) -> float:
    if isinstance(angle, str):
        value, unit = parse(angle)
        return float(convert(value, unit, "rad"))
    return float(angle)


# -- the direct beam -------------------------------------------------------------------------------------------------


def _beam(task: Task) -> Outcome:
    frame, call = task.frame(), task.here()
    moving = {name: call.pop(name) for name in ("interpolation", "fill") if name in call}
    if task.method.name == "center_of_mass":
        call["method"] = "center_of_mass"
    if call.get("method") == "interpolate":
        found, score = _interpolated(task), float("nan")
    else:
        if isinstance(call.get("reference"), str) and call["reference"] == "mean":
            raise ValueError('reference="mean" takes a pass over the scan: give reference=s.mean().compute() instead')
        lazily = frame.get_direct_beam_position(**call)
        found, score = known(lazily), float(known(lazily.score).data)
    place = np.asarray(found.data, np.float64)
    centred = known(frame.center_direct_beam(position=place, **moving))
    centring = task.method.name == "center_direct_beam"
    beside = {"place": place, "centred": centred, "radius": _radius(frame, call)}
    y, x = (np.asarray(found.center) - place).tolist()
    text = f"y {place[0]:.2f}, x {place[1]:.2f} px; to the middle {y:+.2f}, {x:+.2f} px"
    text += "" if np.isnan(score) else f"; score {score:.3g}"
    return Outcome(task.position, frame, centred if centring else found, beside, text)


def _radius(frame: BaseSignal, call: Mapping[str, Any]) -> float | None:
    given = call.get("radius")
    return None if given is None else float(frame.frame_axes[1].length_to_pixels(given))


def _interpolated(task: Task) -> Any:
    """The position at the frame of a surface through the positions of a sample of the scan, whose frames are read."""
    call = {name: value for name, value in task.call.items() if name not in ("interpolation", "fill")}
    whole = task.frames.once(call, lambda: _surface(task, call))
    return known(whole.inav[task.position])


def _surface(task: Task, call: Mapping[str, Any]) -> Any:
    found = task.signal.get_direct_beam_position(**call)
    return in_memory(found, np.asarray(found.data.compute(scheduler="synchronous")))


def sums_of(task: Task) -> Iterator[dict[str, Any] | None]:
    """The sum over positions spread over the scan, as they are and centred; None while it is not complete."""
    call = dict(task.call)
    moving = {name: call.pop(name) for name in ("interpolation", "fill") if name in call}
    if task.method.name == "center_of_mass":
        call["method"] = "center_of_mass"
    if any(getattr(one, "nav_shape", ()) for one in call.values()):  # one value a position: not of these few
        return
    found: Any = None
    for one in task.frames.sample():
        found = one
        yield None
    places, sample = found
    before = np.zeros(sample.frame_shape)
    after, positions = np.zeros(sample.frame_shape), []
    for start in range(0, len(places), GROUP):
        few: Any = in_memory(sample.inav[start : start + GROUP], sample.data[start : start + GROUP])
        if call.get("method", "center_of_mass") in FINDERS:
            position = few.get_direct_beam_position(**call).data.compute(scheduler="synchronous")
        else:
            whole = task.frames.once(call, lambda: _surface(task, call))
            position = np.asarray(whole.data)[tuple(places[start : start + GROUP].T)]
        seen = np.isfinite(position).all(axis=-1)
        centred = few.center_direct_beam(position=np.where(seen[:, None], position, 0.0), **moving)
        before += np.asarray(few.data).sum(axis=0, dtype=np.float64)
        after += np.asarray(centred.data.compute(scheduler="synchronous"))[seen].sum(axis=0, dtype=np.float64)
        positions.append(position[seen])
        yield None
    known = np.concatenate(positions)
    spread = known.std(axis=0) if len(known) else np.full(2, np.nan)
    yield {"before": before, "after": after, "count": len(places), "spread": spread}


_LOOKS: dict[str, Callable[[Task], Outcome]] = {
    "vectors": _vectors,
    "beam": _beam,
    "background": _background,
    "image": _image,
    "profile": _profile,
    "polar": _polar,
    "line": _line,
}

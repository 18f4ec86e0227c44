"""Which pictures show an outcome: frames with what was found in them, correlations, backgrounds, profiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

from lazy4d.plot.contrast import DECADES
from lazy4d.plot.marks import UNCLASSED, Marks
from lazy4d.plot.panels import quantity_of

if TYPE_CHECKING:
    from lazy4d.axes import Axis
    from lazy4d.plot.tuning.controller import Tuned
    from lazy4d.plot.tuning.looking import Outcome

FOUND, MASKED, CENTER = "#35c9ff", "#ffb000", "#8dff6b"

REASONS = {
    "accepted": ("accepted", FOUND),
    "no more significant than noise": ("noise", UNCLASSED),
    "score below the threshold": ("score", "#ff5fa2"),
    "height below the threshold": ("height", "#b58cff"),
    "prominence below the threshold": ("prominence", "#fff35c"),
    "too close to a higher one": ("too close", "#ffb000"),
    "beyond max_peaks": ("max_peaks", "#8fb4ff"),
    "too little of it is seen": ("hidden", "#ff7a45"),
}
"""What may become of a candidate: its name in a legend, and its colour."""

REFUSED = 60
"""The highest refused candidates are drawn, up to this number, as every frame has hundreds of noise."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image with marks, as a panel shows it.

    Parameters
    ----------
    title : str
        Above it.
    values : ndarray [rows, columns]
        What is shown.
    axes : (Axis, Axis)
        Along rows and columns.
    label : str
        What the values count.
    kind : {"pattern", "map", "signed"}
        Of values.
    norm, power, limits
        Of the colour scale.
    marks : sequence of Marks
        Circles.
    outlines : sequence of (bool ndarray, str)
        Pixels to outline, and their colours.
    crosses : sequence of (float, float, str)
        Places (y, x) in pixels, and their colours.
    key : sequence of (str, str)
        Names and colours for a legend.
    """

    title: str
    values: NDArray[Any]
    axes: tuple[Axis, Axis]
    label: str = "counts"
    kind: str = "pattern"
    norm: str = "auto"
    power: float = 0.5
    limits: tuple[float | None, float | None] | None = None
    marks: Sequence[Marks] = ()
    outlines: Sequence[tuple[NDArray[np.bool_], str]] = ()
    crosses: Sequence[tuple[float, float, str]] = ()
    key: Sequence[tuple[str, str]] = ()

    @property
    def shape(self) -> Any:
        """What a panel has to be made for: another one cannot be shown by the same."""
        axes = tuple((one.name, one.units, one.scale, one.offset, one.size) for one in self.axes)
        return ("image", axes, self.label, self.kind, self.norm, self.power)


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over an axis."""

    title: str
    values: NDArray[Any]
    axis: Axis
    label: str = "counts"

    @property
    def shape(self) -> Any:
        """What a panel has to be made for."""
        return ("curve", self.axis.name, self.axis.units, self.label)


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points, each with a colour, and a threshold.

    Parameters
    ----------
    title : str
        Above them.
    x, y : ndarray [n]
        What they are drawn over.
    colors : ndarray [n, 4]
        One a point.
    names : (str, str)
        Of x and y.
    key : sequence of (str, str)
        Names and colours for a legend.
    line : float, optional
        Where a threshold of x is.
    """

    title: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colors: NDArray[np.float64]
    names: tuple[str, str]
    key: Sequence[tuple[str, str]] = ()
    line: float | None = None

    @property
    def shape(self) -> Any:
        """What a panel has to be made for."""
        return ("scatter", self.names)


Shown = Picture | Curve | Scatter


def rows_of(tuned: Tuned, look: str) -> list[list[Shown]]:
    """The pictures of all outcomes in rows: of several positions one above the other, a position a column.

    Examples
    --------
    >>> from lazy4d.plot.tuning.controller import TuningController
    >>> tuning = TuningController(d, "template_match_disk", (1, 2), disk_r=3)
    >>> tuning.wait(60), [[one.title for one in row] for row in rows_of(tuning.updates()[-1], tuning.method.look)]
    (True, [['frame (1, 2)', 'template_match_disk']])
    >>> tuning.close()
    """
    several = len(tuned.outcomes) > 1
    columns = [_VIEWS[look](outcome, tuned, several) for outcome in tuned.outcomes]
    if several:
        return [[column[k] for column in columns if k < len(column)] for k in range(max(map(len, columns)))]
    shown = columns[0]
    return [shown] if len(shown) <= 2 else [shown[k : k + 2] for k in range(0, len(shown), 2)]


def _frame(outcome: Outcome, **more: Any) -> Picture:
    """The frame itself."""
    place = f" ({', '.join(map(str, outcome.position))})" if outcome.position else ""
    frame = outcome.frame
    y, x = frame.frame_axes
    return Picture(f"frame{place}", np.asarray(frame.data), (y, x), quantity_of(frame), **more)


def _vectors(outcome: Outcome, tuned: Tuned, several: bool) -> list[Shown]:
    seen = outcome.beside["search"]
    found = seen.vectors.ragged
    radius = seen.options.get("disk_r")
    circles = Marks(found["ky"], found["kx"], FOUND, None if radius is None else float(radius))
    masked = () if seen.mask.all() else ((~seen.mask, MASKED),)
    frame = _frame(outcome, marks=(circles,), outlines=masked)
    number = f", {found.total} vector{'' if found.total == 1 else 's'}"
    pictures: list[Shown] = [_renamed(frame, frame.title + number)]
    if several:
        return pictures
    candidates, key = _candidates(seen.candidates)
    axes = seen.frame_axes
    matched = seen.correlation is not None
    if matched:
        pictures.append(
            Picture(
                "matched filter", np.maximum(seen.correlation, 0), axes, "height", "map", "power", 0.4, (0.0, None),
                marks=candidates, key=key,
            )
        )  # fmt: skip
    if not matched or seen.options.get("filter"):
        kind = "map" if seen.options.get("filter") else "pattern"
        pictures.append(
            Picture("frame as it was searched", seen.filtered, axes, "intensity", kind, marks=candidates, key=key)
        )
    if matched and len(pictures) < 3:
        pictures.append(
            Picture(
                "score", seen.score_image, axes, "correlation coefficient", "map", limits=(0.0, 1.0), marks=candidates
            )
        )  # fmt: skip
    pictures.append(_thresholds(seen, matched))
    return pictures


def _thresholds(seen: Any, matched: bool) -> Scatter:
    """Height of all candidates over their score (of maxima: in their order), and the threshold there is."""
    found = seen.candidates
    colors = np.array([to_rgba(REASONS[str(one)][1]) for one in found["reason"]]).reshape(-1, 4)
    height = np.asarray(found["height"], np.float64)
    threshold = seen.options.get("threshold_abs")
    if matched:
        score = np.asarray(found["score"], np.float64)
        return Scatter("candidates", score, height, colors, ("score", "height"), line=threshold)
    order = np.arange(1.0, height.size + 1)
    return Scatter("candidates", height, order, colors, ("height", "number of maxima as high"), line=threshold)


def _renamed(picture: Picture, title: str) -> Picture:
    return replace(picture, title=title)


def _candidates(found: dict[str, Any]) -> tuple[tuple[Marks, ...], list[tuple[str, str]]]:
    """Small circles where maxima are, coloured by what became of them, and the names of these colours."""
    reason = found["reason"]
    refused = np.flatnonzero(reason != "accepted")
    shown = reason == "accepted"
    shown[refused[np.argsort(-found["height"][refused], kind="stable")[:REFUSED]]] = True
    names = [name for name in REASONS if (reason[shown] == name).any()]
    colors = np.array([to_rgba(REASONS[str(one)][1]) for one in reason[shown]]).reshape(-1, 4)
    marks = Marks(found["ky"][shown].astype(float), found["kx"][shown].astype(float), colors, size=5.0)
    return (marks,), [REASONS[name] for name in names]


def _beam(outcome: Outcome, tuned: Tuned, several: bool) -> list[Shown]:
    place, centred = outcome.beside["place"], outcome.beside["centred"]
    seen = bool(np.isfinite(place).all())
    y, x = (float(one) for one in place)
    radius = outcome.beside["radius"]
    circles = (Marks(np.array([y]), np.array([x]), FOUND, radius),) if seen and radius else ()
    marked = _frame(outcome, marks=circles, crosses=((y, x, FOUND),) if seen else ())
    cy, cx = centred.frame_axes
    middle = ((cy.size // 2, cx.size // 2, CENTER),)
    ring = (Marks(np.array([float(cy.size // 2)]), np.array([float(cx.size // 2)]), CENTER, radius),) if radius else ()
    label = quantity_of(outcome.frame)
    pictures: list[Shown] = [
        marked,
        Picture("centred", np.asarray(centred.data), (cy, cx), label, crosses=middle, marks=ring),
    ]
    if several or not tuned.outcomes[0].position:
        return pictures
    sums = tuned.sums
    axes = tuple(outcome.frame.frame_axes)
    count = sums.get("count")
    n = f" of {count} frames" if count else ""
    missing = np.full(outcome.frame.frame_shape, np.nan)
    before, after = sums.get("before", missing), sums.get("after", missing)
    alike = _scale_of(before, after) if sums else None
    pictures.append(Picture(f"sum{n}, as they are", before, axes, label, limits=alike))  # type: ignore[arg-type]
    pictures.append(Picture(f"sum{n}, centred", after, (cy, cx), label, limits=alike, crosses=middle))
    return pictures


def _scale_of(*values: NDArray[Any]) -> tuple[float, float] | None:
    """From the least to the largest value above 0 of the first, up to the largest of all; None where nothing is."""
    above = values[0][values[0] > 0]
    if not above.size:
        return None
    high = max(float(np.nanmax(one)) for one in values)
    low = max(float(above.min()), high / 10**DECADES)
    return (low, high) if low < high else None


def _background(outcome: Outcome, tuned: Tuned, several: bool) -> list[Shown]:
    frame = _frame(outcome)
    divided = bool(tuned.call.get("divide"))
    scale = _scale_of(frame.values)
    background = Picture("background", outcome.beside["background"], frame.axes, frame.label, limits=scale)
    result = np.asarray(outcome.result.data)
    if divided:
        after = Picture("frame / background", result, frame.axes, "ratio", "map", "power", 0.5, (0.0, None))
    else:
        after = Picture("frame less background", result, frame.axes, frame.label, norm="log", limits=scale)
    rest = result - float(divided)
    reach = float(np.nanquantile(np.abs(rest), 0.97)) or float(np.nanmax(np.abs(rest), initial=1.0))
    name = "ratio less 1" if divided else frame.label
    left = Picture("what is left, above and below 0", rest, frame.axes, name, "signed", limits=(-reach, reach))
    return [frame, after] if several else [frame, background, after, left]


def _image(outcome: Outcome, tuned: Tuned, several: bool) -> list[Shown]:
    frame, result = _frame(outcome), outcome.result
    y, x = result.frame_axes
    name = result.history[-1].op
    own = name.startswith("template") or name.startswith("get_angular")
    if own:
        shown = Picture(name, np.asarray(result.data), (y, x), quantity_of(result, "height"), "map")
        return [frame, shown]
    shown = Picture(name, np.asarray(result.data), (y, x), frame.label, norm="log", limits=_scale_of(frame.values))
    return [_with_cross(frame), _with_cross(shown)]


def _with_cross(picture: Picture) -> Picture:
    y, x = picture.axes
    return replace(picture, crosses=((y.size // 2, x.size // 2, CENTER),))


def _rings(outcome: Outcome) -> Picture:
    y, x = outcome.beside["center"]
    covered = outcome.beside["covered"]
    outlines = () if covered.all() else ((covered, FOUND),)
    return _frame(outcome, outlines=outlines, crosses=((y, x, FOUND),))


def _quantity(outcome: Outcome, tuned: Tuned) -> str:
    statistic = tuned.call.get("statistic") or ("mean" if tuned.call.get("mean") else "sum")
    if outcome.result.history[-1].op == "get_radial_profile" or tuned.call.get("statistic") is None:
        statistic = str(outcome.result.history[-1].params.get("statistic", statistic))
    return f"{quantity_of(outcome.frame)}, {statistic.replace('_', ' ')}"


def _profile(outcome: Outcome, tuned: Tuned, several: bool) -> list[Shown]:
    result = outcome.result
    curve = Curve("profile", np.asarray(result.data), result.frame_axes[0], _quantity(outcome, tuned))
    return [_rings(outcome), curve]


def _polar(outcome: Outcome, tuned: Tuned, several: bool) -> list[Shown]:
    result = outcome.result
    k, azimuth = result.frame_axes
    return [_rings(outcome), Picture("polar", np.asarray(result.data), (k, azimuth), _quantity(outcome, tuned))]


def _line(outcome: Outcome, tuned: Tuned, several: bool) -> list[Shown]:
    result = outcome.result
    curve = Curve(result.history[-1].op, np.asarray(result.data), result.frame_axes[0], "correlation")
    return [_frame(outcome), curve]


_VIEWS: dict[str, Callable[[Any, Any, bool], list[Shown]]] = {
    "vectors": _vectors,
    "beam": _beam,
    "background": _background,
    "image": _image,
    "profile": _profile,
    "polar": _polar,
    "line": _line,
}

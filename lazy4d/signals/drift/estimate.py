"""By how much repeated scans of one area have to be moved onto each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.axes import Axis
from lazy4d.kernels.registration import REFERENCES, register
from lazy4d.lazy import Frames
from lazy4d.signals.base import BaseSignal
from lazy4d.signals.construction import marked_array
from lazy4d.signals.signal1d import Signal1D

if TYPE_CHECKING:
    from collections.abc import Sequence

METHODS = ("cross_correlate", "phase_correlate")


class ScanShifts(Signal1D, signal_ndim=1):
    """By how much (y, x) each of several scans of one area has to be moved onto the others, in scan positions.

    Data are float64 ``[time, 2]``, columns y and x: scan t moved by it, ``out[y, x] = in[y - dy, x - dx]``, shows the
    area as the reference does. The drift of the specimen is the opposite. Made by `estimate_drift`.

    Examples
    --------
    >>> ScanShifts(np.zeros((5, 2)), title="shifts")
    <ScanShifts, title: shifts, dimensions: (5|2), float64, 80 B>
    """

    @classmethod
    def _fits(cls, frame_shape: tuple[int, ...]) -> bool:
        return frame_shape == (2,)

    @classmethod
    def _expected_frame(cls) -> str:
        return "two numbers, (y, x),"

    @property
    def score(self) -> BaseSignal:
        """The correlation coefficient of each scan and the reference where they overlap: a `VirtualImage` in [-1, 1].

        Raises
        ------
        ValueError
            The shifts are not the result of `estimate_drift` itself.
        """
        if "score" not in self._beside:
            raise ValueError(
                f"{self!r} has no score: it stands beside the result of estimate_drift itself, and beside what inav "
                "selects of that"
            )
        return self._beside["score"]


def estimate_drift(
    signal: BaseSignal,
    reference: str | int = "mean",
    method: str = "cross_correlate",
    *,
    max_shift: Any = None,
    smoothing: float = 0.0,
) -> ScanShifts:
    """By how much each map of a series has to be moved onto the others: `ScanShifts` [time, 2] = (y, x), with scores.

    Parameters
    ----------
    signal : VirtualImage
        Maps ``[time, y, x]`` of one area, taken one after another; nan where unknown.
    reference : {"mean", "first", "previous"} or int
        What each map is compared with: the mean of all others as registered so far, three rounds, which suits noisy
        maps; the first one, or that of a number; or the one before it, for areas that change, where errors add up.
    method : {"cross_correlate", "phase_correlate"}
        "phase_correlate" whitens the spectra: sharper where lighting changes, but noisier.
    max_shift : int, float, str or a pair (x, y) of them, optional
        Largest shift between two maps: ints are positions, floats axis units, text carries its unit. Half the map by
        default.
    smoothing : float
        Fit a smooth path through the shifts, robustly, and give that: movement faster than about 2π smoothing^¼ scans
        is taken for error, single jumps are bridged. 1 and more smooth strongly; 0 gives the shifts as they were found.

    Returns
    -------
    ScanShifts
        Lazy; the first map (or that of the number) at (0, 0). Its `score` is the correlation coefficient reached. nan
        for maps that are nan throughout, and where no overlap of at least a tenth of the area is alike.

    Raises
    ------
    ValueError
        Other than three navigation axes, or an unknown reference or method.

    Notes
    -----
    Whole positions come from the largest correlation coefficient over the shared area, fractions from the correlation
    on a grid of 1/20 of a position with a parabola, repeated on the moved map until nothing is left; frequencies at
    which the maps agree no better than by chance are left out. See `lazy4d.kernels.registration`. All maps are needed
    at once in memory, whatever is done with the result.

    Examples
    --------
    >>> maps = l4.stack([d.get_total_intensity(), d.get_total_intensity()])
    >>> maps.estimate_drift("first").data.shape
    (2, 2)
    """
    time, *scan = _scan_axes(signal)
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, METHODS))}")
    number = isinstance(reference, int | np.integer) and not isinstance(reference, bool)
    if number and not -time.size <= int(reference) < time.size:
        raise ValueError(f"expected the number of a reference from 0 to {time.size - 1}, found {reference!r}")
    if not number and reference not in REFERENCES:
        raise ValueError(
            f"reference={reference!r} is not known: expected one of {', '.join(map(repr, REFERENCES))} or a number"
        )
    if not smoothing >= 0:
        raise ValueError(f"expected smoothing of at least 0, found {smoothing!r}")
    against: str | int = int(reference) % time.size if number else str(reference)
    most = _most(scan, max_shift)
    maps = Frames.from_array(marked_array(signal).rechunk(-1), 0)
    found = maps.map_frames(
        register, against, method == "phase_correlate", most, float(smoothing), shape=(time.size, 3), dtype=np.float64
    )
    array = found.emit().data
    params = {"reference": reference, "method": method, "max_shift": list(reversed(most)), "smoothing": smoothing}
    title = f"shifts of {signal.title}" if signal.title else "shifts"
    column = Axis(name="(y, x)", size=2)
    made = signal._derive(array[:, :2], [time, column], "estimate_drift", params, kind=ScanShifts, title=title)
    score = signal._derive(
        array[:, 2], [time], "estimate_drift", params, kind=signal._class_of[0], title=f"score of {title}"
    )
    made._beside = {"score": score}
    return made  # type: ignore[return-value]


def estimate_drift_of_scan(
    signal: BaseSignal,
    roi: Any = None,
    reference: str | int = "mean",
    method: str = "cross_correlate",
    *,
    max_shift: Any = None,
    smoothing: float = 0.0,
) -> ScanShifts:
    """By how much each of several scans of one area has to be moved onto the others, from a virtual image of each.

    Parameters
    ----------
    signal : Diffraction2D
        Patterns ``[time, y, x, ky, kx]``.
    roi : ROI or ndarray, optional
        The virtual detector; best one with contrast. The total intensity by default.
    reference, method, max_shift, smoothing
        As for `VirtualImage.estimate_drift`, where the result is described.

    Examples
    --------
    >>> scans = l4.stack([d, d])
    >>> scans.estimate_drift(l4.CircleROI(8, 8, 6, r_inner=3), "first").compute().data.shape
    (2, 2)
    """
    _scan_axes(signal)
    made: Any = signal
    image = made.get_total_intensity() if roi is None else made.get_virtual_image(roi)
    if not isinstance(image, BaseSignal):
        raise ValueError(f"expected one detector, found {len(image)}: estimate the drift of each image by itself")
    found = estimate_drift(image, reference, method, max_shift=max_shift, smoothing=smoothing)
    found._history = signal._history.append("estimate_drift", {**found.history[-1].params, "roi": roi})
    return found


def _scan_axes(signal: BaseSignal) -> list[Axis]:
    """Axes of time, y and x."""
    axes = signal.nav_axes
    if len(axes) != 3:
        raise ValueError(
            f"drift needs three navigation axes, (time, y, x) in numpy order, found {len(axes)} in {signal!r}: put "
            "scans together with lazy4d.stack, or select one of several series with inav"
        )
    return axes


def _most(scan: Sequence[Axis], max_shift: Any) -> tuple[int, int]:
    """The largest shift (y, x) in whole positions."""
    y, x = scan
    if max_shift is None:
        return y.size // 2, x.size // 2
    along_x, along_y = max_shift if np.ndim(max_shift) == 1 else (max_shift, max_shift)
    found = int(np.ceil(y.length_to_pixels(along_y))), int(np.ceil(x.length_to_pixels(along_x)))
    if min(found) < 0:
        raise ValueError(f"expected max_shift of at least 0, found {max_shift!r}")
    return found

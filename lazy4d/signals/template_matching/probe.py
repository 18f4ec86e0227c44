"""`get_probe_template`: the beam in vacuum, averaged and centred, as a template for all other frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.kernels.template_probe import add_known, center_bright, known_mean, merge_known
from lazy4d.lazy.reduction import StateArray
from lazy4d.lazy.stage import Kernel
from lazy4d.signals.beam.centering import center_direct_beam
from lazy4d.signals.construction import image_frames
from lazy4d.signals.shifting import KERNELS, check_interpolation

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def get_probe_template(
    signal: BaseSignal,
    positions: Any = None,
    *,
    align: str | None = "center_of_mass",
    interpolation: str = "cubic",
    **options: Any,
) -> Any:
    """The mean of patterns taken in vacuum, the beam centred: one pattern that serves as a template; lazily.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    positions : ROI or bool array (y, x), optional
        Where in the scan there is nothing but vacuum; all by default.
    align : str, optional
        How the beam is found in each pattern, so that they are moved onto each other before they are averaged: a method
        of `get_direct_beam_position`, or None where the beam stands still.
    interpolation : {"cubic", "bilinear", "fourier", "integer"}, optional
        How patterns are moved; see `shift_diffraction`.
    **options
        Of the method: `half_width`, `mask`, `threshold`, `radius` and more.

    Returns
    -------
    BaseSignal
        A single pattern, float32. The beam's centre of mass above half of its range is on pixel ``N // 2``, where the
        axes are 0.

    Raises
    ------
    ValueError
        A signal without scan, positions that are none, or of another shape; an unknown method.
    TypeError
        Options that the method does not have.

    Notes
    -----
    A centre of mass is exact for a single beam on nothing; where there is background or a hot pixel, give a `threshold`
    or `half_width`, or ``align="cross_correlate", radius=...``. Patterns in which no beam is found, and pixels that a
    moved pattern does not show, do not enter the mean. The template is to be computed before it is used:
    ``s.template_match(s.get_probe_template(vacuum).compute())``.

    Examples
    --------
    >>> d.get_probe_template(l4.RectangleROI(0, 0, 2, 2), threshold=2)
    <Diffraction2D, title: probe, dimensions: (|16, 16), float32, lazy 1.0 kB, 1 block>
    """
    image_frames(signal, "a template of the probe")
    if not signal.nav_shape:
        raise ValueError(
            f"expected patterns at positions of a scan, found the single frame {signal!r}: it is a template as it is"
        )
    if align is None and options:
        raise TypeError(f"{', '.join(options)} would be for a method that finds the beam, found align=None")
    chosen: Any = signal if positions is None else signal.inav[_mask(signal, positions)]
    if align is not None:  # what comes from outside of a frame is nan, and does not enter the mean
        chosen = chosen.astype("float32")
        chosen = center_direct_beam(chosen, align, interpolation=interpolation, fill=np.nan, **options)
    sums = (StateArray(signal.frame_shape, np.float64), StateArray(signal.frame_shape, np.int64))
    mean = chosen.reduce_frames(add_known, merge_known, known_mean, state=sums, dtype=np.float32)
    check_interpolation(interpolation)
    center = np.array([n // 2 for n in signal.frame_shape], np.float64)
    move = Kernel(KERNELS[interpolation])
    moved = mean.frames.map_frames(center_bright, move, center, shape=signal.frame_shape, dtype=np.float32)
    axes = [axis.copy() for axis in signal.frame_axes]
    for axis in axes:
        axis.offset = -axis.scale * (axis.size // 2)
    params = {"positions": positions, "align": align, "interpolation": interpolation, **options}
    return mean._derive(moved, axes, "get_probe_template", params, title=_title(signal))


def _title(signal: BaseSignal) -> str:
    return f"probe of {signal.title}" if signal.title else "probe"


def _mask(signal: BaseSignal, positions: Any) -> Any:
    """Positions as a bool array over the scan."""
    if hasattr(positions, "mask"):
        axes = signal.nav_axes
        if len(axes) != 2:
            raise ValueError(
                f"a ROI selects positions of a scan with two axes, found {len(axes)}: give a bool array of shape "
                f"{signal.nav_shape}"
            )
        found = positions.mask((axes[1], axes[0]))
    else:
        found = np.asarray(positions.data if hasattr(positions, "nav_shape") else positions)
    if found.shape != signal.nav_shape or found.dtype != np.bool_ or not found.any():
        raise ValueError(
            f"expected positions as a ROI or a bool array of the scan's shape {signal.nav_shape} (numpy order) that is "
            f"True somewhere, found shape {found.shape} and dtype {found.dtype}"
        )
    return found

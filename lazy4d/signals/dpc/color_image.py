"""`get_color_image`: the displacements of the beam as colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.axes import Axis
from lazy4d.signals.color_image import ColorImage
from lazy4d.signals.dpc.colors import direction_colors
from lazy4d.signals.dpc.phase import map_of_scan
from lazy4d.signals.dpc.vectors import even_scales, moved_frames, rotation_matrix, unit_scales
from lazy4d.units import PIXEL, canonical

if TYPE_CHECKING:
    from lazy4d.signals.beam_position import BeamPosition

LONGEST = "ColorImage.longest"
"""Where the metadata keep the length that full colour stands for, in words, where it is known beforehand."""


def get_color_image(
    signal: BeamPosition,
    *,
    percentile: float = 99.0,
    longest: float | None = None,
    units: str = PIXEL,
    rotation: float = 0.0,
    beam_energy: float | str | None = None,
) -> ColorImage:
    """The direction and length of the beam's displacement as hue and lightness, at each position: a `ColorImage`.

    `lazy4d.plot.panel` draws it with the wheel of its colours.

    Parameters
    ----------
    signal : BeamPosition
        Positions over a scan whose last two axes are y and x; displacements count from where the axes of the frames
        are 0.
    percentile : float, optional
        The percentile of the lengths in a map that gets full colour; longer ones look the same.
    longest : float, optional
        That length itself, in `units`, instead: for several maps on one scale.
    units : str, optional
        Of `longest`, as in `to_units`.
    rotation : float, optional
        Degrees by which vectors are turned first, from +x towards +y.
    beam_energy : float or str, optional
        As in `to_units`.

    Returns
    -------
    ColorImage
        Lazy, uint8 [..., 3]; one task a map. No displacement is black; where there is no beam, the colour is a
        greyish green that no vector has.

    Raises
    ------
    ValueError
        Less than two navigation axes, or numbers out of range.

    Notes
    -----
    Hues lie on a circle of OKLab, so that equal angles look equally different and all directions equally bright.

    Examples
    --------
    >>> d.get_direct_beam_position().get_color_image()
    <ColorImage, title: directions of beam position, dimensions: (4, 4|3), uint8, lazy 48 B, 1 block>
    """
    if len(signal.nav_shape) < 2:
        raise ValueError(f"a colour image needs a scan of two axes, found the navigation shape {signal.nav_shape}")
    if not 0 < percentile <= 100 or (longest is not None and not longest > 0):
        raise ValueError(f"expected percentile in (0, 100] and longest above 0, found {percentile!r}, {longest!r}")
    to = canonical(units)
    scales = even_scales(signal) if to == PIXEL and longest is None else unit_scales(signal, to, beam_energy)
    colors = map_of_scan(
        moved_frames(signal, rotation_matrix(rotation) @ np.diag(scales)),
        colors_of_block,
        shape=(3,),
        dtype=np.uint8,
        percentile=float(percentile),
        longest=longest,
    )
    params = {"percentile": percentile, "longest": longest, "units": to, "rotation": rotation}
    result: Any = signal._derive(
        colors,
        [*signal.nav_axes, Axis(name="color (red, green, blue)", size=3, navigate=False)],
        "get_color_image",
        params,
        kind=ColorImage,
        title=f"directions of {signal.title}" if signal.title else "directions",
    )
    if longest is not None:
        result.metadata.set_item(LONGEST, f"{longest:g} {to}")
    return result


def colors_of_block(block: NDArray[np.float64], *, percentile: float, longest: float | None) -> NDArray[np.uint8]:
    """The colours [..., y, x, 3] of a block of vectors [..., y, x, 2]."""
    full = longest
    if full is None:
        known = np.hypot(block[..., 0], block[..., 1])
        known = known[np.isfinite(known)]
        full = float(np.percentile(known, percentile)) if known.size else 1.0
    colors = direction_colors(block[..., 0], block[..., 1], full)
    return np.round(255 * colors).astype(np.uint8)

"""`preview`: the parameters of a method chosen by eye, on single frames, before it runs on the whole scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def preview(
    signal: BaseSignal,
    name: str,
    /,
    position: Any = None,
    *,
    positions: Sequence[Any] | None = None,
    **initial: Any,
) -> Any:
    """What a method makes of one frame, or a few, while its parameters are tuned: pictures beside sliders.

    Reads the frames that it shows, and a few more spread over the scan where the direct beam is centred. Sliders stand
    beside the picture in notebooks (with ipywidgets; live with ``%matplotlib widget``) and in windows of Qt or Tk;
    anywhere else ``preview.set(...)`` does the same, and ``preview.save("preview.png")`` writes the pictures.

    Parameters
    ----------
    signal : BaseSignal
        Images; a scan of them or a single one.
    name : str
        Of a method: `get_diffraction_vectors`, `find_peaks`, `get_direct_beam_position`, `center_of_mass`,
        `center_direct_beam`, `subtract_diffraction_background`, `template_match`, `template_match_disk`,
        `template_match_ring`, `get_azimuthal_integral1d`, `get_azimuthal_integral2d`, `get_radial_profile`,
        `rotate_diffraction`, `shift_diffraction`, `correct_ellipse`; of patterns in polar coordinates
        `get_angular_correlation`, `get_angular_power`, `get_full_pearson_correlation`.
    position : tuple, optional
        Of the frame, (x, y) as between the brackets of ``inav``; by default the one that the axes show.
    positions : sequence of tuple, optional
        Instead: up to 4 frames side by side, as what suits one frame need not suit another.
    **initial
        Parameters of the method to begin with, in the terms in which they are to be tuned: an int is pixels, a float
        axis units, text carries its unit. Pictures and masks have no slider: they are given here. A radius that the
        method needs begins with that of the brightest disk, roughly.

    Returns
    -------
    Preview
        ``parameters`` (a dict), ``code`` (the call as a line of Python), ``set(...)``, ``result`` (of the frame
        shown), ``apply()`` (the lazy result of the whole scan), ``figure``, ``save(path)``, ``close()``.

    Raises
    ------
    ValueError
        A method that cannot be tuned by eye (the message lists those that can), a position that is none, or a value
        that a parameter cannot have.
    TypeError
        A parameter that the method does not have, or one missing that has no slider.

    See Also
    --------
    preview_vectors : every number and image on the way to the vectors of one frame.

    Examples
    --------
    >>> preview = d.preview("get_diffraction_vectors", (1, 2), disk_r=3)
    >>> preview.set(threshold_abs=0.4, subpixel="center_of_mass")
    >>> preview.code
    's.get_diffraction_vectors(disk_r=3, threshold_abs=0.4, subpixel="center_of_mass")'
    >>> vectors = preview.apply()
    >>> preview.close()
    """
    from lazy4d.plot.tuning.preview import Preview

    return Preview(signal, name, position, positions=positions, **initial)

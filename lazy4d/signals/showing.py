"""Signals as live figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def plot(
    signal: BaseSignal,
    navigator: Any = "auto",
    *,
    norm: str = "auto",
    power: float = 0.5,
    percentile: tuple[float, float] | None = None,
    limits: tuple[float | None, float | None] | None = None,
    cmap: str | None = None,
    vectors: Any = None,
    rois: Any = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
) -> Any:
    """A figure of the signal, at once: an image of the scan to pick positions in, and the frame there.

    Nothing but what is shown is read first: one frame, and frames here and there for the image of the scan (the
    navigator), which then sharpens in the background. In a notebook with ipympl (``%matplotlib widget``) and in windows
    (Qt, Tk …) the figure is live: click or drag in the navigator, or press arrow keys (with Shift for large steps; all
    keys are in `lazy4d.plot.viewer.keys.KEYS`). In a script it is a picture: ``s.plot().save("scan.png")``.

    Parameters
    ----------
    signal : BaseSignal
        Of any kind: frames of two axes are images, frames of one are curves. What has navigation axes alone is one map
        or curve; of a `BeamPosition` it shows displacements from the centre. Of three navigation axes or more the
        further ones have sliders.
    navigator : "auto", BaseSignal, ndarray, dict of these, or None
        The image in which positions are picked: by default what is known of the scan, refined in the background. A
        signal or array over the scan instead; several by name, between which the key n changes; or none.
    norm : {"auto", "linear", "log", "power", "symmetric", "symlog"}
        How values become colours; by default logarithmic for diffraction patterns without negative values, else linear.
    power : float
        Exponent of "power".
    percentile : (low, high), optional
        Per cent of the values at which the colours begin and end. They belong to the frame shown, and stay as they are
        while frames differ little, so that nothing flickers.
    limits : (low, high), optional
        Where the colours begin and end, in every frame; None leaves one end to the values.
    cmap : str, optional
        Colour map of matplotlib for the frames, or for a map.
    vectors : DiffractionVectors, optional
        Drawn on the frame they belong to; lazy ones are found frame by frame, as you look.
    rois : ROI, or list or dict of these, optional
        Outlined on the frames; they can be dragged and resized, and follow when they are changed in code.
    title : str, optional
        Of the figure; by default that of the signal.
    size : (width, height), optional
        Of the figure, in inches.

    Returns
    -------
    lazy4d.plot.viewer.viewer.Viewer
        With `figure`, `position`, `wait`, `save`, `close`.

    Raises
    ------
    TypeError, ValueError
        A navigator that is no image of this scan, vectors of other frames, regions outside the frames, an unknown
        norm, or data of a single number.

    Examples
    --------
    >>> viewer = d.plot(norm="linear")
    >>> viewer.position = (2, 1)
    >>> viewer.wait(30), viewer.signal_ax.get_title(loc="left")
    (True, 'x 2, y 1')
    >>> d.plot(navigator=None).navigator_ax is None
    True
    """
    from lazy4d.plot.viewer.opening import open_viewer

    return open_viewer(
        signal, navigator, norm=norm, power=power, percentile=percentile, limits=limits, cmap=cmap, vectors=vectors,
        rois=rois, title=title, size=size,
    )  # fmt: skip

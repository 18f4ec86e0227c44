"""What a search for disks finds in one frame, drawn: the vectors, the correlation with its candidates, the scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from lazy4d.plot.image import Image
from lazy4d.plot.marks import Marks, class_colors
from lazy4d.plot.panels import figure_of

if TYPE_CHECKING:
    from lazy4d.signals.peaks.preview import VectorPreview

_FOUND = "#35c9ff"
_MASKED = "#ffb000"
_SHORT = {
    "no more significant than noise": "noise", "score below the threshold": "score",
    "too close to a higher one": "close", "height below the threshold": "height", "beyond max_peaks": "max_peaks",
    "too little of it is seen": "hidden", "prominence below the threshold": "prominence",
}  # fmt: skip
_REFUSED = 50
"""The highest refused candidates are drawn, up to this number, as every frame has hundreds of noise."""


def vector_preview(preview: VectorPreview, *, title: str | None = None, dpi: float = 150) -> Figure:
    """A figure of the frame with its vectors, and of the correlation and the scores with accepted and refused places.

    Parameters
    ----------
    preview : VectorPreview
        A result of `preview_vectors`.
    title : str, optional
        Above all pictures; by default how many vectors there are and how long finding them takes.
    dpi : float
        Dots an inch of the figure when it is saved.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot; ``figure.savefig("preview.png")`` writes it.

    Examples
    --------
    >>> figure = vector_preview(d.preview_vectors((1, 2), disk_r=3))
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['frame, 1 vector', 'matched filter', 'score']
    """
    found = preview.vectors.ragged
    number = f"{found.total} vector{'' if found.total == 1 else 's'}"
    radius = preview.options.get("disk_r")
    vectors = Marks(found["ky"], found["kx"], _FOUND, None if radius is None else float(radius))
    outlines = () if preview.mask.all() else ((~preview.mask, _MASKED),)
    images = [
        Image(
            f"frame, {number}", np.asarray(preview.frame, float), preview.frame_axes, "counts", "pattern",
            outlines=outlines, marks=(vectors,),
        )
    ]  # fmt: skip
    searched = preview.correlation is None or preview.options.get("filter") or preview.options.get("sigma")
    places = _candidates(preview)
    plain = tuple(replace(one, key=()) for one in places)  # one legend is enough
    if searched:
        images.append(
            Image("frame as it was searched", preview.filtered, preview.frame_axes, "intensity", "map", marks=plain)
        )
    if preview.correlation is not None and preview.score_image is not None:
        high = float(preview.correlation.max(initial=0.0))
        images += [
            Image(
                "matched filter", np.maximum(preview.correlation, 0), preview.frame_axes, "height", "pattern",
                (0.0, high), marks=plain, power=0.4,
            ),
            Image("score", preview.score_image, preview.frame_axes, "correlation coefficient", "map", (0.0, 1.0),
                  marks=places),
        ]  # fmt: skip
    text = f"{number} in {preview.milliseconds:.2g} ms" if title is None else title
    return figure_of(images, columns=len(images), title=text, dpi=dpi)


def _candidates(preview: VectorPreview) -> tuple[Marks, ...]:
    """Small circles where maxima are, coloured by what became of them."""
    found: dict[str, Any] = preview.candidates
    accepted = found["reason"] == "accepted"
    refused = np.flatnonzero(~accepted)
    shown = accepted.copy()
    shown[refused[np.argsort(-found["height"][refused], kind="stable")[:_REFUSED]]] = True
    names = sorted(set(found["reason"][shown].tolist()), key=lambda name: (name != "accepted", name))
    colors, key = class_colors(np.array([names.index(one) for one in found["reason"][shown]], dtype=int))
    legend = [(_SHORT.get(names[int(number)], names[int(number)]), color) for number, color in key]
    return (
        Marks(
            found["ky"][shown].astype(float), found["kx"][shown].astype(float), colors, size=5.0, key=legend,
            title="candidates",
        ),
    )  # fmt: skip

"""Diffraction vectors as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def plot(vectors: DiffractionVectors, position: Any = None, signal: Any = None, **options: Any) -> Any:
    """A figure of the vectors: a map of the scan beside the Bragg vector map, or beside the patterns of some positions.

    Parameters
    ----------
    vectors : DiffractionVectors
        Computed or lazy; with a `position` only what is shown is computed.
    position : (x, y), or list of these, optional
        Positions to show, x-first: int = pixel, float = axis units, text with a unit.
    signal : BaseSignal, optional
        The patterns below the vectors: those of the scan, or a single one.
    **options
        Of `lazy4d.plot.vectors.plot_vectors`: `image`, `color`, `text`, `radius`, `weights`, `upsample`, `power`, …

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot; ``figure.savefig("vectors.png")`` writes it.

    Raises
    ------
    ValueError
        See `lazy4d.plot.vectors.plot_vectors`.

    Examples
    --------
    >>> v = l4.DiffractionVectors([[[3, 4, 10], [8, 8, 90]]], frame_shape=(16, 16))
    >>> len(v.plot(0, d.mean(), color="red").axes)
    1
    """
    from lazy4d.plot.vectors import plot_vectors

    return plot_vectors(vectors, position, signal, **options)

"""From vectors to strain in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazy4d.signals.vectors.lattice.fitting import fit_lattice

if TYPE_CHECKING:
    from lazy4d.signals.strain import StrainMaps
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def strain_maps_of_vectors(
    vectors: DiffractionVectors,
    reference: Any = None,
    *,
    basis: Any = None,
    rotation: Any = 0.0,
    transpose: bool = False,
    x_axis: float | str = 0.0,
    mask: Any = None,
    average: str = "mean",
    **options: Any,
) -> StrainMaps:
    """Strain and rotation at each position: ``v.fit_lattice(basis, **options).get_strain_maps(reference, ...)``.

    Parameters
    ----------
    vectors : DiffractionVectors
        Vectors; computed first, if they are to be fitted again with other options.
    reference, rotation, transpose, x_axis, mask, average
        As for `LatticeFit.get_strain_maps`: what has no strain, how the camera is turned against the scan (degrees from
        +x towards +y, after the transposition), along which axes the components are, which positions count.
    basis, **options
        As for `fit_lattice`; without a basis one is found, which computes.

    Returns
    -------
    StrainMaps
        ``.exx``, ``.eyy``, ``.exy``, ``.rotation``, ``.uncertainty``, ``.plot()``.

    Examples
    --------
    >>> points = np.array([[h * 6.0, k * 5.0] for h in (-1, 0, 1) for k in (-1, 0, 1)]) + 12
    >>> v = l4.DiffractionVectors([points, points], frame_shape=(24, 24))
    >>> v.get_strain_maps().exy.as_numpy()
    array([0., 0.])
    """
    return fit_lattice(vectors, basis, **options).get_strain_maps(
        reference, rotation=rotation, transpose=transpose, x_axis=x_axis, mask=mask, average=average
    )

"""`Diffraction2D`: a scan of diffraction patterns, the signal most work starts from."""

from __future__ import annotations

from lazy4d.signals import beam, linked_images, virtual_imaging
from lazy4d.signals.signal2d import Signal2D


class Diffraction2D(Signal2D, signal_ndim=2):
    """A diffraction pattern at each position of a scan. See `BaseSignal` for everything that is not about diffraction.

    Examples
    --------
    >>> s = Diffraction2D(np.ones((3, 4, 16, 16), "uint16"), title="scan")
    >>> s.get_virtual_image(l4.CircleROI(8, 8, 4)).compute().data[0, 0]
    np.uint64(45)
    """

    # -- virtual detectors -------------------------------------------------------------------------------------------
    get_virtual_image = virtual_imaging.get_virtual_image
    get_total_intensity = virtual_imaging.get_total_intensity
    get_linked_images = linked_images.get_linked_images

    # -- direct beam -------------------------------------------------------------------------------------------------
    get_direct_beam_position = beam.get_direct_beam_position
    center_of_mass = beam.center_of_mass
    get_second_moments = beam.get_second_moments

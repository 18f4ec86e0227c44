"""`Diffraction2D`: a scan of diffraction patterns, the signal most work starts from."""

from __future__ import annotations

from lazy4d.signals import (
    affine,
    azimuthal,
    beam,
    calibrating,
    detector_geometry,
    drift,
    ellipse,
    flipping,
    linked_images,
    live_detectors,
    peaks,
    shifting,
    template_matching,
    virtual_imaging,
)
from lazy4d.signals.polar_analysis import variance_image
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
    plot_virtual_image = live_detectors.plot_virtual_image
    plot_region = live_detectors.plot_region

    # -- direct beam -------------------------------------------------------------------------------------------------
    get_direct_beam_position = beam.get_direct_beam_position
    center_of_mass = beam.center_of_mass
    get_second_moments = beam.get_second_moments
    center_direct_beam = beam.center_direct_beam
    shift_diffraction = shifting.shift_diffraction
    get_shift_coverage = shifting.get_shift_coverage
    get_shift_window = shifting.get_shift_window

    # -- templates ---------------------------------------------------------------------------------------------------
    get_probe_template = template_matching.get_probe_template

    # -- vectors -----------------------------------------------------------------------------------------------------
    get_diffraction_vectors = peaks.get_diffraction_vectors
    preview_vectors = peaks.preview_vectors

    # -- geometry ----------------------------------------------------------------------------------------------------
    rotate_diffraction = affine.rotate_diffraction
    flip_diffraction_x = flipping.flip_diffraction_x
    flip_diffraction_y = flipping.flip_diffraction_y
    apply_affine_transformation = affine.apply_affine_transformation
    correct_ellipse = affine.correct_ellipse

    # -- calibration by measuring ------------------------------------------------------------------------------------
    set_ellipse = ellipse.set_ellipse
    calibrate_ellipse = calibrating.calibrate_ellipse
    calibrate_from_ring = calibrating.calibrate_from_ring
    calibrate_from_lattice = calibrating.calibrate_from_lattice
    calibrate_from_convergence = calibrating.calibrate_from_convergence
    fit_direct_beam_disk = calibrating.fit_direct_beam_disk
    set_detector_geometry = detector_geometry.set_detector_geometry
    detector_geometry = detector_geometry.detector_geometry

    # -- azimuthal integration ---------------------------------------------------------------------------------------
    get_azimuthal_integral1d = azimuthal.get_azimuthal_integral1d
    get_azimuthal_integral2d = azimuthal.get_azimuthal_integral2d
    get_radial_profile = azimuthal.get_radial_profile

    # -- drift -------------------------------------------------------------------------------------------------------
    estimate_drift = drift.estimate_drift_of_scan
    correct_drift = drift.correct_drift_of_scan

    # -- fluctuation microscopy --------------------------------------------------------------------------------------
    get_variance = variance_image.get_variance
    get_variance_image = variance_image.get_variance_image

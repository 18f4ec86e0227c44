"""Signals of two signal axes: images."""

from __future__ import annotations

from typing import Any

from lazy4d.signals import (
    background,
    bad_pixels,
    flipping,
    neighbours,
    peaks,
    preview,
    reference_correction,
    template_matching,
)
from lazy4d.signals.base import BaseSignal


class Signal2D(BaseSignal, signal_ndim=2, default=True):
    """An image at each position, or a single one. See `BaseSignal`.

    Examples
    --------
    >>> Signal2D(np.zeros((64, 128), "float32"), title="mean pattern")
    <Signal2D, title: mean pattern, dimensions: (|128, 64), float32, 33 kB>
    """

    # -- the detector ------------------------------------------------------------------------------------------------
    apply_reference_correction = reference_correction.apply_reference_correction
    correct_bad_pixels = bad_pixels.correct_bad_pixels
    find_dead_pixels = bad_pixels.find_dead_pixels
    find_hot_pixels = bad_pixels.find_hot_pixels
    subtract_diffraction_background = background.subtract_diffraction_background

    # -- templates ---------------------------------------------------------------------------------------------------
    template_match = template_matching.template_match
    template_match_disk = template_matching.template_match_disk
    template_match_ring = template_matching.template_match_ring

    # -- peaks -------------------------------------------------------------------------------------------------------
    find_peaks = peaks.find_peaks

    # -- geometry ----------------------------------------------------------------------------------------------------
    flip = flipping.flip

    # -- parameters chosen by eye ------------------------------------------------------------------------------------
    preview = preview.preview

    # -- across the scan ---------------------------------------------------------------------------------------------
    filter_navigation = neighbours.filter_navigation

    def crop_signal(self, top: Any = None, bottom: Any = None, left: Any = None, right: Any = None) -> BaseSignal:
        """The images between rows `top` and `bottom` and columns `left` and `right`, as ``isig`` selects them.

        Parameters
        ----------
        top, bottom, left, right : int, float or str, optional
            Pixels, axis units or text with units; `bottom` and `right` are left out of the result.

        Examples
        --------
        >>> d.crop_signal(top=2, left=4).data.shape
        (4, 4, 14, 12)
        """
        return self.isig[left:right, top:bottom]

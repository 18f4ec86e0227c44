"""`VirtualImage`: one number at each position of a scan."""

from __future__ import annotations

from lazy4d.signals import drift
from lazy4d.signals.base import BaseSignal


class VirtualImage(BaseSignal, signal_ndim=0, default=True):
    """One number at each position: a virtual image, a map, a mask of positions. It has navigation axes only.

    Examples
    --------
    >>> thick = VirtualImage(np.arange(12.0).reshape(3, 4), title="thickness") > 5
    >>> thick
    <VirtualImage, title: thickness, dimensions: (4, 3|), bool, lazy 12 B, 1 block>
    """

    # -- drift and jumps of scan lines -------------------------------------------------------------------------------
    estimate_drift = drift.estimate_drift
    correct_drift = drift.correct_drift_of_map
    get_row_shifts = drift.get_row_shifts
    correct_scan_rows = drift.correct_scan_rows

"""Drift between repeated scans and jumps of scan lines: found in maps, taken off maps and scans."""

from lazy4d.signals.drift.correction import correct_drift_of_map, correct_drift_of_scan
from lazy4d.signals.drift.estimate import ScanShifts, estimate_drift, estimate_drift_of_scan
from lazy4d.signals.drift.rows import correct_scan_rows, get_row_shifts

__all__ = [
    "ScanShifts",
    "correct_drift_of_map",
    "correct_drift_of_scan",
    "correct_scan_rows",
    "estimate_drift",
    "estimate_drift_of_scan",
    "get_row_shifts",
]

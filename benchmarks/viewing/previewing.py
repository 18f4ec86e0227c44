"""Tuning by eye: from a slider to the result for the frame that is shown, a method a row."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from lazy4d.data import simulated_scan

PATIENCE = 120.0
METHODS: dict[str, tuple[dict[str, Any], str, tuple[float, float]]] = {
    "get_diffraction_vectors": ({"disk_r": 9}, "threshold_abs", (0.3, 0.6)),
    "center_direct_beam": ({"method": "center_of_mass"}, "half_width", (20, 60)),
    "template_match_disk": ({}, "disk_r", (5, 15)),
    "subtract_diffraction_background": ({"method": "difference of gaussians"}, "max_sigma", (8, 20)),
    "get_azimuthal_integral2d": ({}, "npt", (60, 120)),
    "get_azimuthal_integral1d": ({}, "npt", (60, 120)),
}
"""Method: what it begins with, the parameter that is moved, and between which values."""


def preview(method: str, steps: int) -> dict[str, Any]:
    """Latencies of changes of one parameter; the last result is that of the method called on the frame itself."""
    import lazy4d as l4
    from lazy4d.plot.tuning.controller import TuningController

    scan = simulated_scan((4, 6), (256, 256), dose=40_000, descan=4.0, background=0.1, seed=2)
    signal = l4.Diffraction2D(scan.as_array())
    signal.set_calibration(**scan.signal_parameters)
    initial, name, (low, high) = METHODS[method]
    tuning = TuningController(signal, method, (3, 2), **initial)
    news = threading.Event()
    tuning.worker.notify = news.set

    def result_for(value: Any) -> Any:
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end:
            news.wait(0.05)
            news.clear()
            for found in tuning.updates():
                if found.outcomes and (value is None or found.call.get(name) == value):
                    return found.outcomes[0].result
            if tuning.error is not None:
                raise tuning.error
        raise TimeoutError(f"{method} gave nothing for {name}={value} within {PATIENCE:.0f} s")

    result_for(None)
    seconds = []
    result = None
    for value in np.linspace(low, high, steps):
        value = round(float(value)) if isinstance(low, int) else round(float(value), 4)
        if tuning.call.get(name) == value:
            continue
        start = time.perf_counter()
        tuning.set(**{name: value})
        result = result_for(value)
        seconds.append(time.perf_counter() - start)
    with l4.set_options(progress=False):
        whole = getattr(signal, method)(**tuning.call).inav[3, 2].compute()
    _check(method, result, whole)
    tuning.close()
    return {
        "p50": float(np.percentile(seconds, 50)),
        "p95": float(np.percentile(seconds, 95)),
        "worst": max(seconds),
        "code": tuning.code,
    }


def _check(method: str, shown: Any, whole: Any) -> None:
    """What was shown for the frame is what the method gives for it on the whole scan."""
    if hasattr(shown, "ragged"):
        same = shown.ragged.total == whole.ragged.total
    else:
        same = np.allclose(np.squeeze(shown.data), np.squeeze(whole.data), rtol=1e-5, atol=1e-5, equal_nan=True)
    if not same:
        raise AssertionError(f"{method} shows another result than it gives on the whole scan")

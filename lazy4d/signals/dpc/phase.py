"""`phase_retrieval`: the phase that the specimen gives the beam, integrated from what deflects it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lazy4d.kernels.gradient_integration import integrate_gradient
from lazy4d.lazy import Frames
from lazy4d.signals.dpc.rotation import scan_steps
from lazy4d.signals.dpc.smoothing import filled
from lazy4d.signals.dpc.vectors import QUANTITY, moved_frames, unit_scales
from lazy4d.units import ANGLES, PIXEL, canonical

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.beam_position import BeamPosition

Floats = NDArray[np.float64]

PADDING = {"dpc": "mirror", "icom": "none"}
"""The methods, and what each does beyond the edges of the scan unless told otherwise."""


def phase_retrieval(
    signal: BeamPosition,
    method: str = "dpc",
    *,
    padding: str | None = None,
    high_pass: float | str | None = None,
    beam_energy: float | str | None = None,
    calibrated: bool = True,
) -> BaseSignal:
    """The phase of the specimen whose gradient deflects the beam, at each position: a `VirtualImage` in rad.

    Parameters
    ----------
    signal : BeamPosition
        Positions in the frame of the scan (see `calibrate_rotation`) without descan (see `get_linear_plane`), over a
        scan whose last two axes are y and x; displacements count from where the axes of the frames are 0.
    method : {"dpc", "icom"}, optional
        "dpc": differential phase contrast of a single field of view, which is continued by its mirror images. "icom":
        integrated centre of mass, a scan that repeats itself at its edges (as a crystal may), without any padding.
    padding : {"mirror", "none"}, optional
        Overrides what the method does at the edges. Mirrored, the component across an edge changes its sign there, so
        that a phase ramp comes out as a ramp; not padded, a mean displacement has no effect.
    high_pass : int, float or str, optional
        A length along the scan (pixels, axis units, or ``"50 nm"``): a phase of that period comes out half as strong,
        longer ones less. It takes off the clouds that noise makes at low frequencies, and what is left of descan.
    beam_energy : float or str, optional
        In keV, or ``"200 kV"``; needed where the frames are calibrated as angles. By default that of the scan.
    calibrated : bool, optional
        False: displacements and scan in pixels as they are, for a first look at data that were never calibrated. The
        result is then in units of 2π rad times pixels of the frames times scan steps.

    Returns
    -------
    VirtualImage
        Lazy, float64, with a mean of 0; the whole map is one task. NaN where there is no beam: there, the displacement
        is taken from the nearest neighbours that have one.

    Raises
    ------
    ValueError
        Less than two navigation axes; no calibration; no such method or padding.

    Notes
    -----
    With the displacement k in cycles per length, ``∇φ = 2π k`` (averaged over the probe), hence
    ``F(φ) = [f_y F(k_y) + f_x F(k_x)] / (i (f² + ε))`` for frequencies f in cycles per length, with ``ε = 1/L²`` for a
    high pass L. So the phase is positive where electrons are drawn to, as by the nuclei. Multiply an angle by 1/λ to
    get k, which is done here. I. Lazić, E. G. T. Bosch, S. Lazar, Ultramicroscopy 160, 265 (2016),
    doi 10.1016/j.ultramic.2015.10.011.

    Examples
    --------
    >>> d.set_calibration(scale=0.02, units="1/Å", scan_scale=0.5, scan_units="nm")
    >>> d.get_direct_beam_position().phase_retrieval("icom")
    <VirtualImage, title: phase from beam position, dimensions: (4, 4|), float64, lazy 128 B, 1 block>
    """
    if method not in PADDING:
        raise ValueError(f"method={method!r} is not known: expected one of {', '.join(map(repr, PADDING))}")
    padding = PADDING[method] if padding is None else padding
    if padding not in ("mirror", "none"):
        raise ValueError(f"padding={padding!r} is not known: expected 'mirror' or 'none'")
    steps = scan_steps(signal)
    if calibrated:
        scales = unit_scales(signal, _cycles_per_length(signal), beam_energy)
    else:
        scales, steps = np.ones(2), (1.0, 1.0)
    length = _length(signal, high_pass, steps)
    vectors = moved_frames(signal, np.diag(scales))
    phase = map_of_scan(
        vectors, phase_of_block, shape=(), dtype=np.float64, steps=steps, padding=padding, floor=length**-2
    )
    params = {
        "method": method,
        "padding": padding,
        "high_pass": high_pass,
        "beam_energy": beam_energy,
        "calibrated": bool(calibrated),
    }
    result = signal._derive(
        phase,
        signal.nav_axes,
        "phase_retrieval",
        params,
        kind=signal._class_of[0],
        title=f"phase from {signal.title}" if signal.title else "phase",
    )
    result.metadata.set_item(QUANTITY, "phase (rad)" if calibrated else "phase (2π px × scan steps)")
    return result


def map_of_scan(vectors: Frames, function: Any, *, shape: tuple[int, ...], dtype: Any, **options: Any) -> Any:
    """What a function makes of whole maps ``[..., y, x, 2]``, as a dask array with one task for each map (y, x).

    Parameters
    ----------
    vectors : Frames
        Vectors over a scan whose last two axes are y and x.
    function : callable
        ``function(block[..., y, x, 2], **options)`` gives ``[..., y, x, *shape]`` of `dtype`.
    shape, dtype
        Of the result at a position.
    **options
        For the function.
    """
    array = vectors.emit().data
    ndim = array.ndim
    whole = array.rechunk({k: 1 if k < ndim - 3 else -1 for k in range(ndim)})
    meta = np.empty((0,) * (ndim - 1 + len(shape)), dtype)
    changes: dict[str, Any] = {"chunks": (*whole.chunks[:-1], *((n,) for n in shape))}
    if not shape:
        changes = {"drop_axis": ndim - 1}
    return whole.map_blocks(function, dtype=np.dtype(dtype), meta=meta, **changes, **options)


def phase_of_block(block: Floats, *, steps: tuple[float, float], padding: str, floor: float) -> Floats:
    """The phase [..., y, x] whose gradient over 2π is a block [..., y, x, 2], NaN where that is."""
    result = np.empty(block.shape[:-1])
    for index in np.ndindex(block.shape[:-3]):
        missing: NDArray[np.bool_] = np.asarray(~np.isfinite(block[index]).all(axis=-1))
        if missing.all():
            result[index] = np.nan
            continue
        gradient = 2 * np.pi * np.stack([filled(block[index][..., k], missing, steps) for k in range(2)])
        phase = integrate_gradient(gradient[0], gradient[1], steps, padding, floor)
        result[index] = np.where(missing, np.nan, phase)
    return result


def _cycles_per_length(signal: BaseSignal) -> str:
    """The unit that goes with the scan axes: cycles per their unit of length."""
    unit = signal.nav_axes[-1].units
    if unit == PIXEL or unit.startswith("1/") or unit in ANGLES:
        raise ValueError(
            f"a phase in rad needs a scan calibrated in a length, found {signal.nav_axes[-1]!r}: call "
            "set_calibration(scan_scale=..., scan_units='nm'), or ask for calibrated=False"
        )
    return canonical(f"1/{unit}")


def _length(signal: BaseSignal, high_pass: Any, steps: tuple[float, float]) -> float:
    """The period that a high pass halves, in units of the scan; infinite for none."""
    if high_pass is None:
        return math.inf
    length = signal.nav_axes[-1].length_to_pixels(high_pass) * abs(steps[1])
    if not length > 0:
        raise ValueError(f"expected high_pass as a positive length along the scan, found {high_pass!r}")
    return length

"""`template_match_disk`, `template_match_ring`, `template_match`: correlation images, lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.kernels.template_match import match_plan, template_correlation
from lazy4d.kernels.templates import Template, picture_template, pixel_disk_template, ring_template
from lazy4d.signals.beam.window import mask_of
from lazy4d.signals.construction import image_frames, known_array

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal


def template_match_disk(
    signal: BaseSignal, disk_r: float | str, *, normalize: bool | None = None, power: float = 1.0, mask: Any = None
) -> Any:
    """Images of how much the surroundings of every pixel look like a disk, in float32; lazily.

    Parameters
    ----------
    signal : BaseSignal
        Images, such as diffraction patterns.
    disk_r : int, float or str
        Radius of the disk: an int is pixels, a float axis units, text carries its unit.
    normalize : bool, optional
        True: the correlation coefficient of the disk and the pixels under it, in [-1, 1], whatever the intensity.
        False: the matched filter, the height of the disk above its surroundings that fits best, in units of intensity
        (a little more than it is for disks with sharp rims): faint disks stay faint, and so does noise. By default
        True, but False where `power` is less than 1.
    power : float, optional
        p in [0, 1]: 1 is cross-correlation, 0 phase correlation, values between are hybrids: peaks get sharper, noise
        counts more. They pay where disks are structured inside, not on uniform ones. The values are then shares of what
        they would be if all frequencies agreed, in [-1, 1].
    mask : ROI or bool array (ky, kx), optional
        True for the pixels that count, such as those beside a beam stop: the others are left out, not taken as 0. NaN
        pixels never count.

    Returns
    -------
    BaseSignal
        float32, same class and axes. A maximum lies where the middle of a disk is. 0 where less than a tenth of the
        template's variance lies on pixels that count, or where these are all equal.

    Raises
    ------
    ValueError
        A radius that is not above 0 or larger than the frames, a power outside [0, 1] or one below 1 together with
        `normalize`, a mask of another shape.

    Notes
    -----
    The template is a bright disk in a dark ring of the same area, of sum 0: an even background does not matter. With
    T the template at a place, I the frame, sums over the n pixels of the template that count::

        C = Σ T I - (Σ T)(Σ I) / n        V = Σ T² - (Σ T)² / n        W = Σ I² - (Σ I)² / n

    the coefficient is ``C / √(V W)`` and the matched filter ``C / √(V V₀)``, V₀ that of a whole template. Nothing comes
    round from the opposite edge: near edges and masked pixels, what is left of the template is compared (Padfield, IEEE
    Transactions on Image Processing 21 (2012) 2706, doi 10.1109/TIP.2011.2181402). The disk consists of whole pixels,
    of an area as near to that of the radius as possible, and is slightly blurred.

    Examples
    --------
    >>> images = d.template_match_disk(3)
    >>> images.data.shape, images.data.dtype
    ((4, 4, 16, 16), dtype('float32'))
    """
    template = pixel_disk_template(_radius(signal, "disk_r", disk_r))
    return _matched(signal, template, "template_match_disk", {"disk_r": disk_r}, normalize, power, mask)


def template_match_ring(
    signal: BaseSignal,
    r_inner: float | str,
    r_outer: float | str,
    *,
    normalize: bool | None = None,
    power: float = 1.0,
    mask: Any = None,
) -> Any:
    """Images of how much the surroundings of every pixel look like a ring, in float32; lazily.

    For disks that are bright at their rim, as of beams with a hollow or those that are dark inside.

    Parameters
    ----------
    signal : BaseSignal
        Images, such as diffraction patterns.
    r_inner, r_outer : int, float or str
        Radii of the ring: an int is pixels, a float axis units, text carries its unit.
    normalize, power, mask
        As for `template_match_disk`.

    Returns
    -------
    BaseSignal
        float32, same class and axes; see `template_match_disk`.

    Raises
    ------
    ValueError
        Radii that are not ``0 < r_inner < r_outer``, and as for `template_match_disk`.

    Notes
    -----
    The ring is bright, its inside and surroundings, of the area of the outer circle, are dark; the sum is 0.

    Examples
    --------
    >>> d.template_match_ring(2, 4).data.shape
    (4, 4, 16, 16)
    """
    radii = _radius(signal, "r_inner", r_inner), _radius(signal, "r_outer", r_outer)
    if not radii[0] < radii[1]:
        raise ValueError(f"expected r_inner < r_outer, found {r_inner!r} and {r_outer!r}")
    params = {"r_inner": r_inner, "r_outer": r_outer}
    return _matched(signal, ring_template(*radii), "template_match_ring", params, normalize, power, mask)


def template_match(
    signal: BaseSignal, template: Any, *, normalize: bool | None = None, power: float = 1.0, mask: Any = None
) -> Any:
    """Images of how much the surroundings of every pixel look like a picture of a beam, in float32; lazily.

    Parameters
    ----------
    signal : BaseSignal
        Images, such as diffraction patterns.
    template : ndarray [y, x] or BaseSignal
        A bright beam on an even background, of any size: what is far from the beam is cut off. Such as
        ``s.get_probe_template(vacuum).compute()``.
    normalize, power, mask
        As for `template_match_disk`.

    Returns
    -------
    BaseSignal
        float32, same class and axes; see `template_match_disk`. Maxima lie on the pixel of the middle of the beam (its
        centre of mass above half of its range).

    Raises
    ------
    ValueError
        A template that is not two-dimensional, not finite, or constant; and as for `template_match_disk`.
    TypeError
        A template that is lazy, or has navigation axes.

    Notes
    -----
    The mean of the template under its support is taken off, and the height of the matched filter is that of the
    picture, from its least to its highest value. Takes Fourier transforms of padded frames.

    Examples
    --------
    >>> picture = np.zeros((9, 9)); picture[3:6, 3:6] = 1
    >>> d.template_match(picture, normalize=False).data.shape
    (4, 4, 16, 16)
    """
    looked_for = picture_template(known_array(template, "a template"))
    return _matched(signal, looked_for, "template_match", {"template": template}, normalize, power, mask)


def _matched(
    signal: BaseSignal,
    template: Template,
    op: str,
    params: dict[str, Any],
    normalize: bool | None,
    power: float,
    mask: Any,
) -> Any:
    """The signal of correlation images with a template."""
    frames = image_frames(signal, "template matching")
    y, x = signal.frame_axes
    if not 0 <= power <= 1:
        raise ValueError(f"expected power in [0, 1], from phase to cross-correlation, found {power!r}")
    coefficient = power == 1 if normalize is None else bool(normalize)
    shape = (y.size, x.size)
    plan = match_plan(template, shape, mask_of(mask, (x, y)), float(power), coefficient)
    result = frames.map_frames(template_correlation, plan, shape=shape, dtype=np.float32)
    record = {**params, "normalize": coefficient, "power": float(power), "mask": mask}
    parents = [one for one in params.values() if hasattr(one, "nav_shape")]
    images = signal._derive(result, [*signal.nav_axes, y, x], op, record, parents=parents)
    if coefficient or power < 1:
        images.metadata.set_item("Signal.quantity", "correlation coefficient" if coefficient else "correlation")
    return images


def _radius(signal: BaseSignal, name: str, radius: Any) -> float:
    """A radius in pixels, the same along both axes."""
    image_frames(signal, "template matching")
    y, x = (float(axis.length_to_pixels(radius)) for axis in signal.frame_axes)
    if not min(y, x) > 0:
        raise ValueError(f"expected {name} above 0, found {radius!r}, which is {min(y, x):g} pixels")
    if max(y, x) > min(signal.frame_shape):
        raise ValueError(
            f"{name}={radius!r} is {max(y, x):g} pixels, more than frames of shape {signal.frame_shape} have: expected "
            f'an int in pixels, a float in axis units ({signal.frame_axes[1].units}) or text with its unit, as "4.5 px"'
        )
    if max(y, x) > 1.02 * min(y, x):
        raise ValueError(
            f"{name}={radius!r} is {x:g} pixels along {signal.frame_axes[1].name!r} and {y:g} along "
            f"{signal.frame_axes[0].name!r}: expected the same, since circles are looked for; set the same scale for "
            "both axes, or give an int in pixels"
        )
    return (y + x) / 2

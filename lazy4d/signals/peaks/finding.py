"""`get_diffraction_vectors` and `find_peaks`: disks and maxima in every frame, as `DiffractionVectors`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazy4d.kernels.peak_vectors import COLUMNS, find_vectors
from lazy4d.signals.construction import image_frames
from lazy4d.signals.peaks.searching import make_search
from lazy4d.signals.vectors.diffraction_vectors import vectors_of

if TYPE_CHECKING:
    from lazy4d.signals.base import BaseSignal
    from lazy4d.signals.vectors.diffraction_vectors import DiffractionVectors


def get_diffraction_vectors(
    signal: BaseSignal,
    method: str = "template",
    *,
    disk_r: float | str | None = None,
    template: Any = None,
    threshold_abs: float | None = None,
    threshold_rel: float | None = None,
    relative_to: str | int = "strongest",
    significance: float | None = None,
    min_distance: float | str | None = None,
    edge: float | str | None = None,
    max_peaks: int | None = None,
    prominence: float | None = None,
    subpixel: str | None = "parabola",
    upsample: int = 16,
    mask: Any = None,
    filter: Any = None,
    sigma: float | str | None = None,
    power: float = 1.0,
) -> DiffractionVectors:
    """The disks in each frame, as `DiffractionVectors`: ky and kx in pixels, intensity and score, the highest first.

    Filter, correlation, maxima, refinement and intensity are one step of one walk over the file. With the radius of the
    disks alone it finds what stands out of the noise, whatever the dose; `preview_vectors` shows on one frame, with the
    same parameters, what each of them does.

    Parameters
    ----------
    signal : BaseSignal
        Diffraction patterns.
    method : {"template", "difference_of_gaussian", "laplacian_of_gaussian", "local_max"}
        Maxima of the correlation with a picture of the disk (`template`), with a blob of soft edges (the Gaussians: for
        spots that are no disks), or of the frames themselves.
    disk_r : int, float or str
        Radius of the disks: pixels, axis units or ``"2 mrad"``. Needed but for an array as `template` and "local_max".
    template : {"disk", "smooth", "gradient"}, ndarray or BaseSignal, optional
        "disk": even, in a dark ring of the same area, of whole pixels and fast; the default. "smooth": the same with an
        exact outline, blurred, by Fourier transforms; "dft" refines with it. "gradient": darker in the middle, for
        disks of uneven inside. Or a picture [y, x] of the probe, such as one in vacuum; places are then those of its
        centre of mass above half of its range.
    threshold_abs : float, optional
        Least score; of "local_max", what a maximum has to exceed. By default half the score that the noise about each
        place would leave a perfect disk: a disk in strong noise scores low, but not lower than that.
    threshold_rel : float, optional
        Least height of the correlation as a share of that of a reference: 0.01 leaves out disks a hundred times weaker.
    relative_to : {"strongest"} or int
        The reference: the highest accepted disk of the frame, which mostly is the direct beam, or the n-th.
    significance : float, optional
        Standard errors by which the score has to surpass that of mere noise, 5 by default.
    min_distance : int, float or str, optional
        Of two disks nearer than this the higher is kept; by default one and a half radii of the disk, as a disk larger
        than thought would be found twice; 1 pixel of "local_max".
    edge : int, float or str, optional
        How far from the edge of the frame the middle of a disk has to be: half the radius by default, where most of the
        disk is seen; 0 for "local_max".
    max_peaks : int, optional
        The highest ones are kept. By default all.
    prominence : float, optional
        A maximum has to stand this much above every saddle to a higher one. Of use for "local_max".
    subpixel : {"parabola", "center_of_mass", "dft", None}, optional
        How disks are placed between pixels: a parabola through the correlation; the centre of mass of the disk above
        its surroundings, in a circle that follows it; Fourier interpolation of the correlation, the most exact and
        several times slower; or not at all.
    upsample : int, optional
        Points a pixel of "dft".
    mask : ROI or bool ndarray [ky, kx], optional
        Only pixels inside, or True, count: leave out the beam stop, gaps, dead and hot pixels. They are left out of
        all sums, rather than taken as 0.
    filter : {"square_root"} or callable, optional
        What is done to the frames first: their square root, in which weak disks beside bright ones count for more, or
        a function ``f(frames[n, ky, kx], out)`` that fills `out`. Intensities are those of the frames as they were.
    sigma : int, float or str, optional
        Maxima are those that the frames would have if they were blurred by a Gaussian of this standard deviation.
    power : float, optional
        p in [0, 1] of ``F⁻¹[|G|^p exp(i arg G)]``, G the spectrum of the correlation: 1 is cross-correlation, less
        sharpens the maxima of disks that lines cross.

    Returns
    -------
    DiffractionVectors
        Lazy. Columns: ``ky``, ``kx``; ``intensity``, the sum over the disk above the mean of a ring of the same area
        around it, in counts; ``score``, the correlation coefficient of the picture and the pixels under it, in
        [-1, 1]. Of "local_max" ``intensity`` is the height of the maximum, and there is no score. None in missing
        frames.

    Raises
    ------
    ValueError
        Options that are not known or do not fit the frames.

    See Also
    --------
    preview_vectors : on one frame, with every image on the way.
    get_probe_template : the probe, from positions in vacuum.

    Notes
    -----
    Candidates are the local maxima of the matched-filter image, from the highest down. With r the score and n the
    pixels that are compared, the significance is ``√(-(n - 2) ln(1 - r²))`` (Wilks, doi 10.1214/aoms/1177732360):
    a likelihood ratio that needs neither gain nor dose to be known, as it takes the noise from the pixels themselves.
    It is that of white noise. Where neighbouring pixels share their noise, as behind a scintillator that blurs by a
    Gaussian of σ pixels, it comes out ``√(1 + 4 π σ²)`` times too large: ask for that much more, or, of disks of a few
    pixels, for heights by `threshold_rel`.

    A parabola errs by 0.015 pixels at high dose, "dft" by less than 0.005 (Guizar-Sicairos et al.,
    doi 10.1364/OL.33.000156); at 10 electrons a pixel both by 0.06 for a radius of 9. Lines inside a disk draw its
    centre of mass, but not the others. Choose the radius rather too large than too small: the correlation with a disk
    that is larger than thought has a flat top, on which the place is left to noise.

    Disks that the frame's edge or the mask cuts are placed by what is left of them, compared over the same pixels.

    Examples
    --------
    >>> v = d.get_diffraction_vectors(disk_r=3)
    >>> v  # doctest: +NORMALIZE_WHITESPACE
    <DiffractionVectors, title: vectors, dimensions: (4, 4|16, 16), lazy, 1 block of vectors of ky, kx, intensity,
     score>
    >>> v.compute().ragged.counts.max()
    np.int64(1)
    """
    return _found(
        signal, "get_diffraction_vectors", "vectors", method, disk_r=disk_r, template=template,
        threshold_abs=threshold_abs, threshold_rel=threshold_rel, relative_to=relative_to, significance=significance,
        min_distance=min_distance, edge=edge, max_peaks=max_peaks, prominence=prominence, subpixel=subpixel,
        upsample=upsample, mask=mask, filter=filter, sigma=sigma, power=power,
    )  # fmt: skip


def find_peaks(signal: BaseSignal, method: str = "local_max", **options: Any) -> DiffractionVectors:
    """The maxima of each image, as `DiffractionVectors` of ky, kx (pixels) and intensity, the highest first.

    Parameters
    ----------
    signal : BaseSignal
        Images of any kind, such as correlation images or frames; a map of the scan as ``image.T``.
    method : {"local_max", "difference_of_gaussian", "laplacian_of_gaussian", "template"}
        Maxima of the images themselves, or of blobs and disks of a radius `disk_r`.
    **options
        As for `get_diffraction_vectors`. Of "local_max": `threshold_abs` (what a maximum has to exceed),
        `threshold_rel`, `relative_to`, `min_distance`, `edge`, `max_peaks`, `prominence`, `subpixel`
        (``"parabola"`` or None), `mask`, `filter`, `sigma`.

    Returns
    -------
    DiffractionVectors
        Lazy.

    Raises
    ------
    ValueError
        Options that are not known or do not fit the images.

    Notes
    -----
    A maximum is no lower than its 8 neighbours. Equal pixels that touch are one peak, at the pixel of them that is
    nearest to their centre of mass: the same peaks result however the scan is cut. Those at most `min_distance` from
    a higher one are dropped, from the highest down.

    Examples
    --------
    >>> peaks = d.find_peaks(threshold_abs=30, min_distance=6, sigma=1).compute()
    >>> peaks.ragged.counts.max(), peaks.columns
    (np.int64(1), ('ky', 'kx', 'intensity'))
    """
    return _found(signal, "find_peaks", "peaks", method, **options)


def _found(signal: BaseSignal, op: str, what: str, method: str, **options: Any) -> DiffractionVectors:
    """Lazy vectors of what a method finds."""
    search, room, record = make_search(signal, method, **options)
    columns = dict.fromkeys(COLUMNS if search.matched else COLUMNS[:-1], np.dtype("float64"))
    return vectors_of(
        signal,
        find_vectors,
        (search,),
        capacity=room,
        columns=columns,
        op=op,
        options=record,
        frames=image_frames(signal, "finding peaks"),
        title=f"{what} of {signal.title}" if signal.title else what,
    )

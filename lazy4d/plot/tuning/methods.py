"""The methods that can be tuned by eye: their controls, what they make of a frame, and how it is shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lazy4d.plot.tuning import beam_controls as beam
from lazy4d.plot.tuning import image_controls as image
from lazy4d.plot.tuning import vector_controls as vectors
from lazy4d.plot.tuning.control import UNSET, Control
from lazy4d.signals import Diffraction2D, PolarDiffraction2D, Signal2D
from lazy4d.signals.azimuthal.integral import get_azimuthal_integral1d
from lazy4d.signals.beam.moments import center_of_mass_finder
from lazy4d.signals.peaks.searching import make_search

if TYPE_CHECKING:
    from lazy4d.signals import BaseSignal


@dataclass(frozen=True)
class Method:
    """A method of a signal that can be tuned.

    Parameters
    ----------
    name : str
        Of the method.
    controls : tuple of Control
        Of its parameters. Several may bear the same name, if they never count at the same time.
    left_out : mapping of str to str
        Parameters without a control, and why.
    look : {"vectors", "beam", "background", "image", "profile", "polar", "line"}
        What is computed and shown.
    kind : type
        Of the signals that have it.
    options : callable, optional
        Gives, for the values so far, the function whose parameters the method takes as ``**options``.
    defaults : mapping
        Defaults of such options that differ from that function's.
    needs : mapping of str to str
        Parameters that have neither a default nor a control, and what they are.
    """

    name: str
    controls: tuple[Control, ...]
    left_out: Mapping[str, str]
    look: str
    kind: type[Any]
    options: Callable[[Mapping[str, Any]], Any] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)

    def signature(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters and their defaults, read off the functions themselves; `UNSET` for those that have none.

        Examples
        --------
        >>> METHODS["get_direct_beam_position"].signature({"method": "blur"})["background"]
        0.0
        """
        found = _defaults(getattr(self.kind, self.name))
        more = self.options(values) if self.options else None
        if more is not None:
            found = {**{k: v for k, v in _defaults(more).items() if k not in ("method", *self.defaults)}, **found}
        for one in self.controls:
            if one.default is not UNSET:
                found.setdefault(one.name, one.default)
        return {**found, **self.defaults}


def _defaults(function: Any) -> dict[str, Any]:
    """Parameters but the signal itself, and their defaults."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = [one for one in inspect.signature(function).parameters.values() if one.kind in named][1:]
    return {one.name: UNSET if one.default is inspect.Parameter.empty else one.default for one in parameters}


_MATCH = {"mask": image.MASK}
_TRANSFORMED = {"fill": image.FILL}
_POLAR_MASK = {"mask": "a picture or a ROI: give it to preview()"}

METHODS: dict[str, Method] = {
    one.name: one
    for one in (
        Method("get_diffraction_vectors", vectors.SEARCH, vectors.LEFT_OUT, "vectors", Diffraction2D),
        Method(
            "find_peaks", vectors.SEARCH, vectors.LEFT_OUT, "vectors", Signal2D, lambda _: make_search,
        ),
        Method(
            "get_direct_beam_position", beam.FINDING, beam.LEFT_OUT, "beam", Diffraction2D, beam.finder_of
        ),
        Method(
            "center_of_mass",
            tuple(one for one in beam.FINDING if one.name in ("half_width", "threshold", "background")),
            beam.LEFT_OUT, "beam", Diffraction2D, lambda _: center_of_mass_finder,
        ),
        Method(
            "center_direct_beam", beam.MOVING,
            {
                **beam.LEFT_OUT,
                "position": "known places need no tuning",
                "shifts": "known shifts need no tuning",
                "fill": image.FILL,
            },
            "beam", Diffraction2D, beam.finder_of,
        ),
        Method("subtract_diffraction_background", image.BACKGROUND, _MATCH, "background", Signal2D),
        Method("template_match_disk", (image.RADIUS, image.NORMALIZE, image.POWER), _MATCH, "image", Signal2D),
        Method("template_match_ring", (*image.RING, image.NORMALIZE, image.POWER), _MATCH, "image", Signal2D),
        Method(
            "template_match", (image.NORMALIZE, image.POWER), {**_MATCH, "template": "a picture of the beam"}, "image",
            Signal2D, needs={"template": "a picture of the beam"},
        ),
        Method("get_azimuthal_integral1d", image.PROFILE, image.PROFILE_LEFT_OUT, "profile", Diffraction2D),
        Method("get_azimuthal_integral2d", image.POLAR, image.PROFILE_LEFT_OUT, "polar", Diffraction2D),
        Method(
            "get_radial_profile", image.MEAN_PROFILE,
            {**image.PROFILE_LEFT_OUT, "mean": "it is the mean", "statistic": "it is the mean"},
            "profile", Diffraction2D, lambda _: get_azimuthal_integral1d, defaults={"mean": True},
        ),
        Method("rotate_diffraction", image.ROTATION, _TRANSFORMED, "image", Diffraction2D),
        Method(
            "shift_diffraction", image.SHIFT, {**_TRANSFORMED, "shifts": "known shifts need no tuning"}, "image",
            Diffraction2D,
        ),
        Method("correct_ellipse", image.ROUNDING, _TRANSFORMED, "image", Diffraction2D),
        Method("get_angular_correlation", image.CORRELATION, _POLAR_MASK, "image", PolarDiffraction2D),
        Method("get_angular_power", image.ANGULAR_POWER, _POLAR_MASK, "image", PolarDiffraction2D),
        Method("get_full_pearson_correlation", image.PEARSON, _POLAR_MASK, "line", PolarDiffraction2D),
    )
}  # fmt: skip

ELSEWHERE = {
    "get_virtual_image": "plot_virtual_image(roi), whose detectors can be dragged",
    "preview_vectors": "preview('get_diffraction_vectors')",
}
"""What shows something else by eye, by the method that a user may try."""


def method_of(signal: BaseSignal, name: str) -> Method:
    """The entry of `METHODS` for a method of a signal.

    Raises
    ------
    ValueError
        There is none; the message lists those there are.

    Examples
    --------
    >>> method_of(d, "find_peaks").look
    'vectors'
    """
    known = [one.name for one in METHODS.values() if isinstance(signal, one.kind)]
    if name in known:
        return METHODS[name]
    hint = f" ({name} is shown by {ELSEWHERE[name]})" if name in ELSEWHERE else ""
    raise ValueError(
        f"preview({name!r}): expected the name of a method that works frame by frame and can be tuned by eye, for a "
        f"{type(signal).__name__} one of {', '.join(map(repr, known)) or 'none'}{hint}"
    )

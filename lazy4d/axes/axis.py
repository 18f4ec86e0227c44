"""One axis of a signal: a regular scale over pixels, calibrated, sliceable in pixels or in units, observable."""

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from traits.api import Bool, HasPrivateTraits, Property, Str, TraitType

from lazy4d.axes.slices import slice_to_pixels, value_to_pixel
from lazy4d.axes.traits import Coordinate, Energy, PixelIndex, Real, Size, Unit
from lazy4d.units import PIXEL, convert, length_to_pixels, to_pixels


def _any(trait: TraitType) -> Any:
    """Return a trait as Any, so that the class body can state the type of what it holds."""
    return trait


class Axis(HasPrivateTraits):
    """One axis of a signal: ``value = offset + scale * index``, with pixel centres at whole indices.

    Parameters
    ----------
    size
        Number of pixels; cannot be changed later.
    name
        Such as `"x"` or `"kx"`.
    units
        Any spelling of a unit; kept in its canonical one (`"px"` where unset).
    scale
        Units per pixel, not 0; negative after a reversed slice.
    offset
        Value at the centre of pixel 0.
    navigate
        True for an axis over scan positions, False for one over the pixels of a frame.
    index
        The pixel that is shown, `0 <= index < size`.
    beam_energy
        In keV, or text such as `"200 kV"`; lets places in mrad be found on an axis in 1/Å and the other way round.
    coordinates
        For scan positions that were picked out by a mask: where each lies on the former axes.

    Raises
    ------
    TypeError, ValueError
        A value that an axis cannot have; the message names the axis.

    Notes
    -----
    All of these are traits, so ``axis.observe(handler, "scale")`` works. Two axes are compared with `equals`; ``==`` is
    identity, as observers need it.

    Examples
    --------
    >>> k = Axis(name="kx", size=256, scale=0.02, offset=-2.56, units="A^-1")
    >>> k
    <kx axis, size: 256, scale: 0.02, offset: -2.56, units: 1/Å>
    >>> k.slice_to_pixels(slice(-0.5, "5 1/nm"))
    slice(103, 153, 1)
    """

    name: str = _any(Str())
    size: int = _any(Size())
    units: str = _any(Unit(PIXEL))
    scale: float = _any(Real(1.0))
    offset: float = _any(Real(0.0))
    navigate: bool = _any(Bool(False))
    index: int = _any(PixelIndex(0))
    beam_energy: float | None = _any(Energy(None))
    value: float = Property(observe="[index, scale, offset]")
    """Value at the pixel that is shown; setting it moves `index` to the nearest pixel."""

    def __init__(
        self,
        *,
        size: int,
        name: str = "",
        units: object = PIXEL,
        scale: float = 1.0,
        offset: float = 0.0,
        navigate: bool = False,
        index: int = 0,
        beam_energy: object = None,
        coordinates: tuple[Coordinate, ...] = (),
    ) -> None:
        super().__init__()
        self.name = name
        self.size = size
        self.units = units  # type: ignore[assignment]  # the trait accepts any spelling
        self.scale = scale
        self.offset = offset
        self.navigate = navigate
        self.index = index
        self.beam_energy = beam_energy  # type: ignore[assignment]  # the trait accepts text
        for coordinate in coordinates:
            if np.shape(coordinate.values) != (self.size,):
                raise ValueError(
                    f"expected {self.size} values of {coordinate.name!r} for axis {name!r} of {self.size} positions, "
                    f"found shape {np.shape(coordinate.values)}: give one value for each position"
                )
        self._coordinates = tuple(coordinates)

    def _get_value(self) -> float:
        return self.offset + self.scale * self.index

    def _set_value(self, value: float | str) -> None:
        self.index = int(self.value2index(value))

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        """Where each picked position lies on the former axes; empty for an axis that is its own coordinate."""
        return self._coordinates

    @property
    def axis(self) -> NDArray[np.float64]:
        """Values at the pixel centres, float64[size]."""
        return self.offset + self.scale * np.arange(self.size, dtype=np.float64)

    @property
    def low_value(self) -> float:
        """Lowest value of a pixel centre."""
        return min(self.offset, self.offset + self.scale * (self.size - 1))

    @property
    def high_value(self) -> float:
        """Highest value of a pixel centre."""
        return max(self.offset, self.offset + self.scale * (self.size - 1))

    @overload
    def value2index(self, value: float | str) -> int: ...

    @overload
    def value2index(self, value: NDArray[Any] | list[float]) -> NDArray[np.int64]: ...

    def value2index(self, value: ArrayLike) -> int | NDArray[np.int64]:
        """Return the pixel nearest to a value.

        Parameters
        ----------
        value
            Number in axis units (an int too, here), array of these, or text with a unit.

        Returns
        -------
        int or ndarray of int64
            Halfway between two pixels the later one.

        Raises
        ------
        ValueError
            The value lies beyond the outer edge of the first or last pixel.

        Examples
        --------
        >>> Axis(name="kx", size=8, scale=0.5, units="mrad").value2index("0.0012 rad")
        2
        """
        return value_to_pixel(self, value)

    def index2value(self, index: ArrayLike) -> Any:
        """Return the value at a pixel coordinate, in axis units.

        Parameters
        ----------
        index
            Pixel coordinate or array of these; fractions and places outside the axis are fine.

        Returns
        -------
        float or ndarray of float64
            ``offset + scale * index``.

        Examples
        --------
        >>> Axis(name="kx", size=8, scale=0.5, units="mrad").index2value(2.5)
        1.25
        """
        values = self.offset + self.scale * np.asarray(index, dtype=np.float64)
        return float(values) if values.ndim == 0 else values

    def to_pixels(self, item: object) -> float:
        """Return where a place lies on the pixel grid, a fraction in general; see `lazy4d.units.to_pixels`.

        Examples
        --------
        >>> Axis(name="kx", size=8, scale=0.5, units="mrad").to_pixels(0.75)
        1.5
        """
        return to_pixels(item, self)

    def length_to_pixels(self, length: object) -> float:
        """Return how many pixels a length spans; see `lazy4d.units.length_to_pixels`.

        Examples
        --------
        >>> Axis(name="kx", size=8, scale=0.5, offset=-2, units="mrad").length_to_pixels("2 mrad")
        4.0
        """
        return length_to_pixels(length, self)

    @overload
    def slice_to_pixels(self, item: slice) -> slice: ...

    @overload
    def slice_to_pixels(self, item: float | str) -> int: ...

    def slice_to_pixels(self, item: slice | float | str) -> slice | int:
        """Return a selection along this axis in pixels, in numpy's terms.

        Parameters
        ----------
        item
            int = pixel (negative: counted from the end), float = value in axis units, string = value with its unit;
            or a slice of these, mixed as needed. Values go to the nearest pixel; the stop is excluded. The step is an
            int in pixels, or a float or string that is rounded to whole pixels.

        Returns
        -------
        int or slice
            An int `0 <= i < size`; or a slice with explicit start and step, its stop None where a negative step runs
            through pixel 0, never empty.

        Raises
        ------
        TypeError
            Neither int, float, string nor a slice of these.
        ValueError
            Outside the axis (integer slices are clipped, as numpy does), an empty selection, a step of zero, or a unit
            that does not fit; the message gives the range of the axis.

        Examples
        --------
        >>> k = Axis(name="kx", size=256, scale=0.02, offset=-2.56, units="1/Å")
        >>> k.slice_to_pixels(0.0), k.slice_to_pixels(-1), k.slice_to_pixels(slice("-1 1/nm", None, 2))
        (128, 255, slice(123, 256, 2))
        """
        return slice_to_pixels(self, item)

    def sliced(self, item: slice) -> "Axis":
        """Return the axis of the data after a slice along it.

        Parameters
        ----------
        item
            Any slice that `slice_to_pixels` takes.

        Returns
        -------
        Axis
            ``offset + scale * start``, ``scale * step``; the index goes back to 0.

        Examples
        --------
        >>> Axis(name="kx", size=8, scale=0.5).sliced(slice(None, None, -2))
        <kx axis, size: 4, scale: -1, offset: 3.5, units: px>
        """
        pixels = self.slice_to_pixels(item)
        start, step = pixels.start, pixels.step
        return self.copy(
            size=len(range(*pixels.indices(self.size))),
            offset=self.offset + self.scale * start,
            scale=self.scale * step,
            index=0,
            coordinates=tuple(one._replace(values=one.values[pixels]) for one in self.coordinates),
        )

    def rebinned(self, factor: int) -> "Axis":
        """Return the axis of the data after groups of `factor` pixels became one; a remainder at the end is dropped.

        Parameters
        ----------
        factor
            From 1 to the size of the axis.

        Returns
        -------
        Axis
            ``scale * factor``, ``offset + scale * (factor - 1) / 2``: a new pixel sits in the middle of its group.

        Raises
        ------
        ValueError
            The factor does not fit the axis.

        Examples
        --------
        >>> Axis(name="kx", size=9, scale=0.5).rebinned(4)
        <kx axis, size: 2, scale: 2, offset: 0.75, units: px>
        """
        if isinstance(factor, bool) or not isinstance(factor, (int, np.integer)) or not 1 <= factor <= self.size:
            raise ValueError(
                f"expected a whole factor from 1 to {self.size} for axis {self.name!r}, found {factor!r}: "
                "rebin by an int that is at most the size"
            )
        size, factor = self.size // int(factor), int(factor)
        return self.copy(
            size=size,
            offset=self.offset + self.scale * (factor - 1) / 2,
            scale=self.scale * factor,
            index=0,
            coordinates=tuple(
                one._replace(values=one.values[: size * factor].reshape(size, factor).mean(axis=1))
                for one in self.coordinates
            ),
        )

    def convert_units(self, units: object) -> None:
        """Change the units in place, with scale and offset, so that every pixel keeps its physical place.

        Parameters
        ----------
        units
            The new unit; between angles and inverse lengths `beam_energy` must be set.

        Raises
        ------
        ValueError
            The units cannot be converted.

        Notes
        -----
        Assigning to `units` only relabels the axis.

        Examples
        --------
        >>> k = Axis(name="kx", size=8, scale=0.5, offset=-2, units="1/nm")
        >>> k.convert_units("A^-1")
        >>> k
        <kx axis, size: 8, scale: 0.05, offset: -0.2, units: 1/Å>
        """
        scale = convert(self.scale, self.units, units, self.beam_energy)
        offset = convert(self.offset, self.units, units, self.beam_energy)
        self.trait_set(scale=scale, offset=offset, units=units)

    def as_dictionary(self) -> dict[str, Any]:
        """Return everything the axis is made of, as keyword arguments of `Axis`; coordinates only where there are any.

        Examples
        --------
        >>> Axis(name="x", size=2, navigate=True).as_dictionary()
        {'name': 'x', 'size': 2, 'units': 'px', 'scale': 1.0, 'offset': 0.0, 'navigate': True, 'index': 0,
         'beam_energy': None}
        """
        names = ("name", "size", "units", "scale", "offset", "navigate", "index", "beam_energy")
        values = {name: getattr(self, name) for name in names}
        return values | ({"coordinates": self.coordinates} if self.coordinates else {})

    def copy(self, **changes: Any) -> "Axis":
        """Return an independent axis, without observers, with the given attributes changed.

        Examples
        --------
        >>> Axis(name="x", size=4).copy(name="y", scale=2)
        <y axis, size: 4, scale: 2, offset: 0, units: px>
        """
        values = self.as_dictionary() | changes
        if "size" in changes:
            values.setdefault("index", 0)
            values["index"] = min(values["index"], values["size"] - 1)
        return Axis(**values)

    def equals(self, other: object) -> bool:
        """Return whether two axes describe the same pixels: all but the index shown and the beam energy.

        Examples
        --------
        >>> Axis(name="x", size=4).equals(Axis(name="x", size=4, index=2))
        True
        """
        if not isinstance(other, Axis) or len(self.coordinates) != len(other.coordinates):
            return False
        names = ("name", "size", "units", "scale", "offset", "navigate")
        return all(getattr(self, name) == getattr(other, name) for name in names) and all(
            mine[:2] == theirs[:2] and np.array_equal(mine.values, theirs.values)
            for mine, theirs in zip(self.coordinates, other.coordinates, strict=True)
        )

    def __repr__(self) -> str:
        return (
            f"<{self.name or 'unnamed'} axis, size: {self.size}, scale: {self.scale:g}, offset: {self.offset:g}, "
            f"units: {self.units}>"
        )

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return _restore, (self.as_dictionary(),)

    def __copy__(self) -> "Axis":
        return self.copy()

    def __deepcopy__(self, memo: object) -> "Axis":
        return self.copy()


def _restore(values: dict[str, Any]) -> Axis:
    return Axis(**values)

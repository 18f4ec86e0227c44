"""The axes of a signal together: navigation and signal axes, where the navigation stands, selections, calibration."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traits.api import Event

from lazy4d.axes.axis import Axis
from lazy4d.axes.calibration import calibrate
from lazy4d.axes.position import ScanPosition
from lazy4d.axes.selection import masked_axis, select_axes
from lazy4d.axes.text import dimensions, html_table, text_table

_NAVIGATION_NAMES = ("x", "y", "z", "t")
_SIGNAL_NAMES = ("kx", "ky", "kz")


class AxesManager(ScanPosition):
    """The axes of a signal, navigation axes first.

    Parameters
    ----------
    axes
        `Axis` objects in numpy order, the navigation axes before the signal axes. They are held, not copied.

    Raises
    ------
    TypeError, ValueError
        Something that is no `Axis`, or a signal axis before a navigation axis.

    Notes
    -----
    Numbers and tuples named *axes*, *shape*, *indices* and *coordinates* are x-first; `nav_shape`, `frame_shape` and
    `as_numpy_order` are in the order of the array. `index`, `indices`, `coordinates` can be observed: each fires once
    for a move, also where several axes change; `calibration_changed` fires when a name, unit, scale or offset changes.

    Examples
    --------
    >>> axes = AxesManager.from_shapes((3, 4), (16, 8))
    >>> axes
    <AxesManager (4, 3|8, 16)>
    name | size | index | offset | scale | units
    x    |    4 |     0 |      0 |     1 | px
    y    |    3 |     0 |      0 |     1 | px
    ---- | ---- | ----- | ------ | ----- | -----
    kx   |    8 |       |      0 |     1 | px
    ky   |   16 |       |      0 |     1 | px
    >>> axes["kx"].scale = 0.02
    >>> axes[0].name, axes.navigation_shape, axes.nav_shape
    ('x', (4, 3), (3, 4))
    """

    calibration_changed: Any = Event()
    """Fires with the axis whose name, units, scale or offset changed."""

    def __init__(self, axes: Iterable[Axis] = ()) -> None:
        super().__init__()
        self._axes = tuple(axes)
        for axis in self._axes:
            if not isinstance(axis, Axis):
                raise TypeError(
                    f"expected Axis objects, found {axis!r} of type {type(axis).__name__}: make an Axis of it"
                )
        navigate = [axis.navigate for axis in self._axes]
        if navigate != sorted(navigate, reverse=True):
            raise ValueError(
                "expected navigation axes before signal axes, in the order of the array, found "
                f"{[(axis.name, 'navigation' if axis.navigate else 'signal') for axis in self._axes]}: reorder them"
            )
        self._follow(self.navigation_axes)
        for axis in self._axes:
            axis.observe(self._recalibrated, "[name,units,scale,offset]")

    @classmethod
    def from_shapes(
        cls,
        nav_shape: Sequence[int],
        frame_shape: Sequence[int],
        nav_names: Sequence[str] | None = None,
        signal_names: Sequence[str] | None = None,
    ) -> "AxesManager":
        """Return uncalibrated axes for data of a shape.

        Parameters
        ----------
        nav_shape, frame_shape
            In numpy order.
        nav_names, signal_names
            Names x-first; by default x, y, z, t, axis4, … and kx, ky, kz, k3, …

        Raises
        ------
        ValueError
            The number of names differs from the number of axes.

        Examples
        --------
        >>> [axis.name for axis in AxesManager.from_shapes((9, 8, 7), (6, 5)).as_numpy_order()]
        ['z', 'y', 'x', 'ky', 'kx']
        """
        navigation = _names(nav_shape, nav_names, _NAVIGATION_NAMES, "axis", "nav_names")
        signal = _names(frame_shape, signal_names, _SIGNAL_NAMES, "k", "signal_names")
        return cls(
            [Axis(size=size, name=name, navigate=True) for size, name in zip(nav_shape, navigation, strict=True)]
            + [Axis(size=size, name=name) for size, name in zip(frame_shape, signal, strict=True)]
        )

    @property
    def navigation_axes(self) -> tuple[Axis, ...]:
        """Axes over scan positions, x-first."""
        return tuple(axis for axis in reversed(self._axes) if axis.navigate)

    @property
    def signal_axes(self) -> tuple[Axis, ...]:
        """Axes over the pixels of a frame, x-first."""
        return tuple(axis for axis in reversed(self._axes) if not axis.navigate)

    @property
    def navigation_shape(self) -> tuple[int, ...]:
        """Numbers of scan positions, x-first."""
        return tuple(axis.size for axis in self.navigation_axes)

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Numbers of pixels, x-first."""
        return tuple(axis.size for axis in self.signal_axes)

    @property
    def nav_shape(self) -> tuple[int, ...]:
        """Numbers of scan positions in numpy order, such as (rows, columns)."""
        return self.navigation_shape[::-1]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame in numpy order."""
        return self.signal_shape[::-1]

    @property
    def navigation_dimension(self) -> int:
        """Number of navigation axes."""
        return len(self.navigation_axes)

    @property
    def signal_dimension(self) -> int:
        """Number of signal axes."""
        return len(self.signal_axes)

    @property
    def beam_energy(self) -> float | None:
        """Beam energy in keV, None where unknown; set on all axes at once, also as text such as `"200 kV"`."""
        return next((axis.beam_energy for axis in self._axes if axis.beam_energy is not None), None)

    @beam_energy.setter
    def beam_energy(self, energy: object) -> None:
        for axis in self._axes:
            axis.beam_energy = energy  # type: ignore[assignment]  # the trait accepts text

    def as_numpy_order(self) -> tuple[Axis, ...]:
        """Return all axes in the order of the array.

        Examples
        --------
        >>> AxesManager.from_shapes((3,), (16, 8)).as_numpy_order()[-1].name
        'kx'
        """
        return self._axes

    def copy(self) -> "AxesManager":
        """Return independent axes, without observers.

        Examples
        --------
        >>> axes = AxesManager.from_shapes((3,), (16, 8))
        >>> axes.copy().equals(axes)
        True
        """
        return AxesManager([axis.copy() for axis in self._axes])

    def equals(self, other: object) -> bool:
        """Return whether both describe the same pixels; the position shown plays no part.

        Examples
        --------
        >>> AxesManager.from_shapes((3,), (16, 8)).equals(AxesManager.from_shapes((3,), (8, 16)))
        False
        """
        return (
            isinstance(other, AxesManager)
            and len(self) == len(other)
            and all(mine.equals(theirs) for mine, theirs in zip(self, other, strict=True))
        )

    def select_navigation(self, items: Any) -> tuple[tuple[int | slice, ...] | NDArray[np.bool_], "AxesManager"]:
        """Return a selection of scan positions in pixels and numpy order, and the axes of what it selects.

        Parameters
        ----------
        items
            What stands between the brackets of ``inav``: one item or a tuple, x-first, of ints, floats, strings with
            units, slices of these, and `...`; or one boolean array of `nav_shape`.

        Returns
        -------
        tuple of int or slice, or ndarray of bool
            One entry for each navigation axis in numpy order; a boolean array as it is.
        AxesManager
            Without the axes that an int selected; a boolean array leaves one axis, with `Axis.coordinates`.

        Raises
        ------
        TypeError, ValueError
            An item that does not fit its axis; the message gives the range of the axis.

        Examples
        --------
        >>> axes = AxesManager.from_shapes((3, 4), (16, 8))
        >>> axes.select_navigation((slice(1, 3), 0))[0]
        (0, slice(1, 3, 1))
        """
        signal = self.signal_only()._axes
        if isinstance(items, np.ndarray) and items.ndim:
            axis, mask = masked_axis(self.navigation_axes, items)
            return mask, AxesManager([axis, *signal])
        pixels, navigation = select_axes(self.navigation_axes, items, "inav")
        return pixels, AxesManager([*navigation, *signal])

    def select_signal(self, items: Any) -> tuple[tuple[int | slice, ...], "AxesManager"]:
        """Return a selection of frame pixels in numpy order, and the axes of what it selects; as `select_navigation`.

        Examples
        --------
        >>> axes = AxesManager.from_shapes((3, 4), (16, 8))
        >>> axes.select_signal((slice(2, 6), ...))
        ((slice(0, 16, 1), slice(2, 6, 1)), <AxesManager (4, 3|4, 16)>...
        """
        pixels, signal = select_axes(self.signal_axes, items, "isig")
        return pixels, AxesManager([*self.navigation_only()._axes, *signal])

    def rebinned(self, factors: Sequence[int]) -> "AxesManager":
        """Return the axes after rebinning.

        Parameters
        ----------
        factors
            One whole factor for each axis, x-first: navigation, then signal.

        Raises
        ------
        ValueError
            Not one factor for each axis, or one that does not fit.

        Examples
        --------
        >>> AxesManager.from_shapes((3, 4), (16, 8)).rebinned((2, 1, 4, 4)).frame_shape
        (4, 2)
        """
        if len(factors) != len(self):
            raise ValueError(
                f"expected {len(self)} factors, one for each axis, found {tuple(factors)}: {self._list_axes()}"
            )
        navigation = self.navigation_dimension
        numpy_order = [*factors[:navigation][::-1], *factors[navigation:][::-1]]
        return AxesManager([axis.rebinned(factor) for axis, factor in zip(self._axes, numpy_order, strict=True)])

    def navigation_only(self) -> "AxesManager":
        """Return copies of the navigation axes alone.

        Examples
        --------
        >>> AxesManager.from_shapes((3, 4), (16, 8)).navigation_only().frame_shape
        ()
        """
        return AxesManager([axis.copy() for axis in self._axes if axis.navigate])

    def signal_only(self) -> "AxesManager":
        """Return copies of the signal axes alone.

        Examples
        --------
        >>> AxesManager.from_shapes((3, 4), (16, 8)).signal_only().nav_shape
        ()
        """
        return AxesManager([axis.copy() for axis in self._axes if not axis.navigate])

    def transposed(self) -> "AxesManager":
        """Return the axes with navigation and signal exchanged.

        Examples
        --------
        >>> AxesManager.from_shapes((3, 4), (16, 8)).transposed().nav_shape
        (16, 8)
        """
        swapped = [axis.copy(navigate=not axis.navigate) for axis in self._axes]
        return AxesManager(sorted(swapped, key=lambda axis: not axis.navigate))

    def set_calibration(
        self,
        scale: Any = None,
        units: object = None,
        center: Any = None,
        scan_scale: Any = None,
        scan_units: object = None,
        beam_energy: object = None,
    ) -> None:
        """Calibrate signal axes, navigation axes and beam energy in place; what is None stays as it is.

        Parameters
        ----------
        scale
            Signal units per pixel: one number, a tuple of one for each signal axis (x-first), or text such as
            `"0.02 1/Å"`.
        units
            Unit of `scale`; without a scale the axes are only relabelled.
        center
            Pixel ``(x, y)``, fractions allowed, where the signal axes are 0. None keeps the pixel that is 0 on axes
            that were calibrated before, and takes pixel ``N // 2`` on those that were not.
        scan_scale, scan_units
            The same for the navigation axes; the position that is 0 stays 0, the first one where none was calibrated.
        beam_energy
            In keV, or text such as `"200 kV"`.

        Raises
        ------
        TypeError, ValueError
            Numbers that do not fit the axes. Nothing is changed then.

        Examples
        --------
        >>> axes = AxesManager.from_shapes((3, 4), (16, 8))
        >>> axes.set_calibration(scale=0.02, units="1/Å", scan_scale="1.2 nm", beam_energy="200 kV")
        >>> axes["ky"], axes["x"]
        (<ky axis, size: 16, scale: 0.02, offset: -0.16, units: 1/Å>,
         <x axis, size: 4, scale: 1.2, offset: 0, units: nm>)
        """
        trial = self.copy()
        trial.beam_energy = self.beam_energy if beam_energy is None else beam_energy
        calibrate(trial.signal_axes, scale, units, center)
        calibrate(trial.navigation_axes, scan_scale, scan_units, None, middle=False)
        for axis, tried in zip(self._axes, trial._axes, strict=True):
            axis.trait_set(units=tried.units, scale=tried.scale, offset=tried.offset, beam_energy=tried.beam_energy)

    def _recalibrated(self, event: Any) -> None:
        self.calibration_changed = event.object

    def __getitem__(self, key: int | str | Axis) -> Axis:
        axes = tuple(self)
        if isinstance(key, Axis):
            if not any(axis is key for axis in axes):
                raise ValueError(f"expected one of these axes, found {key!r}, which is of other data: give its name")
            return key
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            if not -len(axes) <= key < len(axes):
                raise ValueError(f"expected an axis number from 0 to {len(axes) - 1}, found {key}: {self._list_axes()}")
            return axes[key]
        found = [axis for axis in axes if axis.name == key]
        if not isinstance(key, str) or len(found) != 1:
            raise ValueError(f"expected one axis, found {key!r}, which {len(found)} axes have: {self._list_axes()}")
        return found[0]

    def __len__(self) -> int:
        return len(self._axes)

    def __iter__(self) -> Iterator[Axis]:
        """Iterate over the axes in the order of their numbers: navigation x-first, then signal x-first."""
        return iter(self.navigation_axes + self.signal_axes)

    def _list_axes(self) -> str:
        return "the axes are " + ", ".join(f"{number} = {axis.name!r}" for number, axis in enumerate(self))

    def __repr__(self) -> str:
        axes = self.navigation_axes, self.signal_axes
        return f"<AxesManager {dimensions(*axes)}>\n{text_table(*axes)}"

    def _repr_html_(self) -> str:
        axes = self.navigation_axes, self.signal_axes
        return f"<p><b>Axes</b> {dimensions(*axes)}</p>{html_table(*axes)}"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return AxesManager, (list(self._axes),)

    def __copy__(self) -> "AxesManager":
        return self.copy()

    def __deepcopy__(self, memo: object) -> "AxesManager":
        return self.copy()


def _names(
    shape: Sequence[int], names: Sequence[str] | None, defaults: tuple[str, ...], stem: str, argument: str
) -> list[str]:
    """Return one name for each size of a shape, in numpy order."""
    if names is None:
        names = [defaults[i] if i < len(defaults) else f"{stem}{i}" for i in range(len(shape))]
    if isinstance(names, str) or len(names) != len(shape):
        raise ValueError(f"expected {len(shape)} {argument} for shape {tuple(shape)}, found {names!r}: name every axis")
    return list(names)[::-1]

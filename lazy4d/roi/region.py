"""What all regions of interest share: values that are checked when set, events, and masks, spans and windows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from traits.api import Event, HasPrivateTraits, TraitType

from lazy4d.axes import Axis, Item, as_item, describe_range, difference, parse
from lazy4d.roi.geometry import mask_spans, mask_window


class Place(TraitType):
    """A place on an axis: int = pixel, float = axis units, string = with its unit."""

    def validate(self, owner: Any, name: str, value: object) -> Any:
        """Return the value to keep, or raise."""
        return owner._accept(name, self.convert(name, value))

    def convert(self, name: str, value: object) -> Any:
        """Return the value in the form that is kept, or raise."""
        return as_item(value)


class Length(Place):
    """A length, in the same three forms; not negative, and not zero unless told."""

    def __init__(self, zero: bool = False) -> None:
        super().__init__(0)
        self.zero = zero

    def convert(self, name: str, value: object) -> Item:
        """Return the value in the form that is kept, or raise."""
        item = as_item(value)
        size = parse(item)[0] if isinstance(item, str) else item
        if size < 0 or (size == 0 and not self.zero):
            least = "0 or more" if self.zero else "above 0"
            raise ValueError(f"expected {name} {least}, found {value!r}: lengths have no sign")
        return item


class Number(Place):
    """A plain number."""

    def convert(self, name: str, value: object) -> float:
        """Return the value in the form that is kept, or raise."""
        item = as_item(value)
        if isinstance(item, str):
            raise TypeError(f"expected a number for {name}, found {value!r}: leave out the unit")
        return float(item)


class ROI(HasPrivateTraits):
    """A region of interest on two axes; made as one of the shapes of `lazy4d.roi`.

    Notes
    -----
    Everywhere an **int is a pixel, a float is a value in axis units, a string carries its unit**. Each number is a
    trait: ``roi.observe(handler, "cx")`` follows one, ``roi.observe(handler, "changed")`` all of them, once for each
    assignment or `update`. Values that contradict each other are refused when they are set and change nothing.

    A pixel belongs to a region if its centre does. What lies outside the axes is clipped; a region without any pixel is
    an error.
    """

    changed: Any = Event()
    """Fires after any number of the region changed."""

    _fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **values: Any) -> None:
        super().__init__()
        if not self._fields:
            raise TypeError(
                "expected a shape, found the class ROI, which is no shape: use CircleROI or another of lazy4d.roi"
            )
        self._quiet = True
        converted = {name: self._convert(name, value) for name, value in values.items()}
        self._check(converted)
        for name, value in converted.items():
            setattr(self, name, value)
        self._quiet = False
        self.observe(self._announce, f"[{','.join(self._fields)}]")

    def _convert(self, name: str, value: object) -> Any:
        if name not in self._fields:
            raise ValueError(f"expected one of {list(self._fields)} for {type(self).__name__}, found {name!r}")
        return self.trait(name).handler.convert(name, value)

    def _accept(self, name: str, value: Any) -> Any:
        """Return a value after checking it together with the others."""
        if not self._quiet:
            self._check({**self._values(), name: value})
        return value

    def _check(self, values: dict[str, Any]) -> None:
        """Raise if values contradict each other; the shapes say what they know."""

    def _announce(self, event: Any) -> None:
        if not self._quiet:
            self.changed = True

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def update(self, **values: Any) -> None:
        """Set several numbers at once: checked together, all or none, and `changed` fires once.

        Raises
        ------
        TypeError, ValueError
            As for setting one.

        Examples
        --------
        >>> from lazy4d.roi import RectangleROI
        >>> roi = RectangleROI(0, 0, 4, 4)
        >>> roi.update(left=10, right=12)
        >>> roi
        RectangleROI(left=10, top=0, right=12, bottom=4)
        """
        converted = {name: self._convert(name, value) for name, value in values.items()}
        before = self._values()
        self._check(before | converted)
        with self._together():
            for name, value in converted.items():
                setattr(self, name, value)
        if before != self._values():
            self.changed = True

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._fields}

    def mask(self, axes: Sequence[Axis]) -> NDArray[np.bool_]:
        """Return which pixels belong.

        Parameters
        ----------
        axes
            The two axes (x, y), such as `AxesManager.signal_axes`.

        Returns
        -------
        ndarray of bool
            Shape (rows, columns), that is (y size, x size).

        Raises
        ------
        ValueError
            Not two axes, a unit that does not fit an axis, or no pixel belongs.

        Examples
        --------
        >>> from lazy4d.roi import CircleROI
        >>> CircleROI(2, 1, 1.5).mask((Axis(name="kx", size=5), Axis(name="ky", size=3))).sum()
        np.int64(9)
        """
        if len(axes) != 2:
            raise ValueError(f"expected two axes (x, y) for {self!r}, found {len(axes)}: a region lies in a plane")
        x, y = axes
        mask = self._mask(x, y)
        if not mask.any():
            raise ValueError(
                f"expected a region that holds the centre of at least one pixel, found {self!r} on axes where "
                f"{describe_range(x)}, {describe_range(y)}: move or enlarge it (int = pixel, float = axis units)"
            )
        return mask

    def _mask(self, x: Axis, y: Axis) -> NDArray[np.bool_]:
        """Return which pixels belong, possibly none."""
        raise TypeError(f"expected {type(self).__name__} to define _mask(x, y): every shape says which pixels belong")

    def spans(self, axes: Sequence[Axis]) -> NDArray[np.int64]:
        """Return the runs of pixels that belong, int64[k, 2] of [start, stop) in the flattened frame; see `mask`.

        Examples
        --------
        >>> from lazy4d.roi import RectangleROI
        >>> RectangleROI(0, 1, 4, 3).spans((Axis(name="kx", size=4), Axis(name="ky", size=4)))
        array([[ 4, 12]])
        """
        return mask_spans(self.mask(axes))

    def window(self, axes: Sequence[Axis]) -> tuple[slice, slice]:
        """Return the smallest window (slice over y, slice over x) around the pixels that belong; see `mask`.

        Examples
        --------
        >>> from lazy4d.roi import CircleROI
        >>> CircleROI(5, 2, 2).window((Axis(name="kx", size=8), Axis(name="ky", size=8)))
        (slice(1, 4, None), slice(4, 7, None))
        """
        return mask_window(self.mask(axes))

    def as_dictionary(self) -> dict[str, Any]:
        """Return the shape and its numbers, in types that JSON has; `roi_from_dictionary` reads it.

        Examples
        --------
        >>> from lazy4d.roi import CircleROI
        >>> CircleROI(4, 4, "2 mrad").as_dictionary()
        {'roi': 'CircleROI', 'cx': 4, 'cy': 4, 'r': '2 mrad', 'r_inner': 0}
        """
        return {"roi": type(self).__name__, **self._values()}

    def copy(self) -> Self:
        """Return an independent region, without observers.

        Examples
        --------
        >>> from lazy4d.roi import CircleROI
        >>> CircleROI(4, 4, 2).copy()
        CircleROI(cx=4, cy=4, r=2, r_inner=0)
        """
        return type(self)(**self._values())

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Self:
        return self.copy()

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return _restore, (type(self), self._values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._values().items())})"


def _restore(kind: type[ROI], values: dict[str, Any]) -> ROI:
    return kind(**values)


def check_below(low: tuple[str, Item], high: tuple[str, Item]) -> None:
    """Raise unless one number lies below another, where both count in the same terms.

    Raises
    ------
    ValueError
        It does not.

    Examples
    --------
    >>> check_below(("left", 2), ("right", 5))
    """
    gap = difference(high[1], low[1])
    if gap is not None and gap <= 0:
        raise ValueError(
            f"expected {low[0]} below {high[0]}, found {low[0]}={low[1]!r} and {high[0]}={high[1]!r}: change both at "
            "once with update() where one passes the other"
        )

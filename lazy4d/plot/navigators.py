"""The images in which a viewer picks positions: known ones, lazy ones that are computed, and overviews of the scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lazy4d.plot.overview_navigators import overview_navigators


class Navigator(Protocol):
    """An image over all navigation axes that may still be incomplete."""

    @property
    def share(self) -> float:
        """The part of the positions that is known, 0 to 1."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""

    @property
    def version(self) -> int:
        """Counts the changes."""

    @property
    def message(self) -> str:
        """What a user should be told."""

    @property
    def follows_frames(self) -> bool:
        """Whether it is made of the frames shown, and has to wait for what they need."""

    def image(self) -> NDArray[Any] | None:
        """The image as far as it is known, ``[nav...]``, gaps filled; None where nothing is known yet."""

    def steps(self, check: Callable[[], None]) -> Iterator[Any]:
        """The work that is left, in small steps; `check` ends what takes longer by an exception."""


class KnownNavigator:
    """An image that is complete.

    Parameters
    ----------
    image : ndarray [nav...]
        The image.

    Examples
    --------
    >>> KnownNavigator(np.zeros((4, 4))).complete
    True
    """

    share, complete, version, message, follows_frames = 1.0, True, 0, "", False

    def __init__(self, image: NDArray[Any]) -> None:
        self._image = image

    def image(self) -> NDArray[Any]:
        """The image."""
        return self._image

    def steps(self, check: Callable[[], None]) -> Iterator[Any]:
        """Nothing."""
        return iter(())


class LazyNavigator:
    """A lazy image over the scan, computed in small portions: first far apart, then between them.

    Parameters
    ----------
    signal : BaseSignal
        Real numbers, with navigation axes only, such as a virtual image.

    Examples
    --------
    >>> image = LazyNavigator(d.map(np.sum, output_dtype="f8", output_signal_shape=()))
    >>> for _ in image.steps(lambda: None):
    ...     pass
    >>> image.complete, image.image().shape
    (True, (4, 4))
    """

    message, follows_frames = "", False

    def __init__(self, signal: Any) -> None:
        from lazy4d.plot.detectors.partial import PartialImage

        self._signal = signal
        self._partial = PartialImage.empty(tuple(signal.nav_shape), np.dtype(signal.dtype))
        self.version = 0

    @property
    def share(self) -> float:
        """The part of the positions that is known."""
        return self._partial.share

    @property
    def complete(self) -> bool:
        """Whether all positions are known."""
        return self._partial.complete

    def image(self) -> NDArray[Any] | None:
        """The image, positions that are not known like the nearest one that is."""
        return self._partial.shown() if self._partial.share else None

    def steps(self, check: Callable[[], None]) -> Iterator[Any]:
        """Portions of the scan, read once each."""
        from lazy4d.plot.detectors.exact_pass import images_pass

        for share in images_pass(self._signal, {"": self._signal}, {"": self._partial}, check, spread_out=True):
            self.version += 1
            yield share


def navigators_of(signal: Any, navigator: Any) -> dict[str, Navigator]:
    """The navigators that a user asked for, by name.

    Parameters
    ----------
    signal : BaseSignal
        What is viewed.
    navigator : "auto", signal, ndarray, dict of these, or None
        What is wanted.

    Raises
    ------
    TypeError, ValueError
        Something that is no image over the scan.

    Examples
    --------
    >>> list(navigators_of(d, {"bright": np.ones((4, 4)), "sum": "auto"}))
    ['bright', 'sum']
    """
    if not signal.nav_shape or navigator is None:
        return {}
    if isinstance(navigator, Mapping):
        return {str(name): _navigator(signal, one, f"the navigator {name!r}") for name, one in navigator.items()}
    if isinstance(navigator, str) and navigator == "auto":
        return dict(_automatic(signal))
    return {getattr(navigator, "title", "") or "navigator": _navigator(signal, navigator, "a navigator")}


def _navigator(signal: Any, given: Any, what: str) -> Navigator:
    if isinstance(given, str):
        if given != "auto":
            raise ValueError(f"expected 'auto', a signal, an array, a dict of these or None as {what}, found {given!r}")
        return _automatic(signal)["sum"]
    shape = tuple(signal.nav_shape)
    if hasattr(given, "nav_shape") and hasattr(given, "frames"):
        image = given
        if tuple(given.nav_shape) != shape or given.frame_shape:
            if tuple(given.frame_shape) != shape or given.nav_shape:
                raise ValueError(
                    f"expected an image over a scan of shape {shape} (numpy order) as {what}, found {given!r}"
                )
            if not given.lazy:
                return KnownNavigator(_real(given.data))
            image = given.T
        if not image.lazy:
            return KnownNavigator(_real(image.data))
        return LazyNavigator(abs(image) if image.dtype.kind == "c" else image)
    if hasattr(given, "dask"):
        raise TypeError(f"expected a signal or an array in memory as {what}, found a dask array: give its .compute()")
    array = np.asarray(given)
    if array.shape != shape:
        raise ValueError(f"expected an array of the shape {shape} of the scan as {what}, found shape {array.shape}")
    return KnownNavigator(_real(array))


def _automatic(signal: Any) -> Mapping[str, Navigator]:
    """The images that need nobody's choice, the sum of each frame first."""
    from lazy4d.signals.construction import is_split

    if is_split(signal):  # of each position a bit is in every block, so that no frame comes without all of them
        return {"sum": LazyNavigator(signal.T.sum().T)}
    return overview_navigators(signal)


def _real(image: NDArray[Any]) -> NDArray[Any]:
    return np.abs(image) if image.dtype.kind == "c" else image

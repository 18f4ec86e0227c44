"""The plug-ins of RosettaSciIO: found by suffix or name, called, and their failures told in words."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lazy4d.errors import FormatError, Lazy4DError, MissingCodecError, MissingCompanionError, UnsupportedVariantError

SUFFIXES = (
    ".dm3", ".dm4", ".ser", ".emi", ".bcf", ".spx", ".rpl", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".gif",
    ".msa", ".emsa", ".ems", ".mas", ".app5", ".dens", ".spd", ".spc", ".lsd", ".img", ".pts", ".eds", ".asw", ".prz",
    ".sur", ".pro", ".tvf", ".wdf", ".elid", ".unf", ".mrcz", ".de5", ".xml", ".sac", ".sbc", ".nc", ".csv",
)  # fmt: skip
"""Suffixes of files that it reads and no reader of lazy4d itself does."""

INSTALL = 'pip install "lazy4d[formats]"'

_WRITABLE = {"ZSPY": "open for writing"}
"""Plug-ins that open a file in a way that could change it."""


_NOT_LAZY = "NotImplementedError"
"""What a plug-in raises that cannot read lazily, or not such a file at all."""


class ReadsAtOnceError(Exception):
    """A plug-in reads a file only as a whole."""


@dataclass(frozen=True)
class Plugin:
    """One plug-in.

    Parameters
    ----------
    name : str
        As RosettaSciIO calls it.
    module : str
        Where its ``file_reader`` is.
    """

    name: str
    module: str

    def reader(self) -> Callable[..., Any]:
        """Its ``file_reader``.

        Raises
        ------
        MissingCodecError
            It needs a package that is not installed.
        """
        try:
            found: Callable[..., Any] = import_module(self.module).file_reader
        except ImportError as error:
            raise MissingCodecError(
                f"the plug-in {self.name!r} of RosettaSciIO needs a package that is not installed ({error}): install "
                f"that package, or {INSTALL}"
            ) from error
        return found

    def parameters(self) -> tuple[str, ...]:
        """Names of the options that its reader takes."""
        return tuple(inspect.signature(self.reader()).parameters)


def all_plugins(path: str) -> list[tuple[Plugin, tuple[str, ...]]]:
    """Every plug-in and its suffixes.

    Parameters
    ----------
    path : str
        The file to be read, for the message.

    Raises
    ------
    MissingCodecError
        RosettaSciIO is not installed.
    """
    try:
        listed = import_module("rsciio").IO_PLUGINS
    except ImportError as error:
        suffix = os.path.splitext(path)[1]
        raise MissingCodecError(
            f"{path}: files {suffix!r} are read by RosettaSciIO, which cannot be imported ({error}): {INSTALL}"
        ) from error
    return [
        (Plugin(each["name"], each["api"]), tuple(sorted({f".{e.lower()}" for e in each["file_extensions"]})))
        for each in listed
    ]


def find_plugin(path: str, name: str | None) -> Plugin:
    """The plug-in for a file, by name or else by the suffix of the file.

    Raises
    ------
    MissingCodecError
        RosettaSciIO is not installed.
    FormatError
        No plug-in, or several, have the suffix: lists them.
    UnsupportedVariantError
        The plug-in does not leave files as they are.
    ValueError
        There is no plug-in of that name.
    """
    known = all_plugins(path)
    if name is not None:
        chosen = [plugin for plugin, _ in known if plugin.name.lower() == name.lower()]
        if not chosen:
            names = ", ".join(sorted(plugin.name for plugin, _ in known))
            raise ValueError(f"plugin={name!r} is not known to RosettaSciIO: expected one of {names}")
    else:
        suffix = os.path.splitext(path)[1].lower()
        chosen = [plugin for plugin, suffixes in known if suffix in suffixes]
        if not chosen:
            raise FormatError(
                f"{path}: no plug-in of RosettaSciIO reads files {suffix!r}; name one with plugin='...', of "
                f"{', '.join(sorted(plugin.name for plugin, _ in known))}"
            )
        if len(chosen) > 1:
            raise FormatError(
                f"{path}: several plug-ins of RosettaSciIO read files {suffix!r}: say which one with plugin= one of "
                f"{', '.join(repr(plugin.name) for plugin in chosen)}"
            )
    if chosen[0].name in _WRITABLE:
        raise UnsupportedVariantError(
            f"{path}: the plug-in {chosen[0].name!r} of RosettaSciIO may {_WRITABLE[chosen[0].name]} what it reads; "
            "lazy4d reads such files itself: leave reader and plugin out"
        )
    return chosen[0]


def call(plugin: Plugin, path: str, *, lazy: bool, options: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The data sets that a plug-in finds in a file, as its dictionaries, and what it warned of.

    Parameters
    ----------
    plugin : Plugin
        Which.
    path : str
        The file.
    lazy : bool
        Ask for dask arrays.
    options : dict
        Options of the plug-in.

    Raises
    ------
    ReadsAtOnceError
        `lazy` was asked of a plug-in that cannot. Not for users: the caller then asks again.
    FormatError
        The plug-in failed: names file, plug-in and cause.
    MissingCodecError
        It needs a package that is not installed.
    MissingCompanionError
        A file that belongs to this one is not there.
    """
    told: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = plugin.reader()(path, lazy=lazy, **options)
        told = [
            f"{path}: {plugin.name} of RosettaSciIO: {each.message}"
            for each in caught
            if issubclass(each.category, UserWarning)
        ]
    except Exception as error:
        if lazy and type(error).__name__ == _NOT_LAZY:
            raise ReadsAtOnceError(plugin.name) from error
        raise translated(error, plugin, path) from error
    return [each for each in found if isinstance(each, dict)], list(dict.fromkeys(told))


def translated(error: BaseException, plugin: Plugin, path: str) -> Exception:
    """What a user is told of an exception that a plug-in raised."""
    cause = f"{type(error).__name__}: {error}"
    who = f"{path}: the plug-in {plugin.name!r} of RosettaSciIO"
    if isinstance(error, Lazy4DError):
        return error
    if type(error).__name__ == _NOT_LAZY:
        return FormatError(f"{who} does not read such files")
    if isinstance(error, ImportError):
        return MissingCodecError(
            f"{who} needs a package that is not installed ({error}): install that package, or {INSTALL}"
        )
    if isinstance(error, FileNotFoundError):
        return MissingCompanionError(f"{who} looks for a file that is not there: {error}")
    if isinstance(error, PermissionError):
        return PermissionError(f"{who} may not read a file: {error}")
    if isinstance(error, MemoryError):
        return FormatError(f"{who} asks for more memory than there is ({cause}): the file is too large, or damaged")
    return FormatError(
        f"{who} could not read it ({cause}). The file may be damaged, or not of this format: plugin='...' names another"
    )

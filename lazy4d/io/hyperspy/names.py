"""Names of groups, data sets and attributes: whatever a container cannot hold is written as ``%`` and two digits."""

from __future__ import annotations

import re

PREFIXES = ("_list_", "_tuple_", "_bs_", "_sig_", "_datetime_", "_hspy_AxesManager_", "_ragged_shapes_")
"""Beginnings of names that say of which type a value is."""

_EMPTY = "%FF"
_FORBIDDEN = re.compile('[/\\\\<>:"|?*\x00-\x1f]|^\\.|[. ]$')
_ESCAPED = re.compile("%(00|FF|25|5F|2F|5C|3C|3E|3A|22|7C|3F|2A|2E|20|0[1-9A-F]|1[0-9A-F])")


def quoted(name: str) -> str:
    """A name that can be a folder, a group and an attribute, and is taken for no other type.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
        The name itself unless it is empty, holds characters that folders cannot have, or begins like the names that
        HyperSpy gives to lists and other types.

    Examples
    --------
    >>> quoted("Exposure (s)"), quoted("counts/s"), quoted("_list_of_dwarfs"), quoted("")
    ('Exposure (s)', 'counts%2Fs', '%5Flist_of_dwarfs', '%FF')
    """
    if not name:
        return _EMPTY
    text = _ESCAPED.sub(lambda found: "%25" + found.group()[1:], name)
    text = _FORBIDDEN.sub(lambda found: f"%{ord(found.group()):02X}", text)
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "%5F" + text[1:] if text.startswith(PREFIXES) else text


def unquoted(name: str) -> str:
    """The name that `quoted` was given; percent signs that it does not write stay.

    Examples
    --------
    >>> unquoted("counts%2Fs"), unquoted("50% off"), unquoted(quoted("a%2Fb"))
    ('counts/s', '50% off', 'a%2Fb')
    """
    if name == _EMPTY:
        return ""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), name)


def experiment_name(title: str) -> str:
    """The name of the group that holds a signal of this title.

    Examples
    --------
    >>> experiment_name("a/b: scan."), experiment_name("")
    ('a-b- scan-', '__unnamed__')
    """
    text = _FORBIDDEN.sub("-", title.strip()[:120]).encode("utf-8", "replace").decode("utf-8")
    return text or "__unnamed__"

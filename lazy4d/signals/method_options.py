"""Options of one method among several that share a name."""

from __future__ import annotations

from typing import Any


def method_options(
    options: dict[str, Any], method: str, needed: tuple[str, ...] = (), **defaults: Any
) -> dict[str, Any]:
    """The options of a method with their defaults; others are refused, and those without a default asked for.

    Raises
    ------
    TypeError
        An option that the method does not have, or one missing that it needs.

    Examples
    --------
    >>> method_options({"sigma": 2}, "gaussian", sigma=1, truncate=4.0)
    {'sigma': 2, 'truncate': 4.0}
    """
    known = (*needed, *defaults)
    for name in options:
        if name not in known:
            raise TypeError(f"the method {method!r} has no option {name!r}: expected {', '.join(known)}")
    for name in needed:
        if options.get(name) is None:
            raise TypeError(f"the method {method!r} needs {name}=, a length larger than the disks")
    return {**defaults, **options}

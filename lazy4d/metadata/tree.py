"""The metadata tree: dotted names over a nested dictionary that copies share until one of them is edited."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from lazy4d.metadata.text import html_lines, tree_lines
from lazy4d.metadata.values import freeze, given, jsonable, merged, plain, same

Path = str | tuple[str, ...]
"""A place in the tree: `"General.title"`, or a tuple of exact keys where a key holds a dot."""


class _Root:
    """The one thing that changes when a tree is edited; views of parts of the tree share it."""

    __slots__ = ("tree",)

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree


class Metadata:
    """A tree of names and values, read and written by dotted names.

    Parameters
    ----------
    content
        A nested dictionary or another tree; copied. Dictionaries become nodes, lists and tuples become tuples and
        arrays read-only copies, so that a value changes by assignment only.

    Notes
    -----
    ``m.General.title = "x"`` makes the node on the way. A name that is missing gives an empty node if it starts with
    a capital, as nodes do by convention, and an error if not, so that a misspelt value is noticed. Names that are no
    Python identifiers, or that are methods here, are reached as items: ``m["Exposure (s)"]``. In text a dot parts
    names, unless a key with that dot exists; a tuple of keys is taken exactly.

    A copy costs nothing: the dictionaries inside are never changed, an edit replaces those on the way to it.

    Examples
    --------
    >>> m = Metadata({"General": {"title": "scan"}})
    >>> m.Acquisition_instrument.TEM.beam_energy = 200
    >>> m
    ├── General
    │   └── title = scan
    └── Acquisition_instrument
        └── TEM
            └── beam_energy = 200
    >>> m.get_item("General.author", "nobody"), m["General.title"]
    ('nobody', 'scan')
    """

    __slots__ = ("_path", "_root")

    def __init__(self, content: "Mapping[str, Any] | Metadata | None" = None) -> None:
        if isinstance(content, Metadata):
            tree = content._node() or {}
        elif content is None or isinstance(content, Mapping):
            tree = freeze(content or {})
        else:
            raise TypeError(f"expected a dictionary of metadata, found {content!r}: give names and their values")
        object.__setattr__(self, "_root", _Root(tree))
        object.__setattr__(self, "_path", ())

    def _view(self, path: tuple[str, ...]) -> "Metadata":
        view = object.__new__(Metadata)
        object.__setattr__(view, "_root", self._root)
        object.__setattr__(view, "_path", self._path + path)
        return view

    def _node(self) -> dict[str, Any] | None:
        """Return the dictionary this view shows, None where it does not exist (yet)."""
        node: Any = self._root.tree
        for key in self._path:
            if not isinstance(node, dict) or key not in node:
                return None
            node = node[key]
        return node if isinstance(node, dict) else None

    def _find(self, path: Path) -> tuple[str, ...] | None:
        """Return the exact keys of what exists at a path."""
        if isinstance(path, tuple):
            node: Any = self._node()
            for key in path:
                if not isinstance(node, dict) or str(key) not in node:
                    return None
                node = node[str(key)]
            return tuple(str(key) for key in path)
        return _resolve(self._node() or {}, str(path))

    def _read(self, keys: tuple[str, ...]) -> Any:
        node: Any = self._node()
        for key in keys:
            node = node[key]
        return self._view(keys) if isinstance(node, dict) else given(node)

    def _write(self, keys: tuple[str, ...], value: Any) -> None:
        self._root.tree = _replaced(self._root.tree, self._path + keys, value)

    def has_item(self, path: Path) -> bool:
        """Return whether a value or node exists.

        Examples
        --------
        >>> Metadata({"General": {"title": "scan"}}).has_item("General.title")
        True
        """
        return self._find(path) is not None

    def get_item(self, path: Path, default: Any = None) -> Any:
        """Return the value or node at a path, or the default where there is none.

        Examples
        --------
        >>> Metadata({"General": {"title": "scan"}}).get_item("General.date", "today")
        'today'
        """
        keys = self._find(path)
        return default if keys is None else self._read(keys)

    def set_item(self, path: Path, value: Any) -> None:
        """Set the value at a path, with the nodes on the way to it; a dictionary becomes a node.

        Raises
        ------
        ValueError
            The way leads through something that is a value, or a name is empty.

        Examples
        --------
        >>> m = Metadata()
        >>> m.set_item("Sample.thickness", 12.5)
        >>> m.Sample.thickness
        12.5
        """
        exact = self._find(path)
        keys = exact if exact is not None else path if isinstance(path, tuple) else tuple(str(path).split("."))
        if not keys or not all(str(key) for key in keys):
            raise ValueError(f"expected names parted by dots, found {path!r}: give for example 'General.title'")
        self._write(tuple(str(key) for key in keys), freeze(value))

    def add_dictionary(self, content: "Mapping[str, Any] | Metadata") -> None:
        """Merge a nested dictionary into the tree; values that exist in both are replaced.

        Examples
        --------
        >>> m = Metadata({"General": {"title": "scan"}})
        >>> m.add_dictionary({"General": {"date": "2024-05-01"}})
        >>> m.as_dictionary()
        {'General': {'title': 'scan', 'date': '2024-05-01'}}
        """
        added = Metadata(content)._node() or {}
        new = merged(self._node() or {}, added)
        self._write((), new)

    def as_dictionary(self, jsonable: bool = False) -> dict[str, Any]:
        """Return the tree as an independent nested dictionary, tuples as lists.

        Parameters
        ----------
        jsonable
            Also turn every value into what JSON has: arrays into lists, numpy numbers into numbers, complex numbers
            into pairs, dates, paths and other objects into text.

        Examples
        --------
        >>> Metadata({"General": {"shape": (2, 3)}}).as_dictionary()
        {'General': {'shape': [2, 3]}}
        """
        node = self._node() or {}
        result: dict[str, Any] = _jsonable(node) if jsonable else plain(node)
        return result

    def copy(self) -> "Metadata":
        """Return an independent tree; costs nothing until one of the two is edited.

        Examples
        --------
        >>> a = Metadata({"General": {"title": "a"}})
        >>> b = a.copy()
        >>> b.General.title = "b"
        >>> a.General.title
        'a'
        """
        return Metadata(self)

    def deepcopy(self) -> "Metadata":
        """Return an independent tree; the same as `copy`, under the name HyperSpy has for it.

        Examples
        --------
        >>> Metadata({"a": 1}).deepcopy() == {"a": 1}
        True
        """
        return Metadata(self)

    def keys(self) -> list[str]:
        """Return the names on this level.

        Examples
        --------
        >>> Metadata({"General": {}, "Sample": {}}).keys()
        ['General', 'Sample']
        """
        return list(self._node() or {})

    def items(self) -> list[tuple[str, Any]]:
        """Return names with their values or nodes, on this level.

        Examples
        --------
        >>> Metadata({"title": "scan"}).items()
        [('title', 'scan')]
        """
        return [(key, self._read((key,))) for key in self.keys()]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # protocols of Python, numpy and notebooks ask for such names
            raise AttributeError(name)
        node = self._node() or {}
        if name in node:
            return self._read((name,))
        if name[0].isupper():
            return self._view((name,))
        raise AttributeError(self._missing(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or hasattr(Metadata, name):
            raise AttributeError(f"{name!r} cannot be set as an attribute of metadata: write m[{name!r}] = ... instead")
        self._write((name,), freeze(value))

    def __delattr__(self, name: str) -> None:
        del self[(name,)]

    def __getitem__(self, path: Path) -> Any:
        keys = self._find(path)
        if keys is None:
            raise ValueError(self._missing(path))
        return self._read(keys)

    def __setitem__(self, path: Path, value: Any) -> None:
        self.set_item(path, value)

    def __delitem__(self, path: Path) -> None:
        keys = self._find(path)
        if not keys:
            raise ValueError(self._missing(path))
        self._root.tree = _removed(self._root.tree, self._path + keys)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, (str, tuple)) and self.has_item(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._node() or {})

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Metadata):
            return same(self._node() or {}, other._node() or {})
        return same(self._node() or {}, freeze(other)) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it can be edited

    def __reduce__(self) -> tuple[Any, ...]:
        return Metadata, (self._node() or {},)

    def __copy__(self) -> "Metadata":
        return Metadata(self)

    def __deepcopy__(self, memo: object) -> "Metadata":
        return Metadata(self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(key for key in self.keys() if key.isidentifier())]

    def _ipython_key_completions_(self) -> list[str]:
        return self.keys()

    def __repr__(self) -> str:
        node = self._node()
        if not node:
            return f"<empty metadata{' at ' + '.'.join(self._path) if self._path else ''}>"
        return "\n".join(tree_lines(node))

    def _repr_html_(self) -> str:
        return html_lines(self._node() or {})

    def _missing(self, path: Path) -> str:
        text = ".".join(map(str, path)) if isinstance(path, tuple) else str(path)
        place = f"metadata {'.'.join(self._path)!r}" if self._path else "the metadata"
        names = self.keys()
        close = difflib.get_close_matches(text, names, n=1, cutoff=0.7)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return (
            f"no {text!r} in {place}, which has {names}{hint} Use get_item({text!r}, default) to read what may be "
            f"missing, or set_item({text!r}, value) to add it"
        )


_jsonable = jsonable  # the method's argument has the same name


def _resolve(node: dict[str, Any], path: str) -> tuple[str, ...] | None:
    """Return the keys that lead to a dotted path; a key that holds the dots itself goes first."""
    if path in node:
        return (path,)
    end = path.find(".")
    while end >= 0:
        child = node.get(path[:end])
        if isinstance(child, dict):
            rest = _resolve(child, path[end + 1 :])
            if rest is not None:
                return (path[:end], *rest)
        end = path.find(".", end + 1)
    return None


def _replaced(node: dict[str, Any], keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a tree with one value replaced, that shares all else."""
    if not keys:
        return dict(value)
    child = node.get(keys[0], {})
    if len(keys) > 1 and not isinstance(child, dict):
        raise ValueError(
            f"cannot set {'.'.join(keys[1:])!r} inside {keys[0]!r}, which holds the value {child!r} and is no node: "
            "delete it first, or choose another name"
        )
    return {**node, keys[0]: value if len(keys) == 1 else _replaced(child, keys[1:], value)}


def _removed(node: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a tree without one entry, that shares all else."""
    if len(keys) == 1:
        return {key: value for key, value in node.items() if key != keys[0]}
    return {**node, keys[0]: _removed(node[keys[0]], keys[1:])}

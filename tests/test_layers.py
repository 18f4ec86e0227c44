"""The architecture as a test: who may import whom, and the limits that keep modules small and readable."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lazy4d"
MAX_LINES = 400
FORBIDDEN_NAMES = {"utils", "util", "common", "misc", "helpers"}


@dataclass(frozen=True)
class Layer:
    """What a layer may import: `third` and `own` anywhere, `late` only inside a function."""

    third: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)


EVERY_LAYER = {"errors"}  # errors imports nothing, so that everybody may import it
ALL = {"api", "axes", "cli", "data", "io", "kernels", "lazy", "metadata", "plot", "ragged", "roi", "signals", "units"}

LAYERS = {
    "errors": Layer(),
    "kernels": Layer(third={"numpy", "numba"}, late={"scipy"}),
    "ragged": Layer(third={"numpy"}, late={"scipy"}),
    "units": Layer(third={"numpy"}, late={"pint"}),
    "axes": Layer(third={"numpy", "traits"}, own={"units"}),
    "roi": Layer(third={"numpy", "traits"}, own={"axes"}),
    "metadata": Layer(third={"numpy"}),
    "lazy": Layer(third={"numpy", "dask"}, late={"distributed", "psutil", "threadpoolctl", "tqdm"}, own={"ragged"}),
    "io": Layer(
        third={"numpy", "dask"},
        late={"distributed", "fsspec", "h5py", "hdf5plugin", "numcodecs", "psutil", "pyarrow", "zarr"},
        own={"kernels", "lazy", "ragged", "units"},
    ),
    "signals": Layer(
        third={"numpy"},
        late={"pandas", "pyarrow", "scipy", "sklearn"},
        own={"axes", "kernels", "lazy", "metadata", "ragged", "roi", "units"},
    ),
    "plot": Layer(
        third={"numpy", "matplotlib", "ipywidgets"},
        late={"IPython", "PIL"},
        own={"axes", "lazy", "roi", "signals", "units"},
    ),
    "data": Layer(third={"numpy", "dask"}),
    "api": Layer(third={"numpy"}, own=ALL),
    "cli": Layer(third={"click"}, late={"numpy", "tqdm"}, own=ALL),
    "__init__": Layer(own=ALL),
}

# The only imports against the arrows, all inside the function named here: (layer, function) -> layers.
UPWARD = {
    ("signals", "save"): {"api"},
    ("signals", "plot"): {"plot"},  # only when a figure is asked for
    ("signals", "plot_virtual_image"): {"plot"},
    ("signals", "plot_region"): {"plot"},
    ("signals", "preview"): {"plot"},
    ("signals", "small_pictures"): {"plot"},  # of what is known, in notebooks
    ("signals", "with_scan_shape"): {"io"},
    ("signals", "load_overview"): {"io"},  # what was kept of a file
    ("signals", "saving"): {"io"},
    ("signals", "_of_file"): {"io"},  # frames of repeated scans in other places, by their numbers
    ("signals", "_large"): {"api"},  # an image beside the scan, loaded when it is asked for
}

HEAVY = {"dask", "distributed", "fsspec", "h5py", "hdf5plugin", "matplotlib", "pint", "scipy", "traits", "zarr"}


@dataclass(frozen=True)
class Import:
    """One import statement: the module that is meant, where it stands and in which function."""

    module: str
    line: int
    function: str | None
    type_only: bool

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


def module_name(path: Path) -> str:
    """Dotted name, `lazy4d.io.mib.header` or, for a package, `lazy4d.io.mib`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def targets(module: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    """Modules that an import statement names; `from package import submodule` names the submodule."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        base = f"{package}.{base}".rstrip(".")
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names]


@cache
def imports(module: str) -> tuple[Import, ...]:
    def walk(node: ast.AST, function: str | None, type_only: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                for target in targets(module, child):
                    yield Import(target, child.lineno, function, type_only)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from walk(child, child.name, type_only)
            else:
                yield from walk(child, function, type_only or is_type_checking(child))

    return tuple(walk(tree(module), None, False))


def third_party(module: str) -> list[Import]:
    standard = sys.stdlib_module_names
    return [i for i in imports(module) if i.top != "lazy4d" and i.top not in standard]


def own(module: str) -> list[Import]:
    return [i for i in imports(module) if i.top == "lazy4d"]


def test_every_module_belongs_to_a_layer() -> None:
    unknown = {name for name in MODULES if layer_of(name) not in LAYERS}
    assert not unknown, f"modules outside the layer table: {sorted(unknown)}; put them into a layer or add one"


@pytest.mark.parametrize("module", MODULES)
def test_third_party_imports_keep_to_the_table(module: str) -> None:
    layer = LAYERS[layer_of(module)]
    wrong = [
        f"{MODULES[module]}:{i.line}: imports {i.module}"
        for i in third_party(module)
        if i.top not in layer.third and not (i.top in layer.late and (i.function or i.type_only))
    ]
    assert not wrong, f"{layer_of(module)} may import {layer.third}, late {layer.late}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("module", MODULES)
def test_inner_imports_follow_the_arrows(module: str) -> None:
    name = layer_of(module)
    allowed = LAYERS[name].own | EVERY_LAYER | {name}
    wrong = []
    for i in own(module):
        target = layer_of(i.module)
        upward = UPWARD.get((name, i.function or ""), set())
        if target not in allowed and target not in upward:
            wrong.append(f"{MODULES[module]}:{i.line}: {name} imports {i.module}")
    assert not wrong, f"{name} may import {sorted(allowed)}:\n" + "\n".join(wrong)


def test_encoders_and_readers_do_not_know_each_other() -> None:
    """A reader tested against an encoder that shares its code would agree with itself, not with the format."""
    crossing = [(m, i.module) for m in MODULES for i in own(m) if {layer_of(m), layer_of(i.module)} == {"data", "io"}]
    assert not crossing


def test_no_import_cycles() -> None:
    """At module level; imports inside functions and for type checkers only do not tie modules together."""
    edges = {m: {i.module for i in own(m) if not i.function and not i.type_only} & set(MODULES) - {m} for m in MODULES}
    remaining = dict(edges)
    while True:
        leaves = [m for m, needed in remaining.items() if not needed & set(remaining)]
        if not leaves:
            break
        for m in leaves:
            del remaining[m]
    # What is left is a cycle, or imports one.
    assert not remaining, f"import cycle among or below {sorted(remaining)}"


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_small_and_named_for_an_idea(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{module} has {lines} lines, at most {MAX_LINES}: split it by ideas"
    assert not FORBIDDEN_NAMES & {part.lstrip("_") for part in module.split(".")}, f"{module}: name it for its idea"


@pytest.mark.parametrize("module", MODULES)
def test_no_assert_and_nothing_unfinished_in_the_package(module: str) -> None:
    wrong = [
        f"{MODULES[module]}:{node.lineno}: {ast.unparse(node)[:60]}"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Name) and node.id == "NotImplementedError")
    ]
    assert not wrong, "raise an error that tells the user what to do:\n" + "\n".join(wrong)


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_raises_checks_the_message(path: Path) -> None:
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"pytest.raises", "pytest.warns"}:
            keywords = {k.arg for k in node.keywords}
            bare = ast.unparse(node.args[0]) == "KeyboardInterrupt"  # Ctrl-C carries no message
            if "match" not in keywords and not bare:
                lines.append(node.lineno)
    assert not lines, f"{path}: pytest.raises and pytest.warns without match= in lines {lines}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lazy4d", HEAVY | {"numba", "click"}),
        ("import lazy4d.kernels", HEAVY),
        ("import lazy4d; lazy4d.load", {"distributed", "h5py", "matplotlib", "pint", "zarr"}),
    ],
)
def test_imports_stay_light(statement: str, absent: set[str]) -> None:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not absent & set(loaded.split()), f"{statement!r} loaded {sorted(absent & set(loaded.split()))}"

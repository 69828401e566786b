"""Layers: each outside library has one room in the package, and heavy ones wait until they are needed."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "simulator"
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))

#: Who may import a library at all, inside functions included.
ROOMS = {
    "numba": ["simulator/kernel/*"],
    "h5py": ["simulator/storage/hdf5.py"],
    "matplotlib": ["simulator/report/figures/*"],
    "ruamel": ["simulator/scenario/yaml/reader.py"],
}

#: Who may import a slow library when the module loads; everybody else imports it inside a function.
EAGER = {
    "sympy": [
        "simulator/report/equations.py",
        "simulator/model/equations.py",
        "simulator/kernel/generate.py",
        "simulator/kernel/statements.py",
    ],
    "matplotlib": ROOMS["matplotlib"],
    "scipy": [],
    "pint": [],
    "xarray": [],
}

NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc", "core", "manager"}

PHYSICAL_CONSTANT = re.compile(r"(?<![\d.])(9648[0-9]|8\.314)")


def imported(node: ast.AST) -> list[str]:
    """Top-level names of what one node imports."""
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module.partition(".")[0]]
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("import_module", "__import__")):
        name = node.args[0]
        return [str(name.value).partition(".")[0]] if isinstance(name, ast.Constant) else []
    return []


def nodes_run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module loads: all below `node` but function bodies and type-checking blocks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            child = ast.Module(child.orelse, type_ignores=[])
        yield child
        yield from nodes_run_on_import(child)


def modules_importing(library: str, *, on_load: bool = False) -> set[str]:
    """Modules of the package that import a library, anywhere or when they load."""
    walk = nodes_run_on_import if on_load else ast.walk
    return {
        module
        for module in MODULES
        if any(library in imported(node) for node in walk(ast.parse((ROOT / module).read_text("utf-8"))))
    }


def outside(rooms: list[str], modules: set[str]) -> list[str]:
    """Those modules that match none of the patterns."""
    return sorted(module for module in modules if not any(fnmatch(module, room) for room in rooms))


@pytest.mark.parametrize("library", ROOMS)
def test_each_outside_library_has_one_room(library):
    assert outside(ROOMS[library], modules_importing(library)) == []


@pytest.mark.parametrize("library", EAGER)
def test_slow_libraries_are_imported_inside_functions(library):
    assert outside(EAGER[library], modules_importing(library, on_load=True)) == []


def test_the_command_starts_without_slow_libraries():
    slow = {"sympy", "scipy", "numba", "matplotlib", "h5py", "pint", "xarray"}
    show = f"import simulator.cli, sys; print(*sorted({slow} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_every_module_is_named_after_what_lives_in_it():
    names = {module: set(Path(module).with_suffix("").parts) for module in MODULES}
    assert [module for module, parts in names.items() if parts & NAMES_THAT_SAY_NOTHING] == []


def test_physical_constants_are_written_in_one_file():
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    written = {str(path.relative_to(ROOT)) for path in sources if PHYSICAL_CONSTANT.search(path.read_text("utf-8"))}
    assert written == {"simulator/physics/constants.py"}


@pytest.mark.parametrize(
    ("source", "anywhere", "on_load"),
    [
        ("import numba.core", True, True),
        ("from numba import njit", True, True),
        ("def f():\n    import numba", True, False),
        ("class A:\n    import numba", True, True),
        ("try:\n    import numba\nexcept ImportError: pass", True, True),
        ("if TYPE_CHECKING:\n    import numba", True, False),
        ("if TYPE_CHECKING:\n    import os\nelse:\n    import numba", True, True),
        ("importlib.import_module('numba')", True, True),
        ("from .numba import njit", False, False),
        ("import numbat", False, False),
    ],
)
def test_the_reader_of_imports_sees_what_it_should(source, anywhere, on_load):
    tree = ast.parse(source)
    assert any("numba" in imported(node) for node in ast.walk(tree)) is anywhere
    assert any("numba" in imported(node) for node in nodes_run_on_import(tree)) is on_load

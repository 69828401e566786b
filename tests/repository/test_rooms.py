"""Rooms: who may import whom, which library lives where, and what waits until it is needed."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from places import ROOT

from simulator.kernel.cache import CODE, LAWS, NUMBERS, sources

PACKAGE = ROOT / "simulator"
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))

#: Who may import a slow library when the module loads; everybody else imports it inside a function.
EAGER = {
    "sympy": [
        "simulator/report/equations.py",
        "simulator/model/definitions.py",
        "simulator/model/equations.py",
        "simulator/model/gate_flows.py",
        "simulator/model/invariants.py",
        "simulator/model/quantities.py",
        "simulator/model/turnover.py",
        "simulator/kernel/array_source.py",
        "simulator/kernel/linearisation.py",
        "simulator/kernel/statements.py",
    ],
    "numba": [
        "simulator/kernel/chunk_filter.py",
        "simulator/kernel/compiler.py",
        "simulator/kernel/driver.py",
        "simulator/kernel/vectormath.py",
        "simulator/kernel/vectors.py",
    ],
    "matplotlib": ["simulator/report/figures/*"],
    "scipy": [],
    "pint": [],
    "xarray": [],
    "dask": [],
    "distributed": [],
}

NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc", "core", "manager"}

PHYSICAL_CONSTANT = re.compile(r"(?<![\d.])(9648[0-9]|8\.314)")


# -- the contract ---------------------------------------------------------------------------------


def contract(folder: Path) -> subprocess.CompletedProcess:
    """What the contract in ``pyproject.toml`` says of the package in a folder."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run([*command, "--no-cache"], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, to be broken."""
    shutil.copytree(PACKAGE, tmp_path / "simulator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_room_uses_only_rooms_below_it():
    result = contract(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("physics/units.py", "from simulator.scenario.scenario import Scenario", "Rooms"),
        ("physics/units.py", "def f():\n    import simulator.cli.app", "Rooms"),
        ("model/protocol.py", "if TYPE_CHECKING:\n    from simulator.model.model import Model", "No circles"),
        ("storage/layout.py", "from simulator.storage.hdf5 import packed", "Inside storage"),
        ("scenario/checks/consistency.py", "from simulator.scenario.scenario import Scenario", "Inside scenario"),
        ("storage/folder.py", "import h5py", "h5py"),
        ("storage/parts.py", "def f():\n    from distributed import Client", "dask"),
        ("runs/threads.py", "def f():\n    import numba", "numba"),
        ("report/text.py", "from matplotlib import pyplot", "matplotlib"),
        ("storage/layout.py", "from ruamel.yaml import YAML", "The YAML parser"),
    ],
)
def test_the_contract_sees_what_breaks_it(copy, module, line, broken):
    path = copy / "simulator" / module
    path.write_text(f"{path.read_text()}\n\n{line}\n")
    result = contract(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert any(row.startswith(broken) and "BROKEN" in row for row in result.stdout.splitlines())


def test_a_new_room_must_find_its_place_in_the_contract(copy):
    (copy / "simulator" / "attic").mkdir()
    (copy / "simulator" / "attic" / "__init__.py").touch()
    assert contract(copy).returncode == 1


# -- what loads when ------------------------------------------------------------------------------


def imported(node: ast.AST) -> list[str]:
    """Names of what one node imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("import_module", "__import__")):
        name = node.args[0]
        return [str(name.value)] if isinstance(name, ast.Constant) else []
    return []


def imports_of(node: ast.AST, library: str) -> bool:
    """Whether one node imports a library or something of it."""
    return any(name == library or name.startswith(f"{library}.") for name in imported(node))


def nodes_run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module loads: all below `node` but function bodies and type-checking blocks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            child = ast.Module(child.orelse, type_ignores=[])
        yield child
        yield from nodes_run_on_import(child)


def parsed(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text("utf-8"))


@pytest.mark.parametrize("library", EAGER)
def test_slow_libraries_are_imported_inside_functions(library):
    loading = [m for m in MODULES if any(imports_of(node, library) for node in nodes_run_on_import(parsed(m)))]
    assert [m for m in loading if not any(fnmatch(m, allowed) for allowed in EAGER[library])] == []


def test_the_command_starts_without_slow_libraries():
    slow = {"numpy", "sympy", "scipy", "numba", "matplotlib", "h5py", "pint", "xarray"}
    show = f"import simulator.cli, sys; print(*sorted({slow} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


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
    assert any(imports_of(node, "numba") for node in ast.walk(tree)) is anywhere
    assert any(imports_of(node, "numba") for node in nodes_run_on_import(tree)) is on_load


# -- what makes a run the same run ----------------------------------------------------------------


#: What is imported on the way of the numbers and decides none: errors, and what only reads or refuses a scenario.
HARMLESS = ("errors.py", "scenario/checks/*", "scenario/yaml/*", "__init__.py", "*/__init__.py", "*/*/__init__.py")


def on_the_way_of_the_numbers() -> set[str]:
    """Files of the package that a run or a batch meets, imports inside functions included, laws left out."""
    by_name = {m.removesuffix(".py").removesuffix("/__init__").replace("/", "."): m for m in MODULES}
    waiting = [name for name in by_name if name.startswith("simulator.runs")]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            nodes = ast.walk(parsed(by_name[name]))
            waiting += [target for node in nodes for target in imported(node) if target in by_name]
    files = {by_name[name].removeprefix("simulator/") for name in found}
    return {file for file in files if not file.startswith(LAWS)}


def unhashed(rooms: tuple[str, ...]) -> set[str]:
    """Files that a run meets which a change of would pass unseen."""
    missed = on_the_way_of_the_numbers() - set(sources(rooms))
    return {file for file in missed if not any(fnmatch(file, pattern) for pattern in HARMLESS)}


def test_a_change_of_whatever_decides_a_number_makes_another_run():
    assert unhashed(NUMBERS) == set()


@pytest.mark.parametrize("room", NUMBERS)
def test_a_room_that_is_forgotten_there_is_missed(room):
    assert unhashed(tuple(other for other in NUMBERS if other != room)) != set()


def test_the_kernel_is_compiled_anew_when_its_own_sources_change_and_not_for_a_verdict():
    assert {"kernel/generate.py", "model/equations.py", "physics/constants.py"} <= set(sources(CODE))
    assert not any(file.startswith(("verdict/", "runs/", "scenario/")) for file in sources(CODE))


# -- names and constants --------------------------------------------------------------------------


def test_every_module_is_named_after_what_lives_in_it():
    names = {module: set(Path(module).with_suffix("").parts) for module in MODULES}
    assert [module for module, parts in names.items() if parts & NAMES_THAT_SAY_NOTHING] == []


def test_the_package_has_at_most_twelve_rooms():
    rooms = {path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert len(rooms - {"__init__.py", "__main__.py"}) <= 12


def test_physical_constants_are_written_in_one_file():
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    written = {str(path.relative_to(ROOT)) for path in sources if PHYSICAL_CONSTANT.search(path.read_text("utf-8"))}
    assert written == {"simulator/physics/constants.py"}

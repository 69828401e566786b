"""Laws from outside the package: files of the user's own, and modules that installed packages offer.

A law's file declares ``LAW``, as those of the library do, and the file's name is the law's name. It is code and is
executed, so it is named on the command line or in Python, never by a scenario. Installed packages name modules under
the entry point group ``ionflux.laws``; they are looked up when a scenario names a law that is not known otherwise.
A law is checked when it is loaded, and known by the digest of its source from then on.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from simulator.errors import LABEL, LABEL_IN_WORDS, FileError, Issue, one_line, shown
from simulator.mechanisms import Law, Parameter, library

if TYPE_CHECKING:
    from simulator.mechanisms.rate_checks import Finding

__all__ = [
    "GROUP",
    "LawError",
    "Origin",
    "add_file",
    "digest_of",
    "forget",
    "known",
    "law_of",
    "load_installed",
    "origin_of",
    "require_formula",
]

#: Entry point group of installed packages that offer laws.
GROUP = "ionflux.laws"

#: Laws whose form a scenario writes.
WRITTEN = ("channel", "custom")

#: Packages whose versions every kernel's hash covers, or that decide no numbers.
TRUSTED = frozenset({"simulator", "numpy", "sympy"}) | sys.stdlib_module_names


class LawError(FileError):
    """A law's file that cannot be used."""


@dataclass(frozen=True)
class Origin:
    """Where a law comes from.

    Parameters
    ----------
    file : str
        Its file, as the user named it, or with the package that offers it.
    path : Path
        The same as an absolute path.
    digest : str
        SHA-256 of the file, and of what it imports from elsewhere if it does.
    """

    file: str
    path: Path
    digest: str

    def __str__(self) -> str:
        return f"{self.path.name} (SHA-256 {self.digest})"


#: Laws from outside by name, and all that were ever loaded by name and digest: a result keeps the law it was made with.
_ORIGINS: dict[str, Origin] = {}
_LOADED: dict[tuple[str, str], tuple[Law, Origin]] = {}


def add_file(path: str | os.PathLike[str]) -> str:
    """Make the law of a file known under the file's name, which is returned.

    A file may be added again after a change. :func:`simulator.kernel.laws.add_laws` also tries the law in symbols.

    Raises
    ------
    LawError
        With all problems of the file, each with its line.
    """
    path = Path(path)
    name = path.stem
    if path.suffix != ".py":
        raise _error(str(path), None, f"`{path.name}` is no Python file", "a file NAME.py that declares LAW")
    if not path.is_file():
        raise _error(str(path), None, "there is no such file" if not path.exists() else "this is not a file")
    spec = spec_from_file_location(f"ionflux_laws.{name}", path.resolve())
    assert spec is not None
    _add(name, path, str(path), spec)
    return name


def known(name: str) -> bool:
    """Whether a law of this name is in the library or loaded from outside; installed packages are asked last."""
    if name not in library():
        load_installed()
    return name in library()


def origin_of(name: str, digest: str = "") -> Origin | None:
    """Origin of a law from outside, as it is or as it was with this digest; None for one of the library."""
    return _LOADED[name, digest][1] if digest else _ORIGINS.get(name)


def digest_of(name: str) -> str:
    """Digest of the source of a law from outside; empty for one of the library, which belongs to the package."""
    origin = _ORIGINS.get(name)
    return origin.digest if origin else ""


def law_of(name: str, digest: str) -> Law:
    """A law, from outside as it was when its source had this digest."""
    return _LOADED[name, digest][0] if digest else library()[name]


@cache
def load_installed() -> None:
    """Make the laws known that installed packages offer.

    Raises
    ------
    LawError
        If one of them cannot be used.
    """
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name):
        package = point.dist.name if point.dist else "an installed package"
        try:
            spec = find_spec(point.module)
        except Exception:  # the package around it may raise anything
            spec = None
        if spec is None or spec.origin is None:
            problem = f"{package} offers the law `{point.name}` in {point.value}, which is not there"
            raise LawError([Issue("", None, None, "", problem, "", f"update or remove {package}")])
        if point.name not in _ORIGINS:  # a file of the user's goes first
            _add(point.name, Path(spec.origin), f"{spec.origin} of {package}", spec)


@cache
def require_formula(name: str, digest: str) -> None:
    """Raise a :class:`LawError` unless a law from outside can be turned into symbols; this needs SymPy."""
    from simulator.mechanisms.rate_checks import in_symbols

    law, origin = _LOADED[name, digest]
    _refuse(origin, list(in_symbols(law)))


def _refuse(origin: Origin, wrong: Sequence[Finding]) -> None:
    """Raise what is wrong with a law, if anything is, with the lines of its file."""
    if wrong:
        tree, file = ast.parse(origin.path.read_bytes()), str(origin.path)
        at = [(_line(w.about, w.error, file, tree), w) for w in wrong]
        raise LawError([Issue(origin.file, line, None, "", w.problem, w.expected, w.hint) for line, w in at])


def forget(name: str) -> None:
    """Make a law from outside unknown again."""
    del library()[name], _ORIGINS[name]


def _add(name: str, path: Path, shown_as: str, spec: ModuleSpec) -> None:
    """Load, check and register one law."""
    if not LABEL.fullmatch(name):
        raise _error(shown_as, None, f"`{shown(name)}` is no name for a law", LABEL_IN_WORDS, "rename it")
    if name in WRITTEN or (name in library() and name not in _ORIGINS):
        raise _error(shown_as, None, f"there is a law `{name}` in the library already", "another name", "rename it")
    try:
        source = path.read_bytes()
    except OSError as error:
        raise _error(shown_as, None, f"it cannot be read ({error.strerror or error})") from None
    module, tree = _executed(source, path, shown_as, spec)
    law = getattr(module, "LAW", None)
    if not isinstance(law, Law):
        problem = "it declares no LAW" if law is None else f"LAW is {type(law).__name__}"
        raise _error(shown_as, None, problem, "LAW = Law(...), with Law of simulator.mechanisms.law")
    # Imported here: a run without laws from outside needs no checks of them.
    from simulator.mechanisms.law_checks import findings

    origin = Origin(shown_as, path.resolve(), _digest(source, module, tree))
    _refuse(origin, findings(law))
    library()[name], _ORIGINS[name] = law, origin
    _LOADED[name, origin.digest] = law, origin


def _executed(source: bytes, path: Path, shown_as: str, spec: ModuleSpec) -> tuple[ModuleType, ast.Module]:
    """Module of exactly this source, which a compiled copy on the disk might not be, and its syntax tree."""
    try:
        tree = ast.parse(source, str(path))
        code = compile(source, spec.origin or str(path), "exec")
    except (SyntaxError, ValueError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise _error(shown_as, line, f"this is not valid Python: {text}") from None
    module = module_from_spec(spec)
    before = sys.modules.get(spec.name)
    sys.modules[spec.name] = module  # some libraries look a class up in the module that defines it
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[spec.name]
        else:
            sys.modules[spec.name] = before
        what = f"{type(error).__name__}: {one_line(error)}"
        line = _line("", error, code.co_filename, tree)
        raise _error(shown_as, line, f"it cannot be loaded: {what}") from None
    return module, tree


def _error(file: str, line: int | None, problem: str, expected: str = "", hint: str = "") -> LawError:
    return LawError([Issue(file, line, None, "", problem, expected, hint)])


# -- what a law depends on ------------------------------------------------------------------------


def _digest(source: bytes, module: ModuleType, tree: ast.Module) -> str:
    """SHA-256 of a law's source, and of the modules from elsewhere that it imports, directly or not."""
    texts, seen = [source], {module.__name__}
    waiting = list(_imported(tree, module))
    while waiting:
        other = waiting.pop()
        if other.__name__ in seen or other.__name__.partition(".")[0] in TRUSTED:
            continue
        seen.add(other.__name__)
        file = getattr(other, "__file__", None)
        if file is not None and file.endswith(".py"):
            texts.append(Path(file).read_bytes())
            waiting += _imported(ast.parse(texts[-1]), other)
    if len(texts) == 1:
        return hashlib.sha256(source).hexdigest()
    return hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()


def _imported(tree: ast.Module, module: ModuleType) -> Iterator[ModuleType]:
    """Yield the loaded modules that a module's import statements name."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = (module.__package__ or "").split(".")
            start = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            base = (start + (node.module or "")).rstrip(".")
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (sys.modules[name] for name in names if name in sys.modules)


# -- places in a law's file -----------------------------------------------------------------------


def _line(about: Any, error: BaseException | None, file: str, tree: ast.Module) -> int | None:
    """Line of what went wrong: where an error was raised, where a function begins, or what LAW is given."""
    raised = traceback.extract_tb(error.__traceback__) if error is not None else []
    own = [frame.lineno for frame in raised if frame.filename == file]
    code = getattr(inspect.unwrap(about), "__code__", None) if callable(about) else None
    if own:
        return own[-1]
    if code is not None and code.co_filename == file:
        return int(code.co_firstlineno)
    given = (line for node in ast.walk(tree) if isinstance(node, ast.Call) for line in _line_in(node, about))
    return next(given, None) or next((n.lineno for n in tree.body if "LAW" in _assigned(n)), None)


def _line_in(call: ast.Call, about: Any) -> Iterator[int]:
    """Yield the line of a call that makes a parameter, or of its argument of a certain name."""
    if isinstance(about, Parameter):
        names = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "name")]
        yield from (call.lineno for value in names if isinstance(value, ast.Constant) and value.value == about.name)
    yield from (keyword.value.lineno for keyword in call.keywords if keyword.arg == about)


def _assigned(node: ast.stmt) -> list[str]:
    return [t.id for t in node.targets if isinstance(t, ast.Name)] if isinstance(node, ast.Assign) else []

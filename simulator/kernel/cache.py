"""Where compiled code lives: a private directory, one folder per kernel or shared module, named by what it depends on.

The name is a hash of the structure, of every source file that has a part in the code, and of the versions of the
libraries that compile it; a changed law or constant can never meet a stale kernel, whatever the times of files say.
Which files these are follows from the rooms of the package. The directory belongs to the user alone, because numba's
cache index is a pickle: one that others could write to is not used.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import os
import py_compile
import shutil
import stat
import sys
import tempfile
import threading
import warnings
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import platformdirs

from simulator.model.structure import Structure

PACKAGE = Path(__file__).resolve().parent.parent

#: Rooms that have a part in the generated code, and in the numbers that it is given.
CODE = ("physics", "mechanisms", "model", "kernel")

#: Rooms that decide which numbers a result has: what the code computes, and what is said of it. Of `scenario` all but
#: what only reads or refuses it, because the resolved scenario is part of what makes a run the same run anyway.
NUMBERS = (*CODE, "scenario", "scenario/entries", "trajectory", "verdict", "runs")

#: Folder of the laws, of which a model depends on those that it uses.
LAWS = "mechanisms/laws"

#: Source files that have a part in every kernel and are compiled once for all of them.
COMMON = (
    "kernel/driver.py",
    "kernel/rodas4.py",
    "kernel/status.py",
    "kernel/step_control.py",
    "kernel/vectormath.py",
    "kernel/workspace.py",
)

#: Modules that are the same for all models and compiled once for all of them, with the source files they depend on.
SHARED = {"driver": COMMON, "chunk_filter": ("kernel/chunk_filter.py", "kernel/vectormath.py")}

_LOADING = threading.RLock()  # a kernel loads the driver while it is loaded itself

LIBRARIES = ("numba", "llvmlite", "numpy", "sympy")


@cache
def kernel_hash(structure: Structure) -> str:
    """Hash of everything that decides the numbers of a run beside its scenario; taken once, as modules are imported."""
    return _hash(_text(structure), (*sources(NUMBERS), *_laws(structure)))


@cache
def code_hash(structure: Structure) -> str:
    """Hash of everything the generated code of a structure depends on: the name of its folder in the cache."""
    return _hash(_text(structure), (*sources(CODE), *_laws(structure)))


def sources(rooms: tuple[str, ...]) -> tuple[str, ...]:
    """Source files of some rooms, by their paths in the package."""
    found = (path.relative_to(PACKAGE).as_posix() for room in rooms for path in (PACKAGE / room).glob("*.py"))
    return tuple(sorted(found))


def _laws(structure: Structure) -> tuple[str, ...]:
    """Source files of the laws that a structure uses."""
    used = {mechanism.law_name for _, mechanism in structure.mechanisms if mechanism.form is None}
    return tuple(f"{LAWS}/{law}.py" for law in sorted(used))


def _text(structure: Structure) -> str:
    return json.dumps(asdict(structure), sort_keys=True)


def _hash(what: str, names: tuple[str, ...]) -> str:
    """Hash of some text, of source files, and of the libraries that compile."""
    digest = hashlib.sha256(what.encode())
    for name in names:
        digest.update(name.encode() + b"\0" + _source(name))
    digest.update(json.dumps([*map(version, LIBRARIES), sys.version]).encode())
    return digest.hexdigest()[:32]


@cache
def _source(name: str) -> bytes:
    """A source file as it was when first asked for: this process goes on with it even if it is changed meanwhile."""
    return (PACKAGE / name).read_bytes()


def folder(structure: Structure) -> Path:
    """Folder with the generated modules of a structure, written now if it is not there yet."""
    path = directory() / code_hash(structure)
    if not (path / "kernel.py").is_file():
        _write(structure, path)
    return path


def shared(name: str) -> ModuleType:
    """A module of :data:`SHARED` from a copy in the cache, where its compiled form is kept for all kernels."""
    return load_module(shared_path(name))


def shared_path(name: str) -> Path:
    """That copy, written now if it is not there yet."""
    path = directory() / f"{name}-{_hash('', SHARED[name])}"
    if not (path / f"{name}.py").is_file():
        _place(path, {f"{name}.py": _source(f"kernel/{name}.py").decode()})
    return path / f"{name}.py"


def load_module(path: Path) -> ModuleType:
    """Import a module of the cache under a name of its own."""
    name = f"ionflux_{path.stem}_{path.parent.name}"
    with _LOADING:  # a module is known before it is whole, and threads may ask for it meanwhile
        return _loaded(name, path)


def _loaded(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def forget_module(path: Path) -> None:
    """Drop a module of the cache and what was compiled of it, so that it is built anew."""
    sys.modules.pop(f"ionflux_{path.stem}_{path.parent.name}", None)
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


@cache
def directory() -> Path:
    """The cache directory: the user's if it is safe and writable, else a temporary one."""
    chosen = Path(os.environ.get("IONFLUX_CACHE") or platformdirs.user_cache_path("ionflux"))
    problem = _problem(chosen)
    if problem is None:
        return chosen
    temporary = Path(tempfile.mkdtemp(prefix="ionflux-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    warnings.warn(f"cannot keep compiled kernels in {chosen}: {problem}; compiling for this run only", stacklevel=2)
    return temporary


def _problem(path: Path) -> str | None:
    """Why a cache directory cannot be used, None if it can."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a directory"
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return "it belongs to someone else"
    if status.st_mode & 0o022:
        return "others can write to it"
    if not os.access(path, os.W_OK | os.X_OK):
        return "it is not writable"
    return None


def _write(structure: Structure, path: Path) -> None:
    """Generate the modules of a structure."""
    # Symbolic algebra is imported here only: a cached kernel starts without it.
    from simulator.kernel.generate import KernelSource
    from simulator.model.equations import Equations

    source = KernelSource(Equations(structure))
    _place(path, {"arrays.py": source.arrays(), "kernel.py": source.kernel()})


def _place(path: Path, texts: dict[str, str]) -> None:
    """Write files beside their place and move them there in one step."""
    workplace = Path(tempfile.mkdtemp(prefix="new-", dir=path.parent))
    try:
        for name, text in texts.items():
            (workplace / name).write_text(text)
            py_compile.compile(str(workplace / name), dfile=str(path / name), doraise=True)
        try:
            workplace.rename(path)
        except OSError:  # another process was faster, and its files say the same; or some of them were lost
            for name in texts:
                if not (path / name).is_file():
                    (workplace / name).replace(path / name)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)

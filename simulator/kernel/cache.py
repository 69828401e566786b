"""Cache of compiled code: a private directory with one folder per kernel or shared module, named by a hash.

The hash covers the structure, every source file the code depends on, and the versions of the compiling libraries, so
a changed law or constant never uses a stale kernel, whatever the modification times. The source files are those of
certain subpackages. The directory must be writable by the user only, because code in it is executed.
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
from importlib import metadata
from pathlib import Path
from types import ModuleType

import platformdirs

from simulator.model.structure import Structure

PACKAGE = Path(__file__).resolve().parent.parent

#: Subpackages that determine the generated code and its inputs.
CODE = ("physics", "mechanisms", "model", "kernel")

#: Subpackages that determine the numbers in a result: the computation and its analysis. Without the parts of
#: `scenario` that only read and check it, because the resolved scenario identifies a run anyway.
NUMBERS = (*CODE, "scenario", "scenario/entries", "trajectory", "verdict", "runs")

#: Folder of the laws; a model depends only on those it uses.
LAWS = "mechanisms/laws"

#: Source files of the code shared by all kernels, which is compiled once.
COMMON = (
    "kernel/driver.py",
    "kernel/machine.py",
    "kernel/measuring.py",
    "kernel/rodas5p.py",
    "kernel/status.py",
    "kernel/step_control.py",
    "kernel/vectormath.py",
    "kernel/workspace.py",
)

#: Modules shared by all models and compiled once, with the source files they depend on.
SHARED = {
    "driver": COMMON,
    "chunk_filter": (
        "kernel/chunk_filter.py",
        "kernel/compiler.py",
        "kernel/machine.py",
        "kernel/native.py",
        "kernel/vectormath.py",
    ),
}

LOADING = threading.RLock()  # reentrant: loading a kernel loads the driver

LIBRARIES = ("numba", "llvmlite", "numpy", "sympy")


@cache
def numbers_hash(structure: Structure) -> str:
    """Hash of everything besides the scenario that determines the numbers of a run."""
    return _hash(_text(structure), (*sources(NUMBERS), *_laws(structure)))


@cache
def cached_kernel_hash(structure: Structure) -> str:
    """Hash of everything the generated code of a structure depends on; the name of its cache folder."""
    return _hash(_text(structure), (*sources(CODE), *_laws(structure)))


def sources(rooms: tuple[str, ...]) -> tuple[str, ...]:
    """Source files of some subpackages, as sorted paths relative to the package."""
    found = (path.relative_to(PACKAGE).as_posix() for room in rooms for path in (PACKAGE / room).glob("*.py"))
    return tuple(sorted(found))


def _laws(structure: Structure) -> tuple[str, ...]:
    """Source files of the laws that a structure uses; it holds the digests of those from outside the package."""
    used = {m.law_name for _, m in structure.mechanisms if m.form is None and not m.digest}
    return tuple(f"{LAWS}/{law}.py" for law in sorted(used))


def _text(structure: Structure) -> str:
    return json.dumps(asdict(structure), sort_keys=True)


def _hash(what: str, names: tuple[str, ...]) -> str:
    """Hash of a text, of source files, and of the versions of Python and the compiling libraries."""
    digest = hashlib.sha256(what.encode())
    for name in names:
        digest.update(name.encode() + b"\0" + _source(name))
    digest.update(json.dumps([*map(version, LIBRARIES), sys.version]).encode())
    return digest.hexdigest()[:32]


@cache
def version(library: str) -> str:
    """Version of an installed library; looking it up takes as long as hashing the sources."""
    return metadata.version(library)


@cache
def _source(name: str) -> bytes:
    """Content of a source file, cached so that a later change of the file does not affect this process."""
    return (PACKAGE / name).read_bytes()


def folder(structure: Structure) -> Path:
    """Folder with the generated modules of a structure; created if missing."""
    path = directory() / cached_kernel_hash(structure)
    if not is_generated(structure):
        _write(structure, path)
    return path


def slopes_path(structure: Structure) -> Path:
    """Path of the module of derivatives of a structure, which is generated when it is first needed."""
    path = folder(structure)
    if not (path / "slopes.py").is_file():
        from simulator.kernel.generate import KernelSource
        from simulator.model.equations import Equations

        _place(path, {"slopes.py": KernelSource(Equations(structure)).slopes()})
    return path / "slopes.py"


def proof_of(digest: str) -> Path:
    """Path of an empty file that is there once the law from outside with this digest has been tried in symbols."""
    return directory() / f"law-{_hash(digest, sources(('physics', 'mechanisms')))}"


def is_generated(structure: Structure) -> bool:
    """Whether the modules of a structure have been generated."""
    return (directory() / cached_kernel_hash(structure) / "kernel.py").is_file()


def shared(name: str) -> ModuleType:
    """Import a module of :data:`SHARED` from its copy in the cache, next to which numba keeps its compiled form."""
    return load_module(shared_path(name))


def shared_path(name: str) -> Path:
    """Path of the cached copy of a module of :data:`SHARED`; created if missing."""
    path = directory() / f"{name}-{_hash('', SHARED[name])}"
    if not (path / f"{name}.py").is_file():
        _place(path, {f"{name}.py": _source(f"kernel/{name}.py").decode()})
    return path / f"{name}.py"


def load_module(path: Path) -> ModuleType:
    """Import a module of the cache under a unique name."""
    name = f"ionflux_{path.stem}_{path.parent.name}"
    with LOADING:  # another thread must not see a partly loaded module in sys.modules
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
    """Unload a module of the cache and delete its compiled code, so that it is rebuilt."""
    sys.modules.pop(f"ionflux_{path.stem}_{path.parent.name}", None)
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


@cache
def directory() -> Path:
    """The cache directory: the user's if it is safe and writable, otherwise a temporary one."""
    chosen = Path(os.environ.get("IONFLUX_CACHE") or platformdirs.user_cache_path("ionflux"))
    problem = _problem(chosen)
    if problem is None:
        return chosen
    temporary = Path(tempfile.mkdtemp(prefix="ionflux-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    warnings.warn(f"cannot cache compiled kernels in {chosen}: {problem}; using a temporary directory", stacklevel=2)
    return temporary


def _problem(path: Path) -> str | None:
    """Return why a cache directory cannot be used, None if it can."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a directory"
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return "it belongs to another user"
    if status.st_mode & 0o022:
        return "other users can write to it"
    if not os.access(path, os.W_OK | os.X_OK):
        return "it is not writable"
    return None


def _write(structure: Structure, path: Path) -> None:
    """Generate the modules of a structure."""
    # Imported here so that a cached kernel starts without importing SymPy.
    from simulator.kernel.generate import KernelSource
    from simulator.model.equations import Equations

    source = KernelSource(Equations(structure))
    _place(path, {"arrays.py": source.arrays(), "kernel.py": source.kernel()})


def _place(path: Path, texts: dict[str, str]) -> None:
    """Write and byte-compile files in a temporary folder, then rename it to `path`, so that none is seen incomplete."""
    workplace = Path(tempfile.mkdtemp(prefix="new-", dir=path.parent))
    try:
        for name, text in texts.items():
            (workplace / name).write_text(text)
            py_compile.compile(str(workplace / name), dfile=str(path / name), doraise=True)
        try:
            workplace.rename(path)
        except OSError:  # the folder exists: another process wrote the same files, or some were deleted
            for name in texts:
                if not (path / name).is_file():
                    (workplace / name).replace(path / name)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)

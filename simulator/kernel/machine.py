"""The processor that compiled code is made for, as llvmlite sees it; numba need not be imported to know it."""

import hashlib
import json
import os
from pathlib import Path

import llvmlite.binding as llvm

#: Doubles per vector: 8 with AVX-512, otherwise 4 (AVX2, or two NEON vectors).
WIDTH = 8 if llvm.get_host_cpu_features().get("avx512f") else 4


#: Where Linux tells the size of the first cache, e.g. ``48K``.
CACHE_SIZE = Path("/sys/devices/system/cpu/cpu0/cache/index0/size")


def _first_cache() -> int:
    try:
        return 1024 * int(CACHE_SIZE.read_text().strip().removesuffix("K"))
    except (ValueError, OSError):  # a system that does not tell
        return 0


#: Size of the processor's first data cache [bytes]; that of most processors if it is unknown.
FIRST_CACHE = max(_first_cache(), 32 << 10)


def processor() -> str:
    """Hash of the processor that code is compiled for: its name, its instructions, and settings that change them."""
    features = sorted(llvm.get_host_cpu_features().items())
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    facts = [llvm.get_process_triple(), llvm.get_host_cpu_name(), features, settings, FIRST_CACHE]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

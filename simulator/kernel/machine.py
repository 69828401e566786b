"""The processor that compiled code is made for, as llvmlite sees it; numba need not be imported to know it."""

import hashlib
import json
import os

import llvmlite.binding as llvm

#: Doubles per vector: 8 with AVX-512, otherwise 4 (AVX2, or two NEON vectors).
WIDTH = 8 if llvm.get_host_cpu_features().get("avx512f") else 4


def processor() -> str:
    """Hash of the processor that code is compiled for: its name, its instructions, and settings that change them."""
    features = sorted(llvm.get_host_cpu_features().items())
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    facts = [llvm.get_process_triple(), llvm.get_host_cpu_name(), features, settings]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

"""The processor that compiled code is made for, as llvmlite sees it; numba need not be imported to know it."""

import hashlib
import json
import os

import llvmlite.binding as llvm

#: Doubles per vector: 8 with AVX-512, otherwise 4 (AVX2, or two NEON vectors).
WIDTH = 8 if llvm.get_host_cpu_features().get("avx512f") else 4

#: Settings that make numba compile for another processor.
SETTINGS = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


def processor() -> str:
    """Hash of the processor that code is compiled for: its name, its instructions, and settings that change them."""
    features = sorted(llvm.get_host_cpu_features().items())
    settings = [os.environ.get(name) for name in SETTINGS]
    facts = [llvm.get_process_triple(), llvm.get_host_cpu_name(), features, settings]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

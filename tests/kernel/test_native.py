"""Machine code in files computes what numba computes, and is used only if it is whole and for this processor."""

import numba as nb
import numpy as np
import pytest

from simulator.kernel import native
from simulator.kernel.compiler import compiled
from simulator.kernel.native import Function, MachineCode, obtained
from simulator.kernel.vectormath import INNER, OPTIONS, exp

EXAMPLE = (np.empty((0, 0)), (np.empty(0), 1.0), 0)
NUMBERS = (np.linspace(-700.0, 700.0, 60).reshape(20, 3), (np.empty(60), 1.5), 20)


def summed(table, pair, rows):
    """Something of each kind of argument: arrays of several dimensions, a tuple, numbers."""
    for i in range(rows):
        for j in range(table.shape[1]):
            pair[0][i * table.shape[1] + j] = exp(table[i, j]) * pair[1]
    return rows * table.shape[1]


@pytest.fixture(scope="module")
def code():
    return compiled(nb.njit(**OPTIONS, **INNER)(summed), EXAMPLE, {"columns": 3})


def numbers_of(function):
    """What a function returns and what it writes."""
    table, (out, factor), rows = NUMBERS
    out = np.zeros_like(out)
    return function(table, (out, factor), rows), out.tobytes()


def test_machine_code_computes_bit_for_bit_what_numba_computes(code):
    assert numbers_of(Function(MachineCode.unpacked(code.packed()))) == numbers_of(nb.njit(**OPTIONS)(summed))


def test_a_file_keeps_what_was_compiled(code):
    assert MachineCode.unpacked(code.packed()) == code


class Compiling:
    """Counts how often something is compiled, and whether a file was there that could not be used."""

    def __init__(self, code):
        self.code, self.times, self.damaged = code, 0, []

    def __call__(self):
        self.times += 1
        return self.code

    def obtained(self, folder):
        return obtained(folder, "summed", self, self.damaged.append)


def test_code_is_compiled_once(code, tmp_path):
    compiling = Compiling(code)
    first, second = compiling.obtained(tmp_path), compiling.obtained(tmp_path)
    assert (compiling.times, compiling.damaged) == (1, [False])
    assert numbers_of(first) == numbers_of(second)
    assert second.facts == {"columns": 3}
    assert [path.suffix for path in tmp_path.iterdir()] == [".code"]


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGE = {
    "empty": lambda content: b"",
    "cut in the digest": lambda content: content[:20],
    "cut in the code": lambda content: content[:-100],
    "longer": lambda content: content + b"\0",
    "other digest": lambda content: flipped(content, 3),
    "other symbol": lambda content: flipped(content, 50),
    "other code": lambda content: flipped(content, len(content) // 2),
    "not code at all": lambda content: b"\x7fELF" + bytes(range(256)) * 40,
    "no object file": lambda content: MachineCode("summed", "PP", b"#!/bin/sh\n").packed(),
    "other function": lambda content: replaced(content, symbol="another"),
}


def replaced(content, **changes):
    return MachineCode(**(vars(MachineCode.unpacked(content)) | changes)).packed()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_was_changed_is_compiled_again(code, tmp_path, damage):
    compiling = Compiling(code)
    expected = numbers_of(compiling.obtained(tmp_path))
    (path,) = tmp_path.iterdir()
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert numbers_of(compiling.obtained(tmp_path)) == expected
    assert (compiling.times, compiling.damaged) == (2, [False, True])
    assert path.read_bytes() == code.packed()


def test_code_for_another_processor_is_not_used(code, tmp_path, monkeypatch):
    compiling = Compiling(code)
    compiling.obtained(tmp_path)
    monkeypatch.setattr(native, "processor", lambda: "another")
    compiling.obtained(tmp_path)
    assert (compiling.times, compiling.damaged) == (2, [False, False])
    assert len(list(tmp_path.iterdir())) == 2


def test_settings_that_change_the_instructions_make_another_processor(monkeypatch):
    before = native.processor()
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+sse2")
    assert native.processor() != before


def test_code_that_cannot_be_kept_is_still_used(code, tmp_path):
    compiling = Compiling(code)
    assert numbers_of(compiling.obtained(tmp_path / "missing")) == numbers_of(Function(code))


def test_a_call_with_other_arguments_is_refused(code):
    with pytest.raises(TypeError):
        Function(code)(np.empty(1), 2)
    with pytest.raises(Exception, match=r"wrong type|expected"):
        Function(code)(np.empty((0, 0)), (np.empty(0), "text"), 0)

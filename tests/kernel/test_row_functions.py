"""How the statements of a model become functions of rows."""

import pytest

from simulator.kernel import row_functions
from simulator.kernel.elimination import Elimination, short_order
from simulator.kernel.row_functions import RowFunctions, just_in_time


def executed(source: list[str], calls: list[str], rows: dict[str, int], given: dict[str, float]) -> dict[str, float]:
    """Names in rows after the written functions have worked on plain numbers."""
    work = {rows[name]: value for name, value in given.items()}
    space = {"over_rows": lambda *_: lambda function: function, "TOGETHER": 1, "LANES": 1}
    exec("\n".join(source), space)
    for call in calls:
        exec(call, space | {"work": work})
    return {name: work[row] for name, row in rows.items() if row in work}


@pytest.mark.parametrize("longest", [1, 2, 3, 100])
def test_a_long_function_cut_into_several_computes_the_same(longest, monkeypatch):
    monkeypatch.setattr(row_functions, "LONGEST", longest)
    writer = RowFunctions({"x": 0, "y": 1}, 2)
    statements = ["a = x + y", "b = a * a", "a = a + 1.0", "x = a - b", "c = x * y + a"]
    calls = writer.write("f", statements, ["x", "c"], "A function.")
    assert len(calls) == -(-len(statements) // longest)
    found = executed(writer.source, calls, writer.rows, {"x": 2.0, "y": 3.0})
    assert (found["x"], found["c"]) == (6.0 - 25.0, (6.0 - 25.0) * 3.0 + 6.0)


def test_a_statement_comes_just_before_the_first_that_needs_it():
    supply = ["a = x", "b = y", "c = a + b", "unused = c"]
    demand = ["p = b", "q = c * p", "p = p + a"]
    assert just_in_time(supply, demand) == ["b = y", "p = b", "a = x", "c = a + b", "q = c * p", "p = p + a"]


def test_a_chain_is_eliminated_without_any_fill_in():
    names = [f"n{i}" for i in range(30)]
    near = [(a, b) for i, a in enumerate(names) for b in names[max(0, i - 1) : i + 2]]
    scrambled = names[::3] + names[1::3] + names[2::3]
    order = short_order(scrambled, near, lambda _: True)
    entries = {(order.index(a), order.index(b)) for a, b in near}
    elimination = Elimination([True] * len(order), entries)
    assert elimination.filled == entries


def test_what_must_come_last_is_eliminated_last():
    names, entries = ["v", "a", "b"], [("v", "a"), ("a", "v"), ("b", "b")]
    assert short_order(names, entries, lambda name: name != "v")[-1] == "v"

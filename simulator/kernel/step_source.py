"""Statements -> source of one attempted step of all lanes, and of the loop that repeats it."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.kernel.elimination import Elimination
from simulator.kernel.linearisation import Linearisation
from simulator.kernel.measure_source import MeasureSource
from simulator.kernel.measuring import POINTS, ROWS_PER_MEASURE
from simulator.kernel.rodas5p import GAMMA, A, C, D
from simulator.kernel.row_functions import RowFunctions, just_in_time, renamed
from simulator.kernel.statements import PRINTER
from simulator.kernel.workspace import Rows
from simulator.model.names import CLOCK
from simulator.model.structure import Structure

ADVANCE = '''

@nb.njit(**OPTIONS, **INNER)
def advance(work, task, calls):
    """Attempt `calls` steps in all lanes, fewer if all runs end; return the number of busy lanes."""
    busy = 1
    while calls > 0 and busy > 0:
        if task.queue[2] > 0:
            {constants}
            task.queue[2] = 0
        {start}
        {stages}
        {end}
        {values}
        busy = settle(work, PLACES, COUNTS, task)
        calls -= 1
    return busy
'''

STAGES = len(A)

FIRST = "Rates of change, their Jacobian, its factors, and the first stage."
VALUES = "Values of what is measured, at points of the step."
END = "New state, error, dense output, and the next step of lanes in which nothing is due."

#: Names of those rows of a measure that all lanes need, in their order.
MEASURE_ROWS = ("on", "level", "found")

#: Names of numbers of a lane that the driver and the kernel share: before a step is judged, and after.
AHEAD = ("phase", "time", "due", "target", "planned", "longest", "rejected", "attempts", "most")
DECIDED = ("good", "suggested", "accepted", "attempts", "time", "planned", "rejected", "step")


class StepSource:
    """Source of one step, and the layout of the workspace that it needs.

    Names in the source: ``<state>`` the state at the start of the step, ``u_`` that of a stage, ``new_`` the new one,
    ``k<i>_`` the stages, ``sum_a_`` and ``sum_c_`` their sums weighted by A and C, ``e_`` the error, ``dense<i>_`` what
    the dense output needs, ``lane_`` what the driver knows of a lane. No name of a model begins like these.
    """

    def __init__(self, structure: Structure, linearisation: Linearisation) -> None:
        self.states, self.parameters = list(structure.states), list(structure.parameters)
        self.linearisation, self.basis, self.dependent = linearisation, linearisation.basis, linearisation.dependent
        self.measures = MeasureSource(structure, linearisation)
        amounts, volumes = (len(structure.states_of[kind]) for kind in ("amount", "volume"))
        self.algebraic = [s for s in self.states if not self.linearisation.differential[s]]
        first = self.states.index(self.algebraic[0]) if self.algebraic else 0
        end = first + len(self.algebraic)
        self.counts = {
            "states": len(self.states),
            "amounts": amounts,
            "volumes": volumes,
            "parameters": len(self.parameters),
            "drives": len(structure.drives),
            "sines": sum(drive.sine for drive in structure.drives),
            "clock": self.states.index(CLOCK) if CLOCK in self.states else -1,
            "first_algebraic": first,
            "end_algebraic": end,
            "measures": len(self.measures.measures),
        }
        self.rows = self._rows()
        self.functions = RowFunctions(self._placed(), self.rows.end)
        #: First row of each stage's solution, of the latest one, of the sums weighted by A, and by C.
        self.stages = [self.functions.placed(f"k{stage}_{s}" for s in self.basis) for stage in range(STAGES - 1)]
        self.latest = self.functions.placed(f"b_{i}" for i in range(len(self.basis)))
        self.sums = [self.functions.placed(f"{name}_{s}" for s in self.basis) for name in ("sum_a", "sum_c")]
        self.dense = [self.functions.placed(f"sum{i}_{s}" for s in self.basis) for i in range(len(D))]

    def _rows(self) -> Rows:
        """Rows that the driver knows."""
        n, dense = len(self.states), len(D)
        many = [0, n, 2 * n, (2 + dense) * n, (3 + dense) * n]
        single = (3 + dense) * n + len(self.parameters)
        newton = single + len(Rows._fields) - len(many) - 4
        measures = newton + len(self.algebraic)
        measured = measures + ROWS_PER_MEASURE * len(self.measures.measures)
        end = measured + len(POINTS) * len(self.measures.quantities)
        return Rows._make([*many, *range(single, newton), newton, measures, measured, end])

    def _placed(self) -> dict[str, int]:
        """Rows of the names that the driver reads or writes."""
        rows = self.rows
        found: dict[str, int] = {}
        for i, s in enumerate(self.states):
            found |= {s: rows.state + i, f"new_{s}": rows.new + i, f"scale_{s}": rows.scale + i}
            found |= {f"dense{m}_{s}": rows.dense + (m * len(self.states)) + i for m in range(len(D))}
        found |= {p: rows.parameters + i for i, p in enumerate(self.parameters)}
        found |= {f"newton_{s}": rows.newton + i for i, s in enumerate(self.algebraic)}
        for i in range(len(self.measures.quantities)):
            found |= {f"q{i}_{point}": rows.measured + len(POINTS) * i + point for point in range(len(POINTS))}
        for i in range(len(self.measures.measures)):
            found |= {f"{name}_{i}": rows.measures + ROWS_PER_MEASURE * i + j for j, name in enumerate(MEASURE_ROWS)}
        own = {f"lane_{name}": getattr(rows, name) for name in (*AHEAD, *DECIDED, "error", "rtol")}
        if found.keys() & own.keys():
            raise AssertionError(f"names of a lane and of a model: {', '.join(found.keys() & own.keys())}")
        return found | own

    def advance(self) -> str:
        """Write the functions of one step; return the source of the one that calls them."""
        line, rates = self.linearisation, self.linearisation.rates()
        elimination = Elimination([line.differential[s] for s in self.basis], line.entries)
        shifted = {s: f"u_{s}" for s in self.states}
        moved = [f"{s} = choose(lane_accepted, new_{s}, {s})" for s in self.states]
        rates_at_start = [f"b_{i} = d_{s}" for i, s in enumerate(self.basis)]
        per_step = ["per_h = 1.0 / lane_step", f"per_step = per_h * {1.0 / GAMMA!r}"]
        start = just_in_time(
            [*per_step, *line.linearised(), *elimination.matrix, *rates_at_start],
            [*elimination.factor, *elimination.solve],
        )
        solved = [f"b_{i}" for i in range(len(self.basis))]
        supply = [
            *self._dependents("sum_a"),
            *(f"u_{s} = {s} + sum_a_{s}" for s in self.states),
            *renamed(rates, lambda name: shifted.get(name, name)),
            *(
                f"b_{i} = fma(sum_c_{s}, per_h, d_{s})" if line.differential[s] else f"b_{i} = d_{s}"
                for i, s in enumerate(self.basis)
            ),
        ]
        stage = just_in_time(supply, elimination.solve)
        write, constants = self.functions.write, line.statements.of_constants()
        calls = {
            "constants": write("constants", constants, line.statements.constant_names, "What parameters alone decide."),
            "start": write("start", [*moved, *start], [*self.states, "per_h", *elimination.factors, *solved], FIRST),
            "stages": [],
        }
        within = write("stage", stage, solved, "Rates of change at a stage, and its solution.")
        for number in range(1, STAGES):
            calls["stages"] += [self._sums(number), *within]
        calls["end"] = [self._dense_sums(), *write("end", self._end(), self._left_for_the_driver(), END)]
        calls["values"] = self._values()
        indents = {"constants": 12}
        texts = {name: f"\n{' ' * indents.get(name, 8)}".join(lines) for name, lines in calls.items()}
        return ADVANCE.format(**(texts | {"constants": texts["constants"] or "pass"}))

    def _values(self) -> list[str]:
        """Write the function for the values of what is measured, in one vector of lanes; return how to call it."""
        if not self.measures.named:
            return ["pass"]
        wanted = self.measures.value_names()
        self.functions.write("values", self.measures.values(), wanted, VALUES, "WIDTH", "WIDTH")
        return [
            "for first in range(0, LANES, WIDTH):",
            "    if awaited(work[first:], PLACES):",
            "        values(work[first:])",
        ]

    def _all(self, name: str, lines: list[str], doc: str) -> str:
        """Write a function over consecutive rows, one for each independent state; return how to call it."""
        self.functions.function(name, lines, f"{len(self.basis)} * LANES", doc)
        return f"{name}(work)"

    def _sums(self, stage: int) -> str:
        """Write the function that keeps the latest stage and adds up all so far, weighted for the next one."""
        aim, memory = self.sums
        grown = A[stage] == (*A[stage - 1], 1.0)
        shift = f"work[{aim}] + k{stage - 1}" if grown else _combined(A[stage])
        lines = [
            *(f"k{j} = work[{self.stages[j]}]" for j in range(stage - 1)),
            f"k{stage - 1} = work[{self.latest}]",
            f"work[{self.stages[stage - 1]}] = k{stage - 1}",
            f"work[{aim}] = {shift}",
            f"work[{memory}] = {_combined(C[stage])}",
        ]
        return self._all(
            f"sums_{stage + 1}", lines, f"Sums of stages for stage {stage + 1}, in all independent states."
        )

    def _dense_sums(self) -> str:
        """Write the function for the sums of stages that the dense output needs."""
        lines = [f"k{j} = work[{row}]" for j, row in enumerate([*self.stages, self.latest])]
        lines += [f"work[{row}] = {_combined(D[i])}" for i, row in enumerate(self.dense)]
        return self._all("dense_sums", lines, "Sums for the dense output, in all independent states.")

    def _end(self) -> list[str]:
        """Statements after the last stage."""
        lines = [f"e_{s} = b_{i}" for i, s in enumerate(self.basis)] + self._dependents("e") + self._dependents("sum_a")
        for i in range(len(D)):
            lines += [*self._dependents(f"sum{i}"), *(f"dense{i}_{s} = sum{i}_{s}" for s in self.states)]
        low, n, amounts, volumes = "0.0", len(self.states), self.counts["amounts"], self.counts["volumes"]
        for i, s in enumerate(self.states):
            lines += [
                f"new_{s} = {s} + sum_a_{s} + e_{s}",
                f"total_{i} = {f'total_{i - 1} + ' if i else ''}misfit(e_{s}, new_{s}, {s}, lane_rtol, scale_{s})",
            ]
            if i < amounts or i >= n - volumes:
                left = f"new_{s}" if i < amounts else f"new_{s} * lane_rtol - COLLAPSED * scale_{s}"
                lines.append(f"low_{i} = smaller({low}, {left})")
                low = f"low_{i}"
        return [
            *lines,
            *(f"newton_{s} = k0_{s}" for s in self.algebraic),
            *self.measures.looked(),
            f"lane_error = total_{n - 1} * {1.0 / n!r}",
            f"{_of_lane(DECIDED)} = count_and_accept(lane_step, lane_error, {low}, {_of_lane(AHEAD)}, look)",
            *self.measures.kept(),
        ]

    def _left_for_the_driver(self) -> list[str]:
        dense = [f"dense{i}_{s}" for i in range(len(D)) for s in self.states]
        measures = [line.partition(" = ")[0] for line in self.measures.kept()]
        decided = [f"lane_{name}" for name in DECIDED]
        newton = [f"newton_{s}" for s in self.algebraic]
        return [*(f"new_{s}" for s in self.states), *newton, *dense, "lane_error", *decided, *measures]

    def _dependents(self, prefix: str) -> list[str]:
        """Statements for the increments of the dependent states from those of the independent ones."""
        lines = []
        for name, combination in self.dependent.items():
            terms = " + ".join(f"{PRINTER.doprint(c)} * {prefix}_{s}" for s, c in combination.items())
            lines.append(f"{prefix}_{name} = {terms or '0.0'}")
        return lines


def _combined(weights: Iterable[float]) -> str:
    """Text of a weighted sum of stages."""
    text = ""
    for j, w in enumerate(weights):
        if w != 0.0:
            text = f"fma({w!r}, k{j}, {text})" if text else f"{w!r} * k{j}"
    return text or "0.0"


def _of_lane(names: Iterable[str]) -> str:
    """Text of several numbers of a lane."""
    return ", ".join(f"lane_{name}" for name in names)

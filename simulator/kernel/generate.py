"""Equations -> source text of a kernel: one attempted Rodas4 step of all lanes, straight-line code.

The text is a Python module written to be read (``ionflux kernel CONFIG`` prints it): the model's
right-hand side and Jacobian, the factorisation and solution of the stage equations with the fill-in
known beforehand, and the step that calls them in a branch-free loop over lanes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy as sp

from simulator.constants import FARADAY
from simulator.equations import FARADAY_SYMBOL, Equations
from simulator.kernel.driver import Rows
from simulator.kernel.rodas4 import ERROR_ORDER, GAMMA, A, C, D
from simulator.kernel.statements import PRINTER, statements
from simulator.structure import amount, potential

KERNEL_HEADER = '''"""Compiled kernel of a model with {count} states; membranes: {membranes}.

Generated from the model's equations; do not edit. States are amounts [mol], charges [C] or potentials
[V], gates, and volumes [m3]. Each lane of the workspace carries one run.
"""

import numba as nb

from simulator import special
from simulator.kernel import driver
from simulator.kernel.vectormath import OPTIONS, choose, exp, inlined, log

FARADAY = {faraday!r}
LANES = driver.LANES
bern_value = inlined(special.bern_value)
bern_slope = inlined(special.bern_slope)
'''

ARRAYS_HEADER = '''"""The model's equations as functions of arrays of states and parameters.

Generated from the same expressions as the kernel; do not edit.
"""

from numpy import exp, log

from simulator.special import bern_slope, bern_value, choose

FARADAY = {faraday!r}
'''


def function(name: str, arguments: Iterable[str], body: list[str], returns: Iterable[str], doc: str) -> list[str]:
    """An inlined function of the generated module."""
    wrapped = ", ".join(arguments)
    result = ", ".join(returns)
    return ["", "", "@inlined", f"def {name}({wrapped}):", f'    """{doc}"""', *body, f"    return ({result},)"]


class KernelSource:
    """Writes the two modules of one set of equations: compiled kernel and array functions."""

    def __init__(self, equations: Equations) -> None:
        self.equations = equations
        states = list(equations.structure.states)
        self.dependent = equations.dependent
        self.basis = [s for s in states if s not in self.dependent]
        self.states = states
        self.parameters = list(equations.structure.parameters)
        self.differential = dict(zip(states, equations.differential, strict=True))
        self.jacobian = self._reduced_jacobian()

    def _reduced_jacobian(self) -> dict[tuple[int, int], sp.Expr]:
        """Nonzero entries of d f_basis / d basis, the dependent states following along."""
        entries: dict[tuple[int, int], sp.Expr] = {}
        for i, row in enumerate(self.basis):
            f = self.equations.derivative[row]
            for j, column in enumerate(self.basis):
                slope = self.equations.slope(f, column)
                for name, combination in self.dependent.items():
                    if column in combination:
                        slope += self.equations.slope(f, name) * combination[column]
                if slope != 0:
                    entries[i, j] = slope
        return entries

    def kernel(self) -> str:
        """Source of the compiled kernel."""
        membranes = ", ".join(m.name for m in self.equations.structure.membranes)
        lines = KERNEL_HEADER.format(membranes=membranes, count=len(self.states), faraday=FARADAY).splitlines()
        lines += self._derivative() + self._linearisation() + self._factor() + self._solve() + self._attempt()
        lines += self._advance()
        return "\n".join(lines) + "\n"

    def arrays(self) -> str:
        """Source of the array functions that analyse saved states."""
        equations = self.equations
        lines = ARRAYS_HEADER.format(faraday=FARADAY).splitlines()
        lines += [f"STATES = {tuple(self.states)!r}", f"PARAMETERS = {tuple(self.parameters)!r}"]
        lines += [f"BASIS = {tuple(self.states.index(s) for s in self.basis)!r}"]
        lines += [f"DIFFERENTIAL = {tuple(self.differential[s] for s in self.basis)!r}"]
        dependent = {
            s: {b: float(c.subs(FARADAY_SYMBOL, FARADAY)) for b, c in row.items()} for s, row in self.dependent.items()
        }
        lines += [f"DEPENDENT = {dependent!r}", f"NEUTRAL = {self._neutrality()!r}"]
        lines += self._array_function(
            "quantities", dict(equations.definitions), "Volumes, areas, concentrations, potentials by name."
        )
        rates: dict[str, sp.Expr] = {}
        for (membrane, label), turnover in equations.turnovers.items():
            for kind in ("net", "forward", "backward", "affinity"):
                value = getattr(turnover, kind)
                if value is not None:
                    rates[f"{membrane}.{label}.{kind}"] = value
        lines += self._array_function("rates", rates, "Turnover rates [mol/m2/s] and affinities over RT.")
        water = {f"water_{m}": value for m, value in equations.water_flows.items()}
        lines += self._array_function("water", water, "Volume flow into the inside of each membrane [m3/s].")
        lines += self._array_function("gate_rests", equations.gate_rests, "Where each gate stands still by itself.")
        derivative = {s: equations.derivative[s] for s in self.basis}
        lines += self._array_function("derivative", derivative, "Rates of change of the independent states.")
        jacobian = {f"{i},{j}": value for (i, j), value in self.jacobian.items()}
        lines += self._array_function(
            "jacobian", jacobian, "Nonzero entries of the Jacobian of the independent states."
        )
        return "\n".join(lines) + "\n"

    def _neutrality(self) -> dict[str, dict[str, float]]:
        """Charge that each independent state brings to a compartment which must stay neutral, by its potential."""
        charges = dict(self.equations.structure.charges)
        found: dict[str, dict[str, float]] = {}
        for c in self.equations.structure.compartments:
            if potential(c.name) in self.states:
                weights = dict.fromkeys(self.basis, 0.0)
                for s in c.states:
                    for name, part in self.dependent.get(amount(c.name, s), {amount(c.name, s): sp.Integer(1)}).items():
                        weights[name] += float(part) * charges[s]
                found[potential(c.name)] = {name: weight for name, weight in weights.items() if weight}
        return found

    def _array_function(self, name: str, values: dict[str, sp.Expr], doc: str) -> list[str]:
        """A function of arrays ``state[..., i]`` and ``parameters[..., j]`` that returns a dictionary.

        Membrane potentials can be given instead of following from the state.
        """
        out = [f"r{i}" for i in range(len(values))]
        lines = ["", "", f"def {name}(state, parameters, given={{}}):", f'    """{doc}"""']
        lines += [f"    {s} = state[..., {i}]" for i, s in enumerate(self.states)]
        lines += [f"    {p} = parameters[..., {i}]" for i, p in enumerate(self.parameters)]
        for line in statements(self.equations.definitions, list(values.values()), out, set()):
            lines.append(line)
            assigned = line.split(" = ")[0].strip()
            if assigned.startswith("v_") and assigned in self.equations.definitions:
                lines.append(f"    {assigned} = given.get({assigned!r}, {assigned})")
        items = ", ".join(f"{key!r}: {r}" for key, r in zip(values, out, strict=True))
        return [*lines, f"    return {{{items}}}"]

    # -- pieces ---------------------------------------------------------------------------------

    def _arguments(self) -> list[str]:
        return self.states + self.parameters

    def _derivative(self) -> list[str]:
        out = [f"d_{s}" for s in self.basis]
        body = statements(
            self.equations.definitions, [self.equations.derivative[s] for s in self.basis], out, set(self.parameters)
        )
        return function("derivative", self._arguments(), body, out, "Rates of change of the independent states.")

    def _linearisation(self) -> list[str]:
        out = [f"d_{s}" for s in self.basis] + [f"j_{i}_{j}" for i, j in self.jacobian]
        body = statements(
            self.equations.definitions,
            [self.equations.derivative[s] for s in self.basis] + list(self.jacobian.values()),
            out,
            set(self.parameters),
        )
        doc = "Rates of change and the nonzero entries of their Jacobian."
        return function("linearisation", self._arguments(), body, out, doc)

    def _pattern(self) -> tuple[set[tuple[int, int]], list[str]]:
        """Fill pattern of the factors of W, and the statements that compute them in place."""
        n = len(self.basis)
        filled = set(self.jacobian) | {(i, i) for i in range(n)}
        lines: list[str] = []
        for i in range(n):
            for j in range(n):
                if (i, j) in filled:
                    lines.append(f"    w_{i}_{j} = {self._entry(i, j)}")
        for k in range(n):
            lines.append(f"    r_{k} = 1.0 / w_{k}_{k}")
            for i in range(k + 1, n):
                if (i, k) in filled:
                    lines.append(f"    w_{i}_{k} = w_{i}_{k} * r_{k}")
                    for j in range(k + 1, n):
                        if (k, j) in filled:
                            if (i, j) in filled:
                                lines.append(f"    w_{i}_{j} = w_{i}_{j} - w_{i}_{k} * w_{k}_{j}")
                            else:
                                filled.add((i, j))
                                lines.append(f"    w_{i}_{j} = -w_{i}_{k} * w_{k}_{j}")
        return filled, lines

    def _entry(self, i: int, j: int) -> str:
        """Text of one entry of W before factorisation."""
        diagonal = "per_step" if i == j and self.differential[self.basis[i]] else ""
        return (
            (f"{diagonal} - j_{i}_{j}" if diagonal else f"-j_{i}_{j}") if (i, j) in self.jacobian else diagonal or "0.0"
        )

    def _factors(self) -> list[str]:
        filled, _ = self._pattern()
        return [f"w_{i}_{j}" for i, j in sorted(filled) if i != j] + [f"r_{k}" for k in range(len(self.basis))]

    def _factor(self) -> list[str]:
        arguments = ["per_step"] + [f"j_{i}_{j}" for i, j in self.jacobian]
        doc = "LU factors of W = M/(h gamma) - J, without pivoting; r is the inverse diagonal."
        return function("factor", arguments, self._pattern()[1], self._factors(), doc)

    def _solve(self) -> list[str]:
        filled, _ = self._pattern()
        n = len(self.basis)
        lines: list[str] = []
        for i in range(n):
            terms = "".join(f" - w_{i}_{j} * b_{j}" for j in range(i) if (i, j) in filled)
            if terms:
                lines.append(f"    b_{i} = b_{i}{terms}")
        for i in reversed(range(n)):
            terms = "".join(f" - w_{i}_{j} * b_{j}" for j in range(i + 1, n) if (i, j) in filled)
            lines.append(f"    b_{i} = (b_{i}{terms}) * r_{i}")
        b = [f"b_{i}" for i in range(n)]
        return function("solve", [*b, *self._factors()], lines, b, "Solution of W k = b.")

    def _combine(self, weights: Sequence[float], stage_of: str, state: str) -> str:
        """Text of ``sum_j weights[j] k_j`` for one state (dependent states: of their combination)."""
        terms = [f"{w!r} * {stage_of}{j + 1}_{state}" for j, w in enumerate(weights) if w != 0.0]
        return " + ".join(terms) or "0.0"

    def _dependents(self, prefix: str) -> list[str]:
        lines = []
        for name, combination in self.dependent.items():
            terms = " + ".join(f"{PRINTER.doprint(c)} * {prefix}_{s}" for s, c in combination.items())
            lines.append(f"        {prefix}_{name} = {terms or '0.0'}")
        return lines

    def _attempt(self) -> list[str]:
        states, basis, n = self.states, self.basis, len(self.states)
        rows = self._rows()
        lines = ["", "", f"ROWS = driver.{rows!r}", f"ALGEBRAIC = {self._algebraic()!r}", ""]
        lines += [
            "",
            "@inlined",
            "def attempt(work, max_steps):",
            '    """One step of every lane: new state, error, dense output, next step."""',
            "    for lane in range(LANES):",
        ]
        lines.append(f"        moved_on = work[{rows.accepted} * LANES + lane] > 0.0")
        for i, s in enumerate(states):
            new, old = f"work[{rows.new + i} * LANES + lane]", f"work[{rows.state + i} * LANES + lane]"
            lines += [
                f"        new, old = {new}, {old}",
                f"        {s} = new if moved_on else old",
                f"        {old} = {s}",
            ]
        lines += [f"        {p} = work[{rows.parameters + i} * LANES + lane]" for i, p in enumerate(self.parameters)]
        lines += [
            f"        step = work[{rows.step} * LANES + lane]",
            "        per_h = 1.0 / step",
            f"        per_step = per_h * {1.0 / GAMMA!r}",
        ]
        parameters = ", ".join(self.parameters)
        jacobian = [f"j_{i}_{j}" for i, j in self.jacobian]
        rates = [f"b_{i}" for i in range(len(basis))]
        lines += [
            "        # stage 1",
            f"        {', '.join([*rates, *jacobian])}, = linearisation({', '.join(states)}, {parameters})",
        ]
        factors = ", ".join(self._factors())
        lines += [f"        {factors}, = factor({', '.join(['per_step', *jacobian])})"]
        for stage in range(6):
            if stage:
                lines.append(f"        # stage {stage + 1}")
                lines += [f"        a_{s} = {self._combine(A[stage], 'k', s)}" for s in basis]
                lines += self._dependents("a")
                lines += [f"        u_{s} = {s} + a_{s}" for s in states]
                shifted = ", ".join(f"u_{s}" for s in states)
                lines.append(f"        {', '.join(rates)}, = derivative({shifted}, {parameters})")
                lines += [
                    f"        b_{i} = b_{i} + ({self._combine(C[stage], 'k', s)}) * per_h"
                    for i, s in enumerate(basis)
                    if self.differential[s]
                ]
            solved = ", ".join(f"k{stage + 1}_{s}" for s in basis)
            lines.append(f"        {solved}, = solve({', '.join(rates)}, {factors})")
        lines.append("        # new state, error, dense output")
        for name, source in (
            ("e", [f"k6_{s}" for s in basis]),
            ("c", [self._combine(D[0], "k", s) for s in basis]),
            ("d", [self._combine(D[1], "k", s) for s in basis]),
        ):
            lines += [f"        {name}_{s} = {value}" for s, value in zip(basis, source, strict=True)]
            lines += self._dependents(name)
        lines += ["        error = 0.0", "        lowest = 0.0", f"        rtol = work[{rows.rtol} * LANES + lane]"]
        for i, s in enumerate(states):
            scale = f"work[{rows.scale + i} * LANES + lane]"
            lines += [
                f"        new = u_{s} + e_{s}",
                f"        size = abs(new) if abs(new) > abs({s}) else abs({s})",
                f"        misfit = e_{s} / (size * rtol + {scale})",
                "        error = error + misfit * misfit",
                f"        work[{rows.new + i} * LANES + lane] = new",
                f"        work[{rows.dense_c + i} * LANES + lane] = c_{s}",
                f"        work[{rows.dense_d + i} * LANES + lane] = d_{s}",
            ]
            if i < rows.amounts:
                lines.append("        lowest = new if new < lowest else lowest")
            elif i >= n - rows.volumes:
                lines += [
                    f"        new = new * rtol - driver.COLLAPSED * {scale}",
                    "        lowest = new if new < lowest else lowest",
                ]
        lines += [
            f"        error = error * {1.0 / n!r}",
            f"        work[{rows.error} * LANES + lane] = error",
            "        passed = 1.0 if error <= 1.0 else 0.0",
            "        good = passed if lowest >= 0.0 else 0.0",
            f"        growth = 0.9 * exp({-0.5 / ERROR_ORDER!r} * log(error + 1e-30))",
            "        suggested = step * (driver.LARGEST_GROWTH if growth > driver.LARGEST_GROWTH else growth)",
            f"        work[{rows.good} * LANES + lane] = good",
            f"        work[{rows.suggested} * LANES + lane] = suggested",
        ]
        return lines + self._control(rows)

    def _control(self, rows: Rows) -> list[str]:
        """Step control of lanes that just go on; :func:`driver.settle` looks after the others."""

        def load(name: str) -> str:
            return f"        {name} = work[{getattr(rows, name)} * LANES + lane]"

        return [
            "        # a step that stands and passes nothing is settled here, without a branch",
            *map(load, ("phase", "time", "due", "target", "planned", "rejected", "attempts")),
            "        stepping = 1.0 if phase == driver.STEPPING else 0.0",
            "        attempts = attempts + stepping",
            "        reached = time + step",
            "        plain = stepping * good if reached < due else 0.0",
            "        plain = plain if attempts < max_steps else 0.0",
            "        shorter = step if suggested > step else suggested",
            "        kept = planned if suggested < planned else suggested",
            "        kept = kept if step < planned else suggested",
            "        suggested = shorter if rejected > 0.0 else kept",
            "        left = target - reached",
            "        aimed = 0.5 * left if suggested > 0.5 * left else suggested",
            "        aimed = left if suggested >= left else aimed",
            f"        work[{rows.attempts} * LANES + lane] = attempts",
            f"        work[{rows.accepted} * LANES + lane] = plain",
            f"        work[{rows.time} * LANES + lane] = reached if plain > 0.0 else time",
            f"        work[{rows.planned} * LANES + lane] = suggested if plain > 0.0 else planned",
            f"        work[{rows.rejected} * LANES + lane] = 0.0 if plain > 0.0 else rejected",
            f"        work[{rows.step} * LANES + lane] = aimed if plain > 0.0 else step",
        ]

    def _advance(self) -> list[str]:
        return [
            "",
            "",
            "@nb.njit(**OPTIONS, nogil=True, cache=True)",
            "def advance(work, task, attempts):",
            '    """Go on for that many attempted steps of all lanes; the number of lanes still busy."""',
            "    busy = 1",
            "    max_steps = float(task.max_steps)",
            "    while attempts > 0 and busy > 0:",
            "        attempt(work, max_steps)",
            "        busy = driver.settle(work, ROWS, ALGEBRAIC, task)",
            "        attempts -= 1",
            "    return busy",
        ]

    def _rows(self) -> Rows:
        """Layout of the workspace."""
        n = len(self.states)
        step = 5 * n + len(self.parameters)
        amounts, volumes = (sum(s.startswith(letter) for s in self.states) for letter in ("n_", "w_"))
        return Rows._make([*range(0, 6 * n, n), *range(step, step + 18), amounts, volumes])

    def _algebraic(self) -> tuple[int, int]:
        places = [i for i, s in enumerate(self.states) if not self.differential[s]]
        return (places[0], places[-1] + 1) if places else (0, 0)

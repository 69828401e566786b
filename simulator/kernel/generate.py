"""Equations -> source text of a kernel: one attempted Rodas4 step of all lanes, as straight-line code.

The text is a readable Python module (``ionflux kernel CONFIG`` prints it): the model's right-hand side and
Jacobian, the factorisation and solution of the stage equations with the fill-in determined in advance, and the
step that calls them in a branch-free loop over lanes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy as sp

from simulator.kernel.elimination import Elimination
from simulator.kernel.rodas4 import GAMMA, A, C, D
from simulator.kernel.statements import PRINTER, statements
from simulator.kernel.workspace import Counts, Rows
from simulator.model.equations import FARADAY_SYMBOL, Equations
from simulator.model.names import amount, potential, voltage, water_flow

KERNEL_HEADER = '''"""Compiled kernel of a model with {count} states; membranes: {membranes}.

Generated from the model's equations; do not edit. States are amounts [mol], charges [C] or potentials
[V], gates, and volumes [m3]. Each lane of the workspace holds one run.
"""

import numba as nb

from simulator.physics import special
from simulator.kernel import cache
from simulator.kernel.step_control import count_and_accept, misfit
from simulator.kernel.vectormath import OPTIONS, choose, exp, fma, inlined, log, smaller
from simulator.kernel.workspace import COLLAPSED, LANES, Counts, Rows

FARADAY = {faraday!r}
settle = cache.shared('driver').settle
bern_value = inlined(special.bern_value)
bern_slope = inlined(special.bern_slope)
'''

ARRAYS_HEADER = '''"""The model's equations as functions of arrays of states and parameters.

Generated from the same expressions as the kernel; do not edit.
"""

from numpy import exp, log

from simulator.physics.special import bern_slope, bern_value, choose

FARADAY = {faraday!r}
'''

STATELESS = "All compartments of this model are fixed: it has no states, and needs no kernel."

FACTOR = "LU factors of W = M/(h gamma) - J, without pivoting; r is the inverse diagonal."
SOLVE = "Solution of W k = b."


def function(name: str, arguments: Iterable[str], body: list[str], returns: Iterable[str], doc: str) -> list[str]:
    """Source lines of an inlined function of the generated module."""
    wrapped = ", ".join(arguments)
    result = ", ".join(returns)
    return ["", "", "@inlined", f"def {name}({wrapped}):", f'    """{doc}"""', *body, f"    return ({result},)"]


class KernelSource:
    """Source of the two modules generated from a set of equations: compiled kernel and array functions."""

    def __init__(self, equations: Equations) -> None:
        self.equations = equations
        states = list(equations.structure.states)
        self.dependent = equations.dependent
        self.basis = [s for s in states if s not in self.dependent]
        self.faraday = equations.structure.faraday
        self.states = states
        self.parameters = list(equations.structure.parameters)
        self.differential = dict(zip(states, equations.differential, strict=True))
        self.jacobian = self._reduced_jacobian()
        self.elimination = Elimination([self.differential[s] for s in self.basis], list(self.jacobian))

    def _reduced_jacobian(self) -> dict[tuple[int, int], sp.Expr]:
        """Nonzero entries of d f_basis / d basis, with the dependent states eliminated."""
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
        if not self.states:
            return f'"""{STATELESS}"""\n'
        membranes = ", ".join(m.name for m in self.equations.structure.membranes)
        lines = KERNEL_HEADER.format(membranes=membranes, count=len(self.states), faraday=self.faraday).splitlines()
        lines += self._derivative() + self._linearisation()
        lines += function("factor", *self.elimination.factor(), FACTOR)
        lines += function("solve", *self.elimination.solve(), SOLVE)
        lines += self._advance()
        return "\n".join(lines) + "\n"

    def arrays(self) -> str:
        """Source of the array functions used to analyse saved states."""
        equations = self.equations
        lines = ARRAYS_HEADER.format(faraday=self.faraday).splitlines()
        lines += [f"STATES = {tuple(self.states)!r}", f"PARAMETERS = {tuple(self.parameters)!r}"]
        lines += [f"BASIS = {tuple(self.states.index(s) for s in self.basis)!r}"]
        lines += [f"DIFFERENTIAL = {tuple(self.differential[s] for s in self.basis)!r}"]
        dependent = {
            s: {b: float(c.subs(FARADAY_SYMBOL, self.faraday)) for b, c in row.items()}
            for s, row in self.dependent.items()
        }
        lines += [f"DEPENDENT = {dependent!r}", f"NEUTRAL = {self._neutrality()!r}"]
        lines += [f"OSMOTIC = {equations.structure.osmotic_volumes!r}"]
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
        water = {water_flow(m): value for m, value in equations.water_flows.items()}
        lines += self._array_function("water", water, "Volume flow into the inside of each membrane [m3/s].")
        lines += self._array_function(
            "gate_rests", equations.gate_rests, "Steady-state value of each gate, everything else held constant."
        )
        derivative = {s: equations.derivative[s] for s in self.basis}
        lines += self._array_function("derivative", derivative, "Rates of change of the independent states.")
        linear = {i: equations.derivative[s] for i, s in enumerate(self.basis)} | self.jacobian
        lines += self._array_function(
            "linearisation", linear, "Rates of change of the independent states, and nonzero entries of their Jacobian."
        )
        return "\n".join(lines) + "\n"

    def _neutrality(self) -> dict[str, dict[str, float]]:
        """Charge number per unit of each independent state in each electroneutral compartment, by its potential."""
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

    def _array_function(self, name: str, values: Mapping[Any, sp.Expr], doc: str) -> list[str]:
        """Source of a function of arrays ``state[..., i]`` and ``parameters[..., j]`` that returns a dictionary.

        Its argument ``given`` replaces the membrane potentials computed from the state.
        """
        out = [f"r{i}" for i in range(len(values))]
        lines = ["", "", f"def {name}(state, parameters, given={{}}):", f'    """{doc}"""']
        lines += [f"    {s} = state[..., {i}]" for i, s in enumerate(self.states)]
        lines += [f"    {p} = parameters[..., {i}]" for i, p in enumerate(self.parameters)]
        voltages = {voltage(m.name) for m in self.equations.structure.membranes}
        for line in statements(self.equations.definitions, list(values.values()), out, set()):
            lines.append(line)
            assigned = line.split(" = ")[0].strip()
            if assigned in voltages:
                lines.append(f"    {assigned} = given.get({assigned!r}, {assigned})")
        items = ", ".join(f"{key!r}: {r}" for key, r in zip(values, out, strict=True))
        return [*lines, f"    return {{{items}}}"]

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

    def _combine(self, weights: Sequence[float], stage_of: str, state: str) -> str:
        """Expression ``sum_j weights[j] k_j`` for one state."""
        text = ""
        for j, w in enumerate(weights):
            k = f"{stage_of}{j + 1}_{state}"
            if w != 0.0:
                text = f"fma({w!r}, {k}, {text})" if text else f"{w!r} * {k}"
        return text or "0.0"

    def _dependents(self, prefix: str) -> list[str]:
        lines = []
        for name, combination in self.dependent.items():
            terms = " + ".join(f"{PRINTER.doprint(c)} * {prefix}_{s}" for s, c in combination.items())
            lines.append(f"        {prefix}_{name} = {terms or '0.0'}")
        return lines

    def _advance(self) -> list[str]:
        rows = self._rows()
        lines = [
            "",
            "",
            f"ROWS = {rows!r}",
            "PLACES = Rows(*(row * LANES for row in ROWS))",
            f"COUNTS = {self._counts()!r}",
            "",
            "",
            "@nb.njit(**OPTIONS, nogil=True, cache=True, no_cfunc_wrapper=True)",
            "def advance(work, task, calls):",
            '    """Attempt `calls` steps in all lanes, fewer if all runs end; return the number of busy lanes."""',
            "    busy = 1",
            "    max_steps = float(task.max_steps)",
            "    while calls > 0 and busy > 0:",
            "        for lane in range(LANES):",
        ]
        lines += [f"    {line}" for line in self._step(rows)]
        lines += [
            "        busy = settle(work, PLACES, COUNTS, task)",
            "        calls -= 1",
            "    return busy",
        ]
        return lines

    def _step(self, rows: Rows) -> list[str]:
        """Source lines of one step of a lane: new state, error, dense output, next step."""
        states, basis, n, counts = self.states, self.basis, len(self.states), self._counts()
        lines = [f"        moved_on = work[{rows.accepted} * LANES + lane]"]
        for i, s in enumerate(states):
            new, old = f"work[{rows.new + i} * LANES + lane]", f"work[{rows.state + i} * LANES + lane]"
            lines += [f"        {s} = choose(moved_on, {new}, {old})", f"        {old} = {s}"]
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
        factors = ", ".join(self.elimination.factors)
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
                    f"        b_{i} = fma({self._combine(C[stage], 'k', s)}, per_h, b_{i})"
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
        lines.append(f"        rtol = work[{rows.rtol} * LANES + lane]")
        low = "0.0"
        for i, s in enumerate(states):
            scale = f"work[{rows.scale + i} * LANES + lane]"
            lines += [
                f"        new_{s} = u_{s} + e_{s}",
                f"        work[{rows.new + i} * LANES + lane] = new_{s}",
                f"        work[{rows.dense_c + i} * LANES + lane] = c_{s}",
                f"        work[{rows.dense_d + i} * LANES + lane] = d_{s}",
                f"        misfit_{i} = misfit(e_{s}, new_{s}, {s}, rtol, {scale})",
            ]
            if i < counts.amounts or i >= n - counts.volumes:
                left = f"new_{s}" if i < counts.amounts else f"new_{s} * rtol - COLLAPSED * {scale}"
                lines.append(f"        low_{i} = smaller({low}, {left})")
                low = f"low_{i}"
        total = " + ".join(f"misfit_{i}" for i in range(n))
        ahead = ("phase", "time", "due", "target", "planned", "rejected", "attempts")
        decided = ("good", "suggested", "accepted", "attempts", "time", "planned", "rejected", "step")
        places = {name: f"work[{getattr(rows, name)} * LANES + lane]" for name in (*ahead, *decided)}
        return [
            *lines,
            f"        error = ({total}) * {1.0 / n!r}",
            f"        work[{rows.error} * LANES + lane] = error",
            *(f"        {name} = {places[name]}" for name in ahead),
            f"        {', '.join(decided)} = count_and_accept(step, error, {low}, {', '.join(ahead)}, max_steps)",
            *(f"        {places[name]} = {name}" for name in decided),
        ]

    def _rows(self) -> Rows:
        """Layout of the workspace."""
        n = len(self.states)
        step = 5 * n + len(self.parameters)
        return Rows._make([*range(0, 6 * n, n), *range(step, step + 18)])

    def _counts(self) -> Counts:
        amounts, volumes = (len(self.equations.structure.states_of[kind]) for kind in ("amount", "volume"))
        algebraic = [i for i, s in enumerate(self.states) if not self.differential[s]]
        first, end = (algebraic[0], algebraic[-1] + 1) if algebraic else (0, 0)
        return Counts(len(self.states), amounts, volumes, len(self.parameters), first, end)

"""Equations -> source text of the two modules generated from them: compiled kernel and array functions."""

from __future__ import annotations

from simulator.kernel.array_source import ArraySource
from simulator.kernel.linearisation import Linearisation
from simulator.kernel.step_source import StepSource
from simulator.model.equations import Equations

KERNEL_HEADER = '''"""Compiled kernel of a model with {count} states; membranes: {membranes}.

Generated from the model's equations; do not edit. States are amounts [mol], charges [C] or potentials
[V], gates, and volumes [m3]. ``work[row]`` is a number of each lane, and a lane holds one run.
"""

import numba as nb

from simulator.physics.special import bern_slope, bern_value
from simulator.kernel import cache
from simulator.kernel.machine import WIDTH
from simulator.kernel.measuring import awaited
from simulator.kernel.step_control import count_and_accept, misfit
from simulator.kernel.vectormath import INNER, OPTIONS, choose, cos, exp, fma, larger, log, sin, smaller
from simulator.kernel.vectors import over_rows
from simulator.kernel.workspace import COLLAPSED, Counts, Rows, lanes_of

FARADAY = {faraday!r}
settle = cache.shared('driver').settle

#: Rows of the workspace, its lanes, and how many of them are worked on together.
SIZE = {size}
LANES, TOGETHER = lanes_of(SIZE)

ROWS = {rows!r}
PLACES = Rows(*(row * LANES for row in ROWS))
COUNTS = Counts({counts}, lanes=LANES)'''

STATELESS = "All compartments of this model are fixed: it has no states, and needs no kernel."


class KernelSource:
    """Source of the two modules of a model.

    The kernel attempts one Rodas5P step of all lanes. Its text is readable (``ionflux kernel CONFIG`` prints it): a few
    straight-line functions that all lanes execute, and the loop that calls them. The function of a stage is there once
    and serves every stage, so the size of a kernel grows with the model and not with the method.
    """

    def __init__(self, equations: Equations) -> None:
        self.equations = equations

    def kernel(self) -> str:
        """Source of the compiled kernel."""
        structure = self.equations.structure
        if not structure.states:
            return f'"""{STATELESS}"""\n'
        step = StepSource(structure, Linearisation(self.equations, set(structure.parameters)))
        advance = step.advance()
        header = KERNEL_HEADER.format(
            membranes=", ".join(m.name for m in structure.membranes),
            count=len(structure.states),
            faraday=structure.faraday,
            rows=step.rows,
            counts=", ".join(f"{name}={number}" for name, number in step.counts.items()),
            size=step.functions.end,
        )
        return header + "\n".join(step.functions.source) + "\n" + advance

    def arrays(self) -> str:
        """Source of the array functions used to analyse saved states."""
        return ArraySource(self.equations).text()

    def slopes(self) -> str:
        """Source of the derivatives by parameters, which few commands need."""
        return ArraySource(self.equations).slopes()

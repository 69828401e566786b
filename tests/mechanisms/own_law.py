"""The file of a law of one's own, and a scenario that uses it."""

#: K-Cl symport as the guide to own laws has it, and the lines of its rate and its parameter.
KCC = '''"""K-Cl cotransport by mass action (KCC)."""

import math

import numpy as np

from simulator.mechanisms.law import CHOSEN, Gate, Law, Parameter
from simulator.physics.special import bern, choose, exp, log, sigmoid


def forward(rate, k_o, cl_o):
    """Influx: ``k K_o Cl_o``."""
    return rate * k_o * cl_o


LAW = Law(
    title="K-Cl symport",
    parameters=(Parameter("rate", "m^4/mol/s", "rate constant per membrane area", minimum=0.0),),
    moves={"k": 1, "cl": 1},
    rate=forward,
    reversible=True,
    source="law of mass action",
)
'''
#: Pieces of it that tests change, and lines that messages name.
RETURN = "return rate * k_o * cl_o"
HEAD = "def forward(rate, k_o, cl_o):"
LAST = "reversible=True,"
FORWARD, RATE, LAW, PARAMETER, MOVES = (
    next(i for i, line in enumerate(KCC.splitlines(), 1) if start in line)
    for start in ("def forward", "return rate", "LAW = Law", "Parameter(", "moves=")
)

CELL = """
name: one symport
compartments:
  bath: {fixed: true, concentrations: {k: 5 mM, cl: 120 mM, na: 115 mM}}
  cell:
    volume: 1 pL
    concentrations: {na: 10 mM, k: 140 mM, cl: 20 mM}
    impermeant: {concentration: 130 mM, charge: -1}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 500 um^2
    mechanisms:
      symport: {law: kcc, rate: 1e-8 m^4/mol/s}
run: {duration: 10 h, rtol: 1.0e-8, save: final}
"""

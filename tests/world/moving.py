"""Cells whose protocol moves: texts of scenarios, and the numbers by which tests judge them."""

import math

import numpy as np

from simulator.physics.constants import FARADAY, GAS_CONSTANT
from simulator.trajectory.analysis import Analysis

#: A cell of 1500 um2 with a K leak of 0.1 mS/cm2 and no other way across; the volume is so large that no
#: concentration moves.
PATCH = """\
name: a patch
temperature: 22 degC
compartments:
  bath: {fixed: true, concentrations: {na: 140 mM, k: 5 mM, cl: 145 mM}}
  cell:
    volume: 10 nL
    concentrations: {na: 10 mM, k: 140 mM, cl: 10 mM}
    impermeant: {concentration: 140 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1500 um^2
    capacitance: 1 uF/cm^2
    potential: -80 mV
    mechanisms:
      k: {law: leak_ohmic, ion: k, conductance: 0.1 mS/cm^2}
      stimulus: {law: stimulus, ion: k, current: 0 pA}
      pump: {law: na_k_pump_hill, max_rate: 0 umol/m^2/s, k_na: 10 mM, k_k: 1.5 mM}
PROTOCOL
run: {duration: 1 s, save_every: 10 ms}
"""

#: Area [m2], conductance [S], capacitance [F] and reversal potential [V] of its membrane.
AREA = 1.5e-9
CONDUCTANCE, CAPACITANCE = 1.0 * AREA, 0.01 * AREA
THERMAL = GAS_CONSTANT * 295.15 / FARADAY
REVERSAL = THERMAL * math.log(5.0 / 140.0)

LEAK = "membranes.plasma.mechanisms.k.conductance"
CURRENT = "membranes.plasma.mechanisms.stimulus.current"
PUMP = "membranes.plasma.mechanisms.pump.max_rate"
BATH_K = "compartments.bath.concentrations.k"


def current(trajectory, label):
    """Outward current of a mechanism of the patch [pA]."""
    density = Analysis(trajectory).current.sel(mechanism=f"plasma.{label}")
    return np.asarray(density) * AREA * 1e12


def potential(trajectory):
    """Its potential [V]."""
    return np.asarray(trajectory.potential.values[:, 0])

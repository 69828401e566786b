"""The scenario file of a cell, and changed copies of it."""

TEXT = """\
name: cell
temperature: 37 degC
compartments:
  bath:
    fixed: true
    concentrations: {na: 145 mM, k: 4.5 mM, cl: 149.5 mM}
  cell:
    volume: 4.19 pL
    concentrations: {na: 15 mM, k: 140 mM, cl: 13 mM}
    impermeant: {concentration: 131 mM, charge: auto}
membranes:
  plasma:
    inside: cell
    outside: bath
    area: 1257 um^2
    capacitance: 1 uF/cm^2
    potential: -60 mV
    mechanisms:
      k_leak: {law: leak_ghk, ion: k, permeability: 4.0e-9 m/s}
      pump: {law: na_k_pump_hill, max_rate: 0.6 umol/m^2/s, k_na: 10 mM, k_k: 1.5 mM}
run: {duration: 48 h, save_every: 5 min}
"""


def replaced(old, new):
    assert old in TEXT
    return TEXT.replace(old, new)

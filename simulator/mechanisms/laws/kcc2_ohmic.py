"""K-Cl cotransporter KCC2 with a flux proportional to E_K - E_Cl."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import bern, log


def forward(conductance, k_i, k_o, cl_i, cl_o, rt_over_f, faraday):
    """Influx: ``g RT/F^2 B(x)``, ``x = ln(K_i Cl_i/(K_o Cl_o))``; net influx is then ``g (E_K - E_Cl)/F``."""
    return conductance * rt_over_f / faraday * bern(log(k_i * cl_i / (k_o * cl_o)))


LAW = Law(
    title="KCC2, ohmic",
    parameters=(Parameter("conductance", "S/m^2", "flux times F, per difference of E_K and E_Cl", minimum=0.0),),
    moves={"k": 1, "cl": 1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    takes_logarithm=True,
    source="Duesterwald et al. 2018, eLife 7:e39575, doi:10.7554/eLife.39575; one-way fluxes by local detailed balance",
)

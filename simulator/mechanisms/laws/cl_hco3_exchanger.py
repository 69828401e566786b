"""Cl/HCO3 exchanger (AE): one chloride against one bicarbonate."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import antiport


def forward(max_rate, k_cl, k_hco3, cl_i, cl_o, hco3_i, hco3_o):
    """Turnover with Cl in and HCO3 out, by a carrier that crosses only when loaded (ping-pong)."""
    return max_rate * antiport(cl_o / k_cl, hco3_i / k_hco3, cl_i / k_cl, hco3_o / k_hco3)


LAW = Law(
    title="Cl/HCO3 exchanger, 1 Cl : 1 HCO3",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "rate at which all loaded carriers would cross", minimum=0.0),
        Parameter("k_cl", "mol/m^3", "dissociation constant of Cl", positive=True),
        Parameter("k_hco3", "mol/m^3", "dissociation constant of HCO3", positive=True),
    ),
    moves={"cl": 1, "hco3": -1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    source="Chang & Fujita 2001, Am J Physiol Renal Physiol 281:F222 (state diagram of AE1, here with one speed for "
    "all loaded states), doi:10.1152/ajprenal.2001.281.2.F222",
)

"""Na/H exchanger (NHE): one Na against one proton."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import antiport


def forward(max_rate, k_na, k_h, na_i, na_o, h_i, h_o):
    """Turnover with Na in and H out, by a carrier that crosses only when loaded (ping-pong)."""
    return max_rate * antiport(na_o / k_na, h_i / k_h, na_i / k_na, h_o / k_h)


LAW = Law(
    title="Na/H exchanger, 1 Na : 1 H",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "rate at which all loaded carriers would cross", minimum=0.0),
        Parameter("k_na", "mol/m^3", "dissociation constant of Na", positive=True),
        Parameter("k_h", "mol/m^3", "dissociation constant of H", positive=True),
    ),
    moves={"na": 1, "h": -1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    source="Weinstein 1995, J Gen Physiol 105:617, doi:10.1085/jgp.105.5.617 (there with NH4 as a third ion)",
)

"""Uptake of K, together with Cl, into glia from the cleft around a nerve cell.

Use it on a membrane whose inside is the glia and whose outside is the cleft.
"""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import sigmoid


def net(max_rate, k_mid, k_slope, k_o):
    """Uptake: ``J / (1 + e^((K_m - K_o)/K_s))``."""
    return max_rate * sigmoid((k_o - k_mid) / k_slope)


LAW = Law(
    title="Glial K uptake, sigmoid, with Cl",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest uptake per membrane area", minimum=0.0),
        Parameter("k_mid", "mol/m^3", "K outside at half of the largest rate", minimum=0.0, default=18.0),
        Parameter("k_slope", "mol/m^3", "width of the sigmoid in K outside", positive=True, default=2.5),
    ),
    moves={"k": 1, "cl": 1},
    rate=net,
    reversible=False,
    electroneutral=True,
    source="Cressman et al. 2009, J Comput Neurosci 26:159, glial term, doi:10.1007/s10827-008-0132-4; there K "
    "disappears alone and charge is not counted, here Cl accompanies it",
)

"""Na/K pump as a product of two sigmoids, of Na inside and K outside."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import sigmoid


def net(max_rate, na_mid, na_slope, k_mid, k_slope, na_i, k_o):
    """Turnover: ``J / ((1 + e^((Na_m - Na_i)/Na_s)) (1 + e^((K_m - K_o)/K_s)))``."""
    return max_rate * sigmoid((na_i - na_mid) / na_slope) * sigmoid((k_o - k_mid) / k_slope)


LAW = Law(
    title="Na/K pump, two-sided sigmoid",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest turnover, or its pump current in A/m^2", minimum=0.0),
        Parameter("na_mid", "mol/m^3", "Na inside at half of the largest rate", minimum=0.0, default=25.0),
        Parameter("na_slope", "mol/m^3", "width of the sigmoid in Na inside", positive=True, default=3.0),
        Parameter("k_mid", "mol/m^3", "K outside at half of the largest rate", minimum=0.0, default=5.5),
        Parameter("k_slope", "mol/m^3", "width of the sigmoid in K outside", positive=True, default=1.0),
    ),
    moves={"na": -3, "k": 2},
    atp=1,
    rate=net,
    reversible=False,
    source="Huebel & Dahlem 2014, PLoS Comput Biol 10:e1003941, pump current of the model, "
    "doi:10.1371/journal.pcbi.1003941; after Cressman et al. 2009, J Comput Neurosci 26:159, "
    "doi:10.1007/s10827-008-0132-4",
)

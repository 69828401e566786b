"""Na/K pump that stalls or reverses according to its free energy."""

from simulator.mechanisms.law import Law, Parameter


def forward(max_rate, k_na_i, k_k_i, k_na_o, k_k_o, na_i, k_i, na_o, k_o):
    """Turnover with Na out and K in: ``J (Na_i/K)^3/P_i (K_o/K)^2/P_o``.

    On each side three Na and two K compete for the pump: ``P = (1 + Na/K_Na)^3 + (1 + K/K_K)^2 - 1``.
    ATP enters through the backward rate: the pump stops where moving the ions takes all the energy of ATP.
    """
    inside = (1 + na_i / k_na_i) ** 3 + (1 + k_i / k_k_i) ** 2 - 1
    outside = (1 + na_o / k_na_o) ** 3 + (1 + k_o / k_k_o) ** 2 - 1
    return max_rate * (na_i / k_na_i) ** 3 / inside * (k_o / k_k_o) ** 2 / outside


LAW = Law(
    title="Na/K pump, reversible",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest turnover, or its pump current in A/m^2", minimum=0.0),
        Parameter("k_na_i", "mol/m^3", "dissociation constant of a Na site that faces the inside", positive=True),
        Parameter("k_k_i", "mol/m^3", "dissociation constant of a K site that faces the inside", positive=True),
        Parameter("k_na_o", "mol/m^3", "dissociation constant of a Na site that faces the outside", positive=True),
        Parameter("k_k_o", "mol/m^3", "dissociation constant of a K site that faces the outside", positive=True),
    ),
    moves={"na": -3, "k": 2},
    atp=1,
    rate=forward,
    reversible=True,
    source="competitive binding as in Smith & Crampin 2004, Prog Biophys Mol Biol 85:387, "
    "doi:10.1016/j.pbiomolbio.2004.01.010, one rate-limiting step; backward rate by local detailed balance. "
    "Pump current reverses: De Weer & Rakowski 1984, Nature 309:450, doi:10.1038/309450a0",
)

"""Na-K-2Cl cotransporter NKCC1 by mass action."""

from simulator.mechanisms.law import Law, Parameter


def forward(rate, na_o, k_o, cl_o):
    """Influx: ``k Na_o K_o Cl_o^2``."""
    return rate * na_o * k_o * cl_o**2


LAW = Law(
    title="NKCC1, mass action",
    parameters=(Parameter("rate", "m^10/mol^3/s", "rate constant per membrane area", minimum=0.0),),
    moves={"na": 1, "k": 1, "cl": 2},
    rate=forward,
    reversible=True,
    electroneutral=True,
    source="Russell 2000, Physiol Rev 80:211, doi:10.1152/physrev.2000.80.1.211 (stoichiometry 1 Na : 1 K : 2 Cl); "
    "law of mass action",
)

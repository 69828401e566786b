"""K-Cl cotransport by mass action: KCC2 and its relatives."""

from simulator.mechanisms.law import Law, Parameter


def forward(rate, k_o, cl_o):
    """Influx: ``k K_o Cl_o``."""
    return rate * k_o * cl_o


LAW = Law(
    title="K-Cl symport (KCC), mass action",
    parameters=(Parameter("rate", "m^4/mol/s", "rate constant per membrane area", minimum=0.0),),
    moves={"k": 1, "cl": 1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    source="law of mass action for a coupled carrier; Weiss 1996, Cellular Biophysics vol. 1, chapter 6",
)

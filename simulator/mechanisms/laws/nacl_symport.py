"""Na-Cl cotransport by mass action (NCC)."""

from simulator.mechanisms.law import Law, Parameter


def forward(rate, na_o, cl_o):
    """Influx: ``k Na_o Cl_o``."""
    return rate * na_o * cl_o


LAW = Law(
    title="Na-Cl symport, mass action",
    parameters=(Parameter("rate", "m^4/mol/s", "rate constant per membrane area", minimum=0.0),),
    moves={"na": 1, "cl": 1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    source="law of mass action for a coupled carrier; Weiss 1996, Cellular Biophysics vol. 1, chapter 6",
)

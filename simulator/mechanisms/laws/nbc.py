"""Na-HCO3 cotransport NBCe1: two bicarbonates with each Na, one negative charge inward."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import exp


def forward(rate, na_o, hco3_o, v, rt_over_f):
    """Influx: ``k Na_o HCO3_o^2 e^(u/2)``; the negative charge crosses a symmetric barrier."""
    return rate * na_o * hco3_o**2 * exp(v / (2 * rt_over_f))


LAW = Law(
    title="NBCe1, 1 Na : 2 HCO3",
    parameters=(Parameter("rate", "m^7/mol^2/s", "rate constant per membrane area", minimum=0.0),),
    moves={"na": 1, "hco3": 2},
    rate=forward,
    reversible=True,
    source="Romero, Fulton & Boron 2004, Pfluegers Arch 447:495, doi:10.1007/s00424-003-1180-2 (stoichiometry "
    "1 Na : 2 HCO3); law of mass action",
)

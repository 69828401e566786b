"""Na-coupled glucose uptake SGLT2: one Na with each glucose."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import exp


def forward(rate, na_o, glucose_o, v, rt_over_f):
    """Influx of glucose: ``k Na_o Glc_o e^(-u/2)``; one charge crosses a symmetric barrier."""
    return rate * na_o * glucose_o * exp(-v / (2 * rt_over_f))


LAW = Law(
    title="SGLT2, 1 Na : 1 glucose",
    parameters=(Parameter("rate", "m^4/mol/s", "rate constant per membrane area", minimum=0.0),),
    moves={"na": 1, "glucose": 1},
    rate=forward,
    reversible=True,
    source="Wright, Loo & Hirayama 2011, Physiol Rev 91:733, doi:10.1152/physrev.00055.2009 (stoichiometry 1 : 1); "
    "law of mass action",
)

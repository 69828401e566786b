"""Na-coupled glucose uptake SGLT1: two Na with each glucose."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import exp


def forward(rate, na_o, glucose_o, v, rt_over_f):
    """Influx of glucose: ``k Na_o^2 Glc_o e^(-u)``; two charges cross a symmetric barrier."""
    return rate * na_o**2 * glucose_o * exp(-v / rt_over_f)


LAW = Law(
    title="SGLT1, 2 Na : 1 glucose",
    parameters=(Parameter("rate", "m^7/mol^2/s", "rate constant per membrane area", minimum=0.0),),
    moves={"na": 2, "glucose": 1},
    rate=forward,
    reversible=True,
    source="Chen, Coady, Jackson, Berteloot & Lapointe 1995, Biophys J 69:2405 (stoichiometry 2 Na : 1 glucose); "
    "law of mass action",
)

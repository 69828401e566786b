"""Na/Ca exchanger: three Na against one Ca, one charge per turnover."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import exp


def forward(rate, na_o, ca_i, v, rt_over_f):
    """Turnover with Na in and Ca out: ``k Na_o^3 Ca_i e^(-u/2)``, with a symmetric barrier."""
    return rate * na_o**3 * ca_i * exp(-v / (2 * rt_over_f))


LAW = Law(
    title="Na/Ca exchanger, 3 Na : 1 Ca",
    parameters=(Parameter("rate", "m^10/mol^3/s", "rate constant per membrane area", minimum=0.0),),
    moves={"na": 3, "ca": -1},
    rate=forward,
    reversible=True,
    source="DiFrancesco & Noble 1985, Phil Trans R Soc B 307:353, eq. for i_NaCa without saturation, gamma = 1/2, "
    "doi:10.1098/rstb.1985.0001",
)

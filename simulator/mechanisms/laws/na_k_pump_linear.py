"""Na/K pump proportional to Na inside."""

from simulator.mechanisms.law import Law, Parameter


def net(rate, na_i):
    """Turnover: ``k Na_i``."""
    return rate * na_i


LAW = Law(
    title="Na/K pump, linear in Na inside",
    parameters=(Parameter("rate", "m/s", "turnover per concentration of Na inside", minimum=0.0),),
    moves={"na": -3, "k": 2},
    atp=1,
    rate=net,
    reversible=False,
    source="first-order pump kinetics, as in the cell ion flux programs of Vereninov and "
    "Yurinskaya (rate coefficient beta, U937 cells)",
)

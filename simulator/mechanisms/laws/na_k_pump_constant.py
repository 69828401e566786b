"""Na/K pump running at a constant rate, independent of concentrations."""

from simulator.mechanisms.law import Law, Parameter


def net(rate):
    """Turnover: constant."""
    return rate


LAW = Law(
    title="Na/K pump, constant rate",
    parameters=(
        Parameter("rate", "mol/m^2/s", "turnover, or its pump current in A/m^2 (one charge per turnover)", minimum=0.0),
    ),
    moves={"na": -3, "k": 2},
    atp=1,
    rate=net,
    reversible=False,
    source="Kay 2017, Front Cell Dev Biol 5:41, eqs 1-2, doi:10.3389/fcell.2017.00041",
)

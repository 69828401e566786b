"""Na/K pump driven by the cube of the Na ratio across the membrane."""

from simulator.mechanisms.law import Law, Parameter


def net(max_rate, na_i, na_o):
    """Turnover: ``J (Na_i/Na_o)^3``."""
    return max_rate * (na_i / na_o) ** 3


LAW = Law(
    title="Na/K pump, cubic in the Na ratio",
    parameters=(Parameter("max_rate", "mol/m^2/s", "turnover at equal Na, or its pump current in A/m^2", minimum=0.0),),
    moves={"na": -3, "k": 2},
    atp=1,
    rate=net,
    reversible=False,
    source="Keener & Sneyd, Mathematical Physiology, chapter 2; as used by Duesterwald et al. 2018, "
    "eLife 7:e39575, doi:10.7554/eLife.39575",
)

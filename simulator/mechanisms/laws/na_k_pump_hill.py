"""Na/K pump saturating with Na inside (three sites) and K outside (two sites)."""

from simulator.mechanisms.law import Law, Parameter


def net(max_rate, k_na, k_k, na_i, k_o):
    """Turnover: ``J (Na/(Na + K_Na))^3 (Ko/(Ko + K_K))^2``."""
    return max_rate * (na_i / (na_i + k_na)) ** 3 * (k_o / (k_o + k_k)) ** 2


LAW = Law(
    title="Na/K pump, three Na and two K sites",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest turnover, or its pump current in A/m^2", minimum=0.0),
        Parameter("k_na", "mol/m^3", "Na inside at half occupancy of a site", positive=True),
        Parameter("k_k", "mol/m^3", "K outside at half occupancy of a site", positive=True),
    ),
    moves={"na": -3, "k": 2},
    atp=1,
    rate=net,
    reversible=False,
    source="Garay & Garrahan 1973, J Physiol 231:297 (three Na, two K sites), doi:10.1113/jphysiol.1973.sp010234",
)

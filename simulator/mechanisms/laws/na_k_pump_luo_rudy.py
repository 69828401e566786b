"""Na/K pump that slows with hyperpolarisation, as in the Luo-Rudy family of heart cells."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import exp


def net(max_rate, k_na, k_k, na_scale, na_i, na_o, k_o, v, rt_over_f):
    """Turnover: ``J f(V, Na_o) / (1 + (K_Na/Na_i)^1.5) K_o/(K_o + K_K)``.

    ``f = 1/(1 + 0.1245 e^(-0.1 u) + 0.0365 s e^(-u))`` with ``s = (e^(Na_o/Na_s) - 1)/7``.
    """
    u = v / rt_over_f
    s = (exp(na_o / na_scale) - 1) / 7
    voltage_factor = 1 / (1 + 0.1245 * exp(-0.1 * u) + 0.0365 * s * exp(-u))
    saturation = (na_i / k_na) ** 1.5
    return max_rate * voltage_factor * saturation / (1 + saturation) * k_o / (k_o + k_k)


LAW = Law(
    title="Na/K pump, voltage-dependent (Luo-Rudy)",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest turnover, or its pump current in A/m^2", minimum=0.0),
        Parameter("k_na", "mol/m^3", "Na inside at half of the largest rate", positive=True, default=10.0),
        Parameter("k_k", "mol/m^3", "K outside at half of the largest rate", positive=True, default=1.5),
        Parameter(
            "na_scale", "mol/m^3", "scale of the voltage factor's dependence on Na outside", positive=True, default=67.3
        ),
    ),
    moves={"na": -3, "k": 2},
    atp=1,
    rate=net,
    reversible=False,
    source="Luo & Rudy 1994, Circ Res 74:1071, doi:10.1161/01.RES.74.6.1071",
)

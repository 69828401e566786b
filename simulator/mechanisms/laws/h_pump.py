"""H pump of plants and fungi (P-type H-ATPase): one proton out for each ATP."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import exp


def forward(max_rate, k_h, h_i, v, rt_over_f):
    """Turnover with H out: ``J a/(1 + a)``, ``a = H_i/K e^(u/2)``; the proton crosses a symmetric barrier.

    It slows as the inside becomes more negative, and stops where moving a proton takes all the energy of ATP.
    """
    loaded = h_i / k_h * exp(v / (2 * rt_over_f))
    return max_rate * loaded / (1 + loaded)


LAW = Law(
    title="H pump, 1 H : 1 ATP",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest turnover, or its pump current in A/m^2", minimum=0.0),
        Parameter("k_h", "mol/m^3", "H inside at half of the largest rate, at 0 mV", positive=True),
    ),
    moves={"h": -1},
    atp=1,
    rate=forward,
    reversible=True,
    source="Hansen, Gradmann, Sanders & Slayman 1981, J Membr Biol 63:165 (two states, symmetric barrier), "
    "doi:10.1007/BF01870979; backward rate by local detailed balance",
)

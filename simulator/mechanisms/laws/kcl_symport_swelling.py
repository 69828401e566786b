"""K-Cl cotransport opened by swelling: regulatory volume decrease."""

from simulator.mechanisms.law import Law, Parameter
from simulator.physics.special import sigmoid


def forward(rate, volume_mid, volume_slope, volume_i, k_o, cl_o):
    """Influx: ``k K_o Cl_o / (1 + e^((w_m - w)/w_s))``; opened by the inside volume w, driven by the gradients."""
    return rate * sigmoid((volume_i - volume_mid) / volume_slope) * k_o * cl_o


LAW = Law(
    title="K-Cl symport opened by swelling",
    parameters=(
        Parameter("rate", "m^4/mol/s", "rate constant per membrane area when fully open", minimum=0.0),
        Parameter("volume_mid", "m^3", "volume of the inside at which half is open", positive=True),
        Parameter("volume_slope", "m^3", "width of the sigmoid in the volume", positive=True),
    ),
    moves={"k": 1, "cl": 1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    source="Lauf & Adragna 2000, Cell Physiol Biochem 10:341, doi:10.1159/000016357 (KCC opens with swelling); "
    "Hernandez & Cristina 1998, Am J Physiol 275:C1067 (cell volume set by pump and cotransport); "
    "sigmoid opening, mass action",
)

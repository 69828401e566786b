"""Leak of one species by the Goldman-Hodgkin-Katz flux equation."""

from simulator.mechanisms.law import CHOSEN, Law, Parameter
from simulator.physics.special import bern


def forward(permeability, c_o, z, v, rt_over_f):
    """Influx: ``P c_o B(u)``, with ``B(u) = u/(e^u - 1)`` and ``u = zV/(RT/F)``."""
    return permeability * c_o * bern(z * v / rt_over_f)


LAW = Law(
    title="Leak, Goldman-Hodgkin-Katz flux",
    parameters=(Parameter("permeability", "m/s", "permeability of the membrane to the ion", minimum=0.0),),
    moves={CHOSEN: 1},
    rate=forward,
    reversible=True,
    chooses="ion",
    source="Goldman 1943, J Gen Physiol 27:37, doi:10.1085/jgp.27.1.37; "
    "Hodgkin & Katz 1949, J Physiol 108:37, appendix, doi:10.1113/jphysiol.1949.sp004310",
)

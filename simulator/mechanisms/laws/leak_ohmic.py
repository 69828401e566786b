"""Leak of one ion with a constant conductance: current ``g (V - E)``."""

from simulator.mechanisms.law import CHOSEN, Law, Parameter
from simulator.physics.special import bern, log


def forward(conductance, c_i, c_o, z, v, rt_over_f, faraday):
    """Influx: ``g RT/(zF)^2 B(x)`` with ``x = (V - E) zF/RT``; net influx is then ``-g (V - E)/(zF)``."""
    x = z * v / rt_over_f - log(c_o / c_i)
    return conductance * rt_over_f / (z**2 * faraday) * bern(x)


LAW = Law(
    title="Leak, ohmic",
    parameters=(Parameter("conductance", "S/m^2", "conductance of the membrane to the ion", minimum=0.0),),
    moves={CHOSEN: 1},
    rate=forward,
    reversible=True,
    takes_logarithm=True,
    chooses="ion",
    source="Hodgkin & Huxley 1952, J Physiol 117:500, eqs 3-5, doi:10.1113/jphysiol.1952.sp004764; "
    "one-way fluxes by local detailed balance (Ussing 1949, Acta Physiol Scand 19:43)",
)

"""Current injected by an electrode and carried by one ion.

A protocol switches it on and off. The carrier is counted on both sides, so charge and amounts stay consistent.
"""

from simulator.mechanisms.law import CHOSEN, Law, Parameter


def net(current, z, faraday):
    """Inward turnover of the carrier: ``I/(zF)``; a positive current depolarises."""
    return current / (z * faraday)


LAW = Law(
    title="Stimulus current",
    parameters=(Parameter("current", "A/m^2", "current density into the cell", default=0.0),),
    moves={CHOSEN: 1},
    rate=net,
    reversible=False,
    chooses="ion",
    external=True,
    source="Hodgkin & Huxley 1952, J Physiol 117:500, eq. 26, doi:10.1113/jphysiol.1952.sp004764; the ion that "
    "carries it: Kager, Wadman & Somjen 2000, J Neurophysiol 84:495, doi:10.1152/jn.2000.84.1.495",
)

"""Amplifier that holds the membrane potential by moving one ion across the membrane.

Protocol events ``clamp`` and ``release`` switch it on and off. A finite conductance makes the clamp an
ordinary mechanism: its carrier is counted on both sides, so charge and amounts stay consistent.
"""

from simulator.mechanisms.law import CHOSEN, Law, Parameter


def net(conductance, command, z, v, faraday):
    """Inward turnover of the carrier: ``g (V_command - V)/(zF)``."""
    return conductance * (command - v) / (z * faraday)


LAW = Law(
    title="Voltage clamp",
    parameters=(
        Parameter("conductance", "S/m^2", "gain of the amplifier; 0 is off", minimum=0.0),
        Parameter("command", "V", "potential to hold", minimum=-1.0, maximum=1.0),
    ),
    moves={CHOSEN: 1},
    rate=net,
    reversible=False,
    chooses="ion",
    external=True,
    source="Hodgkin, Huxley & Katz 1952, J Physiol 116:424, doi:10.1113/jphysiol.1952.sp004716",
)

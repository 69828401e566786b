"""Passive diffusion of an uncharged solute across the membrane."""

from simulator.mechanisms.law import CHOSEN, Law, Parameter


def forward(permeability, c_o):
    """Influx: ``P c_o``, independent of voltage."""
    return permeability * c_o


LAW = Law(
    title="Passive diffusion of a neutral solute",
    parameters=(Parameter("permeability", "m/s", "permeability of the membrane to the solute", minimum=0.0),),
    moves={CHOSEN: 1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    chooses="species",
    source="Fick's first law across a thin membrane; Weiss 1996, Cellular Biophysics vol. 1, chapter 3",
)

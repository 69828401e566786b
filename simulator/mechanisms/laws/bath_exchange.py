"""Diffusion of any species between a small space and a bath, e.g. between a cleft and the blood."""

from simulator.mechanisms.law import CHOSEN, Law, Parameter
from simulator.physics.special import exp


def forward(rate, c_o, z, v, rt_over_f):
    """Influx: ``k c_o e^(-zu/2)``, ``u = V F/RT``; without a voltage the net influx is ``k (c_o - c_i)``."""
    return rate * c_o * exp(-z * v / (2 * rt_over_f))


LAW = Law(
    title="Diffusion exchange with a bath",
    parameters=(Parameter("rate", "m/s", "rate constant of the exchange [1/s] times volume over area", minimum=0.0),),
    moves={CHOSEN: 1},
    rate=forward,
    reversible=True,
    chooses="species",
    source="Cressman et al. 2009, J Comput Neurosci 26:159, diffusion term, doi:10.1007/s10827-008-0132-4; with a "
    "voltage, a symmetric barrier (Laeuger & Stark 1970, Biochim Biophys Acta 211:458)",
)

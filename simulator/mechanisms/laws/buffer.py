"""Buffering of one ion by one molecule inside: ``ion + buffer <-> complex``."""

from simulator.mechanisms.law import CHOSEN, Law, Parameter


def forward(on_rate, c_i, buffer_i, volume_i, area):
    """Binding ``k_on c b`` in the inside compartment, expressed per membrane area like all turnovers."""
    return on_rate * c_i * buffer_i * volume_i / area


def equilibrium(dissociation):
    """Complex over the product of ion and buffer at equilibrium: ``1/K_d``."""
    return 1 / dissociation


LAW = Law(
    title="Buffer, 1 : 1, inside",
    parameters=(
        Parameter("on_rate", "m^3/mol/s", "rate constant of binding", minimum=0.0),
        Parameter("dissociation", "mol/m^3", "dissociation constant", positive=True),
    ),
    moves={CHOSEN: -1, "*buffer": -1, "*complex": 1},
    outside={},
    rate=forward,
    reversible=True,
    electroneutral=True,
    equilibrium=equilibrium,
    chooses="ion",
    partners=("buffer", "complex"),
    source="Wagner & Keizer 1994, Biophys J 67:447, eqs 1-3, doi:10.1016/S0006-3495(94)80500-4",
)

"""Facilitated diffusion of an uncharged solute by a carrier (GLUT)."""

from simulator.mechanisms.law import CHOSEN, Law, Parameter


def forward(max_rate, k_half, c_i, c_o):
    """Influx: ``J K c_o/((K + c_o)(K + c_i))``; net influx is then ``J (c_o/(K + c_o) - c_i/(K + c_i))``.

    Influx and efflux count complete carrier cycles; a tracer carried both ways would show larger fluxes.
    """
    return max_rate * k_half * c_o / ((k_half + c_o) * (k_half + c_i))


LAW = Law(
    title="GLUT, carrier of a neutral solute",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest net flux, into a compartment without the solute", minimum=0.0),
        Parameter("k_half", "mol/m^3", "concentration at which half of the carrier is occupied", positive=True),
    ),
    moves={CHOSEN: 1},
    rate=forward,
    reversible=True,
    electroneutral=True,
    chooses="species",
    source="Widdas 1952, J Physiol 118:23, doi:10.1113/jphysiol.1952.sp004770; "
    "Carruthers 1990, Physiol Rev 70:1135, doi:10.1152/physrev.1990.70.4.1135 (simple symmetric carrier)",
)

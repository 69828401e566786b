"""Ca pump of the plasma membrane (PMCA), two Ca sites, one Ca for each ATP.

This law moves Ca alone, two charges outward per turnover. The real pump takes back up to two protons for each
Ca (Thomas 2009), but free protons are a thousand times fewer than the Ca moved: counting them would be
meaningless without the buffers that supply them.
"""

from simulator.mechanisms.law import Law, Parameter


def forward(max_rate, k_ca, ca_i):
    """Turnover with Ca out: ``J Ca_i^2/(Ca_i^2 + K^2)``."""
    return max_rate * ca_i**2 / (ca_i**2 + k_ca**2)


LAW = Law(
    title="Ca pump PMCA, 1 Ca : 1 ATP",
    parameters=(
        Parameter("max_rate", "mol/m^2/s", "largest turnover: Ca per area and time", minimum=0.0),
        Parameter("k_ca", "mol/m^3", "Ca inside at half of the largest rate", positive=True),
    ),
    moves={"ca": -1},
    atp=1,
    rate=forward,
    reversible=True,
    source="Graupner, Erler & Meyer-Hermann 2005, J Biol Phys 31:183 (two Ca bound, one moved per ATP), "
    "doi:10.1007/s10867-005-4472-2; protons: Thomas 2009, J Physiol 587:315, doi:10.1113/jphysiol.2008.162453; "
    "backward rate by local detailed balance",
)

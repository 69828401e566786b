"""Physical constants, defined here and nowhere else.

Values are exact in the 2019 SI unless a source is named.
"""

from typing import Final

#: Faraday constant [C/mol]; N_A * e, exact in the 2019 SI to the digits of CODATA 2018.
FARADAY: Final = 96485.33212

#: Molar gas constant [J/mol/K]; CODATA 2018.
GAS_CONSTANT: Final = 8.314462618

#: Avogadro constant [1/mol]; exact in the 2019 SI.
AVOGADRO: Final = 6.02214076e23

#: Zero of the Celsius scale [K].
ZERO_CELSIUS: Final = 273.15

#: Partial molar volume of liquid water [m3/mol] near 37 degC (density 993.3 kg/m3, 18.015 g/mol).
WATER_MOLAR_VOLUME: Final = 1.8136e-5

#: Free energy of ATP hydrolysis [J/mol] in a well-supplied cell; -57 kJ/mol is a usual figure for
#: mammalian cytosol (Veech et al. 1979, J Biol Chem 254:6538, give -54 to -60 for liver, blood, muscle).
ATP_FREE_ENERGY: Final = -57.0e3

#: Charge numbers of the species a scenario may use without declaring them.
SPECIES_CHARGE: Final = {
    "na": 1,
    "k": 1,
    "cl": -1,
    "ca": 2,
    "mg": 2,
    "h": 1,
    "hco3": -1,
    "glucose": 0,
    "atp": -4,
}

"""Names of a model's states, parameters and defined quantities."""

from __future__ import annotations

#: State: time since the start, in models with a law that depends on time.
CLOCK = "time"

#: Parameter: free energy of ATP hydrolysis over F [V], in models with a mechanism that uses ATP.
ATP_ENERGY = "atp_energy_over_f"

#: Parameter: RT/F [V].
THERMAL_VOLTAGE = "rt_over_f"


def driven(parameter: str) -> str:
    """Name of the present value of a parameter that follows a waveform; the parameter itself is where that begins."""
    return f"now_{parameter}"


def drive(part: str, parameter: str) -> str:
    """Name of a parameter of a waveform: ``slope``, ``swing``, ``turn``, ``phase`` or ``since``."""
    return f"{part}_{parameter}"


def amount(compartment: str, species: str) -> str:
    """Name of an amount."""
    return f"n_{compartment}_{species}"


def concentration(compartment: str, species: str) -> str:
    """Name of a concentration: a parameter in a bath, otherwise amount over volume."""
    return f"c_{compartment}_{species}"


def impermeant(compartment: str) -> str:
    """Name of the impermeant solute: amount in a free compartment, concentration in a bath."""
    return f"x_{compartment}"


def charge(compartment: str) -> str:
    """Name of a compartment's charge."""
    return f"q_{compartment}"


def potential(compartment: str) -> str:
    """Name of a compartment's potential."""
    return f"phi_{compartment}"


def voltage(membrane: str) -> str:
    """Name of a membrane potential, inside minus outside."""
    return f"v_{membrane}"


def volume(compartment: str) -> str:
    """Name of a compartment's volume."""
    return f"w_{compartment}"


def area(membrane: str) -> str:
    """Name of a membrane's area."""
    return f"area_{membrane}"


def length(compartment: str) -> str:
    """Name of the length of a cylinder."""
    return f"length_{compartment}"


def capacitance(membrane: str) -> str:
    """Name of a membrane's capacitance per area."""
    return f"capacitance_{membrane}"


def water_permeability(membrane: str) -> str:
    """Name of a membrane's water permeability times the molar volume of water."""
    return f"water_permeability_{membrane}"


def water_flow(membrane: str) -> str:
    """Name of the volume flow of water into the inside of a membrane."""
    return f"water_{membrane}"


def water_total(group: tuple[str, ...]) -> str:
    """Name of the constant total volume of a closed osmotic group."""
    return "w_total_" + "_".join(group)


def parameter_name(membrane: str, label: str, parameter: str) -> str:
    """Name of a mechanism's parameter."""
    return f"p_{membrane}_{label}_{parameter}"


def gate_name(membrane: str, label: str, gate: str) -> str:
    """Name of a gate."""
    return f"g_{membrane}_{label}_{gate}"

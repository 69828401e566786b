"""Electrochemistry that analysis and reports share: Nernst potentials, driving forces, stall potentials."""

from __future__ import annotations

from typing import Any

import numpy as np


def nernst_potential(c_in: Any, c_out: Any, charge: int, thermal_voltage: Any) -> Any:
    """Nernst potential ``RT/(zF) ln(c_out/c_in)`` [V].

    Parameters
    ----------
    c_in, c_out : float or array
        Concentrations inside and outside, in one unit.
    charge : int
        Charge number of the ion.
    thermal_voltage : float or array
        RT/F [V].

    Raises
    ------
    ValueError
        If the solute is neutral: no voltage can balance its gradient.
    """
    if charge == 0:
        raise ValueError(
            "a neutral solute has no Nernst potential: no voltage can balance its gradient; "
            "its equilibrium is equal concentrations"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return thermal_voltage / charge * np.log(np.divide(c_out, c_in))


def electrochemical_difference(c_in: Any, c_out: Any, charge: int, voltage: Any) -> Any:
    """Electrochemical potential inside minus outside, over RT: ``ln(c_in/c_out) + z V F/RT``.

    Parameters
    ----------
    c_in, c_out : float or array
        Concentrations inside and outside, in one unit; if one is zero, the difference is infinite.
    charge : int
        Charge number; 0 for a neutral solute, for which the voltage does not matter.
    voltage : float or array
        Membrane potential over RT/F.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(c_in) - np.log(c_out) + charge * voltage


def net_turnover(forward: Any, affinity: Any) -> Any:
    """Net turnover of a reversible mechanism, in the unit of `forward`: ``forward (1 - exp(-affinity/RT))``.

    Parameters
    ----------
    forward : float or array
        Forward turnover.
    affinity : float or array
        Affinity over RT, per turnover.
    """
    return -forward * np.expm1(-affinity)


def zero_affinity_potential(potential: Any, affinity: Any, charge_per_turnover: float, thermal_voltage: Any) -> Any:
    """Potential [V] at which a mechanism's affinity vanishes, at constant concentrations.

    For a leak this is the Nernst potential, for a cotransporter or exchanger its reversal potential, for
    a pump the potential at which it stalls. NaN for an electroneutral mechanism.

    Parameters
    ----------
    potential : float or array
        Membrane potential [V] at which `affinity` was computed.
    affinity : float or array
        Affinity over RT, per turnover.
    charge_per_turnover : float
        Charges that enter the inside per turnover.
    thermal_voltage : float or array
        RT/F [V].
    """
    if charge_per_turnover == 0:
        return np.full(np.shape(affinity), np.nan)
    # The affinity falls by the charge moved times V, in units of RT/F.
    return potential + np.multiply(affinity, thermal_voltage) / charge_per_turnover

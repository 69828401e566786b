"""Runs as records for JSON: plain Python values in SI units, None for non-finite numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.report.energy import account_record, ledger_record
from simulator.trajectory.account import account
from simulator.trajectory.conservation import conservation
from simulator.trajectory.ledger import ledger
from simulator.trajectory.snapshot import snapshot
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.evidence import evidence, fit_for_json, pairs
from simulator.verdict.steady import SteadyState
from simulator.verdict.verdict import Verdict, classify

#: Units of the numbers in records.
UNITS = {
    "time": "s",
    "potential": "V",
    "concentration": "mol/m^3",
    "volume": "m^3",
    "atp_rate": "mol/s",
    "dissipation": "W",
    "ledger": "J, W",
    "conservation": "1",
    "elapsed": "s",
}


def run_record(trajectory: Trajectory, verdict: Verdict, file: str | None = None) -> dict[str, Any]:
    """The state of a run at its last saved time, for ``run --json``.

    Parameters
    ----------
    trajectory : Trajectory
        The run.
    verdict : Verdict
        Its verdict.
    file : str, optional
        Where it is saved.

    Returns
    -------
    dict
        Plain Python values in SI units (:data:`UNITS`); None stands for non-finite numbers.
    """
    end = snapshot(trajectory)
    kept = conservation(trajectory)
    record = {
        "name": trajectory.scenario.name,
        "file": file,
        "status": trajectory.status,
        "verdict": verdict.word,
        "time": end.time,
        "potential": end.potential,
        "concentration": end.concentration,
        "volume": end.volume,
        "species_verdict": verdict.species,
        "measure": dict(trajectory.measures),
        "atp_rate": verdict.atp_rate,
        "dissipation": verdict.dissipation,
        "open": trajectory.structure.open,
        "conservation": {"charge": kept.charge} | dict(kept.species),
        "evidence": evidence(verdict),
        "ledger": ledger_record(ledger(trajectory)),
    }
    found = fit_for_json(record)
    assert isinstance(found, dict)
    return found


def steady_record(found: SteadyState) -> dict[str, Any]:
    """A rest point for ``steady --json``: the record of a run, with eigenvalues, residual and route."""
    extra = {
        "eigenvalues": pairs(found.verdict.eigenvalues),
        "stable": found.verdict.stable,
        "residual": found.residual,
        "route": found.route,
    }
    return run_record(found.trajectory, found.verdict) | extra


def run_json(records: Sequence[Mapping[str, Any]], elapsed: float, compiled: bool) -> dict[str, Any]:
    """The document of ``run --json``: records of :func:`run_record`, units, elapsed time, whether it compiled."""
    return {"units": UNITS, "compiled": compiled, "elapsed": elapsed, "runs": list(records)}


def info_record(trajectory: Trajectory, file: str, energies: bool = False) -> dict[str, Any]:
    """The document of ``info --json``: the record of a run, with the energies of the whole run if `energies`."""
    record = {"units": UNITS} | run_record(trajectory, classify(trajectory), file)
    if energies:
        record["account"] = fit_for_json(account_record(account(trajectory)))
    return record

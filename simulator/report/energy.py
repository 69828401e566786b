"""The energy ledger as text for a terminal and as records for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from simulator.physics.notation import plain_number, readable, with_unit
from simulator.trajectory.account import Account
from simulator.trajectory.ledger import Ledger


def ledger_record(books: Ledger | None) -> dict[str, Any] | None:
    """The ledger at the last saved state, for ``run --json``: energies [J], powers [W]; None for open models."""
    if books is None:
        return None
    return {
        "free_energy": _last(books.stored),
        "rate": float(books.rate[-1]),
        "supplied": _last(books.supplied),
        "dissipated": _last(books.dissipated),
        "efficiency": _last(books.efficiency),
        "imbalance": float(books.imbalance[-1]),
    }


def account_record(found: Account | None) -> dict[str, Any] | None:
    """A run's energies [J] for ``info --ledger --json``; None for open models."""
    if found is None:
        return None
    return {
        "start": dict(found.start),
        "end": dict(found.end),
        "supplied": dict(found.supplied),
        "dissipated": dict(found.dissipated),
        "events": [{"time": time, "energy": energy} for time, energy in found.jumps.items()],
        "gap": found.gap,
        "relative_gap": found.relative_gap,
        "atp": found.atp,
        "spikes": found.spikes,
        "atp_per_spike": found.atp_per_spike,
    }


def ledger_rows(books: Ledger | None, found: Account | None, why_not: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Rows of the ledger table: name, energy over the run, power at its end, remark."""
    if books is None or found is None:
        yield "not told", "", "", why_not
        return
    energies = [*found.supplied.values(), *found.dissipated.values()]
    joule = readable(max(map(abs, energies), default=0.0), "J")
    powers = [float(abs(v[-1])) for v in (*books.supplied.values(), *books.dissipated.values())]
    watt = readable(max((p for p in powers if np.isfinite(p)), default=0.0), "W")
    floor = 1.0e-9 * watt.size

    def row(name: str, energy: float, power: float, remark: str = "") -> tuple[str, str, str, str]:
        return name, joule.write(energy), watt.write(0.0 if abs(power) < floor else power), remark

    yield "", joule.text, watt.text, ""
    for name, energy in found.supplied.items():
        yield row(f"from {name.removeprefix('bath ')}", energy, float(books.supplied[name][-1]))
    for name, energy in found.dissipated.items():
        yield row(f"lost in {name}", energy, float(books.dissipated[name][-1]), _efficiency(books, name))
    for time, energy in found.jumps.items():
        yield f"event at {plain_number(time, 6)} s", joule.write(energy), "", ""
    for name in found.start:
        yield row(f"stored in {name}", found.end[name] - found.start[name], float(books.rates[name][-1]))
    gap = f"{plain_number(found.relative_gap, 2)} of the free energy"
    yield "not explained", joule.write(found.gap), "", gap


def atp_rows(found: Account | None) -> Iterator[tuple[str, str]]:
    """Rows with the ATP used over a run and, if it spikes, per spike."""
    if found is not None:
        yield "ATP, total", with_unit(found.atp, "mol")
        if found.spikes:
            each = f", {with_unit(found.atp_per_spike, 'mol')} each" if found.spikes > 1 else ""
            yield "spikes", f"{found.spikes}{each}"


def _efficiency(books: Ledger, name: str) -> str:
    share = books.efficiency.get(name)
    if share is None or not np.isfinite(share[-1]):
        return ""
    return f"efficiency {100.0 * share[-1]:.3g} %"


def _last(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(value[-1]) for name, value in values.items()}

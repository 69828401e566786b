"""Panels of each kind of figure of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.model.structure import MembraneStructure
from simulator.physics.notation import nernst_name, species_name
from simulator.report.figures.panels import Series
from simulator.report.figures.style import (
    BANDS,
    DASH_DOT,
    DASHED,
    DOTTED,
    GREEN,
    LONG,
    MAIN,
    ORANGE,
    PURPLE,
    SHORT,
    SKY,
    SOLID,
    VERMILION,
    Look,
    mechanism_looks,
    species_looks,
)
from simulator.trajectory.analysis import Analysis
from simulator.trajectory.ledger import Ledger, ledger


@dataclass(frozen=True)
class Panel:
    """Data of one panel: series, their SI unit and quantity, and potentials [V] marked by vertical lines."""

    title: str
    series: tuple[Series, ...]
    unit: str
    quantity: str
    signed: bool = False
    from_zero: bool = False
    notes: tuple[str, ...] = ()
    digits: int = 3
    upright: tuple[float, ...] = ()


def _overview(analysis: Analysis) -> list[Panel]:
    return [*_potentials(analysis), *_concentrations(analysis), *_volumes(analysis), *_power(analysis)]


def _potentials(analysis: Analysis) -> list[Panel]:
    """The membrane potential beside every Nernst potential, for each membrane."""
    t = analysis.trajectory
    looks = species_looks(t.labels["species"])
    panels = []
    for m in t.structure.membranes:
        series = [Series("$V$", t.potential.sel(membrane=m.name), MAIN, width=2.8)]
        for s in analysis.nernst.labels["species"]:
            values = analysis.nernst.sel(membrane=m.name, species=s)
            if np.any(np.isfinite(values)):
                series.append(Series(nernst_name(s), values, looks[s]))
        neutral = [s for s, z in t.structure.charges if not z and s in t.structure.compartment(m.inside).species]
        notes = [f"{s}: uncharged, so it has no Nernst potential" for s in neutral]
        panels.append(
            Panel(
                _at(analysis, m, "Membrane potential and Nernst potentials"),
                tuple(series),
                "V",
                "Potential",
                notes=tuple(notes),
            )
        )
    return panels


def _concentrations(analysis: Analysis) -> list[Panel]:
    """Concentrations in each compartment except baths."""
    t = analysis.trajectory
    looks = species_looks(t.labels["species"])
    panels = []
    for c in t.structure.compartments:
        if c.volume == "bath":
            continue
        series = [
            Series(species_name(s, z), t.concentration.sel(compartment=c.name, species=s), looks[s])
            for s, z in t.structure.charges
            if s in c.species
        ]
        panels.append(Panel(f"Concentrations in {c.name}", tuple(series), "mol/m^3", "Concentration"))
    return panels


def _volumes(analysis: Analysis) -> list[Panel]:
    """Volumes that can change, if there are any."""
    t = analysis.trajectory
    changing = [c for c in t.structure.compartments if c.volume in ("state", "osmotic")]
    looks = [MAIN, *(Look(look.color, look.style) for look in species_looks(["cl", "k", "na", "ca"]).values())]
    series = [
        Series(c.name, t.volume[:, t.labels["compartment"].index(c.name)], look)
        for c, look in zip(changing, looks * len(changing), strict=False)
    ]
    return [Panel("Volume", tuple(series), "m^3", "Volume")] if series else []


def _power(analysis: Analysis) -> list[Panel]:
    """Power supplied by ATP and power dissipated: at rest the two are equal."""
    lost = analysis.total_dissipation
    series = [
        Series("from ATP", analysis.total_atp_power, Look(PURPLE, SOLID), width=4.0),
        Series("dissipated", lost, Look(MAIN.color, DASHED)),
    ]
    if np.any(analysis.electrode_power):
        series.append(Series("from electrodes", analysis.electrode_power, Look(ORANGE, DASH_DOT)))
    return [Panel("Free energy per second", tuple(series), "W", "Power", signed=bool(np.any(lost < 0.0)))]


def _fluxes(analysis: Analysis) -> list[Panel]:
    """Influx and efflux of each mechanism, a panel for each species."""
    t = analysis.trajectory
    looks = mechanism_looks(t)
    panels = []
    for m in t.structure.membranes:
        for s, z in t.structure.charges:
            series: list[Series] = []
            idle = []
            for (owner, mechanism, law), label in zip(analysis.mechanisms, t.labels["mechanism"], strict=True):
                if owner.name != m.name or s not in mechanism.moves:
                    continue
                found = _one_way(analysis, label, s, law.reversible, mechanism.label, looks[label], len(series))
                series += found
                idle += [] if found else [f"{mechanism.label}: no flux"]
            if series or idle:
                title = _at(analysis, m, f"One-way fluxes of {species_name(s, z)}")
                panels.append(Panel(title, tuple(series), "mol/m^2/s", "Flux", from_zero=True, notes=tuple(idle)))
    return panels


def _one_way(
    analysis: Analysis, label: str, species: str, reversible: bool, name: str, look: Look, rank: int
) -> list[Series]:
    """Influx and efflux of one species through one mechanism; the net flux of an irreversible one."""
    # In the panel of Na, `na_leak` is named `leak`.
    name = name.removeprefix(f"{species}_").replace("_", " ")
    if reversible:
        influx = analysis.influx.sel(mechanism=label, species=species)
        efflux = analysis.efflux.sel(mechanism=label, species=species)
        words = ("in", "out")
    else:
        net = analysis.net_flux.sel(mechanism=label, species=species)
        influx, efflux = np.maximum(net, 0.0), np.maximum(-net, 0.0)
        words = ("net in", "net out")
    # A wide pale line below a narrow dark one: both are visible where they coincide.
    pale = Look(look.tinted(0.5).color, BANDS[rank % len(BANDS)])
    dark = Look(look.color, look.style if look.style != SOLID else DASHED)
    pairs = ((words[0], influx, pale, 5.0), (words[1], efflux, dark, 2.2))
    return [
        Series(f"{name}, {word}", values, shade, width, ink=look.color)
        for word, values, shade, width in pairs
        if np.nanmax(np.abs(values), initial=0.0) > 0.0
    ]


def _currents(analysis: Analysis) -> list[Panel]:
    """Current of each mechanism over the whole membrane, and their sum."""
    t = analysis.trajectory
    looks = mechanism_looks(t)
    panels = []
    for i, m in enumerate(t.structure.membranes):
        here = [
            (j, mechanism, label)
            for j, ((owner, mechanism, _), label) in enumerate(
                zip(analysis.mechanisms, t.labels["mechanism"], strict=True)
            )
            if owner.name == m.name and analysis.charge_per_turnover[j]
        ]
        values = analysis.current.values * analysis.area.values[:, i, None]
        series = [Series(mechanism.label.replace("_", " "), values[:, j], looks[label]) for j, mechanism, label in here]
        if len(series) > 1:
            series.append(Series("sum", _total(values[:, [j for j, _, _ in here]]), MAIN))
        title = _at(analysis, m, "Currents, positive outward")
        panels.append(Panel(title, tuple(series), "A", "Current", signed=True))
    return panels


def _energy(analysis: Analysis) -> list[Panel]:
    """Dissipation of each mechanism, ATP use, and balance of free energy."""
    t = analysis.trajectory
    looks = mechanism_looks(t)
    panels = []
    for m in t.structure.membranes:
        labels = [f"{m.name}.{mechanism.label}" for mechanism in m.mechanisms]
        series = tuple(
            Series(mechanism.label.replace("_", " "), analysis.dissipation.sel(mechanism=label), looks[label])
            for mechanism, label in zip(m.mechanisms, labels, strict=True)
        )
        panels.append(Panel(_at(analysis, m, "Dissipation of each mechanism"), series, "W", "Power", signed=True))
    atp = Series("ATP", _total(analysis.atp_rate.values), MAIN)
    panels.append(Panel("ATP use", (atp,), "mol/s", "ATP use", from_zero=True))
    books = ledger(t)
    return panels if books is None else [*panels, _balance(books), _stores(books)]


def _balance(books: Ledger) -> Panel:
    """Balance of free energy: power from each source, total dissipation, and rate of storage."""
    looks = (Look(PURPLE, SOLID), Look(SKY, DASH_DOT), Look(ORANGE, SHORT), Look(VERMILION, LONG))
    coming = [(name, power) for name, power in books.supplied.items() if np.any(power)]
    series = [
        Series(f"from {_source(name)}", power, look, width=4.0 if name == "atp" else 2.2)
        for (name, power), look in zip(coming, looks * len(coming), strict=False)
    ]
    lost = np.sum([*books.dissipated.values()], axis=0)
    series += [Series("dissipated", lost, Look(MAIN.color, DASHED)), Series("stored", books.rate, Look(GREEN, DOTTED))]
    return Panel("Balance of free energy: supplied = dissipated + stored", tuple(series), "W", "Power", signed=True)


def _stores(books: Ledger) -> Panel:
    """Change of free energy of each compartment and of the membranes since the first saved state."""
    looks = (MAIN, Look(GREEN, DASHED), Look(ORANGE, DASH_DOT), Look(PURPLE, DOTTED))
    series = [
        Series(name, energy - energy[0], look)
        for (name, energy), look in zip(books.stored.items(), looks * len(books.stored), strict=False)
    ]
    return Panel("Free energy stored since the start", tuple(series), "J", "Energy", signed=True)


def _source(name: str) -> str:
    """Name of a power source for a legend."""
    return "ATP" if name == "atp" else name.removeprefix("bath ").replace("_", " ")


def _driving_forces(analysis: Analysis) -> list[Panel]:
    """V - E of each ion: zero is equilibrium."""
    t = analysis.trajectory
    looks = species_looks(t.labels["species"])
    panels = []
    for m in t.structure.membranes:
        series = [
            Series(species_name(s, z), analysis.driving_force.sel(membrane=m.name, species=s), looks[s])
            for s, z in t.structure.charges
            if z and np.any(np.isfinite(analysis.driving_force.sel(membrane=m.name, species=s)))
        ]
        title = _at(analysis, m, "Driving forces: zero is equilibrium")
        panels.append(Panel(title, tuple(series), "V", "$V - E$", signed=True))
    return panels


def iv_potentials(analysis: Analysis) -> np.ndarray:
    """Potentials [V] of current-voltage curves: the physiological range, extended to the membranes' potentials."""
    here = analysis.trajectory.potential.values[-1]
    return np.linspace(min(-0.12, here.min() - 0.03), max(0.08, here.max() + 0.03), 201)


def _current_voltage(analysis: Analysis) -> list[Panel]:
    """Current-voltage curve of each mechanism at the concentrations of the last state."""
    t = analysis.trajectory
    looks = mechanism_looks(t)
    potentials = iv_potentials(analysis)
    panels = []
    for m in t.structure.membranes:
        owned = zip(analysis.mechanisms, analysis.charge_per_turnover, strict=True)
        labels = [
            mechanism.label for (owner, mechanism, law), q in owned if owner.name == m.name and q and not law.external
        ]
        series = [
            Series(
                label.replace("_", " "),
                analysis.current_voltage(m.name, [label], potentials),
                looks[f"{m.name}.{label}"],
            )
            for label in labels
        ]
        stop = analysis.zero_current_potential(m.name, labels) if labels else np.nan
        if len(series) > 1:
            series.append(Series("sum", analysis.current_voltage(m.name, labels, potentials), MAIN))
        here = float(t.potential.sel(membrane=m.name)[-1])
        notes = [f"vertical line: membrane potential, {1e3 * here:.1f} mV"]
        notes += [f"no net current at {1e3 * stop:.1f} mV"] if np.isfinite(stop) else []
        title = _at(analysis, m, "Current against voltage, outward positive")
        panels.append(
            Panel(title, tuple(series), "A/m^2", "Current", signed=True, notes=("; ".join(notes),), upright=(here,))
        )
    return panels


def _at(analysis: Analysis, membrane: MembraneStructure, title: str) -> str:
    """Add the membrane's name to a title if there are several."""
    return f"{title} ({membrane.name})" if len(analysis.trajectory.structure.membranes) > 1 else title


def _total(values: np.ndarray) -> np.ndarray:
    """Sum over mechanisms; NaN only where all are NaN."""
    return np.where(np.all(np.isnan(values), axis=-1), np.nan, np.nansum(values, axis=-1))


#: Panels of each kind of figure, most important first.
KINDS: dict[str, Callable[[Analysis], list[Panel]]] = {
    "overview": _overview,
    "potentials": _potentials,
    "concentrations": _concentrations,
    "fluxes": _fluxes,
    "currents": _currents,
    "iv": _current_voltage,
    "driving_forces": _driving_forces,
    "energy": _energy,
}

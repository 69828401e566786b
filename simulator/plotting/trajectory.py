"""Figures of one run: an overview, and one kind for each question."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.analysis import Analysis
from simulator.kernel.status import Status
from simulator.notation import HEADLINES, duration, nernst_name, species_name
from simulator.plotting.panels import (
    Series,
    TimeAxis,
    draw_lines,
    label_ends,
    legend_above,
    mark_events,
    note,
    zero_line,
)
from simulator.plotting.protocol import marks
from simulator.plotting.style import DASHED, MAIN, MUTED, SOLID, THEME, VERMILION, Look, mechanism_looks, species_looks
from simulator.structure import MembraneStructure
from simulator.trajectory import Trajectory
from simulator.verdict import Verdict, classify


@dataclass(frozen=True)
class Panel:
    """What goes into one panel: series, their SI unit, and what they are."""

    title: str
    series: tuple[Series, ...]
    unit: str
    quantity: str
    signed: bool = False
    notes: tuple[str, ...] = ()
    digits: int = 3


def plot_trajectory(trajectory: Trajectory, kind: str = "overview", log_time: bool = False) -> Figure:
    """Draw a run.

    Parameters
    ----------
    trajectory : Trajectory
        The run; a failed one is drawn up to its end, with a note.
    kind : str
        One of :func:`kinds`.
    log_time : bool
        Show decades of time alike, for runs that relax over many of them; t = 0 is left out.

    Returns
    -------
    Figure
        To be written with :func:`simulator.plotting.save`.

    Raises
    ------
    ValueError
        For an unknown kind.
    """
    if kind not in _KINDS:
        raise ValueError(f"no figure of kind {kind!r}; there are {', '.join(_KINDS)}")
    panels = [panel for panel in _KINDS[kind](Analysis(trajectory)) if panel.series or panel.notes]
    time = TimeAxis(trajectory.time, log_time)
    with rc_context(THEME):
        return _compose(trajectory, panels, time)


def kinds() -> tuple[str, ...]:
    """Kinds of figures of one run."""
    return tuple(_KINDS)


# -- page -----------------------------------------------------------------------------------------


def _compose(trajectory: Trajectory, panels: Sequence[Panel], time: TimeAxis) -> Figure:
    """Lay out a title and panels; all positions are in inches, so that type never collides with panels."""
    columns = 1 if len(panels) == 1 else 2
    rows = max(1, math.ceil(len(panels) / columns))
    # With an odd number the first panel, the most important one, takes the whole width.
    wide_first = columns == 2 and len(panels) % 2 == 1
    panel_height = 4.6 if rows == 1 else 2.75
    top, bottom, between, left, right, gutter = 1.55, 0.75, 1.3, 0.95, 1.75, 2.65
    width = 13.33 if columns == 2 else 10.5
    height = top + rows * panel_height + (rows - 1) * between + bottom
    figure = Figure(figsize=(width, height))
    _head(figure, trajectory, classify(trajectory))
    column_width = (width - left - right - (columns - 1) * gutter) / columns
    events = marks(trajectory)
    for i, panel in enumerate(panels):
        place = i + 1 if wide_first and i else i
        row, column = divmod(place, columns)
        across = width - left - right if wide_first and i == 0 else column_width
        x = left + column * (column_width + gutter)
        y = height - top - (row + 1) * panel_height - row * between
        axes = figure.add_axes((x / width, y / height, across / width, panel_height / height))
        _draw(axes, panel, time)
        mark_events(axes, events, time, named=row == 0)
    return figure


def _draw(axes: Axes, panel: Panel, time: TimeAxis) -> None:
    scale = draw_lines(axes, time, panel.series, panel.unit, panel.quantity)
    if panel.signed:
        zero_line(axes)
    columns = 4 if len(panel.series) != 5 else 5
    legend_rows = math.ceil(len(panel.series) / columns)
    axes.set_title(panel.title, pad=8 + 19 * legend_rows)
    legend_above(axes, columns=columns)
    label_ends(axes, time, panel.series, scale, panel.digits)
    note(axes, panel.notes)


def _head(figure: Figure, trajectory: Trajectory, verdict: Verdict) -> None:
    """Name of the run, and its verdict as a sentence; how it failed, if it did."""
    height = figure.get_figheight()
    x = 0.35 / figure.get_figwidth()
    name = textwrap.shorten(trajectory.scenario.name, 70, placeholder="…")
    figure.text(x, 1.0 - 0.25 / height, name, fontsize=18, weight="bold", va="top", parse_math=False)
    status = Status[trajectory.status.upper()]
    if status is Status.OK:
        text, color = f"{HEADLINES.get(verdict.word, verdict.word)}: {verdict.sentence}", MUTED
    else:
        where = f" ({trajectory.culprit})" if trajectory.culprit else ""
        text, color = f"Ended early, at {duration(trajectory.end_time)}: {status.sentence}{where}", VERMILION
    figure.text(x, 1.0 - 0.62 / height, text, fontsize=13, color=color, va="top", parse_math=False)


# -- what the kinds show --------------------------------------------------------------------------


def _overview(analysis: Analysis) -> list[Panel]:
    return [*_potentials(analysis), *_concentrations(analysis), *_volumes(analysis), *_power(analysis)]


def _potentials(analysis: Analysis) -> list[Panel]:
    """The membrane potential beside every Nernst potential, for each membrane."""
    t = analysis.trajectory
    looks = species_looks(t.labels["species"])
    panels = []
    for m in t.structure.membranes:
        series = [Series("$V$", t.potential.sel(membrane=m.name), MAIN, width=2.8)]
        for s, z in t.structure.charges:
            values = analysis.nernst.sel(membrane=m.name, species=s)
            if z and np.any(np.isfinite(values)):
                series.append(Series(nernst_name(s, z), values, looks[s]))
        neutral = [s for s, z in t.structure.charges if not z and s in t.structure.compartment(m.inside).species]
        notes = [f"{s}: uncharged, so it has no Nernst potential" for s in neutral]
        panels.append(Panel(_at(analysis, m, "Membrane potential and Nernst potentials"), tuple(series), "V",
                            "Potential", notes=tuple(notes)))
    return panels


def _concentrations(analysis: Analysis) -> list[Panel]:
    """What each compartment holds, baths left out."""
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
    """Volumes that change, if any do."""
    t = analysis.trajectory
    changing = [c for c in t.structure.compartments if c.volume in ("state", "osmotic")]
    looks = [MAIN, *(Look(look.color, look.style) for look in species_looks(["cl", "k", "na", "ca"]).values())]
    series = [
        Series(c.name, t.volume[:, t.labels["compartment"].index(c.name)], look)
        for c, look in zip(changing, looks * len(changing), strict=False)
    ]
    return [Panel("Volume", tuple(series), "m^3", "Volume")] if series else []


def _power(analysis: Analysis) -> list[Panel]:
    """Free energy that ATP gives against what is dissipated: at rest the two are equal."""
    supply = _atp_power(analysis)
    lost = _total(analysis.dissipation.values)
    series = (
        Series("from ATP", supply, Look("#cc79a7", SOLID), width=4.0),
        Series("dissipated", lost, Look(MAIN.color, DASHED)),
    )
    return [Panel("Free energy per second", series, "W", "Power", signed=bool(np.nanmin(lost) < 0.0))]


def _fluxes(analysis: Analysis) -> list[Panel]:
    """Influx and efflux of each mechanism, a panel for each species."""
    t = analysis.trajectory
    looks = mechanism_looks(t)
    panels = []
    for m in t.structure.membranes:
        for s, z in t.structure.charges:
            series: list[Series] = []
            idle = []
            for (owner, use, law), label in zip(analysis.mechanisms, t.labels["mechanism"], strict=True):
                if owner.name != m.name or s not in law.stoichiometry(use.chosen):
                    continue
                found = _one_way(analysis, label, s, law.reversible, use.label, looks[label])
                series += found
                idle += [] if found else [f"{use.label}: nothing flows"]
            if series or idle:
                title = _at(analysis, m, f"One-way fluxes of {species_name(s, z)}")
                panels.append(Panel(title, tuple(series), "mol/m^2/s", "Flux", notes=tuple(idle)))
    return panels


def _one_way(
    analysis: Analysis, label: str, species: str, reversible: bool, name: str, look: Look
) -> list[Series]:
    """Influx and efflux of one species through one mechanism; the net flux of an irreversible one."""
    name = name.replace("_", " ")
    if reversible:
        influx = analysis.influx.sel(mechanism=label, species=species)
        efflux = analysis.efflux.sel(mechanism=label, species=species)
        words = ("in", "out")
    else:
        net = analysis.net_flux.sel(mechanism=label, species=species)
        influx, efflux = np.maximum(net, 0.0), np.maximum(-net, 0.0)
        words = ("net in", "net out")
    # A wide pale line below a narrow dark one: both are seen where they coincide.
    pale = Look(look.tinted(0.5).color, SOLID)
    dark = Look(look.color, look.style if look.style != SOLID else DASHED)
    pairs = ((words[0], influx, pale, 5.0), (words[1], efflux, dark, 2.2))
    return [
        Series(f"{name}, {word}", values, shade, width)
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
            (j, use, label)
            for j, ((owner, use, _), label) in enumerate(zip(analysis.mechanisms, t.labels["mechanism"], strict=True))
            if owner.name == m.name and analysis.charge_per_turnover[j]
        ]
        values = analysis.current.values * analysis.area.values[:, i, None]
        series = [Series(use.label.replace("_", " "), values[:, j], looks[label]) for j, use, label in here]
        if len(series) > 1:
            series.append(Series("sum", _total(values[:, [j for j, _, _ in here]]), MAIN))
        title = _at(analysis, m, "Currents, positive outward")
        panels.append(Panel(title, tuple(series), "A", "Current", signed=True))
    return panels


def _energy(analysis: Analysis) -> list[Panel]:
    """Where free energy comes from and goes to."""
    t = analysis.trajectory
    looks = mechanism_looks(t)
    several = len(t.structure.membranes) > 1
    names = {label: label if several else label.partition(".")[2] for label in t.labels["mechanism"]}
    by_mechanism = [
        Series(names[label].replace("_", " "), analysis.dissipation.values[:, i], looks[label])
        for i, label in enumerate(t.labels["mechanism"])
    ]
    atp = Series("ATP", _total(analysis.atp_rate.values), MAIN)
    supply, lost = _atp_power(analysis), _total(analysis.dissipation.values)
    stored = Series("stored in gradients", supply - lost, Look("#009e73", (0, (1.2, 1.4))))
    balance = _power(analysis)[0].series
    return [
        Panel("Dissipation of each mechanism", tuple(by_mechanism), "W", "Power", signed=True),
        Panel("ATP use", (atp,), "mol/s", "ATP use"),
        Panel("Balance of free energy", (*balance, stored), "W", "Power", signed=True),
    ]


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


def _at(analysis: Analysis, membrane: MembraneStructure, title: str) -> str:
    """A title that names the membrane where there are several."""
    return f"{title} ({membrane.name})" if len(analysis.trajectory.structure.membranes) > 1 else title


def _atp_power(analysis: Analysis) -> np.ndarray:
    return -_total(analysis.atp_rate.values) * analysis.trajectory.scenario.atp_free_energy


def _total(values: np.ndarray) -> np.ndarray:
    """Sum over mechanisms; undefined only where nothing is defined."""
    return np.where(np.all(np.isnan(values), axis=-1), np.nan, np.nansum(values, axis=-1))


_KINDS: dict[str, Callable[[Analysis], list[Panel]]] = {
    "overview": _overview,
    "potentials": _potentials,
    "concentrations": _concentrations,
    "fluxes": _fluxes,
    "currents": _currents,
    "driving_forces": _driving_forces,
    "energy": _energy,
}

"""Runs, rest points and comparisons as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from simulator.model.remarks import too_few
from simulator.model.start import impermeant_charge
from simulator.physics.constants import AVOGADRO
from simulator.physics.notation import Scale, duration, measured_number, plain_number, readable, with_unit
from simulator.report.columns import WIDTH, beside, definitions, table
from simulator.report.comparison import APART, Comparison, Row
from simulator.report.energy import atp_rows, ledger_rows
from simulator.scenario.measures import Measure
from simulator.trajectory.account import account, why_unaccounted
from simulator.trajectory.conservation import Conservation, conservation
from simulator.trajectory.ledger import ledger
from simulator.trajectory.snapshot import Snapshot, SpeciesAtMembrane, snapshot
from simulator.trajectory.trajectory import Trajectory
from simulator.verdict.steady import SteadyState
from simulator.verdict.verdict import Verdict, classify, uphill

#: Relative change of a volume that makes it matter whether areas follow.
WORTH_A_REMARK = 0.1

_IRREVERSIBLE = "* irreversible law: only its net flux is defined; it counts as influx or efflux"
_NEUTRAL = "-  a neutral species has no Nernst potential: no voltage can balance its gradient"


def steady_text(found: SteadyState) -> str:
    """Describe a rest point for a terminal."""
    rates = ", ".join(f"{v.real:.6g}" + (f"{v.imag:+.6g}i" if v.imag else "") for v in found.verdict.eigenvalues)
    rows = [(label, text) for label, text in summary_rows(found.trajectory, found.verdict) if label != "at"]
    rows += [("residual", f"{found.residual:.1e}"), ("eigenvalues", f"{rates} 1/s" if rates else "none")]
    rows += [("stability", "stable" if found.verdict.stable else "unstable"), ("route", found.route)]
    return "\n".join([found.trajectory.scenario.name, *definitions(rows)])


def summary_rows(trajectory: Trajectory, verdict: Verdict) -> list[tuple[str, str]]:
    """Summary of a run as pairs of label and text; a failed run starts with its status."""
    end = snapshot(trajectory)
    rows = [("status", _status(trajectory))] if trajectory.status != "ok" else []
    rows += [
        ("verdict", f"{verdict.word} ({verdict.headline})"),
        ("", verdict.sentence),
        ("at", duration(end.time)),
    ]
    rows += [(f"potential, {m}", with_unit(v, "V")) for m, v in end.potential.items()]
    for c in end.volume:
        inside = ", ".join(f"{s} {with_unit(x, 'mol/m^3')}" for s, x in end.concentration[c].items())
        rows += [(c, f"{inside}; volume {with_unit(end.volume[c], 'm^3')}")]
    measures = trajectory.scenario.measure
    rows += [(name, measured_text(value, measures[name])) for name, value in trajectory.measures.items()]
    rows += [("ATP", with_unit(verdict.atp_rate, "mol/s")), ("dissipation", _dissipated(trajectory, verdict))]
    kept = conservation(trajectory)
    closed = {name: d for name, d in {"charge": kept.charge, **kept.species}.items() if d is not None}
    drift = ", ".join(f"{name} {plain_number(d, 2)}" for name, d in closed.items())
    if trajectory.structure.open:
        rows += [("open", "a law is declared `open`: charge or mass is not conserved, and is not checked")]
    return [*rows, ("drift", drift or "no conserved quantity")]


def measured_text(value: float, measure: Measure) -> str:
    """A measure with its unit and what it is."""
    found = "none" if math.isnan(value) else measured_number(value, measure.unit)
    return f"{found} ({measure.meaning})"


def trajectory_remarks(trajectory: Trajectory) -> Iterator[str]:
    """What a user may not have meant, seen from the end of a run.

    Areas that stay while volumes do not, and amounts that fall below one particle.
    """
    for name, m in trajectory.scenario.membranes.items():
        inside = trajectory.scenario.compartments[m.inside]
        if m.area is None and inside.geometry is not None and "area_change" not in m.model_fields_set:
            i = trajectory.labels["compartment"].index(m.inside)
            grown = float(trajectory.volume[-1, i] / trajectory.model.contents().volume(m.inside))
            if abs(grown - 1.0) > WORTH_A_REMARK:
                yield (
                    f"{m.inside} ends at {plain_number(grown, 3)} times its first volume, but the area of {name} "
                    f"stays; if membrane, pumps and channels grow, write membranes.{name}.area_change: with_volume, "
                    "else fixed"
                )
    start, end = trajectory.model.contents(), snapshot(trajectory)
    for c in trajectory.structure.compartments:
        for s in c.species if c.volume != "bath" else ():
            left = float(end.concentration[c.name][s] * end.volume[c.name]) * AVOGADRO
            if 0.0 < left < 1.0 <= start.amount(c.name, s) * AVOGADRO:
                yield too_few(f"{c.name} ends", s, left)


def run_text(trajectory: Trajectory, verdict: Verdict, file: str | None = None) -> str:
    """Summary of a run for a terminal."""
    lines = [trajectory.scenario.name + (f" -> {file}" if file else "")]
    return "\n".join([*lines, *definitions(summary_rows(trajectory, verdict))])


def info_text(trajectory: Trajectory, energies: bool = False) -> str:
    """Everything about a saved run: verdict, each species at each membrane, each mechanism, conservation, origin.

    `energies` adds the energy ledger over the whole run; this repeats the run.
    """
    verdict, end = classify(trajectory), snapshot(trajectory)
    lines = [trajectory.scenario.name, ""]
    lines += definitions(_overview(trajectory, verdict, end))
    for m in trajectory.structure.membranes:
        lines += ["", f"Membrane {m.name}: inside {m.inside}, outside {m.outside}, {_mv(end.potential[m.name])} mV", ""]
        lines += _species_table(end, m.name)
        lines += ["", *_path_table(trajectory, end, m.name)]
    if energies:
        lines += ["", "Free energy: over the whole run, and per second at its end", ""]
        lines += _energies(trajectory)
    lines += ["", "Conservation (largest drift, relative to the sum of all terms)", ""]
    lines += definitions(_conserved(conservation(trajectory)))
    lines += ["", "Origin", ""]
    if (start := trajectory.scenario.start) is not None:
        where = f"{start.source}, run {start.run or 0}, at {duration(start.time or 0.0)}"
        lines += definitions([("starts from", where)])
    lines += definitions(
        (key.replace("_", " "), value)
        for key, value in sorted(trajectory.provenance.items())
        if value and "\n" not in value
    )
    return "\n".join(lines)


def _energies(trajectory: Trajectory) -> list[str]:
    found = account(trajectory)
    return table([*ledger_rows(ledger(trajectory), found, why_unaccounted(trajectory))]) + definitions(atp_rows(found))


def comparison_text(comparison: Comparison) -> str:
    """Two runs side by side: configuration, verdicts, and every quantity at their last saved times."""
    a, b = comparison.sides
    rows = [
        ("", "A: " + a.name, "B: " + b.name),
        ("verdict", a.verdict.word, b.verdict.word),
        ("", a.verdict.sentence, b.verdict.sentence),
        ("status", a.trajectory.status, b.trajectory.status),
        ("last saved time", duration(a.end.time), duration(b.end.time)),
    ]
    if not math.isnan(comparison.parting):
        rows.append((f"differ by {with_unit(APART, 'V')} from", duration(comparison.parting), ""))
    lines = [line for row in rows for line in beside(*row)]
    lines += ["", "Configured differently"]
    lines += [line for d in comparison.differences for line in beside("  " + d.path, d.a, d.b)] or ["  nothing"]
    group = ""
    for row in comparison.rows:
        scale = _common_scale(row, comparison.rows)
        if row.group != group:
            group = row.group
            # The rows of this group have different units, so each value carries its own.
            lines += ["", f"{group[0].upper()}{group[1:]}" + ("" if group == "energy" else f" [{scale.text}]")]
        cells = (with_unit(x, row.unit) if group == "energy" else _cell(row, x, scale) for x in (row.a, row.b))
        lines += beside(f"  {row.label}", *cells)
    return "\n".join(line.rstrip() for line in lines)


# -- parts of info --------------------------------------------------------------------------------


def _overview(trajectory: Trajectory, verdict: Verdict, end: Snapshot) -> Iterator[tuple[str, str]]:
    times = trajectory.time
    yield "saved", f"{len(times)} states from {duration(float(times[0]))} to {duration(end.time)}"
    yield "status", _status(trajectory)
    yield "verdict", f"{verdict.word} ({verdict.headline}): {verdict.sentence}"
    yield "", f"scaled distance to rest {plain_number(verdict.distance, 2)}"
    if verdict.oscillation is not None:
        yield "", f"scaled distance to the cycle {plain_number(verdict.oscillation.distance, 2)}"
    if verdict.run_away is not None:
        power = plain_number(verdict.run_away.exponent, 3)
        yield "", f"{verdict.run_away.quantity} finally varies as time to the power {power}"
    if math.isfinite(verdict.slowest_time):
        yield "", f"slowest time constant {duration(verdict.slowest_time)}"
    for label, affinity in verdict.affinity.items():
        yield "", f"affinity of {label} {plain_number(affinity, 3)} RT"
    if verdict.left_out:
        yield "not judged", ", ".join(verdict.left_out)
    yield "ATP", with_unit(verdict.atp_rate, "mol/s")
    yield "dissipation", _dissipated(trajectory, verdict)
    for c, volume in end.volume.items():
        yield f"volume of {c}", with_unit(volume, "m^3")
    yield from _moved(trajectory, end)
    contents = trajectory.model.contents()
    for c, compartment in trajectory.scenario.compartments.items():
        trapped = compartment.impermeant
        if trapped is not None:
            number = plain_number(impermeant_charge(contents, c), 6)
            given = ((trapped.concentration, "mol/m^3"), (trapped.amount, "mol"))
            held = next(with_unit(value, unit) for value, unit in given if value is not None)
            yield f"impermeant in {c}", f"{held} at the start, mean charge {number}"


def _moved(trajectory: Trajectory, end: Snapshot) -> Iterator[tuple[str, str]]:
    """Amounts each free compartment gained since the first saved state, and the charge on its membranes."""
    for c in end.volume:
        i = trajectory.labels["compartment"].index(c)
        gains = []
        for j, s in enumerate(trajectory.labels["species"]):
            first, last = trajectory.amount[[0, -1], i, j]
            if abs(last - first) > 1.0e-9 * abs(first):
                share = f" (relative {plain_number((last - first) / first, 2)})" if first > 0.0 else ""
                gains.append(f"{s} {with_unit(last - first, 'mol')}{share}")
        if gains:
            yield f"gained by {c}", ", ".join(gains)
        charge = trajectory.charge[-1, i]
        ions = sum(abs(z) * trajectory.amount[-1, i, j] for j, (_, z) in enumerate(trajectory.structure.charges) if z)
        if math.isfinite(charge) and ions > 0.0:
            moles = with_unit(abs(charge) / trajectory.structure.faraday, "mol")
            share = plain_number(abs(charge) / trajectory.structure.faraday / ions, 2)
            yield f"charge of {c}", f"{with_unit(charge, 'C')}, {moles} of charges: {share} of those its ions carry"


def _dissipated(trajectory: Trajectory, verdict: Verdict) -> str:
    if math.isnan(verdict.dissipation):
        return "undefined: something crosses to a side that has none of it"
    gains = [f"{label} gains {with_unit(power, 'W')}" for label, power in uphill(trajectory).items()]
    return with_unit(verdict.dissipation, "W") + (f" ({', '.join(gains)})" if gains else "")


def _status(trajectory: Trajectory) -> str:
    if trajectory.status == "ok":
        return "ok"
    return f"{trajectory.status} at {duration(trajectory.end_time)}: {trajectory.ending}"


def _species_table(end: Snapshot, membrane: str) -> list[str]:
    """Each species on both sides, and its fluxes summed over all paths."""
    species = end.species[membrane]
    fluxes = {s.species: end.total(membrane, s.species) for s in species if end.paths_of(membrane, s.species)}
    unit = readable(max((abs(x) for total in fluxes.values() for x in total[:2]), default=0.0), "mol/m^2/s")
    header = ["species", "inside", "outside", "Nernst", "V - E", "passive", "influx", "efflux", "net"]
    units = ["", "mM", "mM", "mV", "mV", "direction", *[unit.text] * 3]
    rows = []
    for s in species:
        flux = [unit.write(x) for x in _without_rounding(fluxes[s.species])] if s.species in fluxes else ["-"] * 3
        concentrations = [plain_number(s.inside, 5), plain_number(s.outside, 5)]
        rows.append([s.species, *concentrations, _mv(s.nernst), _mv(s.driving_force), s.direction, *flux])
    lines = table([header, units, *rows])
    return lines + ([f"  {_NEUTRAL}"] if any(_is_neutral(s) for s in species) else [])


def _path_table(trajectory: Trajectory, end: Snapshot, membrane: str) -> list[str]:
    """Each mechanism: its fluxes, reversal potential and current."""
    paths = [p for p in end.paths if p.membrane == membrane]
    unit = readable(max((max(p.influx, p.efflux) for p in paths), default=0.0), "mol/m^2/s")
    current = readable(max((abs(x) for x in end.current.values() if math.isfinite(x)), default=0.0), "A")
    laws = {
        mechanism.label: mechanism.law_name
        for m in trajectory.structure.membranes
        if m.name == membrane
        for mechanism in m.mechanisms
    }
    header = ["mechanism", "law", "species", "influx", "efflux", "net", "reversal", "current"]
    units = ["", "", "", *[unit.text] * 3, "mV", current.text]
    rows, named = [], ""
    for p in paths:
        label = f"{p.membrane}.{p.mechanism}"
        influx, efflux, net = _without_rounding((p.influx, p.efflux, p.net))
        fluxes = [unit.write(influx), unit.write(efflux)] if p.reversible else ["*", "*"]
        ends = (
            ["", ""]
            if p.mechanism == named
            else [_mv(end.reversal[label]), current.write(_visible(end.current[label], current), 3)]
        )
        names = ["", ""] if p.mechanism == named else [p.mechanism, laws[p.mechanism]]
        rows.append([*names, p.species, *fluxes, unit.write(net), *ends])
        named = p.mechanism
    lines = table([header, units, *rows])
    if max(map(len, lines)) > WIDTH:  # too wide: drop the law, which the scenario names
        lines = table([row[:1] + row[2:] for row in (header, units, *rows)])
    return lines + ([f"  {_IRREVERSIBLE}"] if any(not p.reversible for p in paths) else [])


def _conserved(kept: Conservation) -> Iterator[tuple[str, str]]:
    yield "charge", "open (a law is declared `open`)" if kept.charge is None else plain_number(kept.charge, 2)
    for species, drift in kept.species.items():
        yield species, "open (exchanges with a bath, or nothing moves it)" if drift is None else plain_number(drift, 2)


def _is_neutral(species: SpeciesAtMembrane) -> bool:
    return species.charge == 0


def _without_rounding(fluxes: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the fluxes, with a net flux that is only rounding error set to zero."""
    influx, efflux, net = fluxes
    return influx, efflux, 0.0 if abs(net) <= 1.0e-9 * max(influx, efflux) else net


def _common_scale(row: Row, rows: Sequence[Row]) -> Scale:
    """The unit shared by all rows of a group, so that numbers can be compared down a column."""
    finite = [abs(x) for r in rows if r.group == row.group for x in (r.a, r.b) if math.isfinite(x)]
    return readable(max(finite, default=0.0), row.unit)


def _cell(row: Row, value: float, scale: Scale) -> str:
    """Format a number of a comparison; a flux that is only rounding error relative to its group is zero."""
    return "0" if row.group == "flux" and abs(value) < 1.0e-9 * scale.size else scale.write(value, 5)


def _visible(value: float, scale: Scale) -> float:
    """Return the value, or zero if it is only rounding error at that scale."""
    return 0.0 if abs(value) < 1.0e-9 * scale.size else value


def _mv(volts: float | None) -> str:
    """Format a potential in millivolts with two decimals, ``-`` for NaN."""
    if volts is None or math.isnan(volts):
        return "-"
    text = f"{1e3 * volts:.2f}"
    return "0.00" if float(text) == 0.0 else text

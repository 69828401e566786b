"""Sweeps and batches as text for a terminal and as records for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.physics.notation import duration, measured_number, with_unit
from simulator.report.columns import beside, definitions
from simulator.report.crosstable import cross_tabulated
from simulator.runs.batch import Batch, Failure
from simulator.scenario.scenario import differences
from simulator.trajectory.arrangement import QUANTITIES
from simulator.verdict.words import WORDS

if TYPE_CHECKING:
    from simulator.storage.folder import Folder
    from simulator.storage.inventory import Inventory

#: Largest number of failed runs listed.
FAILURES_SHOWN = 10

#: Quantiles that describe a spread.
QUANTILES = (0.05, 0.5, 0.95)


def sweep_record(folder: Folder, numbers: Sequence[int] | None = None) -> dict[str, Any]:
    """Summary of a sweep on disk, or of some of its parts, for ``run --json``: counts, and the first failed runs."""
    numbers = range(folder.parts) if numbers is None else numbers
    found = folder.tally(numbers)
    failed = folder.failures(numbers) if found.failed else iter(())
    failures = [asdict(failure) for failure in islice(failed, FAILURES_SHOWN)]
    return {
        "name": folder.scenario.name,
        "file": str(folder.path),
        "runs": folder.runs_in(numbers),
        "status": dict(found.status),
        "verdict": dict(found.verdict),
        "failures": failures,
    }


def sweep_text(record: Mapping[str, Any]) -> str:
    """Format the record of :func:`sweep_record` for a terminal."""
    rows = [("runs", f"{record['runs']:,}"), ("status", _counted(record["status"]))]
    rows.append(("verdict", _counted(record["verdict"])))
    rows += [_failure(Failure(**failure)) for failure in record["failures"]]
    return "\n".join([f"{record['name']} -> {record['file']}", *definitions(rows)])


def status_record(inventory: Inventory) -> dict[str, Any]:
    """What of a sweep is there, for ``status --json``."""
    batch, found = inventory.batch, inventory.tally
    return {
        "runs": {
            "total": batch.runs,
            "done": found.runs,
            "failed": found.failed,
            "missing": batch.runs - found.runs,
        },
        "parts": {"total": batch.parts, "done": len(inventory.done), "missing": inventory.missing},
        "status": dict(found.status),
        "verdict": dict(found.verdict),
        "seconds_left": inventory.seconds_left(),
    }


def status_text(inventory: Inventory, record: Mapping[str, Any]) -> str:
    """Format the record of :func:`status_record` for a terminal."""
    runs, parts, missing = record["runs"], record["parts"], record["parts"]["missing"]
    rows = [("runs", f"{runs['done']:,} of {runs['total']:,} done, {runs['failed']:,} of them failed")]
    rows.append(("parts", f"{parts['done']:,} of {parts['total']:,} done"))
    if missing:
        rows.append(("missing", inventory.in_words(missing)))
    rows += [(name, _counted(record[name])) for name in ("status", "verdict") if record[name]]
    if missing:
        left = record["seconds_left"]
        rows.append(("time left", "unknown" if left is None else duration(max(1.0, round(left)))))
    where = ", ".join(str(folder.path) for folder in inventory.folders)
    return "\n".join([f"{inventory.batch.scenario.name} in {where}", *definitions(rows)])


def batch_info_text(batch: Batch) -> str:
    """Summary of a saved batch: counts, range of each swept key, spread of final values, failures, origin."""
    lines = [batch.scenario.name, ""]
    lines += definitions(_overview(batch))
    lines += ["", "Swept", ""]
    lines += definitions(_swept(batch))
    if batch.measures:
        lines += ["", "Measures: 5 %, 50 % and 95 % quantiles", ""]
        lines += definitions(("", text) for text in _measured(batch))
    lines += ["", "At the end of the runs: 5 %, 50 % and 95 % quantiles", ""]
    lines += definitions(("", f"{name}: {_spread(values, unit)}") for name, unit, values in _ends(batch))
    failed = list(islice(batch.failures(), FAILURES_SHOWN))
    if failed:
        lines += ["", "Failed", ""]
        lines += definitions(map(_failure, failed))
    lines += ["", "Origin", ""]
    facts = sorted(batch.provenance.items())
    lines += definitions((key.replace("_", " "), value) for key, value in facts if value and "\n" not in value)
    return "\n".join(lines)


def batch_comparison_text(a: Batch, b: Batch) -> str:
    """Two batches side by side: configuration, counts, and spread of final values."""
    lines = [line for row in _heads(a, b) for line in beside(*row)]
    changed = differences(a.scenario, b.scenario)
    lines += ["", "Configured differently"]
    lines += [line for key, x, y in changed for line in beside("  " + key, x, y)] or ["  nothing"]
    lines += ["", "At the end of the runs: 5 %, 50 % and 95 % quantiles"]
    theirs = {name: (unit, values) for name, unit, values in _ends(b)}
    for name, unit, values in _ends(a):
        if name in theirs:
            lines += beside("  " + name, _spread(values, unit), _spread(theirs[name][1], unit))
    if a.runs == b.runs and all(
        k in b.coordinates and np.array_equal(a.coordinates[k], b.coordinates[k]) for k in a.coordinates
    ):
        same = int(np.count_nonzero(a.arrays["verdict"] == b.arrays["verdict"]))
        lines += ["", f"The runs have the same swept values; {same:,} of {a.runs:,} have the same verdict."]
        lines += ["", *_crossed(a, b)]
    return "\n".join(line.rstrip() for line in lines)


def _crossed(a: Batch, b: Batch) -> list[str]:
    """Table of the number of runs for each pair of verdicts."""
    ours, theirs = ([WORDS[code] for code in batch.arrays["verdict"]] for batch in (a, b))
    found = cross_tabulated(ours, theirs, WORDS)
    lines = ["Verdicts: A in rows, B in columns", ""]
    lines.append("  " + " " * 16 + "".join(f"{word:>16}" for word in found.columns))
    for word, row in zip(found.rows, found.counts, strict=True):
        lines.append(f"  {word:<16}" + "".join(f"{number:>16,}" for number in row))
    return lines


def _heads(a: Batch, b: Batch) -> Iterator[tuple[str, str, str]]:
    yield "", "A: " + a.scenario.name, "B: " + b.scenario.name
    yield "runs", f"{a.runs:,}", f"{b.runs:,}"
    ours, theirs = a.counts(), b.counts()
    for name in ("status", "verdict"):
        yield name, _counted(ours[name]), _counted(theirs[name])


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in counts.items())


def _overview(batch: Batch) -> Iterator[tuple[str, str]]:
    yield "runs", f"{batch.runs:,}"
    times = batch.time
    if len(times) > 1:
        yield "saved", f"{len(times)} states per run, from {duration(float(times[0]))} to {duration(float(times[-1]))}"
    else:
        yield "saved", f"the last state of each run, at {duration(float(times[-1]))}"
    for name, counts in batch.counts().items():
        yield name, _counted(counts)


def _swept(batch: Batch) -> Iterator[tuple[str, str]]:
    leaders = batch.scenario.sweep.leaders() if batch.scenario.sweep is not None else {}
    for key, values in batch.coordinates.items():
        unit = batch.scenario.unit_of(key)
        low, high = (with_unit(float(end), unit) for end in (values.min(), values.max()))
        along = f"along with {leaders[key]}" if key in leaders else f"{len(np.unique(values)):,} values"
        yield "", f"{key}: {low} to {high}, {along}"


def _ends(batch: Batch) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield name, unit and final values of each quantity that is finite in some run."""
    for kind in ("potential", "concentration", "volume"):
        dims = QUANTITIES[kind][2].split()
        for labels in product(*(batch.labels[dim] for dim in dims)):
            name = ".".join((kind, *labels))
            values = batch.final(name)
            if np.any(np.isfinite(values)):
                yield name, QUANTITIES[kind][0], values


def _measured(batch: Batch) -> Iterator[str]:
    """What each measure came to, and in how many runs nothing was found."""
    for name, values in batch.measures.items():
        unit, meaning = batch.about(name)
        missing = int(np.count_nonzero(np.isnan(values)))
        spread = _spread(values, unit) if missing < batch.runs else "none"
        yield f"{name}, {meaning}: {spread}" + (f"; none in {missing:,} runs" if 0 < missing < batch.runs else "")


def _spread(values: np.ndarray, unit: str) -> str:
    return ", ".join(measured_number(float(v), unit) for v in np.nanquantile(values, QUANTILES))


def _failure(failure: Failure) -> tuple[str, str]:
    values = ", ".join(f"{key} = {value:.6g}" for key, value in failure.values.items())
    culprit = f" in {failure.culprit}" if failure.culprit else ""
    return f"failed run {failure.run}", f"{failure.status} at {duration(failure.time)}{culprit}; {values}"

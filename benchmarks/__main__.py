"""``make bench``: run the benchmarks, print their tables and write them into ``benchmarks/README.md``."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from benchmarks import batches, precision, processes, sizes, trajectories
from simulator.cli.doctor import facts

README = Path(__file__).resolve().parent / "README.md"
MARK = re.compile(r"(<!-- table -->\n).*(<!-- end of table -->)", re.DOTALL)


def table() -> str:
    """All measurements as Markdown."""
    known = dict(facts())
    lines = [f"Python {platform.python_version()}, numba {known['numba']}, {known['processor']}."]

    def add(*more: str) -> None:
        lines.extend(more)
        print(*more, sep="\n", flush=True)

    for title, config, tolerances in (
        ("benchmark cell (4 states)", trajectories.CONFIG, trajectories.TOLERANCES),
        ("ten states", trajectories.TEN_STATES, (1e-4, 1e-6, 1e-8)),
    ):
        add("", f"| {title} | rtol | microseconds per trajectory | largest scaled error |", "|---|---|---|---|")
        found = []
        for row in trajectories.rows(config, tolerances):
            add(f"| {row.program} | {row.rtol:.0e} | {row.microseconds:.1f} | {row.error:.1e} |")
            found.append(row)
        add(
            "",
            f"| {title}, at the peer's error or less | rtol | error | kernel | `run_batch` |",
            "|---|---|---|---|---|",
        )
        for name, rtol, error, kernel, public in trajectories.speedups(found):
            add(f"| {name} | {rtol:.0e} | {error:.1e} | {kernel:.1f} times as fast | {public:.1f} times as fast |")
    add("", "| batches of the benchmark cell | measured | wanted |", "|---|---|---|")
    for what, measured, wanted in batches.rows():
        add(f"| {what} | {measured} | {wanted} |")
    columns = ("states", "derive", "generate", "compile", "load", "step", "memory")
    add("", f"| model | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|")
    for name, costs in sizes.rows():
        add(f"| {name} | {' | '.join(f'{costs[column]:.3g}' for column in columns)} |")
    add("", "| all shipped scenarios | steps | error over rtol, geometric mean |", "|---|---|---|")
    for rtol, steps, ratio in precision.summary():
        add(f"| rtol {rtol:.0e} | {steps:,} | {ratio:.2f} |")
    lines += ["", "| whole process | seconds | against | seconds | ratio | limit |", "|---|---|---|---|---|---|"]
    for found in processes.rows():
        if isinstance(found, processes.Ratio):
            lines.append(
                f"| {found.what} | {found.seconds:.2f} | `{found.against}` | {found.against_seconds:.2f} "
                f"| {found.ratio:.2f} | {found.limit:g} |"
            )
        else:
            what, seconds, limit = found
            lines.append(f"| {what} | {seconds:.3g} | | | | {limit:g} s |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    text = table()
    README.write_text(MARK.sub(lambda m: f"{m[1]}{text}\n{m[2]}", README.read_text()))

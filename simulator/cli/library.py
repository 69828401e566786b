"""Subcommands that show equations, kernels, laws, examples and reference cases."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.exit_codes import OK, SOME_FAILED
from simulator.cli.source import Configs, Overrides, read_source
from simulator.errors import UsageError, among

#: The line of a shipped scenario that names the file it extends.
_EXTENDS = re.compile(r"^(extends:\s*)(\S+)", re.MULTILINE)

if TYPE_CHECKING:
    from simulator.cli.verification import Check


def equations(configs: Configs, overrides: Overrides = None) -> None:
    """Print the equations of a scenario's model."""
    from simulator.model.assembly import structure_of
    from simulator.report.equations import equations_text

    for config in configs:
        print(equations_text(structure_of(read_source(config, overrides).scenario)))


def kernel(configs: Configs, overrides: Overrides = None) -> None:
    """Print the generated kernel of a scenario's model."""
    from simulator.kernel import source_text
    from simulator.model.assembly import structure_of

    for config in configs:
        print(source_text(structure_of(read_source(config, overrides).scenario)))


def mechanisms(
    name: Annotated[str | None, typer.Argument(help="A law to describe in full.", metavar="NAME")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Print equation, parameters, units and source of each law.")
    ] = False,
) -> None:
    """List the laws that mechanisms can use, or describe one law."""
    from simulator.mechanisms import library
    from simulator.mechanisms.outside import load_installed, origin_of
    from simulator.report.equations import WRITTEN, channel_text, custom_text, law_text

    load_installed()
    found = library()
    written = {"channel": channel_text, "custom": custom_text}
    if name is None and full:
        texts = [law_text(key) for key in found]
        print("\n\n".join([*texts, *(text() for text in written.values())]))
    elif name is None:
        for key, title in ({key: law.title for key, law in found.items()} | WRITTEN).items():
            origin = origin_of(key)
            print(f"{key:<24} {title}" + (f" [{origin.file}]" if origin else ""))
    elif name in found:
        print(law_text(name))
    elif name in written:
        print(written[name]())
    else:
        raise UsageError(f"there is no law {name!r}", among(name, [*found, *written], "the laws are"))


def examples(
    name: Annotated[str | None, typer.Argument(help="An example to copy.", metavar="NAME")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where to copy it.")] = None,
) -> None:
    """List the shipped scenarios, or copy one here."""
    folder = configs_folder()
    found = {
        str(p.relative_to(folder).with_suffix("")): p
        for p in sorted(folder.rglob("*.yaml"))
        if not p.name.endswith(".expected.yaml")
    }
    if name is None:
        for key, path in found.items():
            print(f"{key:<28} {_first_comment(path)}")
        return
    key = name.removesuffix(".yaml")
    if key not in found:
        raise UsageError(f"there is no example {name!r}", among(name, found, "the examples are"))
    target = output or Path(found[key].name)
    if target.is_dir():
        target = target / found[key].name
    if target.exists():
        raise UsageError(f"{target} already exists", "choose another name with -o")
    _copy(found[key], target)
    print(target)


def verify(
    cases: Annotated[list[str] | None, typer.Argument(help="Cases to run (default: all).", metavar="ID...")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Run the shipped reference cases and compare their numbers with the published ones."""
    from simulator.cli.verification import case_ids
    from simulator.cli.verification import verify as run_case

    folder = configs_folder() / "reference"
    known = case_ids(folder)
    unknown = [case for case in cases or [] if case not in known]
    if unknown:
        raise UsageError(f"there is no reference case {unknown[0]!r}", among(unknown[0], known, "the cases are"))
    checks = []
    for case in cases or known:
        for check in run_case(folder, case):
            checks.append(check)
            if not as_json:
                print(_check_line(check))
    failed = sum(not check.passed for check in checks)
    if as_json:
        rows = [
            {
                "case": c.case,
                "quantity": c.quantity,
                "value": c.value,
                "expected": c.expected,
                "difference": c.difference if c.difference < float("inf") else None,
                "limit": c.limit,
                "unit": c.unit,
                "passed": c.passed,
            }
            for c in checks
        ]
        print(json.dumps({"checks": rows, "failed": failed}, indent=1))
    else:
        print(f"{len(checks) - failed} of {len(checks)} numbers agree", file=sys.stderr)
    return SOME_FAILED if failed else OK


def _check_line(check: Check) -> str:
    word = "pass" if check.passed else "FAIL"
    if isinstance(check.value, str):
        return f"{word}  {check.case:<12} {check.quantity}: {check.value}, expected {check.expected}"
    return (
        f"{word}  {check.case:<12} {check.quantity}: {check.value:.12g} {check.unit}, expected "
        f"{check.expected:.12g}, difference {check.difference:.2g} (limit {check.limit:.2g})"
    )


def schema() -> None:
    """Print the JSON Schema of a scenario, for editors."""
    from simulator.scenario.schema import json_schema

    print(json.dumps(json_schema(), indent=1))


def doctor() -> None:
    """Print versions, processor, threads, cache and disk for a bug report."""
    from simulator.cli.doctor import facts

    for name, value in facts():
        print(f"{name:<16} {value}")


def configs_folder() -> Path:
    """Return the folder of the shipped scenarios: inside an installed package, or next to it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def _first_comment(path: Path) -> str:
    for line in path.read_text().splitlines():
        if line.startswith("#") and line.strip("# "):
            return line.strip("# ")
    return ""


def _copy(example: Path, target: Path) -> None:
    """Copy an example and what it extends into one directory; files that are there already stay as they are."""
    text = example.read_text(encoding="utf-8")
    extends = _EXTENDS.search(text)
    if extends is not None:
        base = example.parent / extends[2]
        text = text.replace(extends[0], f"{extends[1]}{base.name}", 1)
        if not (target.parent / base.name).exists():
            _copy(base, target.parent / base.name)
    target.write_text(text, encoding="utf-8")

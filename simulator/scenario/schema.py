"""JSON Schema of a scenario, for editors."""

from __future__ import annotations

from typing import Any

from simulator.physics.notation import format_quantity
from simulator.scenario.records import TWIN_NAME
from simulator.scenario.scenario import Scenario
from simulator.scenario.waveforms import SHAPES

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario as written in a file, for editors.

    A file that extends another one may leave out anything, so only its top-level keys are checked.
    """
    schema = _as_written(Scenario.model_json_schema())
    definitions = schema.pop("$defs")
    extends = {"type": "string", "description": "scenario file this one builds on"}
    schema["properties"]["twins"] = {
        "type": "object",
        "description": "variants of this scenario by name, each with dotted paths and new values",
        "propertyNames": {"pattern": f"^{TWIN_NAME.pattern}$"},
        "additionalProperties": {"type": "object", "minProperties": 1},
    }
    definitions["TableFile"] = {
        "type": "object",
        "description": "Points from a file beside this one, with a head such as `time [ms],command [mV]`.",
        "properties": {"table": {"type": "string", "description": "CSV file with times and values"}},
        "required": ["table"],
        "additionalProperties": False,
    }
    waves = [{"$ref": f"#/$defs/{name}"} for name in (*(shape.__name__ for shape in SHAPES.values()), "TableFile")]
    definitions["Clamp"]["properties"]["potential"]["oneOf"].append(waves[-1])
    new_values = definitions["SetEvent"]["properties"]["set"]
    new_values["additionalProperties"] = {"anyOf": [{"type": ["string", "number"]}, *waves]}
    first_keys = {name: {"description": part.get("description", "")} for name, part in schema["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ionflux scenario",
        "type": "object",
        "if": {"type": "object", "required": ["extends"]},
        "then": {"properties": {"extends": extends} | first_keys, "additionalProperties": False},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": definitions | {"Scenario": schema},
    }


def _as_written(part: Any) -> Any:
    """Show defaults with their units and remove null, which a file cannot hold."""
    if isinstance(part, list):
        return [_as_written(item) for item in part]
    if not isinstance(part, dict):
        return part
    part = {key: _as_written(value) for key, value in part.items()}
    if {"type": "null"} in part.get("anyOf", []):
        [other] = [choice for choice in part.pop("anyOf") if choice != {"type": "null"}]
        part = other | {key: value for key, value in part.items() if value is not None}
    if "unit" in part and isinstance(part.get("default"), float):
        part["default"] = format_quantity(part["default"], part["unit"])
    return part

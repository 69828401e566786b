"""Scenarios: their keys, their checks and the YAML reader."""

"""Mechanisms as written in a scenario: one record type per law."""

"""Checks that the values of a scenario, each valid by itself, are consistent."""

"""Whether the values of a scenario, each valid by itself, fit together."""

"""A mechanism as a scenario writes it: a record per law."""

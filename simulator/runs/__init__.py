"""From a scenario to results in memory: one run, or many on threads."""

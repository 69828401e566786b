"""Run a scenario, once or many times on threads, with results in memory."""

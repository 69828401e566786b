"""The words of a verdict, in the order of their codes in data files, and the headline of each."""

from __future__ import annotations

#: Headline of each verdict, as used in lectures.
HEADLINES = {
    "equilibrium": "Dynamic equilibrium",
    "steady_state": "Steady state",
    "oscillation": "Oscillation",
    "run_away": "Run-away",
    "not_converged": "Not at rest yet",
}

#: The words; the index of each is its code in data files.
WORDS = tuple(HEADLINES)

"""The words of a verdict, in the order of their codes in data files, and the headline of each."""

from __future__ import annotations

#: Headline of each verdict, as used in lectures.
HEADLINES = {
    "equilibrium": "Dynamic equilibrium",
    "steady_state": "Steady state",
    "oscillation": "Oscillation",
    "run_away": "Run-away",
    "not_converged": "Still changing",
    "entrained": "Follows its stimulus",
    "inert": "Nothing can move",
}

#: The words for a run that has come to rest.
AT_REST = ("equilibrium", "steady_state")

#: The words by their codes in data files.
WORDS = tuple(HEADLINES)

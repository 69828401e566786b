"""Cross-tabulate the words of two batches: the number of runs for each pair of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CrossTable:
    """Counts of runs by the word in A and the word in B.

    Parameters
    ----------
    rows, columns : tuple of str
        Words that occur in A and in B.
    counts : ndarray of int, shape (rows, columns)
        Number of runs with each pair.
    examples : ndarray of int, shape (rows, columns)
        First run with each pair, -1 where there is none.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: np.ndarray
    examples: np.ndarray


def cross_tabulated(a: Sequence[str], b: Sequence[str], order: Sequence[str]) -> CrossTable:
    """Count pairs of words.

    Parameters
    ----------
    a, b : sequence of str
        The word of each run in A and in B; a run has the same swept values in both.
    order : sequence of str
        All words, in the order of rows and columns.
    """
    if len(a) != len(b):
        raise ValueError(f"cannot pair {len(a)} runs with {len(b)}; expected equal numbers of runs")
    rows, columns = (tuple(w for w in order if w in set(words)) for words in (a, b))
    counts = np.zeros((len(rows), len(columns)), dtype=int)
    examples = np.full(counts.shape, -1)
    one, other = np.array(a, dtype=object), np.array(b, dtype=object)
    for i, here in enumerate(rows):
        for j, there in enumerate(columns):
            members = np.flatnonzero((one == here) & (other == there))
            counts[i, j] = len(members)
            if len(members):
                examples[i, j] = members[0]
    return CrossTable(rows, columns, counts, examples)

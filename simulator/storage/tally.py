"""What became of some runs: how many ended with each status and each verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.kernel.status import STATUSES
from simulator.verdict.words import WORDS


@dataclass(frozen=True)
class Tally:
    """Numbers of runs by the word of their status, and by that of their verdict."""

    status: Mapping[str, int]
    verdict: Mapping[str, int]

    @classmethod
    def of(cls, status: Iterable[int] | np.ndarray, verdict: Iterable[int] | np.ndarray) -> Tally:
        """Count codes as they are in data files."""
        return cls(_counted(status, STATUSES), _counted(verdict, WORDS))

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            _ordered(Counter(self.status) + Counter(other.status), STATUSES),
            _ordered(Counter(self.verdict) + Counter(other.verdict), WORDS),
        )

    @property
    def runs(self) -> int:
        """Number of runs."""
        return sum(self.status.values())

    @property
    def failed(self) -> int:
        """Number of runs that failed."""
        return self.runs - self.status.get(STATUSES[0], 0)


def _counted(codes: Iterable[int] | np.ndarray, words: Sequence[str]) -> dict[str, int]:
    return _ordered({words[code]: n for code, n in Counter(np.asarray(codes, dtype=np.int64).tolist()).items()}, words)


def _ordered(counts: Mapping[str, int], words: Sequence[str]) -> dict[str, int]:
    return {word: counts[word] for word in words if word in counts}

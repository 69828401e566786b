"""Results in memory: the states of the runs, from which the labelled arrays are computed when they are asked for.

The labelled arrays of a trajectory take several times as much memory as its states, and filling fresh memory takes as
long as the integration. So a caller pays only for the quantities that it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.kernel.inputs import Inputs
from simulator.model.structure import Structure
from simulator.trajectory.arrangement import QUANTITIES, arrange, quantity_shapes

__all__ = ["PieceResults", "Results"]

#: Saved states that are arranged at once: few enough that they and the result stay in the processor's cache.
TOGETHER = 1 << 14


@dataclass(frozen=True)
class PieceResults:
    """Results of consecutive runs.

    Parameters
    ----------
    structure : Structure
        The structure of their model.
    inputs : Inputs
        What the kernel was given.
    times : ndarray, shape (times,) or (runs, 1)
        Times [s] of the states that are kept, shared by all runs or of each run's last state.
    states : ndarray, shape (runs, times, states)
        Those states.
    reached : ndarray of int, shape (runs,)
        Number of states that count; the quantities are NaN after them.
    ends : mapping of str to ndarray, shape (runs, ...)
        How each run ended: status, verdict, time, culprit and drifts.
    """

    structure: Structure
    inputs: Inputs
    times: np.ndarray
    states: np.ndarray
    reached: np.ndarray
    ends: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.states)

    def write(self, name: str, place: np.ndarray) -> None:
        """Write a quantity of all runs into an array of shape (runs, times, ...)."""
        runs, count = self.states.shape[:2]
        rows = max(1, TOGETHER // count)
        for start in range(0, runs, rows):
            some = slice(start, start + rows)
            times = self.times if self.times.ndim == 1 else self.times[some]
            parameters = self.inputs.part(some).in_force(times)
            arrange(self.structure, self.states[some], parameters, {name: place[some]})
        cut = np.flatnonzero(self.reached < count)
        if len(cut):
            values = place[cut]
            values[np.arange(count) >= self.reached[cut, None]] = np.nan
            place[cut] = values


class Results(Mapping[str, np.ndarray]):
    """Variables of consecutive pieces by name; a quantity is computed when it is first asked for.

    Parameters
    ----------
    pieces : sequence of PieceResults
        At least one.
    place : mapping of str to ndarray, optional
        Arrays that are no longer needed; those with the right shape receive the new values.
    """

    def __init__(self, pieces: Sequence[PieceResults], place: Mapping[str, np.ndarray] | None = None) -> None:
        self.pieces, self.place = tuple(pieces), place or {}
        self.known: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.known:
            if name not in tuple(self):
                raise KeyError(name)
            self.known[name] = self._quantity(name) if name in QUANTITIES else self._end(name)
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*QUANTITIES, *self.pieces[0].ends))

    def __len__(self) -> int:
        return len(QUANTITIES) + len(self.pieces[0].ends)

    def _quantity(self, name: str) -> np.ndarray:
        first, runs = self.pieces[0], sum(map(len, self.pieces))
        shape = (runs, first.states.shape[1], *quantity_shapes(first.structure)[name])
        old = self.place.get(name)
        found = old if old is not None and old.shape == shape else np.empty(shape)
        start = 0
        for piece in self.pieces:
            piece.write(name, found[start : start + len(piece)])
            start += len(piece)
        return found

    def _end(self, name: str) -> np.ndarray:
        found = [piece.ends[name] for piece in self.pieces]
        return found[0] if len(found) == 1 else np.concatenate(found)

"""The membranes of a structure as capacitors: which charges belong to which potentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.model.structure import Structure


def capacitance_matrix(structure: Structure, size: Mapping[str, Any]) -> list[list[Any]]:
    """Matrix from the potentials of the free compartments to their charges.

    Parameters
    ----------
    structure : Structure
        The compartments and membranes.
    size : mapping
        Total capacitance [F] of each membrane, as numbers, arrays or symbols.
    """
    free = [c.name for c in structure.compartments if c.potential == "free"]
    matrix: list[list[Any]] = [[0] * len(free) for _ in free]
    for m in structure.membranes:
        ends = [free.index(side) if side in free else None for side in (m.inside, m.outside)]
        for i, j in (ends, ends[::-1]):
            if i is not None:
                matrix[i][i] = matrix[i][i] + size[m.name]
                if j is not None:
                    matrix[i][j] = matrix[i][j] - size[m.name]
    return matrix


def group_capacitances(structure: Structure, matrix: list[list[Any]]) -> list[Any]:
    """Capacitance [F] between each group of compartments whose charge is a state and all that is outside it.

    Parameters
    ----------
    structure : Structure
        The compartments and membranes.
    matrix : list of list
        As :func:`capacitance_matrix` gives it.
    """
    places = {name: i for i, name in enumerate(structure.behind)}
    return [sum(matrix[places[a]][places[b]] for a in group for b in group) for group in structure.behind.values()]

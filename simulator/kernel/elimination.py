"""Statements for sparse LU without pivoting, with the order and the fill-in determined in advance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


def short_order(names: Sequence[str], entries: Iterable[tuple[str, str]], first: Callable[[str], bool]) -> list[str]:
    """Order of elimination with little fill-in: at each step a row with the fewest neighbours left.

    Parameters
    ----------
    names : sequence of str
        Names of rows and columns.
    entries : iterable of (str, str)
        Row and column of the nonzero entries.
    first : callable
        Whether a row may come before those for which it is false.
    """
    neighbours: dict[str, set[str]] = {name: set() for name in names}
    for row, column in entries:
        neighbours[row].add(column)
        neighbours[column].add(row)
    found: list[str] = []
    while neighbours:
        chosen = min(neighbours, key=lambda name: (not first(name), len(neighbours[name] - {name})))
        around = neighbours.pop(chosen) - {chosen}
        for name in around:
            neighbours[name] = (neighbours[name] | around) - {chosen}
        found.append(chosen)
    return found


class Elimination:
    """Statements that solve ``W k = b`` for ``W = M/(h gamma) - J`` of one sparsity pattern.

    Parameters
    ----------
    differential : sequence of bool
        Whether each row has a time derivative, and so ``1/(h gamma)`` on the diagonal.
    entries : iterable of (int, int)
        Indices of the nonzero entries of the Jacobian.
    """

    def __init__(self, differential: Sequence[bool], entries: Iterable[tuple[int, int]]) -> None:
        self.differential = differential
        self.entries = frozenset(entries)
        self.size = len(differential)
        self.filled = set(self.entries) | {(i, i) for i in range(self.size)}
        #: Statements for the entries ``lu_<row>_<column>``, from ``per_step`` and those of the Jacobian, ``j_``.
        self.matrix = [f"lu_{i}_{j} = {self._entry(i, j)}" for i, j in sorted(self.filled)]
        #: Statements of the factorisation, in place.
        self.factor = self._eliminated()
        #: Names of its results: off-diagonal entries, and the inverse diagonal.
        self.factors = [f"lu_{i}_{j}" for i, j in sorted(self.filled) if i != j] + [f"r_{k}" for k in range(self.size)]

    @property
    def solve(self) -> list[str]:
        """Statements that turn the right-hand side ``b_<row>`` into the solution."""
        n, lines = self.size, []
        for i in range(n):
            lines += [f"b_{i} = fma(-lu_{i}_{j}, b_{j}, b_{i})" for j in range(i) if (i, j) in self.filled]
        for i in reversed(range(n)):
            lines += [f"b_{i} = fma(-lu_{i}_{j}, b_{j}, b_{i})" for j in range(i + 1, n) if (i, j) in self.filled]
            lines.append(f"b_{i} = b_{i} * r_{i}")
        return lines

    def _eliminated(self) -> list[str]:
        """Statements that eliminate in place; adds the fill-in to :attr:`filled`."""
        n, filled, lines = self.size, self.filled, []
        for k in range(n):
            lines.append(f"r_{k} = 1.0 / lu_{k}_{k}")
            for i in (i for i in range(k + 1, n) if (i, k) in filled):
                lines.append(f"lu_{i}_{k} = lu_{i}_{k} * r_{k}")
                for j in (j for j in range(k + 1, n) if (k, j) in filled):
                    if (i, j) in filled:
                        lines.append(f"lu_{i}_{j} = fma(-lu_{i}_{k}, lu_{k}_{j}, lu_{i}_{j})")
                    else:
                        lines.append(f"lu_{i}_{j} = -lu_{i}_{k} * lu_{k}_{j}")
                        filled.add((i, j))
        return lines

    def _entry(self, i: int, j: int) -> str:
        """Text of one entry of W."""
        diagonal = "per_step" if i == j and self.differential[i] else ""
        if (i, j) not in self.entries:
            return diagonal or "0.0"
        return f"{diagonal} - j_{i}_{j}" if diagonal else f"-j_{i}_{j}"

"""Generate straight-line code for sparse LU without pivoting, with the fill-in determined in advance."""

from __future__ import annotations

from collections.abc import Sequence


class Elimination:
    """Factorisation and solution of the stage equations for one sparsity pattern.

    Parameters
    ----------
    differential : sequence of bool
        Whether each row has a time derivative, and so ``1/(h gamma)`` on the diagonal.
    entries : sequence of (int, int)
        Indices of the nonzero entries of the Jacobian.
    """

    def __init__(self, differential: Sequence[bool], entries: Sequence[tuple[int, int]]) -> None:
        self.differential = differential
        self.entries = entries
        self.size = len(differential)
        self.filled, self._statements = self._eliminated()
        off_diagonal = [f"w_{i}_{j}" for i, j in sorted(self.filled) if i != j]
        #: Names of the results of the factorisation.
        self.factors = [*off_diagonal, *(f"r_{k}" for k in range(self.size))]

    def factor(self) -> tuple[list[str], list[str], list[str]]:
        """Arguments, statements and results of the factorisation."""
        return ["per_step", *(f"j_{i}_{j}" for i, j in self.entries)], self._statements, self.factors

    def solve(self) -> tuple[list[str], list[str], list[str]]:
        """Arguments, statements and results of the solution for one right-hand side."""
        n, b = self.size, [f"b_{i}" for i in range(self.size)]
        lines: list[str] = []
        for i in range(n):
            lines += [f"    b_{i} = fma(-w_{i}_{j}, b_{j}, b_{i})" for j in range(i) if (i, j) in self.filled]
        for i in reversed(range(n)):
            lines += [f"    b_{i} = fma(-w_{i}_{j}, b_{j}, b_{i})" for j in range(i + 1, n) if (i, j) in self.filled]
            lines.append(f"    b_{i} = b_{i} * r_{i}")
        return [*b, *self.factors], lines, b

    def _eliminated(self) -> tuple[set[tuple[int, int]], list[str]]:
        """Nonzero entries after the elimination, and the statements that eliminate in place."""
        n = self.size
        filled = set(self.entries) | {(i, i) for i in range(n)}
        lines = [f"    w_{i}_{j} = {self._entry(i, j)}" for i, j in sorted(filled)]
        for k in range(n):
            lines.append(f"    r_{k} = 1.0 / w_{k}_{k}")
            for i in (i for i in range(k + 1, n) if (i, k) in filled):
                lines.append(f"    w_{i}_{k} = w_{i}_{k} * r_{k}")
                for j in (j for j in range(k + 1, n) if (k, j) in filled):
                    if (i, j) in filled:
                        lines.append(f"    w_{i}_{j} = fma(-w_{i}_{k}, w_{k}_{j}, w_{i}_{j})")
                    else:
                        lines.append(f"    w_{i}_{j} = -w_{i}_{k} * w_{k}_{j}")
                        filled.add((i, j))
        return filled, lines

    def _entry(self, i: int, j: int) -> str:
        """Text of one entry of W = M/(h gamma) - J."""
        diagonal = "per_step" if i == j and self.differential[i] else ""
        if (i, j) not in self.entries:
            return diagonal or "0.0"
        return f"{diagonal} - j_{i}_{j}" if diagonal else f"-j_{i}_{j}"

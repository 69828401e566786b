"""Linear invariants: which states follow from others, found in the integer coefficients of the flows."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy.polys.matrices import DomainMatrix


def dependents(flows: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, sp.Expr]]:
    """States whose row of coefficients is a linear combination of the rows of earlier ones, with that combination.

    Parameters
    ----------
    flows : mapping
        Coefficient of each flow in each state; the states that may follow from others come last.
    """
    names = list(flows)
    columns = list(dict.fromkeys(column for row in flows.values() for column in row))
    if not columns:
        return {}
    rows = [[sp.QQ(flows[name].get(c, 0)) for name in names] for c in columns]
    # Columns that are not pivots are combinations of earlier pivots.
    reduced, pivots = DomainMatrix(rows, (len(columns), len(names)), sp.QQ).to_sparse().rref()
    found: dict[str, dict[str, sp.Expr]] = {name: {} for i, name in enumerate(names) if i not in pivots}
    for (i, j), number in reduced.to_dok().items():
        if names[j] in found:
            found[names[j]][names[pivots[i]]] = sp.QQ.to_sympy(number)
    return found

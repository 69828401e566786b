"""Check the columns of a design: units, numbers, bounds; a million numbers at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.physics.notation import format_quantity
from simulator.physics.units import QuantityError
from simulator.scenario.columns import UNREADABLE_UNIT, Column, Given, in_si
from simulator.scenario.quantity import Quantity

__all__ = ["settled_column"]

#: Most wrong numbers of a column that are told.
MOST_TOLD = 3

#: A problem, and where in the column it is: the number of the run, or nowhere for all of it.
Problem = tuple[tuple[int, ...], QuantityError]


def settled_column(
    column: Column | Given | tuple[Any, ...], quantity: Quantity, read: Callable[[Quantity, Any], Any]
) -> tuple[Column, list[Problem]]:
    """Return a column with its values in SI, and what is wrong with it.

    Parameters
    ----------
    column : Column, Given or tuple
        The column as given: settled before, numbers with one unit, or one value for each run.
    quantity : Quantity
        That of its key.
    read : callable
        Reads one value as the quantity given first.
    """
    if isinstance(column, Column) and not column.here:
        return column, []
    wrong: list[Problem] = []
    if isinstance(column, Column):
        numbers = column.numbers
    elif isinstance(column, Given):
        if column.unit == UNREADABLE_UNIT:
            return Column.of(np.zeros(1)), []
        free = replace(quantity, minimum=-np.inf, maximum=np.inf, positive=False)
        try:
            numbers = in_si(column, lambda value: read(free, value))
        except QuantityError as error:
            return Column.of(np.zeros(1)), [((), error)]
    else:
        numbers, wrong = _one_by_one(column, quantity, read)
    if not len(numbers):
        return Column.of(numbers), [((), QuantityError("there are no values", "one for each run"))]
    outside = ~(np.isfinite(numbers) & quantity.allows(numbers))
    if quantity.whole:
        outside |= numbers != np.floor(numbers)
    told = {place for place, _ in wrong}
    wrong += [((i,), _told(float(numbers[i]), quantity)) for i in np.flatnonzero(outside).tolist() if (i,) not in told][
        :MOST_TOLD
    ]
    return column if isinstance(column, Column) else Column.of(numbers), wrong


def _one_by_one(
    values: tuple[Any, ...], quantity: Quantity, read: Callable[[Quantity, Any], Any]
) -> tuple[np.ndarray, list[Problem]]:
    found, wrong = np.full(len(values), np.nan), list[Problem]()
    for i, value in enumerate(values):
        try:
            found[i] = read(quantity, value)
        except QuantityError as error:
            wrong.append(((i,), error))
    return found, wrong


def _told(number: float, quantity: Quantity) -> QuantityError:
    """Why a number is refused."""
    if not np.isfinite(number):
        return QuantityError(f"`{number}` is not a finite number", quantity.expected)
    problem = "is out of range" if quantity.allows(number) is False else "is not whole"
    return QuantityError(f"`{format_quantity(number, quantity.unit)}` {problem}", quantity.expected)

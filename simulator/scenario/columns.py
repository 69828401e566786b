"""Columns of a design: the values of one key in each run, as an array.

A scenario is compared, hashed and stored by a column's SHA-256, because a design may have 10^7 numbers and every part
of a sweep stores the scenario.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic_core import core_schema

from simulator.errors import IonfluxError, UsageError, kind_of
from simulator.scenario.complaints import complaint_error
from simulator.scenario.quantity import UNREADABLE, SiNumber

__all__ = ["Column", "Given", "in_si"]

#: Numbers of a column as they are hashed and stored.
STORED = np.dtype("<f8")

#: Relative difference within which a unit is taken to be a factor.
ROUNDING = 1.0e-14


@dataclass(frozen=True, eq=False)
class Given:
    """Numbers of a column that have not been checked; their unit, None for SI."""

    numbers: np.ndarray
    unit: str | None


class Column:
    """The values [SI] of one key in each run of a design.

    Parameters
    ----------
    n : int
        Number of runs.
    sha256 : str
        Digest of the numbers; two columns with the same digest are equal.
    numbers : ndarray, optional
        The numbers; None if they are kept elsewhere.
    damaged : IonfluxError, optional
        Raised if the numbers do not have the digest, which is seen when they are first used; None if they have it.
    """

    def __init__(
        self, n: int, sha256: str, numbers: np.ndarray | None = None, damaged: IonfluxError | None = None
    ) -> None:
        self.n, self.sha256 = n, sha256
        self._numbers, self._damaged = numbers, damaged

    @classmethod
    def of(cls, numbers: np.ndarray) -> Column:
        """A column with these numbers [SI]."""
        own = np.array(numbers, STORED)
        own.setflags(write=False)
        return cls(len(own), _digest(own), own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Column) and (self.n, self.sha256) == (other.n, other.sha256)

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __len__(self) -> int:
        return self.n

    def __str__(self) -> str:
        return f"{self.n} values, SHA-256 {self.sha256}"

    __repr__ = __str__

    @property
    def here(self) -> bool:
        """Whether the numbers are in this scenario, not only their digest."""
        return self._numbers is not None

    @property
    def numbers(self) -> np.ndarray:
        """The numbers [SI], shape (n,).

        Raises
        ------
        UsageError
            If they are kept elsewhere.
        IonfluxError
            If they do not have the digest.
        """
        if self._numbers is None:
            hint = "read the scenario from its YAML file, or from the directory of the sweep"
            raise UsageError("the design of this sweep is known by its digest alone", hint)
        self.check()
        return self._numbers

    def check(self) -> None:
        """Raise the given IonfluxError if the numbers are here and do not have the digest."""
        if self._numbers is None or self._damaged is None:
            return
        if (len(self._numbers), _digest(self._numbers)) != (self.n, self.sha256):
            raise self._damaged
        self._damaged = None

    def known_by_digest(self) -> Column:
        """The same column without its numbers."""
        return Column(self.n, self.sha256)

    def plain(self) -> dict[str, Any]:
        """The column as plain data: length, digest, and all bits of the numbers if they are here."""
        told = {"n": self.n, "sha256": self.sha256}
        return told | ({"base64": base64.b64encode(self.numbers.data).decode()} if self.here else {})

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Column:
        """Turn the result of :meth:`plain` back; ValueError if it is not one."""
        n, digest, text = data.get("n"), data.get("sha256"), data.get("base64")
        if not isinstance(n, int) or not isinstance(digest, str) or set(data) - {"n", "sha256", "base64"}:
            raise ValueError("not a column")
        if text is None:
            return cls(n, digest)
        found = cls.of(np.frombuffer(base64.b64decode(text, validate=True), STORED))
        if (found.n, found.sha256) != (n, digest):
            raise ValueError("its numbers do not have its digest")
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(_column)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: object, _handler: object) -> dict[str, Any]:
        return {"type": "array", "items": {"type": ["string", "number"]}}


def _digest(numbers: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers, STORED).data).hexdigest()


def _column(value: object, info: core_schema.ValidationInfo) -> Any:
    """A column, or what will be one once its quantity is known: numbers, or a list of single values."""
    text = bool(info.context and info.context.get("text"))
    expected = "one value for each run"
    match value:
        case Column() | Given():
            return value
        case np.ndarray() if value.ndim == 1 and value.dtype.kind in "fiu":
            return Given(value.astype(STORED), None)
        case np.ndarray():
            raise complaint_error(f"this is an array of shape {value.shape} and type {value.dtype}", expected)
        case list() | tuple():
            plain = all(isinstance(v, SiNumber) or (not text and type(v) in (int, float)) for v in value)
            return Given(np.array(value, STORED), None) if plain and UNREADABLE not in value else tuple(value)
        case Mapping():
            try:
                return Column.from_plain(value)
            except (ValueError, binascii.Error) as error:
                raise complaint_error(f"this is no column of a design ({error})", expected) from None
    if value is UNREADABLE:
        return Given(np.empty(0), UNREADABLE_UNIT)
    raise complaint_error(f"this is {kind_of(value)}", expected)


#: Unit of a column that has been reported already.
UNREADABLE_UNIT = "?"


def in_si(given: Given, read: Callable[[str | float], Any]) -> np.ndarray:
    """Numbers of a column in SI.

    How the unit counts is tried with a few numbers, so that any unit that `read` knows may be given: most are factors,
    a resistance is read as a conductance, some have another zero. Whatever else there is (pH) is read one by one.

    Parameters
    ----------
    given : Given
        The numbers and their unit.
    read : callable
        Reads one number with its unit, as in the scenario, within any bounds.

    Raises
    ------
    QuantityError
        If the unit does not fit.
    """
    numbers, unit = given.numbers, given.unit
    if unit is None:
        return numbers

    def tried(number: float) -> float:
        return float(read(f"{number!r} {unit}" if unit else number))

    def close(a: float, b: float) -> bool:
        return abs(a - b) <= ROUNDING * abs(b)

    one, two = tried(1), tried(2)
    with np.errstate(all="ignore"):
        if close(two, 2.0 * one):
            # Dividing by 1000 rounds once, multiplying by 0.001 twice.
            whole = round(1.0 / one) if one < 1.0 else 0
            return numbers / whole if whole and 1.0 / whole == one else numbers * one
        if close(two, 0.5 * one):
            return one / numbers
        zero = tried(0)
        if close(two, zero + 2.0 * (one - zero)):
            return numbers * (one - zero) + zero
    distinct, place = np.unique(numbers, return_inverse=True)
    return np.array([tried(number) if np.isfinite(number) else number for number in distinct.tolist()])[place]

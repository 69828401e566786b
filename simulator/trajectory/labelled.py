"""Arrays with dimension names, labels and a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, repr=False)
class Field:
    """One quantity over labelled dimensions.

    Parameters
    ----------
    values : ndarray
        The numbers, SI.
    dims : tuple of str
        Name of each axis: ``time``, ``membrane``, ``compartment``, ``species``, ``mechanism``.
    labels : mapping of str to tuple of str
        Labels along each axis but ``time``.
    unit : str
        SI unit, e.g. ``"V"``.
    meaning : str
        Short description for axes and data files.
    """

    values: np.ndarray
    dims: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    unit: str
    meaning: str

    def __repr__(self) -> str:
        sizes = ", ".join(f"{dim}: {size}" for dim, size in zip(self.dims, self.values.shape, strict=True))
        return f"Field({self.meaning} [{self.unit}], {sizes})"

    def sel(self, **where: str) -> np.ndarray:
        """Values at the given labels, e.g. ``sel(compartment="cell", species="k")``.

        Raises
        ------
        KeyError
            For a dimension or label that is not there; the message lists those that are.
        """
        index: list[slice | int] = [slice(None)] * len(self.dims)
        for dim, label in where.items():
            if dim not in self.dims or dim not in self.labels:
                raise KeyError(f"{self.meaning} has no dimension {dim!r}; it has {', '.join(self.dims)}")
            if label not in self.labels[dim]:
                raise KeyError(f"no {dim} {label!r}; there are {', '.join(self.labels[dim])}")
            index[self.dims.index(dim)] = self.labels[dim].index(label)
        return np.asarray(self.values[tuple(index)])


def dataset(fields: Mapping[str, Field], coordinates: Mapping[str, Any], about: Mapping[str, str]) -> Any:
    """Fields as an ``xarray.Dataset`` with its coordinates and attributes (xarray must be installed)."""
    import xarray

    variables = {name: (f.dims, f.values, {"units": f.unit, "long_name": f.meaning}) for name, f in fields.items()}
    return xarray.Dataset(variables, coordinates, about)

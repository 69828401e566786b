"""A sweep over a grid with its axes as dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.scenario.sweep import Sweep

__all__ = ["unfolded"]


def unfolded(table: Any, sweep: Sweep | None) -> Any:
    """A dataset over runs with the axes of its sweep as dimensions.

    Parameters
    ----------
    table : xarray.Dataset
        All runs of a grid, or of a product, in order.
    sweep : Sweep or None
        The sweep.

    Returns
    -------
    xarray.Dataset
        With one dimension for each axis, named after the key that leads it; a part of a product that draws or lists
        its runs is one axis, of the name that ``counts()`` gives it. A value that varies along an axis is a coordinate
        on it, and ``run`` one on all axes.

    Raises
    ------
    UsageError
        If the runs are not those of a grid.
    """
    import xarray

    if sweep is None or sweep.mode not in ("grid", "product"):
        kind = "these runs" if sweep is None else f"the runs of a {sweep.mode} sweep"
        raise UsageError(f"{kind} are no grid", "leave out `unfold`: there is one row for each run")
    axes = sweep.axes()
    names, counts = tuple(axes), tuple(number for number, _ in axes.values())
    if table.sizes["run"] != int(np.prod(counts)):
        raise UsageError("these are not all runs of the sweep", "unfold the whole of it")

    def along_axes(variable: Any) -> Any:
        if variable.dims[:1] != ("run",):
            return variable
        values = variable.data.reshape((*counts, *variable.shape[1:]))
        return xarray.Variable((*names, *variable.dims[1:]), values, variable.attrs)

    data = {name: along_axes(variable.variable) for name, variable in table.data_vars.items()}
    coordinates = {name: along_axes(variable.variable) for name, variable in table.coords.items()}
    for place, (name, (_, keys)) in enumerate(axes.items()):
        for key in keys:
            coordinates[key] = _on_axis(key, coordinates[key], place, name)
    coordinates["run"] = xarray.Variable(names, table["run"].values.reshape(counts))
    return xarray.Dataset(data, coordinates, table.attrs)


def _on_axis(key: str, variable: Any, place: int, name: str) -> Any:
    """A value that varies along one axis only, as a variable on it."""
    import xarray

    values = np.asarray(variable.data)
    first = tuple(slice(None) if i == place else 0 for i in range(values.ndim))
    shape = tuple(-1 if i == place else 1 for i in range(values.ndim))
    if np.any(values != values[first].reshape(shape)):
        raise UsageError(f"the values of `{key}` are not those of the sweep's grid", "unfold the sweep's own runs")
    return xarray.Variable((name,), values[first], variable.attrs)

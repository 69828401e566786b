"""Branches of rest points in a file that xarray opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from simulator.storage.atomic import refuse_existing, write_atomically
from simulator.storage.contents import Contents, Variable
from simulator.storage.hdf5 import packed
from simulator.storage.identity import resolved_text
from simulator.storage.layout import SCENARIO
from simulator.trajectory.provenance import provenance
from simulator.verdict.continuation import Continuation
from simulator.verdict.tracing import SPECIAL_KINDS

__all__ = ["write_branches"]


def write_branches(found: Continuation, path: str | Path, overwrite: bool = False) -> Path:
    """Save branches as HDF5 that is also NetCDF-4: places of all branches one after the other, and special points.

    Parameters
    ----------
    found : Continuation
        As :func:`simulator.continuation` returns it.
    path : str or Path
        The file, usually ``.h5``.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StorageError
        If it cannot be stored; no part of it is left behind.
    """
    path = Path(path)
    refuse_existing(path, overwrite)
    structure = found.model.structure
    membranes = tuple(m.name for m in structure.membranes)
    compartments = tuple(c.name for c in structure.compartments)
    species = tuple(dict.fromkeys(s for c in structure.compartments for s in c.species))
    variables = {
        "membrane": Variable(membranes, ("membrane",), {"long_name": "membranes"}),
        "compartment": Variable(compartments, ("compartment",), {"long_name": "compartments"}),
        "species": Variable(species, ("species",), {"long_name": "species"}),
    }

    def add(name: str, dims: tuple[str, ...], values: Any, unit: str, meaning: str, **more: Any) -> None:
        variables[name] = Variable(np.asarray(values), dims, {"units": unit, "long_name": meaning} | more)

    points = found.points()
    on = [(i, place) for i, branch in enumerate(found.branches) for place in branch.places]
    for dim, prefix, rows in (("place", "", on), ("special", "special_", [(i, s.place) for i, s in points])):
        places = [place for _, place in rows]
        add(dim, (dim,), np.arange(len(rows)), "1", f"number of the {dim}")
        add(f"{prefix}branch", (dim,), np.array([i for i, _ in rows], np.int32), "1", "branch")
        add(f"{prefix}value", (dim,), [place.value for place in places], found.unit, found.key)
        unstable = np.array([place.unstable for place in places], np.int32)
        add(f"{prefix}unstable", (dim,), unstable, "1", "eigenvalues with a positive real part")
        potentials = [[found.potentials(place)[m] for m in membranes] for place in places]
        add(f"{prefix}potential", (dim, "membrane"), potentials, "V", "potential, inside minus outside")
        known = [found.concentrations(place) for place in places]
        table = [[[row[c].get(s, np.nan) for s in species] for c in compartments] for row in known]
        add(f"{prefix}concentration", (dim, "compartment", "species"), table, "mol m-3", "concentration")
        volumes = [[found.volumes(place).get(c, np.nan) for c in compartments] for place in places]
        add(f"{prefix}volume", (dim, "compartment"), volumes, "m3", "volume")
    kinds = np.array([SPECIAL_KINDS.index(special.kind) for _, special in points], np.int8)
    flags = {"flag_values": np.arange(len(SPECIAL_KINDS), dtype=np.int8), "flag_meanings": " ".join(SPECIAL_KINDS)}
    add("special_kind", ("special",), kinds, "1", "kind of special point", **flags)
    heading = {"format": "ionflux branches", "parameter": found.key}
    texts = {SCENARIO: resolved_text(found.model.scenario)}
    contents = Contents(found.model.scenario.name, variables, texts, provenance(structure), heading)
    write_atomically(path, packed(contents), overwrite)
    return path

"""Tables as Parquet files; the only module that imports pyarrow, which is optional."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.errors import UsageError
from simulator.scenario.scenario import Scenario
from simulator.storage.atomic import opened_atomically
from simulator.storage.identity import resolved_text
from simulator.storage.table import TableColumn

__all__ = ["write_parquet"]

#: Least rows of a group but the last: readers skip and share out groups.
GROUP_ROWS = 1 << 17


def write_parquet(
    blocks: Iterator[list[TableColumn]], scenario: Scenario, target: Path, overwrite: bool = False
) -> None:
    """Write a table, block by block.

    Parameters
    ----------
    blocks : iterator of list of TableColumn
        Rows, all with the same columns.
    scenario : Scenario
        What was run; the file's metadata has it.
    target : Path
        File to write.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    UsageError
        If pyarrow is not installed.
    StorageError
        If the file cannot be written.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        hint = "install it with `pip install 'ionflux[parquet]'`, or export to csv"
        raise UsageError("Parquet needs pyarrow, which is not installed", hint) from None

    with opened_atomically(target, overwrite) as file:
        buffer = io.BufferedWriter(file)
        writer: Any = None
        waiting: list[Any] = []
        for columns in blocks:
            if writer is None:
                about = {"name": scenario.name, "scenario": resolved_text(scenario)}
                schema = pyarrow.schema([_field(pyarrow, column) for column in columns], about)
                writer = pyarrow.parquet.ParquetWriter(buffer, schema)
            arrays = [pyarrow.array(c.values, f.type, from_pandas=True) for c, f in zip(columns, schema, strict=True)]
            waiting.append(pyarrow.record_batch(arrays, schema=schema))
            if sum(map(len, waiting)) >= GROUP_ROWS:
                writer.write_table(pyarrow.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pyarrow.Table.from_batches(waiting))
        writer.close()
        buffer.detach()  # the file is closed by who opened it


def _field(pyarrow: Any, column: TableColumn) -> Any:
    kinds = {"f": pyarrow.float64(), "i": pyarrow.int64(), "U": pyarrow.string()}
    about = {"unit": column.unit, "meaning": column.meaning}
    return pyarrow.field(column.head, kinds[column.values.dtype.kind], metadata=about)

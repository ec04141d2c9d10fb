"""Rows of answers to a file, block by block: the file appears whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from bench.errors import BenchError, did_you_mean
from bench.storage.atomic import replacing
from bench.storage.tables import csv_parts

Write = Callable[[pd.DataFrame], None]
KINDS = (".csv", ".parquet")


@contextmanager
def writing(path: Path) -> Iterator[Write]:
    """Yield what rows are given to; BenchError for a name that ends otherwise than in one of `KINDS`."""
    if path.suffix.lower() not in KINDS:
        near = did_you_mean(path.suffix, KINDS) or "."
        raise BenchError(f"Got --to {path.name}{near} Expected a name ending in {' or '.join(KINDS)}.")
    with _WRITERS[path.suffix.lower()](path) as write:
        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened: list[pq.ParquetWriter] = []

    with replacing(path) as temporary:

        def write(rows: pd.DataFrame) -> None:
            texts = [name for name in rows if rows[name].dtype == object]
            table = pa.Table.from_pandas(rows.astype(dict.fromkeys(texts, "string")), preserve_index=False)
            if not opened:
                opened.append(pq.ParquetWriter(temporary, table.schema))
            opened[0].write_table(table.cast(opened[0].schema))

        try:
            yield write
        finally:
            for writer in opened:
                writer.close()


def set_text(names: Iterable[str]) -> str:
    """Return the classes of a set with | between; a | or a backslash of a name has a backslash before it."""
    return "|".join(name.replace("\\", "\\\\").replace("|", r"\|") for name in names)


_WRITERS = {".csv": csv_parts, ".parquet": _parquet}

"""Vectors in Parquet: a column for each number, or lists in one column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .errors import EncoderError
from .vector_table import VECTOR, Batch, VectorTable, check_columns, check_dim, float32, place_of, rows_at_once, spelt

BUFFER = 1 << 16  # bytes of a column that are read at once
#: Bytes of a row group, unpacked, by what the file says of itself. Of hundreds of columns a page of each is in memory,
#: which may be all of a row group; of lists it is a few rows.
LARGEST_GROUP = 2_000_000_000


def read_parquet(path: Path) -> VectorTable:
    """Return the vectors of a Parquet file; a row group may not be larger than LARGEST_GROUP."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    with file:
        schema, groups = file.schema_arrow, file.metadata.num_row_groups
        largest = max((file.metadata.row_group(i).total_byte_size for i in range(groups)), default=0)
    if largest > LARGEST_GROUP:
        raise EncoderError(
            f"Got {path.name} with {largest:,} bytes in one row group; expected at most {LARGEST_GROUP:,}. Write it "
            "with smaller row groups (row_group_size)."
        )
    lists = [one.name for one in schema if one.name == VECTOR and _is_list(one.type)]
    numbers = {one.name for one in schema if pa.types.is_integer(one.type) or pa.types.is_floating(one.type)}
    textual = {one.name: f"type {one.type}" for one in schema if one.name not in (*numbers, *lists)}
    vector, places = check_columns(path.name, schema.names, textual)
    if lists and vector != [VECTOR]:
        other = next(column for column in vector if column != VECTOR)
        raise EncoderError(f"Got column {other!r} beside the lists {VECTOR!r} in {path.name}; expected either of them.")

    def rows(batch: Any) -> np.ndarray:
        if lists:
            return _lists(batch.column(VECTOR), path.name)
        columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in vector]
        return float32(np.stack(columns, 1)) if len(batch) else np.zeros((0, len(vector)), np.float32)

    def batches(size: int) -> Iterator[Batch]:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as opened:
            for batch in opened.iter_batches(size, columns=[*places, *vector]):
                yield {name: place_of(batch.column(name), name) for name in places}, rows(batch)

    if not lists:
        dim = check_dim(path.name, len(vector))
        return VectorTable(dim=dim, columns=spelt(vector), places=places, batches=lambda: batches(rows_at_once(dim)))
    first = next((X for _, X in batches(1)), None)
    if first is None:
        raise EncoderError(f"Got {path.name} without a row; expected one per image.")
    dim = check_dim(path.name, first.shape[1])

    def checked() -> Iterator[Batch]:
        for keys, X in batches(rows_at_once(dim)):
            if X.shape[1] != dim:
                raise EncoderError(f"Got {dim} and {X.shape[1]} numbers a row in {path.name}; expected one length.")
            yield keys, X

    return VectorTable(dim=dim, columns=f"lists of {dim:,} numbers", places=places, batches=checked)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return is_list and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _lists(column: Any, name: str) -> np.ndarray:
    """Return float32 (n, d) of a column of lists; EncoderError where they differ in length or one is missing."""
    import pyarrow.compute as pc

    lengths = sorted(set(pc.fill_null(pc.list_value_length(column), -1).to_pylist()))
    if len(lengths) != 1 or lengths[0] < 0:
        listed = " and ".join("none" if n < 0 else f"{n:,}" for n in lengths)
        raise EncoderError(f"Got vectors of {listed} numbers in {name}; expected one length for all rows.")
    values = pc.list_flatten(column).to_numpy(zero_copy_only=False)
    return float32(values.reshape(len(column), lengths[0]))

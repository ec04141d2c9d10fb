"""Vectors in CSV (UTF-8, commas), read some rows at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .vector_table import BOX, HELD, Batch, VectorTable, check_columns, check_dim, float32, place_of, spelt

LARGEST_LINE = 16_000_000  # bytes of the first lines


def read_csv(path: Path) -> VectorTable:
    """Return the vectors of a CSV file with a line of names; what each column holds is told by the first row."""
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    with path.open("rb") as file:
        lines = [file.readline(LARGEST_LINE).decode("utf-8-sig"), file.readline(LARGEST_LINE).decode()]
    header, *first = csv.reader(line for line in lines if line.strip())
    textual = {
        name: f"texts such as {text[:20]!r}"
        for name, text in zip(header, first[0] if first else [], strict=False) if text.strip() and not _is_number(text)
    }  # fmt: skip
    vector, places = check_columns(path.name, header, textual)
    dim = check_dim(path.name, len(vector))
    texts = {name: pa.string() for name in places if name not in BOX}
    numbers = {name: pa.float64() for name in (*vector, *(name for name in places if name in BOX))}
    convert = pa_csv.ConvertOptions(
        column_types={**texts, **numbers}, include_columns=[*places, *vector], null_values=["", "NA", "nan", "NaN"],
        strings_can_be_null=False,
    )  # fmt: skip
    read = pa_csv.ReadOptions(block_size=max(1 << 20, min(HELD // 4, 64 * dim * 24)))

    def batches() -> Iterator[Batch]:
        with pa_csv.open_csv(path, read_options=read, convert_options=convert) as opened:
            for batch in opened:
                X = np.stack([batch.column(name).to_numpy(zero_copy_only=False) for name in vector], 1)
                yield {name: place_of(batch.column(name), name) for name in places}, float32(X)

    return VectorTable(dim=dim, columns=spelt(vector), places=places, batches=batches)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

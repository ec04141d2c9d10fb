"""Embeddings out of the store, for notebooks and other tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError, did_you_mean
from bench.storage.atomic import check_writable, replacing

FORMATS = (".npz", ".parquet")
COLUMNS = ("path", "label", "group", "split", "instance", "x0", "y0", "x1", "y1")


def check_place(out: Path) -> None:
    """Raise BenchError for a name that ends in none of `FORMATS`, and a place that cannot be written to."""
    if out.suffix not in FORMATS:
        near = did_you_mean(out.suffix, FORMATS) or "."
        raise BenchError(f"Got --to {out.name}{near} Expected a name ending in .npz or .parquet.")
    check_writable(out)


def export_embeddings(instances: pd.DataFrame, store: EmbeddingStore, key: str, out: Path) -> int:
    """Write embedding, path, label, group, split and box of every instance; returns the number of rows.

    .npz: `embedding` float32 (N, D) and one array per column, no pickled objects (missing text is "",
    a missing box coordinate is -1). .parquet: the same with `embedding` as a list column.
    """
    out = Path(out)
    check_place(out)
    X = store.read(key, list(instances["instance"]))
    table = instances[list(COLUMNS)]
    with replacing(out) as path:
        if out.suffix == ".parquet":
            table.assign(embedding=list(X)).to_parquet(path, index=False)
        else:
            columns = {
                name: table[name].fillna(-1).to_numpy(np.int64)
                if name in ("x0", "y0", "x1", "y1")
                else table[name].fillna("").to_numpy(str)
                for name in COLUMNS
            }
            with path.open("wb") as file:
                np.savez_compressed(file, **{"embedding": X, **columns})  # type: ignore[arg-type]
    return len(X)

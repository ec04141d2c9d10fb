"""Open-set label noise: foreign items (debris, background, other cells) that were given a label of the set.

Classes named as foreign are no classes of the benchmark: their items are never tested and never learned from as what
they are. They are the pool from which a share of the labelled examples of every class is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.data.datasets import Dataset
from bench.errors import BenchError, did_you_mean
from bench.protocol.noise import lots
from bench.seeds import keyed_uniform


def hold_out(dataset: Dataset, foreign: Sequence[str]) -> Dataset:
    """Return the dataset without the foreign classes, under a name of its own.

    Raises BenchError for a class that is not there, and where fewer than two would be left.
    """
    if not foreign:
        return dataset
    for name in foreign:
        if name not in dataset.classes:
            hint = did_you_mean(name, dataset.classes) or "."
            raise BenchError(f"Got --foreign '{name}'{hint} Expected classes of: {', '.join(dataset.classes)}.")
    kept = tuple(name for name in dataset.classes if name not in foreign)
    if len(kept) < 2:
        raise BenchError(
            f"Got --foreign {','.join(foreign)}, which leaves {len(kept)} of the classes {', '.join(dataset.classes)}; "
            "expected at least two to tell apart."
        )
    table = dataset.table[dataset.table["label"].isin(kept)].reset_index(drop=True)
    count = len(dataset.table) - len(table)
    note = (
        f"{count} items of {', '.join(foreign)} are foreign: no class here, never tested, and in the examples only "
        "where open-set noise puts them"
    )
    name = f"{dataset.name}-without-{'-'.join(foreign)}"
    return replace(dataset, name=name, table=table, classes=kept, notes=(*dataset.notes, note))


def foreign_rows(table: pd.DataFrame, classes: Sequence[str], test: np.ndarray) -> np.ndarray:
    """Return the rows of no class (F,) that may be learned from where the rows `test` are tested.

    table: columns label and group. A row whose group is tested may not be.
    """
    group = table["group"].to_numpy(str)
    return np.flatnonzero(~table["label"].isin(list(classes)).to_numpy() & ~np.isin(group, group[test]))


def replace_rows(rows: np.ndarray, lot: np.ndarray, pool: np.ndarray, rate: float) -> np.ndarray:
    """Return a draw with foreign rows in the place of those whose lot is below `rate`.

    rows (n,): of the examples; lot (n,): one uniform number each; pool: foreign rows in the order of `deal_foreign`.
    The example with the lowest lot gets the first of the pool, and so on, so that what is replaced at one rate is
    replaced, by the same row, at every higher one, and no row comes twice. The pool has to be large enough, see
    `too_few_foreign`.
    """
    order = np.argsort(lot, kind="stable")
    gone = order[: int((lot < rate).sum())]
    out = rows.copy()
    out[gone] = pool[: len(gone)]
    return out


def too_few_foreign(
    supports: Iterable[tuple[int, str, np.ndarray]], foreign: Mapping[str, np.ndarray], items: np.ndarray, rate: float
) -> str:
    """Return why open-set noise at a rate has too few foreign rows, or "".

    supports: (seed, split, rows (n,)) of every draw of a level; foreign: split to its foreign rows; items (N,): what
    rows are called.
    """
    for seed, split, rows in supports:
        needed = int((lots(items[rows].tolist(), seed) < rate).sum())
        if needed > len(foreign[split]):
            return (
                f"open-set noise of {rate:g} replaces {needed} labels of a draw, and {len(foreign[split])} foreign "
                f"items may be learned from in split '{split}'"
            )
    return ""


def deal_foreign(rows: np.ndarray, items: Sequence[str], split: str, seed: int) -> np.ndarray:
    """Return foreign rows (F,) in the keyed order in which a draw takes them. items: what all of them are called."""
    return rows[np.argsort(keyed_uniform(("open-set", split, seed), items), kind="stable")]

"""Foreign classes (debris, background, other cells), whose items only noise puts among the examples.

Classes named as foreign are no classes of the benchmark: their items are never tested and never learned from as what
they are. They are the pool from which a share of the labelled examples of every class is replaced, see
`bench.protocol.open_set`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.data.datasets import Dataset
from bench.errors import BenchError, did_you_mean
from bench.protocol.noise_context import flip_draws
from bench.text import counted


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
        f"{counted(count, 'item')} of {', '.join(foreign)} {'is' if count == 1 else 'are'} foreign: not a class here, "
        "never tested, and among the examples "
        "only where open-set noise puts them"
    )
    name = f"{dataset.name}-without-{'-'.join(foreign)}"
    return replace(dataset, name=name, table=table, classes=kept, notes=(*dataset.notes, note))


def foreign_rows(table: pd.DataFrame, classes: Sequence[str], test: np.ndarray) -> np.ndarray:
    """Return the rows of no class (F,) that may be learned from where the rows `test` are tested.

    table: columns label and group. A row whose group is tested may not be.
    """
    group = table["group"].to_numpy(str)
    return np.flatnonzero(~table["label"].isin(list(classes)).to_numpy() & ~np.isin(group, group[test]))


def too_few_foreign(
    supports: Iterable[tuple[int, str, np.ndarray]], foreign: Mapping[str, np.ndarray], items: np.ndarray, rate: float
) -> str:
    """Return why noise that takes foreign rows has too few of them at a rate, or "".

    supports: (seed, split, rows (n,)) of every draw of a level; foreign: split to its foreign rows; items (N,): what
    rows are called.
    """
    for seed, split, rows in supports:
        needed = int((flip_draws(items[rows].tolist(), seed) < rate).sum())
        if needed > len(foreign[split]):
            return (
                f"open-set noise of {rate:g} replaces {needed} labels of a draw, and {len(foreign[split])} foreign "
                f"items may be learned from in split '{split}'"
            )
    return ""

"""Open-set label noise: foreign items (debris, background, other cells) that were given a label of the set.

A share of the labelled examples of every class is replaced by rows of no class, see `bench.protocol.foreign`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.seeds import keyed_uniform


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


def deal_foreign(rows: np.ndarray, items: Sequence[str], split: str, seed: int) -> np.ndarray:
    """Return foreign rows (F,) in the keyed order in which a draw takes them. items: what all of them are called."""
    return rows[np.argsort(keyed_uniform(("open-set", split, seed), items), kind="stable")]

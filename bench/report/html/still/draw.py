"""Which images are shown where there is no room for all: drawn by a hash, so the same every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.seeds import keyed_uniform


def in_turn(names: Sequence[str], parts: Sequence[str]) -> np.ndarray:
    """Return the positions of n names in the order in which they are drawn, int (n,): the parts take turns.

    names: of contents, in hexadecimal. parts: to which group or class each belongs.
    """
    chance = keyed_uniform(("page",), list(names))
    order = np.argsort(chance, kind="stable")
    turn = np.zeros(len(order), np.int64)
    turn[order] = pd.Series(list(parts), dtype=object).iloc[order].groupby(np.asarray(parts, object)[order]).cumcount()
    return np.lexsort((chance, turn))

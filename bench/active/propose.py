"""What to label next: a share at random, the rest by a strategy, none of them crowding on one slide.

What is drawn at random are the first rows of one random order of all of them, `order`, whichever were labelled
before and why: a row that was picked already takes its place in the order and costs nothing. So the rows up to the last
one that was drawn are a simple random sample of all rows, and estimates may rest on them (Horvitz and Thompson 1952:
all rows have the same chance). Labels that a strategy picked are no such sample."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from bench.active.openings import Openings
from bench.active.pool import Pool
from bench.active.strategies import STRATEGIES


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposal:
    """rows int (n,): what to label, in this order. by_lot bool (n,): which of them are drawn. counts int (m,): rows
    with a label that lie among the drawn ones in the order, and so belong to the random sample from now on."""

    rows: np.ndarray
    by_lot: np.ndarray
    counts: np.ndarray


def propose(
    pool: Pool, may: np.ndarray, group: np.ndarray, order: np.ndarray, *, count: int, strategy: str
) -> Proposal:
    """Return what to label next.

    may bool (N,): rows that can be labelled. group int (N,): the slide of each, from 0. order (N,): distinct random
    numbers, the same for every proposal. count: how many are wanted; fewer where nothing is left. strategy: a name of
    STRATEGIES.
    """
    openings, chooser = Openings(may, group, count), STRATEGIES[strategy]
    queue = np.flatnonzero(may)[np.argsort(order[may], kind="stable")]
    drawn = queue[: ceil(chooser.lot * count)]
    for row in drawn.tolist():
        openings.take(row)
    left = count - len(drawn)
    chosen = chooser.pick(pool, openings, left) if left else []
    known = pool.labelled
    counts = known[order[known] < order[drawn].max()] if len(drawn) else known[:0]
    rows, by_lot = in_turn(drawn, np.array(chosen, np.int64))
    return Proposal(rows=rows, by_lot=by_lot, counts=counts)


def in_turn(drawn: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as one list (n,), drawn ones at even distances from the first place on, and which are drawn (n,)."""
    n = len(drawn) + len(chosen)
    by_lot = np.zeros(n, bool)
    by_lot[(np.arange(len(drawn)) * n) // max(len(drawn), 1)] = True
    rows = np.empty(n, np.int64)
    rows[by_lot], rows[~by_lot] = drawn, chosen
    return rows, by_lot

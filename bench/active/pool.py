"""What a strategy knows of a pool of rows, and what a strategy is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bench.active.openings import Openings

LOT = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """N rows, of which some are labelled.

    Z float32 (N, d): their embeddings at length 1. labelled int (n,): positions of those with a label. P: what M models
    (encoders and heads) that learned from these say of all rows, (M, N, K), the first the best one; None without a
    model. seed: of what is drawn.
    """

    Z: np.ndarray
    labelled: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    P: np.ndarray | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to pick rows. pick: a pool, what may be picked, and how many are wanted, to rows in the order they were
    picked, fewer where nothing is left. models: how many models it needs at least. brief: what help says of it. why:
    what is said of a row that it picked. lot: the share of picks that is drawn at random beside it. papers: whom to
    cite for it, as authors and year."""

    pick: Callable[[Pool, Openings, int], list[int]]
    brief: str
    why: str
    models: int = 0
    lot: float = LOT
    papers: tuple[str, ...] = ()


def one_by_one(score: np.ndarray, openings: Openings, count: int) -> list[int]:
    """Return rows by a score (N,) that does not change while they are picked, the largest first."""
    picked: list[int] = []
    while len(picked) < count and (rows := openings.rows).any():
        best = int(np.argmax(np.where(rows, score, -np.inf)))
        openings.take(best)
        picked.append(best)
    return picked

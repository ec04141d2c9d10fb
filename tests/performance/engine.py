"""This engine's side of the benchmarks: a head on a draw, alone or beside others, and what the draws share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from rows import Case, Draw

from bench.heads import Head, all_heads
from bench.heads.contract import Params
from bench.heads.pool import Pool
from bench.heads.support import Support

OF_POOL = ("unit", "axes")
OF_TESTED = ("X", "weighed", "unit", "cosine")
OTHERS = ("knn", "centroid", "ridge", "lda")  # what a head may stand beside; they make all that draws share


def clock(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of this thread and the answer."""
    started = time.thread_time()
    answer = run()
    return time.thread_time() - started, answer


def predict(head: Head, support: Support, Y: np.ndarray, K: int, settings: Sequence[Params]) -> np.ndarray:
    """Return the predicted classes (m, L, n_test)."""
    return head.scores(support, Y, K, settings).P.argmax(-1)


def alone(pool: Pool, case: Case, drawn: Draw, head: Head, settings: Sequence[Params]) -> np.ndarray:
    """Predict with a support of its own; the pool's products are there."""
    return predict(head, pool.support(drawn.rows, case.test), drawn.Y, case.K, settings)


def beside_others(pool: Pool, case: Case, drawn: Draw, head: Head) -> Support:
    """Return the draw's support after other heads used it."""
    support = pool.support(drawn.rows, case.test)
    for name in OTHERS:
        other = all_heads()[name]
        if name != head.name:
            other.scores(support, drawn.Y[:1], case.K, other.grid[:1])  # what is shared does not depend on labels
    return support


def time_pool(case: Case) -> tuple[Pool, dict[str, float]]:
    """Return a pool with all that draws share, and the CPU seconds of each part."""
    pool = Pool(case.X)
    tested = pool.tested(case.test)
    took = {f"pool.{part}": clock(partial(getattr, pool, part))[0] for part in OF_POOL}
    took |= {f"tested.{part}": clock(partial(getattr, tested, part))[0] for part in OF_TESTED}
    return pool, took


def parts_used(case: Case, draws: Sequence[Draw], head: Head, settings: Sequence[Params]) -> set[str]:
    """Return which of these parts the head makes if it is alone on the draws."""
    pool = Pool(case.X)
    for drawn in draws:
        alone(pool, case, Draw(drawn.rows, drawn.Y[:1]), head, settings[:1])
    tested = vars(pool.tested(case.test))
    used = {f"pool.{part}" for part in OF_POOL if part in vars(pool)}
    return used | {f"tested.{part}" for part in OF_TESTED if part in tested}

"""Time this engine and the loops turn and turn about on the same draws of one case, and compare their answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from compare import Solved, accuracy, equal_share, losses
from engine import alone, beside_others, clock, parts_used, predict, time_pool
from loops import LOOPS, settings_of
from rows import Case, Draw, draw

from bench.heads import get_heads
from bench.heads.contract import Params
from bench.heads.pool import Pool

SEEDS = 20  # draws a shot level of the sweep that a pool's products are shared by
SAME_MODEL = tuple(name for name in LOOPS if name != "xgboost")  # which has settings of its own; accuracy is compared
HERE, ADDED = "here", "here, if added"
TOO_LONG = 10
AGAIN, SHORT = 3, 1.0  # times that what takes this engine less than so many seconds is run in a row


@dataclass
class Measured:
    """One head at one shot level: all label vectors x settings of a draw, by draw.

    seconds: of every way, CPU. pool: seconds of what all draws share, for one of them. alike (m, L): share of classes
    equal to those of the first loop, of this engine and of the second loop. solved: see `compare.losses`. accuracy:
    of every way on the first label vector, balanced, in percent, mean over settings.
    """

    case: Case
    head: str
    shots: int
    settings: list[Params]
    pool: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    alike: list[np.ndarray] = field(default_factory=list)
    alike_second: list[np.ndarray] = field(default_factory=list)
    solved: list[Solved] = field(default_factory=list)
    accuracy: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def median(self, way: str) -> float:
        """Return the median seconds of a draw; NaN of a loop that was not run."""
        return float(np.median(self.seconds[way] or np.nan))

    @property
    def with_pool(self) -> float:
        """Seconds of a draw where the head is alone, with its part of what the draws share."""
        return self.median(HERE) + self.pool


def measure_case(
    case: Case, heads: Sequence[str], shots: Sequence[int], rates: list[float], draws: int, patience: float
) -> tuple[list[Measured], Mapping[str, float]]:
    """Return what was measured, and the seconds of the pool's parts. A first round of the fewest shots warms up.

    patience: seconds from which on a loop is not repeated on other draws; after TOO_LONG times as many it is not run
    at more shots.
    """
    known = {(n, seed): drawn for n in shots for seed in range(draws) if (drawn := draw(case, n, seed, rates))}
    shots = [n for n in shots if (n, 0) in known]
    found = {(name, n): Measured(case, name, n, settings_of(name)) for name in heads for n in shots}
    if not found:
        return [], {}
    time_pool(case)
    pool, parts = time_pool(case)
    for name in heads:
        used = parts_used(case, [known[n, 0] for n in shots], get_heads([name])[0], settings_of(name))
        for n in shots:
            found[name, n].pool = sum(parts[part] for part in used) / (SEEDS * len(shots))
        one_draw(Measured(case, name, shots[0], settings_of(name)), pool, known[shots[0], 0], 0, patience)
    for seed in range(draws):
        slow: set[tuple[str, str]] = set()
        for n in sorted(shots):
            for name in heads:
                one = found[name, n]
                one_draw(one, pool, known[n, seed], seed, patience, [way for at, way in slow if at == name])
                slow |= {(name, way) for way in LOOPS[name] if max(one.seconds[way], default=0) > TOO_LONG * patience}
    return list(found.values()), parts


def one_draw(
    measured: Measured, pool: Pool, drawn: Draw, turn: int, patience: float, without: Sequence[str] = ()
) -> None:
    """Run every way, another one first at every turn, and add what is found.

    A loop runs once: it is many fits in a row. This engine's one call is repeated at once where it is short, as a sweep
    goes from draw to draw without a loop in between.
    """
    case, settings = measured.case, measured.settings
    [head] = get_heads([measured.head])
    loops = LOOPS[measured.head]
    types: tuple[type, ...] = (np.float32, np.float64)
    rows = {dtype: (case.X[drawn.rows].astype(dtype), case.X_test.astype(dtype)) for dtype in types}
    answers = {}

    def run(way: str) -> tuple[float, np.ndarray]:
        if way == HERE:
            return clock(partial(alone, pool, case, drawn, head, settings))
        if way == ADDED:
            return clock(partial(predict, head, beside_others(pool, case, drawn, head), drawn.Y, case.K, settings))
        X, X_test = rows[loops[way].dtype]
        seconds, answers[way] = clock(partial(loops[way].run, X, drawn.Y, X_test, settings))
        return seconds, answers[way].predicted

    slow = [way for way in loops if max(measured.seconds[way], default=0) >= patience]
    ways = [way for way in (HERE, *loops, ADDED) if way not in slow and way not in without]
    predicted = {}
    for at in range(len(ways)):
        way = ways[(at + turn) % len(ways)]
        seconds, predicted[way] = run(way)
        measured.seconds[way].append(seconds)
        if way not in loops and seconds < SHORT:
            measured.seconds[way] += [run(way)[0] for _ in range(AGAIN - 1)]
    first, second = loops
    if first not in predicted:
        return
    if measured.head in SAME_MODEL:
        measured.alike.append(equal_share(predicted[HERE], predicted[first]))
    if measured.head in SAME_MODEL and second in predicted:
        measured.alike_second.append(equal_share(predicted[second], predicted[first]))
    if answers[first].models:
        l2 = [setting["l2"] for setting in settings]
        measured.solved.append(losses(pool.support(drawn.rows, case.test), drawn.Y, case.K, l2, answers[first].models))
    if min(answer.min() for answer in predicted.values()) >= 0:
        for way, answer in predicted.items():
            measured.accuracy[way].append(accuracy(answer[:1], case.y[case.test], case.K).mean())


def widths(
    case: Case, heads: Sequence[str], shots: int, vectors: Sequence[int], points: Sequence[int], patience: float
) -> dict[tuple[str, str, int], tuple[float, float]]:
    """Return the seconds (here, first loop) by head, axis ('m' or 'L') and its length.

    The label vectors have noise rates up to 0.4; the settings are spread over the grid.
    """
    pool, _ = time_pool(case)
    out = {}
    most = max(vectors)
    whole = draw(case, shots, 0, [0.4 * i / max(most - 1, 1) for i in range(most)])
    assert whole is not None
    for name in heads:
        grid = settings_of(name)
        lengths = [("m", m, grid) for m in vectors] + [("L", L, spread(grid, L)) for L in points if L <= len(grid) > 1]
        for axis, length, settings in lengths:
            Y = np.stack(spread(whole.Y, length if axis == "m" else 4))
            measured = Measured(case, name, shots, list(settings))
            for turn in range(3):
                one_draw(measured, pool, Draw(whole.rows, Y), turn, patience)
            out[name, axis, length] = measured.median(HERE), measured.median(next(iter(LOOPS[name])))
    return out


def spread(some: Any, count: int) -> list[Any]:
    """Return `count` of them, those in the middle of equal parts."""
    return [some[int((i + 0.5) * len(some) / count)] for i in range(count)]

"""Many fits: every encoder x head x shots x noise, over all draws, in units that survive a kill.

`plan_units` names the work, `run_units` does what is missing. A unit's numbers depend on its own
description alone: not on the number of workers, the order, or what else is in the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.episodes import Draws, SplitPlan, default_seeds, draw_supports, plan_splits
from bench.errors import BenchError
from bench.heads import get_heads
from bench.heads.support import Support
from bench.ledger import Predictions, Unit, read_unit, write_unit
from bench.noise import check_noise, flip_labels
from bench.seeds import content_name

VERSION = 1  # raised when the same description would give other numbers
SCALING = ("unit", "standard")


@dataclass(frozen=True)
class Protocol:
    """What is asked of every encoder and head. seeds=None takes `bench.episodes.default_seeds`."""

    shots: tuple[int, ...]
    noise: tuple[float, ...] = (0.0,)
    noise_kind: str = "symmetric"
    seeds: int | None = None
    draw: str = "spread"

    def __post_init__(self) -> None:
        check_noise(self.noise_kind, self.noise)
        if not self.shots or min(self.shots) < 1:
            raise BenchError(f"Got shots {list(self.shots)}; expected whole numbers from 1, e.g. --shots 1,5,10.")
        if self.seeds is not None and self.seeds < 1:
            raise BenchError(f"Got seeds {self.seeds}; expected at least 1 (leave it out for 30, 20 or 10 by shots).")
        if not self.noise:
            raise BenchError("Got no noise rate; expected at least one, e.g. --noise 0.")


@dataclass(frozen=True)
class Embedded:
    """One encoder's view of the instance table."""

    name: str
    key: str
    scaling: str  # 'unit' | 'standard', see `scale_rows`
    X: np.ndarray  # float32 (N, d), row i for row i of the table


@dataclass(frozen=True)
class Sweep:
    """A planned sweep: everything the workers need besides the embeddings."""

    table: pd.DataFrame
    classes: tuple[str, ...]
    plan: SplitPlan
    draws: Draws
    protocol: Protocol
    units: tuple[Unit, ...]


def scale_rows(X: np.ndarray, train: np.ndarray, groups: np.ndarray, scaling: str) -> np.ndarray:
    """Return X (N, d) scaled by statistics of the training rows alone; labels are not used.

    Every training group weighs the same, so that one large image cut into hundreds of tiles does not
    set the centre. groups: (N,).
    unit: minus the training mean, then each row to length 1 (SimpleShot's CL2N, Wang et al. 2019).
    standard: each feature to mean 0 and variance 1, divided by sqrt(d), for descriptors whose
    features have unlike units; both give rows of about length 1.
    """
    if scaling not in SCALING:
        raise BenchError(f"Got scaling '{scaling}'; expected one of {', '.join(SCALING)}.")
    _, group, size = np.unique(groups[train], return_inverse=True, return_counts=True)
    weight = 1 / (len(size) * size[group])
    centred = X - weight @ X[train]
    if scaling == "standard":
        deviation = np.sqrt(weight @ centred[train] ** 2)
        return centred / np.where(deviation > 0, deviation, 1) / np.sqrt(X.shape[1])
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.where(norm > 0, norm, 1)


def plan_sweep(
    table: pd.DataFrame,
    classes: Sequence[str],
    protocol: Protocol,
    encoders: Mapping[str, tuple[str, str]],
    heads: Sequence[str],
) -> Sweep:
    """Plan splits, draws and units. encoders: name -> (variant key, scaling)."""
    plan = plan_splits(table, classes)
    draws = draw_supports(table, classes, plan, protocol.shots, seeds=protocol.seeds, regime=protocol.draw)
    data = data_name(table, classes)
    units = []
    for n in protocol.shots:
        if n in draws.refused:
            continue
        for encoder, (key, scaling) in encoders.items():
            for head in get_heads(heads):
                seeds = protocol.seeds or default_seeds(n)
                identity = {
                    "data": data,
                    "rule": plan.rule,
                    "protocol": VERSION,
                    "scaling": scaling,
                    "encoder": key,
                    "head": [head.name, head.version, dict(head.default)],
                    "selection": "fixed",
                    "shots": n,
                    "draw": protocol.draw,
                    "seeds": seeds,
                    "noise": [protocol.noise_kind, list(protocol.noise)],
                }
                units.append(Unit(encoder, head.name, n, seeds, protocol.noise, protocol.noise_kind, identity))
    return Sweep(table, tuple(classes), plan, draws, protocol, tuple(units))


def data_name(table: pd.DataFrame, classes: Sequence[str]) -> str:
    """Return the name of what is learned from and scored: the instances, their labels, groups and splits."""
    columns = ["instance", "label", "group", "split", "level", "image"]
    rows = table[columns].astype(object).where(table[columns].notna(), None).to_numpy().tolist()
    return content_name([list(classes), rows])


def run_units(
    sweep: Sweep,
    embedded: Mapping[str, Embedded],
    run: Path,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[int, int]:
    """Do the units that have no output yet; returns (reused, made). One BLAS thread per worker."""
    from joblib import Parallel, delayed, parallel_config

    todo = [unit for unit in sweep.units if read_unit(run, unit) is None]
    done = len(sweep.units) - len(todo)
    if on_progress:
        on_progress(done, len(sweep.units))
    # Dear heads first, so that the last worker is not left alone with the longest unit.
    todo.sort(key=lambda unit: (unit.head != "xgboost", -unit.shots))
    y = pd.Categorical(sweep.table["label"], categories=list(sweep.classes)).codes.astype(np.int64)
    items = sweep.table["instance"].to_numpy(str)
    with parallel_config("loky", n_jobs=min(workers, max(len(todo), 1)), inner_max_num_threads=1):
        jobs = (
            delayed(_run_unit)(
                unit,
                embedded[unit.encoder],
                y,
                items,
                sweep.table["group"].to_numpy(str),
                len(sweep.classes),
                sweep.plan,
                _own_draws(sweep, unit),
                run,
            )
            for unit in todo
        )
        for count, _ in enumerate(Parallel(return_as="generator_unordered")(jobs), 1):
            if on_progress:
                on_progress(done + count, len(sweep.units))
    return done, len(todo)


def _own_draws(sweep: Sweep, unit: Unit) -> dict[tuple[int, str], np.ndarray]:
    return {(seed, split): rows for (n, seed, split), rows in sweep.draws.supports.items() if n == unit.shots}


def _run_unit(
    unit: Unit,
    embedded: Embedded,
    y: np.ndarray,
    items: np.ndarray,
    groups: np.ndarray,
    n_classes: int,
    plan: SplitPlan,
    supports: Mapping[tuple[int, str], np.ndarray],
    run: Path,
) -> None:
    from threadpoolctl import threadpool_limits

    [head] = get_heads([unit.head])
    tested = plan.test_rows()
    P = np.full((unit.seeds, len(unit.rates), len(tested), n_classes), np.nan, np.float16)
    realised = np.zeros((unit.seeds, len(unit.rates)), np.float32)
    drawn_from = np.zeros(unit.seeds, np.float32)
    scaled: dict[str, np.ndarray] = {}
    with threadpool_limits(1):
        for seed in range(unit.seeds):
            splits = plan.splits(seed)
            for split in splits:
                if split.name not in scaled:
                    scaled[split.name] = scale_rows(embedded.X, split.train, groups, embedded.scaling)
                X = scaled[split.name]
                rows = supports[seed, split.name]
                noisy = [
                    flip_labels(y[rows], items[rows].tolist(), n_classes, kind=unit.noise_kind, rate=rate, seed=seed)
                    for rate in unit.rates
                ]
                Y = np.stack(noisy)  # (R, n)
                scores = head.scores(Support(X[rows], X[split.test]), Y, n_classes, [head.default]).P[:, 0]
                P[seed][:, np.searchsorted(tested, split.test)] = scores
                realised[seed] += (y[rows] != Y).mean(1) / len(splits)
                drawn_from[seed] += len(np.unique(groups[rows])) / len(splits)
    if not np.isfinite(P).all():
        raise BenchError(f"Head '{unit.head}' gave probabilities that are not finite on '{unit.encoder}'.")
    write_unit(run, unit, Predictions(P, realised, drawn_from))

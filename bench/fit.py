"""One task of a sweep: units of one encoder, fitted on shared supports, each committed as soon as it is complete.

A support is made once per (split, seed, shots) and serves every head, every kind and rate of noise and every kind of
selection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.episodes import SplitPlan
from bench.errors import BenchError
from bench.heads import Head, get_heads
from bench.heads.support import BUDGET, Pool, Support
from bench.ledger import Predictions, Tested, Unit, write_part, write_unit
from bench.noise import NoiseContext, flip_labels
from bench.selection import Chosen, Episode, choose
from bench.sweep import View

Supports = Mapping[tuple[int, int, str], np.ndarray]  # (shots, seed, split) -> row positions


@dataclass(frozen=True)
class Material:
    """What every task of a sweep needs besides embeddings. Of the table's N rows: y (N,) class indices, names, groups.

    test_rows: the positions that are tested, rising; tested: what they are scored as. partner (K,): the class that
    each is mistaken for, see `bench.noise`. device: see `Support`.
    """

    y: np.ndarray
    items: np.ndarray
    groups: np.ndarray
    classes: tuple[str, ...]
    plan: SplitPlan
    test_rows: np.ndarray
    tested: Tested
    partner: np.ndarray
    run: Path
    device: str = "cpu"


@dataclass
class _Output:
    """A unit's predictions while they are made: S seeds, R rates, F splits a seed, N tested rows, K classes."""

    unit: Unit
    head: Head
    P: np.ndarray  # float16 (S, R, N, K)
    gap: np.ndarray  # float32 (S, R, F)
    iterations: np.ndarray  # int32 (S, R, F)
    chosen: np.ndarray  # int16 (S, R, F)
    realised: np.ndarray  # float32 (S, R, K)
    groups: np.ndarray  # float32 (S,)
    losses: list[tuple[int, np.ndarray]] = field(default_factory=list)  # seed, (R, L) of every split

    def add(self, seed: int, f: int, at: np.ndarray, scored: Chosen) -> None:
        self.P[seed][:, at] = scored.P
        self.gap[seed, :, f], self.iterations[seed, :, f] = scored.gap, scored.iterations
        self.chosen[seed, :, f] = scored.chosen
        if scored.losses is not None:
            self.losses.append((seed, scored.losses))

    def result(self) -> Predictions:
        losses = None
        if self.losses:
            losses = np.zeros((self.unit.seeds, *self.losses[0][1].shape), np.float32)
            for seed, own in self.losses:
                losses[seed] += own / self.gap.shape[-1]
        return Predictions(self.P, self.realised, self.groups, self.gap, self.iterations, self.chosen, losses)


def fit_units(
    units: Sequence[Unit],
    view: View,
    supports: Supports,
    material: Material,
    on_done: Callable[[Unit], None] = lambda unit: None,
) -> None:
    """Fit units of one encoder and commit each; `on_done` is told of it. One BLAS thread."""
    from threadpoolctl import threadpool_limits

    plan = material.plan
    outputs = [_output(unit, material) for unit in units]
    seeds_of = {shots: max(unit.seeds for unit in units if unit.shots == shots) for shots in _levels(units)}
    with threadpool_limits(1):
        visits = [(r, f, split) for r, splits in enumerate(plan.repeats) for f, split in enumerate(splits)]
        for number, (r, f, split) in enumerate(visits, 1):
            X = view.scaled(split.train, material.groups)
            pool = pool_of(X, material)
            at = np.searchsorted(material.test_rows, split.test)
            for shots in _levels(units):
                own = [output for output in outputs if output.unit.shots == shots]
                for seed in range(r, seeds_of[shots], len(plan.repeats)):
                    rows = supports[shots, seed, split.name]
                    _fit_draw(own, (seed, f), rows, pool.support(rows, split.test), at, material)
                if number == len(visits):
                    for output in own:
                        _commit(output, material)
                        on_done(output.unit)


def pool_of(X: np.ndarray, material: Material) -> Pool:
    """Return scaled rows with the products that draws share.

    One split serves all draws, so the products of all pairs pay; of many splits, each serves a few draws. The data
    alone decides, as numbers from sliced products may differ in the last bit.
    """
    budget = BUDGET if sum(map(len, material.plan.repeats)) == 1 else 0
    return Pool(X, material.groups, budget, material.device)


def _levels(units: Sequence[Unit]) -> list[int]:
    return sorted({unit.shots for unit in units}, reverse=True)  # dear ones first


def _output(unit: Unit, material: Material) -> _Output:
    [head] = get_heads([unit.head])
    folds, rates = len(material.plan.repeats[0]), len(unit.rates)
    shape = (unit.seeds, rates, len(material.tested.item), len(material.classes))
    per_fit = (unit.seeds, rates, folds)
    return _Output(
        unit, head, np.full(shape, np.nan, np.float16), np.full(per_fit, np.nan, np.float32),
        np.full(per_fit, -1, np.int32), np.zeros(per_fit, np.int16),
        np.zeros((*per_fit[:2], len(material.classes)), np.float32), np.zeros(unit.seeds, np.float32),
    )  # fmt: skip


def episode_of(unit: Unit, seed: int, rows: np.ndarray, support: Support, material: Material) -> Episode:
    """Return a draw with its labels at all noise rates of the unit, without the labels of the test rows."""
    groups, n_classes = material.groups[rows], len(material.classes)
    draw = NoiseContext(material.y[rows], material.items[rows].tolist(), groups, n_classes, seed, material.partner)
    Y = np.stack([flip_labels(draw, unit.noise_kind, rate) for rate in unit.rates])
    return Episode(support, Y, n_classes, groups)


def flipped_share(y: np.ndarray, Y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the share of the labels of every true class that are wrong, (R, K). y (n,): true; Y (R, n): learned from.

    0 of a class that the draw has no example of.
    """
    of_class = np.eye(n_classes)[y]  # (n, K)
    return (y != Y) @ of_class / np.maximum(of_class.sum(0), 1)


def _fit_draw(
    outputs: Sequence[_Output],
    which: tuple[int, int],
    rows: np.ndarray,
    support: Support,
    at: np.ndarray,
    material: Material,
) -> None:
    """Fit one draw with every head. which: (seed, split); rows: of the table; at: the tested rows it is scored on."""
    seed, f = which
    share = 1 / len(material.plan.repeats[0])
    y, K = material.y[rows], len(material.classes)
    for kind in dict.fromkeys(output.unit.noise_kind for output in outputs):
        own = [output for output in outputs if output.unit.noise_kind == kind]
        blind = episode_of(own[0].unit, seed, rows, support, material)
        sighted = replace(blind, truth=material.y[material.test_rows[at]])
        realised = share * flipped_share(y, blind.Y, K)
        for output in own:
            episode = sighted if output.unit.selection == "oracle" else blind
            output.add(seed, f, at, choose(output.unit.selection, output.head, output.unit.settings, episode))
            output.realised[seed] += realised
            output.groups[seed] += share * len(np.unique(blind.groups))


def _commit(output: _Output, material: Material) -> None:
    unit = output.unit
    if not np.isfinite(output.P).all():
        raise BenchError(f"Head '{unit.head}' gave probabilities that are not finite on '{unit.encoder}'.")
    predictions = output.result()
    write_unit(material.run, unit, predictions)
    write_part(material.run, unit, predictions, material.tested, material.classes)

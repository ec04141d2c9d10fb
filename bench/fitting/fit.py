"""One task of a sweep: units of one encoder, fitted on shared supports, each committed as soon as it is complete.

A support is made once per (split, seed, shots) and serves every head, every kind and rate of noise and every kind of
selection; only noise that replaces examples has a support for every rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.fitting.episode import Episode, Truth
from bench.fitting.scaling import ScaledByDraw, ScaledBySplit, ScaledRows
from bench.fitting.selection import Chosen, choose
from bench.fitting.views import View, axes_of_view
from bench.heads import Head, get_heads
from bench.heads.axes import Axes
from bench.heads.pool import BUDGET, Pool, keeps_products
from bench.heads.support import Support
from bench.protocol.noise import KINDS, flip_labels, replaced_rows
from bench.protocol.noise_context import Candidates, NoiseContext
from bench.protocol.noise_inputs import NoiseInputs
from bench.protocol.splits import Split, SplitPlan
from bench.runs.blocks import FitBlock
from bench.runs.ledger import write_part
from bench.runs.predictions import Predictions, as_stored, write_unit
from bench.runs.tested import Tested
from bench.storage.buckets.mirror import present
from bench.work.bucket_claims import claims_in
from bench.work.engine import claim_missing

SupportRows = Mapping[tuple[int, int, str], np.ndarray]  # (shots, seed, split) -> row positions


@dataclass(frozen=True)
class SweepInputs:
    """What every task of a sweep needs besides embeddings. Of the table's N rows: y (N,) class indices, names, groups.

    test_rows: the positions that are tested, rising; tested: what they are scored as. noise_inputs: what noise knows.
    foreign: split to the rows of no class that noise takes from. device: see `Support`. scale_by: see
    `bench.fitting.scaling`.
    """

    y: np.ndarray
    items: np.ndarray
    groups: np.ndarray
    classes: tuple[str, ...]
    plan: SplitPlan
    test_rows: np.ndarray
    tested: Tested
    noise_inputs: NoiseInputs
    run: Path
    device: str = "cpu"
    foreign: Mapping[str, np.ndarray] = field(default_factory=dict)
    scale_by: str = "pool"


@dataclass(frozen=True)
class Drawn:
    """One draw of labelled examples, rows of the table, for a split whose rows are the pool."""

    seed: int
    split: Split
    rows: np.ndarray
    pool: ScaledRows

    @cached_property
    def support(self) -> Support:
        """The draw as heads see it."""
        return self.pool.support(self.rows, self.split.test)


class Part(NamedTuple):
    """A draw with its labels at some of a unit's rates. wrong (R, n): which of the labels are."""

    rates: slice
    episode: Episode
    wrong: np.ndarray


@dataclass
class _Output:
    """A unit's predictions while they are made: S seeds, R rates, F splits a seed, N tested rows, K classes."""

    unit: FitBlock
    head: Head
    P: np.ndarray  # float16 (S, R, N, K)
    gap: np.ndarray  # float32 (S, R, F)
    iterations: np.ndarray  # int32 (S, R, F)
    chosen: np.ndarray  # int16 (S, R, F)
    temperature: np.ndarray  # float32 (S, R, F)
    realised: np.ndarray  # float32 (S, R, K)
    groups: np.ndarray  # float32 (S,)
    labels: np.ndarray  # float32 (S, K)
    wrong: np.ndarray  # float32 (S, R)
    losses: list[tuple[int, slice, np.ndarray]] = field(default_factory=list)  # seed, rates, (R, L) of every split
    support: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)  # (seed, split) -> rows (n,)

    def add(self, seed: int, f: int, at: np.ndarray, rates: slice, scored: Chosen) -> None:
        self.P[seed, rates][:, at] = as_stored(scored.P)
        self.gap[seed, rates, f], self.iterations[seed, rates, f] = scored.gap, scored.iterations
        self.chosen[seed, rates, f], self.temperature[seed, rates, f] = scored.chosen, scored.temperature
        if scored.losses is not None:
            self.losses.append((seed, rates, scored.losses))

    def result(self) -> Predictions:
        losses = None
        if self.losses:
            settings = self.losses[0][2].shape[1]
            losses = np.zeros((self.unit.draws, len(self.unit.rates), settings), np.float32)
            splits = np.zeros(losses.shape[:2], int)
            for seed, rates, own in self.losses:
                losses[seed, rates] += own / self.gap.shape[-1]
                splits[seed, rates] += 1
            losses[splits < self.gap.shape[-1]] = np.nan  # the published setting was taken in some of them
        more = (self.labels, self.wrong) if self.unit.series == "budget" else ()
        support = np.full((*self.gap.shape[::2], max(map(len, self.support.values()))), -1, np.int32)
        for place, rows in self.support.items():
            support[place][: len(rows)] = rows
        known = Predictions(
            self.P, self.realised, self.groups, self.gap, self.iterations, self.chosen, losses, self.temperature, *more
        )
        return replace(known, support=support)


def fit_task(task: Sequence[FitBlock], supports: SupportRows, view: View, inputs: SweepInputs) -> int:
    """Fit those units of a task that nobody else is making and commit each; returns their number. One BLAS thread."""
    from threadpoolctl import threadpool_limits

    at, plan = {unit.name: unit for unit in task}, inputs.plan
    with claims_in(inputs.run / "claims") as claims, threadpool_limits(1):
        mine, _ = claim_missing(at, claims, lambda name: not present(at[name].path(inputs.run)))
        units = [at[name] for name in mine]
        outputs = [_output(unit, inputs) for unit in units]
        seeds_of = {shots: max(unit.draws for unit in units if unit.shots == shots) for shots in _levels(units)}
        axes = axes_for(view, inputs)
        drawn = plan.repeats[: max(seeds_of.values(), default=0)]  # few draws do not reach the last partitions
        visits = [(r, f, split) for r, splits in enumerate(drawn) for f, split in enumerate(splits)]
        for number, (r, f, split) in enumerate(visits, 1):
            pool = rows_of(view, split, inputs, axes)
            at_rows = np.searchsorted(inputs.test_rows, split.test)
            for shots in seeds_of:
                own = [output for output in outputs if output.unit.shots == shots]
                for seed in range(r, seeds_of[shots], len(plan.repeats)):
                    _fit_draw(own, f, Drawn(seed, split, supports[shots, seed, split.name], pool), at_rows, inputs)
                if number == len(visits):
                    for output in own:
                        _commit(output, inputs)
                        claims.done(output.unit.name)
    return len(units)


def axes_for(view: View, inputs: SweepInputs) -> Callable[[], Axes]:
    """Return what finds the axes of a view when they are first asked for."""
    return cache(partial(axes_of_view, view, len(inputs.groups)))


def rows_of(view: View, split: Split, inputs: SweepInputs, axes: Callable[[], Axes] | None = None) -> ScaledRows:
    """Return the rows of a split for its draws: scaled for all of them, or by each for itself.

    axes: `axes_for` the view, where several splits share it. One split serves all draws, so what is made of all rows
    pays, unless rows are so many that no products are kept; of many splits, each serves a few draws. The data alone
    decides, as numbers from sliced products may differ in the last bit.
    """
    axes, is_unit = axes or axes_for(view, inputs), view.scaling == "unit"
    if inputs.scale_by == "support":
        return ScaledByDraw(view.take, inputs.groups, inputs.device, is_unit)
    if sum(map(len, inputs.plan.repeats)) == 1 and keeps_products(len(inputs.groups)):
        scaled = view.scaled(split.train, inputs.groups)
        return Pool(scaled, inputs.groups, BUDGET, inputs.device, axes, is_unit=is_unit)
    return ScaledBySplit(view.scaler(split.train, inputs.groups), inputs.groups, axes, inputs.device, is_unit)


def _levels(units: Sequence[FitBlock]) -> list[int]:
    return sorted({unit.shots for unit in units}, reverse=True)  # costly ones first


def _output(unit: FitBlock, inputs: SweepInputs) -> _Output:
    [head] = get_heads([unit.head])
    if head.version != unit.made_of["head"][1]:
        raise BenchError(
            f"Head '{head.name}' was changed while its fits were made; expected it as it was planned. Run again."
        )
    folds, rates = len(inputs.plan.repeats[0]), len(unit.rates)
    shape = (unit.draws, rates, len(inputs.tested.item), len(inputs.classes))
    per_fit = (unit.draws, rates, folds)
    return _Output(
        unit, head, np.full(shape, np.nan, np.float16), np.full(per_fit, np.nan, np.float32),
        np.full(per_fit, -1, np.int32), np.zeros(per_fit, np.int16), np.ones(per_fit, np.float32),
        np.zeros((*per_fit[:2], len(inputs.classes)), np.float32), np.zeros(unit.draws, np.float32),
        np.zeros((unit.draws, len(inputs.classes)), np.float32), np.zeros(per_fit[:2], np.float32),
    )  # fmt: skip


def parts_of(unit: FitBlock, drawn: Drawn, inputs: SweepInputs) -> list[Part]:
    """Return a draw with its labels at all noise rates of the unit, without the labels of the test rows.

    It is in one part, or in one for every rate where noise replaces examples.
    """
    draw = context_of(drawn.rows, drawn.seed, drawn.split, inputs)
    rows, Y, wrong = labelled_rows(unit, draw)
    if not KINDS[unit.noise_kind].replaces:
        whole = Episode(drawn.support, Y, draw.n_classes, draw.groups, drawn=draw.y, weigh=unit.weighs)
        return [Part(slice(None), whole, wrong)]
    parts = []
    for r in range(len(rows)):
        support = drawn.support
        if wrong[r].any():
            support = drawn.pool.support(rows[r], drawn.split.test, draw.groups)
        episode = Episode(support, Y[r : r + 1], draw.n_classes, draw.groups, drawn=draw.y, weigh=unit.weighs)
        parts.append(Part(slice(r, r + 1), episode, wrong[r : r + 1]))
    return parts


def labelled_rows(unit: FitBlock, draw: NoiseContext) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (rows, labels, which of these are wrong) of a draw at every noise rate of a unit, each (R, n)."""
    drawn, _ = draw.replaced_from()
    if KINDS[unit.noise_kind].replaces:
        rows = np.stack([replaced_rows(draw, unit.noise_kind, rate) for rate in unit.rates])
        return rows, np.broadcast_to(draw.y, rows.shape), rows != drawn
    Y = np.stack([flip_labels(draw, unit.noise_kind, rate) for rate in unit.rates])
    return np.broadcast_to(drawn, Y.shape), Y, draw.y != Y


def context_of(rows: np.ndarray, seed: int, split: Split, inputs: SweepInputs) -> NoiseContext:
    """Return all that noise may know of a draw. rows (n,): the drawn ones, of the table."""
    known = inputs.noise_inputs
    foreign = inputs.foreign.get(split.name, np.empty(0, np.int64))
    return NoiseContext(
        inputs.y[rows], inputs.items[rows].tolist(), inputs.groups[rows], len(inputs.classes), seed,
        known.targets[split.name], {name: X[rows] for name, X in known.features.items()},
        known.slides.get(split.name), known.classes.get(split.name, {}), rows,
        Candidates(split=split.name, names=inputs.items, y=inputs.y, train=split.train, foreign=foreign),
    )  # fmt: skip


def wrong_share(y: np.ndarray, wrong: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the share of the labels of every true class that are wrong, (R, K). y (n,): true; wrong (R, n).

    0 of a class that the draw has no example of.
    """
    of_class = np.eye(n_classes)[y]  # (n, K)
    return wrong @ of_class / np.maximum(of_class.sum(0), 1)


def _fit_draw(outputs: Sequence[_Output], f: int, drawn: Drawn, at: np.ndarray, inputs: SweepInputs) -> None:
    """Fit one draw with every head. f: which of the splits; at: the tested rows it is scored on."""
    seed = drawn.seed
    share = 1 / len(inputs.plan.repeats[0])
    truth, K = truth_of(at, inputs), len(inputs.classes)
    y = inputs.y[drawn.rows]
    n_groups = share * len(np.unique(inputs.groups[drawn.rows]))
    for kind in dict.fromkeys(output.unit.noise_kind for output in outputs):
        own = [output for output in outputs if output.unit.noise_kind == kind]
        for rates, without_truth, wrong in parts_of(own[0].unit, drawn, inputs):
            with_truth = replace(without_truth, truth=truth)
            for output in own:
                episode = with_truth if output.unit.selection == "oracle" else without_truth
                chosen = choose(output.unit.chosen_by, output.head, output.unit.settings, episode)
                output.add(seed, f, at, rates, chosen)
                output.realised[seed, rates] += share * wrong_share(y, wrong, K)
                output.wrong[seed, rates] += share * wrong.mean(1)
        for output in own:
            output.support[seed, f] = drawn.rows
            output.groups[seed] += n_groups
            output.labels[seed] += share * np.bincount(y, minlength=K)


def truth_of(at: np.ndarray, inputs: SweepInputs) -> Truth:
    """Return what 'oracle' is told of the tested rows at these positions, (n_test,), which are whole scored items."""
    tested = inputs.tested
    items, item = np.unique(tested.item[at], return_inverse=True)
    own = Tested(tested.level, item, tested.y[items], tested.group[items])
    return Truth.of(own, np.bincount(tested.y, minlength=len(inputs.classes)), len(inputs.plan.repeats[0]))


def _commit(output: _Output, inputs: SweepInputs) -> None:
    unit = output.unit
    if not np.isfinite(output.P).all():
        raise BenchError(f"Head '{unit.head}' gave probabilities that are not finite on '{unit.encoder}'.")
    predictions = output.result()
    predictions = write_unit(inputs.run, unit, predictions)
    write_part(inputs.run, unit, predictions, inputs.tested, inputs.classes)

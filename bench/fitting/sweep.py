"""Plan many fits: every encoder x head x shots, over all draws and noise rates, as units named by content.

`plan_sweep` names the work, `bench.fitting.schedule.run_units` does what is missing. A unit's numbers depend on
its own description alone: not on the number of workers, the order, or what else is in the sweep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Protocol as Interface

import numpy as np
import pandas as pd

from bench.data.content import rows_of
from bench.draws.budget import draw_budget
from bench.draws.episodes import UNITS, Draws, SplitPlan, class_codes, default_seeds, draw_supports
from bench.draws.foreign import foreign_rows, too_few_foreign
from bench.draws.mistakes import Mistakes, find_mistakes, looked_at
from bench.draws.noise import KINDS, check_foreign, check_noise
from bench.draws.order import USUAL, check_regime
from bench.draws.partners import descriptors_in
from bench.draws.sources import PLANS, check_split, regroup
from bench.errors import BenchError
from bench.fitting.ledger import Unit
from bench.fitting.scaling import SCALE_BY, check_scale_by, scale_rows, scaling_of
from bench.fitting.selection import can_leave_out, check_selection, refuse_shots, settings_of, way_of
from bench.fitting.transfer import learn_settings
from bench.fitting.tuned import tuned_settings
from bench.heads import Params, get_heads
from bench.seeds import content_name

VERSION = 5  # raised when the same description would give other numbers


@dataclass(frozen=True)
class Protocol:
    """What is asked of every encoder and head. seeds=None takes `bench.draws.episodes.default_seeds`.

    noise_kinds: how labels go wrong, each kind a row of its own; see `bench.draws.noise`. confusable: pairs of classes
    of which the first is mistaken for the second, or descriptors that are to find them, for 'asymmetric'.
    foreign: labels that are no classes and whose items 'open-set' puts among the examples. budget: labels in all, a
    series of its own; see `bench.draws.budget`. split: what is never on both sides; see `bench.draws.sources`.
    select: how settings are chosen, each kind a row of its own; see `bench.fitting.selection`. transfer: the runs that
    'transfer' learns from. tuned: the files of `bench tune` that 'tuned' takes settings from; see
    `bench.fitting.tuned`. shot_unit: what `shots` counts, see `bench.draws.episodes.draw_supports`. draw: in which
    order, see `bench.draws.order`. scale_by: the rows that all are scaled by, see `bench.fitting.scaling`.
    """

    shots: tuple[int, ...]
    noise: tuple[float, ...] = (0.0,)
    noise_kinds: tuple[str, ...] = ("symmetric",)
    seeds: int | None = None
    draw: str = USUAL
    select: tuple[str, ...] = ("auto",)
    transfer: tuple[Path, ...] = ()
    tuned: tuple[Path, ...] = ()
    confusable: tuple[tuple[str, str], ...] | tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    budget: tuple[int, ...] = ()
    split: str = "group"
    shot_unit: str = "instance"
    scale_by: str = SCALE_BY[0]

    def __post_init__(self) -> None:
        check_noise(self.noise_kinds, self.noise, self.confusable)
        check_foreign(self.noise_kinds, self.foreign)
        check_split(self.split)
        check_regime(self.draw)
        check_scale_by(self.scale_by)
        if not (self.shots or self.budget) or min(self.shots, default=1) < 1:
            raise BenchError(f"Got shots {list(self.shots)}; expected whole numbers from 1, e.g. --shots 1,5,10.")
        if min(self.budget, default=1) < 1:
            raise BenchError(f"Got budgets {list(self.budget)}; expected whole numbers from 1, e.g. --budget 20,50.")
        if self.seeds is not None and self.seeds < 1:
            raise BenchError(f"Got seeds {self.seeds}; expected at least 1 (leave it out for 30, 20 or 10 by shots).")
        if not self.select:
            raise BenchError("Got no --select; expected at least one, e.g. --select auto.")
        if ("transfer" in self.select) != bool(self.transfer):
            raise BenchError("Got --select transfer or --transfer RUN without the other; expected both or none.")
        if ("tuned" in self.select) != bool(self.tuned):
            raise BenchError("Got --select tuned or --params FILE without the other; expected both or none.")

    def rates(self) -> dict[str, tuple[float, ...]]:
        """Return noise kind -> its rates. Clean labels are of all kinds alike, and fitted with the first."""
        kinds = [kind for kind in KINDS if kind in self.noise_kinds]
        return {kind: self.noise if kind == kinds[0] else tuple(filter(None, self.noise)) for kind in kinds}

    def spaces(self) -> tuple[str, ...]:
        """Return the descriptors that noise looks at, which have to take part; see `bench.draws.mistakes`."""
        return tuple(dict.fromkeys([*descriptors_in(self.confusable), *looked_at(self.noise_kinds)]))


class View(Interface):
    """What heads learn from: one encoder's embeddings, or several made one; see `bench.fitting.ensembles`."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def key(self) -> str:
        """What names it by content."""

    @property
    def scaling(self) -> str:
        """How it is scaled."""

    @property
    def width(self) -> int:
        """Columns d."""

    def scaled(self, train: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the rows as heads see them, (N, d), scaled by statistics of the training rows."""

    def take(self, rows: np.ndarray, by: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return some rows (p,) scaled by the rows `by` (n,), whose groups are (n,): (p, d)."""

    def broken(self) -> int:
        """Return how many rows hold a number that is not finite."""


@dataclass(frozen=True)
class Embedded:
    """One encoder's view of the instance table."""

    name: str
    key: str
    scaling: str  # 'unit' | 'standard', see `scale_rows`
    X: np.ndarray  # float32 (N, d), row i for row i of the table

    @property
    def width(self) -> int:
        """Columns d."""
        return self.X.shape[1]

    def scaled(self, train: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the rows as heads see them, (N, d); see `scale_rows`."""
        return scale_rows(self.X, train, groups, self.scaling)

    def take(self, rows: np.ndarray, by: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return some rows (p,) scaled by the rows `by` (n,), whose groups are (n,): (p, d)."""
        return scaling_of(self.X[by], np.arange(len(by)), groups, self.scaling).of(self.X[rows])

    def broken(self) -> int:
        """Return how many rows hold a number that is not finite."""
        return sum(int((~np.isfinite(self.X[i : i + 8192])).any(1).sum()) for i in range(0, len(self.X), 8192))


@dataclass(frozen=True)
class Sweep:
    """A planned sweep: everything the workers need besides the embeddings."""

    table: pd.DataFrame
    classes: tuple[str, ...]
    plan: SplitPlan
    draws: Draws
    protocol: Protocol
    units: tuple[Unit, ...]
    mistakes: Mistakes
    budget: Draws = field(default_factory=lambda: Draws({}, {}))

    def draws_of(self, series: str) -> Draws:
        """Return the draws of a series: 'balanced', or 'budget' (see `bench.draws.budget`)."""
        return self.budget if series == "budget" else self.draws

    @property
    def refused(self) -> tuple[str, ...]:
        """Why what was asked for has no units."""
        return (*self.draws.refused.values(), *self.budget.refused.values())

    @cached_property
    def foreign(self) -> dict[str, np.ndarray]:
        """Split to the rows of no class that open-set noise takes from."""
        if not self.protocol.foreign:
            return {}
        splits = {split.name: split for repeat in self.plan.repeats for split in repeat}
        return {name: foreign_rows(self.table, self.classes, split.test) for name, split in splits.items()}

    @cached_property
    def y(self) -> np.ndarray:
        """Class indices int64 (N,) of the table's rows."""
        return class_codes(self.table, self.classes)


def plan_sweep(
    table: pd.DataFrame,
    classes: Sequence[str],
    protocol: Protocol,
    encoders: Mapping[str, tuple[str, str]],
    heads: Sequence[str],
    spaces: Mapping[str, View] = MappingProxyType({}),
) -> Sweep:
    """Plan splits, draws and units. encoders: name -> (variant key, scaling). spaces: those of `Protocol.spaces`."""
    chosen = get_heads(heads)
    for kind in protocol.select:
        check_selection(kind, chosen)
    table = regroup(table, protocol.split)
    group, y = table["group"].to_numpy(str), class_codes(table, classes)
    levels = [*protocol.shots, *(_per_class(n, classes) for n in protocol.budget)]
    given: dict[str, Mapping[tuple[str, int], Params]] = {}  # kind -> (head, shots) -> setting
    if protocol.transfer:
        given["transfer"] = learn_settings(protocol.transfer, chosen, levels, table["instance"].tolist())
    if protocol.tuned:
        given["tuned"] = tuned_settings(protocol.tuned, chosen, levels, table)
        idle = [head.name for head in chosen if (head.name, levels[0]) not in given["tuned"]]
        if idle and protocol.select == ("tuned",):
            raise BenchError(f"Got --select tuned with --head {','.join(idle)}, of which no --params holds a setting.")
    plan = PLANS[protocol.split](table, classes)
    seeds, regime = protocol.seeds, protocol.draw
    draws = {
        "balanced": draw_supports(
            table, classes, plan, protocol.shots, seeds=seeds, regime=regime, unit=protocol.shot_unit
        ),
        "budget": draw_budget(table, classes, plan, protocol.budget, seeds=seeds, regime=regime),
    }
    mistakes = find_mistakes(
        plan, y, group, classes, confusable=protocol.confusable, kinds=protocol.noise_kinds, spaces=spaces
    )
    sweep = Sweep(table, tuple(classes), plan, draws["balanced"], protocol, (), mistakes, draws["budget"])
    data = data_name(table, classes)
    refused = {series: dict(own.refused) for series, own in draws.items()}
    units = []
    for series, n in [*(("balanced", n) for n in protocol.shots), *(("budget", n) for n in protocol.budget)]:
        if n in draws[series].refused:
            continue
        budget = series == "budget"
        shots = _per_class(n, classes) if budget else n
        count = protocol.seeds or default_seeds(shots)
        noises, why = _noises_at(sweep, series, n)
        refused[series] |= {n: why} if why else {}
        has_groups = "auto" in protocol.select and _can_leave_out(sweep, series, n)
        for kind in protocol.select:
            own = draws[series].supports
            drawn = ((group[own[key]], y[own[key]]) for key in own if key[0] == n)
            why = refuse_shots(kind, n, drawn, len(classes), series)
            if why:
                refused[series][n] = "; ".join(filter(None, (refused[series].get(n), why)))
                continue
            for encoder, (key, scaling) in encoders.items():
                for head in chosen:
                    if kind in given and (head.name, shots) not in given[kind]:
                        continue  # nothing was tuned for it
                    others = [own[head.name, shots] for own in given.values() if (head.name, shots) in own]
                    settings = (given[kind][head.name, shots],) if kind in given else settings_of(kind, head, others)
                    way = way_of(kind, head, has_groups)
                    for noise_kind, rates in noises.items():
                        identity = {
                            "data": data,
                            "rule": plan.rule,
                            "protocol": VERSION,
                            "scaling": scaling,
                            "encoder": key,
                            "head": [head.name, head.version, [dict(setting) for setting in settings]],
                            "selection": kind,
                            **({"way": way} if way != kind else {}),
                            "shots": n,
                            "draw": protocol.draw,
                            "seeds": count,
                            "noise": mistakes.identity(noise_kind, rates),
                            **({"scale by": protocol.scale_by} if protocol.scale_by != SCALE_BY[0] else {}),
                            **({"shot unit": protocol.shot_unit} if protocol.shot_unit != UNITS[0] else {}),
                            **({"series": series} if budget else {}),
                        }
                        units.append(Unit(encoder, head.name, n, count, rates, noise_kind, identity, series))
    balanced, budget_draws = (replace(draws[series], refused=refused[series]) for series in draws)
    return replace(sweep, draws=balanced, budget=budget_draws, units=tuple(units))


def _per_class(labels: int, classes: Sequence[str]) -> int:
    """Return the shots that so many labels in all are in the mean of a class, at least 1."""
    return max(1, labels // len(classes))


def _can_leave_out(sweep: Sweep, series: str, level: int) -> bool:
    """Return whether every class has two groups in every draw of a level.

    Where groups are equal, draws that go round them are not looked at, and so not made: they have two where the
    training side has.
    """
    protocol, group = sweep.protocol, sweep.table["group"].to_numpy(str)
    if series == "balanced" and level < 2:
        return False
    if series == "balanced" and protocol.draw == "spread" and _equal_groups(group, sweep.y):
        splits = (split.train for repeat in sweep.plan.repeats for split in repeat)
        return can_leave_out(((group[rows], sweep.y[rows]) for rows in splits), len(sweep.classes))
    own = sweep.draws_of(series).supports
    draws = (own[key] for key in own if key[0] == level)
    return can_leave_out(((group[rows], sweep.y[rows]) for rows in draws), len(sweep.classes))


def _equal_groups(group: np.ndarray, y: np.ndarray) -> bool:
    """Return whether every group holds as many items, all of one class. group, y: (N,); items of no class are -1."""
    names, at = np.unique(group, return_inverse=True)
    pairs = len(np.unique(np.stack([at, y]), axis=1).T)
    return pairs == len(names) and len(np.unique(np.bincount(at))) == 1


def _noises_at(sweep: Sweep, series: str, level: int) -> tuple[dict[str, tuple[float, ...]], str]:
    """Return (kinds of noise with their rates that a level can have, why others are missing or "")."""
    rates = sweep.protocol.rates()
    replaced = [kind for kind in rates if KINDS[kind].replaces]
    labels = level if series == "budget" else level * len(sweep.classes)
    if not replaced or labels <= min(map(len, sweep.foreign.values())):
        return rates, ""
    draws = ((seed, split, rows) for (n, seed, split), rows in sweep.draws_of(series).supports.items() if n == level)
    items = sweep.table["instance"].to_numpy(object)
    why = too_few_foreign(draws, sweep.foreign, items, max(sweep.protocol.noise))
    if not why:
        return rates, ""
    asked = f"--budget {level}" if series == "budget" else f"shots={level}"
    return {kind: own for kind, own in rates.items() if kind not in replaced}, f"{asked} with {why}"


def data_name(table: pd.DataFrame, classes: Sequence[str]) -> str:
    """Return the name of what is learned from and scored: the instances, their labels, groups and splits."""
    columns = ["instance", "label", "group", "split", "level", "image"]
    return content_name([list(classes), rows_of(table, columns)])

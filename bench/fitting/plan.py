"""Plan many fits: every encoder x head x number of labels, over all draws and noise rates, as blocks named by content.

`plan_sweep` names the work, producers (`bench.fitting.producers`) do what is missing. A block's numbers depend on its
own description alone: not on the number of workers, the order, or what else is in the sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pandas as pd

from bench.data.content import data_name
from bench.errors import BenchError
from bench.fitting.selection_plan import check_selection, refuse_shots, settings_of, way_by_draw, way_of
from bench.fitting.transfer import learn_settings
from bench.fitting.tuned import tuned_settings
from bench.fitting.views import View
from bench.heads import Head, Params, get_heads
from bench.heads.choice import may_leave_out
from bench.protocol.budget import draw_budget
from bench.protocol.foreign import foreign_rows, too_few_foreign
from bench.protocol.knob import turned
from bench.protocol.level import Level, Per
from bench.protocol.noise import KINDS
from bench.protocol.noise_inputs import NoiseInputs, find_noise_inputs
from bench.protocol.protocol import Protocol
from bench.protocol.split_kinds import SPLIT_KINDS, regroup
from bench.protocol.splits import SplitPlan, class_codes
from bench.protocol.supports import Draws, draw_supports
from bench.runs.blocks import FitBlock

VERSION = 5  # raised when the same description would give other numbers
Given = Mapping[str, Mapping[tuple[str, int], Params]]  # way to choose settings -> (head, labels per class) -> setting


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A planned sweep: everything that fits need besides the embeddings. draws: of labels per class, and in total."""

    table: pd.DataFrame
    classes: tuple[str, ...]
    plan: SplitPlan
    draws: Mapping[Per, Draws]
    protocol: Protocol
    noise_inputs: NoiseInputs
    blocks: tuple[FitBlock, ...] = ()

    def draws_of(self, level: Level) -> Draws:
        """Return the draws that those of a level are among."""
        return self.draws[level.per]

    @property
    def refused(self) -> tuple[str, ...]:
        """Why what was asked for has no blocks."""
        return tuple(why for draws in self.draws.values() for why in draws.refused.values())

    @cached_property
    def foreign(self) -> dict[str, np.ndarray]:
        """Split to the rows of no class that noise takes from."""
        if not self.protocol.foreign:
            return {}
        splits = {split.name: split for repeat in self.plan.repeats for split in repeat}
        return {name: foreign_rows(self.table, self.classes, split.test) for name, split in splits.items()}

    @cached_property
    def y(self) -> np.ndarray:
        """Class indices int64 (N,) of the table's rows."""
        return class_codes(self.table, self.classes)

    @cached_property
    def data(self) -> str:
        """What names the instances, their labels, groups and splits."""
        return data_name(self.table, self.classes)

    @cached_property
    def group(self) -> np.ndarray:
        """Names of the groups of the table's rows, (N,)."""
        return self.table["group"].to_numpy(str)

    @cached_property
    def group_number(self) -> np.ndarray:
        """Which of the groups, sorted by name, the table's rows are of, int64 (N,): numbers sort faster than names."""
        return np.unique(self.group, return_inverse=True)[1]


def plan_sweep(
    table: pd.DataFrame,
    classes: Sequence[str],
    protocol: Protocol,
    encoders: Mapping[str, tuple[str, str]],
    heads: Sequence[str],
    spaces: Mapping[str, View] = MappingProxyType({}),
) -> Sweep:
    """Plan splits, draws and blocks. encoders: name -> (variant key, scaling). spaces: those of `Protocol.spaces`."""
    chosen = get_heads(heads)
    for way in protocol.select:
        check_selection(way, chosen)
    table = regroup(table, protocol.split)
    given = _given_settings(table, classes, protocol, chosen)
    plan = SPLIT_KINDS[protocol.split].plan(table, classes)
    noise_inputs = find_noise_inputs(
        plan, class_codes(table, classes), table["group"].to_numpy(str), classes,
        confusable=protocol.confusable, kinds=protocol.noise_kinds, spaces=spaces,
    )  # fmt: skip
    sweep = Sweep(
        table=table, classes=tuple(classes), plan=plan, draws=_draws(table, classes, plan, protocol), protocol=protocol,
        noise_inputs=noise_inputs,
    )  # fmt: skip
    refused = {per: dict(draws.refused) for per, draws in sweep.draws.items()}
    blocks: list[FitBlock] = []
    for level in protocol.levels:
        if level.count not in sweep.draws_of(level).refused:
            planned, reasons = _plan_level(sweep, level, encoders, chosen, given)
            blocks += planned
            refused[level.per] |= {level.count: "; ".join(reasons)} if reasons else {}
    draws = {per: replace(draws, refused=refused[per]) for per, draws in sweep.draws.items()}
    return replace(sweep, draws=draws, blocks=tuple(blocks))


def _given_settings(table: pd.DataFrame, classes: Sequence[str], protocol: Protocol, heads: Sequence[Head]) -> Given:
    """Return the settings that were found elsewhere, by how. Raises BenchError where they fit none of the heads."""
    per_class = [level.per_class(len(classes)) for level in protocol.levels]
    given: dict[str, Mapping[tuple[str, int], Params]] = {}
    if protocol.transfer:
        given["transfer"] = learn_settings(protocol.transfer, heads, per_class, table["instance"].tolist())
    if protocol.tuned:
        given["tuned"] = tuned_settings(protocol.tuned, heads, per_class, table)
        idle = [head.name for head in heads if (head.name, per_class[0]) not in given["tuned"]]
        if idle and protocol.select == ("tuned",):
            raise BenchError(f"Got --select tuned with --head {','.join(idle)}, of which no --params holds a setting.")
    return given


def _draws(table: pd.DataFrame, classes: Sequence[str], plan: SplitPlan, protocol: Protocol) -> dict[Per, Draws]:
    """Return the draws of both kinds of levels."""
    return {
        "class": draw_supports(table, classes, plan, protocol.shots, **protocol.drawing),
        "total": draw_budget(
            table, classes, plan, protocol.budget, draws=protocol.draws, regime=protocol.support_groups
        ),
    }


def _plan_level(
    sweep: Sweep, level: Level, encoders: Mapping[str, tuple[str, str]], heads: Sequence[Head], given: Given
) -> tuple[list[FitBlock], list[str]]:
    """Return (the blocks of a level, why others that were asked for are missing)."""
    noises, why = noises_at(sweep, level)
    reasons = [why] if why else []
    able, drawn_in_all = _able_draws(sweep, level) if "auto" in sweep.protocol.select else (0, 1)
    blocks: list[FitBlock] = []
    for selection in sweep.protocol.select:
        drawn = ((sweep.group[rows], sweep.y[rows]) for rows in _supports_of(sweep, level))
        if why := refuse_shots(selection, level.count, drawn, len(sweep.classes), level.series):
            reasons.append(why)
            continue
        for encoder, (key, scaling) in encoders.items():
            for head in heads:
                settings = _settings_for(selection, head, level.per_class(len(sweep.classes)), given)
                if settings is not None:
                    way = way_by_draw(way_of(selection, head, able > 0), able, drawn_in_all)
                    blocks += _blocks(
                        sweep, level, noises, encoder=encoder, head=head, selection=selection, settings=settings,
                        way=way, made_of={"encoder": key, "scaling": scaling},
                    )  # fmt: skip
    return blocks, reasons


def _settings_for(selection: str, head: Head, per_class: int, given: Given) -> Sequence[Params] | None:
    """Return the settings that a head may choose from, None where none was found for it elsewhere, as was asked."""
    if selection in given:
        found = given[selection].get((head.name, per_class))
        return None if found is None else (found,)
    others = [settings[head.name, per_class] for settings in given.values() if (head.name, per_class) in settings]
    return settings_of(selection, head, others)


def _blocks(
    sweep: Sweep,
    level: Level,
    noises: Mapping[str, tuple[float, ...]],
    *,
    encoder: str,
    head: Head,
    selection: str,
    settings: Sequence[Params],
    way: str,
    made_of: Mapping[str, str],
) -> list[FitBlock]:
    """Return the blocks of an encoder and a head at a level, one per kind of noise."""
    protocol, draws = sweep.protocol, draws_at(sweep, level)
    known = [head.name, head.version, [dict(setting) for setting in settings]]
    shared = {**made_of, **identity_at(sweep, level), "head": known}
    return [
        FitBlock(
            encoder=encoder, head=head.name, level=level, draws=draws, rates=rates, noise_kind=kind,
            selection=selection, way=way, settings=tuple(map(dict, settings)), shot_unit=protocol.shot_unit,
            scale_by=protocol.scale_by, made_of={**shared, "noise": sweep.noise_inputs.identity(kind, rates)},
        )
        for kind, rates in noises.items()
    ]  # fmt: skip


def draws_at(sweep: Sweep, level: Level) -> int:
    """Return how many draws a level has."""
    return sweep.protocol.draws or level.default_draws(len(sweep.classes))


def identity_at(sweep: Sweep, level: Level) -> dict[str, object]:
    """Return what of the data and the protocol names the fits of a level, whoever makes them."""
    return {
        **level.identity, "data": sweep.data, "rule": sweep.plan.rule, "protocol": VERSION,
        "draw": sweep.protocol.support_groups, "seeds": draws_at(sweep, level), **turned(sweep.protocol),
    }  # fmt: skip


def drawn_levels(sweep: Sweep) -> list[Level]:
    """Return the levels that have draws: all that were asked for and can be filled."""
    drawn = {per: {count for count, _, _ in draws.supports} for per, draws in sweep.draws.items()}
    return [level for level in sweep.protocol.levels if level.count in drawn[level.per]]


def _supports_of(sweep: Sweep, level: Level) -> Iterable[np.ndarray]:
    """Return the rows of every draw of a level, each drawn when it is asked for."""
    supports = sweep.draws_of(level).supports
    return (supports[key] for key in supports if key[0] == level.count)


def _able_draws(sweep: Sweep, level: Level) -> tuple[int, int]:
    """Return in how many draws of a level (draws x splits) every class has two groups, and how many there are.

    A level of labels per class is taken as one, which can only if all its draws can. Where groups are equal, its draws
    that go round them are not looked at, and so not made: they have two where the training side has.
    """
    K = len(sweep.classes)
    if level.per == "class" and level.count < 2:
        return 0, 1
    rows: Iterable[np.ndarray] = _supports_of(sweep, level)
    group, y = sweep.group_number, sweep.y
    protocol = sweep.protocol
    in_turn = level.per == "class" and protocol.support_groups == "spread" and protocol.shot_unit == "instance"
    if in_turn and _equal_groups(group, y):
        rows = (split.train for repeat in sweep.plan.repeats for split in repeat)
    able = (may_leave_out(group[some], y[some], K) for some in rows)
    if level.per == "class":
        return int(all(able)), 1
    counted = list(able)
    return sum(counted), len(counted)


def _equal_groups(group: np.ndarray, y: np.ndarray) -> bool:
    """Return whether every group holds as many items, all of one class. group, y: (N,); items of no class are -1."""
    names, at = np.unique(group, return_inverse=True)
    pairs = len(np.unique(np.stack([at, y]), axis=1).T)
    return pairs == len(names) and len(np.unique(np.bincount(at))) == 1


def noises_at(sweep: Sweep, level: Level) -> tuple[dict[str, tuple[float, ...]], str]:
    """Return (kinds of noise with their rates that a level can have, why others are missing or "")."""
    rates = sweep.protocol.rates()
    replaced = [kind for kind in rates if KINDS[kind].needs_foreign]
    if not replaced or level.labels(len(sweep.classes)) <= min(map(len, sweep.foreign.values())):
        return rates, ""
    supports = sweep.draws_of(level).supports
    draws = ((draw, split, rows) for (count, draw, split), rows in supports.items() if count == level.count)
    items = sweep.table["instance"].to_numpy(object)
    why = too_few_foreign(draws, sweep.foreign, items, max(sweep.protocol.noise))
    if not why:
        return rates, ""
    return {kind: known for kind, known in rates.items() if kind not in replaced}, f"{level.asked} with {why}"

"""From stored predictions to the leaderboard: a table, and Markdown that a person can read.

A pure function of the run's units, the instance table and a few facts about the encoders: nothing is
refitted. One row per encoder x head x selection x shots x noise; 'oracle' rows take part in no comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.draws.episodes import SplitPlan, class_codes
from bench.draws.sources import RANDOM
from bench.errors import BenchError
from bench.fitting.ledger import Predictions, Tested, Unit, read_part, read_unit, tested_items, write_part
from bench.fitting.metrics import METRICS
from bench.report.chance import share_of_answers
from bench.report.compare import RANK_FROM, Answers, Compared, compare
from bench.report.flags import flags
from bench.report.learning import Learned, alike, learned_from
from bench.report.pairs import COLUMNS as PAIRS
from bench.report.pairs import pairs_with_best
from bench.report.rows import best_first
from bench.report.statistics import Hits, count_hits

COLUMNS = (
    "dataset", "encoder", "family", "head", "selection", "instances", "level", "draw", "split", "series",
    "shots", "shot_unit", "scale_by", "support_items", "support_groups", "support_n_eff", "noise_kind", "noise",
    "noise_realised", "seeds", "n_train_groups", "n_test", "n_groups", "n_eff", "icc", "balanced_accuracy", "ci_low", "ci_high",
    "ci_method", "ci_these_low", "ci_these_high", "spread", "p_chance", "rank_low", "rank_high", "p_best", "p_near",
    "held_out_best", "macro_f1", "mcc", "auroc", "log_loss", "brier", "delta_trivial", "delta_low", "delta_high",
    "dim", "ms_per_image",
)  # fmt: skip
# Split rules under which a tested group is learned from in other folds.
IN_TURN = ("folds", "leave-one-group-out", "leave-one-source-out")


@dataclass(frozen=True)
class EncoderFacts:
    """What the leaderboard says of an encoder."""

    family: str
    dim: int
    trivial: bool
    ms_per_image: float


@dataclass(frozen=True)
class RunFacts:
    """What holds for every row of a run."""

    dataset: str
    instances: str
    tier: str
    tier_reason: str
    split_rule: str
    split_reason: str
    draw: str
    classes: tuple[str, ...]
    encoders: Mapping[str, EncoderFacts]
    warnings: tuple[str, ...] = ()
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of the zero-shot rows
    noise: Mapping[str, str] = field(default_factory=dict)  # kind -> how labels go wrong


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard of one run, why some of its fields are empty, and what to know first (see `flags`).

    pairs: see `bench.report.pairs`, of the cleanest labels; no_pairs: the reason where there are none.
    """

    table: pd.DataFrame
    empty: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    pairs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PAIRS))
    no_pairs: str = ""


def build_leaderboard(
    run: Path, units: Sequence[Unit], table: pd.DataFrame, plan: SplitPlan, facts: RunFacts
) -> Leaderboard:
    """Score every unit of a run and compare those that share shots and noise. Clean labels are of no kind of noise.

    table: instances; plan: their splits. Raises BenchError for a missing unit.
    """
    test = _TestSide.of(table, plan, facts)
    tested = test.tested
    rows: list[dict[str, object]] = []
    pairs: list[pd.DataFrame] = []
    for level in dict.fromkeys((unit.series, unit.shots, unit.noise_kind) for unit in units):
        block = [unit for unit in units if (unit.series, unit.shots, unit.noise_kind) == level]
        fits, answers = _score(run, block, test, facts)
        for r, rate in enumerate(block[0].rates):
            compared = compare(answers[r])
            rows += _rows(block, fits[fits["noise"] == rate], rate, compared, test, facts)
            if (level[0], level[2], rate) == _cleanest(units) and compared.spread is not None and compared.comparison:
                own = [block[m] for m in compared.ranked]
                pairs.append(pairs_with_best(own, compared.spread, compared.comparison, rate))
    board = pd.DataFrame(rows, columns=list(COLUMNS))
    board = best_first(board).sort_values(["series", "shots", "noise", "noise_kind"], kind="stable")
    trivial = {name for name, known in facts.encoders.items() if known.trivial}
    raised = flags(board, trivial, 1 / len(facts.classes)) | few_training_groups(table, plan, facts.classes)
    pairs = [one for one in pairs if len(one)]
    return Leaderboard(
        board.reset_index(drop=True), _empty_reasons(board, facts), raised,
        pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame(columns=PAIRS), _no_pairs(tested, facts),
    )  # fmt: skip


def _cleanest(units: Sequence[Unit]) -> tuple[str, str, float]:
    """Return the series, kind of noise and rate of the level whose methods are compared pair by pair."""
    labelled = [unit for unit in units if unit.shots] or list(units)
    series = "balanced" if any(unit.series == "balanced" for unit in labelled) else "budget"
    rate, kind = min((min(unit.rates), i) for i, unit in enumerate(labelled) if unit.series == series)
    return series, labelled[kind].noise_kind, rate


def _no_pairs(tested: Tested, facts: RunFacts) -> str:
    if facts.split_rule == RANDOM:
        return "items were split at random, and nothing is compared"
    fewest = min(len(np.unique(tested.group[tested.y == k])) for k in np.unique(tested.y))
    return f"a class has {fewest} test groups, and the comparison needs {RANK_FROM}" if fewest < RANK_FROM else ""


FEW_TRAINING = 6  # training groups of a class; with fewer, a score hangs on which ones they are


def few_training_groups(table: pd.DataFrame, plan: SplitPlan, classes: Sequence[str]) -> dict[str, str]:
    """Return flag -> sentence where a class has few groups to learn from in some split."""
    label, group = table["label"].to_numpy(str), table["group"].to_numpy(str)
    counts = [
        (len(np.unique(group[split.train][label[split.train] == name])), name)
        for repeat in plan.repeats for split in repeat for name in classes
    ]  # fmt: skip
    count, name = min(counts)
    if count >= FEW_TRAINING:
        return {}
    return {
        "few-training-groups": f"**Few slides to learn from**: class '{name}' has {count} training "
        f"group{'s' * (count != 1)}. Other slides in their place would give another score; the intervals allow for "
        "that, as far as so few can tell"
    }


@dataclass(frozen=True)
class _TestSide:
    """What all units of a run are tested on, and where they learn from. y, group: of the table's rows."""

    tested: Tested
    plan: SplitPlan
    rows: np.ndarray
    y: np.ndarray
    group: np.ndarray
    n_train_groups: float

    @classmethod
    def of(cls, table: pd.DataFrame, plan: SplitPlan, facts: RunFacts) -> _TestSide:
        rows, group = plan.test_rows(), table["group"].to_numpy(str)
        counts = [len(np.unique(group[split.train])) for repeat in plan.repeats for split in repeat]
        return cls(
            tested_items(table, rows, facts.classes), plan, rows, class_codes(table, facts.classes), group,
            float(np.mean(counts)),
        )  # fmt: skip

    def learned(self, predictions: Predictions, facts: RunFacts) -> Learned | None:
        """Return what a unit's draws learned from, None where it learned nothing or nothing is compared."""
        if predictions.support is None or facts.split_rule == RANDOM:
            return None
        groups = np.unique(self.tested.group)
        return learned_from(predictions.support, self.y, self.group, self.plan, groups, facts.split_rule in IN_TURN)



def _score(
    run: Path, block: Sequence[Unit], test: _TestSide, facts: RunFacts
) -> tuple[pd.DataFrame, list[Answers]]:
    """Return the ledger's rows of units that share shots and kind of noise, and their answers at every rate."""
    tested, learned = test.tested, None
    fits: list[pd.DataFrame] = []
    rho: list[list[float]] = [[] for _ in block[0].rates]
    right: list[list[np.ndarray]] = [[] for _ in block[0].rates]
    shares: list[list[np.ndarray]] = [[] for _ in block[0].rates]
    total = np.zeros(0)
    for unit in block:
        predictions = read_unit(run, unit)
        if predictions is None:
            raise BenchError(
                f"Predictions of {unit.encoder} x {unit.head} at {unit.shots} shots are missing or "
                f"unreadable in {run}. Run the same `bench run` again: it makes what is missing."
            )
        rows = read_part(run, unit)
        fits.append(write_part(run, unit, predictions, tested, facts.classes) if rows is None else rows)
        learned = learned or test.learned(predictions, facts)  # the draws of a level are the same for all units
        P = tested.pool(predictions.P)
        for r in range(len(unit.rates)):
            rho[r].append(alike(predictions.P[:, r], test.y[test.rows], test.group[test.rows]))
            counted, total = count_hits(P[:, r], tested.y, tested.group)
            right[r].append(counted)
            shares[r].append(share_of_answers(P[:, r]))
    compared = np.array([unit.selection != "oracle" and facts.split_rule != RANDOM for unit in block])
    trivial = np.array([facts.encoders[unit.encoder].trivial for unit in block])
    in_turn = facts.split_rule in IN_TURN
    answers = [
        Answers(
            Hits(np.stack(counted), total), np.stack(taken), tested.y, tested.group, compared, trivial, in_turn,
            learned, np.array(own),
        )
        for counted, taken, own in zip(right, shares, rho, strict=True)
    ]
    return pd.concat(fits, ignore_index=True), answers


def _rows(
    block: Sequence[Unit], fits: pd.DataFrame, rate: float, compared: Compared, test: _TestSide, facts: RunFacts
) -> list[dict[str, object]]:
    """Return the rows of all methods at one shot level and noise rate."""
    rows: list[dict[str, object]] = []
    tested = test.tested
    n_groups = len(np.unique(tested.group))
    for unit, found in zip(block, compared.rows.to_dict("records"), strict=True):
        own = fits[fits["unit"] == unit.name]
        known = facts.encoders[unit.encoder]
        items, groups = unit.labels(len(facts.classes)), own["support_groups"].mean()
        row: dict[str, object] = {
            "dataset": facts.dataset, "encoder": unit.encoder, "family": known.family, "head": unit.head,
            "selection": unit.selection, "instances": facts.instances, "level": tested.level,
            "draw": facts.draw if unit.shots else "none", "split": facts.split_rule, "series": unit.series,
            "shots": unit.shots, "shot_unit": unit.shot_unit if unit.shots else "none",
            "scale_by": unit.scale_by if unit.shots else "none",
            "support_items": items, "support_groups": groups,
            "support_n_eff": items / (1 + max(items / groups - 1, 0) * found["icc"]) if items else np.nan,
            "noise_kind": unit.noise_kind if rate else "none", "noise": rate,
            "noise_realised": own["noise_realised"].mean(),
            "seeds": unit.seeds, "n_train_groups": test.n_train_groups if unit.shots else 0,
            "n_test": len(tested.y), "n_groups": n_groups,
            "spread": own["balanced_accuracy"].std() if len(own) > 1 else np.nan,
            "dim": known.dim, "ms_per_image": known.ms_per_image,
        }  # fmt: skip
        rows.append(
            row | {str(name): value for name, value in found.items()} | {name: own[name].mean() for name in METRICS}
        )
    return rows


def _empty_reasons(board: pd.DataFrame, facts: RunFacts) -> dict[str, str]:
    reasons = {}
    oracle = board["selection"] == "oracle"
    if oracle.any():
        reasons["p_chance, rank_low, rank_high, p_best, p_near, delta_trivial"] = (
            "oracle rows saw the test labels and are compared with nothing"
        )
    if facts.split_rule == RANDOM:
        reasons["p_chance, rank_low, rank_high, p_best, p_near, held_out_best, delta_trivial"] = (
            "items were split at random: a diagnostic, of which nothing is compared"
        )
    elif (~oracle).any() and board.loc[~oracle, "rank_low"].isna().all():
        reasons["rank_low, rank_high, p_best, p_near, held_out_best"] = (
            f"a class has fewer than {RANK_FROM} test groups: methods are not ranked on so little"
        )
    if not any(known.trivial for known in facts.encoders.values()):
        reasons["delta_trivial"] = "no descriptor or control took part; add e.g. --encoder color-stats"
    elif any(known.trivial for known in facts.encoders.values()):
        reasons["delta_trivial"] = "empty for descriptors and controls themselves: they are what it is measured against"
        if not board["shots"].all():
            reasons["delta_trivial"] += "; and at 0 labels unless a control has a text tower"
    if board["icc"].isna().all():
        reasons["icc"] = "no group holds two items of a class; `n_eff` is their number"
    if board["ms_per_image"].isna().any():
        reasons["ms_per_image"] = "the embeddings came from elsewhere and their cost was not measured here"
    if (board["seeds"] == 1).any():
        reasons["spread"] = "one draw has no spread between draws"
    return reasons

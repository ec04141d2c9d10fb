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

from bench.errors import BenchError
from bench.ledger import Tested, Unit, read_part, read_unit, tested_items, write_part
from bench.metrics import METRICS
from bench.sources import RANDOM
from bench.statistics import (
    BOOTSTRAP_FROM,
    Hits,
    count_hits,
    few_groups_interval,
    percentile_interval,
    rank_intervals,
    two_way_bootstrap,
)

COLUMNS = (
    "dataset", "encoder", "family", "head", "selection", "instances", "level", "draw", "split", "series", "shots",
    "support_groups", "noise_kind", "noise", "noise_realised", "seeds", "n_test", "n_groups",
    "balanced_accuracy", "ci_low", "ci_high", "ci_method", "spread", "rank_low", "rank_high",
    "macro_f1", "mcc", "auroc", "log_loss", "brier", "delta_trivial", "dim", "ms_per_image",
)  # fmt: skip


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
    """The leaderboard of one run and why some of its fields are empty."""

    table: pd.DataFrame
    empty: Mapping[str, str] = field(default_factory=dict)


def build_leaderboard(
    run: Path, units: Sequence[Unit], table: pd.DataFrame, test_rows: np.ndarray, facts: RunFacts
) -> Leaderboard:
    """Score every unit of a run and compare those that share shots and noise. Clean labels are of no kind of noise.

    table: instances; test_rows: the tested positions in it. Raises BenchError for a missing unit.
    """
    tested = tested_items(table, test_rows, facts.classes)
    rows: list[dict[str, object]] = []
    for level in dict.fromkeys((unit.series, unit.shots, unit.noise_kind) for unit in units):
        block = [unit for unit in units if (unit.series, unit.shots, unit.noise_kind) == level]
        fits, hits = _score(run, block, tested, facts.classes)
        for r, rate in enumerate(block[0].rates):
            rows += _compare(block, fits[fits["noise"] == rate], rate, hits[r], tested, facts)
    board = pd.DataFrame(rows, columns=list(COLUMNS))
    board = best_first(board).sort_values(["series", "shots", "noise", "noise_kind"], kind="stable")
    return Leaderboard(board.reset_index(drop=True), _empty_reasons(board, facts, tested))


def best_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a leaderboard sorted by balanced accuracy, those of the oracle after all others."""
    order = pd.DataFrame({"oracle": rows["selection"] == "oracle", "score": -rows["balanced_accuracy"]})
    return rows.loc[order.sort_values(["oracle", "score"], kind="stable").index]


def main_series(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with as many labels of every class, or those of a budget where there are no others."""
    balanced = rows["series"] != "budget"
    return rows[balanced] if (balanced & (rows["shots"] > 0)).any() else rows


def cleanest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a leaderboard at its lowest noise rate; where that is not 0, of one kind of noise."""
    least = rows[rows["noise"] == rows["noise"].min()]
    return least[least["noise"].eq(0) | least["noise_kind"].eq(least["noise_kind"].min())]


def _score(run: Path, block: Sequence[Unit], tested: Tested, classes: Sequence[str]) -> tuple[pd.DataFrame, list[Hits]]:
    fits: list[pd.DataFrame] = []
    right: list[list[np.ndarray]] = [[] for _ in block[0].rates]
    total = np.zeros(0)
    for unit in block:
        predictions = read_unit(run, unit)
        if predictions is None:
            raise BenchError(
                f"Predictions of {unit.encoder} x {unit.head} at {unit.shots} shots are missing or "
                f"unreadable in {run}. Run the same `bench run` again: it makes what is missing."
            )
        rows = read_part(run, unit)
        fits.append(write_part(run, unit, predictions, tested, classes) if rows is None else rows)
        P = tested.pool(predictions.P)
        for r in range(len(unit.rates)):
            counted, total = count_hits(P[:, r], tested.y, tested.group)
            right[r].append(counted)
    return pd.concat(fits, ignore_index=True), [Hits(np.stack(counted), total) for counted in right]


def _compare(
    block: Sequence[Unit], fits: pd.DataFrame, rate: float, hits: Hits, tested: Tested, facts: RunFacts
) -> list[dict[str, object]]:
    """Return the rows of all methods at one shot level and noise rate."""
    n_groups = len(np.unique(tested.group))
    groups_of = np.array([len(np.unique(tested.group[tested.y == k])) for k in range(len(facts.classes))])
    present = groups_of > 0
    exact = groups_of[present].min() < BOOTSTRAP_FROM
    if exact:
        recall_columns = [f"recall:{name}" for name, there in zip(facts.classes, present, strict=True) if there]
    else:
        samples = two_way_bootstrap(hits)
        lows, highs = percentile_interval(samples)
        ranked = [m for m, unit in enumerate(block) if unit.selection != "oracle" and facts.split_rule != RANDOM]
        ranks = dict(zip(ranked, zip(*rank_intervals(samples[ranked]), strict=True), strict=True)) if ranked else {}
    rows: list[dict[str, object]] = []
    for m, unit in enumerate(block):
        own = fits[fits["unit"] == unit.name]
        known = facts.encoders[unit.encoder]
        if exact:
            low, high = few_groups_interval(own[recall_columns].mean().to_numpy(), groups_of[present])
        else:
            low, high = float(lows[m]), float(highs[m])
        rank = (np.nan, np.nan) if exact or m not in ranks else ranks[m]
        row: dict[str, object] = {
            "dataset": facts.dataset, "encoder": unit.encoder, "family": known.family, "head": unit.head,
            "selection": unit.selection, "instances": facts.instances, "level": tested.level,
            "draw": facts.draw if unit.shots else "none", "split": facts.split_rule, "series": unit.series,
            "shots": unit.shots,
            "support_groups": own["support_groups"].mean(),
            "noise_kind": unit.noise_kind if rate else "none", "noise": rate,
            "noise_realised": own["noise_realised"].mean(),
            "seeds": unit.seeds, "n_test": len(tested.y), "n_groups": n_groups,
            "ci_low": low, "ci_high": high, "ci_method": "exact-mover" if exact else "two-way-bootstrap",
            "spread": own["balanced_accuracy"].std() if len(own) > 1 else np.nan,
            "rank_low": rank[0], "rank_high": rank[1],
            "dim": known.dim, "ms_per_image": known.ms_per_image,
        }  # fmt: skip
        row |= {name: own[name].mean() for name in METRICS}
        rows.append(row)
    trivial = [row for row in rows if facts.encoders[str(row["encoder"])].trivial and row["selection"] != "oracle"]
    best = max((float(row["balanced_accuracy"]) for row in trivial), default=np.nan)  # type: ignore[arg-type]
    for row in rows:
        learned = not facts.encoders[str(row["encoder"])].trivial and row["selection"] != "oracle"
        row["delta_trivial"] = float(row["balanced_accuracy"]) - best if learned else np.nan  # type: ignore[arg-type]
    return rows


def _empty_reasons(board: pd.DataFrame, facts: RunFacts, tested: Tested) -> dict[str, str]:
    reasons = {}
    oracle = board["selection"] == "oracle"
    if oracle.any():
        reasons["rank_low, rank_high, delta_trivial"] = "oracle rows saw the test labels and are compared with nothing"
    if facts.split_rule == RANDOM:
        reasons["rank_low, rank_high"] = "items were split at random: a diagnostic, of which nothing is ranked"
    elif (~oracle).any() and board.loc[~oracle, "rank_low"].isna().all():
        reasons["rank_low, rank_high"] = (
            f"a class has fewer than {BOOTSTRAP_FROM} test groups: methods are not ranked on so little"
        )
    if not any(known.trivial for known in facts.encoders.values()):
        reasons["delta_trivial"] = "no descriptor or control took part; add e.g. --encoder color-stats"
    elif any(known.trivial for known in facts.encoders.values()):
        reasons["delta_trivial"] = "empty for descriptors and controls themselves: they are what it is measured against"
        if not board["shots"].all():
            reasons["delta_trivial"] += "; and at 0 labels unless a control has a text tower"
    if board["ms_per_image"].isna().any():
        reasons["ms_per_image"] = "the embeddings came from elsewhere and their cost was not measured here"
    if (board["seeds"] == 1).any():
        reasons["spread"] = "one draw has no spread between draws"
    return reasons

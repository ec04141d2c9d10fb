"""From stored predictions to the leaderboard: a table, and Markdown that a person can read.

A pure function of the run's units, the instance table and a few facts about the encoders: nothing is
refitted. One row per encoder x head x selection x shots x noise; rows of the oracle and diagnostics take part in no
comparison.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.protocol.splits import SplitPlan
from bench.report.pages.flags import flags
from bench.report.tables.diagnostics import lost_by
from bench.report.tables.empty import empty_reasons, no_pairs
from bench.report.tables.fits import predictions_of, rows_of
from bench.report.tables.pairs import COLUMNS as PAIRS
from bench.report.tables.pairs import pairs_with_best
from bench.report.tables.resamples import Resamples, resample_rows
from bench.report.tables.rows import ROLE_DIAGNOSTIC, best_first
from bench.report.tables.sides import DRAWS_ALIKE, Sides, few_training_groups
from bench.runs.blocks import FitBlock
from bench.runs.facts import IN_TURN, RunFacts
from bench.statistics.chance import share_of_answers
from bench.statistics.comparison import Comparison, compare
from bench.statistics.hits import Hits, count_hits
from bench.statistics.learning import alike, margins
from bench.statistics.metrics import METRICS

COLUMNS = (
    "dataset", "encoder", "family", "role", "head", "selection", "chosen_by", "instances", "level", "draw", "split",
    "series", "shots", "shot_unit", "scale_by", "support_items", "support_groups", "support_n_eff", "noise_kind",
    "noise", "noise_realised", "seeds", "n_train_groups", "n_test", "n_groups", "n_eff", "icc", "balanced_accuracy",
    "ci_low", "ci_high", "ci_method", "ci_these_low", "ci_these_high", "spread", "p_chance", "p_chance_best",
    "p_chance_least", "rank_low", "rank_high", "p_best", "p_near", "held_out_best", "macro_f1", "mcc", "auroc",
    "log_loss", "brier", "delta_trivial", "delta_low", "delta_high", "diagnostic", "intact", "lost", "lost_low",
    "lost_high", "dim", "ms_per_image",
)  # fmt: skip


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard of one run, why some of its fields are empty, and what to know first (see `flags`).

    pairs: see `bench.report.tables.pairs`, of the cleanest labels; no_pairs: the reason where there are none.
    resamples: see `bench.report.tables.resamples`.
    """

    table: pd.DataFrame
    empty: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    pairs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PAIRS))
    no_pairs: str = ""
    resamples: Resamples = field(default_factory=dict)


def build_leaderboard(
    run: Path, units: Sequence[FitBlock], table: pd.DataFrame, plan: SplitPlan, facts: RunFacts
) -> Leaderboard:
    """Score every unit of a run and compare those that share shots and noise. Clean labels are of no kind of noise.

    table: instances; plan: their splits. Raises BenchError for a missing unit.
    """
    sides = Sides.of(table, plan, facts)
    rows: list[dict[str, object]] = []
    pairs: list[pd.DataFrame] = []
    blind = False
    resamples: dict[tuple[Hashable, ...], np.ndarray] = {}
    has_curves = len({(unit.shots, rate) for unit in units for rate in unit.rates}) > 1
    for level in dict.fromkeys((unit.series, unit.shots, unit.noise_kind) for unit in units):
        block = [unit for unit in units if (unit.series, unit.shots, unit.noise_kind) == level]
        fits, answers = _score(run, block, sides, facts)
        blind = blind or any(one.learned is not None and not one.learned.tells_apart for one in answers)
        for r, rate in enumerate(block[0].rates):
            compared = compare(answers[r])
            if has_curves:
                resamples |= resample_rows(block, rate, answers[r].hits, compared.spread)
            lost = lost_by(answers[r].hits, compared.spread, _intact(block, facts))
            found = compared.rows.join(lost)
            rows += _rows(block, fits[fits["noise"] == rate], rate, found, sides, facts)
            if (level[0], level[2], rate) == _cleanest(units) and compared.comparison:
                own = [block[m] for m in compared.ranked]
                pairs.append(pairs_with_best(own, compared.among, compared.comparison, rate))
    board = pd.DataFrame(rows, columns=list(COLUMNS))
    board = best_first(board).sort_values(["series", "shots", "noise", "noise_kind"], kind="stable")
    trivial = {name for name, known in facts.encoders.items() if known.trivial}
    raised = flags(board, trivial, 1 / len(facts.classes)) | few_training_groups(table, plan, facts.classes)
    raised |= {"training-as-it-is": DRAWS_ALIKE} if blind else {}
    pairs = [one for one in pairs if len(one)]
    return Leaderboard(
        board.reset_index(drop=True), empty_reasons(board, facts), raised,
        pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame(columns=PAIRS), no_pairs(sides.tested, facts),
        resamples,
    )  # fmt: skip


def _cleanest(units: Sequence[FitBlock]) -> tuple[str, str, float]:
    """Return the series, kind of noise and rate of the level whose methods are compared pair by pair."""
    labelled = [unit for unit in units if unit.shots] or list(units)
    series = "balanced" if any(unit.series == "balanced" for unit in labelled) else "budget"
    rate, kind = min((min(unit.rates), i) for i, unit in enumerate(labelled) if unit.series == series)
    return series, labelled[kind].noise_kind, rate


def _score(
    run: Path, block: Sequence[FitBlock], sides: Sides, facts: RunFacts
) -> tuple[pd.DataFrame, list[Comparison]]:
    """Return the ledger's rows of units that share shots and kind of noise, and their answers at every rate."""
    tested, learned, y = sides.tested, None, sides.y[sides.rows]
    fits: list[pd.DataFrame] = []
    rho: list[list[float]] = [[] for _ in block[0].rates]
    right: list[list[np.ndarray]] = [[] for _ in block[0].rates]
    shares: list[list[np.ndarray]] = [[] for _ in block[0].rates]
    total = np.zeros(0)
    for unit in block:
        predictions = predictions_of(run, unit)
        fits.append(rows_of(run, unit, predictions, tested, facts.classes))
        learned = learned or sides.learned(predictions, facts)  # the draws of a level are the same for all units
        P = tested.pool(predictions.P)
        for r in range(len(unit.rates)):
            rho[r].append(alike(margins(predictions.P[:, r], y), y, sides.group[sides.rows]))
            counted, total = count_hits(P[:, r], tested.y, tested.group)
            right[r].append(counted)
            shares[r].append(share_of_answers(P[:, r]))
    real = np.array([unit.selection != "oracle" and not facts.diagnostic for unit in block])
    compared = real & [facts.role(unit.encoder) != ROLE_DIAGNOSTIC for unit in block]
    trivial = real & [facts.encoders[unit.encoder].trivial for unit in block]
    in_turn = facts.split_rule in IN_TURN and learned is not None  # without labels nothing is learned from
    answers = [
        Comparison(
            Hits(np.stack(counted), total),
            np.stack(taken),
            tested.y,
            tested.group,
            compared,
            trivial,
            in_turn,
            learned,
            np.array(own),
        )
        for counted, taken, own in zip(right, shares, rho, strict=True)
    ]
    return pd.concat(fits, ignore_index=True), answers


def _rows(
    block: Sequence[FitBlock], fits: pd.DataFrame, rate: float, found: pd.DataFrame, sides: Sides, facts: RunFacts
) -> list[dict[str, object]]:
    """Return the rows of all methods at one shot level and noise rate."""
    rows: list[dict[str, object]] = []
    tested = sides.tested
    n_groups = len(np.unique(tested.group))
    for unit, known_of in zip(block, found.to_dict("records"), strict=True):
        own = fits[fits["unit"] == unit.name]
        known = facts.encoders[unit.encoder]
        items, groups = unit.labels(len(facts.classes)), own["support_groups"].mean()
        row: dict[str, object] = {
            "dataset": facts.dataset, "encoder": unit.encoder, "family": known.family,
            "role": facts.role(unit.encoder), "head": unit.head,
            "selection": unit.selection, "chosen_by": unit.chosen_by, "instances": facts.instances,
            "level": tested.level,
            "draw": facts.draw if unit.shots else "none", "split": facts.split_rule, "series": unit.series,
            "shots": unit.shots, "shot_unit": unit.shot_unit if unit.shots else "none",
            "scale_by": unit.scale_by if unit.shots else "none",
            "support_items": items, "support_groups": groups,
            "support_n_eff": items / (1 + max(items / groups - 1, 0) * known_of["icc"]) if items else np.nan,
            "noise_kind": unit.noise_kind if rate else "none", "noise": rate,
            "noise_realised": own["noise_realised"].mean(),
            "seeds": unit.draws, "n_train_groups": sides.n_train_groups if unit.shots else 0,
            "n_test": len(tested.y), "n_groups": n_groups,
            "spread": own["balanced_accuracy"].std() if len(own) > 1 else np.nan,
            "diagnostic": known.diagnostic, "intact": known.intact, "dim": known.dim,
            "ms_per_image": known.ms_per_image,
        }  # fmt: skip
        rows.append(
            row | {str(name): value for name, value in known_of.items()} | {name: own[name].mean() for name in METRICS}
        )
    return rows


def _intact(block: Sequence[FitBlock], facts: RunFacts) -> list[int | None]:
    """Return the position of each unit's intact twin in the block: same head, same selection; None without one."""
    at = {(unit.encoder, unit.head, unit.selection): i for i, unit in enumerate(block)}
    return [at.get((facts.encoders[unit.encoder].intact, unit.head, unit.selection)) for unit in block]

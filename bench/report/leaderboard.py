"""From stored predictions to the leaderboard: a table, and Markdown that a person can read.

A pure function of the run's units, the instance table and a few facts about the encoders: nothing is
refitted. One row per encoder x head x selection x shots x noise; 'oracle' rows take part in no comparison.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.blank import diagnostic_of
from bench.draws.sources import DIAGNOSTIC, RANDOM
from bench.errors import BenchError
from bench.fitting.ledger import Tested, Unit, read_part, read_unit, tested_items, write_part
from bench.fitting.metrics import METRICS
from bench.report.chance import share_of_answers
from bench.report.compare import Answers, compare
from bench.report.diagnostics import lost_by
from bench.report.flags import flags
from bench.report.intervals import T_FROM
from bench.report.resamples import Resamples, resample_rows
from bench.report.rows import ROLE_DIAGNOSTIC, best_first
from bench.report.statistics import Hits, count_hits

COLUMNS = (
    "dataset", "encoder", "family", "role", "head", "selection", "instances", "level", "draw", "split", "series",
    "shots", "shot_unit", "support_items", "support_groups", "support_n_eff", "noise_kind", "noise", "noise_realised",
    "seeds", "n_test", "n_groups", "n_eff", "icc", "balanced_accuracy", "ci_low", "ci_high", "ci_method", "spread",
    "p_chance", "p_chance_best", "p_chance_least", "rank_low", "rank_high", "p_best", "held_out_best", "macro_f1",
    "mcc", "auroc", "log_loss", "brier", "delta_trivial", "delta_low", "delta_high", "diagnostic", "intact", "lost",
    "lost_low", "lost_high", "dim", "ms_per_image",
)  # fmt: skip
# Split rules under which a tested group is learned from in other folds.
IN_TURN = ("folds", "leave-one-group-out", "leave-one-source-out")


@dataclass(frozen=True)
class EncoderFacts:
    """What the leaderboard says of an encoder.

    trivial: whether it is a baseline, which every encoder has to beat. diagnostic: why its scores are diagnostics, ""
    where they are results; intact: the encoder from which something was taken away, "" where nothing was.
    """

    family: str
    dim: int
    trivial: bool
    ms_per_image: float
    diagnostic: str = ""
    intact: str = ""


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

    @property
    def diagnostic(self) -> str:
        """Why the whole run is a diagnostic, of which nothing is compared; "" where it is none."""
        return DIAGNOSTIC if self.split_rule == RANDOM else diagnostic_of(self.instances)

    def role(self, encoder: str) -> str:
        """Return what the rows of an encoder are: "encoder", "baseline" or "diagnostic"."""
        known = self.encoders[encoder]
        if self.diagnostic or known.diagnostic:
            return ROLE_DIAGNOSTIC
        return "baseline" if known.trivial else "encoder"


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard of one run, why some of its fields are empty, and what to know first (see `flags`)."""

    table: pd.DataFrame
    empty: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    resamples: Resamples = field(default_factory=dict)


def build_leaderboard(
    run: Path, units: Sequence[Unit], table: pd.DataFrame, test_rows: np.ndarray, facts: RunFacts
) -> Leaderboard:
    """Score every unit of a run and compare those that share shots and noise. Clean labels are of no kind of noise.

    table: instances; test_rows: the tested positions in it. Raises BenchError for a missing unit.
    """
    tested = tested_items(table, test_rows, facts.classes)
    rows: list[dict[str, object]] = []
    resamples: dict[tuple[Hashable, ...], np.ndarray] = {}
    has_curves = len({(unit.shots, rate) for unit in units for rate in unit.rates}) > 1
    for level in dict.fromkeys((unit.series, unit.shots, unit.noise_kind) for unit in units):
        block = [unit for unit in units if (unit.series, unit.shots, unit.noise_kind) == level]
        fits, answers = _score(run, block, tested, facts)
        for r, rate in enumerate(block[0].rates):
            rows += _rows(block, fits[fits["noise"] == rate], rate, answers[r], tested, facts)
            resamples |= resample_rows(block, rate, answers[r].hits) if has_curves else {}
    board = pd.DataFrame(rows, columns=list(COLUMNS))
    board = best_first(board).sort_values(["series", "shots", "noise", "noise_kind"], kind="stable")
    trivial = {name for name, known in facts.encoders.items() if known.trivial}
    raised = flags(board, trivial, 1 / len(facts.classes))
    return Leaderboard(board.reset_index(drop=True), _empty_reasons(board, facts), raised, resamples)




def _score(run: Path, block: Sequence[Unit], tested: Tested, facts: RunFacts) -> tuple[pd.DataFrame, list[Answers]]:
    """Return the ledger's rows of units that share shots and kind of noise, and their answers at every rate."""
    fits: list[pd.DataFrame] = []
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
        P = tested.pool(predictions.P)
        for r in range(len(unit.rates)):
            counted, total = count_hits(P[:, r], tested.y, tested.group)
            right[r].append(counted)
            shares[r].append(share_of_answers(P[:, r]))
    real = np.array([unit.selection != "oracle" and not facts.diagnostic for unit in block])
    compared = real & [facts.role(unit.encoder) != ROLE_DIAGNOSTIC for unit in block]
    trivial = real & [facts.encoders[unit.encoder].trivial for unit in block]
    in_turn = facts.split_rule in IN_TURN
    answers = [
        Answers(Hits(np.stack(counted), total), np.stack(taken), tested.y, tested.group, compared, trivial, in_turn)
        for counted, taken in zip(right, shares, strict=True)
    ]
    return pd.concat(fits, ignore_index=True), answers


def _rows(
    block: Sequence[Unit], fits: pd.DataFrame, rate: float, answers: Answers, tested: Tested, facts: RunFacts
) -> list[dict[str, object]]:
    """Return the rows of all methods at one shot level and noise rate."""
    rows: list[dict[str, object]] = []
    n_groups = len(np.unique(tested.group))
    compared = compare(answers).join(lost_by(answers, _intact(block, facts)))
    for unit, found in zip(block, compared.to_dict("records"), strict=True):
        own = fits[fits["unit"] == unit.name]
        known = facts.encoders[unit.encoder]
        items, groups = unit.labels(len(facts.classes)), own["support_groups"].mean()
        row: dict[str, object] = {
            "dataset": facts.dataset, "encoder": unit.encoder, "family": known.family,
            "role": facts.role(unit.encoder), "head": unit.head,
            "selection": unit.selection, "instances": facts.instances, "level": tested.level,
            "draw": facts.draw if unit.shots else "none", "split": facts.split_rule, "series": unit.series,
            "shots": unit.shots, "shot_unit": unit.shot_unit if unit.shots else "none",
            "support_items": items, "support_groups": groups,
            "support_n_eff": items / (1 + max(items / groups - 1, 0) * found["icc"]) if items else np.nan,
            "noise_kind": unit.noise_kind if rate else "none", "noise": rate,
            "noise_realised": own["noise_realised"].mean(),
            "seeds": unit.seeds, "n_test": len(tested.y), "n_groups": n_groups,
            "spread": own["balanced_accuracy"].std() if len(own) > 1 else np.nan,
            "diagnostic": known.diagnostic, "intact": known.intact, "dim": known.dim,
            "ms_per_image": known.ms_per_image,
        }  # fmt: skip
        rows.append(
            row | {str(name): value for name, value in found.items()} | {name: own[name].mean() for name in METRICS}
        )
    return rows


def _intact(block: Sequence[Unit], facts: RunFacts) -> list[int | None]:
    """Return the position of each unit's intact twin in the block: same head, same selection; None without one."""
    at = {(unit.encoder, unit.head, unit.selection): i for i, unit in enumerate(block)}
    return [at.get((facts.encoders[unit.encoder].intact, unit.head, unit.selection)) for unit in block]


def _empty_reasons(board: pd.DataFrame, facts: RunFacts) -> dict[str, str]:
    reasons = {}
    oracle = board["selection"] == "oracle"
    if oracle.any():
        reasons["p_chance, rank_low, rank_high, p_best, delta_trivial"] = (
            "oracle rows saw the test labels and are compared with nothing"
        )
    diagnostic = board["role"] == ROLE_DIAGNOSTIC
    if facts.diagnostic:
        reasons["p_chance, rank_low, rank_high, p_best, held_out_best, delta_trivial"] = (
            "the whole run is a diagnostic, of which nothing is compared"
        )
    elif diagnostic.any():
        reasons["p_chance, rank_low, rank_high, p_best, held_out_best"] = (
            "diagnostics are ranked with nothing and change no rank or p of other rows"
        )
    if not facts.diagnostic and not (oracle | diagnostic).all() and board["rank_low"].isna().all():
        reasons["rank_low, rank_high, p_best, held_out_best"] = (
            f"a class has fewer than {T_FROM} test groups: methods are not ranked on so little"
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

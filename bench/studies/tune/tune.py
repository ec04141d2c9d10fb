"""Tune one head on one half of the groups, and tell on the other half what it was worth.

    prepare -> embed -> split_halves -> run_study (tuning half) -> published against tuned (evaluation half)

No group, so no label, is in both halves. Writes <out>/tune/<name>/{study.journal, trials.csv, importance.csv,
tuned.json, tuned_on.csv, report.md} and, where asked for, history.png and importance.png: all but the journal at once.
The setting goes on to `bench run --params tuned.json`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.data.content import data_name
from bench.embeddings.embed import DataSpec, OnProgress, embed, prepare
from bench.errors import BenchError
from bench.fitting.tuned import tuned_files
from bench.fitting.views import Embedded
from bench.heads import Head, Params, all_heads, get_heads
from bench.protocol.level import default_draws
from bench.protocol.protocol import SCALE_BY
from bench.protocol.split_kinds import IN_TURN
from bench.protocol.splits import SplitPlan, plan_splits
from bench.protocol.supports import Draws, draw_supports
from bench.protocol.tune_eval_split import split_tune_eval
from bench.report.pages.page import page_bytes
from bench.runs.tested import scored_items
from bench.seeds import content_name
from bench.statistics.hits import Hits, count_hits
from bench.statistics.intervals import differences, few_groups, score_intervals
from bench.statistics.learning import alike, learned_from, margins
from bench.statistics.metrics import balanced_accuracy, log_loss
from bench.statistics.spread import spread_of
from bench.storage.folder_name import check_folder_name
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.tune.figures import FIGURES, figures
from bench.studies.tune.half import Half
from bench.studies.tune.page import study_page
from bench.studies.tune.results import SettingScore, Tuned, TuneRequest
from bench.studies.tune.study import Task, best_trial, importance, read_trials, run_study
from bench.work.calls import Engine
from bench.work.local import LOCAL
from encoders import resolve

VERSION = 2  # raised when the same description would give other numbers


def tune(
    source: DataSpec,
    aim: TuneRequest,
    *,
    out: Path | str = "results",
    name: str | None = None,
    device: str = "auto",
    workers: int = 1,
    plots: bool = False,
    engine: Engine = LOCAL,
    on_progress: OnProgress | None = None,
) -> Tuned:
    """Search the space of a head until its study has `aim.trials` trials; the same call goes on where it stopped.

    Raises BenchError for a head without a space, for data whose groups do not suffice for two halves, and for a
    `name` under which something else was tuned; EncoderError for an unknown encoder.
    """
    [head] = get_heads([aim.head])
    if not head.space:
        able = ", ".join(one.name for one in all_heads().values() if one.space)
        raise BenchError(f"Got head '{head.name}', which declares no space to search; expected one of: {able}.")
    check_folder_name(name, "study name")
    draw_figures = figures() if plots else None
    spec = resolve(aim.encoder)
    prepared, episodes = prepare(source, out, on_progress), aim.episodes or default_draws(aim.shots)
    _draw_halves(prepared.instances, aim, episodes)  # what cannot be asked is refused here
    prepared, _, X = embed(prepared, [spec], device, on_progress, engine=engine)
    table = prepared.instances
    classes = _classes_of(table)
    view = Embedded(spec.name, spec.key, spec.scaling, X[spec.name])
    tuning, evaluation = _draw_halves(table, aim, episodes)
    inner, outer = _half(tuning, classes, view, aim), _half(evaluation, classes, view, aim)
    if shared := set(inner.groups) & set(outer.groups):
        raise AssertionError(f"groups {sorted(shared)} are in both halves")
    identity = {
        "version": VERSION, "data": data_name(table, classes), "encoder": spec.key, "scaling": spec.scaling,
        "head": [head.name, head.version, dict(inner.published(head))],
        "space": {key: asdict(space) for key, space in head.space.items()},
        "shots": aim.shots, "draw": aim.draw, "episodes": episodes,
        **({"scale by": aim.scale_by} if aim.scale_by != SCALE_BY[0] else {}),
    }  # fmt: skip
    short = re.sub(r"\W+", "-", f"{prepared.dataset.name}-{spec.name.split('@')[0]}-{head.name}-{aim.shots}")
    folder = Path(out) / "tune" / (name or f"{short}-{content_name(identity)[:6]}")
    task = Task(folder, head.name, inner, episodes, identity)
    tell = (lambda done, total: on_progress("tune", done, total)) if on_progress else None
    made = run_study(task, aim.trials, workers, tell, engine=engine)
    trials = read_trials(task)
    best = best_trial(trials)
    setting = {**head.default, **{key: type(head.default[key])(best[key]) for key in head.space}}
    published, tuned, gain = _compare(outer, head, setting, episodes)
    halves = (len(set(inner.groups)), len(set(outer.groups)))
    none_better = bool(best["default"])
    result = Tuned(folder, setting, trials, importance(task), published, tuned, gain, halves, none_better, made)
    tuned_on = {
        "data": prepared.dataset.name, "instances": source.instances, "encoder": spec.name, "encoder_key": spec.key,
        "shots": aim.shots, "draw": aim.draw, "scale_by": aim.scale_by, "episodes": episodes, "trials": len(trials),
        "balanced_accuracy": float(best["balanced_accuracy"]), "log_loss": float(best["log_loss"]),
        "study": "study.journal",
    }  # fmt: skip
    worth = _worth(result, outer.published(head), head)
    files = {
        **_tables(result, outer.published(head), head, aim),
        **tuned_files(head, setting, table.iloc[tuning.rows], tuned_on, worth),
        **(draw_figures(result) if draw_figures else dict.fromkeys(FIGURES)),
    }
    put_together(folder, files, {})
    return result


class _Drawn(NamedTuple):
    """A half: its rows (n,) of the whole table, their table, its splits and draws."""

    rows: np.ndarray
    table: pd.DataFrame
    plan: SplitPlan
    draws: Draws


def _draw_halves(table: pd.DataFrame, aim: TuneRequest, episodes: int) -> tuple[_Drawn, _Drawn]:
    """Return the half to tune on and the one to evaluate on, which alone can keep to the table's own split."""
    classes = _classes_of(table)
    tuning, evaluation = split_tune_eval(table, classes)
    drawn = []
    for rows, side in ((tuning, "tuning"), (evaluation, "evaluation")):
        part = table.iloc[rows].reset_index(drop=True)
        plan = plan_splits(part.assign(split=None) if side == "tuning" else part, classes)
        draws = draw_supports(part, classes, plan, [aim.shots], draws=episodes, regime=aim.draw)
        if draws.refused:
            raise BenchError(f"In the {side} half of the groups: {draws.refused[aim.shots]}. Use fewer --shots.")
        drawn.append(_Drawn(rows, part, plan, draws))
    return drawn[0], drawn[1]


def _half(drawn: _Drawn, classes: Sequence[str], view: Embedded, aim: TuneRequest) -> Half:
    """Return a half with its embeddings."""
    part, plan = drawn.table, drawn.plan
    draws = replace(drawn.draws, supports=dict(drawn.draws.supports))  # drawn here and not in every trial
    return Half(
        Embedded(view.name, view.key, view.scaling, view.X[drawn.rows]),
        pd.Categorical(part["label"], categories=list(classes)).codes.astype(np.int64),
        part["group"].to_numpy(str), len(classes), plan, draws,
        scored_items(part, plan.test_rows(), classes), aim.shots, aim.scale_by,
    )  # fmt: skip


def _classes_of(table: pd.DataFrame) -> tuple[str, ...]:
    return tuple(sorted(table["label"].unique()))


def _compare(
    half: Half, head: Head, setting: Params, episodes: int
) -> tuple[SettingScore, SettingScore, tuple[float, float, float]]:
    """Return (published, tuned, (gain, low, high)) over paired draws, with intervals over groups and draws."""
    settings = [half.published(head), setting]
    P = np.stack([half.score(head, settings, seed) for seed in range(episodes)], axis=1)  # (2, S, N, K)
    tested = half.tested
    counted = [count_hits(own, tested.y, tested.group) for own in P]
    hits = Hits(np.stack([right for right, _ in counted]), counted[0][1])
    score = balanced_accuracy(P, tested.y).mean(1)
    gain = float(score[1] - score[0])
    supports, plan = half.draws.supports, half.plan
    drawn = np.stack([[supports[half.shots, s, split.name] for split in plan.splits(s)] for s in range(episodes)])
    in_turn = plan.rule in IN_TURN
    learned = learned_from(drawn, half.y, half.groups, np.unique(tested.group), answered=plan.tested, in_turn=in_turn)
    spread = spread_of(hits, learned, np.array([alike(margins(own, tested.y), tested.y, tested.group) for own in P]))
    limits = np.stack(score_intervals(hits, spread), axis=1)
    apart = (gain, np.nan, np.nan)
    if not few_groups(hits.total):
        found = differences(spread, 1, np.array([0]))
        apart = (gain, float(found.low[0]), float(found.high[0]))
    loss = log_loss(P, tested.y).mean(1)
    first, second = (
        SettingScore(float(score[i]), float(limits[i, 0]), float(limits[i, 1]), float(loss[i])) for i in range(2)
    )
    return first, second, apart


def _tables(result: Tuned, published: Params, head: Head, aim: TuneRequest) -> dict[str, bytes]:
    shares = pd.DataFrame({"parameter": list(result.importance), "importance": list(result.importance.values())})
    page = page_bytes(study_page(result, published, head, aim))
    return {"trials.csv": csv_bytes(result.trials), "importance.csv": csv_bytes(shares), "report.md": page}


def _worth(result: Tuned, published: Params, head: Head) -> dict[str, Any]:
    """Return what tuned.json says of the evaluation half, beside the published setting."""
    gain = [None if np.isnan(value) else value for value in result.gain]
    both = {"published": asdict(result.published), "tuned": asdict(result.tuned), "gain": gain}
    return {"published": {head.name: dict(published)}, "evaluation": both}

"""Tune one head on one half of the groups, and tell on the other half what it was worth.

    prepare -> embed -> split_halves -> run_study (tuning half) -> published against tuned (evaluation half)

No group, so no label, is in both halves. Writes <out>/tune/<name>/{study.journal, trials.csv, importance.csv,
tuned.json, tuned_on.csv, report.md} and, where asked for, history.png and importance.png: all but the journal at once.
The setting goes on to `bench run --params tuned.json`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.data.content import data_name
from bench.embeddings.embed import DataSpec, OnProgress, embed, prepare
from bench.errors import BenchError
from bench.fitting.tuned import tuned_files
from bench.fitting.views import Embedded
from bench.heads import Head, Params, all_heads, get_heads
from bench.protocol.level import default_draws
from bench.protocol.protocol import SCALE_BY, check_scale_by
from bench.protocol.splits import plan_splits
from bench.protocol.supports import draw_supports
from bench.protocol.tune_eval_split import split_tune_eval
from bench.report.pages.model import (
    Block,
    Heading,
    Page,
    Table,
    Text,
    long_table,
    name_field,
    number_field,
    say,
    table_of,
)
from bench.report.pages.numbers import counted, decimal, interval, points, short
from bench.report.pages.page import page_bytes
from bench.runs.facts import IN_TURN
from bench.runs.tested import scored_items
from bench.seeds import content_name
from bench.statistics.hits import Hits, count_hits
from bench.statistics.intervals import T_FROM, differences, few_groups, score_intervals
from bench.statistics.learning import alike, learned_from, margins
from bench.statistics.metrics import balanced_accuracy, log_loss
from bench.statistics.spread import spread_of
from bench.storage.tables import csv_bytes
from bench.storage.together import put_together
from bench.studies.tune.study import Half, Task, best_trial, importance, read_trials, run_study
from encoders import resolve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCORES = ("balanced accuracy", "95% interval", "log loss")  # of `SettingScore.texts`
FIGURES = ("history.png", "importance.png")
VERSION = 2  # raised when the same description would give other numbers


@dataclass(frozen=True)
class TuneRequest:
    """What is tuned: a head on an encoder, at `shots` labels a class. episodes=None: as many draws as a run has.

    scale_by: the rows that all are scaled by, as in a run; see `bench.fitting.scaling`.
    """

    encoder: str
    head: str = "xgboost"
    shots: int = 10
    trials: int = 40
    episodes: int | None = None
    draw: str = "spread"
    scale_by: str = SCALE_BY[0]

    def __post_init__(self) -> None:
        check_scale_by(self.scale_by)
        for name in ("shots", "trials", "episodes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BenchError(f"Got {name} {value}; expected a whole number from 1, e.g. --{name} 10.")


@dataclass(frozen=True)
class SettingScore:
    """A setting on the evaluation half: mean over draws, with the 95% interval of its balanced accuracy."""

    balanced_accuracy: float
    low: float
    high: float
    log_loss: float

    def texts(self) -> tuple[str, str, str]:
        """Return balanced accuracy in percent, its interval, and log loss, as they are shown."""
        return points(self.balanced_accuracy), interval(self.low, self.high), decimal(self.log_loss)


@dataclass(frozen=True)
class Tuned:
    """What a study found. gain: balanced accuracy, tuned minus published; its interval is NaN with too few groups."""

    folder: Path
    setting: Params
    trials: pd.DataFrame
    importance: Mapping[str, float]
    published: SettingScore
    tuned: SettingScore
    gain: tuple[float, float, float]
    halves: tuple[int, int]  # groups
    published_is_best: bool  # on the tuning half
    made: int


def tune(
    source: DataSpec,
    aim: TuneRequest,
    *,
    out: Path | str = "results",
    name: str | None = None,
    device: str = "auto",
    workers: int = 1,
    plots: bool = False,
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
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise BenchError(f"Got study name '{name}'; expected letters, digits, '.', '_' or '-', as it names a folder.")
    draw_figures = _figures() if plots else None
    spec = resolve(aim.encoder)
    prepared, _, X = embed(prepare(source, out, on_progress), [spec], device, on_progress)
    table = prepared.instances
    classes = tuple(sorted(table["label"].unique()))
    tuning, evaluation = split_tune_eval(table, classes)
    view = Embedded(spec.name, spec.key, spec.scaling, X[spec.name])
    episodes = aim.episodes or default_draws(aim.shots)
    inner = _half(table, classes, view, tuning, aim, episodes, official=False)
    outer = _half(table, classes, view, evaluation, aim, episodes, official=True)
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
    made = run_study(task, aim.trials, workers, (lambda d, t: on_progress("tune", d, t)) if on_progress else None)
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
        **tuned_files(head, setting, table.iloc[tuning], tuned_on, worth),
        **(draw_figures(result) if draw_figures else dict.fromkeys(FIGURES)),
    }
    put_together(folder, files, {})
    return result


def _half(
    table: pd.DataFrame, classes: Sequence[str], view: Embedded, rows: np.ndarray, aim: TuneRequest, episodes: int, *,
    official: bool,
) -> Half:  # fmt: skip
    """Cut one half out of the table. official: keep to the table's own split, which only the evaluation can."""
    part = table.iloc[rows].reset_index(drop=True)
    plan = plan_splits(part if official else part.assign(split=None), classes)
    draws = draw_supports(part, classes, plan, [aim.shots], draws=episodes, regime=aim.draw)
    if draws.refused:
        side = "evaluation" if official else "tuning"
        raise BenchError(f"In the {side} half of the groups: {draws.refused[aim.shots]}. Use fewer --shots.")
    draws = replace(draws, supports=dict(draws.supports))  # drawn here and not in every trial
    return Half(
        Embedded(view.name, view.key, view.scaling, view.X[rows]),
        pd.Categorical(part["label"], categories=list(classes)).codes.astype(np.int64),
        part["group"].to_numpy(str), len(classes), plan, draws,
        scored_items(part, plan.test_rows(), classes), aim.shots, aim.scale_by,
    )  # fmt: skip


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


def study_page(result: Tuned, published: Params, head: Head, aim: TuneRequest) -> Page:
    """Return the page of a study: what it was worth, the setting, importance, and every trial."""
    title = say(
        "{head} on {encoder}, tuned at {labels} per class", head=head.name, encoder=aim.encoder,
        labels=counted(aim.shots, "label"),
    )  # fmt: skip
    done = say(
        "{trials} on {groups}; both settings below are evaluated on the other {others}, of which no label was tuned "
        "on.",
        trials=counted(len(result.trials), "trial"), groups=counted(result.halves[0], "group"),
        others=result.halves[1],
    )  # fmt: skip
    pruned = say(
        "Means over episodes; the setting with the best balanced accuracy is kept. A pruned trial ended early, as it "
        "did clearly worse than the best on the same draws."
    )
    trials = [number_field(str(name), _text) for name in result.trials.columns]
    return Page(
        title,
        (
            Text(verdict(result)), Text(done), _settings(result, published, head, aim),
            Heading(say("Which parameters matter")), _importance(result),
            Heading(say("Trials")), Text(pruned), *long_table(table_of(result.trials.to_dict("records"), trials)),
        ),
    )  # fmt: skip


def _settings(result: Tuned, published: Params, head: Head, aim: TuneRequest) -> Table:
    """Return the published and the tuned setting with their scores on the evaluation half."""
    rows = [
        {"setting": name, "scaled by": aim.scale_by, **dict(zip(SCORES, compared.texts(), strict=True)), **setting}
        for name, compared, setting in (
            ("published", result.published, published), ("tuned", result.tuned, result.setting)
        )
    ]  # fmt: skip
    values = [number_field(key, _text) for key in (*SCORES, *head.default)]
    return table_of(rows, [name_field("setting"), name_field("scaled by"), *values])


def _importance(result: Tuned) -> Block:
    """Return the share of every parameter, or that it cannot be told."""
    if not result.importance:
        return Text(say("The complete trials are too few or too alike to tell."))
    rows = [{"parameter": name, "share": share} for name, share in result.importance.items()]
    share = number_field("share", lambda value: decimal(value, 2), "share of the variance of balanced accuracy")
    return table_of(rows, [name_field("parameter"), share])


def _text(value: object) -> str:
    return short(value) if isinstance(value, float) else value if isinstance(value, str) else str(value)


def verdict(result: Tuned) -> str:
    """Return one sentence: whether tuning was worth it."""
    if result.published_is_best:
        return "No setting that was tried did better than the published one on the tuning half."
    gain, low, high = (100 * value for value in result.gain)
    if np.isnan(low):
        return (
            f"Tuning changed balanced accuracy by {gain:+.1f} points; a class has fewer than {T_FROM} tested "
            "groups, too few for an interval of the difference."
        )
    said = "" if low > 0 or high < 0 else ", an interval that includes no gain at all"
    return f"Tuning changed balanced accuracy by {gain:+.1f} points (95% interval {low:+.1f} to {high:+.1f}{said})."


def _figures() -> Any:
    """Return a function that gives history.png and importance.png of a result, as bytes by name."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise BenchError("Got --plots without matplotlib; expected it installed: pip install '.[plots]'.") from None

    def draw(result: Tuned) -> dict[str, bytes]:
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.add_subplot(xlabel="trial", ylabel="balanced accuracy (mean over episodes)")
        for state, marker in (("complete", "o"), ("pruned", "x")):
            own = result.trials[result.trials["state"] == state]
            axes.plot(own["trial"], own["balanced_accuracy"], marker, label=state)
        complete = result.trials[result.trials["state"] == "complete"]
        axes.step(complete["trial"], complete["balanced_accuracy"].cummax(), where="post", label="best so far")
        axes.legend()
        shares = Figure(figsize=(6, 3), layout="constrained")
        names = list(result.importance)[::-1]
        shares.add_subplot(xlabel="share of the variance of balanced accuracy").barh(
            names, [result.importance[name] for name in names]
        )
        return {name: _png(drawn) for name, drawn in zip(FIGURES, (figure, shares), strict=True)}

    return draw


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()

"""The page of a study: what tuning was worth, the setting, importance, and every trial."""

from __future__ import annotations

import numpy as np

from bench.heads import Head, Params
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
from bench.report.pages.numbers import decimal, short
from bench.statistics.intervals import T_FROM
from bench.studies.tune.results import Tuned, TuneRequest
from bench.text import counted

SCORES = ("balanced accuracy", "95% interval", "log loss")  # of `SettingScore.texts`


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
    trials = [number_field(str(name), text_of) for name in result.trials.columns]
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
    values = [number_field(key, text_of) for key in (*SCORES, *head.default)]
    return table_of(rows, [name_field("setting"), name_field("scaled by"), *values])


def _importance(result: Tuned) -> Block:
    """Return the share of every parameter, or that it cannot be told."""
    if not result.importance:
        return Text(say("The complete trials are too few or too alike to tell."))
    rows = [{"parameter": name, "share": share} for name, share in result.importance.items()]
    share = number_field("share", lambda value: decimal(value, 2), "share of the variance of balanced accuracy")
    return table_of(rows, [name_field("parameter"), share])


def text_of(value: object) -> str:
    """Return a setting's value or a score as it is shown."""
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

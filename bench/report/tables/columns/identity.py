"""Columns that say which row it is: the data, the encoder and the head, the labels and how many of them are wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.fitting.selection import WAYS
from bench.protocol.split_kinds import RANDOM
from bench.report.pages.model import Code, Field, Inline, code_field, listed, say
from bench.report.tables.columns.column import NO_ICC, NO_LABELS, Column, RowContext, mean_of
from bench.report.tables.rows import head_label
from bench.runs.facts import RunFacts

SELECTION = {kind: known.says for kind, known in WAYS.items()}
SCALED = {
    "pool": "Embeddings are centred and scaled by all images of the training side, labelled or not (`--scale-by "
    "pool`); labels are not used for this. By the labelled examples alone (`--scale-by support`), scores are mostly "
    "lower where labels are few.",
    "support": "Embeddings are centred and scaled by the labelled examples of a draw alone (`--scale-by support`). By "
    "all images of the training side (`--scale-by pool`, which uses no labels), scores are mostly higher where labels "
    "are few.",
}
BY_DRAW = (
    "Column `chosen_by` as in *auto 7/10*: in 7 of 10 draws (draws x splits) of a budget every class has labels in "
    "two groups, so settings were chosen; in the others the published setting was used, as `HeadClassifier` does with "
    "such labels."
)
ZERO_SHOT = (
    "*0 labels per class* (`zero-shot`) compares images with class names in words: cosine to the mean of a class's "
    "prompts, softmax at the scale of the model (for SigLIP its sigmoids, divided by their sum). The prompts are in "
    "`run.json` (`selection` prompts); the labels are only used to score."
)


def _published(board: pd.DataFrame) -> Inline:
    """Return which rows of selection 'auto' are at the published setting, in words."""
    auto = board[board["selection"] == "auto"]
    at = auto[auto["chosen_by"] == "fixed"].groupby("head", sort=True)["shots"].unique()
    everywhere = [name for name, shots in at.items() if len(shots) == auto[auto["head"] == name]["shots"].nunique()]
    levels = sorted({int(n) for name, shots in at.items() if name not in everywhere for n in shots})
    parts: list[Inline] = []
    if levels:
        parts.append(f"{', '.join(map(str, levels))} {'label' if levels == [1] else 'labels'}")
    if everywhere:
        parts.append(say("{heads} at all levels", heads=Code(", ".join(map(str, everywhere)))))
    return say("here {places}", places=listed(parts, " and ")) if parts else "here nowhere"


def _selections(board: pd.DataFrame, facts: RunFacts) -> list[Inline]:
    kinds = [kind for kind in SELECTION if (board["selection"] == kind).any()]
    return [say(SELECTION[kind], fixed=_published(board)) for kind in kinds]


def _by_draw(board: pd.DataFrame, facts: RunFacts) -> list[Inline]:
    return [say(BY_DRAW)] if board["chosen_by"].str.startswith("auto ").any() else []


def _split(board: pd.DataFrame, facts: RunFacts) -> list[Inline]:
    if facts.split_rule == RANDOM:
        return [say("Slides are on both sides of this split: do not report or compare these scores.")]
    return [say("No image, slide or other group is on both sides of a split.")]


def _scaled(board: pd.DataFrame, facts: RunFacts) -> list[Inline]:
    return [say(SCALED[by]) for by in SCALED if (board["scale_by"] == by).any()]


def _zero_shot(board: pd.DataFrame, facts: RunFacts) -> list[Inline]:
    return [] if board["shots"].all() else [say(ZERO_SHOT)]


def _independent_labels(row: RowContext) -> float:
    """Return what the labels of a draw are worth: items / (1 + (m - 1) icc) for m items of a group."""
    if not row.labels:
        return np.nan
    per_group = row.labels / row.mean("support_groups")
    return row.labels / (1 + max(per_group - 1, 0) * row.compared["icc"])


WHAT = (
    Column(key="dataset", make=lambda row: row.facts.dataset, meaning="the data"),
    Column(key="encoder", make=lambda row: row.unit.encoder, meaning="what turns images into vectors",
           shown=code_field("encoder")),
    Column(key="family", make=lambda row: row.encoder.family, meaning="the kind of encoder"),
    Column(key="head", make=lambda row: row.unit.head, meaning="the classifier on these vectors",
           shown=Field("head", head_label, right=False)),
    Column(key="role", make=lambda row: row.facts.role(row.unit.encoder),
           meaning="encoder, baseline (knows no biology) or diagnostic (not a result)"),
    Column(key="selection", make=lambda row: row.unit.selection, meaning="how its settings should be chosen",
           reading=_selections),
    Column(key="chosen_by", make=lambda row: row.unit.chosen_by, meaning="how its settings were actually chosen",
           reading=_by_draw),
    Column(key="instances", make=lambda row: row.facts.instances, meaning="which part of an image is one instance"),
    Column(key="level", make=lambda row: row.sides.tested.level, meaning="what is scored: images or instances"),
    Column(key="draw", make=lambda row: row.facts.draw if row.unit.shots else "none",
           meaning="from which groups the labelled examples are taken"),
    Column(key="split", make=lambda row: row.facts.split_rule, meaning="how training and test are kept apart",
           reading=_split),
)  # fmt: skip

LABELS = (
    Column(key="series", make=lambda row: row.unit.series,
           meaning="balanced: the same number of labels for every class; budget: a total number of labels"),
    Column(key="shots", make=lambda row: row.unit.shots, meaning="labels per class, or in total (budget)",
           reading=_zero_shot),
    Column(key="shot_unit", make=lambda row: row.unit.shot_unit if row.unit.shots else "none",
           meaning="what `shots` counts"),
    Column(key="scale_by", make=lambda row: row.unit.scale_by if row.unit.shots else "none",
           meaning="which images embeddings are centred and scaled by", reading=_scaled),
    Column(key="support_items", make=lambda row: row.labels, meaning="labelled examples of a draw, all classes"),
    Column(key="support_groups", make=mean_of("support_groups"), meaning="groups they come from, mean over draws"),
    Column(key="support_n_eff", make=_independent_labels, empty=(NO_LABELS, NO_ICC),
           meaning="how many independent examples they are worth, as examples of one group are similar"),
    Column(key="noise_kind", make=lambda row: row.unit.noise_kind if row.rate else "none",
           meaning="how labels go wrong"),
    Column(key="noise", make=lambda row: row.rate, meaning="share of wrong labels that was asked for"),
    Column(key="noise_realised", make=mean_of("noise_realised"),
           meaning="share that was actually wrong, mean over draws"),
    Column(key="seeds", make=lambda row: row.unit.draws, meaning="number of random draws of the labelled examples"),
)  # fmt: skip

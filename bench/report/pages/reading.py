"""How to read a run's Markdown: what its scores estimate, what its columns mean, why fields are empty."""

from __future__ import annotations

import pandas as pd

from bench.protocol.split_kinds import RANDOM
from bench.report.pages.flags import EXACT
from bench.report.tables.leaderboard import Leaderboard
from bench.runs.facts import IN_TURN, RunFacts

_P_READING = (
    "- Two tests against chance, in which whole groups exchange their labels. *p (this row)*: how often this row "
    "alone does as well when labels mean nothing; like the interval, it fits a row that you chose before you saw the "
    "table. *p (best of all)*: how often the best of all rows does as well as this one; it fits a row that you picked "
    "from the table because it is high."
)
SELECTION = {
    "auto": "Settings and temperatures (`selection` auto) are those by which the labelled examples, each predicted "
    "without its group, have the least log loss, with a prior on the published setting that counts where labels are "
    "few. Column `chosen_by` says auto where that was done, and fixed where the published setting was taken, because a "
    "class has labels in one group alone or the head cannot leave rows out: {fixed}.",
    "fixed": "*(fixed)*: the published setting for so many labels, classes and dimensions.",
    "loo": "*(loo)*: the setting with the least log loss on the labelled examples, each predicted without its group.",
    "inner-cv": "*(inner-cv)*: the setting with the least log loss in folds of the labelled examples, by group.",
    "transfer": "*(transfer)*: the setting with the best balanced accuracy on other data.",
    "tuned": "*(tuned)*: the setting that `bench tune` found on groups that no row here uses.",
    "oracle": "*(oracle)*: in every draw the setting with the best balanced accuracy on the test itself. It used "
    "labels that nobody has: it shows what choosing could reach, luck included, and is not ranked.",
}
BY_DRAW = (
    "Column `chosen_by` as in *auto 7/10*: in so many draws (seeds x splits) of a budget every class has labels in two "
    "groups, and settings were chosen; the others took the published one, as `HeadClassifier` does with such labels."
)

SCALED = {
    "pool": "Embeddings are centred and scaled by all images of the training side, labelled or not, without their "
    "labels (`--scale-by pool`). With the labelled examples alone (`--scale-by support`) scores are mostly lower where "
    "labels are few.",
    "support": "Embeddings are centred and scaled by the labelled examples of a draw alone (`--scale-by support`). All "
    "images of the training side, without labels, mostly give higher scores where labels are few (`--scale-by pool`).",
}


def _published(table: pd.DataFrame) -> str:
    """Return which rows of selection 'auto' are at the published setting, in words."""
    own = table[table["selection"] == "auto"]
    at = own[own["chosen_by"] == "fixed"].groupby("head", sort=True)["shots"].unique()
    everywhere = [name for name, shots in at.items() if len(shots) == own[own["head"] == name]["shots"].nunique()]
    levels = sorted({int(n) for name, shots in at.items() if name not in everywhere for n in shots})
    parts = [f"{', '.join(map(str, levels))} label{'' if levels == [1] else 's'}"] if levels else []
    parts += [f"`{', '.join(map(str, everywhere))}` at all levels"] if everywhere else []
    return "here " + " and ".join(parts) if parts else "here nowhere"


def _intervals(facts: RunFacts, in_turn: bool, exact: bool) -> list[str]:
    """Return what an interval is for, and what it would be for the very slides that were learned from."""
    if facts.diagnostic:
        return []
    if exact:
        return [
            "- The 95% interval is of the number of tested slides alone, each counted as one observation: they are too "
            "few to say more, and what other training slides would change is not in it."
        ]
    both = (
        "every slide is learned from and tested in turn, and the interval allows for both roles"
        if in_turn
        else "what other training slides would change is estimated from how much two draws have in common"
    )
    return [
        "- The 95% interval holds the score on other slides in the place of both the training and the test slides: "
        f"{both} (`ci_low`, `ci_high`). For a classifier learned from these very training slides, on new test slides, "
        "see `ci_these_low` and `ci_these_high` in `leaderboard.csv`."
    ]


def how_to_read(board: Leaderboard, facts: RunFacts) -> list[str]:
    """Return the lines of the last section of a run's page."""
    table, in_turn = board.table, bool(set(board.table["split"]) & set(IN_TURN))
    parts = ["## How to read it", ""]
    if not facts.diagnostic:
        parts.append(
            "- Each score is an estimate for new slides to learn from and new slides to be tested on (slides, or "
            "whatever is a group here: images, patients): what to expect if you label examples of your own and "
            "classify images that are not among these."
        )
    parts += [
        "- A score is the mean over draws of the labelled examples; *spread* is its standard deviation from draw to "
        "draw, which is the luck of which examples you happened to label. It is not the interval.",
        *_intervals(facts, in_turn, bool((table["ci_method"] == EXACT).all())),
        "- Slides are on both sides of this split: nothing here may be reported or compared."
        if facts.split_rule == RANDOM
        else "- No image, slide or other group is on both sides of a split.",
        *[f"- {text}" for by, text in SCALED.items() if (table["scale_by"] == by).any()],
        "- *rank*: the places that a row may truly hold; all ranks of a table hold together in 19 of 20 studies. "
        "*P(best)*: how likely this row is the best; *P(near)*: how likely it is within 2 points of the best, and so "
        "as good as the best for most purposes. Both count other slides on both sides.",
        _P_READING,
        "- *over baselines* is the paired difference to the best row that knows no biology (colour, texture, size; "
        "networks with random weights too, where they take part), with its 95% interval. Near zero, the encoder adds "
        "nothing that stain or size does not give away.",
    ]
    kinds = [kind for kind in SELECTION if (table["selection"] == kind).any()]
    parts += [f"- {SELECTION[kind].format(fixed=_published(table))}" for kind in kinds]
    if table["chosen_by"].str.startswith("auto ").any():
        parts.append(f"- {BY_DRAW}")
    if not table["shots"].all():
        parts.append(
            "- *0 labels per class* (`zero-shot`) compares images with class names in words: cosine to the mean of a "
            "class's prompts, softmax at the scale of the model (for SigLIP its sigmoids, divided by their sum). The "
            "prompts are in `run.json` (`selection` prompts); the labels are only used to score."
        )
    if board.empty:
        parts += ["", "Empty fields", ""]
        parts += [f"- `{name}`: {reason}." for name, reason in board.empty.items()]
    return parts

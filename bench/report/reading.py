"""How to read a run's Markdown: what its scores estimate, what its columns mean, why fields are empty."""

from __future__ import annotations

from bench.draws.sources import RANDOM
from bench.report.leaderboard import IN_TURN, Leaderboard, RunFacts

_P_READING = {
    False: "- *p*: how often the best of all rows does as well as this one when labels mean nothing (whole groups "
    "exchange their labels; adjusted for the number of rows). The interval is about one row alone and knows nothing of "
    "how many were tried, so that the two may differ.",
    True: "- Two tests against chance, in which whole groups exchange their labels. *p (this row)*: how often this row "
    "alone does as well when labels mean nothing; like the interval, it fits a row that you chose before you saw the "
    "table. *p (best of all)*: how often the best of all rows does as well as this one; it fits a row that you picked "
    "from the table because it is high.",
}
SELECTION = {
    "fixed": "Hyper-parameters are the published defaults (`selection` fixed) unless a head says otherwise.",
    "loo": "*(loo)*: the setting with the least log loss on the labelled examples, each predicted without its group.",
    "inner-cv": "*(inner-cv)*: the setting with the least log loss in folds of the labelled examples, by group.",
    "transfer": "*(transfer)*: the setting with the least log loss on other data.",
    "tuned": "*(tuned)*: the setting that `bench tune` found on groups that no row here uses.",
    "oracle": "*(oracle)*: the setting with the least log loss on the test itself. It used labels that nobody has: it "
    "shows what choosing could reach, and is not ranked.",
}


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
        "- Slides are on both sides of this split: nothing here may be reported or compared."
        if facts.split_rule == RANDOM
        else "- No image, slide or other group is on both sides of a split.",
        "- *rank*: the places that a row may truly hold, given all differences and their intervals; rows whose ranks "
        "overlap cannot be told apart here. *P(best)*: how often it comes first when groups and draws are resampled.",
        _P_READING["p_chance_best" in table],
        "- *over baselines* is the paired difference to the best row that knows no biology (colour, texture, size; "
        "networks with random weights too, where they take part), with its 95% interval. Near zero, the encoder adds "
        "nothing that stain or size does not give away.",
    ]
    if in_turn:
        parts.append(
            "- Every group is tested once and learned from otherwise. Intervals take the answers to two groups as "
            "independent, which they then are not quite: read them as somewhat too narrow. *p* allows for it."
        )
    parts += [f"- {text}" for kind, text in SELECTION.items() if (table["selection"] == kind).any()]
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

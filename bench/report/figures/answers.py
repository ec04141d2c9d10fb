"""Figures of single answers: confusion, recall of every class, calibration; and the map of the embeddings."""

from __future__ import annotations

from bench.report.figures.drawn.calibration import draw_calibration
from bench.report.figures.drawn.dots import Dot, Dots, draw_dots
from bench.report.figures.drawn.map import draw_map
from bench.report.figures.drawn.matrix import WITH_NUMBERS, draw_matrix
from bench.report.figures.shown import Plot, Shown, method_words, what_was_tested
from bench.report.html.context import ReportContext, head_of, labels_words, noise_words
from bench.report.html.parts.calibration import CALIBRATION as CALIBRATION_PART
from bench.report.html.parts.confusion import CONFUSION as CONFUSION_PART
from bench.report.html.parts.map import MAP as MAP_PART
from bench.report.html.parts.recall import RECALL as RECALL_PART
from bench.report.pages.model import Code, Words, listed, say
from bench.report.pages.numbers import count, rate
from bench.report.pictures.axes import SERIES, share_axis
from bench.report.pictures.items import best_matrix, recalls_of_best, reliabilities
from bench.report.pictures.map import best_map

FIELDS = (
    "Percent of the items of each class (rows) that were predicted as each class (columns), mean over draws; rows add "
    "up to 100. The stronger the colour, the larger the share; what is right is blue."
)
EMPTY = "Fields below half a percent are empty."
LIMITS = "Intervals are exact 95% limits that count every group of a class as one observation at most."
RELIABLE = (
    "Share of answers that is right against the probability that they were given, in bins of probability; a point is "
    "as large as many items are in its bin. On the dashed line probabilities are calibrated; below it a method is "
    "overconfident."
)
DIRECTIONS = (
    "The two directions of most variance of the embeddings of {encoder}, {share} of all of it; a point is an item, in "
    "colour and shape of its class."
)
AGAIN = "Colours are used again for classes from the ninth on, in another shape."
SAMPLE = "{shown} of {all} items are shown, drawn by a hash of their names."


def confusion(context: ReportContext) -> Shown | None:
    """Return the confusion matrix of the best method."""
    shown = best_matrix(context)
    if shown is None:
        return None
    caption = listed([
        say("Confusion of the best method, {method}, {level}.", method=method_words(shown.method),
            level=_level(context)),
        say(FIELDS), say(EMPTY) if len(shown.classes) <= WITH_NUMBERS else "", what_was_tested(context),
    ])  # fmt: skip
    return Shown(draw=lambda: draw_matrix(shown), caption=caption, names=shown.classes)


def recall(context: ReportContext) -> Shown | None:
    """Return the recall of every class of the best method."""
    rows = recalls_of_best(context)
    if not rows:
        return None
    dots = [
        Dot(name=str(row["class"]), value=row["recall"], low=row["ci_low"], high=row["ci_high"],
            end=count(int(row["groups"])))
        for row in rows
    ]  # fmt: skip
    x, x_ticks = share_axis([row[name] for row in rows for name in ("recall", "ci_low", "ci_high")])
    shown = Dots(dots=dots, x=x, x_ticks=x_ticks, x_says="recall (%)", end_says="groups")
    caption = listed([
        say("Recall of every class by the best method, {method}, {level}: the share of its items that is found.",
            method=method_words(context.detailed[0]), level=_level(context)),
        say(LIMITS), say("At the end of a line is the number of groups that were tested."), what_was_tested(context),
    ])  # fmt: skip
    return Shown(draw=lambda: draw_dots(shown), caption=caption, names=[dot.name for dot in dots])


def calibration(context: ReportContext) -> Shown | None:
    """Return reliability diagrams of the best methods."""
    shown = [one for one in reliabilities(context) if one.bins]
    if not shown:
        return None
    caption = listed([
        say("Calibration of the best methods, {level}.", level=_level(context)),
        say("Of every encoder its best head is considered."), say(RELIABLE), what_was_tested(context),
    ])  # fmt: skip
    names = [f"{one.method.encoder} {head_of(one.method)}" for one in shown]
    return Shown(draw=lambda: draw_calibration(shown), caption=caption, names=names)


def embedding_map(context: ReportContext) -> Shown | None:
    """Return the map of the best encoder whose embeddings are stored."""
    shown = best_map(context)
    if shown is None:
        return None
    some = len(shown.rows) < shown.of
    caption = listed([
        say(DIRECTIONS, encoder=Code(shown.encoder), share=rate(shown.kept)),
        say(AGAIN) if len(context.classes) > SERIES else "",
        say(SAMPLE, shown=count(len(shown.rows)), all=count(shown.of)) if some else "",
    ])  # fmt: skip
    return Shown(draw=lambda: draw_map(shown, context.classes), caption=caption, names=context.classes)


def _level(context: ReportContext) -> Words | str:
    level = context.level
    return "" if level is None else say("with {labels}, {noise}", labels=labels_words(level), noise=noise_words(level))


CONFUSION = Plot(key="confusion", make=confusion, empty=CONFUSION_PART.empty)
RECALL = Plot(key="recall", make=recall, empty=RECALL_PART.empty)
CALIBRATION = Plot(key="calibration", make=calibration, empty=CALIBRATION_PART.empty)
MAP = Plot(key="map", make=embedding_map, empty=MAP_PART.empty)

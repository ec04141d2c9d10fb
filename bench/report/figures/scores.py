"""Figures of scores: the leaderboard, accuracy against labels and against wrong labels, and against cost."""

from __future__ import annotations

from bench.report.figures.drawn.cost import draw_cost
from bench.report.figures.drawn.curves import draw_curves
from bench.report.figures.drawn.dots import Dot, Dots, draw_dots
from bench.report.figures.shown import BEST_HEADS, Plot, Shown, score_words
from bench.report.html.context import (
    Level,
    ReportContext,
    head_of,
    labels_words,
    method_of,
    noise_words,
)
from bench.report.html.parts.cost import COST as COST_PART
from bench.report.html.parts.labels import LABELS as LABELS_PART
from bench.report.html.parts.leaderboard import LEADERBOARD as LEADERBOARD_PART
from bench.report.html.parts.wrong_labels import WRONG_LABELS as WRONG_LABELS_PART
from bench.report.pages.model import Row, Words, listed, say
from bench.report.pages.numbers import places, whole
from bench.report.pictures.axes import share_axis
from bench.report.pictures.best import best_of_encoders, best_without_diagnostics, with_cost
from bench.report.pictures.curves import Curves, Panel, against_labels, against_wrong_labels
from bench.text import counted

MOST = 30  # methods of a leaderboard that are drawn
RANKS = (
    "Ranks are those that a method may truly have; in 19 of 20 studies they are right for all methods at once. "
    "1 is best."
)
NO_RANKS = "Methods are not ranked: a class has too few tested groups."
HOLLOW = "Hollow points are baselines, which know no biology."
NO_DIAGNOSTICS = "Diagnostics, in which something was taken away from the images, are left out."
#: What is drawn, by whether there are encoders and baselines among it.
DRAWN = {
    (True, True): "The best encoders are drawn, and the best baseline.",
    (True, False): "The best encoders are drawn.",
    (False, True): "The best baseline is drawn: no encoder took part.",
    (False, False): "The best of them are drawn.",
}
BANDS = "Bands are their intervals."
GUESSING = "The dashed line is guessing, {null}%."


def leaderboard(context: ReportContext) -> Shown | None:
    """Return the best head of every encoder with interval and ranks, best first."""
    rows = best_without_diagnostics(context)
    if not rows or context.level is None:
        return None
    drawn, null = rows[:MOST], 1 / len(context.classes)
    dots = [_dot(row) for row in drawn]
    ends = [row[name] for row in drawn for name in ("balanced_accuracy", "ci_low", "ci_high")]
    x, x_ticks = share_axis([null, *ends])
    ranked = any(dot.end for dot in dots)
    shown = Dots(
        dots=dots, x=x, x_ticks=x_ticks, x_says="balanced accuracy (%)", end_says="rank" if ranked else "", null=null
    )
    more = len(rows) - len(drawn)
    caption = listed([
        say("Balanced accuracy with {labels}, {noise}: points with their intervals.",
            labels=labels_words(context.level), noise=noise_words(context.level)),
        say(BEST_HEADS), say(NO_DIAGNOSTICS) if len(rows) < len(best_of_encoders(context)) else "",
        say("The last {count} are left out.", count=counted(more, "encoder")) if more else "",
        say(HOLLOW) if any(dot.hollow for dot in dots) else "", say(GUESSING, null=whole(null)), score_words(context),
        say(RANKS if ranked else NO_RANKS),
    ])  # fmt: skip
    return Shown(draw=lambda: draw_dots(shown), caption=caption, names=[dot.name for dot in dots])


def _dot(row: Row) -> Dot:
    return Dot(
        name=f"{row['encoder']} {head_of(method_of(row))}", value=row["balanced_accuracy"], low=row["ci_low"],
        high=row["ci_high"], end=places(row["rank_low"], row["rank_high"]), hollow=row["role"] != "encoder",
    )  # fmt: skip


def labels(context: ReportContext) -> Shown | None:
    """Return accuracy against the number of labels, a panel per kind and share of wrong ones."""
    shown = against_labels(context)
    if shown is None:
        return None
    says = tuple(_setting(shown.level, panel) for panel in shown.panels) if len(shown.panels) > 1 else ("",)
    first = say("Balanced accuracy against the number of {what}, {noise}.", what=shown.x_says,
                noise="without and with wrong labels" if len(says) > 1 else noise_words(shown.level))  # fmt: skip
    return _curves(context, shown, says, first)


def wrong_labels(context: ReportContext) -> Shown | None:
    """Return accuracy against the share of wrong labels, a panel per kind."""
    shown = against_wrong_labels(context)
    if shown is None or not shown.panels:
        return None
    kinds = tuple(panel.kind for panel in shown.panels)
    first = say("Balanced accuracy with {labels} against the share of them that is wrong ({kinds}).",
                labels=labels_words(shown.level), kinds=", ".join(kinds))  # fmt: skip
    return _curves(context, shown, kinds if len(kinds) > 1 else ("",), first)


def _curves(context: ReportContext, shown: Curves, says: tuple[str, ...], first: Words) -> Shown:
    roles = {str(row["role"]) for row in shown.rows}
    caption = listed([
        first, say(BEST_HEADS), say(DRAWN["encoder" in roles, "baseline" in roles]),
        say("The head is named after the encoder."), say(BANDS),
        say(GUESSING, null=whole(shown.null)) if shown.y[0] <= shown.null <= shown.y[1] else "",
        score_words(context, shown.rows),
    ])  # fmt: skip
    names = [f"{method.encoder} {head_of(method)}" for method in shown.methods]
    return Shown(draw=lambda: draw_curves(shown, says), caption=caption, names=[*names, *says])


def _setting(level: Level, panel: Panel) -> str:
    return noise_words(Level(level.series, level.shots, panel.kind, panel.noise))


def cost(context: ReportContext) -> Shown | None:
    """Return accuracy against milliseconds per image, a point per encoder."""
    rows = with_cost(context)
    if not rows or context.level is None:
        return None
    caption = listed([
        say("Balanced accuracy with {labels}, {noise}, against the milliseconds that it took to embed an image on the "
            "machine of the run.", labels=labels_words(context.level), noise=noise_words(context.level)),
        say(BEST_HEADS), say("Lines are their intervals."), score_words(context),
    ])  # fmt: skip
    return Shown(draw=lambda: draw_cost(rows), caption=caption, names=[str(row["encoder"]) for row in rows])


LEADERBOARD = Plot(key="leaderboard", make=leaderboard, empty=LEADERBOARD_PART.empty)
LABELS = Plot(key="labels", make=labels, empty=LABELS_PART.empty)
WRONG_LABELS = Plot(key="wrong-labels", make=wrong_labels, empty=WRONG_LABELS_PART.empty)
COST = Plot(key="cost", make=cost, empty=COST_PART.empty)

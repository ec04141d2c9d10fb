"""A plan in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, isfinite
from typing import Any

from bench.report.pages.numbers import points, rate
from bench.report.tables.plan import AHEAD
from bench.statistics.comparison import RANK_FROM
from bench.statistics.intervals import T_FROM
from bench.statistics.precision import Parts
from bench.studies.plan.plan import MORE_ITEMS, MORE_SLIDES, Plan
from bench.text import counted

NAMED = 5  # methods that are named in a sentence
CHEAPER = 0.95  # times the minutes, below which another mix of labels and slides is named


def sentences(plan: Plan) -> Iterator[str]:
    """Return what it takes, how sure that is, what slides are worth, and what narrows the interval."""
    yield _labels(plan)
    unknown = [f"{one.key.encoder} x {one.key.head}" for one in plan.forecasts if not one.shown]
    if unknown:
        yield (
            f"Not shown to be better than chance with {counted(int(plan.rows['labels_now'].iloc[0]), 'label')} per "
            f"class: {_some(unknown)}. What is forecast of {'it' if len(unknown) == 1 else 'them'} is what curves of "
            "other data are like, so do not plan by it."
        )
    if len(plan.wrong):
        yield _with_wrong_labels(plan)
    yield _slides(plan)
    yield from _precision(plan)
    if plan.falling:
        names = _some([f"{one.encoder} x {one.head}{_wrong(one.noise)}" for one in plan.falling])
        yield (
            f"Not monotone: {names} scored lower with more labels, by more than chance in the draws explains. "
            "Forecasts assume that scores never fall with more labels, so do not trust them here."
        )


def _some(names: Sequence[str]) -> str:
    """Return the first NAMED of some names, each once, and how many more there are."""
    once = list(dict.fromkeys(names))
    return ", ".join(once[:NAMED]) + (f" and {len(once) - NAMED} more" if len(once) > NAMED else "")


def needed(low: float, middle: float, high: float, most: float) -> str:
    """Return numbers of labels in words, e.g. 'about 24 labels per class (90%: 14 to 71)'."""
    upper = f"{ceil(high):,}" if isfinite(high) else f"more than {most:,.0f}"
    return f"about {counted(ceil(middle - 1e-6), 'label')} per class (90%: {max(int(low), 1):,} to {upper})"


def labels_text(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Return the labels that a row of a plan needs, and their interval, as cells of a table."""
    most = AHEAD * row["labels_now"]
    end = f"{ceil(row['labels_high']):,}" if isfinite(row["labels_high"]) else f">{most:,}"
    start = f"{max(int(row['labels_low']), 1):,}" if isfinite(row["labels_low"]) else f">{most:,}"
    middle = f"{int(row['labels']):,}" if isfinite(row["labels"]) else f">{most:,}"
    return middle, start if start == end else f"{start} to {end}"


def _labels(plan: Plan) -> str:
    row, most = plan.rows.iloc[0], AHEAD * plan.rows["labels_now"].iloc[0]
    method = f"{row['encoder']} x {row['head']}{_wrong(row['noise'])}"
    apart = plan.best.apart
    now = f"This run has {counted(int(row['labels_now']), 'label')} per class"
    if not isfinite(row["labels"]):
        return (
            f"{method} is not forecast to reach {_percent(plan.goal)}: with {AHEAD} times the labels ({most:,} per "
            f"class) it is expected to score {points(row[f'score_x{AHEAD}'])} (90%: {points(row[f'low_x{AHEAD}'])} to "
            f"{points(row[f'high_x{AHEAD}'])}), and to reach the target with a probability of {rate(row['sure'])}. "
            f"Forecasts go no further than {AHEAD} times the labels. {now}."
        )
    text = needed(row["labels_low"], row["labels"], row["labels_high"], most)
    if row["labels"] <= row["labels_now"]:
        return f"{method} reaches {_percent(plan.goal)} on new slides with {text}. {now}."
    more, new = int(row["labels"] - row["labels_now"]), int(row["more_slides"])
    there = f"the {counted(int(row['slides_now']), 'slide')} of the data"
    of_more = f", of at least {counted(new, 'slide')} besides {there}" if new else f", of {there}"
    cost = f" That is {row['minutes']:,.0f} minutes." if plan.cost else ""
    in_all = "" if apart else f", of about {counted(int(row['slides']), 'slide')}"
    return (
        f"For {_percent(plan.goal)} on new slides, {method} needs {text}{in_all}. {now}: {more:,} more per class"
        f"{'' if apart else of_more}.{cost}{_mix(plan)}"
    )


def _with_wrong_labels(plan: Plan) -> str:
    best = plan.rows.iloc[0]
    method, said = f"{best['encoder']} x {best['head']}", []
    for row in plan.wrong.to_dict("records"):
        most = AHEAD * row["labels_now"]
        kind = "" if row["noise_kind"] == "symmetric" else f" ({row['noise_kind']})"
        if isfinite(row["labels"]):
            text = f"{method} needs {needed(row['labels_low'], row['labels'], row['labels_high'], most)} for that"
        else:
            text = (
                f"{method} is not forecast to reach {_percent(plan.goal)}: with {most:,} per class it is expected to "
                f"score {points(row[f'score_x{AHEAD}'])} (90%: {points(row[f'low_x{AHEAD}'])} to "
                f"{points(row[f'high_x{AHEAD}'])})"
            )
        said.append(f"With {rate(row['noise'])} wrong labels{kind}, {text}.")
        method = "it"
    return " ".join(said)


def _mix(plan: Plan) -> str:
    """Return the cheapest labels and slides, in words; "" where no cost was given."""
    if not plan.cost:
        return ""
    if plan.mix is None:
        untold = plan.slides is None and not plan.best.apart
        return (
            " More labels from fewer slides may be cheaper; a second run can tell (--support-groups)." if untold else ""
        )
    if plan.mix.minutes > CHEAPER * plan.rows["minutes"].iloc[0]:
        return " No other mix of labels and slides that reaches it is much cheaper."
    new = f", {counted(plan.mix.more_slides, 'slide')} of them new" if plan.mix.more_slides else ""
    return (
        f" The cheapest mix that reaches it: {counted(plan.mix.labels, 'label')} per class from "
        f"{counted(plan.mix.slides, 'slide')}{new}, {plan.mix.minutes:,.0f} minutes."
    )


def _slides(plan: Plan) -> str:
    if plan.best.apart:
        return (
            "No slides were given, so every image counts as one: give --group-pattern or --group-column to learn what "
            "more slides are worth. If several images come from one slide, all of this is over-optimistic."
        )
    if plan.slides is None:
        other = "spread" if plan.draw == "concentrated" else "concentrated"
        return (
            "What more slides would bring is not known, because at each number of labels the labels always came from "
            f"the same number of slides. Make the same run with --support-groups '{other}' and --name NAME, and give "
            "`bench plan` both names."
        )
    said = [
        f"{counted(round(row['slides']), 'slide')}: {points(row['score'])} ({100 * row['gain']:+.1f}, 90% "
        f"{100 * row['gain_low']:+.1f} to {100 * row['gain_high']:+.1f})"
        for row in plan.slides.to_dict("records") if row["times"] != 1
    ]  # fmt: skip
    labels = int(plan.rows["labels_now"].iloc[0])
    return f"The same {labels:,} labels per class from other numbers of slides: {'; '.join(said)}."


def _precision(plan: Plan) -> Iterator[str]:
    found, official = plan.precision.score, plan.precision.official
    fewest = plan.precision.fewest
    if fewest is not None and fewest < T_FROM:
        yield (
            "How much narrower the interval would get with more slides cannot be estimated: a class has only "
            f"{counted(fewest, 'tested slide')}, and {T_FROM} are needed."
        )
    if fewest is not None and fewest < RANK_FROM and len(plan.rows) > 1:
        yield (
            f"Encoders cannot be compared on so few slides: a class has only {counted(fewest, 'tested slide')}, and "
            f"{RANK_FROM} are needed."
        )
    if found is None:
        return
    known = f"The score is known to within +-{points(found.reach())} points (95%)"
    alone = found.n_slides == found.n_items  # every image counts as a slide
    more = MORE_ITEMS if alone else MORE_SLIDES
    what = ("images" if alone else "slides") + (" to be tested" if official else "")
    draws, slides, items = found.shares()
    of_draws = f"{rate(draws)} of that variance is from the draws" + (" and training slides" if official else "")
    if alone:
        made_of = f"{of_draws}, the rest from the images, each of which counts as a slide"
        then = f"{more} more {what} {_to(found, found.reach(slides=more))}"
    else:
        made_of = f"{of_draws}, {rate(slides)} from the slides, {rate(items)} from the cells or images within them"
        then = (
            f"{more} more {what} {_to(found, found.reach(slides=more))}, {MORE_ITEMS} more cells of the same slides "
            f"{_to(found, found.reach(items=MORE_ITEMS))}"
        )
    third = ""
    if found.n_slides + more >= found.third_from:
        third = (
            f" From {found.third_from:,.0f} {'images' if alone else 'slides'} on, a run tests a fixed third of them "
            "instead of all in turn; these numbers allow for that."
        )
    yield f"{known}: {made_of}. {then}.{third}"
    for name, pair in list(plan.precision.differences.items())[:1]:
        cells = "" if alone else f", with {MORE_ITEMS} more cells {points(pair.found(items=MORE_ITEMS))}"
        yield (
            f"Against {name}, a difference of {points(pair.found())} points would be detected in 8 of 10 such "
            f"studies; with {more} more {what} {points(pair.found(slides=more))}{cells}."
        )


def _to(found: Parts, reach: float) -> str:
    """Return what an interval becomes, in words."""
    narrower = reach < found.reach() and points(reach) != points(found.reach())
    return f"{'narrow it to' if narrower else 'leave it at'} +-{points(reach)}"


def _percent(goal: float) -> str:
    """Return a score as it was asked for, e.g. '85%' or '99.9%'."""
    return f"{100 * goal:.4g}%"


def _wrong(noise: float) -> str:
    return f" with {rate(noise)} wrong labels" if noise else ""

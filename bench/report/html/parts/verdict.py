"""The verdict in three sentences, and what was checked: issues, tips and what passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from markupsafe import Markup

from bench.report.html.badges import ISSUE, ORDER, PASSED, TIP, check_html, checks_html, summary_html
from bench.report.html.cells import ROW
from bench.report.html.context import ReportContext, method_of
from bench.report.html.part import Made, Part
from bench.report.html.tables import CALIBRATION
from bench.report.html.words import blocks_html, words_html
from bench.report.pages.model import Cited, Code, Inline, Row, Words, say
from bench.report.pages.numbers import Number, decimal, rate, whole
from bench.report.pages.sections.verdict import BOARD, about_the_run, summary
from bench.report.tables.flags import headline
from bench.report.tables.rows import main_series, most_labels
from bench.text import as_sentence, counted, sentence

ROBUSTNESS = "robustness"


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that is looked at in every run. code: by which it can be spoken of; asks: what is checked, and level:
    what it is where it does not hold. found: what was found, "" where it holds. passed: what holds then. of_best: it
    is about the best row, and cannot be made where no row may be called the best."""

    code: str
    asks: str
    level: str
    found: Callable[[ReportContext], str]
    passed: str = ""
    of_best: bool = False


def _flag(name: str) -> Callable[[ReportContext], str]:
    return lambda context: context.run.board.flags.get(name, "")


def _diagnostic(context: ReportContext) -> str:
    return context.facts.diagnostic or context.run.board.flags.get("only-diagnostics", "")


def _joined(context: ReportContext, texts: tuple[str, ...]) -> str:
    return " ".join(map(as_sentence, dict.fromkeys(texts)))


def _unranked(context: ReportContext) -> str:
    rows = context.at_level()
    if any(not isnan(row["rank_low"]) for row in rows):
        return ""
    return f"Methods are not ranked: {context.run.board.empty.get('rank_low', 'there is nothing to compare')}"


def _no_baseline(context: ReportContext) -> str:
    if (context.board["role"] == "baseline").any():
        return ""
    return "No baseline took part, so it is not known what colour or size alone would reach; add --encoder baselines"


def _overconfident(context: ReportContext) -> str:
    table = context.tables.get(CALIBRATION)
    if table is None or table.empty:
        return ""
    best = table.iloc[0]
    if not best["ece"] > best["ece_null_high"]:
        return ""
    return (
        "The probabilities of the best method are not well calibrated: their calibration error is "
        f"{decimal(best['ece'])}, and calibrated ones would show at most {decimal(best['ece_null_high'])}"
    )


CHECKS = (
    Check(code="C1", asks="Is this a valid comparison?", level=ISSUE, found=_diagnostic,
          passed="Training and test are kept apart."),
    Check(code="C2", asks="Are encoders better than chance?", level=ISSUE, found=_flag("no-better-than-chance"),
          passed="Every encoder is better than chance at the most labels.", of_best=True),
    Check(code="C3", asks="Do the interval and the test against chance agree?", level=TIP,
          found=_flag("interval-and-chance"),
          passed="They agree for the best row.", of_best=True),
    Check(code="C4", asks="Do encoders see more than colour, texture or size?", level=ISSUE,
          found=_flag("solvable-by-appearance"),
          passed="No baseline comes near the best encoder.", of_best=True),
    Check(code="C5", asks="Did a baseline take part?", level=TIP, found=_no_baseline,
          passed="There are baselines, which every encoder has to beat."),
    Check(code="C6", asks="Is there room to tell encoders apart?", level=TIP, found=_flag("saturated"),
          passed="Scores are not near the maximum.", of_best=True),
    Check(code="C7", asks="Can methods be ranked?", level=TIP, found=_unranked,
          passed="There are enough tested groups to rank the methods."),
    Check(code="C8", asks="Are there enough slides to learn from?", level=TIP, found=_flag("few-training-groups"),
          passed="Every class has so many training groups that it matters little which ones they are."),
    Check(code="C9", asks="Do intervals allow for other training slides?", level=TIP, found=_flag("training-as-it-is"),
          passed="Draws differ enough to estimate the effect of other training slides."),
    Check(code="C10", asks="Can probabilities be trusted?", level=TIP, found=_overconfident,
          of_best=True,
          passed="The calibration error of the best method is no larger than for calibrated probabilities."),
    Check(code="C11", asks="Are the data as expected?", level=TIP,
          found=lambda context: _joined(context, context.facts.warnings), passed="Nothing unusual was found."),
    Check(code="C12", asks="Was everything run that was asked for?", level=TIP,
          found=lambda context: _joined(context, context.run.refused), passed="Nothing was left out."),
)  # fmt: skip


def sentences(context: ReportContext) -> list[Inline]:
    """Return the verdict: the best method, what cannot be told apart from it, and what its score rests on."""
    rows = [row for row in context.at_level() if row["role"] != "diagnostic" and row["selection"] != "oracle"]
    best = summary(context.board)
    if not best or not rows:
        return [say("No row of this run can be called the best.")]
    return [best, _alike(context, rows), _rests_on(context, rows[0])]


def _alike(context: ReportContext, rows: list[Row]) -> Words:
    """Return how many methods may be the best as well."""
    ranked = [row for row in rows if not isnan(row["rank_low"])]
    if len(rows) == 1:
        return say("It is the only method here, so there is nothing to compare it with.")
    if not ranked:
        why = context.run.board.empty.get("rank_low", "there is nothing to compare")
        return say("It is not known which of the {count} is truly the best: {why}.",
                   count=counted(len(rows), "method"), why=why)  # fmt: skip
    first = sum(row["rank_low"] == 1 for row in ranked)
    if first == 1:
        return say(
            "No other of the {count} is likely to be as good on new slides.", count=counted(len(ranked), "method")
        )
    return say(
        "{first} of {count} may truly be the best; take the one of them that costs you least.",
        first=first, count=counted(len(ranked), "method"),
    )  # fmt: skip


def _rests_on(context: ReportContext, best: Row) -> Words:
    """Return what the best row has over the baselines, and what wrong labels leave of it."""
    parts: dict[str, Inline] = {"kept": _kept(context, best)}
    if not isnan(best["delta_trivial"]):
        if not isnan(best["delta_low"]):
            parts["limits"] = say(" [{low} to {high}]", low=_over(best, "delta_low", 0),
                                  high=_over(best, "delta_high", 0))  # fmt: skip
        return say("It is {more}{limits} points above the best baseline, which knows no biology{kept}.",
                   more=_over(best, "delta_trivial", 1), **{"limits": "", **parts})  # fmt: skip
    guess = whole(1 / len(context.facts.classes))
    if best["role"] == "baseline":
        return say("It is a baseline that knows no biology: no encoder did better here{kept}.", **parts)
    return say("Guessing would give about {guess}; without a baseline it is not known what colour or size alone "
        "reach{kept}.",
               guess=guess, **parts)  # fmt: skip


def _over(best: Row, column: str, digits: int) -> Cited:
    """Return by how many points the best row is above the baselines, or a limit of that."""
    return Cited(Number(f"{100 * best[column]:+z.{digits}f}"), BOARD, best[ROW], column, share=True)


def _kept(context: ReportContext, best: Row) -> Inline:
    table = context.run.robustness
    if table.empty:
        return ""
    rows = most_labels(main_series(table))
    own = [(at, row) for at, row in zip(rows.index, rows.to_dict("records"), strict=True)
           if method_of(row) == method_of(best)]  # fmt: skip
    rates = [name for name in rows.columns if str(name).startswith("retained@")]
    known = [(float(str(name)[9:]), str(name)) for name in rates if own and not isnan(own[0][1][name])]
    if not known:
        return ""
    highest, column = max(known)
    at, row = own[0]
    kept = Cited(rate(row[column]), ROBUSTNESS, int(at), column, share=True)
    return say(
        "; with {wrong} wrong labels it keeps {kept} of its skill above guessing", wrong=rate(highest), kept=kept
    )


def checked(context: ReportContext) -> list[tuple[Check, str, str]]:
    """Return (check, its outcome, what to say) of all that can be made, issues first."""
    nothing = headline(context.board).empty
    found = [(check, check.found(context)) for check in CHECKS if not (nothing and check.of_best)]
    outcomes = [
        (check, check.level if text else PASSED, sentence(text) if text else check.passed) for check, text in found
    ]
    return sorted(outcomes, key=lambda one: ORDER.index(one[1]))


def make(context: ReportContext) -> Made:
    """Return sentences, checks and what was run."""
    return Made(html=verdict_html(context))


def verdict_html(context: ReportContext, left_out: Sequence[str] = ()) -> Markup:
    """Return sentences, checks and what was run. left_out: codes of checks that cannot be made here."""
    lead = Markup("").join(Markup("<p>{}</p>").format(words_html(words)) for words in sentences(context))
    outcomes = [found for found in checked(context) if found[0].code not in left_out]
    lines = [(outcome, check_html(outcome, one.code, one.asks, words_html(text))) for one, outcome, text in outcomes]
    badges = summary_html([outcome for outcome, _ in lines])
    blocks = [block for block in about_the_run(context.run) if not isinstance(block, Code)]
    return Markup(
        '<div class="lead">{}</div>{}{}<details><summary>What was run on which data</summary>{}</details>'
    ).format(lead, badges, checks_html(lines), blocks_html(blocks))


VERDICT = Part(key="verdict", title="The verdict", brief="Verdict", make=make)

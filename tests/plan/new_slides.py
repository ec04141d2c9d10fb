"""Does what `bench plan` says come true on new slides? Whole studies through the engine, whose truth is known. Markdown.

    python tests/plan/new_slides.py --studies 24 --to new_slides.csv

Studies are made up as in `tests/simulation/designs.py`; two encoders see the same items, the second less sharply. Each is
fitted, stored, and planned by `plan_of`, which is what the command calls. Then, of every design:

    forecast   the 90% interval of the score with 1, 2 and 4 times the labels, of as many slides each: does it hold the
               mean score of OTHERS other studies with so many labels and slides, tested on 40 slides that are new?
               For a target that is the true score at twice the labels: is "twice" in the interval of labels needed?
    narrower   "MORE more slides narrow it to +-X": half the width of the interval of a new study with so many more
               slides over X, and twice 1.96 deviations of such scores over 2 X (which knows no more than luck)
    power      each study is asked with how many slides the true difference of the two encoders would be found in 8 of 10
               cases; a new study has so many: is its 95% interval of the difference without zero?
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).resolve().parents[1] / "simulation"))

from designs import WIDTH, Design, make_study
from threadpoolctl import threadpool_limits

from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines
from bench.report.tables.leaderboard import Leaderboard, build_leaderboard
from bench.report.tables.merge import BOARD
from bench.report.tables.plan import NORMAL
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.record import RunRecord, write_record_of
from bench.statistics.precision import Parts
from bench.storage.tables import csv_bytes
from bench.studies.plan.ask import plan_of
from bench.studies.plan.plan import MORE_SLIDES, Plan

HEADS = ("centroid", "ridge")
TIMES = (1, 2, 4)
TESTED, OTHERS = 40, 24  # new slides that the truth is tested on; other studies that it is the mean of
MOST = 5  # times the slides, beyond which no study is made to see whether encoders are told apart


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A design, whose shots are the most labels per class. blur: deviation of the second encoder's own error, where an
    item's noise is 1."""

    design: Design
    blur: float


PURE = {"in_slide": 1}
KINDS = (
    Kind(design=Design(name="18 slides of 2 classes", slides=18, gap=1.2, shots=16), blur=0.68),
    Kind(design=Design(name="12 slides of 2 classes, alike by .5", slides=12, gap=1.6, shots=8, slide=0.7, both=0.7), blur=0.6),
    Kind(design=Design(name="24 slides, of 34 a third is tested", slides=24, gap=1.2, shots=8, slide=0.4, both=0.4), blur=0.36),
    Kind(design=Design(name="24 slides of one of 2 classes", slides=24, gap=1.4, shots=8, slide=0.35, both=0.35, **PURE),
         blur=0.62),
    Kind(design=Design(name="36 slides of 3 classes, a third tested", slides=36, classes=3, in_slide=3, gap=1.6, shots=16,
                       slide=0.25, both=0.25, items=12), blur=0.34),
    Kind(design=Design(name="40 slides of one of 4 classes", slides=40, classes=4, gap=2.2, shots=16, **PURE), blur=0.62),
    Kind(design=Design(name="30 slides of 2 classes, official: 12 to learn from", slides=30, train=12, gap=1.2, shots=8,
                       slide=0.4, both=0.6), blur=0.5),
    Kind(design=Design(name="20 slides, unequal, varying difficulty", slides=20, gap=1.6, shots=8, slide=0.6, unequal=0.7,
                       hard=0.3), blur=0.46),
)  # fmt: skip


def views_of(kind: Kind, X: np.ndarray, rng: np.random.Generator) -> dict[str, Embedded]:
    """Return the vectors as two encoders see them, the second with an error of its own for every item."""
    worse = (X + kind.blur * rng.standard_normal(X.shape)).astype(np.float32)
    return {name: Embedded(name, f"key-{name}", "unit", rows) for name, rows in (("sharp", X), ("blurred", worse))}


def run(
    kind: Kind, protocol: Protocol, rng: np.random.Generator, folder: Path, heads: Sequence[str] = HEADS,
    *, name: str = "",
) -> Leaderboard:  # fmt: skip
    """Take a study through the engine, and store it as `bench run` does.

    name: before those of its items and slides, by which draws and wrong labels are hashed: studies of one name share that luck.
    """
    table, X = make_study(kind.design, rng)
    table = table.assign(**{column: name + table[column] for column in ("instance", "image", "group")})
    views = views_of(kind, X, rng)
    named = {name: (one.key, "unit") for name, one in views.items()}
    sweep = plan_sweep(table, kind.design.names, protocol, named, list(heads))
    HeadFits(views=views, workers=1).make(sweep, sweep.blocks, folder)
    facts = RunFacts("made up", "whole", "", "", sweep.plan.rule, sweep.plan.reason, protocol.support_groups, kind.design.names,
                     {name: EncoderFacts("none", WIDTH, False, 0.0) for name in views})  # fmt: skip
    board = build_leaderboard(folder, sweep.blocks, sweep.table, sweep.plan, facts)
    record = RunRecord(tuple(sweep.blocks), sweep.table, sweep.plan, facts, (), "")
    write_record_of(folder, record, {BOARD: csv_bytes(board.table)}, {})
    return board


def ladder(shots: int) -> tuple[int, ...]:
    """Return the numbers of labels of a run, doubling up to the most."""
    return tuple(n for n in (1, 2, 4, 8, 16, 32) if n <= shots)


def planned(kind: Kind, number: int) -> tuple[Plan, pd.DataFrame]:
    """Return the plan of a study, and its rows of the most labels by (encoder, head)."""
    with tempfile.TemporaryDirectory() as folder:
        board = run(kind, Protocol(shots=ladder(kind.design.shots)), np.random.default_rng([1, number]), Path(folder))
        rows = board.table[board.table["shots"] == board.table["shots"].max()]
        return plan_of([Path(folder)], target=0.99), rows.set_index(["encoder", "head"])


def at_most_labels(kind: Kind, seed: tuple[int, int], heads: Sequence[str] = HEADS) -> Leaderboard:
    """Return the leaderboard of a study with the most labels of its design."""
    with tempfile.TemporaryDirectory() as folder:
        return run(kind, Protocol(shots=(kind.design.shots,)), np.random.default_rng(seed), Path(folder), heads)


def truth(kind: Kind, labels: int, slides: int, others: int = OTHERS) -> pd.DataFrame:
    """Return mean and its standard error of the scores by (encoder, head): learned from `labels` per class of `slides`
    new slides, tested on TESTED others; over so many studies."""
    other = replace(kind, design=replace(kind.design, slides=slides + TESTED, train=slides))
    scores = []
    for i in range(others):
        with tempfile.TemporaryDirectory() as folder:
            board = run(other, Protocol(shots=(labels,), draws=4), np.random.default_rng([2, labels, i]), Path(folder))
            scores.append(board.table.set_index(["encoder", "head"])["balanced_accuracy"])
    found = pd.concat(scores, axis=1)
    return pd.DataFrame({"score": found.mean(axis=1), "error": found.std(axis=1) / np.sqrt(others)})


def forecasts_held(plan: Plan, true: dict[int, pd.DataFrame]) -> Iterator[dict[str, object]]:
    """Yield a row per encoder and number of labels: was the true score in the interval, and twice the labels in that of
    the labels that the true score at twice the labels takes?"""
    for one in plan.forecasts:
        at = {times: float(true[times].loc[one.key[:2], "score"]) for times in TIMES}
        low, _, high = one.labels_for(at[2])
        for times in TIMES:
            bottom, middle, top = one.at(times * float(one.curve.n[-1]))
            yield {"times": times, "held": bottom <= at[times] <= top, "width": top - bottom, "off": middle - at[times],
                   "labels_held": low <= 2 * float(one.curve.n[-1]) <= high}  # fmt: skip


def with_slides(kind: Kind, slides: int) -> Kind:
    """Return a kind of so many slides in all; of an official split those are tested that are more or fewer."""
    return replace(kind, design=replace(kind.design, slides=slides))


def slides_asked(kind: Kind, pair: Parts, difference: float) -> int:
    """Return with how many slides in all a plan says that a difference is found in 8 of 10 studies, at most MOST times
    as many as there are."""
    n = kind.design.slides
    for slides in range(n, MOST * n):
        if pair.found(slides=slides - n) <= difference:
            return slides
    return MOST * n


def study(kind: Kind, number: int, true: dict[int, pd.DataFrame]) -> dict[str, list[dict[str, object]]]:
    """Return what came true of the plan of one study: rows of forecasts, of a narrower interval, of power."""
    plan, rows = planned(kind, number)
    best, other = (one.key[:2] for one in plan.forecasts)
    score, n = plan.precision.score, kind.design.slides
    then = at_most_labels(with_slides(kind, n + MORE_SLIDES), (3, number)).table.set_index(["encoder", "head"])
    narrower = {"now": half_width(rows.loc[best]), "said_now": score.reach(), "said": score.reach(slides=MORE_SLIDES),
                "met": half_width(then.loc[best]), "score": then.loc[best, "balanced_accuracy"]}  # fmt: skip
    difference = float(true[1].loc[best, "score"] - true[1].loc[other, "score"])
    slides = slides_asked(kind, plan.precision.differences[other[0]], difference)
    pairs = at_most_labels(with_slides(kind, slides), (4, number), sorted({best[1], other[1]})).pairs
    told = pairs[(pairs["encoder_a"] == best[0]) & (pairs["encoder_b"] == other[0]) & (pairs["head_b"] == other[1])]
    power = {"asked": slides, "told": bool((told["p"] <= 0.05).any()), "difference": difference}
    return {"forecast": list(forecasts_held(plan, true)), "narrower": [narrower], "power": [power]}


def half_width(row: pd.Series) -> float:
    """Return half the width of the interval of a row of a leaderboard."""
    return float(row["ci_high"] - row["ci_low"]) / 2


def truths(kind: Kind, others: int = OTHERS) -> dict[int, pd.DataFrame]:
    """Return the true scores at TIMES the labels and slides that the first study of a kind has."""
    row = planned(kind, 0)[0].rows.iloc[0]
    labels, slides = int(row["labels_now"]), int(row["slides_now"])
    K = kind.design.classes // kind.design.in_slide  # slides that hold all classes together
    return {times: truth(kind, times * labels, -(-times * slides // K) * K, others) for times in TIMES}


def markdown(found: dict[str, pd.DataFrame]) -> str:
    """Return the table, a line per design and one of all."""
    head = ["design", "studies", *(f"held x{times}" for times in TIMES), "off", "width", "labels needed held",
            "more slides: met / said", "within 25%", "deviation met / said", "now: interval / said", "slides asked for",
            "told apart"]  # fmt: skip
    lines = [head]
    designs = list(found["power"]["design"].unique())
    for name in [*designs, "all"]:
        f, n, p = (found[key] if name == "all" else found[key][found[key]["design"] == name]
                   for key in ("forecast", "narrower", "power"))  # fmt: skip
        ratio = n["met"] / n["said"]
        deviation = NORMAL * n.groupby("design")["score"].std() / n.groupby("design")["said"].median()
        lines.append([
            name, str(len(n)), *(f"{f.loc[f['times'] == times, 'held'].mean():.3f}" for times in TIMES),
            f"{100 * f['off'].mean():+.1f}", f"{100 * f['width'].mean():.0f}", f"{f['labels_held'].mean():.3f}",
            f"{ratio.median():.2f}", f"{((ratio - 1).abs() <= 0.25).mean():.2f}", f"{deviation.median():.2f}",
            f"{(n['now'] / n['said_now']).median():.2f}", f"{p['asked'].median():.0f}", f"{p['told'].mean():.2f}",
        ])  # fmt: skip
    return table_lines(lines)


def read_asked(about: str | None, studies: int) -> tuple[argparse.Namespace, Sequence[Kind]]:
    """Return what was typed, and the kinds of studies that were chosen. studies: of each design, if not typed."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=studies, help="of each design")
    parser.add_argument("--designs", default="", help="numbers from 0, comma-separated; all if empty")
    parser.add_argument("--others", type=int, default=OTHERS, help="studies that the truth is the mean of")
    parser.add_argument("--to", type=Path, required=True, help="CSV of all that came true or not")
    asked = parser.parse_args()
    return asked, [KINDS[int(i)] for i in asked.designs.split(",")] if asked.designs else KINDS


def main() -> None:
    """Print the table."""
    asked, chosen = read_asked(__doc__, 16)
    found: dict[str, list[dict[str, object]]] = {}
    with threadpool_limits(1):
        for kind in chosen:
            true = truths(kind, asked.others)
            for number in range(asked.studies):
                for name, rows in study(kind, number, true).items():
                    found.setdefault(name, []).extend(
                        {"design": kind.design.name, "study": number} | row for row in rows
                    )
            pd.concat([pd.DataFrame(rows).assign(what=name) for name, rows in found.items()]).to_csv(
                asked.to, index=False
            )
            print(kind.design.name, file=sys.stderr, flush=True)
    print(markdown({name: pd.DataFrame(rows) for name, rows in found.items()}))


if __name__ == "__main__":
    main()

"""Do forecasts of `bench plan` for wrong labels hold on new slides? Whole studies through the engine. Prints Markdown.

    python tests/plan/wrong_labels.py --studies 6 --to wrong_labels.csv

The studies of `new_slides.py`, with 0, 20 and 40% of the labels wrong. Each is fitted, stored and planned by `plan_of`,
which is what the command calls. Is the mean score of other studies, with new slides to learn from and to be tested on
and as many wrong labels, in the 90% interval of the score with 1, 2 and 4 times the labels? Items of every study have
names of their own, as wrong labels are hashed by them: else all studies would have the same ones wrong.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from new_slides import TESTED, TIMES, Kind, ladder, read_asked, run
from threadpoolctl import threadpool_limits

from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines
from bench.studies.plan.ask import plan_of
from bench.studies.plan.plan import Plan

NOISE = (0.0, 0.2, 0.4)
METHOD = ["encoder", "head", "noise"]


def planned(kind: Kind, number: int) -> Plan:
    """Return the plan of a study with clean and wrong labels."""
    protocol = Protocol(shots=ladder(kind.design.shots), noise=NOISE)
    with tempfile.TemporaryDirectory() as folder:
        run(kind, protocol, np.random.default_rng([1, number]), Path(folder), name=f"study{number}-")
        return plan_of([Path(folder)], target=0.99)


def truth(kind: Kind, labels: int, slides: int, others: int) -> pd.Series:
    """Return the mean score by METHOD over other studies: `labels` per class of `slides` new slides, tested on TESTED
    others."""
    other = replace(kind, design=replace(kind.design, slides=slides + TESTED, train=slides))
    scores = []
    for i in range(others):
        with tempfile.TemporaryDirectory() as folder:
            protocol = Protocol(shots=(labels,), draws=4, noise=NOISE)
            board = run(other, protocol, np.random.default_rng([2, labels, i]), Path(folder), name=f"other{i}-")
            scores.append(board.table.set_index(METHOD)["balanced_accuracy"])
    return pd.concat(scores, axis=1).mean(axis=1)


def truths(kind: Kind, others: int) -> dict[int, pd.Series]:
    """Return the true scores at TIMES the labels and slides that the first study of a kind has."""
    row = planned(kind, 0).rows.iloc[0]
    labels, slides = int(row["labels_now"]), int(row["slides_now"])
    K = kind.design.classes // kind.design.in_slide  # slides that hold all classes together
    return {times: truth(kind, times * labels, -(-times * slides // K) * K, others) for times in TIMES}


def held(plan: Plan, true: dict[int, pd.Series]) -> Iterator[dict[str, object]]:
    """Yield a row per share of wrong labels and number of labels: was the true score in the interval?"""
    for row in plan.all_rows().to_dict("records"):
        if row["encoder"] == plan.best.key.encoder:
            for times in TIMES:
                low, middle, high = (row[f"{name}_x{times}"] for name in ("low", "score", "high"))
                score = float(true[times].loc[tuple(row[name] for name in METHOD)])
                yield {"noise": row["noise"], "times": times, "held": low <= score <= high, "width": high - low,
                       "off": middle - score}  # fmt: skip


def markdown(found: pd.DataFrame) -> str:
    """Return the table, a line per share of wrong labels and design, and one per share of all."""
    lines = [["wrong labels", "design", "studies", *(f"held x{times}" for times in TIMES), "off", "width"]]
    for noise, share in found.groupby("noise"):
        for name, own in [*share.groupby("design", sort=False), ("all", share)]:
            lines.append([
                f"{noise:.0%}", str(name), str(len(own[["design", "study"]].drop_duplicates())),
                *(f"{own.loc[own['times'] == times, 'held'].mean():.3f}" for times in TIMES),
                f"{100 * own['off'].mean():+.1f}", f"{100 * own['width'].mean():.0f}",
            ])  # fmt: skip
    return table_lines(lines)


def main() -> None:
    """Print the table."""
    asked, chosen = read_asked(__doc__, 6)
    rows: list[dict[str, object]] = []
    with threadpool_limits(1):
        for kind in chosen:
            true = truths(kind, asked.others)
            for number in range(asked.studies):
                rows += [
                    {"design": kind.design.name, "study": number} | row for row in held(planned(kind, number), true)
                ]
            pd.DataFrame(rows).to_csv(asked.to, index=False)
            print(kind.design.name, file=sys.stderr, flush=True)
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()

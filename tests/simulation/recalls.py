"""How often the limits of a class's recall in a report hold the recall on new slides. Markdown.

    python tests/simulation/recalls.py --studies 100

Studies as in `new_slides.py`, through the whole engine, and the limits as `bench report` writes them into recall.csv. The
truth is found apart from it: learned from new slides, as many as in a split of the design, and tested on others.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from designs import DESIGNS, WIDTH, Design, make_study
from threadpoolctl import threadpool_limits

from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.protocol.splits import plan_splits
from bench.report.html.context import Level, Method
from bench.report.html.details import read_items
from bench.report.html.tables import counted_as, recalls
from bench.report.pages.markdown import table_lines
from bench.report.tables.leaderboard import build_leaderboard
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.record import RunRecord

TAKEN = (0, 1, 2, 3, 4, 6, 7, 9, 10, 11, 13, 15, 17, 18, 19, 20)  # of DESIGNS: every kind of split, and those meant to break it
HEAD = "logreg"
NEW = 24  # slides that the truth is tested on


def recall_of(design: Design, table: pd.DataFrame, X: np.ndarray) -> pd.DataFrame:
    """Return the recalls of a study, class by class, as a report has them."""
    protocol = Protocol(shots=(design.shots,), draws=design.draws)
    with tempfile.TemporaryDirectory() as folder:
        sweep = plan_sweep(table, design.names, protocol, {"e": ("key", "unit")}, [HEAD])
        HeadFits(views={"e": Embedded("e", "key", "unit", X)}, workers=1).make(sweep, sweep.blocks, Path(folder))
        facts = RunFacts("made up", "whole", "", "", sweep.plan.rule, sweep.plan.reason, protocol.support_groups, design.names,
                         {"e": EncoderFacts("none", WIDTH, False, 0.0)})  # fmt: skip
        record = RunRecord(tuple(sweep.blocks), sweep.table, sweep.plan, facts, (), "")
        [unit] = sweep.blocks
        method = Method(unit.encoder, unit.head, unit.selection)
        level = Level(unit.series, unit.shots, unit.noise_kind, 0.0)
        items = read_items(Path(folder), record, [method], level)
        board = build_leaderboard(Path(folder), sweep.blocks, sweep.table, sweep.plan, facts).table
        counted = counted_as(board.iloc[0], sweep.plan.rule)
        return recalls(items, [method], design.names, [counted]).set_index("class")


def truth(design: Design, studies: int) -> np.ndarray:
    """Return the recall of every class (K,) on new slides, learned from new slides; mean over studies."""
    found = []
    for i in range(studies):
        train = design.train
        if not train:
            table, _ = make_study(design, np.random.default_rng([98, i]))
            splits = plan_splits(table, design.names).repeats[0]
            train = table["group"].iloc[splits[i % len(splits)].train].nunique()
        other = replace(design, slides=train + NEW, train=train, draws=6)
        found.append(recall_of(other, *make_study(other, np.random.default_rng([99, i])))["recall"].to_numpy())
    return np.asarray(np.mean(found, 0))


def line(design: Design, studies: int, others: int) -> list[str]:
    """Return the row of a design: over all classes and studies. others: studies that the truth is found by."""
    true = truth(design, others)
    held, width, recall = [], [], []
    for i in range(studies):
        table = recall_of(design, *make_study(design, np.random.default_rng([0, i])))
        held.append((table["ci_low"] <= true) & (true <= table["ci_high"]))
        width.append(table["ci_high"] - table["ci_low"])
        recall.append(table["recall"])
    ideal = 2 * 1.96 * np.std(recall, 0, ddof=1).mean()
    worst = np.mean(held, 0).min()
    return [
        design.name, f"{studies}", f"{100 * true.mean():.1f}", f"{np.mean(held):.3f}", f"{worst:.3f}", f"{np.mean(width):.3f}",
        f"{np.mean(width) / ideal:.2f}",
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--others", type=int, help="studies that the truth is found by (default: as many, 20 at least)")
    asked = parser.parse_args()
    head = ["design", "studies", "true", "holds", "of the worst class", "width", "width / ideal"]
    lines = [head]
    with threadpool_limits(1):
        for at in TAKEN:
            lines.append(line(DESIGNS[at], asked.studies, asked.others or max(asked.studies, 20)))
            print(lines[-1], flush=True)
    print(table_lines(lines, [False] + [True] * 6))


if __name__ == "__main__":
    main()

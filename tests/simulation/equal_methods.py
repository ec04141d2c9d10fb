"""How often equally good methods are put in an order, and how many of 19 methods 5 points behind are told apart. Markdown.

    python tests/simulation/equal_methods.py --tables 200
    python tests/simulation/equal_methods.py --tables 600 --designs fixed --methods 20 --no-power

A method is an encoder of its own: the same items, seen with the same error of the slide and an error of its own, and the
nearest centroid. Encoders of one table have the same expected score, so every claim about two of them is false.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from designs import WIDTH, Design, make_study
from studies import Setting, study
from threadpoolctl import threadpool_limits

from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines
from bench.report.tables.across import holm
from bench.report.tables.leaderboard import Leaderboard, build_leaderboard
from bench.runs.facts import EncoderFacts, RunFacts
from bench.statistics.intervals import differences
from bench.statistics.ranks import compare_all
from bench.statistics.spread import spread_of

OWN = 0.6  # deviation of an encoder's own error, where an item's is 1
FOLDS = Design(name="folds, 12 slides of 2 classes", slides=12, shots=5)
FIXED = Design(name="fixed, 66 slides of 2 classes", slides=66, shots=5, items=8)
DESIGNS = {"folds": FOLDS, "fixed": FIXED}
POWER = Design(name="150 slides of 2 classes, 50 tested", slides=150, shots=10, items=10, gap=2.2)


def table_of(design: Design, methods: int, rng: np.random.Generator, behind: float = 0.0) -> Leaderboard:
    """Return the leaderboard of so many encoders; all but the first have `behind` more error."""
    table, X = make_study(design, rng)
    views = {}
    for m in range(methods):
        more = OWN if m == 0 else OWN + behind
        views[f"e{m:02}"] = Embedded(f"e{m:02}", f"key{m}", "unit", (X + more * rng.standard_normal(X.shape)).astype("f4"))
    protocol = Protocol(shots=(design.shots,), draws=design.draws, select=("fixed",))
    named = {name: (view.key, "unit") for name, view in views.items()}
    with tempfile.TemporaryDirectory() as folder:
        sweep = plan_sweep(table, design.names, protocol, named, ["centroid"])
        HeadFits(views=views, workers=1).make(sweep, sweep.blocks, Path(folder))
        facts = RunFacts("made up", "whole", "", "", sweep.plan.rule, "", protocol.support_groups, design.names,
                         {name: EncoderFacts("none", WIDTH, False, 0.0) for name in views})  # fmt: skip
        return build_leaderboard(Path(folder), sweep.blocks, sweep.table, sweep.plan, facts)


def false_claims(design: Design, methods: int, tables: int) -> tuple[float, float, float]:
    """Return shares of tables of equal methods: a rank above 1, a pair with the best below .05, an interval of P(best)."""
    ranks, pairs, near = [], [], []
    for i in range(tables):
        board = table_of(design, methods, np.random.default_rng([methods, i]))
        ranks.append(bool((board.table["rank_low"] > 1).any()))
        pairs.append(bool((board.pairs["p_joint"] <= 0.05).any()))
        near.append(board.table["p_near"].mean())
    return float(np.mean(ranks)), float(np.mean(pairs)), float(np.mean(near))


def power(tables: int, behind: float) -> tuple[float, float]:
    """Return (how many of 19 methods are told apart from the best, how many points they are behind)."""
    told, gap = [], []
    for i in range(tables):
        board = table_of(POWER, 20, np.random.default_rng([1, i]), behind)
        first = board.table.set_index("encoder")["balanced_accuracy"]
        gap.append(100 * (first["e00"] - first.drop("e00").mean()))
        rows = board.pairs[board.pairs["encoder_a"] == "e00"]
        told.append(int((rows["p_joint"] <= 0.05).sum()))
    return float(np.mean(told)), float(np.mean(gap))


def power_of_answers(tables: int) -> tuple[float, float]:
    """Return of 19 methods 5 points behind the first, on 50 slides that are hard to tell by, how many are told apart.

    By the joint comparison, and by Holm's correction of the pairs with the best, which forgets that it was picked.
    Answers are made up as in `studies.py`, and not learned.
    """
    joint, plain = [], []
    for i in range(tables):
        hits = study(Setting(50, True, 40, 10, 0.85), np.random.default_rng([5, i]), (0.0,) + (-0.05,) * 19)
        spread = spread_of(hits)
        best = int(spread.mean.argmax())
        others = np.array([m for m in range(20) if m != best])
        joint.append(compare_all(spread, seed=i).better[best].sum())
        plain.append((holm(differences(spread, best, others).p) <= 0.05).sum())
    return float(np.mean(joint)), float(np.mean(plain))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--behind", type=float, default=0.5, help="more error of the 19 others, for about 5 points")
    parser.add_argument("--designs", default="folds,fixed")
    parser.add_argument("--methods", default="10,20,40")
    parser.add_argument("--no-power", action="store_true", help="equal methods alone")
    asked = parser.parse_args()
    lines = [["design", "equal methods", "a rank above 1", "a pair below .05", "within 2 points of the best, mean"]]
    with threadpool_limits(1):
        for design in (DESIGNS[name] for name in asked.designs.split(",")):
            for methods in map(int, asked.methods.split(",")):
                found = false_claims(design, methods, asked.tables)
                lines.append([design.name, str(methods), *(f"{value:.3f}" for value in found)])
        print(table_lines(lines), flush=True)
        if asked.no_power:
            return
        joint, plain = power_of_answers(asked.tables)
        print(f"\nMade-up answers on 50 slides: of 19 methods 5 points behind the first, {joint:.1f} are told apart from it by "
              f"the joint comparison, {plain:.1f} by Holm's correction.", flush=True)  # fmt: skip
        told, gap = power(max(asked.tables // 10, 1), asked.behind)
        print(f"\n{POWER.name}: of 19 methods {gap:.1f} points behind the first, {told:.1f} are told apart from it.")


if __name__ == "__main__":
    main()

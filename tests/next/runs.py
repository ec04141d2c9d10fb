"""How often the interval of `bench run` holds the truth after rounds of picked labels: tested on all, and on the drawn ones.

    python tests/next/runs.py --studies 100

Pools and picks are those of `estimates.py`, in ROUNDS rounds. Every study goes through the engine three times, with SHOTS
labels per class: as if all labels were drawn; as a run takes them, which learns from all and is tested on the drawn ones
(split "learn"); and, for the truth, with all labels to learn from and NEW other rows of the same kind to be tested on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import estimates
import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).resolve().parents[1] / "simulation"))

from designs import WIDTH
from threadpoolctl import threadpool_limits

from bench.data.chosen_by import LEARN
from bench.errors import BenchError
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines
from bench.report.tables.leaderboard import build_leaderboard
from bench.runs.facts import EncoderFacts, RunFacts

ROUNDS, SHOTS, DRAWS, NEW, POOL = 12, 10, 10, 2000, 2000
CLASSES, HEAD = ("a", "b", "c"), "ridge"


def score(y: np.ndarray, Z: np.ndarray, split: list[str | None]) -> pd.Series:
    """Return the row of a leaderboard of items, each a slide by itself. y int, Z (n, d), split (n,)."""
    names = [f"i{i:05}" for i in range(len(y))]
    table = pd.DataFrame({"instance": names, "label": [CLASSES[k] for k in y], "group": names, "split": split})
    table = table.assign(level="expert", image=table["instance"])
    with tempfile.TemporaryDirectory() as folder:
        sweep = plan_sweep(table, CLASSES, Protocol(shots=(SHOTS,), draws=DRAWS), {"e": ("key", "unit")}, [HEAD])
        HeadFits(views={"e": Embedded("e", "key", "unit", Z)}, workers=1).make(sweep, sweep.blocks, Path(folder))
        facts = RunFacts("made up", "whole", "", "", sweep.plan.rule, "", "spread", CLASSES,
                         {"e": EncoderFacts("none", WIDTH, False, 0.0)})  # fmt: skip
        return build_leaderboard(Path(folder), sweep.blocks, sweep.table, sweep.plan, facts).table.iloc[0]


def study(strategy: str, seed: int) -> dict[str, tuple[float, float, float, float]]:
    """Return (score, truth, low, high) by what was tested."""
    rng = np.random.default_rng([POOL, seed])
    Z, y = estimates.make_pool(POOL, rng)
    known, drawn, _ = estimates.labelled(Z, y, strategy, rng, ROUNDS)
    Z_new, y_new = estimates.make_pool(NEW, rng)
    own, X = y[known], Z[known]
    truth = score(np.r_[own, y_new], np.r_[X, Z_new], ["train"] * len(own) + ["test"] * NEW)["balanced_accuracy"]
    splits: dict[str, list[str | None]] = {
        "all labels": [None] * len(own), "the drawn ones": [None if one else LEARN for one in drawn]
    }  # fmt: skip
    rows = {name: score(own, X, split) for name, split in splits.items()}
    return {name: (row["balanced_accuracy"], truth, row["ci_low"], row["ci_high"]) for name, row in rows.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--strategy", default="margin")
    asked = parser.parse_args()
    found, refused = [], 0
    with threadpool_limits(1):
        for i in range(asked.studies):
            try:
                found.append(study(asked.strategy, i))
            except BenchError:  # a class with drawn labels on one slide, which a run refuses by name
                refused += 1
    print(table_lines(estimates.coverage_lines("tested on", found)))
    print(f"\n{refused} of {asked.studies} studies were refused.")


if __name__ == "__main__":
    main()

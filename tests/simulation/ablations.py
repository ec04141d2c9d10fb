"""How often an ablation finds a variation where none changes anything, and the one that does where one does. Markdown.

    python tests/simulation/ablations.py --tables 200
    python tests/simulation/ablations.py --tables 600 --behind 0        # where nothing is planted

A variant is an encoder of its own: the same items, seen with the same error of the slide and an error of its own. The
planted one has more error; `behind` is chosen so that it costs a few points. All goes through the whole engine: splits,
draws, two heads at two numbers of labels, predictions, effects.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from designs import WIDTH, Design, make_study
from threadpoolctl import threadpool_limits

from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.record import RunRecord
from bench.studies.ablate.effects import effects
from bench.studies.ablate.page import TOLD, judged_by
from bench.studies.ablate.variations import Variation
from encoders import EncoderSpec, Preprocess

OWN = 0.4  # deviation of a variant's own error, where an item's is 1
DESIGNS = (
    Design(name="folds, 12 slides of 2 classes", slides=12, shots=5),
    Design(name="fixed, 66 slides of 2 classes", slides=66, shots=5, items=8),
)


def variation(name: str) -> Variation:
    """Return a variation of a made-up encoder."""
    spec = EncoderSpec(name, "other", "made up", WIDTH, Preprocess(None), "none")
    return Variation(factor="option", value=name, spec=spec)


def fitted(design: Design, errors: Mapping[str, float], folder: Path, rng: np.random.Generator) -> RunRecord:
    """Make a study, fit it as seen by encoders whose own errors have these deviations, and return the run's record."""
    table, X = make_study(design, rng)
    views = {
        name: Embedded(name, f"key{m}", "unit", (X + error * rng.standard_normal(X.shape)).astype("f4"))
        for m, (name, error) in enumerate(errors.items())
    }
    protocol = Protocol(shots=(2, design.shots), draws=design.draws, select=("fixed",))
    keys = {name: (view.key, "unit") for name, view in views.items()}
    sweep = plan_sweep(table, design.names, protocol, keys, ["centroid", "ridge"])
    HeadFits(views=views, workers=1).make(sweep, sweep.blocks, folder)
    facts = RunFacts("made up", "whole", "", "", sweep.plan.rule, "", protocol.support_groups, design.names,
                     {name: EncoderFacts("none", WIDTH, False, 1.0) for name in views})  # fmt: skip
    return RunRecord(tuple(sweep.blocks), sweep.table, sweep.plan, facts, (), "")


def table_of(design: Design, variants: int, rng: np.random.Generator, behind: float) -> pd.DataFrame:
    """Return the effects of so many variations; the first of them has `behind` more error."""
    names = ["base", *(f"v{m:02}" for m in range(variants))]
    with tempfile.TemporaryDirectory() as folder:
        record = fitted(design, {name: OWN + behind * (m == 1) for m, name in enumerate(names)}, Path(folder), rng)
        return effects(Path(folder), record, "base", [variation(name) for name in names[1:]])


def shares(design: Design, variants: int, tables: int, behind: float) -> tuple[float, float, float, float]:
    """Return shares of tables with a variation told apart, and with the planted one first; its points; and the share of
    intervals of the other variations that hold 0.
    """
    told, first, cost, holds = [], [], [], []
    for i in range(tables):
        own = judged_by(table_of(design, variants, np.random.default_rng([variants, i]), behind))
        told.append(bool((own["p_adjusted"] <= TOLD).any()))
        first.append(own.sort_values("p", kind="stable")["encoder"].iloc[0] == "v00")
        cost.append(own.loc[own["encoder"] == "v00", "difference"].mean())
        plain = own[own["encoder"] != "v00"]
        holds.append(((plain["ci_low"] <= 0) & (plain["ci_high"] >= 0)).mean())
    return float(np.mean(told)), float(np.mean(first)), 100 * float(np.mean(cost)), float(np.mean(holds))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--behind", type=float, default=0.5, help="more error of the planted variation")
    asked = parser.parse_args()
    lines = [["design", "variations", "planted", "one told apart", "the planted one is first", "its points",
              "intervals of others hold 0"]]  # fmt: skip
    with threadpool_limits(1):
        for design in DESIGNS:
            for behind in dict.fromkeys((0.0, asked.behind)):
                told, first, cost, holds = shares(design, 8, asked.tables, behind)
                planted = "one" if behind else "none"
                lines.append([
                    design.name, "8", planted, f"{told:.3f}", f"{first:.3f}" if behind else "", f"{cost:+.1f}",
                    f"{holds:.3f}",
                ])  # fmt: skip
    print(table_lines(lines))


if __name__ == "__main__":
    main()

"""How often tiles without any signal are called better than chance, through the whole engine. Prints Markdown.

Twelve images of four classes with a hundred tiles each; the vectors of an image's tiles are alike (intraclass
correlation), and the classes mean nothing. Each dataset is split, drawn, fitted and compared as `bench run` does it: by
image, and for comparison by tile, the mistake of a random split.

    python tests/simulation/chance.py --datasets 1000
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from bench.fitting.schedule import run_units
from bench.fitting.sweep import Embedded, Protocol, plan_sweep
from bench.report.facts import EncoderFacts, RunFacts
from bench.report.flags import headline
from bench.report.leaderboard import build_leaderboard
from bench.report.markdown import table_lines

CLASSES = ("a", "b", "c", "d")
IMAGES, TILES, WIDTH, SHOTS, SEEDS = 12, 100, 16, 20, 5


def dataset(icc: float, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return an instance table and vectors float32 (N, d) of images whose tiles are alike and whose classes are not."""
    image = np.repeat(np.arange(IMAGES), TILES)
    X = np.sqrt(icc) * rng.standard_normal((IMAGES, WIDTH))[image] + np.sqrt(1 - icc) * rng.standard_normal(
        (len(image), WIDTH)
    )
    names = np.array([f"image{i:02}" for i in range(IMAGES)])[image]
    instance = [f"{name}/{i:04}" for i, name in enumerate(names)]
    table = pd.DataFrame({"instance": instance, "label": np.array(CLASSES)[image % 4], "group": names, "split": None,
                          "level": "expert", "image": instance})  # fmt: skip
    return table, X.astype(np.float32)


def leaderboard(table: pd.DataFrame, X: np.ndarray, folder: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the leaderboard of two heads and its flags."""
    sweep = plan_sweep(table, CLASSES, Protocol((SHOTS,), seeds=SEEDS), {"e": ("key", "unit")}, ["centroid", "ridge"])
    run_units(sweep, {"e": Embedded("e", "key", "unit", X)}, folder, workers=1)
    facts = RunFacts("noise", "whole", "T3", "", sweep.plan.rule, sweep.plan.reason, "spread", CLASSES,
                     {"e": EncoderFacts("none", WIDTH, False, 0.0)})  # fmt: skip
    board = build_leaderboard(folder, sweep.units, table, sweep.plan, facts)
    return board.table, dict(board.flags)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--icc", default="0.05,0.2,0.5")
    asked = parser.parse_args()
    lines = [["ICC", "split", "balanced accuracy", "better than chance", "lower limit above 1/4", "tiles worth"]]
    for icc in map(float, asked.icc.split(",")):
        found: dict[str, list[tuple[float, bool, bool, float]]] = {"by image": [], "by tile": []}
        for i in range(asked.datasets):
            table, X = dataset(icc, np.random.default_rng([int(1000 * icc), i]))
            tiles = table.assign(group=table["instance"])
            for split, own in {"by image": table, "by tile": tiles}.items():
                if split == "by tile" and i >= max(asked.datasets // 20, 1):
                    continue  # the same at all times
                with tempfile.TemporaryDirectory() as folder:
                    rows, raised = leaderboard(own, X, Path(folder))
                best = headline(rows).iloc[0]
                claimed = "Nothing here" not in raised.get("no-better-than-chance", "")
                above = bool((headline(rows)["ci_low"] > 1 / 4).any())
                found[split].append((best["balanced_accuracy"], claimed, above, best["n_eff"]))
        for split, results in found.items():
            score, claimed, above, worth = np.mean(results, 0)
            lines.append([f"{icc:g}", f"{split} ({len(results)})", f"{100 * score:.1f}", f"{claimed:.3f}", f"{above:.3f}",
                          f"{worth:.0f}"])  # fmt: skip
    print(table_lines(lines))


if __name__ == "__main__":
    main()

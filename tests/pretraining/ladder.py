"""Encoders that need no hub, from random weights upwards, on several sets. Markdown.

    python tests/pretraining/ladder.py --data data --pool data/unlabelled --work scratch

Every set of SETS below --data is run with every rung on the same draws. What is learned is learned from the segments of the
images below --pool, without labels. Differences are of the mean of the heads from RUNGS' `BASE`, paired, and from the best
row of the baselines (of one head), with intervals for new groups to learn from and to be tested on.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from own_pool import bench
from two_layers import learned, write_vectors

from bench.report.pages.markdown import table_lines
from bench.report.pages.numbers import gain, p_value, points, signed_interval
from bench.runs.record import read_record_of
from bench.studies.ablate.effects import ALL_HEADS, effects
from bench.studies.ablate.variations import Variation
from encoders import resolve

FIELD = "([^/]+)__"
SETS = {  # group pattern, labels per class
    "bccd_cells": (FIELD, "5,20"), "nuclei_cells": (FIELD, "5,20"), "ifc_cellcycle": (None, "5,10"),
    "sperm_mhsma_acrosome": (None, "5,20"),
}  # fmt: skip
LITE = "efficientnet-lite0@size=96"
BASE = LITE
DICTIONARY, CONTINUED = "./dictionary.encoder", "./continued.encoder"
SMALL, DISTILLED = "./small.encoder", "./distilled.encoder"
TWO = "file:two_layers-{}.npz"
RUNGS = {  # what a rung is, by the name of its encoder
    "efficientnet-lite0@pool=layers,size=96,weights=random": "random weights, every resolution",
    DICTIONARY: "dictionary of patches, learned from the pool",
    TWO: "dictionary of two layers, learned from the pool",
    SMALL: "small network, VICReg on the pool from random weights",
    DISTILLED: "small network, distilled from lite0-cells on the pool",
    CONTINUED: "ImageNet weights, then VICReg on the pool",
    LITE: "ImageNet weights",
    "efficientnet-lite0@pool=layers,size=96": "ImageNet weights, every resolution",
}
HEADS = "knn,logreg"


def main() -> None:
    """Learn, run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the sets")
    parser.add_argument("--pool", type=Path, required=True, help="images without labels, which are cut into segments")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is made")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60, help="batches of 48 that VICReg learns from")
    parser.add_argument("--small", type=int, default=400, help="batches of 64 that VICReg learns a small network from")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    pool = ("pretrain", "--data", asked.pool.resolve(), "--instances", "segments", "--seed", 0)
    if not (asked.work / DICTIONARY).exists():
        bench(asked.work, *pool, "--to", DICTIONARY)
    if not (asked.work / CONTINUED).exists():
        bench(asked.work, *pool, "--to", CONTINUED, "--method", "vicreg", "--init", "imagenet", "--size", 96, "--steps",
              asked.steps, "--batch", 48, "--most", 6000, "--device", "cpu")  # fmt: skip
    small = (*pool, "--size", 96, "--batch", 64, "--most", 6000, "--device", "cpu")
    if not (asked.work / SMALL).exists():
        bench(asked.work, *small, "--to", SMALL, "--method", "vicreg", "--steps", asked.small)
    if not (asked.work / DISTILLED).exists():  # as many views as VICReg has, of which it makes two of an image
        bench(asked.work, *small, "--to", DISTILLED, "--method", "distill", "--steps", 2 * asked.small)
    layers = None
    rows = []
    for name in asked.sets.split(","):
        file = asked.work / TWO.format(name).removeprefix("file:")
        if not file.exists():
            layers = layers or learned(asked.pool, asked.work)
            write_vectors(layers, asked.data / name, file)
        rungs = {rung.format(name): what for rung, what in RUNGS.items()}
        rows += rows_of(asked, asked.data / name, *SETS[name], rungs, BASE)
    print_table(rows, BASE)


def print_table(rows: list[list[str]], base: str) -> None:
    """Print the command and the table."""
    head = ["set", "labels per class", "encoder", "balanced accuracy", f"against `{base}`", "95% interval", "p",
            "best head against the best baseline", "95% interval"]  # fmt: skip
    print(f"`python {shlex.join(sys.argv)}`\n\n{table_lines([head, *rows])}")


def rows_of(
    asked: argparse.Namespace, data: Path, pattern: str | None, shots: str, rungs: Mapping[str, str], base: str
) -> list[list[str]]:
    """Run a set and return its rows of the table: the rungs at every number of labels."""
    name = data.name
    grouped = ("--group-pattern", pattern) if pattern else ()
    names = [part for rung in rungs for part in ("--encoder", rung)]
    bench(asked.work, "run", "--data", data.resolve(), *grouped, *names, "--shots", shots, "--draws", asked.draws,
          "--head", HEADS, "--name", name)  # fmt: skip
    run = asked.work / "results" / "runs" / name
    spec = resolve("color-stats")
    told = [Variation(factor="encoder", value=rung, spec=replace(spec, name=rung)) for rung in rungs if rung != base]
    found = effects(run, read_record_of(run), base, told)
    paired = found[found["head"] == ALL_HEADS].set_index(["shots", "encoder"])
    board = pd.read_csv(run / "leaderboard.csv")
    best = board.sort_values("balanced_accuracy").groupby(["shots", "encoder"]).tail(1).set_index(["shots", "encoder"])
    rows = []
    for shot in sorted(board["shots"].unique()):
        for rung, what in rungs.items():
            own = paired.loc[(shot, rung)] if rung != base else None
            mean = own["balanced_accuracy"] if own is not None else paired.loc[shot]["base"].iloc[0]
            least = best.loc[(shot, rung)]
            rows.append([
                name, str(shot), what, points(mean), *(
                    ("", "", "") if own is None
                    else (gain(own["difference"]), signed_interval(own["ci_low"], own["ci_high"]), p_value(own["p"]))
                ), gain(least["delta_trivial"]), signed_interval(least["delta_low"], least["delta_high"]),
            ])  # fmt: skip
    return rows


if __name__ == "__main__":
    main()

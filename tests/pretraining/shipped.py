"""What the encoder that comes with the package is worth on four sets, from 5 to 50 labels per class. Markdown.

    python tests/pretraining/shipped.py --data data --weights weights --work scratch

Differences are of the mean of the heads from `lite0-cells`, paired, and from the best row of the baselines (of one head), with
intervals for new groups to learn from and to be tested on. Two more tables have the mean over all numbers of labels, against
every row of the baselines (`over_labels`). Blood cells are windows of one size around the cells of the fields,
so that the size of a crop does not tell what is in it. Of the cell cycle no class has 50 cells to learn from.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import pandas as pd
from ladder import FIELD, print_table, rows_of
from over_labels import against_baselines, print_over_labels
from PIL import Image

BASE = "lite0-cells"
TURNED = "lite0-cells@orient8=mean"
RUNGS = {  # what an encoder is, by its name
    BASE: "ImageNet weights trained so that turning changes less, every resolution",
    TURNED: "the same, mean over eight orientations",
    "lite0-cells@weights=random": "the same network, random weights",
    "efficientnet-lite0@pool=layers,size=96": "ImageNet weights, every resolution",
    "efficientnet-lite0@size=96": "ImageNet weights, the end of the network",
}
MOBILE = "timm:mobilenetv2_100@weights={}/mobilenetv2_100.safetensors"
SETS = {  # group pattern, labels per class
    "blood": (FIELD, "5,20,50"), "nuclei_cells": (FIELD, "5,20,50"), "ifc_cellcycle": (None, "5,10"),
    "sperm_mhsma_acrosome": (None, "5,20,50"),
}  # fmt: skip
WINDOW, MOST_OF_A_CLASS = 80, 1500  # px, and cells of blood


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the sets")
    parser.add_argument("--weights", type=Path, required=True, help="the folder of mobilenetv2_100.safetensors")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is made")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--shipped-only", action="store_true", help="the encoder that comes along, and no other")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    shipped = {name: RUNGS[name] for name in (BASE, TURNED)}
    rungs = shipped if asked.shipped_only else {**RUNGS, MOBILE.format(asked.weights.resolve()): "MobileNetV2, ImageNet weights, 224 px"}
    rows, over = [], []
    for name in asked.sets.split(","):
        data = blood(asked.data / "bccd_fields", asked.work / name) if name == "blood" else asked.data / name
        rows += rows_of(asked, data, *SETS[name], rungs, BASE)
        over.append(against_baselines(asked.work / "results" / "runs" / name, rungs).assign(set=name))
    print_table(rows, BASE)
    print_over_labels(pd.concat(over), rungs, tuple(shipped))


def blood(fields: Path, made: Path) -> Path:
    """Cut windows of one size around the cells of fields, at most so many of a class; returns their folder."""
    seen: dict[str, int] = {}
    for i, row in enumerate(csv.DictReader((fields / "cells.csv").open()) if not made.exists() else ()):
        kind = row["cell_type"]
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= MOST_OF_A_CLASS:
            x, y = ((int(row[a]) + int(row[b]) - WINDOW) // 2 for a, b in (("x0", "x1"), ("y0", "y1")))
            with Image.open(fields / row["file"]) as field:
                x, y = (min(max(0, at), side - WINDOW) for at, side in zip((x, y), field.size, strict=True))
                path = made / kind / f"{Path(row['file']).stem}__{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                field.crop((x, y, x + WINDOW, y + WINDOW)).save(path)
    return made


if __name__ == "__main__":
    main()

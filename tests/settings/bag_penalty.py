"""Bag heads of a fixed l2: what another one gives, and what choosing it by left-out images would. Prints Markdown.

    OMP_NUM_THREADS=1 python tests/settings/bag_penalty.py bccd_cells Eosinophil,Lymphocyte,Monocyte,Neutrophil 16 6 \
        noisy-or,log-sum-exp
    OMP_NUM_THREADS=1 python tests/settings/bag_penalty.py nuclei_cells HepG2,Huh7 10 6 noisy-or,log-sum-exp

Arguments: data set, classes, labelled images per class, draws, heads. Run from a folder with the links `data` and
`weights`; the encoder is MobileNetV2. An image is all cut-out cells of a field; of blood its label is the subtype of its
white cells (the folders of data/bccd_fields), which alone are tested at cell level. Every draw learns from so many images
of a class and is tested on all others. `chosen` is the l2 with the least log loss on images that are left out in folds, at
the best temperature, with the prior of `bench.heads.choice`. Figures are means over draws of balanced accuracy, and of its
difference to the published l2 with its standard error over draws, whose test images overlap.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bench.embeddings.embed import DataSpec, embed, prepare
from bench.fitting.scaling import scale_rows
from bench.heads.choice import PRIOR
from bench.heads.left_out import MAX_FOLDS, fold_of
from bench.heads.temperature import fit_temperature
from bench.report.pages.markdown import table_lines
from bench.studies.granularity.bags import Bags
from bench.studies.granularity.heads import BagHead, Draw, get_bag_heads
from bench.studies.granularity.heads.contract import no_bags
from encoders import resolve

ENCODER = "timm:mobilenetv2_100@weights=weights/mobilenetv2_100.safetensors"
GRID = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def main(data: str, classes: Sequence[str], images: int, draws: int, heads: Sequence[BagHead]) -> None:
    """Print one line per head."""
    table, X = _cells(data)
    label_of = _labels(data, table)
    fields = np.array(sorted(field for field, label in label_of.items() if label in classes and field in set(table.field)))
    y, cell = np.array([classes.index(label_of[field]) for field in fields]), table["cell"].to_numpy(object)
    rows_of = {field: np.flatnonzero(table["field"] == field) for field in fields}
    found: dict[str, list[list[tuple[float, float]]]] = defaultdict(list)
    spent, took = defaultdict(float), defaultdict(list)

    def bags(at: np.ndarray) -> Bags:
        rows = [rows_of[field] for field in fields[at]]
        return Bags(np.concatenate(rows), np.append(0, np.cumsum(list(map(len, rows))))[:-1], y[at])

    for seed in range(draws):
        rng = np.random.default_rng(seed)
        train = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:images] for k in range(len(classes))])
        learned, tested = bags(train), bags(np.setdiff1d(np.arange(len(fields)), train))
        of_white = np.array([i for i in tested.rows if cell[i] in classes])
        own = np.array([classes.index(cell[i]) for i in of_white])
        scaled = scale_rows(X, learned.rows, table["field"].to_numpy(str), "unit")
        draw = Draw(scaled, learned, no_bags(), len(classes), tested, of_white)
        for head in heads:
            scores, started = [], time.thread_time()
            for l2 in GRID:
                P = head.scores(draw, {**head.settings, "l2": l2})
                scores.append((_accuracy(P.bags, tested.y), _accuracy(P.cells, own)))
            spent[head.name] += (time.thread_time() - started) / len(GRID)
            started = time.thread_time()
            at = _choose(head, draw)
            spent[head.name, "choice"] += time.thread_time() - started
            took[head.name].append(GRID[at])
            found[head.name].append([*scores, scores[at]])
    lines = [["head", "level", *(f"l2 = {l2:g}" for l2 in GRID), "chosen", "chosen - published", "fit, choice: CPU s"]]
    for head in heads:
        scores = 100 * np.array(found[head.name])  # (draws, l2 and chosen, levels)
        for level, name in enumerate(("image", "cell")):
            apart = scores[:, -1, level] - scores[:, GRID.index(head.settings["l2"]), level]
            gain = f"{apart.mean():+.1f} +- {apart.std(ddof=1) / np.sqrt(draws):.1f}"
            cost = f"{spent[head.name] / draws:.2f}, {spent[head.name, 'choice'] / draws:.2f}"
            lines.append([head.name, name, *(f"{value:.1f}" for value in scores[..., level].mean(0)), gain, cost])
    print(table_lines(lines))
    print({name: {l2: values.count(l2) for l2 in GRID if l2 in values} for name, values in took.items()})


def _cells(data: str) -> tuple[pd.DataFrame, np.ndarray]:
    source = DataSpec(Path("data") / data)
    prepared, _, X = embed(prepare(source, "out", None), [resolve(ENCODER)], "cpu", None)
    table = prepared.instances
    return table.assign(field=[Path(path).name.split("__")[0] for path in table["path"]]), next(iter(X.values()))


def _labels(data: str, table: pd.DataFrame) -> dict[str, str]:
    """Return field -> label, and set column `cell` to what every cell is, None where nothing says."""
    if data != "bccd_cells":
        table["field"] = table["label"] + "/" + table["field"]
        table["cell"] = table["label"]
        return dict(zip(table["field"], table["label"], strict=True))
    folders = [folder for folder in Path("data/bccd_fields").iterdir() if folder.is_dir()]
    label_of = {path.stem: folder.name for folder in folders for path in folder.glob("*.jpg")}
    table["cell"] = [
        label_of.get(field) if label == "WBC" else None for field, label in zip(table["field"], table["label"], strict=True)
    ]
    return label_of


def _choose(head: BagHead, draw: Draw) -> int:
    """Return which of GRID has the least loss on images left out in folds."""
    bags, K = draw.bags, draw.n_classes
    fold = fold_of(np.arange(len(bags)), min(MAX_FOLDS, int(np.bincount(bags.y).min())))
    P = np.empty((1, len(GRID), len(bags), K))
    for f in range(fold.max() + 1):
        rest, held = (bags.take(np.flatnonzero(some)) for some in (fold != f, fold == f))
        inner = replace(draw, bags=rest, test_bags=held, test_cells=np.zeros(0, np.int64))
        for at, l2 in enumerate(GRID):
            P[0, at, fold == f] = head.scores(inner, {**head.settings, "l2": l2}).bags
    _, losses = fit_temperature(P, bags.y[None], np.ones((1, len(bags)), bool), np.ones((1, len(GRID))))
    away = np.log(GRID) - np.log(head.settings["l2"])
    return int((losses[0].mean(-1) + PRIOR * away**2 / len(bags)).argmin())


def _accuracy(P: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean([(P[y == k].argmax(1) == k).mean() for k in np.unique(y)]))


if __name__ == "__main__":
    name, names, per_class, times, which = sys.argv[1:]
    with threadpool_limits(1):
        main(name, names.split(","), int(per_class), int(times), get_bag_heads(which.split(",")))

"""What a classifier of labels of images promises of images, keeps of it, and says of their cells. Markdown.

    python tests/classifier/from_images.py data/bccd_fields --cells data/bccd_fields/cells.csv --cell-column cell_subtype \\
        --leave-out Basophil --instances boxes:fit --halves 20

Half of the images are fitted by their labels alone, by each bag head and by the best of them, and the other half is
predicted. Labels of cells, of --cell-column, are looked at only to score the answers for cells of that half: how many of
the cells of the images' classes get the right class (mean over classes), and how many of the others are called none of
these. Beside it: as many cells as --first of each class and of the others, labelled and fitted by `bench fit`'s heads.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import bench
from bench.heads import get_heads
from bench.report.pages.markdown import table_lines
from bench.statistics.metrics import balanced_accuracy
from bench.studies.classifier.fit import HEADS
from bench.studies.classifier.learn import LabelledRows, learn
from bench.studies.classifier.learn_images import LabelledImages, able, labelled_images, learn_images
from bench.studies.classifier.promise import make_promise
from bench.studies.granularity.heads import get_bag_heads
from encoders import resolve

HEAD = (
    "learned from", "images: expected", "images: came", "in the promised interval", "cells: right class",
    "cells of a class called none", "cells of none called none",
)  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=Path)
    parser.add_argument("--cell-column")
    parser.add_argument("--instances", default="boxes:fit")
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--encoder", default="lite0-cells")
    parser.add_argument("--bag-head", default="mean-pool,inherit,noisy-or,log-sum-exp")
    parser.add_argument("--halves", type=int, default=20)
    parser.add_argument("--first", type=int, default=16, help="labelled cells of each class")
    parser.add_argument("--out", type=Path, default=Path("results"))
    asked = parser.parse_args()
    data = bench.load_data(
        asked.folder, instances=asked.instances, cells=asked.cells, cell_column=asked.cell_column,
        leave_out=asked.leave_out.split(",") if asked.leave_out else [], out=asked.out,
    )  # fmt: skip
    made = bench.embed(data, asked.encoder, progress=False)
    found: dict[str, list[list[float]]] = {}
    with threadpool_limits(1):
        for half in range(asked.halves):
            for name, scores in one_half(made.X, made.instances, asked, half).items():
                found.setdefault(name, []).append(scores)
    rows = [[name, *(shown(column) for column in np.array(scores).T)] for name, scores in found.items()]
    print(table_lines([HEAD, *rows], [False] + [True] * 6))


def one_half(X: np.ndarray, table: pd.DataFrame, asked: argparse.Namespace, half: int) -> dict[str, list[float]]:
    """Return the scores of every way of learning from one half of the images, in the order of HEAD."""
    classes = sorted(table["label"].unique())
    path = table["path"].to_numpy(str)
    rng = np.random.default_rng(half)
    images = table.drop_duplicates("path")
    learned = {
        name for _, own in images.groupby("label")["path"] for name in rng.permutation(own)[: (len(own) + 1) // 2]
    }
    mine = np.isin(path, list(learned))
    train, test = (images_of(X[some], table[some], classes, asked.encoder) for some in (mine, ~mine))
    truth = codes(table["cell_label"][~mine], classes)
    known = table["cell_label"][~mine].notna().to_numpy()
    heads, _ = able(get_bag_heads(asked.bag_head.split(",")), train.y, classes)
    scores = {}
    for name, some in {**{head.name: [head] for head in heads}, "the best for images": heads}.items():
        made, none = learn_images(train, some)
        promise = make_promise(made.choice.P, train.y, train.group, tuple(classes))
        rows = made.scale.of(test.rows.embedded[asked.encoder])
        answered = made.fitted.bags.scored(rows, test.bags, np.zeros(0, int)).bags  # type: ignore[attr-defined]
        came = balanced_accuracy(answered, test.y)
        P = made.fitted.scores(rows)
        scores[f"images, {name}"] = [
            promise.balanced_accuracy, came, promise.next_low <= came <= promise.next_high,
            *of_cells(P, truth, known, P.max(1) < none.level),
        ]  # fmt: skip
    scores[f"{asked.first} cells of each class"] = [np.nan] * 3 + from_cells(X, table, mine, classes, asked)
    return scores


def from_cells(
    X: np.ndarray, table: pd.DataFrame, mine: np.ndarray, classes: Sequence[str], asked: argparse.Namespace
) -> list[float]:
    """Return the scores of cells where some cells of the same half are labelled, others as a class of their own."""
    K = len(classes)
    label = codes(table["cell_label"], classes)
    label[(label < 0) & table["cell_label"].notna().to_numpy()] = K
    rng = np.random.default_rng(0)
    which = np.concatenate([
        rng.permutation(np.flatnonzero(mine & (label == k)))[: asked.first] for k in range(K + 1)
    ])  # fmt: skip
    rows = LabelledRows(
        embedded={asked.encoder: X[which]}, scaling={asked.encoder: resolve(asked.encoder).scaling}, y=label[which],
        group=np.unique(table["path"].to_numpy(str)[which], return_inverse=True)[1], n_classes=K + 1,
        names=tuple(map(str, which)), tested=np.ones(len(which), bool),
    )  # fmt: skip
    made = learn(rows, get_heads(HEADS))
    P = made.fitted.scores(made.scale.of(X[~mine]))
    truth = np.where(label[~mine] == K, -1, label[~mine])
    return of_cells(P[:, :K], truth, table["cell_label"][~mine].notna().to_numpy(), P.argmax(1) == K)


def of_cells(P: np.ndarray, truth: np.ndarray, known: np.ndarray, none: np.ndarray) -> list[float]:
    """Return (share of the cells of a class with the right one, called none, of the others called none)."""
    own, others = known & (truth >= 0), known & (truth < 0)
    return [balanced_accuracy(P[own], truth[own]), float(none[own].mean()), float(none[others].mean())]


def images_of(X: np.ndarray, table: pd.DataFrame, classes: Sequence[str], encoder: str) -> LabelledImages:
    """Return the labelled images of some rows, each a group of its own."""
    image, names = pd.factorize(table["path"])
    y = np.searchsorted(np.array(classes, str), table["label"].to_numpy(str)).astype(np.int64)
    rows = LabelledRows(
        embedded={encoder: X}, scaling={encoder: resolve(encoder).scaling}, y=y, group=image, n_classes=len(classes),
        names=tuple(names[image]), tested=np.ones(len(y), bool),
    )  # fmt: skip
    return labelled_images(rows, image, names.tolist())


def codes(labels: pd.Series, classes: Sequence[str]) -> np.ndarray:
    """Return the class of every label, int (n,), -1 of none of the classes."""
    return labels.map({name: k for k, name in enumerate(classes)}).fillna(-1).to_numpy(int)


def shown(column: np.ndarray) -> str:
    """Return the mean in percent, with its spread over halves."""
    return "" if np.isnan(column).any() else f"{100 * column.mean():.0f} ± {100 * column.std(ddof=1):.0f}"


if __name__ == "__main__":
    main()

"""What a classifier of one half of the slides promises, and what it keeps on the other half, on real images. Markdown.

    python tests/classifier/halves.py FOLDER [FOLDER...] --pattern '([^/]+)__' --halves 100

A FOLDER holds one sub-folder per class. Half of the slides, drawn at random, are fitted, with a choice among encoders and
heads, and the other half is predicted. Embeddings are kept in --out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import bench
from bench.heads import get_heads
from bench.report.pages.markdown import table_lines
from bench.statistics.metrics import balanced_accuracy, brier
from bench.studies.classifier.learn import LabelledRows, learn, model_of
from bench.studies.classifier.model import About, Asked
from encoders import resolve

HEAD = (
    "data", "halves", "expected", "came", "in the promised interval", "90% sets hold", "size of a set", "errors kept",
    "answered", "false alarms", "Brier", "Brier uncalibrated", "worse by .5%",
)  # fmt: skip
FEWEST = 10  # groups by --pattern


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--pattern", help="as --group-pattern, for folders with names of slides")
    parser.add_argument("--halves", type=int, default=100)
    parser.add_argument("--encoders", default="lite0-cells")
    parser.add_argument("--heads", default="centroid,lda,ridge")
    parser.add_argument("--most", type=int, default=1500, help="images of a set, drawn by slide")
    parser.add_argument("--out", type=Path, default=Path("results"))
    asked = parser.parse_args()
    lines = []
    with threadpool_limits(1):
        for folder in asked.folders:
            lines.append(line(folder, asked))
            print(table_lines([HEAD, lines[-1]]), flush=True)
    print(table_lines([HEAD, *lines], [False] + [True] * 12))


def line(folder: Path, asked: argparse.Namespace) -> list[str]:
    """Return the row of a dataset."""
    names = asked.encoders.split(",")
    probe = bench.load_data(folder, out=asked.out)
    grouped = asked.pattern and any("__" in path for path in probe.table["path"])
    data = bench.load_data(folder, group_pattern=asked.pattern if grouped else None, out=asked.out)
    if data.table["group"].nunique() < FEWEST:  # names that the pattern does not fit
        data = probe
    made = {name: bench.embed(data, name, progress=False) for name in names}
    first = made[names[0]]
    classes, y = np.unique(first.y, return_inverse=True)
    slide = np.unique(first.groups, return_inverse=True)[1]
    rng = np.random.default_rng(0)
    rows = []
    while len(rows) < asked.halves:
        half = rng.permutation(slide.max() + 1) % 2 == 0
        train, test = (_some(np.flatnonzero(half[slide] == side), slide, asked.most, rng) for side in (True, False))
        if len(np.unique(y[train])) == len(np.unique(y[test])) == len(classes):
            rows.append(half_of(made, names, (train, test), y, slide, asked.heads.split(",")))
    mean = {key: np.mean([row[key] for row in rows]) for key in rows[0]}
    shares = ("expected", "came", "kept", "sets", "size", "errors", "answered", "alarms", "brier", "plain", "worse")
    return [data.name, f"{len(rows)}", *(f"{mean[key]:.3f}" for key in shares)]


def _some(rows: np.ndarray, slide: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows of whole slides, in a random order of slides, as many as allowed."""
    order = rng.permutation(slide.max() + 1)[slide[rows]]
    return np.sort(rows[np.argsort(order, kind="stable")[:most]])


def half_of(
    made: dict, names: list[str], sides: tuple[np.ndarray, np.ndarray], y: np.ndarray, slide: np.ndarray,
    heads: list[str],
) -> dict[str, float]:  # fmt: skip
    """Return what was promised of one half and what came."""
    train, test = sides
    K = int(y.max()) + 1
    group = np.unique(slide[train], return_inverse=True)[1]
    rows = LabelledRows(
        embedded={name: made[name].X[train] for name in names}, scaling={name: resolve(name).scaling for name in names},
        y=y[train], group=group, n_classes=K, names=tuple(map(str, train)),
        tested=np.ones(len(train), bool),
    )  # fmt: skip
    learned = learn(rows, get_heads(heads))
    choice = learned.choice
    alone = [k for k in range(K) if len(np.unique(group[y[train] == k])) < 2]
    about = About(
        classes=tuple(map(str, range(K))), encoder=choice.encoder, encoder_key="", weights="", licence="",
        licence_class="", scaling="unit", head=choice.head, head_version=1, setting=choice.setting,
        temperature=choice.temperature, chosen_by=choice.by, instances="whole", channels=(3,), um_per_px=None, data="",
        rows=len(train), images=len(train), groups=int(group.max()) + 1,
        candidates=(), folds=1, warnings=(), versions={},
    )  # fmt: skip
    model = model_of(rows, learned, about)
    X, truth = made[choice.encoder].X[test], y[test]
    found = model.answer(X, Asked(errors=0.05, unlike=0))
    P = found.P.astype(float)
    plain = model.fitted.scores(model.scale.of(X)).astype(float)
    promise, answered = model.promise, np.array([not why for why in found.why])
    told = ~np.isin(truth, alone)
    came = float(balanced_accuracy(P[told], truth[told]))
    wrong = P.argmax(1) != truth
    loss, before = float(brier(P, truth)), float(brier(plain, truth))
    return {
        "expected": promise.balanced_accuracy, "came": came,
        "kept": promise.next_low <= came <= promise.next_high,
        "sets": found.members[np.arange(len(truth)), truth].mean(), "size": found.members.sum(1).mean(),
        "errors": not answered.any() or wrong[answered].mean() <= 0.05, "answered": answered.mean(),
        "alarms": (found.unlike <= 0.05).mean(), "brier": loss, "plain": before, "worse": loss > 1.005 * before,
    }  # fmt: skip


if __name__ == "__main__":
    main()

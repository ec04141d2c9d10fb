"""Does a classifier notice images of another dataset, and a class that it never saw? Markdown.

    python tests/classifier/unlike.py FOLDER [FOLDER...] --pattern '([^/]+)__'

Half of the slides of every FOLDER are remembered. How unlike them are the other half, images of the other folders, and,
where a class was left out of what is remembered, the images of that class? AUROC of the p-value, and false alarms: the
share of the other half that has p <= .05.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

import bench
from bench.fitting.scaling import scaling_of
from bench.report.pages.markdown import table_lines
from bench.studies.classifier.reference import remember
from encoders import resolve

HEAD = ("data", "false alarms", "AUROC, other datasets", "AUROC, a class left out", "worst class left out")
FEWEST = 10  # groups by --pattern


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--pattern", help="as --group-pattern, for folders with names of slides")
    parser.add_argument("--encoder", default="lite0-cells")
    parser.add_argument("--halves", type=int, default=10)
    parser.add_argument("--most", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path("results"))
    asked = parser.parse_args()
    sets = {}
    for folder in asked.folders:
        probe = bench.load_data(folder, out=asked.out)
        grouped = asked.pattern and any("__" in path for path in probe.table["path"])
        data = bench.load_data(folder, group_pattern=asked.pattern if grouped else None, out=asked.out)
        if data.table["group"].nunique() < FEWEST:  # names that the pattern does not fit
            data = probe
        found = bench.embed(data, asked.encoder, progress=False)
        sets[data.name] = (found.X, found.y, np.unique(found.groups, return_inverse=True)[1])
    with threadpool_limits(1):
        lines = [line(name, sets, asked) for name in sets]
    print(table_lines([HEAD, *lines], [False] + [True] * 4))


def line(name: str, sets: dict, asked: argparse.Namespace) -> list[str]:
    """Return the row of a dataset."""
    X, y, slide = sets[name]
    scaling, rng = resolve(asked.encoder).scaling, np.random.default_rng(0)
    alarms, others, left = [], [], {}
    for _ in range(asked.halves):
        half = rng.permutation(slide.max() + 1) % 2 == 0
        train, test = (
            rng.permutation(np.flatnonzero(half[slide] == side))[: asked.most] for side in (True, False)
        )  # fmt: skip
        same, ask = remembered(X, slide, train, scaling, test)
        alarms.append((same <= 0.05).mean())
        for other in set(sets) - {name}:
            foreign = ask(sets[other][0][rng.permutation(len(sets[other][0]))[:500]])
            others.append(roc_auc_score(np.repeat([0, 1], [len(same), len(foreign)]), -np.append(same, foreign)))
        for label in np.unique(y):
            kept, own = train[y[train] != label], test[y[test] == label]
            if len(own) < 5:
                continue
            same_class, ask_class = remembered(X, slide, kept, scaling, test[y[test] != label])
            new = ask_class(X[own])
            truth = np.repeat([0, 1], [len(same_class), len(new)])
            left.setdefault(label, []).append(roc_auc_score(truth, -np.append(same_class, new)))
    mean = {label: np.mean(values) for label, values in left.items()}
    worst = min(mean, key=mean.get)
    each = ", ".join(f"{label} {value:.2f}" for label, value in sorted(mean.items()))
    return [name, f"{np.mean(alarms):.3f}", f"{np.mean(others):.3f}", each, f"{worst} {mean[worst]:.2f}"]


def remembered(X: np.ndarray, slide: np.ndarray, train: np.ndarray, scaling: str, test: np.ndarray) -> tuple:
    """Return (the p-values of test rows, what gives those of others) where some rows are remembered."""
    scale = scaling_of(X, train, slide, scaling)
    reference = remember(scale.of(X[train]), np.zeros(len(train), int), slide[train], tuple(map(str, train)))

    def ask(rows: np.ndarray) -> np.ndarray:
        return reference.nearest(scale.of(rows))[1]

    return ask(X[test]), ask


if __name__ == "__main__":
    main()

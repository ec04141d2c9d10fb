"""Does the temperature of a classifier make its probabilities better, by dataset, encoder and number of labels? Markdown.

    python tests/classifier/brier.py FOLDER [FOLDER...] --pattern '([^/]+)__'

Half of the slides, drawn at random, give so many labels per class; the other half is predicted, see `halves.py`. A row is
the mean over the halves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from halves import FEWEST, half_of
from threadpoolctl import threadpool_limits

import bench
from bench.report.pages.markdown import table_lines

HEAD = ("data", "encoder", "labels per class", "Brier", "uncalibrated", "change, %", "halves worse by .5%")
ALLOWED = 1.005  # a row that is worse by more counts as worse


def main() -> None:
    """Print the table, and in how many of its rows the score is not worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--pattern", help="as --group-pattern, for folders with names of slides")
    parser.add_argument("--halves", type=int, default=20)
    parser.add_argument("--shots", default="5,20,50")
    parser.add_argument("--encoders", default="lite0-cells;efficientnet-lite0@size=64")
    parser.add_argument("--heads", default="centroid,lda,ridge")
    parser.add_argument("--most", type=int, default=1000, help="images of the other half that are predicted")
    parser.add_argument("--out", type=Path, default=Path("results"))
    asked = parser.parse_args()
    lines, kept = [], []
    with threadpool_limits(1):
        for folder in asked.folders:
            for name in asked.encoders.split(";"):
                for shots in map(int, asked.shots.split(",")):
                    loss, plain, worse = scores(folder, name, shots, asked)
                    change = loss / plain - 1
                    kept.append(loss <= ALLOWED * plain)
                    lines.append(
                        [folder.name, f"`{name}`", f"{shots}", f"{loss:.3f}", f"{plain:.3f}", f"{100 * change:+.1f}", f"{worse:.2f}"]
                    )
                    print(lines[-1], flush=True)
    print(table_lines([HEAD, *lines], [False, False] + [True] * 5))
    print(f"\nNot worse by more than .5% in {sum(kept)} of {len(kept)} rows.")


def scores(folder: Path, name: str, shots: int, asked: argparse.Namespace) -> tuple[float, float, float]:
    """Return the mean Brier score with and without the temperature, and the share of halves in which it is worse."""
    data = bench.load_data(folder, group_pattern=asked.pattern, out=asked.out)
    if data.table["group"].nunique() < FEWEST or not any("__" in path for path in data.table["path"]):
        data = bench.load_data(folder, out=asked.out)
    made = bench.embed(data, name, progress=False)
    classes, y = np.unique(made.y, return_inverse=True)
    slide = np.unique(made.groups, return_inverse=True)[1]
    rng, rows = np.random.default_rng(shots), []
    while len(rows) < asked.halves:
        half = rng.permutation(slide.max() + 1) % 2 == 0
        train, test = (rng.permutation(np.flatnonzero(half[slide] == side)) for side in (True, False))
        train = np.concatenate([train[y[train] == k][:shots] for k in range(len(classes))])
        test = test[: asked.most]
        if len(np.unique(y[train])) == len(np.unique(y[test])) == len(classes):
            found = half_of({name: made}, [name], (np.sort(train), np.sort(test)), y, slide, asked.heads.split(","))
            rows.append([found["brier"], found["plain"], found["worse"]])
    loss, plain, worse = np.mean(rows, axis=0)
    return float(loss), float(plain), float(worse)


if __name__ == "__main__":
    main()

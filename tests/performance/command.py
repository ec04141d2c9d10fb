"""How long does a whole `bench run` take, next to the loop of library fits that it replaces? Prints Markdown.

    OMP_NUM_THREADS=1 python tests/performance/command.py
    OMP_NUM_THREADS=1 python tests/performance/command.py --classes 2,8 --dims 384,768

Made-up embeddings of 4,127 images of one encoder, which are stored before, as `bench run --encoder file:...` takes them;
logreg and knn, 5, 10 and 50 labels of a class, 0, 20 and 40% of them wrong, 10 draws, 5 folds: 900 fits. The command is
a process of its own, with its imports, tables and pages. The loop fits and predicts, and writes nothing: scikit-learn,
logistic regression at a tolerance of 1e-8. With one setting: one C, one k. Where both select: `--select auto` against
LogisticRegressionCV and GridSearchCV, 10 values and 5 folds. The loop is run on `--sample` of the 50 splits of every
level and multiplied. CPU seconds of one thread; command and loop turn and turn about, medians.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rows import made_up
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sweep import numbers
from tables import table, times
from threadpoolctl import threadpool_limits

IMAGES, SHOTS, NOISE, DRAWS, FOLDS = 4127, (5, 10, 50), (0.0, 0.2, 0.4), 10, 5
STAGES = """
import json, sys, time
start = time.process_time()
import bench.pipeline as pipeline
from bench.cli.app import main
took = {"imports": time.process_time() - start}
def timed(owner, name):
    whole = getattr(owner, name)
    def call(*args, **how):
        start = time.process_time()
        try:
            return whole(*args, **how)
        finally:
            took[name] = time.process_time() - start
    setattr(owner, name, call)
for name in ("resolve_request", "embed", "plan_request", "write_up"):
    timed(pipeline, name)
timed(pipeline.HeadFits, "make")
try:
    main()
finally:
    took["all"] = time.process_time()
    print(json.dumps(took), file=sys.stderr)
"""


def main() -> None:
    """Print a table of stages and one of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", default="22")
    parser.add_argument("--dims", default="1280")
    parser.add_argument("--sample", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--select", default="fixed,auto")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    warnings.filterwarnings("ignore", module="sklearn")
    lines = []
    for K in numbers(given.classes):
        for d in numbers(given.dims):
            X, y = rows_of(K, d)
            with tempfile.TemporaryDirectory() as place, threadpool_limits(1):
                folder = Path(place)
                write(folder, X, y)
                for select in given.select.split(","):
                    lines.append([K, d, select, *compare(folder, X, y, select, given)])
    print(table(
        ["K", "d", "settings", "fits, s", "tables and pages, s", "of fits", "imports, s", "whole command, s", "loop, s", "ratio"],
        lines,
    ))  # fmt: skip


def rows_of(K: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return made-up embeddings (IMAGES, d) and their classes."""
    y = np.arange(IMAGES) % K
    return made_up(y, d), y


def write(folder: Path, X: np.ndarray, y: np.ndarray) -> None:
    """Write images, their table and their embeddings, and put these into the store."""
    (folder / "data").mkdir()
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label"))
        for i, k in enumerate(y):
            pixels = np.frombuffer(i.to_bytes(4, "big"), np.uint8).reshape(2, 2)
            Image.fromarray(pixels).save(folder / "data" / f"{i:05}.png")
            rows.writerow((f"data/{i:05}.png", f"c{k:02}"))
    paths = np.array([f"data/{i:05}.png" for i in range(len(y))])
    np.savez(folder / "made.npz", path=paths, embedding=X)
    command("extract", folder, "--encoder", "made=file:made.npz")


def command(verb: str, folder: Path, *more: str) -> dict[str, float]:
    """Run a command in a process of its own, and return the CPU seconds of its stages."""
    words = [verb, "--data", "labels.csv", "--out", "out", *more]
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", STAGES, *words], cwd=folder, env={**os.environ, **one}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return found


def compare(folder: Path, X: np.ndarray, y: np.ndarray, select: str, given: argparse.Namespace) -> list[str]:
    """Return a line of the table: medians over turns."""
    here, loop = [], []
    listed = {"--shots": SHOTS, "--noise": NOISE}
    words = [word for name, values in listed.items() for word in (name, ",".join(map(str, values)))]
    words += ["--draws", str(DRAWS), "--select", select, "--head", "logreg,knn", "--workers", "1", "--no-report"]
    for turn in range(given.turns):
        shutil.rmtree(folder / "out" / "runs", ignore_errors=True)
        here.append(command("run", folder, "--encoder", "made=file:made.npz", "--no-baselines", *words))
        loop.append(loop_seconds(X, y, LOOPS[select], given.sample, turn))
    middle = {name: float(np.median([one[name] for one in here])) for name in here[0]}
    took = float(np.median(loop))
    return [
        f"{middle['make']:.1f}", f"{middle['write_up']:.1f}", f"{middle['write_up'] / middle['make']:.0%}",
        f"{middle['imports']:.1f}", f"{middle['all']:.1f}", f"{took:.0f}", times(took / middle["all"]),
    ]  # fmt: skip


def loop_seconds(
    X: np.ndarray, y: np.ndarray, makes: tuple[Callable[[int], object], ...], sample: int, turn: int
) -> float:
    """Return the CPU seconds of all fits of a loop, from `sample` of the splits of every level."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    spent = 0.0
    for at, (shots, rate) in enumerate((shots, rate) for shots in SHOTS for rate in NOISE):
        for one in range(sample):
            rng = np.random.default_rng([turn, at, one])
            test = rng.permutation(len(y)) < len(y) // FOLDS
            pool = np.flatnonzero(~test)
            rows = np.concatenate([rng.permutation(pool[y[pool] == k])[:shots] for k in range(y.max() + 1)])
            labels = np.where(rng.random(len(rows)) < rate, rng.integers(0, y.max() + 1, len(rows)), y[rows])
            centre = unit[pool].mean(0)
            learned, asked = (unit[rows] - centre).astype(float), (unit[test] - centre).astype(float)
            for make in makes:
                start = time.process_time()
                make(len(rows)).fit(learned, labels).predict_proba(asked)  # type: ignore[attr-defined]
                spent += time.process_time() - start
    return spent * DRAWS * FOLDS / sample


def _regression(n: int) -> LogisticRegression:
    return LogisticRegression(C=100.0, tol=1e-8, max_iter=100_000)


def _neighbours(n: int) -> KNeighborsClassifier:
    return KNeighborsClassifier(5)


def _chosen_regression(n: int) -> LogisticRegressionCV:
    return LogisticRegressionCV(Cs=np.logspace(-1, 5, 10), cv=_parts(), tol=1e-8, max_iter=100_000)


def _chosen_neighbours(n: int) -> GridSearchCV:
    ks = sorted({*np.unique(np.geomspace(1, max(2, 0.5 * n), 10).astype(int)).tolist()})
    return GridSearchCV(KNeighborsClassifier(), {"n_neighbors": ks}, cv=_parts())


def _parts() -> StratifiedKFold:
    return StratifiedKFold(5, shuffle=True, random_state=0)


LOOPS = {"fixed": (_regression, _neighbours), "auto": (_chosen_regression, _chosen_neighbours)}

if __name__ == "__main__":
    main()

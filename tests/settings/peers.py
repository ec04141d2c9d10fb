"""Is the default logistic regression as good as scikit-learn's, on the same rows and draws? Prints Markdown.

    OMP_NUM_THREADS=1 python tests/settings/peers.py --data data/nuclei_cells --group-pattern '([^/]+)__' \
        --encoder texture,thumbnail --shots 5,10,50 --seeds 3

LogisticRegression at C = 1 and C = 100 and LogisticRegressionCV (ten C, five folds) learn from the scaled rows of every
draw; ours are logreg at `auto` and `fixed`. Balanced accuracy in percent, means over draws, then log loss, then the CPU
seconds of all fits of a row.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sweep import arguments, rows_of

from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import Sweep, plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.report.pages.markdown import table_lines
from bench.runs.ledger import read_ledger
from bench.runs.tested import scored_items
from bench.statistics.metrics import balanced_accuracy, log_loss

warnings.filterwarnings("ignore")
PEERS = {
    "C = 1": lambda shots: LogisticRegression(C=1.0, max_iter=2000),
    "C = 100": lambda shots: LogisticRegression(C=100.0, max_iter=2000),
    "CV": lambda shots: LogisticRegressionCV(Cs=10, cv=min(5, shots), max_iter=500),
}


def main() -> None:
    """Fit both and print the tables."""
    parser = arguments(__doc__)
    given = parser.parse_args()
    name, table, views = rows_of(given)
    classes = tuple(sorted(set(table["label"])))
    shots = tuple(map(int, given.shots.split(",")))
    protocol = Protocol(shots=shots, draws=given.seeds, select=("auto", "fixed"))
    keys = {view.name: (view.key, view.scaling) for view in views.values()}
    sweep = plan_sweep(table, classes, protocol, keys, ["logreg"])
    rows = [*_ours(sweep, views), *(row for view in views.values() for row in _theirs(sweep, view, shots, given))]
    found = pd.DataFrame(rows, columns=["encoder", "shots", "who", "score", "loss", "seconds"])
    for what, factor, digits in (("score", 100, 1), ("loss", 1, 3), ("seconds", 1, 2)):
        pivot = (factor * found.pivot_table(index=["encoder", "shots"], columns="who", values=what)).round(digits)
        columns = ["auto", "fixed", *PEERS]
        lines = [[name, what, *columns], *([*map(str, key), *map(str, own)] for key, own in zip(
            pivot.index, pivot[columns].to_numpy().tolist(), strict=True))]  # fmt: skip
        print(table_lines(lines) + "\n")


def _ours(sweep: Sweep, views: dict[str, Embedded]) -> list[list[object]]:
    rows: list[list[object]] = []
    for unit in sweep.blocks:
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            part = Sweep(sweep.table, sweep.classes, sweep.plan, sweep.draws, sweep.protocol, (unit,), sweep.noise_inputs)
            HeadFits(views=views, workers=1).make(part, part.blocks, Path(folder))
            took = time.process_time() - started
            own = read_ledger(Path(folder))
        scores = own["balanced_accuracy"].mean(), own["log_loss"].mean()
        rows.append([unit.encoder, unit.shots, unit.selection, *scores, took])
    return rows


def _theirs(sweep: Sweep, view: Embedded, shots: tuple[int, ...], given: Namespace) -> list[list[object]]:
    group, tested_rows = sweep.table["group"].to_numpy(str), sweep.plan.test_rows()
    tested = scored_items(sweep.table, tested_rows, sweep.classes)
    rows: list[list[object]] = []
    for n in (n for n in shots if n not in sweep.draws["class"].refused and n > 1):
        for who, make in PEERS.items():
            scores, losses, took = [], [], 0.0
            for seed in range(given.seeds):
                P = np.zeros((len(tested_rows), len(sweep.classes)))
                for split in sweep.plan.splits(seed):
                    X, support = view.scaled(split.train, group), sweep.draws["class"].supports[n, seed, split.name]
                    started = time.process_time()
                    model = make(n).fit(X[support], sweep.y[support])
                    P[np.searchsorted(tested_rows, split.test)] = model.predict_proba(X[split.test])
                    took += time.process_time() - started
                pooled = tested.pool(P)
                scores.append(float(balanced_accuracy(pooled, tested.y)))
                losses.append(float(log_loss(pooled, tested.y)))
            rows.append([view.name, n, who, np.mean(scores), np.mean(losses), took])
    return rows


if __name__ == "__main__":
    main()

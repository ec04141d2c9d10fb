"""Which rule of n, K and d gives the best published setting? Prints Markdown, from the oracle rows of `sweep.py`.

    python tests/settings/rules.py LEDGER.parquet ...

Every oracle row holds the balanced accuracy of every setting of the grid. Of each level (dataset x encoder x labels a
class) they give the mean over draws as a curve of a strength p, and what a rule loses there is the curve's maximum
minus its value at the rule, by linear interpolation in log p. A rule log p = a + b log(n/K) + c log K + e log d is fitted
by the least mean loss, every dataset weighing the same (Nelder-Mead from the best points of a coarse grid): not to the
best strengths, which curves that are flat leave undetermined. Left out: fitted without the dataset it is judged on. The
last table has the temperatures that fit the tested rows best, at the setting that is best in each draw.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from bench.heads import all_heads
from bench.report.pages.markdown import table_lines

STRENGTH = {"logreg": "l2", "ridge": "alpha", "knn": "k"}
FORMS = {"a": [0], "a, K": [0, 2], "a, n/K, K": [0, 1, 2], "a, n/K, K, d": [0, 1, 2, 3]}
LEVEL = ["dataset", "encoder", "shots"]


def main() -> None:
    """Read the ledgers and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledgers", type=Path, nargs="+")
    parser.add_argument("--least", type=int, default=2, help="labels a class: with one, hardly anything depends on p")
    given = parser.parse_args()
    ledger = pd.concat([pd.read_parquet(path) for path in given.ledgers], ignore_index=True)
    ledger = ledger[(ledger["selection"] == "oracle") & (ledger["shots"] >= given.least)]
    lines: list[list[str]] = []
    for name in STRENGTH:
        levels = [_curve(own, name) for _, own in ledger[ledger["head"] == name].groupby(LEVEL)]
        X, curves, sets = np.array([one[0] for one in levels]), [one[1] for one in levels], [one[2] for one in levels]
        for form, columns in FORMS.items():
            held_out = np.zeros(len(levels))
            for dataset in set(sets):
                own = np.array([one == dataset for one in sets])
                others = [curve for curve, out in zip(curves, own, strict=True) if not out]
                rule = _fit(X[~own][:, columns], others, _weights(sets, ~own))
                held_out[own] = _losses(X[own][:, columns] @ rule, [c for c, out in zip(curves, own, strict=True) if out])
            rule = _fit(X[:, columns], curves, _weights(sets, np.ones(len(sets), bool)))
            lines.append([name, form, " ".join(f"{value:.2f}" for value in rule), *_summary(held_out, sets)])
        lines.append([name, "published", "", *_summary(_published(name, X, curves), sets)])
    print(table_lines([["head", "rule", "a, b, ...", "points lost", "95% of levels", "largest"], *lines]) + "\n")
    table = ledger.assign(T=np.log2(ledger["temperature"])).groupby(["head", "dataset", "shots"])["T"].mean().unstack()
    print(table_lines([["head", "dataset", *map(str, table.columns)],
                       *([*key, *(f"{v:.1f}" for v in own)] for key, own in zip(table.index, table.to_numpy(), strict=True))]))  # fmt: skip


def _curve(rows: pd.DataFrame, head: str) -> tuple[list[float], tuple[np.ndarray, np.ndarray], str]:
    """Return (1, log n/K, log K, log d), (log p rising, points below the best), dataset of a level."""
    wrong = pd.DataFrame([json.loads(text) for text in rows["losses"]]).mean()
    at = np.log([json.loads(text)[STRENGTH[head]] for text in wrong.index])
    order, below = np.argsort(at), 100 * (wrong - wrong.min()).to_numpy()
    one = rows.iloc[0]
    logs = np.log([one["shots"], one["classes"], one["dim"]])
    return [1.0, *logs], (at[order], below[order]), str(one["dataset"])


def _losses(at: np.ndarray, curves: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.array([np.interp(x, *curve) for x, curve in zip(at, curves, strict=True)])


def _fit(X: np.ndarray, curves: list[tuple[np.ndarray, np.ndarray]], weight: np.ndarray) -> np.ndarray:
    def loss(rule: np.ndarray) -> float:
        lost = _losses(X @ rule, curves)
        return float(weight @ (lost + np.maximum(lost - 1.5, 0))) + 1e-3 * float((rule[1:] ** 2).sum())

    slopes = [(0.0, -0.5, -1.0, -1.5)] * min(X.shape[1] - 1, 2) + [(0.0,)] * max(X.shape[1] - 3, 0)
    starts = sorted(itertools.product(np.arange(-9, 4, 1.0), *slopes), key=lambda start: loss(np.array(start)))[:3]
    found = [minimize(loss, start, method="Nelder-Mead", options={"maxiter": 400}) for start in starts]
    return min(found, key=lambda one: one.fun).x  # type: ignore[no-any-return]


def _weights(sets: list[str], used: np.ndarray) -> np.ndarray:
    names = [name for name, own in zip(sets, used, strict=True) if own]
    return np.array([1 / names.count(name) for name in names]) / len(set(names))


def _published(name: str, X: np.ndarray, curves: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    head, sizes = all_heads()[name], np.rint(np.exp(X[:, 1:])).astype(int)
    at = [np.log(head.published(n * K, K, d)[STRENGTH[name]]) for n, K, d in sizes.tolist()]
    return _losses(np.array(at), curves)


def _summary(lost: np.ndarray, sets: list[str]) -> list[str]:
    by_set = pd.Series(lost).groupby(np.array(sets)).mean()
    return [f"{by_set.mean():.2f}", f"{np.quantile(lost, 0.95):.1f}", f"{lost.max():.1f}"]


if __name__ == "__main__":
    main()
